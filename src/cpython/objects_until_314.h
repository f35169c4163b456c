// Parts of cpython/objects.h that are so up to CPython 3.14. Included by own_objects.h of these
// versions.
#pragma once

namespace psyco::objects {

// ---- int
inline PyObject* int_add(PyObject* a, PyObject* b) { return _PyLong_Add(as_long(a), as_long(b)); }
inline PyObject* int_subtract(PyObject* a, PyObject* b) {
  return _PyLong_Subtract(as_long(a), as_long(b));
}
inline PyObject* int_multiply(PyObject* a, PyObject* b) {
  return _PyLong_Multiply(as_long(a), as_long(b));
}

// ---- keyword arguments of f(**update); the callable is for the message
inline int merge_keywords(PyObject* dict, PyObject* update, PyObject* callable) {
  const int failed = _PyDict_MergeEx(dict, update, 2);
  if (failed) _PyEval_FormatKwargsError(current_thread(), callable, update);
  return failed;
}

// f(*args), where args are not iterable
inline void set_args_error(PyObject* callable, PyObject* args) {
  PyObject* text = _PyObject_FunctionStr(callable);
  if (!text) return;
  PyErr_Format(PyExc_TypeError, "%U argument after * must be an iterable, not %.200s", text,
               Py_TYPE(args)->tp_name);
  Py_DECREF(text);
}

// ---- names
// New reference; null without error if in neither.
inline PyObject* lookup_global(PyObject* globals, PyObject* builtins, PyObject* name) {
  return _PyDict_LoadGlobal(reinterpret_cast<PyDictObject*>(globals),
                            reinterpret_cast<PyDictObject*>(builtins), name);
}
// A module that is to be imported when it is first used: see lazy_type in version.h.
inline bool is_lazy(PyObject*) { return false; }
inline PyObject* import_now(PyObject* value, PyObject*, PyObject*) { return value; }

// New reference or null.
inline PyObject* awaited_by(PyObject* coroutine) {
  return _PyGen_yf(reinterpret_cast<PyGenObject*>(coroutine));
}

}  // namespace psyco::objects
