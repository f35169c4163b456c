// The addresses machine code calls, as far as this folder's helpers go.
#pragma once
#include "emit/abi.h"

namespace psyco {
void fill_helper_table(RuntimeTable& table);
}
