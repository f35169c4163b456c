// The end of the interpreter, at which everything dies as if psyco had never been there.
#pragma once

namespace psyco {

bool await_the_end();  // to be called once; false: a Python error is set
// The interpreter is ending and its other threads have stopped. The second time it does nothing.
void end_everything();

}  // namespace psyco
