// Exact f_locals costs nothing until somebody asks: every reader (locals(), vars(), eval,
// frame.f_locals, the C functions) makes a frame locals proxy, and its type's tp_alloc, an ordinary
// writable slot, is ours. (PyFrame_GetVar alone reads the frame without a proxy.)
#include "runtime/visible.h"

#include <algorithm>

#include "runtime/activation.h"
#include "runtime/materialize.h"
#include "support/check.h"

namespace psyco {
namespace {

// The proxy's type is one for all interpreters; psyco lives in one. Another may have a lock of its
// own, under which the activations must not be looked at.
PyInterpreterState* g_interpreter = nullptr;
allocfunc g_original_alloc = nullptr;

PyObject* proxy_alloc(PyTypeObject* type, Py_ssize_t items) {
  if (_PyThreadState_GET()->interp == g_interpreter) fill_visible_frames();
  return g_original_alloc(type, items);
}

// A tool has left its marks in the frame object: f_trace, f_trace_lines, f_trace_opcodes. They are
// for the rest of the call, also when nobody holds the object any more.
bool is_marked_for_tools(const _PyInterpreterFrame* frame) {
  const PyFrameObject* object = frame->frame_obj;
  return object && (object->f_trace || !object->f_trace_lines || object->f_trace_opcodes);
}

bool somebody_has(const _PyInterpreterFrame* frame) { return frame->frame_obj != nullptr; }

}  // namespace

bool frame_is_kept(const _PyInterpreterFrame* frame) {
  return frame->frame_obj && Py_REFCNT(frame->frame_obj) > 1;
}

extern "C" void psyco_link_frames(Activation* act) {
  auto* ts = static_cast<PyThreadState*>(act->tstate);
  const LinkPlan& plan = link_plan(act->code, act->site);
  if (act->linked && act->linked == plan.frames.size() && act->chain == plan.chain) {
    // Of this inlined call. Told to leave, but not there yet, it may have frames that hold the
    // variables or that somebody keeps.
    Port::set_unit(static_cast<_PyInterpreterFrame*>(act->frame), plan.outer_bci);
    for (int i = 0; i < act->linked; i++)
      Port::set_unit(static_cast<_PyInterpreterFrame*>(act->linked_frames[i]), plan.frames[i].bci);
    return;
  }
  if (act->linked) drop_linked_frames(act);
  show_frames(act);
  Port::set_unit(static_cast<_PyInterpreterFrame*>(act->frame), plan.outer_bci);
  char* room = inlined_frames_at(act);
  for (const LinkPlan::Frame& inlined : plan.frames) {
    auto* frame = reinterpret_cast<_PyInterpreterFrame*>(room);
    room += sizeof(void*) * inlined.code->co_framesize;
    auto* function =
        reinterpret_cast<PyFunctionObject*>(read_location(act, inlined.function.value));
    Port::init_frame(frame, function, inlined.code);
    Port::set_unit(frame, inlined.bci);
    Port::link(ts, frame);
    Port::py_recursion_remaining(ts)--;
    act->linked_frames[act->linked++] = frame;
  }
  act->chain = plan.chain;
}

extern "C" void psyco_show_frames(Activation* act) { show_frames(act); }

void show_call_site(Activation* act) {
  if (act->site == kNoSite) return;
  if (act->linked) return;
  psyco_link_frames(act);
  // The native call has charged the inlined frames already.
  Port::py_recursion_remaining(static_cast<PyThreadState*>(act->tstate)) += act->linked;
}

// A frame that outlives its call must end as the interpreter would leave it, and native code
// returns without writing its locals back. A loop that was entered always does.
extern "C" void psyco_note_kept_frame(Activation* act) {
  auto* frame = static_cast<_PyInterpreterFrame*>(act->frame);
  const bool call = act->entry_kind == static_cast<uint8_t>(ir::EntryKind::Call);
  if (call && frame && frame_is_kept(frame)) tell_to_leave(act);
}

// The interpreter unlinks a frame before it clears it.
extern "C" void psyco_release_after_return(Activation* act, void* object) {
  if (act->linked) drop_linked_frames(act);
  auto* ts = static_cast<PyThreadState*>(act->tstate);
  auto* frame = static_cast<_PyInterpreterFrame*>(act->frame);
  if (frame) {
    Port::unlink(ts, frame);
  } else if (act->direct) {
    show_frames(act->prev);
    show_call_site(act->prev);
  }
  _Py_Dealloc(static_cast<PyObject*>(object));
  if (frame) Port::link(ts, frame);
}

extern "C" void psyco_unlink_frames(Activation* act) {
  psyco_note_kept_frame(act);
  for (int i = 0; i < act->linked; i++) {
    const auto* frame = static_cast<_PyInterpreterFrame*>(act->linked_frames[i]);
    if (!frame_is_kept(frame) && !is_marked_for_tools(frame)) continue;
    tell_to_leave(act);
    return;
  }
  if (act->filled) return;  // told to leave already
  drop_linked_frames(act);
}

void drop_linked_frames(Activation* act) {
  act->chain = 0;
  act->filled = std::min<uint8_t>(act->filled, 1);
  auto* ts = static_cast<PyThreadState*>(act->tstate);
  while (act->linked) {
    auto* frame = static_cast<_PyInterpreterFrame*>(act->linked_frames[--act->linked]);
    Port::py_recursion_remaining(ts)++;
    Port::unlink(ts, frame);
    if (!frame->frame_obj && !act->filled) {
      Port::release_references(frame);
    } else {
      PyObject* error = PyErr_GetRaisedException();
      PyObject** top = ts->datastack_top;  // the frame's room stays ours
      _PyEval_FrameClearAndPop(ts, frame);
      ts->datastack_top = top;
      PyErr_SetRaisedException(error);
    }
  }
}

void fill_frames(Activation* act) {
  const size_t standing = 1u + act->linked;
  if (act->filled >= standing || act->site == kNoSite) return;
  PyObject* error = PyErr_GetRaisedException();
  const DecodedRecord& decoded = decoded_record(act->code, act->site);
  const ExitRecord& map = decoded.record;
  {
    Materializer values(act, decoded);
    for (size_t i = act->filled; i < map.frames.size() && i < standing; i++) {
      auto* frame = static_cast<_PyInterpreterFrame*>(i ? act->linked_frames[i - 1] : act->frame);
      const std::vector<ExitSlot>& locals = map.frames[i].locals;
      for (size_t k = 0; k < locals.size(); k++) {
        PyObject* object = values.object(locals[k]);
        Port::slots(frame)[k] = object ? Port::slot_put(object) : Port::slot_null();
      }
    }
    values.keep();
  }
  act->filled = static_cast<uint8_t>(standing);
  tell_to_leave(act);
  PyErr_SetRaisedException(error);
}

void fill_visible_frames() {
  for_each_activation([](Activation* act) {
    if (act->site == kNoSite || !act->frame) return;
    bool seen = somebody_has(static_cast<_PyInterpreterFrame*>(act->frame));
    for (int i = 0; i < act->linked; i++)
      seen |= somebody_has(static_cast<_PyInterpreterFrame*>(act->linked_frames[i]));
    if (seen) fill_frames(act);
  });
}

void fill_current_frame(PyThreadState* ts) {
  for_each_activation([ts](Activation* act) {
    bool current = act->frame == ts->current_frame;
    for (int i = 0; i < act->linked; i++) current |= act->linked_frames[i] == ts->current_frame;
    if (current && act->tstate == ts) fill_frames(act);
  });
}

bool install_locals_hook() {
  if (g_original_alloc) return true;
  if (!PyFrameLocalsProxy_Type.tp_alloc) return false;
  g_interpreter = _PyThreadState_GET()->interp;
  g_original_alloc = PyFrameLocalsProxy_Type.tp_alloc;
  PyFrameLocalsProxy_Type.tp_alloc = proxy_alloc;
  return true;
}

void remove_locals_hook() {
  if (!g_original_alloc) return;
  PyFrameLocalsProxy_Type.tp_alloc = g_original_alloc;
  g_original_alloc = nullptr;
}

}  // namespace psyco
