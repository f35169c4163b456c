// Entry stubs: calls of compiled functions from the interpreter and from C.
//
// The vectorcall slot of a function points to the stub of its code, which holds the arguments
// against the versions that there are, lays the entry values of the first one that fits on the
// stack and jumps to enter_call, which all stubs share. Whatever is not as in most calls goes to
// RuntimeTable::call_function, which does the same in C++ and much more: keywords, large ints,
// tools that are watching, short stacks, code that may not be entered.
//
//   stub:  ... words of the entry values ...   enter_call:  saved registers | BodyState*
//          ^ Activation::args
//
// A stub only jumps, so it may be given back while calls that came through it are running.
#include "emit/x64/entry.h"

#include "emit/backend.h"
#include "emit/x64/stubs.h"

namespace psyco {

using namespace x64;
using Xbyak::Label;
using Xbyak::Reg64;

namespace {

constexpr auto kNear = Xbyak::CodeGenerator::T_NEAR;
#define AT(struct, base, field) w.ptr[base + static_cast<int>(offsetof(struct, field))]

class CallEntry {
 public:
  CallEntry(Assembler& assembler, const TargetLayout& target, const RuntimeTable& table)
      : w(assembler), layout(target), runtime(table) {}

  void write() {
    Label back, idle, gone, pop_slowly, box, boxed, popped, left;
    check(back);
    push();
    retain();
    const Reg64 saved[] = {w.rbp, w.rbx, w.r12, w.r13, w.r14, w.r15};
    for (const Reg64& r : saved) w.push(r);
    w.push(w.r11);  // and rsp is aligned
    w.mov(w.rbx, w.rcx);
    w.mov(w.r15, w.r9);
    w.call(AT(BodyState, w.r11, body));
    w.pop(w.r14);
    w.test(w.edx, w.edx);
    w.jnz(box, kNear);
    w.L(boxed);
    w.mov(w.r12, w.rax);
    w.mov(w.r13, AT(BodyState, w.r14, objects));
    w.mov(w.ebp, AT(BodyState, w.r14, word_bytes));
    pop(pop_slowly);
    w.dec(w.dword[w.r14 + static_cast<int>(offsetof(BodyState, running))]);
    w.jz(idle, kNear);
    w.L(left);
    release(8 * 6);
    w.mov(w.rax, w.r12);
    w.mov(w.ecx, w.ebp);
    for (int i = 5; i >= 0; i--) w.pop(saved[i]);
    w.add(w.rsp, w.rcx);
    w.ret();

    w.L(box);
    box_result(boxed);
    w.L(idle);
    w.cmp(w.byte[w.r14 + static_cast<int>(offsetof(BodyState, invalid))], 0);
    w.je(left);
    w.mov(w.rdi, AT(BodyState, w.r14, code));
    call_unaligned(reinterpret_cast<const void*>(runtime.invalid_code_idle));
    w.jmp(left);
    w.L(pop_slowly);
    w.mov(w.rdi, w.r15);
    w.mov(w.rsi, w.rbx);
    call_unaligned(reinterpret_cast<const void*>(runtime.pop_call));
    w.jmp(left);
    w.L(back);
    w.mov(w.ecx, AT(BodyState, w.r11, word_bytes));
    w.add(w.rsp, w.rcx);
    w.xor_(w.ecx, w.ecx);
    w.mov(w.rax, reinterpret_cast<uint64_t>(runtime.call_function));
    w.jmp(w.rax);
  }

 private:
  void load_globals() { w.mov(w.r10, reinterpret_cast<uint64_t>(&g_entering)); }

  void call_unaligned(const void* function) {
    w.sub(w.rsp, 8);
    w.call_c(function);
    w.add(w.rsp, 8);
  }

  // Whether the body may be entered now; the same as may_enter, native_allowed, body_allowed and
  // room_for_activation. Afterwards r9 is the thread state, rcx the record's place, r8 its end.
  void check(Label& back) {
    load_globals();
    w.mov(w.r9, reinterpret_cast<uint64_t>(layout.current_thread));
    w.mov(w.r9, w.ptr[w.r9]);
    static_assert(offsetof(BodyState, lent) == offsetof(BodyState, invalid) + 1);
    w.cmp(w.word[w.r11 + static_cast<int>(offsetof(BodyState, invalid))], 0);
    w.jne(back, kNear);
    static_assert(offsetof(EntryGlobals, local_tools) == offsetof(EntryGlobals, foreign_tools) + 1);
    w.cmp(w.word[w.r10 + static_cast<int>(offsetof(EntryGlobals, foreign_tools))], 0);
    w.jne(back, kNear);
    w.mov(w.rax, w.ptr[w.r9 + layout.ts_eval_breaker]);
    w.xor_(w.al, w.al);
    w.cmp(w.rax, AT(EntryGlobals, w.r10, expected));
    w.jne(back, kNear);
    w.mov(w.rax, w.ptr[w.r9 + layout.ts_profiler]);
    w.or_(w.rax, w.ptr[w.r9 + layout.ts_tracer]);
    w.jnz(back, kNear);
    w.mov(w.rax, w.ptr[w.r9 + layout.ts_id]);
    w.cmp(w.rax, AT(EntryGlobals, w.r10, stack_thread));
    w.jne(back, kNear);
    w.cmp(w.rsp, AT(EntryGlobals, w.r10, stack_floor));
    w.jbe(back, kNear);
    w.cmp(w.dword[w.r9 + layout.ts_py_recursion], kMaxInlineDepth + 1);
    w.jle(back, kNear);
    if (layout.ts_c_recursion >= 0) {
      w.cmp(w.dword[w.r9 + layout.ts_c_recursion], layout.c_recursion_reserve);
      w.jle(back, kNear);
    }
    w.mov(w.rcx, w.ptr[w.r9 + layout.ts_datastack_top]);
    w.test(w.rcx, w.rcx);  // a thread has none at first
    w.jz(back, kNear);
    w.mov(w.r8d, AT(BodyState, w.r11, record_bytes));
    w.add(w.r8, w.rcx);
    w.cmp(w.r8, w.ptr[w.r9 + layout.ts_datastack_limit]);
    w.jae(back, kNear);
    check_time(back);
  }

  // The outermost activation is timed, once in so many if calls are short: as begin_native_time.
  void check_time(Label& back) {
    Label inner;
    w.cmp(w.qword[w.r10 + static_cast<int>(offsetof(EntryGlobals, newest))], 0);
    w.jne(inner);
    w.cmp(w.byte[w.r11 + static_cast<int>(offsetof(BodyState, untimed))], 0);
    w.je(back, kNear);
    w.movzx(w.eax, w.byte[w.r11 + static_cast<int>(offsetof(BodyState, short_calls))]);
    w.inc(w.eax);
    w.test(w.eax, kTimedOnceIn - 1);
    w.jz(back, kNear);
    w.mov(w.byte[w.r11 + static_cast<int>(offsetof(BodyState, short_calls))], w.al);
    w.mov(w.qword[w.r10 + static_cast<int>(offsetof(EntryGlobals, native_since))], 0);
    w.L(inner);
  }

  // As push_frameless.
  void push() {
    Label alone;
    w.mov(w.ptr[w.r9 + layout.ts_datastack_top], w.r8);
    w.dec(w.dword[w.r9 + layout.ts_py_recursion]);
    if (layout.ts_c_recursion >= 0) w.dec(w.dword[w.r9 + layout.ts_c_recursion]);
    w.mov(w.rax, AT(EntryGlobals, w.r10, newest));
    w.mov(w.ptr[w.rcx + kPrev], w.rax);
    w.test(w.rax, w.rax);
    w.jz(alone);
    w.mov(w.ptr[w.rax + kNext], w.rcx);
    w.L(alone);
    w.mov(AT(EntryGlobals, w.r10, newest), w.rcx);
    w.mov(w.ptr[w.rcx + kTstate], w.r9);
    w.mov(w.ptr[w.rcx + kFunction], w.rdi);
    w.mov(w.ptr[w.rcx + kArgs], w.rsp);
    w.mov(w.rax, AT(EntryGlobals, w.r10, expected));
    w.mov(w.ptr[w.rcx + kExpected], w.rax);
    w.mov(w.rax, AT(EntryGlobals, w.r10, stack_floor));
    w.mov(w.ptr[w.rcx + kStackFloor], w.rax);
    w.mov(w.rax, AT(BodyState, w.r11, code));
    w.mov(w.ptr[w.rcx + kCode], w.rax);
    w.mov(w.rax, AT(EntryGlobals, w.r10, clock));
    w.inc(w.rax);
    w.mov(AT(EntryGlobals, w.r10, clock), w.rax);
    w.mov(AT(BodyState, w.r11, entered), w.rax);
    w.inc(w.qword[w.r10 + static_cast<int>(offsetof(EntryGlobals, calls))]);
    w.inc(w.qword[w.r11 + static_cast<int>(offsetof(BodyState, entries))]);
    w.inc(w.dword[w.r11 + static_cast<int>(offsetof(BodyState, running))]);
    w.xor_(w.eax, w.eax);
    w.mov(w.ptr[w.rcx + kNext], w.rax);
    w.mov(w.ptr[w.rcx + kFrame], w.rax);
    w.mov(w.ptr[w.rcx + kCallee], w.rax);
    static_assert(kTag == kDirect + 4 && kUnframed == 0 && kTagObject == 0);
    w.mov(w.ptr[w.rcx + kDirect], w.rax);  // and framed, on_new_chunk, chain, tag
    static_assert(kNoSite == 0xffffffffu && static_cast<int>(ir::EntryKind::Call) == 0);
    w.mov(w.eax, kNoSite);  // and entry_kind, linked, filled
    w.mov(w.ptr[w.rcx + kSite], w.rax);
  }

  // Runs `body` for each argument, which is in rdx, if `mask` has its bit. Loses rax and r8.
  template <class F>
  void for_each_object(const Reg64& mask, const Reg64& words, int offset, F body) {
    Label next, none;
    w.test(mask, mask);
    w.jz(none);
    w.L(next);
    w.bsf(w.r8, mask);
    w.mov(w.rdx, w.ptr[words + w.r8 * 8 + offset]);
    w.lea(w.rax, w.ptr[mask - 1]);
    w.and_(mask, w.rax);
    body();
    w.test(mask, mask);
    w.jnz(next);
    w.L(none);
  }

  // Compiled code borrows its arguments. C code may lend what it does not own itself (ceval's
  // WITH_EXCEPT_START passes a traceback that only the exception holds), trusting that the callee's
  // frame takes references; so we take them.
  void retain() {
    w.mov(w.rsi, AT(BodyState, w.r11, objects));
    for_each_object(w.rsi, w.rsp, 0, [&] {
      Label immortal;
      w.mov(w.eax, w.dword[w.rdx + layout.ob_refcnt]);
      w.inc(w.eax);
      w.jle(immortal);
      w.mov(w.dword[w.rdx + layout.ob_refcnt], w.eax);
      w.L(immortal);
    });
  }
  void release(int offset) {
    for_each_object(w.r13, w.rsp, offset, [&] {
      Label done;
      w.cmp(w.dword[w.rdx + layout.ob_refcnt], 0);
      w.jl(done);
      w.dec(w.dword[w.rdx + layout.ob_refcnt]);
      w.jnz(done);
      w.mov(w.rdi, w.rdx);
      call_unaligned(reinterpret_cast<const void*>(runtime.dealloc));
      w.L(done);
    });
  }

  // As pop_call, for an activation that is the newest, never had a frame and is not timed.
  void pop(Label& slowly) {
    Label outermost, unlisted, fast;
    w.mov(w.rax, w.ptr[w.rbx + kFrame]);
    w.or_(w.rax, w.ptr[w.rbx + kNext]);
    w.jnz(slowly, kNear);
    w.cmp(w.byte[w.rbx + kFramedByte], kUnframed);
    w.jne(slowly, kNear);
    w.cmp(w.qword[w.rbx + kTstate], 0);
    w.je(slowly, kNear);
    load_globals();
    w.mov(w.rax, w.ptr[w.rbx + kPrev]);
    w.test(w.rax, w.rax);
    w.jz(outermost);
    w.mov(w.qword[w.rax + kNext], 0);
    w.jmp(unlisted);
    w.L(outermost);
    w.cmp(w.qword[w.r10 + static_cast<int>(offsetof(EntryGlobals, native_since))], 0);
    w.jne(slowly, kNear);
    w.L(unlisted);
    w.mov(AT(EntryGlobals, w.r10, newest), w.rax);
    w.inc(w.dword[w.r15 + layout.ts_py_recursion]);
    if (layout.ts_c_recursion >= 0) w.inc(w.dword[w.r15 + layout.ts_c_recursion]);
    w.mov(w.ptr[w.r15 + layout.ts_datastack_top], w.rbx);
  }

  void box_result(Label& boxed) {
    Label number, large;
    w.cmp(w.edx, kTagInt);
    w.je(number);
    w.movq(w.xmm0, w.rax);
    call_unaligned(helper(ir::Helper::box_float));
    w.jmp(boxed, kNear);
    w.L(number);
    w.lea(w.rcx, w.ptr[w.rax + 5]);
    w.cmp(w.rcx, 5 + layout.small_int_end);
    w.jae(large);
    w.imul(w.rcx, w.rcx, layout.small_int_size);
    w.mov(w.rax, reinterpret_cast<uint64_t>(layout.small_ints));
    w.add(w.rax, w.rcx);
    w.jmp(boxed, kNear);
    w.L(large);
    w.mov(w.rdi, w.rax);
    call_unaligned(helper(ir::Helper::box_int));
    w.jmp(boxed, kNear);
  }
  const void* helper(ir::Helper which) const { return runtime.helpers[static_cast<int>(which)]; }

  Assembler& w;
  const TargetLayout& layout;
  const RuntimeTable& runtime;
};

// The tests of one version. rdi, rsi, rdx: as the vectorcall got them; r8: the number of arguments.
class VersionEntry {
 public:
  VersionEntry(Assembler& assembler, const EntryWay& version, const TargetLayout& target,
               Label& otherwise)
      : w(assembler), way(version), layout(target), odd(otherwise) {}

  // Falls through if the arguments are not for this version.
  void write(const void* enter) {
    const auto bytes = static_cast<int>(way.state->word_bytes);
    w.cmp(w.r8, count);
    if (way.defaults)
      w.ja(other, kNear);
    else
      w.jne(other, kNear);
    if (bytes) w.sub(w.rsp, bytes);
    int word = 0;
    for (int i = 0; i < count; i++) {
      load_argument(i);
      const bool number = test_argument(way.tests[static_cast<size_t>(i)]);
      if (number) w.mov(w.ptr[w.rsp + 8 * word++], w.r10);
      w.mov(w.ptr[w.rsp + 8 * word++], w.rax);
    }
    w.mov(w.r11, reinterpret_cast<uint64_t>(way.state));
    w.jmp_far(enter);
    w.L(unclear);
    if (bytes) w.add(w.rsp, bytes);
    w.jmp(odd, kNear);
    w.L(undo);
    if (bytes) w.add(w.rsp, bytes);
    w.L(other);
  }

 private:
  // To rax. The defaults are those of the last parameters.
  void load_argument(int i) {
    Label given, loaded;
    if (way.defaults) {
      w.cmp(w.r8, i);
      w.ja(given);
      w.mov(w.r9, w.ptr[w.rdi + layout.function_defaults]);
      w.test(w.r9, w.r9);
      w.jz(unclear, kNear);
      w.mov(w.r10, w.ptr[w.r9 + layout.ob_size]);
      w.sub(w.r10, count - i);
      w.js(unclear, kNear);
      w.mov(w.rax, w.ptr[w.r9 + w.r10 * 8 + layout.tuple_items]);
      w.jmp(loaded);
      w.L(given);
    }
    w.mov(w.rax, w.ptr[w.rsi + 8 * i]);
    w.L(loaded);
  }

  // Of the argument in rax. True: it is a number, and in r10.
  bool test_argument(const EntryTest& test) {
    const bool number = test.kind == EntryTest::Int || test.kind == EntryTest::Float;
    const void* type = test.kind == EntryTest::Int     ? layout.long_type
                       : test.kind == EntryTest::Float ? layout.float_type
                                                       : test.ptr;
    if (number || test.kind == EntryTest::Type || test.kind == EntryTest::Same) {
      w.mov(w.r10, reinterpret_cast<uint64_t>(type));
      if (test.kind == EntryTest::Same)
        w.cmp(w.rax, w.r10);
      else
        w.cmp(w.ptr[w.rax + layout.ob_type], w.r10);
      w.jne(undo, kNear);
    }
    if (test.kind == EntryTest::Int) unbox_int();
    if (test.kind == EntryTest::Float) w.mov(w.r10, w.ptr[w.rax + layout.float_value]);
    return number;
  }

  void unbox_int() {
    Label one_digit;
    w.mov(w.r10, w.ptr[w.rax + layout.long_tag]);
    w.mov(w.r11d, w.dword[w.rax + layout.long_digits]);
    w.cmp(w.r10, 2 << 3);
    w.jb(one_digit);
    w.cmp(w.r10, 3 << 3);  // of so many digits, some fit
    w.jae(unclear, kNear);
    w.mov(w.r9d, w.dword[w.rax + layout.long_digits + 4]);
    w.shl(w.r9, 30);
    w.or_(w.r11, w.r9);
    w.L(one_digit);
    w.and_(w.r10d, 3);
    w.neg(w.r10);
    w.inc(w.r10);  // 1, 0 or -1
    w.imul(w.r10, w.r11);
  }

  Assembler& w;
  const EntryWay& way;
  const TargetLayout& layout;
  Label& odd;  // C++ has to look at it
  Label undo, unclear, other;
  const int count = static_cast<int>(way.tests.size());
};

}  // namespace

namespace x64 {
void write_enter_call(Assembler& w, const TargetLayout& layout, const RuntimeTable& runtime) {
  CallEntry(w, layout, runtime).write();
}
}  // namespace x64

EntryStub make_entry(const std::vector<EntryWay>& ways, const TargetLayout& layout,
                     const RuntimeTable& runtime, CodeMemory& memory) {
  const Stubs* stubs = memory.stubs(layout, runtime);
  if (!stubs || !layout.current_thread) return {};
  constexpr size_t kSize = 8192;
  alignas(32) static thread_local uint8_t buffer[kSize];
  Assembler w(kSize, buffer);
  Label odd;
  w.test(w.rcx, w.rcx);
  w.jnz(odd, kNear);
  w.mov(w.r8, w.rdx);
  w.btr(w.r8, 63);  // PY_VECTORCALL_ARGUMENTS_OFFSET
  for (const EntryWay& way : ways) {
    bool never = false;
    for (const EntryTest& test : way.tests) never |= test.kind == EntryTest::Null;
    if (!never) VersionEntry(w, way, layout, odd).write(stubs->enter_call);
  }
  w.L(odd);
  w.mov(w.rax, reinterpret_cast<uint64_t>(runtime.call_function));
  w.jmp(w.rax);
  const bool failed = Xbyak::GetError() != Xbyak::ERR_NONE;
  Xbyak::ClearError();
  if (failed) return {};
  const CodeMemory::Chunk chunk = memory.allocate(w.getSize());
  if (!chunk.rx) return {};
  w.apply_fixups(buffer, chunk.rx);
  memory.write(chunk, 0, buffer, w.getSize());
  return {chunk.rx, chunk.size};
}

void free_entry(EntryStub stub, CodeMemory& memory) {
  memory.free(memory.chunk_at(stub.code, stub.size));
}

}  // namespace psyco
