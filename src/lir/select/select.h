// From the graph to LIR. Each family's file defines select_<family>; select.cpp dispatches with a
// switch over every op, so that a missing one is a compile error.
//
// Needed values only: `Selector::plan` marks what side effects, terminators and states reach,
// counts uses, and decides what is folded into its user (compares into branches and guards, PtrAdd
// into addresses). Constants never get a register of their own: they are immediates, literals, or
// are loaded just before the use.
#pragma once
#include "analysis/effects.h"
#include "lir/lir.h"

namespace psyco::lir {

// Fills function. On failure function.error says why.
void select(ir::Graph& graph, const TargetFacts& facts, Function& function);

struct Selector {
  Selector(ir::Graph& graph, const TargetFacts& facts, Function& function)
      : graph(graph), facts(facts), fn(function) {}

  ir::Graph& graph;
  const TargetFacts& facts;
  Function& fn;
  Block* block = nullptr;
  std::vector<Vreg> vreg_of;      // by value id
  std::vector<uint32_t> uses;     // by value id: inputs of needed values
  std::vector<uint8_t> needed;    // by value id
  std::vector<uint8_t> in_state;  // by value id: named by a state
  std::vector<ir::Value*> wants;  // by value id: the phi that it flows into
  std::vector<uint8_t> folded;    // by value id: emitted by its user

  void run();
  void plan();
  void select_value(ir::Value& v);

  // families
  void select_constant(ir::Value& v);
  void select_entry(ir::Value& v);
  void select_int(ir::Value& v);
  void select_float(ir::Value& v);
  void select_compare(ir::Value& v);
  void select_guard(ir::Value& v);
  void select_box(ir::Value& v);
  void select_reference(ir::Value& v);
  void select_memory(ir::Value& v);
  void select_call(ir::Value& v);
  void select_control(ir::Value& v);

  // building
  Inst& emit(Lop op, ir::Value* v);
  Operand define(ir::Value& v);                        // a fresh register for v
  Operand reg(ir::Value* v, bool late = false);        // constants are loaded
  Operand any(ir::Value* v, bool late = false);        // constants that fit 32 bits become Imm
  Operand any_float(ir::Value* v, bool late = false);  // constants become Lit
  Operand argument(ir::Value* v);                      // any constant becomes Imm or Lit
  Vreg vreg(ir::Value* v);
  void set_exit(Inst& inst, ir::Value& v, ir::Reason reason, bool late = true,
                ir::Value* early = nullptr);
  void set_address(Inst& inst, ir::Value* base, int64_t disp, ir::Value* index, int scale,
                   bool late = false);
  void fill_compare(Inst& inst, ir::Value* condition, bool expected);
  void fail(const char* why) {
    if (!fn.error) fn.error = why;
  }
};

inline bool is_constant(const ir::Value* v) { return analysis::is_constant(*v); }
int64_t constant_bits(const ir::Value* v);
inline bool fits32(int64_t x) { return x == static_cast<int32_t>(x); }
inline Bank bank_of(ir::Rep rep) { return rep == ir::Rep::F64 ? Bank::Xmm : Bank::Gpr; }

}  // namespace psyco::lir
