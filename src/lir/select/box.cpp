// Boxes: between objects and numbers. The fast paths are inline, the rest goes through stubs that
// keep all registers, so these clobber nothing.
#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Reason;
using ir::Value;

void Selector::select_box(Value& v) {
  Inst i{Lop::BoxInt};
  i.value = &v;
  Value* a = v.inputs[0];
  auto temp = [&](int k) {
    i.temp[k].kind = Operand::Reg;
    i.temp[k].vreg = fn.new_vreg(Bank::Gpr);
  };
  switch (v.op) {
    case Op::SelectObject:
    case Op::BoxBool: {
      i.op = Lop::Select;
      i.use[0] = is_constant(a) ? reg(a) : any(a);
      bool box = v.op == Op::BoxBool;
      if (!box && (!is_constant(v.inputs[1]) || !is_constant(v.inputs[2])))
        return fail("SelectObject of values that are not constants");
      i.imm = box ? reinterpret_cast<int64_t>(facts.true_object) : constant_bits(v.inputs[1]);
      i.imm2 = box ? reinterpret_cast<int64_t>(facts.false_object) : constant_bits(v.inputs[2]);
      i.def = define(v);
      break;
    }
    case Op::BoxInt:
      i.use[0] = reg(a);
      set_exit(i, v, Reason::Exception, false);
      i.def = define(v);
      break;
    case Op::BoxFloat:
      i.op = Lop::BoxFloat;
      i.use[0] = reg(a);
      temp(0);
      set_exit(i, v, Reason::Exception, false);
      i.def = define(v);
      break;
    case Op::BoxOr: {
      i.op = Lop::BoxOr;
      Value* object = v.inputs[1];
      if (a->rep != ir::Rep::I64 && a->rep != ir::Rep::F64) return fail("BoxOr of no number");
      i.use[0] = reg(a);
      i.use[1] = reg(object);
      set_exit(i, v, Reason::Exception, false);
      i.def = define(v);
      fn.vregs[i.def.vreg].hint = i.use[1].vreg;
      break;
    }
    case Op::UnboxInt:
      i.op = Lop::UnboxInt;
      i.use[0] = reg(a);
      set_exit(i, v, Reason::BigInt, false);
      i.def = define(v);
      break;
    case Op::UnboxFloat:
      i.op = Lop::LoadFloat;
      set_address(i, a, facts.float_value, nullptr, 0);
      i.def = define(v);
      break;
    case Op::UpdateFloatSlot:
    case Op::UpdateIntSlot:
      i.op = v.op == Op::UpdateFloatSlot ? Lop::UpdateFloatSlot : Lop::UpdateIntSlot;
      set_address(i, a, v.imm, nullptr, 0, true);
      i.use[0] = reg(v.inputs[1], true);
      if (v.op == Op::UpdateIntSlot) temp(0), temp(1);
      break;
    default:
      return fail("an operation without a selection");
  }
  fn.insts.push_back(i);
}

void Selector::select_reference(Value& v) {
  Inst i{Lop::Retain};
  i.value = &v;
  i.use[0] = reg(v.inputs[0]);
  if (v.op == Op::NoteTypes) {
    i.op = Lop::NoteTypes;
    i.use[1] = reg(v.inputs[1]);
    i.imm = static_cast<int64_t>(reinterpret_cast<uintptr_t>(v.ptr));
    fn.insts.push_back(i);
    return;
  }
  i.nullable =
      v.op == Op::RetainNullable || v.op == Op::ReleaseNullable || v.op == Op::ReleasePlainNullable;
  if (v.op != Op::Retain && v.op != Op::RetainNullable) {
    i.op = Lop::Release;
    i.plain = v.op == Op::ReleasePlain || v.op == Op::ReleasePlainNullable;
    if (!i.plain) {
      set_exit(i, v, Reason::Leave);
      if (i.exit) i.exit->shown_bci = v.bci;
    }
  }
  fn.insts.push_back(i);
}

}  // namespace psyco::lir
