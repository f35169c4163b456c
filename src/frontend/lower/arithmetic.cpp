// Operators. Each has its unboxed forms, guarded by what is likely, and the general helper last.
#include <cmath>

#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/lower/lower.h"

namespace psyco {

using ir::Cond;
using ir::Helper;
using ir::Op;
using ir::Reason;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

namespace {

bool is_number(PyTypeObject* type) { return type == &PyLong_Type || type == &PyBool_Type; }

int base_operator(int nb) { return nb >= kNbInplaceAdd ? nb - kNbInplaceAdd : nb; }

void exit_reason(Value* value, Reason reason) { value->reason = reason; }

// Powers and shifts by constants are common enough for their own forms.
Value* int_power(Builder& f, Value* base, const AV& exponent) {
  if (exponent.kind != SlotKind::Int || exponent.value->op != Op::ConstI64) return nullptr;
  int64_t n = exponent.value->imm;
  if (n < 1 || n > 4) return nullptr;
  Value* result = base;
  for (int64_t i = 1; i < n; i++) {
    result = f.emit(Op::MulInt, {result, base}, f.before());
    exit_reason(result, Reason::Overflow);
  }
  return result;
}

AVId int_binary(Builder& f, int op, AVId left, AVId right) {
  // &, | and ^ of two bools is a bool.
  if ((op == kNbAnd || op == kNbOr || op == kNbXor) && f.likely_type(left) == &PyBool_Type &&
      f.likely_type(right) == &PyBool_Type)
    return kNoAV;
  Value* a = f.to_int(left);
  Value* b = f.to_int(right);
  if (!a || !b) return kNoAV;
  bool nonnegative = f.av(left).nonnegative && f.av(right).nonnegative;
  Value* v = nullptr;
  switch (op) {
    case kNbAdd:
      v = f.emit(Op::AddInt, {a, b}, f.before());
      break;
    case kNbSubtract:
      v = f.emit(Op::SubInt, {a, b}, f.before());
      nonnegative = false;
      break;
    case kNbMultiply:
      v = f.emit(Op::MulInt, {a, b}, f.before());
      break;
    case kNbFloorDivide:
      v = f.emit(Op::FloorDivInt, {a, b}, f.before());
      break;
    case kNbRemainder:
      v = f.emit(Op::ModInt, {a, b}, f.before());
      nonnegative = b->op == Op::ConstI64 && b->imm > 0;
      break;
    case kNbAnd:
      v = f.emit(Op::AndInt, {a, b});
      nonnegative = f.av(left).nonnegative || f.av(right).nonnegative;
      break;
    case kNbOr:
      v = f.emit(Op::OrInt, {a, b});
      break;
    case kNbXor:
      v = f.emit(Op::XorInt, {a, b});
      break;
    case kNbLshift:
      v = f.emit(Op::ShlInt, {a, b}, f.before());
      break;
    case kNbRshift:
      v = f.emit(Op::ShrInt, {a, b}, f.before());
      nonnegative = f.av(left).nonnegative;
      break;
    case kNbPower:
      v = int_power(f, a, f.av(right));
      break;
    case kNbTrueDivide:
      v = f.emit(Op::TrueDivInt, {a, b}, f.before());
      v->reason = Reason::Domain;
      return f.float_av(v);
    default:
      return kNoAV;
  }
  if (!v) return kNoAV;
  if (v->state) exit_reason(v, Reason::Overflow);
  return f.int_av(v, nonnegative);
}

AVId float_binary(Builder& f, int op, AVId left, AVId right) {
  switch (op) {
    case kNbAdd:
    case kNbSubtract:
    case kNbMultiply:
    case kNbTrueDivide:
    case kNbRemainder:
    case kNbFloorDivide:
    case kNbPower:
      break;
    default:
      return kNoAV;
  }
  Value* a = f.to_float(left);
  Value* b = f.to_float(right);
  if (!a || !b) return kNoAV;
  // The double of a small int is known as well as the int.
  if (b->op == Op::IntToFloat && b->input(0)->op == Op::ConstI64 &&
      std::abs(static_cast<double>(b->input(0)->imm)) <= 9007199254740992.0)
    b = f.const_float(static_cast<double>(b->input(0)->imm));
  auto nonzero = [&] {
    if (b->op == Op::ConstF64 && b->imm != 0 && b->imm != INT64_MIN) return;
    Value* zero = f.emit(Op::CmpFloat, {b, f.const_float(0.0)});
    zero->cond = Cond::Eq;
    f.guard(Op::GuardFalse, zero, Reason::ZeroDivision);
  };
  switch (op) {
    case kNbAdd:
      return f.float_av(f.emit(Op::AddFloat, {a, b}));
    case kNbSubtract:
      return f.float_av(f.emit(Op::SubFloat, {a, b}));
    case kNbMultiply:
      return f.float_av(f.emit(Op::MulFloat, {a, b}));
    case kNbTrueDivide: {
      Value* v = f.emit(Op::DivFloat, {a, b}, f.before());
      v->reason = Reason::ZeroDivision;
      return f.float_av(v);
    }
    case kNbRemainder:
      nonzero();
      return f.float_av(f.call_helper(Helper::mod_float, {a, b}));
    case kNbFloorDivide:
      nonzero();
      return f.float_av(f.call_helper(Helper::floordiv_float, {a, b}));
    case kNbPower: {
      // Errors and complex results only for a negative or zero base: those leave.
      if (b->op == Op::ConstF64) {
        double e;
        memcpy(&e, &b->imm, 8);
        if (e >= 0 && e == static_cast<int>(e)) {
          // Overflow raises OverflowError: the result is checked below.
          Value* r = f.call_helper(Helper::power_float, {a, b});
          Value* inf = f.emit(Op::CmpFloat,
                              {f.emit(Op::AbsFloat, {r}), f.const_float(1.7976931348623157e308)});
          inf->cond = Cond::Le;
          f.guard(Op::GuardTrue, inf, Reason::Domain);
          return f.float_av(r);
        }
      }
      Value* positive = f.emit(Op::CmpFloat, {a, f.const_float(0.0)});
      positive->cond = Cond::Gt;
      f.guard(Op::GuardTrue, positive, Reason::Domain);
      Value* r = f.call_helper(Helper::power_float, {a, b});
      Value* finite =
          f.emit(Op::CmpFloat, {f.emit(Op::AbsFloat, {r}), f.const_float(1.7976931348623157e308)});
      finite->cond = Cond::Le;
      f.guard(Op::GuardTrue, finite, Reason::Domain);
      return f.float_av(r);
    }
    default:
      return kNoAV;
  }
}

// The local that is the only slot left of `id` and gets the result at once (-1: there is none, the
// operand was a temporary), or -2.
int replaced_local(Builder& f, const Bytecode& bc, AVId id) {
  if (f.held_by_callers(id)) return -2;
  const FrameSlots& frame = f.state().top();
  for (AVId slot : frame.stack)
    if (f.reaches_value(slot, id)) return -2;
  int local = -1;
  for (size_t i = 0; i < frame.locals.size(); i++) {
    if (!f.reaches_value(frame.locals[i], id)) continue;
    if (local >= 0 || frame.locals[i] != id) return -2;
    local = static_cast<int>(i);
  }
  if (local < 0) return -1;
  const Bytecode* next = &bc + 1;
  const bool stored = next->op == NeutralOp::StoreLocal && next->arg == local &&
                      !f.context().decoded->leader[next - f.context().decoded->list.data()];
  return stored ? local : -2;
}

// An operator of a class in Python. The operands stay on the stack, for the message of a TypeError.
bool call_operator(Builder& f, const Bytecode& bc, AVId left, AVId right, PyTypeObject* tl,
                   PyTypeObject* tr) {
  PyObject* known = shapes::operator_function(tl, tr, bc.arg);
  if (!known || !f.guard_type(left, tl) || !f.guard_type(right, tr)) return false;
  f.assume(Assumption::Type, reinterpret_cast<PyObject*>(tl));
  f.push(left), f.push(right);
  if (f.inline_call(reinterpret_cast<PyFunctionObject*>(known), {left, right}, f.const_av(known),
                    {.cont = ir::Continuation::Operator, .operands = 2}))
    return true;
  f.pop(), f.pop();
  return false;
}

// str + str. As in the interpreter the string grows in place if nobody else holds it: its reference
// is given to the helper, so that a loop of `s += x` stays linear. If memory runs out the variable
// is unbound, there and here.
bool concatenate(Builder& f, const Bytecode& bc, AVId left, AVId right) {
  if (!f.guard_type(left, &PyUnicode_Type) || !f.guard_type(right, &PyUnicode_Type)) return false;
  Value* a = f.force(left);
  Value* b = f.force(right);
  const int local = left == right || a == b || !a->owned() ? -2 : replaced_local(f, bc, left);
  Value* sum;
  if (local == -2) {
    f.drop(left);
    sum = f.call_helper(Helper::concat_strings, {a, b});
  } else {
    if (local >= 0) f.state().top().locals[local] = f.null_av();
    sum = f.call_helper(Helper::append_string, {a, b}, 0, false, nullptr, 0, left);
  }
  f.drop(right);
  f.push(f.object_av(sum, &PyUnicode_Type));
  return true;
}

}  // namespace

void lower_Binary(Builder& f, const Bytecode& bc) {
  if (bc.arg == kSubscript) return lower_subscript(f, bc);
  AVId right = f.pop(), left = f.pop();
  f.learn(left, 0);
  f.learn(right, 1);
  PyTypeObject* tl = f.likely_type(left);
  PyTypeObject* tr = f.likely_type(right);
  if (!tl || !tr) {
    SpecialisedTypes seen = specialised_types(bc);
    if (!tl) tl = seen.left;
    if (!tr) tr = seen.right;
    f.suggest_type(left, tl);
    f.suggest_type(right, tr);
  }
  const Feedback::Site& site = f.site();
  int op = base_operator(bc.arg);
  AVId result = kNoAV;
  if (!site.generic && op == kNbAdd && tl == &PyUnicode_Type && tr == tl &&
      concatenate(f, bc, left, right))
    return;
  if (!site.generic && tl && tr && call_operator(f, bc, left, right, tl, tr)) return;
  f.drop(left);
  f.drop(right);
  if (!site.generic) {
    if (is_number(tl) && is_number(tr) && !site.big_int) {
      result = int_binary(f, op, left, right);
    } else if ((tl == &PyFloat_Type || tr == &PyFloat_Type) &&
               (tl == &PyFloat_Type || is_number(tl)) && (tr == &PyFloat_Type || is_number(tr))) {
      result = float_binary(f, op, left, right);
    }
    if (f.dead()) return;
  }
  if (result == kNoAV) {
    f.note_types(SiteKind::Arithmetic, left, right);
    Value* a = f.force(left);
    Value* b = f.force(right);
    result = f.object_av(f.call_helper(Helper::binary_op, {a, b}, bc.arg, true),
                         generic_result_type(f, op, left, right));
  }
  f.push(result);
}

void lower_Unary(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (!f.site().generic) {
    if (is_number(type) && !f.site().big_int && (type != &PyBool_Type || bc.arg != 1)) {
      if (Value* a = f.to_int(id)) {
        if (bc.arg == 2 && f.av(id).kind == SlotKind::Int) return f.push(id);
        if (bc.arg == 0) {
          Value* v = f.emit(Op::NegInt, {a}, f.before());
          v->reason = Reason::Overflow;
          return f.push(f.int_av(v));
        }
        if (bc.arg == 1) return f.push(f.int_av(f.emit(Op::NotInt, {a})));
      }
    } else if (type == &PyFloat_Type && bc.arg != 1) {
      Value* a = f.to_float(id);
      if (bc.arg == 2 && f.av(id).kind == SlotKind::Float) return f.push(id);
      if (a && bc.arg == 0) return f.push(f.float_av(f.emit(Op::NegFloat, {a})));
    }
  }
  f.push(f.object_av(f.call_helper(Helper::unary_op, {f.force(id)}, bc.arg, true)));
}

void lower_Not(Builder& f, const Bytecode&) {
  AVId id = f.pop();
  Value* truth = f.truth(id);
  f.drop(id);
  if (!truth)
    return f.push(
        f.object_av(f.call_helper(Helper::unary_op, {f.force(id)}, 3, true), &PyBool_Type));
  if (truth->op == Op::ConstBool) return f.push(f.const_av(truth->imm ? Py_False : Py_True));
  f.push(f.bool_av(f.emit(Op::NotBool, {truth})));
}

namespace {
Value* asked_truth(Builder& f, AVId id) {
  Value* status = f.call_helper(Helper::is_true, {f.force(id)});
  Value* truth = f.emit(Op::CmpInt, {status, f.const_int(0)});
  truth->cond = Cond::Ne;
  return truth;
}
}  // namespace

void lower_ToBool(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  f.learn(id, 0);
  if (!f.likely_type(id)) f.suggest_type(id, specialised_types(bc).left);
  if (!f.type_of(id) && f.likely_type(id) == Py_TYPE(Py_None)) {
    // Something or None, such as a match: None is told apart, and no reason to leave.
    Value* none = f.emit(Op::IsSame, {f.force(id), f.const_object(Py_None)});
    return f.choose(
        none, [&] { return f.const_av(Py_False); }, [&] { return f.bool_av(asked_truth(f, id)); });
  }
  Value* truth = f.site().generic && !f.type_of(id) ? nullptr : f.truth(id);
  if (!truth) {
    f.note_types(SiteKind::Truth, id, id);
    truth = asked_truth(f, id);
  }
  if (truth->op == Op::ConstBool) return f.push(f.const_av(truth->imm ? Py_True : Py_False));
  f.push(f.bool_av(truth));
}

void lower_Compare(Builder& f, const Bytecode& bc) {
  AVId right = f.pop(), left = f.pop();
  f.drop(left);
  f.drop(right);
  f.learn(left, 0);
  f.learn(right, 1);
  static constexpr Cond kConds[] = {Cond::Lt, Cond::Le, Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge};
  Cond cond = kConds[bc.arg];
  PyTypeObject* tl = f.likely_type(left);
  PyTypeObject* tr = f.likely_type(right);
  if (!tl || !tr) {
    SpecialisedTypes seen = specialised_types(bc);
    if (!tl) f.suggest_type(left, tl = seen.left);
    if (!tr) f.suggest_type(right, tr = seen.right);
  }
  if (!f.site().generic) {
    if (is_number(tl) && is_number(tr) && !f.site().big_int) {
      Value* a = f.to_int(left);
      Value* b = f.to_int(right);
      if (a && b) {
        Value* v = f.emit(Op::CmpInt, {a, b});
        v->cond = cond;
        return f.push(f.bool_av(v));
      }
    } else if ((tl == &PyFloat_Type || tr == &PyFloat_Type) &&
               (tl == &PyFloat_Type || is_number(tl)) && (tr == &PyFloat_Type || is_number(tr))) {
      // An int is compared exactly: beyond 2**53 its double is not it.
      for (AVId id : {left, right}) {
        if (is_number(tl == &PyFloat_Type ? tr : tl) && f.likely_type(id) != &PyFloat_Type) {
          Value* number = f.to_int(id);
          if (number && number->op != Op::ConstI64)
            f.guard(Op::GuardTrue, f.emit(Op::FitsDouble, {number}), Reason::Domain);
          else if (number &&
                   (number->imm > (int64_t{1} << 53) || number->imm < -(int64_t{1} << 53)))
            goto general;
        }
      }
      Value* a = f.to_float(left);
      Value* b = f.to_float(right);
      if (a && b) {
        Value* v = f.emit(Op::CmpFloat, {a, b});
        v->cond = cond;
        return f.push(f.bool_av(v));
      }
    }
  }
general:
  f.note_types(SiteKind::Comparison, left, right);
  Value* a = f.force(left);
  Value* b = f.force(right);
  if (bc.arg2 || comparison_is_bool(f.type_of(left), f.type_of(right))) {
    Value* status = f.call_helper(Helper::compare_bool, {a, b}, bc.arg, true);
    Value* v = f.emit(Op::CmpInt, {status, f.const_int(0)});
    v->cond = Cond::Ne;
    return f.push(f.bool_av(v));
  }
  f.push(
      f.object_av(f.call_helper(Helper::compare_op, {a, b}, bc.arg, true), nullptr, &PyBool_Type));
}

void lower_Contains(Builder& f, const Bytecode& bc) {
  AVId container = f.pop(), item = f.pop();
  f.drop(item);
  f.drop(container);
  Value* c = f.force(container);
  Value* i = f.force(item);
  Value* status = f.call_helper(Helper::contains, {c, i});
  Value* v = f.emit(Op::CmpInt, {status, f.const_int(0)});
  v->cond = bc.arg ? Cond::Eq : Cond::Ne;
  f.push(f.bool_av(v));
}

void lower_Is(Builder& f, const Bytecode& bc) {
  AVId right = f.pop(), left = f.pop();
  f.drop(left);
  f.drop(right);
  Value* v;
  const AV &a = f.av(left), &b = f.av(right);
  auto none = [](const AV& x) { return x.constant == Py_None; };
  if (left == right) {
    v = f.const_bool(true);
  } else if ((none(a) && b.kind != SlotKind::Object) || (none(b) && a.kind != SlotKind::Object)) {
    v = f.const_bool(false);
  } else if (a.kind == SlotKind::Object && b.kind == SlotKind::Object && a.constant && b.constant) {
    v = f.const_bool(a.constant == b.constant);
  } else {
    Value* x = f.force(left);
    Value* y = f.force(right);
    v = f.emit(Op::IsSame, {x, y});
  }
  if (v->op == Op::ConstBool)
    return f.push(f.const_av((v->imm != 0) != (bc.arg != 0) ? Py_True : Py_False));
  f.push(f.bool_av(bc.arg ? f.emit(Op::NotBool, {v}) : v));
}

}  // namespace psyco
