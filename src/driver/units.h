// The life of compiled bodies: linked, retired, buried, evicted; and how a collection of garbage
// sees what they hold.
#pragma once
#include "driver/driver.h"
#include "emit/code_memory.h"

namespace psyco {

extern CodeMemory* g_memory;

bool start_units();  // false: a Python error is set
// For good: no unit can be entered, none will go on, and none holds anything any more.
void stop_units();

// What the number is the generation of, the history itself or a unit of it, has got something new.
void make_young(CodeHistory* history, int& generation);

CodeHistory* history_of(CodeEntry* entry);
// Those with a history, in the order in which they came.
const std::list<CodeEntry*>& known_entries();
void forget_feedback(CodeHistory* history);  // may run Python code
uint64_t exits_so_far(const Unit* unit);
// Each cell of the entry gets the newest version it fits.
void link_cells(CodeEntry* entry);
// Takes a body out of use; frees nothing, runs nothing.
void retire_unit(CodeEntry* entry, Unit* unit);
// The unit is in no list and not in use. May run Python code.
void free_unit(Unit* unit);
// Retires what broke and frees what is retired and no activation names any more. May run Python
// code.
void bury_the_dead();
// A reference that cannot be given back here and now, as nothing may run: bury_the_dead() does.
void release_later(PyObject* object);
// Evicts what was not entered for the longest time when there is more code than allowed. False:
// all of it is running.
bool make_room();
void evict_to(size_t bytes);
// While the collector runs units hold nothing that may be garbage: see units.cpp. Nothing can be
// compiled then.
bool objects_are_lent();

}  // namespace psyco
