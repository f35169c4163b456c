// Chunks of the data stack: the part of it that is not inline in frame.h.
#include "cpython/port.h"

namespace psyco::v313 {

// Mirrors Python/pystate.c: push_chunk, allocate_chunk (3.13), which are not exported. The chunk must come
// from the arena allocator, because the exported _PyThreadState_PopFrame gives it back there.
void* Port::push_chunk(PyThreadState* ts, size_t words) {
  constexpr size_t kChunkSize = 16 * 1024;
  constexpr size_t kMinimumOverhead = 1000;
  size_t size = kChunkSize;
  while (size < sizeof(PyObject*) * (words + kMinimumOverhead)) size *= 2;
  PyObjectArenaAllocator arena;
  PyObject_GetArenaAllocator(&arena);
  auto* chunk = static_cast<_PyStackChunk*>(arena.alloc(arena.ctx, size));
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
  _PyThreadState_PopFrame(ts, static_cast<_PyInterpreterFrame*>(base));
}

}  // namespace psyco::v313
