// Construction and editing of the graph, and the tables' rows as data.
#include "ir/graph.h"

#include "support/mutants.h"

namespace psyco::ir {

namespace {
constexpr Rep None = Rep::None, Object = Rep::Object, I64 = Rep::I64, F64 = Rep::F64,
              Bool = Rep::Bool, Ptr = Rep::Ptr, Same = static_cast<Rep>(99);
struct RawOpInfo {
  const char* name;
  const char* inputs;
  Rep result;
  Effects effects;
  const char* text;
};
constexpr RawOpInfo kRaw[] = {
#define OP(name, inputs, result, effects, text) {#name, inputs, result, Effects::effects, text},
#include "ir/ops.def"
#undef OP
};
struct OpTable {
  OpInfo rows[kOpCount];
  constexpr OpTable() : rows() {
    for (int i = 0; i < kOpCount; i++) {
      bool same = kRaw[i].result == Same;
      rows[i] = {kRaw[i].name, kRaw[i].inputs,  same ? Rep::None : kRaw[i].result,
                 same,         kRaw[i].effects, kRaw[i].text};
    }
  }
};
constexpr OpTable kOps;

constexpr HelperInfo kHelpers[] = {
#define HELPER(name, params, result, effects) \
  {#name, params, HelperResult::result, HelperEffects::effects},
#include "ir/helpers.def"
#undef HELPER
};
constexpr const char* kReasonNames[] = {
#define REASON(name, message) #name,
#include "ir/reasons.def"
#undef REASON
};
constexpr const char* kReasonMessages[] = {
#define REASON(name, message) message,
#include "ir/reasons.def"
#undef REASON
};
}  // namespace

#ifdef PSYCO_MUTANTS
namespace {
Effects weaker(Effects effects) {
  switch (effects) {
    case Effects::Exits:
    case Effects::Reads:
    case Effects::Allocates:
    case Effects::Ref:
      return Effects::Pure;
    case Effects::ReadsExits:
      return Effects::Exits;
    case Effects::Writes:
    case Effects::Python:
      return Effects::Allocates;
    case Effects::Fixed:
      return Effects::Reads;
    case Effects::Pure:
    case Effects::Control:
      break;
  }
  return effects;
}
HelperEffects weaker(HelperEffects effects) {
  switch (effects) {
    case HelperEffects::Python:
      return HelperEffects::Writes;
    case HelperEffects::Writes:
      return HelperEffects::Allocates;
    case HelperEffects::Allocates:
    case HelperEffects::Reads:
    case HelperEffects::Pure:
      break;
  }
  return HelperEffects::Pure;
}
struct SpoiltTables {
  OpInfo ops[kOpCount];
  HelperInfo helpers[kHelperCount];
  SpoiltTables() {
    for (int i = 0; i < kOpCount; i++) {
      ops[i] = kOps.rows[i];
      if (mutants::chosen("effect", ops[i].name)) ops[i].effects = weaker(ops[i].effects);
    }
    for (int i = 0; i < kHelperCount; i++) {
      helpers[i] = kHelpers[i];
      if (mutants::chosen("helper", helpers[i].name))
        helpers[i].effects = weaker(helpers[i].effects);
      if (mutants::chosen("owned", helpers[i].name)) helpers[i].result = HelperResult::Object;
    }
  }
};
const SpoiltTables& tables() {
  static const SpoiltTables spoilt;
  return spoilt;
}
}  // namespace
const OpInfo& op_info(Op op) { return tables().ops[static_cast<int>(op)]; }
const HelperInfo& helper_info(Helper helper) { return tables().helpers[static_cast<int>(helper)]; }
#else
const OpInfo& op_info(Op op) { return kOps.rows[static_cast<int>(op)]; }
const HelperInfo& helper_info(Helper helper) { return kHelpers[static_cast<int>(helper)]; }
#endif
const char* reason_name(Reason reason) { return kReasonNames[static_cast<int>(reason)]; }
const char* reason_message(Reason reason) { return kReasonMessages[static_cast<int>(reason)]; }

Block* Graph::new_block() {
  Block* block = arena.make<Block>();
  block->id = block_count++;
  block->bci = -1;
  blocks.push_back(arena, block);
  return block;
}

Value* Graph::new_value(Op op, Rep rep) {
  Value* value = arena.make<Value>();
  value->op = op;
  value->rep = rep;
  value->id = value_count++;
  value->bci = -1;
  return value;
}

Value* Graph::append(Block* block, Value* value) {
  value->block = block;
  (value->op == Op::Phi ? block->phis : block->values).push_back(arena, value);
  return value;
}

Value* Graph::insert_before(Value* position, Value* value) {
  ArenaVec<Value*>& list = position->block->values;
  for (size_t i = 0; i < list.size(); i++) {
    if (list[i] != position) continue;
    value->block = position->block;
    list.insert(arena, i, value);
    return value;
  }
  PSYCO_CHECK(false && "insert_before: position is not in its block");
  return nullptr;
}

void Graph::remove(Value* value) {
  ArenaVec<Value*>& list = value->op == Op::Phi ? value->block->phis : value->block->values;
  for (size_t i = 0; i < list.size(); i++)
    if (list[i] == value) {
      list.erase(i);
      return;
    }
}

void Graph::replace_all(Value* from, Value* to) {
  auto swap = [&](Value*& use) {
    if (use == from) use = to;
  };
  for (Block* block : blocks) {
    for (ArenaVec<Value*>* list : {&block->phis, &block->values})
      for (Value* value : *list) {
        for (Value*& input : value->inputs) swap(input);
        if (value->state) for_each_state_value(value->state, swap);
      }
  }
}

FrameState* Graph::new_state() {
  FrameState* state = arena.make<FrameState>();
  state->id = state_count++;
  return state;
}

Virtual* Graph::new_virtual(VirtualKind kind) {
  Virtual* virt = arena.make<Virtual>();
  virt->kind = kind;
  virt->id = virtual_count++;
  return virt;
}

void Graph::connect(Block* from, Block* to) {
  from->succs.push_back(arena, to);
  to->preds.push_back(arena, from);
}

bool is_terminator(const Value& value) { return op_info(value.op).effects == Effects::Control; }

bool is_global_table(const Value& value) {
  return value.op == Op::LoadPtr && value.heap == Heap::Dict &&
         value.input(0)->op == Op::ConstObject;
}

bool runs_python(const Value& value) {
  switch (op_info(value.op).effects) {
    case Effects::Python:
      return value.op != Op::CallHelper ||
             helper_info(value.helper).effects == HelperEffects::Python;
    case Effects::Ref:
      return value.op == Op::Release || value.op == Op::ReleaseNullable;
    default:
      return false;
  }
}

bool may_exit(const Value& value) { return value.state != nullptr; }

bool has_side_effect(const Value& value) {
  if (value.flags & kRelied) return true;
  switch (op_info(value.op).effects) {
    case Effects::Pure:
    case Effects::Reads:
      return false;
    case Effects::Exits:
    case Effects::ReadsExits:
      // A guard proves something for its successors. Arithmetic that leaves on overflow is
      // removable when unused: the interpreter would only go on with a big integer that nobody
      // reads. Where the interpreter would raise (division by zero, a negative shift, a domain
      // error) it must stay.
      switch (value.op) {
        case Op::FloorDivInt:
        case Op::ModInt:
        case Op::TrueDivInt:
          return value.input(1)->op != Op::ConstI64 || value.input(1)->imm == 0;
        case Op::ShlInt:
        case Op::ShrInt:
          return value.input(1)->op != Op::ConstI64 || value.input(1)->imm < 0;
        case Op::DivFloat:
        case Op::SqrtFloat:
        case Op::FloatToInt:
          return true;
        default:
          return value.rep == Rep::None;
      }
    case Effects::Allocates:
      return false;
    case Effects::Python:
      return !(value.op == Op::CallHelper &&
               (helper_info(value.helper).effects == HelperEffects::Pure ||
                helper_info(value.helper).effects == HelperEffects::Reads));
    default:
      return true;
  }
}

Cond negate(Cond cond) {
  constexpr Cond kNegated[] = {Cond::Ge, Cond::Gt, Cond::Ne, Cond::Eq, Cond::Le, Cond::Lt};
  return kNegated[static_cast<int>(cond)];
}

Cond swap_operands(Cond cond) {
  constexpr Cond kSwapped[] = {Cond::Gt, Cond::Ge, Cond::Eq, Cond::Ne, Cond::Lt, Cond::Le};
  return kSwapped[static_cast<int>(cond)];
}

}  // namespace psyco::ir
