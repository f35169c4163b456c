// The back end's only entry point: a finished graph goes in, installed machine code comes out.
//
// Fed by driver/. Assumes a verified graph. Never touches the interpreter, so it may run without
// the GIL; one compilation at a time per CodeMemory is cheapest, several are safe.
#pragma once
#include <string>

#include "emit/abi.h"
#include "emit/code_memory.h"
#include "ir/graph.h"

namespace psyco {

struct BackendOptions {
  bool spill_everything = false;      // stress: every value goes to its slot after its definition
  bool verify = true;                 // run the allocation checker
  uint32_t exit_every = 0;            // stress: every n-th guard in program order always exits
  int32_t* exit_countdown = nullptr;  // stress: every guard counts it down, and exits at 0
  bool want_listing = false;          // fill the listings of the result
  bool allow_avx = true;              // tests switch it off to cover the SSE2 forms
};

struct BackendResult {
  CompiledCode* code =
      nullptr;  // null: see error. The caller owns it: CodeMemory::free, then delete
  const char* error = nullptr;   // static text; the function is not compiled
  bool out_of_memory = false;    // of code memory: it may work later
  std::string lir_listing;       // LIR with locations
  std::string assembly_listing;  // "offset: hex" per instruction, and what it belongs to
};

BackendResult compile_graph(ir::Graph& graph, const TargetLayout& layout,
                            const RuntimeTable& runtime, CodeMemory& memory,
                            const BackendOptions& options);

// A C function for the vectorcall slot of functions whose code has these versions: it enters the
// first one that the arguments fit. Without code: there is no memory.
EntryStub make_entry(const std::vector<EntryWay>& ways, const TargetLayout& layout,
                     const RuntimeTable& runtime, CodeMemory& memory);
void free_entry(EntryStub stub, CodeMemory& memory);

}  // namespace psyco
