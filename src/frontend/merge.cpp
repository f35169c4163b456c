// Where ways meet: joins, loop heads and back edges.
//
// A join unifies the states of its edges slot by slot. Slots are grouped by the tuple of abstract
// values they hold on the edges: slots that shared a value on every edge share the merged one, so
// identity is kept.
//
// References: an edge owns one for each owned value its state names, however many slots do; Claims
// says which have found a taker behind the merge. A value that survives as itself keeps its own,
// and is claimed first. Each owned phi takes one: that of its input if nobody claimed it, else a
// new one. What is left ends on the edge (a box that the merged number does not carry, a cursor's
// old position).
//
// Numbers keep their object beside them through a second phi, null where no object was made, unless
// all objects are constants: constants' identity is not kept through a phi. A value without an
// object that slots shared on one edge and not on another is built on the first, so that `is` sees
// one object; names that nobody reads again do not count.
#include <cmath>
#include <set>

#include "cpython/shapes.h"
#include "frontend/builder.h"

namespace psyco {

using ir::Block;
using ir::Op;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

namespace {

std::vector<AVId*> all_slots(State& st) {
  std::vector<AVId*> slots;
  for (FrameSlots& frame : st.frames) {
    for (AVId& id : frame.locals) slots.push_back(&id);
    for (AVId& id : frame.stack) slots.push_back(&id);
  }
  return slots;
}

// NaN is equal to nothing but the same object.
bool constant_box(const AV& a) {
  return a.box && a.box->op == Op::ConstObject &&
         !(a.kind == SlotKind::Float && a.constant && PyFloat_CheckExact(a.constant) &&
           std::isnan(PyFloat_AS_DOUBLE(a.constant)));
}

// The box a phi has to carry along: not a constant's.
Value* carried_box(const AV& a) { return constant_box(a) ? nullptr : a.box; }

// Its object is still to be made.
bool objectless(const AV& a) {
  if (a.kind == SlotKind::Virtual) return true;
  return (a.kind == SlotKind::Int || a.kind == SlotKind::Float) && (!a.box || a.box->nullable());
}

bool same_value(const State& x, AVId ix, const State& y, AVId iy) {
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

// What one edge owns and what has been claimed of it.
struct Claims {
  std::set<uint32_t> taken;
  bool take(Value* value) { return taken.insert(value->id).second; }
};

// Fields of an iterator that its loop moves on; the others (bound, list, step) stay.
bool moves(ir::VirtualKind kind, size_t field) {
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

void collect_owned(const State& st, AVId id, std::vector<Value*>& out, std::set<AVId>& seen) {
  if (!seen.insert(id).second) return;
  const AV& a = st.avs[id];
  if (a.kind == SlotKind::Object && a.value->owned()) out.push_back(a.value);
  if ((a.kind == SlotKind::Int || a.kind == SlotKind::Float) && a.box && a.box->owned())
    out.push_back(a.box);
  for (AVId field : a.fields) collect_owned(st, field, out, seen);
}

}  // namespace

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

  void release_unclaimed(Edge& edge, Claims& claims) {
    std::vector<Value*> owned;
    std::set<AVId> seen;
    for (AVId* slot : all_slots(edge.state)) collect_owned(edge.state, *slot, owned, seen);
    for (Value* value : owned) {
      if (!claims.take(value)) continue;
      at(edge, [&] {
        b_.emit(value->nullable() ? Op::ReleasePlainNullable : Op::ReleasePlain, {value});
        return 0;
      });
    }
  }

  void claim_all(const State& st, AVId id, Claims& claims) {
    std::vector<Value*> owned;
    std::set<AVId> seen;
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

void Builder::merge_here(std::vector<Edge>& edges, int bci) {
  if (edges.empty()) {
    cur_ = nullptr;
    return;
  }
  if (edges.size() == 1) {
    cur_ = edges[0].block;
    st_ = std::move(edges[0].state);
    return;
  }
  int saved_edge_bci = edge_bci_;
  edge_bci_ = bci;
  Merger m(*this);
  const size_t n = edges.size();

  // Group the slots.
  std::map<std::vector<AVId>, AVId> merged_id;
  std::vector<std::vector<AVId>> keys;
  std::vector<uint8_t> read_later;  // by merged AV
  const std::vector<uint8_t> live = live_slots(edges[0].state, bci);
  State merged;
  merged.frames = edges[0].state.frames;
  auto id_of = [&](const std::vector<AVId>& key) {
    auto [it, fresh] = merged_id.try_emplace(key, 0);
    if (fresh) {
      it->second = merged.add(AV{});
      keys.push_back(key);
      read_later.push_back(0);
    }
    return it->second;
  };
  auto regroup = [&] {
    merged_id.clear();
    keys.clear();
    read_later.clear();
    merged.avs.clear();
    std::vector<std::vector<AVId*>> columns;
    for (Edge& edge : edges) columns.push_back(all_slots(edge.state));
    std::vector<AVId*> out = all_slots(merged);
    for (size_t s = 0; s < out.size(); s++) {
      std::vector<AVId> key;
      for (size_t e = 0; e < n; e++) {
        PSYCO_CHECK(columns[e].size() == out.size());
        key.push_back(*columns[e][s]);
      }
      *out[s] = id_of(key);
      if (live[s]) read_later[*out[s]] = 1;
    }
  };

  enum Target { kSame, kNull, kInt, kFloat, kBool, kObject, kVirtual };
  auto at = [&](size_t e, AVId id) -> AV& { return edges[e].state.avs[id]; };
  auto target_of = [&](const std::vector<AVId>& key) -> Target {
    bool same = true;
    int kinds[8] = {};
    int int_objects = 0, float_objects = 0;
    for (size_t e = 0; e < n; e++) {
      if (e && !same_value(edges[0].state, key[0], edges[e].state, key[e])) same = false;
      const AV& a = at(e, key[e]);
      kinds[static_cast<int>(a.kind)]++;
      if (a.kind == SlotKind::Object && a.type == &PyLong_Type) int_objects++;
      if (a.kind == SlotKind::Object && a.type == &PyFloat_Type) float_objects++;
    }
    int null = kinds[int(SlotKind::Null)], ints = kinds[int(SlotKind::Int)],
        floats = kinds[int(SlotKind::Float)], bools = kinds[int(SlotKind::Bool)],
        virtuals = kinds[int(SlotKind::Virtual)];
    if (null == static_cast<int>(n)) return kNull;
    if (virtuals == static_cast<int>(n)) {
      const AV& first = at(0, key[0]);
      bool alike = true;
      for (size_t e = 1; e < n; e++)
        alike &= at(e, key[e]).virtual_kind == first.virtual_kind &&
                 at(e, key[e]).fields.size() == first.fields.size();
      if (alike) return kVirtual;
    }
    if (same) return kSame;
    if (ints && ints + int_objects + null == static_cast<int>(n)) return kInt;
    if (floats && floats + float_objects + null == static_cast<int>(n)) return kFloat;
    if (bools == static_cast<int>(n)) return kBool;
    return kObject;
  };

  // Bring every edge to the representation its group needs. Forcing one value can change another
  // group (an alias was boxed), so this repeats until nothing moves; levels only go up.
  for (bool changed = true; changed;) {
    changed = false;
    regroup();
    for (size_t k = 0; k < keys.size(); k++) {
      const std::vector<AVId> key = keys[k];
      Target target = target_of(key);
      for (size_t e = 0; e < n; e++) {
        const AV& a = at(e, key[e]);
        bool number = a.kind == SlotKind::Int || a.kind == SlotKind::Float;
        if (target == kObject &&
            (a.kind == SlotKind::Virtual || (number && (!a.box || a.box->nullable())))) {
          m.at(edges[e], [&] { return force(key[e]); });
          changed = true;
        } else if ((target == kInt || target == kFloat) && a.kind == SlotKind::Object) {
          m.at(edges[e], [&] { return target == kInt ? to_int(key[e]) : to_float(key[e]); });
          changed = true;
        }
      }
      if (target == kVirtual) {
        size_t fields = at(0, key[0]).fields.size();
        for (size_t f = 0; f < fields; f++) {
          std::vector<AVId> field_key;
          for (size_t e = 0; e < n; e++) field_key.push_back(at(e, key[e]).fields[f]);
          read_later[id_of(field_key)] |= read_later[k];
        }
      }
    }
    // One value in two groups: both names must go on meaning one object, so it is made now.
    for (size_t e = 0; e < n; e++) {
      std::set<AVId> seen;
      for (size_t k = 0; k < keys.size(); k++) {
        const AVId id = keys[k][e];
        if (!read_later[k] || seen.insert(id).second || !objectless(at(e, id))) continue;
        m.at(edges[e], [&] { return force(id); });
        changed = true;
      }
    }
  }

  Block* join = graph_.new_block();
  join->bci = bci;
  std::vector<Claims> claims(n);
  for (const auto& key : keys)
    if (target_of(key) == kSame)
      for (size_t e = 0; e < n; e++) m.claim_all(edges[e].state, key[e], claims[e]);

  for (const auto& key : keys) {
    AVId id = merged_id[key];
    Target target = target_of(key);
    AV out = at(0, key[0]);
    // Knowledge that holds on all edges; predictions survive merges.
    for (size_t e = 1; e < n; e++) {
      const AV& a = at(e, key[e]);
      if (a.type != out.type) out.type = nullptr;
      if (a.constant != out.constant) out.constant = nullptr;
      if (!out.example) out.example = a.example;
      if (!out.likely) out.likely = a.likely;
      out.nonnegative &= a.nonnegative;
      out.not_null &= a.not_null;
    }
    switch (target) {
      case kSame:
      case kNull:
        break;
      case kVirtual:
        for (size_t f = 0; f < out.fields.size(); f++) {
          std::vector<AVId> field_key;
          for (size_t e = 0; e < n; e++) field_key.push_back(at(e, key[e]).fields[f]);
          out.fields[f] = merged_id[field_key];
        }
        break;
      case kBool: {
        out.kind = SlotKind::Bool;
        out.value = m.phi(join, Rep::Bool);
        for (size_t e = 0; e < n; e++) m.input(out.value, at(e, key[e]).value);
        break;
      }
      case kInt:
      case kFloat: {
        Rep rep = target == kInt ? Rep::I64 : Rep::F64;
        bool boxes = false, owned = false, unbound = false;
        for (size_t e = 0; e < n; e++) {
          const AV& a = at(e, key[e]);
          if (a.kind == SlotKind::Null) unbound = true;
          if (carried_box(a)) boxes = true;
          if (carried_box(a) && a.box->owned()) owned = true;
        }
        out.kind = target == kInt ? SlotKind::Int : SlotKind::Float;
        bool same_number = true;
        for (size_t e = 1; e < n; e++) same_number &= at(e, key[e]).value == at(0, key[0]).value;
        if (same_number) {
          out.value = at(0, key[0]).value;
        } else {
          out.value = m.phi(join, rep);
          for (size_t e = 0; e < n; e++) {
            const AV& a = at(e, key[e]);
            m.input(out.value, a.kind == SlotKind::Null
                                   ? (target == kInt ? const_int(0) : const_float(0.0))
                                   : a.value);
          }
        }
        out.box = nullptr;
        for (size_t e = 0; e < n; e++) unbound |= !at(e, key[e]).not_null;
        // A local that may be unbound carries no owned box (releasing it would have to know): the
        // object of the number is let go, as if it had been computed.
        auto kept_box = [&](const AV& a) -> Value* {
          Value* box = carried_box(a);
          return box && unbound && box->owned() ? nullptr : box;
        };
        if (unbound) owned = false;
        if (boxes || unbound) {
          out.box = m.phi(join, Rep::Object);
          out.box->flags |= ir::kNullable | (owned ? ir::kOwned : 0);
          for (size_t e = 0; e < n; e++) {
            const AV& a = at(e, key[e]);
            Value* box = a.kind == SlotKind::Null ? const_unbound() : kept_box(a);
            if (!box) box = const_null();
            if (owned) m.own(edges[e], box, claims[e]);
            m.input(out.box, box);
          }
        }
        out.not_null = !unbound;
        if (!same_number) out.constant = nullptr;
        break;
      }
      case kObject: {
        bool owned = false, nullable = false;
        std::vector<Value*> inputs;
        for (size_t e = 0; e < n; e++) {
          Value* object = m.at(edges[e], [&] { return force(key[e]); });
          inputs.push_back(object);
          owned |= object->owned();
          nullable |= object->nullable();
        }
        out.kind = SlotKind::Object;
        out.fields.clear();
        out.box = nullptr;
        PyTypeObject* type = nullptr;
        for (size_t e = 0; e < n; e++) {
          const AV& a = at(e, key[e]);
          PyTypeObject* t = a.kind == SlotKind::Int     ? &PyLong_Type
                            : a.kind == SlotKind::Float ? &PyFloat_Type
                            : a.kind == SlotKind::Bool  ? &PyBool_Type
                            : a.kind == SlotKind::Null  ? nullptr
                                                        : a.type;
          if (e == 0) type = t;
          if (t != type) type = nullptr;
        }
        out.type = nullable ? nullptr : type;
        out.not_null = !nullable;
        bool one = true;
        for (Value* object : inputs) one &= object == inputs[0];
        if (one) {
          out.value = inputs[0];
          if (owned)
            for (size_t e = 0; e < n; e++) m.own(edges[e], inputs[e], claims[e]);
          break;
        }
        out.value = m.phi(join, Rep::Object);
        if (owned) out.value->flags |= ir::kOwned;
        if (nullable) out.value->flags |= ir::kNullable;
        for (size_t e = 0; e < n; e++) {
          if (owned) m.own(edges[e], inputs[e], claims[e]);
          m.input(out.value, inputs[e]);
        }
        break;
      }
    }
    merged.avs[id] = out;
  }
  for (size_t e = 0; e < n; e++) {
    m.release_unclaimed(edges[e], claims[e]);
    cur_ = edges[e].block;
    emit(Op::Jump, {});
    graph_.connect(edges[e].block, join);
  }
  edge_bci_ = saved_edge_bci;
  cur_ = join;
  st_ = std::move(merged);
}

Value* Builder::const_unbound() {
  if (!const_unbound_) {
    const_unbound_ = graph_.new_value(Op::ConstObject, Rep::Object);
    const_unbound_->ptr = reinterpret_cast<const void*>(ir::kUnbound);
    const_unbound_->block = entry_;
    entry_->values.insert(graph_.arena, 0, const_unbound_);
  }
  return const_unbound_;
}

// ---------------------------------------------------------------- loops

void Builder::loop_head(Context& context, int index, std::vector<Edge>& edges) {
  int bci = context.decoded->list[index].bci;
  merge_here(edges, bci);
  if (!cur_) return;
  int saved_edge_bci = edge_bci_;
  edge_bci_ = bci;
  Merger m(*this);

  // Which slots change in the loop: locals stored there, and what earlier builds found out.
  std::vector<AVId*> slots = all_slots(st_);
  size_t base = slots.size() - st_.top().locals.size() - st_.top().stack.size();
  std::vector<uint8_t> is_phi(slots.size(), 0);
  const std::vector<Bytecode>& list = context.decoded->list;
  for (int i = index; i <= context.loop_end[index]; i++) {
    if (!context.reachable[i]) continue;
    switch (list[i].op) {
      case NeutralOp::StoreLocal:
      case NeutralOp::DeleteLocal:
      case NeutralOp::LoadLocalClear:
        is_phi[base + list[i].arg] = 1;
        break;
      default:
        break;
    }
  }
  std::vector<HeadFlags> flags(slots.size());
  for (size_t s = 0; s < slots.size(); s++) {
    auto it = heads_memory_.find({context.path, index, static_cast<int>(s)});
    if (it != heads_memory_.end()) flags[s] = it->second;
    if (flags[s].phi) is_phi[s] = 1;
  }
  for (size_t s = 0; s < slots.size(); s++) {
    const AV& a = st_.avs[*slots[s]];
    bool build = flags[s].force || (is_phi[s] && a.kind == SlotKind::Virtual);
    if (is_phi[s] && flags[s].object && a.kind != SlotKind::Null) build = true;
    if (build && a.kind != SlotKind::Null) {
      force(*slots[s]);
      flush_drops(bci);
    }
  }

  const std::vector<uint8_t> live = live_slots(st_, bci);
  for (size_t s = 0; s < slots.size(); s++)
    for (size_t t = 0; t < s; t++) {
      if (*slots[s] != *slots[t] || !(is_phi[s] || is_phi[t]) || !(live[s] && live[t])) continue;
      if (objectless(st_.avs[*slots[s]])) force(*slots[s]);
    }
  flush_drops(bci);

  Block* before_head = cur_;
  before_head->entry_state = nullptr;
  ir::FrameState* entry_state = capture(bci);
  Block* pre = graph_.new_block();
  pre->bci = bci;
  pre->entry_state = entry_state;
  emit(Op::Jump, {});
  graph_.connect(before_head, pre);
  Block* head = graph_.new_block();
  head->loop_head = true;
  head->bci = bci;

  Edge entry{pre, st_};
  State h = st_;
  std::vector<AVId*> out = all_slots(h);
  Claims claims;
  bool iterates = list[index].op == NeutralOp::ForIter && !st_.top().stack.empty();
  auto is_cursor = [&](size_t s) { return iterates && s + 1 == slots.size(); };
  for (size_t s = 0; s < slots.size(); s++) {
    if (is_phi[s]) continue;
    if (is_cursor(s))
      m.claim_cursor(entry.state, *slots[s], claims);
    else
      m.claim_all(entry.state, *slots[s], claims);
  }

  for (size_t s = 0; s < slots.size(); s++) {
    AVId old = *slots[s];
    const AV a = entry.state.avs[old];
    const HeadFlags& f = flags[s];
    if (!is_phi[s]) {
      if (is_cursor(s) && a.kind == SlotKind::Virtual) {
        // The AV keeps its id, so aliases follow.
        for (size_t k = 0; k < a.fields.size(); k++) {
          const AV fa = entry.state.avs[a.fields[k]];
          if (!moves(a.virtual_kind, k)) continue;
          Value* p = m.phi(head, Rep::I64);
          m.input(p, fa.value);
          AV na;
          na.kind = SlotKind::Int;
          na.value = p;
          na.nonnegative = fa.nonnegative;
          // A new AV: the old one may also be a variable, which stays as it is.
          AVId moved = h.add(na);
          h.avs[old].fields[k] = moved;
        }
      }
      continue;
    }
    AV na = a;
    na.constant = nullptr;
    if (f.no_type) {
      na.type = nullptr;
      na.likely = nullptr;
      na.example = nullptr;
    }
    auto object_phi = [&](Value* input, PyTypeObject* type) {
      na.kind = SlotKind::Object;
      na.value = m.phi(head, Rep::Object);
      na.value->flags |= ir::kOwned;
      m.own(entry, input, claims);
      m.input(na.value, input);
      na.box = nullptr;
      na.nonnegative = false;
      na.type = f.no_type ? nullptr : type;
      if (!input->nullable() && !f.unbound) return;
      // Nothing may be there, so no type is proved.
      na.value->flags |= ir::kNullable;
      na.not_null = false;
      if (na.type) na.likely = na.type;
      na.type = nullptr;
    };
    switch (a.kind) {
      case SlotKind::Null:
        if (f.object) {
          object_phi(const_null(), nullptr);
          na.example = nullptr;
        } else if (f.number) {
          na.kind = f.number == 1 ? SlotKind::Int : SlotKind::Float;
          na.value = m.phi(head, f.number == 1 ? Rep::I64 : Rep::F64);
          m.input(na.value, f.number == 1 ? const_int(0) : const_float(0.0));
          na.box = m.phi(head, Rep::Object);
          na.box->flags |= ir::kNullable;
          m.input(na.box, const_unbound());
          na.not_null = false;
        } else {
          is_phi[s] = 0;
          continue;
        }
        break;
      case SlotKind::Int:
      case SlotKind::Float: {
        if (f.object) {
          object_phi(a.box, a.kind == SlotKind::Int ? &PyLong_Type : &PyFloat_Type);
          break;
        }
        na.value = m.phi(head, a.kind == SlotKind::Int ? Rep::I64 : Rep::F64);
        m.input(na.value, a.value);
        na.box = nullptr;
        Value* box = carried_box(a);
        bool marker = a.box && !a.not_null;
        if (box || f.box) {
          na.box = m.phi(head, Rep::Object);
          na.box->flags |= ir::kNullable;
          if (!marker) na.box->flags |= ir::kOwned;
          if (box && !marker) m.own(entry, box, claims);
          m.input(na.box, box ? box : const_null());
        }
        na.nonnegative = a.nonnegative && !f.no_type;
        break;
      }
      case SlotKind::Bool:
        if (f.object) {
          object_phi(m.at(entry, [&] { return force(old); }), &PyBool_Type);
        } else {
          na.value = m.phi(head, Rep::Bool);
          m.input(na.value, a.value);
        }
        break;
      case SlotKind::Object:
        object_phi(a.value, a.type);
        break;
      case SlotKind::Virtual:
        PSYCO_CHECK(false);
    }
    *out[s] = h.add(na);
  }
  m.release_unclaimed(entry, claims);
  cur_ = entry.block;
  emit(Op::Jump, {});
  graph_.connect(cur_, head);
  edge_bci_ = saved_edge_bci;
  cur_ = head;
  st_ = std::move(h);
  active_heads_.push_back({&context, index, head, st_, is_phi});
}

// The current edge jumps back to the head at `index`.
void Builder::back_edge(int index) {
  Context& context = this->context();
  Head* head = nullptr;
  for (Head& h : active_heads_)
    if (h.context == &context && h.index == index && context.peeling != index) head = &h;
  int bci = context.decoded->list[index].bci;
  if (!head) {  // entered in the middle: the loop itself is walked later
    flush_drops(bci);
    context.pending[index].push_back({cur_, st_});
    cur_ = nullptr;
    return;
  }
  flush_drops(bci);
  if (!cur_) return;
  edge_bci_ = bci;
  Value* poll = emit(Op::Poll, {}, capture(bci));
  poll->reason = ir::Reason::Poll;
  // The loop by which we came is counted, so that its pace can be compared with the interpreter's.
  if (request_.kind == ir::EntryKind::Osr && context.depth == 0 && index == request_.osr_index)
    poll->imm = 1;

  Merger m(*this);
  std::vector<AVId*> hs = all_slots(head->state);
  std::vector<AVId*> bs = all_slots(st_);
  auto note = [&](size_t slot) -> HeadFlags& {
    restart_ = true;
    return heads_memory_[{context.path, index, static_cast<int>(slot)}];
  };
  PSYCO_CHECK(hs.size() == bs.size());
  const std::vector<uint8_t> live = live_slots(st_, bci);
  const bool iterates = context.decoded->list[index].op == NeutralOp::ForIter;
  auto is_cursor = [&](size_t s) { return iterates && s + 1 == hs.size(); };

  for (size_t s = 0; s < bs.size(); s++)
    for (size_t t = 0; t < s; t++)
      if (*bs[s] == *bs[t] && *hs[s] != *hs[t] && live[s] && live[t] && objectless(st_.avs[*bs[s]]))
        force(*bs[s]);

  // What must not change.
  auto check_kept = [&] {
    for (size_t s = 0; s < hs.size(); s++) {
      const AV& h = head->state.avs[*hs[s]];
      if (head->is_phi[s]) continue;
      AV b = st_.avs[*bs[s]];
      switch (h.kind) {
        case SlotKind::Null:
          if (b.kind == SlotKind::Null) break;
          {
            HeadFlags& f = note(s);
            f.phi = true;
            if (b.kind == SlotKind::Int)
              f.number = f.number == 2 ? 0 : 1;
            else if (b.kind == SlotKind::Float)
              f.number = f.number == 1 ? 0 : 2;
            else
              f.object = true;
            if (f.number == 0) f.object = true;
          }
          break;
        case SlotKind::Object:
          if (b.kind == SlotKind::Object && b.value == h.value) break;
          if ((b.kind == SlotKind::Int || b.kind == SlotKind::Float) && b.box == h.value) break;
          note(s).phi = true;
          break;
        case SlotKind::Bool:
          if (b.kind != SlotKind::Bool || b.value != h.value) note(s).phi = true;
          break;
        case SlotKind::Int:
        case SlotKind::Float:
          if (b.kind == h.kind && b.value == h.value) {
            if (b.box != h.box) note(s).force = true;
          } else {
            note(s).phi = true;
          }
          break;
        case SlotKind::Virtual:
          if (b.kind != SlotKind::Virtual || b.virtual_kind != h.virtual_kind) {
            note(s).force = true;
          } else {
            if (is_cursor(s)) break;
            if (*bs[s] != *hs[s] || !same_value(head->state, *hs[s], st_, *bs[s]))
              note(s).force = true;
          }
          break;
      }
    }
  };
  check_kept();
  if (restart_) {
    edge_bci_ = -1;
    cur_ = nullptr;
    return;
  }
  for (size_t s = 0; s < hs.size(); s++) {
    if (!head->is_phi[s]) continue;
    const AV h = head->state.avs[*hs[s]];
    AVId id = *bs[s];
    AV b = st_.avs[id];
    const bool dead = !live[s];
    switch (h.kind) {
      case SlotKind::Object:
        if (b.kind == SlotKind::Null) {
          if (!h.value->nullable()) note(s).unbound = true;
          break;
        }
        if (h.type && type_of(id) != h.type) note(s).no_type = true;
        if (b.kind == SlotKind::Object && b.value->nullable() && !h.value->nullable())
          note(s).unbound = true;
        force(id);
        break;
      case SlotKind::Int:
      case SlotKind::Float: {
        bool want_int = h.kind == SlotKind::Int;
        if (b.kind == SlotKind::Object && (!b.not_null || b.value->nullable())) {
          note(s).object = true;
          break;
        }
        if (b.kind == SlotKind::Object &&
            likely_type(id) == (want_int ? &PyLong_Type : &PyFloat_Type) &&
            !context.feedback->sites[bci].generic) {
          want_int ? to_int(id) : to_float(id);
          b = st_.avs[id];
        }
        if (b.kind != h.kind) {
          // `total = 0` before a loop that adds floats: from the second iteration on it is a float.
          if (may_peel(context, index)) {
            restart_ = true;
            heads_memory_[{context.path, index, kPeelSlot}].phi = true;
            break;
          }
          HeadFlags& f = note(s);
          f.object = true;
          if (b.kind == SlotKind::Object || b.kind != h.kind) f.no_type = true;
          break;
        }
        if (h.nonnegative && !b.nonnegative) note(s).no_type = true;
        Value* box = carried_box(b);
        if (box && !h.box && !dead) {
          note(s).box = true;
        } else if (box && h.box && box->owned() && !h.box->owned()) {
          if (!dead) note(s).object = true;  // unbound at entry and boxed in the loop
        }
        break;
      }
      case SlotKind::Bool:
        if (b.kind != SlotKind::Bool) {
          HeadFlags& f = note(s);
          f.object = true;
          f.no_type = true;
        }
        break;
      case SlotKind::Null:
      case SlotKind::Virtual:
        PSYCO_CHECK(false);
    }
  }
  // Building a value here may have boxed one that the head keeps: it must be boxed before the loop.
  if (!restart_) check_kept();
  if (restart_) {
    edge_bci_ = -1;
    cur_ = nullptr;
    return;
  }
  flush_drops(bci);

  // Inputs, in the order the phis were made.
  Edge edge{cur_, st_};
  Claims claims;
  for (size_t s = 0; s < hs.size(); s++) {
    if (head->is_phi[s]) continue;
    if (is_cursor(s))
      m.claim_cursor(edge.state, *bs[s], claims);
    else
      m.claim_all(edge.state, *bs[s], claims);
  }
  std::map<Value*, Value*> inputs;
  for (size_t s = 0; s < hs.size(); s++) {
    const AV& h = head->state.avs[*hs[s]];
    AVId id = *bs[s];
    const AV& b = edge.state.avs[id];
    if (!head->is_phi[s]) {
      if (h.kind == SlotKind::Virtual)
        for (size_t f = 0; f < h.fields.size(); f++) {
          const AV& hf = head->state.avs[h.fields[f]];
          if (hf.kind == SlotKind::Int && hf.value->op == Op::Phi && hf.value->block == head->block)
            inputs[hf.value] = edge.state.avs[b.fields[f]].value;
        }
      continue;
    }
    if (h.kind == SlotKind::Object) {
      inputs[h.value] = m.object_input(edge, id, claims);
    } else {
      inputs[h.value] = b.value;
      if (h.box) {
        Value* box = carried_box(b);
        if (box && box->owned() && !h.box->owned()) box = nullptr;  // dead local: dropped below
        if (!box) box = const_null();
        if (h.box->owned()) m.own(edge, box, claims);
        inputs[h.box] = box;
      }
    }
  }
  for (Value* phi : head->block->phis) {
    PSYCO_CHECK(inputs.count(phi));
    phi->inputs.push_back(graph_.arena, inputs[phi]);
  }
  m.release_unclaimed(edge, claims);
  cur_ = edge.block;
  emit(Op::Jump, {});
  graph_.connect(cur_, head->block);
  edge_bci_ = -1;
  cur_ = nullptr;
}

}  // namespace psyco
