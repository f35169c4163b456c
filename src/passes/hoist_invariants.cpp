#include "passes/pass.h"
namespace psyco::passes {
bool hoist_invariants(ir::Graph&, PassContext&) { return false; }
}
