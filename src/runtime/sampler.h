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
void forget_sampled(const CodeEntry* entry);  // its code dies

}  // namespace psyco
