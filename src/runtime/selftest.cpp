// The load-time self-test: a new patch release of CPython may move what we rely on, and must then
// find psyco switched off, not crashing. Compares the layouts with what the interpreter publishes
// for debuggers, then does once each thing that everything rests on, with C functions standing in
// for compiled code.
#include <cstdio>
#include <cstring>
#include <utility>

#include "cpython/bytecode.h"
#include "cpython/shapes.h"
#include "runtime/activation.h"
#include "runtime/deopt.h"
#include "runtime/entry.h"
#include "runtime/governor.h"
#include "runtime/osr.h"
#include "runtime/poll.h"
#include "runtime/runtime.h"
#include "runtime/visible.h"

namespace psyco {
namespace {

// Patch releases and debug builds of one minor version may differ.
const char* other_layout() {
  static char text[160];
  std::snprintf(text, sizeof text,
                "it was built for the inner layout of CPython " PY_VERSION
                ", and this %lu.%lu.%lu has another: build it again with this interpreter",
                Py_Version >> 24, Py_Version >> 16 & 0xff, Py_Version >> 8 & 0xff);
  return text;
}

const char* check_layouts() {
  if (*make_layout().current_thread != _PyThreadState_GET()) return other_layout();
  const _Py_DebugOffsets& offsets = _PyRuntime.debug_offsets;
  const TargetLayout layout = make_layout();
  const struct {
    uint64_t theirs;
    size_t ours;
  } pairs[] = {
      {offsets.thread_state.size, sizeof(PyThreadState)},
      {offsets.thread_state.interp, offsetof(PyThreadState, interp)},
      {offsets.thread_state.current_frame, offsetof(PyThreadState, current_frame)},
      {offsets.thread_state.datastack_chunk, offsetof(PyThreadState, datastack_chunk)},
      {offsets.interpreter_frame.size, sizeof(_PyInterpreterFrame)},
      {offsets.interpreter_frame.previous, offsetof(_PyInterpreterFrame, previous)},
      {offsets.interpreter_frame.executable, offsetof(_PyInterpreterFrame, f_executable)},
      {offsets.interpreter_frame.instr_ptr, offsetof(_PyInterpreterFrame, instr_ptr)},
      {offsets.interpreter_frame.localsplus, offsetof(_PyInterpreterFrame, localsplus)},
      {offsets.interpreter_frame.owner, offsetof(_PyInterpreterFrame, owner)},
      {offsets.code_object.size, sizeof(PyCodeObject)},
      {offsets.code_object.co_code_adaptive, offsetof(PyCodeObject, co_code_adaptive)},
      {offsets.code_object.localsplusnames, offsetof(PyCodeObject, co_localsplusnames)},
      {offsets.code_object.argcount, offsetof(PyCodeObject, co_argcount)},
      {offsets.pyobject.ob_type, static_cast<size_t>(layout.ob_type)},
      {offsets.float_object.ob_fval, static_cast<size_t>(layout.float_value)},
      {offsets.long_object.lv_tag, static_cast<size_t>(layout.long_tag)},
      {offsets.long_object.ob_digit, static_cast<size_t>(layout.long_digits)},
      {offsets.list_object.ob_item, offsetof(PyListObject, ob_item)},
      {offsets.tuple_object.ob_item, offsetof(PyTupleObject, ob_item)},
      {offsets.dict_object.ma_keys, offsetof(PyDictObject, ma_keys)},
      {offsets.dict_object.ma_values, offsetof(PyDictObject, ma_values)},
  };
  if (std::memcmp(offsets.cookie, _Py_Debug_Cookie, sizeof offsets.cookie) != 0)
    return "this CPython does not publish its layout";
  for (const auto& pair : pairs)
    if (pair.theirs != pair.ours) return other_layout();
  // We are built as for an interpreter without a JIT of its own.
  const uint64_t size = offsets.interpreter_state.size;
  if (size != sizeof(PyInterpreterState) && size != sizeof(PyInterpreterState) + Port::kOwnJitBytes)
    return other_layout();
  return nullptr;
}

const char* check_objects() {
  const TargetLayout layout = make_layout();
  PyObject* seven = PyLong_FromLong(7);
  const char* expected = static_cast<const char*>(layout.small_ints) + 12 * layout.small_int_size;
  const bool same = reinterpret_cast<const char*>(seven) == expected;
  Py_DECREF(seven);
  if (!same) return "small integers are not where they are expected";
  PyObject* last = PyLong_FromLong(Port::kSmallIntEnd - 1);
  PyObject* beyond = PyLong_FromLong(Port::kSmallIntEnd);
  const bool cached = last && shapes::is_immortal(last),
             new_one = beyond && !shapes::is_immortal(beyond);
  Py_XDECREF(last);
  Py_XDECREF(beyond);
  if (!cached || !new_one) return "other integers are cached than expected";
  if (!layout.float_free_list) return nullptr;
  PyObject* number = PyFloat_FromDouble(1.5);
  if (!number) return "no memory";
  auto** head = static_cast<PyObject**>(layout.float_free_list);
  auto* count = static_cast<int*>(layout.float_free_count);
  const int before = *count;
  PyObject* first = *head;
  Py_DECREF(number);
  auto** next =
      reinterpret_cast<PyObject**>(reinterpret_cast<char*>(number) + layout.float_free_next);
  if (*count != before + 1 || *head != number || *next != first)
    return "freed floats are not where they are expected";
  return nullptr;
}

// ---- stand-ins

ExitRecord g_record, g_next_record;  // by their numbers, 0 and 1
PyObject* g_walker = nullptr;
uint64_t (*g_run)(Activation* act) = nullptr;

uint64_t enter(const uint8_t*, Activation* act) {
  show_frames(act);
  return g_run(act);
}
ExitRecord decode_one(const CompiledCode&, uint32_t number) {
  return number ? g_next_record : g_record;
}

ExitSlot constant(PyObject* object) {
  ExitSlot slot;
  slot.kind = ir::SlotKind::Object;
  slot.value.kind = Location::Object;
  slot.value.imm = reinterpret_cast<int64_t>(object);
  return slot;
}
ExitSlot integer(int64_t value) {
  ExitSlot slot;
  slot.kind = ir::SlotKind::Int;
  slot.value.kind = Location::Imm;
  slot.value.imm = value;
  return slot;
}

// Code unit of the n-th instruction of this kind, -1 if there is none.
int find_op(PyCodeObject* code, NeutralOp op, int nth = 0) {
  const DecodedCode decoded = decode(code);
  for (const Bytecode& bc : decoded.list)
    if (bc.op == op && nth-- == 0) return bc.bci;
  return -1;
}

struct Subject {
  PyFunctionObject* function = nullptr;
  PyCodeObject* code = nullptr;
  CompiledCode body;
  CodeEntry* entry = nullptr;

  bool prepare(PyObject* space, const char* name, ir::EntryKind kind, int target, size_t values) {
    function = reinterpret_cast<PyFunctionObject*>(PyDict_GetItemString(space, name));
    if (!function || !PyFunction_Check(function)) return false;
    code = reinterpret_cast<PyCodeObject*>(function->func_code);
    body.entry_kind = kind;
    body.frames.push_back({code, code->co_nlocalsplus, code->co_stacksize});
    body.record_offsets = {0, 0};
    adopt_code(&body);
    entry = code_entry(code, true);
    if (!entry) return false;
    EntryGuard anything;
    anything.kind = EntryGuard::Anything;
    add_version(entry, &body, target, std::vector<EntryGuard>(values, anything));
    return true;
  }
  ~Subject() {
    if (function) uninstall_function(function);
    if (entry) remove_version(entry, &body);
    if (body.runtime) disown_code(&body);
  }
};

void record(int bci, std::vector<ExitSlot> locals, std::vector<ExitSlot> stack) {
  g_record = ExitRecord();
  ExitFrame frame;
  frame.bci = bci;
  frame.locals = std::move(locals);
  frame.stack = std::move(stack);
  g_record.frames.push_back(std::move(frame));
}

bool is_text(PyObject* object, const char* text) {
  const bool same = object && PyUnicode_Check(object) && PyUnicode_EqualToUTF8(object, text);
  Py_XDECREF(object);
  PyErr_Clear();
  return same;
}
PyObject* call_with_one(Subject& subject, long value) {
  PyObject* number = PyLong_FromLong(value);
  PyObject* result =
      number ? PyObject_CallOneArg(reinterpret_cast<PyObject*>(subject.function), number) : nullptr;
  Py_XDECREF(number);
  return result;
}

constexpr char kSource[] =
    "import sys\n"
    "def plain(a):\n"
    "    return '%d %d' % (a, a + 1)\n"
    "def catching(a):\n"
    "    try:\n"
    "        a.missing\n"
    "    except KeyError as error:\n"
    "        return '%s %d %d' % (error, error.__traceback__.tb_lineno, a)\n"
    "def walked(a):\n"
    "    b = a\n"
    "    walker()\n"
    "    return '%s %d' % (walker.seen, b)\n"
    "def walker():\n"
    "    frame = sys._getframe(1)\n"
    "    walker.seen = '%s %d %s' % (frame.f_code.co_name, frame.f_lineno, dict(frame.f_locals))\n"
    "def loop(n):\n"
    "    total = 0\n"
    "    for i in range(n):\n"
    "        total += i\n"
    "    return 'total %d' % total\n";

const char* check_exit(PyObject* space) {
  Subject subject;
  if (!subject.prepare(space, "plain", ir::EntryKind::Call, kEntryCall, 1)) return "no memory";
  g_run = [](Activation* act) { return psyco_exit(act, 0, 0); };
  PyObject* format = PyUnicode_FromString("%d %d");
  // In the middle of the expression: the sum is computed, the tuple is not built.
  record(find_op(subject.code, NeutralOp::BuildTuple), {integer(41)},
         {constant(format), integer(41), integer(1042)});
  install_function(subject.function);
  const bool ok = is_text(call_with_one(subject, 5), "41 1042");
  Py_XDECREF(format);
  return ok ? nullptr : "leaving compiled code gives wrong results";
}

const char* check_exception(PyObject* space) {
  Subject subject;
  if (!subject.prepare(space, "catching", ir::EntryKind::Call, kEntryCall, 1)) return "no memory";
  g_run = [](Activation* act) {
    PyErr_SetString(PyExc_KeyError, "told");
    return psyco_exit(act, 0, 1);
  };
  record(find_op(subject.code, NeutralOp::LoadAttr), {integer(3), ExitSlot()}, {integer(3)});
  install_function(subject.function);
  return is_text(call_with_one(subject, 3), "'told' 6 3") ? nullptr
                                                          : "exceptions in compiled code go astray";
}

const char* check_walk(PyObject* space) {
  Subject subject;
  if (!subject.prepare(space, "walked", ir::EntryKind::Call, kEntryCall, 1)) return "no memory";
  g_walker = PyDict_GetItemString(space, "walker");
  const int call = find_op(subject.code, NeutralOp::Call);
  g_run = [](Activation* act) {
    act->site = 0;
    Port::set_unit(static_cast<_PyInterpreterFrame*>(act->frame), g_record.frames[0].bci);
    PyObject* result = PyObject_CallNoArgs(g_walker);
    if (!result) return psyco_exit(act, 0, 1);
    Py_DECREF(result);
    if (!must_leave(act)) return uint64_t{0};
    g_next_record = g_record;
    g_next_record.frames[0].stack = {constant(Py_None)};
    g_next_record.frames[0].bci = following_unit(
        Port::code_of(static_cast<_PyInterpreterFrame*>(act->frame)), g_record.frames[0].bci);
    return psyco_exit(act, 1, 0);
  };
  record(call, {integer(8), integer(9)}, {});
  install_function(subject.function);
  return is_text(call_with_one(subject, 8), "walked 11 {'a': 8, 'b': 9} 9")
             ? nullptr
             : "frames of compiled code look wrong";
}

const char* check_loop(PyObject* space) {
  if (monitoring_tool() < 0) return nullptr;
  Subject subject;
  PyObject* function = PyDict_GetItemString(space, "loop");
  if (!function || !PyFunction_Check(function)) return "no memory";
  auto* code =
      reinterpret_cast<PyCodeObject*>(reinterpret_cast<PyFunctionObject*>(function)->func_code);
  const int head = find_op(code, NeutralOp::ForIter);
  if (!subject.prepare(space, "loop", ir::EntryKind::Osr, head,
                       code->co_nlocalsplus + Port::kIterSlots))
    return "no memory";
  g_run = [](Activation* act) {
    auto** args = reinterpret_cast<PyObject**>(act->args);
    // n, total, i, iterator: all ours now. On to where the loop is over, with a total of its own.
    g_record.frames[0].locals = {constant(args[0]), integer(777), constant(args[2])};
    g_record.frames[0].stack.assign(Port::kIterSlots, ExitSlot());
    g_record.frames[0].stack[0] = constant(args[3]);
    for (ExitSlot& slot : g_record.frames[0].locals) slot.owned = slot.kind == ir::SlotKind::Object;
    g_record.frames[0].stack[0].owned = true;
    Py_DECREF(args[1]);
    return psyco_exit(act, 0, 0);
  };
  const DecodedCode decoded = decode(code);
  const int index = decoded.index_at(head);
  if (index < 0 || decoded.list[index].target < 0) return "the decoder is wrong";
  record(decoded.list[decoded.list[index].target].bci, {}, {});
  if (!watch_code(code, kByRequest)) {
    PyErr_Clear();
    return "events cannot be switched on";
  }
  const bool ok = is_text(call_with_one(subject, 10), "total 777");
  if (!unwatch_code(code, kByRequest)) PyErr_Clear();
  return ok ? nullptr : "running loops cannot be taken over";
}

}  // namespace

const char* self_test() {
  if (const char* wrong = check_layouts()) return wrong;
  if (const char* wrong = check_objects()) return wrong;
  PyObject* space = PyDict_New();
  PyObject* done = space && PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins()) == 0
                       ? PyRun_String(kSource, Py_file_input, space, space)
                       : nullptr;
  const char* wrong = nullptr;
  if (!done) {
    PyErr_Clear();
    wrong = "the self-test does not compile";
  }
  // A tool that is watching already would keep the stand-ins from running: nothing to test then.
  const bool watched = !native_allowed_anywhere(_PyThreadState_GET());
  const Backend real = g_backend;
  g_backend = {enter, decode_one};
  const bool governor = std::exchange(g_governor, false);
  if (!watched && !wrong) wrong = check_exit(space);
  if (!watched && !wrong) wrong = check_exception(space);
  if (!watched && !wrong) wrong = check_walk(space);
  if (!watched && !wrong) wrong = check_loop(space);
  g_backend = real;
  g_governor = governor;
  g_entry_stats = EntryStats();
  g_entering.calls = 0;
  g_osr_stats = OsrStats();
  g_record = ExitRecord();
  Py_XDECREF(done);
  if (space) PyDict_Clear(space);
  Py_XDECREF(space);
  return wrong;
}

}  // namespace psyco
