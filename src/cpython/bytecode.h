// A code object decoded to the neutral bytecode of neutral.def, with the profile its inline caches
// hold.
//
// Made by decode() under the GIL, in one go, so that later stages never look at the live code
// bytes. Objects named here are borrowed from the code object (or immortal).
#pragma once
#include <cstdint>
#include <vector>

#include "cpython/port.h"

namespace psyco {

enum class NeutralOp : uint8_t {
#define NEUTRAL(name, pops, pushes, flags, text) name,
#include "cpython/neutral.def"
#undef NEUTRAL
};
constexpr int kNeutralOpCount = 0
#define NEUTRAL(name, pops, pushes, flags, text) +1
#include "cpython/neutral.def"
#undef NEUTRAL
    ;

enum NeutralFlags : uint8_t {
  kMayRaise = 1,
  kRunsPython = 2,
  kPolls = 4,
  kJumps = 8,
  kEndsBlock = 16,
  kHasName = 32,
  kHasConst = 64,
};
constexpr int kSubscript = 26;  // argument of Binary

// What the inline cache says about how often the instruction ran.
enum class Heat : uint8_t {
  Unknown,  // no counter, or a tool took it away
  Cold,     // never ran
  Warm,     // ran; not specialised (yet)
  Failed,   // specialisation was tried and failed: operands vary or are unusual
  Hot,      // specialised: see Bytecode::adaptive
};

struct Bytecode {
  NeutralOp op;
  int32_t arg = 0, arg2 = 0;
  PyObject* object = nullptr;  // name or constant, by the op's flags
  int32_t bci = 0;             // code units, of the raw opcode itself (EXTENDED_ARG excluded)
  int32_t start_bci = 0;  // its first EXTENDED_ARG, else bci: where the interpreter may be entered
  int32_t next_bci = 0;   // the following raw instruction (its first EXTENDED_ARG)
  int32_t target = -1;    // index in the list of a jump's destination
  uint8_t first_of_raw = 1;
  uint8_t last_of_raw = 1;
  uint8_t adaptive = 0;  // this version's specialised opcode, 0 if not specialised
  Heat heat = Heat::Unknown;
  uint16_t cache[12] = {};  // raw cache units; unit 0 is the counter

  // Cache fields by unit, as in the version's code.h.
  uint16_t cache16(int unit) const { return cache[unit]; }
  uint32_t cache32(int unit) const { return cache[unit] | uint32_t{cache[unit + 1]} << 16; }
  uint64_t cache64(int unit) const { return cache32(unit) | uint64_t{cache32(unit + 2)} << 32; }
};

const char* neutral_name(NeutralOp op);
uint8_t neutral_flags(NeutralOp op);
bool neutral_names_local(NeutralOp op);  // arg is the number of a local variable
int neutral_pops(const Bytecode& bc);
int neutral_pushes(const Bytecode& bc);  // on the jump edge of ForIter one less

struct HandlerEntry {
  int32_t start, end;  // code units, end exclusive
  int32_t target_bci;
  int32_t target;  // index in the list
  int32_t depth;   // stack slots kept
  bool lasti;      // the raising instruction's offset is pushed under the exception
};

struct DecodedCode {
  PyCodeObject* code = nullptr;  // borrowed
  std::vector<Bytecode> list;
  std::vector<HandlerEntry> handlers;  // sorted, disjoint: first match wins
  std::vector<int32_t> index_of_bci;   // by code unit; -1 inside an instruction
  std::vector<uint8_t> leader;         // by list index: starts a basic block
  bool ok = false;                     // false: an opcode we do not know

  int index_at(int bci) const {
    return bci < 0 || bci >= static_cast<int>(index_of_bci.size()) ? -1 : index_of_bci[bci];
  }
  const HandlerEntry* handler_at(int bci) const;  // for an exception raised by the opcode at bci
};

// Never fails with a Python error; check ok.
DecodedCode decode(PyCodeObject* code);

// Whether anything in it may come round. (True where that is not known.)
bool has_loops(PyCodeObject* code);

// Where the interpreter may be entered to execute the opcode at `bci`: its first EXTENDED_ARG.
int entry_unit(PyCodeObject* code, int bci);
// The instruction behind the opcode at `bci` and its caches.
int following_unit(PyCodeObject* code, int bci);

}  // namespace psyco
