// Frames, the data stack and threads of CPython: what is the same in every version that is served.
// `VersionPort`, the base, is what differs (vNNN/version.h); everything outside src/cpython uses
// both under the name Port.
#pragma once
#include "version.h"

namespace psyco {

struct Port : VersionPort {
  // ---- frames
  static Slot* slots(_PyInterpreterFrame* frame) { return frame->localsplus; }
  static PyFunctionObject* function_of(_PyInterpreterFrame* frame) {
    return reinterpret_cast<PyFunctionObject*>(function_object(frame));
  }
  static int unit_of(_PyInterpreterFrame* frame) {
    return static_cast<int>(frame->instr_ptr - _PyCode_CODE(code_of(frame)));
  }
  static void set_unit(_PyInterpreterFrame* frame, int unit) {
    frame->instr_ptr = _PyCode_CODE(code_of(frame)) + unit;
  }
  // The interpreter may walk a sequence by a position in the frame; whoever takes the loop over
  // knows iterators only. False: no memory for one. From then on the interpreter walks by it, too.
  static bool make_iterators(_PyInterpreterFrame* frame);
  static bool is_complete(_PyInterpreterFrame* frame) { return !_PyFrame_IsIncomplete(frame); }
  static void link(PyThreadState* ts, _PyInterpreterFrame* frame) {
    frame->previous = ts->current_frame;
    ts->current_frame = frame;
  }
  static void unlink(PyThreadState* ts, _PyInterpreterFrame* frame) {
    ts->current_frame = frame->previous;
  }
  // Unlinked, positioned at the first instruction, owns code and function. `locals_empty` false
  // leaves localsplus to the caller, who must fill it before anything can look.
  static void init_frame(_PyInterpreterFrame* frame, PyFunctionObject* function, PyCodeObject* code,
                         bool locals_empty = true) {
    set_references(frame, function, code);
    frame->previous = nullptr;
    frame->f_globals = function->func_globals;
    frame->f_builtins = function->func_builtins;
    frame->f_locals = nullptr;
    frame->frame_obj = nullptr;
    frame->instr_ptr = _PyCode_CODE(code);
    set_depth(frame, code->co_nlocalsplus);
    frame->return_offset = 0;
    frame->owner = FRAME_OWNED_BY_THREAD;
    if (locals_empty)
      for (int i = 0; i < code->co_nlocalsplus; i++) frame->localsplus[i] = slot_null();
  }

  // ---- data stack, in words of 8 bytes
  static void* push_words(PyThreadState* ts, size_t words) {
    if (ts->datastack_top &&
        static_cast<ptrdiff_t>(words) < ts->datastack_limit - ts->datastack_top) {
      void* result = ts->datastack_top;
      ts->datastack_top += words;
      return result;
    }
    return push_chunk(ts, words);
  }
  // Gives back everything from `base` on, which was pushed last. Frees the chunk if it was its
  // first.
  static void pop_to(PyThreadState* ts, void* base) {
    if (base == &ts->datastack_chunk->data[0])
      pop_chunk(ts, base);
    else
      ts->datastack_top = static_cast<PyObject**>(base);
  }
  // Makes sure that the next push_words of this size cannot fail. MemoryError if false.
  static bool reserve_words(PyThreadState* ts, size_t words) {
    if (ts->datastack_top &&
        static_cast<ptrdiff_t>(words) < ts->datastack_limit - ts->datastack_top)
      return true;
    void* memory = push_chunk(ts, words);
    if (!memory) return false;
    ts->datastack_top = static_cast<PyObject**>(memory);
    return true;
  }
  // Takes the spare chunk if there is no memory: an exit under way must not fail. Restock at calm
  // moments.
  static void* push_chunk(PyThreadState* ts, size_t words);
  static void restock_spare_chunk();
  // Whether chunks that the interpreter frees are kept for its next ones.
  static void keep_freed_chunks(bool keep);
  static void pop_chunk(PyThreadState* ts, void* base);

  // ---- code objects
  // Mirrors Objects/codeobject.c: _PyCodeObjectExtra (3.13), which is private to that file.
  struct CodeExtra {
    Py_ssize_t size;
    void* items[1];
  };
  static void* code_extra(PyCodeObject* code, Py_ssize_t index) {
    auto* extra = static_cast<CodeExtra*>(code->co_extra);
    return extra && index < extra->size ? extra->items[index] : nullptr;
  }
  // For an entry that is empty. PyUnstable_Code_SetExtra would make room for every index there is,
  // and then their owners' functions are called when the code dies, with code they never met.
  static bool set_code_extra(PyCodeObject* code, Py_ssize_t index, void* item);
  // Whether a tool other than `own` watches this code by local events (own: bit mask of tool ids).
  static bool foreign_local_events(PyCodeObject* code, uint8_t own) {
    const _PyCoMonitoringData* data = code->_co_monitoring;
    if (!data) return false;
    uint8_t tools = 0;
    for (uint8_t each : data->local_monitors.tools) tools |= each;
    return tools & ~own;
  }

  // Whether a tool other than `own` wants CALL events of this code in particular.
  static bool foreign_local_calls(PyCodeObject* code, uint8_t own) {
    const _PyCoMonitoringData* data = code->_co_monitoring;
    return data && (data->local_monitors.tools[PY_MONITORING_EVENT_CALL] & ~own);
  }

  // The code counts as not fitted with the events of `own`: the next change of its local events
  // puts them in anew, also where a callback returned DISABLE.
  static void forget_own_events(PyCodeObject* code, uint8_t own) {
    if (!code->_co_monitoring) return;
    for (uint8_t& each : code->_co_monitoring->active_monitors.tools)
      each = static_cast<uint8_t>(each & ~own);
  }

  // The tools' events have changed since the code was last fitted with them. RESUME sees to that,
  // and calls of compiled code pass it by.
  static bool instrumentation_is_stale(PyThreadState* ts, PyCodeObject* code) {
    return code->_co_instrumentation_version != (eval_breaker(ts) & ~kEventsMask);
  }

  // ---- exceptions
  struct Handler {
    int unit, depth;
    bool lasti;
  };
  static bool find_handler(PyCodeObject* code, int unit, Handler* out);
  // An exception is set and was raised by the instruction at instr_ptr of `frame`, which is linked
  // and current. Adds the traceback entry and tells the tools. True: the frame stands at its
  // handler and the exception is on its stack. False: no handler; the stack is empty and the
  // exception still set.
  static bool unwind(PyThreadState* ts, _PyInterpreterFrame* frame);
  // The same for a frame the interpreter is running, from inside a JUMP callback whose target is
  // `target`. True: redirected. False: the callback must return the error; the interpreter does the
  // rest.
  static bool unwind_running(PyThreadState* ts, _PyInterpreterFrame* frame, int target);
  static bool prepare_unwind_running();  // once; false: no memory

  // ---- small ints: immortal, one object for each
  static const void* small_ints() { return _PyLong_SMALL_INTS; }
  static constexpr int kSmallIntSize = sizeof(PyLongObject);
  static constexpr int kSmallIntMin = -_PY_NSMALLNEGINTS, kSmallIntEnd = _PY_NSMALLPOSINTS;

  // ---- threads
  static _PyInterpreterFrame*& current_frame(PyThreadState* ts) { return ts->current_frame; }
  static int recursion_depth(PyThreadState* ts) {
    return ts->py_recursion_limit - ts->py_recursion_remaining;
  }
  static int& py_recursion_remaining(PyThreadState* ts) { return ts->py_recursion_remaining; }
  static uintptr_t eval_breaker(PyThreadState* ts) {
    return _Py_atomic_load_uintptr_relaxed(&ts->eval_breaker);
  }
  static constexpr uintptr_t kEventsMask = _PY_EVAL_EVENTS_MASK;
  static constexpr long kLineEvent = 1 << PY_MONITORING_EVENT_LINE;
  // The tools behind sys.settrace and sys.setprofile.
  static constexpr uint8_t kTracers =
      1 << PY_MONITORING_SYS_PROFILE_ID | 1 << PY_MONITORING_SYS_TRACE_ID;
  // Tools with global events, settrace and setprofile among them, other than those in `own`.
  static bool foreign_global_events(PyThreadState* ts, uint8_t own) {
    uint8_t tools = 0;
    for (uint8_t each : ts->interp->monitors.tools) tools |= each;
    return tools & ~own;
  }
  // Where the interpreter keeps the thread state that has the GIL, or had it last.
  static void* const* thread_with_gil() {
    return reinterpret_cast<void* const*>(&PyInterpreterState_Get()->ceval.gil->last_holder);
  }
  // ---- for a thread that has no thread state
  static bool gil_is_held(PyInterpreterState* interp) {
    return _Py_atomic_load_int_relaxed(&interp->ceval.gil->locked) == 1;
  }
  // By whichever thread of the interpreter comes to it first; Py_AddPendingCall waits for the main
  // thread. False if there are too many already.
  static bool call_soon(PyInterpreterState* interp, int (*function)(void*)) {
    return _PyEval_AddPendingCall(interp, function, nullptr, 0) == 0;
  }
  static bool traced(PyThreadState* ts) { return ts->c_tracefunc || ts->c_profilefunc; }
};

}  // namespace psyco
