// Reference counts, boxes and in-place updates: fast cases inline, the rest through the stubs.
//
// A count is the low 32 bits of its word (what is above them may be flags of the object), immortal
// if negative as int32. CPython's own increments leave alone what is all ones (3.13), or at least
// 3 << 30 (3.14); here all immortal objects are left alone, as decrements do everywhere.
#include "emit/x64/emitter.h"

namespace psyco::x64 {

using namespace lir;

void Emitter::incref(const Reg64& object) {
  mov(r11d, dword[object + layout_.ob_refcnt]);
  inc(r11d);
  const ShortJump immortal = skip_if(Cc::LE);  // 0x7fffffff overflows, and is stored
  mov(dword[object + layout_.ob_refcnt], r11d);
  land(immortal);
}

void Emitter::emit_object(Inst& inst) {
  switch (inst.op) {
    case Lop::Select: {
      Reg64 d = gpr(inst.def);
      const lir::Operand& a = inst.use[0];
      if (a.loc.kind == Loc::Slot)
        cmp(slot(a.loc), 0);
      else
        test(gpr(a), gpr(a));
      load_imm(r11, inst.imm, true);
      load_imm(d, inst.imm2, true);
      cmovne(d, r11);
      return;
    }
    case Lop::Retain: {
      Reg64 o = gpr(inst.use[0]);
      if (!inst.nullable) return incref(o);
      test(o, o);
      const ShortJump null = skip_if(Cc::E);
      incref(o);
      land(null);
      return;
    }
    case Lop::NoteTypes: {
      load_imm(r11, inst.imm);
      cmp(byte[r11], 0);  // OperandCache::asking
      const Jump asked = jump_if(Cc::NE);
      const uint32_t back = here();
      Inst* i = &inst;
      slow_path([this, i, asked, back] {
        land(asked);
        mov(qword[rbx + kSaveGpr + 8 * 4], gpr(i->use[0]));
        mov(qword[rbx + kSaveGpr + 8 * 11], gpr(i->use[1]));
        call_far(stubs_.note_types[doubles_]);
        jump_to(back);
      });
      return;
    }
    default: {  // UpdateFloatSlot
      mov(r11, qword[address(inst)]);
      cmp(qword[r11 + layout_.ob_refcnt], 1);
      const Jump slow = jump_if(Cc::NE);
      store_double(qword[r11 + layout_.float_value], xmm(inst.use[0]));
      const uint32_t back = here();
      Inst* i = &inst;
      slow_path([this, i, slow, back] {
        land(slow);
        Xbyak::RegExp at = address(*i);
        lea(r11, ptr[at]);
        move_xmm(xmm15, xmm(i->use[0]));
        call_far(stubs_.update_float);
        jump_to(back);
      });
      return;
    }
  }
}

void Emitter::emit_release(Inst& inst) {
  Reg64 o = gpr(inst.use[0]);
  ShortJump null{};
  if (inst.nullable) {
    test(o, o);
    null = skip_if(Cc::E);
  }
  cmp(dword[o + layout_.ob_refcnt], 0);
  const ShortJump immortal = skip_if(Cc::L);
  dec(dword[o + layout_.ob_refcnt]);
  const Jump slow = jump_if(Cc::E);
  const uint32_t done = here();
  land(immortal);
  if (inst.nullable) land(null);
  if (inst.plain) {
    slow_path([this, o, slow, done] {
      land(slow);
      mov(r11, o);
      call_far(stubs_.dealloc_plain[doubles_]);
      jump_to(done);
    });
    return;
  }
  uint32_t record = record_of(*inst.exit, inst.exit->reason);
  Label* leave = &exit_label(inst);
  ir::FrameState* state = inst.exit->state;
  const int32_t bci = inst.exit->shown_bci >= 0 ? inst.exit->shown_bci : state->bci;
  const bool returned = inst.value && inst.value->imm == ir::kAfterReturn;
  slow_path([this, o, slow, done, record, leave, state, bci, returned] {
    land(slow);
    mov(dword[rbx + kSite], record);
    if (!state->caller && !returned) {
      uint64_t at = reinterpret_cast<uint64_t>(state->frame ? state->frame->code : nullptr) +
                    static_cast<uint64_t>(static_cast<int64_t>(layout_.code_units)) +
                    2 * static_cast<uint64_t>(static_cast<int64_t>(bci));
      mov(r11, qword[rbx + kFrame]);
      test(r11, r11);
      const ShortJump framed = skip_if(Cc::NE);
      call_far(stubs_.show_frames);
      mov(r11, qword[rbx + kFrame]);
      land(framed);
      mov(dword[r11 + layout_.frame_instr_ptr], static_cast<uint32_t>(at));
      mov(dword[r11 + layout_.frame_instr_ptr + 4], static_cast<uint32_t>(at >> 32));
    }
    mov(r11, o);
    call_far(returned        ? stubs_.release_after_return
             : state->caller ? stubs_.release_linked
                             : stubs_.release);
    check_leave(*leave);
    jump_to(done);
  });
}

void Emitter::emit_box(Inst& inst) {
  Reg64 d = gpr(inst.def);
  const lir::Operand a = inst.use[0];
  const bool is_float = a.loc.kind == Loc::Xmm;
  Label* leave = &exit_label(inst, true);
  Jump slow;
  if (inst.op == Lop::BoxOr) {
    Reg64 object = gpr(inst.use[1]);
    test(object, object);
    slow = jump_if(Cc::E);
    incref(object);
    move_gpr(d, object);
  } else if (inst.op == Lop::BoxInt) {
    // Small ints are immortal: no count.
    if (layout_.small_ints) {
      lea(r11, ptr[gpr(a) + 5]);
      cmp(r11, 5 + layout_.small_int_end - 1);
      slow = jump_if(Cc::A);
      imul(r11, r11, layout_.small_int_size);
      load_imm(d, reinterpret_cast<int64_t>(layout_.small_ints));
      add(d, r11);
    } else {
      slow = jump();
    }
  } else if (layout_.float_free_list) {
    Reg64 t = gpr(inst.temp[0]);
    int64_t head = reinterpret_cast<int64_t>(layout_.float_free_list);
    int64_t count = reinterpret_cast<int64_t>(layout_.float_free_count) - head;
    load_imm(t, head);
    mov(r11, qword[t]);
    test(r11, r11);
    slow = jump_if(Cc::E);
    if (count == static_cast<int32_t>(count)) {
      dec(dword[t + static_cast<int32_t>(count)]);
      mov(d, qword[r11 + layout_.float_free_next]);
      mov(qword[t], d);
    } else {
      mov(d, qword[r11 + layout_.float_free_next]);
      mov(qword[t], d);
      load_imm(t, head + count);
      dec(dword[t]);
    }
    if (layout_.float_free_next == layout_.ob_type) {  // else the type is still in its place
      load_imm(t, reinterpret_cast<int64_t>(layout_.float_type));
      mov(qword[r11 + layout_.ob_type], t);
    }
    mov(qword[r11 + layout_.ob_refcnt], 1);
    store_double(qword[r11 + layout_.float_value], xmm(a));
    mov(d, r11);
  } else {
    slow = jump();
  }
  const uint32_t done = here();
  slow_path([=, this] {
    land(slow);
    if (is_float)
      move_xmm(xmm15, xmm(a));
    else
      mov(r11, gpr(a));
    call_far(is_float ? stubs_.box_float : stubs_.box_int[doubles_]);
    test(r11, r11);
    jz(*leave);
    mov(d, r11);
    jump_to(done);
  });
}

// lv_tag: digits << 3 | sign; sign 0 is plus, 1 zero, 2 minus. Compact: below 16, the value is
// digit * (1 - sign). The definition is written only when no exit can follow.
void Emitter::emit_unbox_int(Inst& inst) {
  if (stressed(inst)) return;
  Reg64 d = gpr(inst.def), o = gpr(inst.use[0]);
  mov(r11, qword[o + layout_.long_tag]);
  cmp(r11, 16);
  const Jump slow = jump_if(Cc::AE);
  and_(r11d, 3);
  sub(r11, 1);
  neg(r11);
  mov(d.cvt32(), dword[o + layout_.long_digits]);
  imul(d, r11);
  const uint32_t done = here();
  Label* leave = &exit_label(inst);
  slow_path([=, this] {
    land(slow);
    shr(r11, 3);
    cmp(r11, 2);
    const ShortJump big = skip_if(Cc::NE);
    mov(r11d, dword[o + layout_.long_digits + 4]);
    shl(r11, 30);
    test(byte[o + layout_.long_tag], 2);
    mov(d.cvt32(), dword[o + layout_.long_digits]);
    lea(d, ptr[d + r11]);
    const ShortJump plus = skip_if(Cc::E);
    neg(d);
    land(plus);
    jump_to(done);
    land(big);
    mov(r11, o);
    call_far(stubs_.unbox_int[doubles_]);
    jne(*leave);
    mov(d, r11);
    jump_to(done);
  });
}

void Emitter::emit_update_int(Inst& inst) {
  Reg64 t = gpr(inst.temp[0]), u = gpr(inst.temp[1]), value = gpr(inst.use[0]);
  auto slow = std::make_shared<Label>();
  auto two = std::make_shared<Label>();
  auto sign = std::make_shared<Label>();
  auto done = std::make_shared<Label>();
  mov(r11, qword[address(inst)]);
  cmp(qword[r11 + layout_.ob_refcnt], 1);
  jne(*slow);
  mov(t, value);
  neg(t);
  cmovs(t, value);
  cmp(t, layout_.small_int_end - 1);
  jbe(*slow);  // perhaps a cached small int
  mov(u, t);
  shr(u, 30);
  jnz(*two);
  mov(u, qword[r11 + layout_.long_tag]);
  shr(u, 3);
  cmp(u, 1);
  jne(*slow);
  mov(dword[r11 + layout_.long_digits], t.cvt32());
  mov(t.cvt32(), 1 << 3);
  L(*sign);  // t: digits << 3
  mov(u, value);
  sar(u, 63);
  and_(u.cvt32(), 2);
  or_(t, u);
  mov(qword[r11 + layout_.long_tag], t);
  L(*done);
  Inst* i = &inst;
  slow_path([=, this] {
    L(*two);  // u: t >> 30
    shr(u, 30);
    jnz(*slow);
    mov(u, qword[r11 + layout_.long_tag]);
    shr(u, 3);
    cmp(u, 2);
    jne(*slow);
    mov(u, t);
    shr(u, 30);
    mov(dword[r11 + layout_.long_digits + 4], u.cvt32());
    and_(t.cvt32(), (1 << 30) - 1);
    mov(dword[r11 + layout_.long_digits], t.cvt32());
    mov(t.cvt32(), 2 << 3);
    jmp(*sign);
    L(*slow);
    Xbyak::RegExp at = address(*i);
    lea(r11, ptr[at]);
    mov(qword[rbx + kSaveGpr + 8 * 4], value);
    call_far(stubs_.update_int[doubles_]);
    jmp(*done);
  });
}

}  // namespace psyco::x64
