// The interpreter stores a jump's target in the frame before it calls us, and goes on wherever the
// frame stands when we return. So the callback can run the rest of the loop natively and leave the
// frame at any instruction, with locals and stack to match. `tstate->tracing` is 1 meanwhile and
// must not be for our code.
#include "runtime/osr.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cpython/lines.h"
#include "runtime/activation.h"
#include "runtime/governor.h"
#include "runtime/parked.h"
#include "runtime/poll.h"
#include "runtime/sampler.h"
#include "runtime/visible.h"
#include "runtime/wanted.h"
#include "support/ticks.h"

namespace psyco {

HotOptions g_hot;
OsrStats g_osr_stats;
CompiledCode* (*g_compile_osr)(PyCodeObject*, PyFunctionObject*, CodeEntry*, int,
                               _PyInterpreterFrame*) = nullptr;
bool (*g_function_is_hot)(PyFunctionObject*, CodeEntry*) = nullptr;

namespace {

int g_tool = -1;
PyObject* g_tool_name = nullptr;  // this very object: another tool may call itself the same
PyObject* g_get_tool = nullptr;
PyObject* g_set_local_events = nullptr;
PyObject* g_set_events = nullptr;
PyObject* g_disable = nullptr;
long g_event_set = 0;          // JUMP | PY_START
bool g_everything = false;     // all code is wanted,
bool g_global_events = false;  // and global events find what is hot, not the sampler
bool g_paused = false;
bool g_lines_paused = false;
std::unordered_set<PyCodeObject*> g_paused_codes;  // owned
// Those with CodeEntry::watched, which tell when they die, and first_line_needs_start_events().
std::unordered_map<CodeEntry*, bool>& watched() {
  static auto* map = new std::unordered_map<CodeEntry*, bool>;
  return *map;
}

constexpr uint32_t kFewEvents = 4;

// If somebody has freed our tool id and none was left, our callbacks may still come.
PyObject* disable() { return Py_NewRef(g_disable ? g_disable : Py_None); }

bool has_loop_version(const CodeEntry* entry, int target) {
  return std::any_of(entry->versions.begin(), entry->versions.end(),
                     [target](const Version& version) { return version.target == target; });
}

// There was no memory: the interpreter goes on.
PyObject* not_now() {
  PyErr_Clear();
  Py_RETURN_NONE;
}

bool is_around(const LoopCounter& outer, const LoopCounter* inner) {
  return outer.target < inner->target && outer.last > inner->last;
}

// It may take long to come round, though. (If it was not worth its while, few loops in it are.)
bool outer_is_wanted(const CodeEntry* entry, const LoopCounter* inner) {
  return std::any_of(entry->loops.begin(), entry->loops.end(), [inner](const LoopCounter& loop) {
    return loop.wanted && is_around(loop, inner);
  });
}

// Counts one back edge; true when it is enough, or when the loop has taken long enough. That is
// the time between back edges of one activation: a loop that runs briefly now and then is cold.
bool count_up(LoopCounter* loop, const CodeEntry* entry, const void* frame) {
  const uint32_t patience = outer_is_wanted(entry, loop) ? 8 : 1;
  if (++loop->count >= patience * g_hot.loop_threshold || loop->wanted) return true;
  // Slow loops have few events, so the clock costs them nothing; fast ones need it rarely.
  if (loop->count >= 32 && loop->count % 16 != 0) return false;
  const int64_t now = now_ns();
  // Frames lie where earlier ones lay, so the calls tell them apart.
  if (loop->frame == frame && loop->call == entry->calls) loop->spent_ns += now - loop->seen_ns;
  loop->frame = frame;
  loop->call = entry->calls;
  loop->seen_ns = now;
  return loop->count >= kFewEvents && loop->spent_ns >= patience * g_hot.slow_ns;
}

// The outermost of the loops around this one that comes round often enough: entered there, all of
// them are compiled once; entered within, what is left of an iteration and the whole.
LoopCounter* better_loop(CodeEntry* entry, const LoopCounter* inner) {
  constexpr uint32_t kOften = 16, kFewInside = 64;
  LoopCounter* best = nullptr;
  for (LoopCounter& loop : entry->loops)
    if (is_around(loop, inner) && !loop.wanted && !loop.refused && loop.count >= kOften &&
        loop.count * kFewInside >= inner->count && (!best || loop.target < best->target))
      best = &loop;
  return best;
}

LoopCounter* loop_counter(CodeEntry* entry, int target) {
  for (LoopCounter& loop : entry->loops)
    if (loop.target == target) return &loop;
  entry->loops.push_back({target});
  return &entry->loops.back();
}

// Runs the loop natively. None: the frame stands where to go on. Null: the error is to be returned.
PyObject* take_over(PyThreadState* ts, _PyInterpreterFrame* frame, CompiledCode* code, int target,
                    int64_t* budget) {
  const int count = Port::depth(frame);
  Activation* act = push_osr(ts, code, frame, count);
  if (!act) {
    PyErr_Clear();
    Py_RETURN_NONE;
  }
  osr_target(act) = target;
  act->budget = *budget;
  // Moved, not copied: counts stay what they would be, and finalisers run when they should. Empty
  // slots and a valid stack top keep the frame readable.
  Port::Slot* slots = Port::slots(frame);
  Port::set_depth(frame, Port::code_of(frame)->co_nlocalsplus);
  for (int i = 0; i < count; i++) {
    act->args[i] = Port::slot_take(slots[i]);
    slots[i] = Port::slot_null();
  }
  g_osr_stats.entries++;
  PyThreadState_LeaveTracing(ts);
  const uint64_t redirected = g_backend.enter(code->entry, act);
  PyThreadState_EnterTracing(ts);
  *budget = act->budget;
  pop_osr(ts, act);
  if (!redirected) return nullptr;
  Py_RETURN_NONE;
}

PyObject* denied(CodeEntry* entry, Permission permission) {
  if (permission == Permission::Refused) {
    settle(entry);
    return disable();
  }
  // Under the sampler's eyes it will be armed again when it is seen again.
  const bool on_trial = entry->armed_ns && !entry->wanted_by && entry->versions.empty();
  if (on_trial || park(entry)) return disable();
  Py_RETURN_NONE;
}

// Every event passes here.
void count_event() {
  g_deciding.events++;
  if (++g_osr_stats.events % 64 != 0) return;
  if (!deciding_may_go_on()) look_soon();
  unpark_some();
  review_verdicts();
}

int unit_argument(PyObject* offset) { return static_cast<int>(PyLong_AsLong(offset) / 2); }

PyObject* on_jump(PyObject*, PyObject* const* args, Py_ssize_t) {
  auto* code = reinterpret_cast<PyCodeObject*>(args[0]);
  const int from = unit_argument(args[1]), target = unit_argument(args[2]);
  if (target > from) return disable();  // JUMP_FORWARD raises the event too
  count_event();
  CodeEntry* entry = code_entry(code, true);
  if (!entry) Py_RETURN_NONE;
  entry->events++;
  if (entry->excluded || !is_wanted(entry)) return disable();
  PyThreadState* ts = _PyThreadState_GET();
  _PyInterpreterFrame* frame = ts->current_frame;
  if (Port::code_of(frame) != code || entry->compiling) Py_RETURN_NONE;
  LoopCounter* loop = loop_counter(entry, target);
  if (loop->refused) return disable();
  loop->last = std::max(loop->last, from);
  if (!native_allowed(ts, code) || !room_for_activation(ts) || frame_is_kept(frame)) Py_RETURN_NONE;
  if (Port::kIterSlots > 1 && has_loop_version(entry, target) && !Port::make_iterators(frame))
    return not_now();
  Version* version = find_loop_version(entry, target, frame);
  CompiledCode* body = version ? version->code : nullptr;
  if (!body) {
    loop_not_native(entry, target);
    if (others_must_wait()) Py_RETURN_NONE;
    if (!count_up(loop, entry, frame) || !g_compile_osr) Py_RETURN_NONE;
    if (LoopCounter* outer = better_loop(entry, loop)) {
      outer->wanted = true;
      loop->count = 0;
      loop->spent_ns = 0;
      Py_RETURN_NONE;
    }
    // Of module code nothing behind the loop has run, nor will it be compiled.
    const bool module_code = !(code->co_flags & CO_OPTIMIZED);
    const Permission permission =
        permission_to_compile(entry, module_code ? from - target : Py_SIZE(code));
    if (permission != Permission::Granted) return denied(entry, permission);
    loop = loop_counter(entry, target);  // a filter may have run
    loop->count = 0;                     // for the next try
    loop->spent_ns = 0;
    if (!Port::make_iterators(frame)) return not_now();
    PyObject* function = Port::function_object(frame);
    entry->compiling = true;
    body = g_compile_osr(code,
                         function && PyFunction_Check(function)
                             ? reinterpret_cast<PyFunctionObject*>(function)
                             : nullptr,
                         entry, target, frame);
    entry->compiling = false;
    if (!body) {
      if (loop_counter(entry, target)->refused) return disable();
      Py_RETURN_NONE;
    }
    if (!native_allowed(ts, code)) Py_RETURN_NONE;  // finalisers may have run meanwhile
  }
  if (!body_allowed(body)) Py_RETURN_NONE;
  int64_t budget = INT64_MAX;
  if (g_governor) {
    loop = loop_counter(entry, target);
    const bool on_trial = !loop->decided;
    if (!on_trial) g_deciding.events--;
    switch (loop_mode(entry, loop, &budget)) {
      case LoopMode::Native:
        g_deciding.loop_entries += on_trial;
        break;
      case LoopMode::Interpret:
        Py_RETURN_NONE;
      case LoopMode::Lost:
        if (g_lost) g_lost(entry, target);
        return disable();
    }
  }
  const int64_t allowed = budget;
  Py_INCREF(code);  // and with it the entry
  const int64_t compile_ns = g_compile_ns;
  const uint64_t begun = ticks();
  PyObject* done = take_over(ts, frame, body, target, &budget);
  if (g_governor)
    loop_left(entry, target, allowed - budget, g_compile_ns == compile_ns ? ticks() - begun : 0);
  Py_DECREF(code);
  return done;
}

bool has_call_version(const CodeEntry* entry) {
  for (const Version& version : entry->versions)
    if (version.target == kEntryCall && may_enter(version.code)) return true;
  return false;
}

PyObject* on_start(PyObject*, PyObject* const* args, Py_ssize_t) {
  auto* code = reinterpret_cast<PyCodeObject*>(args[0]);
  count_event();
  // Generators and coroutines are entered at their loops only; module and class bodies run once.
  constexpr int kNotCalled =
      CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE;
  if ((code->co_flags & kNotCalled) || !(code->co_flags & CO_OPTIMIZED)) return disable();
  CodeEntry* entry = code_entry(code, true);
  if (!entry) Py_RETURN_NONE;
  entry->events++;
  if (entry->excluded || !is_wanted(entry)) return disable();
  if (entry->refused && !has_call_version(entry)) return disable();
  if (entry->unworthy && !entry->bound) return disable();
  _PyInterpreterFrame* frame = _PyThreadState_GET()->current_frame;
  if (Port::code_of(frame) != code) Py_RETURN_NONE;
  PyObject* callable = Port::function_object(frame);
  if (!callable || !PyFunction_Check(callable)) Py_RETURN_NONE;
  // Calls that take long are left to the loops in them.
  const bool hot = ++entry->calls >= g_hot.call_threshold;
  const bool compiled = has_call_version(entry);
  if (!hot && !compiled && !entry->bound) Py_RETURN_NONE;
  if (!entry->bound && is_initialiser(code)) return disable();
  PyFunctionObject* function = Port::function_of(frame);
  const Permission permission =
      compiled ? Permission::Granted : permission_to_compile(entry, Py_SIZE(code));
  if (permission != Permission::Granted) return denied(entry, permission);
  if (is_installed(function)) Py_RETURN_NONE;  // this call could not run natively; the next may
  if (!g_compile_entry || (g_function_is_hot && !g_function_is_hot(function, entry)))
    Py_RETURN_NONE;
  install_function(function);  // compiled at its next call, when the arguments are at hand
  measure_calls(function);
  // Every function object made from a nested code has to come by here once, as long as that leads
  // to native calls: not if most of them are called once and no more.
  if ((code->co_flags & CO_NESTED) && pays(entry, entry->installing)) Py_RETURN_NONE;
  return disable();
}

PyMethodDef g_jump_method = {"jump",
                             reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(on_jump)),
                             METH_FASTCALL, nullptr};
PyMethodDef g_start_method = {"start",
                              reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(on_start)),
                              METH_FASTCALL, nullptr};

bool register_callback(PyObject* monitoring, PyObject* events, const char* name,
                       PyMethodDef* method) {
  PyObject* number = PyObject_GetAttrString(events, name);
  PyObject* callback = number ? PyCFunction_New(method, nullptr) : nullptr;
  PyObject* done = callback ? PyObject_CallMethod(monitoring, "register_callback", "iOO", g_tool,
                                                  number, callback)
                            : nullptr;
  if (done) g_event_set |= PyLong_AsLong(number);
  Py_XDECREF(done);
  Py_XDECREF(callback);
  Py_XDECREF(number);
  return done != nullptr;
}

// Code that was watched goes on raising its local events: without callbacks nobody hears of them.
void unregister_callbacks(PyObject* monitoring) {
  for (long events = g_event_set; events; events &= events - 1) {
    PyObject* done = PyObject_CallMethod(monitoring, "register_callback", "ilO", g_tool,
                                         events & -events, Py_None);
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
  }
}

bool take_tool(PyObject* monitoring) {
  if (!g_tool_name && !(g_tool_name = PyUnicode_FromString("psyco"))) return false;
  for (int id : {5, 4, 3}) {
    PyObject* name = PyObject_CallMethod(monitoring, "get_tool", "i", id);
    if (!name) return false;
    const bool free = name == Py_None;
    Py_DECREF(name);
    if (!free) continue;
    PyObject* done = PyObject_CallMethod(monitoring, "use_tool_id", "iO", id, g_tool_name);
    if (!done) return false;
    Py_DECREF(done);
    g_tool = id;
    g_own_tools = static_cast<uint8_t>(1 << id);
    g_own_tools_bytes = g_own_tools * 0x0101010101010101u;
    return true;
  }
  return false;
}

// True, too, if there is no memory to ask.
bool owns_tool() {
  PyObject* name = PyObject_CallFunction(g_get_tool, "i", g_tool);
  if (!name) {
    PyErr_Clear();
    return true;
  }
  Py_DECREF(name);
  return name == g_tool_name;
}

void forget_tool() {
  Py_CLEAR(g_get_tool);
  Py_CLEAR(g_set_local_events);
  Py_CLEAR(g_set_events);
  Py_CLEAR(g_disable);
  g_tool = -1;
  g_own_tools = 0;
  g_own_tools_bytes = 0;
}

// Anybody can free our tool id, and another tool may have it by now: its events are none of our
// business, ours move to an id that is free. Without one calls only are compiled.
bool keep_tool() {
  if (owns_tool()) return true;
  forget_tool();
  return init_monitoring();
}

bool set_local(PyCodeObject* code, long events) {
  if (!keep_tool()) return true;
  PyObject* done = PyObject_CallFunction(g_set_local_events, "iOl", g_tool, code, events);
  Py_XDECREF(done);
  return done != nullptr;
}

bool set_global(long events) {
  if (!keep_tool()) return true;
  PyObject* done = PyObject_CallFunction(g_set_events, "il", g_tool, events);
  Py_XDECREF(done);
  return done != nullptr;
}

}  // namespace

// Our events of this code object at present.
static long events_now(const CodeEntry* entry) {
  if (!entry || !entry->watched || g_paused_codes.count(entry->code)) return 0;
  if (Port::foreign_local_events(entry->code, g_own_tools)) return 0;
  return g_event_set;
}

static bool register_callbacks(PyObject* monitoring) {
  PyObject* events = PyObject_GetAttrString(monitoring, "events");
  g_event_set = 0;
  const bool ok = events && register_callback(monitoring, events, "JUMP", &g_jump_method) &&
                  register_callback(monitoring, events, "PY_START", &g_start_method);
  Py_XDECREF(events);
  return ok;
}

void restore_events() {
  PyObject* monitoring = PySys_GetObject("monitoring");
  if (g_tool < 0 || !monitoring || !owns_tool()) return;
  if (!register_callbacks(monitoring)) PyErr_Clear();
  if (g_global_events && !g_paused && !set_global(g_event_set)) PyErr_Clear();
  std::vector<PyCodeObject*> codes;  // owned: to re-arm them may run anything
  for (const auto& [entry, needs_start] : watched()) {
    Py_INCREF(entry->code);
    codes.push_back(entry->code);
  }
  for (PyCodeObject* code : codes) {
    refresh_instrumentation(code);
    Py_DECREF(code);
  }
}

bool init_monitoring() {
  if (g_tool >= 0) return true;
  PyObject* monitoring = PySys_GetObject("monitoring");
  if (!monitoring || !take_tool(monitoring)) {
    PyErr_Clear();
    return false;
  }
  const bool ok = register_callbacks(monitoring) &&
                  (g_get_tool = PyObject_GetAttrString(monitoring, "get_tool")) &&
                  (g_disable = PyObject_GetAttrString(monitoring, "DISABLE")) &&
                  (g_set_local_events = PyObject_GetAttrString(monitoring, "set_local_events")) &&
                  (g_set_events = PyObject_GetAttrString(monitoring, "set_events"));
  if (!ok) {
    PyErr_Clear();
    stop_monitoring();
  }
  return ok;
}

void stop_monitoring() {
  if (g_tool < 0) return;
  PyObject* error = PyErr_GetRaisedException();
  PyObject* monitoring = PySys_GetObject("monitoring");
  if (monitoring && g_get_tool && owns_tool()) {
    unregister_callbacks(monitoring);
    for (const char* method : {"set_events", "free_tool_id"}) {
      PyObject* done = method[0] == 's' ? PyObject_CallMethod(monitoring, method, "ii", g_tool, 0)
                                        : PyObject_CallMethod(monitoring, method, "i", g_tool);
      if (!done) PyErr_Clear();
      Py_XDECREF(done);
    }
  }
  g_everything = g_global_events = false;
  forget_tool();
  resume_events();  // only lets go of them
  PyErr_SetRaisedException(error);
}

int monitoring_tool() { return g_tool; }

static void keep_paused(PyCodeObject* code) {
  if (g_paused_codes.insert(code).second) Py_INCREF(code);
}

bool is_wanted(const CodeEntry* entry) { return entry->bound || entry->wanted_by || g_everything; }

bool arm_events(CodeEntry* entry) {
  if (g_tool < 0) return true;  // calls only
  const bool before = entry->watched;
  if (before && !set_local(entry->code, 0)) return false;  // re-arms what was disabled
  entry->watched = true;
  watched()[entry] = first_line_needs_start_events(entry->code);
  if (g_paused) keep_paused(entry->code);
  if (set_local(entry->code, events_now(entry))) return true;
  if (!before) {
    PyObject* error = PyErr_GetRaisedException();
    if (!disarm_events(entry)) PyErr_Clear();
    PyErr_SetRaisedException(error);
  }
  return false;
}

bool drop_unwanted(CodeEntry* entry) {
  if (entry->bound || entry->wanted_by) return true;
  if (!g_everything) uninstall_functions_of(entry->code);
  return disarm_events(entry);
}

bool disarm_events(CodeEntry* entry) {
  if (!entry->watched) return true;
  if (g_tool >= 0 && !set_local(entry->code, 0)) return false;  // to be tried again
  forget_watched(entry);
  return true;
}

bool watch_code(PyCodeObject* code, WantedBy who) {
  CodeEntry* entry = code_entry(code, true);
  if (!entry) {
    PyErr_NoMemory();
    return false;
  }
  if (!arm_events(entry)) return false;
  entry->wanted_by |= who;
  return true;
}

bool unwatch_code(PyCodeObject* code, WantedBy who) {
  CodeEntry* entry = code_entry(code, false);
  if (!entry || !(entry->wanted_by & who)) return true;
  entry->wanted_by &= static_cast<uint8_t>(~who);
  if (drop_unwanted(entry)) return true;
  entry->wanted_by |= who;
  return false;
}

bool events_are_paused() { return g_paused; }

void rearm_events(PyCodeObject* code) {
  if (g_tool < 0) return;
  Port::forget_own_events(code, g_own_tools);
  refresh_instrumentation(code);
}

std::vector<CodeEntry*> watched_entries() {
  std::vector<CodeEntry*> entries;
  for (const auto& [entry, needs_start] : watched()) entries.push_back(entry);
  return entries;
}

// _Py_Instrument is not exported; a change of local events calls it.
void refresh_instrumentation(PyCodeObject* code) {
  if (g_tool < 0) return;
  PyObject* error = PyErr_GetRaisedException();
  const long now = events_now(code_entry(code, false));
  if (!set_local(code, now ? 0 : g_event_set) || !set_local(code, now)) PyErr_Clear();
  PyErr_SetRaisedException(error);
}

// Their first start is one that was hot already: it raises no event any more.
static void uninstall_unwanted() {
  std::vector<PyObject*> codes;  // to re-arm them may run anything
  for (PyFunctionObject* function : installed_functions()) {
    PyObject* code = function->func_code;
    const CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(code), false);
    if (entry && is_wanted(entry)) continue;
    uninstall_function(function);
    codes.push_back(Py_NewRef(code));
  }
  for (PyObject* code : codes) {
    rearm_events(reinterpret_cast<PyCodeObject*>(code));
    Py_DECREF(code);
  }
}

// The interpreter runs these within the call of their class, which is cheaper than any entry of
// ours; compiled callers have them inlined. (One that loops is entered at its loop.)
bool is_initialiser(PyCodeObject* code) {
  return PyUnicode_CompareWithASCIIString(code->co_name, "__init__") == 0;
}

bool everything_is_watched() { return g_everything; }
bool everything_is_counted() { return g_global_events; }

bool count_everything() {
  if (!g_everything || g_global_events) return true;
  g_global_events = true;
  return g_tool < 0 || g_paused || set_global(g_event_set);
}

bool watch_everything(bool on) {
  if (g_tool < 0) return true;
  stop_sampler();
  const bool global = on && !(g_governor && g_sampling && start_sampler());
  if (!g_paused && !set_global(global ? g_event_set : 0)) return false;
  g_everything = on;
  g_global_events = global;
  if (!on) uninstall_unwanted();
  return true;
}

void pause_events(PyThreadState* ts, bool lines) {
  if (g_tool < 0) return;
  if (g_global_events && !g_paused && !set_global(0)) PyErr_Clear();
  g_paused = true;
  const auto others = static_cast<uint8_t>(~g_own_tools);
  std::vector<PyCodeObject*> codes;  // kept paused, and so alive, before any of them is
  const auto pause = [&](PyCodeObject* code) {
    if (!Port::foreign_local_events(code, others)) return;
    keep_paused(code);
    codes.push_back(code);
  };
  for (_PyInterpreterFrame* frame = ts->current_frame; frame; frame = frame->previous)
    if (!Port::is_boundary(frame)) pause(Port::code_of(frame));
  if (lines && !g_lines_paused) {
    g_lines_paused = true;
    for (const auto& [entry, needs_start] : watched())
      if (needs_start) pause(entry->code);
  }
  for (PyCodeObject* code : codes)
    if (!set_local(code, 0)) PyErr_Clear();
}

void resume_events() {
  if (!g_paused) return;
  g_paused = g_lines_paused = false;
  const std::unordered_set<PyCodeObject*> codes = std::move(g_paused_codes);
  g_paused_codes.clear();
  if (g_tool >= 0 && g_global_events && !set_global(g_event_set)) PyErr_Clear();
  for (PyCodeObject* code : codes) {
    take_up_again(code);
    Py_DECREF(code);
  }
}

void give_way(PyCodeObject* code) {
  const CodeEntry* entry = code_entry(code, false);
  if (g_tool >= 0 && entry && entry->watched && !set_local(code, 0)) PyErr_Clear();
}

void take_up_again(PyCodeObject* code) {
  if (g_tool < 0) return;
  const long now = events_now(code_entry(code, false));
  if (now && !set_local(code, now)) PyErr_Clear();
}

void forget_watched(CodeEntry* entry) {
  if (!entry->watched) return;
  entry->watched = false;
  watched().erase(entry);
}

void refuse_loop(CodeEntry* entry, int target_bci, ir::Reason reason) {
  LoopCounter* loop = loop_counter(entry, target_bci);
  loop->refused = true;
  loop->reason = reason;
}

}  // namespace psyco
