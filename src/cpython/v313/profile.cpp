// CPython 3.13's specialised opcodes (Include/opcode_ids.h) as operand types.
#include "cpython/profile.h"

#include <opcode_ids.h>

namespace psyco {

SpecialisedTypes specialised_types(const Bytecode& bc) {
  switch (bc.adaptive) {
    case BINARY_OP_ADD_INT:
    case BINARY_OP_SUBTRACT_INT:
    case BINARY_OP_MULTIPLY_INT:
    case COMPARE_OP_INT:
      return {&PyLong_Type, &PyLong_Type};
    case BINARY_OP_ADD_FLOAT:
    case BINARY_OP_SUBTRACT_FLOAT:
    case BINARY_OP_MULTIPLY_FLOAT:
    case COMPARE_OP_FLOAT:
      return {&PyFloat_Type, &PyFloat_Type};
    case BINARY_OP_ADD_UNICODE:
    case BINARY_OP_INPLACE_ADD_UNICODE:
    case COMPARE_OP_STR:
      return {&PyUnicode_Type, &PyUnicode_Type};
    case BINARY_SUBSCR_LIST_INT:
    case STORE_SUBSCR_LIST_INT:
      return {&PyList_Type, &PyLong_Type};
    case BINARY_SUBSCR_TUPLE_INT:
      return {&PyTuple_Type, &PyLong_Type};
    case BINARY_SUBSCR_STR_INT:
      return {&PyUnicode_Type, &PyLong_Type};
    case BINARY_SUBSCR_DICT:
    case STORE_SUBSCR_DICT:
      return {&PyDict_Type, nullptr};
    case TO_BOOL_BOOL:
      return {&PyBool_Type, nullptr};
    case TO_BOOL_INT:
      return {&PyLong_Type, nullptr};
    case TO_BOOL_LIST:
      return {&PyList_Type, nullptr};
    case TO_BOOL_NONE:
      return {Py_TYPE(Py_None), nullptr};
    case TO_BOOL_STR:
      return {&PyUnicode_Type, nullptr};
    case UNPACK_SEQUENCE_TUPLE:
    case UNPACK_SEQUENCE_TWO_TUPLE:
      return {&PyTuple_Type, nullptr};
    case UNPACK_SEQUENCE_LIST:
      return {&PyList_Type, nullptr};
    default:
      return {};
  }
}

bool called_c_method(const Bytecode& bc) {
  switch (bc.adaptive) {
    case CALL_METHOD_DESCRIPTOR_FAST:
    case CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS:
    case CALL_METHOD_DESCRIPTOR_NOARGS:
    case CALL_METHOD_DESCRIPTOR_O:
    case CALL_NON_PY_GENERAL:
      return true;
    default:
      return false;
  }
}

}  // namespace psyco
