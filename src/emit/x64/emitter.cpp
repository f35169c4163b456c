// The frame of a body: block order, jumps, exits and their records, literals.
#include "emit/x64/emitter.h"

#include <algorithm>

#pragma GCC diagnostic error "-Wswitch"

namespace psyco::x64 {

using namespace lir;

Emitter::Emitter(ir::Graph& graph, Function& function, const Stubs& stubs,
                 const BackendOptions& options, bool avx, bool bmi2, size_t size, void* buffer)
    : Assembler(size, buffer),
      graph_(graph),
      fn_(function),
      stubs_(stubs),
      layout_(stubs.layout),
      options_(options),
      avx_(avx),
      bmi2_(bmi2) {
  for (const VregInfo& vreg : fn_.vregs) doubles_ |= vreg.bank == Bank::Xmm;
}

void Emitter::run() {
  setDefaultJmpNEAR(true);
  size_t n = fn_.blocks.size();
  block_labels_.resize(n);
  virtual_index_.assign(graph_.virtual_count, -1);

  // A block that only jumps is no block; jumps to it go to its target.
  std::vector<uint8_t> has_moves(fn_.insts.size() + 1);
  for (const MoveGroup& g : fn_.moves)
    for (const Move& m : g.moves)
      if (!(m.from == m.to) || m.from.kind == Loc::None) has_moves[g.inst] = 1;
  empty_.assign(n, 0);
  for (const lir::Block* b : fn_.blocks)
    empty_[b->id] =
        b->last == b->first + 1 && fn_.insts[b->first].op == Lop::Jump && !has_moves[b->first];
  target_.resize(n);
  for (const lir::Block* b : fn_.blocks) {
    const lir::Block* t = b;
    for (int steps = 0; empty_[t->id] && steps < 32; steps++) t = t->succs[0];
    target_[b->id] = t;
  }
  // An endless loop of empty blocks must keep one.
  for (const lir::Block* b : fn_.blocks) empty_[target_[b->id]->id] = 0;

  for (const Inst& inst : fn_.insts) {
    if (!inst.call) continue;
    inlines_ |= inst.exit && inst.exit->state && inst.exit->state->caller;
    out_slots_ = std::max(out_slots_, inst.call->out_words);
    if (inst.call->array_from != 0xffffffffu)
      array_slots_ = std::max(
          array_slots_, static_cast<uint32_t>(inst.call->args.size()) - inst.call->array_from + 1);
  }

  std::vector<const lir::Block*> order;
  for (const lir::Block* b : fn_.blocks)
    if (!empty_[b->id]) order.push_back(b);
  rotate_loops(order);
  sub(rsp, 8);
  if (target_[0] != order[0]) jmp(block_labels_[target_[0]->id]);
  for (size_t i = 0; i < order.size(); i++) {
    const lir::Block* b = order[i];
    const lir::Block* next = i + 1 < order.size() ? order[i + 1] : nullptr;
    L(block_labels_[b->id]);
    size_t group = static_cast<size_t>(
        std::lower_bound(fn_.moves.begin(), fn_.moves.end(), b->first,
                         [](const MoveGroup& g, uint32_t inst) { return g.inst < inst; }) -
        fn_.moves.begin());
    for (uint32_t k = b->first; k < b->last; k++) {
      size_t from = getSize();
      for (; group < fn_.moves.size() && fn_.moves[group].inst == k && !fn_.moves[group].after;
           group++)
        parallel_move(fn_.moves[group].moves);
      emit_inst(fn_.insts[k], *b, next);
      for (; group < fn_.moves.size() && fn_.moves[group].inst == k; group++)
        parallel_move(fn_.moves[group].moves);
      if (options_.want_listing) note(fn_.insts[k], from);
    }
  }
  for (size_t i = 0; i < slow_.size(); i++) slow_[i]();
  for (const Detour& detour : detours_) {
    land(detour.jump);
    call_far(detour.stub);
    jump_to(detour.back);
  }
  for (ExitStub& e : exits_) {
    L(e.label);
    if (e.undo) e.undo();
    push(e.record);
    jmp_far(e.exception ? stubs_.exit_exception : stubs_.exit);
  }
  if (!masks_.empty()) align(16);
  for (auto& [bits, label] : masks_) {
    L(label);
    dq(bits);
    dq(bits);
  }
  if (!literals_.empty()) align(8);
  for (auto& [bits, label] : literals_) {
    L(label);
    dq(bits);
  }
}

// A loop that is entered at its test and ends in a jump back to it: the test goes behind that jump,
// which then needs no code. One jump more to enter the loop, one less each time round. Locations do
// not depend on the order of blocks here, so this is safe after allocation.
void Emitter::rotate_loops(std::vector<const lir::Block*>& order) {
  std::vector<size_t> last(fn_.blocks.size());  // by block: the last block that jumps back to it
  for (size_t j = 1; j < order.size(); j++)
    if (fn_.insts[order[j]->last - 1].op == Lop::Jump)
      last[target_[order[j]->succs[0]->id]->id] = j;
  for (size_t i = order.size() - 1; i > 0; i--) {  // inner loops first
    const lir::Block* head = order[i];
    size_t j = last[head->id];
    if (j <= i || head->cold || order[j]->cold || order[j]->depth != head->depth) continue;
    if (order[i - 1]->depth >= head->depth) continue;
    if (fn_.insts[head->last - 1].op != Lop::CompareBranch) continue;
    bool stays = false, leaves = false;  // where the test goes
    for (const lir::Block* s : head->succs) {
      const lir::Block* t = target_[s->id];
      bool inside = false;
      for (size_t k = i; k <= j; k++) inside |= order[k] == t;
      (inside ? stays : leaves) = true;
    }
    if (!stays || !leaves) continue;
    std::rotate(order.begin() + static_cast<ptrdiff_t>(i),
                order.begin() + static_cast<ptrdiff_t>(i) + 1,
                order.begin() + static_cast<ptrdiff_t>(j) + 1);
    for (size_t& at : last)  // positions of the blocks that moved
      if (at > i && at <= j) at--;
  }
}

void Emitter::note(const Inst& inst, size_t from) {
  char text[32];
  std::snprintf(text, sizeof text, "%04zx:", from);
  listing_ += text;
  for (size_t i = from; i < getSize(); i++) {
    std::snprintf(text, sizeof text, " %02x", getCode()[i]);
    listing_ += text;
  }
  listing_ += "    ; " + print(inst) + "\n";
}

void Emitter::emit_inst(Inst& inst, const lir::Block& block, const lir::Block* next) {
  switch (inst.op) {
    case Lop::Move:
      return move_gpr(gpr(inst.def), gpr(inst.use[0]));
    case Lop::LoadImm:
      return load_imm(gpr(inst.def), inst.imm);
    case Lop::LoadLit:
      return move_imm(inst.def.loc, inst.imm, Bank::Xmm);
    case Lop::Add:
    case Lop::Sub:
    case Lop::Mul:
    case Lop::And:
    case Lop::Or:
    case Lop::Xor:
    case Lop::Neg:
    case Lop::Not:
    case Lop::AddExit:
    case Lop::SubExit:
    case Lop::MulExit:
    case Lop::NegExit:
    case Lop::WrapIndex:
      return emit_int(inst);
    case Lop::FloorDivExit:
    case Lop::ModExit:
      return emit_division(inst);
    case Lop::ShlImm:
    case Lop::SarImm:
    case Lop::ShlExit:
    case Lop::ShlImmExit:
    case Lop::ShrExit:
      return emit_shift(inst);
    case Lop::LoadOut:
      mov(gpr(inst.def), slot(out_at() + static_cast<int32_t>(inst.imm)));
      return;
    case Lop::Lea:
    case Lop::Load:
    case Lop::Store:
    case Lop::LoadFloat:
    case Lop::StoreFloat:
      return emit_memory(inst);
    case Lop::FloatAdd:
    case Lop::FloatSub:
    case Lop::FloatMul:
    case Lop::FloatDiv:
    case Lop::FloatNeg:
    case Lop::FloatAbs:
    case Lop::FloatSqrt:
    case Lop::FloatNotZeroGuard:
    case Lop::FloatNotNegativeGuard:
    case Lop::IntToFloat:
    case Lop::FloatToIntExit:
      return emit_float(inst);
    case Lop::CompareSet:
      return emit_compare_set(inst);
    case Lop::CompareBranch:
      return emit_compare_branch(inst, block, next);
    case Lop::CompareGuard:
      return emit_compare_guard(inst);
    case Lop::Select:
    case Lop::Retain:
    case Lop::UpdateFloatSlot:
    case Lop::NoteTypes:
      return emit_object(inst);
    case Lop::Release:
      return emit_release(inst);
    case Lop::BoxInt:
    case Lop::BoxFloat:
    case Lop::BoxOr:
      return emit_box(inst);
    case Lop::UnboxInt:
      return emit_unbox_int(inst);
    case Lop::UpdateIntSlot:
      return emit_update_int(inst);
    case Lop::CallHelper:
    case Lop::CallC:
    case Lop::CallNative:
      return emit_call(inst);
    case Lop::Jump: {
      const lir::Block* t = target_[block.succs[0]->id];
      if (t != next) jmp(block_labels_[t->id]);
      return;
    }
    case Lop::Return:
      drop_frames();
      load_operand(rax, inst.use[0]);
      xor_(edx, edx);
      add(rsp, 8);
      ret();
      return;
    case Lop::ReturnNumber: {
      drop_frames();
      const lir::Operand& number = inst.use[0];
      Label boxed;
      const bool perhaps_boxed = inst.use[1].is_vreg() || inst.use[1].imm != 0;
      if (perhaps_boxed) {
        load_operand(r11, inst.use[1]);
        test(r11, r11);
        jnz(boxed);
      }
      if (number.is_vreg() && number.loc.kind == Loc::Xmm)
        movq(rax, xmm(number));
      else
        load_operand(rax, number);
      mov(edx, static_cast<uint32_t>(inst.imm));
      add(rsp, 8);
      ret();
      if (perhaps_boxed) {
        L(boxed);
        mov(rax, r11);
        xor_(edx, edx);
        add(rsp, 8);
        ret();
      }
      return;
    }
    case Lop::Exit:
      jmp(exit_label(inst));
      return;
  }
}

// ---- operands

Xbyak::RegExp Emitter::address(const Inst& inst) {
  Xbyak::RegExp e;
  switch (inst.base) {
    case Base::Vreg:
      e = Xbyak::RegExp(gpr(inst.use[2]));
      break;
    case Base::Activation:
      e = Xbyak::RegExp(rbx);
      break;
    case Base::Thread:
      e = Xbyak::RegExp(r15);
      break;
    case Base::Absolute:
      load_imm(r11, inst.use[2].imm, true);
      e = Xbyak::RegExp(r11);
      break;
    case Base::None:
      error_ = "a memory access without a base";
      break;
  }
  if (inst.use[3].is_vreg()) e = e + Xbyak::RegExp(gpr(inst.use[3]), 1 << inst.scale);
  return e + inst.disp;
}

Address Emitter::literal(uint64_t bits) {
  for (auto& [known, label] : literals_)
    if (known == bits) return ptr[rip + label];
  literals_.emplace_back(bits, Label());
  return ptr[rip + literals_.back().second];
}

Address Emitter::mask(uint64_t bits) {
  for (auto& [known, label] : masks_)
    if (known == bits) return ptr[rip + label];
  masks_.emplace_back(bits, Label());
  return ptr[rip + masks_.back().second];
}

void Emitter::jcc(Cc cc, Label& label) {
  switch (cc) {
    case Cc::O:
      return jo(label);
    case Cc::NO:
      return jno(label);
    case Cc::B:
      return jb(label);
    case Cc::AE:
      return jae(label);
    case Cc::E:
      return je(label);
    case Cc::NE:
      return jne(label);
    case Cc::BE:
      return jbe(label);
    case Cc::A:
      return ja(label);
    case Cc::S:
      return js(label);
    case Cc::NS:
      return jns(label);
    case Cc::P:
      return jp(label);
    case Cc::NP:
      return jnp(label);
    case Cc::L:
      return jl(label);
    case Cc::GE:
      return jge(label);
    case Cc::LE:
      return jle(label);
    case Cc::G:
      return jg(label);
  }
}

// ---- exits

Location Emitter::location_of(ir::Value* v) {
  Location l;
  while (v->op == ir::Op::BoolToInt) v = v->inputs[0];
  switch (v->op) {
    case ir::Op::ConstObject:
      l.kind = Location::Object;
      l.imm = reinterpret_cast<int64_t>(v->ptr);
      return l;
    case ir::Op::ConstPtr:
      l.kind = Location::Imm;
      l.imm = reinterpret_cast<int64_t>(v->ptr);
      return l;
    case ir::Op::ConstNull:
      l.kind = Location::Imm;
      return l;
    case ir::Op::ConstBool:
      l.kind = Location::Imm;
      l.imm = v->imm != 0;
      return l;
    case ir::Op::ConstI64:
    case ir::Op::ConstF64:
      l.kind = Location::Imm;
      l.imm = v->imm;
      return l;
    default:
      break;
  }
  const Vreg vreg = fn_.vreg_of_value[v->id];
  const Piece* piece = vreg == kNoVreg ? nullptr : fn_.piece_at(vreg, exit_->position(vreg));
  validity_.restrict_to(piece);
  const Loc place = piece ? piece->loc : Loc{};
  switch (place.kind) {
    case Loc::Gpr:
      l.kind = Location::Gpr;
      l.reg = place.reg;
      break;
    case Loc::Xmm:
      l.kind = Location::Xmm;
      l.reg = place.reg;
      break;
    case Loc::Slot:
      l.kind = Location::Spill;
      l.spill = place.slot;
      break;
    case Loc::None:
      error_ = "a state names a value without a place";
      break;
  }
  return l;
}

ExitSlot Emitter::encode_slot(const ir::Slot& slot) {
  ExitSlot out;
  out.kind = slot.kind;
  if (slot.kind == ir::SlotKind::Int || slot.kind == ir::SlotKind::Float) out.object = slot.object;
  if (slot.value && slot.kind != ir::SlotKind::Null && slot.kind != ir::SlotKind::Virtual) {
    out.value = location_of(slot.value);
    if (slot.kind == ir::SlotKind::Object) {
      out.owned = slot.value->owned();
      out.nullable = slot.value->nullable() || slot.value->op == ir::Op::ConstNull;
    }
  }
  if (slot.box && slot.box->op != ir::Op::ConstNull) {
    out.box = location_of(slot.box);
    out.box_owned = slot.box->owned();
    if (slot.box->nullable()) out.nullable = true;
  }
  if (slot.kind == ir::SlotKind::Virtual && slot.virt) {
    int32_t& index = virtual_index_[slot.virt->id];
    if (index < 0) {
      index = static_cast<int32_t>(virtuals_.size());
      virtuals_.push_back(slot.virt);
    }
    out.virt = index;
    validity_.restrict_to(nullptr);  // the number of the virtual holds in this record
  }
  return out;
}

// States have most of a long list in common, and while nothing of a leaf moves it is told in the
// same words.
void Emitter::encode_locals(const ir::SlotList& locals, ExitFrame& frame,
                            RecordWriter::Chunks& chunks) {
  static_assert(ir::SlotList::kLeaf == RecordWriter::kChunk);
  chunks.size = locals.size() > RecordWriter::kChunk ? locals.size() : 0;
  chunks.numbers.clear();
  if (!chunks.size) {
    for (const ir::Slot& slot : locals) frame.locals.push_back(encode_slot(slot));
    return;
  }
  std::vector<ExitSlot>& slots = frame.locals;  // of one leaf after the other
  locals.for_each_leaf([&](const void* leaf, std::span<ir::Slot> items) {
    KnownChunk& known = known_chunks_.try_emplace(leaf, KnownChunk{{0, 0}, 0}).first->second;
    if (!known.validity.holds_at(exit_->inst)) {
      validity_ = {};
      slots.clear();
      for (const ir::Slot& slot : items) slots.push_back(encode_slot(slot));
      known = {validity_, records_.chunk(slots)};
    }
    chunks.numbers.push_back(known.number);
  });
}

uint32_t Emitter::record_of(ExitPoint& exit, ir::Reason reason) {
  if (exit.record != 0xffffffffu && reason == exit.reason) return exit.record;
  exit_ = &exit;
  ExitRecord& record = record_;  // keeps its storage
  record.reason = reason;
  record.value_id = exit.value_id;
  // One frame is told in machine code where it stands.
  record.shown_bci = exit.state->caller ? exit.shown_bci : -1;
  record.virtuals.clear();
  record.drops.clear();
  virtuals_.clear();
  std::vector<ir::FrameState*>& chain = chain_;
  chain.clear();
  for (ir::FrameState* s = exit.state; s; s = s->caller) chain.push_back(s);
  record.frames.resize(chain.size());
  locals_.resize(chain.size());
  for (size_t i = 0; i < chain.size(); i++) {
    ir::FrameState* s = chain[chain.size() - 1 - i];
    ExitFrame& f = record.frames[i];
    f.frame_index = s->frame ? s->frame->index : 0;
    f.bci = s->bci;
    f.cont = s->cont;
    f.function = ExitSlot{};
    f.locals.clear();
    f.stack.clear();
    if (s->function) {
      ir::Slot function;
      function.kind = ir::SlotKind::Object;
      function.value = s->function;
      f.function = encode_slot(function);
    }
    encode_locals(s->locals, f, locals_[i]);
    f.stack.reserve(s->stack.size());
    for (const ir::Slot& slot : s->stack) f.stack.push_back(encode_slot(slot));
  }
  for (ir::FrameState* s : chain)
    for (ir::Value* drop : s->drops) {
      ir::Slot slot;
      slot.kind = ir::SlotKind::Object;
      slot.value = drop;
      record.drops.push_back(encode_slot(slot));
    }
  for (size_t i = 0; i < virtuals_.size(); i++) {  // fields may name further virtuals
    ir::Virtual* v = virtuals_[i];
    record.virtuals.push_back({v->kind, v->object, {}});
    for (size_t k = 0; k < v->fields.size(); k++) {
      ExitSlot slot = encode_slot(v->fields[k]);
      record.virtuals[i].fields.push_back(slot);
    }
  }
  for (ir::Virtual* v : virtuals_) virtual_index_[v->id] = -1;
  uint32_t id = records_.add(record, locals_);
  if (reason == exit.reason) exit.record = id;
  return id;
}

Label& Emitter::exit_label(Inst& inst, bool exception, std::function<void()> undo) {
  uint32_t record = record_of(*inst.exit, inst.exit->reason);
  if (undo) {
    exits_.push_back({Label(), record, exception, std::move(undo)});
    return exits_.back().label;
  }
  ExitStub*& known = shared_exits_[{record, exception}];
  if (!known) {
    exits_.push_back({Label(), record, exception, {}});
    known = &exits_.back();
  }
  return known->label;
}

// Every n-th guard, or every guard now and then, leaves before it does anything.
bool Emitter::stressed(Inst& inst) {
  if (options_.exit_countdown) {
    uint32_t record = record_of(*inst.exit, ir::Reason::Stress);
    exits_.push_back({Label(), record, false, {}});
    mov(r11, reinterpret_cast<uint64_t>(options_.exit_countdown));
    dec(dword[r11]);
    jz(exits_.back().label, T_NEAR);
  }
  if (!options_.exit_every || ++guard_number_ % options_.exit_every) return false;
  uint32_t record = record_of(*inst.exit, ir::Reason::Stress);
  exits_.push_back({Label(), record, false, {}});
  jmp(exits_.back().label);
  return true;
}

}  // namespace psyco::x64
