// Subscripts, slices, displays, and what fills them.
#include "runtime/helpers.h"

using namespace psyco::objects;

namespace {

// The index an exact int means in a sequence of that size, or -1: not an int, or out of range.
Py_ssize_t quick_index(PyObject* key, Py_ssize_t size) {
  if (!PyLong_CheckExact(key) || !is_compact(key)) return -1;
  int64_t index = compact_value(key);
  if (index < 0) index += size;
  return static_cast<size_t>(index) < static_cast<size_t>(size) ? index : -1;
}

// Bounds of a slice without step as PySlice_Unpack and PySlice_AdjustIndices make them.
// False: an operand is neither None nor a small int.
bool quick_bounds(PyObject* start, PyObject* stop, Py_ssize_t size, Py_ssize_t* low,
                  Py_ssize_t* high) {
  auto bound = [size](PyObject* object, Py_ssize_t missing, Py_ssize_t* out) {
    if (object == Py_None) {
      *out = missing;
      return true;
    }
    if (!PyLong_CheckExact(object) || !is_compact(object)) return false;
    int64_t value = compact_value(object);
    if (value < 0) value = value + size < 0 ? 0 : value + size;
    *out = value > size ? size : value;
    return true;
  };
  if (!bound(start, 0, low) || !bound(stop, size, high)) return false;
  if (*high < *low) *high = *low;
  return true;
}

PyObject* new_slice(PyObject* start, PyObject* stop) { return PySlice_New(start, stop, nullptr); }

}  // namespace

extern "C" {

PyObject* psyco_subscript(PyObject* container, PyObject* key) {
  if (PyList_CheckExact(container)) {
    Py_ssize_t index = quick_index(key, PyList_GET_SIZE(container));
    if (index >= 0) return Py_NewRef(PyList_GET_ITEM(container, index));
  } else if (PyTuple_CheckExact(container)) {
    Py_ssize_t index = quick_index(key, PyTuple_GET_SIZE(container));
    if (index >= 0) return Py_NewRef(PyTuple_GET_ITEM(container, index));
  } else if (PyDict_CheckExact(container)) {
    PyObject* value;
    int found = PyDict_GetItemRef(container, key, &value);
    if (found == 0) set_key_error(key);
    return value;
  } else if (PyUnicode_CheckExact(container)) {
    Py_ssize_t index = quick_index(key, PyUnicode_GET_LENGTH(container));
    if (index >= 0) {
      Py_UCS4 c = PyUnicode_READ_CHAR(container, index);
      if (c < 128) return ascii_character(c);
    }
  }
  return PyObject_GetItem(container, key);
}

int64_t psyco_store_subscript(PyObject* container, PyObject* key, PyObject* value) {
  if (PyList_CheckExact(container)) {
    Py_ssize_t index = quick_index(key, PyList_GET_SIZE(container));
    if (index >= 0) {
      PyObject* old = PyList_GET_ITEM(container, index);
      PyList_SET_ITEM(container, index, Py_NewRef(value));
      Py_DECREF(old);
      return 0;
    }
  } else if (PyDict_CheckExact(container)) {
    return PyDict_SetItem(container, key, value);
  }
  return PyObject_SetItem(container, key, value);
}

int64_t psyco_delete_subscript(PyObject* container, PyObject* key) {
  return PyObject_DelItem(container, key);
}

PyObject* psyco_binary_slice(PyObject* container, PyObject* start, PyObject* stop) {
  Py_ssize_t low, high;
  if (PyList_CheckExact(container)) {
    if (quick_bounds(start, stop, PyList_GET_SIZE(container), &low, &high))
      return PyList_GetSlice(container, low, high);
  } else if (PyTuple_CheckExact(container)) {
    if (quick_bounds(start, stop, PyTuple_GET_SIZE(container), &low, &high))
      return PyTuple_GetSlice(container, low, high);
  } else if (PyUnicode_CheckExact(container)) {
    if (quick_bounds(start, stop, PyUnicode_GET_LENGTH(container), &low, &high))
      return PyUnicode_Substring(container, low, high);
  }
  PyObject* slice = new_slice(start, stop);
  if (!slice) return nullptr;
  PyObject* result = PyObject_GetItem(container, slice);
  Py_DECREF(slice);
  return result;
}

int64_t psyco_store_slice(PyObject* container, PyObject* start, PyObject* stop, PyObject* value) {
  PyObject* slice = new_slice(start, stop);
  if (!slice) return -1;
  int status = PyObject_SetItem(container, slice, value);
  Py_DECREF(slice);
  return status;
}

PyObject* psyco_build_tuple(PyObject** items, int64_t count) {
  if (count == 0) return empty_tuple();
  PyObject* tuple = PyTuple_New(count);
  if (!tuple) return nullptr;
  for (int64_t i = 0; i < count; i++) PyTuple_SET_ITEM(tuple, i, Py_NewRef(items[i]));
  return tuple;
}

PyObject* psyco_build_list(PyObject** items, int64_t count) {
  PyObject* list = PyList_New(count);
  if (!list) return nullptr;
  for (int64_t i = 0; i < count; i++) PyList_SET_ITEM(list, i, Py_NewRef(items[i]));
  return list;
}

PyObject* psyco_build_map(PyObject** items, int64_t count) {
  return dict_from_items(items, 2, items + 1, 2, count / 2);
}

PyObject* psyco_build_const_key_map(PyObject* keys, PyObject** values, int64_t count) {
  return dict_from_items(&PyTuple_GET_ITEM(keys, 0), 1, values, 1, count);
}

PyObject* psyco_build_set(PyObject** items, int64_t count) {
  PyObject* set = PySet_New(nullptr);
  if (!set) return nullptr;
  for (int64_t i = 0; i < count; i++) {
    if (PySet_Add(set, items[i])) {
      Py_DECREF(set);
      return nullptr;
    }
  }
  return set;
}

PyObject* psyco_build_slice(PyObject* start, PyObject* stop, PyObject* step) {
  return PySlice_New(start, stop, step);
}

int64_t psyco_list_append(PyObject* list, PyObject* item) { return append(list, item); }

int64_t psyco_list_extend(PyObject* list, PyObject* iterable) {
  PyObject* none = extend(list, iterable);
  if (PSYCO_LIKELY(none != nullptr)) {
    Py_DECREF(none);
    return 0;
  }
  if (PyErr_ExceptionMatches(PyExc_TypeError) && !Py_TYPE(iterable)->tp_iter &&
      !PySequence_Check(iterable)) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "Value after * must be an iterable, not %.200s",
                 Py_TYPE(iterable)->tp_name);
  }
  return -1;
}

int64_t psyco_set_add(PyObject* set, PyObject* item) { return PySet_Add(set, item); }

int64_t psyco_set_update(PyObject* set, PyObject* iterable) { return set_update(set, iterable); }

int64_t psyco_map_add(PyObject* dict, PyObject* key, PyObject* value) {
  return PyDict_SetItem(dict, key, value);
}

int64_t psyco_dict_update(PyObject* dict, PyObject* update) {
  if (PSYCO_LIKELY(PyDict_Update(dict, update) >= 0)) return 0;
  if (PyErr_ExceptionMatches(PyExc_AttributeError))
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not a mapping", Py_TYPE(update)->tp_name);
  return -1;
}

int64_t psyco_dict_merge(PyObject* dict, PyObject* update, PyObject* callable) {
  return merge_keywords(dict, update, callable);
}

PyObject* psyco_get_len(PyObject* object) {
  Py_ssize_t length = PyObject_Size(object);
  return length < 0 ? nullptr : PyLong_FromSsize_t(length);
}

int64_t psyco_unpack_sequence(PyObject* sequence, int64_t count, PyObject** out) {
  if (PyTuple_CheckExact(sequence) || PyList_CheckExact(sequence)) {
    if (Py_SIZE(sequence) == count) {
      PyObject** items = PyTuple_CheckExact(sequence)
                             ? reinterpret_cast<PyTupleObject*>(sequence)->ob_item
                             : reinterpret_cast<PyListObject*>(sequence)->ob_item;
      for (int64_t i = 0; i < count; i++) out[count - 1 - i] = Py_NewRef(items[i]);
      return 0;
    }
  }
  return unpack_iterable(sequence, static_cast<int>(count), -1, out + count) ? 0 : -1;
}

int64_t psyco_unpack_ex(PyObject* sequence, int64_t before, int64_t after, PyObject** out) {
  int64_t total = before + 1 + after;
  return unpack_iterable(sequence, static_cast<int>(before), static_cast<int>(after), out + total)
             ? 0
             : -1;
}

}  // extern "C"
