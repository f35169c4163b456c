// Code that all bodies of one code memory share. Calling conventions are stated at each; unless
// said otherwise a stub keeps every register but r11 and xmm15, and the flags are lost.
#pragma once
#include <cstdint>

#include "emit/abi.h"
#include "emit/code_memory.h"

namespace psyco {

struct Stubs {
  TargetLayout layout;
  RuntimeTable runtime;
  CodeMemory::Chunk chunk;
  // Jumped to with the record on the stack (`push imm32`): saves registers, calls runtime.exit, and
  // returns its result from the body.
  const uint8_t* exit = nullptr;
  const uint8_t* exit_exception = nullptr;
  // r11: object. Plain: no registers are visible to the runtime. Release: they are, in act->save_*.
  // Arrays are indexed by whether the body has doubles in registers, which are then kept as well.
  const uint8_t* dealloc_plain[2] = {};
  const uint8_t* release = nullptr;
  const uint8_t* release_linked = nullptr;
  const uint8_t* release_after_return = nullptr;
  const uint8_t* box_int[2] = {};         // r11: number in, object or null out
  const uint8_t* box_float = nullptr;     // xmm15: number in; r11: object or null
  const uint8_t* unbox_int[2] = {};       // r11: object in, number out; ZF set if it fits
  const uint8_t* update_float = nullptr;  // r11: slot, xmm15: number
  const uint8_t* update_int[2] = {};      // r11: slot, act->save_gpr[4]: number
  // r11: OperandCache, act->save_gpr[4] and [11]: the operands.
  const uint8_t* note_types[2] = {};
  // Around a call from an inlined frame: keep argument registers, or the result.
  const uint8_t* link = nullptr;
  const uint8_t* unlink = nullptr;           // keeps rax, rdx, xmm0
  const uint8_t* note_kept_frame = nullptr;  // the same
  const uint8_t* attend = nullptr;           // rax: result in and out; all else is lost
  const uint8_t* drop_frames = nullptr;      // keeps all but flags
  const uint8_t* show_frames = nullptr;      // needs act->site; flags are lost
  // r11: LinkCell, rdi: words. Result in rax, tag in edx; all else is lost.
  const uint8_t* call_native = nullptr;
  // Jumped to by the entry stub of a function: see entry.cpp.
  const uint8_t* enter_call = nullptr;
};

}  // namespace psyco
