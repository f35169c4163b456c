// What only CPython 3.14 does so. Every version's folder defines the same names, some by a base.
#pragma once
#include "cpython/port_since_314.h"

namespace psyco {

struct VersionPort : PortSince314 {
  static constexpr unsigned kVersionHex = 0x030E0000;
  static constexpr int kIterSlots = 1;                 // slots of a for-loop cursor
  static constexpr bool kBinaryDropsLeftFirst = true;  // whatever is the custom of all others

  // ---- dictionaries of modules
  // Watchers of the interpreter that a number which takes the place of another does not concern.
  static constexpr uint8_t kHarmlessDictWatchers = 0;
  // Of what stands for a module until it is first used; null: there is no such thing.
  static PyTypeObject* lazy_type() { return nullptr; }

  // What the interpreter's state grows by where it has a JIT of its own: behind all that is used.
  static constexpr size_t kOwnJitBytes = 0;
};

}  // namespace psyco
