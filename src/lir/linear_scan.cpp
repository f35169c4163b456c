// Register allocation: linear scan on SSA intervals with holes and splitting, after Wimmer and
// Mössenböck (2005, 2010).
//
// The intervals are found in intervals.cpp; here they get registers and slots, and the moves
// between them are made.
//
// Where it differs from the textbook, and why:
// - Uses by exits count nothing and accept any location: they lengthen lives, never force a
// register.
// - Cold blocks are laid out last and weigh nothing, so a value hot in a loop keeps its register
// there
//   while the cold path spills around its calls.
// - The victim is the interval whose next use is least frequent (10^loop depth), then the farthest.
// - A spilled value is stored either once, at its definition, or where it is split, whichever is
// executed
//   less often. In SSA the slot never changes, so both may be mixed with lazy reloads.
// - Call arguments and phi arguments are read from wherever they are.
#include "lir/linear_scan.h"

#include <algorithm>
#include <climits>
#include <queue>

#include "lir/intervals.h"

namespace psyco::lir {

namespace {

constexpr uint8_t kGprOrder[] = {rcx, rsi, rdi, r8, r9, r10, rax, rdx, rbp, r12, r13, r14};
constexpr uint8_t kXmmOrder[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

class LinearScan {
 public:
  LinearScan(Function& fn, const AllocationOptions& options)
      : fn_(fn), options_(options), intervals_(fn) {}
  void run() {
    intervals_.build();
    last_reg_.assign(fn_.vregs.size(), -1);
    for (Interval* it : intervals_.head)
      if (it) enqueue(it);
    walk();
    if (!broken_) {
      assign_slots();
      collect_pieces();
      resolve();
      write_locations();
    }
    if (broken_) fn_.error = "internal: no register for a value that needs one";
  }

 private:
  Function& fn_;
  const AllocationOptions& options_;
  Intervals intervals_;
  std::vector<int8_t> last_reg_;  // by vreg: for hints
  struct Later {
    bool operator()(const Interval* a, const Interval* b) const {
      return a->start != b->start ? a->start > b->start : a->order > b->order;
    }
  };
  std::priority_queue<Interval*, std::vector<Interval*>, Later> unhandled_;
  std::vector<Interval*> active_[2];
  struct Waiting {  // in a hole
    int until;
    Interval* it;
  };
  std::vector<Waiting> inactive_[2], asleep_;
  uint32_t order_ = 0;
  bool broken_ = false;  // our own mistake: the function is refused
  std::vector<int32_t> slot_;

  void enqueue(Interval* it) {
    it->order = order_++;
    unhandled_.push(it);
  }

  // Cuts `it` at pos, start < pos < stop. The rest is returned, in no list.
  Interval* split(Interval* it, int pos) {
    Interval* rest = intervals_.arena.make<Interval>();
    if (pos <= it->start || pos >= it->stop) {
      broken_ = true;
      *rest = *it;
      return rest;
    }
    rest->vreg = it->vreg;
    rest->bank = it->bank;
    rest->stop = it->stop;
    int i = 0;
    while (it->ranges[i].to <= pos) i++;
    rest->ranges = it->ranges + i;
    rest->range_count = it->range_count - i;
    rest->start = std::max(pos, rest->ranges[0].from);
    if (it->ranges[i].from < pos) {
      it->stop = pos;
      it->range_count = i + 1;
    } else {
      it->stop = it->ranges[i - 1].to;
      it->range_count = i;
    }
    if (it->cursor >= it->range_count) it->cursor = it->range_count - 1;
    int u = 0;
    while (u < it->use_count && it->uses[u].pos < pos) u++;
    rest->uses = it->uses + u;
    rest->use_count = it->use_count - u;
    it->use_count = u;
    rest->next = it->next;
    it->next = rest;
    return rest;
  }

  const UsePos* next_use(const Interval* it, int pos, UseKind at_least) const {
    const UsePos* low = std::lower_bound(it->uses, it->uses + it->use_count, pos,
                                         [](const UsePos& u, int p) { return u.pos < p; });
    for (; low < it->uses + it->use_count; low++)
      if (low->kind >= at_least) return low;
    return nullptr;
  }

  // The cheapest place in [low, high] to split: high itself, or the start of a block that runs less
  // often.
  int best_split(int low, int high) const {
    if (low >= high) return high;
    uint32_t from = intervals_.block_at(low)->id, to = intervals_.block_at(high)->id;
    int best = high;
    float best_f = fn_.blocks[to]->frequency;
    if (high == start_of(fn_.blocks[to]) && to > 0)
      best_f = std::min(best_f, fn_.blocks[to - 1]->frequency);
    for (uint32_t b = to, steps = 0; b > from && steps < 64; b--, steps++) {
      float f = std::min(fn_.blocks[b]->frequency, fn_.blocks[b - 1]->frequency);
      int at = start_of(fn_.blocks[b]);
      if (f < best_f && at >= low && at <= high) best = at, best_f = f;
    }
    return best;
  }

  static int round_up(int pos) { return (pos + 3) & ~3; }

  // `it` has no register from its start on; it gets one again before its next use that wants one,
  // not before `earliest`.
  void spill(Interval* it, int earliest) {
    it->reg = -1;
    it->spilled = true;
    UseKind wanted = options_.spill_everything ? kMust : kShould;
    int low = round_up(std::max(it->start + 1, earliest));
    const UsePos* use = next_use(it, low, wanted);
    if (!use) return;
    int high = use->pos & ~3;
    int at = std::max(low, best_split(low, high));
    if (options_.spill_everything) at = high;
    if (at >= it->stop) return;
    Interval* rest = split(it, at);
    enqueue(rest);
  }

  void walk() {
    while (!unhandled_.empty() && !broken_) {
      Interval* cur = unhandled_.top();
      unhandled_.pop();
      int bank = static_cast<int>(cur->bank);
      int pos = cur->start;
      std::vector<Interval*>& act = active_[bank];
      std::vector<Waiting>& inact = inactive_[bank];
      size_t kept = 0;
      asleep_.clear();
      for (Interval* it : act) {
        if (it->spilled || it->stop <= pos) continue;
        if (pos >= it->until) {
          it->advance(pos);
          if (!it->covers(pos)) {
            asleep_.push_back({it->ranges[it->cursor].from, it});
            continue;
          }
          it->until = it->ranges[it->cursor].to;
        }
        act[kept++] = it;
      }
      act.resize(kept);
      // What ended in its hole stays here until the hole ends; it meets nothing.
      kept = 0;
      for (Waiting& w : inact) {
        if (pos >= w.until) {
          Interval* it = w.it;
          if (it->spilled || it->stop <= pos) continue;
          it->advance(pos);
          if (it->covers(pos)) {
            it->until = it->ranges[it->cursor].to;
            act.push_back(it);
            continue;
          }
          w.until = it->ranges[it->cursor].from;
        }
        inact[kept++] = w;
      }
      inact.resize(kept);
      inact.insert(inact.end(), asleep_.begin(), asleep_.end());
      if ((pos & 3) == 1) {
        spill(cur, pos + 1);
        continue;
      }
      if (!try_free(cur)) {
        if (!take_blocked(cur)) continue;  // spilled
      }
      last_reg_[cur->vreg] = cur->reg;
      act.push_back(cur);
      if (options_.spill_everything) {
        int at = (cur->start & ~3) + 4;
        if (at < cur->stop) {
          Interval* rest = split(cur, at);
          const UsePos* must = next_use(rest, rest->start, kMust);
          if (must && must->pos < (rest->start & ~3) + 4)
            enqueue(rest);  // used at once: another register
          else
            spill(rest, at);
        }
      }
    }
  }

  // By register: where it is lost to an instruction while `cur` lives.
  void lost_at(const Interval* cur, int* until) const {
    int bank = static_cast<int>(cur->bank);
    auto it = std::lower_bound(intervals_.clobbers.begin(), intervals_.clobbers.end(), cur->start,
                               [](const Clobber& c, int p) { return c.pos < p; });
    uint32_t missing = bank ? kAllXmm : kAllGpr;
    for (; it != intervals_.clobbers.end() && it->pos < cur->stop && missing; ++it) {
      uint32_t mask = it->mask[bank] & missing;
      if (!mask || !cur->covers(it->pos)) continue;
      missing &= ~mask;
      for (uint32_t m = mask; m; m &= m - 1) until[__builtin_ctz(m)] = it->pos;
    }
  }

  int hints(const Interval* cur, int* out) const {
    const VregInfo& info = fn_.vregs[cur->vreg];
    int n = 0;
    if (last_reg_[cur->vreg] >= 0) out[n++] = last_reg_[cur->vreg];
    for (Vreg h : {info.hint, info.hint2})
      if (h != kNoVreg && fn_.vregs[h].bank == cur->bank && last_reg_[h] >= 0)
        out[n++] = last_reg_[h];
    if (info.fixed_hint >= 0) out[n++] = info.fixed_hint;
    return n;
  }

  bool try_free(Interval* cur) {
    int bank = static_cast<int>(cur->bank);
    int until[16];
    std::fill(until, until + 16, INT_MAX);
    lost_at(cur, until);
    for (Interval* it : active_[bank]) until[it->reg] = 0;
    for (auto [from, it] : inactive_[bank])
      if (from < cur->stop && from < until[it->reg])
        until[it->reg] = std::min(until[it->reg], it->intersection(*cur, cur->start));
    const uint8_t* order = bank ? kXmmOrder : kGprOrder;
    int count = bank ? static_cast<int>(sizeof kXmmOrder) : static_cast<int>(sizeof kGprOrder);
    int best = -1;
    for (int i = 0; i < count; i++) {
      int r = order[i];
      if (until[r] >= cur->stop) {
        best = r;
        break;
      }
      if (best < 0 || until[r] > until[best]) best = r;
    }
    int wanted[4];
    int n = hints(cur, wanted);
    for (int i = 0; i < n; i++)
      if (until[wanted[i]] >= std::min(cur->stop, until[best])) {
        best = wanted[i];
        break;
      }
    if (until[best] >= cur->stop) {
      cur->reg = static_cast<int8_t>(best);
      return true;
    }
    int limit = until[best];
    int at = cut_before(limit, bank);
    if (at <= cur->start) return false;
    const UsePos* first = next_use(cur, cur->start, kShould);
    if (!first || first->pos >= at) return false;  // a register would serve no use
    // Leave as early as no use needs the register any more.
    int last = cur->start + 1;
    for (int u = 0; u < cur->use_count && cur->uses[u].pos < at; u++) last = cur->uses[u].pos + 1;
    int low = std::min(at, round_up(last));
    at = low < at ? best_split(low, at) : at;
    if (at <= cur->start || at >= cur->stop) return false;
    Interval* rest = split(cur, at);
    enqueue(rest);
    cur->reg = static_cast<int8_t>(best);
    return true;
  }

  // Where to leave a register that is taken at `limit`. A call's clobber at 4k+1 leaves the early
  // uses at 4k alone, and what follows goes to a slot. Where only some registers are lost, another
  // one is taken at 4k: no register may start at 4k+1, as its move would stand before the
  // instruction's early uses.
  int cut_before(int limit, int bank) const {
    if ((limit & 3) != 1) return limit & ~3;
    auto it = std::lower_bound(intervals_.clobbers.begin(), intervals_.clobbers.end(), limit,
                               [](const Clobber& c, int p) { return c.pos < p; });
    bool all = it != intervals_.clobbers.end() && it->pos == limit &&
               it->mask[bank] == (bank ? kAllXmm : kAllGpr);
    return all ? limit : limit & ~3;
  }

  // How often a reload would run if `it` lost its register at pos.
  float score(const Interval* it, int pos) const {
    const UsePos* use = next_use(it, pos, kWeak);
    float f = use ? use->frequency : 0;
    const Block* b = intervals_.block_at(pos);
    if (it->stop > end_of(b) && intervals_.weight[it->vreg] >= b->frequency && b->depth > 0)
      f = std::max(f, b->frequency * 0.5f);
    return f;
  }

  bool take_blocked(Interval* cur) {
    int bank = static_cast<int>(cur->bank);
    int pos = cur->start;
    int base = pos & ~3;
    int cut = (pos & 3) ? base + 1 : base;  // where others may be cut
    int limit[16];
    std::fill(limit, limit + 16, INT_MAX);
    lost_at(cur, limit);
    const UsePos* must_here = next_use(cur, pos, kMust);
    bool forced = must_here && must_here->pos < base + 4;
    int last_must = forced ? must_here->pos : pos;
    for (const UsePos* u = must_here; forced && u < cur->uses + cur->use_count; u++)
      if (u->kind == kMust && u->pos < base + 4) last_must = u->pos;

    float cost[16] = {};
    int distance[16];
    std::fill(distance, distance + 16, INT_MAX);
    constexpr float kNever = 1e30f;
    auto weigh = [&](Interval* it, bool is_active) {
      int from = pos;
      if (!is_active) {
        from = it->intersection(*cur, pos);
        if (from == INT_MAX) return;
      }
      float c;
      if (is_active) {
        const UsePos* must = next_use(it, cut, kMust);
        bool pinned = must && must->pos < base + 4;
        if (pinned || (it->start >= cut && it->start != base))
          c = kNever;
        else
          c = score(it, cut);
      } else {
        c = score(it, from);
      }
      cost[it->reg] = std::max(cost[it->reg], c);
      const UsePos* use = next_use(it, from, kWeak);
      distance[it->reg] = std::min(distance[it->reg], use ? use->pos : INT_MAX);
    };
    for (Interval* it : active_[bank]) weigh(it, true);
    for (auto [from, it] : inactive_[bank])
      if (from < cur->stop) weigh(it, false);

    const uint8_t* order = bank ? kXmmOrder : kGprOrder;
    int count = bank ? static_cast<int>(sizeof kXmmOrder) : static_cast<int>(sizeof kGprOrder);
    int best = -1;
    for (int i = 0; i < count; i++) {
      int r = order[i];
      if (limit[r] <= (forced ? last_must : pos + 1)) continue;
      if (best < 0 || cost[r] < cost[best] ||
          (cost[r] == cost[best] && distance[r] > distance[best]))
        best = r;
    }
    bool blocked = best < 0 || cost[best] >= kNever;
    if (!forced) {
      const UsePos* first = next_use(cur, pos, kShould);
      bool useless = !first || (best >= 0 && first->pos >= limit[best]);
      if (blocked || useless || score(cur, pos) <= cost[best]) {
        spill(cur, pos + 1);
        return false;
      }
    }
    if (blocked) {
      broken_ = true;
      return false;
    }
    // Cut the others.
    std::vector<Interval*> losers;
    for (Interval* it : active_[bank])
      if (it->reg == best) losers.push_back(it);
    for (Interval* it : losers) evict(it, cut, pos);
    losers.clear();
    for (auto [from, it] : inactive_[bank])
      if (from < cur->stop && it->reg == best && it->intersection(*cur, pos) != INT_MAX)
        losers.push_back(it);
    for (Interval* it : losers) {
      // In a hole: what follows is placed anew.
      Interval* rest = split(it, std::max(pos, it->start + 1));
      enqueue(rest);
    }
    cur->reg = static_cast<int8_t>(best);
    if (limit[best] < cur->stop) {
      int at = cut_before(limit[best], bank);
      if (at <= cur->start) at = limit[best];
      enqueue(split(cur, at));
    }
    return true;
  }

  void evict(Interval* it, int cut, int pos) {
    std::vector<Interval*>& act = active_[static_cast<int>(it->bank)];
    if (it->start >= cut) {  // begins here: it never had the register
      act.erase(std::find(act.begin(), act.end(), it));
      spill(it, pos + 1);
      return;
    }
    int last = it->start + 1;
    for (int u = 0; u < it->use_count && it->uses[u].pos < cut; u++) last = it->uses[u].pos + 1;
    int low = std::min(cut, round_up(last));
    int at = low < cut ? best_split(low, cut) : cut;
    if (at <= it->start) at = cut;
    if (at >= it->stop) return;  // in its last hole
    Interval* rest = split(it, at);
    if (rest->start > pos && !options_.spill_everything) {
      enqueue(rest);
    } else {
      spill(rest, pos + 1);
    }
    if (it->stop <= pos) act.erase(std::find(act.begin(), act.end(), it));
  }

  // ---- after the walk

  void assign_slots() {
    slot_.assign(fn_.vregs.size(), -1);
    struct Life {
      int start, stop;
      Vreg vreg;
    };
    std::vector<Life> lives;
    for (Vreg v = 0; v < intervals_.head.size(); v++) {
      bool spilled = false;
      int stop = 0;
      for (Interval* it = intervals_.head[v]; it; it = it->next) {
        spilled |= it->spilled;
        stop = it->stop;
      }
      if (spilled) lives.push_back({intervals_.head[v]->start, stop, v});
    }
    std::sort(lives.begin(), lives.end(), [](const Life& a, const Life& b) {
      return a.start != b.start ? a.start < b.start : a.vreg < b.vreg;
    });
    std::priority_queue<std::pair<int, int>, std::vector<std::pair<int, int>>, std::greater<>> busy;
    std::priority_queue<int, std::vector<int>, std::greater<>> open;
    for (const Life& life : lives) {
      while (!busy.empty() && busy.top().first <= life.start) {
        open.push(busy.top().second);
        busy.pop();
      }
      int slot;
      if (open.empty()) {
        slot = static_cast<int>(fn_.spill_count++);
      } else {
        slot = open.top();
        open.pop();
      }
      slot_[life.vreg] = slot;
      // A slot is never reused within the instruction that ends its life.
      busy.push({round_up(life.stop) + 4, slot});
    }
  }

  Loc loc_of(const Interval* it) const {
    Loc loc;
    if (it->spilled) {
      loc.kind = Loc::Slot;
      loc.slot = slot_[it->vreg];
    } else {
      loc.kind = it->bank == Bank::Xmm ? Loc::Xmm : Loc::Gpr;
      loc.reg = static_cast<uint8_t>(it->reg);
    }
    return loc;
  }
  std::vector<Piece>& pieces_ = fn_.pieces;
  std::vector<uint32_t>& first_piece_ = fn_.first_piece;
  Bits moving_{};  // by bit: registers with several pieces

  void collect_pieces() {
    moving_ = intervals_.bits();
    first_piece_.resize(intervals_.head.size() + 1);
    pieces_.reserve(order_ + intervals_.head.size());
    for (Vreg v = 0; v < intervals_.head.size(); v++) {
      first_piece_[v] = static_cast<uint32_t>(pieces_.size());
      for (const Interval* it = intervals_.head[v]; it; it = it->next)
        pieces_.push_back({it->start, it->stop, loc_of(it)});
      if (pieces_.size() > first_piece_[v] + 1 && intervals_.bit_of[v] != UINT32_MAX)
        moving_.set(intervals_.bit_of[v]);
    }
    first_piece_[intervals_.head.size()] = static_cast<uint32_t>(pieces_.size());
  }
  // In a hole: the piece behind it. Behind the end: the last.
  Loc loc_at(Vreg v, int pos) const { return fn_.loc_at(v, pos); }

  struct Pending {
    int key;   // position: order of the group
    int rank;  // among groups at one place
    Move move;
    float frequency;
    bool store;  // register to slot of the same value
    bool at_edge;
    bool after;
  };

  void resolve() {
    std::vector<Pending> pending;
    std::vector<float> store_cost(fn_.vregs.size());
    auto add = [&](int pos, int rank, Vreg v, Loc from, Loc to, float f, bool edge) {
      if (from == to) return;
      Move m;
      m.from = from;
      m.to = to;
      m.bank = fn_.vregs[v].bank;
      m.vreg = m.from_vreg = v;
      bool store = to.kind == Loc::Slot;
      if (store) store_cost[v] += f;
      pending.push_back({pos, rank, m, f, store, edge, false});
    };
    for (Vreg v = 0; v < intervals_.head.size(); v++)
      for (uint32_t i = first_piece_[v] + 1; i < first_piece_[v + 1]; i++) {
        int at = pieces_[i].start;
        if (pieces_[i - 1].stop != at) continue;
        const Block* b = intervals_.block_at(at);
        if (at == start_of(b)) continue;
        add(at & ~3, 1 + (at & 3), v, pieces_[i - 1].loc, pieces_[i].loc, b->frequency, false);
      }
    // The piece at the end of the block in hand; blocks come in order of position.
    std::vector<uint32_t> at(first_piece_.begin(), first_piece_.end() - 1);
    for (Block* b : fn_.blocks)
      for (Block* s : b->succs) {
        bool at_end = b->succs.size() == 1;
        if (!at_end && s->preds.size() != 1) broken_ = true;
        int pos = at_end ? end_of(b) - 4 : start_of(s);
        int rank = at_end ? 9 : 0;
        float f = at_end ? b->frequency : s->frequency;
        int end = end_of(b) - 1, start = start_of(s);
        for (size_t w = 0; w < intervals_.words; w++)
          for (uint64_t x = intervals_.live_in[s->id].words[w] & moving_.words[w]; x; x &= x - 1) {
            Vreg v = intervals_.vreg_of_bit[w * 64 + static_cast<size_t>(__builtin_ctzll(x))];
            uint32_t i = at[v];
            while (pieces_[i].stop <= end && i + 1 < first_piece_[v + 1]) i++;
            at[v] = i;
            if (start < pieces_[i].stop && (i == first_piece_[v] || start >= pieces_[i - 1].stop))
              continue;  // the same piece
            add(pos, rank, v, pieces_[i].loc, loc_at(v, start), f, at_end);
          }
        if (b->args.empty() && s->params.empty()) continue;
        if (!at_end || b->args.size() != s->params.size()) {
          broken_ = true;
          return;
        }
        for (size_t i = 0; i < b->args.size(); i++) {
          Operand& arg = b->args[i];
          Move m;
          m.to = loc_at(s->params[i], start_of(s));
          m.bank = fn_.vregs[s->params[i]].bank;
          m.vreg = s->params[i];
          if (arg.is_vreg()) {
            arg.loc = loc_at(arg.vreg, end_of(b) - 4);
            m.from = arg.loc;
            m.from_vreg = arg.vreg;
          } else {
            m.imm = arg.imm;
          }
          // Even from a place to itself: the checker must see the renaming.
          pending.push_back({pos, rank, m, f, false, at_end, false});
        }
      }
    // Store at the definition, or at every split?
    std::vector<uint8_t> at_definition(fn_.vregs.size());
    for (Vreg v = 0; v < intervals_.head.size(); v++) {
      if (slot_[v] < 0) continue;
      // Not always the first piece: a cold block may define what a hot one laid out before it uses.
      int at = intervals_.definition[v];
      Loc loc = loc_at(v, at);
      const Block* b = intervals_.block_at(at);
      if (loc.kind == Loc::Slot || options_.spill_everything || store_cost[v] >= b->frequency) {
        at_definition[v] = 1;
        if (loc.kind == Loc::Slot) continue;
        Move m;
        m.from = loc;
        m.to.kind = Loc::Slot;
        m.to.slot = slot_[v];
        m.bank = fn_.vregs[v].bank;
        m.vreg = m.from_vreg = v;
        bool param = (at & 3) == 0;
        pending.push_back({at & ~3, param ? 0 : 10, m, 0, false, false, !param});
      }
    }
    // By position and rank; moves made earlier first.
    std::vector<uint64_t> order;
    order.reserve(pending.size());
    for (size_t i = 0; i < pending.size(); i++) {
      const Pending& p = pending[i];
      if (p.store && at_definition[p.move.vreg]) continue;
      order.push_back((static_cast<uint64_t>(p.key) << 4 | static_cast<uint64_t>(p.rank)) << 32 |
                      i);
    }
    std::sort(order.begin(), order.end());
    fn_.move_list.resize(order.size());
    uint64_t group = UINT64_MAX;
    for (size_t i = 0; i < order.size(); i++) {
      const Pending& p = pending[order[i] & 0xffffffffu];
      fn_.move_list[i] = p.move;
      if (order[i] >> 32 != group) {
        group = order[i] >> 32;
        fn_.moves.push_back(
            {static_cast<uint32_t>(p.key / 4), p.after, p.at_edge, {&fn_.move_list[i], size_t{0}}});
      }
      std::span<Move>& moves = fn_.moves.back().moves;
      moves = {moves.data(), moves.size() + 1};
    }
  }

  void write_locations() {
    // Pieces are looked up from where the last look-up of the register ended.
    std::vector<uint32_t> at(first_piece_.begin(), first_piece_.end() - 1);
    auto find = [&](Operand& o, int pos) {
      uint32_t& i = at[o.vreg];
      while (pos >= pieces_[i].stop && i + 1 < first_piece_[o.vreg + 1]) i++;
      o.loc = pieces_[i].loc;
    };
    for (Block* b : fn_.blocks)
      for (uint32_t k = b->first; k < b->last; k++) {
        Inst& inst = fn_.insts[k];
        int p = 4 * static_cast<int>(k);
        auto early = [&](Operand& o) {
          if (o.is_vreg() && !o.late) find(o, p);
        };
        auto late = [&](Operand& o) {
          if (o.is_vreg() && o.late) find(o, p + 2);
        };
        for (Operand& o : inst.use) early(o);
        if (inst.call)
          for (Operand& o : inst.call->args) early(o);
        for (Operand& o : inst.temp)
          if (o.is_vreg()) find(o, p);
        for (Operand& o : inst.use) late(o);
        if (inst.def.is_vreg()) find(inst.def, p + 2);
      }
  }
};

}  // namespace

void allocate_registers(Function& function, const AllocationOptions& options) {
  LinearScan(function, options).run();
}

}  // namespace psyco::lir
