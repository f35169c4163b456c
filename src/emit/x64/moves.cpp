// Moves between locations, one at a time and in parallel.
#include "emit/x64/emitter.h"

namespace psyco::x64 {

using namespace lir;

void Emitter::load_imm(const Reg64& to, int64_t imm, bool keep_flags) {
  if (imm == 0 && !keep_flags) {
    xor_(to.cvt32(), to.cvt32());
  } else if (imm >= 0 && imm <= 0xffffffffll) {
    mov(to.cvt32(), static_cast<uint32_t>(imm));
  } else if (imm == static_cast<int32_t>(imm)) {
    db(0x48 | to.getIdx() >> 3);  // mov r/m64, imm32: xbyak may choose a longer form
    db(0xc7);
    db(0xc0 | (to.getIdx() & 7));
    dd(static_cast<uint32_t>(imm));
  } else {
    mov(to, static_cast<uint64_t>(imm));
  }
}

void Emitter::load_operand(const Reg64& to, const Operand& o) {
  if (o.kind == lir::Operand::Imm || o.kind == lir::Operand::Lit) return load_imm(to, o.imm);
  if (o.loc.kind == Loc::Slot)
    mov(to, slot(o.loc));
  else
    move_gpr(to, gpr(o));
}

void Emitter::move_imm(const Loc& to, int64_t imm, Bank bank) {
  switch (to.kind) {
    case Loc::Gpr:
      return load_imm(Reg64(to.reg), imm);
    case Loc::Xmm:
      if (imm == 0)
        zero_xmm(Xmm(to.reg));
      else
        load_double(Xmm(to.reg), literal(static_cast<uint64_t>(imm)));
      return;
    case Loc::Slot:
      if (imm == static_cast<int32_t>(imm)) {
        mov(slot(to), static_cast<int32_t>(imm));
      } else {
        load_imm(r11, imm);
        mov(slot(to), r11);
      }
      return;
    case Loc::None:
      return;
  }
}

// Slot to slot goes through xmm15, so that r11 stays free to break a cycle.
void Emitter::move_loc(const Loc& to, const Loc& from) {
  if (to == from) return;
  if (to.kind == Loc::Slot) {
    if (from.kind == Loc::Gpr) {
      mov(slot(to), Reg64(from.reg));
    } else if (from.kind == Loc::Xmm) {
      store_double(slot(to), Xmm(from.reg));
    } else {
      load_double(xmm15, slot(from));
      store_double(slot(to), xmm15);
    }
  } else if (to.kind == Loc::Gpr) {
    if (from.kind == Loc::Slot)
      mov(Reg64(to.reg), slot(from));
    else
      move_gpr(Reg64(to.reg), Reg64(from.reg));
  } else {
    if (from.kind == Loc::Slot)
      load_double(Xmm(to.reg), slot(from));
    else if (from.kind == Loc::Gpr)  // a value parked in r11
      avx_ ? vmovq(Xmm(to.reg), Reg64(from.reg)) : movq(Xmm(to.reg), Reg64(from.reg));
    else
      move_xmm(Xmm(to.reg), Xmm(from.reg));
  }
}

void Emitter::parallel_move(std::span<const Move> moves) {
  if (moves.size() == 1) {  // mostly
    const Move& m = moves[0];
    if (m.from.kind == Loc::None)
      move_imm(m.to, m.imm, m.bank);
    else
      move_loc(m.to, m.from);
    return;
  }
  size_t places = 32 + fn_.spill_count;
  if (readers_.size() < places) readers_.resize(places), writer_.resize(places, -1);
  moving_.clear();
  for (const Move& m : moves)
    if (m.from.kind != Loc::None && !(m.from == m.to)) {
      readers_[place_index(m.from)]++;
      writer_[place_index(m.to)] = static_cast<int32_t>(moving_.size());
      moving_.push_back(m);
    }
  // A move is ready when nobody reads its destination any more.
  ready_.clear();
  for (size_t i = moving_.size(); i-- > 0;)
    if (!readers_[place_index(moving_[i].to)]) ready_.push_back(static_cast<uint32_t>(i));
  size_t left = moving_.size(), next = 0;
  while (left) {
    if (ready_.empty()) {
      // Only cycles are left, each place with one reader: park a destination's old value.
      while (writer_[place_index(moving_[next].to)] < 0) next++;
      Loc old = moving_[next].to;
      Loc park;
      park.kind = Loc::Gpr;
      park.reg = lir::r11;
      if (old.kind == Loc::Xmm)
        avx_ ? vmovq(this->r11, Xmm(old.reg)) : movq(this->r11, Xmm(old.reg));
      else
        move_loc(park, old);
      for (Move& m : moving_)
        if (m.from == old && writer_[place_index(m.to)] >= 0) m.from = park;
      readers_[place_index(park)] += readers_[place_index(old)];
      readers_[place_index(old)] = 0;
      ready_.push_back(static_cast<uint32_t>(next));
    }
    const Move& m = moving_[ready_.back()];
    ready_.pop_back();
    move_loc(m.to, m.from);
    left--;
    writer_[place_index(m.to)] = -1;
    size_t from = place_index(m.from);
    if (--readers_[from] == 0 && writer_[from] >= 0)
      ready_.push_back(static_cast<uint32_t>(writer_[from]));
  }
  for (const Move& m : moves)
    if (m.from.kind == Loc::None) move_imm(m.to, m.imm, m.bank);
}

void Emitter::emit_memory(Inst& inst) {
  if (inst.op == Lop::Lea) {
    lea(gpr(inst.def), ptr[address(inst)]);
    return;
  }
  Xbyak::RegExp at = address(inst);
  switch (inst.op) {
    case Lop::Load: {
      Reg64 d = gpr(inst.def);
      if (inst.width == 8)
        mov(d, qword[at]);
      else if (inst.width == 4 && inst.is_signed)
        movsxd(d, dword[at]);
      else if (inst.width == 4)
        mov(d.cvt32(), dword[at]);
      else if (inst.width == 2)
        movzx(d.cvt32(), word[at]);
      else
        movzx(d.cvt32(), byte[at]);
      return;
    }
    case Lop::Store: {
      const Operand& a = inst.use[0];
      if (inst.width == 1) {
        if (a.kind == lir::Operand::Imm)
          mov(byte[at], static_cast<int>(a.imm & 0xff));
        else
          mov(byte[at], gpr(a).cvt8());
      } else if (inst.width == 2) {
        if (a.kind == lir::Operand::Imm)
          mov(word[at], static_cast<int>(a.imm & 0xffff));
        else
          mov(word[at], gpr(a).cvt16());
      } else if (inst.width == 4) {
        if (a.kind == lir::Operand::Imm)
          mov(dword[at], static_cast<uint32_t>(a.imm));
        else
          mov(dword[at], gpr(a).cvt32());
      } else if (a.kind == lir::Operand::Imm) {
        if (a.imm == static_cast<int32_t>(a.imm)) {
          mov(qword[at], static_cast<int32_t>(a.imm));
        } else {
          load_imm(r11, a.imm);
          mov(qword[at], r11);
        }
      } else {
        mov(qword[at], gpr(a));
      }
      return;
    }
    case Lop::LoadFloat:
      return load_double(xmm(inst.def), qword[at]);
    default:  // StoreFloat
      return store_double(qword[at], xmm(inst.use[0]));
  }
}

}  // namespace psyco::x64
