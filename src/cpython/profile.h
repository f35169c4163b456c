// What the interpreter's specialised opcodes say about operands.
#pragma once
#include "cpython/bytecode.h"

namespace psyco {

struct SpecialisedTypes {
  PyTypeObject* left = nullptr;  // the only operand, the container, the iterable
  PyTypeObject* right = nullptr;
};
SpecialisedTypes specialised_types(const Bytecode& bc);

// A call that has been going to a C method of an object, or to an object that is no function.
bool called_c_method(const Bytecode& bc);

}  // namespace psyco
