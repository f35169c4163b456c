// Random graphs: arithmetic, branches, loops, exits and boxes, from a seed.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "graph_builder.h"

namespace psyco::test {

class Generator {
 public:
  Generator(Builder& b, uint32_t seed, int pressure, bool calls, bool wide = false)
      : b(b), random_(seed), pressure_(pressure), calls_(calls), wide_(wide) {}

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

}  // namespace psyco::test
