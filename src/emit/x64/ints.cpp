// int64 arithmetic.
#include "emit/x64/emitter.h"

namespace psyco::x64 {

using namespace lir;

void Emitter::emit_int(Inst& inst) {
  const bool exits = inst.exit != nullptr;
  if (exits && stressed(inst)) return;
  Reg64 d = gpr(inst.def);
  lir::Operand& a = inst.use[0];
  lir::Operand& b = inst.use[1];
  if (inst.op == Lop::WrapIndex) {
    mov(r11, gpr(a));
    if (b.kind == lir::Operand::Imm)
      add(r11, static_cast<int32_t>(b.imm));
    else if (b.loc.kind == Loc::Slot)
      add(r11, slot(b.loc));
    else
      add(r11, gpr(b));
    move_gpr(d, gpr(a));
    test(d, d);
    cmovs(d, r11);
    return;
  }
  if ((inst.op == Lop::Mul || inst.op == Lop::MulExit) && b.kind == lir::Operand::Imm) {
    imul(d, gpr(a), static_cast<int32_t>(b.imm));
    if (exits) jo(exit_label(inst));
    return;
  }
  const bool same = a.loc == inst.def.loc;
  if ((inst.op == Lop::Add || inst.op == Lop::Sub) && !same && a.loc.is_reg() &&
      (b.kind == lir::Operand::Imm || (b.loc.is_reg() && inst.op == Lop::Add)) &&
      !(b.kind == lir::Operand::Imm && b.imm == INT32_MIN)) {
    if (b.kind == lir::Operand::Imm)
      lea(d, ptr[gpr(a) + static_cast<int32_t>(inst.op == Lop::Add ? b.imm : -b.imm)]);
    else
      lea(d, ptr[gpr(a) + gpr(b)]);
    return;
  }
  load_operand(d, a);
  auto apply = [&](auto on_reg, auto on_mem, auto on_imm) {
    if (b.kind == lir::Operand::Imm)
      on_imm(static_cast<int32_t>(b.imm));
    else if (b.loc.kind == Loc::Slot)
      on_mem(slot(b.loc));
    else
      on_reg(b.loc == a.loc ? d : gpr(b));
  };
#define APPLY(name)                                                                 \
  apply([&](const Reg64& r) { name(d, r); }, [&](const Address& m) { name(d, m); }, \
        [&](int32_t i) { name(d, i); })
  switch (inst.op) {
    case Lop::Add:
    case Lop::AddExit:
      APPLY(add);
      break;
    case Lop::Sub:
    case Lop::SubExit:
      APPLY(sub);
      break;
    case Lop::And: {
      APPLY(and_);
      break;
    }
    case Lop::Or:
      APPLY(or_);
      break;
    case Lop::Xor:
      APPLY(xor_);
      break;
    case Lop::Mul:
    case Lop::MulExit:
      apply([&](const Reg64& r) { imul(d, r); }, [&](const Address& m) { imul(d, m); },
            [&](int32_t i) { imul(d, d, i); });
      break;
    case Lop::Neg:
    case Lop::NegExit:
      neg(d);
      break;
    default:
      not_(d);
      break;
  }
#undef APPLY
  if (!exits) return;
  // The first operand was overwritten: does the state name it there?
  bool named = false;
  if (same && inst.op != Lop::MulExit)
    for_each_exit_use(fn_, *inst.exit, [&](lir::Vreg v) { named |= v == inst.exit->early; });
  if (!named) {
    jo(exit_label(inst));
    return;
  }
  Lop op = inst.op;
  jo(exit_label(inst, false, [this, d, b, op] {
    if (op == Lop::NegExit) {
      neg(d);
    } else if (b.kind == lir::Operand::Imm) {
      op == Lop::AddExit ? sub(d, static_cast<int32_t>(b.imm))
                         : add(d, static_cast<int32_t>(b.imm));
    } else if (b.loc.kind == Loc::Slot) {
      op == Lop::AddExit ? sub(d, slot(b.loc)) : add(d, slot(b.loc));
    } else {
      op == Lop::AddExit ? sub(d, gpr(b)) : add(d, gpr(b));
    }
  }));
}

// Python's floor semantics from idiv's truncation. inst.imm: the divisor if it is a constant other
// than 0 and -1, else 0. The divisor is in neither rax nor rdx.
void Emitter::emit_division(Inst& inst) {
  if (stressed(inst)) return;
  const bool div = inst.op == Lop::FloorDivExit;
  Reg64 d = gpr(inst.def), b = gpr(inst.use[1]);
  const lir::Operand a = inst.use[0];
  auto back = std::make_shared<Label>();
  if (!inst.imm) {
    test(b, b);
    jz(exit_label(inst));
    cmp(b, -1);
    if (div) {
      auto minus_one = std::make_shared<Label>();
      je(*minus_one);
      Label* leave = &exit_label(inst);
      slow_path([this, minus_one, back, a, d, leave] {
        L(*minus_one);
        load_operand(r11, a);
        neg(r11);
        jo(*leave);
        mov(d, r11);
        jmp(*back);
      });
    } else {
      je(exit_label(inst));
    }
  }
  load_operand(rax, a);
  cqo();
  idiv(b);
  // Signs differ and there is a remainder: one down.
  mov(r11, rdx);
  xor_(r11, b);
  sar(r11, 63);
  test(rdx, rdx);
  cmovz(r11, rdx);
  if (div) {
    add(rax, r11);
    move_gpr(d, rax);
  } else {
    and_(r11, b);
    add(rdx, r11);
    move_gpr(d, rdx);
  }
  L(*back);
}

void Emitter::emit_shift(Inst& inst) {
  if (inst.exit && stressed(inst)) return;
  Reg64 d = gpr(inst.def);
  const lir::Operand& a = inst.use[0];
  switch (inst.op) {
    case Lop::ShlImm:
    case Lop::SarImm:
      move_gpr(d, gpr(a));
      if (inst.imm)
        inst.op == Lop::ShlImm ? shl(d, static_cast<int>(inst.imm))
                               : sar(d, static_cast<int>(inst.imm));
      return;
    case Lop::ShlImmExit: {
      int k = static_cast<int>(inst.imm);
      move_gpr(d, gpr(a));
      if (!k) return;
      shl(d, k);
      mov(r11, d);
      sar(r11, k);
      cmp(r11, gpr(a));
      jne(exit_label(inst));
      return;
    }
    case Lop::ShlExit: {
      Reg64 b = gpr(inst.use[1]), x = gpr(a);
      cmp(b, 62);
      ja(exit_label(inst));
      if (bmi2_) {
        shlx(d, x, b);
        sarx(r11, d, b);
        cmp(r11, x);
        jne(exit_label(inst));
        return;
      }
      mov(rcx, b);
      mov(r11, x);
      shl(r11, cl);
      sar(r11, cl);
      cmp(r11, x);
      jne(exit_label(inst));
      shl(r11, cl);
      mov(d, r11);
      return;
    }
    default: {  // ShrExit
      Reg64 b = gpr(inst.use[1]), x = gpr(a);
      test(b, b);
      js(exit_label(inst));
      mov(r11d, 63);
      cmp(b, r11);
      cmovbe(r11, b);
      if (bmi2_) {
        sarx(d, x, r11);
        return;
      }
      mov(rcx, r11);
      mov(r11, x);
      sar(r11, cl);
      mov(d, r11);
      return;
    }
  }
}

}  // namespace psyco::x64
