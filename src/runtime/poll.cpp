#include "runtime/poll.h"

#include "runtime/activation.h"
#include "runtime/osr.h"

namespace psyco {

uint64_t g_expected_eval_breaker = 0;
uint8_t g_own_tools = 0;
uint64_t g_own_tools_bytes = 0;
bool g_foreign_tools = false;
bool g_local_tools = false;
void (*g_local_events_hook)(const PyCodeObject* code) = nullptr;

namespace {

// The functions keep their identity: only the pointer in their method definitions is ours, as it
// may be for anything called through a PyCFunction.
constexpr int kHooks = 6;
PyMethodDef* g_method[kHooks];
PyCFunction g_original[kHooks];

// The functions of sys are one for all interpreters; psyco lives in one.
PyInterpreterState* g_interpreter = nullptr;

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
  if (argument != Py_None) pause_events(ts);
  PyObject* result = g_original[kHook](self, argument);
  look_again(ts);
  return result;
}

template <int kHook>
PyObject* hook_fast(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  // Ours are set all the time and concern nobody.
  bool own = false;
  if (count > 0 && PyLong_CheckExact(args[0])) {
    int overflow;
    const long tool = PyLong_AsLongAndOverflow(args[0], &overflow);
    own = tool >= 0 && tool < 8 && (g_own_tools >> tool & 1);
  }
  PyThreadState* ts = _PyThreadState_GET();
  // Next to our PY_START a tool would get LINE events that it does not get alone: of functions
  // whose body stands on the line of its `def`.
  if (count == 2 && !own && ts->interp == g_interpreter) pause_events(ts);  // set_events
  using Fast = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);
  auto original = reinterpret_cast<Fast>(reinterpret_cast<void*>(g_original[kHook]));
  PyObject* result = original(self, args, count);
  if (own || ts->interp != g_interpreter) return result;
  if (count == 3 && PyCode_Check(args[1])) {  // set_local_events
    g_local_tools = true;
    if (g_local_events_hook) g_local_events_hook(reinterpret_cast<PyCodeObject*>(args[1]));
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
  hook(0, sys, "settrace", hook_one<0>, METH_O);
  hook(1, sys, "setprofile", hook_one<1>, METH_O);
  hook(2, sys, "_settraceallthreads", hook_one<2>, METH_O);
  hook(3, sys, "_setprofileallthreads", hook_one<3>, METH_O);
  hook(4, monitoring, "set_events", fast<4>(), METH_FASTCALL);
  hook(5, monitoring, "set_local_events", fast<5>(), METH_FASTCALL);
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

void tools_changed(PyThreadState* ts) {
  g_foreign_tools = Port::foreign_global_events(ts, g_own_tools);
  if (!g_foreign_tools) resume_events();
  g_expected_eval_breaker = Port::eval_breaker(ts) & ~Port::kEventsMask;
  // Activations that have not polled yet would compare with the new value and stay.
  tell_to_leave(nullptr);
}

}  // namespace psyco
