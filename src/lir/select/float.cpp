// Doubles.
#include <bit>

#include "lir/select/select.h"

namespace psyco::lir {

using ir::Op;
using ir::Reason;
using ir::Value;

void Selector::select_float(Value& v) {
  Inst i{Lop::FloatAdd};
  i.value = &v;
  Value* a = v.inputs[0];
  Value* b = v.inputs.size() > 1 ? v.inputs[1] : nullptr;
  auto finish = [&] {
    i.def = define(v);
    if (i.use[0].is_vreg() && fn.vregs[i.use[0].vreg].bank == Bank::Xmm)
      fn.vregs[i.def.vreg].hint = i.use[0].vreg;
    fn.insts.push_back(i);
  };
  auto not_zero = [&](Value* divisor) {
    if (is_constant(divisor) && (constant_bits(divisor) << 1) != 0) return;
    Inst g{Lop::FloatNotZeroGuard};
    g.value = &v;
    g.use[0] = reg(divisor);
    set_exit(g, v, Reason::ZeroDivision);
    fn.insts.push_back(g);
  };
  switch (v.op) {
    case Op::IntToFloat:
      i.op = Lop::IntToFloat;
      i.use[0] = is_constant(a) ? reg(a) : any(a);
      return finish();
    case Op::TrueDivInt: {
      Operand part[2];
      for (int k = 0; k < 2; k++) {
        Value* x = v.inputs[k];
        bool known = is_constant(x) && constant_bits(x) >= -(int64_t{1} << 53) &&
                     constant_bits(x) <= int64_t{1} << 53;
        if (k == 1 && !(known && constant_bits(x) != 0)) {
          Inst g{Lop::CompareGuard};
          g.value = &v;
          g.compare = CompareKind::Bool;
          g.cc = Cc::NE;
          g.use[0] = reg(x);
          set_exit(g, v, Reason::ZeroDivision);
          fn.insts.push_back(g);
        }
        if (!known) {
          Inst g{Lop::CompareGuard};
          g.value = &v;
          g.compare = CompareKind::FitsDouble;
          g.cc = Cc::BE;
          g.use[0] = reg(x);
          set_exit(g, v, Reason::Domain);
          fn.insts.push_back(g);
        }
        Inst c{Lop::IntToFloat};
        c.value = &v;
        c.use[0] = is_constant(x) ? reg(x) : any(x);
        part[k].kind = Operand::Reg;
        part[k].vreg = fn.new_vreg(Bank::Xmm);
        c.def = part[k];
        fn.insts.push_back(c);
      }
      i.op = Lop::FloatDiv;
      i.use[0] = part[0];
      i.use[1] = part[1];
      i.use[1].late = true;
      return finish();
    }
    case Op::NegFloat:
    case Op::AbsFloat:
      i.op = v.op == Op::NegFloat ? Lop::FloatNeg : Lop::FloatAbs;
      i.use[0] = reg(a);
      return finish();
    case Op::SqrtFloat: {
      if (!is_constant(a) || !(std::bit_cast<double>(constant_bits(a)) >= 0)) {
        Inst g{Lop::FloatNotNegativeGuard};
        g.value = &v;
        g.use[0] = reg(a);
        set_exit(g, v, Reason::Domain);
        fn.insts.push_back(g);
      }
      i.op = Lop::FloatSqrt;
      i.use[0] = reg(a);
      return finish();
    }
    case Op::FloatToInt:
      i.op = Lop::FloatToIntExit;
      i.use[0] = reg(a);
      set_exit(i, v, Reason::Domain);
      return finish();
    case Op::DivFloat:
      not_zero(b);
      i.op = Lop::FloatDiv;
      break;
    case Op::SubFloat:
      i.op = Lop::FloatSub;
      break;
    case Op::MulFloat:
      i.op = Lop::FloatMul;
      break;
    case Op::AddFloat:
      break;
    default:
      return fail("an operation without a selection");
  }
  if (i.op == Lop::FloatAdd || i.op == Lop::FloatMul) {
    // NaN operands: which payload survives depends on the order; CPython's own compiler chooses
    // freely.
    bool swap = is_constant(a) && !is_constant(b);
    if (!is_constant(a) && !is_constant(b)) swap = uses[a->id] > 1 && uses[b->id] == 1;
    if (swap) std::swap(a, b);
  }
  i.use[0] = reg(a);
  i.use[1] = any_float(b, true);
  if (a == b && i.use[1].is_vreg()) i.use[1] = i.use[0];
  finish();
}

}  // namespace psyco::lir
