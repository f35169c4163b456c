// Hooks for the project's own tests: psyco._core._test_*. Not an interface.
#pragma once
#include "cpython/port.h"

namespace psyco {
extern PyMethodDef g_test_methods[];
int add_helper_tests(PyObject* module);  // test_helpers.cpp
extern PyMethodDef g_fake_body_methods[];
extern PyMethodDef g_dump_methods[];
}  // namespace psyco
