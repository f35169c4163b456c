// The child of os.fork, which has one thread: activations of its parent's other threads end there.
#pragma once
#include "cpython/port.h"

namespace psyco {

// module.function(positional, **named), for hooks of the process; both arguments may be null. False
// with an error.
bool call_with(const char* module, const char* function, PyObject* positional, PyObject* named);

bool watch_forks();  // false with an error

}  // namespace psyco
