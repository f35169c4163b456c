// Computes what is known at compile time and removes branches that cannot be taken.
//
//     v3 = AddInt 2, 3 ! {...}               v3 = ConstI64 5
//     v4 = CmpInt.Lt v3, 9            =>
//     Branch v4 b1, b2                       Jump b1            (b2 goes if nothing else leads
//     there)
//
// Needs SSA. Changes edges; keeps references balanced, since a path disappears as a whole.
// Sound: integers are folded only where the op would not exit. Floats are folded by the same IEEE
// operations as at run time, never to NaN (its bits may differ), and the only float identities used
// are exact in every bit: double negation and division by a power of two. A guard that always fails
// becomes a Deopt with its state. A phi with one distinct input is that input, unless the phi is
// owned: the edge moves a reference, which is only then the input's own if nobody else retained it.
#include <cmath>
#include <cstring>

#include "analysis/effects.h"
#include "passes/fold.h"
#include "passes/pass.h"
#include "passes/rewrite.h"

namespace psyco::passes {

using ir::Block;
using ir::Cond;
using ir::Graph;
using ir::Op;
using ir::Rep;
using ir::Value;

bool fold_int(Op op, int64_t a, int64_t b, int64_t* result) {
  switch (op) {
    case Op::AddInt:
    case Op::AddIntUnchecked:
      return !__builtin_add_overflow(a, b, result);
    case Op::SubInt:
    case Op::SubIntUnchecked:
      return !__builtin_sub_overflow(a, b, result);
    case Op::MulInt:
    case Op::MulIntUnchecked:
      return !__builtin_mul_overflow(a, b, result);
    case Op::FloorDivInt:
      if (b == 0 || (a == INT64_MIN && b == -1)) return false;
      *result = a / b - (a % b != 0 && (a < 0) != (b < 0));
      return true;
    case Op::ModInt: {
      if (b == 0) return false;
      int64_t rest = b == -1 ? 0 : a % b;
      *result = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
      return true;
    }
    case Op::AndInt:
      *result = a & b;
      return true;
    case Op::OrInt:
      *result = a | b;
      return true;
    case Op::XorInt:
      *result = a ^ b;
      return true;
    case Op::ShlInt:
      if (b < 0 || b > 62) return false;
      *result = static_cast<int64_t>(static_cast<uint64_t>(a) << b);
      return *result >> b == a;
    case Op::ShrInt:
      if (b < 0) return false;
      *result = a >> (b > 63 ? 63 : b);
      return true;
    default:
      return false;
  }
}

template <class Number>
static bool compare(Cond cond, Number a, Number b) {
  switch (cond) {
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

bool fold_compare(Cond cond, int64_t a, int64_t b) { return compare(cond, a, b); }

namespace {

double as_double(int64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
int64_t as_bits(double value) {
  int64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
bool fits_double(int64_t a) { return a >= -(int64_t{1} << 53) && a <= int64_t{1} << 53; }
// Exactly ±2**k with a reciprocal that is a normal number too.
bool is_power_of_two(double value) {
  int exponent;
  return std::isfinite(value) && value != 0 && std::fabs(std::frexp(value, &exponent)) == 0.5 &&
         exponent > -1000 && exponent < 1000;
}

// By how it is made. The nullable flag is no proof: it may have been cleared because of a guard
// behind it.
bool never_null(const Value* value) {
  switch (value->op) {
    case Op::ConstObject:
    case Op::Function:
    case Op::BoxInt:
    case Op::BoxFloat:
    case Op::BoxBool:
    case Op::BoxOr:
      return true;
    case Op::CallHelper:
      return value->owned();
    default:
      return false;
  }
}

class Folder {
 public:
  Folder(Graph& graph, PassContext& context) : graph_(graph), context_(context), replaced_(graph) {}

  bool run() {
    bool changed = false;
    for (int round = 0; round < 4; round++) {
      bool edges = false, values = false;
      for (Block* block : graph_.blocks) {
        if (stopped_) break;
        values |= fold_phis(*block);
        values |= fold_values(*block);
        edges |= fold_branch(*block);
      }
      values |= !replaced_.empty();
      replaced_.apply();
      if (edges) remove_unreachable(graph_);
      if (!edges && !values) break;
      changed = true;
      if (!edges && !phi_folded_) break;
      phi_folded_ = false;
    }
    return changed;
  }

 private:
  bool spend() {
    if (!context_.spend_fuel()) stopped_ = true;
    return !stopped_;
  }
  static bool is_int(const Value* v) { return v->op == Op::ConstI64; }
  static bool is_int(const Value* v, int64_t number) { return is_int(v) && v->imm == number; }
  static bool is_float(const Value* v) { return v->op == Op::ConstF64; }
  static bool is_bool(const Value* v) { return v->op == Op::ConstBool; }

  // Turns value into a constant in place.
  bool to_const(Value* value, Op op, int64_t imm) {
    if (!spend()) return false;
    value->op = op;
    value->rep = ir::op_info(op).result;
    value->imm = imm;
    value->inputs.clear();
    value->state = nullptr;
    value->heap = ir::Heap::None;
    value->cond = Cond::Lt;
    value->reason = ir::Reason::None;
    value->ptr = nullptr;
    value->flags = 0;
    return true;
  }
  bool to_value(Value* value, Value* other) {
    other = replaced_.resolve(other);
    if (other == value) return false;  // a loop that has just been cut off feeds itself
    if (!spend()) return false;
    replaced_.replace(value, other);
    return true;
  }
  bool drop(Value* value) {
    if (!spend()) return false;
    replaced_.remove(value);
    return true;
  }
  bool deopt(Value* guard, Block& block) {
    if (!spend()) return false;
    turn_into_deopt(guard);
    cut_ = true;
    return true;
  }
  bool bool_const(Value* value, bool truth) { return to_const(value, Op::ConstBool, truth); }

  bool fold_phis(Block& block) {
    bool changed = false;
    for (Value* phi : block.phis) {
      if (replaced_.gone(phi)) continue;
      Value* only = nullptr;
      bool same = true;
      for (Value* input : phi->inputs) {
        input = replaced_.resolve(input);
        if (input == phi) continue;
        if (only && input != only) same = false;
        only = input;
      }
      if (!only || !same) continue;
      if (phi->owned()) continue;
      if (only->owned()) continue;  // a borrowed name of an owned value: keep the two apart
      if (phi->nullable() != only->nullable() && !phi->nullable()) continue;
      if (!to_value(phi, only)) return changed;
      phi_folded_ = changed = true;
    }
    return changed;
  }

  bool fold_values(Block& block) {
    bool changed = false;
    cut_ = false;
    for (size_t i = 0; i < block.values.size() && !stopped_; i++) {
      Value* value = block.values[i];
      if (replaced_.gone(value)) continue;
      for (Value*& input : value->inputs) input = replaced_.resolve(input);
      changed |= fold(value, block);
      edges_cut_ |= cut_;
      if (cut_) break;
    }
    return changed;
  }

  bool fold_branch(Block& block) {
    bool cut = edges_cut_;
    edges_cut_ = false;
    Value* end = block.terminator();
    if (stopped_ || end->op != Op::Branch || !is_bool(end->input(0))) return cut;
    if (!spend()) return cut;
    remove_edge(&block, end->input(0)->imm ? 1 : 0);
    end->op = Op::Jump;
    end->inputs.clear();
    return true;
  }

  bool fold(Value* v, Block& block) {
    switch (v->op) {
      case Op::AddInt:
      case Op::SubInt:
      case Op::MulInt:
      case Op::AddIntUnchecked:
      case Op::SubIntUnchecked:
      case Op::MulIntUnchecked:
      case Op::FloorDivInt:
      case Op::ModInt:
      case Op::AndInt:
      case Op::OrInt:
      case Op::XorInt:
      case Op::ShlInt:
      case Op::ShrInt:
        return fold_integer(v);
      case Op::NegInt:
        return is_int(v->input(0)) && v->input(0)->imm != INT64_MIN &&
               to_const(v, Op::ConstI64, -v->input(0)->imm);
      case Op::NotInt:
        return is_int(v->input(0)) && to_const(v, Op::ConstI64, ~v->input(0)->imm);
      case Op::CmpInt:
        return fold_compare_int(v);
      case Op::IntToFloat:
        return is_int(v->input(0)) &&
               to_const(v, Op::ConstF64, as_bits(static_cast<double>(v->input(0)->imm)));
      case Op::TrueDivInt: {
        if (!is_int(v->input(0)) || !is_int(v->input(1))) return false;
        int64_t a = v->input(0)->imm, b = v->input(1)->imm;
        if (b == 0 || !fits_double(a) || !fits_double(b)) return false;
        return to_const(v, Op::ConstF64, as_bits(static_cast<double>(a) / static_cast<double>(b)));
      }
      case Op::FitsDouble:
        return is_int(v->input(0)) && bool_const(v, fits_double(v->input(0)->imm));
      case Op::AddFloat:
      case Op::SubFloat:
      case Op::MulFloat:
      case Op::DivFloat:
      case Op::NegFloat:
      case Op::AbsFloat:
      case Op::SqrtFloat:
      case Op::FloatToInt:
        return fold_float(v);
      case Op::CmpFloat:
        if (is_float(v->input(0)) && is_float(v->input(1)))
          return bool_const(
              v, compare(v->cond, as_double(v->input(0)->imm), as_double(v->input(1)->imm)));
        return v->input(0) == v->input(1) && (v->cond == Cond::Lt || v->cond == Cond::Gt) &&
               bool_const(v, false);
      case Op::NotBool: {
        Value* x = v->input(0);
        if (is_bool(x)) return bool_const(v, !x->imm);
        if (x->op == Op::NotBool) return to_value(v, replaced_.resolve(x->input(0)));
        if (x->op != Op::CmpInt || !spend()) return false;
        v->op = Op::CmpInt;
        v->cond = ir::negate(x->cond);
        v->inputs.clear();
        for (Value* input : x->inputs) v->inputs.push_back(graph_.arena, input);
        return true;
      }
      case Op::BoolToInt:
        return is_bool(v->input(0)) && to_const(v, Op::ConstI64, v->input(0)->imm);
      case Op::SelectObject:
        if (is_bool(v->input(0))) return to_value(v, v->input(v->input(0)->imm ? 1 : 2));
        return v->input(1) == v->input(2) && to_value(v, v->input(1));
      case Op::WrapIndex:
        if (!is_int(v->input(0))) return false;
        if (v->input(0)->imm >= 0) return to_value(v, v->input(0));
        return is_int(v->input(1)) &&
               to_const(v, Op::ConstI64, v->input(0)->imm + v->input(1)->imm);
      case Op::UnboxInt:
      case Op::UnboxFloat:
      case Op::UnboxBool:
        return fold_unbox(v);
      case Op::RetainNullable:
      case Op::ReleaseNullable:
      case Op::ReleasePlainNullable:
        return fold_nullable(v);
      default:
        return fold_object(v, block);
    }
  }

  bool fold_integer(Value* v) {
    Value* a = v->input(0);
    Value* b = v->input(1);
    int64_t result;
    if (is_int(a) && is_int(b))
      return fold_int(v->op, a->imm, b->imm, &result) && to_const(v, Op::ConstI64, result);
    bool commutes = v->op == Op::AddInt || v->op == Op::MulInt || v->op == Op::AddIntUnchecked ||
                    v->op == Op::MulIntUnchecked || v->op == Op::AndInt || v->op == Op::OrInt ||
                    v->op == Op::XorInt;
    if (commutes && is_int(a)) {
      std::swap(v->inputs[0], v->inputs[1]);
      std::swap(a, b);
    }
    switch (v->op) {
      case Op::SubInt:
      case Op::SubIntUnchecked:
        if (a == b) return to_const(v, Op::ConstI64, 0);
        [[fallthrough]];
      case Op::AddInt:
      case Op::AddIntUnchecked:
      case Op::ShlInt:
      case Op::ShrInt:
        return is_int(b, 0) && to_value(v, a);
      case Op::MulInt:
      case Op::MulIntUnchecked:
        if (is_int(b, 0)) return to_const(v, Op::ConstI64, 0);
        return is_int(b, 1) && to_value(v, a);
      case Op::FloorDivInt:
        return is_int(b, 1) && to_value(v, a);
      case Op::ModInt:
        return is_int(b, 1) && to_const(v, Op::ConstI64, 0);
      case Op::AndInt:
        if (is_int(b, 0)) return to_const(v, Op::ConstI64, 0);
        return (a == b || is_int(b, -1)) && to_value(v, a);
      case Op::OrInt:
        if (is_int(b, -1)) return to_const(v, Op::ConstI64, -1);
        return (a == b || is_int(b, 0)) && to_value(v, a);
      case Op::XorInt:
        if (a == b) return to_const(v, Op::ConstI64, 0);
        return is_int(b, 0) && to_value(v, a);
      default:
        return false;
    }
  }

  bool fold_compare_int(Value* v) {
    Value* a = v->input(0);
    Value* b = v->input(1);
    if (is_int(a) && is_int(b)) return bool_const(v, passes::fold_compare(v->cond, a->imm, b->imm));
    if (a == b)
      return bool_const(v, v->cond == Cond::Le || v->cond == Cond::Ge || v->cond == Cond::Eq);
    if (is_int(a)) {
      std::swap(v->inputs[0], v->inputs[1]);
      std::swap(a, b);
      v->cond = ir::swap_operands(v->cond);
    }
    if (a->op != Op::BoolToInt || !is_int(b, 0)) return false;
    if (v->cond == Cond::Ne) return to_value(v, a->input(0));
    if (v->cond != Cond::Eq || !spend()) return false;
    v->op = Op::NotBool;
    v->cond = Cond::Lt;
    v->inputs.truncate(1);
    v->inputs[0] = a->input(0);
    return true;
  }

  bool fold_float(Value* v) {
    Value* x = v->input(0);
    if (v->op == Op::NegFloat && x->op == Op::NegFloat)
      return to_value(v, replaced_.resolve(x->input(0)));
    if (v->op == Op::AbsFloat && x->op == Op::AbsFloat) return to_value(v, x);
    if (v->op == Op::AbsFloat && x->op == Op::NegFloat && spend()) {
      v->inputs[0] = replaced_.resolve(x->input(0));
      return true;
    }
    if (v->op == Op::DivFloat && is_float(v->input(1)) && !is_float(x) &&
        is_power_of_two(as_double(v->input(1)->imm)) && spend()) {
      // Both are the correctly rounded value of the same real number.
      Value* factor = graph_.new_value(Op::ConstF64, Rep::F64);
      factor->imm = as_bits(1.0 / as_double(v->input(1)->imm));
      graph_.insert_before(v, factor);
      v->op = Op::MulFloat;
      v->inputs[1] = factor;
      v->state = nullptr;
      v->reason = ir::Reason::None;
      return true;
    }
    for (Value* input : v->inputs)
      if (!is_float(input)) return false;
    double a = as_double(x->imm);
    double b = v->inputs.size() > 1 ? as_double(v->input(1)->imm) : 0;
    double result;
    switch (v->op) {
      case Op::AddFloat:
        result = a + b;
        break;
      case Op::SubFloat:
        result = a - b;
        break;
      case Op::MulFloat:
        result = a * b;
        break;
      case Op::DivFloat:
        if (b == 0) return false;
        result = a / b;
        break;
      case Op::NegFloat:
        result = -a;
        break;
      case Op::AbsFloat:
        result = std::fabs(a);
        break;
      case Op::SqrtFloat:
        if (a < 0) return false;
        result = std::sqrt(a);
        break;
      case Op::FloatToInt:
        if (!(a > -9.2e18 && a < 9.2e18)) return false;
        return to_const(v, Op::ConstI64, static_cast<int64_t>(a));
      default:
        return false;
    }
    return result == result && to_const(v, Op::ConstF64, as_bits(result));
  }

  bool fold_unbox(Value* v) {
    Value* x = v->input(0);
    bool match = (v->op == Op::UnboxInt && (x->op == Op::BoxInt || x->op == Op::BoxOr)) ||
                 (v->op == Op::UnboxFloat && (x->op == Op::BoxFloat || x->op == Op::BoxOr)) ||
                 (v->op == Op::UnboxBool && x->op == Op::BoxBool);
    if (!match) return false;
    Value* number = replaced_.resolve(x->input(0));
    return number->rep == v->rep && to_value(v, number);
  }

  bool fold_nullable(Value* v) {
    Value* x = v->input(0);
    if (x->op == Op::ConstNull) return drop(v);
    if (!never_null(x) || reinterpret_cast<uintptr_t>(x->ptr) == ir::kUnbound || !spend())
      return false;
    v->op = v->op == Op::RetainNullable    ? Op::Retain
            : v->op == Op::ReleaseNullable ? Op::Release
                                           : Op::ReleasePlain;
    return true;
  }

  bool fold_object(Value* v, Block& block) {
    switch (v->op) {
      case Op::IsSame:
        if (v->input(0) == v->input(1)) return bool_const(v, true);
        return v->input(0)->op == Op::ConstObject && v->input(1)->op == Op::ConstObject &&
               v->input(0)->ptr != v->input(1)->ptr && bool_const(v, false);
      case Op::IsNull:
        if (v->input(0)->op == Op::ConstNull) return bool_const(v, true);
        return never_null(v->input(0)) && bool_const(v, false);
      case Op::GuardTrue:
      case Op::GuardFalse: {
        Value* x = v->input(0);
        if (x->op == Op::NotBool && spend()) {
          v->op = v->op == Op::GuardTrue ? Op::GuardFalse : Op::GuardTrue;
          v->inputs[0] = replaced_.resolve(x->input(0));
          return true;
        }
        if (!is_bool(x)) return false;
        return (x->imm != 0) == (v->op == Op::GuardTrue) ? drop(v) : deopt(v, block);
      }
      case Op::GuardNotNull:
        if (v->input(0)->op == Op::ConstNull) return deopt(v, block);
        return never_null(v->input(0)) && drop(v);
      case Op::GuardNull:
        if (v->input(0)->op == Op::ConstNull) return drop(v);
        return never_null(v->input(0)) && deopt(v, block);
      case Op::GuardIs:
        if (v->input(0)->op != Op::ConstObject) return false;
        return v->input(0)->ptr == v->ptr ? drop(v) : deopt(v, block);
      case Op::GuardType:
      case Op::HasType: {
        const void* type = v->input(0)->op == Op::BoxFloat ? context_.types().float_type
                           : v->input(0)->op == Op::BoxInt ? context_.types().int_type
                                                           : nullptr;
        if (!type || !v->ptr) return false;
        if (v->op == Op::HasType) return bool_const(v, type == v->ptr);
        return type == v->ptr ? drop(v) : deopt(v, block);
      }
      case Op::CheckIndex: {
        Value* index = v->input(0);
        Value* length = v->input(1);
        if (!is_int(index)) return false;
        if (index->imm < 0) return deopt(v, block);
        if (!is_int(length)) return false;
        return index->imm < length->imm ? drop(v) : deopt(v, block);
      }
      default:
        return false;
    }
  }

  Graph& graph_;
  PassContext& context_;
  Replacements replaced_;
  bool stopped_ = false, cut_ = false, edges_cut_ = false, phi_folded_ = false;
};

}  // namespace

bool fold_constants(Graph& graph, PassContext& context) { return Folder(graph, context).run(); }

}  // namespace psyco::passes
