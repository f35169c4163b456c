// The three levels of a value: what is known of it, the ways between them, and the references that
// go with each.
#include <algorithm>
#include <type_traits>

#include "cpython/shapes.h"
#include "frontend/builder.h"

namespace psyco {

using ir::Heap;
using ir::Op;
using ir::Reason;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

// A local that may be unbound is read: leave if it is.
void Builder::check_bound(AVId id) {
  const AV& a = st_.avs[id];
  if (a.not_null) return;
  if (a.kind == SlotKind::Object) {
    guard(Op::GuardNotNull, a.value, Reason::Unbound);
  } else {
    Value* unbound = emit(Op::IsSame, {a.box, const_unbound()});
    guard(Op::GuardFalse, unbound, Reason::Unbound);
  }
  st_.avs.edit(id).not_null = true;
}

Value* Builder::force(AVId id) {
  const AV& a = st_.avs[id];
  // A reader of f_locals may have got the object: then the exit goes on with that one, and nothing
  // else is made of it on the way there.
  PSYCO_DCHECK(!python_ran_ || a.kind == SlotKind::Null || a.kind == SlotKind::Object ||
               a.kind == SlotKind::Bool || (a.box && !a.box->nullable()));
  switch (a.kind) {
    case SlotKind::Null:
      return const_null();
    case SlotKind::Object:
      return a.value;
    case SlotKind::Bool:
      if (a.constant) return const_object(a.constant);
      return emit(Op::BoxBool, {a.value});
    case SlotKind::Int:
    case SlotKind::Float: {
      if (a.box && !a.box->nullable()) return a.box;
      check_bound(id);
      ir::FrameState* state = before();
      Value* old = a.box;
      Value* box =
          old ? emit(Op::BoxOr, Rep::Object, {a.value, old}, state)
              : emit(a.kind == SlotKind::Int ? Op::BoxInt : Op::BoxFloat, {a.value}, state);
      mark_owned(box);
      st_.avs.edit(id).box = box;
      if (old && old->owned()) emit(Op::ReleasePlainNullable, {old});
      return box;
    }
    case SlotKind::Virtual:
      break;
  }
  std::vector<Value*> inputs;
  const std::span<const AVId> fields = a.fields;
  for (AVId field : fields) inputs.push_back(force(field));
  Value* object = nullptr;
  PyTypeObject* type = nullptr;
  switch (st_.avs[id].virtual_kind) {
    case ir::VirtualKind::Tuple:
      if (fields.empty()) {
        object = const_object(shapes::empty_tuple());
      } else {
        object = call_helper(ir::Helper::build_tuple, inputs);
      }
      type = &PyTuple_Type;
      break;
    case ir::VirtualKind::Slice:
      object = call_helper(ir::Helper::build_slice, inputs);
      type = &PySlice_Type;
      break;
    case ir::VirtualKind::BoundMethod:
      object = call_helper(ir::Helper::make_method, inputs);
      type = &PyMethod_Type;
      break;
    case ir::VirtualKind::RangeIter:
    case ir::VirtualKind::CountIter:
    case ir::VirtualKind::Range:
    case ir::VirtualKind::ListIter:
    case ir::VirtualKind::TupleIter:
    case ir::VirtualKind::BytesIter:
    case ir::VirtualKind::ByteArrayIter:
      object = call_helper(ir::Helper::make_iterator, inputs,
                           static_cast<int64_t>(st_.avs[id].virtual_kind), true);
      break;
    case ir::VirtualKind::Instance:
      type = class_of(st_, st_.avs[id]);
      know_class(type);
      object = build_instance(id, inputs);
      break;
  }
  AV& forced = st_.avs.edit(id);
  forced.kind = SlotKind::Object;
  forced.value = object;
  forced.type = type;
  forced.fields = {};
  for (AVId field : fields) drops_.push_back(field);
  return object;
}

PyTypeObject* Builder::type_of(AVId id) {
  const AV& a = st_.avs[id];
  switch (a.kind) {
    case SlotKind::Int:
      return &PyLong_Type;
    case SlotKind::Float:
      return &PyFloat_Type;
    case SlotKind::Bool:
      return &PyBool_Type;
    case SlotKind::Object:
      return a.type;
    case SlotKind::Virtual:
      switch (a.virtual_kind) {
        case ir::VirtualKind::Tuple:
          return &PyTuple_Type;
        case ir::VirtualKind::Slice:
          return &PySlice_Type;
        case ir::VirtualKind::BoundMethod:
          return &PyMethod_Type;
        case ir::VirtualKind::Range:
          return &PyRange_Type;
        case ir::VirtualKind::Instance:
          return class_of(st_, a);
        default:
          return nullptr;
      }
    case SlotKind::Null:
      return nullptr;
  }
  return nullptr;
}

PyTypeObject* Builder::likely_type(AVId id) {
  if (PyTypeObject* type = type_of(id)) return type;
  const AV& a = st_.avs[id];
  if (a.likely) return a.likely;
  if (a.example) return Py_TYPE(a.example);
  return nullptr;
}

bool Builder::known_int(AVId id) {
  const AV& a = st_.avs[id];
  return a.kind == SlotKind::Int || a.kind == SlotKind::Bool ||
         (a.kind == SlotKind::Object && a.type == &PyLong_Type);
}

bool Builder::known_float(AVId id) {
  const AV& a = st_.avs[id];
  return a.kind == SlotKind::Float || (a.kind == SlotKind::Object && a.type == &PyFloat_Type);
}

bool Builder::guard_type(AVId id, PyTypeObject* type) {
  PyTypeObject* known = type_of(id);
  if (known) return known == type;
  const AV& a = st_.avs[id];
  if (a.kind != SlotKind::Object) return false;
  check_bound(id);
  Value* g = guard(Op::GuardType, st_.avs[id].value, Reason::TypeSeen, type);
  g->imm = 1;
  prove_type(id, type);
  return true;
}

// What is known of an object's class is known to the end, under every name of the object, by the
// front end and the passes alike. So where a class is assigned the activation leaves.
void Builder::know_class(PyTypeObject* type) {
  if (shapes::class_may_change(type)) assume(Assumption::Classes, nullptr);
}

void Builder::prove_type(AVId id, PyTypeObject* type) {
  keep(reinterpret_cast<PyObject*>(type));
  know_class(type);
  st_.avs.edit(id).type = type;
}

Value* Builder::to_int(AVId id) {
  {
    const AV& a = st_.avs[id];
    if (a.kind == SlotKind::Int) return a.value;
    if (a.kind == SlotKind::Bool)
      return a.constant ? const_int(a.constant == Py_True) : emit(Op::BoolToInt, {a.value});
    if (a.kind != SlotKind::Object) return nullptr;
  }
  PyTypeObject* type = likely_type(id);
  if (type == &PyBool_Type) {
    if (!guard_type(id, &PyBool_Type)) return nullptr;
    return emit(Op::BoolToInt, {emit(Op::UnboxBool, {st_.avs[id].value})});
  }
  if (!guard_type(id, &PyLong_Type)) return nullptr;
  Value* object = st_.avs[id].value;
  Value* number = emit(Op::UnboxInt, {object}, before());
  number->reason = Reason::BigInt;
  number->heap = Heap::Numbers;
  AV& a = st_.avs.edit(id);
  a.kind = SlotKind::Int;
  a.value = number;
  a.box = object;
  return number;
}

Value* Builder::to_float(AVId id) {
  if (st_.avs[id].kind == SlotKind::Float) return st_.avs[id].value;
  PyTypeObject* likely = likely_type(id);
  if (known_int(id) || likely == &PyLong_Type || likely == &PyBool_Type) {
    Value* number = to_int(id);
    return number ? emit(Op::IntToFloat, {number}) : nullptr;
  }
  if (!guard_type(id, &PyFloat_Type)) return nullptr;
  Value* object = st_.avs[id].value;
  Value* number = load(Op::UnboxFloat, object, 0, Heap::Numbers);
  AV& a = st_.avs.edit(id);
  a.kind = SlotKind::Float;
  a.value = number;
  a.box = object;
  return number;
}

Value* Builder::truth(AVId id) {
  const AV& a = st_.avs[id];
  switch (a.kind) {
    case SlotKind::Bool:
      return a.value;
    case SlotKind::Int: {
      Value* v = emit(Op::CmpInt, {a.value, const_int(0)});
      v->cond = ir::Cond::Ne;
      return v;
    }
    case SlotKind::Float: {
      Value* v = emit(Op::CmpFloat, {a.value, const_float(0.0)});
      v->cond = ir::Cond::Ne;
      return v;
    }
    case SlotKind::Virtual:
      if (a.virtual_kind == ir::VirtualKind::Tuple) return const_bool(!a.fields.empty());
      if (!is_instance(a) || !shapes::always_true(class_of(st_, a))) return nullptr;
      assume(Assumption::Type, reinterpret_cast<PyObject*>(class_of(st_, a)));
      return const_bool(true);
    case SlotKind::Null:
      return nullptr;
    case SlotKind::Object:
      break;
  }
  if (a.constant == Py_None) return const_bool(false);
  PyTypeObject* type = likely_type(id);
  if (type == &PyBool_Type && guard_type(id, type))
    return emit(Op::IsSame, {st_.avs[id].value, const_object(Py_True)});
  if (type == &PyList_Type || type == &PyTuple_Type || type == &PyDict_Type) {
    if (!guard_type(id, type)) return nullptr;
    Value* size = load(Op::LoadI64, st_.avs[id].value,
                       type == &PyDict_Type ? shapes::kDictUsed : shapes::kObSize,
                       type == &PyList_Type    ? Heap::ListShape
                       : type == &PyTuple_Type ? Heap::Constant
                                               : Heap::Dict);
    Value* v = emit(Op::CmpInt, {size, const_int(0)});
    v->cond = ir::Cond::Ne;
    return v;
  }
  if (type == &PyUnicode_Type && guard_type(id, type)) {
    Value* size = load(Op::LoadI64, st_.avs[id].value, shapes::kStrLength, Heap::Constant);
    Value* v = emit(Op::CmpInt, {size, const_int(0)});
    v->cond = ir::Cond::Ne;
    return v;
  }
  if (type == &PyLong_Type && guard_type(id, type)) {
    // lv_tag's sign bits: 1 is zero.
    Value* tag = load(Op::LoadI64, st_.avs[id].value, shapes::kLongTag, Heap::Numbers);
    Value* v = emit(Op::CmpInt, {emit(Op::AndInt, {tag, const_int(3)}), const_int(1)});
    v->cond = ir::Cond::Ne;
    return v;
  }
  if (type == &PyFloat_Type && guard_type(id, type)) {
    Value* v = emit(Op::CmpFloat, {to_float(id), const_float(0.0)});
    v->cond = ir::Cond::Ne;
    return v;
  }
  if (type == Py_TYPE(Py_None)) {
    guard(Op::GuardIs, a.value, Reason::ValueSeen, Py_None);
    return const_bool(false);
  }
  return nullptr;
}

bool Builder::reaches_value(AVId slot, AVId id) { return reaches(st_, slot, id); }

bool Builder::held_by_callers(AVId id) {
  for (size_t f = 0; f + 1 < st_.frames.size(); f++)
    for (const std::vector<AVId>* list : {&st_.frames[f].locals, &st_.frames[f].stack})
      for (AVId slot : *list)
        if (reaches(st_, slot, id)) return true;
  return false;
}

bool Builder::held(AVId id) {
  for (const FrameSlots& frame : st_.frames) {
    for (AVId slot : frame.locals)
      if (reaches(st_, slot, id)) return true;
    for (AVId slot : frame.stack)
      if (reaches(st_, slot, id)) return true;
  }
  return false;
}

int Builder::names_of(const Value* object) {
  int names = 0;
  auto count = [&](AVId id) {
    const AV& a = st_.avs[id];
    names += (a.kind == SlotKind::Object ? a.value : a.box) == object;
  };
  for (const FrameSlots& frame : st_.frames) {
    for (AVId id : frame.locals) count(id);
    // Slots that are no plain pointers borrow what comes from a variable.
    if (std::is_pointer_v<Port::Slot>)
      for (AVId id : frame.stack) count(id);
  }
  return names;
}

bool Builder::is_live_after(int local) {
  Context& context = *st_.top().context;
  int index = context.decoded->index_at(raw_next_);
  if (index < 0) return true;
  return is_live(context, index, local);
}

bool Builder::held_live(AVId id) {
  for (size_t f = 0; f < st_.frames.size(); f++) {
    const FrameSlots& frame = st_.frames[f];
    bool top = f + 1 == st_.frames.size();
    for (size_t i = 0; i < frame.locals.size(); i++)
      if (reaches(st_, frame.locals[i], id) && (!top || is_live_after(static_cast<int>(i))))
        return true;
    for (AVId slot : frame.stack)
      if (reaches(st_, slot, id)) return true;
  }
  return false;
}

// The caller has popped `id` and stores the object somewhere that takes over a reference.
void Builder::consume(AVId id, Value*& object) {
  object = force(id);
  bool last = !held(id);
  for (AVId pending : drops_)
    if (pending == id) last = false;
  if (object->owned() && last) return;  // ours goes with it; nothing left to drop
  if (object->op != Op::ConstObject || !(object->flags & ir::kImmortal))
    emit(object->nullable() ? Op::RetainNullable : Op::Retain, {object});
}

void Builder::emit_release(Value* object, ir::FrameState* state) {
  Value* release = emit(object->nullable() ? Op::ReleaseNullable : Op::Release, {object}, state);
  if (shown_bci_ >= 0) release->bci = shown_bci_;
  if (shown_bci_ == kFrameGone) release->imm = ir::kAfterReturn;
}

void Builder::release_av(AVId id, ir::FrameState* state) {
  const AV a = st_.avs[id];
  auto plain = [](PyTypeObject* type) { return type && shapes::dies_quietly(type); };
  switch (a.kind) {
    case SlotKind::Null:
    case SlotKind::Bool:
      return;
    case SlotKind::Int:
    case SlotKind::Float:
      if (a.box && a.box->owned())
        emit(a.box->nullable() ? Op::ReleasePlainNullable : Op::ReleasePlain, {a.box});
      return;
    case SlotKind::Object:
      if (!a.value->owned()) return;
      if (plain(a.type))
        emit(a.value->nullable() ? Op::ReleasePlainNullable : Op::ReleasePlain, {a.value});
      else
        emit_release(a.value, state);
      return;
    case SlotKind::Virtual:
      return;  // its fields are dropped one by one: see flush_drops
  }
}

void Builder::flush_drops(int next_bci, int shown_bci) {
  if (!cur_) {
    drops_.clear();
    python_ran_ = false;
    return;
  }
  shown_bci_ = shown_bci;
  // Virtual objects fall apart into their fields.
  std::vector<AVId> list;
  std::vector<AVId> work(drops_.rbegin(), drops_.rend());
  drops_.clear();
  while (!work.empty()) {
    AVId id = work.back();
    work.pop_back();
    if (held(id)) continue;
    const AV& a = st_.avs[id];
    if (a.kind == SlotKind::Virtual) {
      // A tuple lets its last item go first (tupleobject.c:tuple_dealloc); the work list is a
      // stack.
      std::vector<AVId> parts =
          is_instance(a) ? dying_attributes(id) : std::vector(a.fields.begin(), a.fields.end());
      if (a.virtual_kind != ir::VirtualKind::Tuple) std::reverse(parts.begin(), parts.end());
      work.insert(work.end(), parts.begin(), parts.end());
      continue;
    }
    list.push_back(id);
  }
  for (size_t i = 0; i < list.size(); i++) {
    bool later = false;
    for (size_t j = i + 1; j < list.size(); j++) later |= list[j] == list[i];
    if (later) continue;
    const AV& a = st_.avs[list[i]];
    bool needs_state =
        a.kind == SlotKind::Object && a.value->owned() && !(a.type && shapes::dies_quietly(a.type));
    ir::FrameState* state = nullptr;
    if (needs_state) {
      state = after(next_bci);
      for (size_t j = i + 1; j < list.size(); j++) {
        const AV& b = st_.avs[list[j]];
        bool again = false;
        for (size_t k = j + 1; k < list.size(); k++) again |= list[k] == list[j];
        if (again) continue;
        if (b.kind == SlotKind::Object && b.value->owned())
          state->drops.push_back(graph_.arena, b.value);
        if ((b.kind == SlotKind::Int || b.kind == SlotKind::Float) && b.box && b.box->owned())
          state->drops.push_back(graph_.arena, b.box);
      }
    }
    release_av(list[i], state);
  }
  shown_bci_ = -1;
  if (python_ran_) {
    Value* v = emit(Op::CheckLeave, {}, after(next_bci));
    v->reason = Reason::Leave;
    python_ran_ = false;
  }
}

void Builder::begin_second_half() {
  half_ = true;
  flush_drops(raw_bci_);
  before_locals_ = st_.top().locals;
  before_stack_ = st_.top().stack;
}

}  // namespace psyco
