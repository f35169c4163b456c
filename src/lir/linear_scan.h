// Linear scan over SSA intervals. See linear_scan.cpp.
#pragma once
#include <string>

#include "lir/lir.h"

namespace psyco::lir {

struct AllocationOptions {
  bool spill_everything = false;
};

// Fills the locations of all operands, Function::moves and Function::spill_count.
void allocate_registers(Function& function, const AllocationOptions& options);

// Empty if every use reads the register that it names, whatever path was taken; else what is wrong.
std::string check_allocation(const Function& function);

}  // namespace psyco::lir
