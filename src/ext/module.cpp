// psyco._core: initialisation, and the primitives the Python layer is made of. Arguments are
// checked here.
#include <string>

#include "cpython/port.h"
#include "driver/driver.h"
#include "driver/hooks.h"
#include "ext/testing.h"
#include "runtime/activation.h"
#include "runtime/governor.h"
#include "runtime/osr.h"
#include "runtime/poll.h"
#include "runtime/runtime.h"
#include "runtime/wanted.h"
#include "runtime/watch.h"

namespace psyco {

namespace {

std::string g_off_reason;  // empty: all is well
bool g_started = false;

PyFunctionObject* function_argument(PyObject* object, const char* name) {
  if (PyFunction_Check(object)) return reinterpret_cast<PyFunctionObject*>(object);
  PyErr_Format(PyExc_TypeError, "%s() takes a function written in Python, not %.200s", name,
               Py_TYPE(object)->tp_name);
  return nullptr;
}
PyCodeObject* code_argument(PyObject* object, const char* name) {
  if (PyCode_Check(object)) return reinterpret_cast<PyCodeObject*>(object);
  PyErr_Format(PyExc_TypeError, "%s() takes a code object, not %.200s", name,
               Py_TYPE(object)->tp_name);
  return nullptr;
}
PyObject* none_if(bool ok) { return ok ? Py_NewRef(Py_None) : nullptr; }

PyObject* core_status(PyObject*, PyObject*) {
  if (g_off_reason.empty()) Py_RETURN_NONE;
  return PyUnicode_FromString(g_off_reason.c_str());
}

PyObject* core_bind_function(PyObject*, PyObject* arg) {
  PyFunctionObject* function = function_argument(arg, "bind_function");
  return function ? none_if(bind_function(function)) : nullptr;
}

PyObject* core_unbind_function(PyObject*, PyObject* arg) {
  PyFunctionObject* function = function_argument(arg, "unbind_function");
  return function ? none_if(unbind_function(function)) : nullptr;
}

PyObject* core_is_bound(PyObject*, PyObject* arg) {
  PyFunctionObject* function = function_argument(arg, "is_bound");
  if (!function) return nullptr;
  return PyBool_FromLong(is_installed(function));
}

PyObject* core_watch_code(PyObject*, PyObject* arg) {
  PyCodeObject* code = code_argument(arg, "watch_code");
  return code ? none_if(watch_code(code, kByRequest)) : nullptr;
}

PyObject* core_unwatch_code(PyObject*, PyObject* arg) {
  PyCodeObject* code = code_argument(arg, "unwatch_code");
  return code ? none_if(unwatch_code(code, kByRequest)) : nullptr;
}

PyObject* core_watch_all(PyObject*, PyObject* arg) {
  const int on = PyObject_IsTrue(arg);
  return on < 0 ? nullptr : none_if(watch_everything(on));
}

PyObject* core_jit_globals(PyObject*, PyObject* args) {
  PyObject* globals;
  int scope;
  if (!PyArg_ParseTuple(args, "O!i:jit_globals", &PyDict_Type, &globals, &scope)) return nullptr;
  if (scope < 0 || scope > 3) {
    PyErr_Format(PyExc_ValueError, "jit_globals(): scope must be 0 to 3, not %d", scope);
    return nullptr;
  }
  return none_if(jit_globals(globals, scope));
}

PyObject* core_jit_scope(PyObject*, PyObject* arg) { return PyLong_FromLong(jit_scope(arg)); }

PyObject* core_jit_nothing(PyObject*, PyObject*) { return none_if(jit_nothing()); }

PyObject* core_set_filter(PyObject*, PyObject* arg) {
  if (arg != Py_None && !PyCallable_Check(arg))
    return PyErr_Format(PyExc_TypeError, "set_filter() takes a callable or None, not %.200s",
                        Py_TYPE(arg)->tp_name);
  set_filter(arg == Py_None ? nullptr : arg);
  Py_RETURN_NONE;
}

bool set_number(PyObject* value, int64_t low, int64_t high, const char* name, int64_t* out) {
  const long long number = PyLong_AsLongLong(value);
  if (number == -1 && PyErr_Occurred()) return false;
  if (number < low || number > high) {
    PyErr_Format(PyExc_ValueError, "option %s must be %lld to %lld, not %lld", name,
                 static_cast<long long>(low), static_cast<long long>(high), number);
    return false;
  }
  *out = number;
  return true;
}

bool set_option(PyObject* name, PyObject* value) {
  const char* text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : nullptr;
  if (!text) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "option names are strings");
    return false;
  }
  const std::string option = text;
  int64_t number = 0;
  if (option == "compile" || option == "eager" || option == "governor") {
    const int on = PyObject_IsTrue(value);
    if (on < 0) return false;
    if (option == "compile") {
      set_compiling(on);
    } else if (option == "governor") {
      g_governor = on;
    } else {
      g_governor = !on;
      g_hot.loop_threshold = on ? 1 : HotOptions().loop_threshold;
      g_hot.call_threshold = on ? 1 : HotOptions().call_threshold;
    }
    return true;
  }
  if (option == "loop_threshold" || option == "call_threshold") {
    if (!set_number(value, 1, 1000000000, text, &number)) return false;
    (option[0] == 'l' ? g_hot.loop_threshold : g_hot.call_threshold) =
        static_cast<uint32_t>(number);
    return true;
  }
  if (option == "slow_us") {
    if (!set_number(value, 1, 1000000000, text, &number)) return false;
    g_hot.slow_ns = number * 1000;
    return true;
  }
  const int taken = g_driver.set_option ? g_driver.set_option(name, value) : 0;
  if (taken == 0) PyErr_Format(PyExc_ValueError, "no option is called %R", name);
  return taken > 0;
}

PyObject* core_set_options(PyObject*, PyObject* arg) {
  if (!PyDict_Check(arg))
    return PyErr_Format(PyExc_TypeError, "set_options() takes a dict, not %.200s",
                        Py_TYPE(arg)->tp_name);
  PyObject *name, *value;
  for (Py_ssize_t at = 0; PyDict_Next(arg, &at, &name, &value);)
    if (!set_option(name, value)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* core_options(PyObject*, PyObject*) {
  PyObject* dict = Py_BuildValue(
      "{s:O,s:O,s:O,s:I,s:I,s:L}", "compile", g_compiling ? Py_True : Py_False, "governor",
      g_governor ? Py_True : Py_False, "eager", g_hot.loop_threshold == 1 ? Py_True : Py_False,
      "loop_threshold", g_hot.loop_threshold, "call_threshold", g_hot.call_threshold, "slow_us",
      static_cast<long long>(g_hot.slow_ns / 1000));
  if (dict && g_driver.add_options && !g_driver.add_options(dict)) Py_CLEAR(dict);
  return dict;
}

bool add_figure(PyObject* dict, const char* name, uint64_t value) {
  PyObject* number = PyLong_FromUnsignedLongLong(value);
  const bool ok = number && PyDict_SetItemString(dict, name, number) == 0;
  Py_XDECREF(number);
  return ok;
}

PyObject* core_stats(PyObject*, PyObject*) {
  PyObject* dict = g_driver.stats ? g_driver.stats()
                                  : Py_BuildValue("{s:i,s:d,s:[]}", "code_bytes", 0, "compile_ms",
                                                  0.0, "functions");
  uint64_t live = 0;
  for_each_activation([&](Activation*) { live++; });
  if (dict && !(add_figure(dict, "native_calls", g_entering.calls) &&
                add_figure(dict, "general_calls", g_entry_stats.general) &&
                add_figure(dict, "interpreted_calls", g_entry_stats.interpreted) &&
                add_figure(dict, "unmeasured_calls", g_unmeasured_calls) &&
                add_figure(dict, "odd_arguments", g_entry_stats.odd_arguments) &&
                add_figure(dict, "no_room", g_entry_stats.no_room) &&
                add_figure(dict, "events", g_osr_stats.events) &&
                add_figure(dict, "loop_entries", g_osr_stats.entries) &&
                add_figure(dict, "dependencies", dependency_count()) &&
                add_figure(dict, "activations", live)))
    Py_CLEAR(dict);
  return dict;
}

PyObject* core_report(PyObject*, PyObject* arg) {
  PyFunctionObject* function = function_argument(arg, "report");
  if (!function) return nullptr;
  if (g_driver.report) return g_driver.report(function);
  Py_RETURN_NONE;
}

PyObject* core_compile_now(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count < 1)
    return PyErr_Format(PyExc_TypeError, "compile_now() takes a function and its arguments");
  PyFunctionObject* function = function_argument(args[0], "compile_now");
  if (!function) return nullptr;
  return none_if(!g_driver.compile_now || g_driver.compile_now(function, args + 1, count - 1));
}

// While it lives no frame is below what runs, neither for who walks the stack nor for the recursion
// limit: so the interpreter's start-up runs a program.
class Alone {
 public:
  Alone() : thread_(_PyThreadState_GET()), caller_(Port::current_frame(thread_)) {
    depth_ = Port::recursion_depth(thread_);
    Port::current_frame(thread_) = nullptr;
    Port::py_recursion_remaining(thread_) += depth_;
  }
  ~Alone() {
    Port::py_recursion_remaining(thread_) -= depth_;
    Port::current_frame(thread_) = caller_;
  }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  PyThreadState* thread_;
  _PyInterpreterFrame* caller_;
  int depth_;
};

PyObject* core_run_alone(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count < 1)
    return PyErr_Format(PyExc_TypeError, "run_alone() takes a function and its arguments");
  Alone alone;
  return PyObject_Vectorcall(args[0], args + 1, count - 1, nullptr);
}

// The parser words its complaints about a file otherwise than about a text. None instead of a path
// stands for standard input: the interpreter's own FILE, so that the program finds there what the
// parser has left.
PyObject* core_run_file(PyObject*, PyObject* args) {
  PyObject* path;
  PyObject* globals;
  if (!PyArg_ParseTuple(args, "OO!:run_file", &path, &PyDict_Type, &globals)) return nullptr;
  if (path == Py_None) {
    Alone alone;
    return PyRun_FileExFlags(stdin, "<stdin>", Py_file_input, globals, globals, /*closeit=*/0,
                             nullptr);
  }
  PyObject* bytes;
  if (!PyUnicode_FSConverter(path, &bytes)) return nullptr;
  FILE* file = std::fopen(PyBytes_AS_STRING(bytes), "rb");
  if (!file) {
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, PyBytes_AS_STRING(bytes));
    Py_DECREF(bytes);
    return nullptr;
  }
  Alone alone;
  PyObject* result = PyRun_FileExFlags(file, PyBytes_AS_STRING(bytes), Py_file_input, globals,
                                       globals, /*closeit=*/1, nullptr);
  Py_DECREF(bytes);
  return result;
}

PyObject* core_forget(PyObject*, PyObject* arg) {
  PyFunctionObject* function = function_argument(arg, "forget");
  if (!function) return nullptr;
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (!entry) Py_RETURN_NONE;
  for (const Version& version : entry->versions) retire_code(version.code);
  entry->versions.clear();
  entry->loops.clear();
  entry->refused = false;
  if (g_driver.forget) g_driver.forget(entry);
  Py_RETURN_NONE;
}

PyObject* core_exclude(PyObject* self, PyObject* arg) {
  PyFunctionObject* function = function_argument(arg, "exclude");
  if (!function) return nullptr;
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
  if (!entry) return PyErr_NoMemory();
  entry->excluded = true;
  uninstall_functions_of(entry->code);
  break_dependents(function);
  return core_forget(self, arg);
}

PyMethodDef g_methods[] = {
    {"status", core_status, METH_NOARGS, PyDoc_STR("Why psyco is off, or None.")},
    {"bind_function", core_bind_function, METH_O,
     PyDoc_STR("Compile the function at its next call.")},
    {"unbind_function", core_unbind_function, METH_O,
     PyDoc_STR("Give the function its plain entry back.")},
    {"is_bound", core_is_bound, METH_O, PyDoc_STR("Whether calls of the function come to psyco.")},
    {"watch_code", core_watch_code, METH_O,
     PyDoc_STR("Count this code; compile it when it is hot.")},
    {"unwatch_code", core_unwatch_code, METH_O, PyDoc_STR("Stop counting this code.")},
    {"watch_all", core_watch_all, METH_O, PyDoc_STR("Count everything, or stop it.")},
    {"jit_globals", core_jit_globals, METH_VARARGS,
     PyDoc_STR("Count functions that will be made with these globals.")},
    {"jit_scope", core_jit_scope, METH_O, PyDoc_STR("What jit_globals was told of these globals.")},
    {"jit_nothing", core_jit_nothing, METH_NOARGS,
     PyDoc_STR("End what jit_globals was told of any globals.")},
    {"set_filter", core_set_filter, METH_O,
     PyDoc_STR("Ask this before a code object is compiled.")},
    {"set_options", core_set_options, METH_O, PyDoc_STR("Set the options in the dict.")},
    {"options", core_options, METH_NOARGS, PyDoc_STR("All options.")},
    {"stats", core_stats, METH_NOARGS, PyDoc_STR("Figures so far.")},
    {"report", core_report, METH_O, PyDoc_STR("What is known of a function.")},
    {"compile_now", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(core_compile_now)),
     METH_FASTCALL, PyDoc_STR("Compile a function for these arguments.")},
    {"run_alone", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(core_run_alone)),
     METH_FASTCALL, PyDoc_STR("Call a function as if there were no frames below it.")},
    {"run_file", core_run_file, METH_VARARGS,
     PyDoc_STR(
         "Run a source file (None: standard input) in these globals, with no frames below it.")},
    {"exclude", core_exclude, METH_O,
     PyDoc_STR("Drop all code of the function, for good; code that has it inlined, too.")},
    {"forget", core_forget, METH_O, PyDoc_STR("Drop all code of the function.")},
    {nullptr, nullptr, 0, nullptr},
};

// Psyco stays importable when it cannot work: status() says why.
void turn_off(const char* reason) {
  g_off_reason = reason;
  stop_runtime();
}

void turn_off_by_error() {
  PyObject* error = PyErr_GetRaisedException();
  PyObject* text = error ? PyObject_Str(error) : nullptr;
  const char* utf8 = text ? PyUnicode_AsUTF8(text) : nullptr;
  turn_off(utf8 ? utf8 : "starting failed");
  Py_XDECREF(text);
  Py_XDECREF(error);
  PyErr_Clear();
}

int module_exec(PyObject* module) {
  if ((Py_Version ^ Port::kVersionHex) >> 16) {
    PyErr_Format(PyExc_ImportError, "psyco._core was built for CPython %d.%d",
                 Port::kVersionHex >> 24, Port::kVersionHex >> 16 & 255);
    return -1;
  }
  // What is compiled, watched and counted belongs to one interpreter. (Those that share its lock
  // get here in spite of the slot below.)
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "module psyco._core does not support loading in subinterpreters");
    return -1;
  }
  if (!g_started) {
    g_started = true;
    install_driver();
    if (!start_runtime()) {
      turn_off_by_error();
    } else if (const char* wrong = self_test()) {
      turn_off(wrong);
    } else if (g_driver.start && !g_driver.start()) {
      turn_off_by_error();
    }
  }
  if (PyModule_AddFunctions(module, g_methods) < 0) return -1;
  if (PyModule_AddFunctions(module, g_dump_methods) < 0) return -1;
  if (add_helper_tests(module) < 0 || PyModule_AddFunctions(module, g_test_methods) < 0) return -1;
  return PyModule_AddFunctions(module, g_fake_body_methods);
}

PyModuleDef_Slot g_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {0, nullptr},
};
PyModuleDef g_module = {PyModuleDef_HEAD_INIT, "psyco._core", nullptr, 0, nullptr, g_slots};

}  // namespace
}  // namespace psyco

PyMODINIT_FUNC PyInit__core() { return PyModuleDef_Init(&psyco::g_module); }
