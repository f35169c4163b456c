// Calls of Python functions that come to us: binding of arguments, choice of the version, native
// entry.
#pragma once
#include <string>
#include <vector>

#include "cpython/port.h"
#include "emit/abi.h"
#include "runtime/code.h"

namespace psyco {

// Whether an exact int fits 64 bits.
inline bool fits_word(PyObject* value) {
  if (_PyLong_IsCompact(reinterpret_cast<PyLongObject*>(value))) return true;
  int overflow;
  PyLong_AsLongLongAndOverflow(value, &overflow);
  return !overflow;
}

struct EntryGuard : EntryTest {
  bool accepts(PyObject* value) const {
    switch (kind) {
      case Any:
        return value != nullptr;
      case Type:
        return value && Py_TYPE(value) == ptr;
      case Same:
        return value == ptr;
      case Null:
        return value == nullptr;
      case Anything:
        return true;
      case Int:
        return value && PyLong_CheckExact(value) && fits_word(value);
      case Float:
        return value && PyFloat_CheckExact(value);
    }
    return false;
  }
};

// Who, besides bind(), wants a code object counted and compiled.
enum WantedBy : uint8_t { kByRequest = 1, kByScope = 2 };

constexpr int kEntryCall = -1;
constexpr int kMaxEntryValues = 24;
struct Version {
  CompiledCode* code;
  int32_t target;                  // kEntryCall, or the bci of the loop head entered
  std::vector<EntryGuard> guards;  // Call: arguments. Osr: locals, then stack
  bool simple = false;             // entered with exactly its positional parameters
};

struct LoopCounter {
  int32_t target;    // bci of the loop head
  int32_t last = 0;  // and of the last jump back to it
  uint32_t count = 0;
  // Time spent in it, as far as the clock was read: see osr.cpp.
  int64_t spent_ns = 0, seen_ns = 0;
  const void* frame = nullptr;  // of the last reading, and the calls of the function till then
  uint64_t call = 0;
  bool wanted = false;   // an inner loop left it to this one
  bool refused = false;  // cannot be compiled, or was slower than the interpreter
  bool decided = false;  // measured: compiled code wins
  uint8_t trials = 0;
  double gain = 0;  // time that interpreting takes longer, as measured, in native time
  ir::Reason reason = ir::Reason::None;  // why refused
};

// Native and interpreted calls of one function, compared chunk by chunk: see governor.cpp.
struct CallTrial {
  static constexpr int kMaxChunks = 16;
  struct Side {
    int calls = 0;
    double sum = 0, longest = 0;  // nanoseconds
  };
  int calls = 0, chunks = 0, rounds = 0;
  Side sides[2];           // interpreted, native: of the chunk under way
  float logs[kMaxChunks];  // of native time over interpreted time, by chunk
  int64_t begun_ns = 0;    // by the wall clock
  double measured = 0;     // nanoseconds in all measured calls
  double interpreted = 0;  // nanoseconds a call, all chunks together
  uint64_t exits = 0;
  bool by_cpu = false;  // calls are long enough to be measured by processor time
  bool decided = false;
};

// Steps that cost something and pay only if native calls come of them.
struct Payoff {
  uint32_t steps = 0;
  uint64_t native_calls = 0;  // of the code's versions, when a number of steps was full
};

// One per code object, in its co_extra; dies with it.
struct CodeEntry {
  PyCodeObject* code;  // borrowed
  std::vector<Version> versions;
  std::vector<LoopCounter> loops;
  uint64_t events = 0;    // of monitoring, that it has raised for us
  uint64_t calls = 0;     // counted at PY_START and at entries without a version
  uint32_t bound = 0;     // functions of this code named by bind(): compile at the first call
  uint8_t wanted_by = 0;  // WantedBy
  bool watched = false;   // our monitoring events are on
  bool straight = false;  // of a module or class, without a loop: nothing of it is to be compiled
  PyFunctionObject* first_installed = nullptr;  // of the functions of this code: see entry.cpp
  EntryStub stub;                               // their vectorcall, if there is one
  // Another tool has events of this code in particular, CALL events among them: see poll.h.
  bool monitored = false, calls_monitored = false;
  bool refused = false;  // do not try to compile calls again
  bool compiling = false;
  bool parked = false;     // raises no events until the compiler may spend: see parked.h
  bool relied_on = false;  // some compiled code is good for a function of this code only
  uint32_t parking_round = 0, denials = 0;
  Payoff installing;          // of function objects of a nested code: see osr.cpp
  bool excluded = false;      // never to be compiled nor walked in place
  bool filter_allows = true;  // the user's filter said so, in this generation:
  uint32_t filter_generation = 0;
  ir::Reason reason = ir::Reason::None;  // why refused
  std::string reason_text;               // with file and line, for people
  uint32_t compiles = 0;                 // of its calls and loops, so far
  bool unworthy = false;                 // measured: not worth entering from the interpreter
  double saved_ns = 0;                   // by a native call, as measured,
  size_t account = 0;                    // its place among the ledger's, from 1; 0: it has none
  uint64_t credited = 0;  // and for how many calls that has been counted: see ledger.h
  float heat = 0, long_heat = 0, needed_heat = 0;  // by the sampler: see sampler.cpp;
  uint32_t heat_tick = 0;                          // as of which tick
  Payoff misses;                                   // of calls that no version fitted
  int64_t armed_ns = 0;  // processor time when its events were switched on; 0: not by the sampler
  bool settled = false;  // refused by the user at present, and raises no events: see parked.h
  CallTrial trial;
  void* driver = nullptr;  // the driver's own
};

// Null if there is none and `create` is false, or (with no error set) memory is out.
CodeEntry* code_entry(PyCodeObject* code, bool create);
void add_version(CodeEntry* entry, CompiledCode* code, int target, std::vector<EntryGuard> guards);
void remove_version(CodeEntry* entry, const CompiledCode* code);
uint64_t native_calls(const CodeEntry* entry);  // from outside compiled code, of its versions
// Counts a step. False whenever so many steps are full, and fewer native calls have been made since
// they were last.
bool pays(const CodeEntry* entry, Payoff& payoff);
Version* find_call_version(CodeEntry* entry, PyObject* const* values, Py_ssize_t count);
Version* find_loop_version(CodeEntry* entry, int target, _PyInterpreterFrame* frame);  // its slots

// The letters of LinkCell::signature that fit a version; empty: it cannot be called directly.
std::string native_signature(const Version& version);

// ---- the driver's side. All may be null. None may run Python code or leave an error set.
// No version fits these arguments (complete, as the function's locals). Compile, add_version() and
// return the code, or null: this call runs in the interpreter.
extern CompiledCode* (*g_compile_entry)(PyFunctionObject* function, CodeEntry* entry,
                                        PyObject** args, Py_ssize_t count);
// The code object dies: give back what hangs on the entry. Its versions must no longer be used.
extern void (*g_entry_dies)(CodeEntry* entry);

// ---- functions
// The words of these values as the version takes them; returns their number. All guards accept.
int entry_words(const Version& version, PyObject* const* values, uint64_t* words);
extern vectorcallfunc g_plain_vectorcall;  // _PyFunction_Vectorcall, which is not exported
extern "C" PyObject* psyco_call_function(PyObject* callable, PyObject* const* args, size_t nargsf,
                                         PyObject* kwnames);
// By machine code made for the versions of its code, or if there is none by psyco_call_function.
vectorcallfunc native_vectorcall(const CodeEntry* entry);
bool goes_native(const PyFunctionObject* function);  // its vectorcall is either
// False (no error set) if the function's vectorcall belongs to somebody else.
bool install_function(PyFunctionObject* function);
void uninstall_function(PyFunctionObject* function);
void uninstall_functions_of(PyCodeObject* code);
bool is_installed(PyFunctionObject* function);
// A function is installed as long as somebody wants its code: bind() by name, or watch_code().
// False: an error is set.
bool bind_function(PyFunctionObject* function);
bool unbind_function(PyFunctionObject* function);
std::vector<PyFunctionObject*> installed_functions();  // not owned
// The interpreter tells monitoring tools of a call as one of C, and of exceptions as out of C, if
// the function's vectorcall is not its own. So installed functions have the interpreter's as long
// as a tool looks at calls.
void keep_calls_plain(bool plain);
bool calls_are_plain();
void note_measured(PyFunctionObject* function);  // its calls go by psyco_measured_call
// Nobody else has put a vectorcall of his own into the function.
bool calls_are_ours(const PyFunctionObject* function);
void uninstall_all();
// Of functions that somebody has a pointer to, whether they have not died since.
void note_function(PyFunctionObject* function);
bool is_noted(PyFunctionObject* function);
// From the function watcher.
void function_modified(PyFunctionObject* function, bool code_changed);
void function_destroyed(PyFunctionObject* function);

struct EntryStats {            // of calls; those that entered compiled code: g_entering.calls
  uint64_t general = 0;        // calls that no entry stub could do by itself
  uint64_t interpreted = 0;    // calls that reached us and ran in the interpreter
  uint64_t odd_arguments = 0;  // of those: left to CPython's own argument binding
  uint64_t no_room = 0;        // of those: recursion or stack too deep
};
extern EntryStats g_entry_stats;

bool init_entry();  // false: a Python error is set

}  // namespace psyco
