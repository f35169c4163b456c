// Subscripts, displays and unpacking.
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

Value* checked_index(Builder& f, AVId index, Value* length) {
  Value* i = f.to_int(index);
  if (!i) return nullptr;
  if (!f.av(index).nonnegative && !(i->op == Op::ConstI64 && i->imm >= 0))
    i = f.emit(Op::WrapIndex, {i, length});
  Value* check = f.emit(Op::CheckIndex, {i, length}, f.before());
  check->reason = Reason::Bounds;
  return i;
}

namespace {

bool int_like(PyTypeObject* type) { return type == &PyLong_Type || type == &PyBool_Type; }

PyObject* item_example(Builder& f, AVId container, AVId index) {
  const AV& c = f.av(container);
  if (!c.example) return nullptr;
  int64_t at = 0;
  const AV& i = f.av(index);
  if (i.value && i.value->op == Op::ConstI64)
    at = i.value->imm;
  else if (i.example && PyLong_CheckExact(i.example))
    shapes::int_value(i.example, &at);
  return shapes::peek_item(c.example, at);
}

bool is_virtual(const AV& a, VirtualKind kind) {
  return a.kind == SlotKind::Virtual && a.virtual_kind == kind;
}

// By the class's own function in Python. All are popped, and not dropped.
bool call_subscript(Builder& f, AVId container, AVId key, AVId value) {
  PyTypeObject* type = f.likely_type(container);
  const bool store = value != kNoAV;
  PyObject* known = type && !f.site().generic ? shapes::subscript_function(type, store) : nullptr;
  if (!known || !f.guard_type(container, type)) return false;
  f.assume(Assumption::Type, reinterpret_cast<PyObject*>(type));
  auto* function = reinterpret_cast<PyFunctionObject*>(known);
  if (!store) return f.inline_call(function, {container, key}, f.const_av(known), {});
  f.push(value), f.push(container), f.push(key);
  if (f.inline_call(function, {container, key, value}, f.const_av(known),
                    {.cont = ir::Continuation::Drop, .operands = 3}))
    return true;
  f.pop(), f.pop(), f.pop();
  return false;
}

}  // namespace

void lower_subscript(Builder& f, const Bytecode& bc) {
  AVId key = f.pop(), container = f.pop();
  f.drop(container);
  f.drop(key);
  if (is_virtual(f.av(key), VirtualKind::Slice)) {
    const std::span<const AVId> fields = f.av(key).fields;
    if (f.av(fields[2]).constant == Py_None) {
      Value* c = f.force(container);
      Value* start = f.force(fields[0]);
      Value* stop = f.force(fields[1]);
      PyTypeObject* type = f.type_of(container);
      bool same = type == &PyList_Type || type == &PyTuple_Type || type == &PyUnicode_Type ||
                  type == &PyBytes_Type;
      PyObject* example = f.av(container).example;
      f.push(f.object_av(f.call_helper(Helper::binary_slice, {c, start, stop}),
                         same ? type : nullptr, f.likely_type(container), example));
      return;
    }
  }
  f.learn(container, 0);
  f.learn(key, 1);
  PyTypeObject* type = f.likely_type(container);
  PyTypeObject* key_type = f.likely_type(key);
  SpecialisedTypes seen = specialised_types(bc);
  if (!type) f.suggest_type(container, type = seen.left);
  if (!key_type) f.suggest_type(key, key_type = seen.right);
  f.undrop(container), f.undrop(key);
  if (call_subscript(f, container, key, kNoAV)) return;
  f.drop(container), f.drop(key);
  if (!f.site().generic && int_like(key_type) && !f.site().big_int) {
    if (is_virtual(f.av(container), VirtualKind::Tuple)) {
      Value* i = f.to_int(key);
      int64_t n = static_cast<int64_t>(f.av(container).fields.size());
      if (i && i->op == Op::ConstI64 && i->imm < n && i->imm >= -n)
        return f.push(f.av(container).fields[i->imm < 0 ? i->imm + n : i->imm]);
    } else if ((type == &PyList_Type || type == &PyTuple_Type) && f.guard_type(container, type)) {
      PyObject* example = item_example(f, container, key);
      if (Value* probe = f.to_int(key); probe) {
        Value* object = f.av(container).value;
        bool list = type == &PyList_Type;
        Value* length =
            f.load(Op::LoadI64, object, shapes::kObSize, list ? Heap::ListShape : Heap::Constant);
        Value* i = checked_index(f, key, length);
        Value* item;
        if (list) {
          Value* items = f.load(Op::LoadPtr, object, shapes::kListItems, Heap::ListShape);
          item = f.load_owned(items, 0, Heap::ListItems, i);
        } else {
          item = f.load_owned(object, shapes::kTupleItems, Heap::TupleItems, i);
        }
        return f.push(f.object_av(item, nullptr, nullptr, example));
      }
    } else if (lower_buffer_load(f, container, key)) {
      return;
    }
    if (f.dead()) return;
  }
  f.note_types(SiteKind::Subscript, container, key);
  Value* c = f.force(container);
  Value* k = f.force(key);
  PyTypeObject* result = f.type_of(container) == &PyUnicode_Type ? &PyUnicode_Type : nullptr;
  if (result && !int_like(f.type_of(key))) result = nullptr;
  f.push(f.object_av(f.call_helper(Helper::subscript, {c, k}), result));
}

void lower_StoreSubscr(Builder& f, const Bytecode& bc) {
  AVId key = f.pop(), container = f.pop(), value = f.pop();
  if (is_virtual(f.av(key), VirtualKind::Slice)) {
    const std::span<const AVId> fields = f.av(key).fields;
    if (f.av(fields[2]).constant == Py_None) {
      Value* c = f.force(container);
      Value* start = f.force(fields[0]);
      Value* stop = f.force(fields[1]);
      Value* v = f.force(value);
      f.call_helper(Helper::store_slice, {c, start, stop, v});
      f.drop(value), f.drop(container), f.drop(key);
      return;
    }
  }
  f.learn(container, 0);
  f.learn(key, 1);
  PyTypeObject* type = f.likely_type(container);
  PyTypeObject* key_type = f.likely_type(key);
  SpecialisedTypes seen = specialised_types(bc);
  if (!type) f.suggest_type(container, type = seen.left);
  if (!key_type) f.suggest_type(key, key_type = seen.right);
  if (call_subscript(f, container, key, value)) return;
  if (!f.site().generic && !f.site().big_int && type == &PyList_Type && int_like(key_type) &&
      f.guard_type(container, type) && f.to_int(key)) {
    PyObject* example = item_example(f, container, key);
    Value* list = f.av(container).value;
    Value* length = f.load(Op::LoadI64, list, shapes::kObSize, Heap::ListShape);
    Value* i = checked_index(f, key, length);
    Value* items = f.load(Op::LoadPtr, list, shapes::kListItems, Heap::ListShape);
    if (example) f.learn_type(Py_TYPE(example), 2);
    if (f.store_number_in_place(value, f.learnt(2), Heap::ListItems, items, 0, i)) {
      f.drop(value), f.drop(container), f.drop(key);
      return;
    }
    // What the old item is matters: if it dies quietly nothing need be looked at again.
    PyTypeObject* old_type = f.learnt(2);
    if (old_type && old_type == f.type_of(value) && shapes::dies_quietly(old_type)) {
      Value* probe = f.load(Op::LoadObjectAt, items, 0, Heap::ListItems, i);
      f.guard(Op::GuardType, probe, Reason::TypeSeen, old_type)->imm = 1;
    } else {
      old_type = nullptr;
    }
    Value* object;
    f.consume(value, object);
    Value* old = f.load(Op::LoadObjectAt, items, 0, Heap::ListItems, i);
    f.mark_owned(old);  // the list's reference becomes ours
    Value* store = f.emit(Op::StoreObjectAt, {items, i, object});
    store->heap = Heap::ListItems;
    f.drop(container), f.drop(key);
    f.drop(f.object_av(old, old_type));
    return;
  }
  if (!f.site().generic && !f.site().big_int && lower_buffer_store(f, container, key, value)) {
    f.drop(value), f.drop(container), f.drop(key);
    return;
  }
  if (f.dead()) return;
  f.note_types(SiteKind::Subscript, container, key);
  Value* c = f.force(container);
  Value* k = f.force(key);
  Value* v = f.force(value);
  f.call_helper(Helper::store_subscript, {c, k, v});
  f.drop(value), f.drop(container), f.drop(key);
}

bool Builder::may_store_in_place(AVId value, PyTypeObject* old_type) {
  const AV& a = av(value);
  if (a.kind != SlotKind::Float && a.kind != SlotKind::Int) return false;
  if (a.box || held_live(value)) return false;
  for (AVId pending : drops_)
    if (pending == value) return false;
  return old_type == (a.kind == SlotKind::Float ? &PyFloat_Type : &PyLong_Type);
}

// A computed number that nobody else will read as an object may overwrite the number object in its
// slot, if that object is the slot's alone (checked at run time). base + offset (+ 8 * index) is
// the slot.
bool Builder::store_number_in_place(AVId value, PyTypeObject* old_type, Heap heap, Value* base,
                                    int64_t offset, Value* index) {
  if (!may_store_in_place(value, old_type)) return false;
  const bool is_float = av(value).kind == SlotKind::Float;
  PyTypeObject* type = is_float ? &PyFloat_Type : &PyLong_Type;
  Value* old = load(index ? Op::LoadObjectAt : Op::LoadObject, base, offset, heap, index);
  old->flags |= ir::kNullable;
  if (!index) guard(Op::GuardNotNull, old, Reason::Unbound);
  Value* g = guard(Op::GuardType, old, Reason::TypeSeen, type);
  g->imm = 1;
  Value* slot = emit(Op::PtrAdd, {base, index ? index : const_int(0)});
  slot->imm = offset;
  slot->shift = 3;
  Value* update = emit(is_float ? Op::UpdateFloatSlot : Op::UpdateIntSlot, {slot, av(value).value});
  update->heap = heap;  // the class of the slot
  return true;
}

void lower_DeleteSubscr(Builder& f, const Bytecode&) {
  AVId key = f.pop(), container = f.pop();
  Value* c = f.force(container);
  Value* k = f.force(key);
  f.call_helper(Helper::delete_subscript, {c, k});
  f.drop(container), f.drop(key);
}

static std::vector<AVId> pop_many(Builder& f, int n) {
  std::vector<AVId> items(n);
  for (int i = n; i-- > 0;) items[i] = f.pop();
  return items;
}

static std::vector<Value*> force_all(Builder& f, const std::vector<AVId>& items) {
  std::vector<Value*> values;
  for (AVId id : items) values.push_back(f.force(id));
  return values;
}

static void drop_all(Builder& f, const std::vector<AVId>& items) {
  for (AVId id : items) f.drop(id);
}

static void build(Builder& f, const std::vector<AVId>& items, Helper helper, PyTypeObject* type) {
  std::vector<Value*> values = force_all(f, items);
  drop_all(f, items);
  f.push(f.object_av(f.call_helper(helper, values), type));
}

void lower_BuildTuple(Builder& f, const Bytecode& bc) {
  std::vector<AVId> items = pop_many(f, bc.arg);
  if (bc.arg <= 8) return f.push(f.virtual_av(VirtualKind::Tuple, items));
  build(f, items, Helper::build_tuple, &PyTuple_Type);
}

void lower_BuildList(Builder& f, const Bytecode& bc) {
  build(f, pop_many(f, bc.arg), Helper::build_list, &PyList_Type);
}

void lower_BuildSet(Builder& f, const Bytecode& bc) {
  build(f, pop_many(f, bc.arg), Helper::build_set, &PySet_Type);
}

void lower_BuildMap(Builder& f, const Bytecode& bc) {
  build(f, pop_many(f, 2 * bc.arg), Helper::build_map, &PyDict_Type);
}

void lower_BuildConstKeyMap(Builder& f, const Bytecode& bc) {
  std::vector<AVId> items = pop_many(f, bc.arg + 1);
  std::vector<Value*> values{f.force(items.back())};
  for (int i = 0; i < bc.arg; i++) values.push_back(f.force(items[i]));
  drop_all(f, items);
  f.push(f.object_av(f.call_helper(Helper::build_const_key_map, values), &PyDict_Type));
}

void lower_BuildString(Builder& f, const Bytecode& bc) {
  build(f, pop_many(f, bc.arg), Helper::build_string, &PyUnicode_Type);
}

void lower_BuildSlice(Builder& f, const Bytecode& bc) {
  std::vector<AVId> items = pop_many(f, bc.arg);
  if (items.size() == 2) items.push_back(f.const_av(Py_None));
  f.push(f.virtual_av(VirtualKind::Slice, items));
}

static AVId container_at(Builder& f, int depth) { return f.peek(depth); }

void lower_ListAppend(Builder& f, const Bytecode& bc) {
  AVId item = f.pop();
  f.drop(item);
  Value* list = f.force(container_at(f, bc.arg));
  f.call_helper(Helper::list_append, {list, f.force(item)});
}

#define LOWER_ADD(Name, helper)                                \
  void lower_##Name(Builder& f, const Bytecode& bc) {          \
    AVId item = f.pop();                                       \
    f.drop(item);                                              \
    Value* container = f.force(container_at(f, bc.arg));       \
    f.call_helper(Helper::helper, {container, f.force(item)}); \
  }
LOWER_ADD(SetAdd, set_add)
LOWER_ADD(ListExtend, list_extend)
LOWER_ADD(SetUpdate, set_update)
LOWER_ADD(DictUpdate, dict_update)
#undef LOWER_ADD

void lower_MapAdd(Builder& f, const Bytecode& bc) {
  AVId value = f.pop(), key = f.pop();
  f.drop(key), f.drop(value);
  Value* dict = f.force(container_at(f, bc.arg));
  Value* k = f.force(key);
  f.call_helper(Helper::map_add, {dict, k, f.force(value)});
}

void lower_DictMerge(Builder& f, const Bytecode& bc) {
  AVId update = f.pop();
  f.drop(update);
  Value* dict = f.force(container_at(f, bc.arg));
  Value* callable = f.force(container_at(f, bc.arg + 3));
  f.call_helper(Helper::dict_merge, {dict, f.force(update), callable});
}

void lower_Unpack(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  int n = bc.arg;
  if (is_virtual(f.av(id), VirtualKind::Tuple) && static_cast<int>(f.av(id).fields.size()) == n) {
    const std::span<const AVId> fields = f.av(id).fields;
    for (int i = n; i-- > 0;) f.push(fields[i]);
    f.drop(id);
    return;
  }
  f.drop(id);
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (!type) f.suggest_type(id, type = specialised_types(bc).left);
  bool list = type == &PyList_Type;
  if (!f.site().generic && n <= 16 && (list || type == &PyTuple_Type) && f.guard_type(id, type)) {
    if (f.av(id).kind == SlotKind::Virtual) f.force(id);
    Value* object = f.av(id).value;
    PyObject* example = f.av(id).example;
    Value* size =
        f.load(Op::LoadI64, object, shapes::kObSize, list ? Heap::ListShape : Heap::Constant);
    Value* same = f.emit(Op::CmpInt, {size, f.const_int(n)});
    same->cond = Cond::Eq;
    f.guard(Op::GuardTrue, same, Reason::Bounds);
    Value* items = list ? f.load(Op::LoadPtr, object, shapes::kListItems, Heap::ListShape) : object;
    for (int i = n; i-- > 0;) {
      Value* item = f.load_owned(items, (list ? 0 : shapes::kTupleItems) + 8 * i,
                                 list ? Heap::ListItems : Heap::TupleItems);
      PyObject* e = example && Py_TYPE(example) == type && Py_SIZE(example) == n
                        ? shapes::peek_item(example, i)
                        : nullptr;
      f.push(f.object_av(item, nullptr, nullptr, e));
    }
    return;
  }
  f.note_types(SiteKind::Unpacked, id, id);
  Value* object = f.force(id);
  Value* call = f.call_helper(Helper::unpack_sequence, {object}, n, true, nullptr, n);
  for (int i = 0; i < n; i++) f.push(f.object_av(f.take_out(call, i)));
}

void lower_UnpackEx(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  Value* object = f.force(id);
  int n = bc.arg + 1 + bc.arg2;
  Value* call = f.call_helper(
      Helper::unpack_ex, {object, f.const_int(bc.arg), f.const_int(bc.arg2)}, 0, false, nullptr, n);
  for (int i = 0; i < n; i++) f.push(f.object_av(f.take_out(call, i)));
}

void lower_GetLen(Builder& f, const Bytecode&) {
  f.push(f.object_av(f.call_helper(Helper::get_len, {f.force(f.peek())}), &PyLong_Type));
}

}  // namespace psyco
