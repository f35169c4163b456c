#include "passes/pass.h"
namespace psyco::passes {
bool number_values(ir::Graph&, PassContext&) { return false; }
}
