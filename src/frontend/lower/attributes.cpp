// Attributes and globals: promoted where a watcher can tell when they change, read by layout where
// the type is known, by a caching helper elsewhere.
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
using shapes::AttrPlan;

namespace {

// Proves that the instance has its inline values and that no name was added to the class's shared
// keys, so that nothing shadows a class attribute.
void guard_inline(Builder& f, Value* object, const AttrPlan& plan) {
  Value* valid = f.load(Op::LoadU8, object, plan.values + shapes::kValuesValid, Heap::AttrShape);
  Value* yes = f.emit(Op::CmpInt, {valid, f.const_int(0)});
  yes->cond = Cond::Ne;
  f.guard(Op::GuardTrue, yes, Reason::Domain);
}

void guard_not_shadowed(Builder& f, AVId id, const AttrPlan& plan) {
  if (!plan.keys || is_instance(f.av(id))) return;
  Value* object = f.force(id);
  guard_inline(f, object, plan);
  Value* names = f.load(Op::LoadI64, f.const_ptr(plan.keys), shapes::kKeysEntries, Heap::AttrShape);
  Value* same = f.emit(Op::CmpInt, {names, f.const_int(plan.key_count)});
  same->cond = Cond::Eq;
  f.guard(Op::GuardTrue, same, Reason::Domain);
}

// The dictionary of an instance lists its attributes in the order in which they were set
// (pycore_dict.h:_PyDictValues_AddToInsertionOrder). Nothing else reads these bytes in our code.
void note_order(Builder& f, Value* object, const AttrPlan& plan) {
  const int32_t items = plan.values + shapes::kValuesItems;
  const int32_t number = plan.values + shapes::kValuesCount;
  Value* room = f.load(Op::LoadU8, object, plan.values + shapes::kValuesCapacity, Heap::Other);
  Value* count = f.load(Op::LoadU8, object, number, Heap::Other);
  Value* behind = f.emit(Op::MulIntUnchecked, {room, f.const_int(sizeof(PyObject*))});
  Value* place = f.emit(Op::AddIntUnchecked, {behind, count});
  Value* index = f.const_int((plan.offset - items) / int{sizeof(PyObject*)});
  Value* store = f.emit(Op::StoreU8At, {object, place, index});
  store->imm = items;
  store->heap = Heap::Other;
  Value* more = f.emit(Op::AddIntUnchecked, {count, f.const_int(1)});
  store = f.emit(Op::StoreU8At, {object, f.const_int(0), more});
  store->imm = number;
  store->heap = Heap::Other;
}

void assume_type(Builder& f, PyTypeObject* type) {
  f.assume(Assumption::Type, reinterpret_cast<PyObject*>(type));
}

// What the descriptor of the plan wraps.
AVId wrapped(Builder& f, const AttrPlan& plan) {
  f.assume(Assumption::Object, plan.value);
  return f.const_av(plan.inner);
}

// A static or class method found in a class itself. False: it is neither.
bool load_wrapped(Builder& f, PyObject* owner, PyObject* name, bool method) {
  if (!PyType_CheckExact(owner)) return false;
  auto* type = reinterpret_cast<PyTypeObject*>(owner);
  if (_PyType_Lookup(&PyType_Type, name) || !shapes::watchable_type(type)) return false;
  PyObject* descriptor = _PyType_Lookup(type, name);
  const AttrPlan plan = descriptor ? shapes::plan_wrapped(descriptor) : AttrPlan();
  if (plan.kind == AttrPlan::None) return false;
  assume_type(f, type);
  AVId callable = wrapped(f, plan);
  AVId self = plan.kind == AttrPlan::Class ? f.const_av(owner) : f.null_av();
  if (method) {
    f.push(callable);
    f.push(self);
  } else if (plan.kind == AttrPlan::Class) {
    f.push(f.virtual_av(ir::VirtualKind::BoundMethod, {callable, self}));
  } else {
    f.push(callable);
  }
  return true;
}

// A module's or class's attribute that can be known now.
PyObject* known_attribute(Builder& f, PyObject* owner, PyObject* name) {
  if (PyModule_CheckExact(owner)) {
    PyObject* dict = PyModule_GetDict(owner);
    PyObject* value = shapes::peek_dict(dict, name);
    if (!value || f.request().feedback->is_variable(dict, name) ||
        _PyType_Lookup(&PyModule_Type, name))
      return nullptr;
    f.assume(Assumption::DictValue, dict, name);
    return value;
  }
  if (PyType_CheckExact(owner)) {
    auto* type = reinterpret_cast<PyTypeObject*>(owner);
    if (_PyType_Lookup(&PyType_Type, name) || !shapes::watchable_type(type)) return nullptr;
    PyObject* value = _PyType_Lookup(type, name);
    if (!value) return nullptr;
    if (!PyFunction_Check(value) && Py_TYPE(value)->tp_descr_get) return nullptr;
    if (!(Py_TYPE(value)->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)) {
      if (!shapes::watchable_type(Py_TYPE(value))) return nullptr;
      assume_type(f, Py_TYPE(value));
    }
    assume_type(f, type);
    return value;
  }
  return nullptr;
}

const void* new_cache(Builder& f) {
  return f.site_cache(f.request().attr_cache_size, SiteKind::Attribute);
}

// ---- objects of several classes

// The classes this site is known to meet, if its objects are to be told apart.
std::vector<PyTypeObject*> classes_met(Builder& f, AVId id) {
  const Feedback::Site& site = f.site();
  std::vector<PyTypeObject*> types;
  if (!site.met || site.generic || f.type_of(id) || f.av(id).kind != SlotKind::Object) return types;
  for (int k = Feedback::Site::kOperands; k < Feedback::Site::kOperands + Feedback::Site::kMet; k++)
    if (site.types[k]) types.push_back(site.types[k]);
  // One class alone is better guarded.
  if (types.size() == 1 && !site.other) {
    f.edit(id).likely = types[0];
    types.clear();
  }
  return types;
}

// Runs `code` for each class with the object proved to be of it, and `otherwise` for the rest; with
// nothing known of a rest the code ends there.
void switch_on_class(Builder& f, AVId id, const std::vector<PyTypeObject*>& types,
                     const std::function<void(PyTypeObject*)>& code,
                     const std::function<void()>& otherwise) {
  f.check_bound(id);
  std::vector<Builder::Way> ways;
  for (PyTypeObject* type : types) {
    auto is_it = [&f, id, type] {
      Value* is = f.emit(Op::HasType, {f.av(id).value});
      is->ptr = type;
      is->imm = 1;
      return is;
    };
    ways.push_back({is_it, [&f, &code, id, type] {
                      f.prove_type(id, type);
                      code(type);
                    }});
  }
  const bool others = f.site().other;
  ways.push_back({nullptr, [&f, &otherwise, others] {
                    if (others)
                      otherwise();
                    else
                      f.deopt(Reason::NotMet);
                  }});
  f.switch_on(ways);
}

}  // namespace

// By layout, for an object that is, or is guarded to be, of this class. False: not to be had so.
static bool load_planned(Builder& f, AVId id, PyTypeObject* type, PyObject* name) {
  AttrPlan plan = shapes::plan_load(type, name);
  if (is_instance(f.av(id))) {
    const int at = find_attribute(f.av(id), plan.offset);
    if (at >= 0 && (plan.kind == AttrPlan::Inline || plan.kind == AttrPlan::Member)) {
      f.assume_attribute(type, plan);
      f.push(f.av(id).fields[static_cast<size_t>(at)]);
      return true;
    }
    if (plan.kind == AttrPlan::Inline || plan.kind == AttrPlan::Member) return false;
  }
  PyObject* object_example = f.av(id).example;
  if (object_example && Py_TYPE(object_example) != type) object_example = nullptr;
  bool usable = plan.kind == AttrPlan::Inline || plan.kind == AttrPlan::Member ||
                plan.kind == AttrPlan::Constant;
  if (plan.kind == AttrPlan::Inline && object_example &&
      !shapes::inline_values_valid(object_example))
    usable = false;
  if (usable && f.guard_type(id, type)) {
    f.assume_attribute(type, plan);
    if (plan.kind == AttrPlan::Constant) {
      guard_not_shadowed(f, id, plan);
      f.push(f.const_av(plan.value));
      return true;
    }
    Value* object = f.force(id);
    PyObject* example = object_example ? shapes::peek_attr(object_example, name) : nullptr;
    Heap heap = Heap::Attributes;
    if (plan.kind == AttrPlan::Inline) guard_inline(f, object, plan);
    Value* value = f.load(Op::LoadObject, object, plan.offset, heap);
    value->flags |= ir::kNullable;
    f.guard(Op::GuardNotNull, value, Reason::Unbound);
    value->flags &= static_cast<uint8_t>(~ir::kNullable);
    f.mark_owned(value);
    f.emit(Op::Retain, {value});
    f.push(f.object_av(value, nullptr, nullptr, example));
    return true;
  }
  if (plan.kind == AttrPlan::Method && PyFunction_Check(plan.value) && f.guard_type(id, type)) {
    f.assume_attribute(type, plan);
    guard_not_shadowed(f, id, plan);
    f.push(f.virtual_av(ir::VirtualKind::BoundMethod, {f.const_av(plan.value), id}));
    return true;
  }
  if (plan.inner && f.guard_type(id, type)) {
    f.assume_attribute(type, plan);
    if (plan.kind == AttrPlan::Property) {
      AVId getter = wrapped(f, plan);
      f.undrop(id);  // it is the getter's argument
      lower_known_call(f, getter, kNoAV, {id}, true);
      return true;
    }
    guard_not_shadowed(f, id, plan);
    AVId callable = wrapped(f, plan);
    f.push(plan.kind == AttrPlan::Static
               ? callable
               : f.virtual_av(ir::VirtualKind::BoundMethod,
                              {callable, f.const_av(reinterpret_cast<PyObject*>(type))}));
    return true;
  }
  return false;
}

static void load_by_helper(Builder& f, AVId id, PyObject* name) {
  PyObject* example = f.av(id).example ? shapes::peek_attr(f.av(id).example, name) : nullptr;
  Value* object = f.force(id);
  Value* value =
      f.call_helper(Helper::load_attr, {object, f.const_object(name)}, 0, false, new_cache(f));
  f.push(f.object_av(value, nullptr, nullptr, example));
}

void lower_LoadAttr(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  if (PyObject* owner = f.av(id).constant) {
    if (PyObject* value = known_attribute(f, owner, bc.object)) return f.push(f.const_av(value));
    if (load_wrapped(f, owner, bc.object, false)) return;
  }
  const std::vector<PyTypeObject*> met = classes_met(f, id);
  if (!met.empty())
    return switch_on_class(
        f, id, met,
        [&](PyTypeObject* type) {
          if (!load_planned(f, id, type, bc.object)) load_by_helper(f, id, bc.object);
        },
        [&] { load_by_helper(f, id, bc.object); });
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (type && !f.site().generic && load_planned(f, id, type, bc.object)) return;
  load_by_helper(f, id, bc.object);
}

// The function and the object it is to be called with, which stays in place.
static bool load_known_method(Builder& f, AVId id, PyTypeObject* type, PyObject* name) {
  AttrPlan plan = shapes::plan_load(type, name);
  const bool binds = plan.kind == AttrPlan::Method;
  if (!binds && plan.kind != AttrPlan::Static && plan.kind != AttrPlan::Class) return false;
  if (!f.guard_type(id, type)) return false;
  f.assume_attribute(type, plan);
  guard_not_shadowed(f, id, plan);
  if (binds) {
    f.push(f.const_av(plan.value));
    f.push(id);
    return true;
  }
  f.push(wrapped(f, plan));
  f.push(plan.kind == AttrPlan::Class ? f.const_av(reinterpret_cast<PyObject*>(type))
                                      : f.null_av());
  f.drop(id);
  return true;
}

static void load_method_by_helper(Builder& f, AVId id, PyObject* name) {
  f.drop(id);
  Value* object = f.force(id);
  Value* call =
      f.call_helper(Helper::load_method, {object, f.const_object(name)}, 0, false, new_cache(f), 1);
  Value* self = f.take_out(call, 0, true);
  f.push(f.object_av(call));
  f.push(f.object_av(self));
}

void lower_LoadMethod(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  if (PyObject* owner = f.av(id).constant) {
    if (PyObject* value = known_attribute(f, owner, bc.object)) {
      f.drop(id);
      f.push(f.const_av(value));
      return f.push(f.null_av());
    }
    if (load_wrapped(f, owner, bc.object, true)) return f.drop(id);
  }
  const std::vector<PyTypeObject*> met = classes_met(f, id);
  if (!met.empty()) {
    std::vector<Method> methods;
    switch_on_class(
        f, id, met,
        [&](PyTypeObject* type) {
          if (!load_known_method(f, id, type, bc.object))
            load_method_by_helper(f, id, bc.object);
          else if (f.peek(1) == id)
            methods.push_back({type, f.av(f.peek(2)).constant});
        },
        [&] { load_method_by_helper(f, id, bc.object); });
    if (f.dead() || f.av(f.peek(2)).constant) return;
    AV& callable = f.edit(f.peek(2));
    callable.methods = in_arena<Method>(f.graph().arena, methods);
    callable.no_other_method = !f.site().other && methods.size() == met.size();
    return;
  }
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (type && !f.site().generic && load_known_method(f, id, type, bc.object)) return;
  load_method_by_helper(f, id, bc.object);
}

// A manager of a known class keeps its place: the method is found as if it were loaded from it.
void lower_LoadSpecial(Builder& f, const Bytecode& bc) {
  if (bc.arg >= 2) return f.deopt(Reason::Suspend);  // async with
  AVId id = f.pop();
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (type && !f.site().generic) {
    const AttrPlan plan = shapes::plan_special(type, bc.arg);
    if (plan.kind == AttrPlan::Method && f.guard_type(id, type)) {
      f.assume_attribute(type, plan);
      f.push(f.const_av(plan.value));
      return f.push(id);
    }
  }
  f.drop(id);
  Value* call = f.call_helper(Helper::load_special, {f.force(id)}, bc.arg, true, nullptr, 1);
  Value* self = f.take_out(call, 0, true);
  f.push(f.object_av(call));
  f.push(f.object_av(self));
}

// As load_planned. Both are popped.
static bool store_planned(Builder& f, AVId id, AVId value, PyTypeObject* type, PyObject* name) {
  PyObject* object_example = f.av(id).example;
  if (object_example && Py_TYPE(object_example) != type) object_example = nullptr;
  AttrPlan plan = shapes::plan_store(type, name);
  if (plan.kind == AttrPlan::Property) {
    if (!f.guard_type(id, type)) return false;
    f.assume_attribute(type, plan);
    AVId setter = wrapped(f, plan);
    f.push(value), f.push(id);
    if (f.inline_call(reinterpret_cast<PyFunctionObject*>(plan.inner), {id, value}, setter,
                      {.cont = ir::Continuation::Drop, .operands = 2}))
      return true;
    f.pop(), f.pop();
    return false;
  }
  if (is_instance(f.av(id)) && f.store_virtual(id, name, value)) {
    f.drop(value), f.drop(id);
    return true;
  }
  // Is the attribute set already? As it is on a live object, or was when an earlier version was
  // made, unless this code has made the object or set the attribute itself.
  bool usable = plan.kind == AttrPlan::Inline || plan.kind == AttrPlan::Member;
  const uint64_t bit = uint64_t{1} << (plan.offset / 8 % 64);
  bool unset = false;
  if (f.av(id).stored & bit) {
  } else if (f.av(id).fresh) {
    unset = true;
  } else if (usable && object_example) {
    usable = plan.kind == AttrPlan::Member || shapes::plain_instance(object_example);
    PyObject* now = usable ? shapes::peek_attr(object_example, name) : nullptr;
    unset = !now;
    if (now) f.learn_type(Py_TYPE(now), 1);
  } else {
    usable = usable && f.learnt(1);
  }
  if (!usable || !f.guard_type(id, type)) return false;
  f.assume_attribute(type, plan);
  Value* object = f.force(id);
  if (plan.kind == AttrPlan::Inline) {
    guard_inline(f, object, plan);
    Value* dict = f.load(Op::LoadI64, object, shapes::kManagedDict, Heap::AttrShape);
    Value* none = f.emit(Op::CmpInt, {dict, f.const_int(0)});
    none->cond = Cond::Eq;
    f.guard(Op::GuardTrue, none, Reason::Domain);
  }
  f.edit(id).stored |= bit;
  if (!unset &&
      f.store_number_in_place(value, f.learnt(1), Heap::Attributes, object, plan.offset, nullptr)) {
    f.drop(value), f.drop(id);
    return true;
  }
  f.force(value);  // first: to build an instance is to store attributes
  Value* old = f.load(Op::LoadObject, object, plan.offset, Heap::Attributes);
  old->flags |= ir::kNullable;
  f.guard(unset ? Op::GuardNull : Op::GuardNotNull, old, Reason::Unbound);
  if (!unset) {
    old->flags &= static_cast<uint8_t>(~ir::kNullable);
    f.mark_owned(old);
  }
  Value* stored;
  f.consume(value, stored);
  Value* store = f.emit(Op::StoreObject, {object, stored});
  store->imm = plan.offset;
  store->heap = Heap::Attributes;
  if (unset && plan.kind == AttrPlan::Inline) note_order(f, object, plan);
  f.drop(id);
  if (!unset) f.drop(f.object_av(old));
  return true;
}

static void store_by_helper(Builder& f, AVId id, AVId value, PyObject* name) {
  Value* object = f.force(id);
  Value* v = f.force(value);
  f.call_helper(Helper::store_attr, {object, f.const_object(name), v}, 0, false, new_cache(f));
  f.drop(value), f.drop(id);
}

void lower_StoreAttr(Builder& f, const Bytecode& bc) {
  AVId id = f.pop(), value = f.pop();
  const std::vector<PyTypeObject*> met = classes_met(f, id);
  if (!met.empty())
    return switch_on_class(
        f, id, met,
        [&](PyTypeObject* type) {
          if (!store_planned(f, id, value, type, bc.object))
            store_by_helper(f, id, value, bc.object);
        },
        [&] { store_by_helper(f, id, value, bc.object); });
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (type && !f.site().generic && store_planned(f, id, value, type, bc.object)) return;
  store_by_helper(f, id, value, bc.object);
}

void lower_DeleteAttr(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  f.call_helper(Helper::delete_attr, {f.force(id), f.const_object(bc.object)});
}

// The function super().name stands for, if all that decides it is known or can be guarded.
static PyObject* known_super(Builder& f, AVId super, AVId cls, AVId self, PyObject* name) {
  if (f.site().generic || f.av(super).constant != reinterpret_cast<PyObject*>(&PySuper_Type))
    return nullptr;
  PyObject* of = f.av(cls).constant ? f.av(cls).constant : f.av(cls).example;
  PyTypeObject* type = f.likely_type(self);
  if (!of || !PyType_Check(of) || !type) return nullptr;
  PyObject* function = shapes::super_function(reinterpret_cast<PyTypeObject*>(of), type, name);
  if (!function || !f.guard_type(self, type)) return nullptr;
  assume_type(f, type);
  if (!f.av(cls).constant) {
    f.check_bound(cls);
    f.keep(of);
    f.guard(Op::GuardIs, f.av(cls).value, Reason::ValueSeen, of);
  }
  return function;
}

static void super_attr(Builder& f, const Bytecode& bc, bool method) {
  AVId self = f.pop(), cls = f.pop(), super = f.pop();
  f.drop(super), f.drop(cls);
  if (PyObject* known = known_super(f, super, cls, self, bc.object)) {
    AVId function = f.const_av(known);
    if (!method) return f.push(f.virtual_av(ir::VirtualKind::BoundMethod, {function, self}));
    f.push(function);
    return f.push(self);
  }
  f.drop(self);
  Value* s = f.force(super);
  Value* c = f.force(cls);
  Value* o = f.force(self);
  Value* name = f.const_object(bc.object);
  if (!method) {
    f.push(f.object_av(f.call_helper(Helper::load_super_attr, {s, c, o, name}, bc.arg2, true)));
    return;
  }
  Value* call =
      f.call_helper(Helper::load_super_method, {s, c, o, name}, bc.arg2, true, nullptr, 1);
  Value* bound = f.take_out(call, 0, true);
  f.push(f.object_av(call));
  f.push(f.object_av(bound));
}

void lower_LoadSuper(Builder& f, const Bytecode& bc) { super_attr(f, bc, false); }
void lower_LoadSuperMethod(Builder& f, const Bytecode& bc) { super_attr(f, bc, true); }

}  // namespace psyco
