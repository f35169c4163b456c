// A stand-in for compiled code: "bodies" described in Python that store values into registers and
// spill slots, call out, exit with hand-made records, or return. They test the runtime without a
// compiler.
//
// A body is a dict:
//   frames   list of code objects (FrameMeta), outermost first
//   spills   number of spill slots
//   records  list of dicts: frames [{index, bci, cont, function, locals, stack}], virtuals [(kind,
//   fields)],
//            drops [slots]
//   steps    list of tuples, run in order:
//     ("own", loc, object)      stores a new reference        ("put", loc, object)   stores it
//     borrowed
//     ("new", loc, callable)    stores callable(), which nobody else owns
//     ("int", loc, value)       ("float", loc, value)         ("arg", loc, index)    args[index],
//     borrowed
//     ("take", loc, index)      args[index], owned: moved out (Osr)
//     ("call", site, callable, link, loc or None, error record or None)
//                               site: the stack map; the result is owned by loc, or dropped
//     ("poke", callable, loc)   callable(object at loc), no call-out: for checks
//     ("leave?", record)        CheckLeave
//     ("exit", record, callable making an exception, or None)
//     ("loop", planner)         Osr: planner(locals, stack, target unit) gives (locals, stack,
//     unit) to go on
//                               at, or (locals, stack, unit, exception) raised there; _test_null:
//                               empty slot
//     ("return", loc)           hands over the reference
// A slot is None, ("obj", loc, owned), ("int" | "float", loc, box loc or None, box owned[,
// object]),
// ("bool", loc) or ("virt", index); a virtual is (kind, slots[, object]). A loc is ("s", i) spill,
// ("r", i) gpr, ("x", i) xmm, ("i", value) or
// ("o", object).
#include <cstring>
#include <unordered_map>

#include "ext/testing.h"
#include "runtime/activation.h"
#include "runtime/deopt.h"
#include "runtime/entry.h"
#include "runtime/governor.h"
#include "runtime/materialize.h"
#include "runtime/osr.h"
#include "runtime/visible.h"
#include "runtime/watch.h"

namespace psyco {
namespace {

struct FakeBody {
  CompiledCode code;
  std::vector<ExitRecord> records;
  PyObject* plan;   // owned: keeps all constants alive
  PyObject* steps;  // borrowed from plan
};
// The entry address of a fake body is the body itself.
std::unordered_map<const void*, FakeBody*> g_bodies;
Backend g_real_backend;

PyObject* item(PyObject* tuple, Py_ssize_t i) {
  return i < PyTuple_GET_SIZE(tuple) ? PyTuple_GET_ITEM(tuple, i) : Py_None;
}
bool text_is(PyObject* object, const char* text) {
  return PyUnicode_Check(object) && PyUnicode_EqualToUTF8(object, text);
}

bool parse_location(PyObject* from, Location* to) {
  *to = Location();
  if (from == Py_None) return true;
  if (!PyTuple_Check(from) || PyTuple_GET_SIZE(from) != 2) {
    PyErr_SetString(PyExc_ValueError, "bad location");
    return false;
  }
  PyObject* kind = item(from, 0);
  if (text_is(kind, "o")) {
    to->kind = Location::Object;
    to->imm = reinterpret_cast<int64_t>(item(from, 1));
    return true;
  }
  const long long value = PyLong_AsLongLong(item(from, 1));
  if (value == -1 && PyErr_Occurred()) return false;
  if (text_is(kind, "i")) to->kind = Location::Imm, to->imm = value;
  if (text_is(kind, "s")) to->kind = Location::Spill, to->spill = static_cast<int32_t>(value);
  if (text_is(kind, "r")) to->kind = Location::Gpr, to->reg = static_cast<uint8_t>(value);
  if (text_is(kind, "x")) to->kind = Location::Xmm, to->reg = static_cast<uint8_t>(value);
  if (to->kind == Location::None) PyErr_SetString(PyExc_ValueError, "bad location kind");
  return to->kind != Location::None;
}

uint32_t object_number(PyObject* from) {
  return from == Py_None ? 0 : static_cast<uint32_t>(PyLong_AsLong(from));
}

bool parse_slot(PyObject* from, ExitSlot* to) {
  *to = ExitSlot();
  if (from == Py_None) return true;
  PyObject* kind = item(from, 0);
  if (text_is(kind, "virt")) {
    to->kind = ir::SlotKind::Virtual;
    to->virt = static_cast<int32_t>(PyLong_AsLong(item(from, 1)));
    return true;
  }
  if (!parse_location(item(from, 1), &to->value)) return false;
  if (text_is(kind, "obj")) {
    to->kind = ir::SlotKind::Object;
    to->owned = item(from, 2) == Py_True;
    to->nullable = true;
  } else if (text_is(kind, "bool")) {
    to->kind = ir::SlotKind::Bool;
  } else {
    to->kind = text_is(kind, "int") ? ir::SlotKind::Int : ir::SlotKind::Float;
    if (!parse_location(item(from, 2), &to->box)) return false;
    to->box_owned = item(from, 3) == Py_True;
    to->object = object_number(item(from, 4));
  }
  return true;
}

bool parse_slots(PyObject* from, std::vector<ExitSlot>* to) {
  if (!from) return true;
  PyObject* list = PySequence_Fast(from, "sequence of slots expected");
  if (!list) return false;
  bool ok = true;
  for (Py_ssize_t i = 0; ok && i < PySequence_Fast_GET_SIZE(list); i++) {
    ExitSlot slot;
    ok = parse_slot(PySequence_Fast_GET_ITEM(list, i), &slot);
    to->push_back(slot);
  }
  Py_DECREF(list);
  return ok;
}

long number_of(PyObject* dict, const char* key) {
  PyObject* value = PyDict_GetItemString(dict, key);
  return value ? PyLong_AsLong(value) : 0;
}

bool parse_frame(PyObject* from, ExitFrame* to) {
  to->frame_index = static_cast<uint32_t>(number_of(from, "index"));
  to->bci = static_cast<int32_t>(number_of(from, "bci"));
  PyObject* cont = PyDict_GetItemString(from, "cont");
  if (cont && text_is(cont, "half")) to->cont = ir::Continuation::Half;
  if (cont && text_is(cont, "push")) to->cont = ir::Continuation::Push;
  if (cont && text_is(cont, "init")) to->cont = ir::Continuation::Init;
  if (cont && text_is(cont, "drop")) to->cont = ir::Continuation::Drop;
  if (cont && text_is(cont, "operator")) to->cont = ir::Continuation::Operator;
  PyObject* function = PyDict_GetItemString(from, "function");
  if (function && !parse_slot(function, &to->function)) return false;
  return parse_slots(PyDict_GetItemString(from, "locals"), &to->locals) &&
         parse_slots(PyDict_GetItemString(from, "stack"), &to->stack);
}

bool parse_virtual(PyObject* from, ExitVirtual* to) {
  static const char* const names[] = {"tuple",      "range_iter",     "count_iter",   "range",
                                      "list_iter",  "tuple_iter",     "bound_method", "slice",
                                      "bytes_iter", "bytearray_iter", "instance"};
  for (int i = 0; i < ir::kVirtualKinds; i++)
    if (text_is(item(from, 0), names[i])) to->kind = static_cast<ir::VirtualKind>(i);
  to->object = object_number(item(from, 2));
  return parse_slots(item(from, 1), &to->fields);
}

bool parse_record(PyObject* from, ExitRecord* to) {
  PyObject* frames = PyDict_GetItemString(from, "frames");
  for (Py_ssize_t i = 0; frames && i < PyList_GET_SIZE(frames); i++) {
    to->frames.emplace_back();
    if (!parse_frame(PyList_GET_ITEM(frames, i), &to->frames.back())) return false;
  }
  PyObject* virtuals = PyDict_GetItemString(from, "virtuals");
  for (Py_ssize_t i = 0; virtuals && i < PyList_GET_SIZE(virtuals); i++) {
    to->virtuals.emplace_back();
    if (!parse_virtual(PyList_GET_ITEM(virtuals, i), &to->virtuals.back())) return false;
  }
  return parse_slots(PyDict_GetItemString(from, "drops"), &to->drops);
}

FakeBody* parse_body(PyObject* plan, ir::EntryKind kind) {
  auto* body = new FakeBody;
  body->plan = Py_NewRef(plan);
  body->steps = PyDict_GetItemString(plan, "steps");
  body->code.entry = reinterpret_cast<const uint8_t*>(body);
  body->code.spill_count = static_cast<uint32_t>(number_of(plan, "spills"));
  body->code.entry_kind = kind;
  PyObject* frames = PyDict_GetItemString(plan, "frames");
  for (Py_ssize_t i = 0; frames && i < PyList_GET_SIZE(frames); i++) {
    auto* code = reinterpret_cast<PyCodeObject*>(PyList_GET_ITEM(frames, i));
    body->code.frames.push_back(
        {code, code->co_nlocalsplus, code->co_stacksize, static_cast<int32_t>(i) - 1});
  }
  PyObject* records = PyDict_GetItemString(plan, "records");
  for (Py_ssize_t i = 0; records && i < PyList_GET_SIZE(records); i++) {
    body->records.emplace_back();
    body->code.record_offsets.push_back(static_cast<uint32_t>(i));
    if (!parse_record(PyList_GET_ITEM(records, i), &body->records.back())) return nullptr;
  }
  adopt_code(&body->code);
  g_bodies[body] = body;
  return body;
}

ExitRecord fake_decode(const CompiledCode& code, uint32_t record) {
  auto it = g_bodies.find(code.entry);
  if (it == g_bodies.end()) return g_real_backend.decode(code, record);
  return it->second->records[record];
}

void store(Activation* act, PyObject* location, uint64_t bits) {
  Location to;
  if (!parse_location(location, &to)) Py_FatalError("fake body: bad location");
  if (to.kind == Location::Spill) act->spill[to.spill] = static_cast<int64_t>(bits);
  if (to.kind == Location::Gpr) act->save_gpr[to.reg] = bits;
  if (to.kind == Location::Xmm) std::memcpy(&act->save_xmm[to.reg], &bits, sizeof bits);
}

uint64_t load(Activation* act, PyObject* location) {
  Location from;
  if (!parse_location(location, &from)) Py_FatalError("fake body: bad location");
  return read_location(act, from);
}

// Everything about one call-out, as compiled code does it. False: left through the error record.
bool call_out(Activation* act, PyObject* step, uint64_t* left) {
  const bool link = item(step, 3) == Py_True;
  act->site = static_cast<uint32_t>(PyLong_AsLong(item(step, 1)));
  if (link)
    psyco_link_frames(act);
  else
    Port::set_unit(static_cast<_PyInterpreterFrame*>(act->frame),
                   fake_decode(*act->code, act->site).frames[0].bci);
  PyObject* result = PyObject_CallNoArgs(item(step, 2));
  if (!result) {
    *left = psyco_exit(act, static_cast<uint32_t>(PyLong_AsLong(item(step, 5))), 1);
    return false;
  }
  if (link) psyco_unlink_frames(act);
  if (item(step, 4) == Py_None)
    Py_DECREF(result);
  else
    store(act, item(step, 4), reinterpret_cast<uint64_t>(result));
  return true;
}

PyObject* g_null_marker = nullptr;

// Python stands in for the loop: all of its state goes through two lists and comes back as record
// 0.
uint64_t run_loop(Activation* act, FakeBody* body, PyObject* planner) {
  const FrameMeta& meta = body->code.frames[0];
  const auto* code = static_cast<const PyCodeObject*>(meta.code);
  const size_t depth = static_cast<size_t>(number_of(body->plan, "depth"));
  PyObject* lists[2] = {PyList_New(0), PyList_New(0)};
  for (size_t i = 0; i < code->co_nlocalsplus + depth; i++) {
    auto* object = static_cast<PyObject*>(act->args[i]);
    PyList_Append(lists[i >= static_cast<size_t>(code->co_nlocalsplus)],
                  object ? object : g_null_marker);
    Py_XDECREF(object);
  }
  PyObject* plan =
      PyObject_CallFunction(planner, "OOi", lists[0], lists[1], static_cast<int>(osr_target(act)));
  Py_DECREF(lists[0]);
  Py_DECREF(lists[1]);
  if (!plan) {
    PyErr_Print();
    Py_FatalError("fake body: the planner failed");
  }
  ExitFrame frame;
  frame.bci = static_cast<int32_t>(PyLong_AsLong(item(plan, 2)));
  int32_t spill = 0;
  for (int k = 0; k < 2; k++)
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(item(plan, k)); i++) {
      PyObject* object = PyList_GET_ITEM(item(plan, k), i);
      ExitSlot slot;
      if (object != g_null_marker) {
        slot.kind = ir::SlotKind::Object;
        slot.owned = true;
        slot.value.kind = Location::Spill;
        slot.value.spill = spill;
        act->spill[spill++] = reinterpret_cast<int64_t>(Py_NewRef(object));
      }
      (k ? frame.stack : frame.locals).push_back(slot);
    }
  body->records[0] = ExitRecord();
  body->records[0].frames.push_back(frame);
  state_of(act->code)->records[0].reset();
  PyObject* error = PyTuple_GET_SIZE(plan) > 3 ? Py_NewRef(item(plan, 3)) : nullptr;
  Py_DECREF(plan);
  if (error) PyErr_SetRaisedException(error);
  return psyco_exit(act, 0, error != nullptr);
}

uint64_t fake_enter(const uint8_t* entry, Activation* act) {
  auto it = g_bodies.find(entry);
  if (it == g_bodies.end()) return g_real_backend.enter(entry, act);
  show_frames(act);  // these look at once
  PyObject* steps = it->second->steps;
  uint64_t left = 0;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(steps); i++) {
    PyObject* step = PyList_GET_ITEM(steps, i);
    PyObject* what = item(step, 0);
    PyObject* where = item(step, 1);
    PyObject* value = item(step, 2);
    if (text_is(what, "loop")) {
      return run_loop(act, it->second, where);
    } else if (text_is(what, "own")) {
      store(act, where, reinterpret_cast<uint64_t>(Py_NewRef(value)));
    } else if (text_is(what, "new")) {
      store(act, where, reinterpret_cast<uint64_t>(PyObject_CallNoArgs(value)));
    } else if (text_is(what, "put")) {
      store(act, where, reinterpret_cast<uint64_t>(value));
    } else if (text_is(what, "int")) {
      store(act, where, static_cast<uint64_t>(PyLong_AsLongLong(value)));
    } else if (text_is(what, "float")) {
      const double number = PyFloat_AsDouble(value);
      uint64_t bits;
      std::memcpy(&bits, &number, sizeof bits);
      store(act, where, bits);
    } else if (text_is(what, "arg") || text_is(what, "take")) {
      store(act, where, reinterpret_cast<uint64_t>(act->args[PyLong_AsLong(value)]));
    } else if (text_is(what, "call")) {
      if (!call_out(act, step, &left)) return left;
    } else if (text_is(what, "poke")) {
      auto* object = reinterpret_cast<PyObject*>(load(act, value));
      Py_XDECREF(PyObject_CallOneArg(where, object ? object : Py_None));
    } else if (text_is(what, "leave?")) {
      if (must_leave(act)) return psyco_exit(act, static_cast<uint32_t>(PyLong_AsLong(where)), 0);
    } else if (text_is(what, "exit")) {
      if (value != Py_None) PyErr_SetRaisedException(PyObject_CallNoArgs(value));
      return psyco_exit(act, static_cast<uint32_t>(PyLong_AsLong(where)), value != Py_None);
    } else if (text_is(what, "return")) {
      return load(act, where);
    } else {
      Py_FatalError("fake body: unknown step");
    }
  }
  Py_FatalError("fake body: ran off its end");
}

void use_fake_backend() {
  if (g_backend.enter == fake_enter) return;
  g_real_backend = g_backend;
  g_backend.enter = fake_enter;
  g_backend.decode = fake_decode;
  g_backend.make_entry = nullptr;  // fake bodies are no machine code
}

std::vector<EntryGuard> any_guards(size_t count) {
  EntryGuard guard;
  guard.kind = EntryGuard::Anything;
  return std::vector<EntryGuard>(count, guard);
}

// _test_install(function, body): every call of the function runs the fake body. Returns its number.
PyObject* test_install(PyObject*, PyObject* args) {
  PyObject *function, *plan;
  if (!PyArg_ParseTuple(args, "O!O!", &PyFunction_Type, &function, &PyDict_Type, &plan))
    return nullptr;
  use_fake_backend();
  FakeBody* body = parse_body(plan, ir::EntryKind::Call);
  if (!body) return nullptr;
  auto* code =
      reinterpret_cast<PyCodeObject*>(reinterpret_cast<PyFunctionObject*>(function)->func_code);
  CodeEntry* entry = code_entry(code, true);
  for (Version& version : entry->versions) retire_code(version.code);
  entry->versions.clear();
  const size_t count = code->co_argcount + code->co_kwonlyargcount +
                       ((code->co_flags & CO_VARARGS) != 0) +
                       ((code->co_flags & CO_VARKEYWORDS) != 0);
  add_version(entry, &body->code, kEntryCall, any_guards(count));
  if (!install_function(reinterpret_cast<PyFunctionObject*>(function)))
    return PyErr_Format(PyExc_RuntimeError, "cannot install");
  return PyLong_FromVoidPtr(body);
}

// _test_install_loop(code, target unit, body): entered at that loop head.
PyObject* test_install_loop(PyObject*, PyObject* args) {
  PyObject *code_object, *plan;
  int target;
  if (!PyArg_ParseTuple(args, "O!iO!", &PyCode_Type, &code_object, &target, &PyDict_Type, &plan))
    return nullptr;
  use_fake_backend();
  FakeBody* body = parse_body(plan, ir::EntryKind::Osr);
  if (!body) return nullptr;
  auto* code = reinterpret_cast<PyCodeObject*>(code_object);
  CodeEntry* entry = code_entry(code, true);
  const size_t depth = static_cast<size_t>(number_of(plan, "depth"));
  add_version(entry, &body->code, target, any_guards(code->co_nlocalsplus + depth));
  return PyLong_FromVoidPtr(body);
}

PyObject* g_compilers[2];

// The plan a Python stand-in for the driver gives: a body, None (not now) or False (never).
PyObject* ask_compiler(int which, PyObject* code, PyObject* what) {
  PyObject* plan = PyObject_CallFunctionObjArgs(g_compilers[which], code, what, nullptr);
  if (!plan) PyErr_Print();
  return plan;
}

CompiledCode* fake_compile_entry(PyFunctionObject* function, CodeEntry* entry, PyObject** args,
                                 Py_ssize_t count) {
  PyObject* values = PyTuple_New(count);
  for (Py_ssize_t i = 0; i < count; i++) PyTuple_SET_ITEM(values, i, Py_XNewRef(args[i]));
  PyObject* plan = ask_compiler(0, function->func_code, values);
  CompiledCode* code = nullptr;
  if (plan && PyDict_Check(plan)) {
    code = &parse_body(plan, ir::EntryKind::Call)->code;
    std::vector<EntryGuard> guards(count);
    for (Py_ssize_t i = 0; i < count; i++) guards[i] = {EntryGuard::Type, Py_TYPE(args[i])};
    add_version(entry, code, kEntryCall, guards);
  }
  if (plan == Py_False) entry->refused = true;
  Py_XDECREF(plan);
  Py_DECREF(values);
  return code;
}

CompiledCode* fake_compile_osr(PyCodeObject* code_object, PyFunctionObject*, CodeEntry* entry,
                               int target, _PyInterpreterFrame* frame) {
  PyObject* number = PyLong_FromLong(target);
  PyObject* plan = ask_compiler(1, reinterpret_cast<PyObject*>(code_object), number);
  CompiledCode* code = nullptr;
  if (plan && PyDict_Check(plan)) {
    code = &parse_body(plan, ir::EntryKind::Osr)->code;
    add_version(entry, code, target, any_guards(Port::depth(frame)));
  }
  if (plan == Py_False) refuse_loop(entry, target, ir::Reason::Unsupported);
  Py_XDECREF(plan);
  Py_DECREF(number);
  return code;
}

// _test_set_compilers(for calls, for loops): callable(code, arguments | target unit). Both None:
// the driver's.
PyObject* test_set_compilers(PyObject*, PyObject* args) {
  PyObject *calls, *loops;
  if (!PyArg_ParseTuple(args, "OO", &calls, &loops)) return nullptr;
  use_fake_backend();
  g_governor = false;  // made-up bodies have no speed
  static const auto real_compile_entry = g_compile_entry;
  static const auto real_compile_osr = g_compile_osr;
  Py_XSETREF(g_compilers[0], Py_NewRef(calls));
  Py_XSETREF(g_compilers[1], Py_NewRef(loops));
  g_compile_entry = calls == Py_None ? real_compile_entry : fake_compile_entry;
  g_compile_osr = loops == Py_None ? real_compile_osr : fake_compile_osr;
  Py_RETURN_NONE;
}

PyObject* test_null(PyObject*, PyObject*) {
  if (!g_null_marker)
    g_null_marker = PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type));
  return Py_XNewRef(g_null_marker);
}

PyObject* test_retire(PyObject*, PyObject* arg) {
  auto it = g_bodies.find(PyLong_AsVoidPtr(arg));
  if (it == g_bodies.end()) return PyErr_Format(PyExc_ValueError, "no such body");
  retire_code(&it->second->code);
  Py_RETURN_NONE;
}

// _test_depend(body, "key" | "type" | "function", object, key)
PyObject* test_depend(PyObject*, PyObject* args) {
  PyObject *number, *object, *key = nullptr;
  const char* kind;
  if (!PyArg_ParseTuple(args, "OsO|O", &number, &kind, &object, &key)) return nullptr;
  auto it = g_bodies.find(PyLong_AsVoidPtr(number));
  if (it == g_bodies.end()) return PyErr_Format(PyExc_ValueError, "no such body");
  CompiledCode* code = &it->second->code;
  bool ok = false;
  if (kind[0] == 'k') ok = key && depend_on_key(code, object, key);
  if (kind[0] == 't') ok = depend_on_type(code, reinterpret_cast<PyTypeObject*>(object));
  if (kind[0] == 'f') ok = depend_on_function(code, reinterpret_cast<PyFunctionObject*>(object));
  return PyBool_FromLong(ok);
}

// (exit counts, running, invalid)
PyObject* test_body_state(PyObject*, PyObject* arg) {
  auto it = g_bodies.find(PyLong_AsVoidPtr(arg));
  if (it == g_bodies.end()) return PyErr_Format(PyExc_ValueError, "no such body");
  const CompiledCode& code = it->second->code;
  PyObject* counts = PyList_New(0);
  for (uint32_t count : code.exit_counts) {
    PyObject* number = PyLong_FromUnsignedLong(count);
    if (!number || PyList_Append(counts, number) < 0) return nullptr;
    Py_DECREF(number);
  }
  return Py_BuildValue("(NiO)", counts, static_cast<int>(state_of(&code)->running),
                       state_of(&code)->invalid ? Py_True : Py_False);
}

PyObject* test_free_body(PyObject*, PyObject* arg) {
  auto it = g_bodies.find(PyLong_AsVoidPtr(arg));
  if (it == g_bodies.end()) return PyErr_Format(PyExc_ValueError, "no such body");
  FakeBody* body = it->second;
  if (code_in_use(&body->code)) return PyErr_Format(PyExc_RuntimeError, "in use");
  auto* code = static_cast<PyCodeObject*>(const_cast<void*>(body->code.frames[0].code));
  if (CodeEntry* entry = code_entry(code, false)) remove_version(entry, &body->code);
  disown_code(&body->code);
  g_bodies.erase(it);
  PyObject* plan = body->plan;
  delete body;
  Py_DECREF(plan);
  Py_RETURN_NONE;
}

// All that an exit has to restore: data stack, recursion counters, current frame, exception stack.
PyObject* test_thread_state(PyObject*, PyObject*) {
  PyThreadState* ts = _PyThreadState_GET();
  int live = 0;
  for_each_activation([&](Activation*) { live++; });
  return Py_BuildValue("(nnnnni)", reinterpret_cast<Py_ssize_t>(ts->datastack_top),
                       static_cast<Py_ssize_t>(Port::c_levels(ts)),
                       static_cast<Py_ssize_t>(ts->py_recursion_remaining),
                       reinterpret_cast<Py_ssize_t>(ts->current_frame),
                       reinterpret_cast<Py_ssize_t>(ts->exc_info), live);
}

PyObject* test_depth(PyObject*, PyObject*) {
  PyThreadState* ts = _PyThreadState_GET();
  return PyLong_FromLong(ts->py_recursion_limit - ts->py_recursion_remaining);
}

PyObject* test_function_version(PyObject*, PyObject* arg) {
  if (!PyFunction_Check(arg)) return PyErr_Format(PyExc_TypeError, "function expected");
  return PyLong_FromUnsignedLong(reinterpret_cast<PyFunctionObject*>(arg)->func_version);
}

PyObject* test_uninstall(PyObject*, PyObject* arg) {
  if (!PyFunction_Check(arg)) return PyErr_Format(PyExc_TypeError, "function expected");
  uninstall_function(reinterpret_cast<PyFunctionObject*>(arg));
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef g_fake_body_methods[] = {
    {"_test_install", test_install, METH_VARARGS, nullptr},
    {"_test_install_loop", test_install_loop, METH_VARARGS, nullptr},
    {"_test_uninstall", test_uninstall, METH_O, nullptr},
    {"_test_set_compilers", test_set_compilers, METH_VARARGS, nullptr},
    {"_test_null", test_null, METH_NOARGS, nullptr},
    {"_test_retire", test_retire, METH_O, nullptr},
    {"_test_depend", test_depend, METH_VARARGS, nullptr},
    {"_test_body_state", test_body_state, METH_O, nullptr},
    {"_test_free_body", test_free_body, METH_O, nullptr},
    {"_test_thread_state", test_thread_state, METH_NOARGS, nullptr},
    {"_test_depth", test_depth, METH_NOARGS, nullptr},
    {"_test_function_version", test_function_version, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace psyco
