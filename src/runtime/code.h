// What the runtime keeps for each compiled body: is it still valid, who runs it, what does it
// depend on.
//
// A CompiledCode is handed over with adopt_code() before it is entered the first time.
// retire_code() makes it unusable; the driver frees it when code_in_use() says no and it has left
// every list.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "cpython/port.h"
#include "emit/abi.h"

namespace psyco {

// The back end and the driver, as the runtime sees them. Function pointers, so that tests can stand
// in.
struct Backend {
  uint64_t (*enter)(const uint8_t* body, Activation* activation) = nullptr;
  ExitRecord (*decode)(const CompiledCode& code, uint32_t record) = nullptr;
  // Without these calls enter compiled code through psyco_call_function alone.
  EntryStub (*make_entry)(const std::vector<EntryWay>& ways) = nullptr;
  void (*free_entry)(EntryStub stub) = nullptr;
};
extern Backend g_backend;

// Retired code may be waiting to be freed. `broken`: it was in use until now. Runs nothing.
extern void (*g_burial_due_hook)(CompiledCode* code, bool broken);
// An activation has left invalid code, which is still on the stack. May run Python code; no error
// is set.
extern void (*g_invalid_code_left)(CompiledCode* code);
// Called at each exit before any frame is built. Must not run Python, change objects or fail.
extern void (*g_exit_hook)(CompiledCode* code, uint32_t record, const ExitRecord& exit,
                           Activation* act);

// Inlined frames of one call-out, for linking; made from its record at the first use.
struct LinkPlan {
  struct Frame {
    PyCodeObject* code;
    int32_t bci;
    ExitSlot function;
  };
  std::vector<Frame> frames;  // outer to inner, the outermost frame of the activation left out
  int32_t outer_bci = 0;
  uint8_t chain = 0;  // Activation::chain
};

// A record, decoded when it is first used.
struct DecodedRecord {
  ExitRecord record;
  std::vector<Location> owned;  // of the distinct values the activation holds a reference to
};

// What a body relies on, and where that lists it. The object may be gone by now.
struct Dependency {
  enum Kind : uint8_t { Name, Type, Function, Object } kind;
  PyObject* object;  // Name: the dictionary
  PyObject* key;     // Name: owned, an exact str; else null
  static constexpr uint32_t kBroken = 0xffffffff;
  uint32_t place;  // in the list; kBroken: in none any more
};

struct CodeState : BodyState {
  bool knows_classes = false;  // of objects: what it knows holds until a class is assigned
  std::vector<Dependency> dependencies;
  uint32_t reserve_words = 0;                    // data stack an exit may need for inlined frames
  uint32_t frames_offset = 0;                    // of these in the activation, in bytes
  std::vector<std::unique_ptr<LinkPlan>> plans;  // by record
  std::vector<std::unique_ptr<DecodedRecord>> records;  // by record
};

inline CodeState* state_of(const CompiledCode* code) {
  return static_cast<CodeState*>(code->runtime);
}
inline bool may_enter(const CompiledCode* code) {
  return !(state_of(code)->invalid | state_of(code)->lent);
}
void adopt_code(CompiledCode* code);
// Marks the code invalid and tells its activations to leave. Frees nothing.
void retire_code(CompiledCode* code);
bool code_in_use(const CompiledCode* code);
// Less than that: what has left the code by an exit may still have to return through it.
bool code_is_executing(const CompiledCode* code);
// Drops the runtime's bookkeeping and dependencies; the code must not be in use.
void disown_code(CompiledCode* code);
const LinkPlan& link_plan(CompiledCode* code, uint32_t record);
const DecodedRecord& decoded_record(const CompiledCode* code, uint32_t record);

}  // namespace psyco
