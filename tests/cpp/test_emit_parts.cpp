// Exit records, code memory, fork, and what the allocation checker catches.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "emit/records.h"
#include "fake_runtime.h"
#include "graph_builder.h"
#include "lir/linear_scan.h"
#include "lir/select/select.h"

using namespace psyco;
using namespace psyco::test;

namespace {

bool same(const Location& a, const Location& b) {
  return a.kind == b.kind && a.reg == b.reg && a.spill == b.spill && a.imm == b.imm;
}
bool same(const ExitSlot& a, const ExitSlot& b) {
  return a.kind == b.kind && a.owned == b.owned && a.nullable == b.nullable &&
         a.box_owned == b.box_owned && same(a.value, b.value) && same(a.box, b.box) &&
         a.virt == b.virt && a.object == b.object;
}
bool same(const std::vector<ExitSlot>& a, const std::vector<ExitSlot>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++)
    if (!same(a[i], b[i])) return false;
  return true;
}

std::mt19937 g_random(7);
int pick(int n) { return static_cast<int>(g_random() % static_cast<uint32_t>(n)); }
int64_t number() {
  switch (pick(4)) {
    case 0:
      return pick(40) - 20;
    case 1:
      return INT64_MIN + pick(2);
    case 2:
      return INT64_MAX - pick(2);
    default:
      return static_cast<int64_t>(g_random()) << pick(32);
  }
}
Location location(bool may_be_none) {
  Location l;
  l.kind = static_cast<Location::Kind>(may_be_none ? pick(6) : 1 + pick(5));
  switch (l.kind) {
    case Location::None:
      break;
    case Location::Gpr:
    case Location::Xmm:
      l.reg = static_cast<uint8_t>(pick(16));
      break;
    case Location::Spill:
      l.spill = pick(2) ? pick(40) : pick(100000);
      break;
    case Location::Imm:
      l.imm = number();
      break;
    case Location::Object:
      l.imm = pick(2) ? 0x7f0000000000 + pick(1 << 30) : pick(64);
      break;
  }
  return l;
}
ExitSlot slot(int virtuals) {
  ExitSlot s;
  s.kind = static_cast<ir::SlotKind>(pick(virtuals ? 6 : 5));
  if (s.kind == ir::SlotKind::Null) return s;
  if (s.kind == ir::SlotKind::Virtual) {
    s.virt = pick(virtuals);
    return s;
  }
  s.owned = pick(2);
  s.nullable = pick(2);
  s.value = location(false);
  if (s.kind != ir::SlotKind::Object) {
    s.box = location(true);
    s.box_owned = pick(2);
    if (s.kind != ir::SlotKind::Bool) s.object = static_cast<uint32_t>(pick(300));
  }
  return s;
}
std::vector<ExitSlot> slots(int most, int virtuals) {
  std::vector<ExitSlot> list(static_cast<size_t>(pick(most)));
  for (ExitSlot& s : list) s = slot(virtuals);
  return list;
}

}  // namespace

TEST_CASE("exit records come back as they were") {
  RecordWriter writer;
  std::vector<ExitRecord> records;
  std::vector<uint32_t> ids;
  for (int i = 0; i < 500; i++) {
    ExitRecord r;
    r.reason = static_cast<ir::Reason>(pick(ir::kReasonCount));
    r.value_id = static_cast<uint32_t>(pick(3) ? pick(100) : pick(1 << 30));
    int virtuals = pick(4);
    for (int k = 0; k < 1 + pick(3); k++) {
      ExitFrame f;
      f.frame_index = static_cast<uint32_t>(pick(200));
      f.bci = pick(5000) - 1;
      f.cont = static_cast<ir::Continuation>(pick(6));
      f.function = slot(0);
      f.locals = slots(12, virtuals);
      f.stack = slots(40, virtuals);
      r.frames.push_back(f);
    }
    for (int k = 0; k < virtuals; k++)
      r.virtuals.push_back({static_cast<ir::VirtualKind>(pick(7)), static_cast<uint32_t>(pick(300)),
                            slots(5, virtuals)});
    r.drops = slots(4, 0);
    records.push_back(r);
    ids.push_back(writer.add(r));
  }
  CHECK(writer.add(records[17]) == ids[17]);  // shared
  CompiledCode code;
  writer.finish(code);
  CHECK(code.exit_counts.size() == code.record_offsets.size());
  for (size_t i = 0; i < records.size(); i++) {
    ExitRecord r = decode_record(code, ids[i]);
    const ExitRecord& e = records[i];
    REQUIRE(r.reason == e.reason);
    REQUIRE(r.value_id == e.value_id);
    REQUIRE(r.frames.size() == e.frames.size());
    for (size_t k = 0; k < e.frames.size(); k++) {
      REQUIRE(r.frames[k].frame_index == e.frames[k].frame_index);
      REQUIRE(r.frames[k].bci == e.frames[k].bci);
      REQUIRE(r.frames[k].cont == e.frames[k].cont);
      REQUIRE(same(r.frames[k].function, e.frames[k].function));
      REQUIRE(same(r.frames[k].locals, e.frames[k].locals));
      REQUIRE(same(r.frames[k].stack, e.frames[k].stack));
    }
    REQUIRE(r.virtuals.size() == e.virtuals.size());
    for (size_t k = 0; k < e.virtuals.size(); k++) {
      REQUIRE(r.virtuals[k].kind == e.virtuals[k].kind);
      REQUIRE(r.virtuals[k].object == e.virtuals[k].object);
      REQUIRE(same(r.virtuals[k].fields, e.virtuals[k].fields));
    }
    REQUIRE(same(r.drops, e.drops));
  }
}

TEST_CASE("code memory: allocation and reuse") {
  CodeMemory memory(8u << 20);
  REQUIRE(memory.error() == nullptr);
  size_t base = memory.bytes_used();
  std::vector<CodeMemory::Chunk> chunks;
  for (int i = 0; i < 400; i++) {
    CodeMemory::Chunk c = memory.allocate(static_cast<size_t>(1 + pick(9000)));
    REQUIRE(c.rx);
    CHECK(memory.contains(c.rx));
    uint8_t byte = static_cast<uint8_t>(i);
    for (size_t k = 0; k < c.size; k += 97) memory.write(c, k, &byte, 1);
    chunks.push_back(c);
  }
  for (size_t i = 0; i < chunks.size(); i++)
    for (size_t k = 0; k < chunks[i].size; k += 97)
      REQUIRE(chunks[i].rx[k] == static_cast<uint8_t>(i));
  CHECK(!memory.allocate(9u << 20).rx);  // more than the region
  for (size_t i = 0; i < chunks.size(); i += 2) memory.free(chunks[i]);
  for (size_t i = 1; i < chunks.size(); i += 2) memory.free(chunks[i]);
  CHECK(memory.bytes_used() == base);
  // All of it is one piece again.
  CHECK(memory.allocate(2u << 20).rx);
}

namespace {
const uint8_t kReturn1[] = {0xb8, 1, 0, 0, 0, 0xc3};  // mov eax, 1; ret
const uint8_t kReturn2[] = {0xb8, 2, 0, 0, 0, 0xc3};
int call(const CodeMemory::Chunk& c) { return reinterpret_cast<int (*)()>(c.rx)(); }
}  // namespace

TEST_CASE("code memory: a forked child and its parent do not see each other's code") {
  CodeMemory memory;
  CodeMemory::Chunk c = memory.allocate(64);
  memory.write(c, 0, kReturn1, sizeof kReturn1);
  CHECK(call(c) == 1);
  int to_child[2], to_parent[2];
  REQUIRE(pipe(to_child) == 0);
  REQUIRE(pipe(to_parent) == 0);
  char token = 0;
  pid_t child = fork();
  if (child == 0) {
    bool ok = read(to_child[0], &token, 1) == 1;  // the parent has overwritten
    ok &= call(c) == 1;
    memory.write(c, 0, kReturn2, sizeof kReturn2);
    ok &= call(c) == 2;
    CodeMemory::Chunk d = memory.allocate(64);
    memory.write(d, 0, kReturn1, sizeof kReturn1);
    ok &= call(d) == 1;
    pid_t grandchild = fork();
    if (grandchild == 0) {
      bool good = call(c) == 2 && call(d) == 1;
      memory.write(c, 0, kReturn1, sizeof kReturn1);
      _exit(good && call(c) == 1 ? 0 : 1);
    }
    int status = 1;
    waitpid(grandchild, &status, 0);
    ok &= status == 0 && call(c) == 2;
    ok &= write(to_parent[1], &token, 1) == 1;
    _exit(ok ? 0 : 1);
  }
  uint8_t const other[] = {0xb8, 3, 0, 0, 0, 0xc3};
  memory.write(c, 0, other, sizeof other);
  CHECK(call(c) == 3);
  CHECK(write(to_child[1], &token, 1) == 1);
  CHECK(read(to_parent[0], &token, 1) == 1);
  CHECK(call(c) == 3);
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  for (int fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) close(fd);
}

TEST_CASE("code memory: works where the kernel enforces W^X") {
  pid_t child = fork();
  if (child == 0) {
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
    if (prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0) _exit(0);  // an older kernel
    CodeMemory memory;
    if (memory.error()) _exit(1);
    CodeMemory::Chunk c = memory.allocate(64);
    memory.write(c, 0, kReturn1, sizeof kReturn1);
    if (call(c) != 1) _exit(2);
    pid_t grandchild = fork();
    if (grandchild == 0) {
      memory.write(c, 0, kReturn2, sizeof kReturn2);
      _exit(call(c) == 2 ? 0 : 1);
    }
    int status = 1;
    waitpid(grandchild, &status, 0);
    _exit(status == 0 && call(c) == 1 ? 0 : 3);
  }
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("the allocation checker catches broken allocations") {
  using namespace psyco::lir;
  FakeRuntime rt;
  Builder b;
  Value* a = b.arg(0);
  Value* n = b.op(Op::UnboxInt, {a}, b.state({a}));
  std::vector<Value*> many;
  for (int i = 0; i < 20; i++) many.push_back(b.op(Op::AddInt, {n, b.i(i)}, b.state({a, n})));
  Value* sum = n;
  for (Value* v : many) sum = b.op(Op::SubInt, {sum, v}, b.state({a, sum, v}));
  Value* t = b.call(ir::Helper::is_true, Rep::I64, {a}, b.state({a, sum, n}));
  sum = b.op(Op::AddInt, {sum, t}, b.state({a, sum, n}));
  b.ret(b.op(Op::BoxInt, {sum}, b.state({a})));
  TargetFacts facts{};
  auto fresh = [&](Function& f) {
    select(b.g, facts, f);
    REQUIRE(f.error == nullptr);
    allocate_registers(f, {});
    CHECK(check_allocation(f) == "");
  };
  int tried = 0, caught = 0;
  auto other_place = [](Loc& loc) {
    Loc was = loc;
    loc.kind = Loc::Gpr;
    loc.reg = was.kind == Loc::Gpr && was.reg == lir::rcx ? lir::rsi : lir::rcx;
    return !(loc == was);
  };
  for (int round = 0; round < 300; round++) {
    Function f;
    fresh(f);
    // Break one thing: a location of a use, an exit, a definition, or a move.
    size_t k = static_cast<size_t>(pick(static_cast<int>(f.insts.size())));
    Inst& inst = f.insts[k];
    Operand* o = nullptr;
    switch (pick(4)) {
      case 0:
        o = &inst.use[0];
        break;
      case 1:
        o = &inst.def;
        break;
      case 2: {
        std::vector<Vreg> used;
        if (inst.exit) for_each_exit_use(f, *inst.exit, [&](Vreg v) { used.push_back(v); });
        if (used.empty()) continue;
        Vreg v = used[static_cast<size_t>(pick(static_cast<int>(used.size())))];
        uint32_t at = f.first_piece[v];
        while (f.pieces[at].stop <= inst.exit->position(v) && at + 1 < f.first_piece[v + 1]) at++;
        if (!other_place(f.pieces[at].loc)) continue;
        tried++;
        caught += !check_allocation(f).empty();
        continue;
      }
      default: {
        if (f.moves.empty()) break;
        f.moves.erase(f.moves.begin() + pick(static_cast<int>(f.moves.size())));
        tried++;
        caught += !check_allocation(f).empty();
        continue;
      }
    }
    if (!o || !o->is_vreg()) continue;
    if (o == &inst.def && k + 1 < f.insts.size()) {
      bool used = false;
      for (Inst& other : f.insts) {
        for_each_use(other, [&](Operand& u) { used |= u.vreg == o->vreg; });
        if (other.exit) for_each_exit_use(f, *other.exit, [&](Vreg v) { used |= v == o->vreg; });
      }
      if (!used) continue;
    }
    if (!other_place(o->loc)) continue;
    tried++;
    caught += !check_allocation(f).empty();
  }
  CHECK(tried > 100);
  CHECK(caught == tried);
}
