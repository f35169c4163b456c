// Start and stop of the whole runtime.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"

namespace psyco {

// Hooks, watchers, tool id. False with a Python error set, and everything undone.
bool start_runtime();
// For good. Functions are as they were before, and no reference is kept. May run Python code.
void stop_runtime();
// All of RuntimeTable.
void fill_runtime_table(RuntimeTable* table);
// What this Python version says about objects.
TargetLayout make_layout();

// Tries on this very interpreter what everything else rests on: layouts, one exit, one exception,
// one loop, one look at a frame. Null if all is well, else what is wrong.
const char* self_test();

}  // namespace psyco
