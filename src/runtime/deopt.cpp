// Rebuilds the interpreter's frames from an exit record and runs them.
//
// The interpreter can resume one frame per entry only (it overwrites frame->previous), so a chain
// of inlined frames is linked whole, for everyone to see, and then evaluated frame by frame from
// the innermost outwards; each caller's continuation takes over the result (see ir::Continuation).
#include "runtime/deopt.h"

#include <algorithm>

#include "cpython/bytecode.h"
#include "cpython/objects.h"
#include "runtime/activation.h"
#include "runtime/materialize.h"
#include "runtime/osr.h"
#include "runtime/reserve.h"
#include "runtime/visible.h"
#include "support/check.h"

namespace psyco {
namespace {

struct Rebuilt {
  _PyInterpreterFrame* frame;
  PyCodeObject* code;
  ir::Continuation cont;
  int bci;
};

// What a frame will hold, all owned. Everything is made before the first frame is touched.
struct Content {
  PyFunctionObject* function = nullptr;  // null: the activation's frame has its own
  PyObject **locals = nullptr, **stack = nullptr;
  size_t local_count = 0, stack_count = 0;
};

Bytecode operation_at(const Rebuilt& at) {
  const DecodedCode decoded = decode(at.code);
  return decoded.list[decoded.index_at(at.bci)];
}

// The operands, which were on the stack until now, go in the order of the interpreter: what is left
// there of an instruction that failed goes from the top.
void finish_operation(_PyInterpreterFrame* frame, const Bytecode& operation, PyObject* result) {
  constexpr int kMost = 3;
  const int count = neutral_pops(operation);
  PSYCO_CHECK(count <= kMost);
  const int base = Port::depth(frame) - count;
  Port::Slot* slots = Port::slots(frame) + base;
  Port::Slot operands[kMost];
  std::copy_n(slots, count, operands);
  if (result) slots[0] = Port::slot_put(result);
  Port::set_depth(frame, base + (result ? 1 : 0));
  const bool binary = operation.op == NeutralOp::Binary && operation.first_of_raw;
  const bool top_first =
      Port::kOperandsDieTopFirst && !(Port::kBinaryDropsLeftFirst && binary && result);
  for (int i = 0; i < count; i++) Port::slot_close(operands[top_first ? count - 1 - i : i]);
}

// The callee's result (owned, or null with an error) reaches its caller, which is linked and
// current. True: the frame stands behind the instruction. False: an error is set, raised at the
// instruction.
bool apply_continuation(const Rebuilt& caller, PyObject* result) {
  _PyInterpreterFrame* frame = caller.frame;
  const bool operation =
      caller.cont == ir::Continuation::Drop || caller.cont == ir::Continuation::Operator;
  const Bytecode at = operation ? operation_at(caller) : Bytecode();
  if (result == Py_NotImplemented && caller.cont == ir::Continuation::Operator) {
    const Port::Slot* operands = Port::slots(frame) + Port::depth(frame) - 2;
    objects::set_operand_error(at.arg, Port::slot_view(operands[0]), Port::slot_view(operands[1]));
    Py_CLEAR(result);
  }
  if (!result) {
    if (!operation) return false;
    PyObject* error = PyErr_GetRaisedException();
    finish_operation(frame, at, nullptr);
    PyErr_SetRaisedException(error);
    return false;
  }
  switch (caller.cont) {
    case ir::Continuation::Push: {
      const int depth = Port::depth(frame);
      Port::slots(frame)[depth] = Port::slot_put(result);
      Port::set_depth(frame, depth + 1);
      break;
    }
    case ir::Continuation::Init:
      if (result != Py_None) {
        PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'",
                     Py_TYPE(result)->tp_name);
        Py_DECREF(result);
        return false;
      }
      break;
    case ir::Continuation::Operator:
      finish_operation(frame, at, result);
      break;
    case ir::Continuation::Drop:
      Py_DECREF(result);
      finish_operation(frame, at, nullptr);
      break;
    case ir::Continuation::None:
    case ir::Continuation::Half:
      PSYCO_CHECK(!"a caller without a continuation");
  }
  Port::set_unit(frame, following_unit(caller.code, caller.bci));
  return true;
}

// The second half of a superinstruction whose first, a store to a local, is done.
void finish_instruction(const Rebuilt& at) {
  const DecodedCode decoded = decode(at.code);
  const Bytecode& half = decoded.list[decoded.index_at(at.bci) + 1];
  Port::Slot* slots = Port::slots(at.frame);
  const int depth = Port::depth(at.frame);
  Port::Slot old = Port::slot_null();
  if (half.op == NeutralOp::StoreLocal) {
    old = slots[half.arg];
    slots[half.arg] = slots[depth - 1];
    Port::set_depth(at.frame, depth - 1);
  } else {
    PSYCO_CHECK(half.op == NeutralOp::LoadLocal);
    slots[depth] = Port::slot_put(Py_NewRef(Port::slot_view(slots[half.arg])));
    Port::set_depth(at.frame, depth + 1);
  }
  Port::set_unit(at.frame, at.bci);
  Port::slot_close(old);
  Port::set_unit(at.frame, following_unit(at.code, at.bci));
}

// The interpreter itself can lose an error for which there was no memory: it says so then.
void ensure_error() {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "error return without exception set");
}

void clear_and_pop(PyThreadState* ts, _PyInterpreterFrame* frame) {
  // Unlinked before it is cleared, as the interpreter does: finalisers must not see it. The error
  // is out of the way, which would be lost if there were no memory for the caller's frame object.
  PyObject* error = PyErr_GetRaisedException();
  Port::unlink(ts, frame);
  _PyEval_FrameClearAndPop(ts, frame);
  PyErr_SetRaisedException(error);
}

// Frames linked, outer to inner; `ready` false: an error is set, raised at the innermost
// instruction. Call: the outermost frame's result. Osr: Py_None (not a reference) if the outermost
// frame, which the interpreter is running, stands where to go on; null: the error is set and was
// raised at its instr_ptr.
PyObject* run_linked(PyThreadState* ts, const Rebuilt* frames, int count, bool ready, bool osr) {
  PyObject* result = nullptr;
  for (int i = count - 1; i >= 0; i--) {
    const Rebuilt& at = frames[i];
    if (i + 1 < count) ready = apply_continuation(at, result);
    if (!ready) ensure_error();
    if (osr && i == 0) return ready ? Py_None : nullptr;
    if (!ready) ready = Port::unwind(ts, at.frame);
    Port::py_recursion_remaining(ts)++;  // the evaluator charges it again
    if (!ready) {
      clear_and_pop(ts, at.frame);
      result = nullptr;
      continue;
    }
    Port::unlink(ts, at.frame);
    at.frame->return_offset = 0;
    result = _PyEval_EvalFrameDefault(ts, at.frame, 0);
  }
  return result;
}

// The linked frames serve again if they are those of the record: their frame objects may be known.
bool linked_frames_fit(const Activation* act, const ExitRecord& exit) {
  if (act->linked != exit.frames.size() - 1) return false;
  if (act->chain) return act->chain == exit.frames.back().frame_index;
  for (size_t i = 1; i < exit.frames.size(); i++) {
    auto* frame = static_cast<_PyInterpreterFrame*>(act->linked_frames[i - 1]);
    if (Port::code_of(frame) != act->code->frames[exit.frames[i].frame_index].code) return false;
  }
  return true;
}

void fill_frame(_PyInterpreterFrame* frame, PyCodeObject* code, const Content& content) {
  Port::Slot* slots = Port::slots(frame);
  auto fill = [slots](size_t from, PyObject** objects, size_t count) {
    for (size_t i = 0; i < count; i++)
      slots[from + i] = objects[i] ? Port::slot_put(objects[i]) : Port::slot_null();
  };
  fill(0, content.locals, content.local_count);
  fill(code->co_nlocalsplus, content.stack, content.stack_count);
  Port::set_depth(frame, code->co_nlocalsplus + static_cast<int>(content.stack_count));
}

}  // namespace

extern "C" uint64_t psyco_exit(Activation* act, uint32_t record, int exception) {
  auto* ts = static_cast<PyThreadState*>(act->tstate);
  CompiledCode* code = act->code;
  const bool osr = act->entry_kind == static_cast<uint8_t>(ir::EntryKind::Osr);
  if (exception) ensure_error();
  PyObject* error = exception ? PyErr_GetRaisedException() : nullptr;
  act->site = kNoSite;  // its stack map no longer holds
  reserve::fill();

  const DecodedRecord& decoded = decoded_record(code, record);
  const ExitRecord& exit = decoded.record;
  code->exit_counts[record]++;
  if (g_exit_hook) g_exit_hook(code, record, exit, act);
  const size_t count = exit.frames.size();

  if (act->linked && !linked_frames_fit(act, exit)) drop_linked_frames(act);
  show_frames(act);
  const size_t standing = 1 + act->linked;  // frames that exist already, outermost first
  PSYCO_CHECK(count <= kMaxInlineDepth + 1);
  Materializer values(act, decoded);
  Content contents[kMaxInlineDepth + 1];
  size_t slot_count = 0;
  for (const ExitFrame& from : exit.frames) slot_count += from.locals.size() + from.stack.size();
  std::vector<PyObject*> objects(slot_count);
  PyObject** next = objects.data();
  for (size_t i = 0; i < count; i++) {
    const ExitFrame& from = exit.frames[i];
    Content& to = contents[i];
    if (i >= standing)
      to.function = reinterpret_cast<PyFunctionObject*>(values.object(from.function));
    to.locals = next;
    if (i >= act->filled)  // else the frame's own are the truth
      for (const ExitSlot& slot : from.locals) *next++ = values.object(slot);
    to.local_count = static_cast<size_t>(next - to.locals);
    to.stack = next;
    for (const ExitSlot& slot : from.stack) *next++ = values.object(slot);
    to.stack_count = from.stack.size();
  }

  // No failure is possible from here on: the room was reserved at entry.
  char* room = inlined_frames_at(act);
  Rebuilt frames[kMaxInlineDepth + 1];
  for (size_t i = 0; i < count; i++) {
    const ExitFrame& from = exit.frames[i];
    const FrameMeta& meta = code->frames[from.frame_index];
    Rebuilt& at = frames[i];
    at.code = static_cast<PyCodeObject*>(const_cast<void*>(meta.code));
    at.cont = from.cont;
    at.bci = from.bci;
    if (Port::instrumentation_is_stale(ts, at.code)) refresh_instrumentation(at.code);
    const bool exists = i < standing;
    if (exists) {
      at.frame = static_cast<_PyInterpreterFrame*>(i ? act->linked_frames[i - 1] : act->frame);
    } else {
      at.frame = reinterpret_cast<_PyInterpreterFrame*>(room);
      room += sizeof(void*) * at.code->co_framesize;
      Port::init_frame(at.frame, contents[i].function, at.code, false);
      Py_DECREF(contents[i].function);  // the frame has its own
    }
    fill_frame(at.frame, at.code, contents[i]);
    const bool innermost = i + 1 == count;
    Port::set_unit(at.frame,
                   innermost && !error && !values.failed() ? entry_unit(at.code, at.bci) : at.bci);
    if (!exists) {
      Port::link(ts, at.frame);
      Port::py_recursion_remaining(ts)--;
    }
  }
  act->linked = 0;
  act->chain = 0;
  act->framed = kFrameGone;
  if (!osr) act->frame = nullptr;  // the record no longer stands for it: see pop_call
  unlist(act);

  // Finalisers may retire the code, which nothing names any more if its caller is native, too.
  CodeState* left = state_of(code);
  left->running++;
  values.release_owned();
  if (left->invalid && g_invalid_code_left) g_invalid_code_left(code);
  left->running--;
  // What could not be built is missing, so that no handler of another error may go on with it.
  if (values.failed()) {
    Py_XDECREF(error);
    PyErr_NoMemory();
  } else if (error) {
    PyErr_SetRaisedException(error);
  }
  const bool ready = !error && !values.failed();
  objects = {};
  if (ready && frames[count - 1].cont == ir::Continuation::Half)
    finish_instruction(frames[count - 1]);
  if (!osr) {
    // The evaluator charges the call's C levels: with the activation's own level beside them,
    // recursion through C would end earlier than in the interpreter.
    Port::leave_c_level(ts);
    PyObject* result = run_linked(ts, frames, static_cast<int>(count), ready, osr);
    Port::enter_c_level(ts);
    return reinterpret_cast<uint64_t>(result);
  }
  PyObject* result = run_linked(ts, frames, static_cast<int>(count), ready, osr);
  if (result) return 1;
  return Port::unwind_running(ts, frames[0].frame, static_cast<int>(osr_target(act)));
}

}  // namespace psyco
