// A code's extra data, chunks of the data stack, unwinding: what is not inline in frame.h.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "cpython/bytecode.h"
#include "cpython/objects.h"
#include "cpython/port.h"
#include "support/check.h"

namespace psyco {

namespace {
constexpr size_t kSpareSize = 256 * 1024;
_PyStackChunk* g_spare_chunk = nullptr;
_PyStackChunk* g_emptied_chunk = nullptr;

// The interpreter's own chunks (Python/pystate.c: DATA_STACK_CHUNK_SIZE, 3.13) are mapped when a
// call does not fit the last one and unmapped when it returns. Records of compiled code make a
// program reach the edge of the first chunk that plain would not fill, and then every call there
// pays two system calls and the page faults. So a few freed ones are kept. Threads that end free
// theirs without the GIL.
constexpr size_t kInterpreterChunk = 16 * 1024;
std::atomic<void*> g_kept_chunks[4];
PyObjectArenaAllocator g_arena;  // what was there before

void* alloc_or_reuse(void*, size_t size) {
  if (size == kInterpreterChunk)
    for (auto& kept : g_kept_chunks)
      if (void* chunk = kept.exchange(nullptr)) return chunk;
  return g_arena.alloc(g_arena.ctx, size);
}

void free_or_keep(void*, void* memory, size_t size) {
  if (size == kInterpreterChunk)
    for (auto& kept : g_kept_chunks) {
      void* none = nullptr;
      if (kept.compare_exchange_strong(none, memory)) return;
    }
  g_arena.free(g_arena.ctx, memory, size);
}
}  // namespace

bool Port::set_code_extra(PyCodeObject* code, Py_ssize_t index, void* item) {
  auto* extra = static_cast<CodeExtra*>(code->co_extra);
  const Py_ssize_t old_size = extra ? extra->size : 0;
  if (old_size <= index) {
    const size_t bytes = offsetof(CodeExtra, items) + (index + 1) * sizeof(void*);
    extra = static_cast<CodeExtra*>(PyMem_Realloc(extra, bytes));
    if (!extra) return false;
    std::fill(extra->items + old_size, extra->items + index, nullptr);
    extra->size = index + 1;
    code->co_extra = extra;
  }
  extra->items[index] = item;
  return true;
}

void Port::keep_freed_chunks(bool keep) {
  PyObjectArenaAllocator now, ours{nullptr, alloc_or_reuse, free_or_keep};
  PyObject_GetArenaAllocator(&now);
  const bool keeping = now.alloc == ours.alloc;
  if (keep && !keeping && !g_arena.alloc) {
    g_arena = now;
    PyObject_SetArenaAllocator(&ours);
  } else if (!keep && keeping) {  // not if somebody else relies on us by now
    PyObject_SetArenaAllocator(&g_arena);
    g_arena.alloc = nullptr;
  }
}

void Port::restock_spare_chunk() {
  if (g_spare_chunk) return;
  PyObjectArenaAllocator arena;
  PyObject_GetArenaAllocator(&arena);
  g_spare_chunk = static_cast<_PyStackChunk*>(arena.alloc(arena.ctx, kSpareSize));
}

// Mirrors Python/pystate.c: push_chunk, allocate_chunk (3.13), which are not exported. The chunk
// must come from the arena allocator, because the exported _PyThreadState_PopFrame gives it back
// there.
void* Port::push_chunk(PyThreadState* ts, size_t words) {
  // Larger than CPython's 16 KiB: a recursion that swings around a chunk's edge pays at each
  // crossing.
  constexpr size_t kChunkSize = kSpareSize;
  constexpr size_t kMinimumOverhead = 1000;
  size_t size = kChunkSize;
  while (size < sizeof(PyObject*) * (words + kMinimumOverhead)) size *= 2;
  PyObjectArenaAllocator arena;
  PyObject_GetArenaAllocator(&arena);
  _PyStackChunk* chunk = nullptr;
  if (g_emptied_chunk && size <= g_emptied_chunk->size) {
    chunk = g_emptied_chunk;
    size = chunk->size;
    g_emptied_chunk = nullptr;
  } else {
    chunk = static_cast<_PyStackChunk*>(arena.alloc(arena.ctx, size));
  }
  if (!chunk && g_spare_chunk && size <= kSpareSize) {
    chunk = g_spare_chunk;
    size = kSpareSize;
    g_spare_chunk = nullptr;
  }
  if (!chunk) {
    PyErr_NoMemory();
    return nullptr;
  }
  chunk->previous = ts->datastack_chunk;
  chunk->size = size;
  chunk->top = 0;
  if (ts->datastack_chunk)
    ts->datastack_chunk->top = ts->datastack_top - &ts->datastack_chunk->data[0];
  ts->datastack_chunk = chunk;
  ts->datastack_limit = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(chunk) + size);
  // The first chunk of a thread skips an entry, so that it is never freed by a pop.
  PyObject** result = &chunk->data[chunk->previous == nullptr];
  ts->datastack_top = result + words;
  return result;
}

void Port::pop_chunk(PyThreadState* ts, void* base) {
  _PyStackChunk* chunk = ts->datastack_chunk;
  if (g_emptied_chunk || chunk->size != kSpareSize || !chunk->previous) {
    _PyThreadState_PopFrame(ts, static_cast<_PyInterpreterFrame*>(base));
    return;
  }
  // Mirrors Python/pystate.c: _PyThreadState_PopFrame (3.13), but keeps one emptied chunk for the
  // next push.
  _PyStackChunk* previous = chunk->previous;
  ts->datastack_top = &previous->data[previous->top];
  ts->datastack_chunk = previous;
  ts->datastack_limit =
      reinterpret_cast<PyObject**>(reinterpret_cast<char*>(previous) + previous->size);
  g_emptied_chunk = chunk;
}

// Lists, tuples, str and bytes are walked so (those whose _tp_iteritem is set), and the iterators
// of all of them have the same layout. No other number lies above one of these.
bool Port::make_iterators(_PyInterpreterFrame* frame) {
  if constexpr (kIterSlots == 1) return true;
  Slot* all = slots(frame);
  const int end = depth(frame);
  for (int i = code_of(frame)->co_nlocalsplus + 1; i < end; i++) {
    PyObject* sequence = slot_is_raw(all[i]) ? slot_view(all[i - 1]) : nullptr;
    if (!sequence || !(PyList_CheckExact(sequence) || PyTuple_CheckExact(sequence) ||
                       PyUnicode_CheckExact(sequence) || PyBytes_CheckExact(sequence)))
      continue;
    PyObject* iterator = PyObject_GetIter(sequence);
    if (!iterator) return false;
    PSYCO_CHECK(Py_TYPE(iterator)->tp_basicsize == sizeof(objects::ListIter));
    reinterpret_cast<objects::ListIter*>(iterator)->it_index =
        static_cast<Py_ssize_t>(raw_number(all[i]));
    const Slot old = all[i - 1];
    all[i - 1] = slot_put(iterator);
    all[i] = slot_null();
    slot_close(old);  // the iterator holds the sequence
  }
  return true;
}

// Mirrors Python/ceval.c: get_exception_handler (3.13), which is static.
bool Port::find_handler(PyCodeObject* code, int unit, Handler* out) {
  auto* p = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(code->co_exceptiontable));
  auto* end = p + PyBytes_GET_SIZE(code->co_exceptiontable);
  auto varint = [&p] {
    int value = *p & 63;
    while (*p++ & 64) value = value << 6 | (*p & 63);
    return value;
  };
  while (p < end) {
    const int start = varint(), size = varint(), target = varint(), depth_lasti = varint();
    if (start > unit) break;
    if (unit < start + size) {
      *out = {target, depth_lasti >> 1, bool(depth_lasti & 1)};
      return true;
    }
  }
  return false;
}

namespace {

void add_traceback(PyThreadState* ts, _PyInterpreterFrame* frame) {
  if (!Port::is_complete(frame)) return;
  PyObject* error = PyErr_GetRaisedException();
  PyFrameObject* object =
      PyThreadState_GetFrame(ts);  // makes the frame object of the current frame
  if (!object) PyErr_Clear();
  PyErr_SetRaisedException(error);
  if (object) {
    PyTraceBack_Here(object);
    Py_DECREF(object);
  }
}

// Operands go top first. The exception is held aside: finalisers must neither see nor lose it.
void cut_stack(_PyInterpreterFrame* frame, int depth) {
  const int goal = Port::code_of(frame)->co_nlocalsplus + depth;
  for (int top = Port::depth(frame); top > goal;) {
    const Port::Slot operand = frame->localsplus[--top];
    Port::set_depth(frame, top);
    Port::slot_close(operand);
  }
}

// Takes over the error, under which goes the offset of what raised it, if it is wanted. If that
// cannot be made its MemoryError takes the place of the error, as in the interpreter, and the
// search is done again there.
void push_exception(_PyInterpreterFrame* frame, bool with_lasti, int unit, PyObject* error) {
  Port::Slot* slots = Port::slots(frame);
  int top = Port::depth(frame);
  while (with_lasti && !Port::lasti_slot(unit, &slots[top])) {
    Py_DECREF(error);
    error = PyErr_GetRaisedException();
  }
  if (with_lasti) top++;
  slots[top++] = Port::slot_put(error);
  Port::set_depth(frame, top);
}

// For an error that is set: it leaves the function, or is handled at `unit`. A callback that fails
// puts its own error in the place of this one. Mirrors Python/ceval.c: monitor_unwind and
// monitor_handled, which are not exported.
using FireEvent = int (*)(PyMonitoringState*, PyObject*, int32_t);
void tell_tools(PyThreadState* ts, PyCodeObject* code, int event, FireEvent fire, int unit) {
  const uint8_t tools = ts->interp->monitors.tools[event];
  if (!tools) return;
  PyMonitoringState state{tools, 0};
  fire(&state, reinterpret_cast<PyObject*>(code), unit * static_cast<int>(sizeof(_Py_CODEUNIT)));
}
void tell_handled(PyThreadState* ts, _PyInterpreterFrame* frame, int unit) {
  tell_tools(ts, Port::code_of(frame), PY_MONITORING_EVENT_EXCEPTION_HANDLED,
             _PyMonitoring_FireExceptionHandledEvent, unit);
}

// Where the interpreter says an error left the function: the last unit of the instruction that
// failed, or the unit before a call if the error came out of a function called.
int unwound_unit(PyCodeObject* code, int unit, bool from_callee) {
  return from_callee ? unit - 1 : following_unit(code, unit) - 1;
}
bool has_traceback() {
  PyObject* error = PyErr_GetRaisedException();
  const bool has = reinterpret_cast<PyBaseExceptionObject*>(error)->traceback != nullptr;
  PyErr_SetRaisedException(error);
  return has;
}

// Pages full of RERAISE 1. Two, because the interpreter takes its distance from the code for an
// offset, truncated to int, and looks that up in the table: one of the two is never found there.
_Py_CODEUNIT* g_reraise[2];
constexpr size_t kPage = 4096;

_Py_CODEUNIT* reraise_for(PyCodeObject* code) {
  for (_Py_CODEUNIT* page : g_reraise) {
    _Py_CODEUNIT* at = page + 16;
    Port::Handler handler;
    if (!Port::find_handler(code, static_cast<int>(at - _PyCode_CODE(code)), &handler)) return at;
  }
  return nullptr;
}

}  // namespace

bool Port::prepare_unwind_running() {
  for (_Py_CODEUNIT*& page : g_reraise) {
    if (page) continue;
    void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    page = static_cast<_Py_CODEUNIT*>(memory);
    for (size_t i = 0; i < kPage / sizeof(_Py_CODEUNIT); i++) {
      page[i].op.code = RERAISE;
      page[i].op.arg = 1;
    }
  }
  return true;
}

// Mirrors Python/ceval.c: the labels error and exception_unwind (3.13).
bool Port::unwind(PyThreadState* ts, _PyInterpreterFrame* frame) {
  const bool from_callee = has_traceback();
  add_traceback(ts, frame);
  const int unit = unit_of(frame);
  const int unwound = unwound_unit(code_of(frame), unit, from_callee);
  _PyEval_MonitorRaise(ts, frame, _PyCode_CODE(code_of(frame)) + unwound);
  Handler handler;
  const bool found = find_handler(code_of(frame), unit, &handler);
  PyObject* error = PyErr_GetRaisedException();
  cut_stack(frame, found ? handler.depth : 0);
  PyErr_SetRaisedException(error);
  if (!found) {
    tell_tools(ts, code_of(frame), PY_MONITORING_EVENT_PY_UNWIND, _PyMonitoring_FirePyUnwindEvent,
               unwound);
    return false;
  }
  tell_handled(ts, frame, handler.unit);
  error = PyErr_GetRaisedException();
  push_exception(frame, handler.lasti, unit, error);
  set_unit(frame, handler.unit);
  return true;
}

// After an error return the 3.13 interpreter adds the traceback entry from instr_ptr, but searches
// the handler at the jump's target (3.13.0: at an offset that is never found). So that way out
// serves only if neither place has a handler; else we go to the handler ourselves, or, with a
// handler at the target only, leave through a RERAISE outside the code, where no handler is found.
bool Port::unwind_running(PyThreadState* ts, _PyInterpreterFrame* frame, int target) {
  PyCodeObject* code = code_of(frame);
  const int unit = unit_of(frame);
  Handler handler, other;
  const bool found = find_handler(code, unit, &handler);
  if (!found && !find_handler(code, target, &other)) return false;
  const int unwound = unwound_unit(code, unit, has_traceback());
  add_traceback(ts, frame);
  if (found) _PyEval_MonitorRaise(ts, frame, _PyCode_CODE(code) + unwound);
  PyObject* error = PyErr_GetRaisedException();
  cut_stack(frame, found ? handler.depth : 0);
  if (found) {
    PyErr_SetRaisedException(error);
    tell_handled(ts, frame, handler.unit);
    error = PyErr_GetRaisedException();
  }
  push_exception(frame, !found || handler.lasti, unit, error);
  if (found)
    set_unit(frame, handler.unit);
  else
    frame->instr_ptr = reraise_for(code);
  return true;
}

}  // namespace psyco
