// Loop heads and the edges that come back to them.
//
// A head makes phis for what the loop stores and assumes that all else stays as it is. A back edge
// that brings something else notes it (HeadFlags) and the graph is built again with the notes.
// References and identity: as at joins, see merge.cpp.
//
// A virtual tuple or instance that changes goes round as it is if it has the same shape at the
// entry and at all back edges: it is opened, and its fields are slots like the others, behind them.
// Where it is no virtual object at the entry yet, the first iteration is peeled.
#include "cpython/shapes.h"
#include "frontend/merge.h"

namespace psyco {

// The variable of a loop that is unbound before it: bound from the first back edge on, to what the
// iterator gives. To know it at once saves building the graph twice.
void Builder::predict_variable(Context& context, int index, size_t base) {
  const std::vector<Bytecode>& list = context.decoded->list;
  if (list[index].op != NeutralOp::ForIter || list[index + 1].op != NeutralOp::StoreLocal) return;
  const FrameSlots& frame = st_.top();
  const int local = list[index + 1].arg;
  if (frame.stack.empty() || st_[frame.locals[local]].kind != SlotKind::Null) return;
  const AV& iterator = st_[frame.stack[frame.stack.size() - Port::kIterSlots]];
  if (iterator.kind != SlotKind::Virtual) return;
  HeadFlags prediction;
  prediction.phi = true;
  switch (iterator.virtual_kind) {
    case ir::VirtualKind::RangeIter:
    case ir::VirtualKind::CountIter:
    case ir::VirtualKind::BytesIter:
    case ir::VirtualKind::ByteArrayIter:
      prediction.number = 1;
      break;
    case ir::VirtualKind::ListIter:
    case ir::VirtualKind::TupleIter: {
      PyObject* items = st_[iterator.fields[0]].example;
      PyObject* item = items ? shapes::peek_item(items, 0) : nullptr;
      if (!item || PyLong_Check(item) || PyFloat_Check(item)) return;
      prediction.object = true;
      break;
    }
    default:
      return;
  }
  heads_memory_.try_emplace({context.path, index, static_cast<int>(base) + local}, prediction);
}

namespace {

// Calls visit for the value and for what it is made of, each once: all objects, not the position
// of an iterator.
template <class Visit>
void for_each_part(const State& st, AVId id, std::set<AVId>& seen, Visit& visit) {
  if (!seen.insert(id).second) return;
  visit(id);
  const AV& a = st.avs[id];
  if (a.kind != SlotKind::Virtual) return;
  for (size_t k = 0; k < object_fields(a); k++) for_each_part(st, a.fields[k], seen, visit);
}

constexpr int kSlotBits = 20, kFieldBits = 6;  // of a HeadKey
constexpr size_t kMostFields = (size_t{1} << kFieldBits) - 1;

// May such an object change and go round the loop without being built?
bool goes_round(const AV& a) {
  return is_instance(a) ||
         (a.kind == SlotKind::Virtual && a.virtual_kind == ir::VirtualKind::Tuple &&
          !a.fields.empty() && a.fields.size() < kMostFields);
}

// Number of a field in a HeadKey, made of the number of what it is a field of. 0: too deep.
int64_t field_key(int64_t owner, size_t field) {
  int shift = kSlotBits;
  while (owner >> shift) shift += kFieldBits;
  if (shift + kFieldBits > 62) return 0;
  return owner | static_cast<int64_t>(field + 1) << shift;
}

// The fields of a virtual object become slots.
void open(std::span<const AVId> fields, std::vector<AVId*>& slots) {
  for (const AVId& field : fields) slots.push_back(const_cast<AVId*>(&field));
}

// A value without an object that a phi parts from its other names, which may be parts of virtual
// objects: it is built, so that `is` sees one object.
void build_shared(Builder& f, const std::vector<AVId*>& slots, const std::vector<uint8_t>& is_phi,
                  const std::vector<Use>& uses) {
  std::map<AVId, bool> names;  // has one of them a phi?
  std::vector<AVId> shared;
  const State& st = f.state();
  for (size_t s = 0; s < slots.size(); s++) {
    std::set<AVId> seen;
    auto visit = [&](AVId id) {
      if (!has_identity(st.avs[id], uses[s], uses[s])) return;
      auto [it, fresh] = names.try_emplace(id, is_phi[s]);
      if (fresh) return;
      it->second |= is_phi[s];
      if (it->second) shared.push_back(id);
    };
    for_each_part(st, *slots[s], seen, visit);
  }
  for (AVId id : shared) f.force(id);
}

}  // namespace

// What it looks like must soon be clear.
bool Builder::may_open(Context& context, int index, const AV& a) {
  constexpr int kMostWalks = 8;
  return goes_round(a) && heads_memory_[{context.path, index, kWalksSlot}].number < kMostWalks;
}

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
  predict_variable(context, index, base);
  std::vector<HeadFlags> flags;
  std::vector<int64_t> keys;
  auto recall = [&](int64_t key) {
    keys.push_back(key);
    auto it = heads_memory_.find({context.path, index, key});
    flags.push_back(it != heads_memory_.end() ? it->second : HeadFlags());
  };
  for (size_t s = 0; s < slots.size(); s++) {
    recall(static_cast<int64_t>(s));
    if (flags[s].phi) is_phi[s] = 1;
  }
  auto build_where_needed = [&](size_t s) {
    const AV& a = st_.avs[*slots[s]];
    bool build = flags[s].force ||
                 (is_phi[s] && a.kind == SlotKind::Virtual && !may_open(context, index, a));
    if (is_phi[s] && flags[s].object && a.kind != SlotKind::Null) build = true;
    if (!build || a.kind == SlotKind::Null) return;
    force(*slots[s]);
    flush_drops(bci);
  };
  const size_t closed = slots.size();
  for (size_t s = 0; s < closed; s++) build_where_needed(s);

  const std::vector<Use> uses = uses_from(st_, bci);
  build_shared(*this, slots, is_phi, uses);
  flush_drops(bci);

  std::vector<size_t> opened;
  for (size_t s = 0; s < slots.size(); s++) {
    const AV owner = st_.avs[*slots[s]];
    if (!is_phi[s] || !may_open(context, index, owner)) continue;
    if (field_key(keys[s], kMostFields - 1) == 0) {
      force(*slots[s]);
      flush_drops(bci);
      continue;
    }
    opened.push_back(s);
    const size_t first = slots.size(), count = owner.fields.size();
    open(owner.fields, slots);
    for (size_t k = 0; k < count; k++) {
      recall(field_key(keys[s], k));
      is_phi.push_back(flags.back().phi || !st_.avs[*slots[first + k]].constant);
    }
    for (size_t k = 0; k < count; k++) build_where_needed(first + k);
  }

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
  // Of what goes round; the values of the entry, which may have other names, keep their own.
  std::map<size_t, std::span<const AVId>> fields;
  for (size_t s : opened) {
    fields[s] = in_arena(graph_.arena, h[*out[s]].fields);
    open(fields[s], out);
  }
  Claims claims;
  bool iterates = list[index].op == NeutralOp::ForIter && !st_.top().stack.empty();
  auto is_cursor = [&](size_t s) { return iterates && s + Port::kIterSlots == closed; };
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
          na.object = graph_.new_object();
          na.nonnegative = fa.nonnegative;
          // A new AV: the old one may also be a variable, which stays as it is.
          AVId moved = h.add(na);
          set_field(h.avs.edit(old), k, moved);
        }
      }
      continue;
    }
    AV na = a;
    na.constant = nullptr;
    na.methods = {};
    na.no_other_method = false;
    na.object = graph_.new_object();
    if (f.no_type) {
      na.type = nullptr;
      na.likely = nullptr;
      na.example = nullptr;
    }
    auto object_phi = [&](Value* input, PyTypeObject* type) {
      na.kind = SlotKind::Object;
      na.value = m.phi(head, Rep::Object);
      mark_owned(na.value);
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
          if (!marker) mark_owned(na.box);
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
        na.fields = fields.at(s);
        break;
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
  active_heads_.push_back({&context, index, head, st_, is_phi, keys, opened});
  captured_ += slots.size();  // the names stay, of the values what the loop changes
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
  const size_t closed = hs.size();
  auto walk_again = [&] {
    int8_t& walks = heads_memory_[{context.path, index, kWalksSlot}].number;
    if (!restart_ && walks < INT8_MAX) walks++;
    restart_ = true;
  };
  auto note = [&](size_t slot) -> HeadFlags& {
    walk_again();
    return heads_memory_[{context.path, index, head->keys[slot]}];
  };
  // The loop is walked again with the first iteration apart, if it can be: then the slot enters it
  // as it comes round.
  auto peel = [&] {
    if (!may_peel(context, index)) return false;
    walk_again();
    return heads_memory_[{context.path, index, kPeelSlot}].phi = true;
  };
  PSYCO_CHECK(hs.size() == bs.size());
  std::vector<uint8_t> live = live_slots(st_, bci);
  const bool iterates = context.decoded->list[index].op == NeutralOp::ForIter;
  auto is_cursor = [&](size_t s) { return iterates && s + Port::kIterSlots == closed; };

  build_shared(*this, bs, head->is_phi, uses_from(st_, bci));
  auto comes_round = [&](size_t s) {
    const AV &h = head->state.avs[*hs[s]], &b = st_.avs[*bs[s]];
    if (b.kind == SlotKind::Virtual && same_shape(head->state, h, st_, b)) return true;
    note(s).force = true;
    return false;
  };
  for (size_t s : head->opened) {
    if (!comes_round(s)) break;
    open(head->state.avs[*hs[s]].fields, hs);
    open(st_.avs[*bs[s]].fields, bs);
    live.resize(hs.size(), live[s]);
  }
  if (restart_) {
    edge_bci_ = -1;
    cur_ = nullptr;
    return;
  }

  if (request_.kind == ir::EntryKind::Osr && context.depth == 0 && index == request_.osr_index) {
    for (size_t s = 0; s < result_.any_entry.size(); s++) {
      const SlotKind kind = st_.avs[*bs[s]].kind;
      if (!result_.any_entry[s] || (kind != SlotKind::Int && kind != SlotKind::Float)) continue;
      note(s).typed = true;
    }
  }

  // What must not change.
  auto check_kept = [&] {
    for (size_t s = 0; s < hs.size(); s++) {
      const AV& h = head->state.avs[*hs[s]];
      if (head->is_phi[s]) continue;
      AV b = st_.avs[*bs[s]];
      switch (h.kind) {
        case SlotKind::Null:
          if (b.kind == SlotKind::Null || (may_open(context, index, b) && peel())) break;
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
          if (may_open(context, index, b) && peel()) break;
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
            if (*bs[s] == *hs[s] && same_value(head->state, *hs[s], st_, *bs[s])) break;
            HeadFlags& f = note(s);
            (may_open(context, index, h) ? f.phi : f.force) = true;
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
        if (may_open(context, index, b) && peel()) break;
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
          if (peel()) break;
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
      case SlotKind::Virtual:
        break;  // its fields come behind
      case SlotKind::Null:
        PSYCO_CHECK(false);
    }
  }
  // Building a value here may have boxed one that the head keeps: it must be boxed before the loop.
  // Or it has built one that is to come round.
  if (!restart_) check_kept();
  for (size_t s : head->opened)
    if (!restart_) comes_round(s);
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
    if (h.kind == SlotKind::Virtual && head->is_phi[s]) continue;
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
