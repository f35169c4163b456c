#include "lir/intervals.h"

namespace psyco::lir {

// Only registers that live across blocks have a bit; most do not.
void Intervals::find_liveness() {
  size_t n = fn_.blocks.size();
  std::vector<uint32_t> home(fn_.vregs.size(), UINT32_MAX);  // the block of the definition
  definition.assign(fn_.vregs.size(), 0);
  bit_of.assign(fn_.vregs.size(), UINT32_MAX);
  block_of_.resize(fn_.insts.size());
  for (Block* b : fn_.blocks) {
    for (Vreg p : b->params) home[p] = b->id, definition[p] = start_of(b);
    for (uint32_t i = b->first; i < b->last; i++) {
      block_of_[i] = b->id;
      const Inst& inst = fn_.insts[i];
      for (const Operand& t : inst.temp)
        if (t.is_vreg()) home[t.vreg] = b->id, definition[t.vreg] = 4 * static_cast<int>(i);
      if (inst.def.is_vreg())
        home[inst.def.vreg] = b->id, definition[inst.def.vreg] = 4 * static_cast<int>(i) + 2;
    }
  }
  std::vector<std::pair<uint32_t, uint32_t>> from_outside;  // (block, bit)
  std::vector<uint32_t> seen_in(fn_.vregs.size(), UINT32_MAX);
  for (Block* b : fn_.blocks) {
    const uint32_t mark = fn_.graph->new_mark();
    auto use_of = [&](Vreg v) {
      if (home[v] == b->id || seen_in[v] == b->id) return;
      seen_in[v] = b->id;
      uint32_t& bit = bit_of[v];
      if (bit == UINT32_MAX) {
        bit = static_cast<uint32_t>(vreg_of_bit.size());
        vreg_of_bit.push_back(v);
      }
      from_outside.push_back({b->id, bit});
    };
    auto use = [&](const Operand& o) { use_of(o.vreg); };
    for (uint32_t i = b->first; i < b->last; i++) {
      Inst& inst = fn_.insts[i];
      for_each_use(inst, use);
      if (inst.exit) for_each_exit_use(fn_, *inst.exit, use_of, mark);
    }
    for (Operand& o : b->args)
      if (o.is_vreg()) use(o);
  }
  words = (vreg_of_bit.size() + 63) / 64;
  uint64_t* rows = arena.array<uint64_t>(2 * n * words);
  std::vector<Bits> kill(n);
  live_in.resize(n);
  for (size_t i = 0; i < n; i++) {
    live_in[i] = {rows + 2 * i * words};
    kill[i] = {rows + (2 * i + 1) * words};
  }
  for (auto [block, bit] : from_outside) live_in[block].set(bit);
  for (size_t bit = 0; bit < vreg_of_bit.size(); bit++)
    if (uint32_t block = home[vreg_of_bit[bit]]; block != UINT32_MAX)
      kill[block].set(static_cast<uint32_t>(bit));
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = n; i-- > 0;) {
      uint64_t* in = live_in[i].words;
      for (Block* s : fn_.blocks[i]->succs)
        for (size_t w = 0; w < words; w++) {
          uint64_t now = in[w] | (live_in[s->id].words[w] & ~kill[i].words[w]);
          if (now != in[w]) in[w] = now, changed = true;
        }
    }
  }
}

void Intervals::collect() {
  size_t n = fn_.vregs.size();
  std::vector<ArenaVec<Range>> ranges(n);
  std::vector<ArenaVec<UsePos>> uses(n);
  weight.assign(n, 0);
  head.assign(n, nullptr);
  // Blocks come last to first; the range that still grows is kept apart.
  std::vector<Range> open(n, Range{INT_MAX, INT_MAX});
  auto close = [&](Vreg v) {
    if (open[v].from != INT_MAX) ranges[v].push_back(arena, open[v]);
  };
  auto add_range = [&](Vreg v, int from, int to) {
    Range& r = open[v];
    if (r.from <= to) {
      r.from = std::min(r.from, from);
      r.to = std::max(r.to, to);
    } else {
      close(v);
      r = {from, to};
    }
  };
  auto add_use = [&](Vreg v, int pos, UseKind kind, float frequency) {
    uses[v].push_back(arena, {pos, kind, frequency});
    weight[v] += frequency;
  };
  for (size_t bi = fn_.blocks.size(); bi-- > 0;) {
    Block* b = fn_.blocks[bi];
    int start = start_of(b), end = end_of(b);
    float f = b->frequency;
    // What an exit shares with a later one of the block is alive until there.
    const uint32_t mark = fn_.graph->new_mark();
    for (size_t w = 0; w < words; w++) {
      uint64_t out = 0;
      for (Block* s : b->succs) out |= live_in[s->id].words[w];
      for (; out; out &= out - 1)
        add_range(vreg_of_bit[w * 64 + static_cast<size_t>(__builtin_ctzll(out))], start, end);
    }
    for (uint32_t k = b->last; k-- > b->first;) {
      Inst& inst = fn_.insts[k];
      int p = 4 * static_cast<int>(k);
      if (inst.clobber_gpr | inst.clobber_xmm)
        clobbers.push_back({p + 1, {inst.clobber_gpr, inst.clobber_xmm}});
      if (inst.def.is_vreg()) {
        Vreg v = inst.def.vreg;
        if (open[v].from > p + 3)
          add_range(v, p + 2, p + 4);
        else
          open[v].from = p + 2;
        add_use(v, p + 2, kMust, f);
      }
      if (inst.exit)
        for_each_exit_use(
            fn_, *inst.exit,
            [&](Vreg v) { add_range(v, start, inst.exit->is_late(v) ? p + 3 : p + 1); }, mark);
      if (k + 1 == b->last)
        for (const Operand& o : b->args)
          if (o.is_vreg()) {
            add_range(o.vreg, start, p + 1);
            add_use(o.vreg, p, kWeak, f);
          }
      if (inst.call)
        for (const Operand& o : inst.call->args)
          if (o.is_vreg()) {
            add_range(o.vreg, start, p + 1);
            add_use(o.vreg, p, kWeak, f);
          }
      for (Operand& o : inst.use) {
        if (!o.is_vreg()) continue;
        add_range(o.vreg, start, o.late ? p + 3 : p + 1);
        bool weak = inst.op == Lop::Return;
        add_use(o.vreg, o.late ? p + 2 : p,
                o.kind == Operand::Reg ? kMust
                : weak                 ? kWeak
                                       : kShould,
                f);
      }
      for (Operand& t : inst.temp)
        if (t.is_vreg()) {
          // A use at either end: a definition at p + 2 may not take the register away.
          add_range(t.vreg, p, p + 3);
          add_use(t.vreg, p + 2, kMust, f);
          add_use(t.vreg, p, kMust, f);
        }
    }
    for (Vreg v : b->params) {
      if (open[v].from > start) add_range(v, start, start + 1);
      add_use(v, start, kWeak, f);
    }
  }
  std::reverse(clobbers.begin(), clobbers.end());
  for (Vreg v = 0; v < n; v++) {
    close(v);
    if (ranges[v].empty()) continue;
    std::reverse(ranges[v].begin(), ranges[v].end());
    std::reverse(uses[v].begin(), uses[v].end());
    // Operands of one instruction may come in any order.
    std::stable_sort(uses[v].begin(), uses[v].end(),
                     [](const UsePos& a, const UsePos& b) { return a.pos < b.pos; });
    Interval* it = arena.make<Interval>();
    it->vreg = v;
    it->bank = fn_.vregs[v].bank;
    it->ranges = ranges[v].begin();
    it->range_count = static_cast<int>(ranges[v].size());
    it->start = ranges[v][0].from;
    it->stop = ranges[v].back().to;
    it->uses = uses[v].begin();
    it->use_count = static_cast<int>(uses[v].size());
    head[v] = it;
  }
}

}  // namespace psyco::lir
