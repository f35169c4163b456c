// Abstract values and states: what the front end knows about every local and stack slot.
//
// An abstract value (AV) is one Python value on one of the three levels: compile-time (constant),
// virtual (unboxed number, tuple or iterator not built yet) or run-time (an object in a register).
// Slots name AVs by index, so refining one (a guard passed, a box was made) is seen by every slot
// that holds the same value. Known facts (type, constant) are proved; example and likely are
// predictions and need a guard.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpython/bytecode.h"
#include "ir/graph.h"

namespace psyco {

using AVId = int32_t;
constexpr AVId kNoAV = -1;

// What an attribute of an object of this class gave.
struct Method {
  PyTypeObject* type;
  PyObject* function;
};

// Copied with the state at every branch, so its lists lie in the arena of the graph and are
// replaced instead of changed.
struct AV {
  ir::SlotKind kind = ir::SlotKind::Null;
  ir::Value* value = nullptr;  // Object, Int, Float, Bool
  ir::Value* box = nullptr;    // Int, Float: the object that is this number, null if none was made;
                               // may be a nullable value: null at run time means none
  uint32_t object = 0;  // Int, Float, Virtual: which object it will be: see ir/graph.h, OBJECTS
  ir::VirtualKind virtual_kind = ir::VirtualKind::Tuple;
  std::span<const AVId> fields;     // Virtual; of an Instance the class, then the values
  const int32_t* places = nullptr;  // Instance: where each value lies in it
  PyTypeObject* type = nullptr;     // Object: proved exact type
  PyTypeObject* likely = nullptr;   // predicted type
  PyObject* constant = nullptr;     // the object itself is known
  std::span<const Method> methods;  // Object: predicted to be one of these
  bool no_other_method = false;     // and proved
  PyObject* example = nullptr;      // an object that was here when compilation started (borrowed)
  bool fresh = false;               // Object: made here, attributes not set yet: a prediction
  uint64_t stored = 0;              // Object: attributes set by this code, by offset / 8: likewise
  bool nonnegative = false;         // Int: proved >= 0
  bool not_null = true;             // Object: proved bound
};
static_assert(std::is_trivially_copyable_v<AV>);

// A copy of the list in the arena, for AV::fields and AV::methods.
template <class T>
std::span<const T> in_arena(Arena& arena, std::span<const T> list) {
  T* copy = arena.array<T>(list.size());
  std::copy(list.begin(), list.end(), copy);
  return {copy, list.size()};
}

struct Context;  // one function body being walked: see builder.h

struct FrameSlots {
  Context* context = nullptr;
  std::vector<AVId> locals;
  std::vector<AVId> stack;
  int32_t call_bci = 0;  // when it waits for an inlined callee
  ir::Continuation cont = ir::Continuation::None;
};

// The abstract values of one state. Copies share pages until one of them writes: a branch costs the
// same, however much has been walked before it.
class AVTable {
  static constexpr size_t kShift = 5, kPage = size_t{1} << kShift;
  struct Page {
    uint32_t owners = 1;
    AV items[kPage];
  };

 public:
  AVTable() = default;
  AVTable(const AVTable& other) : pages_(other.pages_), size_(other.size_) {
    for (Page* page : pages_) page->owners++;
  }
  AVTable(AVTable&& other) noexcept
      : pages_(std::move(other.pages_)), size_(std::exchange(other.size_, 0)) {
    other.pages_.clear();
  }
  AVTable& operator=(AVTable other) noexcept {
    std::swap(pages_, other.pages_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AVTable() { clear(); }

  size_t size() const { return size_; }
  void clear() {
    for (Page* page : pages_)
      if (--page->owners == 0) delete page;
    pages_.clear();
    size_ = 0;
  }
  const AV& operator[](AVId id) const {
    return pages_[static_cast<size_t>(id) >> kShift]->items[id & (kPage - 1)];
  }
  // Neither has changed the value since one was copied from the other. (False says nothing.)
  bool shares(const AVTable& other, AVId id) const {
    const size_t page = static_cast<size_t>(id) >> kShift;
    return page < other.pages_.size() && pages_[page] == other.pages_[page];
  }
  // To be written to. Other references to the value, got before, may go on showing the old one.
  AV& edit(AVId id) {
    Page*& page = pages_[static_cast<size_t>(id) >> kShift];
    if (page->owners > 1) {
      page->owners--;
      page = new Page(*page);
      page->owners = 1;
    }
    return page->items[id & (kPage - 1)];
  }
  AVId add(const AV& av) {
    const AV copy = av;  // perhaps one of ours
    if (size_ == pages_.size() << kShift) pages_.push_back(new Page);
    const auto id = static_cast<AVId>(size_++);
    edit(id) = copy;
    return id;
  }

 private:
  std::vector<Page*> pages_;
  size_t size_ = 0;
};

struct State {
  AVTable avs;
  std::vector<FrameSlots> frames;  // outermost first

  FrameSlots& top() { return frames.back(); }
  AVId add(const AV& av) { return avs.add(av); }
  const AV& operator[](AVId id) const { return avs[id]; }
};

// It is the value, or a virtual object made of it.
bool a_field_reaches(const State& st, AVId from, AVId id);
inline bool reaches(const State& st, AVId from, AVId id) {
  return from == id || (!st.avs[from].fields.empty() && a_field_reaches(st, from, id));
}

// ---- virtual instances: instances.cpp
inline bool is_instance(const AV& a) {
  return a.kind == ir::SlotKind::Virtual && a.virtual_kind == ir::VirtualKind::Instance;
}
PyTypeObject* class_of(const State& st, const AV& instance);
// The field with the attribute's value, -1 if it is not set.
int find_attribute(const AV& instance, int32_t place);
// Virtual objects of one kind and size, instances with the same attributes: equal but for values.
bool same_shape(const State& x, const AV& a, const State& y, const AV& b);

// The way into a bytecode: an unfinished block and the state at its end.
struct Edge {
  ir::Block* block = nullptr;
  State state;
};

// What loop heads must assume, learnt when a back edge brought less than the head promised.
// Monotone.
struct HeadFlags {
  bool force = false;    // box or build before the loop
  bool object = false;   // any object
  bool no_type = false;  // nothing known about its type
  bool box = false;      // number that may carry its object along
  bool unbound = false;  // object that may be missing
  bool phi = false;      // changes in the loop although the local is not stored there
  bool typed = false;    // Osr: a local that is not read again is entered by its type, all the same
  int8_t number = 0;     // unbound at entry: 1 Int, 2 Float comes round
};

}  // namespace psyco
