// Random programs: an interpreter of the graph against machine code, in all stress modes.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "fake_runtime.h"
#include "graph_builder.h"

using namespace psyco;
using namespace psyco::test;
using ir::Cond;

namespace {

std::string text(const std::vector<uint64_t>& list) {
  std::string s;
  for (uint64_t x : list) s += std::to_string(static_cast<int64_t>(x)) + " ";
  return s;
}
double as_double(uint64_t x) { return std::bit_cast<double>(x); }
uint64_t bits(double x) {
  return std::isnan(x) ? 0x7ff8000000000000ull : std::bit_cast<uint64_t>(x);
}

struct Outcome {
  bool exited = false;
  uint32_t value_id = 0;
  ir::Reason reason = {};
  std::vector<uint64_t> values;
  uint64_t result = 0;  // the object returned
  uint64_t site_hash = 0;
  bool stuck = false;
};

// Runs a graph. Exits by stress at every n-th guard are given as a set of value ids.
class Interpreter {
 public:
  Interpreter(ir::Graph& g, FakeRuntime& rt, std::vector<FakeObject*> args,
              const std::set<uint32_t>& stressed = {})
      : g_(g),
        rt_(rt),
        args_(std::move(args)),
        at_(g.value_count),
        needed_(g.value_count),
        stressed_(stressed) {
    // Unused arithmetic does not exist in machine code, its exits included.
    std::vector<Value*> work;
    auto need = [&](Value*& v) {
      if (!needed_[v->id]) needed_[v->id] = 1, work.push_back(v);
    };
    for (ir::Block* b : g.blocks)
      for (Value* v : b->values)
        if (ir::has_side_effect(*v)) need(v);
    while (!work.empty()) {
      Value* v = work.back();
      work.pop_back();
      for (Value*& in : v->inputs) need(in);
      if (v->state) ir::for_each_state_value(v->state, need);
    }
  }

  Outcome run() {
    ir::Block* b = g_.blocks[0];
    ir::Block* from = nullptr;
    for (int steps = 0; steps < 20000; steps++) {
      std::vector<uint64_t> incoming;
      for (Value* phi : b->phis) {
        size_t p = 0;
        while (b->preds[p] != from) p++;
        incoming.push_back(get(phi->inputs[p]));
      }
      for (size_t i = 0; i < b->phis.size(); i++) at_[b->phis[i]->id] = incoming[i];
      ir::Block* next = nullptr;
      for (Value* v : b->values) {
        if (needed_[v->id]) step(*v, next);
        if (done_) return out_;
      }
      from = b;
      b = next;
    }
    out_.stuck = true;
    return out_;
  }

 private:
  ir::Graph& g_;
  FakeRuntime& rt_;
  std::vector<FakeObject*> args_;
  std::vector<uint64_t> at_;
  std::vector<uint8_t> needed_;
  const std::set<uint32_t>& stressed_;
  Outcome out_;
  bool done_ = false;

  uint64_t get(Value* v) { return at_[v->id]; }
  std::vector<uint64_t> state_values(ir::FrameState* s) {
    std::vector<uint64_t> out;
    for (ir::Slot& slot : s->locals) {
      out.push_back(canonical(slot.kind, get(slot.value)));
      if (slot.box && slot.box->op != Op::ConstNull)
        out.push_back(canonical(ir::SlotKind::Object, get(slot.box)));
    }
    return out;
  }
  void leave(Value& v, ir::Reason reason) {
    out_.exited = true;
    out_.value_id = v.id;
    out_.reason = reason;
    out_.values = state_values(v.state);
    done_ = true;
  }
  static bool compare(Cond c, auto a, auto b) {
    switch (c) {
      case Cond::Lt:
        return a < b;
      case Cond::Le:
        return a <= b;
      case Cond::Eq:
        return a == b;
      case Cond::Ne:
        return a != b;
      case Cond::Gt:
        return a > b;
      case Cond::Ge:
        return a >= b;
    }
    return false;
  }

  void step(Value& v, ir::Block*& next) {
    auto in = [&](size_t i) { return static_cast<int64_t>(get(v.inputs[i])); };
    auto din = [&](size_t i) { return as_double(get(v.inputs[i])); };
    auto object = [&](FakeObject* o) { return reinterpret_cast<uint64_t>(o); };
    if (stressed_.count(v.id)) return leave(v, ir::Reason::Stress);
    uint64_t& out = at_[v.id];
    int64_t r = 0;
    switch (v.op) {
      case Op::ConstI64:
      case Op::ConstF64:
      case Op::ConstBool:
        out = static_cast<uint64_t>(v.imm);
        return;
      case Op::ConstObject:
      case Op::ConstPtr:
        out = reinterpret_cast<uint64_t>(v.ptr);
        return;
      case Op::ConstNull:
        out = 0;
        return;
      case Op::Arg:
        out = reinterpret_cast<uint64_t>(args_[static_cast<size_t>(v.imm)]);
        return;
      case Op::AddInt:
        if (__builtin_add_overflow(in(0), in(1), &r)) return leave(v, ir::Reason::Overflow);
        out = static_cast<uint64_t>(r);
        return;
      case Op::SubInt:
        if (__builtin_sub_overflow(in(0), in(1), &r)) return leave(v, ir::Reason::Overflow);
        out = static_cast<uint64_t>(r);
        return;
      case Op::MulInt:
        if (__builtin_mul_overflow(in(0), in(1), &r)) return leave(v, ir::Reason::Overflow);
        out = static_cast<uint64_t>(r);
        return;
      case Op::NegInt:
        if (in(0) == INT64_MIN) return leave(v, ir::Reason::Overflow);
        out = static_cast<uint64_t>(-in(0));
        return;
      case Op::AddIntUnchecked:
        out = get(v.inputs[0]) + get(v.inputs[1]);
        return;
      case Op::SubIntUnchecked:
        out = get(v.inputs[0]) - get(v.inputs[1]);
        return;
      case Op::MulIntUnchecked:
        out = get(v.inputs[0]) * get(v.inputs[1]);
        return;
      case Op::FloorDivInt: {
        if (in(1) == 0) return leave(v, ir::Reason::ZeroDivision);
        if (in(0) == INT64_MIN && in(1) == -1) return leave(v, ir::Reason::Overflow);
        int64_t q = in(0) / in(1);
        if (in(0) % in(1) && (in(0) < 0) != (in(1) < 0)) q--;
        out = static_cast<uint64_t>(q);
        return;
      }
      case Op::ModInt: {
        if (in(1) == 0) return leave(v, ir::Reason::ZeroDivision);
        if (in(1) == -1) {
          if (v.inputs[1]->op != Op::ConstI64) return leave(v, ir::Reason::ZeroDivision);
          out = 0;
          return;
        }
        int64_t m = in(0) % in(1);
        if (m && (m < 0) != (in(1) < 0)) m += in(1);
        out = static_cast<uint64_t>(m);
        return;
      }
      case Op::AndInt:
        out = get(v.inputs[0]) & get(v.inputs[1]);
        return;
      case Op::OrInt:
        out = get(v.inputs[0]) | get(v.inputs[1]);
        return;
      case Op::XorInt:
        out = get(v.inputs[0]) ^ get(v.inputs[1]);
        return;
      case Op::NotInt:
        out = ~get(v.inputs[0]);
        return;
      case Op::ShlInt: {
        if (in(1) < 0 || in(1) > 62) return leave(v, ir::Reason::Overflow);
        int64_t s = static_cast<int64_t>(get(v.inputs[0]) << in(1));
        if (s >> in(1) != in(0)) return leave(v, ir::Reason::Overflow);
        out = static_cast<uint64_t>(s);
        return;
      }
      case Op::ShrInt:
        if (in(1) < 0) return leave(v, ir::Reason::Domain);
        out = static_cast<uint64_t>(in(0) >> std::min<int64_t>(in(1), 63));
        return;
      case Op::WrapIndex:
        out = get(v.inputs[0]) + (in(0) < 0 ? get(v.inputs[1]) : 0);
        return;
      case Op::CmpInt:
        out = compare(v.cond, in(0), in(1));
        return;
      case Op::CmpFloat:
        out = compare(v.cond, din(0), din(1));
        return;
      case Op::FitsDouble:
        out = in(0) >= -(1ll << 53) && in(0) <= 1ll << 53;
        return;
      case Op::IntToFloat:
        out = bits(static_cast<double>(in(0)));
        return;
      case Op::TrueDivInt:
        if (in(1) == 0 || std::max(in(0), in(1)) > 1ll << 53 ||
            std::min(in(0), in(1)) < -(1ll << 53))
          return leave(v, ir::Reason::None);
        out = bits(static_cast<double>(in(0)) / static_cast<double>(in(1)));
        return;
      case Op::AddFloat:
        out = bits(din(0) + din(1));
        return;
      case Op::SubFloat:
        out = bits(din(0) - din(1));
        return;
      case Op::MulFloat:
        out = bits(din(0) * din(1));
        return;
      case Op::DivFloat:
        if (din(1) == 0) return leave(v, ir::Reason::ZeroDivision);
        out = bits(din(0) / din(1));
        return;
      case Op::NegFloat:
        out = bits(-din(0));
        return;
      case Op::AbsFloat:
        out = bits(std::fabs(din(0)));
        return;
      case Op::SqrtFloat:
        if (din(0) < 0) return leave(v, ir::Reason::Domain);
        out = bits(std::sqrt(din(0)));
        return;
      case Op::FloatToInt:
        if (!(din(0) > -9223372036854775808.0 && din(0) < 9223372036854775808.0))
          return leave(v, ir::Reason::Domain);
        out = static_cast<uint64_t>(static_cast<int64_t>(din(0)));
        return;
      case Op::NotBool:
        out = !get(v.inputs[0]);
        return;
      case Op::BoolToInt:
        out = get(v.inputs[0]);
        return;
      case Op::SelectObject:
        out = get(v.inputs[get(v.inputs[0]) ? 1 : 2]);
        return;
      case Op::BoxBool:
        out = reinterpret_cast<uint64_t>(get(v.inputs[0]) ? rt_.true_object : rt_.false_object);
        return;
      case Op::UnboxBool:
        out = get(v.inputs[0]) == reinterpret_cast<uint64_t>(rt_.true_object);
        return;
      case Op::IsSame:
        out = get(v.inputs[0]) == get(v.inputs[1]);
        return;
      case Op::IsNull:
        out = get(v.inputs[0]) == 0;
        return;
      case Op::HasType:
        out = reinterpret_cast<FakeObject*>(get(v.inputs[0]))->type == v.ptr;
        return;
      case Op::GuardTrue:
        if (!get(v.inputs[0])) leave(v, ir::Reason::ValueSeen);
        return;
      case Op::GuardFalse:
        if (get(v.inputs[0])) leave(v, ir::Reason::ValueSeen);
        return;
      case Op::CheckIndex:
        if (in(0) < 0 || in(0) >= in(1)) leave(v, ir::Reason::Bounds);
        return;
      case Op::GuardType:
        if (reinterpret_cast<FakeObject*>(get(v.inputs[0]))->type != v.ptr)
          leave(v, ir::Reason::TypeSeen);
        return;
      case Op::UnboxInt: {
        FakeObject* o = reinterpret_cast<FakeObject*>(get(v.inputs[0]));
        if (o->tag >> 3 > 2 && !o->extra[3]) return leave(v, ir::Reason::BigInt);
        out = static_cast<uint64_t>(rt_.int_value(o));
        return;
      }
      case Op::UnboxFloat:
        out = bits(reinterpret_cast<FakeObject*>(get(v.inputs[0]))->number);
        return;
      case Op::CallHelper:
        if (v.helper == ir::Helper::power_float) {
          out = bits(din(0) * 0.5 + din(1));
        } else {
          for (uint64_t x : state_values(v.state)) out_.site_hash = mix(out_.site_hash, x);
          out = static_cast<uint64_t>(
              rt_.int_value(reinterpret_cast<FakeObject*>(get(v.inputs[0]))) & 1);
        }
        return;
      case Op::Poll:
      case Op::CheckLeave:
        return;
      case Op::BoxInt:
        out = object(rt_.make_int(in(0)));
        return;
      case Op::BoxFloat:
        out = object(rt_.make_float(din(0)));
        return;
      case Op::BoxOr:
        out = get(v.inputs[1]);
        if (!out)
          out = object(v.inputs[0]->rep == Rep::F64 ? rt_.make_float(din(0)) : rt_.make_int(in(0)));
        return;
      case Op::Retain:
      case Op::RetainNullable:
      case Op::ReleasePlain:
      case Op::ReleasePlainNullable:
        return;
      case Op::Return:
        out_.result = get(v.inputs[0]);
        done_ = true;
        return;
      case Op::Jump:
        next = v.block->succs[0];
        return;
      case Op::Branch:
        next = v.block->succs[get(v.inputs[0]) ? 0 : 1];
        return;
      case Op::Deopt:
        return leave(v, ir::Reason::NeverRun);
      default:
        FAIL("the interpreter does not know " << ir::op_info(v.op).name);
    }
  }
};

class Generator {
 public:
  Generator(Builder& b, FakeRuntime& rt, uint32_t seed, int pressure, bool calls, bool wide = false)
      : b(b), rt(rt), random_(seed), pressure_(pressure), calls_(calls), wide_(wide) {}

  void run(int budget) {
    for (int i = 0; i < 3; i++) objects.push_back(b.arg(i));
    ints = {b.op(Op::UnboxInt, {objects[0]}, state()), b.i(3)};
    floats = {b.op(Op::UnboxFloat, {objects[2]})};
    ints.push_back(b.op(Op::UnboxInt, {objects[1]}, state()));
    bools = {b.cmp(Op::CmpInt, Cond::Lt, ints[0], ints[1])};
    for (int i = 0; i < pressure_; i++) {
      ints.push_back(b.op(Op::AddIntUnchecked, {any_int(), b.i(pick(100))}));
      floats.push_back(b.op(Op::AddFloat, {any_float(), b.d(pick(100) * 0.25)}));
    }
    budget_ = budget;
    if (wide_) many_boxes(1 + pick(50));
    while (budget_ > 0) statement(0);
    for (Value* box : boxes)
      if (pick(2)) release(box);
    // Everything alive to the end.
    Value* sum = b.i(1);
    for (size_t i = 0; i < std::min<size_t>(ints.size(), 20); i++)
      sum = b.op(Op::XorInt, {sum, b.op(Op::AddIntUnchecked, {ints[i], sum})});
    Value* fsum = b.d(1);
    for (size_t i = 0; i < std::min<size_t>(floats.size(), 18); i++)
      fsum = b.op(Op::AddFloat, {floats[i], fsum});
    if (pick(2)) {
      ints.push_back(sum);
      b.ret(b.op(Op::BoxFloat, {fsum}, state()));
    } else {
      floats.push_back(fsum);
      b.ret(b.op(Op::BoxInt, {sum}, state()));
    }
  }

 private:
  Builder& b;
  FakeRuntime& rt;
  std::mt19937 random_;
  int pressure_;
  bool calls_, wide_;
  int budget_ = 0;
  uint32_t depth_ = 0;
  bool cold_ = false;
  std::vector<Value*> ints, floats, bools, objects;
  std::vector<Value*> boxes;  // owned; of numbers, perhaps null

  int pick(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  Value* from(std::vector<Value*>& list) {
    // Young values more often.
    size_t n = list.size();
    if (pick(2) && n > 4) return list[n - 1 - static_cast<size_t>(pick(4))];
    return list[static_cast<size_t>(pick(static_cast<int>(n)))];
  }
  int64_t number() {
    switch (pick(8)) {
      case 0:
        return pick(2) ? INT64_MAX : INT64_MIN;
      case 1:
        return (static_cast<int64_t>(random_()) << 32) ^ random_();
      case 2:
        return 1ll << pick(63);
      case 3:
        return -(1ll << pick(63));
      default:
        return pick(20) - 8;
    }
  }
  Value* any_int() { return pick(5) ? from(ints) : b.i(number()); }
  Value* any_float() {
    static const double kNumbers[] = {
        0.0, -0.0, 1.0, -1.5, 1e300, -1e-300, NAN, INFINITY, 4503599627370496.5};
    return pick(6) ? from(floats) : b.d(kNumbers[pick(9)]);
  }
  Value* any_bool() { return from(bools); }
  ir::FrameState* state() {
    std::vector<Value*> locals;
    int n = 1 + pick(pick(8) ? 6 : 60);
    for (int i = 0; i < n; i++) {
      int k = pick(8);
      if (k == 7 && !boxes.empty() && pick(2))
        locals.push_back(from(boxes));
      else if (k < 4 && !ints.empty())
        locals.push_back(any_int());
      else if (k < 6 && !floats.empty())
        locals.push_back(any_float());
      else if (k == 6 && !bools.empty())
        locals.push_back(any_bool());
      else
        locals.push_back(from(objects));
    }
    ir::FrameState* s = b.state(locals, pick(1000));
    for (ir::Slot& slot : s->locals)
      if (slot.kind == ir::SlotKind::Float && !boxes.empty() && !pick(4)) slot.box = from(boxes);
    return s;
  }
  Cond cond() { return static_cast<Cond>(pick(6)); }
  Value* condition() {
    Value* c;
    switch (pick(6)) {
      case 0:
      case 1:
        c = b.cmp(Op::CmpFloat, cond(), any_float(), any_float());
        break;
      case 2:
        c = any_bool();
        break;
      case 3:
        c = b.op(Op::FitsDouble, {any_int()});
        break;
      default:
        c = b.cmp(Op::CmpInt, cond(), any_int(), any_int());
    }
    if (!pick(4)) c = b.op(Op::NotBool, {c});
    return c;
  }
  // A condition that is usually so.
  Value* likely(bool& expected) {
    Value* masked = b.op(Op::AndInt, {any_int(), b.i(31)});
    Value* c = b.cmp(Op::CmpInt, expected ? Cond::Ne : Cond::Eq, masked, b.i(pick(32)));
    return c;
  }

  void simple() {
    static const Op kBinary[] = {
        Op::AddInt,          Op::SubInt,          Op::MulInt,          Op::AddIntUnchecked,
        Op::SubIntUnchecked, Op::MulIntUnchecked, Op::AndInt,          Op::OrInt,
        Op::XorInt,          Op::FloorDivInt,     Op::ModInt,          Op::WrapIndex,
        Op::ShlInt,          Op::ShrInt,          Op::AddIntUnchecked, Op::XorInt};
    static const Op kFloat[] = {Op::AddFloat, Op::SubFloat, Op::MulFloat, Op::DivFloat};
    switch (pick(calls_ ? 26 : 25)) {
      default: {
        Op o = kBinary[pick(16)];
        Value* x = any_int();
        Value* y = any_int();
        if (o == Op::MulInt && pick(3)) {
          x = b.op(Op::AndInt, {x, b.i(0xffff)});
          y = b.op(Op::AndInt, {y, b.i(0xfff)});
        }
        if ((o == Op::AddInt || o == Op::SubInt) && pick(3))
          x = b.op(Op::ShrInt, {x, b.i(2)}, state());
        if (o == Op::ShlInt || o == Op::ShrInt)
          y = pick(2) ? b.i(pick(70) - 3) : b.op(Op::AndInt, {y, b.i(63)});
        if (o == Op::ShlInt && pick(3)) x = b.op(Op::AndInt, {x, b.i(255)});
        if ((o == Op::FloorDivInt || o == Op::ModInt) && pick(2)) {
          static const int64_t kDivisors[] = {1, 2, 3, -1, 8, 7, -5, 1024, 1ll << 40, -16};
          y = b.i(kDivisors[pick(10)]);
        } else if ((o == Op::FloorDivInt || o == Op::ModInt) && pick(4)) {
          y = b.op(Op::OrInt, {y, b.i(4)});
        }
        bool exits = ir::op_info(o).effects == ir::Effects::Exits;
        ints.push_back(b.op(o, {x, y}, exits ? state() : nullptr));
        return;
      }
      case 0:
        ints.push_back(b.op(Op::NotInt, {any_int()}));
        return;
      case 1:
        ints.push_back(b.op(Op::NegInt, {any_int()}, state()));
        return;
      case 2:
        floats.push_back(b.op(Op::IntToFloat, {any_int()}));
        return;
      case 3:
        floats.push_back(b.op(Op::AbsFloat, {any_float()}));
        return;
      case 4:
        floats.push_back(b.op(Op::NegFloat, {any_float()}));
        return;
      case 5:
        floats.push_back(b.op(Op::SqrtFloat, {b.op(Op::AbsFloat, {any_float()})}, state()));
        return;
      case 6:
        ints.push_back(b.op(Op::BoolToInt, {any_bool()}));
        return;
      case 7:
        bools.push_back(condition());
        return;
      case 8: {
        bool expected = pick(2);
        Value* c = likely(expected);
        b.op(expected ? Op::GuardTrue : Op::GuardFalse, {c}, state());
        return;
      }
      case 9: {
        Value* x = b.op(Op::AndInt, {any_int(), b.i(15)});
        b.op(Op::CheckIndex,
             {pick(4) ? x : b.i(pick(12)), b.op(Op::OrInt, {x, b.i(pick(2) ? 16 : 8)})}, state());
        return;
      }
      case 10:
      case 11:
      case 12:
      case 13: {
        Op o = kFloat[pick(4)];
        floats.push_back(
            b.op(o, {any_float(), any_float()}, o == Op::DivFloat ? state() : nullptr));
        return;
      }
      case 14:
        b.op(Op::Poll, {}, state());
        return;
      case 15:
        objects.push_back(b.op(Op::BoxBool, {any_bool()}));
        return;
      case 16: {
        Value* x = b.op(Op::AndInt, {any_int(), b.i(0xfffff)});
        Value* y = b.op(Op::OrInt, {b.op(Op::AndInt, {any_int(), b.i(0xfff)}), b.i(1)});
        floats.push_back(b.op(Op::TrueDivInt, {pick(6) ? x : any_int(), y}, state()));
        return;
      }
      case 17:
        boxes.push_back(box(any_float()));
        return;
      case 18:
        boxes.push_back(box(any_int()));
        return;
      case 19:
        if (!boxes.empty()) release(from(boxes));
        return;
      case 25:
        if (pick(3))
          floats.push_back(
              b.call(ir::Helper::power_float, Rep::F64, {any_float(), any_float()}, nullptr));
        else
          ints.push_back(b.call(ir::Helper::is_true, Rep::I64,
                                {objects[static_cast<size_t>(pick(2))]}, state()));
        return;
    }
  }

  struct Marks {
    size_t i, f, b, o, x;
  };
  Marks mark() { return {ints.size(), floats.size(), bools.size(), objects.size(), boxes.size()}; }
  void back_to(Marks m) {
    ints.resize(m.i);
    floats.resize(m.f);
    bools.resize(m.b);
    objects.resize(m.o);
    boxes.resize(m.x);
  }

  Value* box(Value* number) {
    Value* v;
    if (!boxes.empty() && !pick(3))
      v = b.op(Op::BoxOr, {number, from(boxes)}, state());
    else
      v = b.op(number->rep == Rep::F64 ? Op::BoxFloat : Op::BoxInt, {number}, state());
    v->flags |= ir::kOwned;
    return v;
  }
  void release(Value* v) {
    if (!pick(4)) b.op(Op::RetainNullable, {v});
    b.op(Op::ReleasePlainNullable, {v});
  }

  // Many numbers in variables, boxed on one path and used in a loop there; owned phis where the
  // paths meet.
  void many_boxes(int n) {
    std::vector<Value*> numbers, made;
    for (int k = 0; k < n; k++) {
      Value* v = pick(4) ? b.op(Op::AddFloat, {any_float(), b.d(k)})
                         : b.op(Op::AddIntUnchecked, {any_int(), b.i(k)});
      numbers.push_back(v);
      (v->rep == Rep::F64 ? floats : ints).push_back(v);
    }
    auto all = [&] {
      ir::FrameState* s = b.state(numbers, pick(1000));
      for (size_t k = 0; k < made.size(); k++) s->locals[k].box = made[k];
      return s;
    };
    bool is_cold = !pick(3);
    ir::Block *yes = b.block(depth_, is_cold), *no = b.block(depth_, false),
              *join = b.block(depth_, false);
    Value* null = b.op(Op::ConstNull);
    Marks m = mark();
    b.branch(condition(), yes, no);
    cold_ = is_cold;
    b.cur = yes;
    for (Value* v : numbers) {
      Value* box = b.op(v->rep == Rep::F64 ? Op::BoxFloat : Op::BoxInt, {v}, all());
      box->flags |= ir::kOwned;
      made.push_back(box);
      boxes.push_back(box);
    }
    if (pick(2)) loop(0);
    if (calls_ && pick(2)) b.call(ir::Helper::is_true, Rep::I64, {objects[0]}, all());
    b.jump(join);
    back_to(m);
    std::vector<Value*> phis;
    for (Value* box : made) {
      Value* phi = b.phi(join, Rep::Object);
      phi->flags |= ir::kOwned | ir::kNullable;
      b.add_input(phi, box);
      phis.push_back(phi);
    }
    cold_ = false;
    b.cur = no;
    for (int k = pick(4); k > 0; k--) simple();
    b.jump(join);
    for (Value* phi : phis) b.add_input(phi, null);
    back_to(m);
    b.cur = join;
    for (Value* phi : phis) boxes.push_back(phi);
    if (pick(2)) loop(0);
    if (!pick(3)) {
      for (Value* phi : phis) release(phi);
      boxes.resize(m.x);
    }
  }

  // The other path leaves for good, so this cold block dominates hot code laid out before it.
  void cold_and_back(int nesting) {
    bool was_cold = cold_;
    ir::Block *yes = b.block(depth_, true), *no = b.block(depth_, was_cold),
              *next = b.block(depth_, was_cold);
    b.branch(condition(), yes, no);
    b.cur = no;
    b.op(Op::Deopt, Rep::None, {}, state());
    b.cur = yes;
    cold_ = true;
    int steps = 1 + pick(6);
    for (int i = 0; i < steps; i++) statement(nesting + 1);
    b.jump(next);
    cold_ = was_cold;
    b.cur = next;
  }

  void statement(int nesting) {
    budget_--;
    int k = nesting > 3 ? 0 : pick(12);
    if (k == 9 && !pick(3)) return cold_and_back(nesting);
    if (k == 10) return branch(nesting);
    if (k == 11) return loop(nesting);
    simple();
  }

  void branch(int nesting) {
    Value* c = condition();
    bool was_cold = cold_;
    bool yes_cold = cold_ || !pick(4);
    ir::Block *yes = b.block(depth_, yes_cold), *no = b.block(depth_, was_cold),
              *join = b.block(depth_, was_cold);
    bool one_sided = !pick(3);
    Marks m = mark();
    b.branch(c, yes, one_sided ? join : no);
    int n = 1 + pick(3);
    struct Merge {
      Value *phi, *other;
      bool is_float;
    };
    std::vector<Merge> merges;
    for (int i = 0; i < n; i++) {
      bool is_float = pick(3) == 0;
      merges.push_back({b.phi(join, is_float ? Rep::F64 : Rep::I64),
                        is_float ? from(floats) : from(ints), is_float});
    }
    if (one_sided)
      for (Merge& x : merges) b.add_input(x.phi, x.other);
    cold_ = yes_cold;
    b.cur = yes;
    int steps = 1 + pick(4);
    for (int i = 0; i < steps; i++) statement(nesting + 1);
    if (!pick(8)) {
      b.op(Op::Deopt, Rep::None, {}, state());
      back_to(m);
      if (one_sided) {
        cold_ = was_cold;
        b.cur = join;
        for (Merge& x : merges) (x.is_float ? floats : ints).push_back(x.phi);
        return;
      }
    } else {
      b.jump(join);
      for (Merge& x : merges) b.add_input(x.phi, x.is_float ? from(floats) : from(ints));
      back_to(m);
    }
    cold_ = was_cold;
    if (!one_sided) {
      b.cur = no;
      steps = pick(4);
      for (int i = 0; i < steps; i++) statement(nesting + 1);
      b.jump(join);
      for (Merge& x : merges) b.add_input(x.phi, x.is_float ? from(floats) : from(ints));
      back_to(m);
    }
    b.cur = join;
    for (Merge& x : merges) (x.is_float ? floats : ints).push_back(x.phi);
  }

  void loop(int nesting) {
    depth_++;
    ir::Block *head = b.block(depth_, cold_), *body = b.block(depth_, cold_),
              *done = b.block(depth_ - 1, cold_);
    head->loop_head = true;
    Value* i = b.phi(head, Rep::I64);
    b.add_input(i, b.i(0));
    int n = 1 + pick(4);
    std::vector<Value*> phis;
    for (int k = 0; k < n; k++) {
      bool is_float = pick(3) == 0;
      Value* phi = b.phi(head, is_float ? Rep::F64 : Rep::I64);
      b.add_input(phi, is_float ? any_float() : any_int());
      phis.push_back(phi);
    }
    b.jump(head);
    b.cur = head;
    ints.push_back(i);
    for (Value* phi : phis) (phi->rep == Rep::F64 ? floats : ints).push_back(phi);
    Marks m = mark();
    bool at_bottom = pick(2);
    if (!at_bottom) {
      b.branch(b.cmp(Op::CmpInt, Cond::Lt, i, b.i(1 + pick(5))), body, done);
    } else {
      b.jump(body);
    }
    b.cur = body;
    int steps = 1 + pick(6);
    for (int k = 0; k < steps; k++) statement(nesting + 1);
    Value* i2 = b.op(Op::AddInt, {i, b.i(1)}, state());
    ints.push_back(i2);
    if (pick(2)) b.op(Op::Poll, {}, state());
    if (at_bottom)
      b.branch(b.cmp(Op::CmpInt, Cond::Lt, i2, b.i(1 + pick(5))), head, done);
    else
      b.jump(head);
    b.add_input(i, i2);
    for (Value* phi : phis) b.add_input(phi, phi->rep == Rep::F64 ? from(floats) : from(ints));
    back_to(m);
    depth_--;
    b.cur = done;
  }
};

void check_program(uint32_t seed, int size, int pressure, bool calls, bool wide) {
  FakeRuntime rt;
  rt.numbers_by_value = true;
  Builder b;
  Generator(b, rt, seed, pressure, calls, wide).run(size);
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
#include <ctime>
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
    Generator(b, rt, 12345, 8, true).run(size);
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
