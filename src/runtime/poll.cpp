#include "runtime/poll.h"

#include "runtime/activation.h"

namespace psyco {

uint64_t g_expected_eval_breaker = 0;
uint8_t g_own_tools = 0;
uint64_t g_own_tools_bytes = 0;
bool g_foreign_tools = false;

void tools_changed(PyThreadState* ts) {
  g_expected_eval_breaker = Port::eval_breaker(ts) & ~Port::kEventsMask;
  g_foreign_tools = Port::foreign_global_events(ts, g_own_tools);
  // Activations that have not polled yet would compare with the new value and stay.
  tell_to_leave(nullptr);
}

}  // namespace psyco
