// with, except and raise. The handled exception lives in the thread's exc_info, as in the
// interpreter.
#include "runtime/helpers.h"

using namespace psyco::objects;

namespace {

PyObject* enter(PyObject* manager, PyObject* enter_name, PyObject* exit_name, const char* missing,
                const char* missing_exit, PyObject** exit_out) {
  PyObject* enter_method = lookup_special(manager, enter_name);
  if (!enter_method) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, missing, Py_TYPE(manager)->tp_name);
    return nullptr;
  }
  PyObject* exit_method = lookup_special(manager, exit_name);
  if (!exit_method) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, missing_exit, Py_TYPE(manager)->tp_name);
    Py_DECREF(enter_method);
    return nullptr;
  }
  PyObject* result = PyObject_CallNoArgs(enter_method);
  Py_DECREF(enter_method);
  if (result)
    *exit_out = exit_method;
  else
    Py_DECREF(exit_method);
  return result;
}

// A class is called for its instance. New reference, or null with an error set.
PyObject* instance_of(PyObject* exception, const char* not_an_exception) {
  if (PyExceptionInstance_Check(exception)) return Py_NewRef(exception);
  if (!PyExceptionClass_Check(exception)) {
    PyErr_SetString(PyExc_TypeError, not_an_exception);
    return nullptr;
  }
  PyObject* value = PyObject_CallNoArgs(exception);
  if (!value || PyExceptionInstance_Check(value)) return value;
  PyErr_Format(PyExc_TypeError,
               "calling %R should have returned an instance of BaseException, not %R", exception,
               Py_TYPE(value));
  Py_DECREF(value);
  return nullptr;
}

}  // namespace

extern "C" {

PyObject* psyco_enter_with(PyObject* manager, PyObject** out) {
  return enter(manager, name_enter(), name_exit(),
               "'%.200s' object does not support the context manager protocol",
               "'%.200s' object does not support the context manager protocol "
               "(missed __exit__ method)",
               out);
}

// Mirrors Objects/typeobject.c: _PyObject_LookupSpecialMethod (3.14).
PyObject* psyco_load_special(PyObject* manager, int64_t number, PyObject** out) {
  out[0] = nullptr;
  PyTypeObject* type = Py_TYPE(manager);
  PyObject* method = Py_XNewRef(_PyType_Lookup(type, name_special(static_cast<int>(number))));
  if (!method) {
    set_special_error(manager, static_cast<int>(number));
    return nullptr;
  }
  if (PyType_HasFeature(Py_TYPE(method), Py_TPFLAGS_METHOD_DESCRIPTOR)) {
    out[0] = Py_NewRef(manager);
    return method;
  }
  descrgetfunc get = Py_TYPE(method)->tp_descr_get;
  if (!get) return method;
  PyObject* bound = get(method, manager, reinterpret_cast<PyObject*>(type));
  Py_DECREF(method);
  return bound;
}

PyObject* psyco_enter_async_with(PyObject* manager, PyObject** out) {
  return enter(manager, name_aenter(), name_aexit(),
               "'%.200s' object does not support the asynchronous context manager protocol",
               "'%.200s' object does not support the asynchronous context manager protocol "
               "(missed __aexit__ method)",
               out);
}

PyObject* psyco_with_except_start(PyObject* exit, PyObject* exception) {
  PyObject* traceback = PyException_GetTraceback(exception);
  PyObject* stack[] = {nullptr, PyExceptionInstance_Class(exception), exception,
                       traceback ? traceback : Py_None};
  Py_XDECREF(traceback);  // the exception keeps it, as WITH_EXCEPT_START trusts too
  return PyObject_Vectorcall(exit, stack + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

int64_t psyco_check_exc_match(PyObject* exception, PyObject* type) {
  if (check_except_type(type) < 0) return -1;
  return PyErr_GivenExceptionMatches(exception, type);
}

int64_t psyco_check_eg_match(PyObject* exception, PyObject* type, PyObject** out) {
  if (check_except_star_type(type) < 0) return -1;
  PyObject *match = nullptr, *rest = nullptr;
  if (match_group(exception, type, &match, &rest) < 0 || !match) return -1;
  if (match != Py_None) PyErr_SetHandledException(match);
  out[0] = rest;
  out[1] = match;
  return 0;
}

PyObject* psyco_push_exc_info(PyObject* exception) {
  PyObject** handled = handled_exception();
  PyObject* previous = *handled ? *handled : Py_NewRef(Py_None);
  *handled = Py_NewRef(exception);
  return previous;
}

void psyco_pop_except(PyObject* previous) {
  PyObject** handled = handled_exception();
  PyObject* old = *handled;
  *handled = previous == Py_None ? nullptr : Py_NewRef(previous);
  Py_XDECREF(old);
}

// As Python/ceval.c:do_raise with an exception.
int64_t psyco_raise_varargs(PyObject* exception, PyObject* cause) {
  PyObject* value = instance_of(exception, "exceptions must derive from BaseException");
  if (!value) return -1;
  if (cause) {
    PyObject* fixed = nullptr;
    if (cause != Py_None) {
      fixed = instance_of(cause, "exception causes must derive from BaseException");
      if (!fixed) {
        Py_DECREF(value);
        return -1;
      }
    }
    PyException_SetCause(value, fixed);
  }
  // A class is passed as given: SetObject must not normalise by calling it again.
  PyObject* type = PyExceptionClass_Check(exception) ? exception : PyExceptionInstance_Class(value);
  PyErr_SetObject(type, value);
  Py_DECREF(value);
  return -1;
}

}  // extern "C"
