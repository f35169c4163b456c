// When the interpreter ends, what it empties its modules of is to die, and in the order in which it
// does so. So all that psyco holds has to be given back before: units, feedback, the user's filter.
// But not too early: compiled code serves the functions of atexit and the threads as long as they
// run. Between the two lies the moment when CPython has stopped all other threads and not yet begun
// to tear down: ending.h of the port.
#include "driver/ending.h"

#include "cpython/ending.h"
#include "cpython/port.h"
#include "driver/units.h"
#include "runtime/activation.h"
#include "runtime/entry.h"
#include "runtime/osr.h"
#include "runtime/runtime.h"

namespace psyco {
namespace {

bool g_ended = false;

// Functions registered before this one run after it, and psyco serves them still.
PyObject* at_exit(PyObject*, PyObject*) {
  when_threads_have_stopped(end_everything);  // without memory for it a collection comes, too
  Py_RETURN_NONE;
}

PyMethodDef g_method = {"psyco", at_exit, METH_NOARGS, nullptr};

}  // namespace

bool await_the_end() {
  PyObject* module = PyImport_ImportModule("atexit");
  PyObject* function = module ? PyCFunction_New(&g_method, nullptr) : nullptr;
  PyObject* done = function ? PyObject_CallMethod(module, "register", "O", function) : nullptr;
  Py_XDECREF(done);
  Py_XDECREF(function);
  Py_XDECREF(module);
  return done != nullptr;
}

void end_everything() {
  if (g_ended) return;
  g_ended = true;
  g_compile_entry = nullptr;
  g_compile_osr = nullptr;
  // Those of other threads, and in this one what called the function of C that ends the process.
  forget_activations();
  stop_runtime();
  stop_units();
}

}  // namespace psyco
