// PSYCO_CHECK: our own bug. It says where and stops; PSYCO_DCHECK is for the costly ones.
#pragma once

namespace psyco {
[[noreturn]] void check_failed(const char* file, int line, const char* what);
}

#define PSYCO_CHECK(condition) \
  ((condition) ? void(0) : ::psyco::check_failed(__FILE__, __LINE__, #condition))
#ifdef PSYCO_DEBUG_CHECKS
#define PSYCO_DCHECK(condition) PSYCO_CHECK(condition)
#else
#define PSYCO_DCHECK(condition) void(0)
#endif
