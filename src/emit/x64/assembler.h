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
#include "lir/lir.h"
#include "support/check.h"

namespace psyco::x64 {

// Offsets in the activation record.
constexpr int32_t kFrame = offsetof(Activation, frame);
constexpr int32_t kArgs = offsetof(Activation, args);
constexpr int32_t kFunction = offsetof(Activation, function);
constexpr int32_t kTstate = offsetof(Activation, tstate);
constexpr int32_t kSite = offsetof(Activation, site);
constexpr int32_t kExpected = offsetof(Activation, expected);
constexpr int32_t kNext = offsetof(Activation, next);
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
  // Jumps to places that are known when they are reached. Most code jumps around a few
  // instructions or to a slow path and back; xbyak's labels live in hash tables.
  struct Jump {
    uint32_t end;  // behind its rel32
  };
  struct ShortJump {
    uint32_t end;  // behind its rel8
  };
  Jump jump_if(lir::Cc cc) {
    db(0x0f);
    db(0x80 | static_cast<int>(cc));
    dd(0);
    return {here()};
  }
  Jump jump() {
    db(0xe9);
    dd(0);
    return {here()};
  }
  ShortJump skip_if(lir::Cc cc) {  // not farther than 127 bytes
    db(0x70 | static_cast<int>(cc));
    db(0);
    return {here()};
  }
  void land(Jump jump) { rewrite(jump.end - 4, here() - jump.end, 4); }
  void land(ShortJump jump) {
    PSYCO_DCHECK(here() - jump.end < 128);
    rewrite(jump.end - 1, here() - jump.end, 1);
  }
  uint32_t here() const { return static_cast<uint32_t>(getSize()); }
  void jump_to(uint32_t place) {  // that was here()
    db(0xe9);
    dd(place - here() - 4);
  }
  void call_c(const void* target) {
    mov(rax, reinterpret_cast<uint64_t>(target));
    call(rax);
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
