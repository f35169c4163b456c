// Calls runtime helpers from Python, by name, with the arguments their row in helpers.def asks for.
//
// _test_helper(name, *arguments): an object parameter takes any object, _test_helper_null for the
// null pointer; a cache pointer takes what _test_cache() returned; the array takes all remaining
// arguments; the out area needs none. The result is the helper's; with an out area, (result,
// [words]).
#include <cstring>
#include <new>

#include "ext/testing.h"
#include "ir/graph.h"
#include "runtime/caches.h"
#include "runtime/helpers.h"
#include "runtime/table.h"

namespace psyco {
namespace {

constexpr int kMaxWords = 400;
constexpr const char* kCacheName = "psyco.test_cache";
PyObject* g_null = nullptr;

struct AnyCache {
  AttrCache attributes;
  GlobalCache globals;
};

void free_cache(PyObject* capsule) {
  delete static_cast<AnyCache*>(PyCapsule_GetPointer(capsule, kCacheName));
}
PyObject* test_cache(PyObject*, PyObject*) {
  return PyCapsule_New(new AnyCache(), kCacheName, free_cache);
}

struct Call {
  uint64_t words[6] = {};
  int word_count = 0;
  double doubles[2] = {};
  int double_count = 0;
  PyObject* array[kMaxWords + 1] = {};
  PyObject* out[kMaxWords] = {};
  int out_count = 0;
};

int find_helper(const char* name) {
  for (int i = 0; i < ir::kHelperCount; i++)
    if (!strcmp(ir::helper_info(static_cast<ir::Helper>(i)).name, name)) return i;
  return -1;
}

int out_words(const char* name, const Call& call) {
  if (!strcmp(name, "unpack_sequence")) return static_cast<int>(call.words[1]);
  if (!strcmp(name, "unpack_ex")) return static_cast<int>(call.words[1] + 1 + call.words[2]);
  return !strcmp(name, "check_eg_match") ? 2 : 1;
}

bool wants_globals_cache(const char* name) { return !strcmp(name, "load_global"); }

bool add_argument(Call& call, char letter, const char* name, PyObject* const* args,
                  Py_ssize_t count, Py_ssize_t* used) {
  if (letter != 'O' && letter != 'A' && *used >= count) {
    PyErr_Format(PyExc_TypeError, "%s: too few arguments", name);
    return false;
  }
  PyObject* null = g_null;
  auto object = [null](PyObject* arg) { return arg == null ? nullptr : arg; };
  uint64_t& word = call.words[call.word_count < 6 ? call.word_count : 5];
  switch (letter) {
    case 'o':
    case 's': {
      PyObject* arg = object(args[(*used)++]);
      if (letter == 's') Py_XINCREF(arg);
      word = reinterpret_cast<uint64_t>(arg);
      break;
    }
    case 'i':
      word = static_cast<uint64_t>(PyLong_AsLongLong(args[(*used)++]));
      break;
    case 'd':
      call.doubles[call.double_count++] = PyFloat_AsDouble(args[(*used)++]);
      return true;
    case 'p': {
      AnyCache* cache = static_cast<AnyCache*>(PyCapsule_GetPointer(args[(*used)++], kCacheName));
      if (!cache) return false;
      word = wants_globals_cache(name) ? reinterpret_cast<uint64_t>(&cache->globals)
                                       : reinterpret_cast<uint64_t>(&cache->attributes);
      break;
    }
    case 'O':
      call.out_count = out_words(name, call);
      word = reinterpret_cast<uint64_t>(call.out);
      break;
    default: {
      int64_t items = 0;
      while (*used < count && items < kMaxWords) call.array[1 + items++] = object(args[(*used)++]);
      word = reinterpret_cast<uint64_t>(&call.array[1]);
      call.word_count++;
      call.words[call.word_count] = static_cast<uint64_t>(items);
      break;
    }
  }
  call.word_count++;
  return !PyErr_Occurred();
}

PyObject* convert(ir::HelperResult kind, uint64_t word, double number) {
  PyObject* object = reinterpret_cast<PyObject*>(word);
  switch (kind) {
    case ir::HelperResult::Owned:
      if (object == exhausted_object()) return Py_NewRef(Py_NotImplemented);
      if (!object && !PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "helper failed without an exception");
      return object;
    case ir::HelperResult::Status: {
      int64_t status = static_cast<int64_t>(word);
      if ((status < 0) != (PyErr_Occurred() != nullptr))
        PyErr_Format(PyExc_SystemError, "status %lld does not fit the exception", status);
      return PyErr_Occurred() ? nullptr : PyLong_FromLongLong(status);
    }
    case ir::HelperResult::Object:
    case ir::HelperResult::Nullable:
      return Py_NewRef(object ? object : g_null);
    case ir::HelperResult::I64:
      return PyLong_FromLongLong(static_cast<int64_t>(word));
    case ir::HelperResult::F64:
      return PyFloat_FromDouble(number);
    case ir::HelperResult::Ptr:
      return PyLong_FromVoidPtr(object);
    case ir::HelperResult::Void:
      Py_RETURN_NONE;
  }
  return nullptr;
}

PyObject* with_words(PyObject* result, Call& call) {
  PyObject* list = PyList_New(call.out_count);
  if (!list) return nullptr;
  for (int i = 0; i < call.out_count; i++)
    PyList_SET_ITEM(list, i, call.out[i] ? call.out[i] : Py_NewRef(g_null));
  PyObject* pair = PyTuple_Pack(2, result, list);
  Py_DECREF(result);
  Py_DECREF(list);
  return pair;
}

PyObject* test_helper(PyObject*, PyObject* const* args, Py_ssize_t count) {
  const char* name = count > 0 ? PyUnicode_AsUTF8(args[0]) : nullptr;
  if (!name) return PyErr_Format(PyExc_TypeError, "name of a helper expected");
  int index = find_helper(name);
  if (index < 0) return PyErr_Format(PyExc_LookupError, "no helper %s", name);
  const ir::HelperInfo& info = ir::helper_info(static_cast<ir::Helper>(index));
  Call call;
  Py_ssize_t used = 1;
  for (const char* letter = info.params; *letter; letter++)
    if (!add_argument(call, *letter, info.name, args, count, &used)) return nullptr;
  if (used != count) return PyErr_Format(PyExc_TypeError, "%s: too many arguments", name);
  static RuntimeTable table;
  fill_helper_table(table);
  // The C calling convention ignores registers a function does not ask for.
  const uint64_t* w = call.words;
  const double* d = call.doubles;
  using Plain =
      uint64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, double, double);
  using Number =
      double (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, double, double);
  uint64_t word = 0;
  double number = 0;
  if (info.result == ir::HelperResult::F64)
    number = reinterpret_cast<Number>(table.helpers[index])(w[0], w[1], w[2], w[3], w[4], w[5],
                                                            d[0], d[1]);
  else
    word = reinterpret_cast<Plain>(table.helpers[index])(w[0], w[1], w[2], w[3], w[4], w[5], d[0],
                                                         d[1]);
  PyObject* result = convert(info.result, word, number);
  if (result && PyErr_Occurred()) {
    PyErr_SetString(PyExc_SystemError, "helper returned a result with an exception set");
    Py_CLEAR(result);
  }
  return result && call.out_count ? with_words(result, call) : result;
}

// (name, params, may run Python) of every row.
PyObject* test_helper_rows(PyObject*, PyObject*) {
  PyObject* list = PyList_New(0);
  for (int i = 0; list && i < ir::kHelperCount; i++) {
    const ir::HelperInfo& info = ir::helper_info(static_cast<ir::Helper>(i));
    const bool python = info.effects == ir::HelperEffects::Python;
    PyObject* row = Py_BuildValue("(ssO)", info.name, info.params, python ? Py_True : Py_False);
    if (!row || PyList_Append(list, row) < 0) Py_CLEAR(list);
    Py_XDECREF(row);
  }
  return list;
}

// The value of a big int as the unboxing slow path gives it, or None if it does not fit.
PyObject* test_unbox(PyObject*, PyObject* number) {
  int64_t value;
  if (psyco_unbox_big_int(number, &value)) Py_RETURN_NONE;
  return PyLong_FromLongLong(value);
}

// Updates list[index], an int or a float, as UpdateIntSlot and UpdateFloatSlot do.
PyObject* test_update_slot(PyObject*, PyObject* args) {
  PyObject *list, *value;
  Py_ssize_t index;
  if (!PyArg_ParseTuple(args, "O!nO", &PyList_Type, &list, &index, &value)) return nullptr;
  void** slot = reinterpret_cast<void**>(&reinterpret_cast<PyListObject*>(list)->ob_item[index]);
  if (PyFloat_CheckExact(value))
    psyco_update_float_slot(slot, PyFloat_AS_DOUBLE(value));
  else
    psyco_update_int_slot(slot, PyLong_AsLongLong(value));
  Py_RETURN_NONE;
}

PyMethodDef g_methods[] = {
    {"_test_helper", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(test_helper)),
     METH_FASTCALL, nullptr},
    {"_test_helper_rows", test_helper_rows, METH_NOARGS, nullptr},
    {"_test_cache", test_cache, METH_NOARGS, nullptr},
    {"_test_unbox", test_unbox, METH_O, nullptr},
    {"_test_update_slot", test_update_slot, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_helper_tests(PyObject* module) {
  if (!g_null) g_null = PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type));
  if (!g_null || PyModule_AddObjectRef(module, "_test_helper_null", g_null) < 0) return -1;
  return PyModule_AddFunctions(module, g_methods);
}

}  // namespace psyco
