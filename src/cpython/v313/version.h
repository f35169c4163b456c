// What only CPython 3.13 does so: slots, the references of a frame, the C stack, free lists. Every
// version's folder defines the same names.
#pragma once
#include <Python.h>
#include <internal/pycore_ceval.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_function.h>
#include <internal/pycore_genobject.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_long.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_range.h>
#include <internal/pycore_runtime.h>
#include <opcode_ids.h>

namespace psyco {

struct VersionPort {
  static constexpr unsigned kVersionHex = 0x030D0000;
  static constexpr int kIterSlots = 1;  // slots of a for-loop cursor
  static constexpr int kWithSlots = 1;  // slots of an open with

  static constexpr int kBackoffBits = 4;  // of an adaptive counter
  // What an instruction puts on the stack that has no constant of its code: AssertionError.
  static PyObject* constant_of(int, int) { return PyExc_AssertionError; }

  // ---- slots: plain owned pointers, null when empty
  using Slot = PyObject*;
  static Slot slot_null() { return nullptr; }
  static Slot slot_put(PyObject* object) { return object; }  // takes over the reference
  static PyObject* slot_view(Slot slot) { return slot; }     // borrowed; null: holds none
  static PyObject* slot_take(Slot slot) { return slot; }     // owned, and leaves the slot
  static void slot_close(Slot slot) { Py_XDECREF(slot); }
  static bool slot_is_raw(Slot) { return false; }  // holds bits that are no object
  static int64_t raw_number(Slot) { return 0; }    // what these bits say
  // Offset of a raising instruction as pushed under the exception: an int object. Null and
  // MemoryError for offsets beyond the cached small ints when memory is out.
  static bool lasti_slot(int unit, Slot* slot) {
    return (*slot = PyLong_FromLong(unit)) != nullptr;
  }

  // ---- frames
  // While a frame runs in the interpreter its depth is -1; it is valid in every callback.
  static int depth(_PyInterpreterFrame* frame) { return frame->stacktop; }
  static void set_depth(_PyInterpreterFrame* frame, int depth) { frame->stacktop = depth; }
  static PyCodeObject* code_of(_PyInterpreterFrame* frame) {
    return reinterpret_cast<PyCodeObject*>(frame->f_executable);
  }
  static PyObject* function_object(_PyInterpreterFrame* frame) { return frame->f_funcobj; }
  static void set_references(_PyInterpreterFrame* frame, PyFunctionObject* function,
                             PyCodeObject* code) {
    frame->f_executable = Py_NewRef(reinterpret_cast<PyObject*>(code));
    frame->f_funcobj = Py_NewRef(reinterpret_cast<PyObject*>(function));
  }
  // Of a frame that nobody has seen: there is nothing else in it.
  static void release_references(_PyInterpreterFrame* frame) {
    PyObject* code = frame->f_executable;
    PyObject* function = frame->f_funcobj;
    Py_DECREF(function);
    Py_DECREF(code);
  }
  // A frame of the interpreter itself, below the first of a C call: it has no code object.
  static bool is_boundary(_PyInterpreterFrame* frame) {
    return frame->owner == FRAME_OWNED_BY_CSTACK;
  }
  static constexpr bool kLocalsDieLastFirst = false;
  static constexpr bool kOperandsDieTopFirst = false;  // of an instruction that did not fail
  static constexpr bool kBinaryDropsLeftFirst = true;  // whatever is the custom of all others

  // ---- the C stack: a number of levels is all that 3.13 knows of it
  // Plain Python-to-Python calls use no C stack, native ones do. Below this reserve we go on in the
  // interpreter; what is left serves C code called from there.
  static constexpr int kCRecursionReserve = 3000;
  // CPython's own estimate (10,000 levels of C recursion in 8 MB), rounded up.
  static constexpr int64_t kBytesPerCLevel = 1024;
  static constexpr int kCRecursionOffset = offsetof(PyThreadState, c_recursion_remaining);
  static int c_levels(PyThreadState* ts) { return ts->c_recursion_remaining; }
  static bool c_levels_left(PyThreadState* ts) {
    return ts->c_recursion_remaining > kCRecursionReserve;
  }
  static void enter_c_level(PyThreadState* ts) { ts->c_recursion_remaining--; }
  static void leave_c_level(PyThreadState* ts) { ts->c_recursion_remaining++; }
  // Takes away the levels for which `bytes` are not enough; gives their number for `restore`.
  static int withhold_c_levels(PyThreadState* ts, int64_t bytes) {
    const int64_t fit = bytes / kBytesPerCLevel;
    const int64_t remaining = ts->c_recursion_remaining;
    const int withheld = fit < remaining ? static_cast<int>(remaining - fit) : 0;
    ts->c_recursion_remaining -= withheld;
    return withheld;
  }
  static void restore_c_levels(PyThreadState* ts, int withheld) {
    ts->c_recursion_remaining += withheld;
  }

  // What LOAD_ATTR_PROPERTY makes sure of, beside the class.
  static constexpr bool kPropertyReadsCheckGetter = true;

  // ---- dictionaries of modules
  // Watchers of the interpreter that a number which takes the place of another does not concern.
  static constexpr uint8_t kHarmlessDictWatchers = 0;
  // Of what stands for a module until it is first used; null: there is no such thing.
  static PyTypeObject* lazy_type() { return nullptr; }

  // What the interpreter's state grows by where it has a JIT of its own: behind all that is used.
  static constexpr size_t kOwnJitBytes = 0;

  // ---- functions
  static uint32_t valid_version(uint32_t function_version) { return function_version; }  // 0: none

  // ---- where freed floats are; null: not to be used
  static constexpr int kFloatFreeNext = offsetof(PyObject, ob_type);
  static void* float_free_list() {
#ifdef WITH_FREELISTS
    return &PyInterpreterState_Get()->object_state.freelists.floats.items;
#else
    return nullptr;
#endif
  }
  static void* float_free_count() {
#ifdef WITH_FREELISTS
    return &PyInterpreterState_Get()->object_state.freelists.floats.numfree;
#else
    return nullptr;
#endif
  }
};

}  // namespace psyco
