// Compares and what consumes them.
//
// ucomisd sets CF on "below" and ZF, PF, CF on NaN. Lt and Le come swapped from selection, so A and
// AE are false on NaN, and their negations BE and B true. E and NE need PF besides.
#include "emit/x64/emitter.h"

namespace psyco::x64 {

using namespace lir;

// Emits what sets the flags; returns the condition under which the compare is true.
Cc Emitter::compare(Inst& inst) {
  const lir::Operand& a = inst.use[0];
  const lir::Operand& b = inst.use[1];
  auto with_imm = [&](int64_t imm, const Address* memory) {
    if (imm == 0 && !memory && a.loc.is_reg()) {
      test(gpr(a), gpr(a));
    } else if (imm == static_cast<int32_t>(imm)) {
      int32_t i = static_cast<int32_t>(imm);
      if (memory)
        cmp(*memory, i);
      else if (a.loc.kind == Loc::Slot)
        cmp(slot(a.loc), i);
      else
        cmp(gpr(a), i);
    } else {
      load_imm(r11, imm, true);
      if (memory)
        cmp(*memory, r11);
      else if (a.loc.kind == Loc::Slot)
        cmp(slot(a.loc), r11);
      else
        cmp(gpr(a), r11);
    }
  };
  switch (inst.compare) {
    case CompareKind::Int:
    case CompareKind::Identity:
      if (b.kind == lir::Operand::Imm) {
        with_imm(b.imm, nullptr);
      } else if (b.loc.kind == Loc::Slot) {
        cmp(gpr(a), slot(b.loc));
      } else if (a.loc.kind == Loc::Slot) {
        cmp(slot(a.loc), gpr(b));
      } else {
        cmp(gpr(a), gpr(b));
      }
      return inst.cc;
    case CompareKind::Bool:
      if (a.loc.kind == Loc::Slot)
        cmp(slot(a.loc), 0);
      else
        test(gpr(a), gpr(a));
      return inst.cc;
    case CompareKind::Float:
      ucomi(xmm(a), b);
      return inst.cc;
    case CompareKind::Type: {
      Address type = qword[gpr(a) + layout_.ob_type];
      with_imm(inst.imm, &type);
      return inst.cc;
    }
    case CompareKind::FitsDouble:
      mov(r11, int64_t{1} << 53);
      add(r11, gpr(a));
      cmp(r11, literal(uint64_t{1} << 54));
      return Cc::BE;
    case CompareKind::Leave:  // a guard only: see emit_compare_guard
      break;
    case CompareKind::Poll:
      if (inst.value && inst.value->imm == 1) {  // counted: see Op::Poll
        sub(qword[rbx + kBudget], 1);
        js(exit_label(inst), T_NEAR);
      }
      mov(r11, qword[rbx + kExpected]);
      cmp(qword[r15 + layout_.ts_eval_breaker], r11);
      return Cc::E;
  }
  return inst.cc;
}

static bool needs_parity(const Inst& inst, Cc cc) {
  return inst.compare == CompareKind::Float && (cc == Cc::E || cc == Cc::NE);
}

void Emitter::emit_compare_set(Inst& inst) {
  Cc cc = compare(inst);
  Reg64 d = gpr(inst.def);
  Xbyak::Reg8 d8 = d.cvt8();
  auto set = [&](Cc c, const Xbyak::Reg8& r) {
    switch (c) {
      case Cc::O:
        return seto(r);
      case Cc::NO:
        return setno(r);
      case Cc::B:
        return setb(r);
      case Cc::AE:
        return setae(r);
      case Cc::E:
        return sete(r);
      case Cc::NE:
        return setne(r);
      case Cc::BE:
        return setbe(r);
      case Cc::A:
        return seta(r);
      case Cc::S:
        return sets(r);
      case Cc::NS:
        return setns(r);
      case Cc::P:
        return setp(r);
      case Cc::NP:
        return setnp(r);
      case Cc::L:
        return setl(r);
      case Cc::GE:
        return setge(r);
      case Cc::LE:
        return setle(r);
      case Cc::G:
        return setg(r);
    }
  };
  if (needs_parity(inst, cc)) {
    set(cc == Cc::E ? Cc::NP : Cc::P, r11b);
    set(cc, d8);
    cc == Cc::E ? and_(d8, r11b) : or_(d8, r11b);
  } else {
    set(inst.invert ? lir::negate(cc) : cc, d8);
  }
  movzx(d.cvt32(), d8);
}

void Emitter::emit_compare_branch(Inst& inst, const lir::Block& block, const lir::Block* next) {
  const lir::Block* yes = target_[block.succs[0]->id];
  const lir::Block* no = target_[block.succs[1]->id];
  if (inst.invert) std::swap(yes, no);
  if (yes == no) {
    if (yes != next) jmp(block_labels_[yes->id]);
    return;
  }
  Cc cc = compare(inst);
  Label& to_yes = block_labels_[yes->id];
  Label& to_no = block_labels_[no->id];
  if (needs_parity(inst, cc)) {
    Label* equal = &to_yes;
    Label* different = &to_no;
    const lir::Block* equal_block = yes;
    const lir::Block* different_block = no;
    if (cc == Cc::NE) std::swap(equal, different), std::swap(equal_block, different_block);
    jp(*different);
    if (equal_block == next) {
      jne(*different);
    } else {
      je(*equal);
      if (different_block != next) jmp(*different);
    }
    return;
  }
  if (yes == next) {
    jcc(lir::negate(cc), to_no);
  } else {
    jcc(cc, to_yes);
    if (no != next) jmp(to_no);
  }
}

void Emitter::emit_compare_guard(Inst& inst) {
  if (stressed(inst)) return;
  if (inst.compare == CompareKind::Leave) return check_leave(exit_label(inst));
  Cc cc = compare(inst);
  if (needs_parity(inst, cc)) {
    bool leave_if_different = (cc == Cc::E) != inst.invert;
    if (leave_if_different) {
      jp(exit_label(inst));
      jne(exit_label(inst));
    } else {
      Label over;
      jp(over);
      je(exit_label(inst));
      L(over);
    }
    return;
  }
  jcc(inst.invert ? cc : lir::negate(cc), exit_label(inst));
}

}  // namespace psyco::x64
