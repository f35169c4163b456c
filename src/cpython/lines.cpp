// Where code of one version begins, as LINE events see it.
#include "cpython/lines.h"

#include "cpython/port.h"

namespace psyco {

// Python/instrumentation.c: _Py_call_instrumentation_line (3.13) raises no event in the line of the
// instruction before, except behind RESUME and INSTRUMENTED_RESUME. It forgets RESUME_CHECK, which
// RESUME becomes at once where it is not instrumented. So code that begins on the line of its
// `def`.
bool first_line_needs_start_events(PyCodeObject* code) {
  constexpr int kUnit = sizeof(_Py_CODEUNIT);
  const int resume = code->_co_firsttraceable;
  return PyCode_Addr2Line(code, resume * kUnit) == PyCode_Addr2Line(code, (resume + 1) * kUnit);
}

}  // namespace psyco
