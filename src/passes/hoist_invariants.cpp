// Moves what does not change out of loops, guards included.
//
//     b1: entry @8{...}                      b1: entry @8{...}
//       Jump b2                                GuardType v1 type:list hoisted ! @8{...}
//     b2: loop                        =>       v2 = LoadI64 v1 #16 heap=ListShape
//       GuardType v1 type:list ! @12{...}      Jump b2
//       v2 = LoadI64 v1 #16 ...              b2: loop
//
// Needs dominators and loops; splits an edge where a loop has no preheader. Inner loops first, so
// that what is invariant in several travels outwards step by step. O(values of loops x depth).
//
// Sound:
//  - Exits. A hoisted guard leaves with the state of the preheader: Block::entry_state there, or
//  the state of a
//    Poll that is the first thing the loop head does, with the head's phis replaced by what the
//    preheader brings. It is put where that state holds, before the preheader takes or gives up any
//    reference. Leaving early is always correct: the interpreter runs the loop. To leave rarely
//    without need, only what is certain to run in an iteration that comes round is hoisted: blocks
//    that dominate all latches.
//  - Pure ops cannot fault and go out from anywhere.
//  - Loads go out if nothing in the loop writes their cell (Python code writes all but the
//  immutable ones) and
//    only together with what protects them. A guard or branch that stays in the loop *taints* what
//    it tests. Type taint (type, null and identity tests, flags of instances) keeps in the loop
//    whatever dereferences the object. Bounds taint (index checks, comparisons) keeps in the loop
//    what goes through an index or a raw pointer. Fields of an object whose type is known are
//    always readable.
//  - An owned load stays, since it carries the loop's reference; a borrowed copy goes out, and what
//  inspects
//    the object goes out on the copy. The copy is alive while the loop runs: nothing writes its
//    slot.
//  - In-place updates write only slots that hold numbers. A loaded object that the hoisted guard
//  behind it proves
//    to be no number therefore does not change under them.
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
using ir::Block;
using ir::Effects;
using ir::FrameState;
using ir::Graph;
using ir::Heap;
using ir::Op;
using ir::Rep;
using ir::Value;

namespace {

// Changes nothing that a frame state would show: may stand before an exit with an earlier state.
bool leaves_no_trace(const Value& value) {
  if (mutants::chosen("rule", "leaves_no_trace")) return true;
  if (value.op == Op::Arg || value.op == Op::ArgNumber) return true;
  switch (ir::op_info(value.op).effects) {
    case Effects::Pure:
    case Effects::Exits:
    case Effects::Reads:
    case Effects::ReadsExits:
      return true;
    default:
      return value.op == Op::Poll || value.op == Op::CheckLeave;
  }
}

class Hoister {
 public:
  Hoister(Graph& graph, PassContext& context, const Dominators& doms, const Loops& loops)
      : graph_(graph), context_(context), doms_(doms), loops_(loops), cells_(graph) {
    grow();
  }

  bool run() {
    for (Loop* loop : loops_.inner_first()) {
      if (!loop->preheader) continue;
      hoist(*loop);
      if (stopped_) break;
    }
    return changed_;
  }

 private:
  void grow() {
    early_.resize(graph_.value_count, 0);
    copy_.resize(graph_.value_count, nullptr);
    type_taint_.resize(graph_.value_count, 0);
    bounds_taint_.resize(graph_.value_count, 0);
  }

  void hoist(Loop& loop) {
    loop_ = &loop;
    serial_++;
    preheader_ = loop.preheader;
    writes_ = other_writes_ = 0;
    for (const Block* block : loop.blocks)
      for (const Value* value : block->values) {
        CellMask writes = cells_.writes(*value);
        writes_ |= writes;
        if (!analysis::is_update(*value)) other_writes_ |= writes;
      }
    find_way_out();
    for (size_t i = 0; i < at_; i++) early_[preheader_->values[i]->id] = serial_;
    std::vector<Value*> kept;
    for (Block* block : loop.blocks) {
      bool certain = true;
      for (const Block* latch : loop.latches) certain &= doms_.dominates(block, latch);
      kept.clear();
      bool moved = false;
      for (Value* value : block->values) {
        if (!stopped_ && consider(value, certain)) {
          moved = true;
          continue;
        }
        kept.push_back(value);
        taint(value);
      }
      if (!moved) continue;
      block->values.truncate(kept.size());
      for (size_t i = 0; i < kept.size(); i++) block->values[i] = kept[i];
    }
    for (Value* owned : copied_) copy_[owned->id] = nullptr;
    copied_.clear();
  }

  // Where in the preheader hoisted exits go, and with which state.
  void find_way_out() {
    state_ = nullptr;
    ArenaVec<Value*>& values = preheader_->values;
    size_t first = 0;
    while (first + 1 < values.size() && leaves_no_trace(*values[first])) first++;
    at_ = first;
    if (preheader_->entry_state) {
      state_ = preheader_->entry_state;
      return;
    }
    // Behind the last effect, except for references taken for the loop's phis.
    size_t last = values.size() - 1;
    while (last > 0 &&
           (leaves_no_trace(*values[last - 1]) || analysis::is_retain(*values[last - 1])))
      last--;
    while (last + 1 < values.size() && leaves_no_trace(*values[last])) last++;
    at_ = last;
    for (size_t i = at_; i + 1 < values.size(); i++)
      if (analysis::is_retain(*values[i]) && !feeds_phi(values[i]->input(0))) return;
    for (const Value* value : loop_->head->values) {
      if (value->op == Op::Poll) {
        state_ = state_at_entry(value->state);
        return;
      }
      if (!leaves_no_trace(*value) || analysis::is_guard(*value)) return;
    }
  }
  size_t entry_edge() const {
    const ArenaVec<Block*>& preds = loop_->head->preds;
    size_t edge = 0;
    while (preds[edge] != preheader_) edge++;
    return edge;
  }
  bool feeds_phi(const Value* value) const {
    size_t edge = entry_edge();
    for (const Value* phi : loop_->head->phis)
      if (phi->input(edge) == value) return true;
    return false;
  }
  FrameState* state_at_entry(FrameState* poll) {
    size_t edge = entry_edge();
    bool usable = true;
    std::vector<bool> before(graph_.value_count, false);
    for (size_t i = 0; i < at_; i++) before[preheader_->values[i]->id] = true;
    FrameState* state = clone_state(graph_, poll, [&](Value* value) {
      if (value->op == Op::Phi && value->block == loop_->head) value = value->input(edge);
      bool there = value->block == preheader_ ? value->op == Op::Phi || before[value->id]
                                              : doms_.dominates(value->block, preheader_);
      usable &= there;
      return value;
    });
    return usable ? state : nullptr;
  }

  // What an input is outside the loop, or null if it changes.
  Value* outside(Value* input) {
    if (copy_[input->id]) return copy_[input->id];
    if (loops_.contains(loop_, input->block)) return nullptr;
    if (input->block != preheader_ || input->op == Op::Phi) return input;
    return early_[input->id] == serial_ ? input : nullptr;
  }
  bool invariant(const Value& value) {
    for (Value* input : value.inputs)
      if (!outside(input)) return false;
    return true;
  }

  // ---- taint
  void mark(std::vector<uint32_t>& taint, Value* value) {
    taint[value->id] = serial_;
    if (copy_[value->id]) taint[copy_[value->id]->id] = serial_;
  }
  void taint(Value* value) {
    switch (value->op) {
      case Op::GuardIs:
        mark(type_taint_, value->inputs[0]);
        taint_holder(value->inputs[0]);
        return;
      case Op::GuardType:
      case Op::GuardNotNull:
      case Op::GuardNull:
        mark(type_taint_, value->inputs[0]);
        return;
      case Op::CheckIndex:
        mark(bounds_taint_, value->inputs[0]);
        mark(bounds_taint_, value->inputs[1]);
        return;
      case Op::GuardTrue:
      case Op::GuardFalse:
      case Op::Branch:
        taint_condition(value->inputs[0], 4);
        return;
      default:
        return;
    }
  }
  // Which object is in a field that says what its holder is (the code of a function) decides what
  // else may be read of the holder (the cells of its closure).
  void taint_holder(const Value* field) {
    if (!analysis::is_object_load(*field)) return;
    if (field->heap == Heap::Constant || field->heap == Heap::Other)
      mark(type_taint_, field->inputs[0]);
  }
  // All that a condition of this loop may be about. Values from before the loop are facts already.
  void taint_condition(Value* value, int depth) {
    mark(bounds_taint_, value);
    if (value->rep == Rep::Object) mark(type_taint_, value);
    bool ours = loops_.contains(loop_, value->block) || early_[value->id] == serial_;
    if (!ours || value->op == Op::Phi) return;
    if (analysis::is_load(*value)) {
      bool sizes = value->heap == Heap::ListShape || value->heap == Heap::BytesShape ||
                   value->heap == Heap::Constant || value->heap == Heap::TupleItems;
      for (Value* input : value->inputs) mark(sizes ? bounds_taint_ : type_taint_, input);
      return;
    }
    if (depth == 0) {
      everything_tainted_ = serial_;
      return;
    }
    for (Value* input : value->inputs) taint_condition(input, depth - 1);
  }
  // May this op, which dereferences its first input, run before the loop's tests?
  bool protected_outside(const Value& value) {
    if (mutants::chosen("rule", "protected_outside")) return true;
    if (everything_tainted_ == serial_) return false;
    bool indexed = value.inputs.size() > 1 || value.input(0)->rep == Rep::Ptr;
    for (const Value* input : value.inputs)
      if (!clean(input, indexed, 4)) return false;
    return true;
  }
  bool clean(const Value* value, bool indexed, int depth) {
    if (type_taint_[value->id] == serial_) return false;
    if (indexed && bounds_taint_[value->id] == serial_) return false;
    bool address = analysis::is_load(*value) || value->op == Op::PtrAdd ||
                   ir::op_info(value->op).effects == Effects::Pure;
    if (!address || value->inputs.empty()) return true;
    if (depth == 0) return false;
    for (const Value* input : value->inputs)
      if (!clean(input, indexed, depth - 1)) return false;
    return true;
  }

  // ---- one value; true if it left its block
  bool consider(Value* value, bool certain) {
    if (ir::is_terminator(*value) || !invariant(*value)) return false;
    switch (ir::op_info(value->op).effects) {
      case Effects::Pure:
        // CallC and the like included: no memory, no fault.
        return move(value);
      case Effects::Exits:
        if (!certain || !state_) return false;
        if ((value->op == Op::GuardType || value->op == Op::HasType) && !readable(*value))
          return false;
        return move(value);
      case Effects::ReadsExits:
        return certain && state_ && readable(*value) && move(value);
      case Effects::Reads:
        if (!certain) return false;
        if (analysis::is_object_load(*value) && value->owned()) {
          copy_owned(value);
          return false;
        }
        if (!readable(*value)) return hoist_with_guard(value);
        return move(value);
      default:
        return false;
    }
  }
  bool readable(const Value& value) {
    if (mutants::chosen("rule", "readable")) return protected_outside(value);
    return !(cells_.reads(value) & writes_) && protected_outside(value);
  }

  bool move(Value* value) {
    if (!context_.spend_fuel()) {
      stopped_ = true;
      return false;
    }
    Value* object = value->inputs.empty() ? nullptr : value->input(0);
    for (Value*& input : value->inputs) input = outside(input);
    if (value->state) {
      value->state = state_;
      value->flags |= ir::kHoisted;
    }
    // The owned load it was about stays behind this guard.
    if (value->op == Op::GuardType && value->imm == 1 && copy_[object->id])
      object->ptr = value->ptr;
    const void* type = analysis::is_object_load(*value) ? value->ptr : nullptr;
    if (type) value->ptr = nullptr;
    place(value);
    if (type) guard_again(value, type);
    return true;
  }
  // A load was proved to have this type where it stood; here it must be proved again.
  void guard_again(Value* load, const void* type) {
    if (state_)
      place_guard(type, load);
    else
      mark(type_taint_, load);
  }
  void place(Value* value) {
    insert_at(graph_, preheader_, at_++, value);
    early_[value->id] = serial_;
    changed_ = true;
  }

  // The guard behind a load that makes it safe from in-place updates.
  Value* number_free_guard(Value* load) {
    if (!state_ || (cells_.reads(*load) & other_writes_) || !protected_outside(*load))
      return nullptr;
    bool behind = false;
    for (Value* value : load->block->values) {
      if (value == load) behind = true;
      if (behind && value->op == Op::GuardType && value->input(0) == load && value->imm == 1 &&
          context_.types().is_no_number(value->ptr))
        return value;
    }
    return nullptr;
  }
  bool safe_by_type(const Value& load) {
    if (mutants::chosen("rule", "safe_by_type")) return protected_outside(load);
    return context_.types().is_no_number(load.ptr) && !(cells_.reads(load) & other_writes_) &&
           protected_outside(load);
  }
  // A guard on what is loaded in the preheader; the one in the loop becomes redundant.
  void place_guard(const void* type, Value* object) {
    if (mutants::chosen("rule", "place_guard")) return;
    Value* guard = graph_.new_value(Op::GuardType, Rep::None);
    grow();
    guard->inputs.push_back(graph_.arena, object);
    guard->ptr = type;
    guard->imm = 1;
    guard->reason = ir::Reason::TypeSeen;
    guard->bci = object->bci;
    guard->state = state_;
    guard->flags = ir::kHoisted;
    place(guard);
  }
  bool hoist_with_guard(Value* load) {
    if (!analysis::is_object_load(*load)) return false;
    if (safe_by_type(*load)) return move(load);
    Value* guard = number_free_guard(load);
    if (!guard || !move(load)) return false;
    place_guard(guard->ptr, load);
    return true;
  }
  void copy_owned(Value* load) {
    Value* guard = nullptr;
    if (!readable(*load) && !safe_by_type(*load)) {
      guard = number_free_guard(load);
      if (!guard) return;
    }
    if (!context_.spend_fuel()) {
      stopped_ = true;
      return;
    }
    Value* copy = graph_.new_value(load->op, Rep::Object);
    grow();
    for (Value* input : load->inputs) copy->inputs.push_back(graph_.arena, outside(input));
    copy->imm = load->imm;
    copy->heap = load->heap;
    copy->bci = load->bci;
    copy->flags = static_cast<uint8_t>((load->flags & ir::kNullable) | ir::kHoisted);
    place(copy);
    copy_[load->id] = copy;
    copied_.push_back(load);
    if (guard) load->ptr = guard->ptr;
    if (load->ptr) guard_again(copy, load->ptr);
  }

  Graph& graph_;
  PassContext& context_;
  const Dominators& doms_;
  const Loops& loops_;
  Cells cells_;
  Loop* loop_ = nullptr;
  Block* preheader_ = nullptr;
  FrameState* state_ = nullptr;
  size_t at_ = 0;
  uint32_t serial_ = 0, everything_tainted_ = 0;
  CellMask writes_ = 0, other_writes_ = 0;
  std::vector<uint32_t> early_;  // serial of the loop in whose preheader it stands before at_
  std::vector<uint32_t> type_taint_, bounds_taint_;
  std::vector<Value*> copy_;  // borrowed copy of an owned load of this loop
  std::vector<Value*> copied_;
  bool stopped_ = false, changed_ = false;
};

bool make_preheaders(Graph& graph) {
  Dominators doms(graph);
  Loops loops(graph, doms);
  bool changed = false;
  for (const Loop* loop : loops.inner_first()) {
    if (loop->preheader || !loop->entry) continue;
    size_t edge = 0;
    while (loop->entry->succs[edge] != loop->head) edge++;
    split_edge(graph, loop->entry, edge);
    changed = true;
  }
  return changed;
}

}  // namespace

bool hoist_invariants(Graph& graph, PassContext& context) {
  bool changed = make_preheaders(graph);
  Dominators doms(graph);
  Loops loops(graph, doms);
  changed |= Hoister(graph, context, doms, loops).run();
  if (changed) analysis::update_loop_depths(graph);
  return changed;
}

}  // namespace psyco::passes
