// What joins (merge.cpp) and loops (loop_heads.cpp) share: questions about the values of an edge,
// and who owns which reference where edges meet (see merge.cpp). Private to the front end.
#pragma once
#include <memory>
#include <set>

#include "cpython/shapes.h"
#include "frontend/builder.h"

namespace psyco {

using ir::Block;
using ir::Op;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

inline std::vector<AVId*> all_slots(State& st) {
  std::vector<AVId*> slots;
  size_t count = 0;
  for (const FrameSlots& frame : st.frames) count += frame.locals.size() + frame.stack.size();
  slots.reserve(count);
  for (FrameSlots& frame : st.frames) {
    for (AVId& id : frame.locals) slots.push_back(&id);
    for (AVId& id : frame.stack) slots.push_back(&id);
  }
  return slots;
}

// Everybody finds the same object for that number.
inline bool is_cached(const AV& a) {
  int64_t number;
  return a.kind == SlotKind::Int && a.constant && shapes::int_value(a.constant, &number) &&
         number >= Port::kSmallIntMin && number < Port::kSmallIntEnd;
}

// The box a phi has to carry along.
inline Value* carried_box(const AV& a) { return is_cached(a) ? nullptr : a.box; }

// Its object is still to be made.
inline bool objectless(const AV& a) {
  if (a.kind == SlotKind::Virtual) return true;
  return (a.kind == SlotKind::Int || a.kind == SlotKind::Float) && (!a.box || a.box->nullable());
}

// The first so many fields are objects that the object holds; the others are numbers of its own.
inline size_t object_fields(const AV& a) {
  switch (a.virtual_kind) {
    case ir::VirtualKind::RangeIter:
    case ir::VirtualKind::CountIter:
      return 0;
    case ir::VirtualKind::ListIter:
    case ir::VirtualKind::TupleIter:
    case ir::VirtualKind::BytesIter:
    case ir::VirtualKind::ByteArrayIter:
      return 1;
    case ir::VirtualKind::Tuple:
    case ir::VirtualKind::Range:
    case ir::VirtualKind::BoundMethod:
    case ir::VirtualKind::Slice:
    case ir::VirtualKind::Instance:
      break;
  }
  return a.fields.size();
}

// From which use on it matters which object it is.
inline Use least_use(const AV& a) {
  if (is_instance(a))
    return Use::Value;  // it changes, and its methods see it when it is calculated with
  return a.kind == SlotKind::Float ? Use::Key : Use::Object;
}

// Must two names of it, used so, be made names of one object before they part?
inline bool has_identity(const AV& a, Use x, Use y) {
  return objectless(a) && x >= least_use(a) && y >= least_use(a);
}

inline bool same_value(const State& x, AVId ix, const State& y, AVId iy) {
  const AV &a = x.avs[ix], &b = y.avs[iy];
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case SlotKind::Null:
      return true;
    case SlotKind::Object:
    case SlotKind::Bool:
      return a.value == b.value;
    case SlotKind::Int:
    case SlotKind::Float:
      return a.value == b.value && a.box == b.box;
    case SlotKind::Virtual:
      if (a.virtual_kind != b.virtual_kind || a.fields.size() != b.fields.size()) return false;
      for (size_t i = 0; i < a.fields.size(); i++)
        if (!same_value(x, a.fields[i], y, b.fields[i])) return false;
      return true;
  }
  return false;
}

// What one edge owns and what has been claimed of it: by slots that stay as they are, and since.
struct Claims {
  std::shared_ptr<const std::vector<bool>> kept = {};  // by id; null: none
  std::set<uint32_t> taken = {};
  bool take(Value* value) {
    if (kept && value->id < kept->size() && (*kept)[value->id]) return false;
    return taken.insert(value->id).second;
  }
};

// Fields of an iterator that its loop moves on; the others (bound, list, step) stay.
inline bool moves(ir::VirtualKind kind, size_t field) {
  switch (kind) {
    case ir::VirtualKind::ListIter:
    case ir::VirtualKind::TupleIter:
    case ir::VirtualKind::BytesIter:
    case ir::VirtualKind::ByteArrayIter:
      return field == 1;
    case ir::VirtualKind::RangeIter:
      return field != 1;
    default:
      return field == 0;
  }
}

// The object to which the activation has a reference because of this value, if there is one.
inline Value* owned_by(const AV& a) {
  if (a.kind == SlotKind::Object) return a.value->owned() ? a.value : nullptr;
  const bool number = a.kind == SlotKind::Int || a.kind == SlotKind::Float;
  return number && a.box && a.box->owned() ? a.box : nullptr;
}

inline void collect_owned(const State& st, AVId id, std::vector<Value*>& out,
                          std::vector<uint8_t>& seen) {
  if (seen[static_cast<size_t>(id)]) return;
  seen[static_cast<size_t>(id)] = 1;
  const AV& a = st.avs[id];
  if (Value* value = owned_by(a)) out.push_back(value);
  for (AVId field : a.fields) collect_owned(st, field, out, seen);
}

// Writes into edge blocks and makes phi inputs; shared by joins and loops.
class Merger {
 public:
  explicit Merger(Builder& builder) : b_(builder) {}

  // Runs `work` as if the walk stood at the end of the edge.
  template <class Work>
  auto at(Edge& edge, Work work) {
    std::swap(b_.cur_, edge.block);
    std::swap(b_.st_, edge.state);
    auto done = [&] {
      b_.flush_drops(b_.edge_bci_);
      std::swap(b_.cur_, edge.block);
      std::swap(b_.st_, edge.state);
    };
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      done();
    } else {
      auto result = work();
      done();
      return result;
    }
  }

  // A value of an edge as input of an owned phi, with its reference settled.
  Value* object_input(Edge& edge, AVId id, Claims& claims) {
    Value* object = at(edge, [&] { return b_.force(id); });
    own(edge, object, claims);
    return object;
  }

  void own(Edge& edge, Value* object, Claims& claims) {
    if (object->op == Op::ConstNull) return;
    if (object->op == Op::ConstObject &&
        (object->ptr == reinterpret_cast<void*>(ir::kUnbound) || (object->flags & ir::kImmortal)))
      return;
    if (object->op == Op::BoxBool) return;
    if (object->owned() && claims.take(object)) return;
    at(edge, [&] {
      b_.emit(object->nullable() ? Op::RetainNullable : Op::Retain, {object});
      return 0;
    });
  }

  // `kept`, by slot: it has claimed what it owns.
  void release_unclaimed(Edge& edge, Claims& claims, const std::vector<uint8_t>& kept = {}) {
    std::vector<Value*> owned;
    std::vector<uint8_t> seen(edge.state.avs.size());
    const std::vector<AVId*> slots = all_slots(edge.state);
    for (size_t s = 0; s < slots.size(); s++)
      if (kept.empty() || !kept[s]) collect_owned(edge.state, *slots[s], owned, seen);
    for (Value* value : owned) {
      if (!claims.take(value)) continue;
      at(edge, [&] {
        b_.emit(value->nullable() ? Op::ReleasePlainNullable : Op::ReleasePlain, {value});
        return 0;
      });
    }
  }

  void claim_all(const State& st, AVId id, Claims& claims) {
    if (st.avs[id].fields.empty()) {
      if (Value* value = owned_by(st.avs[id])) claims.take(value);
      return;
    }
    std::vector<Value*> owned;
    std::vector<uint8_t> seen(st.avs.size());
    collect_owned(st, id, owned, seen);
    for (Value* value : owned) claims.take(value);
  }

  // The same for the iterator of a loop: what it moves on comes anew through phis, without boxes.
  void claim_cursor(const State& st, AVId id, Claims& claims) {
    const AV& cursor = st.avs[id];
    if (cursor.kind != SlotKind::Virtual) return claim_all(st, id, claims);
    for (size_t k = 0; k < cursor.fields.size(); k++)
      if (!moves(cursor.virtual_kind, k)) claim_all(st, cursor.fields[k], claims);
  }

  Value* phi(Block* block, Rep rep) {
    Value* value = b_.graph_.new_value(Op::Phi, rep);
    value->bci = b_.edge_bci_;
    return b_.graph_.append(block, value);
  }

  void input(Value* phi, Value* value) { phi->inputs.push_back(b_.graph_.arena, value); }

 private:
  Builder& b_;
};

}  // namespace psyco
