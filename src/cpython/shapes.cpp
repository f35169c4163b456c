// Layouts and look-ups of CPython's objects for the front end.
#include "cpython/shapes.h"

#include <internal/pycore_dict.h>
#include <internal/pycore_list.h>
#include <internal/pycore_object.h>
#include <internal/pycore_range.h>
#include <internal/pycore_tuple.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "cpython/objects.h"

namespace psyco::shapes {

#define OFFSET static_cast<int32_t>
const int32_t kObRefcnt = OFFSET(offsetof(PyObject, ob_refcnt));
const int32_t kObType = OFFSET(offsetof(PyObject, ob_type));
const int32_t kObSize = OFFSET(offsetof(PyVarObject, ob_size));
const int32_t kLongTag = OFFSET(offsetof(PyLongObject, long_value.lv_tag));
const int32_t kFloatValue = OFFSET(offsetof(PyFloatObject, ob_fval));
const int32_t kListItems = OFFSET(offsetof(PyListObject, ob_item));
const int32_t kTupleItems = OFFSET(offsetof(PyTupleObject, ob_item));
const int32_t kDictUsed = OFFSET(offsetof(PyDictObject, ma_used));
const int32_t kStrLength = OFFSET(offsetof(PyASCIIObject, length));
const int32_t kRangeIterStart = OFFSET(offsetof(_PyRangeIterObject, start));
const int32_t kRangeIterStep = OFFSET(offsetof(_PyRangeIterObject, step));
const int32_t kRangeIterLength = OFFSET(offsetof(_PyRangeIterObject, len));
const int32_t kListIterIndex = OFFSET(offsetof(_PyListIterObject, it_index));
const int32_t kListIterList = OFFSET(offsetof(_PyListIterObject, it_seq));
const int32_t kCellValue = OFFSET(offsetof(PyCellObject, ob_ref));
const int32_t kFunctionClosure = OFFSET(offsetof(PyFunctionObject, func_closure));
const int32_t kFunctionCode = OFFSET(offsetof(PyFunctionObject, func_code));
const int32_t kFunctionGlobals = OFFSET(offsetof(PyFunctionObject, func_globals));
const int32_t kBytesData = OFFSET(offsetof(PyBytesObject, ob_sval));
const int32_t kByteArrayStart = OFFSET(offsetof(PyByteArrayObject, ob_start));
const int32_t kValuesValid = OFFSET(offsetof(PyDictValues, valid));
const int32_t kValuesCapacity = OFFSET(offsetof(PyDictValues, capacity));
const int32_t kValuesCount = OFFSET(offsetof(PyDictValues, size));
const int32_t kValuesItems = OFFSET(offsetof(PyDictValues, values));
const int32_t kManagedDict = OFFSET(MANAGED_DICT_OFFSET);
const int32_t kKeysEntries = OFFSET(offsetof(PyDictKeysObject, dk_nentries));
const int32_t kMethodFunction = OFFSET(offsetof(PyMethodObject, im_func));
const int32_t kMethodSelf = OFFSET(offsetof(PyMethodObject, im_self));
const int32_t kDictKeys = OFFSET(offsetof(PyDictObject, ma_keys));
const int32_t kKeysVersion = OFFSET(offsetof(PyDictKeysObject, dk_version));
static_assert(DICT_WATCHER_MASK == 0xff);
const int32_t kDictWatchers = OFFSET(objects::kDictTag);  // little-endian
#undef OFFSET
static_assert(offsetof(_PyListIterObject, it_index) == offsetof(_PyTupleIterObject, it_index));
static_assert(offsetof(_PyListIterObject, it_seq) == offsetof(_PyTupleIterObject, it_seq));

PyObject* empty_tuple() {
  static PyObject* empty = PyTuple_New(0);
  return empty;
}

bool int_value(PyObject* object, int64_t* value) {
  int overflow = 0;
  long long v = PyLong_AsLongLongAndOverflow(object, &overflow);
  *value = v;
  return overflow == 0;
}

bool dies_quietly(PyTypeObject* type) {
  return type == &PyLong_Type || type == &PyFloat_Type || type == &PyUnicode_Type ||
         type == &PyBool_Type || type == &PyBytes_Type || type == &PyComplex_Type ||
         type == Py_TYPE(Py_None) || type == &PyRangeIter_Type;
}

bool is_immortal(PyObject* object) { return _Py_IsImmortal(object); }
PyTypeObject* range_iter_type() { return &PyRangeIter_Type; }
PyTypeObject* list_iter_type() { return &PyListIter_Type; }
PyTypeObject* tuple_iter_type() { return &PyTupleIter_Type; }
// Mirror Objects/bytesobject.c:striterobject and bytearrayobject.c:bytesiterobject (3.13), which
// are private: index, sequence.
static PyTypeObject* like_list_iter(PyTypeObject* type) {
  return type->tp_basicsize == sizeof(_PyListIterObject) ? type : nullptr;
}
PyTypeObject* bytes_iter_type() { return like_list_iter(&PyBytesIter_Type); }
PyTypeObject* bytearray_iter_type() { return like_list_iter(&PyByteArrayIter_Type); }

namespace {

// Mirror Modules/arraymodule.c (3.13), which is private to that file.
struct ArrayKind {
  char typecode;
  int itemsize;
};
struct ArrayObject {
  PyObject_VAR_HEAD char* ob_item;
  Py_ssize_t allocated;
  const ArrayKind* ob_descr;
  PyObject* weakreflist;
  Py_ssize_t ob_exports;
};

char item_of(const ArrayKind* kind) {
  switch (kind->typecode) {
    case 'b':
    case 'B':
      return kind->itemsize == 1 ? kind->typecode : 0;
    case 'h':
    case 'H':
      return kind->itemsize == 2 ? kind->typecode : 0;
    case 'i':
    case 'I':
      return kind->itemsize == 4 ? kind->typecode : 0;
    case 'l':
    case 'q':
      return kind->itemsize == 8 ? 'q' : 0;
    case 'L':
    case 'Q':
      return kind->itemsize == 8 ? 'Q' : 0;
    case 'd':
      return kind->itemsize == 8 ? 'd' : 0;
    default:
      return 0;
  }
}

}  // namespace

bool is_array_type(PyTypeObject* type) {
  // Programs cannot make immutable types, so the name says who made it.
  return type && (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) &&
         type->tp_basicsize == sizeof(ArrayObject) && !std::strcmp(type->tp_name, "array.array");
}

BufferPlan plan_buffer(PyTypeObject* type, PyObject* example) {
  BufferPlan plan;
  if (type == &PyBytes_Type) {
    plan.item = 'B';
    plan.immutable = true;
    plan.data_offset = kBytesData;
  } else if (type == &PyByteArray_Type) {
    plan.item = 'B';
    plan.data_offset = kByteArrayStart;
  } else if (example && Py_TYPE(example) == type && is_array_type(type)) {
    const ArrayKind* kind = reinterpret_cast<ArrayObject*>(example)->ob_descr;
    plan.item = item_of(kind);
    plan.data_offset = static_cast<int32_t>(offsetof(ArrayObject, ob_item));
    plan.kind_offset = static_cast<int32_t>(offsetof(ArrayObject, ob_descr));
    plan.kind = static_cast<int64_t>(reinterpret_cast<intptr_t>(kind));
  }
  return plan;
}

namespace {

// Position of a name in the shared keys of a class, -1 if absent. The table is scanned: shared keys
// hold at most 30 names (SHARED_KEYS_MAX_SIZE).
int shared_index(PyTypeObject* type, PyObject* name) {
  PyDictKeysObject* keys = reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys;
  if (!keys || keys->dk_kind != DICT_KEYS_SPLIT) return -1;
  PyDictUnicodeEntry* entries = DK_UNICODE_ENTRIES(keys);
  for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
    PyObject* key = entries[i].me_key;
    if (key == name || (key && PyUnicode_Compare(key, name) == 0)) return static_cast<int>(i);
  }
  return -1;
}

bool has_inline_values(PyTypeObject* type) {
  return (type->tp_flags & Py_TPFLAGS_INLINE_VALUES) && (type->tp_flags & Py_TPFLAGS_MANAGED_DICT);
}

// Inline values follow what the type's instances have else: the head, and from 3.14 on the slots of
// its bases too (pycore_object.h:_PyObject_InlineValues).
int32_t inline_values_at(PyTypeObject* type) { return static_cast<int32_t>(type->tp_basicsize); }

int32_t inline_offset(PyTypeObject* type, int index) {
  return inline_values_at(type) + kValuesItems + int{sizeof(PyObject*)} * index;
}

bool is_object_member(PyObject* descriptor, PyTypeObject* type, bool store) {
  if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return false;
  auto* member = reinterpret_cast<PyMemberDescrObject*>(descriptor);
  if (member->d_member->type != Py_T_OBJECT_EX || (member->d_member->flags & Py_AUDIT_READ))
    return false;
  if (store && (member->d_member->flags & Py_READONLY)) return false;
  return PyType_IsSubtype(type, member->d_common.d_type);
}

}  // namespace

namespace {
// False: it might become a descriptor, and nobody could tell.
bool note_attribute(AttrPlan& plan, PyObject* attribute) {
  if (!attribute || (Py_TYPE(attribute)->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)) return true;
  plan.attribute = attribute;
  return watchable_type(Py_TYPE(attribute));
}
}  // namespace

namespace {
// Borrowed.
PyObject* attribute_of_class(PyTypeObject* type, const char* text) {
  PyObject* name = PyUnicode_InternFromString(text);
  PyObject* found = name ? _PyType_Lookup(type, name) : nullptr;
  Py_XDECREF(name);
  if (!name) PyErr_Clear();
  return found;
}
// The object in a descriptor's read-only member. Null: none.
PyObject* wrapped_in(PyObject* descriptor, const char* member_name) {
  PyObject* member = attribute_of_class(Py_TYPE(descriptor), member_name);
  if (!member || !Py_IS_TYPE(member, &PyMemberDescr_Type)) return nullptr;
  const Py_ssize_t offset = reinterpret_cast<PyMemberDescrObject*>(member)->d_member->offset;
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(descriptor) + offset);
}
void plan_property(AttrPlan& plan, PyObject* property, const char* accessor) {
  PyObject* function = wrapped_in(property, accessor);
  if (!function || !PyFunction_Check(function)) return;
  plan.kind = AttrPlan::Property;
  plan.value = property;
  plan.inner = function;
}
}  // namespace

AttrPlan plan_wrapped(PyObject* class_attribute) {
  AttrPlan plan;
  const bool of_class = Py_IS_TYPE(class_attribute, &PyClassMethod_Type);
  if (!of_class && !Py_IS_TYPE(class_attribute, &PyStaticMethod_Type)) return plan;
  plan.value = class_attribute;
  plan.inner = wrapped_in(class_attribute, "__func__");
  if (plan.inner && (!of_class || PyFunction_Check(plan.inner)))
    plan.kind = of_class ? AttrPlan::Class : AttrPlan::Static;
  return plan;
}

namespace {
// Of classes written in Python, and object.
bool is_pure(PyTypeObject* type) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_mro); i++) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(type->tp_mro, i));
    if (base != &PyBaseObject_Type &&
        (!(base->tp_flags & Py_TPFLAGS_HEAPTYPE) || (base->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)))
      return false;
  }
  return true;
}
}  // namespace

PyObject* operator_function(PyTypeObject* left, PyTypeObject* right, int nb) {
  static const char* const kNames[] = {"add", "and",     "floordiv", "lshift", "matmul",
                                       "mul", "mod",     "or",       nullptr,  "rshift",
                                       "sub", "truediv", "xor"};
  constexpr int kInPlace = NB_INPLACE_ADD;
  const char* name = kNames[nb % kInPlace];
  if (!name || !(left->tp_flags & Py_TPFLAGS_HEAPTYPE) || !is_pure(left) || !watchable_type(left))
    return nullptr;
  // With another class the other one's reflected operator might come first or last.
  if (right != left && right != &PyLong_Type && right != &PyFloat_Type && right != &PyBool_Type)
    return nullptr;
  const std::string plain = std::string("__") + name + "__";
  if (nb >= kInPlace && attribute_of_class(left, (std::string("__i") + name + "__").c_str()))
    return nullptr;
  PyObject* function = attribute_of_class(left, plain.c_str());
  return function && PyFunction_Check(function) ? function : nullptr;
}

PyObject* subscript_function(PyTypeObject* type, bool store) {
  if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) ||
      !watchable_type(type))
    return nullptr;
  PyObject* function = attribute_of_class(type, store ? "__setitem__" : "__getitem__");
  return function && PyFunction_Check(function) ? function : nullptr;
}

PyObject* super_function(PyTypeObject* cls, PyTypeObject* type, PyObject* name) {
  if (!watchable_type(type) || PyType_IsSubtype(type, &PyType_Type) ||
      PyUnicode_EqualToUTF8(name, "__class__"))
    return nullptr;
  const Py_ssize_t count = PyTuple_GET_SIZE(type->tp_mro);
  bool behind = false;
  for (Py_ssize_t i = 0; i < count; i++) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(type->tp_mro, i));
    if (behind) {
      PyObject* dict = PyType_GetDict(base);
      const bool readable = objects::has_only_str_keys(reinterpret_cast<PyDictObject*>(dict));
      PyObject* found = readable ? peek_dict(dict, name) : nullptr;
      Py_DECREF(dict);
      if (found) return PyFunction_Check(found) ? found : nullptr;
      if (!readable) return nullptr;
    }
    behind |= base == cls;
  }
  return nullptr;
}

// True if there is a data descriptor, which alone decides what happens.
static bool plan_data_descriptor(AttrPlan& plan, PyTypeObject* type, PyObject* descriptor,
                                 bool store) {
  if (!descriptor || !Py_TYPE(descriptor)->tp_descr_set) return false;
  if (is_object_member(descriptor, type, store)) {
    plan.kind = AttrPlan::Member;
    plan.offset =
        static_cast<int32_t>(reinterpret_cast<PyMemberDescrObject*>(descriptor)->d_member->offset);
  } else if (Py_IS_TYPE(descriptor, &PyProperty_Type)) {
    plan_property(plan, descriptor, store ? "fset" : "fget");
  }
  return true;
}

AttrPlan plan_load(PyTypeObject* type, PyObject* name) {
  AttrPlan plan;
  if (type->tp_getattro != PyObject_GenericGetAttr || !watchable_type(type)) return plan;
  PyObject* descriptor = _PyType_Lookup(type, name);  // borrowed
  if (!note_attribute(plan, descriptor)) return plan;
  if (plan_data_descriptor(plan, type, descriptor, false)) return plan;
  bool may_shadow = false;
  if (has_inline_values(type)) {
    int index = shared_index(type, name);
    if (index >= 0) {
      plan.kind = AttrPlan::Inline;
      plan.values = inline_values_at(type);
      plan.offset = inline_offset(type, index);
      return plan;
    }
    may_shadow = true;
  } else if (type->tp_dictoffset != 0 || (type->tp_flags & Py_TPFLAGS_MANAGED_DICT)) {
    return plan;  // a real dictionary: the helper's cache serves it
  }
  if (!descriptor) return plan;
  if (may_shadow) {
    auto* keys = reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys;
    plan.keys = keys;
    plan.values = inline_values_at(type);
    plan.key_count = keys->dk_nentries;
  }
  plan.value = descriptor;
  if (PyFunction_Check(descriptor))
    plan.kind = AttrPlan::Method;
  else if (!Py_TYPE(descriptor)->tp_descr_get)
    plan.kind = AttrPlan::Constant;
  else if (Py_IS_TYPE(descriptor, &PyMethodDescr_Type))
    plan.kind = AttrPlan::Method;
  else {
    const AttrPlan wrapped = plan_wrapped(descriptor);
    plan.kind = wrapped.kind;
    plan.value = wrapped.value;
    plan.inner = wrapped.inner;
  }
  return plan;
}

AttrPlan plan_special(PyTypeObject* type, int number) {
  AttrPlan plan;
  PyObject* method =
      watchable_type(type) ? _PyType_Lookup(type, objects::name_special(number)) : nullptr;
  if (!method || (!PyFunction_Check(method) && !Py_IS_TYPE(method, &PyMethodDescr_Type)))
    return plan;
  plan.kind = AttrPlan::Method;
  plan.value = method;
  return plan;
}

AttrPlan plan_store(PyTypeObject* type, PyObject* name) {
  AttrPlan plan;
  if (type->tp_setattro != PyObject_GenericSetAttr || !watchable_type(type)) return plan;
  PyObject* descriptor = _PyType_Lookup(type, name);
  if (!note_attribute(plan, descriptor)) return plan;
  if (plan_data_descriptor(plan, type, descriptor, true)) return plan;
  if (!has_inline_values(type)) return plan;
  int index = shared_index(type, name);
  if (index < 0) return plan;
  plan.kind = AttrPlan::Inline;
  plan.values = inline_values_at(type);
  plan.offset = inline_offset(type, index);
  return plan;
}

PyObject* peek_attr(PyObject* object, PyObject* name) {
  PyTypeObject* type = Py_TYPE(object);
  AttrPlan plan = plan_load(type, name);
  switch (plan.kind) {
    case AttrPlan::Inline:
      if (!inline_values_valid(object)) return nullptr;
      [[fallthrough]];
    case AttrPlan::Member:
      return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + plan.offset);
    case AttrPlan::Constant:
      return plan.value;
    default:
      return nullptr;
  }
}

PyObject* peek_item(PyObject* container, int64_t index) {
  if (PyList_CheckExact(container) || PyTuple_CheckExact(container)) {
    Py_ssize_t n = Py_SIZE(container);
    if (n == 0) return nullptr;
    if (index < 0) index += n;
    if (index < 0 || index >= n) index = 0;
    return PyList_CheckExact(container) ? PyList_GET_ITEM(container, index)
                                        : PyTuple_GET_ITEM(container, index);
  }
  return nullptr;
}

namespace {
PyObject* entry_of(PyObject* dict, PyObject* key) {
  if (!dict || !PyDict_CheckExact(dict) || !PyUnicode_CheckExact(key)) return nullptr;
  // Only str keys: comparing them runs no code. Other kinds of keys might.
  auto* d = reinterpret_cast<PyDictObject*>(dict);
  if (d->ma_keys->dk_kind == DICT_KEYS_GENERAL) return nullptr;
  PyObject* value = PyDict_GetItemWithError(dict, key);
  if (!value) PyErr_Clear();
  return value;
}
}  // namespace

PyObject* peek_dict(PyObject* dict, PyObject* key) {
  PyObject* value = entry_of(dict, key);
  return value && !objects::is_lazy(value) ? value : nullptr;
}

bool is_lazy_name(PyObject* dict, PyObject* key) {
  PyObject* value = entry_of(dict, key);
  return value && objects::is_lazy(value);
}

PyTypeObject* lazy_type() { return Port::lazy_type(); }

namespace {
PyFunctionObject* function_in_cell(PyFunctionObject* function, Py_ssize_t i) {
  PyObject* object = PyCell_GET(PyTuple_GET_ITEM(function->func_closure, i));
  return object && PyFunction_Check(object) ? reinterpret_cast<PyFunctionObject*>(object) : nullptr;
}
Py_ssize_t cells_of(const PyFunctionObject* function) {
  return function->func_closure ? PyTuple_GET_SIZE(function->func_closure) : 0;
}
}  // namespace

bool is_named(PyFunctionObject* function) {
  return PyDict_CheckExact(function->func_globals) &&
         peek_dict(function->func_globals, function->func_name) ==
             reinterpret_cast<PyObject*>(function);
}

bool outlives_its_use(PyFunctionObject* function) {
  if (is_named(function)) return true;
  for (Py_ssize_t i = 0; i < cells_of(function); i++) {
    PyFunctionObject* other = function_in_cell(function, i);
    if (other == function) return true;
    for (Py_ssize_t k = 0; other && k < cells_of(other); k++)
      if (function_in_cell(other, k) == function) return true;
  }
  return false;
}

GlobalPlan plan_global(PyObject* dict, PyObject* name) {
  GlobalPlan plan;
  if (!dict || !PyDict_CheckExact(dict)) return plan;
  auto* d = reinterpret_cast<PyDictObject*>(dict);
  if (d->ma_values || !objects::has_only_str_keys(d)) return plan;
  const Py_ssize_t index = objects::find_entry(d, name);
  PyObject** place = index < 0 ? nullptr : objects::entry_value(d, index, name);
  if (!place || !*place) return plan;
  const auto offset = reinterpret_cast<intptr_t>(place) - reinterpret_cast<intptr_t>(d->ma_keys);
  plan.version = objects::assign_keys_version(d->ma_keys);
  plan.offset = static_cast<int32_t>(offset);
  plan.found = plan.version != 0 && plan.offset == offset;
  return plan;
}

bool has_class_cell(PyCodeObject* code) {
  for (int i = PyUnstable_Code_GetFirstFree(code); i < code->co_nlocalsplus; i++)
    if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(code->co_localsplusnames, i),
                                         "__class__") == 0)
      return true;
  return false;
}

bool inline_values_valid(PyObject* object) { return _PyObject_InlineValues(object)->valid; }

bool plain_instance(PyObject* object) {
  return has_inline_values(Py_TYPE(object)) && inline_values_valid(object) &&
         !_PyObject_GetManagedDict(object);
}

// typeobject.c:object_set_class
bool class_may_change(PyTypeObject* type) {
  return !(type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) || PyType_IsSubtype(type, &PyModule_Type);
}

PyFunctionObject* plain_init(PyTypeObject* type) {
  return reinterpret_cast<PyFunctionObject*>(objects::plain_init(type));
}

bool without_init(PyTypeObject* type) {
  return objects::makes_plain_instances(type) && type->tp_init == PyBaseObject_Type.tp_init;
}

bool may_be_virtual(PyTypeObject* type) {
  if (type->tp_alloc != PyType_GenericAlloc || type->tp_itemsize || type->tp_finalize ||
      type->tp_del || !(type->tp_flags & Py_TPFLAGS_HAVE_GC))
    return false;
  const destructor plain = objects::plain_dealloc();
  for (; plain && type && type != &PyBaseObject_Type; type = type->tp_base)
    if (type->tp_dealloc != plain) return false;
  return plain && type;
}

// typeobject.c:subtype_dealloc: the slots, those of the class itself first, then the dictionary.
int death_order(PyTypeObject* type, int32_t place) {
  constexpr int kMostMembers = 1 << 12, kInline = 1 << 24;
  const int32_t first = first_inline_value(type);
  if (first >= 0 && place >= first) return kInline + place;
  int order = 0;
  for (PyTypeObject* base = type; base; base = base->tp_base, order += kMostMembers)
    for (Py_ssize_t i = 0; base->tp_members && i < Py_SIZE(base) && i < kMostMembers; i++)
      if (base->tp_members[i].offset == place) return order + static_cast<int>(i);
  return order;
}

int32_t first_inline_value(PyTypeObject* type) {
  return has_inline_values(type) ? inline_offset(type, 0) : -1;
}

bool always_true(PyTypeObject* type) {
  return !(type->tp_as_number && type->tp_as_number->nb_bool) &&
         !(type->tp_as_mapping && type->tp_as_mapping->mp_length) &&
         !(type->tp_as_sequence && type->tp_as_sequence->sq_length);
}

// A class that changes again and again, such as one that counts its instances, is not worth
// watching.
bool watchable_type(PyTypeObject* type) {
  constexpr int kMostChanges = 8;
  return PyUnstable_Type_AssignVersionTag(type) != 0 && type->tp_versions_used <= kMostChanges;
}

}  // namespace psyco::shapes
