// psyco._core: module initialisation and argument checks.
#include "cpython/port.h"
#include "driver/driver.h"
#include "ext/api.h"
#include "ext/testing.h"
#include "runtime/runtime.h"

namespace psyco {
namespace {

int module_exec(PyObject* module) {
  if ((Py_Version ^ Port::kVersionHex) >> 16) {
    PyErr_Format(PyExc_ImportError, "psyco._core was built for CPython %d.%d", Port::kVersionHex >> 24,
                 Port::kVersionHex >> 16 & 255);
    return -1;
  }
  if (!start_runtime() || !start_driver()) return -1;
  start_api();
  if (PyModule_AddFunctions(module, g_api_methods) < 0) return -1;
  if (add_helper_tests(module) < 0 || PyModule_AddFunctions(module, g_test_methods) < 0 ||
      PyModule_AddFunctions(module, g_dump_methods) < 0)
    return -1;
  return PyModule_AddFunctions(module, g_fake_body_methods);
}

PyModuleDef_Slot g_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {0, nullptr},
};
PyModuleDef g_module = {PyModuleDef_HEAD_INIT, "psyco._core", nullptr, 0, nullptr, g_slots};

}  // namespace
}  // namespace psyco

PyMODINIT_FUNC PyInit__core() { return PyModuleDef_Init(&psyco::g_module); }
