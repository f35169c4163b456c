// Parts of cpython/objects.h that are so in CPython 3.15 only. Included by it.
#pragma once
#include <internal/pycore_lazyimportobject.h>

#include "cpython/objects_since_314.h"

namespace psyco::objects {

// ---- int
inline PyObject* int_add(PyObject* a, PyObject* b) {
  return PyLong_Type.tp_as_number->nb_add(a, b);
}
inline PyObject* int_subtract(PyObject* a, PyObject* b) {
  return PyLong_Type.tp_as_number->nb_subtract(a, b);
}
inline PyObject* int_multiply(PyObject* a, PyObject* b) {
  return PyLong_Type.tp_as_number->nb_multiply(a, b);
}

// ---- keyword arguments of f(**update); the callable is for the message
inline int merge_keywords(PyObject* dict, PyObject* update, PyObject* callable) {
  PyObject* twice = nullptr;
  const int failed = _PyDict_MergeUniq(dict, update, &twice);
  if (failed) _PyEval_FormatKwargsError(current_thread(), callable, update, twice);
  Py_XDECREF(twice);
  return failed;
}

// f(*args), where args are not iterable
inline void set_args_error(PyObject* callable, PyObject* args) {
  _Py_Check_ArgsIterable(current_thread(), callable, args);
}

// ---- names
// A module that is to be imported when it is first used: see lazy_type in version.h.
inline bool is_lazy(PyObject* value) { return Py_IS_TYPE(value, &PyLazyImport_Type); }
inline PyObject* import_now(PyObject* value, PyObject* name, PyObject* space) {
  PyObject* module = _PyLazyImport_Reify(current_thread(), value, name, space);
  Py_DECREF(value);
  return module;
}
// New reference; null without error if in neither.
inline PyObject* lookup_global(PyObject* globals, PyObject* builtins, PyObject* name) {
  for (PyObject* space : {globals, builtins}) {
    PyObject* value;
    if (PyDict_GetItemRef(space, name, &value) < 0) return nullptr;
    if (value) return is_lazy(value) ? import_now(value, name, space) : value;
  }
  return nullptr;
}

// New reference or null.
inline PyObject* awaited_by(PyObject* coroutine) {
  PyObject* awaited = PyObject_GetAttrString(coroutine, "cr_await");
  if (awaited == Py_None) Py_CLEAR(awaited);
  return awaited;
}

}  // namespace psyco::objects
