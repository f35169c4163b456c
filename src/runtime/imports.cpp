// import statements, as Python/ceval.c:import_name and import_from do them.
#include "runtime/helpers.h"

using namespace psyco::objects;

namespace {

// ImportError with name, path and name_from; takes over message, which may be null (error set).
void set_import_error(PyObject* message, PyObject* name, PyObject* path, PyObject* from) {
  if (!message) return;
  PyObject* kwargs = Py_BuildValue("{sOsOsO}", "name", name ? name : Py_None, "path",
                                   path ? path : Py_None, "name_from", from);
  PyObject* error =
      kwargs ? PyObject_VectorcallDict(PyExc_ImportError, &message, 1, kwargs) : nullptr;
  if (error) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  Py_XDECREF(error);
  Py_XDECREF(kwargs);
  Py_DECREF(message);
}

// 1, 0, or -1 with an error: whether the module's spec says that it is still being initialised.
int is_initializing(PyObject* module) {
  PyObject* spec;
  int found = PyObject_GetOptionalAttr(module, name_spec(), &spec);
  if (found <= 0) return found;
  PyObject* value;
  found = PyObject_GetOptionalAttr(spec, name_initializing(), &value);
  Py_DECREF(spec);
  if (found <= 0) return found;
  found = PyObject_IsTrue(value);
  Py_DECREF(value);
  return found;
}

// module_name: a str or null.
void set_cannot_import(PyObject* module, PyObject* module_name, PyObject* name) {
  PyObject* shown =
      module_name ? Py_NewRef(module_name) : PyUnicode_FromString("<unknown module name>");
  if (!shown) return;
  PyObject* path = nullptr;
  if (PyModule_Check(module)) {
    path = PyModule_GetFilenameObject(module);
    if (!path) {
      if (!PyErr_ExceptionMatches(PyExc_SystemError)) {
        Py_DECREF(shown);
        return;
      }
      PyErr_Clear();
    }
  }
  if (!path || !PyUnicode_Check(path)) {
    Py_CLEAR(path);
    set_import_error(
        PyUnicode_FromFormat("cannot import name %R from %R (unknown location)", name, shown),
        module_name, nullptr, name);
  } else {
    int initializing = is_initializing(module);
    if (initializing >= 0)
      set_import_error(PyUnicode_FromFormat(
                           initializing ? "cannot import name %R from partially initialized "
                                          "module %R (most likely due to a circular import) (%S)"
                                        : "cannot import name %R from %R (%S)",
                           name, shown, path),
                       module_name, path, name);
    Py_DECREF(path);
  }
  Py_DECREF(shown);
}

}  // namespace

extern "C" {

PyObject* psyco_import_name(PyObject* name, PyObject* globals, PyObject* builtins, PyObject* locals,
                            PyObject* fromlist, PyObject* level) {
  PyObject* function;
  if (PyMapping_GetOptionalItem(builtins, name_import(), &function) < 0) return nullptr;
  if (!function) {
    PyErr_SetString(PyExc_ImportError, "__import__ not found");
    return nullptr;
  }
  if (!locals) locals = Py_None;
  PyObject* result = nullptr;
  if (is_default_import(function)) {
    int number = PyLong_AsInt(level);
    if (number != -1 || !PyErr_Occurred())
      result = PyImport_ImportModuleLevelObject(name, globals, locals, fromlist, number);
  } else {
    PyObject* args[] = {name, globals, locals, fromlist, level};
    result = PyObject_Vectorcall(function, args, 5, nullptr);
  }
  Py_DECREF(function);
  return result;
}

PyObject* psyco_import_from(PyObject* module, PyObject* name) {
  PyObject* value;
  if (PyObject_GetOptionalAttr(module, name, &value) != 0) return value;
  // A circular import: the submodule may be in sys.modules already.
  PyObject* module_name;
  if (PyObject_GetOptionalAttr(module, name_name(), &module_name) < 0) return nullptr;
  if (module_name && PyUnicode_Check(module_name)) {
    PyObject* full = PyUnicode_FromFormat("%U.%U", module_name, name);
    value = full ? PyImport_GetModule(full) : nullptr;
    Py_XDECREF(full);
    if (value || PyErr_Occurred()) {
      Py_DECREF(module_name);
      return value;
    }
  } else {
    Py_CLEAR(module_name);
  }
  set_cannot_import(module, module_name, name);
  Py_XDECREF(module_name);
  return nullptr;
}

}  // extern "C"
