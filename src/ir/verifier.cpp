// What holds between any two passes, and why.
//
// V1  A block ends in its only terminator; predecessor and successor lists are each other's mirror;
// the
//     entry has no predecessor. Why: every walk over edges counts on it; phi inputs are matched by
//     position.
// V2  A phi has one input per predecessor, all of its representation. Why: edges become moves.
// V3  Inputs agree with the op's row in ops.def, a helper's with its row in helpers.def. Why:
// selection
//     picks register classes from it.
// V4  An input dominates its use; a phi's input dominates the end of its predecessor. Why: SSA.
// V5  Ops that may leave, raise or be seen have a state; no other op has one. Why: may_exit() asks
// for it. V6  A state is complete: a frame, a slot for each local, no more stack than the frame
// has, slot kinds that
//     fit the values, callers that say how a result continues, innermost frames that do not;
//     inlined frames name their function. Why: the exit writes all of it into interpreter frames.
// V7  Everything a state names dominates the op and is not its result. Why: the exit reads it.
// V8  Results have the representation of the table; only objects are owned or nullable; what
// allocates
//     gives an owned result. Why: the exit record says how to count each slot.
// V9  References balance. Along each path every owned value is taken up once and given up once:
// Release,
//     StoreObject, an 's' parameter, Return, the edge into an owned phi. At an exit each reference
//     the activation holds is named by the state (slot, box, field, drop), exactly one per value,
//     and each owned value named is held. Why: otherwise exits leak or free too early.
// V10 Nothing uses an owned value after it was given up. Why: it may be freed.
// V11 All edges into a block agree on the references held. Why: V9 could not hold behind it.
// V12 After UpdateFloatSlot or UpdateIntSlot nothing uses or names a borrowed object that was
//     loaded from the same heap class (of attributes: the same offset), unless it is proved to be
//     no number. Why: the object may have been changed in place, or freed.
// V13 One state makes each object once: it has one Virtual for an object, all its slots with the
//     number of an object agree, and no Virtual is part of itself. Why: `is`, and an exit builds
//     fields before what holds them.
//
// An owned load holds no reference yet: it is *pending* until its Retain, or until a StoreObject to
// the same address, whose old reference it then takes over.
#include "ir/verifier.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "ir/printer.h"

namespace psyco::ir {

bool needs_state(const Value& value) {
  switch (op_info(value.op).effects) {
    case Effects::Exits:
    case Effects::ReadsExits:
    case Effects::Allocates:
      return true;
    case Effects::Ref:
      return value.op == Op::Release || value.op == Op::ReleaseNullable;
    case Effects::Python: {
      if (value.op != Op::CallHelper) return true;
      const HelperInfo& helper = helper_info(value.helper);
      return helper.effects == HelperEffects::Python || helper.result == HelperResult::Owned ||
             helper.result == HelperResult::Status;
    }
    case Effects::Fixed:
      return value.op == Op::Poll || value.op == Op::CheckLeave;
    case Effects::Control:
      return value.op == Op::Deopt;
    case Effects::Pure:
    case Effects::Reads:
    case Effects::Writes:
      return false;
  }
  return false;
}

namespace {
// The letters of a helper's inputs ('O' is no input), 'A' repeats 'o'.
char helper_letter(Helper helper, size_t input) {
  for (const char* c = helper_info(helper).params; *c; c++) {
    if (*c == 'O') continue;
    if (*c == 'A') return 'o';
    if (input-- == 0) return *c;
  }
  return 0;
}
}  // namespace

bool takes_reference(const Value& value, size_t input) {
  switch (value.op) {
    case Op::Release:
    case Op::ReleaseNullable:
    case Op::ReleasePlain:
    case Op::ReleasePlainNullable:
    case Op::Return:
      return true;
    case Op::ReturnNumber:
    case Op::StoreObject:
      return input == 1;
    case Op::StoreObjectAt:
      return input == 2;
    case Op::CallHelper:
      return helper_letter(value.helper, input) == 's';
    default:
      return false;
  }
}

namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, VerifyLevel level, const KnownTypes* types)
      : graph_(graph), level_(level), types_(types) {}

  std::vector<std::string> run() {
    check_blocks();
    if (!errors_.empty()) return errors_;
    compute_order();
    for (const Block* block : graph_.blocks) {
      if (!reached(block)) continue;
      for (const Value* phi : block->phis) check_phi(*phi);
      for (const Value* value : block->values) check_value(*value);
      if (block->entry_state)
        check_state(block->entry_state, block, static_cast<uint32_t>(entry_position(*block)) + 1,
                    block->values[entry_position(*block)]);
    }
    if (!errors_.empty() || level_ == VerifyLevel::Structure) return errors_;
    check_ownership();
    check_in_place();
    return errors_;
  }

 private:
  void fail(const char* rule, const Value* value, const std::string& what) {
    if (errors_.size() >= 20) return;
    errors_.push_back(std::string(rule) + " " + (value ? describe(*value) : "") + ": " + what);
  }
  void fail(const char* rule, const Block* block, const std::string& what) {
    if (errors_.size() >= 20) return;
    errors_.push_back(std::string(rule) + " b" + std::to_string(block->id) + ": " + what);
  }
  static std::string name(const Value* value) {
    return value ? "v" + std::to_string(value->id) : "nothing";
  }

  // ---- V1
  void check_blocks() {
    if (graph_.blocks.empty()) {
      errors_.push_back("V1: no blocks");
      return;
    }
    if (!graph_.blocks[0]->preds.empty())
      fail("V1", graph_.blocks[0], "the entry has predecessors");
    std::vector<bool> listed(graph_.block_count, false);
    for (const Block* block : graph_.blocks) listed[block->id] = true;
    for (const Block* block : graph_.blocks) {
      const Value* end = block->terminator();
      if (!end || !is_terminator(*end)) {
        fail("V1", block, "does not end in a terminator");
        continue;
      }
      for (const Value* value : block->values) {
        if (value != end && is_terminator(*value)) fail("V1", value, "terminator inside a block");
        if (value->op == Op::Phi) fail("V1", value, "phi among the values");
        if (value->block != block) fail("V1", value, "its block is another one");
      }
      for (const Value* phi : block->phis)
        if (phi->op != Op::Phi || phi->block != block) fail("V1", phi, "misplaced among the phis");
      size_t succs = end->op == Op::Jump ? 1 : end->op == Op::Branch ? 2 : 0;
      if (block->succs.size() != succs)
        fail("V1", end, "has " + std::to_string(block->succs.size()) + " successors");
      for (const Block* succ : block->succs) {
        if (!listed[succ->id]) fail("V1", block, "successor is not in the graph");
        if (edges(block->succs, succ) != edges(succ->preds, block))
          fail("V1", block, "edge to b" + std::to_string(succ->id) + " is not mirrored");
      }
      for (const Block* pred : block->preds) {
        if (!listed[pred->id]) fail("V1", block, "predecessor is not in the graph");
        if (!edges(pred->succs, block))
          fail("V1", block, "edge from b" + std::to_string(pred->id) + " is not mirrored");
      }
    }
  }
  static int edges(const ArenaVec<Block*>& list, const Block* block) {
    int count = 0;
    for (const Block* other : list) count += other == block;
    return count;
  }

  // ---- order and dominance, independent of analysis/: a set of dominators per block
  void compute_order() {
    size_t n = graph_.block_count;
    reached_.assign(n, false);
    std::vector<const Block*> stack{graph_.blocks[0]};
    std::vector<size_t> next(n, 0);
    reached_[graph_.blocks[0]->id] = true;
    while (!stack.empty()) {
      const Block* block = stack.back();
      if (next[block->id] == block->succs.size()) {
        order_.push_back(block);
        stack.pop_back();
        continue;
      }
      const Block* succ = block->succs[next[block->id]++];
      if (reached_[succ->id]) continue;
      reached_[succ->id] = true;
      stack.push_back(succ);
    }
    for (size_t i = 0, j = order_.size(); i + 1 < j; i++) std::swap(order_[i], order_[--j]);
    size_t words = (n + 63) / 64;
    doms_.assign(n, std::vector<uint64_t>(words, ~uint64_t{0}));
    std::vector<uint64_t>& first = doms_[order_[0]->id];
    std::fill(first.begin(), first.end(), 0);
    first[order_[0]->id / 64] |= uint64_t{1} << (order_[0]->id % 64);
    for (bool changed = true; changed;) {
      changed = false;
      for (const Block* block : order_) {
        if (block == order_[0]) continue;
        std::vector<uint64_t> meet(words, ~uint64_t{0});
        for (const Block* pred : block->preds)
          if (reached_[pred->id])
            for (size_t w = 0; w < words; w++) meet[w] &= doms_[pred->id][w];
        meet[block->id / 64] |= uint64_t{1} << (block->id % 64);
        if (meet != doms_[block->id]) {
          doms_[block->id] = meet;
          changed = true;
        }
      }
    }
    position_.assign(graph_.value_count, 0);
    in_graph_.assign(graph_.value_count, false);
    for (const Block* block : graph_.blocks) {
      uint32_t position = 1;
      for (const Value* phi : block->phis) in_graph_[phi->id] = true;
      for (const Value* value : block->values) {
        position_[value->id] = position++;
        in_graph_[value->id] = true;
      }
    }
  }
  bool reached(const Block* block) const { return reached_[block->id]; }
  bool dominates(const Block* a, const Block* b) const {
    return doms_[b->id][a->id / 64] >> (a->id % 64) & 1;
  }
  // Is value there just before `position` of block?
  bool available(const Value* value, const Block* block, uint32_t position) const {
    if (!in_graph_[value->id]) return false;
    if (value->block == block) return position_[value->id] < position || value->op == Op::Phi;
    return dominates(value->block, block);
  }

  // Block::entry_state holds up to the first op that leaves a trace; entry values come before it.
  static size_t entry_position(const Block& block) {
    size_t i = 0;
    for (; i + 1 < block.values.size(); i++) {
      const Value& value = *block.values[i];
      Effects effects = op_info(value.op).effects;
      if (effects != Effects::Pure && effects != Effects::Reads && effects != Effects::Exits &&
          effects != Effects::ReadsExits && value.op != Op::Arg && value.op != Op::ArgNumber)
        break;
    }
    return i;
  }

  // ---- V2 to V8
  void check_phi(const Value& phi) {
    const Block* block = phi.block;
    if (phi.inputs.size() != block->preds.size()) {
      fail("V2", &phi, "inputs and predecessors differ in number");
      return;
    }
    if (phi.state) fail("V5", &phi, "has a state");
    for (size_t i = 0; i < phi.inputs.size(); i++) {
      const Value* input = phi.input(i);
      if (input->rep != phi.rep)
        fail("V2", &phi, "input " + name(input) + " has another representation");
      if (reached(block->preds[i]) && !available(input, block->preds[i], 0xffffffffu))
        fail("V4", &phi, "input " + name(input) + " does not dominate the edge");
    }
    check_flags(phi);
  }
  static bool fits(char letter, Rep rep) {
    switch (letter) {
      case 'o':
      case 's':
        return rep == Rep::Object;
      case 'i':
        return rep == Rep::I64;
      case 'd':
        return rep == Rep::F64;
      case 'b':
        return rep == Rep::Bool;
      case 'p':
        return rep == Rep::Ptr;
      default:
        return rep != Rep::None;
    }
  }
  void check_inputs(const Value& value) {
    const OpInfo& info = op_info(value.op);
    size_t count = value.inputs.size();
    if (value.op == Op::CallHelper) {
      bool rest = false;
      size_t wanted = 0;
      for (const char* c = helper_info(value.helper).params; *c; c++) {
        if (*c == 'A')
          rest = true;
        else if (*c != 'O')
          wanted++;
      }
      if (rest ? count < wanted : count != wanted) {
        fail("V3", &value, "wrong number of inputs");
        return;
      }
      for (size_t i = 0; i < count; i++)
        if (!fits(helper_letter(value.helper, i), value.input(i)->rep))
          fail("V3", &value, "input " + name(value.input(i)) + " has the wrong representation");
      return;
    }
    if (info.inputs[0] == '*') return;
    if (std::strlen(info.inputs) != count) {
      fail("V3", &value, "wrong number of inputs");
      return;
    }
    for (size_t i = 0; i < count; i++)
      if (!fits(info.inputs[i], value.input(i)->rep))
        fail("V3", &value, "input " + name(value.input(i)) + " has the wrong representation");
  }
  void check_flags(const Value& value) {
    if (value.rep != Rep::Object && (value.owned() || value.nullable()))
      fail("V8", &value, "owned or nullable, but no object");
  }
  void check_value(const Value& value) {
    check_inputs(value);
    for (const Value* input : value.inputs)
      if (!available(input, value.block, position_[value.id]))
        fail("V4", &value, "input " + name(input) + " does not dominate it");
    const OpInfo& info = op_info(value.op);
    if (!info.same && value.rep != info.result) fail("V8", &value, "wrong representation");
    check_flags(value);
    if (info.effects == Effects::Allocates && !value.owned()) fail("V8", &value, "must be owned");
    if (value.op == Op::CallHelper) check_helper_result(value);
    if (needs_state(value) && !value.state) fail("V5", &value, "has no state");
    if (!needs_state(value) && value.state) {
      bool harmless = value.op == Op::ReleasePlain || value.op == Op::ReleasePlainNullable ||
                      value.op == Op::CallHelper;
      if (!harmless) fail("V5", &value, "has a state but never leaves");
    }
    if (value.state) check_state(value.state, value.block, position_[value.id], &value);
  }
  void check_helper_result(const Value& value) {
    HelperResult result = helper_info(value.helper).result;
    Rep rep = Rep::None;
    switch (result) {
      case HelperResult::Owned:
      case HelperResult::Object:
      case HelperResult::Nullable:
        rep = Rep::Object;
        break;
      case HelperResult::Status:
      case HelperResult::I64:
        rep = Rep::I64;
        break;
      case HelperResult::F64:
        rep = Rep::F64;
        break;
      case HelperResult::Ptr:
        rep = Rep::Ptr;
        break;
      case HelperResult::Void:
        break;
    }
    if (value.rep != rep) fail("V8", &value, "wrong representation");
    if (value.owned() != (result == HelperResult::Owned))
      fail("V8", &value, "ownership differs from the helper's row");
  }

  void check_slot(const Slot& slot, const Value* at, const Block* block, uint32_t position) {
    auto need = [&](const Value* value, Rep rep) {
      if (!value) return fail("V6", at, "a slot has no value");
      if (value->rep != rep)
        fail("V6", at, "slot " + name(value) + " has the wrong representation");
      if (!available(value, block, position))
        fail("V7", at, "state names " + name(value) + ", which does not dominate it");
    };
    switch (slot.kind) {
      case SlotKind::Null:
        return;
      case SlotKind::Object:
        return need(slot.value, Rep::Object);
      case SlotKind::Int:
      case SlotKind::Float:
        need(slot.value, slot.kind == SlotKind::Int ? Rep::I64 : Rep::F64);
        if (slot.box) need(slot.box, Rep::Object);
        return;
      case SlotKind::Bool:
        return need(slot.value, Rep::Bool);
      case SlotKind::Virtual:
        if (!slot.virt) return fail("V6", at, "a virtual slot has no virtual");
        for (const Slot& field : slot.virt->fields) check_slot(field, at, block, position);
        return;
    }
  }
  // ---- V13
  struct Objects {
    std::map<uint32_t, const Slot*> numbers;
    std::map<uint32_t, const Virtual*> virtuals;
    std::map<const Virtual*, bool> done;  // false: its fields are being looked at
  };
  template <class List>
  bool check_objects(const List& slots, Objects& objects, const Value* at) {
    for (const Slot& slot : slots) {
      if (slot.object && (slot.kind == SlotKind::Int || slot.kind == SlotKind::Float)) {
        const Slot* other = objects.numbers.try_emplace(slot.object, &slot).first->second;
        if (slot.kind != other->kind || slot.value != other->value || slot.box != other->box)
          fail("V13", at, "slots differ that name object " + std::to_string(slot.object));
      }
      const Virtual* virt = slot.virt;
      if (!virt) continue;
      if (virt->object && objects.virtuals.try_emplace(virt->object, virt).first->second != virt)
        fail("V13", at, "object " + std::to_string(virt->object) + " is made twice");
      const auto [it, fresh] = objects.done.try_emplace(virt, false);
      if (!fresh && it->second) continue;
      if (!fresh) {
        fail("V13", at, "a virtual is part of itself");
        return false;
      }
      if (!check_objects(virt->fields, objects, at)) return false;
      objects.done[virt] = true;
    }
    return true;
  }
  void check_state(const FrameState* state, const Block* block, uint32_t position,
                   const Value* at) {
    Objects objects;
    for (const FrameState* s = state; s; s = s->caller)
      if (!check_objects(s->locals, objects, at) || !check_objects(s->stack, objects, at)) return;
    for (const FrameState* s = state; s; s = s->caller) {
      if (!s->frame) {
        fail("V6", at, "state without a frame");
        return;
      }
      if (s->locals.size() != static_cast<size_t>(s->frame->nlocals))
        fail("V6", at,
             "state has " + std::to_string(s->locals.size()) + " locals, the frame " +
                 std::to_string(s->frame->nlocals));
      if (s->stack.size() > static_cast<size_t>(s->frame->nstack))
        fail("V6", at, "state has too deep a stack");
      const bool innermost = s->cont == Continuation::None || s->cont == Continuation::Half;
      if ((s == state) != innermost)
        fail("V6", at, "continuation on the innermost frame, or none on a caller");
      if (s->caller && !s->function) fail("V6", at, "inlined frame without its function");
      if (s->function && !available(s->function, block, position))
        fail("V7", at, "state names " + name(s->function) + ", which does not dominate it");
      for (const Slot& slot : s->locals) check_slot(slot, at, block, position);
      for (const Slot& slot : s->stack) check_slot(slot, at, block, position);
      for (const Value* drop : s->drops) {
        if (!drop->owned()) fail("V6", at, "drops " + name(drop) + ", which is not owned");
        if (!available(drop, block, position))
          fail("V7", at, "state drops " + name(drop) + ", which does not dominate it");
      }
    }
  }

  // ---- V9 to V11
  static constexpr int8_t kGone = -1, kUnknown = -2;
  static bool counts(const Value* value) {
    // True and False are immortal, like the constants so flagged: their references are not counted.
    if (value->rep != Rep::Object || value->op == Op::ConstNull || value->op == Op::BoxBool)
      return false;
    return !(value->op == Op::ConstObject &&
             ((value->flags & kImmortal) || reinterpret_cast<uintptr_t>(value->ptr) <= kUnbound));
  }
  void take(std::vector<int8_t>& held, const Value* value, const Value* by, const char* how) {
    if (!counts(value)) return;
    int8_t& count = held[value->id];
    if (count <= 0) {
      fail("V9", by, std::string(how) + " a reference to " + name(value) + " that is not held");
      return;
    }
    if (--count == 0) count = kGone;
  }
  void check_exit(const std::vector<int8_t>& held, const FrameState* state, const Value* at) {
    std::vector<bool>& named = scratch_;
    named.assign(graph_.value_count, false);
    for_each_state_value(const_cast<FrameState*>(state), [&](Value* value) {
      if (named[value->id]) return;
      named[value->id] = true;
      if (value->owned() && held[value->id] <= 0)
        fail("V9", at, "state names owned " + name(value) + ", which is not held");
    });
    for (size_t id = 0; id < held.size(); id++) {
      if (held[id] <= 0) continue;
      std::string which = "v" + std::to_string(id);
      if (!named[id])
        fail("V9", at, "exit leaks " + which);
      else if (held[id] > 1)
        fail("V9", at, "exit holds two references to " + which);
      else if (!values_[id]->owned())
        fail("V9", at, "exit holds a reference to borrowed " + which);
    }
  }
  void check_ownership() {
    values_.assign(graph_.value_count, nullptr);
    for (const Block* block : graph_.blocks)
      for (const ArenaVec<Value*>* list : {&block->phis, &block->values})
        for (const Value* value : *list) values_[value->id] = value;
    std::vector<std::vector<int8_t>> in(graph_.block_count);
    in[order_[0]->id].assign(graph_.value_count, 0);
    for (const Block* block : order_) {
      std::vector<int8_t> held = in[block->id];
      if (held.empty()) continue;
      size_t entry = block->entry_state ? entry_position(*block) : 0;
      for (size_t i = 0; i < block->values.size(); i++) {
        if (block->entry_state && i == entry)
          check_exit(held, block->entry_state, block->values[i]);
        step(held, *block->values[i], i);
      }
      for (size_t i = 0; i < block->succs.size(); i++) {
        const Block* succ = block->succs[i];
        size_t nth = 0;  // which of several edges between the two blocks
        for (size_t k = 0; k < i; k++) nth += block->succs[k] == succ;
        for (size_t edge = 0; edge < succ->preds.size(); edge++)
          if (succ->preds[edge] == block && nth-- == 0) {
            cross(held, block, succ, edge, in[succ->id]);
            break;
          }
      }
    }
  }
  void cross(std::vector<int8_t> held, const Block* block, const Block* succ, size_t edge,
             std::vector<int8_t>& in) {
    for (const Value* phi : succ->phis)
      if (phi->owned()) take(held, phi->input(edge), phi, "takes");
    for (const Value* phi : succ->phis) {
      if (held[phi->id] > 0) fail("V9", phi, "its last reference leaks on the edge");
      held[phi->id] = phi->owned() ? 1 : 0;
    }
    if (in.empty()) {
      in = held;
      return;
    }
    for (size_t id = 0; id < held.size(); id++) {
      if (held[id] == in[id]) continue;
      if (held[id] > 0 || in[id] > 0) {
        // A value that is only defined on one of the paths is named by nobody behind the merge, so
        // the difference is real either way.
        fail("V11", block,
             "edge to b" + std::to_string(succ->id) + " holds v" + std::to_string(id) + " " +
                 std::to_string(held[id] > 0 ? held[id] : 0) + " times, another " +
                 std::to_string(in[id] > 0 ? in[id] : 0));
      }
      if (held[id] == kGone) in[id] = kGone;
    }
  }
  static bool is_object_load(const Value& value) {
    return value.op == Op::LoadObject || value.op == Op::LoadObjectAt;
  }
  void step(std::vector<int8_t>& held, const Value& value, size_t index) {
    for (const Value* input : value.inputs)
      if (input->owned() && held[input->id] == kGone && value.op != Op::Retain &&
          value.op != Op::RetainNullable)
        fail("V10", &value, "uses " + name(input) + ", which was given up");
    for (size_t i = 0; i < value.inputs.size(); i++)
      if (takes_reference(value, i)) take(held, value.input(i), &value, "gives up");
    if (value.op == Op::StoreObject || value.op == Op::StoreObjectAt)
      take_over_old(held, value, index);
    if (value.state) check_exit(held, value.state, &value);
    if (value.op == Op::Retain || value.op == Op::RetainNullable) {
      int8_t& count = held[value.input(0)->id];
      if (counts(value.input(0))) count = static_cast<int8_t>(count <= 0 ? 1 : count + 1);
    }
    if (value.op == Op::Return || value.op == Op::ReturnNumber)
      for (size_t id = 0; id < held.size(); id++)
        if (held[id] > 0) fail("V9", &value, "return leaks v" + std::to_string(id));
    if (value.rep != Rep::Object) return;
    if (held[value.id] > 0)
      fail("V9", &value, "its last reference leaks when it is computed again");
    held[value.id] = value.owned() && !is_object_load(value) ? 1 : 0;
  }
  // old = LoadObject p; StoreObject p, new: the slot's reference is now ours.
  void take_over_old(std::vector<int8_t>& held, const Value& store, size_t index) {
    const Block* block = store.block;
    for (size_t i = index; i-- > 0;) {
      const Value& load = *block->values[i];
      if (op_info(load.op).effects == Effects::Writes && load.heap == store.heap) return;
      if (!is_object_load(load) || !load.owned() || held[load.id] != 0) continue;
      bool same = load.imm == store.imm && load.input(0) == store.input(0) &&
                  (load.op == Op::LoadObjectAt) == (store.op == Op::StoreObjectAt) &&
                  (load.op == Op::LoadObject || load.input(1) == store.input(1));
      if (!same) continue;
      held[load.id] = 1;
      return;
    }
  }

  // ---- V12
  // source: where borrowed objects were loaded from, see check_in_place.
  bool proved_no_number(const Value* value, const Value* update,
                        const std::vector<uint32_t>& source) const {
    if (!types_) return false;
    if (value->op != Op::Phi) {
      if (is_object_load(*value) && types_->is_no_number(value->ptr)) return true;
      return has_guard(value, [&](const Value* guard) {
        return available(guard, update->block, position_[update->id]);
      });
    }
    // Whatever flows into the phi was proved where it was loaded.
    std::vector<const Value*> phis{value};
    for (size_t i = 0; i < phis.size(); i++)
      for (const Value* input : phis[i]->inputs) {
        if (!source[input->id]) continue;  // somebody else owns it, so it is not changed in place
        if (input->op == Op::Phi) {
          if (std::find(phis.begin(), phis.end(), input) == phis.end()) phis.push_back(input);
          continue;
        }
        if (is_object_load(*input) && types_->is_no_number(input->ptr)) continue;
        uint32_t at = position_[update->id];
        if (!has_guard(input, [&](const Value* guard) {
              return guard->block == input->block &&
                     (update->block != input->block || at < position_[input->id] ||
                      position_[guard->id] < at);
            }))
          return false;
      }
    return true;
  }
  template <class Accept>
  bool has_guard(const Value* value, Accept accept) const {
    for (const Block* block : order_)
      for (const Value* guard : block->values)
        if (guard->op == Op::GuardType && guard->imm == 1 && guard->input(0) == value &&
            types_->is_no_number(guard->ptr) && accept(guard))
          return true;
    return false;
  }
  static uint32_t written_classes(const Value& update) {
    if (update.heap == Heap::None || update.heap == Heap::Numbers) return ~0u;
    return 1u << static_cast<int>(update.heap);
  }
  // An attribute at another offset. The object there is held by that slot, so had the updated slot
  // held it too, its count would be above one and the update would not be in place.
  static bool other_attribute(const Value& loaded, const Value& update) {
    const Value* slot = update.input(0);
    return loaded.op == Op::LoadObject && loaded.heap == Heap::Attributes &&
           update.heap == Heap::Attributes && slot->op == Op::PtrAdd &&
           slot->input(1)->op == Op::ConstI64 && slot->input(1)->imm == 0 &&
           (slot->imm != loaded.imm ||
            is_global_table(*slot->input(0)) != is_global_table(*loaded.input(0)));
  }
  void check_in_place() {
    bool any = false;
    for (const Block* block : order_)
      for (const Value* value : block->values)
        any |= value->op == Op::UpdateFloatSlot || value->op == Op::UpdateIntSlot;
    if (!any) return;
    // Borrowed objects out of lists and attributes, also through phis.
    std::vector<uint32_t> source(graph_.value_count, 0);  // a set of heap classes
    for (bool changed = true; changed;) {
      changed = false;
      for (const Block* block : order_)
        for (const ArenaVec<Value*>* list : {&block->phis, &block->values})
          for (const Value* value : *list) {
            if (value->owned() || value->rep != Rep::Object) continue;
            uint32_t classes = source[value->id];
            if (is_object_load(*value) &&
                (value->heap == Heap::ListItems || value->heap == Heap::Attributes))
              classes |= 1u << static_cast<int>(value->heap);
            if (value->op == Op::Phi || value->op == Op::SelectObject)
              for (const Value* input : value->inputs) classes |= source[input->id];
            changed |= classes != source[value->id];
            source[value->id] = classes;
          }
    }
    // Backwards: which of them are used later.
    std::vector<std::vector<bool>> live(graph_.block_count,
                                        std::vector<bool>(graph_.value_count, false));
    for (bool changed = true, report = false; changed || !report;) {
      if (!changed) report = true;
      changed = false;
      for (size_t b = order_.size(); b-- > 0;) {
        const Block* block = order_[b];
        std::vector<bool> now(graph_.value_count, false);
        for (const Block* succ : block->succs) {
          for (size_t id = 0; id < now.size(); id++)
            if (live[succ->id][id]) now[id] = true;
          for (size_t edge = 0; edge < succ->preds.size(); edge++)
            if (succ->preds[edge] == block)
              for (const Value* phi : succ->phis)
                if (source[phi->input(edge)->id]) now[phi->input(edge)->id] = true;
        }
        for (size_t i = block->values.size(); i-- > 0;) {
          const Value* value = block->values[i];
          if (report && (value->op == Op::UpdateFloatSlot || value->op == Op::UpdateIntSlot))
            for (size_t id = 0; id < now.size(); id++)
              if (now[id] && (source[id] & written_classes(*value)) &&
                  !other_attribute(*values_[id], *value) &&
                  !proved_no_number(values_[id], value, source))
                fail("V12", value, "borrowed v" + std::to_string(id) + " is used afterwards");
          now[value->id] = false;
          for (const Value* input : value->inputs)
            if (source[input->id]) now[input->id] = true;
          if (value->state)
            for_each_state_value(value->state, [&](Value* use) {
              if (source[use->id]) now[use->id] = true;
            });
        }
        for (const Value* phi : block->phis) now[phi->id] = false;
        if (now != live[block->id]) {
          live[block->id] = now;
          changed = true;
        }
      }
      if (report) break;
    }
  }

  const Graph& graph_;
  VerifyLevel level_;
  const KnownTypes* types_;
  std::vector<std::string> errors_;
  std::vector<const Block*> order_;  // reverse post order
  std::vector<bool> reached_, in_graph_, scratch_;
  std::vector<std::vector<uint64_t>> doms_;
  std::vector<uint32_t> position_;
  std::vector<const Value*> values_;
};

}  // namespace

std::vector<std::string> verify(const Graph& graph, VerifyLevel level, const KnownTypes* types) {
  return Verifier(graph, level, types).run();
}

}  // namespace psyco::ir
