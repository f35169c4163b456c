// What a code object's LINE events depend on besides the tool that wants them.
#pragma once
#include <Python.h>

namespace psyco {

// Whether a LINE event is raised at the first line only while some tool wants PY_START events.
bool first_line_needs_start_events(PyCodeObject* code);

}  // namespace psyco
