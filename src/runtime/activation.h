// Activation records: where they lie, how they are found, what recursion costs.
//
// They live on the thread's data stack (drawn in emit/abi.h), so pushes and pops are last in, first
// out like those of frames. All live ones of all threads are in one doubly linked list guarded by
// the GIL: watchers, tools and readers of f_locals need to find them wherever they are, and a
// stack-switching extension may end them in any order.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"
#include "runtime/code.h"

namespace psyco {

template <class Visit>
void for_each_activation(Visit visit) {
  for (Activation* act = g_entering.newest; act; act = act->prev)
    for (Activation* at = act; at; at = at->callee) visit(at);
}

// A native activation must not start unless this holds. False: run the call in the interpreter,
// which raises RecursionError itself when it comes to that, so limits and messages are CPython's
// own.
bool room_for_activation(PyThreadState* ts);
// The C part of it alone: stack and C recursion.
bool room_on_c_stack(PyThreadState* ts);
// Takes away the levels of C recursion that CPython still allows and the stack no longer holds,
// since native frames have used more of it than CPython reckons with. The number, for
// restore_c_levels.
int withhold_c_levels(PyThreadState* ts);

// Entry kind Call: record, spill slots and a linked frame of `function`, all locals empty. Charges
// one level of Python recursion and one of C recursion. Null with MemoryError.
Activation* push_call(PyThreadState* ts, CompiledCode* code, PyFunctionObject* function,
                      void** args);
// The same, but the frame is made only when somebody might look: show_frames.
Activation* push_frameless(PyThreadState* ts, CompiledCode* code, PyFunctionObject* function,
                           void** args);
// Behind a body that returned: pops the frame unless an exit has done it, then the record. Runs
// finalisers only if somebody took the frame object. An error that is set stays set.
void pop_call(PyThreadState* ts, Activation* act);
// RuntimeTable::pop_call, invalid_code_idle.
extern "C" void psyco_pop_call(void* tstate, Activation* act);
extern "C" void psyco_invalid_code_idle(CompiledCode* code);

// Entry kind Osr: record, spill slots and room for `arg_count` entry values. The frame is the
// interpreter's.
Activation* push_osr(PyThreadState* ts, CompiledCode* code, _PyInterpreterFrame* frame,
                     int arg_count);
void pop_osr(PyThreadState* ts, Activation* act);
// Where the interpreter will look for a handler if the callback fails: the jump's target.
inline int64_t& osr_target(Activation* act) { return act->spill[act->code->spill_count]; }

// Takes the record out of the list: no longer visible to watchers. Idempotent.
void unlist(Activation* act);
// How long any compiled code has been active so far, in ticks().
uint64_t native_ticks();
// It will not go on: its thread is gone. Frames that it has made stay.
void abandon(Activation* act);
// None of them will go on, whatever thread they are of; frames that they have made stay.
void forget_activations();
inline bool is_listed(const Activation* act) { return act->tstate != nullptr; }

// Where the frames lie that a call-out or an exit pushes for inlined code.
inline char* inlined_frames_at(Activation* act) {
  return reinterpret_cast<char*>(act) + state_of(act->code)->frames_offset;
}
// Makes the frames of a direct activation and of all it was called from; those stand at their
// native calls.
void show_frames(Activation* act);
uint32_t direct_record_bytes(const CompiledCode* code);
extern "C" void* psyco_new_chunk(void* tstate, uint32_t bytes);
extern "C" void psyco_end_direct(Activation* act);

inline void tell_to_leave(Activation* act) { act->expected = kToldToLeave; }
void tell_to_leave(const CompiledCode* code);
void tell_all_to_leave();
// What Op::CheckLeave asks.
inline bool must_leave(const Activation* act) {
  return (Port::eval_breaker(static_cast<PyThreadState*>(act->tstate)) & ~Port::kEventsMask) !=
         act->expected;
}

}  // namespace psyco
