// Parts of cpython/objects.h that are so from CPython 3.14 on. Included by own_objects.h of these
// versions.
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

}  // namespace psyco::objects
