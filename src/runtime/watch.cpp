#include "runtime/watch.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/activation.h"
#include "runtime/code.h"
#include "runtime/entry.h"
#include "runtime/in_place.h"
#include "support/check.h"
#include "support/mutants.h"

namespace psyco {

void (*g_function_created)(PyFunctionObject*) = nullptr;
void (*g_function_destroyed)(PyFunctionObject*) = nullptr;
void (*g_watched_dict_destroyed)(PyObject*) = nullptr;

namespace {

using Codes = std::vector<CompiledCode*>;
struct WatchedKey {
  PyObject* key;  // owned, exact str
  Codes codes;
};
using WatchedDict = std::vector<WatchedKey>;
struct ChangedKey {
  PyObject* key;  // owned, exact str
  int times;
};
constexpr int kVariable = 2;  // changes of a global that make it no constant any more

struct Watchers {
  int dict = -1, type = -1, function = -1;
  std::unordered_map<PyObject*, WatchedDict> dicts;
  std::unordered_map<PyObject*, std::vector<ChangedKey>> changed;  // by dictionary
  std::unordered_map<PyTypeObject*, Codes> types;
  std::unordered_map<PyFunctionObject*, Codes> functions;
  std::unordered_map<PyObject*, Codes> objects;
  std::unordered_set<PyObject*> mortal;  // dictionaries whose death is watched, still alive
};
Watchers& watchers() {
  static auto* all =
      new Watchers;  // never destroyed: callbacks may come during the exit of the process
  return *all;
}

// `list` is the code's own, of what it depends on.
template <class Object>
void add(Codes& codes, CompiledCode* code, std::vector<PyObject*>& list, Object* object) {
  if (std::find(codes.begin(), codes.end(), code) != codes.end()) return;
  codes.push_back(code);
  list.push_back(reinterpret_cast<PyObject*>(object));
}
void remove(Codes& codes, const CompiledCode* code) {
  codes.erase(std::remove(codes.begin(), codes.end(), code), codes.end());
}
// What the code depended on may be gone, and something new at its address: that does not list it.
template <class Map>
void remove_from(Map& map, const std::vector<PyObject*>& list, const CompiledCode* code) {
  for (PyObject* object : list) {
    auto it = map.find(reinterpret_cast<typename Map::key_type>(object));
    if (it == map.end()) continue;
    remove(it->second, code);
    if (it->second.empty()) map.erase(it);
  }
}
void remove_from_dict(PyObject* dict, const CompiledCode* code) {
  auto& dicts = watchers().dicts;
  auto it = dicts.find(dict);
  if (it == dicts.end()) return;
  WatchedDict& keys = it->second;
  for (WatchedKey& watched : keys) {
    remove(watched.codes, code);
    if (watched.codes.empty()) Py_CLEAR(watched.key);  // a str: runs nothing
  }
  keys.erase(std::remove_if(keys.begin(), keys.end(), [](const WatchedKey& k) { return !k.key; }),
             keys.end());
  if (keys.empty()) dicts.erase(it);
}
// Each code breaks once; a later one registers again. True if there was one.
bool break_all(Codes& codes) {
  bool any = false;
  for (CompiledCode* code : codes) {
    if (state_of(code)->invalid) continue;
    retire_code(code);
    any = true;
  }
  codes.clear();
  return any;
}

bool same_key(PyObject* known, PyObject* key) {
  if (known == key) return true;
  if (!PyUnicode_CheckExact(key)) return PyUnicode_Check(key);  // a subclass may equal anything
  if (PyUnicode_CHECK_INTERNED(key) && PyUnicode_CHECK_INTERNED(known)) return false;
  return PyUnicode_Compare(known, key) == 0;
}

void note_change(PyObject* dict, PyObject* key) {
  std::vector<ChangedKey>& keys = watchers().changed[dict];
  for (ChangedKey& changed : keys)
    if (changed.key == key) {
      changed.times++;
      return;
    }
  keys.push_back({Py_NewRef(key), 1});
}

void forget_changes(PyObject* dict) {
  auto it = watchers().changed.find(dict);
  if (it == watchers().changed.end()) return;
  for (ChangedKey& changed : it->second) Py_DECREF(changed.key);  // a str: runs nothing
  watchers().changed.erase(it);
}

int on_dict(PyDict_WatchEvent event, PyObject* dict, PyObject* key, PyObject*) {
  if (event == PyDict_EVENT_DEALLOCATED) {
    watchers().mortal.erase(dict);
    forget_changes(dict);
    if (g_watched_dict_destroyed) g_watched_dict_destroyed(dict);
  }
  auto it = watchers().dicts.find(dict);
  if (it == watchers().dicts.end()) return 0;
  if (event != PyDict_EVENT_DEALLOCATED && mutants::chosen("watch", "dict")) return 0;
  const bool one_key = event == PyDict_EVENT_ADDED || event == PyDict_EVENT_MODIFIED ||
                       event == PyDict_EVENT_DELETED;
  for (WatchedKey& watched : it->second)
    if ((!one_key || same_key(watched.key, key)) && break_all(watched.codes) && one_key)
      note_change(dict, watched.key);
  if (event == PyDict_EVENT_DEALLOCATED) {
    WatchedDict gone = std::move(it->second);
    watchers().dicts.erase(it);
    for (WatchedKey& watched : gone) Py_DECREF(watched.key);
  }
  return 0;
}

int on_type(PyTypeObject* type) {
  auto it = watchers().types.find(type);
  if (it != watchers().types.end() && !mutants::chosen("watch", "type")) break_all(it->second);
  return 0;
}

int on_function(PyFunction_WatchEvent event, PyFunctionObject* function, PyObject*) {
  if (event == PyFunction_EVENT_CREATE) {
    if (g_function_created) g_function_created(function);
    return 0;
  }
  const CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (entry && entry->relied_on && !mutants::chosen("watch", "function"))
    break_dependents(function);
  if (event == PyFunction_EVENT_DESTROY) {
    if (g_function_destroyed) g_function_destroyed(function);
    function_destroyed(function);
  } else {
    function_modified(function, event == PyFunction_EVENT_MODIFY_CODE);
  }
  return 0;
}

}  // namespace

bool init_watchers() {
  Watchers& all = watchers();
  if (!watch_changes_in_place()) return false;
  if (all.dict < 0) all.dict = PyDict_AddWatcher(on_dict);
  if (all.dict >= 0 && all.type < 0) all.type = PyType_AddWatcher(on_type);
  if (all.type >= 0 && all.function < 0) all.function = PyFunction_AddWatcher(on_function);
  if (all.function >= 0) return true;
  PyObject* error = PyErr_GetRaisedException();
  stop_watchers();
  PyErr_SetRaisedException(error);
  return false;
}

void stop_watchers() {
  Watchers& all = watchers();
  if (all.function >= 0) PyFunction_ClearWatcher(all.function);
  if (all.type >= 0) PyType_ClearWatcher(all.type);
  if (all.dict >= 0) PyDict_ClearWatcher(all.dict);
  all.function = all.type = all.dict = -1;
  stop_watching_changes_in_place();
  PyErr_Clear();
}

bool watch_dict(PyObject* dict) {
  if (watchers().dict < 0 || !PyDict_Check(dict)) return false;
  if (PyDict_Watch(watchers().dict, dict) == 0) return true;
  PyErr_Clear();
  return false;
}

bool watch_death(PyObject* dict) {
  if (!watch_dict(dict)) return false;
  watchers().mortal.insert(dict);
  return true;
}
bool died(PyObject* dict) { return !watchers().mortal.count(dict); }
void forget_deaths() { watchers().mortal.clear(); }

bool depend_on_key(CompiledCode* code, PyObject* dict, PyObject* key) {
  Watchers& all = watchers();
  if (!PyDict_CheckExact(dict) || !PyUnicode_CheckExact(key) || !watch_dict(dict)) return false;
  WatchedDict& keys = all.dicts[dict];
  for (WatchedKey& watched : keys)
    if (watched.key == key || PyUnicode_Compare(watched.key, key) == 0) {
      add(watched.codes, code, state_of(code)->dicts, dict);
      return true;
    }
  keys.push_back({Py_NewRef(key), {code}});
  state_of(code)->dicts.push_back(dict);
  return true;
}

bool keeps_changing(PyObject* dict, PyObject* key) {
  auto it = watchers().changed.find(dict);
  if (it == watchers().changed.end()) return false;
  return std::any_of(it->second.begin(), it->second.end(), [key](const ChangedKey& changed) {
    return changed.key == key && changed.times >= kVariable;
  });
}

void expect_changes(PyObject* dict, PyObject* key) {
  if (keeps_changing(dict, key)) return;
  watch_dict(dict);  // its death
  auto it = watchers().dicts.find(dict);
  if (it != watchers().dicts.end())
    for (WatchedKey& watched : it->second)
      if (same_key(watched.key, key)) break_all(watched.codes);
  for (int i = 0; i < kVariable; i++) note_change(dict, key);
}

uint8_t own_dict_watcher() {
  return watchers().dict < 0 ? uint8_t{0} : static_cast<uint8_t>(1 << watchers().dict);
}

bool depend_on_type(CompiledCode* code, PyTypeObject* type) {
  Watchers& all = watchers();
  if (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) return true;
  if (all.type < 0) return false;
  if (PyType_Watch(all.type, reinterpret_cast<PyObject*>(type)) < 0) {
    PyErr_Clear();
    return false;
  }
  // Out of version tags: from now on the watcher stays silent.
  if (!PyUnstable_Type_AssignVersionTag(type)) return false;
  add(all.types[type], code, state_of(code)->types, type);
  return true;
}

bool depend_on_function(CompiledCode* code, PyFunctionObject* function) {
  // Functions come and go: which to look at when they do, their code tells.
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
  if (!entry || watchers().function < 0) return false;
  entry->relied_on = true;
  add(watchers().functions[function], code, state_of(code)->functions, function);
  return true;
}

void break_dependents(PyFunctionObject* function) {
  auto& functions = watchers().functions;
  auto it = functions.find(function);
  if (it == functions.end()) return;
  break_all(it->second);
  functions.erase(it);
}

bool depend_on_object(CompiledCode* code, PyObject* object) {
  if (!sees_changes_in_place()) return false;
  add(watchers().objects[object], code, state_of(code)->objects, object);
  return true;
}

bool depend_on_classes(CompiledCode* code) {
  state_of(code)->knows_classes = true;
  return sees_changes_in_place();
}

void object_changed(PyObject* object) {
  auto it = watchers().objects.find(object);
  if (it == watchers().objects.end()) return;
  Codes codes = std::move(it->second);
  watchers().objects.erase(it);
  break_all(codes);
}

void class_assigned(PyObject* object) {
  if (mutants::chosen("watch", "class")) return;
  for_each_activation([](Activation* act) {
    if (state_of(act->code)->knows_classes) tell_to_leave(act);
  });
  object_changed(object);
}

void disown_code(CompiledCode* code) {
  PSYCO_CHECK(!code_in_use(code));
  const CodeState* state = state_of(code);
  for (PyObject* dict : state->dicts) remove_from_dict(dict, code);
  remove_from(watchers().types, state->types, code);
  remove_from(watchers().functions, state->functions, code);
  remove_from(watchers().objects, state->objects, code);
  delete state_of(code);
  code->runtime = nullptr;
}

size_t dependency_count() {
  size_t count = 0;
  for (auto& [dict, keys] : watchers().dicts)
    for (WatchedKey& watched : keys) count += watched.codes.size();
  for (auto& [type, codes] : watchers().types) count += codes.size();
  for (auto& [function, codes] : watchers().functions) count += codes.size();
  for (auto& [object, codes] : watchers().objects) count += codes.size();
  return count;
}

}  // namespace psyco
