// Calls of helpers and of C functions. Every register is lost, so the arguments are moved into
// place from wherever they are; what lives on is in spill slots.
#include <cstring>

#include "emit/x64/emitter.h"

namespace psyco::x64 {

using namespace lir;

// After these the interpreter sees to signals, other threads and the collector. So a signal that
// came during a long call of C is raised within the `try` or `with` around that call, not at the
// next loop or function. Mirrors Python/ceval_macros.h: CHECK_EVAL_BREAKER. (The interpreter does
// without after a call of a Python function, which has just done it.)
static bool is_attended(ir::Helper helper) {
  return helper == ir::Helper::vectorcall || helper == ir::Helper::vectorcall_seen ||
         helper == ir::Helper::vectorcall_kw || helper == ir::Helper::call_ex;
}

void Emitter::emit_call(Inst& inst) {
  constexpr uint8_t kIntArgs[] = {lir::rdi, lir::rsi, lir::rdx, lir::rcx, lir::r8, lir::r9};
  CallInfo& call_info = *inst.call;
  size_t fixed = std::min<size_t>(call_info.array_from, call_info.args.size());
  bool has_array = call_info.array_from != 0xffffffffu;

  // The array first: array[-1] is scratch.
  size_t count = call_info.args.size() - fixed;
  for (size_t i = 0; has_array && i < count; i++) {
    const lir::Operand& o = call_info.args[fixed + i];
    Loc to;
    to.kind = Loc::Slot;
    to.slot = array_at() + static_cast<int32_t>(i);
    if (o.is_vreg())
      move_loc(to, o.loc);
    else
      move_imm(to, o.imm, Bank::Gpr);
  }
  if (inst.op == Lop::CallNative) return emit_native_call(inst);
  // Then the arguments in C order; addresses are made last, when nothing is read from registers any
  // more.
  const char* params =
      inst.op != Lop::CallHelper ? nullptr : ir::helper_info(call_info.helper).params;
  std::vector<Move> moves;
  size_t ints = 0, floats = 0, next_arg = 0;
  int array_reg = -1, out_reg = -1;
  for (size_t p = 0; params ? params[p] != 0 : p < fixed; p++) {
    char letter = params ? params[p] : 'd';
    if (ints + (letter == 'A' ? 1 : 0) >= 6 && letter != 'd') {
      error_ = "a helper with more than six arguments";
      return;
    }
    if (letter == 'A') {
      array_reg = static_cast<int>(ints);
      ints += 2;
      continue;
    }
    if (letter == 'O') {
      out_reg = kIntArgs[ints++];
      continue;
    }
    const lir::Operand& o = call_info.args[next_arg];
    Move m;
    m.bank = call_info.banks[next_arg++];
    if (m.bank == Bank::Xmm) {
      m.to.kind = Loc::Xmm;
      m.to.reg = static_cast<uint8_t>(floats++);
    } else {
      m.to.kind = Loc::Gpr;
      m.to.reg = kIntArgs[ints++];
    }
    if (o.is_vreg())
      m.from = o.loc;
    else
      m.imm = o.imm;
    moves.push_back(m);
  }
  parallel_move(moves);
  if (array_reg >= 0) {
    lea(Reg64(kIntArgs[array_reg]), slot(array_at()));
    load_imm(Reg64(kIntArgs[array_reg + 1]), static_cast<int64_t>(count));
  }
  if (out_reg >= 0) lea(Reg64(out_reg), slot(out_at()));

  if (inst.op == Lop::CallC) {
    call_absolute(reinterpret_cast<const void*>(inst.imm));
    if (inst.def.is_vreg()) move_xmm(xmm(inst.def), xmm0);
    return;
  }
  const ir::HelperInfo& info = ir::helper_info(call_info.helper);
  int depth = 0;  // inlined frames
  if (info.effects == ir::HelperEffects::Python) {
    ir::FrameState* state = inst.exit->state;
    mov(dword[rbx + kSite], record_of(*inst.exit, inst.exit->reason));
    for (ir::FrameState* s = state->caller; s; s = s->caller) depth++;
    if (!depth) {
      drop_frames();
      load_frame(rax);
      store_position(rax, *state);
    } else if (state->frame->index > kMaxChain) {
      call_far(stubs_.link);
    } else {
      cmp(byte[rbx + kChain], state->frame->index);
      const Jump other = jump_if(Cc::NE);
      mov(rax, qword[rbx + kLinkedFrames + 8 * (depth - 1)]);
      store_position(rax, *state);
      const uint32_t linked = here();
      slow_path([this, other, linked] {
        land(other);
        call_far(stubs_.link);
        jump_to(linked);
      });
    }
  }
  call_absolute(stubs_.runtime.helpers[static_cast<int>(call_info.helper)]);
  if (is_attended(call_info.helper)) {
    cmp(byte[r15 + layout_.ts_eval_breaker], 0);
    detour(Cc::NE, stubs_.attend);
  }
  if (info.effects == ir::HelperEffects::Python) {
    if (depth && inst.exit->state->frame->index > kMaxChain) {
      call_far(stubs_.unlink);
    } else {
      const size_t first = detours_.size();
      for (int i = 0; i <= depth; i++) {
        compare_frame_object(i);
        detour(Cc::NE, depth ? stubs_.unlink : stubs_.note_kept_frame);
      }
      for (size_t i = first; i < detours_.size(); i++) detours_[i].back = here();
    }
  }
  switch (info.result) {
    case ir::HelperResult::Owned:
      test(rax, rax);
      jz(exit_label(inst, true));
      break;
    case ir::HelperResult::Status:
      test(rax, rax);
      js(exit_label(inst, true));
      break;
    case ir::HelperResult::Object:
    case ir::HelperResult::Nullable:
    case ir::HelperResult::I64:
    case ir::HelperResult::F64:
    case ir::HelperResult::Ptr:
    case ir::HelperResult::Void:
      break;
  }
  if (!inst.def.is_vreg()) return;
  if (inst.def.loc.kind == Loc::Xmm)
    move_xmm(xmm(inst.def), xmm0);
  else
    move_gpr(gpr(inst.def), rax);
}

// After what may have run Python code. What the eval breaker asks for besides is seen to elsewhere:
// by attend, or at the next Poll. Loses r11.
void Emitter::check_leave(Label& leave) {
  mov(r11, qword[rbx + kExpected]);
  cmp(qword[r15 + layout_.ts_eval_breaker], r11);
  const Jump other = jump_if(Cc::NE);
  const uint32_t back = here();
  slow_path([this, other, back, &leave] {
    land(other);
    mov(r11, qword[r15 + layout_.ts_eval_breaker]);
    xor_(r11.cvt8(), r11.cvt8());
    cmp(r11, qword[rbx + kExpected]);
    jne(leave);
    jump_to(back);
  });
}

// A direct activation has no frame until it calls out.
void Emitter::load_frame(const Reg64& to) {
  mov(to, qword[rbx + kFrame]);
  test(to, to);
  const Jump none = jump_if(Cc::E);
  const uint32_t back = here();
  slow_path([this, none, back, to] {
    land(none);
    call_far(stubs_.show_frames);
    mov(to, qword[rbx + kFrame]);
    jump_to(back);
  });
}

void Emitter::store_position(const Reg64& frame, const ir::FrameState& state) {
  uint64_t at = reinterpret_cast<uint64_t>(state.frame ? state.frame->code : nullptr) +
                static_cast<uint64_t>(static_cast<int64_t>(layout_.code_units)) +
                2 * static_cast<uint64_t>(static_cast<int64_t>(state.bci));
  load_imm(r11, static_cast<int64_t>(at));
  mov(qword[frame + layout_.frame_instr_ptr], r11);
}

// No inlined frames are linked afterwards. Only flags are lost.
void Emitter::drop_frames() {
  if (!inlines_) return;
  cmp(byte[rbx + kLinked], 0);
  detour(Cc::NE, stubs_.drop_frames);
}

// After a call-out: has the i-th frame got an object? Loses r11.
void Emitter::compare_frame_object(int i) {
  mov(r11, qword[rbx + (i ? kLinkedFrames + 8 * (i - 1) : kFrame)]);
  cmp(qword[r11 + layout_.frame_object], 0);
}

void Emitter::emit_native_call(Inst& inst) {
  auto slow = std::make_shared<Label>();
  auto test_null = std::make_shared<Label>();
  auto done = std::make_shared<Label>();
  Label* failed = &exit_label(inst, true);
  const int kind = static_cast<int>(inst.imm2);
  const uint32_t tag = kind == 'i' ? kTagInt : kind == 'd' ? kTagFloat : kTagObject;
  mov(dword[rbx + kSite], record_of(*inst.exit, inst.exit->reason));
  lea(rdi, slot(array_at()));
  const ir::FrameState& state = *inst.exit->state;
  const auto cell = static_cast<uint64_t>(inst.imm);
  int depth = 0;
  for (ir::FrameState* s = state.caller; s; s = s->caller) depth++;
  if (!depth) {
    drop_frames();
    mov(r11, cell);
    call_far(stubs_.call_native);
  } else {
    auto linked = std::make_shared<Label>();
    auto unlinked = std::make_shared<Label>();
    auto shown = std::make_shared<Label>();
    auto back = std::make_shared<Label>();
    cmp(byte[rbx + kLinked], 0);
    jne(*linked);
    L(*unlinked);
    // Inlined frames count for the recursion limit although nobody sees them yet.
    sub(dword[r15 + layout_.ts_py_recursion], depth);
    mov(r11, cell);
    call_far(stubs_.call_native);
    cmp(byte[rbx + kLinked], 0);
    jne(*shown);
    add(dword[r15 + layout_.ts_py_recursion], depth);
    L(*back);
    const bool stays = state.frame->index <= kMaxChain;
    slow_path([=, this, &state] {
      Label same, seen;
      L(*linked);
      if (stays) {
        cmp(byte[rbx + kChain], state.frame->index);
        je(same);
      }
      call_far(stubs_.drop_frames);
      jmp(*unlinked);
      if (stays) {
        L(same);  // and charged already
        mov(rax, qword[rbx + kLinkedFrames + 8 * (depth - 1)]);
        store_position(rax, state);
        mov(r11, cell);
        call_far(stubs_.call_native);
      }
      L(*shown);
      if (stays) {
        for (int i = 0; i <= depth; i++) {
          compare_frame_object(i);
          jne(seen);
        }
        jmp(*back);
        L(seen);
      }
      call_far(stubs_.unlink);  // gives back what it unlinks
      jmp(*back);
    });
  }
  cmp(edx, tag);
  jne(*slow);
  L(*test_null);
  if (kind == 'o') {
    test(rax, rax);
    jz(*failed);
  } else {
    mov(qword[rbx + kSpill + 8 * out_at()], 0);
  }
  L(*done);
  if (inst.def.is_vreg()) {
    if (inst.def.loc.kind == Loc::Xmm)
      movq(xmm(inst.def), rax);
    else
      move_gpr(gpr(inst.def), rax);
  }
  slow_path([=, this] {
    L(*slow);
    if (kind != 'o') {
      Label number;
      test(edx, edx);
      jnz(number);
      test(rax, rax);
      jz(*failed);
      L(number);
    }
    mov(rdi, rbx);
    mov(rsi, cell);
    mov(ecx, edx);
    mov(rdx, rax);
    lea(r8, slot(out_at()));
    mov(dword[rbx + kTag], kind);
    call_absolute(reinterpret_cast<const void*>(stubs_.runtime.convert_result));
    if (kind == 'o') {
      jmp(*test_null);
    } else {
      cmp(dword[rbx + kTag], 0);
      jne(*failed);
      jmp(*done);
    }
  });
}

}  // namespace psyco::x64
