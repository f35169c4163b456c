// Conditions: as values (CompareSet), or folded into the branch or guard that uses them.
#include "lir/select/select.h"

namespace psyco::lir {

using ir::Cond;
using ir::Op;
using ir::Value;

namespace {
Cc int_cc(Cond cond) {
  constexpr Cc kMap[] = {Cc::L, Cc::LE, Cc::E, Cc::NE, Cc::G, Cc::GE};
  return kMap[static_cast<int>(cond)];
}
}  // namespace

// Makes inst test `condition`. inst.invert says the outcome wanted is "false".
void Selector::fill_compare(Inst& inst, Value* condition, bool expected) {
  while (condition->op == Op::NotBool && folded[condition->id]) {
    condition = condition->inputs[0];
    expected = !expected;
  }
  inst.invert = !expected;
  Value* a = condition->inputs.empty() ? nullptr : condition->inputs[0];
  bool own = condition == inst.value || folded[condition->id];
  Op op = own ? condition->op : Op::ConstBool;
  switch (op) {
    case Op::CmpInt: {
      Value* b = condition->inputs[1];
      Cond cond = condition->cond;
      if (is_constant(a) && !is_constant(b)) {
        std::swap(a, b);
        cond = ir::swap_operands(cond);
      }
      inst.compare = CompareKind::Int;
      inst.cc = int_cc(cond);
      inst.use[0] = is_constant(a) ? reg(a) : reg(a);
      inst.use[1] = any(b);
      return;
    }
    case Op::CmpFloat: {
      Value* b = condition->inputs[1];
      Cond cond = condition->cond;
      bool swap = cond == Cond::Lt || cond == Cond::Le ||
                  ((cond == Cond::Eq || cond == Cond::Ne) && is_constant(a));
      if (swap) std::swap(a, b), cond = ir::swap_operands(cond);
      inst.compare = CompareKind::Float;
      inst.cc = cond == Cond::Gt   ? Cc::A
                : cond == Cond::Ge ? Cc::AE
                : cond == Cond::Eq ? Cc::E
                                   : Cc::NE;
      inst.use[0] = reg(a);
      inst.use[1] = any_float(b);
      return;
    }
    case Op::FitsDouble:
      inst.compare = CompareKind::FitsDouble;
      inst.cc = Cc::BE;
      inst.use[0] = reg(a);
      return;
    case Op::HasType:
      inst.compare = CompareKind::Type;
      inst.cc = Cc::E;
      inst.use[0] = reg(a);
      inst.imm = reinterpret_cast<int64_t>(condition->ptr);
      return;
    case Op::UnboxBool:
    case Op::IsNull:
      inst.compare = CompareKind::Identity;
      inst.cc = Cc::E;
      inst.use[0] = is_constant(a) ? reg(a) : any(a);
      inst.use[1].kind = Operand::Imm;
      inst.use[1].imm = op == Op::IsNull ? 0 : reinterpret_cast<int64_t>(facts.true_object);
      return;
    case Op::IsSame: {
      Value* b = condition->inputs[1];
      if (is_constant(a)) std::swap(a, b);
      inst.compare = CompareKind::Identity;
      inst.cc = Cc::E;
      inst.use[0] = reg(a);
      inst.use[1] = argument(b);
      return;
    }
    default:  // a Bool in a register, or NotBool of one
      break;
  }
  if (own && op == Op::NotBool) {
    inst.invert = !inst.invert;
    condition = a;
  }
  inst.compare = CompareKind::Bool;
  inst.cc = Cc::NE;
  inst.use[0] = is_constant(condition) ? reg(condition) : any(condition);
}

void Selector::select_compare(Value& v) {
  if (v.op == Op::BoolToInt) return;  // the same bits, see vreg()
  Inst i{Lop::CompareSet};
  i.value = &v;
  if (v.op == Op::NotBool) {
    i.op = Lop::Xor;
    i.use[0] = reg(v.inputs[0]);
    i.use[1].kind = Operand::Imm;
    i.use[1].imm = 1;
    i.def = define(v);
    fn.vregs[i.def.vreg].hint = i.use[0].vreg;
    fn.insts.push_back(i);
    return;
  }
  fill_compare(i, &v, true);
  i.def = define(v);
  fn.insts.push_back(i);
}

}  // namespace psyco::lir
