#include "runtime/in_place.h"

#include <iterator>
#include <unordered_set>

#include "cpython/objects.h"
#include "runtime/entry.h"
#include "runtime/watch.h"
#include "support/mutants.h"

namespace psyco {

namespace {

// The setter is one for all interpreters; psyco lives in one.
PyInterpreterState* g_interpreter = nullptr;
PyGetSetDef* g_class_attribute = nullptr;  // object.__class__; null: not watched
setter g_set_class = nullptr;              // its own

int set_class(PyObject* object, PyObject* value, void* closure) {
  if (_PyThreadState_GET()->interp != g_interpreter) return g_set_class(object, value, closure);
  // The old class stays alive until all is marked: its end may run Python code.
  PyTypeObject* old = Py_TYPE(object);
  Py_INCREF(old);
  int status = g_set_class(object, value, closure);
  if (Py_TYPE(object) != old) class_assigned(object);
  Py_DECREF(old);
  return status;
}

struct Wrapper {
  PyTypeObject* type;
  PyWrapperDescrObject* init = nullptr;  // its __init__, kept by the type; null: not watched
  initproc original = nullptr;           // classes below it may call ours for ever
};
Wrapper g_wrappers[] = {{&PyProperty_Type}, {&PyStaticMethod_Type}, {&PyClassMethod_Type}};

// Of this class and those below it: the versions of those that have the attribute in their
// dictionary.
void forget_versions(PyTypeObject* type, PyObject* attribute,
                     std::unordered_set<PyTypeObject*>& seen) {
  if (!seen.insert(type).second) return;
  PyObject* dict = PyType_GetDict(type);
  PyObject *name, *value;
  Py_ssize_t position = 0;
  while (dict && PyDict_Next(dict, &position, &name, &value))
    if (value == attribute) {
      PyType_Modified(type);
      break;
    }
  Py_XDECREF(dict);
  PyObject* below =
      PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyType_Type), "__subclasses__", "O", type);
  for (Py_ssize_t i = 0; below && i < PyList_GET_SIZE(below); i++)
    forget_versions(reinterpret_cast<PyTypeObject*>(PyList_GET_ITEM(below, i)), attribute, seen);
  Py_XDECREF(below);
  PyErr_Clear();
}

// The interpreter specialises a read for the getter that a property has then (LOAD_ATTR_PROPERTY),
// and looks again only if that function has changed or died; plain it often dies with the change,
// but compiled code would keep it, and the interpreter would go on calling it. From 3.14 on it
// looks again only if the class has changed, and would go on with a getter that is dead.
void forget_getter(PyObject* property) {
  PyObject* getter = objects::property_getter(property);
  if (!getter || !PyFunction_Check(getter)) return;
  auto* function = reinterpret_cast<PyFunctionObject*>(getter);
  PyFunction_SetVectorcall(function, function->vectorcall);  // takes the version away
  function_modified(function, false);
  if (Port::kPropertyReadsCheckGetter) return;
  PyObject* error = PyErr_GetRaisedException();
  std::unordered_set<PyTypeObject*> seen;
  forget_versions(&PyBaseObject_Type, property, seen);
  PyErr_SetRaisedException(error);
}

void wrapped_changes(PyObject* descriptor) {
  if (mutants::chosen("watch", "descriptor")) return;
  if (_PyThreadState_GET()->interp != g_interpreter) return;
  if (Py_IS_TYPE(descriptor, &PyProperty_Type)) forget_getter(descriptor);
  object_changed(descriptor);
}

// Python code may run within, before and after the change; it must rely on neither state.
template <int kWrapper>
int init_again(PyObject* self, PyObject* args, PyObject* kwargs) {
  wrapped_changes(self);
  const int status = g_wrappers[kWrapper].original(self, args, kwargs);
  wrapped_changes(self);
  return status;
}
constexpr initproc kInits[] = {init_again<0>, init_again<1>, init_again<2>};

// Of the type's own dictionary, which keeps it. Null: it is none of that kind.
PyObject* attribute_of(PyTypeObject* type, const char* name, PyTypeObject* kind) {
  PyObject* dict = PyType_GetDict(type);
  PyObject* descriptor = PyDict_GetItemString(dict, name);
  Py_DECREF(dict);
  return descriptor && Py_IS_TYPE(descriptor, kind) ? descriptor : nullptr;
}

bool watch_classes() {
  PyObject* descriptor = attribute_of(&PyBaseObject_Type, "__class__", &PyGetSetDescr_Type);
  if (!descriptor) return false;
  PyGetSetDef* attribute = reinterpret_cast<PyGetSetDescrObject*>(descriptor)->d_getset;
  if (!attribute->set) return false;
  g_set_class = attribute->set;
  attribute->set = set_class;
  g_class_attribute = attribute;
  return true;
}

bool watch_wrapper(int which) {
  Wrapper& wrapper = g_wrappers[which];
  PyObject* descriptor = attribute_of(wrapper.type, "__init__", &PyWrapperDescr_Type);
  if (!descriptor) return false;
  wrapper.init = reinterpret_cast<PyWrapperDescrObject*>(descriptor);
  wrapper.original = reinterpret_cast<initproc>(wrapper.init->d_wrapped);
  wrapper.init->d_wrapped = reinterpret_cast<void*>(kInits[which]);
  return true;
}

}  // namespace

bool sees_changes_in_place() { return g_class_attribute; }

bool watch_changes_in_place() {
  if (sees_changes_in_place()) return true;
  g_interpreter = _PyThreadState_GET()->interp;
  bool found = watch_classes();
  for (int i = 0; found && i < static_cast<int>(std::size(g_wrappers)); i++)
    found = watch_wrapper(i);
  if (found) return true;
  stop_watching_changes_in_place();
  PyErr_SetString(PyExc_RuntimeError,
                  "object.__class__, or __init__ of a descriptor, is not what it is in CPython");
  return false;
}

void stop_watching_changes_in_place() {
  if (g_class_attribute) g_class_attribute->set = g_set_class;
  g_class_attribute = nullptr;
  for (Wrapper& wrapper : g_wrappers) {
    if (wrapper.init) wrapper.init->d_wrapped = reinterpret_cast<void*>(wrapper.original);
    wrapper.init = nullptr;
  }
}

}  // namespace psyco
