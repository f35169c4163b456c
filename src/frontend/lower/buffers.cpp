// Subscripts of bytes, bytearray and array.array: numbers one after the other, without objects.
//
// An item is loaded as the number it is. A value to be stored is checked first, in the container's
// own range; what does not fit leaves, and the interpreter raises. Elements may be stored whoever
// holds a buffer of the object: only its size must not change then.
#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/lower/lower.h"

namespace psyco {

using ir::Cond;
using ir::Heap;
using ir::Op;
using ir::Reason;
using ir::SlotKind;
using ir::Value;

namespace {

// What is needed to reach item `index` of a container, all guards passed.
struct Place {
  shapes::BufferPlan plan;
  Value* data = nullptr;  // plan.offset is added
  int64_t offset = 0;
  Value* index = nullptr;
  Heap heap = Heap::None;
};

bool int_like(PyTypeObject* type) { return type == &PyLong_Type || type == &PyBool_Type; }

bool find_place(Builder& f, AVId container, AVId key, Place* place) {
  PyTypeObject* type = f.likely_type(container);
  if (!type || f.av(container).kind != SlotKind::Object || !int_like(f.likely_type(key)))
    return false;
  place->plan = shapes::plan_buffer(type, f.av(container).example);
  if (!place->plan.item || !f.guard_type(container, type)) return false;
  Value* object = f.av(container).value;
  if (place->plan.kind_offset >= 0) {
    Value* kind = f.load(Op::LoadI64, object, place->plan.kind_offset, Heap::Constant);
    Value* same = f.emit(Op::CmpInt, {kind, f.const_int(place->plan.kind)});
    same->cond = Cond::Eq;
    f.guard(Op::GuardTrue, same, Reason::TypeSeen);
  }
  if (!f.to_int(key)) return false;
  const bool fixed = place->plan.immutable;
  Value* length =
      f.load(Op::LoadI64, object, shapes::kObSize, fixed ? Heap::Constant : Heap::BytesShape);
  place->index = checked_index(f, key, length);
  if (!place->index) return false;
  if (fixed) {
    place->data = object;
    place->offset = place->plan.data_offset;
    place->heap = Heap::Constant;
  } else {
    place->data = f.load(Op::LoadPtr, object, place->plan.data_offset, Heap::BytesShape);
    place->heap = Heap::Bytes;
  }
  return true;
}

// The bits of a signed number narrower than any load that extends signs.
Value* sign_extend(Builder& f, Value* bits, int64_t sign) {
  return f.emit(Op::SubIntUnchecked,
                {f.emit(Op::XorInt, {bits, f.const_int(sign)}), f.const_int(sign)});
}

// Leaves unless low <= value < low + count.
void check_range(Builder& f, Value* value, int64_t low, int64_t count) {
  if (low) {
    value = f.emit(Op::SubInt, {value, f.const_int(low)}, f.before());
    value->reason = Reason::Domain;
  }
  f.emit(Op::CheckIndex, {value, f.const_int(count)}, f.before())->reason = Reason::Domain;
}

void check_not_negative(Builder& f, Value* value, Reason reason) {
  Value* fits = f.emit(Op::CmpInt, {value, f.const_int(0)});
  fits->cond = Cond::Ge;
  f.guard(Op::GuardTrue, fits, reason);
}

}  // namespace

bool lower_buffer_load(Builder& f, AVId container, AVId key) {
  Place at;
  if (!find_place(f, container, key, &at)) return false;
  auto load = [&](Op op) { return f.load(op, at.data, at.offset, at.heap, at.index); };
  switch (at.plan.item) {
    case 'd':
      f.push(f.float_av(load(Op::LoadF64At)));
      return true;
    case 'B':
      f.push(f.int_av(load(Op::LoadU8At), true));
      return true;
    case 'b':
      f.push(f.int_av(sign_extend(f, load(Op::LoadU8At), 0x80)));
      return true;
    case 'H':
      f.push(f.int_av(load(Op::LoadU16At), true));
      return true;
    case 'h':
      f.push(f.int_av(sign_extend(f, load(Op::LoadU16At), 0x8000)));
      return true;
    case 'I':
      f.push(f.int_av(load(Op::LoadU32At), true));
      return true;
    case 'i':
      f.push(f.int_av(load(Op::LoadI32At)));
      return true;
    case 'q':
      f.push(f.int_av(load(Op::LoadI64At)));
      return true;
    default: {  // 'Q'
      Value* item = load(Op::LoadI64At);
      check_not_negative(f, item, Reason::BigInt);
      f.push(f.int_av(item, true));
      return true;
    }
  }
}

bool lower_buffer_store(Builder& f, AVId container, AVId key, AVId value) {
  Place at;
  PyTypeObject* type = f.likely_type(value);
  shapes::BufferPlan plan = shapes::plan_buffer(f.likely_type(container), f.av(container).example);
  if (plan.immutable || !(int_like(type) || (plan.item == 'd' && type == &PyFloat_Type)))
    return false;
  if (!find_place(f, container, key, &at)) return false;
  Value* number = plan.item == 'd' ? f.to_float(value) : f.to_int(value);
  if (!number) return false;
  Op op = Op::StoreU8At;
  switch (plan.item) {
    case 'd':
      op = Op::StoreF64At;
      break;
    case 'B':
      check_range(f, number, 0, 0x100);
      break;
    case 'b':
      check_range(f, number, -0x80, 0x100);
      break;
    case 'H':
      op = Op::StoreU16At;
      check_range(f, number, 0, 0x10000);
      break;
    case 'h':
      op = Op::StoreU16At;
      check_range(f, number, -0x8000, 0x10000);
      break;
    case 'I':
      op = Op::StoreI32At;
      check_range(f, number, 0, int64_t{1} << 32);
      break;
    case 'i':
      op = Op::StoreI32At;
      check_range(f, number, INT32_MIN, int64_t{1} << 32);
      break;
    case 'q':
      op = Op::StoreI64At;
      break;
    default:  // 'Q'
      op = Op::StoreI64At;
      check_not_negative(f, number, Reason::Domain);
      break;
  }
  Value* store = f.emit(op, {at.data, at.index, number});
  store->heap = at.heap;
  return true;
}

}  // namespace psyco
