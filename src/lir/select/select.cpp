// Drives selection: plans what is needed, lays out the blocks, splits critical edges, and calls
// each op's family. See select.h.
#include "lir/select/select.h"

#include <algorithm>

#pragma GCC diagnostic error "-Wswitch"

namespace psyco::lir {

using ir::Op;
using ir::Value;

int64_t constant_bits(const Value* v) {
  switch (v->op) {
    case Op::ConstObject:
    case Op::ConstPtr:
      return reinterpret_cast<int64_t>(v->ptr);
    case Op::ConstNull:
      return 0;
    case Op::ConstBool:
      return v->imm != 0;
    default:
      return v->imm;
  }
}

// A constant index that can be part of an address. Hardly any sequence is long enough for others,
// but only a guard at run time knows.
static bool is_displacement(const Value* v) {
  constexpr int64_t kMost = 1 << 26;
  return is_constant(v) && constant_bits(v) >= -kMost && constant_bits(v) <= kMost;
}

namespace {

bool is_condition(const Value* v) {
  switch (v->op) {
    case Op::CmpInt:
    case Op::CmpFloat:
    case Op::HasType:
    case Op::IsSame:
    case Op::IsNull:
    case Op::NotBool:
    case Op::FitsDouble:
    case Op::UnboxBool:
      return true;
    default:
      return false;
  }
}

// A memory access whose address is input 0 (+ index in input 1 if indexed). 0: none, 1: base, 2:
// indexed
int address_form(const Value* v) {
  if (analysis::has_index(v->op)) return 2;
  switch (v->op) {
    case Op::LoadObject:
    case Op::LoadI64:
    case Op::LoadI32:
    case Op::LoadU32:
    case Op::LoadU16:
    case Op::LoadU8:
    case Op::LoadF64:
    case Op::LoadPtr:
    case Op::StoreObject:
    case Op::StoreI64:
    case Op::StoreF64:
    case Op::UpdateFloatSlot:
    case Op::UpdateIntSlot:
      return 1;
    default:
      return 0;
  }
}

// May reading memory be delayed past it?
bool is_transparent(const Value* v) {
  switch (ir::op_info(v->op).effects) {
    case ir::Effects::Pure:
    case ir::Effects::Exits:
    case ir::Effects::Reads:
    case ir::Effects::ReadsExits:
      return true;
    default:
      return false;
  }
}

struct Layout {
  ir::Graph& graph;
  std::vector<uint8_t> seen;
  std::vector<ir::Block*> order;
  explicit Layout(ir::Graph& g) : graph(g), seen(g.block_count) {}

  // Reverse post order; what is visited first ends up last, so loop exits and cold paths come first
  // here.
  void run() {
    struct Item {
      ir::Block* block;
      std::vector<ir::Block*> succs;
      size_t next;
    };
    std::vector<Item> stack;
    auto push = [&](ir::Block* b) {
      seen[b->id] = 1;
      Item item{b, {}, 0};
      for (size_t i = b->succs.size(); i-- > 0;) item.succs.push_back(b->succs[i]);
      std::stable_sort(item.succs.begin(), item.succs.end(), [](ir::Block* x, ir::Block* y) {
        if (x->cold != y->cold) return x->cold;
        return x->loop_depth < y->loop_depth;
      });
      stack.push_back(std::move(item));
    };
    push(graph.blocks[0]);
    while (!stack.empty()) {
      Item& top = stack.back();
      if (top.next < top.succs.size()) {
        ir::Block* s = top.succs[top.next++];
        if (!seen[s->id]) push(s);
      } else {
        order.push_back(top.block);
        stack.pop_back();
      }
    }
    std::reverse(order.begin(), order.end());
  }
};

}  // namespace

void Selector::plan() {
  size_t n = graph.value_count;
  vreg_of.assign(n, kNoVreg);
  uses.assign(n, 0);
  needed.assign(n, 0);
  in_state.assign(n, 0);
  folded.assign(n, 0);

  std::vector<Value*> work;
  auto need = [&](Value* v) {
    if (!needed[v->id]) {
      needed[v->id] = 1;
      work.push_back(v);
    }
  };
  for (ir::Block* b : graph.blocks)
    for (Value* v : b->values)
      if (ir::is_terminator(*v) ||
          (v->op != Op::Arg && v->op != Op::ArgNumber && ir::has_side_effect(*v)))
        need(v);
  const uint32_t mark = graph.new_mark();
  auto need_named = [&](Value* v) {
    if (is_constant(v)) return;
    in_state[v->id] = 1;
    need(v);
  };
  while (!work.empty()) {
    Value* v = work.back();
    work.pop_back();
    for (Value* in : v->inputs) need(in);
    ir::for_each_new_state_value(v->state, mark, need_named);
  }

  std::vector<Value*> user(n);
  std::vector<uint32_t> address_uses(n);
  for (ir::Block* b : graph.blocks) {
    for (Value* v : b->phis)
      if (needed[v->id])
        for (Value* in : v->inputs) uses[in->id]++, user[in->id] = v;
    for (Value* v : b->values) {
      if (!needed[v->id] || v->op == Op::TakeOut) continue;  // its input only orders it
      for (Value* in : v->inputs) uses[in->id]++, user[in->id] = v;
      int form = address_form(v);
      if (!form) continue;
      Value* base = v->inputs[0];
      if (base->op != Op::PtrAdd || is_constant(base->inputs[0])) continue;
      bool free_index = form == 1 || is_displacement(v->inputs[1]);
      if (is_displacement(base->inputs[1]) || (free_index && base->shift <= 3))
        address_uses[base->id]++;
    }
  }
  for (ir::Block* b : graph.blocks) {
    for (size_t i = b->values.size(); i-- > 0;) {
      Value* v = b->values[i];
      if (!needed[v->id]) continue;
      if (v->op == Op::PtrAdd) {
        folded[v->id] = address_uses[v->id] == uses[v->id] && !in_state[v->id];
      } else if (is_condition(v) && uses[v->id] == 1 && !in_state[v->id]) {
        Value* u = user[v->id];
        bool takes =
            u->block == b && (u->op == Op::Branch || u->op == Op::GuardTrue ||
                              u->op == Op::GuardFalse || (u->op == Op::NotBool && folded[u->id]));
        if (takes && v->op == Op::HasType) {
          for (size_t k = i + 1; k < b->values.size() && b->values[k] != u; k++)
            if (!is_transparent(b->values[k])) takes = false;
        }
        folded[v->id] = takes;
      }
    }
  }
}

void Selector::run() {
  plan();
  Layout layout(graph);
  layout.run();

  std::vector<Block*> lir_of(graph.block_count);
  std::vector<Block*> hot, cold;
  auto make = [&](const ir::Block* source, uint32_t depth, bool is_cold) {
    Block* b = fn.arena.make<Block>();
    b->source = source;
    b->depth = depth;
    b->cold = is_cold;
    (is_cold ? cold : hot).push_back(b);
    return b;
  };
  auto link = [&](Block* from, Block* to) {
    from->succs.push_back(fn.arena, to);
    to->preds.push_back(fn.arena, from);
  };
  if (!graph.blocks[0]->preds.empty()) return fail("the entry block has predecessors");
  // Blocks in order; each critical edge gets a block right behind its source.
  std::vector<std::vector<Block*>> splits(graph.block_count);
  for (ir::Block* b : layout.order) {
    lir_of[b->id] = make(b, b->loop_depth, b->cold);
    splits[b->id].assign(b->succs.size(), nullptr);
    if (b->succs.size() < 2) continue;
    for (size_t i = 0; i < b->succs.size(); i++) {
      ir::Block* s = b->succs[i];
      if (s->preds.size() < 2 && s->phis.empty()) continue;
      splits[b->id][i] = make(nullptr, std::min(b->loop_depth, s->loop_depth), b->cold || s->cold);
    }
  }
  for (ir::Block* b : layout.order)
    for (size_t i = 0; i < b->succs.size(); i++) {
      Block* from = lir_of[b->id];
      if (Block* split = splits[b->id][i]) {
        link(from, split);
        from = split;
      }
      link(from, lir_of[b->succs[i]->id]);
    }
  fn.blocks = hot;
  fn.blocks.insert(fn.blocks.end(), cold.begin(), cold.end());
  for (uint32_t i = 0; i < fn.blocks.size(); i++) {
    Block* b = fn.blocks[i];
    b->id = i;
    b->frequency = 1;
    for (uint32_t d = 0; d < std::min(b->depth, 6u); d++) b->frequency *= 10;
    if (b->cold) b->frequency = 0.001f;
  }

  // Registers of phis first: back edges and hints name them.
  for (ir::Block* b : layout.order)
    for (Value* phi : b->phis) {
      if (!needed[phi->id]) continue;
      Vreg r = fn.new_vreg(bank_of(phi->rep));
      vreg_of[phi->id] = r;
      lir_of[b->id]->params.push_back(fn.arena, r);
    }
  // A definition that flows into a phi over a back edge wants its register.
  wants.assign(graph.value_count, nullptr);
  for (ir::Block* b : layout.order)
    for (Value* phi : b->phis)
      if (needed[phi->id])
        for (Value* in : phi->inputs)
          if (!wants[in->id]) wants[in->id] = phi;

  // Code, in layout order. A block may be laid out before one that dominates it only if it is hot
  // and the other cold, so registers are given on demand by vreg().
  auto emit_jump_args = [&](Block* from, const ir::Block* to, size_t pred_index) {
    for (Value* phi : to->phis) {
      if (!needed[phi->id]) continue;
      Value* in = phi->inputs[pred_index];
      Operand arg = argument(in);
      from->args.push_back(fn.arena, arg);
      if (arg.is_vreg()) {
        VregInfo& info = fn.vregs[vreg_of[phi->id]];
        if (info.hint == kNoVreg)
          info.hint = arg.vreg;
        else if (info.hint2 == kNoVreg)
          info.hint2 = arg.vreg;
      }
    }
  };
  // Which predecessor of s is the i-th edge of b?
  auto pred_index = [&](const ir::Block* b, size_t i) {
    const ir::Block* s = b->succs[i];
    size_t skip = 0;
    for (size_t k = 0; k < i; k++) skip += b->succs[k] == s;
    for (size_t p = 0; p < s->preds.size(); p++)
      if (s->preds[p] == b && skip-- == 0) return p;
    PSYCO_CHECK(false && "edge without a predecessor entry");
    return size_t{0};
  };
  std::vector<std::pair<const ir::Block*, size_t>> split_edge(fn.blocks.size());
  for (ir::Block* b : layout.order)
    for (size_t i = 0; i < b->succs.size(); i++)
      if (Block* split = splits[b->id][i]) split_edge[split->id] = {b, i};

  for (Block* b : fn.blocks) {
    block = b;
    b->first = static_cast<uint32_t>(fn.insts.size());
    if (!b->source) {
      auto [from, i] = split_edge[b->id];
      emit_jump_args(b, from->succs[i], pred_index(from, i));
      emit(Lop::Jump, nullptr);
    } else {
      if (b->source->values.empty() || !ir::is_terminator(*b->source->terminator()))
        return fail("a block has no terminator");
      for (Value* v : b->source->values) {
        if (!needed[v->id] || folded[v->id] || is_constant(v)) continue;
        if (v->op == Op::Jump && b->source->succs[0]->preds.size() >= 1)
          emit_jump_args(b, b->source->succs[0], pred_index(b->source, 0));
        select_value(*v);
        if (fn.error) return;
        if (Value* phi = wants[v->id]; phi && vreg_of[v->id] != kNoVreg) {
          VregInfo& info = fn.vregs[vreg_of[v->id]];
          info.hint2 = info.hint;
          info.hint = vreg_of[phi->id];
        }
      }
    }
    b->last = static_cast<uint32_t>(fn.insts.size());
  }
  for (ir::Block* b : graph.blocks)
    for (Value* v : b->values)
      if (v->op == Op::BoolToInt && needed[v->id] && !is_constant(v->inputs[0]))
        vreg_of[v->id] = vreg(v);
  fn.vreg_of_value = std::move(vreg_of);
  for (uint32_t k = 0; k < fn.insts.size(); k++)
    if (fn.insts[k].exit) fn.insts[k].exit->inst = k;
}

Inst& Selector::emit(Lop op, Value* v) {
  fn.insts.push_back(Inst{op});
  fn.insts.back().value = v;
  return fn.insts.back();
}

Vreg Selector::vreg(Value* v) {
  if (v->op == Op::BoolToInt && !is_constant(v->inputs[0])) {
    return vreg(v->inputs[0]);  // the same bits
  }
  Vreg& r = vreg_of[v->id];
  if (r == kNoVreg) r = fn.new_vreg(bank_of(v->rep));
  return r;
}

Operand Selector::define(Value& v) {
  Operand o;
  o.kind = Operand::Reg;
  o.vreg = vreg(&v);
  return o;
}

Operand Selector::reg(Value* v, bool late) {
  Operand o;
  o.kind = Operand::Reg;
  o.late = late;
  if (v->op == Op::BoolToInt && is_constant(v->inputs[0])) v = v->inputs[0];
  if (is_constant(v)) {
    Operand def;
    def.kind = Operand::Reg;
    def.vreg = fn.new_vreg(bank_of(v->rep));
    Inst& load = emit(v->rep == ir::Rep::F64 ? Lop::LoadLit : Lop::LoadImm, v);
    load.imm = constant_bits(v);
    load.def = def;
    o.vreg = def.vreg;
  } else {
    o.vreg = vreg(v);
  }
  return o;
}

Operand Selector::any(Value* v, bool late) {
  if (v->op == Op::BoolToInt && is_constant(v->inputs[0])) v = v->inputs[0];
  if (is_constant(v) && fits32(constant_bits(v))) {
    Operand o;
    o.kind = Operand::Imm;
    o.imm = constant_bits(v);
    return o;
  }
  Operand o = reg(v, late);
  if (!is_constant(v)) o.kind = Operand::Any;
  return o;
}

Operand Selector::any_float(Value* v, bool late) {
  Operand o;
  if (is_constant(v)) {
    o.kind = Operand::Lit;
    o.imm = constant_bits(v);
    return o;
  }
  o.kind = Operand::Any;
  o.late = late;
  o.vreg = vreg(v);
  return o;
}

Operand Selector::argument(Value* v) {
  if (v->op == Op::BoolToInt && is_constant(v->inputs[0])) v = v->inputs[0];
  Operand o;
  if (is_constant(v)) {
    o.kind = v->rep == ir::Rep::F64 ? Operand::Lit : Operand::Imm;
    o.imm = constant_bits(v);
    return o;
  }
  o.kind = Operand::Any;
  o.vreg = vreg(v);
  return o;
}

void Selector::set_exit(Inst& inst, Value& v, ir::Reason reason, bool late, Value* early) {
  if (!v.state) return fail("an op that may leave has no state");
  ExitPoint* exit = fn.arena.make<ExitPoint>();
  exit->state = v.state;
  exit->reason = v.reason != ir::Reason::None ? v.reason : reason;
  exit->value_id = v.id;
  exit->late = late;
  if (early && !is_constant(early)) exit->early = vreg(early);
  inst.exit = exit;
}

void Selector::set_address(Inst& inst, Value* base, int64_t disp, Value* index, int scale,
                           bool late) {
  if (index && is_displacement(index)) {
    disp += constant_bits(index) << scale;
    index = nullptr;
  }
  while (base->op == Op::PtrAdd && folded[base->id]) {
    disp += base->imm;
    Value* inner = base->inputs[1];
    if (is_displacement(inner)) {
      disp += constant_bits(inner) << base->shift;
    } else {
      PSYCO_CHECK(!index);
      index = inner;
      scale = base->shift;
    }
    base = base->inputs[0];
  }
  if (is_constant(base)) {
    int64_t address = constant_bits(base) + disp;
    inst.base = Base::Absolute;
    inst.use[2].kind = Operand::Imm;
    inst.use[2].imm = address;
    disp = 0;
  } else {
    inst.base = Base::Vreg;
    inst.use[2] = reg(base, late);
  }
  if (index) {
    inst.use[3] = reg(index, late);
    inst.scale = static_cast<uint8_t>(scale);
  }
  if (!fits32(disp)) return fail("a displacement does not fit 32 bits");
  inst.disp = static_cast<int32_t>(disp);
}

// No default: a new op must be given a family.
void Selector::select_value(Value& v) {
  switch (v.op) {
    case Op::ConstObject:
    case Op::ConstNull:
    case Op::ConstI64:
    case Op::ConstF64:
    case Op::ConstBool:
    case Op::ConstPtr:
      return select_constant(v);
    case Op::Arg:
    case Op::ArgNumber:
    case Op::Function:
    case Op::Phi:
      return select_entry(v);
    case Op::AddInt:
    case Op::SubInt:
    case Op::MulInt:
    case Op::NegInt:
    case Op::AddIntUnchecked:
    case Op::SubIntUnchecked:
    case Op::MulIntUnchecked:
    case Op::FloorDivInt:
    case Op::ModInt:
    case Op::AndInt:
    case Op::OrInt:
    case Op::XorInt:
    case Op::NotInt:
    case Op::ShlInt:
    case Op::ShrInt:
    case Op::WrapIndex:
      return select_int(v);
    case Op::IntToFloat:
    case Op::TrueDivInt:
    case Op::AddFloat:
    case Op::SubFloat:
    case Op::MulFloat:
    case Op::DivFloat:
    case Op::NegFloat:
    case Op::AbsFloat:
    case Op::SqrtFloat:
    case Op::FloatToInt:
      return select_float(v);
    case Op::CmpInt:
    case Op::CmpFloat:
    case Op::FitsDouble:
    case Op::NotBool:
    case Op::BoolToInt:
    case Op::IsSame:
    case Op::IsNull:
    case Op::HasType:
    case Op::UnboxBool:
      return select_compare(v);
    case Op::GuardType:
    case Op::GuardIs:
    case Op::GuardNotNull:
    case Op::GuardNull:
    case Op::GuardTrue:
    case Op::GuardFalse:
    case Op::CheckIndex:
    case Op::Poll:
    case Op::CheckLeave:
      return select_guard(v);
    case Op::SelectObject:
    case Op::BoxInt:
    case Op::BoxFloat:
    case Op::BoxBool:
    case Op::BoxOr:
    case Op::UnboxInt:
    case Op::UnboxFloat:
    case Op::UpdateFloatSlot:
    case Op::UpdateIntSlot:
      return select_box(v);
    case Op::Retain:
    case Op::RetainNullable:
    case Op::Release:
    case Op::ReleaseNullable:
    case Op::ReleasePlain:
    case Op::ReleasePlainNullable:
    case Op::NoteTypes:
      return select_reference(v);
    case Op::LoadObject:
    case Op::LoadI64:
    case Op::LoadI32:
    case Op::LoadU32:
    case Op::LoadU16:
    case Op::LoadU8:
    case Op::LoadF64:
    case Op::LoadPtr:
    case Op::LoadObjectAt:
    case Op::LoadI64At:
    case Op::LoadI32At:
    case Op::LoadU32At:
    case Op::LoadU16At:
    case Op::LoadU8At:
    case Op::LoadF64At:
    case Op::PtrAdd:
    case Op::StoreObject:
    case Op::StoreObjectAt:
    case Op::StoreI64:
    case Op::StoreF64:
    case Op::StoreI64At:
    case Op::StoreU8At:
    case Op::StoreU16At:
    case Op::StoreI32At:
    case Op::StoreF64At:
      return select_memory(v);
    case Op::CallHelper:
    case Op::TakeOut:
    case Op::CallC:
    case Op::CallNative:
      return select_call(v);
    case Op::Jump:
    case Op::Branch:
    case Op::Return:
    case Op::ReturnNumber:
    case Op::Deopt:
      return select_control(v);
  }
}

void select(ir::Graph& graph, const TargetFacts& facts, Function& function) {
  function.graph = &graph;
  function.insts.reserve(graph.value_count * 2);
  function.vregs.reserve(graph.value_count * 2);
  Selector(graph, facts, function).run();
}

}  // namespace psyco::lir
