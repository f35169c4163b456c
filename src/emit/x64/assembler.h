// xbyak with our settings. Only files in emit/x64 include it.
#pragma once
#ifndef XBYAK_NO_EXCEPTION
#define XBYAK_NO_EXCEPTION
#endif
#include <xbyak/xbyak.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "emit/abi.h"

namespace psyco::x64 {

// Offsets in the activation record.
constexpr int32_t kFrame = offsetof(Activation, frame);
constexpr int32_t kArgs = offsetof(Activation, args);
constexpr int32_t kFunction = offsetof(Activation, function);
constexpr int32_t kTstate = offsetof(Activation, tstate);
constexpr int32_t kSite = offsetof(Activation, site);
constexpr int32_t kLeave = offsetof(Activation, leave);
constexpr int32_t kPrev = offsetof(Activation, prev);
constexpr int32_t kCode = offsetof(Activation, code);
constexpr int32_t kLinked = offsetof(Activation, linked);
constexpr int32_t kChain = offsetof(Activation, chain);
constexpr int32_t kLinkedFrames = offsetof(Activation, linked_frames);
constexpr int32_t kDirect = offsetof(Activation, direct);
constexpr int32_t kFramedByte = offsetof(Activation, framed);
constexpr int32_t kTag = offsetof(Activation, tag);
constexpr int32_t kCallee = offsetof(Activation, callee);
constexpr int32_t kStackFloor = offsetof(Activation, stack_floor);
constexpr int32_t kBudget = offsetof(Activation, budget);
constexpr int32_t kSaveGpr = offsetof(Activation, save_gpr);
constexpr int32_t kSaveXmm = offsetof(Activation, save_xmm);
constexpr int32_t kSpill = static_cast<int32_t>(kSpillOffset);

// A code generator that can refer to addresses outside its buffer by rel32, fixed when it is
// installed.
class Assembler : public Xbyak::CodeGenerator {
 public:
  Assembler(size_t size, void* buffer) : Xbyak::CodeGenerator(size, buffer) {}

  struct Fixup {
    size_t at;  // of the rel32
    const void* target;
  };
  void call_far(const void* target) {
    db(0xe8);
    far(target);
  }
  void jmp_far(const void* target) {
    db(0xe9);
    far(target);
  }
  // rx: where the buffer's first byte will run.
  void apply_fixups(uint8_t* bytes, const uint8_t* rx) const {
    for (const Fixup& f : fixups_) {
      int64_t rel = static_cast<const uint8_t*>(f.target) - (rx + f.at + 4);
      int32_t rel32 = static_cast<int32_t>(rel);
      __builtin_memcpy(bytes + f.at, &rel32, 4);
    }
  }
  void call_absolute(const void* target) {
    mov(r11, reinterpret_cast<uint64_t>(target));
    call(r11);
  }

 private:
  void far(const void* target) {
    fixups_.push_back({getSize(), target});
    dd(0);
  }
  std::vector<Fixup> fixups_;
};

}  // namespace psyco::x64
