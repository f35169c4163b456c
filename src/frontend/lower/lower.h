// What the lowering files share: predictions from inline caches, and the operators' numbers.
#pragma once
#include "cpython/profile.h"
#include "frontend/builder.h"

namespace psyco {

// NB_* of opcode.h, which every version numbers alike (checked in lower/predict.cpp).
enum : int {
  kNbAdd = 0,
  kNbAnd = 1,
  kNbFloorDivide = 2,
  kNbLshift = 3,
  kNbMatrixMultiply = 4,
  kNbMultiply = 5,
  kNbRemainder = 6,
  kNbOr = 7,
  kNbPower = 8,
  kNbRshift = 9,
  kNbSubtract = 10,
  kNbTrueDivide = 11,
  kNbXor = 12,
  kNbInplaceAdd = 13,
};

bool is_arithmetic(PyTypeObject* type);   // int, float, bool
bool quiet_operand(Builder& f, AVId id);  // operators on it run no Python code
PyTypeObject* generic_result_type(Builder& f, int op, AVId left, AVId right);
bool comparison_is_bool(PyTypeObject* left, PyTypeObject* right);

void lower_subscript(Builder& f, const Bytecode& bc);
// Items of bytes, bytearray and array.array. False: not covered. Load: pushes. Neither drops.
bool lower_buffer_load(Builder& f, AVId container, AVId key);
bool lower_buffer_store(Builder& f, AVId container, AVId key, AVId value);
// Calls `callable` (and self, or kNoAV) with args already popped; pushes the result. For Call and
// friends.
void lower_known_call(Builder& f, AVId callable, AVId self, std::vector<AVId> args,
                      bool direct = false);
bool lower_builtin(Builder& f, PyObject* function, AVId self, const std::vector<AVId>& args);

// An index ready for use: wrapped if it may be negative, checked against length.
ir::Value* checked_index(Builder& f, AVId index, ir::Value* length);

}  // namespace psyco
