#include "support/check.h"

#include <cstdio>
#include <cstdlib>

namespace psyco {
void check_failed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "psyco: internal check failed: %s:%d: %s\n", file, line, what);
  std::abort();
}
}  // namespace psyco
