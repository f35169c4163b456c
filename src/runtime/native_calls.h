// Calls from one compiled body to another (Op::CallNative): what the stub call_native does not do
// itself.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"

namespace psyco {

// RuntimeTable::call_unlinked, convert_result.
extern "C" void* psyco_call_unlinked(Activation* caller, LinkCell* cell, uint64_t* words);
extern "C" uint64_t psyco_convert_result(Activation* act, LinkCell* cell, uint64_t value,
                                         uint32_t tag, void** box);

// A result was often not what callers expect of it: they are to be compiled again. Set by the
// driver.
extern void (*g_result_misfits)(LinkCell* cell, CompiledCode* caller);

}  // namespace psyco
