// Virtual instances of Python classes whose making is known: built when something looks at the
// object itself.
//
// The fields are the class, then the value of each attribute that is set, in the order in which
// they were set, which is the order of the instance's dictionary. Beside the values are their
// places and not their names: what a name stands for may change while the instance lives. Only
// attributes that lie in slots or inline values are kept so (shapes::plan_store); whatever else is
// done to the instance builds it. So what is not among the fields is not set, and no guard is
// needed to know it.
#include <algorithm>

#include "cpython/shapes.h"
#include "frontend/merge.h"

namespace psyco {

using ir::Heap;
using ir::Op;
using ir::Value;
using shapes::AttrPlan;

PyTypeObject* class_of(const State& st, const AV& instance) {
  return reinterpret_cast<PyTypeObject*>(st[instance.fields[0]].constant);
}

// Of the attributes that are set.
static std::span<const int32_t> places_of(const AV& instance) {
  return {instance.places, instance.fields.size() - 1};
}

int find_attribute(const AV& instance, int32_t place) {
  const std::span<const int32_t> places = places_of(instance);
  const auto found = std::find(places.begin(), places.end(), place);
  return found == places.end() ? -1 : static_cast<int>(found - places.begin()) + 1;
}

bool same_shape(const State& x, const AV& a, const State& y, const AV& b) {
  if (a.virtual_kind != b.virtual_kind || a.fields.size() != b.fields.size()) return false;
  if (a.virtual_kind != ir::VirtualKind::Instance) return true;
  const std::span<const int32_t> places = places_of(a);
  return class_of(x, a) == class_of(y, b) &&
         std::equal(places.begin(), places.end(), places_of(b).begin());
}

// How many virtual objects lie within one another.
static int nesting(const State& st, AVId id) {
  int deepest = 0;
  for (AVId field : st[id].fields) deepest = std::max(deepest, nesting(st, field));
  return st[id].kind == ir::SlotKind::Virtual ? deepest + 1 : 0;
}

AVId Builder::new_instance(PyTypeObject* type) {
  if (shapes::may_be_virtual(type))
    return virtual_av(ir::VirtualKind::Instance, {const_av(reinterpret_cast<PyObject*>(type))});
  const AVId id = object_av(call_helper(ir::Helper::new_instance, {const_object(type)}), type);
  edit(id).fresh = true;
  return id;
}

bool Builder::store_virtual(AVId id, PyObject* name, AVId value) {
  constexpr int kMostNested = 3;
  constexpr size_t kMostAttributes = 24;
  PyTypeObject* type = class_of(st_, av(id));
  const AttrPlan plan = shapes::plan_store(type, name);
  if (plan.kind != AttrPlan::Inline && plan.kind != AttrPlan::Member) return false;
  if (reaches(st_, value, id) || nesting(st_, value) >= kMostNested) return false;
  const int at = find_attribute(av(id), plan.offset);
  if (at < 0 && av(id).fields.size() > kMostAttributes) return false;
  assume_attribute(type, plan);
  if (at >= 0) {
    const AVId old = av(id).fields[static_cast<size_t>(at)];
    set_field(edit(id), static_cast<size_t>(at), value);
    drop(old);
    return true;
  }
  AV& instance = edit(id);
  std::vector<int32_t> places(instance.places, instance.places + instance.fields.size() - 1);
  std::vector<AVId> fields(instance.fields.begin(), instance.fields.end());
  places.push_back(plan.offset);
  fields.push_back(value);
  instance.places = in_arena<int32_t>(graph_.arena, places).data();
  instance.fields = in_arena<AVId>(graph_.arena, fields);
  return true;
}

// `inputs`: the fields as objects. The instance takes a reference to each.
Value* Builder::build_instance(AVId id, const std::vector<Value*>& inputs) {
  const std::span<const int32_t> places = places_of(av(id));
  PyTypeObject* type = class_of(st_, av(id));
  Value* object = call_helper(ir::Helper::new_instance, {inputs[0]});
  const int32_t first = shapes::first_inline_value(type);
  const int32_t values = first - shapes::kValuesItems;
  Value* order = nullptr;  // of the inline values: behind them, relative to the first
  int count = 0;
  auto byte = [&](Value* index, int number, int32_t base) {
    Value* store = emit(Op::StoreU8At, {object, index, const_int(number)});
    store->imm = base;
    store->heap = Heap::Other;
  };
  for (size_t i = 0; i < places.size(); i++) {
    const int32_t place = places[i];
    Value* value = inputs[i + 1];
    if (value->op != Op::ConstObject || !(value->flags & ir::kImmortal)) emit(Op::Retain, {value});
    Value* store = emit(Op::StoreObject, {object, value});
    store->imm = place;
    store->heap = Heap::Attributes;
    edit(id).stored |= uint64_t{1} << (place / 8 % 64);
    if (first < 0 || place < first) continue;
    if (!order) {
      Value* room = load(Op::LoadU8, object, values + shapes::kValuesCapacity, Heap::Other);
      order = emit(Op::MulIntUnchecked, {room, const_int(sizeof(PyObject*))});
    }
    byte(order, (place - first) / int{sizeof(PyObject*)}, first + count++);
  }
  if (order) byte(const_int(0), count, values + shapes::kValuesCount);
  edit(id).fresh = true;
  return object;
}

// In the order in which the instance lets go of them.
std::vector<AVId> Builder::dying_attributes(AVId id) {
  const AV& a = av(id);
  std::vector<std::pair<int, AVId>> order;
  const std::span<const int32_t> places = places_of(a);
  for (size_t i = 0; i < places.size(); i++)
    order.push_back({shapes::death_order(class_of(st_, a), places[i]), a.fields[i + 1]});
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  std::vector<AVId> values;
  for (const auto& [rank, value] : order) values.push_back(value);
  return values;
}

}  // namespace psyco
