// Random programs: an interpreter of the graph against machine code, in all stress modes.
#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <set>

#include "fake_runtime.h"
#include "graph_generator.h"
#include "graph_interpreter.h"

using namespace psyco;
using namespace psyco::test;

namespace {

std::string text(const std::vector<uint64_t>& list) {
  std::string s;
  for (uint64_t x : list) s += std::to_string(static_cast<int64_t>(x)) + " ";
  return s;
}

void check_program(uint32_t seed, int size, int pressure, bool calls, bool wide) {
  FakeRuntime rt;
  rt.numbers_by_value = true;
  Builder b;
  Generator(b, seed, pressure, calls, wide).run(size);
  struct Mode {
    bool spill, avx;
  };
  std::vector<FakeObject*> arg_sets[4];
  std::mt19937 random(seed);
  for (auto& args : arg_sets) {
    args.push_back(rt.make_int(static_cast<int64_t>(random()) - 2000000000));
    args.push_back(rt.make_int(random() % 3 ? static_cast<int64_t>(random() % 100)
                                            : static_cast<int64_t>(random()) << 31));
    args.push_back(rt.make_float((static_cast<double>(random() % 1000) - 300) / 8));
  }
  for (Mode mode : {Mode{false, true}, Mode{true, true}, Mode{false, false}, Mode{true, false}}) {
    BackendOptions options;
    options.spill_everything = mode.spill;
    options.allow_avx = mode.avx;
    BackendResult r = compile_graph(b.g, rt.layout, rt.table, rt.memory, options);
    CAPTURE(seed);
    CAPTURE(mode.spill);
    CAPTURE(mode.avx);
    if (r.error)
      FAIL_CHECK((std::string(r.error) + " " + r.lir_listing.substr(0, r.lir_listing.find(10))));
    if (!r.code) return;
    for (auto& args : arg_sets) {
      Outcome expected = Interpreter(b.g, rt, args).run();
      if (expected.stuck) continue;
      rt.fill_free_list(static_cast<int>(random() % 6));
      uint64_t result = rt.run(r.code, args);
      CHECK(rt.exit.happened == expected.exited);
      CHECK(!rt.registers_at_site);
      CHECK(rt.site_hash == expected.site_hash);
      if (expected.exited) {
        CHECK(rt.exit.record.value_id == expected.value_id);
        CHECK(text(rt.exit.values) == text(expected.values));
      } else if (!rt.exit.happened) {
        CHECK(canonical(ir::SlotKind::Object, result) ==
              canonical(ir::SlotKind::Object, expected.result));
      }
    }
    rt.memory.free(r.code);
    delete r.code;
  }
  // Guards as exits: all, or every n-th. The records say which.
  for (uint32_t every : {1u, 2u, 3u, 7u}) {
    BackendOptions options;
    options.exit_every = every;
    options.spill_everything = every == 2;
    BackendResult r = compile_graph(b.g, rt.layout, rt.table, rt.memory, options);
    REQUIRE(r.code);
    std::set<uint32_t> stressed;
    for (uint32_t i = 0; i < r.code->record_offsets.size(); i++) {
      ExitRecord record = decode_record(*r.code, i);
      if (record.reason == ir::Reason::Stress) stressed.insert(record.value_id);
    }
    CAPTURE(seed);
    CAPTURE(every);
    for (auto& args : arg_sets) {
      Outcome expected = Interpreter(b.g, rt, args, stressed).run();
      if (expected.stuck) continue;
      rt.run(r.code, args);
      CHECK(rt.exit.happened == expected.exited);
      CHECK(rt.site_hash == expected.site_hash);
      if (!expected.exited || !rt.exit.happened) continue;
      CHECK(rt.exit.record.value_id == expected.value_id);
      CHECK(text(rt.exit.values) == text(expected.values));
    }
    rt.memory.free(r.code);
    delete r.code;
  }
}

}  // namespace

TEST_CASE("backend: random programs") {
  const char* count = std::getenv("PSYCO_TEST_PROGRAMS");
  uint32_t n = count ? static_cast<uint32_t>(std::atoi(count)) : 300;
  const char* first = std::getenv("PSYCO_TEST_SEED");
  uint32_t from = first ? static_cast<uint32_t>(std::atoi(first)) : 1;
  for (uint32_t seed = from; seed < from + n; seed++) {
    check_program(seed, 5 + static_cast<int>(seed % 60), static_cast<int>(seed % 4) * 8,
                  seed % 3 != 0, seed % 5 == 0);
  }
}

// Not a check: PSYCO_TEST_SPEED=1 prints the time per compilation and its share per phase.
static double cpu_time() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}
TEST_CASE("backend: compile speed") {
  if (!std::getenv("PSYCO_TEST_SPEED")) return;
  for (int size : {50, 200, 600, 1500}) {
    FakeRuntime rt;
    Builder b;
    Generator(b, 12345, 8, true).run(size);
    size_t values = 0;
    for (ir::Block* block : b.g.blocks) values += block->values.size() + block->phis.size();
    for (bool verify : {false, true}) {
      BackendOptions options;
      options.verify = verify;
      double best = 1e9;
      size_t bytes = 0;
      for (int i = 0; i < 30; i++) {
        double from = cpu_time();
        BackendResult r = compile_graph(b.g, rt.layout, rt.table, rt.memory, options);
        double us = cpu_time() - from;
        best = std::min(best, us);
        bytes = r.code->size;
        rt.memory.free(r.code);
        delete r.code;
      }
      std::printf("%zu values, %zu bytes of code, verify %d: %.0f us\n", values, bytes, verify,
                  best);
    }
  }
}
