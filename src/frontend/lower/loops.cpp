// Iteration: ranges, lists, tuples, bytes and bytearrays are walked without an iterator object.
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

// The other slots of a cursor say that it is an iterator and no sequence with a position.
void push_cursor(Builder& f, AVId iterator) {
  f.push(iterator);
  for (int i = 1; i < Port::kIterSlots; i++) f.push(f.null_av());
}

}  // namespace

void lower_GetIter(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  const AV a = f.av(id);
  if (a.kind == SlotKind::Virtual) {
    switch (a.virtual_kind) {
      case VirtualKind::Range: {
        f.drop(id);
        Value* step = f.av(a.fields[2]).value;
        const bool constant = step->op == Op::ConstI64;
        if (constant && step->imm == 1)
          return push_cursor(f, f.virtual_av(VirtualKind::CountIter, {a.fields[0], a.fields[1]}));
        // Other steps are known to be positive. remaining = ceil((stop - start) / step), negative
        // counts as 0.
        Value* start = f.av(a.fields[0]).value;
        Value* stop = f.av(a.fields[1]).value;
        Value* span = f.emit(Op::SubInt, {stop, start}, f.before());
        span->reason = Reason::Overflow;
        Value* most = constant ? f.const_int(step->imm > 0 ? step->imm - 1 : step->imm + 1)
                               : f.emit(Op::SubIntUnchecked, {step, f.const_int(1)});
        Value* rounded = f.emit(Op::AddInt, {span, most}, f.before());
        rounded->reason = Reason::Overflow;
        Value* left = f.emit(Op::FloorDivInt, {rounded, step}, f.before());
        left->reason = Reason::Overflow;
        return push_cursor(
            f, f.virtual_av(VirtualKind::RangeIter, {a.fields[0], a.fields[2], f.int_av(left)}));
      }
      case VirtualKind::Tuple:
        f.force(id);
        push_cursor(f, f.virtual_av(VirtualKind::TupleIter, {id, f.int_av(f.const_int(0), true)}));
        return;
      case VirtualKind::CountIter:
      case VirtualKind::RangeIter:
      case VirtualKind::ListIter:
      case VirtualKind::TupleIter:
      case VirtualKind::BytesIter:
      case VirtualKind::ByteArrayIter:
        return push_cursor(f, id);
      default:
        break;
    }
  }
  f.learn(id, 0);
  PyTypeObject* type = f.likely_type(id);
  if (!f.site().generic && (type == &PyList_Type || type == &PyTuple_Type) &&
      f.guard_type(id, type)) {
    if (f.av(id).kind == SlotKind::Virtual) f.force(id);
    push_cursor(f,
                f.virtual_av(type == &PyList_Type ? VirtualKind::ListIter : VirtualKind::TupleIter,
                             {id, f.int_av(f.const_int(0), true)}));
    return;
  }
  const bool bytes = type == &PyBytes_Type && shapes::bytes_iter_type();
  const bool byte_array = type == &PyByteArray_Type && shapes::bytearray_iter_type();
  if (!f.site().generic && (bytes || byte_array) && f.guard_type(id, type)) {
    push_cursor(f, f.virtual_av(bytes ? VirtualKind::BytesIter : VirtualKind::ByteArrayIter,
                                {id, f.int_av(f.const_int(0), true)}));
    return;
  }
  f.drop(id);
  f.note_types(SiteKind::Iterable, id, id);
  push_cursor(f, f.object_av(f.call_helper(Helper::get_iter, {f.force(id)})));
}

void lower_ForIter(Builder& f, const Bytecode& bc) {
  AVId id = f.peek(Port::kIterSlots);
  const AV a = f.av(id);
  Edge body, exhausted;
  Context& context = f.context();
  if (a.kind == SlotKind::Virtual) {
    Value* condition = nullptr;
    bool list = a.virtual_kind == VirtualKind::ListIter;
    bool byte_array = a.virtual_kind == VirtualKind::ByteArrayIter;
    bool range = a.virtual_kind == VirtualKind::RangeIter;
    switch (a.virtual_kind) {
      case VirtualKind::CountIter:
        condition = f.emit(Op::CmpInt, {f.av(a.fields[0]).value, f.av(a.fields[1]).value});
        condition->cond = Cond::Lt;
        break;
      case VirtualKind::RangeIter:
        condition = f.emit(Op::CmpInt, {f.av(a.fields[2]).value, f.const_int(0)});
        condition->cond = Cond::Gt;
        break;
      case VirtualKind::ListIter:
      case VirtualKind::TupleIter:
      case VirtualKind::BytesIter:
      case VirtualKind::ByteArrayIter: {
        Value* length = f.load(Op::LoadI64, f.av(a.fields[0]).value, shapes::kObSize,
                               list         ? Heap::ListShape
                               : byte_array ? Heap::BytesShape
                                            : Heap::Constant);
        condition = f.emit(Op::CmpInt, {f.av(a.fields[1]).value, length});
        condition->cond = Cond::Lt;
        break;
      }
      default:
        return f.deopt(Reason::Unsupported);
    }
    f.split(condition, &body, &exhausted);
    context.pending[bc.target].push_back(std::move(exhausted));
    f.enter(body);
    AVId item;
    if (a.virtual_kind == VirtualKind::CountIter || range) {
      const AV current = f.av(a.fields[0]);
      item = f.int_av(current.value, current.nonnegative);
      Value* step = range ? f.av(a.fields[1]).value : f.const_int(1);
      AVId next = f.int_av(f.emit(Op::AddIntUnchecked, {current.value, step}), current.nonnegative);
      f.set_field(f.edit(id), 0, next);
      if (range) {
        // The last step may wrap past the end: the value is then never used.
        f.edit(next).nonnegative = false;
        const AVId left =
            f.int_av(f.emit(Op::SubIntUnchecked, {f.av(a.fields[2]).value, f.const_int(1)}));
        f.set_field(f.edit(id), 2, left);
      }
    } else {
      AVId seq = a.fields[0];
      Value* object = f.av(seq).value;
      Value* index = f.av(a.fields[1]).value;
      if (byte_array) {
        Value* items = f.load(Op::LoadPtr, object, shapes::kByteArrayStart, Heap::BytesShape);
        item = f.int_av(f.load(Op::LoadU8At, items, 0, Heap::Bytes, index), true);
      } else if (a.virtual_kind == VirtualKind::BytesIter) {
        item =
            f.int_av(f.load(Op::LoadU8At, object, shapes::kBytesData, Heap::Constant, index), true);
      } else {
        Value* value;
        if (list) {
          Value* items = f.load(Op::LoadPtr, object, shapes::kListItems, Heap::ListShape);
          value = f.load_owned(items, 0, Heap::ListItems, index);
        } else {
          value = f.load_owned(object, shapes::kTupleItems, Heap::TupleItems, index);
        }
        PyObject* example = f.av(seq).example ? shapes::peek_item(f.av(seq).example, 0) : nullptr;
        item = f.object_av(value, nullptr, nullptr, example);
      }
      const AVId following = f.int_av(f.emit(Op::AddIntUnchecked, {index, f.const_int(1)}), true);
      f.set_field(f.edit(id), 1, following);
    }
    f.push(item);
    return;
  }
  Value* iterator = f.force(id);
  Value* item = f.call_helper(Helper::iter_next, {iterator});
  Value* end = f.emit(Op::IsSame, {item, f.const_object(f.request().exhausted)});
  f.split(end, &exhausted, &body);
  f.enter(exhausted);
  f.emit(Op::ReleasePlain, {item});  // the sentinel: immortal
  f.ran_python();
  f.jump_to(bc.target);
  f.enter(body);
  f.ran_python();
  f.push(f.object_av(item));
}

void lower_GetYieldFrom(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_GetAwaitable(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_GetAiter(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_GetAnext(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_Send(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_Yield(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_MakeGenerator(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_EndAsyncFor(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }
void lower_CleanupThrow(Builder& f, const Bytecode&) { f.deopt(Reason::Suspend); }

}  // namespace psyco
