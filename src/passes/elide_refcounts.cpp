// Lets loaded objects be borrowed from their container where nothing can take them away meanwhile.
//
//     v2 owned = LoadObjectAt v1, i          v2 = LoadObjectAt v1, i
//     Retain v2                              GuardType v2 type:float ! {v2}
//     GuardType v2 type:float ! {v2}   =>    v3 = UnboxFloat v2
//     v3 = UnboxFloat v2
//     ReleasePlain v2
//
// Needs explicit references (front end) and dominators. Afterwards a value may be borrowed: later
// passes may lengthen its life only while nothing writes the cell it came from. Keeps edges.
// O(values held x rounds), bounded.
//
// Works on *webs*: owned loads, and the owned phis they flow into. A web can be borrowed if every
// way a member gets its reference is known (a Retain behind the load, an edge from a member, a
// Retain of a constant or argument before the edge), and no *barrier* stands where a member is
// held. What the web gives away for good (StoreObject, Return) gets a Retain just before; the rest
// of its Retains and Releases go. Exits in between name a borrowed value and make their own
// references.
//
// Barriers: whatever may drop or overwrite the container's own reference:
//   - anything that runs Python code, a Release that may finalise included;
//   - writes to the cells the web was loaded from, or to the shape of the same containers;
//   - in-place updates of such cells (they write into the very object, or free it), unless each
//   load is
//     proved to be no number;
// Not a barrier: ReleasePlain, whose object holds nothing a program could have loaded from it
// (number, str, bytes, None, range), and releases of web members. Sound by induction over time: as
// long as no barrier was met, the container still holds its reference, so such a release never
// drops the last one. So all webs are assumed good, the bad ones are struck out, and this repeats
// until nothing changes. Containers stay alive by the same argument: dropping one is a Release,
// hence a barrier, or a member's release, whose own container holds it.
#include <algorithm>

#include "analysis/dominators.h"
#include "analysis/effects.h"
#include "analysis/states.h"
#include "ir/verifier.h"
#include "passes/pass.h"
#include "passes/rewrite.h"
#include "support/mutants.h"

namespace psyco::passes {

using analysis::CellMask;
using analysis::Cells;
using analysis::Dominators;
using analysis::Positions;
using ir::Block;
using ir::FrameState;
using ir::Graph;
using ir::Heap;
using ir::Op;
using ir::Rep;
using ir::Value;

namespace {

constexpr uint32_t kNoWeb = 0xffffffffu;
constexpr int kStepsPerWeb = 3000;
constexpr int kStepsInAll = 60000;

struct Web {
  std::vector<Value*> members;
  bool good = true;
  bool has_phi = false;
  CellMask cells = 0;
  // Found by the last walk.
  std::vector<Value*> removed;       // Retains and Releases
  std::vector<Value*> given_away;    // ops that take a member's last reference
  std::vector<Value*> given_values;  // and which member
};

double weight(const Block* block) {
  if (block->cold) return 0.01;
  double w = 1;
  for (uint32_t i = 0; i < block->loop_depth && i < 6; i++) w *= 10;
  return w;
}

class Elider {
 public:
  Elider(Graph& graph, PassContext& context)
      : graph_(graph),
        context_(context),
        doms_(graph),
        positions_(graph),
        cells_(graph),
        web_of_(graph.value_count, kNoWeb),
        guards_(graph.value_count),
        visited_(graph.block_count, 0) {}

  bool run() {
    build_webs();
    if (webs_.empty()) return false;
    for (bool again = true; again;) {
      again = false;
      for (Web& web : webs_)
        if (web.good && !walk(web)) {
          web.good = false;
          again = true;
        }
    }
    return apply();
  }

 private:
  // ---- webs
  uint32_t root(uint32_t id) {
    while (parent_[id] != id) id = parent_[id] = parent_[parent_[id]];
    return id;
  }
  void build_webs() {
    parent_.resize(graph_.value_count);
    for (uint32_t i = 0; i < graph_.value_count; i++) parent_[i] = i;
    bool any = false;
    for (Block* block : doms_.rpo()) {
      for (Value* phi : block->phis) {
        if (!phi->owned()) continue;
        for (Value* input : phi->inputs)
          if (input->owned()) parent_[root(input->id)] = root(phi->id);
      }
      for (Value* value : block->values) {
        any |= analysis::is_object_load(*value) && value->owned();
        if (value->op == Op::GuardType && value->imm == 1)
          guards_[value->input(0)->id].push_back(value);
      }
    }
    if (!any) return;
    std::vector<uint32_t> index(graph_.value_count, kNoWeb);
    for (Block* block : doms_.rpo())
      for (ArenaVec<Value*>* list : {&block->phis, &block->values})
        for (Value* value : *list) {
          if (!value->owned()) continue;
          uint32_t& at = index[root(value->id)];
          if (at == kNoWeb) {
            at = static_cast<uint32_t>(webs_.size());
            webs_.emplace_back();
          }
          Web& web = webs_[at];
          web.members.push_back(value);
          web_of_[value->id] = at;
          if (value->op == Op::Phi) {
            web.has_phi = true;
          } else if (analysis::is_object_load(*value)) {
            web.cells |= cells_.reads(*value);
          } else {
            web.good = false;
          }
        }
    for (Web& web : webs_)
      if (!web.cells) web.good = false;  // phis only
  }
  bool member(const Value* value) const {
    return web_of_[value->id] != kNoWeb && webs_[web_of_[value->id]].good;
  }

  // ---- types
  // No member that may be held at the update is a number. A load that is guarded in its own block
  // stays guarded wherever it flows from there.
  bool no_number(const Web& web, const Value* update) const {
    if (mutants::chosen("rule", "no_number")) return true;
    for (const Value* load : web.members) {
      if (load->op == Op::Phi) continue;
      bool proved = context_.types().is_no_number(load->ptr);
      for (const Value* guard : guards_[load->id]) {
        if (proved || !context_.types().is_no_number(guard->ptr)) continue;
        bool not_yet_loaded = update->block == load->block && positions_[update] < positions_[load];
        proved = web.has_phi ? guard->block == load->block &&
                                   (not_yet_loaded || update->block != load->block ||
                                    positions_[guard] < positions_[update])
                             : positions_.available(doms_, guard, update);
      }
      if (!proved) return false;
    }
    return true;
  }

  bool is_barrier(const Value& value, const Web& web) const {
    if (mutants::chosen("rule", "is_barrier")) return ir::runs_python(value);
    if (analysis::is_release(value)) {
      if (member(value.input(0))) return false;
      return value.op == Op::Release || value.op == Op::ReleaseNullable;
    }
    if (ir::runs_python(value)) return true;
    if (value.op == Op::CallHelper && value.helper == ir::Helper::list_append) return false;
    CellMask writes = cells_.writes(value);
    if (!writes) return false;
    if (analysis::is_update(value)) {
      // The other number cells it writes are values of objects, not references.
      CellMask references = writes & ~Cells::cell(Heap::Numbers);
      return (references & web.cells) && !no_number(web, &value);
    }
    if (writes & Cells::cell(Heap::ListShape)) writes |= Cells::cell(Heap::ListItems);
    if (writes & Cells::cell(Heap::AttrShape)) return true;
    return writes & web.cells;
  }

  // ---- where a member is held
  bool walk(Web& web) {
    web.removed.clear();
    web.given_away.clear();
    web.given_values.clear();
    int steps = 0;
    for (Value* value : web.members) {
      stamp_++;
      bool fine = value->op == Op::Phi ? walk_phi(web, value, steps) : walk_load(web, value, steps);
      if (!fine) return false;
    }
    // The same op may have been met from several sides.
    auto by_id = [](const Value* a, const Value* b) { return a->id < b->id; };
    std::sort(web.removed.begin(), web.removed.end(), by_id);
    web.removed.erase(std::unique(web.removed.begin(), web.removed.end()), web.removed.end());
    double gain = 0;
    for (const Value* value : web.removed) gain += weight(value->block);
    for (const Value* value : web.given_away) gain -= weight(value->block);
    return gain > 0;
  }
  bool walk_load(Web& web, Value* load, int& steps) {
    Block* block = load->block;
    size_t i = positions_[load];  // positions count from 1: this is the one behind
    for (;; i++) {
      Value* value = block->values[i];
      if (ir::is_terminator(*value)) return false;  // no Retain here
      if (analysis::is_retain(*value) && value->input(0) == load) break;
      if (is_barrier(*value, web)) return false;
    }
    web.removed.push_back(block->values[i]);
    return follow(web, load, block, i + 1, steps);
  }
  bool walk_phi(Web& web, Value* phi, int& steps) {
    for (size_t edge = 0; edge < phi->inputs.size(); edge++) {
      Value* input = phi->input(edge);
      if (input->owned()) continue;
      if (!brings_borrowed(web, phi, edge)) return false;
    }
    visited_[phi->block->id] = stamp_;
    return follow(web, phi, phi->block, 0, steps);
  }
  // A constant or argument that is retained for the edge alone.
  bool brings_borrowed(Web& web, const Value* phi, size_t edge) {
    Value* input = phi->input(edge);
    Block* pred = phi->block->preds[edge];
    if (input->op == Op::ConstNull || input->op == Op::BoxBool) return true;
    if (input->op == Op::ConstObject &&
        ((input->flags & ir::kImmortal) || reinterpret_cast<uintptr_t>(input->ptr) <= ir::kUnbound))
      return true;
    if (input->op != Op::ConstObject && input->op != Op::Arg && input->op != Op::Function)
      return false;
    if (pred->succs.size() != 1) return false;
    // Which of the retains at the end of pred belongs to this phi: they are taken in turn.
    size_t skip = 0;
    for (const Value* other : phi->block->phis) {
      if (other == phi) break;
      skip += other->owned() && other->input(edge) == input;
    }
    for (size_t i = pred->values.size(); i-- > 0;) {
      Value* value = pred->values[i];
      for (size_t k = 0; k < value->inputs.size(); k++)
        if (value->input(k) == input && ir::takes_reference(*value, k)) return false;
      if (!analysis::is_retain(*value) || value->input(0) != input || skip-- > 0) continue;
      web.removed.push_back(value);
      return true;
    }
    return false;
  }

  // Follows one held reference of `value` from block->values[from] on.
  bool follow(Web& web, Value* value, Block* block, size_t from, int& steps) {
    struct Item {
      Block* block;
      size_t from;
    };
    std::vector<Item> work{{block, from}};
    while (!work.empty()) {
      Item item = work.back();
      work.pop_back();
      std::vector<Value*> extra;  // retains beyond the first reference, innermost last
      bool held = true;
      for (size_t i = item.from; held && i < item.block->values.size(); i++) {
        if (++steps > kStepsPerWeb || ++total_steps_ > kStepsInAll) return false;
        Value* op = item.block->values[i];
        if (op == value) return false;  // computed again while held
        if (analysis::is_retain(*op) && op->input(0) == value) {
          extra.push_back(op);
          continue;
        }
        bool taken = false;
        for (size_t k = 0; k < op->inputs.size(); k++) {
          if (op->input(k) != value || !ir::takes_reference(*op, k)) continue;
          if (taken) return false;  // twice at once: too clever
          taken = true;
        }
        if (taken && analysis::is_release(*op)) {
          web.removed.push_back(op);
          if (extra.empty()) {
            held = false;
          } else {
            web.removed.push_back(extra.back());
            extra.pop_back();
          }
          continue;
        }
        if (is_barrier(*op, web)) {
          // Storing over a cell of the web is a barrier for what stays, not for what goes there.
          if (!taken || !extra.empty()) return false;
        }
        if (taken && extra.empty()) {
          web.given_away.push_back(op);
          web.given_values.push_back(value);
          held = false;
        } else if (taken) {
          extra.pop_back();  // that retain was for this op; both stay
        }
        if (op->op == Op::Deopt) held = false;
        if ((op->op == Op::Return || op->op == Op::ReturnNumber) && held) return false;
      }
      if (!held) continue;
      for (Value* retain : extra) web.removed.push_back(retain);
      for (Block* succ : item.block->succs) {
        size_t taking = 0;
        for (size_t edge = 0; edge < succ->preds.size(); edge++)
          if (succ->preds[edge] == item.block)
            for (const Value* phi : succ->phis) {
              if (phi->input(edge) != value || !phi->owned()) continue;
              if (web_of_[phi->id] != web_of_[value->id]) return false;
              taking++;
            }
        if (taking > extra.size() + 1 || taking < extra.size()) return false;
        if (taking == extra.size() + 1) continue;  // moved into the phis
        if (visited_[succ->id] == stamp_) continue;
        if (!doms_.dominates(value->block, succ)) return false;
        visited_[succ->id] = stamp_;
        work.push_back({succ, 0});
      }
    }
    return true;
  }

  // ---- the rewrite
  bool apply() {
    Replacements removed(graph_);
    std::vector<bool> borrowed(graph_.value_count, false);
    bool changed = false;
    for (Web& web : webs_) {
      if (!web.good) continue;
      if (!context_.spend_fuel()) break;
      changed = true;
      for (Value* value : web.members) {
        value->flags &= static_cast<uint8_t>(~ir::kOwned);
        borrowed[value->id] = true;
      }
      for (size_t i = 0; i < web.given_away.size(); i++) {
        Value* retain = graph_.new_value(
            web.given_values[i]->nullable() ? Op::RetainNullable : Op::Retain, Rep::None);
        retain->inputs.push_back(graph_.arena, web.given_values[i]);
        retain->bci = web.given_away[i]->bci;
        graph_.insert_before(web.given_away[i], retain);
      }
      for (Value* value : web.removed) removed.remove(value);
    }
    if (!changed) return false;
    analysis::for_each_state(graph_, [&](FrameState* state) {
      size_t kept = 0;
      for (Value* drop : state->drops)
        if (!borrowed[drop->id]) state->drops[kept++] = drop;
      state->drops.truncate(kept);
    });
    removed.apply();
    return true;
  }

  Graph& graph_;
  PassContext& context_;
  Dominators doms_;
  Positions positions_;
  Cells cells_;
  std::vector<Web> webs_;
  std::vector<uint32_t> web_of_, parent_;
  std::vector<std::vector<Value*>> guards_;  // permanent type guards, by the value they test
  std::vector<uint32_t> visited_;
  uint32_t stamp_ = 0;
  int total_steps_ = 0;
};

}  // namespace

bool elide_refcounts(Graph& graph, PassContext& context) { return Elider(graph, context).run(); }

}  // namespace psyco::passes
