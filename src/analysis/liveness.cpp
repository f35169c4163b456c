#include "analysis/liveness.h"

namespace psyco::analysis {

using ir::Block;
using ir::FrameState;
using ir::Graph;
using ir::Op;
using ir::Slot;
using ir::Value;

Liveness::Liveness(const Graph& graph, const std::vector<bool>* tracked)
    : in_(graph.block_count, BitSet(graph.value_count)),
      out_(graph.block_count, BitSet(graph.value_count)) {
  auto follow = [&](const Value* value) { return !tracked || (*tracked)[value->id]; };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = graph.blocks.size(); i-- > 0;) {
      const Block* block = graph.blocks[i];
      BitSet& out = out_[block->id];
      for (const Block* succ : block->succs) {
        changed |= out.merge(in_[succ->id]);
        for (size_t edge = 0; edge < succ->preds.size(); edge++) {
          if (succ->preds[edge] != block) continue;
          for (const Value* phi : succ->phis) {
            if (edge >= phi->inputs.size()) continue;
            const Value* input = phi->input(edge);
            if (follow(input) && !out.has(input->id)) {
              out.add(input->id);
              changed = true;
            }
          }
        }
      }
      BitSet live = out;
      for (size_t k = block->values.size(); k-- > 0;) {
        const Value* value = block->values[k];
        live.drop(value->id);
        for (const Value* input : value->inputs)
          if (follow(input)) live.add(input->id);
        if (value->state)
          ir::for_each_state_value(value->state, [&](Value* use) {
            if (follow(use)) live.add(use->id);
          });
      }
      for (const Value* phi : block->phis) live.drop(phi->id);
      if (block->entry_state)
        ir::for_each_state_value(block->entry_state, [&](Value* use) {
          if (follow(use) && !(use->op == Op::Phi && use->block == block)) live.add(use->id);
        });
      changed |= in_[block->id].merge(live);
    }
  }
}

UseCounts::UseCounts(const Graph& graph)
    : inputs(graph.value_count, 0), states(graph.value_count, 0) {
  for (const Block* block : graph.blocks)
    for (const ArenaVec<Value*>* list : {&block->phis, &block->values})
      for (const Value* value : *list)
        for (const Value* input : value->inputs) inputs[input->id]++;
  for_each_state(graph, [&](FrameState* state) {
    if (state->function) states[state->function->id]++;
    for (Value* drop : state->drops) states[drop->id]++;
    for_each_slot(state, [&](Slot& slot) {
      if (slot.value) states[slot.value->id]++;
      if (slot.box) states[slot.box->id]++;
    });
  });
}

}  // namespace psyco::analysis
