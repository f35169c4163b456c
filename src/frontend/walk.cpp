// The order of the walk: bytecode order, loops again from their heads. For inlined callees see
// inlining.cpp.
#include <algorithm>

#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "ir/link_cell.h"

namespace psyco {

using ir::Block;
using ir::Op;
using ir::Reason;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

namespace {
constexpr int kMaxRebuilds = 40;
}  // namespace

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
  context->uses = local_uses(*decoded, info->nlocals);
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

// Which locals may still be read, by a backward pass over the list, exception edges included. Rows
// of bits.
void Builder::find_live(Context& context) {
  const std::vector<Bytecode>& list = context.decoded->list;
  const size_t n = list.size();
  const size_t words = (static_cast<size_t>(context.info->nlocals) + 63) / 64 + 1;
  context.live_words = words;
  context.live.assign(n * words, 0);
  std::vector<uint64_t> in(words);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = n; i-- > 0;) {
      const Bytecode& bc = list[i];
      std::fill(in.begin(), in.end(), 0);
      auto join = [&](int j) {
        if (j < 0 || j >= static_cast<int>(n)) return;
        const uint64_t* there = &context.live[static_cast<size_t>(j) * words];
        for (size_t w = 0; w < words; w++) in[w] |= there[w];
      };
      if (!(neutral_flags(bc.op) & kEndsBlock)) join(static_cast<int>(i) + 1);
      if (bc.target >= 0) join(bc.target);
      const uint64_t bit = uint64_t{1} << (static_cast<size_t>(bc.arg) % 64);
      switch (bc.op) {
        case NeutralOp::StoreLocal:
          in[static_cast<size_t>(bc.arg) / 64] &= ~bit;
          break;
        case NeutralOp::LoadLocal:
        case NeutralOp::LoadLocalCheck:
        case NeutralOp::LoadLocalClear:
        case NeutralOp::DeleteLocal:
        case NeutralOp::MakeCell:
        case NeutralOp::LoadCell:
        case NeutralOp::StoreCell:
        case NeutralOp::DeleteCell:
        case NeutralOp::LoadFromOrCell:
          in[static_cast<size_t>(bc.arg) / 64] |= bit;
          break;
        default:
          break;
      }
      if (const HandlerEntry* handler = context.decoded->handler_at(bc.bci)) join(handler->target);
      uint64_t* here = &context.live[i * words];
      if (std::equal(in.begin(), in.end(), here)) continue;
      std::copy(in.begin(), in.end(), here);
      changed = true;
    }
  }
}

bool Builder::is_live(Context& context, int index, int local) {
  if (context.live.empty()) find_live(context);
  const size_t l = static_cast<size_t>(local);
  return context.live[static_cast<size_t>(index) * context.live_words + l / 64] >> (l % 64) & 1;
}

// Which slots of all frames may still be read from `bci` on, callers from their calls on. In the
// order of the slots; operands always are.
std::vector<uint8_t> Builder::live_slots(const State& state, int bci) {
  std::vector<uint8_t> live;
  for (size_t f = 0; f < state.frames.size(); f++) {
    const FrameSlots& frame = state.frames[f];
    const bool top = f + 1 == state.frames.size();
    const int index = frame.context->decoded->index_at(top ? bci : frame.call_bci);
    for (size_t i = 0; i < frame.locals.size(); i++)
      live.push_back(index < 0 || is_live(*frame.context, index, static_cast<int>(i)));
    live.insert(live.end(), frame.stack.size(), 1);
  }
  return live;
}

// The use of each slot by what comes after `bci`.
std::vector<Use> Builder::uses_from(const State& state, int bci) {
  std::vector<Use> uses;
  for (const FrameSlots& frame : state.frames) {
    uses.insert(uses.end(), frame.context->uses.begin(), frame.context->uses.end());
    uses.insert(uses.end(), frame.stack.size(), Use::Object);
  }
  std::vector<uint8_t> live = live_slots(state, bci);
  for (size_t s = 0; s < uses.size(); s++)
    if (!live[s]) uses[s] = Use::Value;
  return uses;
}

// ---------------------------------------------------------------- entry

void Builder::build() {
  result_.ok = false;
  graph_.entry_kind = request_.kind;
  entry_ = graph_.new_block();
  cur_ = entry_;
  Context* context = nullptr;
  {
    Context* made = new_context(request_.code, request_.function, request_.globals,
                                request_.builtins, nullptr, 0);
    if (!made) {
      result_.reason = Reason::Unsupported;
      return;
    }
    context = made;
  }
  graph_.name = context->info->name;
  const DecodedCode& decoded = *context->decoded;
  FrameSlots frame;
  frame.context = context;
  int nlocals = context->info->nlocals;
  int start = 0;
  if (request_.kind == ir::EntryKind::Call) {
    graph_.arg_count = static_cast<uint32_t>(request_.example_count);
    raw_bci_ = decoded.list[0].bci;
  } else {
    start = request_.osr_index;
    graph_.arg_count = static_cast<uint32_t>(request_.example_count);
    raw_bci_ = decoded.list[start].bci;
  }
  raw_next_ = raw_bci_;
  int entry_bci = raw_bci_, word = 0;
  result_.any_entry.assign(static_cast<size_t>(request_.example_count), 0);
  for (int i = 0; i < request_.example_count; i++) {
    PyObject* example = request_.examples[i];
    AVId id;
    int64_t number;
    const bool any_type = is_any_type(i);
    // That a hidden variable is not set is of use: see may_read_frame.
    const bool hidden = context->has_hidden_locals && !example;
    if (i < nlocals && !hidden && any_entry_value(*context, i)) {
      result_.any_entry[i] = 1;
      example = nullptr;
    }
    if (!example &&
        !result_.any_entry[i]) {  // the runtime enters this version only while the slot is empty
      word++;
      own_signature_ += '-';
      id = null_av();
    } else if (request_.kind == ir::EntryKind::Call && !any_type &&
               (PyFloat_CheckExact(example) ||
                (PyLong_CheckExact(example) && shapes::int_value(example, &number)))) {
      // Two words: the number and, if there is one, its object.
      const bool is_float = PyFloat_CheckExact(example);
      Value* value = graph_.new_value(Op::ArgNumber, is_float ? Rep::F64 : Rep::I64);
      Value* box = graph_.new_value(Op::Arg, Rep::Object);
      value->imm = word++;
      box->imm = word++;
      box->flags |= ir::kNullable;
      value->bci = box->bci = entry_bci;
      graph_.append(entry_, value);
      graph_.append(entry_, box);
      id = is_float ? float_av(value) : int_av(value);
      av(id).box = box;
      av(id).example = example;
      own_signature_ += is_float ? 'd' : 'i';
    } else {
      Value* arg = graph_.new_value(Op::Arg, Rep::Object);
      arg->imm = word++;
      own_signature_ += 'o';
      arg->bci = entry_bci;
      if (request_.kind == ir::EntryKind::Osr) arg->flags |= ir::kOwned | ir::kNullable;
      graph_.append(entry_, arg);
      id = object_av(arg, nullptr, nullptr, any_type ? nullptr : example);
      if (request_.kind == ir::EntryKind::Osr) av(id).not_null = false;
    }
    (i < nlocals ? frame.locals : frame.stack).push_back(id);
  }
  while (static_cast<int>(frame.locals.size()) < nlocals) frame.locals.push_back(null_av());
  st_.frames.push_back(frame);
  before_locals_ = frame.locals;
  before_stack_ = frame.stack;

  // Functions that share the code may have other globals.
  Value* globals =
      load(Op::LoadObject, emit(Op::Function, {}), shapes::kFunctionGlobals, ir::Heap::Constant);
  guard(Op::GuardIs, globals, Reason::EntryType, request_.globals);
  keep(request_.globals);
  if (request_.kind == ir::EntryKind::Call) {
    Value* poll = emit(Op::Poll, {}, before());
    poll->reason = Reason::Poll;
  }
  // All guards before any conversion, so that a failed one finds every entry value as it came.
  for (int i = 0; i < request_.example_count; i++) {
    AVId id = i < nlocals ? frame.locals[i] : frame.stack[i - nlocals];
    if (!result_.any_entry[i] && !is_any_type(i)) type_entry_value(id, request_.examples[i]);
  }
  graph_.arg_count = static_cast<uint32_t>(word);
  if (request_.kind == ir::EntryKind::Osr) unpack_cursors(frame.stack);
  drops_.clear();

  std::vector<Edge> edges;
  edges.push_back({cur_, st_});
  walk_function(*context, start, std::move(edges));
  result_.ok = !restart_;
}

bool Builder::is_any_type(int entry_value) const {
  return static_cast<size_t>(entry_value) < request_.any_type.size() &&
         request_.any_type[static_cast<size_t>(entry_value)];
}

// What a loop leaves in its variables from one time to the next would make many versions of it.
// Numbers keep their types: else such a variable would be boxed at each iteration.
bool Builder::any_entry_value(Context& context, int local) {
  if (request_.kind != ir::EntryKind::Osr) return false;
  PyObject* example = request_.examples[local];
  if (example && (PyLong_Check(example) || PyFloat_Check(example))) return false;
  if (is_live(context, request_.osr_index, local)) return false;
  auto known = heads_memory_.find({context.path, request_.osr_index, local});
  return known == heads_memory_.end() || !known->second.typed;
}

void Builder::type_entry_value(AVId id, PyObject* example) {
  AV& a = st_.avs[id];
  if (a.kind != SlotKind::Object) return;
  if (request_.kind == ir::EntryKind::Osr) {
    guard(Op::GuardNotNull, a.value, Reason::EntryType);
    a.not_null = true;
    a.value->flags &= ~ir::kNullable;
  }
  if (!example) return;
  PyTypeObject* type = Py_TYPE(example);
  if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) && !shapes::watchable_type(type)) return;
  int64_t number;
  if (type == &PyLong_Type && !shapes::int_value(example, &number)) {
    guard_type(id, type);
    return;
  }
  if (!guard_type(id, type)) return;
  if (type == &PyLong_Type) to_int(id);
  if (type == &PyFloat_Type) to_float(id);
}

// OSR: iterators of the interpreter on the stack that nobody else holds become virtual.
void Builder::unpack_cursors(const std::vector<AVId>& stack) {
  struct Plan {
    AVId id;
    int kind;
  };
  std::vector<Plan> plans;
  for (AVId id : stack) {
    AV& a = st_.avs[id];
    if (a.kind != SlotKind::Object || !a.example || !a.type) continue;
    if (Py_REFCNT(a.example) != 1) continue;
    int kind = a.type == shapes::range_iter_type()       ? 1
               : a.type == shapes::list_iter_type()      ? 2
               : a.type == shapes::tuple_iter_type()     ? 3
               : a.type == shapes::bytes_iter_type()     ? 4
               : a.type == shapes::bytearray_iter_type() ? 5
                                                         : 0;
    if (!kind) continue;
    Value* count = load(Op::LoadI64, a.value, shapes::kObRefcnt, ir::Heap::Other);
    Value* one = emit(Op::CmpInt, {count, const_int(1)});
    one->cond = ir::Cond::Eq;
    guard(Op::GuardTrue, one, Reason::EntryType);
    if (kind == 1) {
      // A step of 1 is worth counting on, as long as it always is.
      int64_t step =
          *reinterpret_cast<int64_t*>(reinterpret_cast<char*>(a.example) + shapes::kRangeIterStep);
      if (step == 1 && !context().feedback->sites[raw_bci_].generic) {
        Value* same = emit(
            Op::CmpInt,
            {load(Op::LoadI64, a.value, shapes::kRangeIterStep, ir::Heap::Other), const_int(1)});
        same->cond = ir::Cond::Eq;
        guard(Op::GuardTrue, same, Reason::ValueSeen);
        kind = 6;
      }
    } else {
      Value* seq = load(Op::LoadObject, a.value, shapes::kListIterList, ir::Heap::Other);
      seq->flags |= ir::kNullable;
      if (!*reinterpret_cast<PyObject**>(reinterpret_cast<char*>(a.example) +
                                         shapes::kListIterList))
        continue;
      guard(Op::GuardNotNull, seq, Reason::EntryType);
    }
    plans.push_back({id, kind});
  }
  std::vector<Value*> iterators;
  for (const Plan& plan : plans) {
    Value* iterator = st_.avs[plan.id].value;
    char* example = reinterpret_cast<char*>(st_.avs[plan.id].example);
    AV cursor;
    cursor.kind = SlotKind::Virtual;
    std::vector<AVId> fields;
    if (plan.kind == 1 || plan.kind == 6) {
      Value* current = load(Op::LoadI64, iterator, shapes::kRangeIterStart, ir::Heap::Other);
      Value* left = load(Op::LoadI64, iterator, shapes::kRangeIterLength, ir::Heap::Other);
      if (plan.kind == 6) {
        cursor.virtual_kind = ir::VirtualKind::CountIter;
        // No wrap: a range iterator's last element fits a C long, so its stop does or is one
        // beyond; range() gives these iterators only if stop itself fits.
        Value* stop = emit(Op::AddIntUnchecked, {current, left});
        fields = {int_av(current), int_av(stop)};
      } else {
        cursor.virtual_kind = ir::VirtualKind::RangeIter;
        Value* step = load(Op::LoadI64, iterator, shapes::kRangeIterStep, ir::Heap::Other);
        fields = {int_av(current), int_av(step), int_av(left)};
      }
    } else {
      constexpr ir::VirtualKind kKinds[] = {ir::VirtualKind::ListIter, ir::VirtualKind::TupleIter,
                                            ir::VirtualKind::BytesIter,
                                            ir::VirtualKind::ByteArrayIter};
      PyTypeObject* const types[] = {&PyList_Type, &PyTuple_Type, &PyBytes_Type, &PyByteArray_Type};
      cursor.virtual_kind = kKinds[plan.kind - 2];
      PyObject* seq_example = *reinterpret_cast<PyObject**>(example + shapes::kListIterList);
      Value* seq = load_owned(iterator, shapes::kListIterList, ir::Heap::Other);
      Value* index = load(Op::LoadI64, iterator, shapes::kListIterIndex, ir::Heap::Other);
      AVId list = object_av(seq, types[plan.kind - 2], nullptr, seq_example);
      fields = {list, int_av(index, true)};
    }
    cursor.fields = in_arena<AVId>(graph_.arena, fields);
    st_.avs[plan.id] = cursor;
    iterators.push_back(iterator);
  }
  // The iterators die here; their sequences live on through our own references. Not plain releases:
  // those may hold nothing, and these hold what was just loaded from them.
  for (size_t i = 0; i < iterators.size(); i++) {
    ir::FrameState* state = capture(raw_bci_);
    for (size_t j = i + 1; j < iterators.size(); j++)
      state->drops.push_back(graph_.arena, iterators[j]);
    emit(Op::Release, {iterators[i]}, state);
  }
}

// ---------------------------------------------------------------- the walk

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
      lower(bc);
      if (cur_ && bc.last_of_raw) flush_drops(raw_next_);
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
  if (a.constant) {
    int64_t value;
    return a.kind == SlotKind::Int && shapes::int_value(a.constant, &value) && value >= -5 &&
           value <= 256;
  }
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
    // The frame is gone; its locals die in slot order, then the value is handed over. RETURN_CONST
    // has no operand on the stack.
    bool operand = bc_->first_of_raw;
    if (operand) push(id);
    for (size_t i = 0; i < st_.top().locals.size(); i++) {
      AVId local = st_.top().locals[i];
      if (av(local).kind == SlotKind::Null) continue;
      st_.top().locals[i] = null_av();
      drop(local);
      flush_drops(raw_bci_, kFrameGone);
      if (!cur_) return;
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
  const bool init = st_.frames[st_.frames.size() - 2].cont == ir::Continuation::Init;
  if (init && av(id).constant != Py_None) return deopt(Reason::Unsupported);  // raises TypeError
  std::vector<AVId> locals = st_.top().locals;
  st_.frames.pop_back();
  if (!init) push(id);
  for (AVId local : locals) drop(local);
  if (context.owns_function) drop(object_av(context.function_value, &PyFunction_Type));
  int bci = caller_next_bci_.back();
  flush_drops(bci, st_.top().call_bci);
  context.returns.push_back({cur_, st_});
  cur_ = nullptr;
}

}  // namespace psyco
