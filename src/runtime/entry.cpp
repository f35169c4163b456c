#include "runtime/entry.h"

#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "runtime/activation.h"
#include "runtime/governor.h"
#include "runtime/osr.h"
#include "runtime/parked.h"
#include "runtime/poll.h"
#include "runtime/sampler.h"
#include "runtime/wanted.h"
#include "support/check.h"
#include "support/mutants.h"

namespace psyco {

CompiledCode* (*g_compile_entry)(PyFunctionObject*, CodeEntry*, PyObject**, Py_ssize_t) = nullptr;
void (*g_entry_dies)(CodeEntry*) = nullptr;
vectorcallfunc g_plain_vectorcall = nullptr;
EntryStats g_entry_stats;

namespace {

Py_ssize_t g_extra_index = -1;

void free_entry(void* memory) {
  auto* entry = static_cast<CodeEntry*>(memory);
  if (!entry) return;
  code_dies(entry);
  forget_parked(entry);
  forget_sampled(entry);
  forget_monitored_calls(entry);
  forget_watched(entry);
  for (const Version& version : std::exchange(entry->versions, {})) retire_code(version.code);
  if (entry->stub.code) g_backend.free_entry(std::exchange(entry->stub, {}));
  if (g_entry_dies) g_entry_dies(entry);
  delete entry;
}

// ---- installed functions

struct Installed {
  uint32_t version = 0;    // to be restored; 0: it has none any more
  bool suspended = false;  // runs plain for a while: the C stack is short
  bool measured = false;   // by the governor, until that is decided
  // The others of the code it was installed with.
  CodeEntry* entry = nullptr;
  PyFunctionObject *before = nullptr, *next = nullptr;
};
// Not owning: the function watcher tells us when one dies.
std::unordered_map<PyFunctionObject*, Installed>& installed() {
  static auto* map = new std::unordered_map<PyFunctionObject*, Installed>;
  return *map;
}

void enlist(PyFunctionObject* function, CodeEntry* entry, Installed& it) {
  it.entry = entry;
  it.next = entry->first_installed;
  if (it.next) installed()[it.next].before = function;
  entry->first_installed = function;
}

void unlist(const Installed& it) {
  if (it.next) installed()[it.next].before = it.before;
  (it.before ? installed()[it.before].next : it.entry->first_installed) = it.next;
}

// Named by bind(); not owning either.
std::unordered_set<PyFunctionObject*>& bound() {
  static auto* set = new std::unordered_set<PyFunctionObject*>;
  return *set;
}
// Whose death matters to somebody.
std::unordered_set<PyFunctionObject*>& noted() {
  static auto* set = new std::unordered_set<PyFunctionObject*>;
  return *set;
}
bool g_calls_are_plain = false;

void set_plain(PyFunctionObject* function, uint32_t version) {
  PyFunction_SetVectorcall(function, g_plain_vectorcall);
  // Without its version calls of the function would stay unspecialised for ever.
  if (version) _PyFunction_SetVersion(function, version);
}

// From the interpreter's vectorcall to ours, if nothing speaks against it.
void set_native(PyFunctionObject* function, Installed& it) {
  if (g_calls_are_plain || it.suspended || function->vectorcall != g_plain_vectorcall) return;
  it.version = Port::valid_version(function->func_version);
  PyFunction_SetVectorcall(function, native_vectorcall(it.entry));
  if (it.measured) measure_calls(function);
}

// Its code's entry, if the function was bound.
CodeEntry* forget_bound(PyFunctionObject* function) {
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (!entry || !entry->bound || !bound().erase(function)) return nullptr;
  entry->bound--;
  return entry;
}

// ---- arguments

class BoundArguments {
 public:
  BoundArguments() = default;
  ~BoundArguments() {
    for (Py_ssize_t i = 0; i < owned_count_; i++) Py_DECREF(owned_[i]);
  }
  BoundArguments(const BoundArguments&) = delete;
  BoundArguments& operator=(const BoundArguments&) = delete;

  // False: leave it to CPython, which knows all errors and their texts.
  bool bind(PyFunctionObject* function, PyCodeObject* code, PyObject* const* args, Py_ssize_t nargs,
            PyObject* kwnames) {
    if (!kwnames && nargs == code->co_argcount && !code->co_kwonlyargcount &&
        !(code->co_flags & (CO_VARARGS | CO_VARKEYWORDS))) {
      values = const_cast<PyObject**>(args);
      count = nargs;
      return true;
    }
    return bind_slowly(function, code, args, nargs, kwnames);
  }

  PyObject** values = nullptr;  // borrowed: by the caller, or kept alive by us
  Py_ssize_t count = 0;

 private:
  static constexpr Py_ssize_t kMaxArguments = kMaxEntryValues;

  // A default may be replaced while the function runs, so the call keeps what it took.
  PyObject* keep(PyObject* owned) { return owned_[owned_count_++] = owned; }

  bool bind_slowly(PyFunctionObject* function, PyCodeObject* code, PyObject* const* args,
                   Py_ssize_t nargs, PyObject* kwnames) {
    const Py_ssize_t positional = code->co_argcount;
    const Py_ssize_t named = positional + code->co_kwonlyargcount;
    const bool has_args = code->co_flags & CO_VARARGS, has_kwargs = code->co_flags & CO_VARKEYWORDS;
    count = named + has_args + has_kwargs;
    if (count > kMaxArguments || (nargs > positional && !has_args)) return false;
    for (Py_ssize_t i = 0; i < count; i++)
      buffer_[i] = i < positional && i < nargs ? args[i] : nullptr;
    if (has_args) {
      PyObject* rest = PyTuple_New(nargs > positional ? nargs - positional : 0);
      if (!rest) return forget_error();
      for (Py_ssize_t i = positional; i < nargs; i++)
        PyTuple_SET_ITEM(rest, i - positional, Py_NewRef(args[i]));
      buffer_[named] = keep(rest);
    }
    PyObject* kwargs = nullptr;
    if (has_kwargs) {
      kwargs = PyDict_New();
      if (!kwargs) return forget_error();
      buffer_[named + has_args] = keep(kwargs);
    }
    if (kwnames)
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++)
        if (!bind_keyword(code, PyTuple_GET_ITEM(kwnames, i), args[nargs + i], named, kwargs))
          return false;
    values = buffer_;
    return add_defaults(function, positional, named);
  }

  bool bind_keyword(PyCodeObject* code, PyObject* name, PyObject* value, Py_ssize_t named,
                    PyObject* kwargs) {
    if (!PyUnicode_CheckExact(name)) return false;
    PyObject* names = code->co_localsplusnames;
    Py_ssize_t at = code->co_posonlyargcount;
    while (at < named && PyTuple_GET_ITEM(names, at) != name) at++;
    if (at == named) {  // not the interned string: compare the text
      at = code->co_posonlyargcount;
      while (at < named && PyUnicode_Compare(PyTuple_GET_ITEM(names, at), name) != 0) at++;
    }
    if (at < named) {
      if (buffer_[at]) return false;
      buffer_[at] = value;
      return true;
    }
    if (!kwargs) return false;
    if (PyDict_Contains(kwargs, name)) return false;
    return PyDict_SetItem(kwargs, name, value) == 0 || forget_error();
  }

  bool add_defaults(PyFunctionObject* function, Py_ssize_t positional, Py_ssize_t named) {
    PyObject* defaults = function->func_defaults;
    const Py_ssize_t default_count = defaults ? PyTuple_GET_SIZE(defaults) : 0;
    for (Py_ssize_t i = 0; i < positional; i++) {
      if (buffer_[i]) continue;
      const Py_ssize_t at = i - (positional - default_count);
      if (at < 0) return false;
      buffer_[i] = keep(Py_NewRef(PyTuple_GET_ITEM(defaults, at)));
    }
    for (Py_ssize_t i = positional; i < named; i++) {
      if (buffer_[i]) continue;
      PyObject* by_name = function->func_kwdefaults;
      if (!by_name || !PyDict_CheckExact(by_name)) return false;
      PyObject* names = reinterpret_cast<PyCodeObject*>(function->func_code)->co_localsplusnames;
      PyObject* value = PyDict_GetItemWithError(by_name, PyTuple_GET_ITEM(names, i));
      if (!value) return forget_error();
      buffer_[i] = keep(Py_NewRef(value));
    }
    return true;
  }

  static bool forget_error() {
    PyErr_Clear();
    return false;
  }

  PyObject* buffer_[kMaxArguments];
  PyObject* owned_[kMaxArguments + 2];
  Py_ssize_t owned_count_ = 0;
};

PyObject* run_suspended(PyFunctionObject* function, PyObject* const* args, size_t nargsf,
                        PyObject* kwnames) {
  auto it = installed().find(function);
  if (it == installed().end() || it->second.suspended)
    return g_plain_vectorcall(reinterpret_cast<PyObject*>(function), args, nargsf, kwnames);
  it->second.suspended = true;
  set_plain(function, it->second.version);
  Py_INCREF(function);
  PyObject* result =
      g_plain_vectorcall(reinterpret_cast<PyObject*>(function), args, nargsf, kwnames);
  it = installed().find(function);
  if (it != installed().end() && it->second.suspended) {
    it->second.suspended = false;
    set_native(function, it->second);
  }
  Py_DECREF(function);
  return result;
}

// The C stack is short: from here on this function's calls stay in the interpreter, where they cost
// none. Mutual recursion takes one such step for each function of the circle. What recurses through
// C meanwhile is to meet CPython's limit before the end of the stack.
PyObject* run_without_stack(PyThreadState* ts, PyFunctionObject* function, PyObject* const* args,
                            size_t nargsf, PyObject* kwnames) {
  const int withheld = withhold_c_levels(ts);
  PyObject* result = run_suspended(function, args, nargsf, kwnames);
  Port::restore_c_levels(ts, withheld);
  return result;
}

}  // namespace

CodeEntry* code_entry(PyCodeObject* code, bool create) {
  auto* entry = static_cast<CodeEntry*>(Port::code_extra(code, g_extra_index));
  if (entry || !create) return entry;
  entry = new CodeEntry;
  entry->code = code;
  if (!Port::set_code_extra(code, g_extra_index, entry)) {
    delete entry;
    return nullptr;
  }
  return entry;
}

vectorcallfunc native_vectorcall(const CodeEntry* entry) {
  return entry->stub.code ? reinterpret_cast<vectorcallfunc>(entry->stub.code)
                          : psyco_call_function;
}

bool goes_native(const PyFunctionObject* function) {
  if (function->vectorcall == psyco_call_function) return true;
  if (function->vectorcall == g_plain_vectorcall) return false;
  auto it = installed().find(const_cast<PyFunctionObject*>(function));
  return it != installed().end() && function->vectorcall == native_vectorcall(it->second.entry);
}

namespace {

// Which of the words that entry_words() makes are objects.
void describe_words(const Version& version) {
  CodeState* state = state_of(version.code);
  int count = 0;
  state->objects = 0;
  for (const EntryGuard& guard : version.guards) {
    count += guard.kind == EntryGuard::Int || guard.kind == EntryGuard::Float;
    state->objects |= uint64_t{1} << count++;
  }
  state->word_bytes = static_cast<uint32_t>((count + 1) / 2 * 16);
}

// For the versions that there are now. The stub before is not running: it jumps away for good
// before anything can happen.
void make_stub(CodeEntry* entry) {
  constexpr size_t kMostWays = 4;
  bool defaults = false;
  for (PyFunctionObject* at = entry->first_installed; at; at = installed()[at].next)
    defaults |= at->func_defaults != nullptr;
  std::vector<EntryWay> ways;
  for (const Version& version : entry->versions)
    if (version.simple && ways.size() < kMostWays)
      ways.push_back(
          {state_of(version.code), {version.guards.begin(), version.guards.end()}, defaults});
  const EntryStub before = entry->stub;
  if (ways.empty() && !before.code) return;
  entry->stub = {};
  // Mutants of the guards are planted in accepts().
  if (!ways.empty() && g_backend.make_entry && !mutants::kBuilt)
    entry->stub = g_backend.make_entry(ways);
  if (!before.code && !entry->stub.code) return;
  const auto old =
      before.code ? reinterpret_cast<vectorcallfunc>(before.code) : psyco_call_function;
  for (PyFunctionObject* at = entry->first_installed; at; at = installed()[at].next)
    if (at->vectorcall == old) at->vectorcall = native_vectorcall(entry);
  if (before.code) g_backend.free_entry(before);
}

}  // namespace

void add_version(CodeEntry* entry, CompiledCode* code, int target, std::vector<EntryGuard> guards) {
  Version version{code, target, std::move(guards)};
  constexpr int kOdd = CO_VARARGS | CO_VARKEYWORDS;
  version.simple = target == kEntryCall && !(entry->code->co_flags & kOdd) &&
                   !entry->code->co_kwonlyargcount && version.guards.size() <= kMaxEntryValues;
  if (version.simple) describe_words(version);
  entry->versions.push_back(std::move(version));
  if (target == kEntryCall) make_stub(entry);
}

void remove_version(CodeEntry* entry, const CompiledCode* code) {
  for (size_t i = entry->versions.size(); i-- > 0;)
    if (entry->versions[i].code == code) entry->versions.erase(entry->versions.begin() + i);
  make_stub(entry);
}

// As the guard says, but for mutants.
static inline bool accepts(const EntryGuard& guard, PyObject* value) {
  constexpr const char* kNames[] = {"Any", "Type", "Same", "Null", "Anything", "Int", "Float"};
  if (mutants::kBuilt && value && mutants::chosen("entry", kNames[guard.kind]))
    return guard.kind != EntryGuard::Int || PyLong_CheckExact(value);
  return guard.accepts(value);
}

template <class ValueOf>
static Version* find_version(CodeEntry* entry, int target, Py_ssize_t count, ValueOf value_of) {
  for (Version& version : entry->versions) {
    if (version.target != target || !may_enter(version.code) ||
        static_cast<Py_ssize_t>(version.guards.size()) != count)
      continue;
    bool fits = true;
    for (Py_ssize_t i = 0; fits && i < count; i++) fits = accepts(version.guards[i], value_of(i));
    if (fits) return &version;
  }
  return nullptr;
}

Version* find_call_version(CodeEntry* entry, PyObject* const* values, Py_ssize_t count) {
  return find_version(entry, kEntryCall, count, [values](Py_ssize_t i) { return values[i]; });
}

Version* find_loop_version(CodeEntry* entry, int target, _PyInterpreterFrame* frame) {
  const Port::Slot* slots = Port::slots(frame);
  return find_version(entry, target, Port::depth(frame),
                      [slots](Py_ssize_t i) { return Port::slot_view(slots[i]); });
}

int entry_words(const Version& version, PyObject* const* values, uint64_t* words) {
  int count = 0;
  const size_t n = version.guards.size();
  for (size_t i = 0; i < n; i++) {
    PyObject* value = values[i];
    switch (version.guards[i].kind) {
      case EntryGuard::Int: {
        auto* number = reinterpret_cast<PyLongObject*>(value);
        words[count++] = static_cast<uint64_t>(
            _PyLong_IsCompact(number) ? _PyLong_CompactValue(number) : PyLong_AsLongLong(value));
        break;
      }
      case EntryGuard::Float: {
        const double number = PyFloat_AS_DOUBLE(value);
        std::memcpy(&words[count++], &number, sizeof number);
        break;
      }
      default:
        break;
    }
    words[count++] = reinterpret_cast<uint64_t>(value);
  }
  return count;
}

std::string native_signature(const Version& version) {
  std::string letters;
  for (const EntryGuard& guard : version.guards) {
    if (guard.kind == EntryGuard::Null) return {};
    letters += guard.kind == EntryGuard::Int ? 'i' : guard.kind == EntryGuard::Float ? 'd' : 'o';
  }
  return letters;
}

namespace {

// Compiled code borrows its arguments. C code may lend what it does not own itself (ceval's
// WITH_EXCEPT_START passes a traceback that only the exception holds), trusting that the callee's
// frame takes references; so we take them, into `kept`: the caller's array may change under us.
inline PyObject* run_native(PyThreadState* ts, CompiledCode* body, PyFunctionObject* function,
                            PyObject* const* args, Py_ssize_t count, PyObject** kept,
                            uint64_t* words) {
  Activation* act = push_frameless(ts, body, function, reinterpret_cast<void**>(words));
  if (!act) return nullptr;
  for (Py_ssize_t i = 0; i < count; i++) kept[i] = Py_XNewRef(args[i]);
  g_entering.calls++;
  const uint64_t value = g_backend.enter(body->entry, act);
  PyObject* result = reinterpret_cast<PyObject*>(value);
  if (act->tag == kTagInt) {
    result = PyLong_FromLongLong(static_cast<int64_t>(value));
  } else if (act->tag == kTagFloat) {
    double number;
    std::memcpy(&number, &value, sizeof number);
    result = PyFloat_FromDouble(number);
  }
  pop_call(ts, act);
  for (Py_ssize_t i = 0; i < count; i++) Py_XDECREF(kept[i]);
  return result;
}

}  // namespace

extern "C" PyObject* psyco_call_function(PyObject* callable, PyObject* const* args, size_t nargsf,
                                         PyObject* kwnames) {
  auto* function = reinterpret_cast<PyFunctionObject*>(callable);
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  PyThreadState* ts = _PyThreadState_GET();
  auto* entry = static_cast<CodeEntry*>(Port::code_extra(code, g_extra_index));
  g_entry_stats.general++;
  BoundArguments bound;
  CompiledCode* body = nullptr;
  auto* words = static_cast<uint64_t*>(
      alloca(2 * sizeof(uint64_t) * (code->co_argcount + code->co_kwonlyargcount + 2)));
  if (entry && native_allowed(ts, code)) {
    if (!room_for_activation(ts)) {
      g_entry_stats.no_room++;
      g_entry_stats.interpreted++;
      if (!room_on_c_stack(ts)) return run_without_stack(ts, function, args, nargsf, kwnames);
      return g_plain_vectorcall(callable, args, nargsf, kwnames);
    }
    if (!bound.bind(function, code, args, PyVectorcall_NARGS(nargsf), kwnames)) {
      g_entry_stats.odd_arguments++;
    } else if (Version* version = find_call_version(entry, bound.values, bound.count)) {
      body = version->code;
      entry_words(*version, bound.values, words);
    } else if (!entry->refused && !entry->compiling && g_compile_entry && may_compile(entry)) {
      entry->calls++;
      entry->compiling = true;
      body = g_compile_entry(function, entry, bound.values, bound.count);
      entry->compiling = false;
      // The user's filter has run meanwhile, and finalisers may have: perhaps somebody looks now.
      if (!native_allowed(ts, code)) body = nullptr;
      Version* made = body ? find_call_version(entry, bound.values, bound.count) : nullptr;
      body = made ? made->code : nullptr;
      if (made) entry_words(*made, bound.values, words);
    }
  }
  if (body && !body_allowed(body)) {
    g_entry_stats.interpreted++;
    return g_plain_vectorcall(callable, args, nargsf, kwnames);
  }
  if (!body) {
    g_entry_stats.interpreted++;
    // Nothing will ever come of it: calls need not pass by here any more.
    if (entry && (entry->refused || entry->excluded) && entry->versions.empty())
      uninstall_function(function);
    else if (entry && !entry->bound && native_allowed(ts, code) && !pays(entry, entry->misses))
      calls_lose(function, entry);  // to pass by here costs more than the interpreter's own call
    return g_plain_vectorcall(callable, args, nargsf, kwnames);
  }
  auto** kept = static_cast<PyObject**>(alloca(sizeof(PyObject*) * (bound.count + 1)));
  return run_native(ts, body, function, bound.values, bound.count, kept, words);
}

uint64_t native_calls(const CodeEntry* entry) {
  uint64_t sum = 0;
  for (const Version& version : entry->versions)
    if (version.target == kEntryCall) sum += state_of(version.code)->entries;
  return sum;
}

bool pays(const CodeEntry* entry, Payoff& payoff) {
  constexpr uint32_t kSome = 64;
  if (++payoff.steps % kSome != 0) return true;
  const uint64_t calls = native_calls(entry);
  const uint64_t before = std::exchange(payoff.native_calls, calls);
  return calls < before || calls - before >= kSome;  // fewer: counted in a version that is gone
}

bool is_installed(PyFunctionObject* function) { return installed().count(function) != 0; }

bool calls_are_ours(const PyFunctionObject* function) {
  const vectorcallfunc way = function->vectorcall;
  return way == g_plain_vectorcall || way == psyco_measured_call || goes_native(function);
}

bool install_function(PyFunctionObject* function) {
  if (is_installed(function)) return true;
  if (function->vectorcall != g_plain_vectorcall) return false;
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
  if (!entry) return false;
  Installed& it = installed()[function];
  enlist(function, entry, it);
  set_native(function, it);
  return true;
}

void note_measured(PyFunctionObject* function) {
  auto it = installed().find(function);
  if (it != installed().end()) it->second.measured = true;
}

bool calls_are_plain() { return g_calls_are_plain; }

void keep_calls_plain(bool plain) {
  if (plain == g_calls_are_plain) return;
  g_calls_are_plain = plain;
  for (auto& [function, it] : installed()) {
    if (!plain)
      set_native(function, it);
    else if (!it.suspended && calls_are_ours(function))
      set_plain(function, it.version);
  }
}

bool bind_function(PyFunctionObject* function) {
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
  if (!entry) {
    PyErr_NoMemory();
    return false;
  }
  if (!arm_events(entry)) return false;  // its loops are entered through events
  if (bound().insert(function).second) entry->bound++;
  install_function(function);  // one with a foreign vectorcall stays as it is
  return true;
}

bool unbind_function(PyFunctionObject* function) {
  forget_bound(function);
  uninstall_function(function);
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (!entry) return true;
  if (!drop_unwanted(entry)) return false;
  // Wanted by others still, it is counted as any other function from now on.
  if (is_wanted(entry)) rearm_events(entry->code);
  return true;
}

std::vector<PyFunctionObject*> installed_functions() {
  std::vector<PyFunctionObject*> functions;
  for (const auto& [function, it] : installed()) functions.push_back(function);
  return functions;
}

void uninstall_functions_of(PyCodeObject* code) {
  const CodeEntry* entry = code_entry(code, false);
  while (entry && entry->first_installed) uninstall_function(entry->first_installed);
}

void uninstall_function(PyFunctionObject* function) {
  auto it = installed().find(function);
  if (it == installed().end()) return;
  const Installed was = it->second;
  const bool ours = calls_are_ours(function);
  unlist(was);
  installed().erase(it);
  if (!was.suspended && ours && function->vectorcall != g_plain_vectorcall)
    set_plain(function, was.version);
}

void uninstall_all() {
  while (!installed().empty()) uninstall_function(installed().begin()->first);
}

void function_modified(PyFunctionObject* function, bool code_changed) {
  if (code_changed) {  // as for who knows its code, it is no more
    forget_bound(function);
    noted().erase(function);
  }
  auto it = installed().find(function);
  if (it == installed().end()) return;
  // CPython takes the version away itself; the one we saved stands for the old contents.
  it->second.version = 0;
  if (code_changed) uninstall_function(function);
}

void note_function(PyFunctionObject* function) { noted().insert(function); }
bool is_noted(PyFunctionObject* function) { return noted().count(function) != 0; }

void function_destroyed(PyFunctionObject* function) {
  if (!noted().empty()) noted().erase(function);
  const CodeEntry* entry = forget_bound(function);
  if (auto it = installed().find(function); it != installed().end()) {
    unlist(it->second);
    installed().erase(it);
  }
  // Others of the same code may be installed on its behalf. (The events go one by one, when they
  // come.)
  if (entry && !is_wanted(entry)) uninstall_functions_of(entry->code);
}

bool init_entry() {
  if (g_extra_index >= 0) return true;
  PyObject* globals = PyDict_New();
  PyObject* done =
      globals ? PyRun_String("def f(): pass", Py_file_input, globals, globals) : nullptr;
  PyObject* function = done ? PyDict_GetItemString(globals, "f") : nullptr;
  if (function && PyFunction_Check(function))
    g_plain_vectorcall = reinterpret_cast<PyFunctionObject*>(function)->vectorcall;
  Py_XDECREF(done);
  Py_XDECREF(globals);
  if (!g_plain_vectorcall) return false;
  g_extra_index = PyUnstable_Eval_RequestCodeExtraIndex(free_entry);
  if (g_extra_index < 0) {
    PyErr_SetString(PyExc_RuntimeError, "no free co_extra index");
    return false;
  }
  return true;
}

}  // namespace psyco
