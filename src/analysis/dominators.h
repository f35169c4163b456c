// Order, dominators and natural loops of the blocks. Read-only; recompute after changing edges.
//
// Blocks that cannot be reached from the entry have order kUnreached and dominate nothing.
#pragma once
#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace psyco::analysis {

constexpr uint32_t kUnreached = 0xffffffffu;

// Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm". All tables are indexed by block
// id.
class Dominators {
 public:
  explicit Dominators(const ir::Graph& graph);

  const std::vector<ir::Block*>& rpo() const { return rpo_; }
  uint32_t order(const ir::Block* block) const { return order_[block->id]; }  // position in rpo
  bool reached(const ir::Block* block) const { return order_[block->id] != kUnreached; }
  ir::Block* idom(const ir::Block* block) const { return idom_[block->id]; }  // null for the entry
  bool dominates(const ir::Block* a, const ir::Block* b) const {              // reflexive
    return reached(a) && reached(b) && in_[a->id] <= in_[b->id] && out_[b->id] <= out_[a->id];
  }
  const std::vector<ir::Block*>& children(const ir::Block* block) const {
    return children_[block->id];
  }
  // In a walk over the tree that sees parents first: what a block dominates follows it directly.
  uint32_t preorder(const ir::Block* block) const { return in_[block->id]; }

 private:
  std::vector<ir::Block*> rpo_;
  std::vector<uint32_t> order_, in_, out_;
  std::vector<ir::Block*> idom_;
  std::vector<std::vector<ir::Block*>> children_;
};

// Position of each value in its block, to answer "is a computed before b". Indexed by value id.
class Positions {
 public:
  explicit Positions(const ir::Graph& graph);
  uint32_t operator[](const ir::Value* value) const { return position_[value->id]; }
  // Is a available just before b executes? Phis are at position 0 of their block, values from 1.
  bool available(const Dominators& doms, const ir::Value* a, const ir::Value* b) const {
    if (a->block == b->block) return position_[a->id] < position_[b->id];
    return doms.dominates(a->block, b->block);
  }

 private:
  std::vector<uint32_t> position_;
};

struct Loop {
  ir::Block* head;
  Loop* parent;
  uint32_t depth;                   // 1 for an outermost loop
  std::vector<ir::Block*> blocks;   // in reverse post order, inner loops included
  std::vector<ir::Block*> latches;  // predecessors of head inside the loop
  ir::Block* entry;                 // the only predecessor of head outside the loop; else null
  ir::Block* preheader;             // the entry, if it has one successor; else null
};

class Loops {
 public:
  Loops(const ir::Graph& graph, const Dominators& doms);
  // Inner loops before outer ones, otherwise in reverse post order of heads.
  const std::vector<Loop*>& inner_first() const { return inner_first_; }
  Loop* innermost(const ir::Block* block) const { return innermost_[block->id]; }
  uint32_t depth(const ir::Block* block) const {
    return innermost_[block->id] ? innermost_[block->id]->depth : 0;
  }
  bool contains(const Loop* loop, const ir::Block* block) const {
    for (const Loop* l = innermost_[block->id]; l; l = l->parent)
      if (l == loop) return true;
    return false;
  }
  // An edge goes back to a block that does not dominate its source.
  bool irreducible() const { return irreducible_; }
  ~Loops();
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;

 private:
  std::vector<Loop*> inner_first_;
  std::vector<Loop*> innermost_;
  bool irreducible_ = false;
};

// Writes Block::loop_head and loop_depth from the edges.
void update_loop_depths(ir::Graph& graph);

}  // namespace psyco::analysis
