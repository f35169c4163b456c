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

void Emitter::parallel_move(std::vector<Move> moves) {
  std::vector<Move> constants;
  size_t n = 0;
  for (Move& m : moves) {
    if (m.from.kind == Loc::None)
      constants.push_back(m);
    else if (!(m.from == m.to))
      moves[n++] = m;
  }
  moves.resize(n);
  while (!moves.empty()) {
    bool progress = false;
    for (size_t i = 0; i < moves.size();) {
      bool blocked = false;
      for (size_t k = 0; k < moves.size(); k++)
        if (k != i && moves[k].from == moves[i].to) blocked = true;
      if (blocked) {
        i++;
        continue;
      }
      move_loc(moves[i].to, moves[i].from);
      moves.erase(moves.begin() + static_cast<ptrdiff_t>(i));
      progress = true;
    }
    if (progress || moves.empty()) continue;
    // Only cycles are left: park one destination's old value.
    Loc park;
    park.kind = Loc::Gpr;
    park.reg = lir::r11;
    Loc old = moves[0].to;
    if (old.kind == Loc::Xmm)
      avx_ ? vmovq(this->r11, Xmm(old.reg)) : movq(this->r11, Xmm(old.reg));
    else
      move_loc(park, old);
    for (Move& m : moves)
      if (m.from == old) m.from = park;
  }
  for (const Move& m : constants) move_imm(m.to, m.imm, m.bank);
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
