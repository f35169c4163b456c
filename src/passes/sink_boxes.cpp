// Allocates number objects only on exits that need them.
//
//     v3 owned = BoxFloat v2 ! {...}
//     GuardTrue v9 ! {v3 | }             =>      GuardTrue v9 ! {float v2 | }
//     ReleasePlain v3
//
// Needs SSA. Keeps edges. O(values + states).
// Sound: only boxes that nothing but states and releases use. The states take the number instead,
// all slots with the number of one object, so that an exit makes one and `x is y` still holds; an
// activation leaves at most once. A BoxOr may go if the object it prefers is borrowed for
// good (argument or constant), since the states must then name that object as the number's box.
#include "analysis/effects.h"
#include "analysis/states.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace psyco::passes {

using ir::Block;
using ir::FrameState;
using ir::Graph;
using ir::Op;
using ir::Rep;
using ir::Slot;
using ir::SlotKind;
using ir::Value;

bool sink_boxes(Graph& graph, PassContext& context) {
  std::vector<Value*> boxes;
  std::vector<bool> sinks(graph.value_count, false);
  for (Block* block : graph.blocks)
    for (Value* value : block->values) {
      bool box = value->op == Op::BoxInt || value->op == Op::BoxFloat;
      if (value->op == Op::BoxOr) {
        const Value* other = value->input(1);
        bool lasting = other->op == Op::ConstObject || other->op == Op::ConstNull ||
                       (other->op == Op::Arg && !other->owned());
        box = lasting && (value->input(0)->rep == Rep::I64 || value->input(0)->rep == Rep::F64);
      }
      if (!box) continue;
      boxes.push_back(value);
      sinks[value->id] = true;
    }
  if (boxes.empty()) return false;
  for (Block* block : graph.blocks)
    for (ArenaVec<Value*>* list : {&block->phis, &block->values})
      for (Value* value : *list)
        if (!analysis::is_release(*value))
          for (Value* input : value->inputs) sinks[input->id] = false;
  analysis::for_each_state(graph, [&](FrameState* state) {
    if (state->function) sinks[state->function->id] = false;
  });
  bool changed = false;
  for (Value* box : boxes) {
    if (!sinks[box->id]) continue;
    if (!context.spend_fuel()) sinks[box->id] = false;
    changed |= sinks[box->id];
  }
  if (!changed) return false;

  // The object that a box was: what the slots of its number say, if there are any.
  std::vector<uint32_t> objects(graph.value_count, 0);
  const uint32_t first_mark = graph.new_mark();
  analysis::for_each_state(graph, [&](FrameState* state) {
    analysis::for_each_new_slot(state, first_mark, [&](Slot& slot) {
      if (slot.box && sinks[slot.box->id] && !objects[slot.box->id])
        objects[slot.box->id] = slot.object;
    });
  });
  auto object_of = [&](const Value* box) {
    uint32_t& object = objects[box->id];
    if (!object) object = graph.new_object();
    return object;
  };
  auto other_object = [](Value* box) -> Value* {
    return box->op == Op::BoxOr && box->input(1)->op != Op::ConstNull ? box->input(1) : nullptr;
  };
  const uint32_t mark = graph.new_mark();
  analysis::for_each_state(graph, [&](FrameState* state) {
    analysis::for_each_new_slot(state, mark, [&](Slot& slot) {
      if (slot.kind == SlotKind::Object && sinks[slot.value->id]) {
        Value* box = slot.value;
        slot.kind = box->input(0)->rep == Rep::I64 ? SlotKind::Int : SlotKind::Float;
        slot.object = object_of(box);
        slot.value = box->input(0);
        slot.box = other_object(box);
      } else if (slot.box && sinks[slot.box->id]) {
        slot.object = object_of(slot.box);
        slot.box = other_object(slot.box);
      }
    });
    size_t kept = 0;
    for (Value* drop : state->drops)
      if (!sinks[drop->id]) state->drops[kept++] = drop;
    state->drops.truncate(kept);
  });
  for (Block* block : graph.blocks) {
    size_t kept = 0;
    for (Value* value : block->values) {
      bool gone = sinks[value->id] || (analysis::is_release(*value) && sinks[value->input(0)->id]);
      if (!gone) block->values[kept++] = value;
    }
    block->values.truncate(kept);
  }
  return true;
}

}  // namespace psyco::passes
