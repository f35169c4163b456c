// Finds hot code without counting everything: a thread ticks, whoever runs Python then looks at his
// own topmost frames, and code seen there raises events for a while, which are counted precisely.
// Code that nobody sees costs nothing.
#pragma once
#include "runtime/entry.h"

namespace psyco {

extern bool g_sampling;  // false: global events count everything, and there is no thread

// Starts or stops the ticking. False if there can be no thread: then global events have to do.
bool start_sampler();
void stop_sampler();
// Of the recent time the part, roughly, that the code was running in, or what it called directly.
double share_of_time(const CodeEntry* entry);
void look_soon();  // and perhaps end what costs too much
// The code raises no events any more: it was not hot enough, or nothing came of it. To be counted
// again it has to be seen more often than before.
void cool(CodeEntry* entry);
// A verdict on the code has ended: it raises events again, at once or when it is seen to be hot.
void look_again(CodeEntry* entry);
void forget_sampled(const CodeEntry* entry);  // its code dies

}  // namespace psyco
