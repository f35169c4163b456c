// CPython calls nobody between the functions of atexit, after which other threads may still run,
// and the moment when it empties the modules. But it deletes the states of all other threads then
// (Python/pylifecycle.c: _Py_Finalize, 3.13), and with a state its dictionary dies. So a state that
// belongs to no thread brings the notice.
#include "cpython/ending.h"

#include "cpython/port.h"

namespace psyco {
namespace {

void (*g_call)() = nullptr;

void state_deleted(PyObject*) {
  // The child of a fork deletes the states of its parent's threads, too, and goes on.
  if (!Py_IsFinalizing()) {
    when_threads_have_stopped(g_call);
    return;
  }
  PyObject* error = PyErr_GetRaisedException();
  g_call();
  PyErr_SetRaisedException(error);
}

}  // namespace

bool when_threads_have_stopped(void (*call)()) {
  g_call = call;
  PyObject* dict = PyDict_New();
  PyObject* notice = dict ? PyCapsule_New(&g_call, nullptr, state_deleted) : nullptr;
  const bool ok = notice && PyDict_SetItemString(dict, "psyco", notice) == 0;
  PyThreadState* nobody = ok ? PyThreadState_New(PyInterpreterState_Get()) : nullptr;
  if (notice && !nobody) PyCapsule_SetDestructor(notice, nullptr);
  Py_XDECREF(notice);
  if (nobody)
    nobody->dict = dict;
  else
    Py_XDECREF(dict);
  PyErr_Clear();
  return nobody != nullptr;
}

}  // namespace psyco
