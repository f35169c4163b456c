// What the extension module asks the driver for. The driver fills this in; until then every request
// has a harmless answer. The compile hooks are with the runtime: entry.h, osr.h, code.h.
#pragma once
#include "runtime/entry.h"

namespace psyco {

struct DriverHooks {
  // Once, when the runtime has started and passed its self-test: set g_backend and the compile
  // hooks. False with a Python error set: psyco stays off with that text.
  bool (*start)() = nullptr;
  // A new dict, to which the runtime's own figures are added. Null: an error is set.
  PyObject* (*stats)() = nullptr;
  // What is known of a function: a new dict, or None. Null: an error is set.
  PyObject* (*report)(PyFunctionObject* function) = nullptr;
  // Compile for these arguments and install. False: a Python error is set.
  bool (*compile_now)(PyFunctionObject* function, PyObject* const* args,
                      Py_ssize_t count) = nullptr;
  // All versions of the entry are retired and gone from it: drop what else is kept for it.
  void (*forget)(CodeEntry* entry) = nullptr;
  // 1: taken. 0: no such option. -1: an error is set.
  int (*set_option)(PyObject* name, PyObject* value) = nullptr;
  // Adds the driver's options to the dict. False: an error is set.
  bool (*add_options)(PyObject* dict) = nullptr;
};
extern DriverHooks g_driver;

}  // namespace psyco
