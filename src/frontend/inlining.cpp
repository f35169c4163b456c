// Calls of known Python functions: walked in place, or made to their compiled bodies.
#include <algorithm>

#include "cpython/profile.h"
#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/merge.h"
#include "ir/link_cell.h"

namespace psyco {

using ir::Op;
using ir::Rep;
using ir::SlotKind;
using ir::Value;

namespace {
constexpr int kWalkBudget = 3000;    // neutral instructions walked per build, inlined ones included
constexpr int kMaxDepth = 4;         // inlined frames above the outermost
constexpr int kMaxInlineSize = 200;  // neutral instructions of a callee
constexpr int kMaxInlineCallOuts = 2;  // of a callee
}  // namespace

// Whether some name, operand or virtual object will still stand for this number as an object when
// the instruction under way is done.
bool Builder::is_kept_as_object(AVId id) {
  const std::vector<Use> uses = uses_from(st_, raw_next_);
  size_t slot = 0;
  for (const FrameSlots& frame : st_.frames)
    for (const std::vector<AVId>* list : {&frame.locals, &frame.stack})
      for (AVId each : *list)
        if (uses[slot++] >= least_use(av(id)) && (each == id || a_field_reaches(st_, each, id)))
          return true;
  return false;
}

// A number without an object gets one before the call if both sides would make theirs of it: the
// callee may hand its own back, or keep it, and it has to be the caller's.
void Builder::share_numbers(PyCodeObject* code, const std::vector<AVId>& args) {
  for (size_t i = 0; i < args.size(); i++) {
    const AV& a = av(args[i]);
    if (!objectless(a) || (a.box && !a.box->nullable())) continue;
    if (uses_of(code)[i] < least_use(a)) continue;
    if (std::count(args.begin(), args.end(), args[i]) > 1 || is_kept_as_object(args[i]))
      force(args[i]);
    if (!cur_) return;
  }
}

// Calls the function's compiled body. `args` are its parameters, `dropped` what goes afterwards;
// all are popped.
bool Builder::native_call(PyFunctionObject* function, const std::vector<AVId>& args_given,
                          const std::vector<AVId>& dropped) {
  PyCodeObject* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  if (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE |
                        CO_VARARGS | CO_VARKEYWORDS) ||
      code->co_kwonlyargcount || site().big_int)
    return false;
  int given = static_cast<int>(args_given.size());
  int wanted = code->co_argcount;
  int defaults =
      function->func_defaults ? static_cast<int>(PyTuple_GET_SIZE(function->func_defaults)) : 0;
  if (wanted > 8 || given > wanted || given < wanted - defaults) return false;
  if (!PyDict_CheckExact(function->func_globals) || !request_.feedback->may_inline(function))
    return false;
  std::vector<AVId> args = args_given;
  for (int i = given; i < wanted; i++)
    args.push_back(const_av(PyTuple_GET_ITEM(function->func_defaults, defaults - (wanted - i))));
  std::string signature;
  for (AVId arg : args) {
    if (av(arg).kind == SlotKind::Object && !av(arg).constant) {
      PyTypeObject* likely = likely_type(arg);
      if (likely == &PyLong_Type) to_int(arg);
      if (likely == &PyFloat_Type) to_float(arg);
      if (!cur_) return true;
    }
    const SlotKind kind = av(arg).kind;
    signature += kind == SlotKind::Int ? 'i' : kind == SlotKind::Float ? 'd' : 'o';
  }
  LinkCell* cell = request_.feedback->native_cell(function, signature);
  if (!cell) return false;
  assume(Assumption::Function, reinterpret_cast<PyObject*>(function));
  char result = cell->result;
  if (code == request_.code && request_.kind == ir::EntryKind::Call &&
      signature == own_signature_) {
    result_.calls_itself = true;
    result = own_result_;
  }
  if (cell->misfit) result = 'o';
  share_numbers(code, args);
  if (!cur_) return true;
  std::vector<Value*> words;
  for (size_t i = 0; i < args.size(); i++) {
    if (signature[i] == 'o') {
      words.push_back(force(args[i]));
      continue;
    }
    check_bound(args[i]);
    const AV& a = av(args[i]);
    words.push_back(a.value);
    words.push_back(a.box ? a.box : const_null());
  }
  ir::FrameState* state = before();
  Value* call = graph_.new_value(Op::CallNative, result == 'i'   ? Rep::I64
                                                 : result == 'd' ? Rep::F64
                                                                 : Rep::Object);
  for (Value* word : words) call->inputs.push_back(graph_.arena, word);
  call->ptr = cell;
  call->state = state;
  call->bci = raw_bci_;
  if (result == 'o') mark_owned(call);
  graph_.append(cur_, call);
  ran_python();
  AVId id;
  if (result == 'o') {
    id = object_av(call);
  } else {
    Value* box = take_out(call, 0, true);
    id = result == 'i' ? int_av(call) : float_av(call);
    edit(id).box = box;
  }
  for (AVId each : dropped) drop(each);
  push(id);
  return true;
}

// Around each call-out of inlined code its frame is linked and unlinked. A callee with more than a
// few of them is better called: it makes its frame once. So is one that loops over accesses that
// may become call-outs.
static bool calls_out_often(const Context& context) {
  const std::vector<Bytecode>& list = context.decoded->list;
  std::vector<uint8_t> looped(list.size(), 0);
  for (size_t head = 0; head < list.size(); head++)
    for (int i = static_cast<int>(head); i < context.loop_end[head]; i++) looped[i] = 1;
  int calls = 0;
  for (size_t i = 0; i < list.size(); i++) {
    if (list[i].heat == Heat::Cold) continue;
    switch (list[i].op) {
      case NeutralOp::CallKw:
      case NeutralOp::CallEx:
      case NeutralOp::LoadAttr:
      case NeutralOp::StoreAttr:
        if (looped[i]) return true;
        break;
      case NeutralOp::Call:
        if (looped[i]) return true;
        calls += called_c_method(list[i]);
        break;
      case NeutralOp::Contains:
      case NeutralOp::Format:
        if (looped[i]) return true;
        calls++;
        break;
      default:
        break;
    }
  }
  return calls > kMaxInlineCallOuts;
}

// How many levels of its own calls a recursive function is inlined into itself. The bodies multiply
// with every level, so only small functions are, and none that loops: those have enough to do.
int Builder::recursive_inlining(PyCodeObject* code) {
  constexpr int kMaxLevels = 2, kMaxBodies = 200;  // neutral instructions of all copies
  if (code != request_.code || request_.kind != ir::EntryKind::Call) return 0;
  const Context& outermost = *contexts_.front();
  int calls = 0;
  for (const Bytecode& bc : outermost.decoded->list) {
    if (bc.op == NeutralOp::LoopBack) return 0;
    calls += bc.op == NeutralOp::Call && bc.heat != Heat::Cold;
  }
  const int size = static_cast<int>(outermost.decoded->list.size());
  int levels = 0;
  for (int copies = 1, all = 1; levels < kMaxLevels; levels++) {
    copies *= calls;
    all += copies;
    if (all * size > kMaxBodies) break;
  }
  return levels;
}

namespace {

// A name may be set to something that is no text.
const char* printable(PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (!text) PyErr_Clear();
  return text ? text : "?";
}

InlineNote inline_note(PyCodeObject* caller, int bci, PyFunctionObject* function, const char* why) {
  return {PyCode_Addr2Line(caller, bci * 2), printable(caller->co_qualname),
          printable(function->func_qualname), why};
}

}  // namespace

bool Builder::refuse_inlining(PyFunctionObject* function, const char* why) {
  result_.inlined.push_back(inline_note(context().code, raw_bci_, function, why));
  return false;
}

// Fills in the defaults of the keyword-only parameters that are not given.
bool Builder::keyword_only_defaults(PyFunctionObject* function, bool any_function,
                                    std::vector<AVId>& values) {
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  for (size_t k = 0; k < values.size(); k++) {
    if (values[k] != kNoAV) continue;
    PyObject* name =
        PyTuple_GET_ITEM(code->co_localsplusnames, code->co_argcount + static_cast<Py_ssize_t>(k));
    PyObject* value = shapes::peek_dict(function->func_kwdefaults, name);
    if (!value || any_function) return false;
    assume(Assumption::DictValue, function->func_kwdefaults, name);
    values[k] = const_av(value);
  }
  return true;
}

// The caller has popped everything the call takes. Walks the callee in place.
bool Builder::inline_call(PyFunctionObject* function, std::vector<AVId> args, AVId callable,
                          const Inlining& how) {
  PyTypeObject* made = how.made;
  const bool any_function = how.any_function;
  auto refuse = [&](const char* why) { return refuse_inlining(function, why); };
  PyCodeObject* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  Context& caller = context();
  if (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE))
    return refuse("it is a generator or coroutine");
  if (caller.warm && bc_->heat == Heat::Cold) return refuse("this call never ran");
  if (caller.depth >= kMaxDepth) return refuse("the calls are nested too deeply");
  int recursion = 0;
  for (Context* c = &caller; c; c = c->caller) recursion += c->code == code;
  if (recursion > recursive_inlining(code)) return refuse("it is recursive");
  if (!request_.feedback->may_inline(function)) return refuse("it is excluded");
  int given = static_cast<int>(args.size()) + (made ? 1 : 0);
  int wanted = code->co_argcount;
  int defaults =
      function->func_defaults ? static_cast<int>(PyTuple_GET_SIZE(function->func_defaults)) : 0;
  if ((given > wanted && !(code->co_flags & CO_VARARGS)) || given < wanted - defaults)
    return refuse("the arguments do not fit");
  // A constant is kept by the code; any other function must outlive its inlined body, if need be by
  // the reference of the call.
  if (any_function && given < wanted) return refuse("it has defaults of its own");
  std::vector<AVId> keyword_only = how.keyword_only;
  keyword_only.resize(static_cast<size_t>(code->co_kwonlyargcount), kNoAV);
  if (!keyword_only_defaults(function, any_function, keyword_only))
    return refuse("a keyword-only argument is not known");
  const bool owns = any_function && av(callable).value->owned() && !held(callable);
  if (owns &&
      std::any_of(args.begin(), args.end(), [&](AVId arg) { return reaches_value(arg, callable); }))
    return refuse("it is passed to itself");
  if (!PyDict_CheckExact(function->func_globals)) return refuse("its globals are not a plain dict");
  Context* context = nullptr;
  size_t frames_before = graph_.frames.size();
  // Peek at the size before making a context.
  if (Py_SIZE(code) > 4 * kMaxInlineSize) return refuse("it is too large");
  if (result_.walked > kWalkBudget / 2) return refuse("the caller has become too large");
  context = new_context(code, function, function->func_globals, function->func_builtins, &caller,
                        raw_bci_);
  if (!context || static_cast<int>(context->decoded->list.size()) > kMaxInlineSize) {
    graph_.frames.truncate(frames_before);
    return refuse("it is too large");
  }
  // Making an instance in any other way costs more than that.
  if (!made && calls_out_often(*context)) {
    graph_.frames.truncate(frames_before);
    return refuse("it makes too many calls of its own");
  }
  if (any_function) {
    check_bound(callable);
    guard_type(callable, &PyFunction_Type);
    Value* value = av(callable).value;
    guard(Op::GuardIs, load(Op::LoadObject, value, shapes::kFunctionCode, ir::Heap::Other),
          ir::Reason::ValueSeen, code);
    guard(Op::GuardIs, load(Op::LoadObject, value, shapes::kFunctionGlobals, ir::Heap::Constant),
          ir::Reason::ValueSeen, function->func_globals);
    keep(function->func_globals);
    context->function_value = value;
    context->any_function = true;
    context->owns_function = owns;
  } else {
    assume(Assumption::Function, reinterpret_cast<PyObject*>(function));
    context->function_value = const_object(function);
  }
  result_.inlined.push_back(inline_note(caller.code, raw_bci_, function, nullptr));

  AVId keywords = kNoAV;
  if (code->co_flags & CO_VARKEYWORDS) {
    keywords = object_av(call_helper(ir::Helper::build_map, {}), &PyDict_Type);
    drop(keywords);  // should there be no instance
  }
  if (made) {
    AVId object = new_instance(made);
    args.insert(args.begin(), object);
    push(object);
  }
  if (keywords != kNoAV) undrop(keywords);
  if (how.gone != kNoAV) emit(Op::ReleasePlain, {av(how.gone).value});
  FrameSlots& outer = st_.top();
  outer.call_bci = raw_bci_;
  outer.cont = made ? ir::Continuation::Init : how.cont;
  context->operands = how.operands;
  context->operands_die_top_first = operands_die_top_first();
  given = static_cast<int>(args.size());
  FrameSlots frame;
  frame.context = context;
  frame.locals.assign(args.begin(), args.begin() + std::min(given, wanted));
  for (int i = given; i < wanted; i++)
    frame.locals.push_back(
        const_av(PyTuple_GET_ITEM(function->func_defaults, defaults - (wanted - i))));
  frame.locals.insert(frame.locals.end(), keyword_only.begin(), keyword_only.end());
  if (code->co_flags & CO_VARARGS)
    frame.locals.push_back(
        given > wanted ? virtual_av(ir::VirtualKind::Tuple, {args.begin() + wanted, args.end()})
                       : const_av(shapes::empty_tuple()));
  if (keywords != kNoAV) frame.locals.push_back(keywords);
  while (static_cast<int>(frame.locals.size()) < context->info->nlocals)
    frame.locals.push_back(null_av());

  const Bytecode* saved_bc = bc_;
  int saved_bci = raw_bci_, saved_next = raw_next_;
  caller_next_bci_.push_back(raw_next_);
  // The callable may have been loaded from a cell or a variable: its reference ends here. It cannot
  // be the last one, since the code keeps the function alive.
  if (!any_function && av(callable).kind == SlotKind::Object && av(callable).value->owned() &&
      !held(callable) && std::find(args.begin(), args.end(), callable) == args.end())
    emit(Op::ReleasePlain, {av(callable).value});
  drops_.clear();
  st_.frames.push_back(frame);
  std::vector<Edge> entry;
  entry.push_back({cur_, st_});
  walk_function(*context, 0, std::move(entry));
  caller_next_bci_.pop_back();
  bc_ = saved_bc;
  raw_bci_ = saved_bci;
  raw_next_ = saved_next;
  drops_.clear();
  python_ran_ = false;
  if (restart_) {
    cur_ = nullptr;
    return true;
  }
  merge_here(context->returns, raw_next_);
  if (cur_) {
    st_.top().cont = ir::Continuation::None;
    before_locals_ = st_.top().locals;
    before_stack_ = st_.top().stack;
    raw_bci_ = raw_next_;  // whatever still exits within this instruction goes on behind it
  }
  return true;
}

}  // namespace psyco
