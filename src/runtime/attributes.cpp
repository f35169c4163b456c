// Attributes through per-site caches, at least as good as the interpreter's own.
//
// A cache entry is good while the version tag of the object's type is the one it was made for: the
// tag changes whenever a class in the MRO does, is never given twice, and the classes keep the
// descriptors alive that the entry names. What lies in the instance itself is checked at each use.
// An entry that does not hold is passed over; the generic C function always ends the search.
#include "runtime/caches.h"
#include "runtime/helpers.h"

using namespace psyco;
using namespace psyco::objects;

void (*psyco::g_attribute_met)(AttrCache*, PyObject*, PyObject*, bool) = nullptr;

namespace {

inline void note_lookup(AttrCache* cache, PyObject* object, PyObject* name, bool store) {
  if (PSYCO_LIKELY(!cache->watched)) return;
  // At irregular distances: what comes by has regularities of its own.
  const uint32_t left = --cache->watched;
  if (left == 0 || left * 2654435769u >> (32 - AttrCache::kSampledBits) == 0)
    g_attribute_met(cache, object, name, store);
}

enum Kind : uint8_t {
  kInlineValue,  // in the object's inline values, at index
  kDictEntry,    // in the managed dictionary, entry index
  kSlot,         // at byte offset index of the object
  kData,         // data descriptor of the class: nothing in the instance can hide it
  kNoDict,       // class attribute; instances have no dictionary
  kSharedKeys,   // class attribute; the name is not among the shared keys of the inline values
  kLookupDict,   // class attribute; the instance's dictionary must be asked
  kModuleEntry,  // module global, entry index
  kClassValue,   // the object is a class of version keys_version; the result is entry.object
  kClassBind,    // the same, through the descriptor entry.object
};
enum Bind : uint8_t {
  kAsIs,        // no __get__
  kMethod,      // a function or another descriptor that binds only self
  kDescriptor,  // any other __get__
  kProperty,    // property with a getter
};

bool is_immutable(PyTypeObject* type) { return type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE; }
bool is_method_descriptor(PyObject* object) {
  return Py_TYPE(object)->tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR;
}
Bind bind_of(PyObject* descriptor) {
  if (!Py_TYPE(descriptor)->tp_descr_get) return kAsIs;
  return is_method_descriptor(descriptor) ? kMethod : kDescriptor;
}
PyObject*& slot_at(PyObject* object, int32_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

// An object member of instances of object's type that plain memory access serves.
bool is_object_slot(PyObject* descriptor, PyObject* object, bool store) {
  if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return false;
  PyMemberDescrObject* member = reinterpret_cast<PyMemberDescrObject*>(descriptor);
  PyMemberDef* def = member->d_member;
  if (def->type != Py_T_OBJECT_EX && def->type != _Py_T_OBJECT) return false;
  if (def->flags & (Py_AUDIT_READ | Py_RELATIVE_OFFSET | (store ? Py_READONLY : 0))) return false;
  return PyObject_TypeCheck(object, member->d_common.d_type) && def->offset == int32_t(def->offset);
}
int32_t slot_offset(PyObject* descriptor) {
  return static_cast<int32_t>(reinterpret_cast<PyMemberDescrObject*>(descriptor)->d_member->offset);
}

bool learn_module(AttrEntry& entry, PyObject* module, PyObject* name) {
  PyObject* dict = module_dict(module);
  if (!dict || !has_only_str_keys(reinterpret_cast<PyDictObject*>(dict))) return false;
  PyObject* descriptor = _PyType_Lookup(Py_TYPE(module), name);
  if (descriptor && Py_TYPE(descriptor)->tp_descr_set) return false;
  Py_ssize_t index = find_entry(reinterpret_cast<PyDictObject*>(dict), name);
  if (index < 0 || index > INT32_MAX) return false;
  entry.kind = kModuleEntry;
  entry.index = static_cast<int32_t>(index);
  return true;
}

bool learn_class(AttrEntry& entry, PyTypeObject* type, PyObject* name) {
  if (PyObject* meta = _PyType_Lookup(Py_TYPE(type), name))
    if (!is_immutable(Py_TYPE(meta)) || Py_TYPE(meta)->tp_descr_set) return false;
  PyObject* value = _PyType_Lookup(type, name);
  if (!value || !is_immutable(Py_TYPE(value)) || !PyUnstable_Type_AssignVersionTag(type))
    return false;
  entry.keys_version = type_version(type);
  entry.object = value;
  // Functions and method descriptors give themselves when there is no instance.
  entry.kind = bind_of(value) == kDescriptor ? kClassBind : kClassValue;
  return true;
}

// The name is not a data descriptor of the class; class_value may be null.
bool learn_instance(AttrEntry& entry, PyObject* object, PyObject* name, PyObject* class_value) {
  PyTypeObject* type = Py_TYPE(object);
  Py_ssize_t index;
  entry.object = class_value;
  if (class_value) entry.flags = bind_of(class_value);
  if (has_inline_values(type) && inline_values(object)->valid) {
    index = find_shared_key(type, name);
    if (index >= 0) {
      entry.kind = kInlineValue;
      entry.index = static_cast<int32_t>(index);
      return inline_values(object)->values[index] != nullptr;
    }
    entry.kind = kSharedKeys;
    entry.keys_version = assign_shared_keys_version(type);
    return class_value && entry.keys_version != 0;
  }
  if (has_managed_dict(type)) {
    PyDictObject* dict = managed_dict(object);
    index = dict ? find_entry(dict, name) : -1;
    if (index >= 0) {
      entry.kind = kDictEntry;
      entry.index = static_cast<int32_t>(index);
      return index <= INT32_MAX;
    }
  }
  entry.kind = type->tp_dictoffset == 0 ? kNoDict : kLookupDict;
  return class_value != nullptr;
}

bool learn_load(AttrEntry& entry, PyObject* object, PyObject* name) {
  PyTypeObject* type = Py_TYPE(object);
  if (!PyUnstable_Type_AssignVersionTag(type)) return false;
  entry.version = type_version(type);
  if (PyModule_CheckExact(object)) return learn_module(entry, object, name);
  if (PyType_Check(object) && type->tp_getattro == PyType_Type.tp_getattro)
    return learn_class(entry, reinterpret_cast<PyTypeObject*>(object), name);
  bool has_hook;
  if (!uses_generic_getattr(type, &has_hook)) return false;
  PyObject* descriptor = _PyType_Lookup(type, name);
  if (!descriptor) return learn_instance(entry, object, name, nullptr);
  PyTypeObject* kind = Py_TYPE(descriptor);
  if (!is_immutable(kind)) return false;  // it may become a descriptor, or stop being one
  if (!kind->tp_descr_set || !kind->tp_descr_get)
    return !kind->tp_descr_set && learn_instance(entry, object, name, descriptor);
  entry.object = descriptor;
  if (is_object_slot(descriptor, object, false)) {
    entry.kind = kSlot;
    entry.index = slot_offset(descriptor);
    return true;
  }
  if (has_hook) return false;  // an AttributeError of the descriptor must call it
  entry.kind = kData;
  entry.flags = Py_IS_TYPE(descriptor, &PyProperty_Type) && property_getter(descriptor)
                    ? kProperty
                    : kDescriptor;
  return true;
}

bool learn_store(AttrEntry& entry, PyObject* object, PyObject* name) {
  PyTypeObject* type = Py_TYPE(object);
  if (type->tp_setattro != PyObject_GenericSetAttr || !PyUnstable_Type_AssignVersionTag(type))
    return false;
  entry.version = type_version(type);
  if (PyObject* descriptor = _PyType_Lookup(type, name)) {
    if (!is_immutable(Py_TYPE(descriptor))) return false;
    if (Py_TYPE(descriptor)->tp_descr_set) {
      if (!is_object_slot(descriptor, object, true)) return false;
      entry.kind = kSlot;
      entry.index = slot_offset(descriptor);
      return true;
    }
  }
  Py_ssize_t index = -1;
  if (has_inline_values(type) && inline_values(object)->valid) {
    entry.kind = kInlineValue;
    if (!managed_dict(object)) index = find_shared_key(type, name);
  } else if (has_managed_dict(type)) {
    entry.kind = kDictEntry;
    if (PyDictObject* dict = managed_dict(object)) index = find_entry(dict, name);
  }
  entry.index = static_cast<int32_t>(index);
  return index >= 0 && index <= INT32_MAX;
}

// Loads of sites that meet more classes than they have ways look here, all together. Names that are
// compared by address have to stay where they are.
struct SharedEntry {
  PyObject* name = nullptr;
  AttrEntry entry;
};
constexpr uint32_t kSharedEntries = 1024;
SharedEntry g_shared_entries[kSharedEntries];

SharedEntry& shared_entry(uint32_t version, PyObject* name) {
  const auto low = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(name) >> 4);
  return g_shared_entries[(version * 31 ^ low) % kSharedEntries];
}

inline const AttrEntry* find_shared(const AttrCache* cache, uint32_t version, PyObject* name) {
  if (cache->misses <= AttrCache::kWays) return nullptr;
  const SharedEntry& shared = shared_entry(version, name);
  const bool is_it = shared.name == name && shared.entry.version == version;
  return is_it ? &shared.entry : nullptr;
}

// Learning looks at the state before the access. Sites that keep missing pause, so that their cost
// is the generic lookup and little else.
template <class Learn>
void learn(AttrCache* cache, PyObject* object, PyObject* name, Learn learn_entry,
           bool shares = false) {
  if (cache->pause) {
    cache->pause--;
    return;
  }
  AttrEntry entry;
  bool known = learn_entry(entry, object, name);
  if (cache->misses < UINT16_MAX) cache->misses++;
  if (cache->misses > 4 * AttrCache::kWays)
    cache->pause = static_cast<uint16_t>(cache->misses < 1000 ? cache->misses * 4 : 4000);
  if (!known) return;
  cache->entries[cache->misses % AttrCache::kWays] = entry;
  if (shares && cache->misses > AttrCache::kWays && is_immortal(name))
    shared_entry(entry.version, name) = {name, entry};
}

PyObject* call_getter(PyObject* getter, PyObject* object) {
  Py_INCREF(getter);
  PyObject* result = PyObject_CallOneArg(getter, object);
  Py_DECREF(getter);
  return result;
}

PyObject* call_get(PyObject* descriptor, PyObject* object, PyTypeObject* type) {
  Py_INCREF(descriptor);
  PyObject* result =
      Py_TYPE(descriptor)->tp_descr_get(descriptor, object, reinterpret_cast<PyObject*>(type));
  Py_DECREF(descriptor);
  return result;
}

PyObject* bind(const AttrEntry& entry, PyObject* object, PyObject** self_out) {
  if (entry.flags == kMethod) {
    if (self_out) {
      *self_out = Py_NewRef(object);
      return Py_NewRef(entry.object);
    }
    if (PyFunction_Check(entry.object)) return PyMethod_New(entry.object, object);
  }
  if (entry.flags == kAsIs) return Py_NewRef(entry.object);
  return call_get(entry.object, object, Py_TYPE(object));
}

enum class Found { No, Yes };

// *result: new reference, or null with an error set.
Found load_entry(const AttrEntry& entry, PyObject* object, PyObject* name, PyObject** self_out,
                 PyObject** result) {
  PyObject* value = nullptr;
  switch (static_cast<Kind>(entry.kind)) {
    case kInlineValue:
      if (!inline_values(object)->valid) return Found::No;
      value = inline_values(object)->values[entry.index];
      break;
    case kSlot:
      value = slot_at(object, entry.index);
      break;
    case kDictEntry: {
      PyDictObject* dict = managed_dict(object);
      PyObject** place = dict ? entry_value(dict, entry.index, name) : nullptr;
      if (place) value = *place;
      break;
    }
    case kModuleEntry: {
      PyDictObject* dict = reinterpret_cast<PyDictObject*>(module_dict(object));
      PyObject** place = dict ? entry_value(dict, entry.index, name) : nullptr;
      if (place && *place && !is_lazy(*place)) value = *place;
      break;
    }
    case kClassValue:
      if (type_version(reinterpret_cast<PyTypeObject*>(object)) == entry.keys_version)
        value = entry.object;
      break;
    case kClassBind:
      if (type_version(reinterpret_cast<PyTypeObject*>(object)) != entry.keys_version)
        return Found::No;
      *result = call_get(entry.object, nullptr, reinterpret_cast<PyTypeObject*>(object));
      return Found::Yes;
    case kData:
      *result = entry.flags == kProperty && property_getter(entry.object)
                    ? call_getter(property_getter(entry.object), object)
                    : call_get(entry.object, object, Py_TYPE(object));
      return Found::Yes;
    case kSharedKeys:
      if (!inline_values(object)->valid ||
          shared_keys_version(Py_TYPE(object)) != entry.keys_version)
        return Found::No;
      *result = bind(entry, object, self_out);
      return Found::Yes;
    case kNoDict:
      *result = bind(entry, object, self_out);
      return Found::Yes;
    case kLookupDict: {
      if (has_inline_values(Py_TYPE(object)) && inline_values(object)->valid) return Found::No;
      PyObject* dict = instance_dict(object);
      AttrEntry copy = entry;  // comparing keys may run code that changes the cache or the class
      Py_INCREF(copy.object);
      int status = 0;
      if (dict) {
        Py_INCREF(dict);
        status = PyDict_GetItemRef(dict, name, result);
        Py_DECREF(dict);
      }
      if (status == 0) *result = bind(copy, object, self_out);
      Py_DECREF(copy.object);
      return Found::Yes;
    }
  }
  if (!value) return Found::No;
  *result = Py_NewRef(value);
  return Found::Yes;
}

inline PyObject* load(PyObject* object, PyObject* name, AttrCache* cache, PyObject** self_out) {
  note_lookup(cache, object, name, false);
  uint32_t version = type_version(Py_TYPE(object));
  PyObject* result;
  if (PSYCO_LIKELY(version != 0)) {
    if (const AttrEntry* entry = find_shared(cache, version, name))
      if (load_entry(*entry, object, name, self_out, &result) == Found::Yes) return result;
    for (const AttrEntry& entry : cache->entries)
      if (entry.version == version &&
          load_entry(entry, object, name, self_out, &result) == Found::Yes)
        return result;
  }
  learn(cache, object, name, learn_load, true);
  if (!self_out) return PyObject_GetAttr(object, name);
  result = nullptr;
  if (get_method(object, name, &result)) *self_out = Py_NewRef(object);
  return result;
}

bool store_entry(const AttrEntry& entry, PyObject* object, PyObject* name, PyObject* value) {
  PyObject* old;
  if (entry.kind == kSlot) {
    old = slot_at(object, entry.index);
    slot_at(object, entry.index) = Py_NewRef(value);
    Py_XDECREF(old);
    return true;
  }
  PyDictObject* dict = managed_dict(object);
  if (entry.kind == kInlineValue) {
    PyDictValues* values = inline_values(object);
    if (dict || !values->valid) return false;
    old = values->values[entry.index];
    values->values[entry.index] = Py_NewRef(value);
    if (old)
      Py_DECREF(old);
    else
      note_first_store(values, entry.index);
    return true;
  }
  if (!dict || is_watched(dict)) return false;
  PyObject** place = entry_value(dict, entry.index, name);
  if (!place || !*place) return false;
  old = replace_entry(dict, place, name, Py_NewRef(value));
  Py_DECREF(old);
  return true;
}

}  // namespace

extern "C" {

PyObject* psyco_load_attr(PyObject* object, PyObject* name, AttrCache* cache) {
  return load(object, name, cache, nullptr);
}

PyObject* psyco_load_method(PyObject* object, PyObject* name, AttrCache* cache, PyObject** out) {
  out[0] = nullptr;
  return load(object, name, cache, out);
}

int64_t psyco_store_attr(PyObject* object, PyObject* name, PyObject* value, AttrCache* cache) {
  note_lookup(cache, object, name, true);
  uint32_t version = type_version(Py_TYPE(object));
  if (PSYCO_LIKELY(version != 0)) {
    for (const AttrEntry& entry : cache->entries)
      if (entry.version == version && store_entry(entry, object, name, value)) return 0;
  }
  // The first store of a new name makes the place that later ones use.
  int status = PyObject_SetAttr(object, name, value);
  if (status == 0) learn(cache, object, name, learn_store);
  return status;
}

int64_t psyco_delete_attr(PyObject* object, PyObject* name) {
  return PyObject_DelAttr(object, name);
}

PyObject* psyco_load_super_attr(PyObject* super, PyObject* type, PyObject* self, PyObject* name,
                                int64_t two_arguments) {
  if (super == reinterpret_cast<PyObject*>(&PySuper_Type) && PyType_Check(type))
    return lookup_super(type, self, name, nullptr);
  PyObject* args[] = {type, self};
  PyObject* proxy = PyObject_Vectorcall(super, args, two_arguments ? 2 : 0, nullptr);
  if (!proxy) return nullptr;
  PyObject* result = PyObject_GetAttr(proxy, name);
  Py_DECREF(proxy);
  return result;
}

PyObject* psyco_load_super_method(PyObject* super, PyObject* type, PyObject* self, PyObject* name,
                                  int64_t two_arguments, PyObject** out) {
  out[0] = nullptr;
  if (super != reinterpret_cast<PyObject*>(&PySuper_Type) || !PyType_Check(type))
    return psyco_load_super_attr(super, type, self, name, two_arguments);
  bool is_method = false;
  bool may_split = Py_TYPE(self)->tp_getattro == PyObject_GenericGetAttr;
  PyObject* result = lookup_super(type, self, name, may_split ? &is_method : nullptr);
  if (result && is_method) out[0] = Py_NewRef(self);
  return result;
}

}  // extern "C"
