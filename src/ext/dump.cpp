// _core._graph: the compiler's view of a function, for dumps and tests.
#include "driver/driver.h"
#include "ext/testing.h"

namespace psyco {
namespace {

// _graph(function, args tuple, optimised=True) -> (text, [problems])
PyObject* graph(PyObject*, PyObject* arguments) {
  PyObject *function, *args;
  int optimised = 1;
  if (!PyArg_ParseTuple(arguments, "O!O!|p:_graph", &PyFunction_Type, &function, &PyTuple_Type,
                        &args, &optimised))
    return nullptr;
  std::vector<std::string> problems;
  std::string text = graph_text(reinterpret_cast<PyFunctionObject*>(function),
                                reinterpret_cast<PyTupleObject*>(args)->ob_item,
                                PyTuple_GET_SIZE(args), optimised, &problems);
  PyObject* list = PyList_New(0);
  for (const std::string& p : problems) {
    PyObject* line = PyUnicode_DecodeUTF8(p.data(), static_cast<Py_ssize_t>(p.size()), "replace");
    if (line) PyList_Append(list, line);
    Py_XDECREF(line);
  }
  return Py_BuildValue(
      "(NN)", PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"),
      list);
}

}  // namespace

PyMethodDef g_dump_methods[] = {{"_graph", graph, METH_VARARGS, nullptr}, {nullptr}};

}  // namespace psyco
