// Values, frame states and emission. See builder.h for the scheme; levels.cpp for what is known of
// values and who holds them, merge.cpp for joins, walk.cpp for the order of the walk.
#include "frontend/builder.h"

#include <algorithm>

#include "cpython/shapes.h"

namespace psyco {

using ir::Heap;
using ir::Op;
using ir::Reason;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

Builder::Builder(const CompileRequest& request, ir::Graph& graph, HeadMemory& heads,
                 BuildResult& result, char own_result)
    : request_(request),
      graph_(graph),
      own_result_(own_result),
      heads_memory_(heads),
      result_(result) {}

// ---------------------------------------------------------------- stack and abstract values

AVId Builder::pop() {
  std::vector<AVId>& stack = st_.top().stack;
  PSYCO_CHECK(!stack.empty());
  AVId id = stack.back();
  stack.pop_back();
  return id;
}

void Builder::undrop(AVId id) {
  auto last = std::find(drops_.rbegin(), drops_.rend(), id);
  PSYCO_CHECK(last != drops_.rend());
  drops_.erase(std::next(last).base());
}

AVId Builder::null_av() { return st_.add(AV{}); }

AVId Builder::object_av(Value* value, PyTypeObject* type, PyTypeObject* likely, PyObject* example) {
  if (type) know_class(type);
  AV a;
  a.kind = SlotKind::Object;
  a.value = value;
  a.type = type;
  a.likely = likely;
  a.example = example;
  a.not_null = !value->nullable();
  return st_.add(a);
}

AVId Builder::int_av(Value* value, bool nonnegative) {
  AV a;
  a.kind = SlotKind::Int;
  a.value = value;
  a.object = graph_.new_object();
  a.nonnegative = nonnegative;
  return st_.add(a);
}

AVId Builder::float_av(Value* value) {
  AV a;
  a.kind = SlotKind::Float;
  a.value = value;
  a.object = graph_.new_object();
  return st_.add(a);
}

AVId Builder::bool_av(Value* value) {
  AV a;
  a.kind = SlotKind::Bool;
  a.value = value;
  return st_.add(a);
}

AVId Builder::const_av(PyObject* object) {
  AV a;
  a.constant = object;
  a.example = object;
  int64_t number;
  if (object == Py_True || object == Py_False) {
    a.kind = SlotKind::Bool;
    a.value = const_bool(object == Py_True);
  } else if (PyLong_CheckExact(object) && shapes::int_value(object, &number)) {
    a.kind = SlotKind::Int;
    a.value = const_int(number);
    a.box = const_object(object);
    a.nonnegative = number >= 0;
  } else if (PyFloat_CheckExact(object)) {
    a.kind = SlotKind::Float;
    a.value = const_float(PyFloat_AS_DOUBLE(object));
    a.box = const_object(object);
  } else {
    a.kind = SlotKind::Object;
    a.value = const_object(object);
    a.type = Py_TYPE(object);
    if (shapes::class_may_change(a.type)) assume(Assumption::Object, object);
  }
  return st_.add(a);
}

AVId Builder::virtual_av(ir::VirtualKind kind, const std::vector<AVId>& fields) {
  AV a;
  a.kind = SlotKind::Virtual;
  a.virtual_kind = kind;
  a.object = graph_.new_object();
  a.fields = in_arena<AVId>(graph_.arena, fields);
  return st_.add(a);
}

void Builder::set_field(AV& av, size_t k, AVId id) {
  set_fields(av, [&](size_t i) { return i == k ? id : av.fields[i]; });
}

void Builder::set_fields(AV& av, const std::function<AVId(size_t)>& field) {
  std::vector<AVId> fields;
  for (size_t k = 0; k < av.fields.size(); k++) fields.push_back(field(k));
  av.fields = in_arena<AVId>(graph_.arena, fields);
}

// Constants live in the entry block, so that they dominate everything; the allocator rematerialises
// them.
Value* Builder::new_constant(Op op, Rep rep) {
  Value* value = graph_.new_value(op, rep);
  value->block = entry_;
  constants_.push_back(value);
  return value;
}

// Before all else that the entry does.
void Builder::place_constants() {
  ArenaVec<Value*> rest = entry_->values;
  entry_->values = {};
  entry_->values.resize(graph_.arena, constants_.size() + rest.size());
  std::copy(constants_.rbegin(), constants_.rend(), entry_->values.begin());
  std::copy(rest.begin(), rest.end(), entry_->values.begin() + constants_.size());
}

template <class Map, class Key>
Value* Builder::cached_constant(Map& map, Key key, Op op, Rep rep) {
  auto [it, fresh] = map.try_emplace(key, nullptr);
  if (fresh) it->second = new_constant(op, rep);
  return it->second;
}

Value* Builder::const_object(const void* object) {
  Value* v = cached_constant(const_objects_, object, Op::ConstObject, Rep::Object);
  if (!v->ptr) {
    PyObject* kept = static_cast<PyObject*>(const_cast<void*>(object));
    keep(kept);
    if (shapes::is_immortal(kept)) v->flags |= ir::kImmortal;
  }
  v->ptr = object;
  return v;
}
Value* Builder::const_null() {
  if (!const_null_) const_null_ = new_constant(Op::ConstNull, Rep::Object);
  const_null_->flags |= ir::kNullable;
  return const_null_;
}
Value* Builder::const_int(int64_t value) {
  Value* v = cached_constant(const_ints_, value, Op::ConstI64, Rep::I64);
  v->imm = value;
  return v;
}
Value* Builder::const_float(double value) {
  int64_t bits;
  memcpy(&bits, &value, 8);
  Value* v = cached_constant(const_floats_, static_cast<uint64_t>(bits), Op::ConstF64, Rep::F64);
  v->imm = bits;
  return v;
}
Value* Builder::const_bool(bool value) {
  Value*& v = const_bools_[value];
  if (!v) v = new_constant(Op::ConstBool, Rep::Bool);
  v->imm = value;
  return v;
}
Value* Builder::const_ptr(const void* address) {
  Value* v = cached_constant(const_ptrs_, address, Op::ConstPtr, Rep::Ptr);
  v->ptr = address;
  return v;
}

// ---------------------------------------------------------------- emission

// The operation itself, but for mutants.
static Op unchecked(Op op) {
  switch (op) {
    case Op::AddInt:
      return mutants::chosen("unchecked", "AddInt") ? Op::AddIntUnchecked : op;
    case Op::SubInt:
      return mutants::chosen("unchecked", "SubInt") ? Op::SubIntUnchecked : op;
    case Op::MulInt:
      return mutants::chosen("unchecked", "MulInt") ? Op::MulIntUnchecked : op;
    default:
      return op;
  }
}

Value* Builder::emit(Op op, Rep rep, std::initializer_list<Value*> inputs, ir::FrameState* state,
                     Site site) {
  PSYCO_CHECK(cur_);
  op = unchecked(op);
  Value* value = graph_.new_value(op, rep);
  for (Value* input : inputs) value->inputs.push_back(graph_.arena, input);
  value->state = state;
  value->bci = edge_bci_ >= 0 ? edge_bci_ : raw_bci_;
  if (rep == Rep::None && !ir::is_terminator(*value) && mutants::chosen("drop", site)) return value;
  return graph_.append(cur_, value);
}

Value* Builder::emit(Op op, std::initializer_list<Value*> inputs, ir::FrameState* state,
                     Site site) {
  return emit(op, ir::op_info(op).result, inputs, state, site);
}

Value* Builder::load(Op op, Value* base, int64_t offset, Heap heap, Value* index) {
  Value* v = index ? emit(op, {base, index}) : emit(op, {base});
  v->imm = offset;
  v->heap = heap;
  return v;
}

void Builder::mark_owned(Value* value, Site site) {
  if (!mutants::chosen("unowned", site)) value->flags |= ir::kOwned;
}

// A reference out of a container: owned, so that the container may change under it. elide_refcounts
// makes it borrowed again where nothing can interfere.
Value* Builder::load_owned(Value* base, int64_t offset, Heap heap, Value* index) {
  Value* v = load(index ? Op::LoadObjectAt : Op::LoadObject, base, offset, heap, index);
  mark_owned(v);
  emit(Op::Retain, {v});
  return v;
}

// Inputs in the order of the helper's letters; `number` fills the letter i, `cache` the letter p.
Value* Builder::call_helper(ir::Helper helper, const std::vector<Value*>& inputs, int64_t number,
                            bool has_number, const void* cache, int out_words, AVId given) {
  const ir::HelperInfo& info = ir::helper_info(helper);
  Rep rep = Rep::None;
  uint8_t flags = 0;
  switch (info.result) {
    case ir::HelperResult::Owned:
      rep = Rep::Object;
      flags = ir::kOwned;
      break;
    case ir::HelperResult::Object:
      rep = Rep::Object;
      break;
    case ir::HelperResult::Nullable:
      rep = Rep::Object;
      flags = ir::kNullable;
      break;
    case ir::HelperResult::Status:
    case ir::HelperResult::I64:
      rep = Rep::I64;
      break;
    case ir::HelperResult::F64:
      rep = Rep::F64;
      break;
    case ir::HelperResult::Ptr:
      rep = Rep::Ptr;
      break;
    case ir::HelperResult::Void:
      rep = Rep::None;
      break;
  }
  ir::FrameState* state = nullptr;
  if (info.effects == ir::HelperEffects::Python || info.result == ir::HelperResult::Owned ||
      info.result == ir::HelperResult::Status)
    state = before(given);
  Value* number_value = has_number ? const_int(number) : nullptr;
  Value* cache_value = cache ? const_ptr(cache) : nullptr;
  Value* value = graph_.new_value(Op::CallHelper, rep);
  size_t next = 0;
  for (const char* letter = info.params; *letter; letter++) {
    if (*letter == 'O') continue;
    if (*letter == 'A') {
      while (next < inputs.size()) value->inputs.push_back(graph_.arena, inputs[next++]);
    } else if (*letter == 'i' && number_value) {
      value->inputs.push_back(graph_.arena, number_value);
      number_value = nullptr;
    } else if (*letter == 'p' && cache_value) {
      value->inputs.push_back(graph_.arena, cache_value);
      cache_value = nullptr;
    } else {
      PSYCO_CHECK(next < inputs.size());
      value->inputs.push_back(graph_.arena, inputs[next++]);
    }
  }
  PSYCO_CHECK(next == inputs.size());
  value->helper = helper;
  value->imm = out_words;
  value->flags = flags;
  value->state = state;
  value->bci = raw_bci_;
  graph_.append(cur_, value);
  if (info.effects == ir::HelperEffects::Python) ran_python();
  return value;
}

Value* Builder::guard(Op op, Value* input, Reason reason, const void* ptr, Site site) {
  Value* v = emit(op, {input}, before(), site);
  v->reason = reason;
  v->ptr = ptr;
  return v;
}

Value* Builder::take_out(Value* call, int word, bool nullable) {
  Value* v = emit(Op::TakeOut, {call});
  v->imm = word;
  if (nullable) v->flags |= ir::kNullable;
  mark_owned(v);
  return v;
}

const void* Builder::site_cache(size_t size, SiteKind kind) {
  result_.caches.push_back({std::make_unique<char[]>(size), kind, context().code, bc_->bci});
  return result_.caches.back().memory.get();
}

void Builder::note_types(SiteKind kind, AVId left, AVId right) {
  if (site().generic || site().noted || (likely_type(left) && likely_type(right))) return;
  Value* a = force(left);
  Value* b = force(right);
  emit(Op::NoteTypes, {a, b})->ptr = site_cache(request_.operand_cache_size, kind);
}

void Builder::note_callee(AVId callable) {
  if (site().noted || av(callable).constant || av(callable).kind != SlotKind::Object) return;
  Value* value = av(callable).value;
  emit(Op::NoteTypes, {value, value})->ptr =
      site_cache(request_.operand_cache_size, SiteKind::Callee);
}

bool has_fast_case(SiteKind kind, const void* left, const void* right) {
  auto number = [](const void* type) {
    return type == &PyLong_Type || type == &PyBool_Type || type == &PyFloat_Type;
  };
  auto sequence = [](const void* type) { return type == &PyList_Type || type == &PyTuple_Type; };
  auto bytes = [](const void* type) { return type == &PyBytes_Type || type == &PyByteArray_Type; };
  switch (kind) {
    case SiteKind::Arithmetic:
      if (left == &PyUnicode_Type && right == left) return true;
      [[fallthrough]];
    case SiteKind::Comparison:
      return number(left) && number(right);
    case SiteKind::Subscript:
      return (sequence(left) || bytes(left)) && (right == &PyLong_Type || right == &PyBool_Type);
    case SiteKind::Truth:
      return number(left) || sequence(left) || left == &PyUnicode_Type || left == &PyDict_Type ||
             left == Py_TYPE(Py_None);
    case SiteKind::Iterable:
      return sequence(left) || bytes(left);
    case SiteKind::Unpacked:
      return sequence(left);
    case SiteKind::Global:
    case SiteKind::Attribute:
    case SiteKind::Callee:
      break;
  }
  return false;
}

Value* Builder::frame_locals() {
  return context().globals_are_locals ? const_object(context().globals) : const_null();
}

void Builder::learn_type(PyTypeObject* type, int operand) {
  PyTypeObject*& known = site().types[operand];
  if (!type || known == type) return;
  if (known) request_.feedback->release_later(reinterpret_cast<PyObject*>(known));
  Py_INCREF(type);
  known = type;
}

void Builder::learn(AVId id, int operand) {
  if (PyTypeObject* type = likely_type(id))
    learn_type(type, operand);
  else
    suggest_type(id, learnt(operand));
}

void Builder::suggest_type(AVId id, PyTypeObject* type) {
  const AV& a = st_.avs[id];
  if (!a.likely && !a.example && a.kind == SlotKind::Object) st_.avs.edit(id).likely = type;
}

void Builder::choose(Value* condition, AVId if_true, AVId if_false) {
  drop(if_true), drop(if_false);
  choose(
      condition, [=] { return if_true; }, [=] { return if_false; });
}

void Builder::choose(Value* condition, const std::function<AVId()>& if_true,
                     const std::function<AVId()>& if_false) {
  switch_on({{[=] { return condition; }, [&] { push(if_true()); }},
             {nullptr, [&] { push(if_false()); }}});
}

void Builder::switch_on(const std::vector<Way>& ways) {
  const std::vector<AVId> drops = drops_;
  const bool ran = python_ran_;
  const int bci = raw_bci_;
  const std::vector<AVId> locals = before_locals_, stack = before_stack_;
  std::vector<Edge> ends;
  for (const Way& way : ways) {
    Edge yes, no;
    if (way.condition) {
      split(way.condition(), &yes, &no);
      enter(yes);
    }
    way.code();
    if (restart_) {
      cur_ = nullptr;
      return;
    }
    flush_drops(raw_next_);
    if (cur_) ends.push_back({cur_, st_});
    if (!way.condition) break;
    enter(no);
    drops_ = drops;
    python_ran_ = ran;
    raw_bci_ = bci;
    before_locals_ = locals;
    before_stack_ = stack;
  }
  merge_here(ends, raw_next_);
  if (!cur_) return;
  before_locals_ = st_.top().locals;
  before_stack_ = st_.top().stack;
  raw_bci_ = raw_next_;  // whatever still exits within this instruction goes on behind it
}

void Builder::deopt(Reason reason) {
  if (!cur_) return;
  Value* v = emit(Op::Deopt, {}, before());
  v->reason = reason;
  cur_ = nullptr;
}

// ---------------------------------------------------------------- frame states

bool a_field_reaches(const State& st, AVId from, AVId id) {
  for (AVId field : st.avs[from].fields)
    if (reaches(st, field, id)) return true;
  return false;
}

ir::Slot Builder::slot_of(AVId id, Virtuals& virtuals) {
  ir::Slot slot;
  const AV& a = st_.avs[id];
  slot.kind = a.kind;
  if (a.kind != SlotKind::Virtual) {
    slot.value = a.value;
    slot.box = a.box;
    if (a.kind == SlotKind::Int || a.kind == SlotKind::Float) slot.object = a.object;
    return slot;
  }
  const auto [it, fresh] = virtuals.try_emplace(id);
  if (fresh) {
    ir::Virtual* virt = it->second = graph_.new_virtual(a.virtual_kind);
    virt->object = a.object;
    captured_ += a.fields.size();
    for (size_t k = 0; k < a.fields.size(); k++) {
      if (k > 0 && is_instance(a)) {
        ir::Slot place;
        place.kind = SlotKind::Int;
        place.value = const_int(a.places[k - 1]);
        virt->fields.push_back(graph_.arena, place);
      }
      virt->fields.push_back(graph_.arena, slot_of(a.fields[k], virtuals));
    }
  }
  slot.virt = it->second;
  return slot;
}

constexpr size_t kManyLocals = 64;

void Builder::fill_state(ir::FrameState* fs, const FrameSlots& frame,
                         const std::vector<AVId>& locals, const std::vector<AVId>& stack,
                         Virtuals& virtuals) {
  fs->frame = frame.context->info;
  fs->function = frame.context->function_value;
  // What has not changed since the last state of this frame is shared with it.
  auto fill = [&](ir::SlotList& list, const std::vector<AVId>& ids, ir::SlotList& last) {
    slots_.resize(ids.size());
    captured_ += ids.size();
    for (size_t i = 0; i < ids.size(); i++) slots_[i] = slot_of(ids[i], virtuals);
    list = last = ir::SlotList(graph_.arena, slots_, last);
  };
  if (locals.size() >= kManyLocals)
    fill_locals(fs->locals, *frame.context, locals, virtuals);
  else
    fill(fs->locals, locals, frame.context->last_locals);
  fill(fs->stack, stack, frame.context->last_stack);
}

// Where there are many, to look at all of them for each state would take most of the time. Values
// that have not changed since the last state lie in pages that its table has, too.
void Builder::fill_locals(ir::SlotList& list, Context& context, const std::vector<AVId>& ids,
                          Virtuals& virtuals) {
  captured_ += ids.size();
  const std::vector<AVId>& old = context.last_ids;
  const auto unchanged = [&](size_t i) {
    return ids[i] == old[i] && context.last_avs.shares(st_.avs, ids[i]) &&
           st_.avs[ids[i]].kind != SlotKind::Virtual;
  };
  if (old.size() != ids.size()) {
    slots_.resize(ids.size());
    for (size_t i = 0; i < ids.size(); i++) slots_[i] = slot_of(ids[i], virtuals);
    list = ir::SlotList(graph_.arena, slots_);
  } else {
    list = ir::SlotList(graph_.arena, context.last_locals,
                        [&](size_t first, std::span<ir::Slot> slots) {
                          size_t i = 0;
                          while (i < slots.size() && unchanged(first + i)) i++;
                          if (i == slots.size()) return false;
                          for (i = 0; i < slots.size(); i++)
                            slots[i] = slot_of(ids[first + i], virtuals);
                          return true;
                        });
  }
  context.last_locals = list;
  context.last_ids = ids;
  context.last_avs = st_.avs;
}

ir::FrameState* Builder::chain(size_t count, Virtuals& virtuals) {
  ir::FrameState* caller = nullptr;
  for (size_t i = 0; i < count; i++) {
    const FrameSlots& frame = st_.frames[i];
    ir::FrameState* fs = graph_.new_state();
    fs->caller = caller;
    fs->bci = frame.call_bci;
    fs->cont = frame.cont;
    fill_state(fs, frame, frame.locals, frame.stack, virtuals);
    caller = fs;
  }
  return caller;
}

ir::FrameState* Builder::capture(int bci) {
  ir::FrameState* fs = graph_.new_state();
  Virtuals virtuals;
  fs->caller = chain(st_.frames.size() - 1, virtuals);
  fs->bci = bci;
  if (half_) fs->cont = ir::Continuation::Half;
  fill_state(fs, st_.top(), st_.top().locals, st_.top().stack, virtuals);
  return fs;
}

// The kinds of mutants of a state: two operands or two variables change places, it continues
// somewhere else.
struct Spoils {
  const char *stack, *locals, *bci;
};

// Nothing, but for mutants.
static void spoil([[maybe_unused]] Arena& arena, [[maybe_unused]] ir::FrameState* fs,
                  const Spoils& kinds, [[maybe_unused]] const char* name,
                  [[maybe_unused]] int other_bci) {
  for (auto& [kind, list] : {std::pair{kinds.stack, &fs->stack}, {kinds.locals, &fs->locals}}) {
    std::vector<ir::Slot> slots;
    for (const ir::Slot& slot : *list) slots.push_back(slot);
    for (size_t i = slots.size(); i-- > 1;) {
      ir::Slot &a = slots[i], &b = slots[i - 1];
      if (a == b || !mutants::chosen(kind, name)) continue;
      std::swap(a, b);
      *list = {arena, slots};
      break;
    }
  }
  if (mutants::chosen(kinds.bci, name)) fs->bci = other_bci;
}

ir::FrameState* Builder::before(AVId gone) {
  if (edge_bci_ >= 0) {
    ir::FrameState* fs = capture(edge_bci_);
    add_pending_drops(fs, st_.top().locals, st_.top().stack);
    return fs;
  }
  if (gone != kNoAV)
    for (std::vector<AVId>* list : {&before_locals_, &before_stack_})
      std::replace(list->begin(), list->end(), gone, null_av());
  ir::FrameState* fs = graph_.new_state();
  Virtuals virtuals;
  fs->caller = chain(st_.frames.size() - 1, virtuals);
  fs->bci = raw_bci_;
  if (half_) fs->cont = ir::Continuation::Half;
  fill_state(fs, st_.top(), before_locals_, before_stack_, virtuals);
  add_pending_drops(fs, before_locals_, before_stack_);
  if (mutants::kBuilt && bc_)
    spoil(graph_.arena, fs, {"swap-stack", "swap-locals", "bci"}, neutral_name(bc_->op), raw_next_);
  return fs;
}

// What a virtual object held was let go when it was built; until the end of the instruction its
// parts are named by nothing but drops_.
void Builder::add_pending_drops(ir::FrameState* fs, const std::vector<AVId>& locals,
                                const std::vector<AVId>& stack) {
  if (drops_.empty()) return;
  auto named = [&](AVId id) {
    for (const std::vector<AVId>* list : {&locals, &stack})
      for (AVId slot : *list)
        if (reaches(st_, slot, id)) return true;
    for (size_t f = 0; f + 1 < st_.frames.size(); f++)
      for (const std::vector<AVId>* list : {&st_.frames[f].locals, &st_.frames[f].stack})
        for (AVId slot : *list)
          if (reaches(st_, slot, id)) return true;
    return false;
  };
  for (size_t i = 0; i < drops_.size(); i++) {
    const AV& a = st_.avs[drops_[i]];
    Value* owned = a.kind == SlotKind::Object ? a.value : a.box;
    if (!owned || !owned->owned() || named(drops_[i])) continue;
    bool again = false;
    for (size_t j = 0; j < i; j++) again |= drops_[j] == drops_[i];
    if (!again) fs->drops.push_back(graph_.arena, owned);
  }
}

ir::FrameState* Builder::after(int bci) {
  ir::FrameState* fs = capture(bci);
  if (mutants::kBuilt && bc_ && bci != raw_bci_)
    spoil(graph_.arena, fs, {"after-stack", "after-locals", "after-bci"}, neutral_name(bc_->op),
          raw_bci_);
  return fs;
}

// ---------------------------------------------------------------- assumptions

void Builder::assume(Assumption::Kind kind, PyObject* object, PyObject* key, Site site) {
  if (!assumed_.insert({kind, object, key}).second) return;
  if (!mutants::chosen("assume", site)) result_.assumptions.push_back({kind, object, key});
  if (object) keep(object);
  if (key) keep(key);
}

void Builder::assume_attribute(PyTypeObject* type, const shapes::AttrPlan& plan) {
  assume(Assumption::Type, reinterpret_cast<PyObject*>(type));
  if (!plan.attribute) return;
  assume(Assumption::Object, plan.attribute);
  assume(Assumption::Type, reinterpret_cast<PyObject*>(Py_TYPE(plan.attribute)));
}

void Builder::keep(PyObject* object) {
  if (kept_.insert(object).second) result_.objects.push_back(object);
}

}  // namespace psyco
