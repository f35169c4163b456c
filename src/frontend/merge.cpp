// Where ways meet. Loop heads and back edges are in loop_heads.cpp.
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
// all objects are constants: constants' identity is not kept through a phi. (A number that may be
// unbound cannot carry an object that has to be released: if that matters it becomes an object, and
// an edge that does not know whether it is bound parts in two.) A value without an
// object that slots shared on one edge and not on another is built on the first, so that `is` sees
// one object; names that are not read again, or are only calculated with, do not count.
#include "frontend/merge.h"

namespace psyco {

namespace {

// A number whose object the activation owns; the merged one is to carry it along.
bool owns_box(const AV& a) {
  const bool number = a.kind == SlotKind::Int || a.kind == SlotKind::Float;
  return number && carried_box(a) && a.box->owned();
}

}  // namespace

// By slot: it holds one value on all edges, and none of them has changed it or learnt of it since
// the ways parted. It stays as it is. (What a virtual object is made of may have changed.)
static std::vector<uint8_t> kept_slots(std::vector<Edge>& edges) {
  std::vector<std::vector<AVId*>> columns;
  for (Edge& edge : edges) columns.push_back(all_slots(edge.state));
  const AVTable& first = edges[0].state.avs;
  std::vector<uint8_t> kept(columns[0].size(), 1);
  for (size_t s = 0; s < kept.size(); s++) {
    const AVId id = *columns[0][s];
    for (size_t e = 1; e < edges.size(); e++)
      kept[s] &= *columns[e][s] == id && first.shares(edges[e].state.avs, id);
    if (kept[s] && first[id].kind == SlotKind::Virtual) kept[s] = 0;
  }
  return kept;
}

// An edge on which a number may be unbound becomes two where another edge brings an object for it.
void Builder::split_unbound(std::vector<Edge>& edges, const std::vector<Use>& uses) {
  const std::vector<uint8_t> kept = kept_slots(edges);
  std::vector<std::vector<AVId>> ids;  // by edge
  for (Edge& edge : edges) {
    ids.emplace_back();
    for (const AVId* slot : all_slots(edge.state)) ids.back().push_back(*slot);
  }
  for (size_t s = 0; s < uses.size(); s++) {
    if (kept[s]) continue;
    bool owned = false;
    for (size_t e = 0; e < edges.size(); e++) {
      const AV& a = edges[e].state.avs[ids[e][s]];
      owned |= owns_box(a) && uses[s] >= least_use(a);
    }
    for (size_t e = 0; owned && e < edges.size(); e++) {
      const AVId id = ids[e][s];
      const AV& a = edges[e].state.avs[id];
      if ((a.kind != SlotKind::Int && a.kind != SlotKind::Float) || a.not_null) continue;
      ids.push_back(ids[e]);
      Edge unbound, bound;
      enter(edges[e]);
      split(emit(Op::IsSame, {st_.avs[id].box, const_unbound()}), &unbound, &bound);
      unbound.state.avs.edit(id) = AV();
      bound.state.avs.edit(id).not_null = true;
      edges[e] = std::move(bound);
      edges.push_back(std::move(unbound));
    }
  }
}

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
  size_t n = edges.size();

  // Group the slots that do not stay. Values that are one on all edges keep their number.
  struct Group {
    std::vector<AVId> key;  // by edge
    AVId id;                // of the merged value
    Use use = Use::Value;
  };
  std::map<std::vector<AVId>, size_t> group_of;
  std::vector<Group> groups;
  const std::vector<Use> slot_uses = uses_from(edges[0].state, bci);
  std::vector<uint8_t> kept;      // by slot
  std::vector<int8_t> kept_uses;  // by abstract value: Use, -1: no slot has kept it
  State merged;
  auto group = [&](const std::vector<AVId>& key, Use use) {
    auto [it, fresh] = group_of.try_emplace(key, groups.size());
    if (fresh) {
      const bool one = std::count(key.begin(), key.end(), key[0]) == static_cast<ptrdiff_t>(n);
      groups.push_back({key, one ? key[0] : merged.add(AV{})});
    }
    Group& found = groups[it->second];
    found.use = std::max(found.use, use);
    return found.id;
  };
  auto regroup = [&] {
    group_of.clear();
    groups.clear();
    merged = edges[0].state;
    kept = kept_slots(edges);
    kept_uses.assign(merged.avs.size(), -1);
    std::vector<std::vector<AVId*>> columns;
    for (Edge& edge : edges) columns.push_back(all_slots(edge.state));
    std::vector<AVId*> out = all_slots(merged);
    std::vector<AVId> key(n);
    for (size_t s = 0; s < out.size(); s++) {
      if (kept[s]) {
        int8_t& use = kept_uses[*out[s]];
        use = std::max(use, static_cast<int8_t>(slot_uses[s]));
        continue;
      }
      for (size_t e = 0; e < n; e++) {
        PSYCO_CHECK(columns[e].size() == out.size());
        key[e] = *columns[e][s];
      }
      *out[s] = group(key, slot_uses[s]);
    }
  };

  enum Target { kSame, kNull, kInt, kFloat, kBool, kObject, kVirtual };
  auto at = [&](size_t e, AVId id) -> const AV& { return edges[e].state.avs[id]; };
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
    if (null)
      for (size_t e = 0; e < n; e++)
        if (owns_box(at(e, key[e])) && groups[group_of.at(key)].use >= least_use(at(e, key[e])))
          return kObject;
    if (virtuals == static_cast<int>(n)) {
      const AV& first = at(0, key[0]);
      bool alike = true;
      for (size_t e = 1; e < n; e++)
        alike &= same_shape(edges[0].state, first, edges[e].state, at(e, key[e]));
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
    split_unbound(edges, slot_uses);
    n = edges.size();
    regroup();
    for (size_t k = 0; k < groups.size(); k++) {
      const std::vector<AVId> key = groups[k].key;
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
          group(field_key, groups[k].use);
        }
      }
    }
    // One value in two groups: both names must go on meaning one object, so it is made now.
    for (size_t e = 0; e < n; e++) {
      std::map<AVId, Use> seen;
      for (const Group& each : groups) {
        const AVId id = each.key[e];
        auto [it, fresh] = seen.try_emplace(id, each.use);
        if (fresh && id != each.id && static_cast<size_t>(id) < kept_uses.size() &&
            kept_uses[id] >= 0) {
          it->second = static_cast<Use>(kept_uses[id]);
          fresh = false;
        }
        if (!fresh && has_identity(at(e, id), it->second, each.use)) {
          m.at(edges[e], [&] { return force(id); });
          changed = true;
        }
        it->second = std::max(it->second, each.use);
      }
    }
  }

  Block* join = graph_.new_block();
  join->bci = bci;
  std::vector<bool> stays(graph_.value_count);
  const std::vector<AVId*> slots = all_slots(merged);
  for (size_t s = 0; s < slots.size(); s++)
    if (const Value* value = kept[s] ? owned_by(merged.avs[*slots[s]]) : nullptr)
      stays[value->id] = true;
  std::vector<Claims> claims(n,
                             Claims{std::make_shared<const std::vector<bool>>(std::move(stays))});
  for (const Group& each : groups)
    if (target_of(each.key) == kSame)
      for (size_t e = 0; e < n; e++) m.claim_all(edges[e].state, each.key[e], claims[e]);

  for (const auto& [key, id, use] : groups) {
    Target target = target_of(key);
    AV out = at(0, key[0]);
    if (target != kSame) out.methods = {}, out.no_other_method = false;
    // Knowledge that holds on all edges; predictions survive merges.
    for (size_t e = 1; e < n; e++) {
      const AV& a = at(e, key[e]);
      if (a.type != out.type) out.type = nullptr;
      if (a.constant != out.constant) out.constant = nullptr;
      if (!out.example) out.example = a.example;
      if (!out.likely) out.likely = a.likely;
      out.nonnegative &= a.nonnegative;
      out.not_null &= a.not_null;
      if (a.object != at(0, key[0]).object) out.object = 0;
    }
    if (!out.object) out.object = graph_.new_object();
    switch (target) {
      case kSame:
      case kNull:
        break;
      case kVirtual:
        set_fields(out, [&](size_t f) {
          std::vector<AVId> field_key;
          for (size_t e = 0; e < n; e++) field_key.push_back(at(e, key[e]).fields[f]);
          return groups[group_of.at(field_key)].id;
        });
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
          out.box->flags |= ir::kNullable;
          if (owned) mark_owned(out.box);
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
        out.fields = {};
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
        if (owned) mark_owned(out.value);
        if (nullable) out.value->flags |= ir::kNullable;
        for (size_t e = 0; e < n; e++) {
          if (owned) m.own(edges[e], inputs[e], claims[e]);
          m.input(out.value, inputs[e]);
        }
        break;
      }
    }
    merged.avs.edit(id) = out;
  }
  for (size_t e = 0; e < n; e++) {
    m.release_unclaimed(edges[e], claims[e], kept);
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
    const_unbound_ = new_constant(Op::ConstObject, Rep::Object);
    const_unbound_->ptr = reinterpret_cast<const void*>(ir::kUnbound);
  }
  return const_unbound_;
}

}  // namespace psyco
