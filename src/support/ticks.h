// The processor's time stamp counter: steady, and read without a system call.
#pragma once
#include <x86intrin.h>

#include <cstdint>

namespace psyco {

inline uint64_t ticks() { return __rdtsc(); }

}  // namespace psyco
