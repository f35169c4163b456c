// Runs a graph as its operations are meant, to compare machine code with.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "fake_runtime.h"
#include "graph_builder.h"

namespace psyco::test {

inline double as_double(uint64_t x) { return std::bit_cast<double>(x); }
inline uint64_t bits(double x) {
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

// Exits by stress at every n-th guard are given as a set of value ids.
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

}  // namespace psyco::test
