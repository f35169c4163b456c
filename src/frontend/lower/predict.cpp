// Predictions that need no port: what an operator's result will be, when its operands are known.
#include "frontend/lower/lower.h"

namespace psyco {

bool is_arithmetic(PyTypeObject* type) {
  return type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type;
}

// Proved result type of a general operator call.
PyTypeObject* generic_result_type(Builder& f, int op, AVId left, AVId right) {
  PyTypeObject *a = f.type_of(left), *b = f.type_of(right);
  auto integer = [](PyTypeObject* t) { return t == &PyLong_Type || t == &PyBool_Type; };
  if (integer(a) && integer(b)) {
    if (op == kNbTrueDivide) return &PyFloat_Type;
    if (op == kNbPower || op == kNbMatrixMultiply) return nullptr;
    if (a == &PyBool_Type && b == &PyBool_Type) return nullptr;
    return &PyLong_Type;
  }
  if (a == &PyFloat_Type && (b == &PyFloat_Type || integer(b))) {
    if (op == kNbAdd || op == kNbSubtract || op == kNbMultiply || op == kNbTrueDivide)
      return &PyFloat_Type;
  }
  if (a == &PyUnicode_Type && b == &PyUnicode_Type && op == kNbAdd) return &PyUnicode_Type;
  return nullptr;
}

bool comparison_is_bool(PyTypeObject* left, PyTypeObject* right) {
  auto plain = [](PyTypeObject* type) {
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyBytes_Type ||
           type == &PyFloat_Type || type == &PyBool_Type || type == Py_TYPE(Py_None);
  };
  return plain(left) && plain(right);
}

bool quiet_operand(Builder& f, AVId id) {
  PyTypeObject* type = f.type_of(id);
  return type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type ||
         type == &PyUnicode_Type;
}

}  // namespace psyco
