// Known builtin functions, classes and methods. Each returns false untouched (nothing emitted that
// matters, operands still the caller's) if the case is not covered; otherwise pushes the result and
// drops the operands.
#include <math.h>

#include "cpython/known.h"
#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/lower/lower.h"

namespace psyco {

using ir::Cond;
using ir::Heap;
using ir::Helper;
using ir::Op;
using ir::Reason;
using ir::Rep;
using ir::SlotKind;
using ir::Value;
using ir::VirtualKind;

namespace {

bool intish(PyTypeObject* type) { return type == &PyLong_Type || type == &PyBool_Type; }
bool floatish(PyTypeObject* type) { return type == &PyFloat_Type || intish(type); }

bool finish(Builder& f, const std::vector<AVId>& args, AVId result) {
  for (AVId arg : args) f.drop(arg);
  f.push(result);
  return true;
}

bool lower_len(Builder& f, const std::vector<AVId>& args) {
  AVId id = args[0];
  const AV& a = f.av(id);
  if (a.kind == SlotKind::Virtual && a.virtual_kind == VirtualKind::Tuple)
    return finish(f, args, f.int_av(f.const_int(static_cast<int64_t>(a.fields.size())), true));
  PyTypeObject* type = f.likely_type(id);
  int32_t offset;
  Heap heap;
  if (type == &PyList_Type)
    offset = shapes::kObSize, heap = Heap::ListShape;
  else if (type == &PyTuple_Type || type == &PyBytes_Type)
    offset = shapes::kObSize, heap = Heap::Constant;
  else if (type == &PyUnicode_Type)
    offset = shapes::kStrLength, heap = Heap::Constant;
  else if (type == &PyDict_Type)
    offset = shapes::kDictUsed, heap = Heap::Dict;
  else if (type == &PyByteArray_Type || shapes::is_array_type(type))
    offset = shapes::kObSize, heap = Heap::BytesShape;
  else
    return false;
  if (!f.guard_type(id, type)) return false;
  Value* object = f.force(id);
  return finish(f, args, f.int_av(f.load(Op::LoadI64, object, offset, heap), true));
}

bool lower_math(Builder& f, const known::MathFunction& m, const std::vector<AVId>& args) {
  if (static_cast<int>(args.size()) != m.arity) return false;
  for (AVId id : args)
    if (!floatish(f.likely_type(id))) return false;
  std::vector<Value*> x;
  for (AVId id : args) {
    Value* v = f.to_float(id);
    if (!v) return false;
    x.push_back(v);
  }
  Value* r;
  if (m.kind == known::MathFunction::Sqrt) {
    r = f.emit(Op::SqrtFloat, {x[0]}, f.before());
    r->reason = Reason::Domain;
  } else if (m.kind == known::MathFunction::Fabs) {
    r = f.emit(Op::AbsFloat, {x[0]});
  } else {
    r = f.graph().new_value(Op::CallC, Rep::F64);
    r = x.size() == 1 ? f.emit(Op::CallC, Rep::F64, {x[0]})
                      : f.emit(Op::CallC, Rep::F64, {x[0], x[1]});
    r->ptr = m.address;
    r->imm = m.arity;
    // The module raises for what the C function answers with inf or NaN: those cases leave, unless
    // no finite argument gives them.
    if (m.kind != known::MathFunction::Total) {
      Value* finite =
          f.emit(Op::CmpFloat, {f.emit(Op::AbsFloat, {r}), f.const_float(1.7976931348623157e308)});
      finite->cond = Cond::Le;
      f.guard(Op::GuardTrue, finite, Reason::Domain);
    }
  }
  return finish(f, args, f.float_av(r));
}

// What the code does with the result of this instruction: it calculates or compares, and nobody
// sees which object it is.
bool only_calculates(Builder& f) {
  const DecodedCode& code = *f.context().decoded;
  int above = 0;  // operands on top of it
  for (size_t i = static_cast<size_t>(&f.bc() - code.list.data()) + 1;
       i < code.list.size() && !code.leader[i]; i++) {
    const Bytecode& bc = code.list[i];
    switch (bc.op) {
      case NeutralOp::LoadLocal:
      case NeutralOp::LoadLocalCheck:
      case NeutralOp::LoadConst:
        above++;
        break;
      case NeutralOp::Binary:
        if (above < 2) return above == 0 || bc.arg != kSubscript;
        above--;
        break;
      case NeutralOp::Compare:
        if (above < 2) return true;
        above--;
        break;
      case NeutralOp::StoreLocal:
        if (above == 0) return f.context().uses[static_cast<size_t>(bc.arg)] == Use::Value;
        above--;
        break;
      default:
        return above == 0 && (bc.op == NeutralOp::ToBool || bc.op == NeutralOp::Pop);
    }
  }
  return false;
}

bool lower_abs(Builder& f, const std::vector<AVId>& args) {
  PyTypeObject* type = f.likely_type(args[0]);
  if (type == &PyFloat_Type) {
    Value* x = f.to_float(args[0]);
    return x && finish(f, args, f.float_av(f.emit(Op::AbsFloat, {x})));
  }
  if (type != &PyLong_Type) return false;
  if (f.av(args[0]).nonnegative) return finish(f, args, args[0]), true;
  Value* x = f.to_int(args[0]);
  if (!x) return false;
  // Of a number that is not negative it is the number itself, which matters if somebody else has
  // it.
  if ((f.held_live(args[0]) || f.av(args[0]).box) && !only_calculates(f)) {
    Value* negative = f.emit(Op::CmpInt, {x, f.const_int(0)});
    negative->cond = Cond::Lt;
    f.drop(args[0]);
    auto negated = [&] {
      Value* v = f.emit(Op::SubInt, {f.const_int(0), x}, f.before());
      v->reason = Reason::Overflow;
      return f.int_av(v, true);
    };
    f.choose(negative, negated, [&] { return args[0]; });
    return true;
  }
  // |x| = (x ^ s) - s with s the sign; the smallest int overflows.
  Value* s = f.emit(Op::ShrInt, {x, f.const_int(63)}, f.before());
  Value* v = f.emit(Op::SubInt, {f.emit(Op::XorInt, {x, s}), s}, f.before());
  v->reason = Reason::Overflow;
  return finish(f, args, f.int_av(v, true));
}

bool lower_min_max(Builder& f, const std::vector<AVId>& args, bool is_max) {
  if (args.size() != 2) return false;
  PyTypeObject *tl = f.likely_type(args[0]), *tr = f.likely_type(args[1]);
  Value* keep_second;
  if (tl == &PyLong_Type && tr == &PyLong_Type) {
    Value *a = f.to_int(args[0]), *b = f.to_int(args[1]);
    if (!a || !b) return false;
    keep_second = f.emit(Op::CmpInt, {b, a});
  } else if (tl == &PyFloat_Type && tr == &PyFloat_Type) {
    Value *a = f.to_float(args[0]), *b = f.to_float(args[1]);
    if (!a || !b) return false;
    keep_second = f.emit(Op::CmpFloat, {b, a});
  } else {
    return false;
  }
  // The first of equals wins, as in bltinmodule.c: replaced only if b < a (b > a).
  keep_second->cond = is_max ? Cond::Gt : Cond::Lt;
  f.choose(keep_second, args[1], args[0]);
  return true;
}

// Both results of one division; the tuple of them is mostly taken apart at once.
bool lower_divmod(Builder& f, const std::vector<AVId>& args) {
  if (!intish(f.likely_type(args[0])) || !intish(f.likely_type(args[1])) || f.site().big_int ||
      f.site().generic)
    return false;
  Value *a = f.to_int(args[0]), *b = f.to_int(args[1]);
  if (!a || !b) return false;
  Value* quotient = f.emit(Op::FloorDivInt, {a, b}, f.before());
  Value* remainder = f.emit(Op::ModInt, {a, b}, f.before());
  quotient->reason = remainder->reason = Reason::Overflow;
  const AVId first = f.int_av(quotient);
  const AVId second = f.int_av(remainder, b->op == Op::ConstI64 && b->imm > 0);
  return finish(f, args, f.virtual_av(VirtualKind::Tuple, {first, second}));
}

bool lower_isinstance(Builder& f, const std::vector<AVId>& args) {
  PyObject* cls = f.av(args[1]).constant;
  if (!cls || !PyType_CheckExact(cls)) return false;
  PyTypeObject* type = f.likely_type(args[0]);
  if (!type || (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) && !shapes::watchable_type(type)))
    return false;
  if (!f.guard_type(args[0], type)) return false;
  // Exact instances of immutable classes cannot pretend another __class__.
  if (type != reinterpret_cast<PyTypeObject*>(cls) &&
      !(type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) &&
      !PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(cls)))
    return false;
  bool yes = PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(cls));
  if (type->tp_flags & Py_TPFLAGS_HEAPTYPE)
    f.assume(Assumption::Type, reinterpret_cast<PyObject*>(type));
  return finish(f, args, f.const_av(yes ? Py_True : Py_False));
}

// Counts as in the interpreter, where each variable and (unless it was borrowed from a variable)
// the argument on the stack hold a reference of their own; here one serves them all (an argument's
// is held by whoever entered this code).
bool lower_getrefcount(Builder& f, const std::vector<AVId>& args) {
  Value* object = f.force(args[0]);
  const int held = object->owned() || object->op == Op::Arg;
  const int names = f.names_of(object) + (f.argument_is_borrowed() ? 0 : 1);
  Value* count = f.call_helper(Helper::reference_count, {object}, names - held, true);
  return finish(f, args, f.int_av(count));
}

bool lower_range(Builder& f, const std::vector<AVId>& args) {
  if (args.empty() || args.size() > 3) return false;
  for (AVId id : args)
    if (f.likely_type(id) != &PyLong_Type || f.site().big_int) return false;
  auto is_constant = [&](AVId id) {
    return f.av(id).kind == SlotKind::Int && f.av(id).value->op == Op::ConstI64;
  };
  if (args.size() == 3) {
    if (is_constant(args[2])) {
      const int64_t step = f.av(args[2]).value->imm;
      if (step == 0 || step == INT64_MIN) return false;
    } else if (f.site().generic) {
      return false;
    }
  }
  for (AVId id : args)
    if (!f.to_int(id)) return false;
  if (args.size() == 3 && !is_constant(args[2])) {
    Value* forward = f.emit(Op::CmpInt, {f.av(args[2]).value, f.const_int(0)});
    forward->cond = Cond::Gt;
    f.guard(Op::GuardTrue, forward, Reason::Domain);
  }
  AVId start = args.size() == 1 ? f.const_av(f.small_int(0)) : args[0];
  AVId stop = args.size() == 1 ? args[0] : args[1];
  AVId step = args.size() == 3 ? args[2] : f.const_av(f.small_int(1));
  f.push(f.virtual_av(VirtualKind::Range, {start, stop, step}));
  for (AVId id : args) f.drop(id);
  return true;
}

bool lower_convert(Builder& f, PyTypeObject* to, const std::vector<AVId>& args) {
  if (args.size() != 1) return false;
  PyTypeObject* from = f.likely_type(args[0]);
  if (to == &PyFloat_Type) {
    if (from == &PyFloat_Type && f.to_float(args[0])) return finish(f, args, args[0]);
    if (!intish(from)) return false;
    Value* v = f.to_int(args[0]);
    return v && finish(f, args, f.float_av(f.emit(Op::IntToFloat, {v})));
  }
  if (to == &PyLong_Type) {
    if (from == &PyLong_Type && f.to_int(args[0])) return finish(f, args, args[0]);
    if (from == &PyBool_Type) {
      Value* v = f.to_int(args[0]);
      return v && finish(f, args, f.int_av(v, true));
    }
    if (from != &PyFloat_Type) return false;
    Value* x = f.to_float(args[0]);
    if (!x) return false;
    Value* v = f.emit(Op::FloatToInt, {x}, f.before());
    v->reason = Reason::Domain;
    return finish(f, args, f.int_av(v));
  }
  if (to == &PyBool_Type) {
    Value* truth = f.truth(args[0]);
    if (!truth) return false;
    if (truth->op == Op::ConstBool)
      return finish(f, args, f.const_av(truth->imm ? Py_True : Py_False));
    return finish(f, args, f.bool_av(truth));
  }
  return false;
}

}  // namespace

static bool is_scalar_type(const PyTypeObject* type) {
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type ||
         type == &PyBool_Type || type == &PyBytes_Type || type == Py_TYPE(Py_None);
}

// Whether nothing about the argument can run Python code; proves its class if need be.
static bool is_quiet(Builder& f, AVId arg, bool sequence) {
  if (f.av(arg).kind == SlotKind::Virtual) return false;
  const PyObject* constant = f.av(arg).constant;
  if (constant && !sequence && PyTuple_CheckExact(constant)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constant); i++)
      if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(constant, i))) return false;
    return true;
  }
  PyTypeObject* type = f.likely_type(arg);
  const bool fits =
      sequence ? type == &PyList_Type || type == &PyTuple_Type : type && is_scalar_type(type);
  return fits && (f.type_of(arg) || f.guard_type(arg, type));
}

// Without a frame for anybody to see, and without losing what is known.
static bool lower_quiet(Builder& f, const known::QuietFunction& quiet, PyObject* function,
                        AVId self, const std::vector<AVId>& args) {
  if ((self == kNoAV) != !quiet.owner) return false;
  if (self != kNoAV && f.likely_type(self) != quiet.owner) return false;
  const bool sequence = quiet.arguments == known::QuietFunction::Sequence;
  for (AVId arg : args)
    if (!is_quiet(f, arg, sequence) || f.dead()) return f.dead();
  if (self != kNoAV && !f.guard_type(self, quiet.owner) && f.type_of(self) != quiet.owner)
    return false;
  std::vector<Value*> inputs{f.const_object(function),
                             self == kNoAV ? f.const_null() : f.force(self)};
  for (AVId arg : args) inputs.push_back(f.force(arg));
  Value* result = f.call_helper(Helper::call_quiet, inputs);
  if (self != kNoAV) f.drop(self);
  return finish(f, args, f.object_av(result, quiet.result));
}

bool lower_builtin(Builder& f, PyObject* function, AVId self, const std::vector<AVId>& args) {
  for (size_t i = 0; i < args.size() && i < 3; i++) f.learn(args[i], static_cast<int>(i));
  if (self != kNoAV) {
    if (known::is_list_append(function) && args.size() == 1 &&
        f.likely_type(self) == &PyList_Type && f.guard_type(self, &PyList_Type)) {
      Value* list = f.force(self);
      f.call_helper(Helper::list_append, {list, f.force(args[0])});
      f.drop(self);
      return finish(f, args, f.const_av(Py_None));
    }
    const known::QuietFunction* quiet = known::quiet_function(function);
    return quiet && lower_quiet(f, *quiet, function, self, args);
  }
  if (PyType_CheckExact(function)) {
    auto* type = reinterpret_cast<PyTypeObject*>(function);
    if (type == &PyRange_Type) return lower_range(f, args);
    return lower_convert(f, type, args);
  }
  switch (known::builtin(function)) {
    case known::Builtin::Len:
      return args.size() == 1 && lower_len(f, args);
    case known::Builtin::Abs:
      return args.size() == 1 && lower_abs(f, args);
    case known::Builtin::Min:
      return lower_min_max(f, args, false);
    case known::Builtin::Max:
      return lower_min_max(f, args, true);
    case known::Builtin::DivMod:
      return args.size() == 2 && lower_divmod(f, args);
    case known::Builtin::IsInstance:
      return args.size() == 2 && lower_isinstance(f, args);
    case known::Builtin::GetRefCount:
      return args.size() == 1 && lower_getrefcount(f, args);
    case known::Builtin::None:
      break;
  }
  if (const known::MathFunction* m = known::math_function(function)) return lower_math(f, *m, args);
  const known::QuietFunction* quiet = known::quiet_function(function);
  return quiet && lower_quiet(f, *quiet, function, kNoAV, args);
}

}  // namespace psyco
