// The Python-visible primitives of psyco._core.
#pragma once
#include <string>

#include "cpython/port.h"

namespace psyco {
extern PyMethodDef g_api_methods[];
extern std::string g_off_reason;   // why psyco is off; empty when it is active
void start_api();
}  // namespace psyco
