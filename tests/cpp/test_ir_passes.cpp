// Passes against an evaluator: random integer programs with branches and loops must end the same
// way, and no unchecked op may ever overflow.
#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>

#include "ir/printer.h"
#include "ir/verifier.h"
#include "passes/fold.h"
#include "passes/pass.h"

using namespace psyco;
using namespace psyco::ir;

namespace {

// What a run of a graph ended with.
struct Outcome {
  enum Kind { End, Guard, Arithmetic, Broken, Endless } kind = End;
  int bci = 0;
  std::vector<int64_t> values;
  bool operator==(const Outcome& other) const {
    // A guard that always fails has become a Deopt.
    return (kind <= Guard) == (other.kind <= Guard) && bci == other.bci && values == other.values;
  }
};

class Evaluator {
 public:
  Evaluator(const Graph& graph, const std::vector<int64_t>& args)
      : graph_(graph), args_(args), at_(graph.value_count, 0) {}

  Outcome run() {
    const Block* block = graph_.blocks[0];
    const Block* from = nullptr;
    for (int steps = 0; steps < 5000; steps++) {
      if (from) enter(*block, *from);
      for (const Value* value : block->values) {
        if (value->op == Op::Deopt) return leave(Outcome::End, *value);
        if (is_terminator(*value)) break;
        if (!step(*value)) return out_;
      }
      from = block;
      const Value* end = block->terminator();
      block = block->succs[end->op == Op::Branch && !at_[end->input(0)->id] ? 1 : 0];
    }
    out_.kind = Outcome::Endless;
    return out_;
  }

 private:
  void enter(const Block& block, const Block& from) {
    size_t edge = 0;
    while (block.preds[edge] != &from) edge++;
    std::vector<int64_t> incoming;
    for (const Value* phi : block.phis) incoming.push_back(at_[phi->input(edge)->id]);
    for (size_t i = 0; i < block.phis.size(); i++) at_[block.phis[i]->id] = incoming[i];
  }
  Outcome leave(Outcome::Kind kind, const Value& value) {
    out_.kind = kind;
    out_.bci = value.state->bci;
    for (const Slot& slot : value.state->stack) out_.values.push_back(at_[slot.value->id]);
    return out_;
  }
  bool step(const Value& value) {
    auto in = [&](size_t i) { return at_[value.input(i)->id]; };
    int64_t& result = at_[value.id];
    switch (value.op) {
      case Op::ConstI64:
      case Op::ConstBool:
        result = value.imm;
        return true;
      case Op::Arg:
        result = args_[static_cast<size_t>(value.imm)];
        return true;
      case Op::UnboxInt:
      case Op::BoolToInt:
        result = in(0);
        return true;
      case Op::NotInt:
        result = ~in(0);
        return true;
      case Op::NotBool:
        result = !in(0);
        return true;
      case Op::CmpInt:
        result = passes::fold_compare(value.cond, in(0), in(1));
        return true;
      case Op::WrapIndex:
        result = in(0) < 0 ? in(0) + in(1) : in(0);
        return true;
      case Op::CheckIndex:
        if (in(0) >= 0 && in(0) < in(1)) return true;
        leave(Outcome::Guard, value);
        return false;
      case Op::GuardTrue:
      case Op::GuardFalse:
        if ((in(0) != 0) == (value.op == Op::GuardTrue)) return true;
        leave(Outcome::Guard, value);
        return false;
      default:
        break;
    }
    if (passes::fold_int(value.op, in(0), in(1), &result)) return true;
    bool unchecked = value.op == Op::AddIntUnchecked || value.op == Op::SubIntUnchecked ||
                     value.op == Op::MulIntUnchecked;
    out_.kind = unchecked ? Outcome::Broken : Outcome::Arithmetic;
    return false;
  }

  const Graph& graph_;
  const std::vector<int64_t>& args_;
  std::vector<int64_t> at_;
  Outcome out_;
};

// Structured random programs over a few integer variables.
class Programmer {
 public:
  Programmer(Graph& graph, uint32_t seed) : g_(graph), random_(seed) {}
  void run() {
    FrameInfo* frame = g_.arena.make<FrameInfo>();
    frame->name = "f";
    frame->nstack = kVars;
    g_.frames.push_back(g_.arena, frame);
    g_.arg_count = kVars;
    block_ = g_.new_block();
    for (int i = 0; i < kVars; i++) {
      Value* arg = emit(Op::Arg, Rep::Object, {});
      arg->imm = i;
      vars_[i] = emit(Op::UnboxInt, Rep::I64, {arg});
      vars_[i]->state = nullptr;
    }
    for (int i = 0; i < kVars; i++)
      if (pick(2)) vars_[i] = constant();
    // The states of unboxing come last: they name all variables.
    for (Value* value : block_->values)
      if (value->op == Op::UnboxInt) value->state = empty_state();
    body(3);
    Value* end = emit(Op::Deopt, Rep::None, {});
    end->state = state();
  }

 private:
  static constexpr int kVars = 4;
  uint32_t pick(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  Value* emit(Op op, Rep rep, std::initializer_list<Value*> inputs) {
    Value* value = g_.new_value(op, rep);
    for (Value* input : inputs) value->inputs.push_back(g_.arena, input);
    return g_.append(block_, value);
  }
  Value* constant() {
    constexpr int64_t kSome[] = {0,   1,  2,         3,         -1,           7, 63, 64,
                                 100, -5, INT64_MAX, INT64_MIN, INT64_MAX - 1};
    Value* value = emit(Op::ConstI64, Rep::I64, {});
    value->imm = kSome[pick(pick(3) ? 7 : 13)];
    return value;
  }
  FrameState* empty_state() {
    FrameState* state = g_.new_state();
    state->frame = g_.frames[0];
    state->bci = 0;
    return state;
  }
  FrameState* state() {
    FrameState* state = g_.new_state();
    state->frame = g_.frames[0];
    state->bci = bci_++;
    for (Value* var : vars_) {
      Slot slot;
      slot.kind = SlotKind::Int;
      slot.value = var;
      state->stack.push_back(g_.arena, slot);
    }
    return state;
  }
  Value* operand() { return pick(3) ? vars_[pick(kVars)] : constant(); }
  Value* condition() {
    Value* value = emit(Op::CmpInt, Rep::Bool, {operand(), operand()});
    value->cond = static_cast<Cond>(pick(6));
    if (pick(4) == 0) value = emit(Op::NotBool, Rep::Bool, {value});
    return value;
  }
  void statement() {
    switch (pick(8)) {
      case 0: {
        Value* check = emit(Op::CheckIndex, Rep::None, {operand(), operand()});
        if (pick(3)) {  // make it pass now and then
          check->op = Op::GuardFalse;
          Value* length = check->input(1);
          check->inputs.clear();
          block_->values.pop_back();
          Value* cmp = emit(Op::CmpInt, Rep::Bool, {length, operand()});
          cmp->cond = static_cast<Cond>(pick(6));
          check->inputs.push_back(g_.arena, cmp);
          g_.append(block_, check);
        }
        check->state = state();
        return;
      }
      case 1:
        vars_[pick(kVars)] = emit(Op::BoolToInt, Rep::I64, {condition()});
        return;
      case 2:
        vars_[pick(kVars)] = emit(Op::WrapIndex, Rep::I64, {operand(), operand_small()});
        return;
      default: {
        constexpr Op kOps[] = {Op::AddInt, Op::SubInt, Op::MulInt, Op::FloorDivInt,
                               Op::ModInt, Op::AndInt, Op::OrInt,  Op::XorInt,
                               Op::ShlInt, Op::ShrInt, Op::AddInt, Op::SubInt};
        Op op = kOps[pick(12)];
        FrameState* before = op_info(op).effects == Effects::Exits ? state() : nullptr;
        Value* value = emit(op, Rep::I64, {operand(), operand()});
        value->state = before;
        vars_[pick(kVars)] = value;
      }
    }
  }
  Value* operand_small() {
    Value* value = emit(Op::ConstI64, Rep::I64, {});
    value->imm = pick(20);
    return value;
  }
  void jump(Block* to) {
    emit(Op::Jump, Rep::None, {});
    g_.connect(block_, to);
  }
  void body(int depth) {
    for (uint32_t i = 2 + pick(5); i > 0; i--) {
      uint32_t kind = depth ? pick(8) : 7;
      if (kind == 0)
        branch(depth);
      else if (kind == 1)
        loop(depth);
      else
        statement();
    }
  }
  void branch(int depth) {
    Value* test = condition();
    emit(Op::Branch, Rep::None, {test});
    Block* from = block_;
    Block* yes = g_.new_block();
    Block* no = g_.new_block();
    g_.connect(from, yes);
    g_.connect(from, no);
    Value* saved[kVars];
    std::copy(vars_, vars_ + kVars, saved);
    block_ = yes;
    body(depth - 1);
    Block* join = g_.new_block();
    jump(join);
    Value* first[kVars];
    std::copy(vars_, vars_ + kVars, first);
    std::copy(saved, saved + kVars, vars_);
    block_ = no;
    body(depth - 1);
    jump(join);
    block_ = join;
    for (int i = 0; i < kVars; i++) {
      if (first[i] == vars_[i]) continue;
      Value* phi = g_.new_value(Op::Phi, Rep::I64);
      phi->inputs.push_back(g_.arena, first[i]);
      phi->inputs.push_back(g_.arena, vars_[i]);
      vars_[i] = g_.append(join, phi);
    }
  }
  void loop(int depth) {
    Block* head = g_.new_block();
    jump(head);
    Value* phis[kVars];
    for (int i = 0; i < kVars; i++) {
      phis[i] = g_.new_value(Op::Phi, Rep::I64);
      phis[i]->inputs.push_back(g_.arena, vars_[i]);
      vars_[i] = g_.append(head, phis[i]);
    }
    head->preds[0]->entry_state = nullptr;
    block_ = head;
    int counter = static_cast<int>(pick(kVars));
    Value* test = emit(Op::CmpInt, Rep::Bool, {vars_[counter], operand()});
    test->cond = pick(2) ? Cond::Lt : static_cast<Cond>(pick(6));
    emit(Op::Branch, Rep::None, {test});
    Block* inside = g_.new_block();
    Block* after = g_.new_block();
    g_.connect(head, inside);
    g_.connect(head, after);
    block_ = inside;
    body(depth - 1);
    Value* step = emit(Op::ConstI64, Rep::I64, {});
    step->imm = pick(4) ? 1 : static_cast<int64_t>(pick(5)) - 2;
    FrameState* before = state();
    vars_[counter] = emit(Op::AddInt, Rep::I64, {pick(2) ? phis[counter] : vars_[counter], step});
    vars_[counter]->state = before;
    jump(head);
    for (int i = 0; i < kVars; i++) phis[i]->inputs.push_back(g_.arena, vars_[i]);
    block_ = after;
    std::copy(phis, phis + kVars, vars_);
  }

  Graph& g_;
  std::mt19937 random_;
  Block* block_ = nullptr;
  Value* vars_[kVars] = {};
  int bci_ = 1;
};

std::vector<std::vector<int64_t>> some_arguments(uint32_t seed) {
  std::mt19937 random(seed);
  constexpr int64_t kSome[] = {0, 1, 2, 3, 5, 10, -1, -2, -7, 30, INT64_MAX, INT64_MIN, 1ll << 40};
  std::vector<std::vector<int64_t>> result;
  for (int i = 0; i < 6; i++) {
    std::vector<int64_t> args;
    for (int k = 0; k < 4; k++) args.push_back(kSome[random() % (i < 3 ? 10 : 13)]);
    result.push_back(args);
  }
  return result;
}

void compare(const std::vector<std::string>& passes, uint32_t seeds) {
  for (uint32_t seed = 0; seed < seeds; seed++) {
    Graph plain, optimised;
    Programmer(plain, seed).run();
    Programmer(optimised, seed).run();
    REQUIRE(verify(plain, VerifyLevel::Ownership).empty());
    passes::PassOptions options;
    options.only = passes;
    options.verify = true;
    run_passes(optimised, options);
    for (const std::vector<int64_t>& args : some_arguments(seed)) {
      Outcome before = Evaluator(plain, args).run();
      Outcome after = Evaluator(optimised, args).run();
      INFO("seed " << seed << "\n" << print(plain) << "\n" << print(optimised));
      REQUIRE(after.kind != Outcome::Broken);
      // Arithmetic that nobody reads may be gone, with its exit; then the rest goes on.
      if (before.kind == Outcome::Arithmetic || before.kind == Outcome::Endless) continue;
      REQUIRE(before == after);
    }
  }
}

}  // namespace

TEST_CASE("random programs: fold_constants") { compare({"fold_constants"}, 1500); }
TEST_CASE("random programs: number_values") { compare({"number_values", "fold_constants"}, 1500); }
TEST_CASE("random programs: analyze_ranges") {
  compare({"analyze_ranges"}, 1500);
  compare({"number_values", "analyze_ranges", "fold_constants", "eliminate_dead_code"}, 1500);
}
TEST_CASE("random programs: hoist_invariants") {
  compare({"number_values", "hoist_invariants"}, 1500);
}
TEST_CASE("random programs: the pipeline") { compare({}, 2500); }

TEST_CASE("folded integers agree with the definition on all 8-bit operands") {
  auto floor_div = [](int64_t a, int64_t b) {
    int64_t q = 0;  // the largest q with q * b on the right side of a
    while (b > 0 ? (q + 1) * b <= a : (q + 1) * b >= a) q++;
    while (b > 0 ? q * b > a : q * b < a) q--;
    return q;
  };
  for (int64_t a = -128; a < 128; a++)
    for (int64_t b = -128; b < 128; b++) {
      int64_t result;
      REQUIRE(passes::fold_int(Op::FloorDivInt, a, b, &result) == (b != 0));
      if (b != 0) {
        REQUIRE(result == floor_div(a, b));
        REQUIRE(passes::fold_int(Op::ModInt, a, b, &result));
        REQUIRE(result == a - floor_div(a, b) * b);
      }
      bool shifts = passes::fold_int(Op::ShlInt, a, b, &result);
      bool fits = b >= 0 && b <= 62 &&
                  static_cast<__int128>(a) * (static_cast<__int128>(1) << (b & 63)) >= INT64_MIN &&
                  static_cast<__int128>(a) * (static_cast<__int128>(1) << (b & 63)) <= INT64_MAX;
      REQUIRE(shifts == fits);
    }
}

TEST_CASE("compile time of the pipeline") {
  std::vector<passes::PassTime> times;
  size_t values = 0;
  for (uint32_t seed = 0; seed < 400; seed++) {
    Graph graph;
    Programmer(graph, seed).run();
    values += graph.value_count;
    run_passes(graph, passes::PassOptions{}, &times);
  }
  double scale = 2000 * 1e6 / static_cast<double>(values), all = 0;
  std::string report;
  size_t rows = times.size() / 400;
  for (size_t row = 0; row < rows; row++) {
    double seconds = 0;
    for (size_t i = row; i < times.size(); i += rows) seconds += times[i].seconds;
    all += seconds;
    report += std::string("\n  ") + times[row].name + " " +
              std::to_string(static_cast<int>(seconds * scale));
  }
  MESSAGE("us per 2,000 values: " << all * scale << " (" << values / 400 << " values a graph)"
                                  << report);
}
