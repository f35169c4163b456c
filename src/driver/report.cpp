// What psyco tells about its work: totals, and per function what explain() shows.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "driver/driver.h"
#include "driver/feedback.h"
#include "driver/units.h"
#include "driver/why.h"
#include "runtime/activation.h"
#include "runtime/code.h"
#include "runtime/entry.h"
#include "runtime/ledger.h"
#include "runtime/osr.h"
#include "runtime/wanted.h"
#include "support/ticks.h"

namespace psyco {

namespace {

// Steals value; false with an error set if it is null or cannot be stored.
bool put(PyObject* dict, const char* key, PyObject* value) {
  if (!value) return false;
  int failed = PyDict_SetItemString(dict, key, value);
  Py_DECREF(value);
  return failed == 0;
}

PyObject* text(const std::string& s) {
  return PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), "replace");
}

// The counts that are not zero, by name.
template <size_t n, class Name>
PyObject* counts(const uint64_t (&numbers)[n], Name name) {
  PyObject* dict = PyDict_New();
  for (size_t i = 0; dict && i < n; i++)
    if (numbers[i] && !put(dict, name(i), PyLong_FromUnsignedLongLong(numbers[i]))) Py_CLEAR(dict);
  return dict;
}

int line_of(PyCodeObject* code, int bci) { return PyCode_Addr2Line(code, bci * 2); }

PyObject* exits_of(const Unit* unit) {
  PyObject* list = PyList_New(0);
  if (!list) return nullptr;
  for (size_t id = 0; id < unit->code->exit_counts.size(); id++) {
    uint32_t count = unit->code->exit_counts[id];
    if (!count) continue;
    ExitRecord record = g_backend.decode(*unit->code, static_cast<uint32_t>(id));
    if (record.frames.empty()) continue;
    const ExitFrame& frame = record.frames.back();
    auto* code =
        static_cast<PyCodeObject*>(const_cast<void*>(unit->code->frames[frame.frame_index].code));
    PyObject* item =
        Py_BuildValue("{s:i,s:O,s:s,s:s,s:I}", "line", line_of(code, frame.bci), "function",
                      code->co_qualname, "reason", ir::reason_message(record.reason), "kind",
                      ir::reason_name(record.reason), "count", count);
    if (!item || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_DECREF(list);
      return nullptr;
    }
    Py_DECREF(item);
  }
  return list;
}

PyObject* version_of(const Unit* unit) {
  PyObject* dict = PyDict_New();
  if (!dict) return nullptr;
  PyObject* inlined = PyList_New(0);
  for (const InlineNote& note : unit->inlined) {
    PyObject* item =
        Py_BuildValue("{s:i,s:s,s:s,s:z}", "line", note.line, "function", note.caller.c_str(),
                      "name", note.name.c_str(), "why_not", note.why);
    if (item) PyList_Append(inlined, item);
    Py_XDECREF(item);
  }
  bool ok =
      put(dict, "entry",
          unit->target < 0 ? PyUnicode_FromString("call")
                           : PyUnicode_FromFormat("loop at line %d",
                                                  line_of(unit->python_code, unit->target))) &&
      put(dict, "code_bytes", PyLong_FromSize_t(unit->code->size)) &&
      put(dict, "compile_ms", PyFloat_FromDouble(unit->compile_ms)) &&
      put(dict, "exits", exits_of(unit)) && put(dict, "inlined", Py_NewRef(inlined)) &&
      put(dict, "ir", text(unit->ir_text)) && put(dict, "lir", text(unit->lir_text)) &&
      put(dict, "asm", text(unit->assembly_text));
  Py_DECREF(inlined);
  if (ok) return dict;
  Py_DECREF(dict);
  return nullptr;
}

// ---- levels and guards, as the exit records tell them

const char* level_of(const ExitSlot& slot, const ExitRecord& record) {
  const bool known = slot.value.kind == Location::Imm || slot.value.kind == Location::Object;
  switch (slot.kind) {
    case ir::SlotKind::Null:
      return nullptr;
    case ir::SlotKind::Object:
      return known ? "known" : "object";
    case ir::SlotKind::Int:
      return known ? "known int" : "int64";
    case ir::SlotKind::Float:
      return known ? "known float" : "float64";
    case ir::SlotKind::Bool:
      return known ? "known bool" : "bool";
    case ir::SlotKind::Virtual:
      break;
  }
  switch (record.virtuals[static_cast<size_t>(slot.virt)].kind) {
    case ir::VirtualKind::Tuple:
      return "virtual tuple";
    case ir::VirtualKind::RangeIter:
    case ir::VirtualKind::CountIter:
      return "virtual range iterator";
    case ir::VirtualKind::Range:
      return "virtual range";
    case ir::VirtualKind::ListIter:
      return "virtual list iterator";
    case ir::VirtualKind::TupleIter:
      return "virtual tuple iterator";
    case ir::VirtualKind::BoundMethod:
      return "virtual bound method";
    case ir::VirtualKind::Slice:
      return "virtual slice";
    case ir::VirtualKind::BytesIter:
      return "virtual bytes iterator";
    case ir::VirtualKind::ByteArrayIter:
      return "virtual bytearray iterator";
    case ir::VirtualKind::Instance:
      return "virtual instance";
  }
  return nullptr;
}

// By code unit. (PyCode_Addr2Line begins at the start of the table, each time.)
std::vector<int> lines_by_bci(PyCodeObject* code) {
  std::vector<int> lines(static_cast<size_t>(Py_SIZE(code)), -1);
  PyObject* ranges = PyObject_CallMethod(reinterpret_cast<PyObject*>(code), "co_lines", nullptr);
  PyObject* iterator = ranges ? PyObject_GetIter(ranges) : nullptr;
  while (PyObject* range = iterator ? PyIter_Next(iterator) : nullptr) {
    int from, to;
    PyObject* line;
    if (PyArg_ParseTuple(range, "iiO", &from, &to, &line) && line != Py_None)
      for (int unit = from / 2; unit < to / 2 && unit < static_cast<int>(lines.size()); unit++)
        lines[static_cast<size_t>(unit)] = static_cast<int>(PyLong_AsLong(line));
    Py_DECREF(range);
  }
  PyErr_Clear();
  Py_XDECREF(iterator);
  Py_XDECREF(ranges);
  return lines;
}

// What a line tells of: the variables in it and, where a loop begins, those of the loop. To tell of
// all would make a text that grows with the square of the function.
using Mentioned = std::map<int, std::set<int>>;  // locals by line
Mentioned variables_by_line(PyCodeObject* code, const std::vector<int>& lines) {
  Mentioned mentioned;
  const DecodedCode decoded = decode(code);
  std::vector<int> local(decoded.list.size(), -1);
  const auto line = [&](size_t i) { return lines[static_cast<size_t>(decoded.list[i].bci)]; };
  for (size_t i = 0; i < decoded.list.size(); i++) {
    const Bytecode& bytecode = decoded.list[i];
    if (neutral_names_local(bytecode.op)) local[i] = bytecode.arg;
    if (local[i] >= 0) mentioned[line(i)].insert(local[i]);
    if (bytecode.op != NeutralOp::LoopBack || bytecode.target < 0) continue;
    const auto head = static_cast<size_t>(bytecode.target);
    for (size_t k = head; k < i; k++)
      if (local[k] >= 0) mentioned[line(head)].insert(local[k]);
  }
  return mentioned;
}

struct LineNotes {
  std::map<std::string, std::set<std::string>> levels;  // by variable
  std::map<ir::Reason, int> guards;                     // places in the machine code
};

void note_levels(LineNotes& notes, const ExitRecord& record, PyCodeObject* code,
                 const std::set<int>& mentioned) {
  const ExitFrame& frame = record.frames.back();
  const auto count = static_cast<size_t>(PyTuple_GET_SIZE(code->co_localsplusnames));
  for (const int local : mentioned) {
    const auto i = static_cast<size_t>(local);
    if (i >= frame.locals.size() || i >= count) continue;
    const char* level = level_of(frame.locals[i], record);
    const char* name =
        PyUnicode_AsUTF8(PyTuple_GET_ITEM(code->co_localsplusnames, static_cast<Py_ssize_t>(i)));
    if (!name) PyErr_Clear();
    if (level && name) notes.levels[name].insert(level);
  }
  for (const ExitSlot& slot : frame.stack)
    if (slot.kind == ir::SlotKind::Virtual)
      notes.levels["(operand)"].insert(level_of(slot, record));
}

// What the machine code of `entry` says about its own lines; inlined ones are other functions'.
std::map<int, LineNotes> line_notes(const CodeEntry* entry, const CodeHistory* history) {
  std::map<int, LineNotes> lines;
  const std::vector<int> line_at = lines_by_bci(entry->code);
  Mentioned mentioned = variables_by_line(entry->code, line_at);
  for (const Unit* unit : history->units)
    for (size_t id = 0; id < unit->code->exit_counts.size(); id++) {
      const ExitRecord record = g_backend.decode(*unit->code, static_cast<uint32_t>(id));
      if (record.frames.empty()) continue;
      const ExitFrame& frame = record.frames.back();
      if (unit->code->frames[frame.frame_index].code != entry->code) continue;
      const int line = line_at[static_cast<size_t>(std::max(frame.bci, 0))];
      LineNotes& notes = lines[line];
      note_levels(notes, record, entry->code, mentioned[line]);
      if (is_speculation(record.reason)) notes.guards[record.reason]++;
    }
  return lines;
}

// [{line, notes}], as explain() shows them.
PyObject* lines_of(const CodeEntry* entry, const CodeHistory* history) {
  PyObject* list = PyList_New(0);
  if (!history || !list) return list;
  for (const auto& [line, notes] : line_notes(entry, history)) {
    std::string levels;
    for (const auto& [name, kinds] : notes.levels) {
      levels += (levels.empty() ? "" : ", ") + name + ": ";
      for (const std::string& kind : kinds) levels += (kind == *kinds.begin() ? "" : " or ") + kind;
    }
    PyObject* texts = PyList_New(0);
    const auto say = [&](const std::string& words) {
      PyObject* item = texts ? text(words) : nullptr;
      if (!item || PyList_Append(texts, item) < 0) Py_CLEAR(texts);
      Py_XDECREF(item);
    };
    if (!levels.empty()) say(levels);
    for (const auto& [reason, places] : notes.guards)
      say("guards, " + std::to_string(places) + ": " + ir::reason_message(reason));
    PyObject* item = texts ? Py_BuildValue("{s:i,s:N}", "line", line, "notes", texts) : nullptr;
    const bool ok = item && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    if (ok) continue;
    Py_DECREF(list);
    return nullptr;
  }
  return list;
}

// Why the calls of a function are not compiled, or None.
PyObject* refusal(const CodeEntry* entry) {
  if (entry->excluded || filter_refuses(entry))
    return PyUnicode_FromString(ir::reason_message(ir::Reason::Excluded));
  const bool told = entry->refused || entry->unworthy;
  return told ? text(entry->reason_text) : Py_NewRef(Py_None);
}

// [{entry, line, why}], for what is not compiled: "call", or "loop" and its line.
PyObject* reasons_of(PyFunctionObject* function) {
  PyObject* list = PyList_New(0);
  for (const WhyNot& why : why_not_compiled(function)) {
    const bool loop = why.line >= 0;
    PyObject* item =
        list ? Py_BuildValue(
                   "{s:s,s:i,s:N}", "entry", loop ? "loop" : "call", "line",
                   loop ? why.line
                        : reinterpret_cast<PyCodeObject*>(function->func_code)->co_firstlineno,
                   "why", text(why.text))
             : nullptr;
    if (!item || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

// ---- figures of each function

PyObject* functions() {
  PyObject* list = PyList_New(0);
  // Building objects may collect garbage, and codes may die: those met stay.
  std::vector<PyObject*> codes;
  for (const CodeEntry* entry : known_entries())
    codes.push_back(Py_NewRef(reinterpret_cast<PyObject*>(entry->code)));
  for (PyObject* code : codes) {
    const CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(code), false);
    const auto* history = entry ? static_cast<CodeHistory*>(entry->driver) : nullptr;
    if (!list || !history || (!history->compiles && !entry->refused)) continue;
    uint64_t entries = history->entries, exits = history->exits;
    size_t bytes = 0;
    for (const Unit* unit : history->units) {
      entries += state_of(unit->code)->entries;
      exits += exits_so_far(unit);
      bytes += unit->code->size;
    }
    PyObject* item = Py_BuildValue(
        "{s:O,s:O,s:i,s:K,s:K,s:K,s:n,s:N}", "name", entry->code->co_qualname, "file",
        entry->code->co_filename, "line", entry->code->co_firstlineno, "entries",
        static_cast<unsigned long long>(entries), "exits", static_cast<unsigned long long>(exits),
        "events", static_cast<unsigned long long>(entry->events), "code_bytes",
        static_cast<Py_ssize_t>(bytes), "refused", refusal(entry));
    if (!item || PyList_Append(list, item) < 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  for (PyObject* code : codes) Py_DECREF(code);
  return list;
}

// What psyco has cost and won, in milliseconds of processor time: see runtime/ledger.h.
PyObject* balance() {
  return Py_BuildValue("{s:d,s:d}", "compiling_ms", static_cast<double>(g_compile_cpu_ns) / 1e6,
                       "won_ms", won_ns() / 1e6);
}

const uint64_t g_first_tick = ticks();

double covered_share() {
  return static_cast<double>(native_ticks()) / static_cast<double>(ticks() - g_first_tick);
}

}  // namespace

PyObject* driver_report(PyFunctionObject* function) {
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  CodeEntry* entry = code_entry(code, false);
  auto* history = entry ? static_cast<CodeHistory*>(entry->driver) : nullptr;
  PyObject* dict = PyDict_New();
  PyObject* versions = PyList_New(0);
  PyObject* exits = PyList_New(0);
  PyObject* notes = PyList_New(0);
  bool ok = dict && versions && exits && notes;
  if (ok && history) {
    for (const Unit* unit : history->units) {
      PyObject* v = version_of(unit);
      ok = v && PyList_Append(versions, v) == 0;
      if (ok) {
        PyObject* unit_exits = PyDict_GetItemString(v, "exits");
        ok = unit_exits && PyList_SetSlice(exits, PyList_GET_SIZE(exits), PyList_GET_SIZE(exits),
                                           unit_exits) == 0;
      }
      Py_XDECREF(v);
      if (!ok) break;
    }
    for (auto& [bci, site] : history->feedback.sites) {
      if (!site.big_int && !site.generic) continue;
      const char* what = site.big_int ? "integers beyond 64 bits: general arithmetic"
                                      : "operands vary: general operation";
      PyObject* item = Py_BuildValue("{s:i,s:s}", "line", line_of(code, bci), "note", what);
      if (item) PyList_Append(notes, item);
      Py_XDECREF(item);
    }
  }
  if (ok) {
    ok = put(dict, "file", Py_NewRef(code->co_filename)) &&
         put(dict, "name", Py_NewRef(code->co_qualname)) &&
         put(dict, "line", PyLong_FromLong(code->co_firstlineno)) &&
         put(dict, "versions", Py_NewRef(versions)) && put(dict, "exits", Py_NewRef(exits)) &&
         put(dict, "notes", Py_NewRef(notes)) && put(dict, "lines", lines_of(entry, history)) &&
         put(dict, "compiles", PyLong_FromLong(history ? history->compiles : 0)) &&
         put(dict, "calls", PyLong_FromUnsignedLongLong(entry ? entry->calls : 0)) &&
         put(dict, "refused", entry ? refusal(entry) : Py_NewRef(Py_None)) &&
         put(dict, "why_not", reasons_of(function));
  }
  Py_XDECREF(versions);
  Py_XDECREF(exits);
  Py_XDECREF(notes);
  if (ok) return dict;
  Py_XDECREF(dict);
  return nullptr;
}

PyObject* driver_stats() {
  auto reason = [](size_t i) { return ir::reason_name(static_cast<ir::Reason>(i)); };
  auto op = [](size_t i) { return ir::op_info(static_cast<ir::Op>(i)).name; };
  auto helper = [](size_t i) { return ir::helper_info(static_cast<ir::Helper>(i)).name; };
  PyObject* dict = PyDict_New();
  if (!dict) return nullptr;
  std::vector<float> times = g_totals.times_ms;
  std::sort(times.begin(), times.end());
  double p99 = times.empty() ? 0 : times[std::min(times.size() - 1, times.size() * 99 / 100)];
  if (!put(dict, "compiled", PyLong_FromUnsignedLongLong(g_totals.compiled)) ||
      !put(dict, "recompiled", PyLong_FromUnsignedLongLong(g_totals.recompiled)) ||
      !put(dict, "refused", PyLong_FromUnsignedLongLong(g_totals.refused)) ||
      !put(dict, "evicted", PyLong_FromUnsignedLongLong(g_totals.evicted)) ||
      !put(dict, "compile_ms", PyFloat_FromDouble(g_totals.total_ms)) ||
      !put(dict, "compile_ms_worst", PyFloat_FromDouble(g_totals.worst_ms)) ||
      !put(dict, "compile_ms_p99", PyFloat_FromDouble(p99)) ||
      !put(dict, "entries", PyLong_FromUnsignedLongLong(g_entering.calls)) ||
      !put(dict, "osr_entries", PyLong_FromUnsignedLongLong(g_osr_stats.entries)) ||
      !put(dict, "events", PyLong_FromUnsignedLongLong(g_osr_stats.events)) ||
      !put(dict, "code_bytes", PyLong_FromUnsignedLongLong(code_bytes_in_use())) ||
      !put(dict, "covered_share", PyFloat_FromDouble(covered_share())) ||
      !put(dict, "balance", balance()) || !put(dict, "functions", functions()) ||
      !put(dict, "exits", counts(g_totals.exits_by, reason)) ||
      !put(dict, "refused_by", counts(g_totals.refused_by, reason)) ||
      !put(dict, "ops", counts(g_totals.ops, op)) ||
      !put(dict, "helpers", counts(g_totals.helpers, helper)))
    Py_CLEAR(dict);
  return dict;
}

bool add_options(PyObject* dict) {
  bool ok = true;
#define OPTION(name, type, value, help)                                       \
  ok = ok && put(dict, #name,                                                 \
                 std::is_same_v<type, bool> ? PyBool_FromLong(g_options.name) \
                                            : PyLong_FromLong(g_options.name));
#include "driver/options.def"
#undef OPTION
  return ok;
}

int set_driver_option(PyObject* name, PyObject* value) {
  const char* text = PyUnicode_AsUTF8(name);
  if (!text) return -1;
  if (!std::strcmp(text, "debug")) {
    const char* items = PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : nullptr;
    if (!items && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "option debug wants a str");
    std::string error;
    std::vector<std::string> unknown;
    if (!items) return -1;
    const bool understood = parse_debug(items, error, unknown);
    if (understood && unknown.empty()) return 1;
    if (understood) error = "there is no setting " + unknown[0];
    PyErr_Format(PyExc_ValueError, "option debug: %s", error.c_str());
    return -1;
  }
#define OPTION(option, type, initial, help)                                              \
  if (!std::strcmp(text, #option)) {                                                     \
    if (std::is_same_v<type, bool> ? !PyBool_Check(value) : !PyLong_CheckExact(value)) { \
      PyErr_Format(PyExc_TypeError, "option %s wants %s, not %.200s", text, #type,       \
                   Py_TYPE(value)->tp_name);                                             \
      return -1;                                                                         \
    }                                                                                    \
    long number = PyLong_AsLong(value);                                                  \
    if (number == -1 && PyErr_Occurred()) return -1;                                     \
    g_options.option = static_cast<type>(number);                                        \
    return 1;                                                                            \
  }
#include "driver/options.def"
#undef OPTION
  return 0;
}

}  // namespace psyco
