// Deliberate defects, to find out whether the tests would notice: see tools/devtool/mutate.py.
//
// Only a build with -DPSYCO_MUTANTS=ON has them; elsewhere all of this is nothing. One defect is
// chosen by the environment variable PSYCO_MUTANT=kind:what, read at the first question. It is no
// item of PSYCO_DEBUG because tests start processes with a PSYCO_DEBUG of their own.
//
//   drop:FILE:FIRST-LAST       what these lines of the front end emit and no one uses (a guard, a
//                              release, a store) is left out
//   assume:FILE:FIRST-LAST     an assumption is not registered
//   unchecked:OP               arithmetic that leaves on overflow does not
//   effect:OP, helper:NAME     the effects column of a row is one step weaker
//   owned:NAME                 the helper's result is said to be borrowed
//   swap-stack:N, swap-locals:N   two neighbouring slots change places in the states before the
//                                 neutral instruction N
//   bci:N                      states before the neutral instruction N continue behind it
//   after-stack:N, after-locals:N, after-bci:N   the same in states that continue behind N, after
//                                 what N releases: two slots change places, N is done again
//   unowned:FILE:FIRST-LAST    a value that these lines of the front end emit is taken for borrowed
//   release:FILE:FIRST-LAST    a reference that these lines of the run time give back is kept
//   heap:CLASS                 stores to memory of this class are not seen
//   rule:NAME                  a pass that asks whether it may do something is told yes, or leaves
//                              out the guard by which it may
//   record:WHAT, virtual:KIND  a record of an exit: slots of outer frames change places, a frame's
//                              function or continuation is lost, a reference is said to be owned or
//                              borrowed; two parts of a virtual object change places
//   entry:KIND                 a guard at the entry of a version accepts any object
//   watch:WHAT                 a watcher does not tell that a dictionary, type, function, class
//                              or descriptor has changed
#pragma once

#ifdef PSYCO_MUTANTS
#include <source_location>
#endif

namespace psyco::mutants {

#ifdef PSYCO_MUTANTS
constexpr bool kBuilt = true;
// Where a function was called from: a default argument makes it the caller's own line.
struct Site {
  const char* file;
  unsigned line;
  static Site here(std::source_location at = std::source_location::current()) {
    return {at.file_name(), at.line()};
  }
};
bool chosen(const char* kind, const char* what);
bool chosen(const char* kind, Site site);
#else
constexpr bool kBuilt = false;
struct Site {
  static constexpr Site here() { return {}; }
};
constexpr bool chosen(const char*, const char*) { return false; }
constexpr bool chosen(const char*, Site) { return false; }
#endif

}  // namespace psyco::mutants
