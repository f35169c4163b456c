// A runtime without Python for tests of machine code: objects with CPython's layout, helpers that
// record what they were called with, and an exit that evaluates its record.
#pragma once
#include <string>
#include <vector>

#include "emit/backend.h"

namespace psyco::test {

struct FakeObject {
  int64_t refcnt = 1;
  const void* type = nullptr;
  union {
    uint64_t tag;
    double number;
    FakeObject* next;
  };
  uint32_t digits[2] = {0, 0};
  int64_t extra[4] = {};
};

struct ExitSeen {
  bool happened = false;
  int exception = 0;
  ExitRecord record;
  std::vector<uint64_t> values;  // locals then stack of every frame, outermost first
  std::vector<uint64_t> boxes;
};

constexpr uint64_t kExitResult = 0xe817;

// One per test; the current one is global, as the machine code's helpers find it there.
struct FakeRuntime {
  FakeRuntime();
  ~FakeRuntime();
  TargetLayout layout;
  RuntimeTable table;
  CodeMemory memory;
  ExitSeen exit;
  Activation* act = nullptr;
  std::vector<uint64_t> activation_words;  // what act is in; after a run tests look at its exit
  CompiledCode* code = nullptr;
  std::vector<FakeObject*> all;
  std::vector<std::string> log;    // helper calls
  uint64_t site_hash = 0;          // of the values at call-outs
  bool registers_at_site = false;  // a call-out's state named a register
  bool numbers_by_value =
      false;                  // values of exits: what is in a number's object, and the boxes too
  bool fail_helpers = false;  // owned and status helpers fail
  uint8_t leave_on_dealloc = 0;
  int linked = 0;
  struct {
    uint64_t eval_breaker = 0;
    void* frame = nullptr;
  } tstate;
  char frame[256] = {};
  FakeObject* small_ints = nullptr;
  FakeObject* float_free = nullptr;
  int32_t float_free_count = 0;
  FakeObject *true_object, *false_object, *none_object;
  FakeObject int_type, float_type, other_type;

  FakeObject* make(const void* type);
  FakeObject* make_int(int64_t x);
  FakeObject* make_float(double x);
  void fill_free_list(int count);
  int64_t int_value(const FakeObject* o) const;  // two digits at most
  uint64_t run(CompiledCode* code, std::vector<FakeObject*> args);
  std::vector<uint64_t> evaluate(const ExitRecord& record);
  uint64_t value_at(const Location& location);
};
extern FakeRuntime* g_fake;
uint64_t mix(uint64_t hash, uint64_t x);
uint64_t canonical(ir::SlotKind kind, uint64_t bits);  // the same for equal numbers

}  // namespace psyco::test
