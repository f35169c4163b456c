// The child of os.fork, which has one thread: activations of its parent's other threads end there.
#pragma once

namespace psyco {

bool watch_forks();  // false with an error

}  // namespace psyco
