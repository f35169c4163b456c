#include "runtime/reserve.h"

#include <internal/pycore_list.h>
#include <internal/pycore_tuple.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "cpython/objects.h"
#include "support/check.h"

namespace psyco::reserve {
namespace {

bool g_taken = true;  // something is missing

// Spare objects of one kind.
class Stock {
 public:
  Stock(int size, PyObject* (*make)()) : size_(size), make_(make) {}
  bool fill() {
    while (count_ < size_) {
      PyObject* spare = make_();
      if (!spare) {
        PyErr_Clear();
        return false;
      }
      if (PyObject_IS_GC(spare) && PyObject_GC_IsTracked(spare)) PyObject_GC_UnTrack(spare);
      spares_[count_++] = spare;
    }
    return true;
  }
  PyObject* take() {
    PyErr_Clear();
    g_taken = true;
    return count_ ? spares_[--count_] : nullptr;
  }
  bool half_gone() const { return count_ <= size_ / 2; }

 private:
  static constexpr int kMost = 256;
  int size_, count_ = 0;
  PyObject* (*make_)();
  PyObject* spares_[kMost];
};

constexpr Py_ssize_t kItems = 16;  // a spare tuple may become any that is smaller

PyObject* iterator_of(PyObject* sequence) {
  PyObject* iterator = sequence ? PyObject_GetIter(sequence) : nullptr;
  Py_XDECREF(sequence);
  return iterator;
}

Stock g_integers(256, [] { return PyLong_FromLongLong(INT64_MIN); });  // all digits there may be
Stock g_numbers(256, [] { return PyFloat_FromDouble(0.0); });
Stock g_tuples(32, [] { return PyTuple_New(kItems); });
Stock g_range_iterators(32, [] {
  return reinterpret_cast<PyObject*>(PyObject_New(_PyRangeIterObject, &PyRangeIter_Type));
});
Stock g_list_iterators(16, [] { return iterator_of(PyList_New(0)); });
Stock g_tuple_iterators(16, [] { return iterator_of(PyTuple_New(0)); });
Stock g_bytes_iterators(8, [] { return iterator_of(PyBytes_FromStringAndSize(nullptr, 0)); });
Stock g_bytearray_iterators(8,
                            [] { return iterator_of(PyByteArray_FromStringAndSize(nullptr, 0)); });
Stock g_methods(32,
                [] { return PyMethod_New(reinterpret_cast<PyObject*>(&PyType_Type), Py_None); });
PyObject* g_exhausted = nullptr;

// For what psyco itself allocates, the lists of an exit record among it: C++ has no answer to a
// failure in the middle of that. Blocks small enough that malloc serves other requests from them.
constexpr size_t kBlockBytes = 64 * 1024;
void* g_blocks[16];

bool fill_blocks() {
  for (void*& block : g_blocks)
    if (!block && !(block = std::malloc(kBlockBytes))) return false;
  return true;
}

void give_blocks() {
  bool any = false;
  for (void*& block : g_blocks) {
    any |= block != nullptr;
    std::free(block);
    block = nullptr;
  }
  g_taken = true;
  if (any) return;  // the allocation is tried again
  std::fputs("psyco: out of memory, its reserve included\n", stderr);
  std::abort();
}

}  // namespace

void start() {
  std::set_new_handler(give_blocks);
  fill();
}

bool can_spare(size_t bytes) {
  void* room = std::malloc(bytes);
  std::free(room);
  return room != nullptr;
}

void fill() {
  if (!g_taken) return;
  if (!g_exhausted && !(g_exhausted = iterator_of(PyTuple_New(0)))) return PyErr_Clear();
  bool full = fill_blocks();
  for (Stock* stock : {&g_integers, &g_numbers, &g_tuples, &g_range_iterators, &g_list_iterators,
                       &g_tuple_iterators, &g_bytes_iterators, &g_bytearray_iterators, &g_methods})
    full &= stock->fill();
  g_taken = !full;
}

PyObject* integer(int64_t value) {
  if (value >= objects::kSmallIntMin && value < objects::kSmallIntEnd)
    return Py_NewRef(objects::small_int(value));
  PyObject* spare = g_integers.take();
  if (!spare) return nullptr;
  const uint64_t magnitude =
      value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  const int digits = magnitude >> PyLong_SHIFT == 0 ? 1 : magnitude >> (2 * PyLong_SHIFT) ? 3 : 2;
  objects::overwrite_int(spare, value, digits);
  return spare;
}

PyObject* number(double value) {
  PyObject* spare = g_numbers.take();
  if (spare) reinterpret_cast<PyFloatObject*>(spare)->ob_fval = value;
  return spare;
}

PyObject* tuple(Py_ssize_t size) {
  if (size == 0 || size > kItems) return nullptr;
  PyObject* spare = g_tuples.take();
  if (spare) Py_SET_SIZE(spare, size);
  return spare;
}

PyObject* range_iterator() { return g_range_iterators.take(); }

PyObject* iterator(PyObject* sequence) {
  Stock* stock = PyList_CheckExact(sequence)        ? &g_list_iterators
                 : PyTuple_CheckExact(sequence)     ? &g_tuple_iterators
                 : PyBytes_CheckExact(sequence)     ? &g_bytes_iterators
                 : PyByteArray_CheckExact(sequence) ? &g_bytearray_iterators
                                                    : nullptr;
  PyObject* spare = stock ? stock->take() : nullptr;
  if (!spare) return nullptr;
  // All four alike: see shapes::bytes_iter_type.
  auto* list_iterator = reinterpret_cast<_PyListIterObject*>(spare);
  Py_XDECREF(list_iterator->it_seq);
  list_iterator->it_seq = reinterpret_cast<PyListObject*>(Py_NewRef(sequence));
  list_iterator->it_index = 0;
  PyObject_GC_Track(spare);
  return spare;
}

PyObject* method(PyObject* function, PyObject* self) {
  PyObject* spare = g_methods.take();
  if (!spare) return nullptr;
  auto* made = reinterpret_cast<PyMethodObject*>(spare);
  Py_SETREF(made->im_func, Py_NewRef(function));
  Py_SETREF(made->im_self, Py_NewRef(self));
  PyObject_GC_Track(spare);
  return spare;
}

PyObject* exhausted_iterator() { return Py_NewRef(g_exhausted ? g_exhausted : Py_None); }

namespace {
PyObject* soon(const Stock& stock, PyObject* spare) {
  PSYCO_CHECK(spare);
  if (stock.half_gone()) PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), PyExc_MemoryError);
  return spare;
}
}  // namespace

PyObject* integer_or_raise_soon(int64_t value) { return soon(g_integers, integer(value)); }
PyObject* number_or_raise_soon(double value) { return soon(g_numbers, number(value)); }

}  // namespace psyco::reserve
