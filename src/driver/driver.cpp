// The way of one function through the compiler, and its life afterwards.
#include "driver/driver.h"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "cpython/shapes.h"
#include "driver/ending.h"
#include "driver/feedback.h"
#include "driver/hooks.h"
#include "driver/units.h"
#include "emit/backend.h"
#include "emit/records.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "passes/pass.h"
#include "runtime/activation.h"
#include "runtime/caches.h"
#include "runtime/code.h"
#include "runtime/entry.h"
#include "runtime/governor.h"
#include "runtime/helpers.h"
#include "runtime/native_calls.h"
#include "runtime/osr.h"
#include "runtime/reserve.h"
#include "runtime/runtime.h"
#include "runtime/sampler.h"
#include "runtime/table.h"
#include "runtime/wanted.h"
#include "runtime/watch.h"

namespace psyco {

Options g_options;
CompileTotals g_totals;

DriverHooks g_driver;

namespace {

TargetLayout g_layout;
RuntimeTable g_table;
passes::PassOptions g_pass_options;

// Charges a compilation, whatever comes of it.
class CompileTimer {
 public:
  ~CompileTimer() {
    g_compile_ns += now_ns() - wall_;
    g_compile_cpu_ns += thread_cpu_ns() - cpu_;
    g_totals.total_ms += cpu_ms();
    g_totals.worst_ms = std::max(g_totals.worst_ms, cpu_ms());
    g_totals.times_ms.push_back(static_cast<float>(cpu_ms()));
  }
  double cpu_ms() const { return static_cast<double>(thread_cpu_ns() - cpu_) / 1e6; }

 private:
  const int64_t wall_ = now_ns(), cpu_ = thread_cpu_ns();
};

class DriverFeedback : public FeedbackSource {
 public:
  Feedback* for_code(PyCodeObject* code) override {
    CodeEntry* entry = code_entry(code, true);
    return entry ? &history_of(entry)->feedback : &empty_;
  }
  bool may_inline(PyFunctionObject* function) override {
    if (!g_options.inlining || !calls_are_ours(function)) return false;
    CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
    return entry && !entry->excluded && filter_lets(entry);
  }

  bool is_alive(PyFunctionObject* function) override { return is_noted(function); }
  bool is_variable(PyObject* dict, PyObject* key) override { return keeps_changing(dict, key); }
  void make_variable(PyObject* dict, PyObject* key) override { expect_changes(dict, key); }

  LinkCell* native_cell(PyFunctionObject* function, const std::string& signature) override {
    CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), true);
    if (!entry || entry->refused) return nullptr;
    CodeHistory* history = history_of(entry);
    for (auto& cell : history->cells)
      if (cell->function == function && cell->signature == signature) return cell.get();
    if (history->cells.size() >= 32) return nullptr;
    history->cells.push_back(std::make_unique<LinkCell>());
    LinkCell* cell = history->cells.back().get();
    cell->function = function;
    cell->signature = signature;
    cell->monitoring = reinterpret_cast<void**>(&entry->code->_co_monitoring);
    link_cells(entry);
    return cell;
  }

  void release_later(PyObject* object) override { psyco::release_later(object); }

 private:
  Feedback empty_;
};

}  // namespace

void refuse(CodeEntry* entry, ir::Reason reason, int line) {
  entry->refused = true;
  note_reason(entry, reason, line);
}

void note_reason(CodeEntry* entry, ir::Reason reason, int line) {
  entry->reason = reason;
  history_of(entry);  // stats() lists what has one
  g_totals.refused++;
  g_totals.refused_by[static_cast<int>(reason)]++;
  PyCodeObject* code = entry->code;
  const char* file = PyUnicode_AsUTF8(code->co_filename);
  if (!file) PyErr_Clear();
  char text[512];
  snprintf(text, sizeof text, "%s:%d: %s", file ? file : "?", line ? line : code->co_firstlineno,
           ir::reason_message(reason));
  entry->reason_text = text;
}

namespace {

// What these sites meet is of interest, once for each.
void watch_sites(Unit* unit) {
  for (size_t i = 0; i < unit->caches.size(); i++) {
    const SiteCache& place = unit->caches[i];
    if (place.kind >= SiteKind::Arithmetic) {
      auto* cache = reinterpret_cast<OperandCache*>(place.memory.get());
      cache->owner = unit;
      cache->site = static_cast<uint32_t>(i);
      cache->asking = true;
      cache->callee = place.kind == SiteKind::Callee;
      continue;
    }
    CodeEntry* entry = place.kind == SiteKind::Attribute ? code_entry(place.code, false) : nullptr;
    if (!entry || history_of(entry)->feedback.sites[place.bci].met) continue;
    auto* cache = reinterpret_cast<AttrCache*>(place.memory.get());
    cache->owner = unit;
    cache->site = static_cast<uint32_t>(i);
    cache->watched = static_cast<uint32_t>(g_options.watched_lookups);
  }
}

struct Attempt {
  CodeEntry* entry;
  CompileRequest request;
  std::vector<EntryGuard> guards;
  int target;
};

// Which rows of the tables are reached: whoever tests wants to know.
void count_values(const ir::Graph& graph) {
  for (const ir::Block* block : graph.blocks)
    for (const ArenaVec<ir::Value*>* list : {&block->phis, &block->values})
      for (const ir::Value* value : *list) {
        g_totals.ops[static_cast<int>(value->op)]++;
        if (value->op == ir::Op::CallHelper) g_totals.helpers[static_cast<int>(value->helper)]++;
      }
}

CompiledCode* compile(Attempt& attempt) {
  CodeEntry* entry = attempt.entry;
  CodeHistory* history = history_of(entry);
  if (entry->excluded || objects_are_lent()) return nullptr;
  bury_the_dead();
  if (history->compiles_at[attempt.target] >= g_options.max_compiles) {
    if (!entry->refused) refuse(entry, ir::Reason::TooManyVersions, 0);
    return nullptr;
  }
  constexpr size_t kLeast = 1 << 20, kForUnit = 4096;  // bytes of memory, roughly
  if (!make_room()) return nullptr;
  if (!reserve::can_spare(kLeast + kForUnit * static_cast<size_t>(Py_SIZE(entry->code))))
    return nullptr;
  // Keep the number of versions bounded: the oldest makes room.
  int same_target = 0;
  Unit* oldest = nullptr;
  for (Unit* unit : history->units)
    if (unit->target == attempt.target && same_target++ == 0) oldest = unit;
  if (same_target >= g_options.max_versions) retire_unit(entry, oldest);

  const CompileTimer timer;
  DriverFeedback feedback;
  CompileRequest& request = attempt.request;
  request.feedback = &feedback;
  request.exhausted = psyco_exhausted_object();
  request.attr_cache_size = sizeof(AttrCache);
  request.global_cache_size = sizeof(GlobalCache);
  request.operand_cache_size = sizeof(OperandCache);
  request.own_dict_watcher = own_dict_watcher();
  std::unique_ptr<ir::Graph> graph;
  PyObject* pending = PyErr_GetRaisedException();
  BuildResult built = build_graph(request, graph);
  PyErr_SetRaisedException(pending);
  history->compiles++;
  entry->compiles++;
  history->compiles_at[attempt.target]++;
  if (history->compiles > 1) g_totals.recompiled++;
  if (!built.ok) {
    refuse(entry, built.reason, 0);
    return nullptr;
  }
  auto unit = std::make_unique<Unit>();
  auto check_graph = [&](const char* when, ir::VerifyLevel level) {
    std::vector<std::string> problems = ir::verify(*graph, level, &g_pass_options.types);
    if (problems.empty()) return true;
    fprintf(stderr, "psyco: %s: %s: %s\n%s\n", graph->name, when, problems[0].c_str(),
            ir::print(*graph).c_str());
    return false;
  };
  if (g_options.verify && !check_graph("front end", ir::VerifyLevel::Ownership)) std::abort();
  passes::run_passes(*graph, g_pass_options);
  if (g_options.listings) unit->ir_text = ir::print(*graph);
  count_values(*graph);
  BackendOptions options;
  options.exit_every = static_cast<uint32_t>(g_options.exit_every);
  if (g_options.exit_seed) options.exit_countdown = &g_exit_countdown;
  options.spill_everything = g_options.spill;
  options.verify = true;  // a wrong allocation refuses the function
  options.want_listing = g_options.listings;
  BackendResult made = compile_graph(*graph, g_layout, g_table, *g_memory, options);
  if (!made.code) {
    if (made.out_of_memory) {
      history->compiles--;
      history->compiles_at[attempt.target]--;
      evict_to(g_memory->bytes_used() / 4 * 3);
      return nullptr;
    }
    if (g_options.verify) {
      fprintf(stderr, "psyco: %s: back end: %s\n%s\n", graph->name, made.error,
              ir::print(*graph).c_str());
      std::abort();
    }
    refuse(entry, ir::Reason::Internal, 0);
    return nullptr;
  }
  CompiledCode* code = made.code;
  code->entry_kind = request.kind;
  code->owner = unit.get();
  unit->code = code;
  unit->python_code = entry->code;
  unit->target = attempt.target;
  unit->caches = std::move(built.caches);
  watch_sites(unit.get());
  unit->inlined = std::move(built.inlined);
  unit->lir_text = std::move(made.lir_listing);
  unit->assembly_text = std::move(made.assembly_listing);
  unit->walked = built.walked;
  unit->result = built.result_kind();
  for (PyObject* object : built.objects)
    if (object != reinterpret_cast<PyObject*>(entry->code))
      unit->objects.push_back(Py_NewRef(object));
  adopt_code(code);
  bool watched = true;
  for (const Assumption& a : built.assumptions) {
    switch (a.kind) {
      case Assumption::DictValue:
        watched &= depend_on_key(code, a.object, a.key);
        break;
      case Assumption::Type: {
        auto* type = reinterpret_cast<PyTypeObject*>(a.object);
        if (!(type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)) watched &= depend_on_type(code, type);
        break;
      }
      case Assumption::Function:
        watched &= depend_on_function(code, reinterpret_cast<PyFunctionObject*>(a.object));
        break;
      case Assumption::Object:
        watched &= depend_on_object(code, a.object);
        break;
      case Assumption::Classes:
        watched &= depend_on_classes(code);
        break;
    }
  }
  unit->compile_ms = timer.cpu_ms();
  if (!watched) {
    free_unit(unit.release());
    refuse(entry, ir::Reason::Internal, 0);
    return nullptr;
  }
  g_totals.compiled++;
  for (size_t i = 0; i < built.any_entry.size(); i++)
    if (built.any_entry[i]) attempt.guards[i].kind = EntryGuard::Anything;
  add_version(entry, code, attempt.target, std::move(attempt.guards));
  make_young(history, unit->generation);
  history->units.push_back(unit.release());
  history->dropped = nullptr;
  link_cells(entry);
  return code;
}

// Where the first `count` of the entry values have come with many types, a version for each pair,
// triple... would never end.
void generalise(Attempt& attempt, size_t count) {
  std::vector<EntryGuard>& guards = attempt.guards;
  std::vector<bool>& any = attempt.request.any_type;
  std::vector<ParameterTypes>& types = history_of(attempt.entry)->types_met[attempt.target];
  types.resize(count);
  any.resize(guards.size());
  for (size_t i = 0; i < count; i++) {
    ParameterTypes& seen = types[i];
    if (guards[i].kind == EntryGuard::Type) seen.note(guards[i].ptr);
    any[i] = seen.any() && guards[i].kind != EntryGuard::Null;
    if (any[i]) guards[i] = EntryGuard{};
  }
}

// Entry types are proved by the runtime before it enters a version, and once more by the code's own
// guards.
std::vector<EntryGuard> guards_for(PyObject* const* values, Py_ssize_t count, bool call) {
  std::vector<EntryGuard> guards(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; i++) {
    EntryGuard& guard = guards[static_cast<size_t>(i)];
    if (!values[i]) {
      guard.kind = EntryGuard::Null;
      continue;
    }
    PyTypeObject* type = Py_TYPE(values[i]);
    guard.kind = EntryGuard::Type;
    guard.ptr = type;
    if (call && type == &PyLong_Type && fits_word(values[i])) guard.kind = EntryGuard::Int;
    if (call && type == &PyFloat_Type) guard.kind = EntryGuard::Float;
  }
  return guards;
}

}  // namespace

void ParameterTypes::note(const void* type) {
  for (int i = 0; i < count; i++)
    if (types[i] == type) return;
  if (count < kMost) types[count++] = type;
}

namespace {

bool compilable(CodeEntry* entry) {
  // Each of its loops would cost as much before it is refused.
  if (entry->refused && entry->reason == ir::Reason::TooManyVariables) return false;
  PyCodeObject* code = entry->code;
  if (Py_SIZE(code) > 2 * g_options.max_bytecodes) {
    refuse(entry, ir::Reason::TooLarge, 0);
    return false;
  }
  return true;
}

CompiledCode* compile_entry(PyFunctionObject* function, CodeEntry* entry, PyObject** args,
                            Py_ssize_t count) {
  PyCodeObject* code = entry->code;
  if (entry->refused || !compilable(entry)) return nullptr;
  if (g_governor && history_of(entry)->slow_loop) {  // what holds for the loop holds for the call
    refuse(entry, ir::Reason::Slower, 0);
    return nullptr;
  }
  if (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) {
    refuse(entry, ir::Reason::Generator, 0);
    return nullptr;
  }
  if (!PyDict_CheckExact(function->func_globals)) {
    refuse(entry, ir::Reason::Namespace, 0);
    return nullptr;
  }
  Attempt attempt;
  attempt.entry = entry;
  attempt.target = kEntryCall;
  attempt.request.code = code;
  attempt.request.function = function;
  attempt.request.globals = function->func_globals;
  attempt.request.builtins = function->func_builtins;
  attempt.request.kind = ir::EntryKind::Call;
  attempt.request.examples = args;
  attempt.request.example_count = static_cast<int>(count);
  attempt.guards = guards_for(args, count, true);
  generalise(attempt, attempt.guards.size());
  return compile(attempt);
}

// A loop with a yield in it would leave at every iteration.
bool suspends(const DecodedCode& decoded, int head) {
  int last = head;
  for (int i = head; i < static_cast<int>(decoded.list.size()); i++)
    if (decoded.list[i].op == NeutralOp::LoopBack && decoded.list[i].target == head) last = i;
  for (int i = head; i < last; i++) {
    const NeutralOp op = decoded.list[i].op;
    if (op == NeutralOp::Yield || op == NeutralOp::Send) return true;
  }
  return false;
}

CompiledCode* compile_osr(PyCodeObject* code, PyFunctionObject* function, CodeEntry* entry,
                          int target_bci, _PyInterpreterFrame* frame) {
  const auto refused = [&](ir::Reason reason) {
    refuse_loop(entry, target_bci, reason);
    return static_cast<CompiledCode*>(nullptr);
  };
  if (!compilable(entry)) return refused(entry->reason);
  if (!function || !PyDict_CheckExact(frame->f_globals)) return refused(ir::Reason::Namespace);
  // Class bodies and exec with separate locals.
  if (frame->f_locals && frame->f_locals != frame->f_globals) return refused(ir::Reason::Namespace);
  Attempt attempt;
  attempt.entry = entry;
  attempt.target = target_bci;
  CompileRequest& request = attempt.request;
  request.code = code;
  request.function = function;
  request.globals = frame->f_globals;
  request.builtins = frame->f_builtins;
  request.locals = frame->f_locals;
  request.kind = ir::EntryKind::Osr;
  std::vector<PyObject*> values;
  for (int i = 0; i < Port::depth(frame); i++)
    if (Port::slot_is_raw(Port::slots(frame)[i])) return refused(ir::Reason::Unsupported);
  for (int i = 0; i < Port::depth(frame); i++)
    values.push_back(Port::slot_view(Port::slots(frame)[i]));
  request.examples = values.data();
  request.example_count = static_cast<int>(values.size());
  DecodedCode decoded = decode(code);
  if (!decoded.ok || decoded.index_at(target_bci) < 0) return refused(ir::Reason::Unsupported);
  request.osr_index = decoded.index_at(target_bci);
  if (suspends(decoded, request.osr_index)) return refused(ir::Reason::LoopSuspends);
  attempt.guards = guards_for(values.data(), static_cast<Py_ssize_t>(values.size()), false);
  generalise(attempt, static_cast<size_t>(code->co_nlocalsplus));  // cursors have their types
  CompiledCode* made = compile(attempt);
  return !made && entry->refused ? refused(entry->reason) : made;
}

}  // namespace

bool start_driver() {
  g_memory = new CodeMemory();
  if (g_memory->error()) {
    PyErr_Format(PyExc_RuntimeError, "psyco cannot have memory for machine code: %s",
                 g_memory->error());
    return false;
  }
  g_layout = make_layout();
  fill_runtime_table(&g_table);
  if (!start_units() || !await_the_end()) return false;
  g_backend.enter = g_memory->enter();
  g_backend.make_entry = [](const std::vector<EntryWay>& ways) {
    return make_entry(ways, g_layout, g_table, *g_memory);
  };
  g_backend.free_entry = [](EntryStub stub) { free_entry(stub, *g_memory); };
#ifdef PSYCO_MUTANTS
  g_backend.decode = decode_spoilt_record;
#else
  g_backend.decode = decode_record;
#endif
  g_pass_options.types.float_type = &PyFloat_Type;
  g_pass_options.types.int_type = &PyLong_Type;
  g_compile_entry = compile_entry;
  g_compile_osr = compile_osr;
  start_feedback();
  std::string error;
  std::vector<std::string> unknown;
  const char* debug = getenv("PSYCO_DEBUG");
  if (debug && !parse_debug(debug, error, unknown)) {
    PyErr_Format(PyExc_ValueError, "PSYCO_DEBUG: %s", error.c_str());
    return false;
  }
  for (const std::string& item : unknown)
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "PSYCO_DEBUG: there is no setting %s; ignored",
                         item.c_str()) < 0)
      return false;
  return true;
}

void install_driver() {
  g_driver.start = start_driver;
  g_driver.stats = driver_stats;
  g_driver.report = [](PyFunctionObject* function) { return driver_report(function); };
  g_driver.compile_now = compile_now;
  g_driver.forget = forget_entry;
  g_driver.set_option = set_driver_option;
  g_driver.add_options = add_options;
}

bool compile_now(PyFunctionObject* function, PyObject* const* args, Py_ssize_t count) {
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  int wanted = code->co_argcount + code->co_kwonlyargcount + !!(code->co_flags & CO_VARARGS) +
               !!(code->co_flags & CO_VARKEYWORDS);
  if (count != wanted) {
    PyErr_Format(PyExc_TypeError, "compile_now(): %U has %d parameters, %zd values were given",
                 code->co_qualname, wanted, count);
    return false;
  }
  CodeEntry* entry = code_entry(code, true);
  if (entry && !find_call_version(entry, args, count))
    compile_entry(function, entry, const_cast<PyObject**>(args), count);
  if (entry) install_function(function);
  return true;
}

std::string graph_text(PyFunctionObject* function, PyObject* const* args, Py_ssize_t count,
                       bool optimised, std::vector<std::string>* problems) {
  CompileRequest request;
  request.code = reinterpret_cast<PyCodeObject*>(function->func_code);
  request.function = function;
  request.globals = function->func_globals;
  request.builtins = function->func_builtins;
  request.examples = args;
  request.example_count = static_cast<int>(count);
  DriverFeedback feedback;
  request.feedback = &feedback;
  request.exhausted = psyco_exhausted_object();
  request.attr_cache_size = sizeof(AttrCache);
  request.global_cache_size = sizeof(GlobalCache);
  request.operand_cache_size = sizeof(OperandCache);
  request.own_dict_watcher = own_dict_watcher();
  std::unique_ptr<ir::Graph> graph;
  BuildResult built = build_graph(request, graph);
  if (!built.ok) return std::string("not built: ") + ir::reason_message(built.reason);
  *problems = ir::verify(*graph, ir::VerifyLevel::Ownership, &g_pass_options.types);
  if (optimised) {
    passes::run_passes(*graph, g_pass_options);
    for (std::string& p : ir::verify(*graph, ir::VerifyLevel::Ownership, &g_pass_options.types))
      problems->push_back("after passes: " + p);
  }
  return ir::print(*graph);
}

void forget_entry(CodeEntry* entry) {
  if (!entry->driver) return;
  CodeHistory* history = history_of(entry);
  while (!history->units.empty()) retire_unit(entry, history->units.back());
  history->compiles = 0;
  entry->compiles = 0;
  history->compiles_at.clear();
  forget_feedback(history);
  bury_the_dead();
}

// Settings replace each other, they do not add up.
static void reset_debug() {
  g_options = Options();
  g_hot = HotOptions();
  g_governor = true;
  g_sampling = true;
  passes::PassOptions fresh;
  fresh.types = g_pass_options.types;
  g_pass_options = std::move(fresh);
  reset_random_exits();
}

bool parse_debug(const char* text, std::string& error, std::vector<std::string>& unknown) {
  reset_debug();
  std::string all(text);
  size_t from = 0;
  while (from <= all.size()) {
    size_t to = all.find(',', from);
    if (to == std::string::npos) to = all.size();
    std::string item = all.substr(from, to - from);
    from = to + 1;
    if (item.empty()) continue;
    if (item == "stress=eager" || item == "stress=osr") {
      g_hot.loop_threshold = 1;
      g_hot.call_threshold = 1;
      g_hot.slow_ns = 1000;
      g_options.watched_lookups = 2 << AttrCache::kSampledBits;
      g_governor = false;
    } else if (item == "off=governor") {
      g_governor = false;
    } else if (item == "off=sampler") {
      g_sampling = false;
    } else if (item == "stress=exit:random" || item.rfind("stress=exit:random:", 0) == 0) {
      g_options.exit_seed = item.size() > 18 ? atoi(item.c_str() + 19) : 1;
      g_governor = false;
      if (g_options.exit_seed <= 0)
        return error = "stress=exit:random:N wants a positive number", false;
    } else if (item.rfind("stress=exit:", 0) == 0) {
      g_options.exit_every = atoi(item.c_str() + 12);
      g_governor = false;
      if (g_options.exit_every <= 0) return error = "stress=exit:N wants a positive number", false;
    } else if (item == "stress=spill") {
      g_options.spill = true;
      g_governor = false;
    } else if (item == "verify=each") {
      g_options.verify = true;
    } else if (item == "off=inlining") {
      g_options.inlining = false;
    } else if (item == "listings") {
      g_options.listings = true;
    } else if (!passes::parse_pass_switches(item, g_pass_options, error, unknown)) {
      return false;
    }
  }
  if (g_options.verify) g_pass_options.verify = true;
  return true;
}

}  // namespace psyco
