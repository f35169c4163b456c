// Re-simulates allocated code: which virtual register does each location hold?
//
// A block's entry state is what all its predecessors agree on. Every operand, and every location an
// exit record will name, must then hold the register it stands for. Independent of how locations
// were found.
#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lir/linear_scan.h"

namespace psyco::lir {

namespace {

class Checker {
 public:
  explicit Checker(const Function& fn) : fn_(fn), size_(32 + fn.spill_count) {}

  std::string run() {
    size_t n = fn_.blocks.size();
    if (n == 0) return {};
    entry_.resize(n * size_);
    written_.resize(size_);
    first_group_.resize(n);
    size_t g = 0;
    for (const Block* b : fn_.blocks) {
      while (g < fn_.moves.size() && fn_.moves[g].inst < b->first) g++;
      first_group_[b->id] = g;
    }
    std::vector<uint8_t> reached(n), dirty(n);
    std::vector<Vreg> state(size_);
    std::fill(entry_.begin(), entry_.begin() + static_cast<ptrdiff_t>(size_), kNoVreg);
    reached[0] = dirty[0] = 1;
    for (bool changed = true; changed;) {
      changed = false;
      for (const Block* b : fn_.blocks) {
        if (!dirty[b->id]) continue;
        dirty[b->id] = 0;
        std::copy_n(entry(b), size_, state.data());
        simulate<false>(*b, state.data());
        for (const Block* s : b->succs) {
          Vreg* in = entry(s);
          if (!reached[s->id]) {
            reached[s->id] = dirty[s->id] = 1;
            std::copy_n(state.data(), size_, in);
          } else {
            bool differs = false;
            for (size_t i = 0; i < size_; i++) {
              Vreg both = in[i] == state[i] ? in[i] : kNoVreg;
              differs |= both != in[i];
              in[i] = both;
            }
            if (differs) dirty[s->id] = 1;
          }
          if (dirty[s->id] && s->id <= b->id) changed = true;
        }
      }
    }
    for (const Block* b : fn_.blocks) {
      if (!reached[b->id]) continue;
      std::copy_n(entry(b), size_, state.data());
      simulate<true>(*b, state.data());
    }
    return error_;
  }

 private:
  const Function& fn_;
  size_t size_;
  std::vector<Vreg> entry_;          // size_ places for each block
  std::vector<size_t> first_group_;  // by block
  std::vector<uint32_t> written_;    // by place: the last group that wrote it
  uint32_t group_number_ = 0;
  std::string error_;

  Vreg* entry(const Block* b) { return entry_.data() + b->id * size_; }

  size_t index(const Loc& loc) const {
    if (loc.kind == Loc::Gpr) return loc.reg;
    if (loc.kind == Loc::Xmm) return 16u + loc.reg;
    return 32u + static_cast<size_t>(loc.slot);
  }
  bool valid(const Loc& loc, Bank bank) const {
    if (loc.kind == Loc::Gpr) return bank == Bank::Gpr && (kAllGpr >> loc.reg & 1);
    if (loc.kind == Loc::Xmm) return bank == Bank::Xmm && (kAllXmm >> loc.reg & 1);
    return loc.kind == Loc::Slot && loc.slot >= 0 &&
           static_cast<uint32_t>(loc.slot) < fn_.spill_count;
  }
  void fail(uint32_t inst, const std::string& what) {
    if (error_.empty())
      error_ =
          "instruction " + std::to_string(inst) + ": " + what + " in: " + print(fn_.insts[inst]);
  }
  void expect(const Vreg* state, const Operand& o, uint32_t inst, const char* role) {
    Bank bank = fn_.vregs[o.vreg].bank;
    if (!valid(o.loc, bank))
      return fail(inst, std::string(role) + " v" + std::to_string(o.vreg) + " has no place");
    if (o.kind == Operand::Reg && !o.loc.is_reg())
      return fail(inst,
                  std::string(role) + " v" + std::to_string(o.vreg) + " must be in a register");
    if (state[index(o.loc)] != o.vreg)
      fail(inst, std::string(role) + " v" + std::to_string(o.vreg) + " is not in " + print(o.loc));
  }

  void expect_exit(const Vreg* state, Vreg v, uint32_t inst) {
    const Loc loc = fn_.loc_at(v, fn_.insts[inst].exit->position(v));
    if (!valid(loc, fn_.vregs[v].bank))
      fail(inst, "exit v" + std::to_string(v) + " has no place");
    else if (state[index(loc)] != v)
      fail(inst, "exit v" + std::to_string(v) + " is not in " + print(loc));
  }

  // Of what most states have in common the places are looked up once.
  struct Leaf {
    Validity validity{0, 0};
    std::vector<std::pair<size_t, Vreg>> held;
  };
  std::unordered_map<const void*, Leaf> leaves_;

  void expect_leaf(const Vreg* state, const void* address, std::span<ir::Slot> slots, uint32_t inst,
                   Vreg gone) {
    Leaf& leaf = leaves_[address];
    if (leaf.validity.holds_at(inst)) {
      for (const auto& [place, vreg] : leaf.held)
        if (vreg != gone && state[place] != vreg)
          fail(inst, "exit v" + std::to_string(vreg) + " is not there");
      return;
    }
    leaf = {{}, {}};
    auto use = [&](const ir::Value* value) {
      const Vreg v = fn_.vreg_of_value[value->id];
      if (v == kNoVreg) return;
      if (v != gone) expect_exit(state, v, inst);
      const Piece* piece = fn_.piece_at(v, fn_.insts[inst].exit->position(v));
      leaf.validity.restrict_to(piece);
      if (piece && valid(piece->loc, fn_.vregs[v].bank))
        leaf.held.push_back({index(piece->loc), v});
      else
        leaf.validity.restrict_to(nullptr);
    };
    for (ir::Slot& slot : slots) ir::for_each_slot_value(slot, use);
  }

  // But for the register `gone`.
  void expect_state(const Vreg* state, uint32_t inst, Vreg gone = kNoVreg) {
    auto use = [&](const ir::Value* value) {
      const Vreg v = fn_.vreg_of_value[value->id];
      if (v != kNoVreg && v != gone) expect_exit(state, v, inst);
    };
    for (ir::FrameState* s = fn_.insts[inst].exit->state; s; s = s->caller) {
      if (s->function) use(s->function);
      s->locals.for_each_leaf([&](const void* leaf, std::span<ir::Slot> slots) {
        expect_leaf(state, leaf, slots, inst, gone);
      });
      for (ir::Slot& slot : s->stack) ir::for_each_slot_value(slot, use);
      for (const ir::Value* drop : s->drops) use(drop);
    }
  }

  template <bool check>
  void apply(const MoveGroup& group, Vreg* state) {
    if (check) {
      group_number_++;
      for (const Move& m : group.moves) {
        if (!valid(m.to, m.bank)) {
          fail(group.inst, "a move to no place");
          continue;
        }
        if (written_[index(m.to)] == group_number_) fail(group.inst, "two moves to " + print(m.to));
        written_[index(m.to)] = group_number_;
        if (m.from.kind != Loc::None &&
            (!valid(m.from, m.bank) || state[index(m.from)] != m.from_vreg))
          fail(group.inst, "a move of v" + std::to_string(m.from_vreg) + " from " + print(m.from));
      }
    }
    for (const Move& m : group.moves)
      if (valid(m.to, m.bank)) state[index(m.to)] = m.vreg;
  }

  static void clobber(Vreg* state, uint32_t mask) {
    for (; mask; mask &= mask - 1) state[__builtin_ctz(mask)] = kNoVreg;
  }

  template <bool check>
  void simulate(const Block& b, Vreg* state) {
    size_t g = first_group_[b.id];
    for (uint32_t k = b.first; k < b.last; k++) {
      const Inst& inst = fn_.insts[k];
      for (; g < fn_.moves.size() && fn_.moves[g].inst == k && !fn_.moves[g].after; g++)
        apply<check>(fn_.moves[g], state);
      if (check) {
        for (const Operand& o : inst.use)
          if (o.is_vreg()) expect(state, o, k, "use");
        if (inst.call)
          for (const Operand& o : inst.call->args)
            if (o.is_vreg()) expect(state, o, k, "argument");
        if (inst.exit) expect_state(state, k);
      }
      clobber(state, inst.clobber_gpr);
      clobber(state + 16, inst.clobber_xmm);
      for (const Operand& t : inst.temp)
        if (t.is_vreg()) {
          bool ok = t.loc.is_reg() && valid(t.loc, fn_.vregs[t.vreg].bank);
          if (check && !ok) fail(k, "a temporary has no register");
          if (ok) {
            if (check) {
              for (const Operand& o : inst.use)
                if (o.is_vreg() && o.loc == t.loc) fail(k, "a temporary shares a use's register");
              if (inst.def.is_vreg() && inst.def.loc == t.loc)
                fail(k, "a temporary shares the definition's register");
              if (inst.exit)
                for_each_exit_use(fn_, *inst.exit, [&](Vreg v) {
                  if (fn_.loc_at(v, inst.exit->position(v)) == t.loc)
                    fail(k, "a temporary shares an exit's register");
                });
            }
            state[index(t.loc)] = t.vreg;
          }
        }
      if (inst.def.is_vreg()) {
        if (!inst.def.loc.is_reg() || !valid(inst.def.loc, fn_.vregs[inst.def.vreg].bank)) {
          if (check) fail(k, "the definition has no register");
        } else {
          state[index(inst.def.loc)] = inst.def.vreg;
        }
      }
      if (check) {
        for (const Operand& o : inst.use)
          if (o.is_vreg() && o.late) expect(state, o, k, "late use");
        if (inst.exit && inst.exit->late) expect_state(state, k, inst.exit->early);
      }
      for (; g < fn_.moves.size() && fn_.moves[g].inst == k; g++) apply<check>(fn_.moves[g], state);
    }
  }
};

}  // namespace

std::string check_allocation(const Function& function) { return Checker(function).run(); }

}  // namespace psyco::lir
