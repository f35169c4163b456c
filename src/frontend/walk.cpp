// The order of the walk: bytecode order, loops again from their heads. For inlined callees see
// inlining.cpp.
#include <algorithm>

#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/merge.h"
#include "ir/link_cell.h"

namespace psyco {

using ir::Block;
using ir::Op;
using ir::Reason;
using ir::SlotKind;
using ir::Value;

namespace {

// It can see by name which of its variables are one object, however little it does with them.
bool shows_its_variables(const PyCodeObject* code) {
  constexpr const char* kReaders[] = {"locals",    "vars",         "eval",    "exec",
                                      "_getframe", "currentframe", "f_locals"};
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_names); i++)
    for (const char* reader : kReaders)
      if (PyUnicode_EqualToUTF8(PyTuple_GET_ITEM(code->co_names, i), reader)) return true;
  return false;
}

std::vector<Use> uses_in(const DecodedCode& decoded, PyCodeObject* code) {
  std::vector<Use> uses = local_uses(decoded, code->co_nlocalsplus);
  if (shows_its_variables(code)) std::fill(uses.begin(), uses.end(), Use::Object);
  return uses;
}

constexpr int kMaxRebuilds = 120;  // each settles a loop, or a step of one
}  // namespace

const std::vector<Use>& Builder::uses_of(PyCodeObject* code) {
  const auto [it, fresh] = uses_.try_emplace(code);
  if (!fresh) return it->second;
  const DecodedCode decoded = decode(code);
  if (decoded.ok) return it->second = uses_in(decoded, code);
  return it->second = std::vector<Use>(static_cast<size_t>(code->co_nlocalsplus), Use::Object);
}

BuildResult build_graph(const CompileRequest& request, std::unique_ptr<ir::Graph>& graph) {
  HeadMemory heads;
  std::vector<std::unique_ptr<DecodedCode>> codes;
  char own_result = 'o';
  bool tried_result = false;
  // A name taken for a constant before code was walked in place that stores it.
  auto contradicted = [&request](const BuildResult& result) {
    return std::any_of(result.assumptions.begin(), result.assumptions.end(), [&](const auto& a) {
      return a.kind == Assumption::DictValue && request.feedback->is_variable(a.object, a.key);
    });
  };
  for (int attempt = 0; attempt < kMaxRebuilds; attempt++) {
    BuildResult result;
    result.codes = std::move(codes);
    graph = std::make_unique<ir::Graph>();
    Builder builder(request, *graph, heads, result, own_result);
    builder.build();
    result.rebuilds = attempt;
    if (builder.too_large()) {
      result.ok = false;
      result.reason = Reason::TooManyVariables;
      return result;
    }
    if (!builder.restart() && !contradicted(result)) {
      // Recursive: once more, counting on what it was seen to return.
      if (!result.ok || !result.calls_itself || tried_result || result.result_kind() == own_result)
        return result;
      tried_result = true;
      own_result = request.feedback->native_cell(request.function, builder.own_signature())->misfit
                       ? 'o'
                       : result.result_kind();
      if (own_result == 'o') return result;
    }
    codes = std::move(result.codes);
  }
  BuildResult failed;
  failed.reason = Reason::Internal;
  return failed;
}

Context* Builder::new_context(PyCodeObject* code, PyFunctionObject* function, PyObject* globals,
                              PyObject* builtins, Context* caller, int call_bci) {
  auto context = std::make_unique<Context>();
  DecodedCode* decoded = nullptr;
  for (auto& known : result_.codes)
    if (known->code == code) decoded = known.get();
  if (!decoded) {
    result_.codes.push_back(std::make_unique<DecodedCode>(decode(code)));
    decoded = result_.codes.back().get();
  }
  if (!decoded->ok) return nullptr;
  context->decoded = decoded;
  context->code = code;
  context->function = function;
  context->function_value = nullptr;
  context->globals = globals;
  context->builtins = builtins;
  context->caller = caller;
  context->globals_are_locals = !caller && request_.locals && request_.locals == globals;
  context->has_class_cell = shapes::has_class_cell(code);
  context->has_hidden_locals = !(code->co_flags & CO_OPTIMIZED) && code->co_nlocalsplus > 0;
  context->feedback = request_.feedback->for_code(code);
  context->path = caller ? caller->path * 1000003u + static_cast<uint64_t>(call_bci) + 1 : 1;
  // Several functions may be walked at one call.
  if (caller) context->path ^= reinterpret_cast<uintptr_t>(code);
  context->depth = caller ? caller->depth + 1 : 0;
  ir::FrameInfo* info = graph_.arena.make<ir::FrameInfo>();
  info->code = code;
  info->index = static_cast<uint32_t>(graph_.frames.size());
  info->nlocals = code->co_nlocalsplus;
  info->nstack = code->co_stacksize;
  info->caller = caller ? static_cast<int32_t>(caller->info->index) : -1;
  info->name = PyUnicode_AsUTF8(code->co_qualname);
  graph_.frames.push_back(graph_.arena, info);
  context->info = info;
  keep(reinterpret_cast<PyObject*>(code));
  analyze_code(*context);
  expect_stores(request_, *context);
  context->uses = uses_in(*decoded, code);
  contexts_.push_back(std::move(context));
  return contexts_.back().get();
}

// Reachability without exception edges, and the extent of loops.
void Builder::analyze_code(Context& context) {
  const std::vector<Bytecode>& list = context.decoded->list;
  size_t n = list.size();
  context.reachable.assign(n, 0);
  context.loop_end.assign(n, -1);
  context.pending.resize(n);
  for (const Bytecode& bc : list) context.warm |= bc.heat == Heat::Hot || bc.heat == Heat::Failed;
  std::vector<int> work{0};
  if (request_.kind == ir::EntryKind::Osr && context.depth == 0) work.push_back(request_.osr_index);
  while (!work.empty()) {
    int i = work.back();
    work.pop_back();
    if (i < 0 || i >= static_cast<int>(n) || context.reachable[i]) continue;
    context.reachable[i] = 1;
    const Bytecode& bc = list[i];
    if (bc.target >= 0) work.push_back(bc.target);
    if (!(neutral_flags(bc.op) & kEndsBlock)) work.push_back(i + 1);
  }
  for (size_t i = 0; i < n; i++)
    if (context.reachable[i] && list[i].op == NeutralOp::LoopBack && list[i].target >= 0)
      context.loop_end[list[i].target] =
          std::max(context.loop_end[list[i].target], static_cast<int>(i));
  // `continue` in a while loop jumps to the test before the loop, whose own test is at its end: the
  // outer head's last jump then lies within the loop, which belongs to it as a whole.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t h = 0; h < n; h++)
      for (int i = static_cast<int>(h) + 1; i <= context.loop_end[h]; i++)
        if (context.loop_end[i] > context.loop_end[h]) {
          context.loop_end[h] = context.loop_end[i];
          changed = true;
        }
  }
}

void Builder::walk_function(Context& context, int start, std::vector<Edge> entry) {
  int end = static_cast<int>(context.decoded->list.size());
  if (entry.empty()) return;
  for (Edge& edge : entry) context.pending[start].push_back(std::move(edge));
  if (context.depth > 0 || request_.kind == ir::EntryKind::Call) {
    walk_range(context, start, end);
    return;
  }
  // Entered at a loop head: the loops around it, inner to outer. Each is first finished from here
  // (the rest of its current iteration), then walked whole from its head.
  std::vector<std::pair<int, int>> around;
  for (int h = start; h >= 0; h--)
    if (context.loop_end[h] >= start) around.push_back({h, context.loop_end[h] + 1});
  int from = start;
  for (size_t k = 0; k < around.size(); k++) {
    auto [head, stop] = around[k];
    if (head != start) {
      walk_range(context, from, stop);
      if (!context.pending[head].empty()) walk_range(context, head, stop);
    } else {
      walk_range(context, start, stop);
    }
    from = stop;
    if (restart_) return;
  }
  walk_range(context, from, end);
  // Code of handlers lies behind all else and jumps back from there, perhaps into a loop. It is met
  // only behind a loop inside of it.
  for (int i = 0; i < end && !restart_; i++) {
    if (context.pending[i].empty()) continue;
    walk_range(context, i, end);
    i = -1;
  }
}

void Builder::walk_range(Context& context, int start, int end) {
  const std::vector<Bytecode>& list = context.decoded->list;
  for (int i = start; i < end && !restart_; i++) {
    if (context.pending[i].empty()) continue;
    std::vector<Edge> edges = std::move(context.pending[i]);
    context.pending[i].clear();
    if (context.loop_end[i] >= 0 && wants_peeling(context, i)) {
      // The first iteration as straight code, then the loop from what its back edges bring.
      context.peeling = i;
      context.pending[i] = std::move(edges);
      walk_range(context, i, context.loop_end[i] + 1);
      context.peeling = -1;
      if (restart_) return;
      edges = std::move(context.pending[i]);
      context.pending[i].clear();
      if (edges.empty()) continue;
    }
    if (context.loop_end[i] >= 0 && context.peeling != i)
      loop_head(context, i, edges);
    else
      merge_here(edges, list[i].bci);
    if (cur_ && never_ran(context, i)) {
      raw_bci_ = list[i].bci;
      before_locals_ = st_.top().locals;
      before_stack_ = st_.top().stack;
      deopt(Reason::NeverRun);
      continue;
    }
    int j = i;
    for (; cur_ && !restart_; j++) {
      if (j > i && (context.decoded->leader[j] || j >= end)) {
        context.pending[j].push_back({cur_, st_});
        cur_ = nullptr;
        break;
      }
      const Bytecode& bc = list[j];
      bc_ = &bc;
      if (bc.first_of_raw) {
        raw_bci_ = bc.bci;
        int k = j + 1;
        while (k < static_cast<int>(list.size()) && !list[k].first_of_raw) k++;
        raw_next_ = k < static_cast<int>(list.size()) ? list[k].bci : bc.bci;
        before_locals_ = st_.top().locals;
        before_stack_ = st_.top().stack;
      }
      result_.walked++;
      if (too_large()) {
        restart_ = true;  // build_graph tells why
        return;
      }
      lower(bc);
      if (cur_ && bc.last_of_raw) {
        half_ = false;
        flush_drops(raw_next_);
      } else if (cur_ && bc.op == NeutralOp::StoreLocal) {
        begin_second_half();
      }
      if (!cur_) drops_.clear(), python_ran_ = false;
    }
  }
}

// A block is cold if the function is warm, some instruction of the block keeps a counter, and no
// counter ever moved. Reached all the same, it is noted in the feedback and compiled the next time.
// (The first block may have run natively only; that it is walked says that it runs.)
bool Builder::never_ran(Context& context, int index) {
  const std::vector<Bytecode>& list = context.decoded->list;
  if (index == 0 || !context.warm || !list[index].first_of_raw ||
      context.feedback->sites[list[index].bci].reached)
    return false;
  bool cold = false;
  for (size_t i = static_cast<size_t>(index); i < list.size(); i++) {
    if (static_cast<int>(i) > index && context.decoded->leader[i]) break;
    if (list[i].heat == Heat::Cold)
      cold = true;
    else if (list[i].heat != Heat::Unknown)
      return false;
    if (neutral_flags(list[i].op) & kEndsBlock) break;
  }
  return cold;
}

// Only innermost loops: the copies of nested ones would multiply.
bool Builder::may_peel(Context& context, int index) {
  if (context.loop_end[index] - index > 150) return false;
  for (int i = index + 1; i <= context.loop_end[index]; i++)
    if (context.loop_end[i] >= 0) return false;
  return !heads_memory_[{context.path, index, kPeelSlot}].phi;
}

bool Builder::wants_peeling(Context& context, int index) {
  if (context.peeling == index) return false;
  auto it = heads_memory_.find({context.path, index, kPeelSlot});
  return it != heads_memory_.end() && it->second.phi;
}

void Builder::lower(const Bytecode& bc) {
  switch (bc.op) {
#define NEUTRAL(name, pops, pushes, flags, text) \
  case NeutralOp::name:                          \
    lower_##name(*this, bc);                     \
    break;
#include "cpython/neutral.def"
#undef NEUTRAL
  }
}

void Builder::jump_to(int index) {
  Context& context = this->context();
  flush_drops(context.decoded->list[index].bci);
  context.pending[index].push_back({cur_, st_});
  cur_ = nullptr;
}

void Builder::split(Value* condition, Edge* if_true, Edge* if_false) {
  Value* branch = emit(Op::Branch, {condition});
  (void)branch;
  Block* from = cur_;
  if_true->block = graph_.new_block();
  if_false->block = graph_.new_block();
  graph_.connect(from, if_true->block);
  graph_.connect(from, if_false->block);
  if_true->state = st_;
  if_false->state = st_;
  cur_ = nullptr;
}

void Builder::branch(Value* condition, int true_index, int false_index) {
  Context& context = this->context();
  if (condition->op == Op::ConstBool) {
    jump_to(condition->imm ? true_index : false_index);
    return;
  }
  Edge edges[2];
  split(condition, &edges[0], &edges[1]);
  std::vector<AVId> drops = drops_;
  bool ran = python_ran_;
  int targets[2] = {true_index, false_index};
  for (int k = 0; k < 2; k++) {
    cur_ = edges[k].block;
    st_ = std::move(edges[k].state);
    drops_ = drops;
    python_ran_ = ran;
    flush_drops(context.decoded->list[targets[k]].bci);
    context.pending[targets[k]].push_back({cur_, st_});
  }
  cur_ = nullptr;
}

// A number that has no object for certain: the caller may want it as it is. Constants beyond the
// cached ints have an identity.
bool Builder::returns_number(AVId id) {
  const AV& a = av(id);
  if (request_.kind != ir::EntryKind::Call ||
      (a.kind != SlotKind::Int && a.kind != SlotKind::Float))
    return false;
  if (!a.not_null) return false;
  if (a.constant) return is_cached(a);
  if (!a.box || a.box->op == Op::ConstNull) return true;
  if (!a.box->nullable()) return false;
  return true;
}

void Builder::return_value(AVId id) {
  Context& context = this->context();
  if (context.depth == 0) {
    if (request_.kind == ir::EntryKind::Osr) {
      // The interpreter's frame is still there: it executes the return itself.
      push(id);
      Value* leave = emit(Op::Deopt, {}, capture(raw_bci_));
      leave->reason = Reason::LoopDone;
      cur_ = nullptr;
      return;
    }
    const bool number = returns_number(id);
    if (!number) force(id);
    // The frame is gone; its locals die one by one, then the value is handed over. RETURN_CONST has
    // no operand on the stack.
    bool operand = bc_->first_of_raw;
    if (operand) push(id);
    const size_t count = st_.top().locals.size();
    for (size_t i = 0; i < count; i++) {
      AVId& place = st_.top().locals[Port::kLocalsDieLastFirst ? count - 1 - i : i];
      const AVId local = place;
      if (av(local).kind == SlotKind::Null) continue;
      place = null_av();
      drop(local);
      flush_drops(raw_bci_, kFrameGone);
      restart_ |= too_large();
      if (!cur_ || restart_) return;
    }
    if (operand) pop();
    if (number) {
      const AV& a = av(id);
      Value* box = a.box && !a.constant ? a.box : const_null();
      // Its own reference goes along; otherwise one is made.
      if (!box->owned() && box->op != Op::ConstNull) emit(Op::RetainNullable, {box});
      emit(Op::ReturnNumber, {a.value, box});
      (a.kind == SlotKind::Int ? result_.int_returns : result_.float_returns)++;
      cur_ = nullptr;
      return;
    }
    Value* object;
    consume(id, object);
    emit(Op::Return, {object});
    cur_ = nullptr;
    return;
  }
  const ir::Continuation cont = st_.frames[st_.frames.size() - 2].cont;
  if (cont == ir::Continuation::Init && av(id).constant != Py_None)
    return deopt(Reason::Unsupported);  // raises TypeError
  if (cont == ir::Continuation::Operator) {
    // Raises TypeError, back in the caller.
    if (av(id).constant == Py_NotImplemented) return deopt(Reason::Unsupported);
    if (av(id).kind == SlotKind::Object && !type_of(id))
      guard(Op::GuardFalse, emit(Op::IsSame, {av(id).value, const_object(Py_NotImplemented)}),
            Reason::Unsupported);
  }
  std::vector<AVId> locals = st_.top().locals;
  st_.frames.pop_back();
  std::vector<AVId> operands;
  for (int i = context.operands; i > 0; i--) operands.push_back(peek(i));
  for (int i = context.operands; i > 0; i--) pop();
  if (cont == ir::Continuation::Push || cont == ir::Continuation::Operator) push(id);
  // Of the callee first, then of the caller's instruction.
  if (Port::kLocalsDieLastFirst) std::reverse(locals.begin(), locals.end());
  drops_.insert(drops_.end(), locals.begin(), locals.end());
  if (cont == ir::Continuation::Drop) drops_.push_back(id);
  if (context.operands_die_top_first) std::reverse(operands.begin(), operands.end());
  drops_.insert(drops_.end(), operands.begin(), operands.end());
  if (context.owns_function) drop(object_av(context.function_value, &PyFunction_Type));
  int bci = caller_next_bci_.back();
  flush_drops(bci, st_.top().call_bci);
  context.returns.push_back({cur_, st_});
  cur_ = nullptr;
}

}  // namespace psyco
