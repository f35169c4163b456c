#include "analysis/effects.h"

#include <algorithm>

#include "ir/printer.h"
#include "support/mutants.h"

namespace psyco::analysis {

using ir::Effects;
using ir::Graph;
using ir::Heap;
using ir::HelperEffects;
using ir::Op;
using ir::Rep;
using ir::Value;

namespace {
constexpr int kFirstField = ir::kHeapCount;
constexpr int kMaxFields = 62 - kFirstField;

// The constant offset from an Object that an address stands for; for the table of a known
// dictionary one that belongs to it alone.
bool fixed_offset(const Value& address, int64_t imm, int64_t* offset) {
  if (address.rep == Rep::Object) {
    *offset = imm;
    return true;
  }
  if (ir::is_global_table(address)) {  // no object is so large
    *offset = static_cast<int64_t>(reinterpret_cast<uintptr_t>(address.input(0)->ptr)) + imm;
    return true;
  }
  if (address.op == Op::PtrAdd && ir::is_global_table(*address.input(0)) &&
      address.input(1)->op == Op::ConstI64) {
    int64_t base;
    fixed_offset(*address.input(0), imm, &base);
    *offset = base + address.imm + (address.input(1)->imm << address.shift);
    return true;
  }
  if (address.op != Op::PtrAdd || address.input(0)->rep != Rep::Object ||
      address.input(1)->op != Op::ConstI64)
    return false;
  *offset = imm + address.imm + (address.input(1)->imm << address.shift);
  return true;
}
}  // namespace

bool has_index(Op op) {
  switch (op) {
    case Op::LoadObjectAt:
    case Op::LoadI64At:
    case Op::LoadI32At:
    case Op::LoadU32At:
    case Op::LoadU16At:
    case Op::LoadU8At:
    case Op::LoadF64At:
    case Op::StoreObjectAt:
    case Op::StoreI64At:
    case Op::StoreU8At:
    case Op::StoreU16At:
    case Op::StoreI32At:
    case Op::StoreF64At:
      return true;
    default:
      return false;
  }
}
bool is_load(const Value& value) { return value.op >= Op::LoadObject && value.op <= Op::LoadF64At; }
bool is_object_load(const Value& value) {
  return value.op == Op::LoadObject || value.op == Op::LoadObjectAt;
}
bool is_update(const Value& value) {
  return value.op == Op::UpdateFloatSlot || value.op == Op::UpdateIntSlot;
}
bool is_store(const Value& value) { return ir::op_info(value.op).effects == Effects::Writes; }
bool is_release(const Value& value) {
  return value.op == Op::Release || value.op == Op::ReleaseNullable ||
         value.op == Op::ReleasePlain || value.op == Op::ReleasePlainNullable;
}
bool is_retain(const Value& value) {
  return value.op == Op::Retain || value.op == Op::RetainNullable;
}
bool is_constant(const Value& value) {
  return value.op == Op::ConstObject || value.op == Op::ConstNull || value.op == Op::ConstI64 ||
         value.op == Op::ConstF64 || value.op == Op::ConstBool || value.op == Op::ConstPtr;
}
bool is_guard(const Value& value) {
  return ir::op_info(value.op).effects == Effects::Exits && value.rep == Rep::None;
}
bool only_inspects(const Value& value) {
  switch (value.op) {
    case Op::IsSame:
    case Op::IsNull:
    case Op::HasType:
    case Op::GuardType:
    case Op::GuardIs:
    case Op::GuardNotNull:
    case Op::GuardNull:
    case Op::UnboxInt:
    case Op::UnboxFloat:
    case Op::UnboxBool:
    case Op::PtrAdd:
      return true;
    default:
      return is_load(value);
  }
}

Cells::Cells(const Graph& graph) {
  for (const ir::Block* block : graph.blocks)
    for (const Value* value : block->values) {
      int64_t offset;
      if (value->heap == Heap::Attributes && !value->inputs.empty() && !has_index(value->op) &&
          fixed_offset(*value->input(0), value->imm, &offset))
        offsets_.push_back(offset);
    }
  std::sort(offsets_.begin(), offsets_.end());
  offsets_.erase(std::unique(offsets_.begin(), offsets_.end()), offsets_.end());
  if (offsets_.size() > static_cast<size_t>(kMaxFields)) offsets_.resize(kMaxFields);
  attributes_ = cell(Heap::Attributes);
  for (size_t i = 0; i < offsets_.size(); i++) attributes_ |= CellMask{1} << (kFirstField + i);
}

CellMask Cells::field(int64_t offset) const {
  auto found = std::lower_bound(offsets_.begin(), offsets_.end(), offset);
  if (found == offsets_.end() || *found != offset) return 0;
  return CellMask{1} << (kFirstField + (found - offsets_.begin()));
}

CellMask Cells::slot(const Value& value) const {
  int64_t offset;
  if (has_index(value.op) || !fixed_offset(*value.input(0), value.imm, &offset)) return 0;
  return field(offset);
}

CellMask Cells::reads(const Value& value) const {
  if (value.op == Op::HasType) return kTypes;
  if (value.op == Op::GuardType) return value.imm == 1 ? 0 : kTypes;
  if (!is_load(value)) return 0;
  if (value.heap == Heap::None) return ~CellMask{0};
  if (value.heap != Heap::Attributes) return cell(value.heap);
  CellMask one = slot(value);
  return one ? one : cell(Heap::Attributes);
}

CellMask Cells::writes(const Value& value) const {
  if (ir::runs_python(value)) return ~kImmutable;
  switch (ir::op_info(value.op).effects) {
    case Effects::Writes: {
      if (mutants::kBuilt && mutants::chosen("heap", ir::heap_name(value.heap))) return 0;
      CellMask extra = is_update(value) ? cell(Heap::Numbers) : 0;
      if (is_update(value) && (value.heap == Heap::None || value.heap == Heap::Numbers))
        return extra | cell(Heap::ListItems) | attributes_;  // whose slot it is was not said
      if (value.heap == Heap::None) return ~CellMask{0};
      if (value.heap != Heap::Attributes) return cell(value.heap) | extra;
      // Reads of unknown fields look at the class's own bit, so every write sets it.
      CellMask one = slot(value);
      return extra | (one ? one | cell(Heap::Attributes) : attributes_);
    }
    case Effects::Python:
      if (value.op == Op::CallHelper) {
        if (ir::helper_info(value.helper).effects != HelperEffects::Writes) return 0;
        if (value.helper == ir::Helper::list_append)
          return cell(Heap::ListShape) | cell(Heap::ListItems);
      }
      return ~kImmutable;
    case Effects::Pure:
    case Effects::Exits:
    case Effects::Reads:
    case Effects::ReadsExits:
    case Effects::Allocates:
    case Effects::Ref:
    case Effects::Control:
    case Effects::Fixed:
      return 0;
  }
  return 0;
}

CellMask Cells::number_writes(const Value& value) const {
  return is_update(value) ? writes(value) : 0;
}

}  // namespace psyco::analysis
