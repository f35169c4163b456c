// Leaving compiled code for the interpreter.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"

namespace psyco {

// RuntimeTable::exit. Entry kind Call: the result of the call, or null with an error. Osr: 1, the
// interpreter's frame stands where to go on; 0, the callback must return the error that is set.
// The frames are gone afterwards (Call) or the interpreter's (Osr); the record is still to be
// popped.
extern "C" uint64_t psyco_exit(Activation* act, uint32_t record, int exception);

}  // namespace psyco
