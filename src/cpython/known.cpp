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

bool is_list_append(PyObject* descriptor) {
  if (!Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) return false;
  auto* d = reinterpret_cast<PyMethodDescrObject*>(descriptor);
  return d->d_common.d_type == &PyList_Type && !std::strcmp(d->d_method->ml_name, "append");
}

}  // namespace psyco::known
