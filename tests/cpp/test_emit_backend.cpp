// Graphs compiled and run against the fake runtime.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "fake_runtime.h"
#include "graph_builder.h"

using namespace psyco;
using namespace psyco::test;
using ir::Cond;

namespace {
CompiledCode* compile(FakeRuntime& rt, ir::Graph& g, BackendOptions options = {}) {
  options.want_listing = true;
  BackendResult r = compile_graph(g, rt.layout, rt.table, rt.memory, options);
  if (r.error) MESSAGE(std::string(r.error) << "\n" << r.lir_listing);
  if (std::getenv("PSYCO_TEST_LISTING")) std::printf("%s\n%s\n", r.lir_listing.c_str(), r.assembly_listing.c_str());
  REQUIRE(r.error == nullptr);
  return r.code;
}
FakeObject* as_object(uint64_t x) { return reinterpret_cast<FakeObject*>(x); }

// while i < n: s += i*i; i += 1
void sum_of_squares(Builder& b) {
  Value* a = b.arg(0);
  Value* n = b.op(Op::UnboxInt, {a}, b.state({a}));
  Value* zero = b.i(0);
  ir::Block *head = b.block(1), *body = b.block(1), *done = b.block(0);
  head->loop_head = true;
  Value* i = b.phi(head, Rep::I64);
  Value* s = b.phi(head, Rep::I64);
  b.jump(head);
  b.cur = head;
  b.branch(b.cmp(Op::CmpInt, Cond::Lt, i, n), body, done);
  b.cur = body;
  Value* sq = b.op(Op::MulInt, {i, i}, b.state({a, s, i}, 10));
  Value* s2 = b.op(Op::AddInt, {s, sq}, b.state({a, s, i}, 12));
  Value* i2 = b.op(Op::AddInt, {i, b.i(1)}, b.state({a, s2, i}, 14));
  b.op(Op::Poll, {}, b.state({a, s2, i2}, 16));
  b.jump(head);
  for (auto [phi, v] : {std::pair{i, i2}, std::pair{s, s2}}) b.add_input(phi, zero), b.add_input(phi, v);
  b.cur = done;
  Value* box = b.op(Op::BoxInt, {s}, b.state({a, s}, 20));
  b.ret(box);
}
}  // namespace

TEST_CASE("backend: a loop of integers") {
  for (bool spill : {false, true})
    for (bool avx : {true, false}) {
      FakeRuntime rt;
      Builder b;
      sum_of_squares(b);
      BackendOptions options;
      options.spill_everything = spill;
      options.allow_avx = avx;
      CompiledCode* code = compile(rt, b.g, options);
      for (int64_t n : {0, 1, 10, 1000}) {
        uint64_t r = rt.run(code, {rt.make_int(n)});
        CHECK(!rt.exit.happened);
        CHECK(rt.int_value(as_object(r)) == (n - 1) * n * (2 * n - 1) / 6);
      }
      // Not an int that fits.
      FakeObject* big = rt.make_int(5);
      big->tag = 5 << 3;
      big->extra[3] = 0;
      CHECK(rt.run(code, {big}) == kExitResult);
      CHECK(rt.exit.happened);
      CHECK(rt.exit.values == std::vector<uint64_t>{reinterpret_cast<uint64_t>(big)});
      // Overflow: i*i leaves 64 bits never within patience, the sum does: start near the end by a big n.
      FakeObject* fits = rt.make_int(INT64_MAX);
      uint64_t r = rt.run(code, {fits});
      CHECK(r == kExitResult);
      CHECK(rt.exit.record.frames[0].bci == 12);
      CHECK(rt.exit.record.reason == ir::Reason::Overflow);
      uint64_t i = rt.exit.values[2];
      uint64_t expected = (i - 1) * i / 2;  // i(i-1)(2i-1)/6 modulo nothing: it fitted
      unsigned __int128 full = static_cast<unsigned __int128>(i - 1) * i * (2 * i - 1) / 6;
      (void)expected;
      CHECK(rt.exit.values[1] == static_cast<uint64_t>(full));
      // The poll leaves with the loop-head state.
      rt.tstate.eval_breaker = 1;
      rt.run(code, {rt.make_int(7)});
      CHECK(rt.exit.record.frames[0].bci == 16);
      CHECK(rt.exit.values[2] == 1);
      rt.memory.free(code);
      delete code;
    }
}
