// Where a graph begins: the values it is entered with, their types guarded, and for a loop the
// interpreter's iterators taken apart.
#include "cpython/shapes.h"
#include "frontend/builder.h"

namespace psyco {

using ir::Op;
using ir::Reason;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

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
      edit(id).box = box;
      edit(id).example = example;
      own_signature_ += is_float ? 'd' : 'i';
    } else {
      Value* arg = graph_.new_value(Op::Arg, Rep::Object);
      arg->imm = word++;
      own_signature_ += 'o';
      arg->bci = entry_bci;
      if (request_.kind == ir::EntryKind::Osr) {
        arg->flags |= ir::kNullable;
        mark_owned(arg);
      }
      graph_.append(entry_, arg);
      id = object_av(arg, nullptr, nullptr, any_type ? nullptr : example);
      if (request_.kind == ir::EntryKind::Osr) edit(id).not_null = false;
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
  place_constants();
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
  AV& a = st_.avs.edit(id);
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
    const AV& a = st_.avs[id];
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
    cursor.object = graph_.new_object();
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
    st_.avs.edit(plan.id) = cursor;
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

}  // namespace psyco
