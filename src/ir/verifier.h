// Checks the invariants every pass may rely on and must keep. The numbered list heads verifier.cpp.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/known_types.h"

namespace psyco::ir {

enum class VerifyLevel : uint8_t {
  Structure,  // V1 to V8 and V13
  Ownership,  // and V9 to V12
};

// One message per violation, "V4 v7: ...", with the ids of the graph; empty if all is well. types
// makes V12 more lenient (see there).
std::vector<std::string> verify(const Graph& graph, VerifyLevel level,
                                const KnownTypes* types = nullptr);

// Where a reference goes. Shared with passes that move references.
bool takes_reference(const Value& value,
                     size_t input);  // this input's reference is taken over (or dropped)
bool needs_state(const Value& value);

}  // namespace psyco::ir
