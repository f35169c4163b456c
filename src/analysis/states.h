// Walks over all frame states of a graph and their slots.
#pragma once
#include "ir/graph.h"

namespace psyco::analysis {

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
// Calls visit(Slot&) for the slots of this one state (not of its callers) that no call with this
// mark (Graph::new_mark) has visited, fields of virtuals included.
template <class Visit>
void for_each_new_slot(ir::FrameState* state, uint32_t mark, Visit visit) {
  auto walk = [&](auto& self, ir::Slot& slot) -> void {
    visit(slot);
    if (!slot.virt) return;
    for (ir::Slot& field : slot.virt->fields) self(self, field);
  };
  auto each = [&](ir::Slot& slot) { walk(walk, slot); };
  state->locals.visit_new(mark, each);
  state->stack.visit_new(mark, each);
}

}  // namespace psyco::analysis
