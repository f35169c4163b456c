// Constants and entry values.
#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Value;

// Constants are loaded where they are used.
void Selector::select_constant(Value&) {}

void Selector::select_entry(Value& v) {
  if (v.op == Op::Phi) return fail("a phi among the values of a block");
  Inst load{Lop::Load};
  load.value = &v;
  load.base = Base::Activation;
  if (v.op == Op::Function) {
    load.disp = facts.activation_function;
    load.def = define(v);
    fn.insts.push_back(load);
    return;
  }
  // Arg: activation->args[imm]
  Operand array;
  array.kind = Operand::Reg;
  array.vreg = fn.new_vreg(Bank::Gpr);
  load.disp = facts.activation_args;
  load.def = array;
  fn.insts.push_back(load);
  Inst item{v.rep == ir::Rep::F64 ? Lop::LoadFloat : Lop::Load};
  item.value = &v;
  item.base = Base::Vreg;
  item.use[2] = array;
  item.disp = static_cast<int32_t>(8 * v.imm);
  item.def = define(v);
  fn.insts.push_back(item);
}

}  // namespace psyco::lir
