// Tools shared by passes: replacing values in bulk and cutting edges.
#pragma once
#include <functional>
#include <vector>

#include "ir/graph.h"

namespace psyco::passes {

// Collects "use that value instead of this one" and "remove this one"; apply() does all of it in
// one sweep over inputs and states. Until then resolve() tells what a value has become.
class Replacements {
 public:
  explicit Replacements(ir::Graph& graph) : graph_(graph) {}
  void replace(ir::Value* from, ir::Value* to);  // and removes from
  void remove(ir::Value* value);
  bool gone(const ir::Value* value) const {
    return value->id < table_.size() && (table_[value->id].to || table_[value->id].removed);
  }
  ir::Value* resolve(ir::Value* value);
  bool empty() const { return !changed_; }
  void apply();

 private:
  struct Entry {
    ir::Value* to = nullptr;
    bool removed = false;
  };
  Entry& entry(const ir::Value* value);
  ir::Graph& graph_;
  std::vector<Entry> table_;
  bool changed_ = false;
};

// Removes the edge number `index` of block and the phi inputs that belonged to it. The terminator
// is the caller's business.
void remove_edge(ir::Block* block, size_t index);
// Drops blocks that cannot be reached. True if there were any.
bool remove_unreachable(ir::Graph& graph);
// Puts a new block with a Jump on the edge number `index` of block.
ir::Block* split_edge(ir::Graph& graph, ir::Block* block, size_t index);
// Cuts the block off behind the guard, which becomes a Deopt.
void turn_into_deopt(ir::Value* guard);

// A copy of a state with its callers and virtuals; map(Value*) gives what each value becomes.
ir::FrameState* clone_state(ir::Graph& graph, ir::FrameState* state,
                            const std::function<ir::Value*(ir::Value*)>& map);

ir::Value* insert_at(ir::Graph& graph, ir::Block* block, size_t position, ir::Value* value);

}  // namespace psyco::passes
