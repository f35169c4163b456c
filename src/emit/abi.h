// What machine code and the runtime agree on: the activation record, the exit records, and the
// layout of CPython's objects as far as machine code touches them. No Python.h: a port fills
// TargetLayout.
//
// Registers in compiled code
//   rbx   Activation*           r15   PyThreadState*          rsp   16-byte aligned after `sub rsp,
//   8` r11, xmm15  scratch of the emitter, never allocated all others are allocatable and are lost
//   at every ordinary call. A body is entered by the enter stub, which saves the C callee-saved
//   registers; bodies save nothing.
//
// An activation lives on the thread's Python data stack, beside its frame (so that stack-switching
// extensions cannot tear it):
//
//   | Activation | spill[0..spill_count) | outermost _PyInterpreterFrame (entry kind Call only) |
//   ... ^ rbx
// and behind it room for the inlined frames that a call-out or an exit may need.
//
// Native calls. A body called by another body (Op::CallNative) gets its own activation, a *direct*
// one: not in the list of activations but found through its caller's `callee`; its frame exists
// only from the moment somebody might look at it (framed). prev is the caller. It charges Python
// recursion, not C recursion. Results: rax, and in edx what it is (ResultTag). A null object says
// that an error is set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/link_cell.h"

namespace psyco {

struct CompiledCode;
struct OperandCache;

enum ResultTag : uint32_t { kTagObject = 0, kTagInt = 1, kTagFloat = 2 };
enum Framed : uint8_t { kUnframed = 0, kFramed = 1, kFrameGone = 2 };

struct Activation {
  Activation* prev;  // listed: the next older one. Direct: the caller
  Activation* next;
  void* tstate;
  CompiledCode* code;
  void* frame;         // outermost _PyInterpreterFrame (Osr: the interpreter's own)
  void** args;         // entry values, read by Op::Arg (Call: borrowed; Osr: owned, moved out)
  void* function;      // function object of the outermost frame (borrowed)
  uint32_t site;       // record of the call-out under way: its stack map; kNoSite if none
  uint8_t entry_kind;  // ir::EntryKind
  uint8_t linked;      // inlined frames linked, for the call-out under way or an earlier one
  uint8_t filled;      // so many frames, from the outermost, hold their variables (f_locals)
  int64_t budget;      // Osr: iterations of the entered loop still allowed; negative: leave
  // The monitoring version under which it runs: the eval breaker without its events. With another
  // one, or told to leave, it leaves at the next Poll or CheckLeave. Set by the runtime only.
  uint64_t expected;
  void* linked_frames[8];  // inlined frames, outer to inner, when linked
  uint8_t direct;          // called by another body
  uint8_t framed;          // Framed
  uint8_t on_new_chunk;    // direct: its record began a chunk of the data stack
  uint8_t chain;  // frame index of the innermost linked frame, if those frames may stay: kMaxChain
  uint32_t tag;   // of the result: set by the enter stub
  Activation* callee;     // direct activation running on behalf of this one, or null
  uintptr_t stack_floor;  // lowest C stack address at which a native call may start
  uint64_t save_gpr[16];  // registers at a slow-path call-out or exit, by hardware number
  double save_xmm[16];
  int64_t spill[1];  // spill_count slots
};
constexpr uint32_t kNoSite = 0xffffffffu;
constexpr uint64_t kToldToLeave = ~uint64_t{0};  // Activation::expected: no eval breaker is like it
// Inlined frames stay linked for the next call-out of the same inlined call, if its frame index is
// at most this. Until then nobody can look; whatever calls out from elsewhere, or returns, drops
// them first.
constexpr uint32_t kMaxChain = 255;
constexpr size_t kSpillOffset = offsetof(Activation, spill);
constexpr int kMaxInlineDepth = 8;

// What every entry into compiled code looks at and counts, whatever is entered. The entry stubs
// have it by its address.
struct EntryGlobals {
  Activation* newest = nullptr;  // of those that are listed
  uint64_t expected = 0;         // the monitoring version that foreign_tools is about
  uint64_t clock = 0;            // entries so far, into loops as well
  uint64_t calls = 0;            // those by calls
  uint64_t native_since = 0;     // ticks when the outermost activation began; 0: it is not timed
  uint64_t stack_thread = ~uint64_t{0};  // id of the thread state that stack_floor is about
  uintptr_t stack_floor = 0;             // as in Activation
  bool foreign_tools = false;            // a tool of somebody else has global events
  bool local_tools = false;              // somebody else has set events of single code objects
};
extern EntryGlobals g_entering;
constexpr uint32_t kTimedOnceIn = 64;  // of many short calls of one function

// What the entry stub knows of a body: the beginning of the runtime's CodeState.
struct BodyState {
  const uint8_t* body = nullptr;
  CompiledCode* code = nullptr;
  uint32_t record_bytes = 0;  // of an activation with its frames
  uint32_t word_bytes = 0;    // of its entry values, in whole 16 bytes
  uint64_t objects = 0;       // bit k: word k is an object
  uint64_t entered = 0;       // when last, by EntryGlobals::clock
  uint64_t entries = 0;       // from outside compiled code
  uint32_t running = 0;       // activations that name it
  bool invalid = false;       // an assumption broke: not to be entered again
  bool lent = false;          // not to be entered for a while: driver/units.cpp
  bool untimed = false;       // its calls are short: most are not timed, see activation.cpp
  uint8_t short_calls = 0;    // in a row
};

// What a version needs to hold of one entry value.
struct EntryTest {
  enum Kind : uint8_t {
    Any,       // an object, never null
    Type,      // ob_type is exactly ptr
    Same,      // the object is exactly ptr
    Null,      // empty (unbound local)
    Anything,  // an object or empty
    Int,       // an int of 64 bits; entered as two words, the number and the object
    Float,     // a float; likewise
  } kind = Any;
  const void* ptr = nullptr;
};
struct EntryWay {
  BodyState* state;
  std::vector<EntryTest> tests;
  bool defaults = false;  // the last parameters may be left out
};
// A C function for the vectorcall slot of functions: see emit/x64/entry.cpp.
struct EntryStub {
  uint8_t* code = nullptr;
  size_t size = 0;
};

// Where a value is at an exit or call-out.
struct Location {
  enum Kind : uint8_t { None, Gpr, Xmm, Spill, Imm, Object } kind = None;
  uint8_t reg = 0;    // Gpr, Xmm
  int32_t spill = 0;  // Spill: slot number
  int64_t imm = 0;    // Imm: the bits; Object: the address of an immortal or owned-by-code object
};

struct ExitSlot {
  ir::SlotKind kind = ir::SlotKind::Null;
  bool owned = false;  // Object: the activation holds one reference (see ir/graph.h)
  bool nullable = false;
  bool box_owned = false;  // the same for box
  Location value;
  Location box;         // Int/Float: the number's object if it has one; kind None if not
  int32_t virt = -1;    // Virtual: index into ExitRecord::virtuals
  uint32_t object = 0;  // Int/Float: see ir/graph.h, OBJECTS
};
struct ExitVirtual {
  ir::VirtualKind kind;
  uint32_t object;
  std::vector<ExitSlot> fields;
};
struct ExitFrame {
  uint32_t frame_index = 0;  // into CompiledCode::frames
  int32_t bci = 0;
  ir::Continuation cont = ir::Continuation::None;
  ExitSlot function;  // kind Null: the activation's own function
  std::vector<ExitSlot> locals;
  std::vector<ExitSlot> stack;
};
// Two Object slots with the same location name the same value: an owned one holds ONE reference in
// all. drops are owned values in no slot, released after the frames are built.
struct ExitRecord {
  ir::Reason reason = ir::Reason::None;
  uint32_t value_id = 0;          // for messages and statistics
  int32_t shown_bci = -1;         // of the innermost frame during a call-out; -1: its bci
  std::vector<ExitFrame> frames;  // outermost first
  std::vector<ExitVirtual> virtuals;
  std::vector<ExitSlot> drops;
};

struct FrameMeta {
  const void* code;
  int32_t nlocals;
  int32_t nstack;
  int32_t caller = -1;  // index of the frame it is inlined into; -1: the outermost
};

// One compiled body. Owned by the code cache; alive while any activation names it.
struct CompiledCode {
  const uint8_t* entry = nullptr;  // takes Activation* in rbx, PyThreadState* in r15
  size_t size = 0;
  uint32_t spill_count = 0;
  ir::EntryKind entry_kind = ir::EntryKind::Call;
  std::vector<FrameMeta> frames;
  std::vector<uint8_t> records;          // encoded; see decode_record
  std::vector<uint32_t> record_offsets;  // by record id
  std::vector<uint32_t> exit_counts;     // by record id; machine code does not touch them
  std::vector<LinkCell*> links;          // cells that lead here: reset when the code is retired
  void* owner = nullptr;                 // the driver's bookkeeping
  void* arena = nullptr;                 // the code memory's bookkeeping
  void* runtime = nullptr;               // the runtime's bookkeeping: see runtime/code.h
};
ExitRecord decode_record(const CompiledCode& code, uint32_t id);

// Offsets into CPython's objects and addresses of its tables, in bytes. Filled by the port.
struct TargetLayout {
  int32_t ob_refcnt = 0, ob_type = 8, ob_size = 16;
  int32_t long_tag = 16,
          long_digits = 24;  // lv_tag: digits << 3 | sign (0 +, 1 zero, 2 -); 30-bit digits
  int32_t float_value = 16;
  const void* float_type = nullptr;
  const void* long_type = nullptr;
  const void* true_object = nullptr;
  const void* false_object = nullptr;
  const void* none_object = nullptr;
  const void* small_ints = nullptr;  // array of int objects from -5 to small_int_end, exclusive
  int32_t small_int_size = 32, small_int_end = 257;
  void* float_free_list = nullptr;   // address of the head pointer; null: call box_float
  void* float_free_count = nullptr;  // address of its count, whose low 32 bits are enough
  int32_t float_free_next = 8;       // where a freed float has the next one
  int32_t local_event_bytes = 10;    // of tools, at the head of a code's monitoring data: 8 to 16
  int32_t ts_eval_breaker = 0;       // in PyThreadState, 64 bits
  int32_t ts_current_frame = 0;
  int32_t ts_datastack_top = 0, ts_datastack_limit = 0, ts_py_recursion = 0;
  int32_t ts_id = 0, ts_profiler = 0, ts_tracer = 0;
  int32_t ts_c_recursion = -1, c_recursion_reserve = 0;  // -1: nothing is counted
  // Where the thread state is that holds the GIL, for who holds it. Null: there are no entry stubs.
  void* const* current_thread = nullptr;
  int32_t function_defaults = 0;  // in PyFunctionObject: a tuple or null
  int32_t tuple_items = 24;
  int32_t frame_instr_ptr = 0;  // in _PyInterpreterFrame
  int32_t frame_object = 0;     // null until somebody asks for the frame
  int32_t code_units = 0;       // first code unit in PyCodeObject
};

// Addresses machine code calls, C calling convention.
struct RuntimeTable {
  void* helpers[ir::kHelperCount] = {};
  // Leaves for the interpreter. Registers are in act->save_*. exception: an error is set and
  // happened at the record's innermost bci. The result is what the body returns to its caller (see
  // runtime/entry).
  uint64_t (*exit)(Activation* act, uint32_t record, int exception) = nullptr;
  // Around a call-out from an inlined frame: link the inlined frames of act->site; unlink them
  // again.
  void (*link_frames)(Activation* act) = nullptr;
  void (*unlink_frames)(Activation* act) = nullptr;
  // Ends those that stayed linked, which nobody has seen.
  void (*drop_frames)(Activation* act) = nullptr;
  // After a call-out without inlined frames, when the frame has an object: leaves if it is kept.
  void (*note_kept_frame)(Activation* act) = nullptr;
  // After a call, when the eval breaker asks for something: does it. The result, or null.
  void* (*attend)(Activation* act, void* result) = nullptr;
  // Makes the frames of a direct activation and of those it was called from.
  void (*show_frames)(Activation* act) = nullptr;
  // The general way of a native call; a new reference or null.
  void* (*call_unlinked)(Activation* caller, LinkCell* cell, uint64_t* words) = nullptr;
  // The data stack's chunk is full: begins another one with `bytes` of it taken. Null: no memory.
  void* (*new_chunk)(void* tstate, uint32_t bytes) = nullptr;
  // The general way of a call of a function that has an entry stub: its vectorcall otherwise.
  void* (*call_function)(void* function, void* const* args, size_t nargsf, void* names) = nullptr;
  // The activation of a call is over: the general way to take it away. And then its code, if that
  // is invalid.
  void (*pop_call)(void* tstate, Activation* act) = nullptr;
  void (*invalid_code_idle)(CompiledCode* code) = nullptr;
  // A direct activation is over whose frame exists or has existed, or whose record began a chunk.
  void (*end_direct)(Activation* act) = nullptr;
  // A result with another tag than expected ('i', 'd', 'o'); gives the number (bits) or the object,
  // and the box.
  uint64_t (*convert_result)(Activation* act, LinkCell* cell, uint64_t value, uint32_t tag,
                             void** box) = nullptr;
  void (*dealloc)(void* object) = nullptr;  // count has reached zero
  // The same for a local of a function that has returned: its frame is hidden meanwhile.
  void (*release_after_return)(Activation* act, void* object) = nullptr;
  // Slow case of UnboxInt: 2-digit and larger ints. Returns 0 and stores the value, or 1 if it does
  // not fit.
  int (*unbox_big_int)(void* object, int64_t* out) = nullptr;
  void (*update_float_slot)(void** slot,
                            double value) = nullptr;  // replaces; never fails visibly: reserve
  void (*update_int_slot)(void** slot, int64_t value) = nullptr;
  // Called only while the cache asks. Runs no Python code.
  void (*note_types)(OperandCache* cache, void* left, void* right) = nullptr;
};

// Our own sys.monitoring tool, as a bit mask in each byte.
extern uint64_t g_own_tools_bytes;

}  // namespace psyco
