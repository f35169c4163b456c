// The primitives behind the psyco package: argument checks, then the runtime or the driver.
#include <set>
#include <string>

#include "driver/driver.h"
#include "ext/api.h"
#include "runtime/entry.h"
#include "runtime/osr.h"
#include "runtime/watch.h"

namespace psyco {

std::string g_off_reason;   // empty: active

namespace {

struct JitGlobals {
  PyObject* globals;   // owned
  int scope;
};
std::vector<JitGlobals> g_jit_globals;
std::vector<PyObject*> g_new_functions;   // weak: cleared when they die; looked at by the next safe call
bool g_watching_all;
PyObject* g_filter;                        // callable(code) -> bool, or null

bool want_function(PyObject* object, const char* what) {
  if (PyFunction_Check(object)) return true;
  PyErr_Format(PyExc_TypeError, "psyco._core.%s wants a Python function, not %.200s", what,
               Py_TYPE(object)->tp_name);
  return false;
}

bool want_code(PyObject* object, const char* what) {
  if (PyCode_Check(object)) return true;
  PyErr_Format(PyExc_TypeError, "psyco._core.%s wants a code object, not %.200s", what,
               Py_TYPE(object)->tp_name);
  return false;
}

PyCodeObject* code_of(PyObject* function) {
  return reinterpret_cast<PyCodeObject*>(reinterpret_cast<PyFunctionObject*>(function)->func_code);
}

PyObject* status(PyObject*, PyObject*) {
  if (g_off_reason.empty()) Py_RETURN_NONE;
  return PyUnicode_FromString(g_off_reason.c_str());
}

PyObject* bind_function(PyObject*, PyObject* function) {
  if (!want_function(function, "bind_function")) return nullptr;
  if (!g_off_reason.empty()) Py_RETURN_NONE;
  PyCodeObject* code = code_of(function);
  CodeEntry* entry = code_entry(code, true);
  if (!entry) return PyErr_NoMemory();
  entry->bound = true;
  // Loops of a running or suspended frame are entered through events.
  if (!watch_code(code)) return nullptr;
  if (!(code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)))
    install_function(reinterpret_cast<PyFunctionObject*>(function));
  Py_RETURN_NONE;
}

PyObject* unbind_function(PyObject*, PyObject* function) {
  if (!want_function(function, "unbind_function")) return nullptr;
  CodeEntry* entry = code_entry(code_of(function), false);
  if (entry) {
    entry->bound = false;
    if (entry->watched && !unwatch_code(code_of(function))) return nullptr;
  }
  uninstall_function(reinterpret_cast<PyFunctionObject*>(function));
  Py_RETURN_NONE;
}

PyObject* is_bound(PyObject*, PyObject* function) {
  if (!want_function(function, "is_bound")) return nullptr;
  return PyBool_FromLong(is_installed(reinterpret_cast<PyFunctionObject*>(function)));
}

PyObject* py_watch_code(PyObject*, PyObject* code) {
  if (!want_code(code, "watch_code")) return nullptr;
  if (g_off_reason.empty() && !watch_code(reinterpret_cast<PyCodeObject*>(code))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* py_unwatch_code(PyObject*, PyObject* code) {
  if (!want_code(code, "unwatch_code")) return nullptr;
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(code), false);
  if (entry && entry->watched && !unwatch_code(reinterpret_cast<PyCodeObject*>(code))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* watch_all(PyObject*, PyObject* on) {
  int truth = PyObject_IsTrue(on);
  if (truth < 0) return nullptr;
  if (g_off_reason.empty() && !watch_everything(truth)) return nullptr;
  g_watching_all = truth;
  Py_RETURN_NONE;
}

// Does `scope` (1 functions, 2 methods, 3 both) cover a function of this qualified name?
bool in_scope(PyFunctionObject* function, int scope) {
  if (scope == 3) return true;
  const char* name = function->func_qualname ? PyUnicode_AsUTF8(function->func_qualname) : nullptr;
  if (!name) {
    PyErr_Clear();
    return false;
  }
  // "C.f" is a method, "f.<locals>.g" a function, "f.<locals>.C.m" a method.
  std::string text(name);
  size_t locals = text.rfind("<locals>.");
  std::string tail = locals == std::string::npos ? text : text.substr(locals + 9);
  bool method = tail.find('.') != std::string::npos;
  return method ? (scope & 2) : (scope & 1);
}

// The function watcher may not look closer or run anything: the function is not complete.
int drain_new_functions(void*) {
  std::vector<PyObject*> functions;
  functions.swap(g_new_functions);
  for (PyObject* object : functions) {
    if (!object) continue;
    auto* function = reinterpret_cast<PyFunctionObject*>(object);
    for (const JitGlobals& jit : g_jit_globals)
      if (jit.globals == function->func_globals && in_scope(function, jit.scope)) {
        if (!watch_code(code_of(object))) PyErr_Clear();
        break;
      }
  }
  return 0;
}

void function_created(PyFunctionObject* function) {
  if (g_jit_globals.empty()) return;
  for (const JitGlobals& jit : g_jit_globals)
    if (jit.globals == function->func_globals) {
      if (g_new_functions.empty() && Py_AddPendingCall(drain_new_functions, nullptr) < 0) return;
      g_new_functions.push_back(reinterpret_cast<PyObject*>(function));
      return;
    }
}

void function_destroyed_note(PyFunctionObject* function) {
  for (PyObject*& f : g_new_functions)
    if (f == reinterpret_cast<PyObject*>(function)) f = nullptr;
}

// jit_globals(dict, scope): new functions with these globals are watched; scope 0 stops it.
PyObject* jit_globals(PyObject*, PyObject* args) {
  PyObject* globals;
  int scope;
  if (!PyArg_ParseTuple(args, "O!i:jit_globals", &PyDict_Type, &globals, &scope)) return nullptr;
  if (scope < 0 || scope > 3) {
    PyErr_SetString(PyExc_ValueError, "jit_globals: scope is 0, 1 (functions), 2 (methods) or 3 (both)");
    return nullptr;
  }
  for (size_t i = 0; i < g_jit_globals.size(); i++) {
    if (g_jit_globals[i].globals != globals) continue;
    if (scope) {
      g_jit_globals[i].scope |= scope;
    } else {
      g_jit_globals.erase(g_jit_globals.begin() + static_cast<long>(i));
      Py_DECREF(globals);
    }
    Py_RETURN_NONE;
  }
  if (scope && g_off_reason.empty()) g_jit_globals.push_back({Py_NewRef(globals), scope});
  Py_RETURN_NONE;
}

PyObject* set_filter(PyObject*, PyObject* hook) {
  if (hook != Py_None && !PyCallable_Check(hook)) {
    PyErr_SetString(PyExc_TypeError, "set_filter wants a callable or None");
    return nullptr;
  }
  Py_XSETREF(g_filter, hook == Py_None ? nullptr : Py_NewRef(hook));
  Py_RETURN_NONE;
}

PyObject* py_set_options(PyObject*, PyObject* dict) {
  if (!PyDict_Check(dict)) {
    PyErr_Format(PyExc_TypeError, "set_options wants a dict, not %.200s", Py_TYPE(dict)->tp_name);
    return nullptr;
  }
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    const char* name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : nullptr;
    if (!name) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "option names are strings");
      return nullptr;
    }
    if (!set_option(name, value)) return nullptr;
  }
  apply_options();
  Py_RETURN_NONE;
}

PyObject* py_options(PyObject*, PyObject*) { return get_options(); }
PyObject* py_stats(PyObject*, PyObject*) { return driver_stats(); }

PyObject* py_report(PyObject*, PyObject* function) {
  if (!want_function(function, "report")) return nullptr;
  return driver_report(code_of(function));
}

PyObject* py_compile_now(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (n < 1 || !want_function(args[0], "compile_now")) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "compile_now wants a function and its arguments");
    return nullptr;
  }
  PyCodeObject* code = code_of(args[0]);
  int wanted = code->co_argcount + code->co_kwonlyargcount + !!(code->co_flags & CO_VARARGS) +
               !!(code->co_flags & CO_VARKEYWORDS);
  if (n - 1 != wanted) {
    PyErr_Format(PyExc_TypeError, "compile_now: %U has %d parameters, %zd values were given",
                 code->co_qualname, wanted, n - 1);
    return nullptr;
  }
  if (!g_off_reason.empty()) Py_RETURN_FALSE;
  return PyBool_FromLong(compile_now(reinterpret_cast<PyFunctionObject*>(args[0]), args + 1, n - 1));
}

PyObject* py_forget(PyObject*, PyObject* function) {
  if (!want_function(function, "forget")) return nullptr;
  forget_code(code_of(function));
  Py_RETURN_NONE;
}

PyObject* py_exclude(PyObject*, PyObject* function) {
  if (!want_function(function, "exclude")) return nullptr;
  exclude_code(code_of(function));
  Py_RETURN_NONE;
}

PyObject* uncount_frames(PyObject*, PyObject* arg) {
  long count = PyLong_AsLong(arg);
  if (count == -1 && PyErr_Occurred()) return nullptr;
  // The frames below a program that `python -m psyco` runs do not count against its recursion limit.
  PyThreadState_Get()->py_recursion_remaining += static_cast<int>(count);
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef g_api_methods[] = {
    {"status", status, METH_NOARGS, nullptr},
    {"bind_function", bind_function, METH_O, nullptr},
    {"unbind_function", unbind_function, METH_O, nullptr},
    {"is_bound", is_bound, METH_O, nullptr},
    {"watch_code", py_watch_code, METH_O, nullptr},
    {"unwatch_code", py_unwatch_code, METH_O, nullptr},
    {"watch_all", watch_all, METH_O, nullptr},
    {"jit_globals", jit_globals, METH_VARARGS, nullptr},
    {"set_filter", set_filter, METH_O, nullptr},
    {"set_options", py_set_options, METH_O, nullptr},
    {"options", py_options, METH_NOARGS, nullptr},
    {"stats", py_stats, METH_NOARGS, nullptr},
    {"report", py_report, METH_O, nullptr},
    {"compile_now", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(py_compile_now)), METH_FASTCALL, nullptr},
    {"forget", py_forget, METH_O, nullptr},
    {"exclude", py_exclude, METH_O, nullptr},
    {"uncount_frames", uncount_frames, METH_O, nullptr},
    {nullptr},
};

namespace {
// Called by the driver before it compiles a code object. The hook is the user's: errors mean no.
bool filter_allows(PyCodeObject* code) {
  if (!g_filter) return true;
  PyObject* answer = PyObject_CallOneArg(g_filter, reinterpret_cast<PyObject*>(code));
  int truth = answer ? PyObject_IsTrue(answer) : -1;
  Py_XDECREF(answer);
  if (truth < 0) PyErr_WriteUnraisable(g_filter);
  return truth > 0;
}
}  // namespace

void start_api() {
  g_function_created = function_created;
  g_function_destroyed = function_destroyed_note;
  g_filter_hook = filter_allows;
}

}  // namespace psyco
