// Proves that integers stay in bounds, and drops the checks.
//
//     Branch (CmpInt.Lt v1, v2) ...          v2 is the list's size, v1 counts up from 0
//     CheckIndex v1, v2 ! {...}       =>
//     v3 = AddInt v1, 1 ! {...}              v3 = AddIntUnchecked v1, 1
//
// Needs dominators. Keeps edges. After hoist_invariants, which relies on the checks removed here.
//
// Two kinds of knowledge:
//  - an interval per value, a fixed point over all definitions: widened to infinity where a bound
//  keeps
//    moving round a loop, then narrowed twice. A checked op that would leave 64 bits exits, so its
//    result is clamped.
//  - facts x <= y + c, each valid behind one position: from branches (successors with one
//  predecessor), guards
//    and index checks. They sharpen intervals at the point of use, and prove() chains them, as in
//    "ABCD: eliminating array bounds checks on demand" (Bodik, Gupta, Sarkar), through additions
//    and phis.
// Counting iterators: cur goes up by 1 while remaining goes down by 1; cur + remaining is
// invariant, so remaining >= 1 means cur <= start + length - 1. Sound: all facts used at a point
// dominate it; arithmetic in facts saturates to "unknown".
#include <algorithm>

#include "analysis/dominators.h"
#include "analysis/effects.h"
#include "passes/fold.h"
#include "passes/pass.h"
#include "passes/rewrite.h"
#include "support/mutants.h"

namespace psyco::passes {

using analysis::Dominators;
using analysis::Positions;
using ir::Block;
using ir::Cond;
using ir::Graph;
using ir::Heap;
using ir::Op;
using ir::Rep;
using ir::Value;

namespace {

using Wide = __int128;
constexpr int64_t kMin = INT64_MIN, kMax = INT64_MAX;
constexpr int64_t kMaxSize = int64_t{1} << 60;  // of any container

struct Interval {
  int64_t lo = kMin, hi = kMax;
  bool empty() const { return lo > hi; }
};
constexpr Interval kEmpty{1, 0};

struct WideInterval {
  Wide lo, hi;
  bool fits() const { return lo >= kMin && hi <= kMax; }
  Interval clamp() const {
    Interval result;
    result.lo = lo < kMin ? kMin : lo > kMax ? kMax : static_cast<int64_t>(lo);
    result.hi = hi > kMax ? kMax : hi < kMin ? kMin : static_cast<int64_t>(hi);
    return result;
  }
};

Interval join(Interval a, Interval b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)};
}

struct Point {
  const Block* block;
  uint32_t position;  // knowledge gained before this position counts
};

class Ranger {
 public:
  Ranger(Graph& graph, PassContext& context)
      : graph_(graph),
        context_(context),
        doms_(graph),
        positions_(graph),
        base_(graph.value_count, kEmpty),
        upper_(graph.value_count),
        lower_(graph.value_count),
        relied_(graph.value_count, false) {}

  bool run() {
    collect_facts();
    for (Facts& facts : upper_) sort(facts);
    for (Facts& facts : lower_) sort(facts);
    sorted_ = true;
    solve();
    return rewrite();
  }

 private:
  struct Fact {          // upper: value <= other + offset; lower: value >= other + offset
    const Value* other;  // null: zero
    int64_t offset;
    Point from;
    int32_t around = -1;  // the next fact of the list that is valid where this one is learnt
  };
  using Facts = std::vector<Fact>;
  // Those nearest to a point are looked at, so that a value compared again and again costs no more
  // than others.
  static constexpr int kMostFacts = 64;

  // ---- facts
  bool earlier(const Point& a, const Point& b) const {
    const uint32_t x = doms_.preorder(a.block), y = doms_.preorder(b.block);
    return x != y ? x < y : a.position < b.position;
  }
  void add(Facts& facts, Fact fact) {
    facts.push_back(fact);
    if (sorted_) sort(facts);
  }
  void sort(Facts& facts) const {
    std::stable_sort(facts.begin(), facts.end(),
                     [this](const Fact& a, const Fact& b) { return earlier(a.from, b.from); });
    for (size_t i = 0; i < facts.size(); i++) {
      int32_t around = static_cast<int32_t>(i) - 1;
      while (around >= 0 && !doms_.dominates(facts[around].from.block, facts[i].from.block))
        around = facts[around].around;
      facts[i].around = around;
    }
  }
  // Calls visit(fact) for the facts that are valid at the point, the nearest first, until it says
  // that it has seen enough.
  template <class Visit>
  void for_each_valid(const Facts& facts, Point at, Visit visit) const {
    auto behind = std::lower_bound(
        facts.begin(), facts.end(), at,
        [this](const Fact& fact, const Point& point) { return earlier(fact.from, point); });
    auto i = static_cast<int32_t>(behind - facts.begin()) - 1;
    for (int looked_at = 0; i >= 0 && looked_at < kMostFacts; i = facts[i].around, looked_at++)
      if (valid(facts[i].from, at) && visit(facts[i])) return;
  }
  void add(const Value* x, const Value* y, int64_t c, Point from) {  // x <= y + c
    if (c == kMin) return;
    // Constants have intervals; chains need not lead through them.
    if (x && x->op != Op::ConstI64) add(upper_[x->id], {y, c, from});
    if (y && y->op != Op::ConstI64) add(lower_[y->id], {x, -c, from});
  }
  void add_condition(const Value* condition, bool truth, Point from, int depth = 3) {
    if (condition->op == Op::NotBool && depth > 0)
      return add_condition(condition->input(0), !truth, from, depth - 1);
    if (condition->op != Op::CmpInt) return;
    const Value* a = condition->input(0);
    const Value* b = condition->input(1);
    switch (truth ? condition->cond : ir::negate(condition->cond)) {
      case Cond::Lt:
        add(a, b, -1, from);
        break;
      case Cond::Le:
        add(a, b, 0, from);
        break;
      case Cond::Gt:
        add(b, a, -1, from);
        break;
      case Cond::Ge:
        add(b, a, 0, from);
        break;
      case Cond::Eq:
        add(a, b, 0, from);
        add(b, a, 0, from);
        break;
      case Cond::Ne:
        break;
    }
    counter_fact(a, from);
    counter_fact(b, from);
  }
  void collect_facts() {
    for (Block* block : doms_.rpo()) {
      if (block->preds.size() == 1) {
        const Value* end = block->preds[0]->terminator();
        if (end->op == Op::Branch && block->preds[0]->succs[0] != block->preds[0]->succs[1])
          add_condition(end->input(0), block->preds[0]->succs[0] == block, {block, 0});
      }
      for (const Value* value : block->values) {
        Point from{block, positions_[value]};
        switch (value->op) {
          case Op::GuardTrue:
            add_condition(value->input(0), true, from);
            break;
          case Op::GuardFalse:
            add_condition(value->input(0), false, from);
            break;
          case Op::CheckIndex:
            add(nullptr, value->input(0), 0, from);
            add(value->input(0), value->input(1), -1, from);
            break;
          default:
            break;
        }
      }
    }
  }
  // Adds what a comparison of the remaining counter says about the counters that move along with
  // it.
  void counter_fact(const Value* remaining, Point from) {
    const Value *rest0, *start;
    int64_t step;
    if (!is_counter(remaining, &rest0, &step) || step != -1) return;
    for (const Value* phi : remaining->block->phis) {
      if (phi == remaining || !is_counter(phi, &start, &step) || step != 1) continue;
      // cur = start + rest0 - remaining, in exact arithmetic.
      counters_.push_back({phi, remaining, start, rest0, from});
    }
  }
  // A phi of a loop head with two inputs: the value at entry and itself plus a constant.
  bool is_counter(const Value* phi, const Value** start, int64_t* step) const {
    if (phi->op != Op::Phi || phi->inputs.size() != 2 || phi->rep != Rep::I64) return false;
    for (int back = 0; back < 2; back++) {
      const Value* next = phi->input(back);
      if (!doms_.dominates(phi->block, phi->block->preds[back])) continue;
      if (next->inputs.size() != 2 || next->input(0) != phi || next->input(1)->op != Op::ConstI64)
        continue;
      int64_t c = next->input(1)->imm;
      if (next->op == Op::AddInt || next->op == Op::AddIntUnchecked) {
        *step = c;
      } else if ((next->op == Op::SubInt || next->op == Op::SubIntUnchecked) && c != kMin) {
        *step = -c;
      } else {
        continue;
      }
      *start = phi->input(1 - back);
      return true;
    }
    return false;
  }
  bool valid(const Point& from, const Point& at) const {
    if (mutants::chosen("rule", "valid")) return true;
    if (from.block == at.block) return from.position < at.position;
    return doms_.dominates(from.block, at.block);
  }

  // ---- intervals
  Interval base(const Value* value) const {
    if (!value) return {0, 0};
    if (value->op == Op::ConstI64) return {value->imm, value->imm};
    return value->id < base_.size() ? base_[value->id] : Interval{};
  }
  Interval at(const Value* value, Point point, int depth = 1) const {
    Interval range = base(value);
    if (range.empty() || !value || value->op == Op::ConstI64 || value->id >= upper_.size())
      return range;
    for_each_valid(upper_[value->id], point, [&](const Fact& fact) {
      Interval other = depth > 0 ? at(fact.other, point, depth - 1) : base(fact.other);
      Wide hi = Wide{other.hi} + fact.offset;
      if (!other.empty() && hi < range.hi) range.hi = hi < kMin ? kMin : static_cast<int64_t>(hi);
      return false;
    });
    for_each_valid(lower_[value->id], point, [&](const Fact& fact) {
      Interval other = depth > 0 ? at(fact.other, point, depth - 1) : base(fact.other);
      Wide lo = Wide{other.lo} + fact.offset;
      if (!other.empty() && lo > range.lo) range.lo = lo > kMax ? kMax : static_cast<int64_t>(lo);
      return false;
    });
    if (range.empty()) return base(value);  // the point is never reached
    return range;
  }
  WideInterval exact(const Value* value, Interval a, Interval b) const {
    switch (value->op) {
      case Op::AddInt:
      case Op::AddIntUnchecked:
        return {Wide{a.lo} + b.lo, Wide{a.hi} + b.hi};
      case Op::SubInt:
      case Op::SubIntUnchecked:
        return {Wide{a.lo} - b.hi, Wide{a.hi} - b.lo};
      default: {
        Wide products[] = {Wide{a.lo} * b.lo, Wide{a.lo} * b.hi, Wide{a.hi} * b.lo,
                           Wide{a.hi} * b.hi};
        return {*std::min_element(products, products + 4),
                *std::max_element(products, products + 4)};
      }
    }
  }
  Interval evaluate(const Value* value) const {
    Point here{value->block, positions_[value]};
    auto input = [&](size_t i) { return at(value->input(i), here); };
    for (const Value* operand : value->inputs)
      if (operand->rep == Rep::I64 && value->op != Op::Phi && base(operand).empty()) return kEmpty;
    switch (value->op) {
      case Op::ConstI64:
        return {value->imm, value->imm};
      case Op::AddInt:
      case Op::SubInt:
      case Op::MulInt:
      case Op::AddIntUnchecked:
      case Op::SubIntUnchecked:
      case Op::MulIntUnchecked:
        return exact(value, input(0), input(1)).clamp();
      case Op::NegInt: {
        Interval a = input(0);
        return WideInterval{-Wide{a.hi}, -Wide{a.lo}}.clamp();
      }
      case Op::NotInt: {
        Interval a = input(0);
        return {~a.hi, ~a.lo};
      }
      case Op::FloorDivInt: {
        Interval a = input(0), b = input(1);
        if (b.lo < 1) return {};
        auto div = [](int64_t x, int64_t y) { return x / y - (x % y != 0 && x < 0); };
        return {std::min(div(a.lo, b.lo), div(a.lo, b.hi)),
                std::max(div(a.hi, b.lo), div(a.hi, b.hi))};
      }
      case Op::ModInt: {
        Interval a = input(0), b = input(1);
        if (b.lo < 1) return {};
        if (a.lo >= 0) return {0, std::min(a.hi, b.hi - 1)};
        return {0, b.hi - 1};
      }
      case Op::AndInt: {
        Interval a = input(0), b = input(1);
        if (a.lo >= 0 && b.lo >= 0) return {0, std::min(a.hi, b.hi)};
        if (a.lo >= 0) return {0, a.hi};
        if (b.lo >= 0) return {0, b.hi};
        return {};
      }
      case Op::OrInt:
      case Op::XorInt: {
        Interval a = input(0), b = input(1);
        if (a.lo < 0 || b.lo < 0) return {};
        uint64_t top = static_cast<uint64_t>(a.hi | b.hi);
        int bits = top ? 64 - __builtin_clzll(top) : 0;
        return {0, bits >= 63 ? kMax : (int64_t{1} << bits) - 1};
      }
      case Op::ShrInt: {
        Interval a = input(0), b = input(1);
        int64_t s = std::clamp<int64_t>(b.lo, 0, 63), t = std::clamp<int64_t>(b.hi, 0, 63);
        return {std::min(a.lo >> s, a.lo >> t), std::max(a.hi >> s, a.hi >> t)};
      }
      case Op::ShlInt: {
        Interval a = input(0), b = input(1);
        int64_t s = std::clamp<int64_t>(b.lo, 0, 62), t = std::clamp<int64_t>(b.hi, 0, 62);
        Wide corners[] = {Wide{a.lo} * (Wide{1} << s), Wide{a.lo} * (Wide{1} << t),
                          Wide{a.hi} * (Wide{1} << s), Wide{a.hi} * (Wide{1} << t)};
        return WideInterval{*std::min_element(corners, corners + 4),
                            *std::max_element(corners, corners + 4)}
            .clamp();
      }
      case Op::WrapIndex: {
        Interval i = input(0), n = input(1);
        if (i.lo >= 0) return i;
        WideInterval wrapped{Wide{i.lo} + n.lo,
                             i.hi < 0 ? Wide{i.hi} + n.hi : std::max(Wide{i.hi}, Wide{n.hi} - 1)};
        if (i.hi >= 0 && wrapped.lo > 0) wrapped.lo = 0;
        return wrapped.fits() ? wrapped.clamp() : Interval{};
      }
      case Op::BoolToInt:
        return {0, 1};
      case Op::LoadU8At:
      case Op::LoadU8:
        return {0, 255};
      case Op::LoadU16At:
      case Op::LoadU16:
        return {0, 65535};
      case Op::LoadU32At:
      case Op::LoadU32:
        return {0, 0xffffffffll};
      case Op::LoadI32At:
      case Op::LoadI32:
        return {INT32_MIN, INT32_MAX};
      case Op::LoadI64:
        // Sizes, and the capacities beside them.
        if (value->heap == Heap::ListShape || value->heap == Heap::BytesShape) return {0, kMaxSize};
        return {};
      case Op::Phi: {
        Interval all = kEmpty;
        for (size_t i = 0; i < value->inputs.size(); i++) {
          const Block* pred = value->block->preds[i];
          if (doms_.reached(pred)) all = join(all, at(value->input(i), {pred, 0xffffffffu}));
        }
        return all;
      }
      default:
        return {};
    }
  }
  void solve() {
    std::vector<const Value*> ints;
    for (const Block* block : doms_.rpo())
      for (const ArenaVec<Value*>* list : {&block->phis, &block->values})
        for (const Value* value : *list)
          if (value->rep == Rep::I64) ints.push_back(value);
    bool stable = false;
    for (int round = 0; round < 20 && !stable; round++) {
      stable = true;
      for (const Value* value : ints) {
        Interval& old = base_[value->id];
        Interval now = join(old, evaluate(value));
        if (now.lo == old.lo && now.hi == old.hi) continue;
        stable = false;
        if (round >= 3 && value->op == Op::Phi && !old.empty()) {
          if (now.lo < old.lo) now.lo = kMin;
          if (now.hi > old.hi) now.hi = kMax;
        }
        old = now;
      }
    }
    if (!stable) {  // never seen; be safe
      for (const Value* value : ints)
        base_[value->id] = value->op == Op::ConstI64 ? base(value) : Interval{};
      return;
    }
    for (int round = 0; round < 2; round++)
      for (const Value* value : ints) {
        Interval now = evaluate(value);
        Interval& old = base_[value->id];
        old = {std::max(now.lo, old.lo), std::min(now.hi, old.hi)};
      }
    // The counters' facts need intervals to be known not to wrap; add them now and narrow once
    // more.
    for (const Counter& c : counters_) {
      if (at(c.remaining, {c.from.block, c.from.position + 1}).lo < 1) continue;
      const Value* rest0 = c.rest0;
      if (c.start->op == Op::ConstI64 && c.start->imm != kMin)
        add(c.cur, rest0, c.start->imm - 1, c.from);
      if ((rest0->op == Op::SubInt || rest0->op == Op::SubIntUnchecked) &&
          rest0->input(1) == c.start)
        add(c.cur, rest0->input(0), -1, c.from);
    }
    if (!counters_.empty())
      for (const Value* value : ints) {
        Interval now = evaluate(value);
        Interval& old = base_[value->id];
        old = {std::max(now.lo, old.lo), std::min(now.hi, old.hi)};
      }
  }

  // ---- x <= y + c at a point
  struct Goal {
    const Value* x;
    const Value* y;
    int64_t c;
  };
  bool prove(const Value* x, const Value* y, Wide c, Point point, int depth = 8) {
    if (c > kMax || c < kMin || --budget_ < 0) return false;
    if (x == y && c >= 0) return true;
    Interval rx = at(x, point), ry = at(y, point);
    if (!rx.empty() && !ry.empty() && Wide{rx.hi} <= Wide{ry.lo} + c) return true;
    if (depth == 0) return false;
    bool proved = false;
    for_each_valid(upper_of(x), point, [&](const Fact& fact) {
      if (fact.other) proved = prove(fact.other, y, c - fact.offset, point, depth - 1);
      return proved || budget_ < 0;
    });
    if (proved) return true;
    for_each_valid(lower_of(y), point, [&](const Fact& fact) {
      if (fact.other) proved = prove(x, fact.other, c + fact.offset, point, depth - 1);
      return proved || budget_ < 0;
    });
    if (proved) return true;
    switch (x->op) {
      case Op::AddInt:
      case Op::AddIntUnchecked:
        if (x->input(1)->op == Op::ConstI64)
          return prove(x->input(0), y, c - x->input(1)->imm, point, depth - 1);
        break;
      case Op::SubInt:
      case Op::SubIntUnchecked: {
        Interval b = at(x->input(1), point);
        if (b.lo > kMin && prove(x->input(0), y, c + b.lo, point, depth - 1)) return true;
        break;
      }
      case Op::ShrInt:
      case Op::FloorDivInt: {
        Interval a = at(x->input(0), point), b = at(x->input(1), point);
        if (a.lo >= 0 && b.lo >= (x->op == Op::ShrInt ? 0 : 1))
          return prove(x->input(0), y, c, point, depth - 1);
        break;
      }
      case Op::ModInt:
        if (at(x->input(1), point).lo >= 1) return prove(x->input(1), y, c + 1, point, depth - 1);
        break;
      case Op::WrapIndex:
        // i < n gives wrapped < n.
        return c >= -1 && x->input(1) == y && prove(x->input(0), y, -1, point, depth - 1);
      case Op::Phi: {
        for (const Goal& goal : open_)
          if (goal.x == x && goal.y == y) return c >= goal.c;
        if (!doms_.dominates(y->block, x->block) || (y->block == x->block && y->op != Op::Phi))
          return false;
        if (y->block == x->block)
          return false;  // the two move together: compared at different turns
        open_.push_back({x, y, static_cast<int64_t>(c)});
        bool all = true;
        for (size_t i = 0; all && i < x->inputs.size(); i++)
          all = prove(x->input(i), y, c, {x->block->preds[i], 0xffffffffu}, depth - 1);
        open_.pop_back();
        return all;
      }
      default:
        break;
    }
    if ((y->op == Op::AddInt || y->op == Op::AddIntUnchecked) && y->input(1)->op == Op::ConstI64)
      return prove(x, y->input(0), c + y->input(1)->imm, point, depth - 1);
    if ((y->op == Op::SubInt || y->op == Op::SubIntUnchecked) && y->input(1)->op == Op::ConstI64)
      return prove(x, y->input(0), c - y->input(1)->imm, point, depth - 1);
    return false;
  }
  const Facts& upper_of(const Value* value) const {
    return value->id < upper_.size() ? upper_[value->id] : none_;
  }
  const Facts& lower_of(const Value* value) const {
    return value->id < lower_.size() ? lower_[value->id] : none_;
  }
  bool less(const Value* x, const Value* y, int64_t c, Point point) {
    budget_ = 60;
    open_.clear();
    return prove(x, y, c, point);
  }

  // What is decided goes, and with it perhaps the last use of a number. But a result that does not
  // fit would have left: the interval holds only behind that exit.
  void rely_on(Value* value) {
    if (value->rep != Rep::I64 || value->id >= relied_.size() || relied_[value->id]) return;
    relied_[value->id] = true;
    if (value->state) value->flags |= ir::kRelied;
    for (Value* input : value->inputs) rely_on(input);
  }

  // ---- the rewrite
  bool rewrite() {
    Replacements replaced(graph_);
    bool changed = false;
    for (Block* block : doms_.rpo())
      for (size_t i = 0; i < block->values.size(); i++) {
        Value* value = block->values[i];
        Point here{block, positions_[value]};
        bool good = false;
        Op op = value->op;
        int64_t truth = -1;
        switch (value->op) {
          case Op::AddInt:
          case Op::SubInt:
          case Op::MulInt: {
            Interval a = at(value->input(0), here), b = at(value->input(1), here);
            good = !a.empty() && !b.empty() && exact(value, a, b).fits();
            op = op == Op::AddInt   ? Op::AddIntUnchecked
                 : op == Op::SubInt ? Op::SubIntUnchecked
                                    : Op::MulIntUnchecked;
            break;
          }
          case Op::CheckIndex:
            good = at(value->input(0), here).lo >= 0 &&
                   less(value->input(0), value->input(1), -1, here);
            break;
          case Op::WrapIndex:
            good = at(value->input(0), here).lo >= 0;
            break;
          case Op::CmpInt:
            truth = decide(*value, here);
            good = truth >= 0;
            break;
          case Op::FitsDouble: {
            Interval a = at(value->input(0), here);
            good = a.lo >= -(int64_t{1} << 53) && a.hi <= int64_t{1} << 53;
            truth = 1;
            break;
          }
          default:
            break;
        }
        if (!good) continue;
        if (!context_.spend_fuel()) {
          replaced.apply();
          return changed;
        }
        changed = true;
        if (value->op == Op::CheckIndex || truth >= 0)
          for (Value* input : value->inputs) rely_on(input);
        if (value->op == Op::CheckIndex) {
          replaced.remove(value);
        } else if (value->op == Op::WrapIndex) {
          replaced.replace(value, value->input(0));
        } else if (truth >= 0) {
          value->op = Op::ConstBool;
          value->cond = Cond::Lt;
          value->imm = truth;
          value->inputs.clear();
        } else {
          value->op = op;
          value->flags &= ~ir::kRelied;
          value->state = nullptr;
          value->reason = ir::Reason::None;
        }
      }
    replaced.apply();
    return changed;
  }
  int decide(const Value& compare, Point point) {
    const Value* a = compare.input(0);
    const Value* b = compare.input(1);
    switch (compare.cond) {
      case Cond::Lt:
        return less(a, b, -1, point) ? 1 : less(b, a, 0, point) ? 0 : -1;
      case Cond::Le:
        return less(a, b, 0, point) ? 1 : less(b, a, -1, point) ? 0 : -1;
      case Cond::Gt:
        return less(b, a, -1, point) ? 1 : less(a, b, 0, point) ? 0 : -1;
      case Cond::Ge:
        return less(b, a, 0, point) ? 1 : less(a, b, -1, point) ? 0 : -1;
      case Cond::Eq:
        return less(a, b, -1, point) || less(b, a, -1, point) ? 0 : -1;
      case Cond::Ne:
        return less(a, b, -1, point) || less(b, a, -1, point) ? 1 : -1;
    }
    return -1;
  }

  struct Counter {
    const Value* cur;
    const Value* remaining;
    const Value* start;
    const Value* rest0;
    Point from;
  };
  Graph& graph_;
  PassContext& context_;
  Dominators doms_;
  Positions positions_;
  std::vector<Interval> base_;
  std::vector<Facts> upper_, lower_;  // by value; see sort
  const Facts none_;
  bool sorted_ = false;
  std::vector<Counter> counters_;
  std::vector<bool> relied_;
  std::vector<Goal> open_;
  int budget_ = 0;
};

}  // namespace

bool analyze_ranges(Graph& graph, PassContext& context) { return Ranger(graph, context).run(); }

}  // namespace psyco::passes
