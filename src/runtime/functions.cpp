// Making functions and bound methods; the interpreter's intrinsic functions.
#include "runtime/helpers.h"

using namespace psyco::objects;

extern "C" {

PyObject* psyco_make_function(PyObject* code, PyObject* globals) {
  PyObject* function = PyFunction_New(code, globals);
  if (function) set_function_version(function, code);
  return function;
}

void psyco_set_function_attribute(PyObject* function, PyObject* value, int64_t flag) {
  set_function_attribute(function, value, static_cast<int>(flag));
}

PyObject* psyco_intrinsic_1(PyObject* value, int64_t number) {
  return apply_intrinsic_1(static_cast<int>(number), value);
}

PyObject* psyco_intrinsic_2(PyObject* lower, PyObject* top, int64_t number) {
  return apply_intrinsic_2(static_cast<int>(number), lower, top);
}

PyObject* psyco_make_method(PyObject* function, PyObject* self) {
  return PyMethod_New(function, self);
}

}  // extern "C"
