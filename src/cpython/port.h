// The door to CPython: the only file that looks at PY_VERSION_HEX. It checks that the version's
// folder the build chose is complete. Everything outside src/cpython uses the names below
// `psyco::Port`.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_GIL_DISABLED
#error "psyco needs a CPython with the global interpreter lock"
#endif
#include <concepts>

#include "cpython/frame.h"

namespace psyco {

// What a version's folder has to provide, as far as it is code: version.h. A slot is one entry of a
// frame's localsplus, the variables and behind them the stack. What it holds is *viewed* (borrowed)
// or *taken* (owned, and the slot is empty from then on): that differs where a slot may be borrowed
// itself. A slot that is raw holds bits that are no object.
template <class P>
concept CPythonPort = requires(_PyInterpreterFrame* frame, PyThreadState* ts,
                               PyFunctionObject* function, PyCodeObject* code, PyObject* object,
                               typename P::Slot slot, int i) {
  { P::kVersionHex } -> std::convertible_to<unsigned>;
  { P::kIterSlots } -> std::convertible_to<int>;
  { P::kWithSlots } -> std::convertible_to<int>;
  { P::kBackoffBits } -> std::convertible_to<int>;
  { P::constant_of(i, i) } -> std::same_as<PyObject*>;
  { P::slot_null() } -> std::same_as<typename P::Slot>;
  { P::slot_put(object) } -> std::same_as<typename P::Slot>;
  { P::slot_view(slot) } -> std::same_as<PyObject*>;
  { P::slot_take(slot) } -> std::same_as<PyObject*>;
  { P::slot_is_raw(slot) } -> std::same_as<bool>;
  { P::raw_number(slot) } -> std::same_as<int64_t>;
  {P::slot_close(slot)};
  { P::lasti_slot(i, &slot) } -> std::same_as<bool>;
  { P::depth(frame) } -> std::same_as<int>;  // localsplus and stack together
  {P::set_depth(frame, i)};
  { P::code_of(frame) } -> std::same_as<PyCodeObject*>;
  { P::function_object(frame) } -> std::same_as<PyObject*>;  // of the interpreter's own: null, None
  {P::set_references(frame, function, code)};                // new ones
  {P::release_references(frame)};
  { P::is_boundary(frame) } -> std::same_as<bool>;
  { P::kLocalsDieLastFirst } -> std::convertible_to<bool>;
  { P::kOperandsDieTopFirst } -> std::convertible_to<bool>;
  { P::kBinaryDropsLeftFirst } -> std::convertible_to<bool>;
  { P::c_levels(ts) } -> std::same_as<int>;
  { P::kCRecursionOffset } -> std::convertible_to<int>;  // of c_levels in PyThreadState; -1: none
  { P::kCRecursionReserve } -> std::convertible_to<int>;
  { P::c_levels_left(ts) } -> std::same_as<bool>;
  {P::enter_c_level(ts)};
  {P::leave_c_level(ts)};
  { P::withhold_c_levels(ts, int64_t{}) } -> std::same_as<int>;
  {P::restore_c_levels(ts, i)};
  { P::kHarmlessDictWatchers } -> std::convertible_to<uint8_t>;
  { P::lazy_type() } -> std::same_as<PyTypeObject*>;
  { P::kOwnJitBytes } -> std::convertible_to<size_t>;
  { P::kPropertyReadsCheckGetter } -> std::convertible_to<bool>;
  { P::valid_version(uint32_t{}) } -> std::same_as<uint32_t>;
  { P::kFloatFreeNext } -> std::convertible_to<int>;
  { P::float_free_list() } -> std::same_as<void*>;
  { P::float_free_count() } -> std::same_as<void*>;
};
static_assert(CPythonPort<VersionPort>);
static_assert(VersionPort::kVersionHex == (PY_VERSION_HEX & 0xffff0000),
              "the folder of another version: see docs/adding.md");

}  // namespace psyco
