// Compiles one function: from the hooks of the runtime through front end, passes and back end to a
// version installed in the code cache; and what is told about it.
#pragma once
#include <list>
#include <map>
#include <string>
#include <vector>

#include "cpython/port.h"
#include "emit/abi.h"
#include "frontend/builder.h"
#include "passes/pass.h"
#include "runtime/entry.h"

namespace psyco {

struct Options {
#define OPTION(name, type, value, text) type name = value;
#include "driver/options.def"
#undef OPTION
};
extern Options g_options;

// Objects given away for the time of a collection: see units.cpp.
struct Lent {
  PyObject* reference;  // owned: a weak one; None stands for a dictionary, whose death is watched
  PyObject* object;     // its address
};
struct LentType {  // of Feedback::Site
  PyObject* reference;
  int bci, operand;
};

// One compiled body and everything that keeps it meaningful. CompiledCode::owner.
struct Unit {
  CompiledCode* code = nullptr;
  PyCodeObject* python_code = nullptr;  // borrowed: the unit dies with its entry
  int target = -1;                      // kEntryCall or the bci of a loop head
  std::vector<PyObject*> objects;       // owned
  std::vector<Lent> lent;               // some of them, during a collection
  std::vector<SiteCache> caches;
  std::vector<InlineNote> inlined;
  std::string ir_text, lir_text, assembly_text;
  double compile_ms = 0;
  int walked = 0;
  char result = 'o';   // LinkCell::result
  int generation = 0;  // no object in `objects` is younger: see units.cpp
  uint32_t exits = 0;
  bool retired = false;
  bool broken = false;  // and waits to be retired
};

// The types that a parameter came with, or a local at a loop head. Numbers do not count: they have
// versions of their own.
struct ParameterTypes {
  static constexpr int kMost = 3;  // from so many on, versions are made for any type
  const void* types[kMost] = {};   // compared only: they may be gone
  int count = 0;
  void note(const void* type);
  bool any() const { return count == kMost; }
};

// What hangs on a CodeEntry for the driver.
struct CodeHistory {
  Feedback feedback;
  std::vector<Unit*> units;
  std::vector<std::unique_ptr<LinkCell>> cells;  // of functions with this code
  std::vector<LentType> lent;
  int generation = 0;  // of the types in `feedback`
  // Its places in the lists of units.cpp.
  std::list<CodeEntry*>::iterator place, place_by_age;
  int youngest = 0;  // generation of what hangs on it, its units included
  std::map<int, std::vector<ParameterTypes>> types_met;  // by target: parameters, or locals
  int compiles = 0;
  std::map<int, int> compiles_at;   // by target
  uint64_t entries = 0, exits = 0;  // of units that are no more
  bool slow_loop = false;           // a loop was faster in the interpreter
  // Why code was dropped last; null: an assumption broke, or none was.
  const char* dropped = nullptr;
  std::string name;
};

// The function is left alone from now on, for this reason, seen in this line (0: no line of it).
void refuse(CodeEntry* entry, ir::Reason reason, int line);
// The same reason for people, where the function is not left alone altogether.
void note_reason(CodeEntry* entry, ir::Reason reason, int line);
void install_driver();  // sets g_driver
bool start_driver();    // false: a Python error is set

// Compiles the function for these arguments now. True if code exists afterwards.
bool compile_now(PyFunctionObject* function, PyObject* const* args, Py_ssize_t count);
void forget_entry(CodeEntry* entry);
size_t code_bytes_in_use();
PyObject* driver_stats();                             // new dict, see psyco.stats
PyObject* driver_report(PyFunctionObject* function);  // new dict, see psyco.explain
// The graph for these arguments as text, optimised or not, and what the verifier says; for dumps
// and tests.
std::string graph_text(PyFunctionObject* function, PyObject* const* args, Py_ssize_t count,
                       bool optimised, std::vector<std::string>* problems);
bool add_options(PyObject* dict);
int set_driver_option(PyObject* name, PyObject* value);  // as DriverHooks::set_option
// PSYCO_DEBUG, or the option `debug`: items separated by commas; see docs/adding.md. All options
// begin anew. `unknown`: items that nobody reads.
bool parse_debug(const char* text, std::string& error, std::vector<std::string>& unknown);

struct CompileTotals {
  uint64_t compiled = 0, refused = 0, invalidated = 0, recompiled = 0, evicted = 0;
  double total_ms = 0, worst_ms = 0;
  uint64_t refused_by[ir::kReasonCount] = {};
  uint64_t exits_by[ir::kReasonCount] = {};
  uint64_t ops[ir::kOpCount] = {}, helpers[ir::kHelperCount] = {};  // values of compiled graphs
  std::vector<float> times_ms;
};
extern CompileTotals g_totals;

}  // namespace psyco
