// The interpreter's specialised opcodes as operand types, by profile.def and the version's
// own_profile.def.
#include "cpython/profile.h"

#include <opcode_ids.h>

namespace psyco {

SpecialisedTypes specialised_types(const Bytecode& bc) {
  [[maybe_unused]] PyTypeObject *const Int = &PyLong_Type, *const Float = &PyFloat_Type,
                                       *const Str = &PyUnicode_Type, *const List = &PyList_Type,
                                       *const Tuple = &PyTuple_Type, *const Dict = &PyDict_Type,
                                       *const Bool = &PyBool_Type, *const None = Py_TYPE(Py_None),
                                       *const Any = nullptr;
  switch (bc.adaptive) {
#define CALLS_C_METHOD(opcode)
#define OPERANDS(opcode, left, right) \
  case opcode:                        \
    return {left, right};
#include "cpython/profile.def"
#include "own_profile.def"
#undef OPERANDS
#undef CALLS_C_METHOD
    default:
      return {};
  }
}

bool called_c_method(const Bytecode& bc) {
  switch (bc.adaptive) {
#define CALLS_C_METHOD(opcode) case opcode:
#define OPERANDS(opcode, left, right)
#include "cpython/profile.def"
#include "own_profile.def"
#undef OPERANDS
#undef CALLS_C_METHOD
    return true;
    default:
      return false;
  }
}

}  // namespace psyco
