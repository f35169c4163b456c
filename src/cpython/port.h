// The door to CPython: the only file that looks at PY_VERSION_HEX. It takes in the port the build
// chose and checks that it is complete. Everything outside src/cpython uses the names below
// `psyco::Port`.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_GIL_DISABLED
#error "psyco needs a CPython with the global interpreter lock"
#endif
#if PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030E0000
#include "cpython/v313/frame.h"
namespace psyco {
using Port = v313::Port;
}
#else
#error "no port for this Python version: see docs/adding.md"
#endif

#include <concepts>

namespace psyco {

// What a version's frame.h has to provide. A slot is one entry of a frame's localsplus.
template <class P>
concept CPythonPort = requires(_PyInterpreterFrame* frame, PyThreadState* ts,
                               PyFunctionObject* function, PyCodeObject* code, PyObject* object,
                               typename P::Slot slot, int i, size_t words, void* memory,
                               PyInterpreterState* interp, int (*later)(void*)) {
  { P::kVersionHex } -> std::convertible_to<unsigned>;
  { P::kIterSlots } -> std::convertible_to<int>;
  { P::kWithSlots } -> std::convertible_to<int>;
  { P::slot_null() } -> std::same_as<typename P::Slot>;
  { P::slot_steal(object) } -> std::same_as<typename P::Slot>;
  { P::slot_object(slot) } -> std::same_as<PyObject*>;
  {P::slot_close(slot)};
  { P::lasti_slot(i) } -> std::same_as<typename P::Slot>;
  { P::slots(frame) } -> std::same_as<typename P::Slot*>;
  { P::depth(frame) } -> std::same_as<int>;  // localsplus and stack together
  {P::set_depth(frame, i)};
  { P::code_of(frame) } -> std::same_as<PyCodeObject*>;
  { P::function_of(frame) } -> std::same_as<PyFunctionObject*>;
  {P::init_frame(frame, function, code)};  // takes new references; localsplus all empty
  { P::push_words(ts, words) } -> std::same_as<void*>;
  {P::pop_to(ts, memory)};
  { P::reserve_words(ts, words) } -> std::same_as<bool>;
  { P::set_code_extra(code, Py_ssize_t{}, memory) } -> std::same_as<bool>;
  {P::keep_freed_chunks(bool{})};
  {P::forget_own_events(code, uint8_t{})};
  { P::gil_is_held(interp) } -> std::same_as<bool>;
  { P::call_soon(interp, later) } -> std::same_as<bool>;
  { P::foreign_local_calls(code, uint8_t{}) } -> std::same_as<bool>;
  { P::unwind(ts, frame) } -> std::same_as<bool>;
  { P::unwind_running(ts, frame, i) } -> std::same_as<bool>;
};
static_assert(CPythonPort<Port>);

}  // namespace psyco
