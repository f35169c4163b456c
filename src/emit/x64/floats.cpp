// Doubles: three-operand AVX forms, or SSE2. Never FMA: it rounds once where Python rounds twice.
#include "emit/x64/emitter.h"

namespace psyco::x64 {

using namespace lir;

void Emitter::ucomi(const Xmm& a, const lir::Operand& b) {
  if (b.kind == lir::Operand::Lit && b.imm == 0) {
    zero_xmm(xmm15);
    avx_ ? vucomisd(a, xmm15) : ucomisd(a, xmm15);
  } else if (b.kind == lir::Operand::Lit) {
    Address m = literal(static_cast<uint64_t>(b.imm));
    avx_ ? vucomisd(a, m) : ucomisd(a, m);
  } else if (b.loc.kind == Loc::Slot) {
    Address m = slot(b.loc);
    avx_ ? vucomisd(a, m) : ucomisd(a, m);
  } else {
    avx_ ? vucomisd(a, xmm(b)) : ucomisd(a, xmm(b));
  }
}

void Emitter::emit_float(Inst& inst) {
  const lir::Operand& a = inst.use[0];
  const lir::Operand& b = inst.use[1];
  auto arithmetic = [&](auto sse, auto avx) {
    Xmm d = xmm(inst.def), x = xmm(a);
    if (b.kind == lir::Operand::Lit) {
      Address m = literal(static_cast<uint64_t>(b.imm));
      if (avx_) return avx(d, x, m);
      move_xmm(d, x);
      return sse(d, m);
    }
    if (b.loc.kind == Loc::Slot) {
      Address m = slot(b.loc);
      if (avx_) return avx(d, x, m);
      move_xmm(d, x);
      return sse(d, m);
    }
    if (avx_) return avx(d, x, xmm(b));
    Xmm y = b.loc == a.loc ? d : xmm(b);
    move_xmm(d, x);
    return sse(d, y);
  };
#define BOTH(name)                                                       \
  arithmetic([&](const Xmm& d, const Xbyak::Operand& s) { name(d, s); }, \
             [&](const Xmm& d, const Xmm& x, const Xbyak::Operand& s) { v##name(d, x, s); })
  switch (inst.op) {
    case Lop::FloatAdd:
      BOTH(addsd);
      return;
    case Lop::FloatSub:
      BOTH(subsd);
      return;
    case Lop::FloatMul:
      BOTH(mulsd);
      return;
    case Lop::FloatDiv:
      BOTH(divsd);
      return;
    case Lop::FloatNeg:
    case Lop::FloatAbs: {
      bool negate = inst.op == Lop::FloatNeg;
      Address m = mask(negate ? uint64_t{1} << 63 : ~(uint64_t{1} << 63));
      Xmm d = xmm(inst.def);
      if (avx_) {
        negate ? vxorpd(d, xmm(a), m) : vandpd(d, xmm(a), m);
      } else {
        move_xmm(d, xmm(a));
        negate ? xorpd(d, m) : andpd(d, m);
      }
      return;
    }
    case Lop::FloatSqrt: {
      Xmm d = xmm(inst.def);
      avx_ ? vsqrtsd(d, xmm(a), xmm(a)) : sqrtsd(d, xmm(a));
      return;
    }
    case Lop::FloatNotZeroGuard: {
      if (stressed(inst)) return;
      Label over;
      zero_xmm(xmm15);
      avx_ ? vucomisd(xmm(a), xmm15) : ucomisd(xmm(a), xmm15);
      jp(over);  // NaN is not zero
      je(exit_label(inst));
      L(over);
      return;
    }
    case Lop::FloatNotNegativeGuard:
      if (stressed(inst)) return;
      zero_xmm(xmm15);
      avx_ ? vucomisd(xmm15, xmm(a)) : ucomisd(xmm15, xmm(a));
      ja(exit_label(inst));
      return;
    case Lop::IntToFloat: {
      Xmm d = xmm(inst.def);
      zero_xmm(d);  // cvtsi2sd keeps the upper half: break the dependence
      if (a.loc.kind == Loc::Slot)
        mov(r11, slot(a.loc));  // xbyak encodes the memory form with 32 bits
      Reg64 from = a.loc.kind == Loc::Slot ? r11 : gpr(a);
      avx_ ? vcvtsi2sd(d, d, from) : cvtsi2sd(d, from);
      return;
    }
    default: {  // FloatToIntExit: the "indefinite" result is INT64_MIN
      if (stressed(inst)) return;
      Reg64 d = gpr(inst.def);
      avx_ ? vcvttsd2si(d, xmm(a)) : cvttsd2si(d, xmm(a));
      cmp(d, 1);
      jo(exit_label(inst));
      return;
    }
  }
#undef BOTH
}

}  // namespace psyco::x64
