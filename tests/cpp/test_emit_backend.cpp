// Graphs compiled and run against the fake runtime.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "fake_runtime.h"
#include "graph_builder.h"

using namespace psyco;
using namespace psyco::test;

namespace {
CompiledCode* compile(FakeRuntime& rt, ir::Graph& g, BackendOptions options = {}) {
  options.want_listing = true;
  BackendResult r = compile_graph(g, rt.layout, rt.table, rt.memory, options);
  if (r.error) MESSAGE(std::string(r.error) << "\n" << r.lir_listing);
  if (std::getenv("PSYCO_TEST_LISTING"))
    std::printf("%s\n%s\n", r.lir_listing.c_str(), r.assembly_listing.c_str());
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
  for (auto [phi, v] : {std::pair{i, i2}, std::pair{s, s2}})
    b.add_input(phi, zero), b.add_input(phi, v);
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
      // Overflow: i*i leaves 64 bits never within patience, the sum does: start near the end by a
      // big n.
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

TEST_CASE("backend: a tool that was switched on meanwhile") {
  FakeRuntime rt;
  Builder b;
  Value* a = b.arg(0);
  b.op(Op::CheckLeave, Rep::None, {}, b.state({a}, 7));
  b.ret(a);
  CompiledCode* code = compile(rt, b.g);
  FakeObject* o = rt.make_int(1);
  for (uint64_t breaker : {0x00u, 0x03u, 0xffu}) {  // signals and the like are not its business
    rt.tstate.eval_breaker = breaker;
    rt.run(code, {o});
    CHECK(!rt.exit.happened);
  }
  for (uint64_t breaker : {0x100u, 0x203u}) {  // another monitoring version
    rt.tstate.eval_breaker = breaker;
    CHECK(rt.run(code, {o}) == kExitResult);
    CHECK(rt.exit.record.frames[0].bci == 7);
  }
  rt.memory.free(code);
  delete code;
}

TEST_CASE("backend: reference counts") {
  for (bool plain : {true, false}) {
    FakeRuntime rt;
    Builder b;
    Value* a = b.arg(0);
    Value* c = b.arg(1);
    b.op(Op::Retain, Rep::None, {c});
    b.op(Op::RetainNullable, Rep::None, {b.arg(2)});
    Value* x = b.op(Op::UnboxInt, {c}, b.state({c}));
    Value* y = b.op(Op::AddInt, {x, x}, b.state({c}));
    b.op(plain ? Op::ReleasePlain : Op::Release, Rep::None, {a},
         plain ? nullptr : b.state({c, y, x}, 33));
    b.op(plain ? Op::ReleasePlainNullable : Op::ReleaseNullable, Rep::None, {b.arg(2)},
         plain ? nullptr : b.state({c, y, x}, 34));
    b.ret(b.op(Op::BoxInt, {b.op(Op::AddInt, {y, x}, b.state({c}))}, b.state({c})));
    CompiledCode* code = compile(rt, b.g);
    FakeObject* o = rt.make(&rt.other_type);
    o->extra[0] = 42;
    FakeObject* n = rt.make_int(1000);
    CHECK(rt.int_value(as_object(rt.run(code, {o, n, nullptr}))) == 3000);
    CHECK(rt.log == std::vector<std::string>{"dealloc 42"});
    CHECK(n->refcnt == 2);
    o->refcnt = 2;
    rt.run(code, {o, n, nullptr});
    CHECK(rt.log.empty());
    CHECK(o->refcnt == 1);
    CHECK(n->refcnt == 3);
    rt.run(code, {rt.none_object, n, o});
    CHECK(rt.none_object->refcnt == 0xffffffff);
    CHECK(o->refcnt == 1);  // one more, one less
    if (!plain) {
      o->refcnt = 1;
      rt.leave_on_dealloc = 1;
      CHECK(rt.run(code, {o, n, nullptr}) == kExitResult);
      CHECK(rt.exit.record.frames[0].bci == 33);
      CHECK(rt.exit.record.reason == ir::Reason::Leave);
      CHECK(rt.exit.values == std::vector<uint64_t>{reinterpret_cast<uint64_t>(n), 2000, 1000});
      uint64_t at;
      std::memcpy(&at, rt.frame + rt.layout.frame_instr_ptr, 8);
      CHECK(at == 200 + 2 * 33);
      rt.leave_on_dealloc = 0;
    }
    delete code;
  }
}

TEST_CASE("backend: a count is half a word") {
  FakeRuntime rt;
  Builder b;
  Value* a = b.arg(0);
  Value* c = b.arg(1);
  b.op(Op::Retain, Rep::None, {c});
  b.op(Op::ReleasePlain, Rep::None, {a});
  Value* x = b.op(Op::UnboxInt, {b.arg(2)}, b.state({c}));
  b.ret(b.op(Op::BoxInt, {x}, b.state({c})));
  CompiledCode* code = compile(rt, b.g);
  constexpr int64_t kFlags = int64_t{0x00050003} << 32;
  auto after = [&](int64_t released, int64_t retained) {
    FakeObject *o = rt.make(&rt.other_type), *n = rt.make(&rt.other_type);
    o->extra[0] = 42;
    o->refcnt = released;
    n->refcnt = retained;
    rt.run(code, {o, n, rt.make_int(7)});
    return std::vector<int64_t>{o->refcnt, n->refcnt};
  };
  CHECK(after(kFlags | 2, kFlags | 1) == std::vector<int64_t>{kFlags | 1, kFlags | 2});
  CHECK(rt.log.empty());
  CHECK(after(kFlags | 1, 0x7ffffffe) == std::vector<int64_t>{kFlags, 0x7fffffff});
  CHECK(rt.log == std::vector<std::string>{"dealloc 42"});
  // Immortal from 0x80000000 on, whichever of these a version gives its objects.
  for (int64_t immortal : {0x80000000ll, 0xbfffffffll, 0xc0000000ll, 0xe0000000ll, 0xffffffffll})
    CHECK(after(kFlags | immortal, kFlags | immortal) ==
          std::vector<int64_t>{kFlags | immortal, kFlags | immortal});
}

TEST_CASE("backend: a free list whose link is in the first word keeps the types") {
  FakeRuntime rt;
  rt.layout.float_free_next = 0;
  Builder b;
  Value* a = b.arg(0);
  Value* result = b.op(Op::BoxFloat, {b.op(Op::UnboxFloat, {a})}, b.state({a}, 7));
  result->flags |= ir::kOwned;
  b.ret(result);
  CompiledCode* code = compile(rt, b.g);
  FakeObject *free1 = rt.make(&rt.float_type), *free2 = rt.make(&rt.float_type);
  free1->refcnt = reinterpret_cast<int64_t>(free2);
  free2->refcnt = 0;
  rt.float_free = free1;
  rt.float_free_count = 2;
  FakeObject* o = rt.make_float(2.5);
  CHECK(as_object(rt.run(code, {o})) == free1);
  CHECK(free1->refcnt == 1);
  CHECK(free1->type == &rt.float_type);
  CHECK(free1->number == 2.5);
  CHECK(rt.float_free == free2);
  CHECK(as_object(rt.run(code, {o})) == free2);
  CHECK(rt.float_free == nullptr);
  CHECK(rt.float_free_count == 0);
}

TEST_CASE("backend: small ints end where the layout says") {
  FakeRuntime rt;
  rt.layout.small_int_end = 100;
  Builder b;
  Value* a = b.arg(0);
  Value* result = b.op(Op::BoxInt, {b.op(Op::UnboxInt, {a}, b.state({a}, 7))}, b.state({a}, 7));
  result->flags |= ir::kOwned;
  b.ret(result);
  CompiledCode* code = compile(rt, b.g);
  for (int64_t n : {-6ll, -5ll, 99ll, 100ll}) {
    FakeObject* r = as_object(rt.run(code, {rt.make_int(n)}));
    const bool cached = r >= rt.small_ints && r < rt.small_ints + 262;
    CHECK(rt.int_value(r) == n);
    CHECK(cached == (n >= -5 && n < 100));
  }
}

TEST_CASE("backend: boxes") {
  FakeRuntime rt;
  for (int kind = 0; kind < 4; kind++) {
    Builder b;
    Value* a = b.arg(0);
    Value* result;
    ir::FrameState* s = b.state({a}, 7);
    if (kind == 0) {
      result = b.op(Op::BoxInt, {b.op(Op::UnboxInt, {a}, s)}, s);
    } else if (kind == 1) {
      result = b.op(Op::BoxFloat, {b.op(Op::UnboxFloat, {a})}, s);
    } else {
      Value* box = b.arg(1);
      box->flags |= ir::kNullable;
      Value* x = kind == 2 ? b.op(Op::UnboxInt, {a}, s) : b.op(Op::UnboxFloat, {a});
      result = b.op(Op::BoxOr, {x, box}, s);
    }
    result->flags |= ir::kOwned;
    b.ret(result);
    CompiledCode* code = compile(rt, b.g);
    bool is_int = kind == 0 || kind == 2;
    for (int64_t n : {0ll, 1ll, -1ll, -5ll, -6ll, 256ll, 257ll, (1ll << 30) - 1, 1ll << 30,
                      -(1ll << 30), (1ll << 60) - 1, -(1ll << 59), 1ll << 60, -(1ll << 62)}) {
      FakeObject* o = is_int ? rt.make_int(n) : rt.make_float(static_cast<double>(n));
      FakeObject* r = as_object(rt.run(code, {o, nullptr}));
      REQUIRE(!rt.exit.happened);
      if (is_int) {
        CHECK(rt.int_value(r) == n);
        if (kind == 0 && n >= -5 && n <= 256) CHECK(r == rt.small_ints + n + 5);
      } else {
        CHECK(r->number == static_cast<double>(n));
      }
      if (kind >= 2) {
        CHECK(as_object(rt.run(code, {o, o})) == o);
        CHECK(o->refcnt == 2);
      }
    }
    if (kind == 1) {
      FakeObject *free1 = rt.make(nullptr), *free2 = rt.make(nullptr);
      free1->type = free2;
      free2->type = nullptr;
      rt.float_free = free1;
      rt.float_free_count = 2;
      free1->refcnt = free2->refcnt = 99;
      FakeObject* o = rt.make_float(2.5);
      CHECK(as_object(rt.run(code, {o})) == free1);
      CHECK(free1->refcnt == 1);
      CHECK(free1->type == &rt.float_type);
      CHECK(free1->number == 2.5);
      CHECK(as_object(rt.run(code, {o})) == free2);
      CHECK(rt.float_free == nullptr);
      CHECK(rt.float_free_count == 0);
    }
    rt.fail_helpers = true;
    CHECK(rt.run(code, {is_int ? rt.make_int(100000) : rt.make_float(1.5), nullptr}) ==
          kExitResult);
    CHECK(rt.exit.exception == 1);
    CHECK(rt.exit.record.frames[0].bci == 7);
    rt.fail_helpers = false;
    delete code;
  }
}

TEST_CASE("backend: in-place updates") {
  FakeRuntime rt;
  for (bool is_float : {true, false}) {
    Builder b;
    Value* cell = b.arg(0);
    Value* x = is_float ? b.op(Op::UnboxFloat, {b.arg(1)})
                        : b.op(Op::UnboxInt, {b.arg(1)}, b.state({cell}));
    Value* at = b.op(Op::PtrAdd, {cell, b.i(0)});
    at->imm = offsetof(FakeObject, extra);
    b.op(is_float ? Op::UpdateFloatSlot : Op::UpdateIntSlot, Rep::None, {at, x});
    b.ret(b.arg(1));
    CompiledCode* code = compile(rt, b.g);
    FakeObject* holder = rt.make(nullptr);
    auto held = [&] { return as_object(static_cast<uint64_t>(holder->extra[0])); };
    auto set = [&](FakeObject* o) { holder->extra[0] = reinterpret_cast<int64_t>(o); };
    auto in_place = [&](FakeObject* old, FakeObject* now) {
      set(old);
      rt.run(code, {holder, now});
      if (is_float)
        CHECK(held()->number == now->number);
      else
        CHECK(rt.int_value(held()) == rt.int_value(now));
      return held() == old;
    };
    if (is_float) {
      CHECK(in_place(rt.make_float(1), rt.make_float(2)));
      FakeObject* shared = rt.make_float(1);
      shared->refcnt = 2;
      CHECK(!in_place(shared, rt.make_float(3)));
      CHECK(shared->number == 1);
    } else {
      CHECK(in_place(rt.make_int(1000), rt.make_int(2000)));
      CHECK(in_place(rt.make_int(1000), rt.make_int(-2000)));
      CHECK(in_place(rt.make_int(-(1ll << 40)), rt.make_int((1ll << 59) + 12345)));
      CHECK(in_place(rt.make_int(1ll << 40), rt.make_int(-(1ll << 58))));
      CHECK(!in_place(rt.make_int(1000), rt.make_int(5)));
      CHECK(!in_place(rt.make_int(1000), rt.make_int(1ll << 31)));
      CHECK(!in_place(rt.make_int(1ll << 31), rt.make_int(1000)));
      CHECK(!in_place(rt.make_int(1ll << 31), rt.make_int(1ll << 60)));
      CHECK(!in_place(rt.make_int(1000), rt.make_int(INT64_MIN)));
      CHECK(!in_place(rt.small_ints + 100, rt.make_int(1000)));
    }
    delete code;
  }
}

TEST_CASE("backend: calls") {
  FakeRuntime rt;
  for (bool inlined : {false, true}) {
    Builder b;
    Value *a = b.arg(0), *c = b.arg(1);
    Value* n = b.op(Op::UnboxInt, {a}, b.state({a, c}));
    auto* callee = b.g.arena.make<ir::FrameInfo>();
    *callee = *b.frame;
    callee->index = 1;
    b.g.frames.push_back(b.g.arena, callee);
    auto state = [&](std::vector<Value*> locals, int bci) {
      ir::FrameState* s = b.state(locals, bci);
      if (inlined) {
        s->frame = callee;
        s->caller = b.state({c, a}, 5);
        s->caller->cont = ir::Continuation::Push;
        s->function = c;
      }
      return s;
    };
    Value* r = b.call(ir::Helper::binary_op, Rep::Object, {a, c, b.i(4)}, state({a, n, c}, 11));
    Value* m = b.op(Op::UnboxInt, {r}, state({r}, 12));
    Value* v =
        b.call(ir::Helper::vectorcall, Rep::Object,
               {c, b.op(Op::ConstNull, Rep::Object), r, a, c, b.op(Op::ConstNull, Rep::Object)},
               state({r, m, n}, 13));
    Value* method = b.call(ir::Helper::load_method, Rep::Object,
                           {v, r, b.op(Op::ConstPtr, Rep::Ptr)}, state({r, m, n, v}, 14));
    method->imm = 1;
    Value* self = b.op(Op::TakeOut, Rep::Object, {method});
    self->flags |= ir::kOwned;
    Value* k = b.op(
        Op::AddInt,
        {b.op(Op::UnboxInt, {self}, state({self}, 15)), b.op(Op::AddInt, {m, n}, state({v}, 16))},
        state({v}, 17));
    b.ret(b.op(Op::BoxInt, {k}, state({v}, 18)));
    for (bool spill : {false, true}) {
      BackendOptions options;
      options.spill_everything = spill;
      CompiledCode* code = compile(rt, b.g, options);
      FakeObject *x = rt.make_int(1000), *y = rt.make_int(7);
      y->extra[0] = 2;
      int64_t op = 3000 + 7 + 4;
      int64_t vector = 2000;
      for (int64_t arg : {op, int64_t{1000}, int64_t{7}, int64_t{-9}}) vector = vector * 7 + arg;
      uint64_t result = rt.run(code, {x, y});
      REQUIRE(!rt.exit.happened);
      CHECK(rt.int_value(as_object(result)) == vector + op + 1000);
      CHECK(!rt.registers_at_site);
      CHECK(rt.linked == 0);
      CHECK(rt.log.size() == (inlined ? 3 : 1));
      if (!inlined) {
        uint64_t at;
        std::memcpy(&at, rt.frame + rt.layout.frame_instr_ptr, 8);
        CHECK(at == 200 + 2 * 14);
      }
      rt.fail_helpers = true;
      CHECK(rt.run(code, {x, y}) == kExitResult);
      CHECK(rt.exit.exception == 1);
      CHECK(rt.exit.record.frames.back().bci == 11);
      CHECK(rt.exit.record.frames.size() == (inlined ? 2 : 1));
      if (inlined) CHECK(rt.exit.record.frames[0].cont == ir::Continuation::Push);
      CHECK(rt.linked == 0);
      rt.fail_helpers = false;
      delete code;
    }
  }
}

TEST_CASE("backend: memory") {
  FakeRuntime rt;
  Builder b;
  Value* o = b.arg(0);
  Value* i = b.op(Op::UnboxInt, {b.arg(1)}, b.state({o}));
  auto load = [&](Op op, int64_t imm, Value* index = nullptr) {
    Value* v = index ? b.op(op, {o, index}) : b.op(op, {o});
    v->imm = imm;
    return v;
  };
  constexpr int kExtra = offsetof(FakeObject, extra);
  Value* sum =
      b.op(Op::AddIntUnchecked, {load(Op::LoadI64, kExtra), load(Op::LoadI64At, kExtra, i)});
  for (Value* v : {load(Op::LoadI32, kExtra + 8), load(Op::LoadU32, kExtra + 8),
                   load(Op::LoadU16, kExtra + 8), load(Op::LoadU8, kExtra + 8),
                   load(Op::LoadU8At, kExtra + 7, i), load(Op::LoadU16At, kExtra + 6, i),
                   load(Op::LoadI32At, kExtra + 4, i), load(Op::LoadU32At, kExtra + 4, b.i(1))})
    sum = b.op(Op::AddIntUnchecked, {b.op(Op::MulIntUnchecked, {sum, b.i(3)}), v});
  Value* p = b.op(Op::PtrAdd, {o, i});
  p->imm = kExtra;
  p->shift = 3;
  Value* store = b.op(Op::StoreI64, Rep::None, {p, sum});
  store->imm = 8;
  store = b.op(Op::StoreF64, Rep::None, {o, b.d(1.5)});
  store->imm = kExtra + 24;
  store = b.op(Op::StoreU8At, Rep::None, {o, i, b.i(200)});
  store->imm = kExtra - 1;
  store = b.op(Op::StoreU16At, Rep::None, {o, i, b.op(Op::SubIntUnchecked, {i, b.i(3)})});
  store->imm = kExtra;
  store = b.op(Op::StoreI32At, Rep::None, {o, i, b.i(-5)});
  store->imm = kExtra;
  b.ret(b.op(Op::BoxInt, {sum}, b.state({o})));
  CompiledCode* code = compile(rt, b.g);
  FakeObject* x = rt.make(nullptr);
  x->extra[0] = 0x1122334455667788;
  x->extra[1] = static_cast<int64_t>(0xf1f2f3f4f5f6f7f8);
  uint64_t e = 0x1122334455667788 + 0xf1f2f3f4f5f6f7f8;
  uint64_t parts[] = {0xfffffffff5f6f7f8, 0xf5f6f7f8, 0xf7f8, 0xf8, 0xf8, 0xf7f8,
                      0xfffffffff5f6f7f8, 0xf5f6f7f8};
  for (uint64_t part : parts) e = e * 3 + part;
  FakeObject* r = as_object(rt.run(code, {x, rt.make_int(1)}));
  CHECK(static_cast<uint64_t>(rt.int_value(r)) == e);
  CHECK(static_cast<uint64_t>(x->extra[2]) == e);
  double d;
  std::memcpy(&d, &x->extra[3], 8);
  CHECK(d == 1.5);
  CHECK(static_cast<uint64_t>(x->extra[0]) == 0xfffffffbfffe77c8);
  delete code;
}

TEST_CASE("backend: virtual objects, owners and drops in records") {
  FakeRuntime rt;
  Builder b;
  Value* o = b.arg(0);
  Value* i = b.op(Op::UnboxInt, {o}, b.state({o}));
  Value* owned = b.call(ir::Helper::binary_op, Rep::Object, {o, o, b.i(0)}, b.state({o}));
  ir::Virtual* inner = b.g.new_virtual(ir::VirtualKind::Tuple);
  inner->fields.push_back(b.g.arena, b.slot(i));
  ir::Virtual* outer = b.g.new_virtual(ir::VirtualKind::Tuple);
  ir::Slot s;
  s.kind = ir::SlotKind::Virtual;
  s.virt = inner;
  outer->fields.push_back(b.g.arena, s);
  outer->fields.push_back(b.g.arena, b.slot(owned));
  outer->fields.push_back(b.g.arena, s);
  ir::FrameState* state = b.state({o, owned}, 3);
  s.virt = outer;
  state->stack.push_back(b.g.arena, s);
  ir::Slot boxed = b.slot(i);
  boxed.box = owned;
  state->stack.push_back(b.g.arena, boxed);
  state->drops.push_back(b.g.arena, owned);
  b.op(Op::Deopt, Rep::None, {}, state)->reason = ir::Reason::NeverRun;
  CompiledCode* code = compile(rt, b.g);
  CHECK(rt.run(code, {rt.make_int(5)}) == kExitResult);
  const ExitRecord& r = rt.exit.record;
  REQUIRE(r.virtuals.size() == 2);
  CHECK(r.virtuals[0].fields.size() == 3);
  CHECK(r.virtuals[0].fields[0].virt == 1);
  CHECK(r.virtuals[0].fields[1].owned);
  CHECK(rt.value_at(r.virtuals[1].fields[0].value) == 5);
  CHECK(!r.frames[0].locals[0].owned);
  CHECK(r.frames[0].locals[1].owned);
  CHECK(r.frames[0].stack[1].box_owned);
  CHECK(r.drops.size() == 1);
  CHECK(r.reason == ir::Reason::NeverRun);
  delete code;
}

namespace {
// for i < n: zr, zi = zr*zr - zi*zi + cr, 2*zr*zi + ci; until zr*zr + zi*zi > 4
void mandelbrot(Builder& b) {
  Value* cr = b.op(Op::UnboxFloat, {b.arg(0)});
  Value* ci = b.op(Op::UnboxFloat, {b.arg(1)});
  ir::Block *head = b.block(1), *body = b.block(1), *next = b.block(1), *done = b.block(0);
  head->loop_head = true;
  Value *zr = b.phi(head, Rep::F64), *zi = b.phi(head, Rep::F64), *i = b.phi(head, Rep::I64);
  Value *zero = b.d(0), *none = b.i(0);
  b.jump(head);
  b.cur = head;
  b.branch(b.cmp(Op::CmpInt, Cond::Lt, i, b.i(1000)), body, done);
  b.cur = body;
  Value* rr = b.op(Op::MulFloat, {zr, zr});
  Value* ii = b.op(Op::MulFloat, {zi, zi});
  b.branch(b.cmp(Op::CmpFloat, Cond::Gt, b.op(Op::AddFloat, {rr, ii}), b.d(4)), done, next);
  b.cur = next;
  Value* r2 = b.op(Op::AddFloat, {b.op(Op::SubFloat, {rr, ii}), cr});
  Value* i2 = b.op(Op::AddFloat, {b.op(Op::MulFloat, {b.op(Op::MulFloat, {b.d(2), zr}), zi}), ci});
  Value* n2 = b.op(Op::AddInt, {i, b.i(1)}, b.state({r2, i2, i, cr, ci}, 9));
  b.op(Op::Poll, Rep::None, {}, b.state({r2, i2, n2, cr, ci}, 10));
  b.jump(head);
  for (auto [phi, v] : {std::pair{zr, r2}, std::pair{zi, i2}})
    b.add_input(phi, zero), b.add_input(phi, v);
  b.add_input(i, none);
  b.add_input(i, n2);
  b.cur = done;
  b.ret(b.op(Op::BoxInt, {i}, b.state({i})));
}

size_t moves_in_loop(const std::string& lir) {
  // Counts moves that move, in blocks of depth 1.
  size_t count = 0, at = 0;
  bool inside = false;
  while (at < lir.size()) {
    size_t end = lir.find('\n', at);
    std::string line = lir.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line[0] == 'b') inside = line.find("depth 1") != std::string::npos;
    size_t m = line.find("move ");
    if (!inside || m == std::string::npos) continue;
    for (size_t k = m + 5; k < line.size();) {
      size_t space = line.find(' ', k);
      std::string one = line.substr(k, space - k);
      k = space == std::string::npos ? line.size() : space + 1;
      size_t arrow = one.find("<-");
      count += one.substr(0, arrow) != one.substr(arrow + 2);
    }
  }
  return count;
}
}  // namespace

TEST_CASE("backend: the code of simple loops") {
  FakeRuntime rt;
  for (bool floats : {false, true}) {
    Builder b;
    floats ? mandelbrot(b) : sum_of_squares(b);
    BackendOptions options;
    options.want_listing = true;
    BackendResult r = compile_graph(b.g, rt.layout, rt.table, rt.memory, options);
    REQUIRE(r.code);
    CHECK(r.code->spill_count == 0);
    CHECK(moves_in_loop(r.lir_listing) <= 1);
    if (std::getenv("PSYCO_TEST_LISTING"))
      std::printf("%s\n%s\n", r.lir_listing.c_str(), r.assembly_listing.c_str());
    if (floats) {
      CHECK(rt.int_value(as_object(rt.run(r.code, {rt.make_float(-0.5), rt.make_float(0.2)}))) ==
            1000);
      double zr = 0, zi = 0;
      int n = 0;
      for (; n < 1000 && zr * zr + zi * zi <= 4; n++) {
        double t = zr * zr - zi * zi + 0.3;
        zi = 2 * zr * zi + 0.6;
        zr = t;
      }
      CHECK(rt.int_value(as_object(rt.run(r.code, {rt.make_float(0.3), rt.make_float(0.6)}))) == n);
    }
    delete r.code;
  }
}

// BoxFloat needs a temporary and has a definition: with all registers taken, neither may have the
// other's.
TEST_CASE("backend: more boxes than registers") {
  for (int count : {9, 10, 11, 12, 13, 14, 30, 60}) {
    CAPTURE(count);
    FakeRuntime rt;
    Builder b;
    Value* a = b.arg(0);
    Value* x = b.op(Op::UnboxFloat, {a});
    std::vector<Value*> numbers, boxes, phis;
    for (int i = 0; i < count; i++) numbers.push_back(b.op(Op::AddFloat, {x, b.d(i)}));
    ir::Block *yes = b.block(), *no = b.block(), *join = b.block();
    Value* null = b.op(Op::ConstNull);
    b.branch(b.cmp(Op::CmpFloat, Cond::Gt, x, b.d(0)), yes, no);
    b.cur = yes;
    for (Value* v : numbers) {
      boxes.push_back(b.op(Op::BoxFloat, {v}, b.state(numbers)));
      boxes.back()->flags |= ir::kOwned;
    }
    b.jump(join);
    b.cur = no;
    b.jump(join);
    for (Value* box : boxes) {
      phis.push_back(b.phi(join, Rep::Object));
      phis.back()->flags |= ir::kOwned | ir::kNullable;
      b.add_input(phis.back(), box);
      b.add_input(phis.back(), null);
    }
    b.cur = join;
    for (int i = 1; i < count; i++) b.op(Op::ReleasePlainNullable, {phis[static_cast<size_t>(i)]});
    b.ret(phis[0]);
    CompiledCode* code = compile(rt, b.g);
    for (int free : {0, 5, 100}) {
      rt.fill_free_list(free);
      FakeObject* o = as_object(rt.run(code, {rt.make_float(2.5)}));
      CHECK(o->type == &rt.float_type);
      CHECK(o->number == 2.5);
      CHECK(o->refcnt == 1);
      CHECK(rt.float_free_count == std::max(0, free - count));
      CHECK(rt.run(code, {rt.make_float(-1)}) == 0);
    }
    rt.memory.free(code);
    delete code;
  }
}
