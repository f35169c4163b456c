// What an op reads, writes and may free, in cells: one bit per heap class, and one per field offset
// of instances, so that storing obj.x does not kill what is known of obj.y.
//
// Two accesses conflict if their masks share a bit. Field offsets are told apart only where the
// base is an Object (two objects never overlap, and one object's fields lie where they lie); the
// rest of Heap::Attributes conflicts with all of them.
#pragma once
#include <cstdint>
#include <vector>

#include "ir/graph.h"
#include "ir/known_types.h"

namespace psyco::analysis {

using CellMask = uint64_t;
constexpr int kCellCount = 64;

class Cells {
 public:
  explicit Cells(const ir::Graph& graph);

  // Of a load, HasType or GuardType. Zero: reads nothing that can change. Cells that a value was
  // loaded from are the same mask.
  CellMask reads(const ir::Value& value) const;
  CellMask writes(const ir::Value& value) const;
  // The part of writes() that only ever replaces an exact float or int by another one.
  CellMask number_writes(const ir::Value& value) const;

  static constexpr CellMask cell(ir::Heap heap) { return CellMask{1} << static_cast<int>(heap); }
  static constexpr CellMask kTypes = CellMask{1} << 63;  // ob_type of instances of heap types
  // Survives anything, Python code included.
  static constexpr CellMask kImmutable = (CellMask{1} << static_cast<int>(ir::Heap::TupleItems)) |
                                         (CellMask{1} << static_cast<int>(ir::Heap::Constant));

 private:
  CellMask field(int64_t offset) const;
  CellMask slot(const ir::Value& address) const;  // Attributes only
  std::vector<int64_t> offsets_;                  // sorted
  CellMask attributes_ = 0;                       // every attribute bit
};

// An op that reads memory through its first input.
bool is_load(const ir::Value& value);
bool is_object_load(const ir::Value& value);
bool is_store(const ir::Value& value);
bool is_update(const ir::Value& value);
bool is_release(const ir::Value& value);
bool is_retain(const ir::Value& value);
bool is_constant(const ir::Value& value);
// A load or store whose input 1 is an index.
bool has_index(ir::Op op);
// Only looks at its object inputs and keeps nothing: guards, loads, unboxing, comparisons.
bool only_inspects(const ir::Value& value);
// A guard or check without a result.
bool is_guard(const ir::Value& value);

}  // namespace psyco::analysis
