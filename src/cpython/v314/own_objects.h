// Parts of cpython/objects.h that are so in CPython 3.14 only. Included by it.
#pragma once

namespace psyco::objects {

// ---- dict: a word with watchers in its lowest bits; stores leave it alone
constexpr size_t kDictTag = offsetof(PyDictObject, _ma_watcher_tag);
inline void note_dict_changed(PyDictObject*) {}

// Items are written downwards from end[-1], the first item there. 0: error set, nothing written.
inline int unpack_iterable(PyObject* iterable, int before, int after, PyObject** end) {
  static_assert(sizeof(_PyStackRef) == sizeof(PyObject*));
  auto* refs = reinterpret_cast<_PyStackRef*>(end);
  if (!_PyEval_UnpackIterableStackRef(current_thread(), iterable, before, after, refs)) return 0;
  const int count = after < 0 ? before : before + 1 + after;
  for (int i = 1; i <= count; i++) end[-i] = PyStackRef_AsPyObjectSteal(refs[-i]);
  return 1;
}

inline int match_group(PyObject* exception, PyObject* type, PyObject** match, PyObject** rest) {
  return _PyEval_ExceptionGroupMatch(current_thread()->current_frame, exception, type, match, rest);
}

// A special method is missing (Python/bytecodes.c: _LOAD_SPECIAL).
inline void set_special_error(PyObject* object, int number) {
  const _Py_SpecialMethod& method = _Py_SpecialMethods[number];
  const bool suggest = _PyEval_SpecialMethodCanSuggest(object, number);
  PyErr_Format(PyExc_TypeError, suggest ? method.error_suggestion : method.error, object);
}

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
