// The part of entering a function that the entry stubs of all functions share: see entry.cpp.
#pragma once
#include "emit/x64/assembler.h"

namespace psyco::x64 {

// In: r11 the BodyState, rdi, rsi, rdx the vectorcall's arguments without names, and the entry
// values on the stack. Jumped to; returns from the vectorcall.
void write_enter_call(Assembler& w, const TargetLayout& layout, const RuntimeTable& runtime);

}  // namespace psyco::x64
