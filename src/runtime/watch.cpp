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

// The bodies that rely on something. Each knows its place in here, so that it leaves at once
// however many there are.
struct Dependent {
  CompiledCode* code;
  uint32_t number;  // of its dependencies
};
using Codes = std::vector<Dependent>;

// Exact str; equal ones need not be the same object.
struct NameHash {
  size_t operator()(PyObject* name) const { return static_cast<size_t>(PyObject_Hash(name)); }
};
struct SameName {
  bool operator()(PyObject* a, PyObject* b) const {
    if (a == b) return true;
    if (PyUnicode_CHECK_INTERNED(a) && PyUnicode_CHECK_INTERNED(b)) return false;
    return PyUnicode_Compare(a, b) == 0;
  }
};
template <class What>
using ByName = std::unordered_map<PyObject*, What, NameHash, SameName>;  // names are owned
using WatchedDict = ByName<Codes>;
constexpr int kVariable = 2;  // changes of a global that make it no constant any more

struct Watchers {
  int dict = -1, type = -1, function = -1;
  std::unordered_map<PyObject*, WatchedDict> dicts;
  std::unordered_map<PyObject*, ByName<int>> changed;  // by dictionary: how often
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

// A body registers all it relies on before another one does.
void add(Codes& codes, CompiledCode* code, Dependency::Kind kind, void* object,
         PyObject* key = nullptr) {
  if (!codes.empty() && codes.back().code == code) return;
  std::vector<Dependency>& own = state_of(code)->dependencies;
  own.push_back(
      {kind, static_cast<PyObject*>(object), Py_XNewRef(key), static_cast<uint32_t>(codes.size())});
  codes.push_back({code, static_cast<uint32_t>(own.size() - 1)});
}

void remove(Codes& codes, const Dependency& dependency) {
  const Dependent last = codes.back();
  codes[dependency.place] = last;
  state_of(last.code)->dependencies[last.number].place = dependency.place;
  codes.pop_back();
}

template <class Map, class Key>
void remove_from(Map& map, Key key, const Dependency& dependency) {
  auto it = map.find(key);
  remove(it->second, dependency);
  if (it->second.empty()) map.erase(it);
}

void remove_name(const Dependency& dependency) {
  auto& dicts = watchers().dicts;
  auto dict = dicts.find(dependency.object);
  auto it = dict->second.find(dependency.key);
  remove(it->second, dependency);
  if (!it->second.empty()) return;
  PyObject* name = it->first;
  dict->second.erase(it);
  Py_DECREF(name);
  if (dict->second.empty()) dicts.erase(dict);
}

void forget_dependency(const Dependency& dependency) {
  if (dependency.place == Dependency::kBroken) return;
  Watchers& all = watchers();
  switch (dependency.kind) {
    case Dependency::Name:
      return remove_name(dependency);
    case Dependency::Type:
      return remove_from(all.types, reinterpret_cast<PyTypeObject*>(dependency.object), dependency);
    case Dependency::Function:
      return remove_from(all.functions, reinterpret_cast<PyFunctionObject*>(dependency.object),
                         dependency);
    case Dependency::Object:
      return remove_from(all.objects, dependency.object, dependency);
  }
}

// Each code breaks once; a later one registers again. True if there was one.
bool break_all(const Codes& broken) {
  bool any = false;
  for (const Dependent& each : broken)
    state_of(each.code)->dependencies[each.number].place = Dependency::kBroken;
  for (const Dependent& each : broken) {
    if (state_of(each.code)->invalid) continue;
    retire_code(each.code);
    any = true;
  }
  return any;
}

void note_change(PyObject* dict, PyObject* name, int times = 1) {
  auto [it, fresh] = watchers().changed[dict].try_emplace(name, 0);
  if (fresh) Py_INCREF(name);
  it->second += times;
}

void forget_changes(PyObject* dict) {
  auto it = watchers().changed.find(dict);
  if (it == watchers().changed.end()) return;
  for (auto& [name, times] : it->second) Py_DECREF(name);  // a str: runs nothing
  watchers().changed.erase(it);
}

// What relies on the key, if anything does.
template <class Map, class Key>
void break_dependents_of(Map& map, Key key) {
  auto it = map.find(key);
  if (it == map.end()) return;
  const Codes codes = std::move(it->second);
  map.erase(it);
  break_all(codes);
}

void break_name(PyObject* dict, WatchedDict& names, PyObject* name, bool note) {
  auto it = names.find(name);
  if (it == names.end()) return;
  PyObject* own = it->first;
  const Codes codes = std::move(it->second);
  names.erase(it);
  if (break_all(codes) && note) note_change(dict, own);
  Py_DECREF(own);  // a str: runs nothing
}

void break_all_names(PyObject* dict, WatchedDict& names, bool note) {
  while (!names.empty()) break_name(dict, names, names.begin()->first, note);
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
  if (!one_key)
    break_all_names(dict, it->second, false);
  else if (PyUnicode_CheckExact(key))
    break_name(dict, it->second, key, true);
  else if (PyUnicode_Check(key))
    break_all_names(dict, it->second, true);  // it may equal anything
  if (it->second.empty()) watchers().dicts.erase(it);
  return 0;
}

int on_type(PyTypeObject* type) {
  if (!mutants::chosen("watch", "type")) break_dependents_of(watchers().types, type);
  return 0;
}

int on_function(PyFunction_WatchEvent event, PyFunctionObject* function, PyObject*) {
  if (event == PyFunction_EVENT_CREATE) {
    if (g_function_created) g_function_created(function);
    return 0;
  }
  if (event == PyFunction_EVENT_DESTROY && g_function_destroyed) g_function_destroyed(function);
  const CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (!entry) return 0;  // nobody has asked about any function of this code
  if (entry->relied_on && !mutants::chosen("watch", "function")) break_dependents(function);
  if (event == PyFunction_EVENT_DESTROY) {
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
  auto [it, fresh] = all.dicts[dict].try_emplace(key);
  if (fresh) Py_INCREF(key);
  add(it->second, code, Dependency::Name, dict, it->first);
  return true;
}

bool keeps_changing(PyObject* dict, PyObject* key) {
  auto it = watchers().changed.find(dict);
  if (it == watchers().changed.end()) return false;
  auto changed = it->second.find(key);
  return changed != it->second.end() && changed->second >= kVariable;
}

void expect_changes(PyObject* dict, PyObject* key) {
  if (keeps_changing(dict, key)) return;
  watch_dict(dict);  // its death
  auto it = watchers().dicts.find(dict);
  if (it != watchers().dicts.end()) break_name(dict, it->second, key, false);
  note_change(dict, key, kVariable);
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
  add(all.types[type], code, Dependency::Type, type);
  return true;
}

bool depend_on_function(CompiledCode* code, PyFunctionObject* function) {
  // Functions come and go: which to look at when they do, their code tells.
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
  if (!entry || watchers().function < 0) return false;
  entry->relied_on = true;
  add(watchers().functions[function], code, Dependency::Function, function);
  return true;
}

void break_dependents(PyFunctionObject* function) {
  break_dependents_of(watchers().functions, function);
}

bool depend_on_object(CompiledCode* code, PyObject* object) {
  if (!sees_changes_in_place()) return false;
  add(watchers().objects[object], code, Dependency::Object, object);
  return true;
}

bool depend_on_classes(CompiledCode* code) {
  state_of(code)->knows_classes = true;
  return sees_changes_in_place();
}

void object_changed(PyObject* object) { break_dependents_of(watchers().objects, object); }

void class_assigned(PyObject* object) {
  if (mutants::chosen("watch", "class")) return;
  for_each_activation([](Activation* act) {
    if (state_of(act->code)->knows_classes) tell_to_leave(act);
  });
  object_changed(object);
}

void disown_code(CompiledCode* code) {
  PSYCO_CHECK(!code_in_use(code));
  for (const Dependency& dependency : state_of(code)->dependencies) {
    forget_dependency(dependency);
    Py_XDECREF(dependency.key);
  }
  delete state_of(code);
  code->runtime = nullptr;
}

size_t dependency_count() {
  size_t count = 0;
  for (auto& [dict, keys] : watchers().dicts)
    for (auto& [name, codes] : keys) count += codes.size();
  for (auto& [type, codes] : watchers().types) count += codes.size();
  for (auto& [function, codes] : watchers().functions) count += codes.size();
  for (auto& [object, codes] : watchers().objects) count += codes.size();
  return count;
}

}  // namespace psyco
