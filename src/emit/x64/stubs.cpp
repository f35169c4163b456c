// The shared stubs and the enter stub. See stubs.h.
#include "emit/x64/stubs.h"

#include <cstring>

#include "emit/x64/assembler.h"
#include "emit/x64/entry.h"

namespace psyco {

using namespace x64;
using Xbyak::Reg64;
using Xbyak::Xmm;

namespace {

class StubWriter : public Assembler {
 public:
  StubWriter(size_t size, void* buffer) : Assembler(size, buffer) {}

  static bool is_caller_saved(int r) { return r <= 2 || (r >= 6 && r <= 10); }
  void save_all() {
    for (int r = 0; r < 16; r++)
      if (r != Xbyak::Operand::RSP && r != Xbyak::Operand::R11)
        mov(ptr[rbx + kSaveGpr + 8 * r], Reg64(r));
    for (int r = 0; r < 15; r++) movsd(ptr[rbx + kSaveXmm + 8 * r], Xmm(r));
  }
  void restore_all() {
    for (int r = 0; r < 15; r++) movsd(Xmm(r), ptr[rbx + kSaveXmm + 8 * r]);
    for (int r = 0; r < 16; r++)
      if (is_caller_saved(r)) mov(Reg64(r), ptr[rbx + kSaveGpr + 8 * r]);
  }
  // The registers that a C function may change.
  template <class F>
  void around_c(bool doubles, F body) {
    for (int r = 0; r < 16; r++)
      if (is_caller_saved(r)) mov(ptr[rbx + kSaveGpr + 8 * r], Reg64(r));
    if (doubles)
      for (int r = 0; r < 15; r++) movsd(ptr[rbx + kSaveXmm + 8 * r], Xmm(r));
    sub(rsp, 8);
    body();
    add(rsp, 8);
    if (doubles)
      for (int r = 0; r < 15; r++) movsd(Xmm(r), ptr[rbx + kSaveXmm + 8 * r]);
    for (int r = 0; r < 16; r++)
      if (is_caller_saved(r)) mov(Reg64(r), ptr[rbx + kSaveGpr + 8 * r]);
  }
  template <class F>
  const uint8_t* stub(F body) {
    align(16);
    size_t at = getSize();
    body();
    return reinterpret_cast<const uint8_t*>(at);
  }
  void exit(const RuntimeTable& runtime, bool exception) {
    pop(r11);
    save_all();
    mov(rdi, rbx);
    mov(esi, r11d);
    mov(edx, exception ? 1 : 0);
    call_c(reinterpret_cast<const void*>(runtime.exit));
    xor_(edx, edx);
    add(rsp, 8);
    ret();
  }
};

}  // namespace

const Stubs* CodeMemory::stubs(const TargetLayout& layout, const RuntimeTable& runtime) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (stubs_ && std::memcmp(&stubs_->layout, &layout, sizeof layout) == 0 &&
        std::memcmp(&stubs_->runtime, &runtime, sizeof runtime) == 0)
      return stubs_.get();
  }
  constexpr size_t kSize = 8192;
  alignas(32) static thread_local uint8_t buffer[kSize];
  StubWriter w(kSize, buffer);
  auto next = std::make_unique<Stubs>();
  next->layout = layout;
  next->runtime = runtime;
  Stubs& s = *next;
  auto helper = [&](ir::Helper h) { return runtime.helpers[static_cast<int>(h)]; };

  s.exit = w.stub([&] { w.exit(runtime, false); });
  s.exit_exception = w.stub([&] { w.exit(runtime, true); });
  auto quiet = [&](bool doubles, auto body) {
    return w.stub([&] {
      w.around_c(doubles, body);
      w.ret();
    });
  };
  auto shown = [&](auto body) {
    return w.stub([&] {
      w.save_all();
      w.sub(w.rsp, 8);
      body();
      w.add(w.rsp, 8);
      w.restore_all();
      w.ret();
    });
  };
  auto dealloc = [&] {
    w.mov(w.rdi, w.r11);
    w.call_c(reinterpret_cast<const void*>(runtime.dealloc));
  };
  s.release = shown([&] {
    Xbyak::Label unseen, alone;
    w.cmp(w.byte[w.rbx + kLinked], 0);
    w.je(alone);
    w.mov(w.ptr[w.rsp], w.r11);
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.drop_frames));
    w.mov(w.r11, w.ptr[w.rsp]);
    w.L(alone);
    dealloc();
    w.mov(w.rdi, w.rbx);
    w.mov(w.rax, w.ptr[w.rbx + kFrame]);
    w.cmp(w.qword[w.rax + layout.frame_object], 0);
    w.je(unseen);
    w.call_c(reinterpret_cast<const void*>(runtime.note_kept_frame));
    w.L(unseen);
  });
  s.release_linked = w.stub([&] {
    w.save_all();
    w.push(w.r11);
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.link_frames));
    w.mov(w.rdi, w.ptr[w.rsp]);
    w.call_c(reinterpret_cast<const void*>(runtime.dealloc));
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.unlink_frames));
    w.add(w.rsp, 8);
    w.restore_all();
    w.ret();
  });
  s.release_after_return = shown([&] {
    w.mov(w.rdi, w.rbx);
    w.mov(w.rsi, w.r11);
    w.call_c(reinterpret_cast<const void*>(runtime.release_after_return));
  });
  for (bool doubles : {false, true}) {
    s.dealloc_plain[doubles] = quiet(doubles, dealloc);
    s.box_int[doubles] = quiet(doubles, [&] {
      w.mov(w.rdi, w.r11);
      w.call_c(helper(ir::Helper::box_int));
      w.mov(w.r11, w.rax);
    });
    s.update_int[doubles] = quiet(doubles, [&] {
      w.mov(w.rdi, w.r11);
      w.mov(w.rsi, w.ptr[w.rbx + kSaveGpr + 8 * 4]);
      w.call_c(reinterpret_cast<const void*>(runtime.update_int_slot));
    });
    s.note_types[doubles] = quiet(doubles, [&] {
      w.mov(w.rdi, w.r11);
      w.mov(w.rsi, w.ptr[w.rbx + kSaveGpr + 8 * 4]);
      w.mov(w.rdx, w.ptr[w.rbx + kSaveGpr + 8 * 11]);
      w.call_c(reinterpret_cast<const void*>(runtime.note_types));
    });
    s.unbox_int[doubles] = w.stub([&] {
      w.push(w.r11);
      w.push(w.r11);  // becomes the number
      w.around_c(doubles, [&] {
        w.mov(w.rdi, w.r11);
        w.lea(w.rsi, w.ptr[w.rsp + 8]);
        w.call_c(reinterpret_cast<const void*>(runtime.unbox_big_int));
        w.mov(w.r11d, w.eax);
      });
      w.cmp(w.r11d, 0);
      w.pop(w.r11);
      w.lea(w.rsp, w.ptr[w.rsp + 8]);
      w.ret();
    });
  }
  s.box_float = quiet(true, [&] {
    w.movaps(w.xmm0, w.xmm15);
    w.call_c(helper(ir::Helper::box_float));
    w.mov(w.r11, w.rax);
  });
  s.update_float = quiet(true, [&] {
    w.mov(w.rdi, w.r11);
    w.movaps(w.xmm0, w.xmm15);
    w.call_c(reinterpret_cast<const void*>(runtime.update_float_slot));
  });
  s.link = w.stub([&] {
    const Reg64 kept[] = {w.rdi, w.rsi, w.rdx, w.rcx, w.r8, w.r9};
    w.sub(w.rsp, 8 * 14 + 8);
    for (int i = 0; i < 6; i++) w.mov(w.ptr[w.rsp + 8 * i], kept[i]);
    for (int i = 0; i < 8; i++) w.movsd(w.ptr[w.rsp + 48 + 8 * i], Xmm(i));
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.link_frames));
    for (int i = 0; i < 6; i++) w.mov(kept[i], w.ptr[w.rsp + 8 * i]);
    for (int i = 0; i < 8; i++) w.movsd(Xmm(i), w.ptr[w.rsp + 48 + 8 * i]);
    w.add(w.rsp, 8 * 14 + 8);
    w.ret();
  });
  auto after_call = [&](void (*function)(Activation*)) {
    return w.stub([&] {
      w.sub(w.rsp, 24);
      w.mov(w.ptr[w.rsp], w.rax);
      w.movsd(w.ptr[w.rsp + 8], w.xmm0);
      w.mov(w.ptr[w.rsp + 16], w.rdx);
      w.mov(w.rdi, w.rbx);
      w.call_c(reinterpret_cast<const void*>(function));
      w.mov(w.rax, w.ptr[w.rsp]);
      w.mov(w.rdx, w.ptr[w.rsp + 16]);
      w.movsd(w.xmm0, w.ptr[w.rsp + 8]);
      w.add(w.rsp, 24);
      w.ret();
    });
  };
  s.unlink = after_call(runtime.unlink_frames);
  s.note_kept_frame = after_call(runtime.note_kept_frame);
  s.attend = w.stub([&] {
    w.sub(w.rsp, 8);
    w.mov(w.rdi, w.rbx);
    w.mov(w.rsi, w.rax);
    w.call_c(reinterpret_cast<const void*>(runtime.attend));
    w.add(w.rsp, 8);
    w.ret();
  });
  s.drop_frames = shown([&] {
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.drop_frames));
  });
  s.show_frames = shown([&] {
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.show_frames));
  });
  s.call_native = w.stub([&] {
    Xbyak::Label slow, watched, go, more, room, framed;
    auto cell = [&](size_t offset) { return w.ptr[w.r11 + static_cast<int>(offset)]; };
    w.mov(w.r8, cell(offsetof(LinkCell, body)));
    w.test(w.r8, w.r8);
    w.jz(slow, Xbyak::CodeGenerator::T_NEAR);
    // Room for inlined frames too: see room_for_activation.
    w.cmp(w.dword[w.r15 + layout.ts_py_recursion], kMaxInlineDepth + 1);
    w.jle(slow, Xbyak::CodeGenerator::T_NEAR);
    w.mov(w.rax, w.ptr[w.rbx + kStackFloor]);
    w.cmp(w.rsp, w.rax);
    w.jbe(slow, Xbyak::CodeGenerator::T_NEAR);
    w.mov(w.rsi, cell(offsetof(LinkCell, monitoring)));
    w.cmp(w.qword[w.rsi], 0);
    w.jne(watched, Xbyak::CodeGenerator::T_NEAR);
    w.L(go);
    w.mov(w.rcx, w.ptr[w.r15 + layout.ts_datastack_top]);
    w.mov(w.edx, cell(offsetof(LinkCell, record_bytes)));
    w.mov(w.r10d, 1);  // direct and not framed: see below
    w.add(w.rdx, w.rcx);
    w.cmp(w.rdx, w.ptr[w.r15 + layout.ts_datastack_limit]);
    w.jae(more, Xbyak::CodeGenerator::T_NEAR);
    w.L(room);
    w.mov(w.ptr[w.r15 + layout.ts_datastack_top], w.rdx);
    w.dec(w.dword[w.r15 + layout.ts_py_recursion]);
    w.mov(w.ptr[w.rbx + kCallee], w.rcx);
    w.mov(w.ptr[w.rcx + kPrev], w.rbx);
    w.mov(w.ptr[w.rcx + kStackFloor], w.rax);
    w.mov(w.ptr[w.rcx + kTstate], w.r15);
    w.mov(w.rax, cell(offsetof(LinkCell, code)));
    w.mov(w.rdx, cell(offsetof(LinkCell, function)));
    w.mov(w.ptr[w.rcx + kCode], w.rax);
    w.mov(w.ptr[w.rcx + kFunction], w.rdx);
    w.mov(w.ptr[w.rcx + kArgs], w.rdi);
    w.mov(w.rax, w.ptr[w.rbx + kExpected]);
    w.mov(w.ptr[w.rcx + kExpected], w.rax);
    w.xor_(w.eax, w.eax);
    w.mov(w.ptr[w.rcx + kFrame], w.rax);
    w.mov(w.ptr[w.rcx + kCallee], w.rax);
    static_assert(kNoSite == 0xffffffffu && static_cast<int>(ir::EntryKind::Call) == 0);
    w.mov(w.eax, kNoSite);  // and entry_kind, linked, filled
    w.mov(w.ptr[w.rcx + kSite], w.rax);
    w.mov(w.dword[w.rcx + kDirect], w.r10d);  // and framed, on_new_chunk, chain
    w.mov(w.rbx, w.rcx);
    w.sub(w.rsp, 8);
    w.call(w.r8);
    w.add(w.rsp, 8);
    w.mov(w.rcx, w.rbx);
    w.mov(w.rbx, w.ptr[w.rcx + kPrev]);
    w.mov(w.qword[w.rbx + kCallee], 0);
    w.cmp(w.word[w.rcx + kFramedByte], 0);  // on_new_chunk as well
    w.jne(framed, Xbyak::CodeGenerator::T_NEAR);
    w.inc(w.dword[w.r15 + layout.ts_py_recursion]);
    w.mov(w.ptr[w.r15 + layout.ts_datastack_top], w.rcx);
    w.ret();
    w.L(framed);
    w.sub(w.rsp, 24);
    w.mov(w.ptr[w.rsp], w.rax);
    w.mov(w.ptr[w.rsp + 8], w.rdx);
    w.mov(w.rdi, w.rcx);
    w.call_c(reinterpret_cast<const void*>(runtime.end_direct));
    w.mov(w.rax, w.ptr[w.rsp]);
    w.mov(w.rdx, w.ptr[w.rsp + 8]);
    w.add(w.rsp, 24);
    w.ret();
    w.L(watched);  // a byte of tools for each kind of local event: eight and eight, overlapping
    w.mov(w.rsi, w.ptr[w.rsi]);
    w.mov(w.r9, reinterpret_cast<uint64_t>(&g_own_tools_bytes));
    w.mov(w.r9, w.ptr[w.r9]);
    w.not_(w.r9);
    w.test(w.ptr[w.rsi], w.r9);
    w.jnz(slow, Xbyak::CodeGenerator::T_NEAR);
    w.test(w.ptr[w.rsi + layout.local_event_bytes - 8], w.r9);
    w.jz(go, Xbyak::CodeGenerator::T_NEAR);
    w.L(more);  // the data stack goes on in another chunk
    w.push(w.rdi);
    w.push(w.r11);
    w.push(w.r8);
    w.mov(w.rdi, w.r15);
    w.mov(w.esi, cell(offsetof(LinkCell, record_bytes)));
    w.call_c(reinterpret_cast<const void*>(runtime.new_chunk));
    w.pop(w.r8);
    w.pop(w.r11);
    w.pop(w.rdi);
    w.test(w.rax, w.rax);
    w.jz(slow, Xbyak::CodeGenerator::T_NEAR);
    w.mov(w.rcx, w.rax);
    w.mov(w.edx, cell(offsetof(LinkCell, record_bytes)));
    w.add(w.rdx, w.rcx);
    w.mov(w.rax, w.ptr[w.rbx + kStackFloor]);
    w.mov(w.r10d, 1 | 1 << 16);
    w.jmp(room);
    w.L(slow);
    w.sub(w.rsp, 8);
    w.mov(w.rdx, w.rdi);
    w.mov(w.rsi, w.r11);
    w.mov(w.rdi, w.rbx);
    w.call_c(reinterpret_cast<const void*>(runtime.call_unlinked));
    w.xor_(w.edx, w.edx);
    w.add(w.rsp, 8);
    w.ret();
  });
  s.enter_call = w.stub([&] { write_enter_call(w, layout, runtime); });
  if (Xbyak::GetError()) {
    Xbyak::ClearError();
    return nullptr;
  }
  s.chunk = allocate(w.getSize());
  if (!s.chunk.rx) return nullptr;
  write(s.chunk, 0, buffer, w.getSize());
  for (const uint8_t** p : {&s.exit,
                            &s.exit_exception,
                            &s.dealloc_plain[0],
                            &s.dealloc_plain[1],
                            &s.release,
                            &s.release_linked,
                            &s.release_after_return,
                            &s.box_int[0],
                            &s.box_int[1],
                            &s.box_float,
                            &s.unbox_int[0],
                            &s.unbox_int[1],
                            &s.update_float,
                            &s.update_int[0],
                            &s.update_int[1],
                            &s.note_types[0],
                            &s.note_types[1],
                            &s.link,
                            &s.unlink,
                            &s.note_kept_frame,
                            &s.attend,
                            &s.drop_frames,
                            &s.show_frames,
                            &s.call_native,
                            &s.enter_call})
    *p = s.chunk.rx + reinterpret_cast<size_t>(*p);
  // Replaced stubs stay in memory: bodies made with them still jump there.
  std::lock_guard<std::mutex> lock(mutex_);
  if (stubs_) old_stubs_.push_back(std::move(stubs_));
  stubs_ = std::move(next);
  return stubs_.get();
}

void CodeMemory::make_enter() {
  alignas(32) uint8_t buffer[128];
  StubWriter w(sizeof buffer, buffer);
  const Reg64 saved[] = {w.rbp, w.rbx, w.r12, w.r13, w.r14, w.r15};
  for (const Reg64& r : saved) w.push(r);
  w.sub(w.rsp, 8);
  w.mov(w.rbx, w.rsi);
  w.mov(w.r15, w.ptr[w.rsi + kTstate]);
  w.call(w.rdi);
  w.mov(w.ptr[w.rbx + kTag], w.edx);
  w.add(w.rsp, 8);
  for (int i = 5; i >= 0; i--) w.pop(saved[i]);
  w.ret();
  Chunk chunk = allocate(w.getSize());
  write(chunk, 0, buffer, w.getSize());
  enter_ = reinterpret_cast<Enter>(chunk.rx);
}

}  // namespace psyco
