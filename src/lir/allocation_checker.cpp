// Re-simulates allocated code: which virtual register does each location hold?
//
// A block's entry state is what all its predecessors agree on. Every operand, and every location an exit
// record will name, must then hold the register it stands for. Independent of how locations were found.
#include <vector>

#include "lir/linear_scan.h"

namespace psyco::lir {

namespace {

class Checker {
 public:
  explicit Checker(const Function& fn) : fn_(fn), size_(32 + fn.spill_count) {}

  std::string run() {
    size_t n = fn_.blocks.size();
    entry_.resize(n);
    std::vector<uint8_t> reached(n);
    if (n == 0) return {};
    first_group_.resize(fn_.insts.size() + 1);
    size_t g = 0;
    for (size_t i = 0; i <= fn_.insts.size(); i++) {
      while (g < fn_.moves.size() && fn_.moves[g].inst < i) g++;
      first_group_[i] = g;
    }
    entry_[0].assign(size_, kNoVreg);
    reached[0] = 1;
    for (bool changed = true; changed;) {
      changed = false;
      for (const Block* b : fn_.blocks) {
        if (!reached[b->id]) continue;
        std::vector<Vreg> state = entry_[b->id];
        simulate(*b, state, false);
        for (const Block* s : b->succs) {
          std::vector<Vreg>& in = entry_[s->id];
          if (!reached[s->id]) {
            reached[s->id] = 1;
            in = state;
            changed = true;
            continue;
          }
          for (size_t i = 0; i < size_; i++)
            if (in[i] != kNoVreg && in[i] != state[i]) in[i] = kNoVreg, changed = true;
        }
      }
    }
    for (const Block* b : fn_.blocks) {
      if (!reached[b->id]) continue;
      std::vector<Vreg> state = entry_[b->id];
      simulate(*b, state, true);
    }
    return error_;
  }

 private:
  const Function& fn_;
  size_t size_;
  std::vector<std::vector<Vreg>> entry_;
  std::vector<size_t> first_group_;
  std::string error_;

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
      error_ = "instruction " + std::to_string(inst) + ": " + what + " in: " + print(fn_.insts[inst]);
  }
  void expect(const std::vector<Vreg>& state, const Operand& o, uint32_t inst, const char* role) {
    Bank bank = fn_.vregs[o.vreg].bank;
    if (!valid(o.loc, bank)) return fail(inst, std::string(role) + " v" + std::to_string(o.vreg) + " has no place");
    if (o.kind == Operand::Reg && !o.loc.is_reg())
      return fail(inst, std::string(role) + " v" + std::to_string(o.vreg) + " must be in a register");
    if (state[index(o.loc)] != o.vreg)
      fail(inst, std::string(role) + " v" + std::to_string(o.vreg) + " is not in " + print(o.loc));
  }

  void apply(const MoveGroup& group, std::vector<Vreg>& state, bool check) {
    std::vector<Vreg> before = state;
    std::vector<uint8_t> written(size_);
    for (const Move& m : group.moves) {
      if (!valid(m.to, m.bank)) {
        if (check) fail(group.inst, "a move to no place");
        continue;
      }
      if (check) {
        if (written[index(m.to)]) fail(group.inst, "two moves to " + print(m.to));
        written[index(m.to)] = 1;
        if (m.from.kind != Loc::None &&
            (!valid(m.from, m.bank) || before[index(m.from)] != m.from_vreg))
          fail(group.inst, "a move of v" + std::to_string(m.from_vreg) + " from " + print(m.from));
      }
      state[index(m.to)] = m.vreg;
    }
  }

  void simulate(const Block& b, std::vector<Vreg>& state, bool check) {
    for (uint32_t k = b.first; k < b.last; k++) {
      const Inst& inst = fn_.insts[k];
      size_t g = first_group_[k];
      for (; g < fn_.moves.size() && fn_.moves[g].inst == k && !fn_.moves[g].after; g++)
        apply(fn_.moves[g], state, check);
      if (check) {
        for (const Operand& o : inst.use)
          if (o.is_vreg()) expect(state, o, k, "use");
        if (inst.call)
          for (const Operand& o : inst.call->args)
            if (o.is_vreg()) expect(state, o, k, "argument");
        if (inst.exit)
          for (const Operand& o : inst.exit->uses) expect(state, o, k, "exit");
      }
      for (int r = 0; r < 16; r++) {
        if (inst.clobber_gpr >> r & 1) state[r] = kNoVreg;
        if (inst.clobber_xmm >> r & 1) state[16 + r] = kNoVreg;
      }
      for (const Operand& t : inst.temp)
        if (t.is_vreg()) {
          if (check && !t.loc.is_reg()) fail(k, "a temporary has no register");
          if (t.loc.is_reg()) {
            if (check) {
              for (const Operand& o : inst.use)
                if (o.is_vreg() && o.loc == t.loc) fail(k, "a temporary shares a use's register");
              if (inst.def.is_vreg() && inst.def.loc == t.loc)
                fail(k, "a temporary shares the definition's register");
            }
            state[index(t.loc)] = t.vreg;
          }
        }
      if (inst.def.is_vreg()) {
        if (!inst.def.loc.is_reg()) {
          if (check) fail(k, "the definition has no register");
        } else {
          state[index(inst.def.loc)] = inst.def.vreg;
        }
      }
      if (check) {
        for (const Operand& o : inst.use)
          if (o.is_vreg() && o.late) expect(state, o, k, "late use");
        if (inst.exit)
          for (const Operand& o : inst.exit->uses)
            if (o.late) expect(state, o, k, "late exit");
      }
      for (; g < fn_.moves.size() && fn_.moves[g].inst == k; g++) apply(fn_.moves[g], state, check);
    }
  }
};

}  // namespace

std::string check_allocation(const Function& function) { return Checker(function).run(); }

}  // namespace psyco::lir
