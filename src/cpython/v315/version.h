// What only CPython 3.15 does so. Every version's folder defines the same names, some by a base.
#pragma once
#include <Python.h>
#include <internal/pycore_lazyimportobject.h>

#include "cpython/port_since_314.h"

namespace psyco {

struct VersionPort : PortSince314 {
  static constexpr unsigned kVersionHex = 0x030F0000;
  static constexpr int kIterSlots = 2;                  // slots of a for-loop cursor
  static constexpr bool kBinaryDropsLeftFirst = false;  // whatever is the custom of all others

  // ---- dictionaries of modules
  // Watchers of the interpreter that a number which takes the place of another does not concern.
  static constexpr uint8_t kHarmlessDictWatchers = 1 << 2;
  // Of what stands for a module until it is first used; null: there is no such thing.
  static PyTypeObject* lazy_type() { return &PyLazyImport_Type; }

  // What the interpreter's state grows by where it has a JIT of its own: behind all that is used.
  static constexpr size_t kOwnJitBytes = 8;
};

}  // namespace psyco
