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
  std::span<const AVId> fields;     // Virtual
  PyTypeObject* type = nullptr;     // Object: proved exact type
  PyTypeObject* likely = nullptr;   // predicted type
  PyObject* constant = nullptr;     // the object itself is known
  std::span<const Method> methods;  // Object: predicted to be one of these
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

struct State {
  std::vector<AV> avs;
  std::vector<FrameSlots> frames;  // outermost first

  FrameSlots& top() { return frames.back(); }
  AVId add(const AV& av) {
    avs.push_back(av);
    return static_cast<AVId>(avs.size()) - 1;
  }
  AV& operator[](AVId id) { return avs[id]; }
};

// It is the value, or a virtual object made of it.
bool a_field_reaches(const State& st, AVId from, AVId id);
inline bool reaches(const State& st, AVId from, AVId id) {
  return from == id || (!st.avs[from].fields.empty() && a_field_reaches(st, from, id));
}

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
