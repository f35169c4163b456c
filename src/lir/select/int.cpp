// int64 arithmetic. An addition that exits may overwrite its first operand although the exit's
// state names it: the exit's stub undoes it (x64/ints.cpp), so that operand is an early use of the
// exit.
#include <bit>

#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Reason;
using ir::Value;

namespace {
bool commutes(Op op) {
  switch (op) {
    case Op::AddInt:
    case Op::MulInt:
    case Op::AddIntUnchecked:
    case Op::MulIntUnchecked:
    case Op::AndInt:
    case Op::OrInt:
    case Op::XorInt:
      return true;
    default:
      return false;
  }
}
Lop plain_lop(Op op) {
  switch (op) {
    case Op::AddInt:
      return Lop::AddExit;
    case Op::SubInt:
      return Lop::SubExit;
    case Op::MulInt:
      return Lop::MulExit;
    case Op::AddIntUnchecked:
      return Lop::Add;
    case Op::SubIntUnchecked:
      return Lop::Sub;
    case Op::MulIntUnchecked:
      return Lop::Mul;
    case Op::AndInt:
      return Lop::And;
    case Op::OrInt:
      return Lop::Or;
    default:
      return Lop::Xor;
  }
}
int power_of_two(int64_t x) {
  return x > 0 && std::has_single_bit(static_cast<uint64_t>(x))
             ? std::countr_zero(static_cast<uint64_t>(x))
             : -1;
}
}  // namespace

void Selector::select_int(Value& v) {
  Inst i{Lop::Add};
  i.value = &v;
  Value* a = v.inputs[0];
  Value* b = v.inputs.size() > 1 ? v.inputs[1] : nullptr;
  auto finish = [&] {
    i.def = define(v);
    if (i.use[0].is_vreg()) fn.vregs[i.def.vreg].hint = i.use[0].vreg;
    fn.insts.push_back(i);
  };
  switch (v.op) {
    case Op::NegInt:
      i.op = Lop::NegExit;
      i.use[0] = any(a);
      if (i.use[0].kind == Operand::Imm) i.use[0] = reg(a);
      set_exit(i, v, Reason::Overflow, true, a);
      return finish();
    case Op::NotInt:
      i.op = Lop::Not;
      i.use[0] = reg(a);
      return finish();
    case Op::WrapIndex:
      i.op = Lop::WrapIndex;
      i.use[0] = reg(a);
      i.use[1] = any(b);
      return finish();
    case Op::FloorDivInt:
    case Op::ModInt: {
      bool div = v.op == Op::FloorDivInt;
      if (is_constant(b)) {
        int64_t c = constant_bits(b);
        int k = power_of_two(c);
        if (c == 0) {
          Inst leave{Lop::CompareGuard};  // never true: 1 == 0
          leave.value = &v;
          leave.compare = CompareKind::Int;
          leave.use[0] = reg(b);
          leave.use[1] = any(b);
          leave.cc = Cc::NE;
          set_exit(leave, v, Reason::ZeroDivision);
          fn.insts.push_back(leave);
          i.op = Lop::LoadImm;
          i.def = define(v);
          fn.insts.push_back(i);
          return;
        }
        if (div && k == 0) {
          i.op = Lop::Move;
          i.use[0] = reg(a);
          return finish();
        }
        if (div && k > 0) {
          i.op = Lop::SarImm;
          i.use[0] = reg(a);
          i.imm = k;
          return finish();
        }
        if (!div && (k == 0 || c == -1)) {
          i.op = Lop::LoadImm;
          i.imm = 0;
          i.def = define(v);
          fn.insts.push_back(i);
          return;
        }
        if (!div && k > 0) {
          i.op = Lop::And;
          i.use[0] = reg(a);
          i.use[1].kind = Operand::Imm;
          i.use[1].imm = c - 1;
          if (!fits32(c - 1)) {
            Inst load{Lop::LoadImm};
            load.value = &v;
            load.imm = c - 1;
            load.def.kind = Operand::Reg;
            load.def.vreg = fn.new_vreg(Bank::Gpr);
            fn.insts.push_back(load);
            i.use[1] = load.def;
            i.use[1].late = true;
          }
          return finish();
        }
        if (div && c == -1) {
          i.op = Lop::NegExit;
          i.use[0] = reg(a);
          set_exit(i, v, Reason::Overflow, true, a);
          return finish();
        }
        i.imm = c;  // known: neither 0 nor -1
      }
      i.op = div ? Lop::FloorDivExit : Lop::ModExit;
      i.use[0] = a->op == Op::ConstI64 ? reg(a) : any(a);
      i.use[1] = reg(b, true);
      i.clobber_gpr = 1u << rax | 1u << rdx;
      set_exit(i, v, is_constant(b) ? Reason::Overflow : Reason::ZeroDivision);
      i.def = define(v);
      fn.vregs[i.def.vreg].fixed_hint = div ? rax : rdx;
      fn.insts.push_back(i);
      return;
    }
    case Op::ShlInt:
    case Op::ShrInt: {
      bool left = v.op == Op::ShlInt;
      if (is_constant(b)) {
        int64_t c = constant_bits(b);
        if (c < 0 || (left && c > 62)) {
          Inst leave{Lop::CompareGuard};
          leave.value = &v;
          leave.use[0] = reg(b);
          leave.use[1].kind = Operand::Imm;
          leave.cc = c < 0 ? Cc::GE : Cc::L;
          set_exit(leave, v, Reason::Domain);
          fn.insts.push_back(leave);
          i.op = Lop::LoadImm;
          i.def = define(v);
          fn.insts.push_back(i);
          return;
        }
        i.imm = left ? c : (c > 63 ? 63 : c);
        i.op = left ? Lop::ShlImmExit : Lop::SarImm;
        i.use[0] = reg(a, left);
        if (left) set_exit(i, v, Reason::Overflow);
        i.def = define(v);
        if (!left) fn.vregs[i.def.vreg].hint = i.use[0].vreg;
        fn.insts.push_back(i);
        return;
      }
      i.op = left ? Lop::ShlExit : Lop::ShrExit;
      i.use[0] = reg(a, true);
      i.use[1] = reg(b, true);
      if (!facts.has_bmi2) i.clobber_gpr = 1u << rcx;
      set_exit(i, v, left ? Reason::Overflow : Reason::Domain);
      i.def = define(v);
      fn.insts.push_back(i);
      return;
    }
    case Op::AddInt:
    case Op::SubInt:
    case Op::MulInt:
    case Op::AddIntUnchecked:
    case Op::SubIntUnchecked:
    case Op::MulIntUnchecked:
    case Op::AndInt:
    case Op::OrInt:
    case Op::XorInt:
      break;
    default:
      return fail("an operation without a selection");
  }
  // a op b
  if (commutes(v.op)) {
    bool swap = false;
    if (is_constant(a) != is_constant(b)) {
      swap = is_constant(a);
    } else if (!is_constant(a)) {
      bool a_dies = uses[a->id] == 1, b_dies = uses[b->id] == 1;
      if (wants[v.id] && (wants[v.id] == a || wants[v.id] == b))
        swap = wants[v.id] == b;  // a loop's accumulator stays in its register
      else if (a_dies != b_dies)
        swap = b_dies;
      else
        swap = b->op == Op::Phi && a->op != Op::Phi;
    }
    if (swap) std::swap(a, b);
  }
  i.op = plain_lop(v.op);
  bool exits = i.op == Lop::AddExit || i.op == Lop::SubExit || i.op == Lop::MulExit;
  bool three = i.op == Lop::Mul || i.op == Lop::MulExit;
  i.use[0] = reg(a);
  i.use[1] = any(b, true);
  if (three && i.use[1].kind == Operand::Imm) {
    // imul d, a, imm leaves a alone
  } else if (a == b) {
    i.use[1] = i.use[0];
  }
  if (exits) {
    bool undone = i.op != Lop::MulExit && a != b;
    set_exit(i, v, Reason::Overflow, true, undone ? a : nullptr);
  }
  finish();
}

}  // namespace psyco::lir
