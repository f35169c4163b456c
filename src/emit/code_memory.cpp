// See code_memory.h for the picture and for what fork does.
#include "emit/code_memory.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "emit/x64/stubs.h"
#include "support/check.h"

namespace psyco {

namespace {
constexpr size_t kArenaSize = 1u << 20;
constexpr size_t kAlign = 32;

int make_memfd(size_t size) {
  int fd = static_cast<int>(syscall(SYS_memfd_create, "psyco", 1u /* MFD_CLOEXEC */));
  if (fd < 0) return -1;
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

std::mutex g_registry_mutex;
std::vector<CodeMemory*>& registry() {
  static auto* list = new std::vector<CodeMemory*>;
  return *list;
}
}  // namespace

// Fork takes every lock, so that no arena is being written or copied while the process splits;
// after it both sides treat all arenas as shared.
struct ForkHandlers {
  static void prepare() {
    g_registry_mutex.lock();
    for (CodeMemory* m : registry()) m->mutex_.lock();
  }
  static void release() {
    for (CodeMemory* m : registry()) {
      for (CodeMemory::Arena& a : m->arenas_) a.shared = true;
      m->mutex_.unlock();
    }
    g_registry_mutex.unlock();
  }
};

CodeMemory::CodeMemory(size_t reserve_bytes) {
  static const int kRegistered =
      pthread_atfork(ForkHandlers::prepare, ForkHandlers::release, ForkHandlers::release);
  if (kRegistered != 0) {
    error_ = "no code memory: fork handlers cannot be registered";
    return;
  }
  reserved_ = (reserve_bytes + kArenaSize - 1) / kArenaSize * kArenaSize;
  void* rx =
      mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  void* rw =
      mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (rx == MAP_FAILED || rw == MAP_FAILED) {
    error_ = "no code memory: address space cannot be reserved";
    return;
  }
  rx_ = static_cast<uint8_t*>(rx);
  rw_ = static_cast<uint8_t*>(rw);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!add_arena(kArenaSize)) {
      error_ = "no code memory: a memfd cannot be mapped executable";
      return;
    }
  }
  make_enter();
  std::lock_guard<std::mutex> lock(g_registry_mutex);
  registry().push_back(this);
}

CodeMemory::~CodeMemory() {
  {
    std::lock_guard<std::mutex> lock(g_registry_mutex);
    auto& list = registry();
    list.erase(std::remove(list.begin(), list.end(), this), list.end());
  }
  for (Arena& a : arenas_) close(a.fd);
  if (rx_) munmap(rx_, reserved_);
  if (rw_) munmap(rw_, reserved_);
}

bool CodeMemory::add_arena(size_t at_least) {
  size_t size = (at_least + kArenaSize - 1) / kArenaSize * kArenaSize;
  if (mapped_ + size > reserved_) return false;
  int fd = make_memfd(size);
  if (fd < 0) return false;
  void* rw = mmap(rw_ + mapped_, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  void* rx = rw == MAP_FAILED
                 ? MAP_FAILED
                 : mmap(rx_ + mapped_, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
  if (rx == MAP_FAILED) {
    close(fd);
    return false;
  }
  arenas_.push_back({mapped_, size, fd, false});
  add_range(mapped_, size);
  mapped_ += size;
  return true;
}

// New views are built beside the old ones and moved over them: code keeps its address and its
// bytes, and a failure leaves everything as it was.
bool CodeMemory::make_private(Arena& arena) {
  int fd = make_memfd(arena.size);
  if (fd < 0) return false;
  void* rw = mmap(nullptr, arena.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  void* rx = mmap(nullptr, arena.size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  bool ok = rw != MAP_FAILED && rx != MAP_FAILED;
  if (ok) {
    std::memcpy(rw, rw_ + arena.offset, arena.size);
    ok = mremap(rx, arena.size, arena.size, MREMAP_MAYMOVE | MREMAP_FIXED, rx_ + arena.offset) !=
         MAP_FAILED;
    if (ok) rx = MAP_FAILED;
    if (ok) {
      PSYCO_CHECK(mremap(rw, arena.size, arena.size, MREMAP_MAYMOVE | MREMAP_FIXED,
                         rw_ + arena.offset) != MAP_FAILED);
      rw = MAP_FAILED;
    }
  }
  if (rw != MAP_FAILED) munmap(rw, arena.size);
  if (rx != MAP_FAILED) munmap(rx, arena.size);
  if (!ok) {
    close(fd);
    return false;
  }
  close(arena.fd);
  arena.fd = fd;
  arena.shared = false;
  return true;
}

CodeMemory::Chunk CodeMemory::allocate(size_t size) {
  size = (size + kAlign - 1) / kAlign * kAlign;
  std::lock_guard<std::mutex> lock(mutex_);
  for (int attempt = 0; attempt < 2; attempt++) {
    // The smallest range that is large enough, the first of these.
    const auto found = free_by_size_.lower_bound({size, 0});
    if (found != free_by_size_.end()) {
      const auto [all, offset] = *found;
      for (Arena& a : arenas_)
        if (a.shared && offset < a.offset + a.size && a.offset < offset + size && !make_private(a))
          return {};
      remove_range(free_.find(offset));
      if (all > size) add_range(offset + size, all - size);
      used_ += size;
      return {rw_ + offset, rx_ + offset, size};
    }
    if (!add_arena(size)) break;
  }
  return {};
}

void CodeMemory::write(const Chunk& chunk, size_t offset, const void* bytes, size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  PSYCO_CHECK(offset + size <= chunk.size);
  write_locked(static_cast<size_t>(chunk.rx - rx_) + offset, bytes, size);
}

void CodeMemory::write_locked(size_t offset, const void* bytes, size_t size) {
  for (Arena& a : arenas_)
    if (a.shared && offset < a.offset + a.size && a.offset < offset + size)
      PSYCO_CHECK(make_private(a));
  std::memcpy(rw_ + offset, bytes, size);
}

void CodeMemory::free(const Chunk& chunk) {
  if (!chunk.rx) return;
  std::lock_guard<std::mutex> lock(mutex_);
  size_t offset = static_cast<size_t>(chunk.rx - rx_);
  add_range(offset, chunk.size);
  used_ -= chunk.size;
}

// With its neighbours it becomes one.
void CodeMemory::add_range(size_t offset, size_t size) {
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + size == next->first) {
    size += next->second;
    next = remove_range(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      size += before->second;
      remove_range(before);
    }
  }
  free_[offset] = size;
  free_by_size_.insert({size, offset});
}

CodeMemory::Ranges::iterator CodeMemory::remove_range(Ranges::iterator range) {
  free_by_size_.erase({range->second, range->first});
  return free_.erase(range);
}

void CodeMemory::free(CompiledCode* code) {
  if (!code || !code->entry) return;
  size_t size = (code->size + kAlign - 1) / kAlign * kAlign;
  uint8_t* rx = const_cast<uint8_t*>(code->entry);
  free(Chunk{rw_ + (rx - rx_), rx, size});
  code->entry = nullptr;
}

bool CodeMemory::contains(const void* address) const {
  auto* p = static_cast<const uint8_t*>(address);
  return p >= rx_ && p < rx_ + reserved_;
}

}  // namespace psyco
