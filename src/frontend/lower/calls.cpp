// Calls: known Python functions are walked in place, known builtins have their own code, the rest
// goes by vectorcall.
#include <algorithm>

#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/lower/lower.h"

namespace psyco {

using ir::Cond;
using ir::Heap;
using ir::Helper;
using ir::Op;
using ir::Reason;
using ir::SlotKind;
using ir::Value;
using ir::VirtualKind;

namespace {

// Whether the callable may look at the frame by itself: see Helper::vectorcall_seen.
bool may_read_frame(Builder& f, AVId callable, bool no_arguments) {
  const Context& c = f.context();
  const PyObject* known = f.av(callable).constant;
  if (no_arguments && c.has_class_cell)
    return !known || known == reinterpret_cast<PyObject*>(&PySuper_Type);
  if (!c.has_hidden_locals || (known && PyFunction_Check(known))) return false;
  // Outside of the comprehensions none of them is set, which is how the frame stands.
  const std::vector<AVId>& locals = f.state().top().locals;
  return std::any_of(locals.begin(), locals.end(),
                     [&f](AVId id) { return f.av(id).kind != SlotKind::Null; });
}

void generic_call(Builder& f, AVId callable, AVId self, const std::vector<AVId>& args) {
  std::vector<Value*> inputs{f.force(callable), self == kNoAV ? f.const_null() : f.force(self)};
  for (AVId arg : args) inputs.push_back(f.force(arg));
  if (self == kNoAV) f.note_callee(callable);
  const bool seen = may_read_frame(f, callable, args.empty() && self == kNoAV);
  Value* result = f.call_helper(seen ? Helper::vectorcall_seen : Helper::vectorcall, inputs);
  PyTypeObject* type = nullptr;
  PyObject* known = f.av(callable).constant;
  // A plain class makes an instance of itself: likely, since __new__ may differ.
  if (known && PyType_Check(known)) type = reinterpret_cast<PyTypeObject*>(known);
  f.drop(callable);
  if (self != kNoAV) f.drop(self);
  for (AVId arg : args) f.drop(arg);
  f.push(f.object_av(result, nullptr, type == &PyType_Type ? nullptr : type));
}

// C(...): the instance is made here and __init__ walked in place.
bool construct(Builder& f, PyObject* known, AVId callable, const std::vector<AVId>& args) {
  if (!PyType_CheckExact(known)) return false;
  auto* type = reinterpret_cast<PyTypeObject*>(known);
  PyFunctionObject* init = shapes::plain_init(type);
  if (!init && args.empty() && shapes::without_init(type) && shapes::may_be_virtual(type) &&
      shapes::watchable_type(type)) {
    f.assume(Assumption::Type, known);
    f.drop(callable);
    f.push(f.new_instance(type));
    return true;
  }
  if (!init || !shapes::watchable_type(type) ||
      !f.inline_call(init, args, callable, {.made = type}))
    return false;
  f.assume(Assumption::Type, known);
  return true;
}

// A function that code keeps is not to live longer than it has its name, if it has one.
void keep_while_named(Builder& f, PyObject* object) {
  auto* function = reinterpret_cast<PyFunctionObject*>(object);
  if (shapes::is_named(function) &&
      !f.request().feedback->is_variable(function->func_globals, function->func_name))
    f.assume(Assumption::DictValue, function->func_globals, function->func_name);
}

// Functions that this call has met, if they are to be told apart.
std::vector<Method> functions_met(Builder& f, AVId callable) {
  std::vector<Method> functions;
  const Feedback::Site& site = f.site();
  if (!site.met || f.av(callable).kind != SlotKind::Object) return functions;
  for (PyFunctionObject* each : site.functions)
    if (each && f.request().feedback->is_alive(each) && shapes::is_named(each) &&
        !f.request().feedback->is_variable(each->func_globals, each->func_name))
      functions.push_back({nullptr, reinterpret_cast<PyObject*>(each)});
  return functions;
}

// A method of an object of one of several classes, or one of several functions. `exit_otherwise`:
// the code ends if it is none of them.
void call_one_of(Builder& f, std::span<const Method> methods, AVId callable, AVId self,
                 const std::vector<AVId>& args, bool direct, bool exit_otherwise) {
  f.check_bound(callable);
  const bool no_other = f.av(callable).no_other_method;
  f.edit(callable).methods = {};
  f.edit(callable).no_other_method = false;
  std::vector<Builder::Way> ways;
  for (const Method& method : methods) {
    auto is_it = [&f, callable, &method] {
      if (!method.type) keep_while_named(f, method.function);
      f.keep(method.function);
      return f.emit(Op::IsSame, {f.av(callable).value, f.const_object(method.function)});
    };
    ways.push_back({is_it, [&f, callable, self, &args, direct, &method] {
                      if (self != kNoAV) f.check_bound(self);
                      f.edit(callable).constant = method.function;
                      f.edit(callable).type = Py_TYPE(method.function);
                      if (self != kNoAV && method.type && !f.type_of(self)) {
                        f.edit(self).likely = method.type;
                        f.edit(self).example = nullptr;
                      }
                      lower_known_call(f, callable, self, args, direct);
                    }});
  }
  if (no_other)
    ways.back().condition = nullptr;
  else if (exit_otherwise)
    ways.push_back({nullptr, [&] { f.deopt(Reason::NotMet); }});
  else
    ways.push_back({nullptr, [&] { generic_call(f, callable, self, args); }});
  f.switch_on(ways);
}

}  // namespace

// The callable was found in the object on one way and in its class on another: with or without a
// first argument.
static bool may_lack_self(Builder& f, AVId self) {
  if (self == kNoAV) return false;
  const AV& a = f.av(self);
  return a.kind == SlotKind::Object && !a.not_null && a.value->nullable();
}

void lower_known_call(Builder& f, AVId callable, AVId self, std::vector<AVId> args, bool direct) {
  {
    const AV a = f.av(callable);
    if (a.kind == SlotKind::Virtual && a.virtual_kind == VirtualKind::BoundMethod &&
        self == kNoAV) {
      AVId function = a.fields[0];
      self = a.fields[1];
      callable = function;
    }
  }
  if (self != kNoAV && f.av(self).kind == SlotKind::Null) self = kNoAV;
  if (may_lack_self(f, self) && f.av(callable).methods.empty())
    return generic_call(f, callable, self, args);
  if (const std::span<const Method> methods = f.av(callable).methods;
      !methods.empty() && !f.av(callable).constant && !f.site().generic)
    return call_one_of(f, methods, callable, self, args, direct, false);
  if (!f.av(callable).constant && !f.site().generic)
    if (const std::vector<Method> functions = functions_met(f, callable); !functions.empty())
      return call_one_of(f, functions, callable, self, args, direct, !f.site().other);
  if (!f.av(callable).constant && !f.site().generic) {
    // A function object or class that was here before will be here again.
    PyObject* example = f.av(callable).example;
    if (example && f.av(callable).kind == SlotKind::Object && PyFunction_Check(example) &&
        !shapes::outlives_its_use(reinterpret_cast<PyFunctionObject*>(example))) {
      // Made for this use, and to die after it: another one will be here next time.
      std::vector<AVId> all = args;
      if (self != kNoAV) all.insert(all.begin(), self);
      auto* function = reinterpret_cast<PyFunctionObject*>(example);
      if (f.inline_call(function, all, callable, {.any_function = true})) return;
      return generic_call(f, callable, self, args);
    }
    if (example && f.av(callable).kind == SlotKind::Object &&
        (PyFunction_Check(example) || PyType_CheckExact(example))) {
      if (PyFunction_Check(example)) keep_while_named(f, example);
      f.keep(example);
      f.guard(Op::GuardIs, f.av(callable).value, Reason::ValueSeen, example);
      f.edit(callable).constant = example;
      f.edit(callable).type = Py_TYPE(example);
    }
  }
  PyObject* known = f.av(callable).constant;
  if (known && PyFunction_Check(known) && !f.site().generic) {
    std::vector<AVId> all = args;
    if (self != kNoAV) all.insert(all.begin(), self);
    // The function object must outlive its inlined body: a constant is kept by the code.
    if (f.inline_call(reinterpret_cast<PyFunctionObject*>(known), all, callable, {})) return;
    if (direct) {
      std::vector<AVId> dropped{callable};
      if (self != kNoAV) dropped.push_back(self);
      dropped.insert(dropped.end(), args.begin(), args.end());
      if (f.native_call(reinterpret_cast<PyFunctionObject*>(known), all, dropped)) return;
    }
  } else if (known && !f.site().generic) {
    if (self == kNoAV && construct(f, known, callable, args)) return;
    f.drop(callable);  // before: afterwards ways may have met, and values have other numbers
    if (lower_builtin(f, known, self, args) || f.dead()) return;
    f.undrop(callable);
  }
  generic_call(f, callable, self, args);
}

void lower_Call(Builder& f, const Bytecode& bc) {
  std::vector<AVId> args(bc.arg);
  for (int i = bc.arg; i-- > 0;) args[i] = f.pop();
  AVId self = f.pop(), callable = f.pop();
  if (f.av(self).kind == SlotKind::Null) self = kNoAV;
  lower_known_call(f, callable, self, std::move(args), true);
}

void lower_CallKw(Builder& f, const Bytecode& bc) {
  AVId names = f.pop();
  std::vector<AVId> args(bc.arg);
  for (int i = bc.arg; i-- > 0;) args[i] = f.pop();
  AVId self = f.pop(), callable = f.pop();
  // Keywords of a known function become positions.
  PyObject* known = f.av(callable).constant;
  PyObject* names_object = f.av(names).constant;
  const bool has_self = f.av(self).kind != SlotKind::Null;
  PyFunctionObject* function = nullptr;
  PyTypeObject* made = nullptr;
  if (may_lack_self(f, self)) {
  } else if (known && PyFunction_Check(known)) {
    function = reinterpret_cast<PyFunctionObject*>(known);
  } else if (known && PyType_CheckExact(known) && !has_self) {
    made = reinterpret_cast<PyTypeObject*>(known);
    function = shapes::watchable_type(made) ? shapes::plain_init(made) : nullptr;
  }
  if (function && names_object && !f.site().generic) {
    auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
    int keywords = static_cast<int>(PyTuple_GET_SIZE(names_object));
    std::vector<AVId> positional(args.begin(), args.end() - keywords);
    if (has_self) positional.insert(positional.begin(), self);
    if (made) positional.insert(positional.begin(), callable);  // in the place of self
    size_t given = positional.size();
    positional.resize(code->co_argcount > static_cast<int>(given) ? code->co_argcount : given,
                      kNoAV);
    bool fits = true;
    std::vector<AVId> keyword_only(static_cast<size_t>(code->co_kwonlyargcount), kNoAV);
    for (int k = 0; k < keywords && fits; k++) {
      int at = -1;
      for (int i = code->co_posonlyargcount; i < code->co_argcount + code->co_kwonlyargcount; i++)
        if (PyTuple_GET_ITEM(code->co_localsplusnames, i) == PyTuple_GET_ITEM(names_object, k))
          at = i;
      AVId value = args[args.size() - keywords + k];
      if (at >= code->co_argcount)
        keyword_only[at - code->co_argcount] = value;
      else if (at < static_cast<int>(given) || positional[at] != kNoAV)
        fits = false;
      else
        positional[at] = value;
    }
    size_t filled = 0;
    while (filled < positional.size() && positional[filled] != kNoAV) filled++;
    for (size_t i = filled; i < positional.size(); i++) fits &= positional[i] == kNoAV;
    positional.resize(filled);
    if (made && fits) positional.erase(positional.begin());
    if (!fits) f.refuse_inlining(function, "its parameters do not follow from the keywords");
    if (fits && f.inline_call(function, positional, callable,
                              {.made = made, .keyword_only = keyword_only})) {
      if (made) f.assume(Assumption::Type, known);
      return;
    }
  }
  std::vector<Value*> inputs{f.force(callable), f.force(self), f.force(names)};
  for (AVId arg : args) inputs.push_back(f.force(arg));
  Value* result = f.call_helper(Helper::vectorcall_kw, inputs);
  f.drop(callable), f.drop(self);
  for (AVId arg : args) f.drop(arg);
  f.drop(names);
  f.push(f.object_av(result));
}

// What an exact tuple holds, if its items are known one by one.
static bool items_of(Builder& f, AVId id, std::vector<AVId>& items) {
  const AV a = f.av(id);
  if (a.kind == SlotKind::Virtual && a.virtual_kind == VirtualKind::Tuple) {
    items.assign(a.fields.begin(), a.fields.end());
    return true;
  }
  if (!a.constant || !PyTuple_CheckExact(a.constant)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a.constant); i++)
    items.push_back(f.const_av(PyTuple_GET_ITEM(a.constant, i)));
  return true;
}

// f(*args) and f(*args, **{}) as f with each of the arguments.
static bool inline_spread(Builder& f, AVId callable, AVId args, AVId kwargs) {
  const AV c = f.av(callable), k = f.av(kwargs);
  PyObject* known = c.constant ? c.constant : c.example;
  std::vector<AVId> items;
  if (!known || !PyFunction_Check(known)) return false;
  auto* function = reinterpret_cast<PyFunctionObject*>(known);
  const bool any_function = !c.constant && !shapes::outlives_its_use(function);
  const bool keywords = k.kind != SlotKind::Null;
  const bool own_keywords =
      k.kind == SlotKind::Object && k.type == &PyDict_Type && k.value->owned() && !f.held(kwargs);
  if (f.site().generic || (keywords && !own_keywords) || !items_of(f, args, items))
    return f.refuse_inlining(function, "what it is given by * or ** is not known");
  if (keywords) {
    Value* used = f.load(Op::LoadI64, k.value, shapes::kDictUsed, Heap::Dict);
    Value* none = f.emit(Op::CmpInt, {used, f.const_int(0)});
    none->cond = Cond::Eq;
    f.guard(Op::GuardTrue, none, Reason::ValueSeen);
  }
  if (!c.constant && !any_function) {
    f.keep(known);
    f.guard(Op::GuardIs, c.value, Reason::ValueSeen, known);
    f.edit(callable).constant = known;
    f.edit(callable).type = Py_TYPE(known);
  }
  return f.inline_call(function, items, callable,
                       {.any_function = any_function, .gone = keywords ? kwargs : kNoAV});
}

void lower_CallEx(Builder& f, const Bytecode&) {
  AVId kwargs = f.pop(), args = f.pop(), null = f.pop(), callable = f.pop();
  if (inline_spread(f, callable, args, kwargs)) return;
  Value* c = f.force(callable);
  Value* a = f.force(args);
  Value* k = f.force(kwargs);
  Value* result = f.call_helper(Helper::call_ex, {c, a, k});
  f.drop(callable), f.drop(null), f.drop(args), f.drop(kwargs);
  f.push(f.object_av(result));
}

}  // namespace psyco
