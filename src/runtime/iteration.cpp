// Iterators: making and stepping them, and the objects that virtual iterators become.
#include "ir/graph.h"
#include "runtime/helpers.h"

using namespace psyco::objects;

namespace {

// A plain object whose only property is its address. Immortal, so that counting it is harmless.
struct Sentinel {
  PyObject_HEAD
};
Sentinel g_exhausted = {PyObject_HEAD_INIT(&PyBaseObject_Type)};

PyObject* exhausted() { return reinterpret_cast<PyObject*>(&g_exhausted); }

template <class Iter>
void drop_sequence(Iter* it) {
  auto* sequence = it->it_seq;
  it->it_seq = nullptr;
  Py_XDECREF(sequence);
}

PyObject* next_of_any(PyObject* iterator) {
  PyObject* item = Py_TYPE(iterator)->tp_iternext(iterator);
  if (PSYCO_LIKELY(item != nullptr)) return item;
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return nullptr;
    PyErr_Clear();
  }
  return exhausted();
}

PyObject* new_range_iter(int64_t start, int64_t step, int64_t remaining) {
  RangeIter* it = PyObject_New(RangeIter, &PyRangeIter_Type);
  if (!it) return nullptr;
  it->start = start;
  it->step = step;
  it->len = remaining < 0 ? 0 : remaining;
  return reinterpret_cast<PyObject*>(it);
}

int64_t number(PyObject* object) {
  int64_t value = 0;
  psyco_unbox_big_int(object, &value);
  return value;
}

}  // namespace

namespace psyco {
PyObject* exhausted_object() { return exhausted(); }
}  // namespace psyco

extern "C" {

PyObject* psyco_exhausted_object() { return exhausted(); }

PyObject* psyco_get_iter(PyObject* iterable) { return PyObject_GetIter(iterable); }

PyObject* psyco_iter_next(PyObject* iterator) {
  PyTypeObject* type = Py_TYPE(iterator);
  if (type == &PyRangeIter_Type) {
    RangeIter* it = reinterpret_cast<RangeIter*>(iterator);
    if (it->len <= 0) return exhausted();
    long value = it->start;
    it->start = value + it->step;
    it->len--;
    return psyco_box_int(value);
  }
  if (type == &PyListIter_Type) {
    ListIter* it = reinterpret_cast<ListIter*>(iterator);
    PyListObject* list = it->it_seq;
    if (list && static_cast<size_t>(it->it_index) < static_cast<size_t>(PyList_GET_SIZE(list)))
      return Py_NewRef(PyList_GET_ITEM(list, it->it_index++));
    it->it_index = -1;
    drop_sequence(it);
    return exhausted();
  }
  if (type == &PyTupleIter_Type) {
    TupleIter* it = reinterpret_cast<TupleIter*>(iterator);
    PyTupleObject* tuple = it->it_seq;
    if (tuple && it->it_index < PyTuple_GET_SIZE(tuple))
      return Py_NewRef(PyTuple_GET_ITEM(tuple, it->it_index++));
    drop_sequence(it);
    return exhausted();
  }
  return next_of_any(iterator);
}

PyObject* psyco_get_yield_from_iter(PyObject* iterable, int64_t code_flags) {
  if (PyCoro_CheckExact(iterable)) {
    if (code_flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE)) return Py_NewRef(iterable);
    PyErr_SetString(PyExc_TypeError,
                    "cannot 'yield from' a coroutine object in a non-coroutine generator");
    return nullptr;
  }
  if (PyGen_CheckExact(iterable)) return Py_NewRef(iterable);
  return PyObject_GetIter(iterable);
}

PyObject* psyco_get_awaitable(PyObject* iterable, int64_t where) {
  PyObject* iterator = awaitable_iterator(iterable);
  if (!iterator) {
    set_awaitable_error(iterable, static_cast<int>(where));
    return nullptr;
  }
  if (!PyCoro_CheckExact(iterator)) return iterator;
  PyObject* awaited = awaited_by(iterator);
  if (!awaited) return iterator;
  Py_DECREF(awaited);
  Py_DECREF(iterator);
  PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
  return nullptr;
}

PyObject* psyco_get_aiter(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  unaryfunc getter = type->tp_as_async ? type->tp_as_async->am_aiter : nullptr;
  if (!getter) {
    PyErr_Format(PyExc_TypeError,
                 "'async for' requires an object with __aiter__ method, got %.100s", type->tp_name);
    return nullptr;
  }
  PyObject* iterator = getter(object);
  if (!iterator) return nullptr;
  if (Py_TYPE(iterator)->tp_as_async && Py_TYPE(iterator)->tp_as_async->am_anext) return iterator;
  PyErr_Format(PyExc_TypeError,
               "'async for' received an object from __aiter__ that does not implement __anext__: "
               "%.100s",
               Py_TYPE(iterator)->tp_name);
  Py_DECREF(iterator);
  return nullptr;
}

PyObject* psyco_get_anext(PyObject* iterator) {
  PyTypeObject* type = Py_TYPE(iterator);
  unaryfunc getter = type->tp_as_async ? type->tp_as_async->am_anext : nullptr;
  if (PyAsyncGen_CheckExact(iterator)) return getter(iterator);
  if (!getter) {
    PyErr_Format(PyExc_TypeError,
                 "'async for' requires an iterator with __anext__ method, got %.100s",
                 type->tp_name);
    return nullptr;
  }
  PyObject* next = getter(iterator);
  if (!next) return nullptr;
  PyObject* awaitable = awaitable_iterator(next);
  if (!awaitable)
    _PyErr_FormatFromCause(PyExc_TypeError,
                           "'async for' received an invalid object from __anext__: %.100s",
                           Py_TYPE(next)->tp_name);
  Py_DECREF(next);
  return awaitable;
}

PyObject* psyco_make_iterator(int64_t kind, PyObject** fields, int64_t count) {
  switch (static_cast<psyco::ir::VirtualKind>(kind)) {
    case psyco::ir::VirtualKind::RangeIter:
      return new_range_iter(number(fields[0]), number(fields[1]), number(fields[2]));
    case psyco::ir::VirtualKind::CountIter:
      return new_range_iter(number(fields[0]), 1, number(fields[1]) - number(fields[0]));
    case psyco::ir::VirtualKind::Range:
      return PyObject_Vectorcall(reinterpret_cast<PyObject*>(&PyRange_Type), fields, 3, nullptr);
    default: {
      // An iterator of a list, tuple, bytes or bytearray that has come to index.
      PyObject* iterator = PyObject_GetIter(fields[0]);
      if (!iterator) return nullptr;
      if (PyTuple_CheckExact(fields[0]))
        reinterpret_cast<TupleIter*>(iterator)->it_index = number(fields[1]);
      else  // those of bytes and bytearray are like a list's: see shapes::bytes_iter_type
        reinterpret_cast<ListIter*>(iterator)->it_index = number(fields[1]);
      return iterator;
    }
  }
}

}  // extern "C"
