// Encodes allocated LIR. One object per body; the families are in moves.cpp, ints.cpp, floats.cpp,
// compares.cpp, objects.cpp and calls.cpp.
//
// Order of the bytes: hot blocks, cold blocks, slow paths, exit stubs, literals.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "emit/backend.h"
#include "emit/records.h"
#include "emit/x64/assembler.h"
#include "emit/x64/stubs.h"
#include "lir/lir.h"

namespace psyco::x64 {

using Xbyak::Address;
using Xbyak::Label;
using Xbyak::Reg64;
using Xbyak::Xmm;

class Emitter : public Assembler {
 public:
  Emitter(ir::Graph& graph, lir::Function& function, const Stubs& stubs,
          const BackendOptions& options, bool avx, bool bmi2, size_t size, void* buffer);

  void run();
  RecordWriter& records() { return records_; }
  // Spill slots, then the arrays of calls (with their scratch word), then the out area.
  uint32_t slots_used() const { return fn_.spill_count + array_slots_ + out_slots_; }
  std::string& listing() { return listing_; }
  const char* error() const { return error_; }

 private:
  ir::Graph& graph_;
  lir::Function& fn_;
  const Stubs& stubs_;
  const TargetLayout& layout_;
  const BackendOptions& options_;
  const bool avx_, bmi2_;
  bool inlines_ = false;  // some call-out is an inlined frame's
  bool doubles_ = false;  // some virtual register is an XMM register
  const char* error_ = nullptr;
  RecordWriter records_;
  std::string listing_;
  uint32_t array_slots_ = 0, out_slots_ = 0;
  int32_t array_at() const { return static_cast<int32_t>(fn_.spill_count) + 1; }
  int32_t out_at() const { return static_cast<int32_t>(fn_.spill_count + array_slots_); }
  uint32_t guard_number_ = 0;

  std::vector<Label> block_labels_;
  std::vector<const lir::Block*> target_;  // by block: where a jump to it really goes
  std::vector<uint8_t> empty_;
  std::deque<std::function<void()>> slow_;  // one may add others
  struct Detour {
    Jump jump;
    uint32_t back;
    const uint8_t* stub;
  };
  std::vector<Detour> detours_;
  struct ExitStub {
    Label label;
    uint32_t record;
    bool exception;
    std::function<void()> undo;
  };
  std::deque<ExitStub> exits_;
  std::map<std::pair<uint32_t, bool>, ExitStub*> shared_exits_;
  std::deque<std::pair<uint64_t, Label>> literals_;
  std::deque<std::pair<uint64_t, Label>> masks_;  // 16 bytes, both halves the same
  const lir::ExitPoint* exit_ = nullptr;          // whose record is made
  std::vector<int32_t> virtual_index_;            // by virtual id
  std::vector<ir::Virtual*> virtuals_;
  ExitRecord record_;  // in the making
  std::vector<RecordWriter::Chunks> locals_;
  lir::Validity validity_;  // of the slots that are encoded
  // What is known of a leaf of a state's locals: its chunk, for exits at these positions.
  struct KnownChunk {
    lir::Validity validity;
    uint32_t number;
  };
  std::unordered_map<const void*, KnownChunk> known_chunks_;
  std::vector<ir::FrameState*> chain_;

  // blocks
  void rotate_loops(std::vector<const lir::Block*>& order);
  void emit_inst(lir::Inst& inst, const lir::Block& block, const lir::Block* next);
  void note(const lir::Inst& inst, size_t from);

  // exits
  uint32_t record_of(lir::ExitPoint& exit, ir::Reason reason);
  ExitSlot encode_slot(const ir::Slot& slot);
  void encode_locals(const ir::SlotList& locals, ExitFrame& frame, RecordWriter::Chunks& chunks);
  Location location_of(ir::Value* value);
  Label& exit_label(lir::Inst& inst, bool exception = false, std::function<void()> undo = {});
  bool stressed(lir::Inst& inst);  // true: the guard always exits, nothing more is to be emitted

  // operands
  static Reg64 gpr(const lir::Operand& o) {
    PSYCO_DCHECK(o.loc.kind == lir::Loc::Gpr);
    return Reg64(o.loc.reg);
  }
  static Xmm xmm(const lir::Operand& o) { return Xmm(o.loc.reg); }
  Address slot(int32_t index) { return qword[rbx + kSpill + 8 * index]; }
  Address slot(const lir::Loc& loc) { return slot(loc.slot); }
  Xbyak::RegExp address(const lir::Inst& inst);  // may use r11
  Address literal(uint64_t bits);
  Address mask(uint64_t bits);
  void jcc(lir::Cc cc, Label& label);

  // moves.cpp
  void parallel_move(std::span<const lir::Move> moves);
  std::vector<uint16_t> readers_;  // by place: moves that still read it; all 0 between groups
  std::vector<int32_t> writer_;    // by place: the move to it, or -1
  std::vector<lir::Move> moving_;
  std::vector<uint32_t> ready_;
  static size_t place_index(const lir::Loc& loc) {
    return loc.kind == lir::Loc::Gpr   ? loc.reg
           : loc.kind == lir::Loc::Xmm ? 16u + loc.reg
                                       : 32u + static_cast<size_t>(loc.slot);
  }
  void move_loc(const lir::Loc& to, const lir::Loc& from);
  void move_imm(const lir::Loc& to, int64_t imm, lir::Bank bank);
  void load_imm(const Reg64& to, int64_t imm, bool keep_flags = false);
  void move_gpr(const Reg64& to, const Reg64& from) {
    if (to.getIdx() != from.getIdx()) mov(to, from);
  }
  void move_xmm(const Xmm& to, const Xmm& from) {
    if (to.getIdx() == from.getIdx()) return;
    if (avx_)
      vmovaps(to, from);
    else
      movaps(to, from);
  }
  void load_double(const Xmm& to, const Address& from) {
    if (avx_)
      vmovsd(to, from);
    else
      movsd(to, from);
  }
  void store_double(const Address& to, const Xmm& from) {
    if (avx_)
      vmovsd(to, from);
    else
      movsd(to, from);
  }
  void zero_xmm(const Xmm& to) {
    if (avx_)
      vxorps(to, to, to);
    else
      xorps(to, to);
  }
  // Loads an Any or Imm operand.
  void load_operand(const Reg64& to, const lir::Operand& o);

  // families
  void emit_int(lir::Inst& inst);
  void emit_division(lir::Inst& inst);
  void emit_shift(lir::Inst& inst);
  void emit_memory(lir::Inst& inst);
  void emit_float(lir::Inst& inst);
  void ucomi(const Xmm& a, const lir::Operand& b);
  lir::Cc compare(lir::Inst& inst);
  void emit_compare_set(lir::Inst& inst);
  void emit_compare_branch(lir::Inst& inst, const lir::Block& block, const lir::Block* next);
  void emit_compare_guard(lir::Inst& inst);
  void emit_object(lir::Inst& inst);
  void emit_release(lir::Inst& inst);
  void emit_box(lir::Inst& inst);
  void emit_unbox_int(lir::Inst& inst);
  void emit_update_int(lir::Inst& inst);
  void emit_call(lir::Inst& inst);
  void emit_native_call(lir::Inst& inst);
  void check_leave(Label& leave);
  void load_frame(const Reg64& to);
  void store_position(const Reg64& frame, const ir::FrameState& state);
  void drop_frames();
  void compare_frame_object(int i);
  void incref(const Reg64& object);
  void box_small_or_slow(lir::Inst& inst);

  template <class F>
  void slow_path(F body) {
    slow_.emplace_back(body);
  }
  // Calls the stub if the condition holds.
  void detour(lir::Cc cc, const uint8_t* stub) {
    const Jump jump = jump_if(cc);
    detours_.push_back({jump, here(), stub});
  }
};

}  // namespace psyco::x64
