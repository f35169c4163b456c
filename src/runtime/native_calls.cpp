#include "runtime/native_calls.h"

#include <cstring>

#include "runtime/activation.h"
#include "runtime/entry.h"
#include "runtime/visible.h"

namespace psyco {

void (*g_result_misfits)(LinkCell*, CompiledCode*) = nullptr;

namespace {

double as_double(uint64_t bits) {
  double number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

}  // namespace

// With boxes and the function's vectorcall, like any other call. No version fits, or there is no
// room.
extern "C" void* psyco_call_unlinked(Activation* caller, LinkCell* cell, uint64_t* words) {
  show_frames(caller);
  show_call_site(caller);
  PyObject* storage[kMaxEntryValues + 1];
  PyObject** args = storage + 1;  // the callee may use args[-1]
  Py_ssize_t count = 0;
  bool failed = false;
  for (char letter : cell->signature) {
    PyObject* object;
    if (letter == 'o') {
      object = Py_NewRef(reinterpret_cast<PyObject*>(*words++));
    } else {
      const uint64_t number = *words++;
      object = reinterpret_cast<PyObject*>(*words++);
      if (object)
        Py_INCREF(object);
      else
        object = letter == 'i' ? PyLong_FromLongLong(static_cast<int64_t>(number))
                               : PyFloat_FromDouble(as_double(number));
    }
    if (!object) {
      failed = true;
      break;
    }
    args[count++] = object;
  }
  auto* function = static_cast<PyFunctionObject*>(cell->function);
  PyObject* result =
      failed ? nullptr
             : function->vectorcall(reinterpret_cast<PyObject*>(function), args,
                                    static_cast<size_t>(count) | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                    nullptr);
  // The call site's own references keep what it passed; these are boxes, and cannot run Python.
  for (Py_ssize_t i = 0; i < count; i++) Py_DECREF(args[i]);
  psyco_note_kept_frame(caller);
  return result;
}

extern "C" uint64_t psyco_convert_result(Activation* act, LinkCell* cell, uint64_t value,
                                         uint32_t tag, void** box) {
  const uint32_t wanted = act->tag;  // 'i', 'd' or 'o'
  act->tag = 0;
  auto* object = reinterpret_cast<PyObject*>(value);
  if (tag == kTagInt) object = PyLong_FromLongLong(static_cast<int64_t>(value));
  if (tag == kTagFloat) object = PyFloat_FromDouble(as_double(value));
  if (wanted == 'o') return reinterpret_cast<uint64_t>(object);
  if (!object) {
    act->tag = 1;  // MemoryError
    return 0;
  }
  *box = object;
  if (wanted == 'i' && PyLong_CheckExact(object) && fits_word(object))
    return static_cast<uint64_t>(PyLong_AsLongLong(object));
  if (wanted == 'd' && PyFloat_CheckExact(object)) {
    const double number = PyFloat_AS_DOUBLE(object);
    uint64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }
  // The slot of the result is its box, whatever the number says: leave at the state behind the
  // call.
  tell_to_leave(act);
  if (++cell->misfits >= 50 && g_result_misfits) {
    cell->misfits = 0;
    g_result_misfits(cell, act->code);
  }
  return 0;
}

}  // namespace psyco
