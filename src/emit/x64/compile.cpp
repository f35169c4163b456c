// compile_graph: select, allocate, check, encode, install.

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "emit/x64/emitter.h"
#include "lir/linear_scan.h"
#include "lir/select/select.h"

namespace psyco {

namespace {

// Where a body is encoded. Large, for what it might need, and little of it is used: kept, since to
// get so much from the system and give it back each time would cost, and change how the C library
// treats the program's own large blocks.
uint8_t* scratch(size_t size) {
  static thread_local std::unique_ptr<uint8_t[]> kept;
  static thread_local size_t kept_size = 0;
  if (size > kept_size) {
    kept_size = std::max<size_t>(size, 256 * 1024);
    kept.reset(new (std::nothrow) uint8_t[kept_size]);
    if (!kept) kept_size = 0;
  }
  return kept.get();
}

}  // namespace

BackendResult compile_graph(ir::Graph& graph, const TargetLayout& layout,
                            const RuntimeTable& runtime, CodeMemory& memory,
                            const BackendOptions& options) {
  BackendResult result;
  auto fail = [&](const char* why) {
    result.error = why;
    return std::move(result);
  };
  if (memory.error()) return fail(memory.error());
  const Stubs* stubs = memory.stubs(layout, runtime);
  if (!stubs) return fail("the code memory is full");

  // xbyak's own Cpu asks for much more: each question leaves a virtual machine.
  const bool avx = options.allow_avx && __builtin_cpu_supports("avx");
  const bool bmi2 = options.allow_avx && __builtin_cpu_supports("bmi2");
  lir::Function function;
  lir::TargetFacts facts{};
  facts.activation_args = x64::kArgs;
  facts.activation_function = x64::kFunction;
  facts.float_value = layout.float_value;
  facts.true_object = layout.true_object;
  facts.false_object = layout.false_object;
  facts.has_bmi2 = bmi2;
  lir::select(graph, facts, function);
  if (function.error) return fail(function.error);

  lir::allocate_registers(function, {options.spill_everything});
  if (function.error) return fail(function.error);
  if (options.want_listing) result.lir_listing = lir::print(function);
  if (options.verify) {
    std::string wrong = lir::check_allocation(function);
    if (!wrong.empty()) {
      result.lir_listing = wrong + "\n" + lir::print(function);
      return fail("internal: the register allocation is wrong");
    }
  }

  size_t args = 0;
  for (const lir::Inst& inst : function.insts)
    if (inst.call) args += inst.call->args.size();
  size_t size = 4096 + function.insts.size() * 288 + function.move_list.size() * 32 + args * 32;
  uint8_t* buffer = scratch(size);
  if (!buffer) return fail("out of memory");
  auto emitter =
      std::make_unique<x64::Emitter>(graph, function, *stubs, options, avx, bmi2, size, buffer);
  emitter->run();
  const char* error = emitter->error();
  if (!error && Xbyak::GetError()) {
    error = "internal: the assembler refused an instruction";
    if (options.want_listing) result.lir_listing += Xbyak::ConvertErrorToString(Xbyak::GetError());
  }
  Xbyak::ClearError();
  if (!error && emitter->hasUndefinedLabel()) error = "internal: a label without a place";
  CodeMemory::Chunk chunk;
  if (!error) {
    chunk = memory.allocate(emitter->getSize());
    result.out_of_memory = !chunk.rx;
    if (!chunk.rx) error = "the code memory is full";
  }
  if (!error) {
    emitter->apply_fixups(buffer, chunk.rx);
    memory.write(chunk, 0, buffer, emitter->getSize());
    CompiledCode* code = new CompiledCode;
    code->entry = chunk.rx;
    code->size = emitter->getSize();
    code->spill_count = emitter->slots_used();
    code->entry_kind = graph.entry_kind;
    for (const ir::FrameInfo* f : graph.frames)
      code->frames.push_back({f->code, f->nlocals, f->nstack, f->caller});
    emitter->records().finish(*code);
    result.code = code;
    if (options.want_listing) result.assembly_listing = emitter->listing();
  }
  result.error = error;
  return result;
}

}  // namespace psyco
