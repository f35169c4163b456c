#include "passes/rewrite.h"

#include "analysis/states.h"

namespace psyco::passes {

using ir::Block;
using ir::FrameState;
using ir::Graph;
using ir::Op;
using ir::Slot;
using ir::Value;

Replacements::Entry& Replacements::entry(const Value* value) {
  if (value->id >= table_.size()) table_.resize(graph_.value_count);
  return table_[value->id];
}

void Replacements::replace(Value* from, Value* to) {
  PSYCO_CHECK(from != to);
  entry(from).to = to;
  changed_ = true;
}

void Replacements::remove(Value* value) {
  entry(value).removed = true;
  changed_ = true;
}

Value* Replacements::resolve(Value* value) {
  if (value->id >= table_.size() || !table_[value->id].to) return value;
  Value* last = value;
  while (last->id < table_.size() && table_[last->id].to) last = table_[last->id].to;
  while (value != last) {  // shorten the way for the next time
    Value* next = table_[value->id].to;
    table_[value->id].to = last;
    value = next;
  }
  return last;
}

void Replacements::apply() {
  if (!changed_) return;
  auto swap = [&](Value*& use) {
    if (use) use = resolve(use);
  };
  const uint32_t mark = graph_.new_mark();
  analysis::for_each_state(graph_, [&](FrameState* state) {
    swap(state->function);
    for (Value*& drop : state->drops) swap(drop);
    analysis::for_each_new_slot(state, mark, [&](Slot& slot) {
      swap(slot.value);
      swap(slot.box);
    });
  });
  for (Block* block : graph_.blocks)
    for (ArenaVec<Value*>* list : {&block->phis, &block->values}) {
      size_t kept = 0;
      for (size_t i = 0; i < list->size(); i++) {
        Value* value = (*list)[i];
        if (gone(value)) continue;
        for (Value*& input : value->inputs) swap(input);
        (*list)[kept++] = value;
      }
      list->truncate(kept);
    }
  table_.clear();
  changed_ = false;
}

void remove_edge(Block* block, size_t index) {
  Block* succ = block->succs[index];
  size_t nth = 0;
  for (size_t i = 0; i < index; i++) nth += block->succs[i] == succ;
  block->succs.erase(index);
  for (size_t edge = 0; edge < succ->preds.size(); edge++) {
    if (succ->preds[edge] != block || nth-- > 0) continue;
    succ->preds.erase(edge);
    for (Value* phi : succ->phis) phi->inputs.erase(edge);
    return;
  }
}

bool remove_unreachable(Graph& graph) {
  std::vector<bool> reached(graph.block_count, false);
  std::vector<Block*> work{graph.blocks[0]};
  reached[graph.blocks[0]->id] = true;
  while (!work.empty()) {
    Block* block = work.back();
    work.pop_back();
    for (Block* succ : block->succs)
      if (!reached[succ->id]) {
        reached[succ->id] = true;
        work.push_back(succ);
      }
  }
  size_t kept = 0;
  for (size_t i = 0; i < graph.blocks.size(); i++) {
    Block* block = graph.blocks[i];
    if (reached[block->id]) {
      graph.blocks[kept++] = block;
      continue;
    }
    while (!block->succs.empty()) remove_edge(block, block->succs.size() - 1);
  }
  bool changed = kept != graph.blocks.size();
  graph.blocks.truncate(kept);
  return changed;
}

Block* split_edge(Graph& graph, Block* block, size_t index) {
  Block* succ = block->succs[index];
  size_t nth = 0;
  for (size_t i = 0; i < index; i++) nth += block->succs[i] == succ;
  Block* middle = graph.arena.make<Block>();
  middle->id = graph.block_count++;
  middle->bci = succ->bci;
  // Behind its predecessor, so that blocks stay in an order that has definitions before uses.
  for (size_t i = 0; i < graph.blocks.size(); i++)
    if (graph.blocks[i] == block) {
      graph.blocks.insert(graph.arena, i + 1, middle);
      break;
    }
  block->succs[index] = middle;
  middle->preds.push_back(graph.arena, block);
  middle->succs.push_back(graph.arena, succ);
  for (size_t edge = 0; edge < succ->preds.size(); edge++)
    if (succ->preds[edge] == block && nth-- == 0) {
      succ->preds[edge] = middle;
      break;
    }
  Value* jump = graph.new_value(Op::Jump, ir::Rep::None);
  graph.append(middle, jump);
  return middle;
}

void turn_into_deopt(Value* guard) {
  Block* block = guard->block;
  size_t at = 0;
  while (block->values[at] != guard) at++;
  block->values.truncate(at + 1);
  while (!block->succs.empty()) remove_edge(block, block->succs.size() - 1);
  guard->op = Op::Deopt;
  guard->inputs.clear();
  guard->imm = 0;
  guard->ptr = nullptr;
}

namespace {
class Cloner {
 public:
  Cloner(Graph& graph, const std::function<Value*(Value*)>& map) : graph_(graph), map_(map) {}
  FrameState* run(FrameState* state) {
    if (!state) return nullptr;
    FrameState* copy = graph_.new_state();
    copy->frame = state->frame;
    copy->bci = state->bci;
    copy->cont = state->cont;
    copy->caller = run(state->caller);
    if (state->function) copy->function = map_(state->function);
    copy->locals = slots(state->locals);
    copy->stack = slots(state->stack);
    for (Value* drop : state->drops) copy->drops.push_back(graph_.arena, map_(drop));
    return copy;
  }

 private:
  ir::SlotList slots(const ir::SlotList& from) {
    std::vector<Slot> copies;
    for (const Slot& slot : from) copies.push_back(copy_of(slot));
    return {graph_.arena, copies, from};
  }
  Slot copy_of(Slot slot) {
    if (slot.value) slot.value = map_(slot.value);
    if (slot.box) slot.box = map_(slot.box);
    if (slot.virt) slot.virt = virt(slot.virt);
    return slot;
  }
  ir::Virtual* virt(ir::Virtual* from) {
    for (auto& [old, copy] : virtuals_)
      if (old == from) return copy;
    ir::Virtual* copy = graph_.new_virtual(from->kind);
    copy->object = from->object;
    virtuals_.push_back({from, copy});
    for (const Slot& field : from->fields) copy->fields.push_back(graph_.arena, copy_of(field));
    return copy;
  }
  Graph& graph_;
  const std::function<Value*(Value*)>& map_;
  std::vector<std::pair<ir::Virtual*, ir::Virtual*>> virtuals_;
};
}  // namespace

FrameState* clone_state(Graph& graph, FrameState* state, const std::function<Value*(Value*)>& map) {
  return Cloner(graph, map).run(state);
}

Value* insert_at(Graph& graph, Block* block, size_t position, Value* value) {
  value->block = block;
  block->values.insert(graph.arena, position, value);
  return value;
}

}  // namespace psyco::passes
