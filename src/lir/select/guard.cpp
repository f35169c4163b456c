// Guards: a compare and a conditional jump to the exit's stub.
#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Reason;
using ir::Value;

void Selector::select_guard(Value& v) {
  Inst i{Lop::CompareGuard};
  i.value = &v;
  Value* a = v.inputs.empty() ? nullptr : v.inputs[0];
  Reason reason = Reason::ValueSeen;
  switch (v.op) {
    case Op::GuardType:
      i.compare = CompareKind::Type;
      i.use[0] = reg(a);
      i.imm = reinterpret_cast<int64_t>(v.ptr);
      reason = Reason::TypeSeen;
      break;
    case Op::GuardIs:
    case Op::GuardNull:
    case Op::GuardNotNull:
      i.compare = CompareKind::Identity;
      i.cc = v.op == Op::GuardNotNull ? Cc::NE : Cc::E;
      i.use[0] = is_constant(a) ? reg(a) : any(a);
      i.use[1].kind = Operand::Imm;
      i.use[1].imm = v.op == Op::GuardIs ? reinterpret_cast<int64_t>(v.ptr) : 0;
      if (v.op != Op::GuardIs) reason = Reason::Unbound;
      break;
    case Op::GuardTrue:
      fill_compare(i, a, true);
      break;
    case Op::GuardFalse:
      fill_compare(i, a, false);
      break;
    case Op::CheckIndex: {
      Value* length = v.inputs[1];
      i.compare = CompareKind::Int;
      reason = Reason::Bounds;
      if (is_constant(a) && !is_constant(length) && constant_bits(a) >= 0) {
        i.cc = Cc::A;
        i.use[0] = reg(length);
        i.use[1] = any(a);
      } else {
        i.cc = Cc::B;
        i.use[0] = reg(a);
        i.use[1] = any(length);
      }
      break;
    }
    case Op::Poll:
      i.compare = CompareKind::Poll;
      reason = Reason::Poll;
      break;
    case Op::CheckLeave:
      i.compare = CompareKind::Leave;
      reason = Reason::Leave;
      break;
    default:
      return fail("an operation without a selection");
  }
  set_exit(i, v, reason);
  fn.insts.push_back(i);
}

}  // namespace psyco::lir
