// What Op::CallNative calls.
#pragma once
#include <cstdint>
#include <string>

namespace psyco {

struct CompiledCode;

// One per function and way to call it; made and linked by the driver. Read by the stub call_native.
struct LinkCell {
  const uint8_t* body = nullptr;  // null: not linked, the call is made in the general way
  CompiledCode* code = nullptr;
  void* function = nullptr;     // borrowed: callers keep it alive
  void** monitoring = nullptr;  // address of the code object's local events
  uint32_t record_bytes = 0;    // of an activation with its frames
  uint32_t misfits = 0;         // results that were not as predicted
  bool misfit = false;          // results are of changing kinds: expect objects
  char result = 'o';            // what callers expect: i, d or o
  std::string signature;        // a letter for each parameter: i (number, box), d (number, box), o
};

}  // namespace psyco
