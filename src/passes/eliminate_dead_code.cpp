// Removes what nobody needs.
//
//     v3 = AddInt v1, v2 ! {...}
//     v4 = BoxInt v3 ! {..., v4}             =>   (nothing)
//     ReleasePlain v4
//
// Needs SSA. Keeps the edges. O(values + states).
// Sound: an op is needed if it has a side effect (has_side_effect) or a needed op uses it or names
// it in its state. Arithmetic that exits only leaves because the result does not fit: nobody reads
// the result. Guards stay: what follows relies on them. A box that is used by its own releases only
// (and, before sink_boxes has seen it, by no state) is removed with them.
#include "analysis/effects.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace psyco::passes {

using ir::Block;
using ir::Graph;
using ir::Op;
using ir::Value;

namespace {
bool is_box(const Value& value) { return value.op == Op::BoxInt || value.op == Op::BoxFloat; }
}  // namespace

bool eliminate_dead_code(Graph& graph, PassContext& context) {
  std::vector<bool> needed(graph.value_count, false);
  const uint32_t mark = graph.new_mark();
  std::vector<Value*> work;
  auto need = [&](Value* value) {
    if (needed[value->id]) return;
    needed[value->id] = true;
    work.push_back(value);
  };
  auto need_state = [&](ir::FrameState* state) { ir::for_each_new_state_value(state, mark, need); };
  auto releases_box = [](const Value& value) {
    return analysis::is_release(value) && is_box(*value.input(0));
  };
  for (Block* block : graph.blocks) {
    need_state(block->entry_state);
    for (Value* value : block->values)
      if (ir::has_side_effect(*value) && !releases_box(*value)) need(value);
  }
  // A box that is needed needs its releases, with all that their states name.
  std::vector<Value*> releases;
  for (Block* block : graph.blocks)
    for (Value* value : block->values)
      if (releases_box(*value)) releases.push_back(value);
  for (bool more = true; more;) {
    while (!work.empty()) {
      Value* value = work.back();
      work.pop_back();
      for (Value* input : value->inputs) need(input);
      need_state(value->state);
    }
    more = false;
    for (Value* release : releases)
      if (!needed[release->id] && needed[release->input(0)->id]) {
        need(release);
        more = true;
      }
  }
  bool changed = false;
  for (Block* block : graph.blocks)
    for (ArenaVec<Value*>* list : {&block->phis, &block->values}) {
      size_t kept = 0;
      for (size_t i = 0; i < list->size(); i++) {
        Value* value = (*list)[i];
        bool keep = needed[value->id];
        if (!keep && !changed && !context.spend_fuel()) return false;
        if (!keep) {
          changed = true;
          continue;
        }
        (*list)[kept++] = value;
      }
      list->truncate(kept);
    }
  return changed;
}

}  // namespace psyco::passes
