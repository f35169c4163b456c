// For mutants only: every release in a file that includes this first can be left out
// (support/mutants.h). CMake includes it where PSYCO_MUTANTS is on.
#pragma once

#include <Python.h>

#include "support/mutants.h"

namespace psyco::mutants {

inline void release(PyObject* object, Site site = Site::here()) {
  if (!chosen("release", site)) (Py_DECREF)(object);
}

inline void release_if_any(PyObject* object, Site site = Site::here()) {
  if (object) release(object, site);
}

}  // namespace psyco::mutants

#undef Py_DECREF
#undef Py_XDECREF
#define Py_DECREF(object) psyco::mutants::release(_PyObject_CAST(object))
#define Py_XDECREF(object) psyco::mutants::release_if_any(_PyObject_CAST(object))
