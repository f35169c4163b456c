#include "runtime/wanted.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/governor.h"
#include "runtime/osr.h"
#include "runtime/parked.h"
#include "runtime/sampler.h"
#include "runtime/watch.h"

namespace psyco {

bool g_compiling = true;

namespace {

PyObject* g_filter = nullptr;
uint32_t g_filter_generation = 1;
bool g_in_filter = false;

bool g_over = false;

struct Scope {
  int scope;
  std::unordered_set<PyCodeObject*> codes;  // what we watch on its behalf; each tells when it dies
};
// By globals, which are not owned: a watcher tells of their death.
std::unordered_map<PyObject*, Scope>& scopes() {
  static auto* map = new std::unordered_map<PyObject*, Scope>;
  return *map;
}
// Made but not looked at yet; not owned.
std::vector<PyFunctionObject*>& fresh() {
  static auto* list = new std::vector<PyFunctionObject*>;
  return *list;
}
bool g_pending = false;

// A qualified name has a class in it if two neighbouring parts are both names: C.m, f.<locals>.C.m.
bool is_method(PyObject* qualname) {
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(qualname, &size);
  if (!text) {
    PyErr_Clear();
    return false;
  }
  const std::string name(text, static_cast<size_t>(size));
  bool before_is_name = false;
  for (size_t at = 0; at <= name.size();) {
    size_t dot = name.find('.', at);
    if (dot == std::string::npos) dot = name.size();
    const bool is_name = name.compare(at, dot - at, "<locals>") != 0;
    if (is_name && before_is_name) return true;
    before_is_name = is_name;
    at = dot + 1;
  }
  return false;
}

void watch_one(PyFunctionObject* function) {
  auto it = scopes().find(function->func_globals);
  if (it == scopes().end()) return;
  if (!(it->second.scope & (is_method(function->func_qualname) ? 2 : 1))) return;
  PyObject* code = function->func_code;
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(code), true);
  if (!entry || (entry->wanted_by & kByScope)) return;
  if (!watch_code(reinterpret_cast<PyCodeObject*>(code), kByScope)) {
    PyErr_Clear();
    return;
  }
  it->second.codes.insert(reinterpret_cast<PyCodeObject*>(code));
}

// Soon after, between two instructions of the main thread.
int watch_fresh(void*) {
  g_pending = false;
  while (!fresh().empty()) {
    PyFunctionObject* function = fresh().back();
    fresh().pop_back();
    watch_one(function);
  }
  return 0;
}

void on_created(PyFunctionObject* function) {
  // Closures and lambdas are made again and again, from a code that is watched already.
  const CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if ((entry && (entry->wanted_by & kByScope)) || !scopes().count(function->func_globals)) return;
  fresh().push_back(function);
  if (!g_pending && Py_AddPendingCall(watch_fresh, nullptr) == 0) g_pending = true;
}

void on_globals_destroyed(PyObject* globals) { scopes().erase(globals); }

void on_destroyed(PyFunctionObject* function) {
  auto& list = fresh();
  if (!list.empty()) list.erase(std::remove(list.begin(), list.end(), function), list.end());
}

// Whether the code takes a good part of the processor's time: as the sampler sees it; or else,
// since it was first seen, going by how often it came round.
bool dominates(const CodeEntry* entry) {
  constexpr double kUnitNs = 3, kPart = 0.3;
  constexpr uint32_t kTries = 6;  // what is compiled again and again has to win first
  if (entry->wanted_by || !everything_is_watched()) return true;
  if (entry->compiles >= kTries) return false;
  if (!everything_is_counted()) return share_of_time(entry) >= kPart;
  if (!entry->armed_ns) return true;
  double ns =
      kUnitNs * static_cast<double>(entry->calls) * static_cast<double>(Py_SIZE(entry->code));
  for (const LoopCounter& loop : entry->loops)
    ns += std::max(static_cast<double>(loop.count) * (loop.last - loop.target) * kUnitNs,
                   static_cast<double>(loop.spent_ns));
  return ns >= kPart * static_cast<double>(recent_cpu_ns() - entry->armed_ns);
}

}  // namespace

Permission permission_to_compile(CodeEntry* entry, int64_t units) {
  if (!g_compiling || g_in_filter) return Permission::Refused;
  if (entry->bound) return Permission::Granted;  // the user has named it: no filter is asked
  if (!compiler_may_spend(units) && !(dominates(entry) && compiler_may_spend(units, true)))
    return Permission::Later;
  if (!g_filter) return Permission::Granted;
  if (entry->filter_generation != g_filter_generation) {
    g_in_filter = true;
    PyObject* hook = Py_NewRef(g_filter);
    PyObject* answer = PyObject_CallOneArg(hook, reinterpret_cast<PyObject*>(entry->code));
    const int allowed = answer ? PyObject_IsTrue(answer) : -1;
    if (allowed < 0) PyErr_WriteUnraisable(hook);
    Py_XDECREF(answer);
    Py_DECREF(hook);
    g_in_filter = false;
    entry->filter_generation = g_filter_generation;
    entry->filter_allows = allowed > 0;
  }
  return entry->filter_allows ? Permission::Granted : Permission::Refused;
}

bool filter_lets(const CodeEntry* entry) {
  return !g_filter || entry->bound ||
         (entry->filter_generation == g_filter_generation && entry->filter_allows);
}

bool filter_refuses(const CodeEntry* entry) {
  return g_filter && !entry->bound && entry->filter_generation == g_filter_generation &&
         !entry->filter_allows;
}

void set_filter(PyObject* hook) {
  if (g_over) return;
  g_filter_generation++;
  Py_XSETREF(g_filter, Py_XNewRef(hook));
  wake_settled();
}

void set_compiling(bool on) {
  if (on && !g_compiling) wake_settled();
  g_compiling = on;
}

void code_dies(const CodeEntry* entry) {
  if (!(entry->wanted_by & kByScope)) return;
  for (auto& [globals, scope] : scopes()) scope.codes.erase(entry->code);
}

static bool stop_watching(const std::unordered_set<PyCodeObject*>& scope) {
  std::vector<PyCodeObject*> codes;  // to stop watching runs Python, and codes may die
  for (PyCodeObject* code : scope)
    codes.push_back(reinterpret_cast<PyCodeObject*>(Py_NewRef(code)));
  bool ok = true;
  for (PyCodeObject* code : codes) {
    ok = unwatch_code(code, kByScope) && ok;
    Py_DECREF(code);
  }
  return ok;
}

bool jit_globals(PyObject* globals, int scope) {
  auto it = scopes().find(globals);
  if (!scope) {
    if (it == scopes().end()) return true;
    const Scope ended = std::move(it->second);
    scopes().erase(it);
    return stop_watching(ended.codes);
  }
  if (it != scopes().end()) {
    it->second.scope = scope;
    return true;
  }
  if (g_over) return true;
  g_function_created = on_created;
  g_function_destroyed = on_destroyed;
  g_watched_dict_destroyed = on_globals_destroyed;
  if (watch_dict(globals)) scopes()[globals] = {scope, {}};
  return true;
}

int jit_scope(PyObject* globals) {
  auto it = scopes().find(globals);
  return it == scopes().end() ? 0 : it->second.scope;
}

bool jit_nothing() {
  bool ok = true;
  while (ok && !scopes().empty()) ok = jit_globals(scopes().begin()->first, 0);
  return ok;
}

void stop_wanting() {
  g_over = true;
  g_compiling = false;
  scopes().clear();
  fresh().clear();
  Py_CLEAR(g_filter);
}

}  // namespace psyco
