// What compiled code tells while it runs: guards that fail, the classes and operands that helpers
// meet, results that are not what callers count on, trials that are lost; and what follows from it.
#pragma once
#include "driver/driver.h"

namespace psyco {

// A guess that did not hold; the function may be compiled again without it.
bool is_speculation(ir::Reason reason);

extern int32_t g_exit_countdown;  // stress=exit:random
void reset_random_exits();        // their sequence begins anew with the option exit_seed

void start_feedback();  // sets the runtime's hooks

}  // namespace psyco
