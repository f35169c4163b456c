// Integer ops on constants. False where the op would exit at run time.
#pragma once
#include <cstdint>

#include "ir/graph.h"

namespace psyco::passes {

bool fold_int(ir::Op op, int64_t a, int64_t b, int64_t* result);
bool fold_compare(ir::Cond cond, int64_t a, int64_t b);

}  // namespace psyco::passes
