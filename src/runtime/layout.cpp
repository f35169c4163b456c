// What machine code has to know of CPython's objects. Checked again at load time: selftest.cpp.
#include <cstddef>

#include "runtime/runtime.h"

namespace psyco {

TargetLayout make_layout() {
  TargetLayout layout;
  layout.ob_refcnt = offsetof(PyObject, ob_refcnt);
  layout.ob_type = offsetof(PyObject, ob_type);
  layout.ob_size = offsetof(PyVarObject, ob_size);
  layout.long_tag = offsetof(PyLongObject, long_value) + offsetof(_PyLongValue, lv_tag);
  layout.long_digits = offsetof(PyLongObject, long_value) + offsetof(_PyLongValue, ob_digit);
  layout.float_value = offsetof(PyFloatObject, ob_fval);
  layout.float_type = &PyFloat_Type;
  layout.long_type = &PyLong_Type;
  layout.true_object = Py_True;
  layout.false_object = Py_False;
  layout.none_object = Py_None;
  layout.small_ints = Port::small_ints();
  layout.small_int_size = Port::kSmallIntSize;
  layout.small_int_end = Port::kSmallIntEnd;
  layout.float_free_list = Port::float_free_list();
  layout.float_free_count = Port::float_free_count();
  layout.float_free_next = Port::kFloatFreeNext;
  layout.local_event_bytes = sizeof(_Py_LocalMonitors);
  static_assert(offsetof(_PyCoMonitoringData, local_monitors) == 0);
  static_assert(sizeof(_Py_LocalMonitors) >= 8 && sizeof(_Py_LocalMonitors) <= 16);
  layout.ts_eval_breaker = offsetof(PyThreadState, eval_breaker);
  static_assert(Port::kEventsMask == 0xff);  // compiled code looks at one byte
  layout.ts_current_frame = offsetof(PyThreadState, current_frame);
  layout.ts_datastack_top = offsetof(PyThreadState, datastack_top);
  layout.ts_datastack_limit = offsetof(PyThreadState, datastack_limit);
  layout.ts_py_recursion = offsetof(PyThreadState, py_recursion_remaining);
  layout.ts_id = offsetof(PyThreadState, id);
  layout.ts_profiler = offsetof(PyThreadState, c_profilefunc);
  layout.ts_tracer = offsetof(PyThreadState, c_tracefunc);
  layout.ts_c_recursion = Port::kCRecursionOffset;
  layout.c_recursion_reserve = Port::kCRecursionReserve;
  layout.current_thread = Port::thread_with_gil();
  layout.function_defaults = offsetof(PyFunctionObject, func_defaults);
  layout.tuple_items = offsetof(PyTupleObject, ob_item);
  layout.frame_instr_ptr = offsetof(_PyInterpreterFrame, instr_ptr);
  layout.frame_object = offsetof(_PyInterpreterFrame, frame_obj);
  layout.code_units = offsetof(PyCodeObject, co_code_adaptive);
  static_assert(PyLong_SHIFT == 30 && Port::kSmallIntMin == -5);  // as the emitter knows
  static_assert(_PyLong_SIGN_MASK == 3 && _PyLong_NON_SIZE_BITS == 3);
  return layout;
}

}  // namespace psyco
