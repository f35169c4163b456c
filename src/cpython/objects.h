// The private parts of CPython's objects that the runtime helpers touch: layouts, versions, and
// internal functions. What differs between versions is in their folders, in own_objects.h; nothing
// outside src/cpython repeats any of it.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <internal/pycore_abstract.h>
#include <internal/pycore_call.h>
#include <internal/pycore_cell.h>
#include <internal/pycore_ceval.h>
#include <internal/pycore_code.h>
#include <internal/pycore_descrobject.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_function.h>
#include <internal/pycore_genobject.h>
#include <internal/pycore_global_objects.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_intrinsics.h>
#include <internal/pycore_list.h>
#include <internal/pycore_long.h>
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_object.h>
#include <internal/pycore_pyerrors.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_range.h>
#include <internal/pycore_runtime.h>
#include <internal/pycore_setobject.h>
#include <internal/pycore_tuple.h>
#include <internal/pycore_typeobject.h>
#include <internal/pycore_unicodeobject.h>
#include <opcode.h>

#include <cstdint>

namespace psyco::objects {

inline PyThreadState* current_thread() { return PyThreadState_GetUnchecked(); }
inline PyInterpreterState* interpreter() { return current_thread()->interp; }
inline PyLongObject* as_long(PyObject* object) { return reinterpret_cast<PyLongObject*>(object); }

}  // namespace psyco::objects

#include "own_objects.h"

namespace psyco::objects {

// ---- int
// At most one digit: the value is compact_value.
inline bool is_compact(PyObject* number) { return _PyLong_IsCompact(as_long(number)); }
inline int64_t compact_value(PyObject* number) { return _PyLong_CompactValue(as_long(number)); }
inline int digit_count(PyObject* number) {
  return static_cast<int>(_PyLong_DigitCount(as_long(number)));
}
inline bool is_negative(PyObject* number) { return _PyLong_IsNegative(as_long(number)); }
inline const digit* digits(PyObject* number) { return as_long(number)->long_value.ob_digit; }
constexpr int kDigitBits = PyLong_SHIFT;
constexpr int64_t kSmallIntMin = -_PY_NSMALLNEGINTS, kSmallIntEnd = _PY_NSMALLPOSINTS;
inline PyObject* small_int(int64_t value) {
  return reinterpret_cast<PyObject*>(&_PyLong_SMALL_INTS[_PY_NSMALLNEGINTS + value]);
}
// Writes a value of as many digits (1 or 2) as the mortal, unshared object has.
inline void overwrite_int(PyObject* number, int64_t value, int digit_count) {
  uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  _PyLongValue& long_value = as_long(number)->long_value;
  long_value.ob_digit[0] = static_cast<digit>(magnitude & PyLong_MASK);
  if (digit_count >= 2)
    long_value.ob_digit[1] = static_cast<digit>(magnitude >> PyLong_SHIFT & PyLong_MASK);
  if (digit_count == 3) long_value.ob_digit[2] = static_cast<digit>(magnitude >> 2 * PyLong_SHIFT);
  long_value.lv_tag = static_cast<uintptr_t>(digit_count) << NON_SIZE_BITS | (value < 0 ? 2 : 0);
}
inline bool is_immortal(PyObject* object) { return _Py_IsImmortal(object); }

// ---- str
inline bool strings_equal(PyObject* a, PyObject* b) { return _PyUnicode_Equal(a, b); }
inline PyObject* ascii_character(Py_UCS4 c) {
  return reinterpret_cast<PyObject*>(&_Py_SINGLETON(strings).ascii[c]);
}
inline PyObject* join_strings(PyObject* const* items, Py_ssize_t count) {
  return _PyUnicode_JoinArray(&_Py_STR(empty), items, count);
}

// ---- dict keys
// Position of the entry whose key is this name, the same object or another exact str, or -1. A
// table that has only str keys has no other that equals it.
Py_ssize_t find_entry(PyDictObject* dict, PyObject* name);
Py_ssize_t find_shared_key(PyTypeObject* type, PyObject* name);  // in the type's cached keys
// Where the value of that entry lies, if the entry still has that key; else null. The value may be
// null.
inline PyObject** entry_value(PyDictObject* dict, Py_ssize_t hint, PyObject* key) {
  PyDictKeysObject* keys = dict->ma_keys;
  if (static_cast<size_t>(hint) >= static_cast<size_t>(keys->dk_nentries) || dict->ma_values)
    return nullptr;
  if (DK_IS_UNICODE(keys)) {
    PyDictUnicodeEntry* entry = DK_UNICODE_ENTRIES(keys) + hint;
    return entry->me_key == key ? &entry->me_value : nullptr;
  }
  PyDictKeyEntry* entry = DK_ENTRIES(keys) + hint;
  return entry->me_key == key ? &entry->me_value : nullptr;
}
// Changes with every insertion of a new key and every deletion. 0: none left, or not known.
uint32_t assign_keys_version(PyDictKeysObject* keys);
inline uint32_t keys_version(PyDictObject* dict) { return dict->ma_keys->dk_version; }
inline uint32_t shared_keys_version(PyTypeObject* type) {
  return reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys->dk_version;
}
uint32_t assign_shared_keys_version(PyTypeObject* type);
inline bool has_only_str_keys(PyDictObject* dict) { return DK_IS_UNICODE(dict->ma_keys); }
// Replaces the (not null) value of an entry as a plain store would: watchers, version, GC tracking.
// Takes over the reference; gives the old value back to be released.
inline PyObject* replace_entry(PyDictObject* dict, PyObject** place, PyObject* key,
                               PyObject* value) {
  PyObject* old = *place;
  // A watched dict must go the long way: the function that calls watchers is not exported.
  *place = value;
  note_dict_changed(dict);
  if (!_PyObject_GC_IS_TRACKED(dict) && _PyObject_GC_MAY_BE_TRACKED(value))
    _PyObject_GC_TRACK(dict);
  return old;
}
inline bool is_watched(PyDictObject* dict) {
  return *(reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(dict) + kDictTag)) &
         DICT_WATCHER_MASK;
}

// ---- instances
inline bool has_inline_values(PyTypeObject* type) {
  return type->tp_flags & Py_TPFLAGS_INLINE_VALUES;
}
inline bool has_managed_dict(PyTypeObject* type) {
  return type->tp_flags & Py_TPFLAGS_MANAGED_DICT;
}
inline PyDictObject* managed_dict(PyObject* object) { return _PyObject_GetManagedDict(object); }
inline PyDictValues* inline_values(PyObject* object) { return _PyObject_InlineValues(object); }
inline void note_first_store(PyDictValues* values, Py_ssize_t index) {
  _PyDictValues_AddToInsertionOrder(values, index);
}
// The instance dictionary if there is one, null if not made yet; the type must have no inline
// values.
inline PyObject* instance_dict(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (has_managed_dict(type)) return reinterpret_cast<PyObject*>(managed_dict(object));
  if (type->tp_dictoffset == 0) return nullptr;
  PyObject** place = _PyObject_GetDictPtr(object);
  return place ? *place : nullptr;
}
inline PyObject* property_getter(PyObject* property) {
  return reinterpret_cast<_PyPropertyObject*>(property)->prop_get;
}
inline PyObject* module_dict(PyObject* module) {
  return reinterpret_cast<PyModuleObject*>(module)->md_dict;
}
// object.__getattribute__ or a __getattr__ hook in front of it, and not a __getattribute__ of its
// own.
bool uses_generic_getattr(PyTypeObject* type, bool* has_hook);

// ---- types
inline uint32_t type_version(PyTypeObject* type) { return type->tp_version_tag; }
inline PyObject* new_instance(PyTypeObject* type) { return type->tp_alloc(type, 0); }
// type.__call__ makes instances by object.__new__, and by nothing else.
bool makes_plain_instances(PyTypeObject* type);
// It would do so, then call a Python __init__: that function (borrowed), else null.
PyObject* plain_init(PyTypeObject* type);
// Sets the slot or inline value at that offset of a new instance, where nothing is set there yet.
void set_place(PyObject* instance, int32_t offset, PyObject* value);
// How instances of classes written in Python die (typeobject.c:subtype_dealloc). Null: memory is
// out.
destructor plain_dealloc();

// ---- iterators
struct ListIter {
  PyObject_HEAD Py_ssize_t it_index;
  PyListObject* it_seq;
};
struct TupleIter {
  PyObject_HEAD Py_ssize_t it_index;
  PyTupleObject* it_seq;
};
static_assert(sizeof(_PyListIterObject) == sizeof(ListIter));
using RangeIter = _PyRangeIterObject;

// ---- calls
inline bool is_len(PyObject* callable) { return callable == interpreter()->callable_cache.len; }
inline bool is_isinstance(PyObject* callable) {
  return callable == interpreter()->callable_cache.isinstance;
}
inline bool is_list_append(PyObject* callable) {
  return callable == interpreter()->callable_cache.list_append;
}
// Depth of C calls, kept for methods that are called without vectorcall. False: too deep, error
// set.
inline bool enter_c_call(PyThreadState* ts) {
  return !_Py_EnterRecursiveCallTstate(ts, " while calling a Python object");
}
inline void leave_c_call(PyThreadState* ts) { _Py_LeaveRecursiveCallTstate(ts); }

// ---- containers: as the interpreter's instructions call them
inline int append(PyObject* list, PyObject* item) {
  return _PyList_AppendTakeRef(reinterpret_cast<PyListObject*>(list), Py_NewRef(item));
}
inline PyObject* extend(PyObject* list, PyObject* iterable) {
  return _PyList_Extend(reinterpret_cast<PyListObject*>(list), iterable);
}
inline int set_update(PyObject* set, PyObject* iterable) { return _PySet_Update(set, iterable); }
inline int set_contains(PyObject* set, PyObject* item) {
  return _PySet_Contains(reinterpret_cast<PySetObject*>(set), item);
}
inline PyObject* dict_from_items(PyObject* const* keys, Py_ssize_t key_step,
                                 PyObject* const* values, Py_ssize_t value_step, Py_ssize_t count) {
  return _PyDict_FromItems(keys, key_step, values, value_step, count);
}
inline void set_key_error(PyObject* key) { _PyErr_SetKeyError(key); }
inline PyObject* empty_tuple() { return PyTuple_New(0); }  // a singleton

// ---- operators by number
inline PyObject* apply_binary(int number, PyObject* left, PyObject* right) {
  return _PyEval_BinaryOps[number](left, right);
}
inline PyObject* apply_conversion(int number, PyObject* value) {
  return _PyEval_ConversionFuncs[number](value);
}
inline PyObject* apply_intrinsic_1(int number, PyObject* value) {
  return _PyIntrinsics_UnaryFunctions[number].func(current_thread(), value);
}
inline PyObject* apply_intrinsic_2(int number, PyObject* lower, PyObject* top) {
  return _PyIntrinsics_BinaryFunctions[number].func(current_thread(), lower, top);
}

// ---- names
// What was found under this name in this namespace, as the instruction gives it: a lazy import is
// done now. Takes over the reference; null: the import failed.
inline PyObject* settled(PyObject* value, PyObject* name, PyObject* space) {
  return is_lazy(value) ? import_now(value, name, space) : value;
}
// unsupported operand type(s) for ...; `nb` is the operator's number, not that of a power.
void set_operand_error(int nb, PyObject* left, PyObject* right);
void set_name_error(PyObject* name);                // name '%.200s' is not defined
void set_unbound_error(PyObject* code, int index);  // of a local, a cell or a free variable
inline PyObject* local_name(PyObject* code, int index) {
  return PyTuple_GET_ITEM(reinterpret_cast<PyCodeObject*>(code)->co_localsplusnames, index);
}

// ---- attributes
inline bool get_method(PyObject* object, PyObject* name, PyObject** method) {
  return _PyObject_GetMethod(object, name, method);
}
inline PyObject* lookup_super(PyObject* type, PyObject* self, PyObject* name, bool* is_method) {
  int found = 0;
  PyObject* result = _PySuper_Lookup(reinterpret_cast<PyTypeObject*>(type), self, name,
                                     is_method ? &found : nullptr);
  if (is_method) *is_method = found;
  return result;
}
inline PyObject* lookup_special(PyObject* object, PyObject* name) {
  return _PyObject_LookupSpecial(object, name);
}
inline PyObject* name_enter() { return &_Py_ID(__enter__); }
inline PyObject* name_exit() { return &_Py_ID(__exit__); }
inline PyObject* name_aenter() { return &_Py_ID(__aenter__); }
inline PyObject* name_aexit() { return &_Py_ID(__aexit__); }
inline PyObject* name_special(int number) {  // as in LoadSpecial
  PyObject* const names[] = {name_enter(), name_exit(), name_aenter(), name_aexit()};
  return names[number];
}
inline PyObject* name_annotations() { return &_Py_ID(__annotations__); }
inline PyObject* name_build_class() { return &_Py_ID(__build_class__); }
inline PyObject* name_import() { return &_Py_ID(__import__); }
inline PyObject* name_name() { return &_Py_ID(__name__); }
inline PyObject* name_spec() { return &_Py_ID(__spec__); }
inline PyObject* name_initializing() { return &_Py_ID(_initializing); }
inline PyObject* name_class() { return &_Py_ID(__class__); }

// ---- matching
inline PyObject* match_class(PyObject* subject, PyObject* type, int positional, PyObject* names) {
  return _PyEval_MatchClass(current_thread(), subject, type, positional, names);
}
inline PyObject* match_keys(PyObject* subject, PyObject* keys) {
  return _PyEval_MatchKeys(current_thread(), subject, keys);
}

// ---- exceptions
// The exception being handled by the running frame (owned by the thread), or null. Writable.
inline PyObject** handled_exception() { return &current_thread()->exc_info->exc_value; }
inline int check_except_type(PyObject* type) {
  return _PyEval_CheckExceptTypeValid(current_thread(), type);
}
inline int check_except_star_type(PyObject* type) {
  return _PyEval_CheckExceptStarTypeValid(current_thread(), type);
}

// ---- imports and functions
inline bool is_default_import(PyObject* function) {
  return interpreter()->imports.import_func == function;
}
inline void set_function_version(PyObject* function, PyObject* code) {
  _PyFunction_SetVersion(reinterpret_cast<PyFunctionObject*>(function),
                         reinterpret_cast<PyCodeObject*>(code)->co_version);
}
void set_function_attribute(PyObject* function, PyObject* value, int flag);

// ---- asynchronous iteration
inline PyObject* awaitable_iterator(PyObject* object) { return _PyCoro_GetAwaitableIter(object); }
inline void set_awaitable_error(PyObject* object, int where) {
  _PyEval_FormatAwaitableError(current_thread(), Py_TYPE(object), where);
}

}  // namespace psyco::objects
