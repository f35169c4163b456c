// What every pass gets, and how passes are run. A pass is one function in one file, named by a
// verb:
//   bool name(ir::Graph& graph, PassContext& context);   // true if it changed anything
// and one row in pipeline.def.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "ir/known_types.h"

namespace psyco::ir {
class PtrPrintMap;
}

namespace psyco::passes {

struct PassOptions {
  ir::KnownTypes types;
  std::vector<std::string> off;                   // passes not to run
  std::vector<std::string> dump;                  // print the graph after these ("all", "input")
  std::vector<std::pair<std::string, int>> fuel;  // at most so many rewrites
  std::vector<std::string> only;  // run these, in this order, instead of the pipeline
  bool verify = false;            // after each pass; a violation aborts
  bool time = false;
  ir::PtrPrintMap* names = nullptr;  // for dumps
};

// Items of the debugging switch that concern passes: off=<pass>, dump=<pass>, fuel=<pass>:<n>,
// verify=each, time=passes. Returns false with a message for an unknown pass or a bad number; other
// items are left to others, in `unknown`.
bool parse_pass_switches(const std::string& text, PassOptions& options, std::string& error,
                         std::vector<std::string>& unknown);

struct PassTime {
  const char* name;
  double seconds;
  bool changed;
};

// Runs the pipeline. True if anything changed. Timings are appended to times if given.
bool run_passes(ir::Graph& graph, const PassOptions& options,
                std::vector<PassTime>* times = nullptr);

class PassContext {
 public:
  PassContext(const PassOptions& options, int fuel) : options_(options), fuel_(fuel) {}
  const ir::KnownTypes& types() const { return options_.types; }
  const PassOptions& options() const { return options_; }
  int fuel_left() const { return fuel_; }
  // To be asked before each rewrite. False: stop here (a bisection is looking for the wrong one).
  bool spend_fuel() {
    if (fuel_ < 0) return true;
    if (fuel_ == 0) return false;
    fuel_--;
    return true;
  }

 private:
  const PassOptions& options_;
  int fuel_;  // negative: unlimited
};

#define PASS(name, ...) bool name(ir::Graph& graph, PassContext& context);
#define AGAIN(name)
#include "passes/pipeline.def"
#undef PASS
#undef AGAIN

}  // namespace psyco::passes
