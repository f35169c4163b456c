// The SSA graph: blocks of values, with frame states at everything that may leave.
//
// Fed by frontend/, rewritten by passes/, read by lir/select. No Python.h: objects are opaque
// addresses. Everything lives in the graph's arena and dies with it.
//
// Ownership. A value of representation Object is *owned* (flag kOwned) or *borrowed*. While an
// owned value is named by the current frame state, the activation holds exactly one reference to
// it, however many slots name it. Release gives that reference back; StoreObject, Return and the
// edge into an owned phi take it over. An exit hands it to the first slot that names it and makes
// new references for the others. Borrowed values (constants, arguments of a call, loads whose
// Retain was elided) need no release; an exit makes a reference for every slot.
#pragma once
#include <cstdint>

#include "support/arena.h"
#include "support/check.h"
#include "support/shared_list.h"

namespace psyco::ir {

enum class Rep : uint8_t { None, Object, I64, F64, Bool, Ptr };

enum class Op : uint8_t {
#define OP(name, inputs, result, effects, text) name,
#include "ir/ops.def"
#undef OP
};
constexpr int kOpCount = 0
#define OP(name, inputs, result, effects, text) +1
#include "ir/ops.def"
#undef OP
    ;

enum class Effects : uint8_t {
  Pure,
  Exits,
  Reads,
  ReadsExits,
  Writes,
  Allocates,
  Ref,
  Python,
  Control,
  Fixed
};

enum class Reason : uint8_t {
#define REASON(name, message) name,
#include "ir/reasons.def"
#undef REASON
};
constexpr int kReasonCount = 0
#define REASON(name, message) +1
#include "ir/reasons.def"
#undef REASON
    ;
const char* reason_name(Reason reason);
const char* reason_message(Reason reason);

enum class Helper : uint8_t {
#define HELPER(name, params, result, effects) name,
#include "ir/helpers.def"
#undef HELPER
};
constexpr int kHelperCount = 0
#define HELPER(name, params, result, effects) +1
#include "ir/helpers.def"
#undef HELPER
    ;
enum class HelperResult : uint8_t { Owned, Status, Object, Nullable, I64, F64, Ptr, Void };
enum class HelperEffects : uint8_t { Pure, Reads, Allocates, Writes, Python };
struct HelperInfo {
  const char* name;
  const char* params;
  HelperResult result;
  HelperEffects effects;
};
const HelperInfo& helper_info(Helper helper);

struct OpInfo {
  const char* name;
  const char* inputs;
  Rep result;  // Rep::None also for "Same": see same
  bool same;
  Effects effects;
  const char* text;
};
const OpInfo& op_info(Op op);

// What memory a load reads or a store writes. Two classes never overlap.
enum class Heap : uint8_t {
  None,
  ListShape,   // ob_item pointer and size of lists
  ListItems,   // their elements
  TupleItems,  // immutable after construction
  Attributes,  // inline values and slots of instances, values of global names
  AttrShape,   // valid byte, dictionary pointer of instances
  Dict,        // dictionaries
  Numbers,     // value of int and float objects: written only by in-place updates
  Bytes,       // bytearray, array.array contents
  BytesShape,  // their pointers and sizes
  Cells,       // closure cells
  Constant,    // never changes while the object lives (code, type layout, str)
  Other,
};
constexpr int kHeapCount = static_cast<int>(Heap::Other) + 1;

enum class Cond : uint8_t { Lt, Le, Eq, Ne, Gt, Ge };

struct Block;
struct FrameState;
struct Graph;

enum ValueFlags : uint8_t {
  kOwned = 1,     // the activation owns one reference while a state names it
  kNullable = 2,  // an Object that may be the null pointer
  kHoisted = 4,   // a guard or load moved out of a loop
  kImmortal = 8,  // ConstObject whose references need not be counted
  kRelied = 16,   // something was decided because this op had not exited: it stays although unused
};

struct Value {
  Op op;
  Rep rep;
  uint8_t flags;
  Heap heap;
  Cond cond;
  Reason reason;
  Helper helper;
  uint8_t shift;  // PtrAdd: index scale; others unused
  uint32_t id;
  int32_t bci;  // raw bytecode (code units) it belongs to, -1 none
  int64_t imm;
  const void* ptr;
  Block* block;
  FrameState* state;  // exit state, exception state or stack map; see STATES below
  ArenaVec<Value*> inputs;

  bool owned() const { return flags & kOwned; }
  bool nullable() const { return flags & kNullable; }
  Value* input(size_t i) const { return inputs[i]; }
};

// STATES. What Value::state means, by op:
//   guards and ops that exit   where to continue: normally the start of the raw bytecode (nothing
//   of it
//                              done); no exception set
//   CallHelper (runs Python)   the state *during* the call: operands still on the stack, used as
//   the stack
//                              map for visible frames, and as the exception edge (raised at its
//                              bci)
//   CallHelper (others)        only the exception edge (MemoryError)
//   BoxInt, BoxFloat, BoxOr    the exception edge
//   Release...                 the state after the drop: stack map, and where to continue if told
//   to leave. The instruction under way meanwhile, which a finaliser sees, is the value's own bci
//   CheckLeave, Poll, Deopt    where to continue
// A state with exception edges is recognised by the op, not by the state.

// Release with this imm: the function has returned and its locals die. Finalisers do not see its
// frame any more, only a deopt still needs it.
constexpr int64_t kAfterReturn = 1;

struct Block {
  uint32_t id;
  uint32_t loop_depth;
  bool loop_head;
  bool cold;  // laid out last, weighs nothing
  int32_t bci;
  FrameState* entry_state;  // state at the start of this block, nothing of it done: the way out of
                            // guards hoisted into it. For loop preheaders; null if not known
  ArenaVec<Value*> phis;
  ArenaVec<Value*> values;  // the last one is the terminator (effects Control)
  ArenaVec<Block*> preds;
  ArenaVec<Block*> succs;  // Branch: [true, false]
  Value* terminator() const { return values.empty() ? nullptr : values.back(); }
};

// One Python-level function body: the outermost or an inlined one. Filled by the front end; the
// runtime reads code and function again at an exit.
struct FrameInfo {
  const void* code;     // PyCodeObject*
  uint32_t index;       // position in Graph::frames
  int32_t nlocals;      // co_nlocalsplus
  int32_t nstack;       // co_stacksize
  int32_t caller = -1;  // index of the frame it is inlined into; -1: the outermost
  const char* name;
};

// How an inlined callee's result reaches its caller's frame.
enum class Continuation : uint8_t {
  None,  // innermost frame: continue at bci
  Half,  // innermost frame: the first half of the instruction at bci is done, its second is not;
         // the runtime does that, since no interpreter can be entered there
  Push,  // push the result, go on behind the instruction at bci
  Init,  // the result must be None and is dropped; the new object is on the stack already
  // The operands of the instruction at bci are on the stack and go when the result is there:
  Drop,      // as the result does
  Operator,  // it takes their place, unless it is NotImplemented: TypeError
};

enum class SlotKind : uint8_t {
  Null,
  Object,   // value: Object
  Int,      // value: I64, box: null or an Object (nullable) that is the same number
  Float,    // value: F64, box likewise
  Bool,     // value: Bool
  Virtual,  // virt
};

enum class VirtualKind : uint8_t {
  Tuple,          // fields: items
  RangeIter,      // fields: Int current, Int step, Int remaining
  CountIter,      // a range iterator of step 1. fields: Int current, Int stop (remaining: stop -
                  // current, 0 if negative)
  Range,          // fields: Int start, Int stop, Int step
  ListIter,       // fields: Object list, Int index
  TupleIter,      // fields: Object tuple, Int index
  BoundMethod,    // fields: function, self
  Slice,          // fields: start, stop, step
  BytesIter,      // fields: Object bytes, Int index
  ByteArrayIter,  // fields: Object bytearray, Int index
  Instance,  // of a Python class. fields: class, then place and value of each attribute that is
             // set, in the order in which they were set. The places, offsets in the instance,
             // and the class are constants
};
constexpr int kVirtualKinds = static_cast<int>(VirtualKind::Instance) + 1;

struct Virtual;
// The box of an Int or Float slot may be kUnbound at run time: then the slot is empty (an unbound
// local).
constexpr uintptr_t kUnbound = 1;
struct Slot {
  SlotKind kind = SlotKind::Null;
  uint32_t object = 0;  // Int, Float: which one the number is while it has no box. See OBJECTS
  Value* value = nullptr;
  Value* box = nullptr;
  Virtual* virt = nullptr;
  bool operator==(const Slot&) const = default;
};
// States that follow one another share most of their slots.
using SlotList = SharedList<Slot>;
// OBJECTS. What is not built yet, a number without a box or a Virtual, has an identity all the
// same: the number of its abstract value. All slots of a state (its callers, fields of virtuals)
// that name one object carry one number and get one object; 0 stands for an object that no other
// slot names. Equal values are not enough: of two calculations that number_values has found to be
// the same, each makes an object. An object keeps its number from state to state, so that what was
// built for a reader of f_locals is found again at the exit.
struct Virtual {
  VirtualKind kind;
  uint32_t id;
  uint32_t object;
  ArenaVec<Slot> fields;
};

struct FrameState {
  uint32_t id;
  FrameInfo* frame;
  FrameState* caller;  // the frame this one is inlined into; its cont says how the result returns
  Value* function;     // function object of an inlined frame; null for the outermost
  int32_t bci;         // raw instruction, in code units
  Continuation cont;   // of *this* frame when it is a caller; None or Half when innermost
  uint32_t mark;       // of the last walk that was here: see new_mark
  SlotList locals;     // frame->nlocals
  SlotList stack;
  ArenaVec<Value*> drops;  // owned values to release at the exit after the frames are built
};

enum class EntryKind : uint8_t { Call, Osr };

struct Graph {
  Arena arena;
  const char* name = "";
  EntryKind entry_kind = EntryKind::Call;
  ArenaVec<Block*> blocks;      // blocks[0] is the entry; reverse post order after the front end
  ArenaVec<FrameInfo*> frames;  // frames[0] is the outermost
  uint32_t value_count = 0, block_count = 0, state_count = 0, virtual_count = 0;
  uint32_t object_count = 0;
  uint32_t arg_count = 0;  // length of activation->args
  mutable uint32_t last_mark = 0;

  Block* new_block();
  // A value that is in no block yet.
  Value* new_value(Op op, Rep rep);
  Value* append(Block* block, Value* value);
  Value* insert_before(Value* position, Value* value);
  void remove(Value* value);                 // from its block
  void replace_all(Value* from, Value* to);  // inputs and frame states, whole graph: O(values)
  FrameState* new_state();
  Virtual* new_virtual(VirtualKind kind);
  uint32_t new_object() { return ++object_count; }  // see OBJECTS
  void connect(Block* from, Block* to);  // adds the edge; phis get their input separately
  // For a walk over states that sees what they share once. One such walk at a time.
  uint32_t new_mark() const { return ++last_mark; }
};

// Calls visit(Value*&) for each value a state names, callers included; a shared caller is visited
// once per call.
template <class Visit>
void for_each_slot_value(Slot& slot, Visit& visit) {
  if (slot.value) visit(slot.value);
  if (slot.box) visit(slot.box);
  if (slot.virt)
    for (Slot& field : slot.virt->fields) for_each_slot_value(field, visit);
}
template <class Visit>
void for_each_state_value(FrameState* state, Visit visit) {
  for (FrameState* s = state; s; s = s->caller) {
    if (s->function) visit(s->function);
    for (Slot& slot : s->locals) for_each_slot_value(slot, visit);
    for (Slot& slot : s->stack) for_each_slot_value(slot, visit);
    for (Value*& drop : s->drops) visit(drop);
  }
}

// The same for what no call with this mark has visited yet.
template <class Visit>
void for_each_new_state_value(FrameState* state, uint32_t mark, Visit visit) {
  auto slot_values = [&](Slot& slot) { for_each_slot_value(slot, visit); };
  for (FrameState* s = state; s && s->mark != mark; s = s->caller) {
    s->mark = mark;
    if (s->function) visit(s->function);
    s->locals.visit_new(mark, slot_values);
    s->stack.visit_new(mark, slot_values);
    for (Value*& drop : s->drops) visit(drop);
  }
}

bool may_exit(const Value& value);  // has an edge to the interpreter (guards, exceptions, leaving)
bool runs_python(const Value& value);
bool is_global_table(const Value& value);  // where a known dictionary has its values
bool has_side_effect(const Value& value);  // must stay although unused
bool is_terminator(const Value& value);
Cond negate(Cond cond);  // integers only: floats have NaN
Cond swap_operands(Cond cond);

}  // namespace psyco::ir
