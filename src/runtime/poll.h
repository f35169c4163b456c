// Signals, other threads and tools: when native code may start and when it must leave.
//
// One word per thread, the eval breaker, has it all: the low byte asks for attention, the rest is
// the version of the global monitoring events. Compiled code compares it with the version under
// which its activation was entered, at entry, at back edges and after whatever may have run Python
// code: a tracer that C code installs (PyEval_SetTrace) tells nobody but this word.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"
#include "runtime/entry.h"

namespace psyco {

extern uint8_t g_own_tools;  // bit mask of our sys.monitoring tool id, 0 if we have none

void forget_monitored_calls(CodeEntry* entry);  // its code dies

// The monitoring version changed: look who is there, and tell every activation to leave. Our own
// events go on when nobody is left: see pause_events.
void tools_changed(PyThreadState* ts);

// A tool switched on inside a call-out must see the rest of the function that called out, but
// nothing that compiled code tests changes when events of one code object are set. So the functions
// that switch tools on tell us: sys.settrace, setprofile, their all-threads forms,
// sys.monitoring.set_events and set_local_events.
void watch_tools();
void stop_watching_tools();
// Whether another tool has set events of a code object inlined in this body.
bool inlined_code_is_watched(const CompiledCode* body);
inline bool body_allowed(const CompiledCode* body) {
  return !g_entering.local_tools || !inlined_code_is_watched(body);
}

// The events of this code object have changed: compiled calls of bodies that inline it must be
// linked anew.
extern void (*g_local_events_hook)(const PyCodeObject* code);

// After a call-out, when the eval breaker asks: the result, or null with an error set.
extern "C" void* psyco_attend(Activation* act, void* result);

inline bool native_allowed_anywhere(PyThreadState* ts) {
  if ((Port::eval_breaker(ts) & ~Port::kEventsMask) != g_entering.expected) tools_changed(ts);
  return !g_entering.foreign_tools && !Port::traced(ts);
}
// May compiled code of this code object start on this thread now?
inline bool native_allowed(PyThreadState* ts, PyCodeObject* code) {
  if (!native_allowed_anywhere(ts)) return false;
  return !code->_co_monitoring || !Port::foreign_local_events(code, g_own_tools);
}

}  // namespace psyco
