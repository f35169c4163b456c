// Parts of cpython/objects.h that are so in CPython 3.13 only. Included by it.
#pragma once
#include "cpython/objects_until_314.h"

namespace psyco::objects {

// ---- dict: watchers are the lowest bits of a version, which changes with every store
constexpr size_t kDictTag = offsetof(PyDictObject, ma_version_tag);
inline void note_dict_changed(PyDictObject* dict) {
  dict->ma_version_tag = DICT_NEXT_VERSION(interpreter()) |
                         (dict->ma_version_tag & DICT_WATCHER_AND_MODIFICATION_MASK);
}

// Items are written downwards from end[-1], the first item there. 0: error set, nothing written.
inline int unpack_iterable(PyObject* iterable, int before, int after, PyObject** end) {
  return _PyEval_UnpackIterable(current_thread(), iterable, before, after, end);
}

inline int match_group(PyObject* exception, PyObject* type, PyObject** match, PyObject** rest) {
  return _PyEval_ExceptionGroupMatch(exception, type, match, rest);
}

// A special method is missing. 3.13 looks them up by pairs only: see psyco_enter_with.
inline void set_special_error(PyObject* object, int number) {
  PyErr_Format(PyExc_TypeError, "'%.200s' object does not support the %scontext manager protocol",
               Py_TYPE(object)->tp_name, number < 2 ? "" : "asynchronous ");
}

}  // namespace psyco::objects
