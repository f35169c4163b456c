// Closure cells, and the error for whatever is not bound.
#include "runtime/helpers.h"

using namespace psyco::objects;

namespace {
PyObject*& contents_of(PyObject* cell) { return reinterpret_cast<PyCellObject*>(cell)->ob_ref; }
}  // namespace

extern "C" {

PyObject* psyco_make_cell(PyObject* contents) { return PyCell_New(contents); }

PyObject* psyco_load_cell(PyObject* cell, PyObject* code, int64_t index) {
  PyObject* value = contents_of(cell);
  if (PSYCO_LIKELY(value != nullptr)) return Py_NewRef(value);
  set_unbound_error(code, static_cast<int>(index));
  return nullptr;
}

void psyco_store_cell(PyObject* cell, PyObject* value) {
  PyObject* old = contents_of(cell);
  contents_of(cell) = Py_NewRef(value);
  Py_XDECREF(old);
}

int64_t psyco_delete_cell(PyObject* cell, PyObject* code, int64_t index) {
  PyObject* old = contents_of(cell);
  if (!old) {
    set_unbound_error(code, static_cast<int>(index));
    return -1;
  }
  contents_of(cell) = nullptr;
  Py_DECREF(old);
  return 0;
}

int64_t psyco_raise_unbound(PyObject* code, int64_t index) {
  set_unbound_error(code, static_cast<int>(index));
  return -1;
}

}  // extern "C"
