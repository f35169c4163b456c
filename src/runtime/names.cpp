// Names in globals, builtins and namespaces, with the interpreter's messages.
#include "runtime/caches.h"
#include "runtime/helpers.h"

using namespace psyco;
using namespace psyco::objects;

namespace {

constexpr uint32_t kMaxMisses = 16;

PyDictObject* as_dict(PyObject* object) { return reinterpret_cast<PyDictObject*>(object); }

// A hit in globals needs the entry only. A hit in builtins needs globals unchanged in its keys
// besides.
void learn(GlobalCache* cache, PyObject* globals, PyObject* builtins, PyObject* name) {
  if (cache->misses >= kMaxMisses) return;
  cache->misses++;
  cache->index = -1;
  if (!has_only_str_keys(as_dict(globals)) || !has_only_str_keys(as_dict(builtins))) return;
  Py_ssize_t index = find_entry(as_dict(globals), name);
  uint32_t version = 0;
  if (index < 0) {
    index = find_entry(as_dict(builtins), name);
    version = assign_keys_version(as_dict(globals)->ma_keys);
    if (version == 0) return;
  }
  if (index < 0 || index > INT32_MAX) return;
  cache->index = static_cast<int32_t>(index);
  cache->globals_version = version;
}

// New reference, or null with NameError or the lookup's own error.
PyObject* find_global(PyObject* globals, PyObject* builtins, PyObject* name) {
  PyObject* value = nullptr;
  if (PyDict_CheckExact(globals) && PyDict_CheckExact(builtins)) {
    value = lookup_global(globals, builtins, name);
    if (!value && !PyErr_Occurred()) set_name_error(name);
    return value;
  }
  if (PyMapping_GetOptionalItem(globals, name, &value) < 0) return nullptr;
  if (value) return settled(value, name, globals);
  if (PyMapping_GetOptionalItem(builtins, name, &value) < 0) return nullptr;
  if (value) return settled(value, name, builtins);
  set_name_error(name);
  return nullptr;
}

}  // namespace

extern "C" {

PyObject* psyco_load_global(PyObject* globals, PyObject* builtins, PyObject* name,
                            GlobalCache* cache) {
  if (PSYCO_UNLIKELY(!PyDict_CheckExact(globals) || !PyDict_CheckExact(builtins)))
    return find_global(globals, builtins, name);
  if (PSYCO_LIKELY(cache->index >= 0)) {
    PyDictObject* dict = nullptr;
    if (cache->globals_version == 0)
      dict = as_dict(globals);
    else if (keys_version(as_dict(globals)) == cache->globals_version)
      dict = as_dict(builtins);
    PyObject** place = dict ? entry_value(dict, cache->index, name) : nullptr;
    if (PSYCO_LIKELY(place && *place && !is_lazy(*place))) return Py_NewRef(*place);
  }
  learn(cache, globals, builtins, name);
  return find_global(globals, builtins, name);
}

int64_t psyco_store_global(PyObject* globals, PyObject* name, PyObject* value) {
  return PyDict_SetItem(globals, name, value);
}

int64_t psyco_delete_global(PyObject* globals, PyObject* name) {
  int found = PyDict_Pop(globals, name, nullptr);
  if (found > 0) return 0;
  if (found == 0) set_name_error(name);
  return -1;
}

PyObject* psyco_load_name(PyObject* locals, PyObject* globals, PyObject* builtins, PyObject* name) {
  PyObject* value;
  if (!locals) {
    PyErr_SetString(PyExc_SystemError, "no locals found");
    return nullptr;
  }
  if (PyMapping_GetOptionalItem(locals, name, &value) < 0) return nullptr;
  if (value) return settled(value, name, locals);
  if (PyDict_GetItemRef(globals, name, &value) < 0) return nullptr;
  if (value) return settled(value, name, globals);
  if (PyMapping_GetOptionalItem(builtins, name, &value) < 0) return nullptr;
  if (value) return settled(value, name, builtins);
  set_name_error(name);
  return nullptr;
}

int64_t psyco_store_name(PyObject* locals, PyObject* name, PyObject* value) {
  if (!locals) {
    PyErr_Format(PyExc_SystemError, "no locals found when storing %R", name);
    return -1;
  }
  return PyDict_CheckExact(locals) ? PyDict_SetItem(locals, name, value)
                                   : PyObject_SetItem(locals, name, value);
}

int64_t psyco_delete_name(PyObject* locals, PyObject* name) {
  if (!locals) {
    PyErr_Format(PyExc_SystemError, "no locals when deleting %R", name);
    return -1;
  }
  if (PyObject_DelItem(locals, name) == 0) return 0;
  set_name_error(name);  // whatever went wrong, as DELETE_NAME does
  return -1;
}

PyObject* psyco_load_locals(PyObject* locals) {
  if (locals) return Py_NewRef(locals);
  PyErr_SetString(PyExc_SystemError, "no locals found");
  return nullptr;
}

PyObject* psyco_load_from_dict_or_globals(PyObject* mapping, PyObject* globals, PyObject* builtins,
                                          PyObject* name) {
  PyObject* value;
  if (PyMapping_GetOptionalItem(mapping, name, &value) < 0) return nullptr;
  return value ? settled(value, name, mapping) : find_global(globals, builtins, name);
}

PyObject* psyco_load_from_dict_or_deref(PyObject* mapping, PyObject* cell, PyObject* code,
                                        int64_t index) {
  PyObject* value;
  if (PyMapping_GetOptionalItem(mapping, local_name(code, static_cast<int>(index)), &value) < 0)
    return nullptr;
  return value ? value : psyco_load_cell(cell, code, index);
}

PyObject* psyco_load_build_class(PyObject* builtins) {
  PyObject* value;
  if (PyMapping_GetOptionalItem(builtins, name_build_class(), &value) < 0) return nullptr;
  if (!value) PyErr_SetString(PyExc_NameError, "__build_class__ not found");
  return value;
}

int64_t psyco_setup_annotations(PyObject* locals) {
  if (!locals) {
    PyErr_SetString(PyExc_SystemError, "no locals found when setting up annotations");
    return -1;
  }
  PyObject* annotations;
  if (PyMapping_GetOptionalItem(locals, name_annotations(), &annotations) < 0) return -1;
  int status = 0;
  if (!annotations) {
    annotations = PyDict_New();
    if (!annotations) return -1;
    status = PyObject_SetItem(locals, name_annotations(), annotations);
  }
  Py_DECREF(annotations);
  return status;
}

}  // extern "C"
