// Structural pattern matching.
#include "runtime/helpers.h"

using namespace psyco::objects;

extern "C" {

PyObject* psyco_match_class(PyObject* subject, PyObject* type, PyObject* names,
                            int64_t positional) {
  PyObject* attributes = match_class(subject, type, static_cast<int>(positional), names);
  if (attributes || PyErr_Occurred()) return attributes;
  return Py_NewRef(Py_None);
}

PyObject* psyco_match_keys(PyObject* subject, PyObject* keys) { return match_keys(subject, keys); }

int64_t psyco_match_mapping(PyObject* subject) {
  return (Py_TYPE(subject)->tp_flags & Py_TPFLAGS_MAPPING) != 0;
}

int64_t psyco_match_sequence(PyObject* subject) {
  return (Py_TYPE(subject)->tp_flags & Py_TPFLAGS_SEQUENCE) != 0;
}

}  // extern "C"
