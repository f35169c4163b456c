#include "runtime/activation.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>

#include "runtime/materialize.h"
#include "runtime/poll.h"
#include "runtime/visible.h"
#include "support/check.h"
#include "support/ticks.h"

namespace psyco {

Backend g_backend;
void (*g_exit_hook)(CompiledCode*, uint32_t, const ExitRecord&, Activation*) = nullptr;
void (*g_burial_due_hook)(CompiledCode*, bool) = nullptr;
void (*g_invalid_code_left)(CompiledCode*) = nullptr;
EntryGlobals g_entering;

namespace {

// Plain Python-to-Python calls use no C stack, native ones do. Below this reserve we go on in the
// interpreter; what is left serves C code called from there.
constexpr uintptr_t kStackReserve = 2 * 1024 * 1024;  // at most, and a quarter of the stack

struct StackBounds {
  uintptr_t low = 0;    // lowest address; 0: unknown, only the recursion counters protect us
  uintptr_t floor = 1;  // lowest address at which native code may start
};

StackBounds find_stack_bounds() {
  StackBounds bounds;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return bounds;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_attr_getstack(&attributes, &low, &size) == 0 && size) {
    bounds.low = reinterpret_cast<uintptr_t>(low);
    bounds.floor = bounds.low + std::min(size / 4, kStackReserve);
  }
  pthread_attr_destroy(&attributes);
  return bounds;
}

// Ids of thread states are never used twice. Guarded by the GIL; a thread-local would cost a call.
uintptr_t g_stack_low = 0;  // of the thread whose floor is in g_entering
void know_stack_of(PyThreadState* ts) {
  if (g_entering.stack_thread == ts->id) [[likely]]
    return;
  thread_local StackBounds bounds;
  if (!bounds.low) bounds = find_stack_bounds();
  g_entering.stack_thread = ts->id;
  g_entering.stack_floor = bounds.floor;
  g_stack_low = bounds.low;
}
inline uintptr_t stack_floor(PyThreadState* ts) {
  know_stack_of(ts);
  return g_entering.stack_floor;
}

// Ticks with any compiled code running, its callees included: of the outermost activation. Reading
// the counter twice costs as much as a small function, so where calls have been short one in so
// many stands for all. (One in so many of these, not of all entries: of a function that is entered
// again and again within its own calls the outermost might be those that are timed, always.)
constexpr uint64_t kLongTicks = 50000;
constexpr uint8_t kFirstCalls = 16;
uint64_t g_native_ticks = 0;
uint64_t g_native_weight = 1;

void begin_native_time(CodeState* state) {
  const bool sampled = state->untimed;
  if (sampled && ++state->short_calls % kTimedOnceIn) {
    g_entering.native_since = 0;
    return;
  }
  g_native_weight = sampled ? kTimedOnceIn : 1;
  g_entering.native_since = ticks();
}

void end_native_time(CodeState* state) {
  if (!g_entering.native_since) return;
  const uint64_t time = ticks() - g_entering.native_since;
  if (time >= kLongTicks) {
    state->untimed = false;
    state->short_calls = 0;
    g_native_weight = 1;
  } else if (!state->untimed && ++state->short_calls >= kFirstCalls) {
    state->untimed = true;
  }
  g_native_ticks += time * g_native_weight;
  g_entering.native_since = 0;
}

void enlist(Activation* act) {
  CodeState* state = state_of(act->code);
  if (!g_entering.newest) begin_native_time(state);
  act->prev = g_entering.newest;
  act->next = nullptr;
  if (g_entering.newest) g_entering.newest->next = act;
  g_entering.newest = act;
  state->running++;
  state->entered = ++g_entering.clock;
  state->entries++;
}

void left(CompiledCode* code) {
  CodeState* state = state_of(code);
  if (--state->running == 0 && state->invalid) psyco_invalid_code_idle(code);
}

void init_record(Activation* act, PyThreadState* ts, CompiledCode* code, ir::EntryKind kind) {
  act->tstate = ts;
  act->code = code;
  act->site = kNoSite;
  act->expected = g_entering.expected;
  act->entry_kind = static_cast<uint8_t>(kind);
  act->linked = 0;
  act->chain = 0;
  act->filled = 0;
  act->direct = 0;
  act->framed = kFramed;
  act->on_new_chunk = 0;
  act->tag = kTagObject;
  act->callee = nullptr;
  act->stack_floor = stack_floor(ts);
}

constexpr size_t kHeaderWords = kSpillOffset / sizeof(void*);

// The frame of an activation is over: takes it away. An error that is set stays set.
void drop_frame(PyThreadState* ts, Activation* act, _PyInterpreterFrame* frame) {
  Port::py_recursion_remaining(ts)++;
  Port::unlink(ts, frame);
  if (!frame->frame_obj && !act->filled) {
    // Nobody has seen the frame: nothing in it but its two references.
    Port::release_references(frame);
  } else {
    PyObject* error = PyErr_GetRaisedException();
    _PyEval_FrameClearAndPop(ts, frame);
    forget_made(act);
    PyErr_SetRaisedException(error);
  }
}

}  // namespace

bool room_on_c_stack(PyThreadState* ts) {
  if (!Port::c_levels_left(ts)) return false;
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return here > stack_floor(ts);
}

int withhold_c_levels(PyThreadState* ts) {
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  know_stack_of(ts);
  const uintptr_t low = g_stack_low;
  if (!low || here <= low) return 0;
  return Port::withhold_c_levels(ts, static_cast<int64_t>(here - low));
}

bool room_for_activation(PyThreadState* ts) {
  // An exit or a call-out charges inlined frames too: with room for the deepest nest, neither can
  // fail.
  return Port::py_recursion_remaining(ts) > kMaxInlineDepth + 1 && room_on_c_stack(ts);
}

Activation* push_call(PyThreadState* ts, CompiledCode* code, PyFunctionObject* function,
                      void** args) {
  auto* code_object = static_cast<PyCodeObject*>(const_cast<void*>(code->frames[0].code));
  const size_t record_words = kHeaderWords + code->spill_count;
  const size_t words = record_words + code_object->co_framesize + state_of(code)->reserve_words;
  auto* act = static_cast<Activation*>(Port::push_words(ts, words));
  if (!act) return nullptr;
  init_record(act, ts, code, ir::EntryKind::Call);
  act->args = args;
  act->function = function;
  auto* frame =
      reinterpret_cast<_PyInterpreterFrame*>(reinterpret_cast<void**>(act) + record_words);
  Port::init_frame(frame, function, code_object);
  act->frame = frame;
  Port::link(ts, frame);
  Port::py_recursion_remaining(ts)--;
  Port::enter_c_level(ts);
  enlist(act);
  return act;
}

Activation* push_frameless(PyThreadState* ts, CompiledCode* code, PyFunctionObject* function,
                           void** args) {
  auto* act =
      static_cast<Activation*>(Port::push_words(ts, direct_record_bytes(code) / sizeof(void*)));
  if (!act) return nullptr;
  init_record(act, ts, code, ir::EntryKind::Call);
  act->args = args;
  act->function = function;
  act->frame = nullptr;
  act->framed = kUnframed;
  Port::py_recursion_remaining(ts)--;
  Port::enter_c_level(ts);
  enlist(act);
  return act;
}

void pop_call(PyThreadState* ts, Activation* act) {
  unlist(act);
  if (auto* frame = static_cast<_PyInterpreterFrame*>(act->frame)) {
    drop_frame(ts, act, frame);
  } else if (act->framed == kUnframed) {
    Port::py_recursion_remaining(ts)++;
  }
  Port::leave_c_level(ts);
  left(act->code);
  Port::pop_to(ts, act);
}

extern "C" void psyco_pop_call(void* tstate, Activation* act) {
  pop_call(static_cast<PyThreadState*>(tstate), act);
}

extern "C" void psyco_invalid_code_idle(CompiledCode* code) {
  if (g_burial_due_hook) g_burial_due_hook(code, false);
}

Activation* push_osr(PyThreadState* ts, CompiledCode* code, _PyInterpreterFrame* frame,
                     int arg_count) {
  const size_t words =
      kHeaderWords + code->spill_count + state_of(code)->reserve_words + 1 + arg_count;
  auto* act = static_cast<Activation*>(Port::push_words(ts, words));
  if (!act) return nullptr;
  init_record(act, ts, code, ir::EntryKind::Osr);
  act->frame = frame;
  act->function = Port::function_of(frame);
  act->args = reinterpret_cast<void**>(act) + words - arg_count;
  Port::enter_c_level(ts);
  enlist(act);
  return act;
}

void pop_osr(PyThreadState* ts, Activation* act) {
  unlist(act);
  forget_made(act);
  Port::leave_c_level(ts);
  left(act->code);
  Port::pop_to(ts, act);
}

void unlist(Activation* act) {
  if (act->direct) {
    act->prev->callee = nullptr;
    return;
  }
  if (!is_listed(act)) return;
  if (act->prev) act->prev->next = act->next;
  if (act->next)
    act->next->prev = act->prev;
  else
    g_entering.newest = act->prev;
  if (!g_entering.newest) end_native_time(state_of(act->code));
  act->tstate = nullptr;
}

void abandon(Activation* act) {
  unlist(act);
  left(act->code);
}

void forget_activations() { g_entering.newest = nullptr; }

uint64_t native_ticks() {
  return g_native_ticks + (g_entering.native_since ? ticks() - g_entering.native_since : 0);
}

void tell_to_leave(const CompiledCode* code) {
  for_each_activation([code](Activation* act) {
    if (act->code == code) tell_to_leave(act);
  });
}

void tell_all_to_leave() {
  for_each_activation([](Activation* act) { tell_to_leave(act); });
}

void adopt_code(CompiledCode* code) {
  PSYCO_CHECK(!code->runtime && !code->frames.empty());
  auto* state = new CodeState;
  // Only one chain of inlined frames exists at a time.
  std::vector<uint32_t> chain(code->frames.size());
  for (size_t i = 1; i < code->frames.size(); i++) {
    const FrameMeta& frame = code->frames[i];
    PSYCO_CHECK(frame.caller >= 0 && frame.caller < static_cast<int32_t>(i));
    chain[i] = chain[static_cast<size_t>(frame.caller)] +
               static_cast<uint32_t>(static_cast<const PyCodeObject*>(frame.code)->co_framesize);
    state->reserve_words = std::max(state->reserve_words, chain[i]);
  }
  state->frames_offset = static_cast<uint32_t>(kSpillOffset + 8 * code->spill_count);
  if (code->entry_kind == ir::EntryKind::Call)
    state->frames_offset +=
        8 * static_cast<const PyCodeObject*>(code->frames[0].code)->co_framesize;
  else
    state->frames_offset += 8;  // osr_target
  state->body = code->entry;
  state->code = code;
  state->record_bytes = state->frames_offset + 8 * state->reserve_words;
  state->plans.resize(code->record_offsets.size());
  state->records.resize(code->record_offsets.size());
  if (code->exit_counts.size() < code->record_offsets.size())
    code->exit_counts.resize(code->record_offsets.size());
  code->runtime = state;
}

void retire_code(CompiledCode* code) {
  state_of(code)->invalid = true;
  for (LinkCell* cell : code->links)
    if (cell->code == code) cell->body = nullptr;
  tell_to_leave(code);
  if (g_burial_due_hook) g_burial_due_hook(code, true);
}

bool code_in_use(const CompiledCode* code) {
  if (!code->runtime) return false;
  return state_of(code)->running || code_is_executing(code);
}

bool code_is_executing(const CompiledCode* code) {
  bool found = false;
  for_each_activation([&](Activation* act) { found |= act->code == code; });
  return found;
}

uint32_t direct_record_bytes(const CompiledCode* code) { return state_of(code)->record_bytes; }

// Every frame is charged when its native call is made: see Emitter::emit_native_call.
void show_frames(Activation* act) {
  if (act->framed != kUnframed) return;
  auto* ts = static_cast<PyThreadState*>(act->tstate);
  Activation* outermost = act;  // the first one without a frame
  while (outermost->direct && outermost->prev->framed == kUnframed) outermost = outermost->prev;
  for (Activation* at = outermost;; at = at->callee) {
    if (at->direct) show_call_site(at->prev);
    auto* function = static_cast<PyFunctionObject*>(at->function);
    auto* code = static_cast<PyCodeObject*>(const_cast<void*>(at->code->frames[0].code));
    auto* frame = reinterpret_cast<_PyInterpreterFrame*>(reinterpret_cast<char*>(at) +
                                                         kSpillOffset + 8 * at->code->spill_count);
    Port::init_frame(frame, function, code);
    at->frame = frame;
    at->framed = kFramed;
    Port::link(ts, frame);
    if (at == act) break;
  }
}

extern "C" void* psyco_new_chunk(void* tstate, uint32_t bytes) {
  void* room = Port::push_chunk(static_cast<PyThreadState*>(tstate), bytes / sizeof(void*));
  if (!room) PyErr_Clear();  // the general way of the call says so
  return room;
}

extern "C" void psyco_end_direct(Activation* act) {
  Activation* caller = act->prev;
  auto* ts = static_cast<PyThreadState*>(act->tstate);
  if (auto* frame = static_cast<_PyInterpreterFrame*>(act->frame)) {
    drop_frame(ts, act, frame);
  } else if (act->framed == kUnframed) {
    Port::py_recursion_remaining(ts)++;
  }
  Port::pop_to(ts, act);
  // Who has the callee's frame has its caller's too, and only a callee with a frame has called out.
  psyco_note_kept_frame(caller);
}

const DecodedRecord& decoded_record(const CompiledCode* code, uint32_t record) {
  std::unique_ptr<DecodedRecord>& decoded = state_of(code)->records[record];
  if (!decoded) {
    decoded = std::make_unique<DecodedRecord>(DecodedRecord{g_backend.decode(*code, record), {}});
    decoded->owned = owned_locations(decoded->record);
  }
  return *decoded;
}

const LinkPlan& link_plan(CompiledCode* code, uint32_t record) {
  std::unique_ptr<LinkPlan>& plan = state_of(code)->plans[record];
  if (!plan) {
    plan = std::make_unique<LinkPlan>();
    const ExitRecord& exit = decoded_record(code, record).record;
    plan->outer_bci = exit.frames[0].bci;
    for (size_t i = 1; i < exit.frames.size(); i++) {
      const ExitFrame& frame = exit.frames[i];
      auto* code_object = const_cast<void*>(code->frames[frame.frame_index].code);
      plan->frames.push_back({static_cast<PyCodeObject*>(code_object), frame.bci, frame.function});
    }
    const uint32_t innermost = exit.frames.back().frame_index;
    plan->chain = innermost <= kMaxChain ? static_cast<uint8_t>(innermost) : 0;
    if (exit.shown_bci >= 0) plan->frames.back().bci = exit.shown_bci;
  }
  return *plan;
}

}  // namespace psyco
