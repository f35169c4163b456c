// Which values are live at the ends of blocks: used later by an input or named by a later frame
// state.
#pragma once
#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace psyco::analysis {

// A set of small numbers.
class BitSet {
 public:
  BitSet() = default;
  explicit BitSet(size_t bits) : words_((bits + 63) / 64, 0) {}
  bool has(size_t i) const { return words_[i / 64] >> (i % 64) & 1; }
  void add(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  void drop(size_t i) { words_[i / 64] &= ~(uint64_t{1} << (i % 64)); }
  bool merge(const BitSet& other) {  // true if it grew
    bool grew = false;
    for (size_t i = 0; i < words_.size(); i++) {
      uint64_t word = words_[i] | other.words_[i];
      grew |= word != words_[i];
      words_[i] = word;
    }
    return grew;
  }
  template <class Visit>
  void each(Visit visit) const {
    for (size_t i = 0; i < words_.size(); i++)
      for (uint64_t word = words_[i]; word; word &= word - 1)
        visit(i * 64 + static_cast<size_t>(__builtin_ctzll(word)));
  }

 private:
  std::vector<uint64_t> words_;
};

class Liveness {
 public:
  // Only values for which `tracked` (indexed by value id) is true are followed; null follows all.
  explicit Liveness(const ir::Graph& graph, const std::vector<bool>* tracked = nullptr);
  // By block id. A phi is live in at its own block's start only through uses; its inputs are live
  // out of the predecessors.
  const BitSet& live_in(const ir::Block* block) const { return in_[block->id]; }
  const BitSet& live_out(const ir::Block* block) const { return out_[block->id]; }

 private:
  std::vector<BitSet> in_, out_;
};

// How often each value is used. Indexed by value id.
struct UseCounts {
  explicit UseCounts(const ir::Graph& graph);
  std::vector<uint32_t> inputs;  // as an input of a value
  std::vector<uint32_t> states;  // by frame states; a shared state counts once
};

// Calls visit(FrameState*) for every distinct state of the graph, callers included, in order of
// appearance.
template <class Visit>
void for_each_state(const ir::Graph& graph, Visit visit) {
  std::vector<bool> seen(graph.state_count, false);
  auto walk = [&](ir::FrameState* state) {
    for (; state && !seen[state->id]; state = state->caller) {
      seen[state->id] = true;
      visit(state);
    }
  };
  for (ir::Block* block : graph.blocks) {
    walk(block->entry_state);
    for (ir::Value* value : block->values) walk(value->state);
  }
}
// Calls visit(Slot&) for every slot of this one state (not its callers), fields of virtuals
// included.
template <class Visit>
void for_each_slot(ir::FrameState* state, Visit visit) {
  auto walk = [&](auto& self, ArenaVec<ir::Slot>& slots) -> void {
    for (ir::Slot& slot : slots) {
      visit(slot);
      if (slot.virt) self(self, slot.virt->fields);
    }
  };
  walk(walk, state->locals);
  walk(walk, state->stack);
}

}  // namespace psyco::analysis
