// Hooks for the project's own tests: what the tests cannot reach from Python otherwise.
#include "ext/testing.h"

#include "cpython/bytecode.h"
#include "driver/driver.h"

namespace psyco {
namespace {

// decode(code) -> (list of (op, arg, arg2, object, start, bci, next, target, pops, pushes, first,
// last,
//                  adaptive, heat, leader), list of handlers), or None for a code we cannot decode
PyObject* test_decode(PyObject*, PyObject* arg) {
  if (!PyCode_Check(arg)) return PyErr_Format(PyExc_TypeError, "code object expected");
  DecodedCode decoded = decode(reinterpret_cast<PyCodeObject*>(arg));
  if (!decoded.ok) Py_RETURN_NONE;
  PyObject* list = PyList_New(0);
  for (size_t i = 0; list && i < decoded.list.size(); i++) {
    const Bytecode& bc = decoded.list[i];
    PyObject* row = Py_BuildValue(
        "(siiOiiiiiiiiiii)", neutral_name(bc.op), bc.arg, bc.arg2, bc.object ? bc.object : Py_None,
        bc.start_bci, bc.bci, bc.next_bci, bc.target, neutral_pops(bc), neutral_pushes(bc),
        bc.first_of_raw, bc.last_of_raw, bc.adaptive, static_cast<int>(bc.heat), decoded.leader[i]);
    if (!row || PyList_Append(list, row) < 0) Py_CLEAR(list);
    Py_XDECREF(row);
  }
  PyObject* handlers = list ? PyList_New(0) : nullptr;
  for (const HandlerEntry& entry : decoded.handlers) {
    PyObject* row = handlers ? Py_BuildValue("(iiiiii)", entry.start, entry.end, entry.target_bci,
                                             entry.target, entry.depth, entry.lasti)
                             : nullptr;
    if (!row || PyList_Append(handlers, row) < 0) Py_CLEAR(handlers);
    Py_XDECREF(row);
  }
  PyObject* result = handlers ? PyTuple_Pack(2, list, handlers) : nullptr;
  Py_XDECREF(list);
  Py_XDECREF(handlers);
  return result;
}

PyObject* test_entry_unit(PyObject*, PyObject* args) {
  PyObject* code;
  int bci;
  if (!PyArg_ParseTuple(args, "O!i", &PyCode_Type, &code, &bci)) return nullptr;
  return PyLong_FromLong(entry_unit(reinterpret_cast<PyCodeObject*>(code), bci));
}

// Milliseconds of every compilation so far, the refused ones included.
PyObject* test_compile_times(PyObject*, PyObject*) {
  PyObject* list = PyList_New(0);
  for (float ms : g_totals.times_ms) {
    PyObject* number = list ? PyFloat_FromDouble(ms) : nullptr;
    if (!number || PyList_Append(list, number) < 0) Py_CLEAR(list);
    Py_XDECREF(number);
  }
  return list;
}

}  // namespace

PyMethodDef g_test_methods[] = {
    {"_test_decode", test_decode, METH_O, nullptr},
    {"_test_entry_unit", test_entry_unit, METH_VARARGS, nullptr},
    {"_test_compile_times", test_compile_times, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace psyco
