#include "runtime/poll.h"

#include "runtime/activation.h"
#include "runtime/osr.h"

namespace psyco {

uint8_t g_own_tools = 0;
uint64_t g_own_tools_bytes = 0;
void (*g_local_events_hook)(const PyCodeObject* code) = nullptr;

namespace {

// The functions keep their identity: only the pointer in their method definitions is ours, as it
// may be for anything called through a PyCFunction.
constexpr int kHooks = 8;
PyMethodDef* g_method[kHooks];
PyCFunction g_original[kHooks];

// The functions of sys are one for all interpreters; psyco lives in one.
PyInterpreterState* g_interpreter = nullptr;

// Whom a call of a function with another vectorcall than the interpreter's would look different to:
// tools with global events, legacy tracers excepted (they are told of calls of C functions only by
// the function's type), and those with CALL events of some code object, of which there are so many.
bool g_global_monitoring = false;
int g_monitored_calls = 0;

// So many code objects have events of other tools; those that were there before us are not counted.
int g_monitored_codes = 0;
bool g_tools_before = false;

void count_monitored(CodeEntry* entry, bool any, bool calls) {
  g_monitored_codes += any - entry->monitored;
  g_monitored_calls += calls - entry->calls_monitored;
  entry->monitored = any;
  entry->calls_monitored = calls;
  g_entering.local_tools = g_tools_before || g_monitored_codes;
}

void note_local_events(PyCodeObject* code) {
  if (CodeEntry* entry = code_entry(code, true))
    count_monitored(entry, Port::foreign_local_events(code, g_own_tools),
                    Port::foreign_local_calls(code, g_own_tools));
  else
    g_entering.local_tools = g_tools_before = true;
}

// Somebody was switched on or off.
void look_again(PyThreadState* ts) {
  PyObject* error = PyErr_GetRaisedException();
  tools_changed(ts);
  PyErr_SetRaisedException(error);
}

template <int kHook>
PyObject* hook_one(PyObject* self, PyObject* argument) {
  PyThreadState* ts = _PyThreadState_GET();
  if (ts->interp != g_interpreter) return g_original[kHook](self, argument);
  if (argument != Py_None) pause_events(ts, false);
  PyObject* result = g_original[kHook](self, argument);
  look_again(ts);
  return result;
}

bool is_own(PyObject* tool) {
  if (!PyLong_CheckExact(tool)) return false;
  int overflow;
  const long number = PyLong_AsLongAndOverflow(tool, &overflow);
  return number >= 0 && number < 8 && (g_own_tools >> number & 1);
}

// What switches all events of a tool off: ours, too.
template <int kHook>
PyObject* hook_off(PyObject* self, PyObject* tool) {
  const bool own = is_own(tool);
  PyObject* result = g_original[kHook](self, tool);
  PyThreadState* ts = _PyThreadState_GET();
  if (ts->interp != g_interpreter) return result;
  if (!own)
    look_again(ts);
  else if (result)
    restore_events();
  return result;
}

bool mentions_lines(PyObject* events) {
  if (!PyLong_CheckExact(events)) return false;
  int overflow;
  const long set = PyLong_AsLongAndOverflow(events, &overflow);
  return set >= 0 && (set & Port::kLineEvent);
}

template <int kHook>
PyObject* hook_fast(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  // Ours are set all the time and concern nobody.
  const bool own = count > 0 && is_own(args[0]);
  PyThreadState* ts = _PyThreadState_GET();
  PyCodeObject* code = nullptr;  // set_local_events
  if (count == 3 && PyCode_Check(args[1])) code = reinterpret_cast<PyCodeObject*>(args[1]);
  if (!own && ts->interp == g_interpreter) {
    if (code)
      give_way(code);
    else if (count == 2)  // set_events
      pause_events(ts, mentions_lines(args[1]));
  }
  using Fast = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);
  auto original = reinterpret_cast<Fast>(reinterpret_cast<void*>(g_original[kHook]));
  PyObject* result = original(self, args, count);
  if (own || ts->interp != g_interpreter) return result;
  if (code) {
    note_local_events(code);
    if (g_local_events_hook) g_local_events_hook(code);
    PyObject* error = PyErr_GetRaisedException();
    take_up_again(code);
    PyErr_SetRaisedException(error);
  }
  look_again(ts);
  return result;
}

void hook(int which, PyObject* owner, const char* name, PyCFunction replacement, int flags) {
  PyObject* function = owner ? PyObject_GetAttrString(owner, name) : nullptr;
  if (function && PyCFunction_CheckExact(function) && !g_method[which]) {
    PyMethodDef* method = reinterpret_cast<PyCFunctionObject*>(function)->m_ml;
    if (method->ml_flags == flags) {
      g_method[which] = method;
      g_original[which] = method->ml_meth;
      method->ml_meth = replacement;
    }
  }
  Py_XDECREF(function);
  PyErr_Clear();
}

template <int kHook>
PyCFunction fast() {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(hook_fast<kHook>));
}

}  // namespace

void watch_tools() {
  g_interpreter = _PyThreadState_GET()->interp;
  PyObject* sys = PyImport_ImportModule("sys");
  PyObject* monitoring = PySys_GetObject("monitoring");
  // Those that were there before us may have events of single code objects.
  for (int id = 0; monitoring && id < 6; id++) {
    PyObject* name = PyObject_CallMethod(monitoring, "get_tool", "i", id);
    g_tools_before |= name && name != Py_None && !(g_own_tools >> id & 1);
    Py_XDECREF(name);
  }
  g_entering.local_tools = g_tools_before;
  hook(0, sys, "settrace", hook_one<0>, METH_O);
  hook(1, sys, "setprofile", hook_one<1>, METH_O);
  hook(2, sys, "_settraceallthreads", hook_one<2>, METH_O);
  hook(3, sys, "_setprofileallthreads", hook_one<3>, METH_O);
  hook(4, monitoring, "set_events", fast<4>(), METH_FASTCALL);
  hook(5, monitoring, "set_local_events", fast<5>(), METH_FASTCALL);
  // From 3.14 on both switch all events of a tool off; in 3.13 there is only the second, and it
  // does not.
  hook(6, monitoring, "clear_tool_id", hook_off<6>, METH_O);
  hook(7, monitoring, "free_tool_id", hook_off<7>, METH_O);
  Py_XDECREF(sys);
  PyErr_Clear();
}

void stop_watching_tools() {
  for (int i = 0; i < kHooks; i++) {
    if (g_method[i]) g_method[i]->ml_meth = g_original[i];
    g_method[i] = nullptr;
  }
}

bool inlined_code_is_watched(const CompiledCode* body) {
  for (const FrameMeta& frame : body->frames) {
    auto* code = static_cast<PyCodeObject*>(const_cast<void*>(frame.code));
    if (Port::foreign_local_events(code, g_own_tools)) return true;
  }
  return false;
}

extern "C" void* psyco_attend(Activation* act, void* result) {
  if (!result || _Py_HandlePending(static_cast<PyThreadState*>(act->tstate)) == 0) return result;
  PyObject* error = PyErr_GetRaisedException();
  Py_DECREF(static_cast<PyObject*>(result));
  PyErr_SetRaisedException(error);
  return nullptr;
}

void forget_monitored_calls(CodeEntry* entry) {
  if (!entry->monitored) return;
  count_monitored(entry, false, false);
  keep_calls_plain(g_global_monitoring || g_monitored_calls);
}

void tools_changed(PyThreadState* ts) {
  g_entering.foreign_tools = Port::foreign_global_events(ts, g_own_tools);
  if (!g_entering.foreign_tools) resume_events();
  g_entering.expected = Port::eval_breaker(ts) & ~Port::kEventsMask;
  // Activations that have not polled yet would compare with the new value and stay.
  tell_all_to_leave();
  g_global_monitoring =
      Port::foreign_global_events(ts, static_cast<uint8_t>(g_own_tools | Port::kTracers));
  keep_calls_plain(g_global_monitoring || g_monitored_calls);
}

}  // namespace psyco
