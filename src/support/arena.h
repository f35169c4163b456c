// Bump allocation for one compilation: everything dies together, nothing is destroyed one by one.
// Types kept here must be trivially destructible.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace psyco {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    while (chunk_) {
      Chunk* previous = chunk_->previous;
      ::operator delete(chunk_);
      chunk_ = previous;
    }
  }

  void* allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (bytes > static_cast<size_t>(end_ - top_)) grow(bytes);
    void* result = top_;
    top_ += bytes;
    used_ += bytes;
    return result;
  }
  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T))) T{std::forward<Args>(args)...};
  }
  template <class T>
  T* array(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* result = static_cast<T*>(allocate(sizeof(T) * (count ? count : 1)));
    for (size_t i = 0; i < count; i++) new (result + i) T{};
    return result;
  }
  size_t used() const { return used_; }

 private:
  struct Chunk {
    Chunk* previous;
    size_t size;
  };
  void grow(size_t bytes) {
    size_t size = 64 * 1024;
    while (size < bytes + sizeof(Chunk)) size *= 2;
    auto* chunk = static_cast<Chunk*>(::operator new(size));
    chunk->previous = chunk_;
    chunk->size = size;
    chunk_ = chunk;
    top_ = reinterpret_cast<char*>(chunk + 1);
    end_ = reinterpret_cast<char*>(chunk) + size;
  }
  Chunk* chunk_ = nullptr;
  char* top_ = nullptr;
  char* end_ = nullptr;
  size_t used_ = 0;
};

// Growable array in an arena; old storage is abandoned when it grows.
template <class T>
class ArenaVec {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  void push_back(Arena& arena, T item) {
    reserve(arena, size_ + 1);
    data_[size_++] = item;
  }
  void resize(Arena& arena, size_t count) {
    if (!capacity_ && count) allocate(arena, count);  // seldom grows any more
    reserve(arena, count);
    for (size_t i = size_; i < count; i++) data_[i] = T{};
    size_ = static_cast<uint32_t>(count);
  }
  void insert(Arena& arena, size_t at, T item) {
    reserve(arena, size_ + 1);
    for (size_t i = size_; i > at; i--) data_[i] = data_[i - 1];
    data_[at] = item;
    size_++;
  }
  void erase(size_t at) {
    for (size_t i = at; i + 1 < size_; i++) data_[i] = data_[i + 1];
    size_--;
  }
  void pop_back() { size_--; }
  void clear() { size_ = 0; }
  void truncate(size_t count) { size_ = static_cast<uint32_t>(count); }

 private:
  void reserve(Arena& arena, size_t count) {
    if (count <= capacity_) return;
    allocate(arena, std::max<size_t>(count, capacity_ ? capacity_ * 2 : 4));
  }
  void allocate(Arena& arena, size_t capacity) {
    T* data = static_cast<T*>(arena.allocate(sizeof(T) * capacity));
    for (size_t i = 0; i < size_; i++) data[i] = data_[i];
    data_ = data;
    capacity_ = static_cast<uint32_t>(capacity);
  }
  T* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace psyco
