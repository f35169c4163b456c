// Loads, stores and address arithmetic.
#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Value;

void Selector::select_memory(Value& v) {
  Inst i{Lop::Load};
  i.value = &v;
  Value* base = v.inputs[0];
  auto load = [&](int width, bool is_signed, bool indexed, int scale = 3) {
    i.width = static_cast<uint8_t>(width);
    i.is_signed = is_signed;
    set_address(i, base, v.imm, indexed ? v.inputs[1] : nullptr, scale);
    i.def = define(v);
    fn.insts.push_back(i);
  };
  auto store = [&](int width, bool indexed, int scale = 3) {
    Value* what = v.inputs[indexed ? 2 : 1];
    i.width = static_cast<uint8_t>(width);
    if (what->rep == ir::Rep::F64 && !is_constant(what)) {
      i.op = Lop::StoreFloat;
      i.use[0] = reg(what);
    } else {
      i.op = Lop::Store;  // constants of any kind: by their bits
      i.use[0] = argument(what);
      if (i.use[0].kind == Operand::Any) i.use[0].kind = Operand::Reg;
      if (i.use[0].kind == Operand::Lit) i.use[0].kind = Operand::Imm;
    }
    set_address(i, base, v.imm, indexed ? v.inputs[1] : nullptr, scale);
    // An absolute address and a wide immediate both need the scratch register.
    if (i.base == Base::Absolute && i.use[0].kind == Operand::Imm && !fits32(i.use[0].imm))
      i.use[0] = reg(what);
    fn.insts.push_back(i);
  };
  switch (v.op) {
    case Op::LoadObject:
    case Op::LoadI64:
    case Op::LoadPtr:
      return load(8, false, false);
    case Op::LoadI32:
      return load(4, true, false);
    case Op::LoadU32:
      return load(4, false, false);
    case Op::LoadU16:
      return load(2, false, false);
    case Op::LoadU8:
      return load(1, false, false);
    case Op::LoadF64:
      i.op = Lop::LoadFloat;
      return load(8, false, false);
    case Op::LoadObjectAt:
    case Op::LoadI64At:
      return load(8, false, true);
    case Op::LoadI32At:
      return load(4, true, true, 2);
    case Op::LoadU32At:
      return load(4, false, true, 2);
    case Op::LoadU16At:
      return load(2, false, true, 1);
    case Op::LoadU8At:
      return load(1, false, true, 0);
    case Op::LoadF64At:
      i.op = Lop::LoadFloat;
      return load(8, false, true);
    case Op::PtrAdd:
      if (v.shift > 3) return fail("PtrAdd with a shift above 3");
      i.op = Lop::Lea;
      set_address(i, base, v.imm, v.inputs[1], v.shift);
      i.def = define(v);
      fn.insts.push_back(i);
      return;
    case Op::StoreObject:
    case Op::StoreI64:
    case Op::StoreF64:
      return store(8, false);
    case Op::StoreU8At:
      return store(1, true, 0);
    case Op::StoreU16At:
      return store(2, true, 1);
    case Op::StoreI32At:
      return store(4, true, 2);
    case Op::StoreObjectAt:
    case Op::StoreI64At:
    case Op::StoreF64At:
      return store(8, true);
    default:
      return fail("an operation without a selection");
  }
}

}  // namespace psyco::lir
