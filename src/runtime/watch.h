// Assumptions of compiled code about live objects, and the watchers that see them break.
//
// Dictionaries, types and functions have watchers in CPython; what has none is seen by
// in_place.cpp.
//
// The callbacks only mark: the code becomes invalid, its activations are told to leave. Nothing is
// freed, no Python runs, no object is made. The owner of a CompiledCode keeps every object it
// embeds or guards on alive; a watcher cannot, and an address used again would pass the guard.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"

namespace psyco {

bool init_watchers();  // false: no watcher id free; an error is set
void stop_watchers();

// All return false, with no error set, if the assumption cannot be watched: do not make it then.
// The value of `key` (exact str) in `dict`, its absence included.
bool depend_on_key(CompiledCode* code, PyObject* dict, PyObject* key);
// Code that depended on the key broke more than once.
bool keeps_changing(PyObject* dict, PyObject* key);
// It keeps changing from now on, whoever depends on it: compiled code will store it unseen.
void expect_changes(PyObject* dict, PyObject* key);
uint8_t own_dict_watcher();  // a bit; 0: none
// Attributes and bases of the type. Gives it a version tag, without which its watcher would not
// fire.
bool depend_on_type(CompiledCode* code, PyTypeObject* type);
// Code, defaults and life of the function.
bool depend_on_function(CompiledCode* code, PyFunctionObject* function);

// Whatever relies on the function is broken: it must not be walked in place any more.
void break_dependents(PyFunctionObject* function);

// What the object is: its class and, if it is a property, static or class method, what it wraps.
bool depend_on_object(CompiledCode* code, PyObject* object);
// No object's class is assigned while an activation of the code runs; if one is, it leaves.
bool depend_on_classes(CompiledCode* code);
// From in_place.cpp.
void object_changed(PyObject* object);
void class_assigned(PyObject* object);

// The watcher hears of the dictionary from now on, its death included. False: it cannot be watched.
bool watch_dict(PyObject* dict);
extern void (*g_watched_dict_destroyed)(PyObject* dict);
// Until forget_deaths(): whether the dictionary is freed. False: it cannot be watched.
bool watch_death(PyObject* dict);
bool died(PyObject* dict);
void forget_deaths();

// A function was made. It is not usable yet: MAKE_FUNCTION gives it its version, closure and
// defaults afterwards. Only note it down.
extern void (*g_function_created)(PyFunctionObject* function);
extern void (*g_function_destroyed)(PyFunctionObject* function);

size_t dependency_count();

}  // namespace psyco
