#include "runtime/materialize.h"

#include <alloca.h>
#include <internal/pycore_list.h>
#include <internal/pycore_tuple.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "cpython/objects.h"
#include "runtime/reserve.h"
#include "support/check.h"

namespace psyco {
namespace {

bool same(const Location& a, const Location& b) {
  return a.kind == b.kind && a.reg == b.reg && a.spill == b.spill && a.imm == b.imm;
}

PyObject* as_object(uint64_t bits) { return reinterpret_cast<PyObject*>(bits); }

PyObject* new_range_iterator(int64_t current, int64_t step, int64_t remaining) {
  auto* iterator = PyObject_New(_PyRangeIterObject, &PyRangeIter_Type);
  if (!iterator) iterator = reinterpret_cast<_PyRangeIterObject*>(reserve::range_iterator());
  if (!iterator) return nullptr;
  iterator->start = current;
  iterator->step = step;
  iterator->len = remaining > 0 ? remaining : 0;
  return reinterpret_cast<PyObject*>(iterator);
}

// Of activations that somebody reads the variables of: until they leave, which is soon.
std::unordered_map<const Activation*, MadeObjects> g_made;

MadeObjects take_made(const Activation* act) {
  const auto node = act->filled ? g_made.extract(act) : decltype(g_made)::node_type();
  return node ? std::move(node.mapped()) : MadeObjects();
}

void drop(MadeObjects& objects) {
  const MadeObjects dropped = std::move(objects);
  objects.clear();
  for (const auto& [number, object] : dropped) Py_DECREF(object);
}

}  // namespace

void forget_made(const Activation* act) {
  MadeObjects made = take_made(act);
  drop(made);
}

uint64_t read_location(const Activation* act, const Location& location) {
  switch (location.kind) {
    case Location::None:
      return 0;
    case Location::Gpr:
      return act->save_gpr[location.reg];
    case Location::Xmm: {
      uint64_t bits;
      std::memcpy(&bits, &act->save_xmm[location.reg], sizeof bits);
      return bits;
    }
    case Location::Spill:
      return static_cast<uint64_t>(act->spill[location.spill]);
    case Location::Imm:
    case Location::Object:
      return static_cast<uint64_t>(location.imm);
  }
  return 0;
}

Materializer::Materializer(const Activation* act, const DecodedRecord& decoded)
    : act_(act),
      record_(decoded.record),
      owned_(decoded.owned),
      made_(take_made(act)),
      virtuals_(decoded.record.virtuals.size(), nullptr) {}

Materializer::~Materializer() { drop(made_); }

void Materializer::keep() {
  if (!made_.empty()) g_made[act_] = std::move(made_);
  made_.clear();
}

PyObject* Materializer::known(uint32_t object) const {
  if (object)
    for (const auto& [number, made] : made_)
      if (number == object) return made;
  return nullptr;
}

PyObject* Materializer::out_of_memory() {
  PyErr_Clear();
  failed_ = true;
  return Py_NewRef(Py_None);  // never null: LOAD_FAST does not test
}

// A handler of the frame may go on with it.
static PyObject* stand_in(ir::VirtualKind kind) {
  switch (kind) {
    case ir::VirtualKind::RangeIter:
    case ir::VirtualKind::CountIter:
    case ir::VirtualKind::ListIter:
    case ir::VirtualKind::TupleIter:
    case ir::VirtualKind::BytesIter:
    case ir::VirtualKind::ByteArrayIter:
      return reserve::exhausted_iterator();
    case ir::VirtualKind::Tuple:
    case ir::VirtualKind::Range:
    case ir::VirtualKind::BoundMethod:
    case ir::VirtualKind::Slice:
    case ir::VirtualKind::Instance:
      break;
  }
  return Py_NewRef(Py_None);
}

PyObject* Materializer::object(const ExitSlot& slot) {
  switch (slot.kind) {
    case ir::SlotKind::Null:
      return nullptr;
    case ir::SlotKind::Object:
      return Py_XNewRef(as_object(read_location(act_, slot.value)));
    case ir::SlotKind::Int:
    case ir::SlotKind::Float:
      return number(slot);
    case ir::SlotKind::Bool:
      return Py_NewRef(read_location(act_, slot.value) & 0xff ? Py_True : Py_False);
    case ir::SlotKind::Virtual:
      return Py_NewRef(virtual_object(slot.virt));
  }
  return nullptr;
}

PyObject* Materializer::number(const ExitSlot& slot) {
  const uint64_t box = read_location(act_, slot.box);
  if (box == ir::kUnbound) return nullptr;
  // What a reader got comes before a box made since.
  if (PyObject* made = known(slot.object)) return Py_NewRef(made);
  if (box) return Py_NewRef(as_object(box));
  const uint64_t bits = read_location(act_, slot.value);
  PyObject* made;
  if (slot.kind == ir::SlotKind::Int) {
    made = PyLong_FromLongLong(static_cast<int64_t>(bits));
    if (!made) made = reserve::integer(static_cast<int64_t>(bits));
  } else {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    made = PyFloat_FromDouble(value);
    if (!made) made = reserve::number(value);
  }
  if (!made) return out_of_memory();
  if (slot.object) made_.emplace_back(slot.object, Py_NewRef(made));
  return made;
}

PyObject* Materializer::virtual_object(int index) {
  if (virtuals_[index]) return virtuals_[index];
  const ExitVirtual& virt = record_.virtuals[index];
  PyObject* made = known(virt.object);
  if (!made) {
    made = build(virt);  // may build others on the way
    const uint32_t number = made ? virt.object : 0;
    if (!made) {
      Py_DECREF(out_of_memory());
      made = stand_in(virt.kind);
    }
    made_.emplace_back(number, made);
  }
  return virtuals_[index] = made;
}

int64_t Materializer::integer(const ExitSlot& slot) {
  PSYCO_DCHECK(slot.kind == ir::SlotKind::Int);
  return static_cast<int64_t>(read_location(act_, slot.value));
}

// Its attributes are where the front end saw them to lie, whatever the class calls these places
// now. Only the instance itself needs memory.
PyObject* Materializer::instance(const std::vector<ExitSlot>& fields) {
  auto* type = reinterpret_cast<PyTypeObject*>(read_location(act_, fields[0].value));
  PyObject* made = objects::new_instance(type);
  for (size_t i = 1; made && i < fields.size(); i += 2) {
    PyObject* value = object(fields[i + 1]);
    objects::set_place(made, static_cast<int32_t>(integer(fields[i])), value);
    Py_DECREF(value);
  }
  return made;
}

PyObject* Materializer::build(const ExitVirtual& virt) {
  const std::vector<ExitSlot>& fields = virt.fields;
  switch (virt.kind) {
    case ir::VirtualKind::Tuple: {
      const auto size = static_cast<Py_ssize_t>(fields.size());
      PyObject* tuple = PyTuple_New(size);
      const bool spare = !tuple && (tuple = reserve::tuple(size));
      for (size_t i = 0; tuple && i < fields.size(); i++)
        PyTuple_SET_ITEM(tuple, i, object(fields[i]));
      if (spare) PyObject_GC_Track(tuple);
      return tuple;
    }
    case ir::VirtualKind::RangeIter:
      return new_range_iterator(integer(fields[0]), integer(fields[1]), integer(fields[2]));
    case ir::VirtualKind::CountIter: {
      const int64_t current = integer(fields[0]), stop = integer(fields[1]);
      return new_range_iterator(current, 1, current < stop ? stop - current : 0);
    }
    case ir::VirtualKind::Instance:
      return instance(fields);
    default:
      break;
  }
  PyObject* part[3] = {};
  for (size_t i = 0; i < fields.size() && i < 3; i++) part[i] = object(fields[i]);
  PyObject* made = nullptr;
  switch (virt.kind) {
    case ir::VirtualKind::Range: {
      PyObject* const args[] = {part[0], part[1], part[2]};
      if (!failed_)  // exact ints and a step that is not 0: cannot fail for another reason
        made = PyObject_Vectorcall(reinterpret_cast<PyObject*>(&PyRange_Type), args, 3, nullptr);
      break;
    }
    case ir::VirtualKind::ListIter:
    case ir::VirtualKind::BytesIter:  // all three alike: see shapes::bytes_iter_type
    case ir::VirtualKind::ByteArrayIter:
      if (!(made = PyObject_GetIter(part[0]))) made = reserve::iterator(part[0]);
      if (made) reinterpret_cast<_PyListIterObject*>(made)->it_index = integer(fields[1]);
      break;
    case ir::VirtualKind::TupleIter:
      if (!(made = PyObject_GetIter(part[0]))) made = reserve::iterator(part[0]);
      if (made) reinterpret_cast<_PyTupleIterObject*>(made)->it_index = integer(fields[1]);
      break;
    case ir::VirtualKind::BoundMethod:
      made = PyMethod_New(part[0], part[1]);
      if (!made) made = reserve::method(part[0], part[1]);
      break;
    case ir::VirtualKind::Slice:
      made = PySlice_New(part[0], part[1], part[2]);
      break;
    default:
      break;
  }
  for (PyObject* object : part) Py_XDECREF(object);
  return made;
}

std::vector<Location> owned_locations(const ExitRecord& record) {
  std::vector<Location> owned;
  auto own = [&](const Location& location) {
    for (const Location& known : owned)
      if (same(known, location)) return;
    owned.push_back(location);
  };
  auto visit = [&](const ExitSlot& slot) {
    if (slot.kind == ir::SlotKind::Null || slot.kind == ir::SlotKind::Virtual) return;
    if (slot.owned) own(slot.value);
    if (slot.box_owned) own(slot.box);
  };
  for (const ExitFrame& frame : record.frames) {
    visit(frame.function);
    for (const ExitSlot& slot : frame.locals) visit(slot);
    for (const ExitSlot& slot : frame.stack) visit(slot);
  }
  for (const ExitVirtual& virt : record.virtuals)
    for (const ExitSlot& slot : virt.fields) visit(slot);
  for (const ExitSlot& slot : record.drops) visit(slot);
  return owned;
}

void Materializer::release_owned() {
  // All are read before the first is released: a finaliser may call native code, which must find
  // nothing of ours in use, but cannot touch this record.
  auto** objects = static_cast<PyObject**>(alloca(sizeof(PyObject*) * (owned_.size() + 1)));
  size_t count = 0;
  for (const Location& location : owned_) {
    const uint64_t bits = read_location(act_, location);
    if (bits && bits != ir::kUnbound) objects[count++] = as_object(bits);
  }
  drop(made_);
  std::fill(virtuals_.begin(), virtuals_.end(), nullptr);
  for (size_t i = 0; i < count; i++) Py_DECREF(objects[i]);
}

}  // namespace psyco
