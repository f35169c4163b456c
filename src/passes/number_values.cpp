// Global value numbering: computes, guards and loads once what is known to be the same.
//
//     GuardType v1 type:float ! {...}        GuardType v1 type:float ! {...}
//     v2 = UnboxFloat v1                     v2 = UnboxFloat v1
//     GuardType v1 type:float ! {...}   =>
//     v3 = UnboxFloat v1
//     v4 = MulFloat v2, v3                   v4 = MulFloat v2, v2
//
// Needs dominators. Keeps edges. O(n), with a hash table that is never iterated.
//
// Every value has a class; two values of one class are the same bits whenever both are alive. Keys
// are made of classes, so facts carry over between congruent values. A value is *replaced* by an
// earlier one of its class only where that is harmless. Owned loads never are: each holds its own
// reference. They only join the class, which is enough for the guards, loads and unboxings behind
// them to disappear.
//
// Sound:
//  - an entry counts only where it dominates; a guard or exiting op that dominates has passed.
//  - loads: every cell (analysis/effects.h) has a version. Writes and Python code make new ones,
//  merges of
//    different versions and heads of loops that write the cell as well. Same address, same version:
//    same value.
//  - a store makes the load of its address known (not through narrower types).
//  - an update of a number's slot makes known what a load of the slot finds: an exact int or float
//    of that value, whichever object it is.
//  - types: ob_type never changes for immutable types (guards with imm 1); other type facts are
//  loads.
//  - unboxing reads memory, yet depends on the object only: a number can change in place only while
//  nobody
//    owns it but its slot, and then no value may name it afterwards (verifier, V12).
//  - Allocations, owned results and anything with a side effect are never merged.
//  - Float operands are not swapped: the NaN that comes out may depend on the order.
#include <cstring>

#include "analysis/dominators.h"
#include "analysis/effects.h"
#include "passes/pass.h"
#include "passes/rewrite.h"
#include "support/mutants.h"

namespace psyco::passes {

using analysis::CellMask;
using analysis::Cells;
using analysis::Dominators;
using analysis::Loop;
using analysis::Loops;
using analysis::Positions;
using ir::Block;
using ir::Cond;
using ir::Effects;
using ir::Graph;
using ir::Heap;
using ir::Op;
using ir::Rep;
using ir::Value;

namespace {

struct Key {
  Op op;
  Heap heap = Heap::None;
  Cond cond = Cond::Lt;
  uint8_t shift = 0;
  ir::Helper helper = ir::Helper{};
  uint32_t count = 0;       // inputs
  uint32_t inputs[6] = {};  // classes
  uint32_t version = 0;
  int64_t imm = 0;
  const void* ptr = nullptr;

  bool operator==(const Key& other) const {
    return op == other.op && heap == other.heap && cond == other.cond && shift == other.shift &&
           helper == other.helper && count == other.count && version == other.version &&
           imm == other.imm && ptr == other.ptr &&
           std::memcmp(inputs, other.inputs, sizeof inputs) == 0;
  }
  uint64_t hash() const {
    uint64_t h = static_cast<uint64_t>(op);
    auto mix = [&h](uint64_t item) {
      h = (h ^ item) * 0x9e3779b97f4a7c15u;
      h ^= h >> 29;
    };
    mix(static_cast<uint64_t>(heap) | static_cast<uint64_t>(cond) << 8 | uint64_t{shift} << 16 |
        static_cast<uint64_t>(helper) << 24);
    for (uint32_t i = 0; i < count; i++) mix(inputs[i]);
    mix(version);
    mix(static_cast<uint64_t>(imm));
    mix(reinterpret_cast<uintptr_t>(ptr));
    return h;
  }
};

class Numberer {
 public:
  Numberer(Graph& graph, PassContext& context)
      : graph_(graph),
        context_(context),
        doms_(graph),
        loops_(graph, doms_),
        positions_(graph),
        cells_(graph),
        replaced_(graph),
        class_(graph.value_count),
        exit_versions_(graph.block_count),
        done_(graph.block_count, false) {
    for (uint32_t i = 0; i < graph.value_count; i++) class_[i] = i;
    size_t size = 64;
    while (size < 2 * graph.value_count) size *= 2;
    buckets_.assign(size, kEnd);
    entries_.reserve(graph.value_count);
    loop_writes_.assign(graph.block_count, 0);
    for (const Loop* loop : loops_.inner_first())
      for (const Block* block : loop->blocks)
        for (const Value* value : block->values)
          loop_writes_[loop->head->id] |= cells_.writes(*value);
  }

  bool run() {
    for (Block* block : doms_.rpo()) {
      if (stopped_) break;
      enter(*block);
      for (Value* phi : block->phis) number_phi(phi);
      branch_facts(*block);
      for (size_t i = 0; i < block->values.size() && !stopped_; i++) {
        position_ = static_cast<uint32_t>(i + 1) - inserted_;
        number(block->values[i]);
        CellMask writes = cells_.writes(*block->values[i]);
        if (writes) {
          bump(writes);
          forward(*block->values[i]);
        }
        if (inserted_now_) {
          i++;
          inserted_++;
          inserted_now_ = false;
        }
      }
      inserted_ = 0;
      exit_versions_[block->id] = versions_;
      done_[block->id] = true;
    }
    bool changed = changed_ || !replaced_.empty();
    replaced_.apply();
    return changed;
  }

 private:
  static constexpr uint32_t kEnd = 0xffffffffu;
  struct Versions {
    uint32_t of[analysis::kCellCount] = {};
  };
  struct Entry {
    Key key;
    Value* value;  // a member of the class, or the guard
    Block* block;  // known behind this position
    uint32_t position;
    uint32_t next;
  };

  // ---- memory versions
  void bump(CellMask cells) {
    uint32_t fresh = next_version_++;
    for (CellMask rest = cells; rest; rest &= rest - 1) versions_.of[__builtin_ctzll(rest)] = fresh;
  }
  void enter(Block& block) {
    const Versions* first = nullptr;
    CellMask differ = 0;
    for (Block* pred : block.preds) {
      if (!doms_.reached(pred)) continue;
      if (!done_[pred->id]) {
        // A back edge: the loop's own writes. Anything else is an irreducible edge: all is lost.
        differ |= doms_.dominates(&block, pred) ? loop_writes_[block.id] : ~CellMask{0};
        continue;
      }
      const Versions& versions = exit_versions_[pred->id];
      if (!first) {
        first = &versions;
        continue;
      }
      for (int i = 0; i < analysis::kCellCount; i++)
        if (versions.of[i] != first->of[i]) differ |= CellMask{1} << i;
    }
    versions_ = first ? *first : Versions{};
    block_ = &block;
    if (differ) bump(differ);
  }

  // ---- the table
  bool reaches(const Entry& entry) const {
    if (mutants::chosen("rule", "reaches")) return true;
    if (entry.block == block_) return entry.position < position_;
    return doms_.dominates(entry.block, block_);
  }
  template <class Accept>
  const Entry* find(const Key& key, Accept accept) const {
    for (uint32_t i = buckets_[key.hash() & (buckets_.size() - 1)]; i != kEnd; i = entries_[i].next)
      if (entries_[i].key == key && reaches(entries_[i]) && accept(entries_[i]))
        return &entries_[i];
    return nullptr;
  }
  const Entry* find(const Key& key) const {
    return find(key, [](const Entry&) { return true; });
  }
  void insert(const Key& key, Value* value, Block* block, uint32_t position) {
    uint32_t& bucket = buckets_[key.hash() & (buckets_.size() - 1)];
    entries_.push_back({key, value, block, position, bucket});
    bucket = static_cast<uint32_t>(entries_.size()) - 1;
  }
  void insert(const Key& key, Value* value) { insert(key, value, block_, position_); }

  uint32_t class_of(const Value* value) const {
    return value->id < class_.size() ? class_[value->id] : value->id;
  }
  // False if the value cannot have a key.
  bool make_key(const Value& value, Key* key) const {
    if (value.inputs.size() > 6) return false;
    key->op = value.op;
    key->heap = value.heap;
    key->cond = value.cond;
    key->shift = value.shift;
    key->helper = value.helper;
    key->count = static_cast<uint32_t>(value.inputs.size());
    for (uint32_t i = 0; i < key->count; i++) key->inputs[i] = class_of(value.input(i));
    key->imm = value.imm;
    key->ptr = value.ptr;
    if (analysis::is_load(value)) key->ptr = nullptr;  // there it is a proved type
    switch (value.op) {
      case Op::AddInt:
      case Op::MulInt:
      case Op::AddIntUnchecked:
      case Op::MulIntUnchecked:
      case Op::AndInt:
      case Op::OrInt:
      case Op::XorInt:
      case Op::IsSame:
        if (key->inputs[0] > key->inputs[1]) std::swap(key->inputs[0], key->inputs[1]);
        break;
      case Op::CmpInt:
        if (key->inputs[0] > key->inputs[1]) {
          std::swap(key->inputs[0], key->inputs[1]);
          key->cond = ir::swap_operands(key->cond);
        }
        break;
      default:
        break;
    }
    CellMask reads = cells_.reads(value);
    if (reads & (reads - 1)) return false;  // unknown memory
    if (reads) key->version = versions_.of[__builtin_ctzll(reads)];
    return true;
  }
  static Key fact(Op op, uint32_t of, const void* ptr = nullptr) {
    Key key;
    key.op = op;
    key.count = 1;
    key.inputs[0] = of;
    key.ptr = ptr;
    return key;
  }
  // The exact immutable type of a class, known here. Keyed by an op that is never numbered.
  static constexpr Op kTypeFact = Op::Arg;
  const void* known_type(uint32_t of) const {
    const Entry* entry = find(fact(kTypeFact, of));
    return entry ? entry->value->ptr : nullptr;
  }

  // ---- one value
  bool spend() {
    if (!context_.spend_fuel()) stopped_ = true;
    return !stopped_;
  }
  void replace(Value* value, Value* by) {
    class_[value->id] = class_of(by);
    if (spend()) replaced_.replace(value, by);
  }
  void remove(Value* guard) {
    if (spend()) replaced_.remove(guard);
  }
  void to_bool(Value* value, bool truth) {
    if (!spend()) return;
    value->op = Op::ConstBool;
    value->imm = truth;
    value->ptr = nullptr;
    value->heap = Heap::None;
    value->cond = Cond::Lt;
    value->inputs.clear();
    changed_ = true;
  }

  void number_phi(Value* phi) {
    position_ = 0;
    for (const Block* pred : phi->block->preds)
      if (!done_[pred->id]) return;  // loop heads: nothing is assumed
    if (phi->inputs.empty()) return;
    uint32_t first = class_of(phi->input(0));
    for (const Value* input : phi->inputs)
      if (class_of(input) != first) return;
    class_[phi->id] = first;
  }

  void number(Value* value) {
    if (value->op == Op::Branch) return number_branch(value);
    if (analysis::is_guard(*value)) return number_guard(value);
    if (!may_merge(*value)) return;
    if (value->op == Op::IsSame && class_of(value->input(0)) == class_of(value->input(1)))
      return to_bool(value, true);
    if (value->op == Op::HasType) {
      if (const void* type = known_type(class_of(value->input(0))))
        return to_bool(value, type == value->ptr);
    }
    if (value->op == Op::IsNull && find(fact(Op::GuardNotNull, class_of(value->input(0)))))
      return to_bool(value, false);
    Key key;
    if (!make_key(*value, &key)) return;
    const Entry* any = find(key);
    if (any) class_[value->id] = class_of(any->value);
    if (analysis::is_object_load(*value)) number_in_slot(key, class_of(value));
    annotate(value);
    if (value->owned()) {
      if (!any) insert(key, value);
      return;
    }
    const Entry* leader = find(key, [&](const Entry& entry) { return may_replace(value, entry); });
    if (leader) return replace(value, leader->value);
    insert(key, value);
  }

  static bool may_merge(const Value& value) {
    switch (ir::op_info(value.op).effects) {
      case Effects::Pure:
      case Effects::Exits:
      case Effects::Reads:
      case Effects::ReadsExits:
        return true;
      case Effects::Python:
        return value.op == Op::CallHelper && value.rep != Rep::Object && value.rep != Rep::None &&
               ir::helper_info(value.helper).effects == ir::HelperEffects::Pure;
      case Effects::Writes:
      case Effects::Allocates:
      case Effects::Ref:
      case Effects::Control:
      case Effects::Fixed:
        return false;
    }
    return false;
  }
  bool may_replace(const Value* value, const Entry& entry) const {
    const Value* by = entry.value;
    if (by->rep != value->rep) return false;
    if (value->rep != Rep::Object || mutants::chosen("rule", "may_replace")) return true;
    if (by->owned() || (by->nullable() && !value->nullable())) return false;
    // A stored object is protected by its own owner, not by the slot it was stored to.
    if (analysis::is_object_load(*value) && !analysis::is_object_load(*by))
      return by->op == Op::ConstObject || by->op == Op::ConstNull;
    if (analysis::is_object_load(*value) && by->heap != value->heap) return false;
    return true;
  }
  // The proved type of a loaded object, for passes that see only this value.
  void annotate(Value* value) {
    if (!analysis::is_object_load(*value) || value->ptr) return;
    if (const void* type = known_type(class_of(value))) value->ptr = type;
  }

  void type_fact(uint32_t of, Value* guard, Block* block, uint32_t position) {
    insert(fact(kTypeFact, of), guard, block, position);
  }
  void number_guard(Value* guard) {
    const Value* input = guard->input(0);
    uint32_t of = class_of(input);
    Key key;
    if (!make_key(*guard, &key)) return;
    if (guard->op == Op::GuardType) {
      if (guard->imm == 1 && known_type(of) == guard->ptr) return remove(guard);
      if (guard->imm == 1 && analysis::is_object_load(*input) && input->ptr == guard->ptr)
        return remove(guard);
      key.heap = Heap::None;
    } else if (guard->op == Op::CheckIndex || guard->op == Op::GuardIs) {
      // as they are
    } else {
      key = fact(guard->op, of);
    }
    if (find(key)) return remove(guard);
    if ((guard->op == Op::GuardTrue || guard->op == Op::GuardFalse) &&
        known_truth(input) == (guard->op == Op::GuardTrue ? 1 : 0))
      return remove(guard);
    insert(key, guard);
    if (guard->op == Op::GuardType && guard->imm == 1) type_fact(of, guard, block_, position_);
    if (guard->op == Op::GuardTrue || guard->op == Op::GuardFalse)
      implied(input, guard->op == Op::GuardTrue, block_, position_);
  }

  // 1 true, 0 false, -1 unknown.
  int known_truth(const Value* condition) const {
    uint32_t of = class_of(condition);
    if (find(fact(Op::GuardTrue, of))) return 1;
    if (find(fact(Op::GuardFalse, of))) return 0;
    if (condition->op != Op::CmpInt) return -1;
    Key key;
    if (!make_key(*condition, &key)) return -1;
    key.cond = ir::negate(key.cond);
    const Entry* opposite = find(key);
    if (!opposite) return -1;
    if (find(fact(Op::GuardTrue, class_of(opposite->value)))) return 0;
    if (find(fact(Op::GuardFalse, class_of(opposite->value)))) return 1;
    return -1;
  }
  // What else follows from the truth of a condition.
  void implied(const Value* condition, bool truth, Block* block, uint32_t position) {
    Value* c = const_cast<Value*>(condition);
    if (c->op == Op::HasType && truth && c->imm == 1)
      type_fact(class_of(c->input(0)), c, block, position);
    if (c->op == Op::IsNull && !truth)
      insert(fact(Op::GuardNotNull, class_of(c->input(0))), c, block, position);
    if (c->op == Op::IsNull && truth)
      insert(fact(Op::GuardNull, class_of(c->input(0))), c, block, position);
    if (c->op == Op::NotBool) {
      insert(fact(truth ? Op::GuardFalse : Op::GuardTrue, class_of(c->input(0))), c, block,
             position);
      implied(c->input(0), !truth, block, position);
    }
  }
  void branch_facts(Block& block) {
    if (block.preds.size() != 1) return;
    const Block* pred = block.preds[0];
    Value* end = pred->terminator();
    if (end->op != Op::Branch || pred->succs[0] == pred->succs[1]) return;
    bool truth = pred->succs[0] == &block;
    Value* condition = end->input(0);
    insert(fact(truth ? Op::GuardTrue : Op::GuardFalse, class_of(condition)), condition, &block, 0);
    implied(condition, truth, &block, 0);
  }
  void number_branch(Value* branch) {
    if (analysis::is_constant(*branch->input(0))) return;
    int truth = known_truth(branch->input(0));
    if (truth < 0 || !spend()) return;
    Value* constant = graph_.new_value(Op::ConstBool, Rep::Bool);
    constant->imm = truth;
    graph_.insert_before(branch, constant);
    branch->inputs[0] = constant;
    changed_ = inserted_now_ = true;
  }

  // The slot that was loaded may hold a number put there by an update: then all is known of it.
  void number_in_slot(Key key, uint32_t loaded) {
    for (Op op : {Op::UpdateIntSlot, Op::UpdateFloatSlot}) {
      key.op = op;
      const Entry* update = find(key);
      if (!update) continue;
      Value* number = update->value;
      const bool is_int = op == Op::UpdateIntSlot;
      Value* type = graph_.new_value(Op::GuardType, Rep::None);  // stands for the fact, in no block
      type->ptr = is_int ? context_.types().int_type : context_.types().float_type;
      if (!type->ptr) return;
      type_fact(loaded, type, block_, position_);
      insert(fact(Op::GuardNotNull, loaded), type);
      Key unboxed = fact(is_int ? Op::UnboxInt : Op::UnboxFloat, loaded);
      unboxed.heap = Heap::Numbers;
      insert(unboxed, number);
      return;
    }
  }
  // Keyed like the load of the slot, but for the op.
  void forward_update(const Value& update) {
    const Value* slot = update.input(0);
    if (slot->op != Op::PtrAdd || slot->shift != 3 || update.heap == Heap::None) return;
    CellMask reads = cells_.writes(update) & ~Cells::cell(Heap::Numbers);
    if (update.heap == Heap::Attributes) reads &= ~Cells::cell(Heap::Attributes);
    if (!reads || (reads & (reads - 1))) return;
    const Value* index = slot->input(1);
    const bool fixed = index->op == Op::ConstI64;
    Key key;
    key.op = update.op;
    key.heap = update.heap;
    key.imm = slot->imm + update.imm + (fixed ? index->imm * 8 : 0);
    key.count = fixed ? 1 : 2;
    key.inputs[0] = class_of(slot->input(0));
    if (!fixed) key.inputs[1] = class_of(index);
    key.version = versions_.of[__builtin_ctzll(reads)];
    insert(key, update.inputs.back());
  }

  // The load that would read back what was just stored.
  void forward(const Value& store) {
    if (analysis::is_update(store)) return forward_update(store);
    Key key;
    Value* stored = nullptr;
    switch (store.op) {
      case Op::StoreObject:
        key.op = Op::LoadObject;
        break;
      case Op::StoreObjectAt:
        key.op = Op::LoadObjectAt;
        break;
      case Op::StoreI64:
        key.op = Op::LoadI64;
        break;
      case Op::StoreI64At:
        key.op = Op::LoadI64At;
        break;
      case Op::StoreF64:
        key.op = Op::LoadF64;
        break;
      case Op::StoreF64At:
        key.op = Op::LoadF64At;
        break;
      default:
        return;
    }
    stored = store.inputs.back();
    CellMask reads = cells_.writes(store);
    if (store.heap == Heap::None) return;
    if (store.heap == Heap::Attributes) reads &= ~Cells::cell(Heap::Attributes);
    if (!reads || (reads & (reads - 1))) return;
    key.heap = store.heap;
    key.imm = store.imm;
    key.count = static_cast<uint32_t>(store.inputs.size()) - 1;
    for (uint32_t i = 0; i < key.count; i++) key.inputs[i] = class_of(store.input(i));
    key.version = versions_.of[__builtin_ctzll(reads)];
    insert(key, stored);
  }

  Graph& graph_;
  PassContext& context_;
  Dominators doms_;
  Loops loops_;
  Positions positions_;
  Cells cells_;
  Replacements replaced_;
  std::vector<uint32_t> class_;
  std::vector<Versions> exit_versions_;
  std::vector<bool> done_;
  std::vector<CellMask> loop_writes_;
  std::vector<uint32_t> buckets_;
  std::vector<Entry> entries_;
  Versions versions_;
  uint32_t next_version_ = 1;
  Block* block_ = nullptr;
  uint32_t position_ = 0, inserted_ = 0;
  bool stopped_ = false, changed_ = false, inserted_now_ = false;
};

}  // namespace

bool number_values(Graph& graph, PassContext& context) { return Numberer(graph, context).run(); }

}  // namespace psyco::passes
