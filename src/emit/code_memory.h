// Memory for machine code: one reserved region backed by memfd arenas, each mapped twice.
//
//     rx view   | arena 0 | arena 1 | ... reserved ... |     readable and executable: code runs
//     here rw view   | arena 0 | arena 1 | ... reserved ... |     readable and writable: code is
//     written here
//
// No page is ever writable and executable, and none changes its protection, so it works under
// PR_SET_MDWE. All of it lies in one region, hence calls inside are rel32.
//
// Fork. Parent and child would share the memfds in both directions. After a fork each side
// therefore treats every arena as shared and copies it to a memfd of its own, mapped at the same
// addresses, before its first write. Nobody ever writes to a shared arena, so neither can see the
// other's code.
//
// Writing goes through `write` under one lock, which fork takes too.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "emit/abi.h"

namespace psyco {

struct Stubs;  // addresses of the shared stubs: emit/x64/stubs.h

class CodeMemory {
 public:
  struct Chunk {
    uint8_t* rw = nullptr;
    uint8_t* rx = nullptr;  // null: the region is full
    size_t size = 0;
  };
  using Enter = uint64_t (*)(const uint8_t* body, Activation* activation);

  explicit CodeMemory(size_t reserve_bytes = 64u << 20);
  ~CodeMemory();
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  // Null if the memory is usable, else why not.
  const char* error() const { return error_; }

  // Runs a body: a C function in the region. Saves the callee-saved registers, sets rbx and r15.
  Enter enter() const { return enter_; }

  Chunk allocate(size_t size);
  // Copies bytes into an allocated chunk.
  void write(const Chunk& chunk, size_t offset, const void* bytes, size_t size);
  void free(const Chunk& chunk);
  Chunk chunk_at(uint8_t* rx, size_t size) const { return {rw_ + (rx - rx_), rx, size}; }
  // Gives the code's bytes back; the object itself stays with its owner. No activation may name it.
  void free(CompiledCode* code);
  size_t bytes_used() const { return used_; }
  bool contains(const void* address) const;

  // The shared stubs for this runtime; made at the first request, remade if the tables differ.
  const Stubs* stubs(const TargetLayout& layout, const RuntimeTable& runtime);

 private:
  struct Arena {
    size_t offset = 0;  // in both views
    size_t size = 0;
    int fd = -1;
    bool shared = false;  // with another process, since a fork
  };
  friend struct ForkHandlers;
  bool add_arena(size_t at_least);
  bool make_private(Arena& arena);
  using Ranges = std::map<size_t, size_t>;
  void add_range(size_t offset, size_t size);
  Ranges::iterator remove_range(Ranges::iterator range);
  void write_locked(size_t offset, const void* bytes, size_t size);
  void make_enter();

  mutable std::mutex mutex_;
  uint8_t* rw_ = nullptr;
  uint8_t* rx_ = nullptr;
  size_t reserved_ = 0;
  size_t mapped_ = 0;
  size_t used_ = 0;
  const char* error_ = nullptr;
  std::vector<Arena> arenas_;
  Ranges free_;                                       // sizes by offset, coalesced
  std::set<std::pair<size_t, size_t>> free_by_size_;  // the same: size, offset
  Enter enter_ = nullptr;
  std::unique_ptr<Stubs> stubs_;  // replaced ones are kept in old_stubs_
  std::vector<std::unique_ptr<Stubs>> old_stubs_;
};

}  // namespace psyco
