// Where each virtual register is alive and used: what linear scan gives places to.
//
// Made from LIR in emission order, whose positions lir.h explains. An interval begins as one for
// each register; the allocator splits it, each part then having a place of its own.
#pragma once
#include <algorithm>
#include <climits>
#include <cstdint>
#include <vector>

#include "lir/lir.h"

namespace psyco::lir {

inline int start_of(const Block* b) { return 4 * static_cast<int>(b->first); }
inline int end_of(const Block* b) { return 4 * static_cast<int>(b->last); }

struct Range {
  int from, to;
};
enum UseKind : uint8_t { kWeak, kShould, kMust };
struct UsePos {
  int pos;
  UseKind kind;
  float frequency;
};

struct Interval {
  Vreg vreg;
  Bank bank;
  int8_t reg = -1;
  bool spilled = false;
  int start = 0, stop = 0;  // ranges and uses are clipped to this
  Range* ranges = nullptr;
  int range_count = 0, cursor = 0;
  UsePos* uses = nullptr;
  int use_count = 0;
  Interval* next = nullptr;  // the same register later
  int until = 0;             // active: its range goes on to here
  uint32_t order = 0;

  bool covers(int pos) const {
    if (pos < start || pos >= stop) return false;
    for (int i = cursor; i < range_count; i++) {
      if (ranges[i].from > pos) return false;
      if (pos < ranges[i].to) return true;
    }
    return false;
  }
  void advance(int pos) {
    while (cursor + 1 < range_count && ranges[cursor].to <= pos) cursor++;
  }
  // First position in both, at or after pos; INT_MAX if none.
  int intersection(const Interval& o, int pos) const {
    int i = cursor, j = o.cursor;
    while (i < range_count && j < o.range_count) {
      int from = std::max({ranges[i].from, o.ranges[j].from, start, o.start, pos});
      int end = std::min(stop, o.stop);
      if (from >= end) return INT_MAX;
      if (from < ranges[i].to && from < o.ranges[j].to) return from;
      if (ranges[i].to < o.ranges[j].to)
        i++;
      else
        j++;
    }
    return INT_MAX;
  }
};

struct Bits {
  uint64_t* words;
  void set(uint32_t i) { words[i >> 6] |= uint64_t{1} << (i & 63); }
  bool test(uint32_t i) const { return words[i >> 6] >> (i & 63) & 1; }
};

// What an instruction destroys, by bank.
struct Clobber {
  int pos;
  uint32_t mask[2];
};

class Intervals {
 public:
  explicit Intervals(Function& fn) : fn_(fn) {}
  void build() {
    find_liveness();
    collect();
  }

  Arena arena;                   // of the intervals
  size_t words = 0;              // of a set of registers
  std::vector<Bits> live_in;     // by block
  std::vector<uint32_t> bit_of;  // by vreg; UINT32_MAX: lives in one block only
  std::vector<Vreg> vreg_of_bit;
  std::vector<Interval*> head;    // by vreg; null: no life
  std::vector<float> weight;      // by vreg: sum of the uses' frequencies
  std::vector<int> definition;    // by vreg: its position
  std::vector<Clobber> clobbers;  // by position

  // A set of registers that live across blocks.
  Bits bits() { return {arena.array<uint64_t>(words)}; }
  const Block* block_at(int pos) const {
    size_t inst = std::min(static_cast<size_t>(pos / 4), block_of_.size() - 1);
    return fn_.blocks[block_of_[inst]];
  }

 private:
  Function& fn_;
  std::vector<uint32_t> block_of_;  // by instruction

  void find_liveness();
  void collect();
};

}  // namespace psyco::lir
