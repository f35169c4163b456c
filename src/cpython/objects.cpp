// The parts of objects.h that CPython does not export, written again, and its error messages.
#include "cpython/objects.h"

#include <internal/pycore_opcode_utils.h>

#include "support/check.h"

namespace psyco::objects {

namespace {
// Names in code are interned, keys need not be: `vars(o).update({prefix + name: value})`. Only of
// two interned strings the address says that they differ.
bool same_name(PyObject* key, PyObject* name) {
  if (key == name) return true;
  if (!key || !PyUnicode_CheckExact(key)) return false;
  if (PyUnicode_CHECK_INTERNED(key) && PyUnicode_CHECK_INTERNED(name)) return false;
  return strings_equal(key, name);
}
template <class Entry>
Py_ssize_t find_in(const Entry* entries, Py_ssize_t count, PyObject* name) {
  for (Py_ssize_t i = 0; i < count; i++)
    if (same_name(entries[i].me_key, name)) return i;
  return -1;
}
}  // namespace

Py_ssize_t find_entry(PyDictObject* dict, PyObject* name) {
  PyDictKeysObject* keys = dict->ma_keys;
  if (dict->ma_values) return -1;
  return DK_IS_UNICODE(keys) ? find_in(DK_UNICODE_ENTRIES(keys), keys->dk_nentries, name)
                             : find_in(DK_ENTRIES(keys), keys->dk_nentries, name);
}

Py_ssize_t find_shared_key(PyTypeObject* type, PyObject* name) {
  PyDictKeysObject* keys = reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys;
  if (!keys) return -1;
  return find_in(DK_UNICODE_ENTRIES(keys), keys->dk_nentries, name);
}

// As Objects/dictobject.c:_PyDictKeys_GetVersionForCurrentState.
uint32_t assign_keys_version(PyDictKeysObject* keys) {
  if (keys->dk_version) return keys->dk_version;
  uint32_t& next = interpreter()->dict_state.next_keys_version;
  if (next == 0) return 0;
  keys->dk_version = next++;
  return keys->dk_version;
}

uint32_t assign_shared_keys_version(PyTypeObject* type) {
  PyDictKeysObject* keys = reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys;
  return keys ? assign_keys_version(keys) : 0;
}

bool uses_generic_getattr(PyTypeObject* type, bool* has_hook) {
  *has_hook = false;
  if (type->tp_getattro == PyObject_GenericGetAttr) return true;
  // A class with __getattr__ has a slot function that is not exported. It does the generic lookup
  // first unless __getattribute__ is overridden too; a static type with a lookup of its own has its
  // own __getattribute__ wrapper.
  if (_PyType_Lookup(type, &_Py_ID(__getattribute__)) !=
      interpreter()->callable_cache.object__getattribute__)
    return false;
  *has_hook = _PyType_Lookup(type, &_Py_ID(__getattr__)) != nullptr;
  return *has_hook;
}

bool makes_plain_instances(PyTypeObject* type) {
  return Py_TYPE(type) == &PyType_Type && type->tp_new == PyBaseObject_Type.tp_new &&
         (type->tp_flags & Py_TPFLAGS_HEAPTYPE) && !(type->tp_flags & Py_TPFLAGS_IS_ABSTRACT);
}

PyObject* plain_init(PyTypeObject* type) {
  if (!makes_plain_instances(type)) return nullptr;
  PyObject* init = _PyType_Lookup(type, &_Py_ID(__init__));
  return init && PyFunction_Check(init) ? init : nullptr;
}

void set_place(PyObject* instance, int32_t offset, PyObject* value) {
  auto** place = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(instance) + offset);
  *place = Py_NewRef(value);
  if (offset < static_cast<int32_t>(Py_TYPE(instance)->tp_basicsize)) return;  // a slot
  PyDictValues* values = _PyObject_InlineValues(instance);
  const auto index = static_cast<Py_ssize_t>(place - values->values);
  PSYCO_CHECK(values->valid && index < values->capacity);
  _PyDictValues_AddToInsertionOrder(values, index);
}

destructor plain_dealloc() {
  static destructor found = nullptr;
  if (found) return found;
  PyType_Slot slots[] = {{0, nullptr}};
  PyType_Spec spec = {"psyco.plain", 0, 0, Py_TPFLAGS_DEFAULT, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) {
    PyErr_Clear();
    return nullptr;
  }
  found = reinterpret_cast<PyTypeObject*>(type)->tp_dealloc;
  Py_DECREF(type);
  return found;
}

void set_operand_error(int nb, PyObject* left, PyObject* right) {
  static const char* const kSymbols[] = {
      "+",  "&",  "//",  "<<",  "@",  "*",  "%",  "|",  "", ">>",  "-",  "/",  "^",
      "+=", "&=", "//=", "<<=", "@=", "*=", "%=", "|=", "", ">>=", "-=", "/=", "^="};
  PyErr_Format(PyExc_TypeError, "unsupported operand type(s) for %.100s: '%.100s' and '%.100s'",
               kSymbols[nb], Py_TYPE(left)->tp_name, Py_TYPE(right)->tp_name);
}

void set_name_error(PyObject* name) {
  _PyEval_FormatExcCheckArg(current_thread(), PyExc_NameError, "name '%.200s' is not defined",
                            name);
}

void set_unbound_error(PyObject* code, int index) {
  _PyEval_FormatExcUnbound(current_thread(), reinterpret_cast<PyCodeObject*>(code), index);
}

void set_function_attribute(PyObject* function, PyObject* value, int flag) {
  PyFunctionObject* f = reinterpret_cast<PyFunctionObject*>(function);
  Py_INCREF(value);
  // The fields are still empty: the function has just been made. Setters would reset its version.
  switch (flag) {
    case MAKE_FUNCTION_DEFAULTS:
      f->func_defaults = value;
      break;
    case MAKE_FUNCTION_KWDEFAULTS:
      f->func_kwdefaults = value;
      break;
    case MAKE_FUNCTION_ANNOTATIONS:
      f->func_annotations = value;
      break;
    case MAKE_FUNCTION_CLOSURE:
      f->func_closure = value;
      break;
#ifdef MAKE_FUNCTION_ANNOTATE
    case MAKE_FUNCTION_ANNOTATE:
      f->func_annotate = value;
      break;
#endif
    default:
      PSYCO_CHECK(!"an attribute of functions that is not known");
  }
}

}  // namespace psyco::objects
