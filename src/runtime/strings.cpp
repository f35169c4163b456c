// Strings: appending in place, f-strings and conversions.
#include "runtime/helpers.h"

using namespace psyco::objects;

extern "C" {

// The interpreter's BINARY_OP_INPLACE_ADD_UNICODE: the caller has moved the reference out of the
// local that the result goes to, so a string nobody else holds grows in place and a loop of `s +=
// x` is linear.
PyObject* psyco_append_string(PyObject* left, PyObject* right) {
  PyUnicode_Append(&left, right);  // on failure: left released, null, error set
  return left;
}

PyObject* psyco_concat_strings(PyObject* left, PyObject* right) {
  return PyUnicode_Concat(left, right);
}

PyObject* psyco_build_string(PyObject** items, int64_t count) {
  return join_strings(items, static_cast<Py_ssize_t>(count));
}

PyObject* psyco_format_simple(PyObject* value) {
  if (PyUnicode_CheckExact(value)) return Py_NewRef(value);
  return PyObject_Format(value, nullptr);
}

PyObject* psyco_format_with_spec(PyObject* value, PyObject* spec) {
  return PyObject_Format(value, spec);
}

PyObject* psyco_convert_value(PyObject* value, int64_t conversion) {
  if (conversion == 1 && PyUnicode_CheckExact(value)) return Py_NewRef(value);
  return apply_conversion(static_cast<int>(conversion), value);
}

}  // extern "C"
