// What the front end may know about CPython's objects: offsets of fields, and looks at live objects
// that run no Python code. Offsets are filled by shapes.cpp; a version that lacks one
// says -1.
#pragma once
#include <cstdint>

#include "cpython/port.h"

namespace psyco::shapes {

extern const int32_t kObRefcnt, kObType, kObSize;
extern const int32_t kLongTag, kFloatValue;
extern const int32_t kListItems, kTupleItems;  // pointer to the items; the items themselves
extern const int32_t kDictUsed, kStrLength;
extern const int32_t kRangeIterStart, kRangeIterStep, kRangeIterLength;
extern const int32_t kListIterIndex, kListIterList;  // tuple iterators have the same layout
extern const int32_t kCellValue, kFunctionClosure, kFunctionGlobals, kFunctionCode;
extern const int32_t kBytesData, kByteArrayStart;
// Inline values of an instance, from where they begin (AttrPlan::values): the byte "are valid".
extern const int32_t kValuesValid;
// Its neighbours: how many values there is room for, how many are set; the values, and behind them
// one byte for each that is set, in the order in which they were.
extern const int32_t kValuesCapacity, kValuesCount, kValuesItems;
extern const int32_t kManagedDict;  // from the object: its dictionary pointer
extern const int32_t kKeysEntries;  // in a shared-keys object: number of names
extern const int32_t kMethodFunction, kMethodSelf;

// Objects that hold plain numbers one after the other: bytes, bytearray, array.array.
struct BufferPlan {
  char item = 0;  // as in the struct module, 'q' for every signed 64-bit kind; 0: no such object
  bool immutable = false;    // the items lie in the object itself, else a pointer to them does
  int32_t data_offset = 0;   // of the items or of that pointer
  int32_t kind_offset = -1;  // word of the object that tells the kind of its items,
  int64_t kind = 0;          // and what it has to be; -1: the type says all
};
// `example`: an object of the type whose kind is expected again, or null.
BufferPlan plan_buffer(PyTypeObject* type, PyObject* example);
bool is_array_type(PyTypeObject* type);

PyObject* empty_tuple();
bool int_value(PyObject* exact_int, int64_t* value);  // false: beyond 64 bits
bool dies_quietly(PyTypeObject* type);  // instances hold no object and run no code when they die
bool is_immortal(PyObject* object);
PyTypeObject* range_iter_type();
PyTypeObject* list_iter_type();
PyTypeObject* tuple_iter_type();
PyTypeObject* bytes_iter_type();  // both as a list iterator; null: not so in this interpreter
PyTypeObject* bytearray_iter_type();

// How an attribute of instances of a type is found. Valid while the type is unchanged (watch it).
struct AttrPlan {
  enum Kind : uint8_t {
    None,      // no fast way: use the helper
    Inline,    // inline value at `offset`, if kValuesValid; null means unset
    Member,    // __slots__ member at `offset`; null means unset
    Constant,  // class attribute `value`, not a descriptor
    Method,    // plain function `value`: binds
    Property,  // property `value` with the Python getter, or setter, `inner`
    Static,    // static method `value` of the object `inner`
    Class,     // class method `value` of the Python function `inner`: binds the type
  } kind = None;
  int32_t offset = 0;  // of the value in the instance
  int32_t values = 0;  // where the instance's inline values begin, if it has any
  PyObject* value = nullptr;
  PyObject* inner = nullptr;  // what the descriptor wraps now: its __init__ can be called again
  // The class attribute of that name, if its class is mutable: it can become a descriptor.
  PyObject* attribute = nullptr;
  const void* keys =
      nullptr;  // Constant, Method, Property-free: instances may shadow it; guard that the
  int64_t key_count = 0;  // shared keys still have key_count names and kValuesValid
};
AttrPlan plan_load(PyTypeObject* type, PyObject* name);
// What a `with` statement finds in the class, whatever the instance has: Method only.
AttrPlan plan_special(PyTypeObject* type, int number);    // as in LoadSpecial
AttrPlan plan_store(PyTypeObject* type, PyObject* name);  // Inline, Member or Property only
// The Python function that instances of `left` and `right` are given to for the operator NB_... of
// that number, if it decides alone: what it does not implement is a TypeError. Else null. Holds
// while `left` is unchanged.
PyObject* operator_function(PyTypeObject* left, PyTypeObject* right, int nb);
// __getitem__ or __setitem__ of a class in Python, or null. Holds while the type is unchanged.
PyObject* subscript_function(PyTypeObject* type, bool store);
// What a class has under that name, if it is a static or class method: such a plan, else None.
AttrPlan plan_wrapped(PyObject* class_attribute);
// The Python function super(cls, <instance of type>).name binds, or null: something else, or not
// known. Holds while `type` is unchanged.
PyObject* super_function(PyTypeObject* cls, PyTypeObject* type, PyObject* name);

// The value an attribute or item has now; null if it cannot be told without running code. Borrowed.
PyObject* peek_attr(PyObject* object, PyObject* name);
PyObject* peek_item(PyObject* container, int64_t index);
PyObject* peek_dict(PyObject* dict, PyObject* key);  // exact dict, str key
// The name stands for a module that is imported when it is first used: not to be known before.
bool is_lazy_name(PyObject* dict, PyObject* key);
PyTypeObject* lazy_type();  // of what stands there; null: this version has none
// Where the value of a global lies, as long as the dictionary's table of keys has this version:
// then at `offset` in the table. It may be null, for a name that was deleted.
struct GlobalPlan {
  bool found = false;
  uint32_t version = 0;
  int32_t offset = 0;
};
extern const int32_t kDictKeys, kKeysVersion;  // in a dictionary; in its table, unsigned, 4 bytes
extern const int32_t kDictWatchers;            // in a dictionary: a byte, one bit for each watcher
constexpr uint8_t kHarmlessDictWatchers = Port::kHarmlessDictWatchers;
GlobalPlan plan_global(PyObject* dict, PyObject* name);
// The function lives on although compiled code keeps it: its module has it under its name, or only
// the collector will find it, since it is in its own closure.
bool is_named(PyFunctionObject* function);  // by its name in its globals
bool outlives_its_use(PyFunctionObject* function);
bool has_class_cell(PyCodeObject* code);     // __class__ is a free variable of it
bool inline_values_valid(PyObject* object);  // of a type that has them
bool plain_instance(PyObject* object);       // inline values valid and no dictionary made
bool class_may_change(PyTypeObject* type);   // obj.__class__ = ... may work on instances
// C(...) is object.__new__(C), then this Python function; else null. Holds while the type does.
PyFunctionObject* plain_init(PyTypeObject* type);
bool without_init(PyTypeObject* type);  // a call makes an instance and does nothing else
// Whether nobody can tell an instance that is never made from one that is made and dies: no
// finaliser, and it is made and freed as those of classes written in Python are.
bool may_be_virtual(PyTypeObject* type);
// In which order a dying instance lets go of its attributes, slots and inline values: ascending.
int death_order(PyTypeObject* type, int32_t place);
int32_t first_inline_value(PyTypeObject* type);  // where it lies; -1: instances have none
bool always_true(PyTypeObject* type);            // its instances, while it is unchanged
// Has a version tag or can get one, and has not had many already.
bool watchable_type(PyTypeObject* type);

}  // namespace psyco::shapes
