// Functions of the standard library that the compiler has its own code for, recognised by identity.
#pragma once
#include "cpython/port.h"

namespace psyco::known {

enum class Builtin : uint8_t { None, Len, Abs, Min, Max, IsInstance, DivMod, GetRefCount };
Builtin builtin(PyObject* function);

struct MathFunction {
  enum Kind : uint8_t {
    Sqrt,    // own instruction
    Fabs,    // own instruction
    Total,   // the C function's answer is Python's for every double
    Finite,  // the same if the answer is finite; else the module may raise
  } kind;
  const char* name;
  int arity;
  const void* address;  // double (*)(double) or double (*)(double, double)
};
const MathFunction* math_function(PyObject* function);

bool is_list_append(PyObject* descriptor);

// A C function or method that, for an object of exactly `owner` (null: a function of builtins) and
// such arguments, runs no Python code and looks at no frame.
struct QuietFunction {
  enum Arguments : uint8_t {
    Scalars,   // exact str, bytes, int, float, bool, None, or tuples of str
    Sequence,  // an exact list or tuple
  };
  PyTypeObject* owner;
  const char* name;
  PyTypeObject* result;  // of exactly this class, if it gives anything; null: any
  Arguments arguments = Scalars;
};
const QuietFunction* quiet_function(PyObject* callable);

}  // namespace psyco::known
