#include "analysis/dominators.h"

#include <algorithm>

namespace psyco::analysis {

using ir::Block;
using ir::Graph;
using ir::Value;

Dominators::Dominators(const Graph& graph)
    : order_(graph.block_count, kUnreached),
      in_(graph.block_count, 0),
      out_(graph.block_count, 0),
      idom_(graph.block_count, nullptr),
      children_(graph.block_count) {
  if (graph.blocks.empty()) return;
  // Post order without recursion. The last successor is visited first, so that the first one comes
  // first in reverse post order.
  struct Item {
    Block* block;
    size_t next;
  };
  std::vector<Item> stack;
  std::vector<bool> seen(graph.block_count, false);
  Block* entry = graph.blocks[0];
  stack.push_back({entry, entry->succs.size()});
  seen[entry->id] = true;
  while (!stack.empty()) {
    Item& top = stack.back();
    if (top.next == 0) {
      rpo_.push_back(top.block);
      stack.pop_back();
      continue;
    }
    Block* succ = top.block->succs[--top.next];
    if (seen[succ->id]) continue;
    seen[succ->id] = true;
    stack.push_back({succ, succ->succs.size()});
  }
  std::reverse(rpo_.begin(), rpo_.end());
  for (size_t i = 0; i < rpo_.size(); i++) order_[rpo_[i]->id] = static_cast<uint32_t>(i);

  idom_[entry->id] = entry;
  for (bool changed = true; changed;) {
    changed = false;
    for (Block* block : rpo_) {
      if (block == entry) continue;
      Block* best = nullptr;
      for (Block* pred : block->preds) {
        if (!reached(pred) || !idom_[pred->id]) continue;
        if (!best) {
          best = pred;
          continue;
        }
        Block* a = pred;
        Block* b = best;
        while (a != b) {
          while (order_[a->id] > order_[b->id]) a = idom_[a->id];
          while (order_[b->id] > order_[a->id]) b = idom_[b->id];
        }
        best = a;
      }
      if (idom_[block->id] != best) {
        idom_[block->id] = best;
        changed = true;
      }
    }
  }
  idom_[entry->id] = nullptr;
  for (Block* block : rpo_)
    if (idom_[block->id]) children_[idom_[block->id]->id].push_back(block);

  uint32_t clock = 0;
  stack.push_back({entry, 0});
  in_[entry->id] = clock++;
  while (!stack.empty()) {
    Item& top = stack.back();
    const std::vector<Block*>& kids = children_[top.block->id];
    if (top.next == kids.size()) {
      out_[top.block->id] = clock++;
      stack.pop_back();
      continue;
    }
    Block* kid = kids[top.next++];
    in_[kid->id] = clock++;
    stack.push_back({kid, 0});
  }
}

Positions::Positions(const Graph& graph) : position_(graph.value_count, 0) {
  for (const Block* block : graph.blocks) {
    uint32_t position = 1;
    for (const Value* value : block->values) position_[value->id] = position++;
  }
}

Loops::Loops(const Graph& graph, const Dominators& doms) : innermost_(graph.block_count, nullptr) {
  // Heads in post order (inner before outer): a loop claims its blocks, and the outermost loop that
  // already claimed a block becomes its child.
  const std::vector<Block*>& rpo = doms.rpo();
  for (size_t i = rpo.size(); i-- > 0;) {
    Block* head = rpo[i];
    Loop* loop = nullptr;
    for (Block* pred : head->preds) {
      if (!doms.reached(pred)) continue;
      if (!doms.dominates(head, pred)) {
        if (doms.order(pred) >= doms.order(head)) irreducible_ = true;
        continue;
      }
      if (!loop) loop = new Loop{head, nullptr, 0, {}, {}, nullptr, nullptr};
      loop->latches.push_back(pred);
    }
    if (!loop) continue;
    inner_first_.push_back(loop);
    std::vector<Block*> work(loop->latches.begin(), loop->latches.end());
    while (!work.empty()) {
      Block* block = work.back();
      work.pop_back();
      Loop* outer = innermost_[block->id];
      if (!outer) {
        innermost_[block->id] = loop;
        if (block == head) continue;
        for (Block* pred : block->preds)
          if (doms.reached(pred)) work.push_back(pred);
        continue;
      }
      while (outer->parent && outer != loop) outer = outer->parent;
      if (outer == loop) continue;
      outer->parent = loop;
      if (outer->head == head) continue;
      for (Block* pred : outer->head->preds)
        if (doms.reached(pred) && !doms.dominates(outer->head, pred)) work.push_back(pred);
    }
    if (!innermost_[head->id]) innermost_[head->id] = loop;
  }
  for (size_t i = inner_first_.size(); i-- > 0;) {
    Loop* loop = inner_first_[i];
    loop->depth = loop->parent ? loop->parent->depth + 1 : 1;
    int count = 0;
    for (Block* pred : loop->head->preds)
      if (doms.reached(pred) && !doms.dominates(loop->head, pred)) {
        loop->entry = pred;
        count++;
      }
    if (count != 1) loop->entry = nullptr;
    if (loop->entry && loop->entry->succs.size() == 1) loop->preheader = loop->entry;
  }
  for (Block* block : rpo)
    for (Loop* l = innermost_[block->id]; l; l = l->parent) l->blocks.push_back(block);
  // Inner loops first: a parent is never before its child, since heads were taken in post order.
}

Loops::~Loops() {
  for (Loop* loop : inner_first_) delete loop;
}

void update_loop_depths(Graph& graph) {
  Dominators doms(graph);
  Loops loops(graph, doms);
  for (Block* block : graph.blocks) {
    block->loop_depth = doms.reached(block) ? loops.depth(block) : 0;
    block->loop_head = false;
  }
  for (Loop* loop : loops.inner_first()) loop->head->loop_head = true;
}

}  // namespace psyco::analysis
