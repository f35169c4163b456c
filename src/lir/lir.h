// LIR: machine-near operations over virtual registers, in blocks laid out in emission order.
//
// Made by select/, given locations by linear_scan, checked by allocation_checker, encoded by
// emit/x64. SSA: each virtual register has one definition (an instruction's `def`, or a block
// parameter).
//
// Positions. Instruction k of the function owns 4k..4k+3:
//     4k    early uses are read; the gap before it, where moves go
//     4k+1  clobbered registers die; temporaries live from 4k to 4k+3
//     4k+2  the definition is written; late uses are still read
// An early use may therefore share its register with the definition; a late one may not.
#pragma once
#include <algorithm>
#include <climits>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "support/arena.h"

namespace psyco::lir {

enum Gpr : uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
enum class Bank : uint8_t { Gpr, Xmm };
constexpr uint32_t kAllGpr = 0xffff & ~(1u << rsp | 1u << rbx | 1u << r15 | 1u << r11);
constexpr uint32_t kAllXmm = 0x7fff;

// x86 condition codes
enum class Cc : uint8_t { O, NO, B, AE, E, NE, BE, A, S, NS, P, NP, L, GE, LE, G };
inline Cc negate(Cc cc) { return static_cast<Cc>(static_cast<uint8_t>(cc) ^ 1); }

using Vreg = uint32_t;
constexpr Vreg kNoVreg = 0xffffffffu;

struct Loc {
  enum Kind : uint8_t { None, Gpr, Xmm, Slot } kind = None;
  uint8_t reg = 0;
  int32_t slot = 0;
  bool operator==(const Loc& o) const {
    return kind == o.kind && (kind == Slot ? slot == o.slot : kind == None || reg == o.reg);
  }
  bool is_reg() const { return kind == Gpr || kind == Xmm; }
};

struct Operand {
  enum Kind : uint8_t {
    None,
    Reg,  // must be in a register
    Any,  // register or spill slot
    Imm,  // imm, 64 bits
    Lit,  // imm, the bits of a double
  } kind = None;
  bool late = false;
  Vreg vreg = kNoVreg;
  int64_t imm = 0;
  Loc loc;
  bool is_vreg() const { return kind == Reg || kind == Any; }
};

// A compare says what sets the flags; its consumer is a CompareSet, CompareBranch or CompareGuard.
enum class CompareKind : uint8_t {
  Int,         // a ? b by cc
  Bool,        // a != 0 (cc NE)
  Float,       // a ? b by cc of ucomisd a, b; Eq and Ne need the parity too
  Identity,    // a == imm, 64 bits (cc E or NE), or a == b
  Type,        // [a + ob_type] == imm
  FitsDouble,  // -2**53 <= a <= 2**53 (cc BE)
  Leave,       // the activation is not told to leave, nor is the monitoring version another one
  Poll,        // the eval breaker is as expected
};

enum class Lop : uint8_t {
  Move,
  LoadImm,
  LoadLit,
  // def = a op b; the Exit forms leave through `exit` on overflow
  Add,
  Sub,
  Mul,
  And,
  Or,
  Xor,
  Neg,
  Not,
  AddExit,
  SubExit,
  MulExit,
  NegExit,
  ShlImm,
  SarImm,
  ShlExit,
  ShlImmExit,
  ShrExit,
  FloorDivExit,
  ModExit,
  WrapIndex,
  Lea,
  Load,
  Store,    // memory operand; width, is_signed
  LoadOut,  // word imm of the out area
  LoadFloat,
  StoreFloat,
  FloatAdd,
  FloatSub,
  FloatMul,
  FloatDiv,
  FloatNeg,
  FloatAbs,
  FloatSqrt,
  FloatNotZeroGuard,
  FloatNotNegativeGuard,
  IntToFloat,
  FloatToIntExit,
  CompareSet,
  CompareBranch,
  CompareGuard,
  Select,  // def = a (bool) ? imm : imm2
  Retain,
  Release,  // nullable, plain
  BoxInt,
  BoxFloat,
  BoxOr,
  UnboxInt,
  UpdateFloatSlot,
  UpdateIntSlot,
  NoteTypes,  // imm: the OperandCache
  CallHelper,
  CallC,
  CallNative,  // CallNative: imm is the cell, imm2 the kind expected
  Jump,
  Return,
  ReturnNumber,
  Exit,  // ReturnNumber: imm is the tag
};

// Where a register is from one position up to another.
struct Piece {
  int start, stop;
  Loc loc;
};

// The positions of exits for which the places are known of all that some slots name.
struct Validity {
  int from = INT_MIN, to = INT_MAX;
  void restrict_to(const Piece* piece) {
    from = std::max(from, piece ? piece->start : INT_MAX);
    to = std::min(to, piece ? piece->stop : INT_MIN);
  }
  bool holds_at(uint32_t inst) const {
    return from <= 4 * static_cast<int>(inst) && 4 * static_cast<int>(inst) + 2 < to;
  }
};

// Where compiled code may leave. It uses the registers of what the state names, in any location:
// see for_each_exit_use.
struct ExitPoint {
  ir::FrameState* state = nullptr;
  ir::Reason reason = ir::Reason::None;
  uint32_t value_id = 0;
  int32_t shown_bci = -1;  // where the innermost frame shows to stand; -1: where the state does
  uint32_t record = 0xffffffffu;  // given by the emitter
  uint32_t inst = 0;              // of which instruction
  bool late = true;               // what it uses is still needed when the definition is written,
  Vreg early = kNoVreg;           // but for this one
  int position(Vreg vreg) const { return 4 * static_cast<int>(inst) + (is_late(vreg) ? 2 : 0); }
  bool is_late(Vreg vreg) const { return late && vreg != early; }
};

struct CallInfo {
  ir::Helper helper = {};
  ArenaVec<Operand> args;             // in the order of the IR; Any or Imm or Lit
  ArenaVec<Bank> banks;               // of args
  uint32_t array_from = 0xffffffffu;  // args from here on go into the array
  uint32_t out_words = 0;             // of the out area, for an 'O' parameter
};

struct Block;

enum class Base : uint8_t { None, Vreg, Activation, Thread, Absolute };  // Absolute: use[2].imm

struct Inst {
  Lop op;
  Cc cc = Cc::E;
  CompareKind compare = CompareKind::Int;
  bool invert = false;  // CompareGuard: leaves if true. CompareBranch: targets are as given
  bool nullable = false, plain = false, is_signed = false, swapped = false;
  uint8_t width = 8;
  Base base = Base::None;
  uint8_t scale = 0;  // log2
  int32_t disp = 0;
  int64_t imm = 0, imm2 = 0;
  Operand def;
  Operand use[4];   // a, b, memory base, memory index
  Operand temp[2];  // definitions at 4k that die at 4k+3
  uint32_t clobber_gpr = 0, clobber_xmm = 0;
  ExitPoint* exit = nullptr;
  CallInfo* call = nullptr;
  const ir::Value* value = nullptr;  // what it was selected from
};

struct Block {
  uint32_t id = 0;  // position in Function::blocks
  uint32_t depth = 0;
  bool cold = false;
  float frequency = 1;
  const ir::Block* source = nullptr;  // null: a split edge
  uint32_t first = 0, last = 0;       // instruction numbers [first, last)
  ArenaVec<Vreg> params;
  ArenaVec<Operand> args;         // of the Jump at the end, for the successor's params
  ArenaVec<Block*> preds, succs;  // CompareBranch: [true, false]
};

struct VregInfo {
  Bank bank;
  int8_t fixed_hint = -1;  // a register
  Vreg hint = kNoVreg;     // wants to share a register with it
  Vreg hint2 = kNoVreg;
};

// A parallel move; made by the allocator.
struct Move {
  Loc to, from;  // from.kind None: imm (a literal for an xmm or float destination)
  int64_t imm = 0;
  Bank bank = Bank::Gpr;
  Vreg vreg = kNoVreg;  // what `to` holds afterwards
  Vreg from_vreg = kNoVreg;
};
struct MoveGroup {
  uint32_t inst;          // before this instruction; after_ says behind it
  bool after = false;     // a store at a definition
  bool at_edge = false;   // before the terminator (edge moves of the block that ends here)
  std::span<Move> moves;  // in Function::move_list
};

struct Function {
  const ir::Graph* graph = nullptr;
  Arena arena;
  std::vector<Block*> blocks;  // emission order
  std::vector<Inst> insts;
  std::vector<VregInfo> vregs;
  std::vector<Move> move_list;
  std::vector<MoveGroup> moves;     // sorted by instruction; filled by the allocator
  std::vector<Vreg> vreg_of_value;  // by ir value id; kNoVreg: none
  // Filled by the allocator: the life of each register in order.
  std::vector<Piece> pieces;
  std::vector<uint32_t> first_piece;  // by vreg, and one behind the last
  uint32_t spill_count = 0;
  const char* error = nullptr;

  Vreg new_vreg(Bank bank) {
    vregs.push_back({bank});
    return static_cast<Vreg>(vregs.size() - 1);
  }
  // Of a register that is alive there.
  Loc loc_at(Vreg v, int pos) const {
    const Piece* piece = piece_at(v, pos);
    return piece ? piece->loc : Loc{};
  }
  const Piece* piece_at(Vreg v, int pos) const {
    const Piece* low = pieces.data() + first_piece[v];
    size_t count = first_piece[v + 1] - first_piece[v];
    while (count > 1) {
      size_t half = count / 2;
      if (low[half - 1].stop <= pos) {
        low += half;
        count -= half;
      } else {
        count = half;
      }
    }
    return count ? low : nullptr;
  }
};

// Calls visit(Vreg) for what the exit uses, once or more; with a mark (ir::Graph::new_mark) only
// for what no call with it has visited.
template <class Visit>
void for_each_exit_use(const Function& fn, const ExitPoint& exit, Visit visit, uint32_t mark = 0) {
  auto use = [&](ir::Value* value) {
    const Vreg v = fn.vreg_of_value[value->id];
    if (v != kNoVreg) visit(v);
  };
  if (mark)
    ir::for_each_new_state_value(exit.state, mark, use);
  else
    ir::for_each_state_value(exit.state, use);
}

template <class Visit>
void for_each_use(Inst& inst, Visit visit) {  // not exits, not block arguments
  for (Operand& use : inst.use)
    if (use.is_vreg()) visit(use);
  if (inst.call)
    for (Operand& arg : inst.call->args)
      if (arg.is_vreg()) visit(arg);
}

// What selection must know about the target's objects: offsets in bytes.
struct TargetFacts {
  int32_t activation_args, activation_function;
  int32_t float_value;
  const void *true_object, *false_object;
  bool has_bmi2;
};

const char* lop_name(Lop op);
std::string print(const Function& function);
std::string print(const Inst& inst);
std::string print(const Loc& loc);

}  // namespace psyco::lir
