// Code that is hot while the compiler has had its share of the program's time. Its events would go
// on for nothing, so it raises none until there is something to spend: a program of many functions,
// each a little hot, would otherwise pay for the events of all of them, for ever.
#pragma once
#include "runtime/entry.h"

namespace psyco {

// Hot code raised an event and may not be compiled yet. True: its events at this place are to be
// disabled; it is heard of again. What most denied events come from stays, to be compiled first
// and to notice when there is time for it.
bool park(CodeEntry* entry);
// If the compiler may spend something, some parked code raises events again. Cheap if there is
// none; may be called wherever Python code may run.
void unpark_some();

// Hot code that the user does not want compiled at present raises no events (the caller disables
// them) until somebody changes his mind.
void settle(CodeEntry* entry);
void wake_settled();
void forget_parked(CodeEntry* entry);  // its code dies

}  // namespace psyco
