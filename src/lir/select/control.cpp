// Terminators. The arguments of a Jump are collected by Selector::run.
#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Reason;
using ir::Value;

void Selector::select_control(Value& v) {
  Inst i{Lop::Jump};
  i.value = &v;
  switch (v.op) {
    case Op::Branch:
      i.op = Lop::CompareBranch;
      fill_compare(i, v.inputs[0], true);
      break;
    case Op::Return:
      i.op = Lop::Return;
      i.use[0] = argument(v.inputs[0]);
      if (i.use[0].is_vreg()) fn.vregs[i.use[0].vreg].fixed_hint = rax;
      break;
    case Op::ReturnNumber:
      i.op = Lop::ReturnNumber;
      i.use[0] = argument(v.inputs[0]);
      i.use[1] = argument(v.inputs[1]);
      i.imm = v.inputs[0]->rep == ir::Rep::F64 ? 2 : 1;
      break;
    case Op::Deopt:
      i.op = Lop::Exit;
      set_exit(i, v, v.reason);
      break;
    case Op::Jump:
      break;
    default:
      return fail("an operation without a selection");
  }
  fn.insts.push_back(i);
}

}  // namespace psyco::lir
