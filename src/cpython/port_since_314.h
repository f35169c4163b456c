// What CPython does so from 3.14 on: tagged and borrowed slots, the references of a frame, the C
// stack, free lists. Base of the VersionPort of each of these versions.
#pragma once
#include <Python.h>
#include <internal/pycore_ceval.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_function.h>
#include <internal/pycore_genobject.h>
#include <internal/pycore_instruments.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_interpframe.h>
#include <internal/pycore_long.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_range.h>
#include <internal/pycore_runtime.h>
#include <internal/pycore_stackref.h>
#include <opcode_ids.h>

namespace psyco {

struct PortSince314 {
  static constexpr int kWithSlots = 2;  // slots of an open with
  static constexpr int kBackoffBits = BACKOFF_BITS;

  // What an instruction puts on the stack that has no constant of its code. Borrowed: small ints
  // are immortal, the others the interpreter's own.
  static PyObject* constant_of(int opcode, int arg) {
    if (opcode == LOAD_SMALL_INT)
      return reinterpret_cast<PyObject*>(&_PyLong_SMALL_INTS[_PY_NSMALLNEGINTS + arg]);
    return PyInterpreterState_Get()->common_consts[arg];
  }

  // ---- slots: a pointer whose lowest bit says that the slot owns no reference, because the object
  // is immortal or because another slot, which outlives this one, owns it; or a number
  using Slot = _PyStackRef;
  static Slot slot_null() { return PyStackRef_NULL; }
  static Slot slot_put(PyObject* object) { return PyStackRef_FromPyObjectSteal(object); }
  static PyObject* slot_view(Slot slot) {
    return slot_is_raw(slot) ? nullptr : PyStackRef_AsPyObjectBorrow(slot);
  }
  static PyObject* slot_take(Slot slot) {
    return PyStackRef_IsNull(slot) ? nullptr : PyStackRef_AsPyObjectSteal(slot);
  }
  static void slot_close(Slot slot) { PyStackRef_XCLOSE(slot); }
  static bool slot_is_raw(Slot slot) { return PyStackRef_IsTaggedInt(slot); }
  static int64_t raw_number(Slot slot) { return PyStackRef_UntagInt(slot); }
  // Offset of a raising instruction as pushed under the exception.
  static bool lasti_slot(int unit, Slot* slot) {
    *slot = PyStackRef_TagInt(unit);
    return true;
  }

  // ---- frames
  static int depth(_PyInterpreterFrame* frame) {
    return static_cast<int>(frame->stackpointer - frame->localsplus);
  }
  static void set_depth(_PyInterpreterFrame* frame, int depth) {
    frame->stackpointer = frame->localsplus + depth;
  }
  static PyCodeObject* code_of(_PyInterpreterFrame* frame) {
    return reinterpret_cast<PyCodeObject*>(PyStackRef_AsPyObjectBorrow(frame->f_executable));
  }
  static PyObject* function_object(_PyInterpreterFrame* frame) {
    return PyStackRef_AsPyObjectBorrow(frame->f_funcobj);
  }
  static void set_references(_PyInterpreterFrame* frame, PyFunctionObject* function,
                             PyCodeObject* code) {
    frame->f_executable = PyStackRef_FromPyObjectNew(reinterpret_cast<PyObject*>(code));
    frame->f_funcobj = PyStackRef_FromPyObjectNew(reinterpret_cast<PyObject*>(function));
    frame->visited = 0;
  }
  // Of a frame that nobody has seen: there is nothing else in it.
  static void release_references(_PyInterpreterFrame* frame) {
    const Slot code = frame->f_executable, function = frame->f_funcobj;
    PyStackRef_CLOSE(function);
    PyStackRef_CLOSE(code);
  }
  // A frame of the interpreter itself, below the first of a C call: it has no code object.
  static bool is_boundary(_PyInterpreterFrame* frame) {
    return frame->owner >= FRAME_OWNED_BY_INTERPRETER;
  }
  static constexpr bool kLocalsDieLastFirst = true;
  static constexpr bool kOperandsDieTopFirst = true;  // of an instruction that did not fail

  // ---- the C stack: the interpreter looks at the stack itself, and so there is nothing to count
  static constexpr int kCRecursionOffset = -1, kCRecursionReserve = 0;
  static int c_levels(PyThreadState*) { return 0; }
  static bool c_levels_left(PyThreadState*) { return true; }
  static void enter_c_level(PyThreadState*) {}
  static void leave_c_level(PyThreadState*) {}
  static int withhold_c_levels(PyThreadState*, int64_t) { return 0; }
  static void restore_c_levels(PyThreadState*, int) {}

  // What LOAD_ATTR_PROPERTY makes sure of, beside the class.
  static constexpr bool kPropertyReadsCheckGetter = false;

  // ---- functions: 0 is not set yet, 1 not valid any more
  static uint32_t valid_version(uint32_t function_version) {
    return function_version < FUNC_VERSION_FIRST_VALID ? 0 : function_version;
  }

  // ---- where freed floats are; null: not to be used
  static constexpr int kFloatFreeNext = 0;
  static void* float_free_list() {
#ifdef WITH_FREELISTS
    return &PyInterpreterState_Get()->object_state.freelists.floats.freelist;
#else
    return nullptr;
#endif
  }
  static void* float_free_count() {
#ifdef WITH_FREELISTS
    return &PyInterpreterState_Get()->object_state.freelists.floats.size;
#else
    return nullptr;
#endif
  }
};

}  // namespace psyco
