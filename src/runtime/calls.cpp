// Calls. The kinds of callable that the interpreter specialises are called directly: Python
// functions through their vectorcall (compiled ones thereby natively), C functions and methods by
// their flags, and plain Python classes without the detour through type.__call__.
//
// Arguments are borrowed. args[-1] is scratch: it takes self, or lets the callee prepend its own.
#include "runtime/helpers.h"
#include "runtime/visible.h"

using namespace psyco::objects;

namespace {

constexpr int kCallFlags =
    METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD;

using FastCall = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);
using FastCallKeywords = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

// A C function that fails without an exception, or succeeds with one, is reported as everywhere
// else.
PyObject* checked(PyObject* callable, PyObject* result) {
  if (PSYCO_LIKELY(result != nullptr)) return result;
  return _Py_CheckFunctionResult(current_thread(), callable, result, nullptr);
}

// The frame the call needs is C's: one level of C recursion, as vectorcall functions would count.
PyObject* call_one(PyCFunction function, PyObject* self, PyObject* arg, PyObject* callable) {
  PyThreadState* ts = current_thread();
  if (!enter_c_call(ts)) return nullptr;
  PyObject* result = function(self, arg);
  leave_c_call(ts);
  return checked(callable, result);
}

template <class F>
F function_as(PyCFunction function) {
  return reinterpret_cast<F>(reinterpret_cast<void (*)()>(function));
}

// scratch: args[-1] may be overwritten.
PyObject* call_general(PyObject* callable, PyObject** args, size_t count, bool scratch,
                       PyObject* names) {
  return PyObject_Vectorcall(callable, args,
                             scratch ? count | PY_VECTORCALL_ARGUMENTS_OFFSET : count, names);
}

PyObject* call_c_function(PyObject* callable, PyObject** args, size_t count, bool scratch) {
  PyCFunction function = PyCFunction_GET_FUNCTION(callable);
  switch (PyCFunction_GET_FLAGS(callable) & kCallFlags) {
    case METH_O:
      if (count != 1) break;
      return call_one(function, PyCFunction_GET_SELF(callable), args[0], callable);
    case METH_NOARGS:
      if (count != 0) break;
      return call_one(function, PyCFunction_GET_SELF(callable), nullptr, callable);
    case METH_FASTCALL:
      return checked(callable, function_as<FastCall>(function)(PyCFunction_GET_SELF(callable), args,
                                                               static_cast<Py_ssize_t>(count)));
    case METH_FASTCALL | METH_KEYWORDS:
      return checked(callable, function_as<FastCallKeywords>(function)(
                                   PyCFunction_GET_SELF(callable), args,
                                   static_cast<Py_ssize_t>(count), nullptr));
    default:
      break;
  }
  return call_general(callable, args, count, scratch, nullptr);
}

PyObject* call_method_descriptor(PyObject* callable, PyObject** args, size_t count, bool scratch) {
  PyMethodDescrObject* method = reinterpret_cast<PyMethodDescrObject*>(callable);
  PyMethodDef* def = method->d_method;
  if (count >= 1 && Py_IS_TYPE(args[0], method->d_common.d_type)) {
    Py_ssize_t rest = static_cast<Py_ssize_t>(count) - 1;
    switch (def->ml_flags & kCallFlags) {
      case METH_O:
        if (rest != 1) break;
        return call_one(def->ml_meth, args[0], args[1], callable);
      case METH_NOARGS:
        if (rest != 0) break;
        return call_one(def->ml_meth, args[0], nullptr, callable);
      case METH_FASTCALL:
        return checked(callable, function_as<FastCall>(def->ml_meth)(args[0], args + 1, rest));
      case METH_FASTCALL | METH_KEYWORDS:
        return checked(callable, function_as<FastCallKeywords>(def->ml_meth)(args[0], args + 1,
                                                                             rest, nullptr));
      default:
        break;
    }
  }
  return call_general(callable, args, count, scratch, nullptr);
}

// C(...) of a class whose making is object.__new__ and a Python __init__. Needs the scratch word.
PyObject* construct(PyTypeObject* type, PyObject* init, PyObject** args, size_t count,
                    PyObject* names) {
  PyObject* object = new_instance(type);
  if (!object) return nullptr;
  args[-1] = object;
  Py_INCREF(init);
  PyObject* result = PyObject_Vectorcall(init, args - 1, count + 1, names);
  Py_DECREF(init);
  bool fine = result && psyco_exit_init_check(result) == 0;
  Py_XDECREF(result);
  if (fine) return object;
  Py_DECREF(object);
  return nullptr;
}

PyObject* call_class(PyTypeObject* type, PyObject** args, size_t count, bool scratch) {
  PyObject* callable = reinterpret_cast<PyObject*>(type);
  if (type->tp_vectorcall && Py_IS_TYPE(type, &PyType_Type)) {
    if (type == &PyType_Type && count == 1)
      return Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(args[0])));
    if (type == &PyUnicode_Type && count == 1) return PyObject_Str(args[0]);
    return checked(
        callable,
        type->tp_vectorcall(callable, args,
                            scratch ? count | PY_VECTORCALL_ARGUMENTS_OFFSET : count, nullptr));
  }
  if (scratch)
    if (PyObject* init = plain_init(type)) return construct(type, init, args, count, nullptr);
  return call_general(callable, args, count, scratch, nullptr);
}

// An object's own arguments in front: self of the call site, or of a bound method.
struct Target {
  PyObject* callable;
  PyObject** args;
  size_t count;
  bool scratch;
};
inline Target resolve(PyObject* callable, PyObject* self, PyObject** args, int64_t count) {
  size_t n = static_cast<size_t>(count);
  if (!self && Py_IS_TYPE(callable, &PyMethod_Type)) {
    self = PyMethod_GET_SELF(callable);
    callable = PyMethod_GET_FUNCTION(callable);
  }
  if (!self) return {callable, args, n, true};
  args[-1] = self;
  return {callable, args - 1, n + 1, false};
}

}  // namespace

extern "C" {

PyObject* psyco_vectorcall(PyObject* callable, PyObject* self, PyObject** args, int64_t count) {
  Target t = resolve(callable, self, args, count);
  PyTypeObject* type = Py_TYPE(t.callable);
  if (type == &PyFunction_Type) {
    PyFunctionObject* function = reinterpret_cast<PyFunctionObject*>(t.callable);
    return function->vectorcall(t.callable, t.args,
                                t.scratch ? t.count | PY_VECTORCALL_ARGUMENTS_OFFSET : t.count,
                                nullptr);
  }
  if (type == &PyCFunction_Type) return call_c_function(t.callable, t.args, t.count, t.scratch);
  if (type == &PyMethodDescr_Type)
    return call_method_descriptor(t.callable, t.args, t.count, t.scratch);
  if (PyType_Check(t.callable))
    return call_class(reinterpret_cast<PyTypeObject*>(t.callable), t.args, t.count, t.scratch);
  return call_general(t.callable, t.args, t.count, t.scratch, nullptr);
}

PyObject* psyco_call_quiet(PyObject* callable, PyObject* self, PyObject** args, int64_t count) {
  return psyco_vectorcall(callable, self, args, count);
}

// Two kinds of callables look at the frame without asking for a proxy of its variables: super()
// wants the first local and the class cell, and locals() and its kin ask whether the frame of a
// module has hidden variables (of a comprehension) set.
PyObject* psyco_vectorcall_seen(PyObject* callable, PyObject* self, PyObject** args,
                                int64_t count) {
  if (callable == reinterpret_cast<PyObject*>(&PySuper_Type) || PyCFunction_CheckExact(callable))
    psyco::fill_current_frame(_PyThreadState_GET());
  return psyco_vectorcall(callable, self, args, count);
}

PyObject* psyco_vectorcall_kw(PyObject* callable, PyObject* self, PyObject* names, PyObject** args,
                              int64_t count) {
  Target t = resolve(callable, self, args, count);
  size_t positional = t.count - static_cast<size_t>(PyTuple_GET_SIZE(names));
  if (t.scratch && PyType_Check(t.callable)) {
    PyTypeObject* type = reinterpret_cast<PyTypeObject*>(t.callable);
    PyObject* init = type->tp_vectorcall ? nullptr : plain_init(type);
    if (init) return construct(type, init, t.args, positional, names);
  }
  return call_general(t.callable, t.args, positional, t.scratch, names);
}

PyObject* psyco_call_ex(PyObject* callable, PyObject* args, PyObject* kwargs) {
  if (PyTuple_CheckExact(args)) return PyObject_Call(callable, args, kwargs);
  if (!Py_TYPE(args)->tp_iter && !PySequence_Check(args)) {
    set_args_error(callable, args);
    return nullptr;
  }
  PyObject* tuple = PySequence_Tuple(args);
  if (!tuple) return nullptr;
  PyObject* result = PyObject_Call(callable, tuple, kwargs);
  Py_DECREF(tuple);
  return result;
}

PyObject* psyco_new_instance(PyObject* type) {
  return new_instance(reinterpret_cast<PyTypeObject*>(type));
}

int64_t psyco_exit_init_check(PyObject* result) {
  if (PSYCO_LIKELY(result == Py_None)) return 0;
  PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'",
               Py_TYPE(result)->tp_name);
  return -1;
}

}  // extern "C"
