// When an interpreter that ends has stopped all its other threads.
#pragma once

namespace psyco {

// To be called before the interpreter ends: `call` is called, once, by the thread that ends it,
// when no other thread can run any more and nothing has been torn down yet; all finalisers may run
// then. False: there is no memory.
bool when_threads_have_stopped(void (*call)());

}  // namespace psyco
