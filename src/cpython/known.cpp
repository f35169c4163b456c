#include "cpython/known.h"

#include <cmath>
#include <cstring>

namespace psyco::known {

namespace {

using F1 = double (*)(double);
using F2 = double (*)(double, double);
#define ONE(kind, name) \
  { MathFunction::kind, #name, 1, reinterpret_cast<const void*>(static_cast<F1>(name)) }
#define TWO(kind, name) \
  { MathFunction::kind, #name, 2, reinterpret_cast<const void*>(static_cast<F2>(name)) }
// Modules/mathmodule.c calls exactly these for float arguments.
const MathFunction kMath[] = {
    {MathFunction::Sqrt, "sqrt", 1, nullptr},
    {MathFunction::Fabs, "fabs", 1, nullptr},
    ONE(Finite, sin),
    ONE(Finite, cos),
    ONE(Finite, tan),
    ONE(Finite, asin),
    ONE(Finite, acos),
    ONE(Finite, atan),
    ONE(Finite, sinh),
    ONE(Finite, cosh),
    ONE(Finite, tanh),
    ONE(Finite, exp),
    ONE(Finite, log),
    ONE(Finite, log2),
    ONE(Finite, log10),
    ONE(Finite, log1p),
    ONE(Finite, expm1),
    TWO(Finite, pow),
    TWO(Finite, atan2),
};
#undef ONE
#undef TWO

// Objects/unicodeobject.c and its like: what these call is C code over the objects' own memory.
const QuietFunction kQuiet[] = {
    {nullptr, "ord", &PyLong_Type},
    {nullptr, "chr", &PyUnicode_Type},
    {nullptr, "hex", &PyUnicode_Type},
    {nullptr, "bin", &PyUnicode_Type},
    {nullptr, "oct", &PyUnicode_Type},
    {&PyUnicode_Type, "capitalize", &PyUnicode_Type},
    {&PyUnicode_Type, "casefold", &PyUnicode_Type},
    {&PyUnicode_Type, "center", &PyUnicode_Type},
    {&PyUnicode_Type, "count", &PyLong_Type},
    {&PyUnicode_Type, "endswith", &PyBool_Type},
    {&PyUnicode_Type, "expandtabs", &PyUnicode_Type},
    {&PyUnicode_Type, "find", &PyLong_Type},
    {&PyUnicode_Type, "index", &PyLong_Type},
    {&PyUnicode_Type, "isalnum", &PyBool_Type},
    {&PyUnicode_Type, "isalpha", &PyBool_Type},
    {&PyUnicode_Type, "isascii", &PyBool_Type},
    {&PyUnicode_Type, "isdecimal", &PyBool_Type},
    {&PyUnicode_Type, "isdigit", &PyBool_Type},
    {&PyUnicode_Type, "isidentifier", &PyBool_Type},
    {&PyUnicode_Type, "islower", &PyBool_Type},
    {&PyUnicode_Type, "isnumeric", &PyBool_Type},
    {&PyUnicode_Type, "isprintable", &PyBool_Type},
    {&PyUnicode_Type, "isspace", &PyBool_Type},
    {&PyUnicode_Type, "istitle", &PyBool_Type},
    {&PyUnicode_Type, "isupper", &PyBool_Type},
    {&PyUnicode_Type, "join", &PyUnicode_Type, QuietFunction::Sequence},
    {&PyUnicode_Type, "ljust", &PyUnicode_Type},
    {&PyUnicode_Type, "lower", &PyUnicode_Type},
    {&PyUnicode_Type, "lstrip", &PyUnicode_Type},
    {&PyUnicode_Type, "partition", &PyTuple_Type},
    {&PyUnicode_Type, "removeprefix", &PyUnicode_Type},
    {&PyUnicode_Type, "removesuffix", &PyUnicode_Type},
    {&PyUnicode_Type, "replace", &PyUnicode_Type},
    {&PyUnicode_Type, "rfind", &PyLong_Type},
    {&PyUnicode_Type, "rindex", &PyLong_Type},
    {&PyUnicode_Type, "rjust", &PyUnicode_Type},
    {&PyUnicode_Type, "rpartition", &PyTuple_Type},
    {&PyUnicode_Type, "rsplit", &PyList_Type},
    {&PyUnicode_Type, "rstrip", &PyUnicode_Type},
    {&PyUnicode_Type, "split", &PyList_Type},
    {&PyUnicode_Type, "splitlines", &PyList_Type},
    {&PyUnicode_Type, "startswith", &PyBool_Type},
    {&PyUnicode_Type, "strip", &PyUnicode_Type},
    {&PyUnicode_Type, "swapcase", &PyUnicode_Type},
    {&PyUnicode_Type, "title", &PyUnicode_Type},
    {&PyUnicode_Type, "upper", &PyUnicode_Type},
    {&PyUnicode_Type, "zfill", &PyUnicode_Type},
    {&PyLong_Type, "bit_count", &PyLong_Type},
    {&PyLong_Type, "bit_length", &PyLong_Type},
    {&PyFloat_Type, "is_integer", &PyBool_Type},
    {&PyList_Type, "copy", &PyList_Type},
    {&PyList_Type, "pop", nullptr},
    {&PyList_Type, "reverse", Py_TYPE(Py_None)},
    {&PyDict_Type, "items", &PyDictItems_Type},
    {&PyDict_Type, "keys", &PyDictKeys_Type},
    {&PyDict_Type, "values", &PyDictValues_Type},
};

bool is_module(PyObject* self, const char* name) {
  return self && PyModule_CheckExact(self) && PyModule_GetName(self) &&
         std::strcmp(PyModule_GetName(self), name) == 0;
}

}  // namespace

Builtin builtin(PyObject* function) {
  if (!PyCFunction_CheckExact(function)) return Builtin::None;
  auto* f = reinterpret_cast<PyCFunctionObject*>(function);
  const char* name = f->m_ml->ml_name;
  if (!std::strcmp(name, "getrefcount") && is_module(f->m_self, "sys")) return Builtin::GetRefCount;
  if (!is_module(f->m_self, "builtins")) return Builtin::None;
  if (!std::strcmp(name, "len")) return Builtin::Len;
  if (!std::strcmp(name, "abs")) return Builtin::Abs;
  if (!std::strcmp(name, "min")) return Builtin::Min;
  if (!std::strcmp(name, "max")) return Builtin::Max;
  if (!std::strcmp(name, "isinstance")) return Builtin::IsInstance;
  if (!std::strcmp(name, "divmod")) return Builtin::DivMod;
  return Builtin::None;
}

const MathFunction* math_function(PyObject* function) {
  if (!PyCFunction_CheckExact(function)) return nullptr;
  auto* f = reinterpret_cast<PyCFunctionObject*>(function);
  if (!is_module(f->m_self, "math")) return nullptr;
  for (const MathFunction& m : kMath)
    if (!std::strcmp(m.name, f->m_ml->ml_name)) return &m;
  return nullptr;
}

const QuietFunction* quiet_function(PyObject* callable) {
  PyTypeObject* owner = nullptr;
  const char* name;
  if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
    auto* d = reinterpret_cast<PyMethodDescrObject*>(callable);
    owner = d->d_common.d_type;
    name = d->d_method->ml_name;
  } else if (PyCFunction_CheckExact(callable)) {
    auto* f = reinterpret_cast<PyCFunctionObject*>(callable);
    if (!is_module(f->m_self, "builtins")) return nullptr;
    name = f->m_ml->ml_name;
  } else {
    return nullptr;
  }
  for (const QuietFunction& quiet : kQuiet)
    if (quiet.owner == owner && !std::strcmp(quiet.name, name)) return &quiet;
  return nullptr;
}

bool is_list_append(PyObject* descriptor) {
  if (!Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) return false;
  auto* d = reinterpret_cast<PyMethodDescrObject*>(descriptor);
  return d->d_common.d_type == &PyList_Type && !std::strcmp(d->d_method->ml_name, "append");
}

}  // namespace psyco::known
