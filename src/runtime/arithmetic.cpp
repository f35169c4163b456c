// Operators, comparisons, truth and boxes. The interpreter's specialised forms come first, for
// exact types; everything else goes to the same C function the interpreter calls, by operator
// number.
#include <cerrno>
#include <cmath>

#include "runtime/caches.h"
#include "runtime/helpers.h"
#include "runtime/reserve.h"
#include "support/check.h"

using namespace psyco::objects;

void (*psyco::g_operands_met)(OperandCache*) = nullptr;
void (*psyco::g_callee_met)(OperandCache*, PyObject*) = nullptr;

namespace {

// Positions of the NB_* numbers; the in-place ones follow in the same order.
enum Number {
  kAdd,
  kAnd,
  kFloorDivide,
  kLeftShift,
  kMatrixMultiply,
  kMultiply,
  kRemainder,
  kOr,
  kPower,
  kRightShift,
  kSubtract,
  kTrueDivide,
  kXor,
  kInPlace
};
static_assert(NB_ADD == kAdd && NB_FLOOR_DIVIDE == kFloorDivide && NB_POWER == kPower &&
              NB_SUBTRACT == kSubtract && NB_XOR == kXor && NB_INPLACE_ADD == kInPlace &&
              NB_INPLACE_XOR == kInPlace + kXor);
constexpr int64_t kSubscriptNumber = 26;

double floor_divide(double left, double right, double* remainder) {
  // As Objects/floatobject.c:_float_div_mod.
  double mod = std::fmod(left, right);
  double quotient = (left - mod) / right;
  if (mod != 0) {
    if ((right < 0) != (mod < 0)) {
      mod += right;
      quotient -= 1.0;
    }
  } else {
    mod = std::copysign(0.0, right);
  }
  *remainder = mod;
  if (quotient == 0) return std::copysign(0.0, left / right);
  double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1.0 : floored;
}

// Null without error: not done here.
PyObject* float_op(double left, double right, int number) {
  switch (number) {
    case kAdd:
      return PyFloat_FromDouble(left + right);
    case kSubtract:
      return PyFloat_FromDouble(left - right);
    case kMultiply:
      return PyFloat_FromDouble(left * right);
    case kTrueDivide:
      return right == 0 ? nullptr : PyFloat_FromDouble(left / right);
    case kRemainder:
      return right == 0 ? nullptr : PyFloat_FromDouble(psyco_mod_float(left, right));
    case kFloorDivide:
      return right == 0 ? nullptr : PyFloat_FromDouble(psyco_floordiv_float(left, right));
    default:
      return nullptr;
  }
}

PyObject* compact_op(int64_t left, int64_t right, int number) {
  switch (number) {
    case kAdd:
      return psyco_box_int(left + right);
    case kSubtract:
      return psyco_box_int(left - right);
    case kMultiply:
      return psyco_box_int(left * right);
    case kAnd:
      return psyco_box_int(left & right);
    case kOr:
      return psyco_box_int(left | right);
    case kXor:
      return psyco_box_int(left ^ right);
    case kFloorDivide: {
      if (right == 0) return nullptr;
      int64_t quotient = left / right;
      return psyco_box_int(quotient - (left % right != 0 && (left ^ right) < 0));
    }
    case kRemainder: {
      if (right == 0) return nullptr;
      int64_t rest = left % right;
      return psyco_box_int(rest != 0 && (rest ^ right) < 0 ? rest + right : rest);
    }
    case kTrueDivide:
      return right == 0
                 ? nullptr
                 : PyFloat_FromDouble(static_cast<double>(left) / static_cast<double>(right));
    case kLeftShift:
      if (right < 0 || right > 32) return nullptr;
      return psyco_box_int(static_cast<int64_t>(static_cast<uint64_t>(left) << right));
    case kRightShift:
      return right < 0 ? nullptr : psyco_box_int(right > 63 ? (left < 0 ? -1 : 0) : left >> right);
    default:
      return nullptr;
  }
}

PyObject* long_op(PyObject* left, PyObject* right, int number) {
  switch (number) {
    case kAdd:
      return int_add(left, right);
    case kSubtract:
      return int_subtract(left, right);
    case kMultiply:
      return int_multiply(left, right);
    default:
      return nullptr;
  }
}

template <class T>
bool ordered(T left, T right, int64_t op) {
  switch (op) {
    case Py_LT:
      return left < right;
    case Py_LE:
      return left <= right;
    case Py_EQ:
      return left == right;
    case Py_NE:
      return left != right;
    case Py_GT:
      return left > right;
    default:
      return left >= right;
  }
}

// 0, 1, or -1 if the types have no quick way.
int quick_compare(PyObject* left, PyObject* right, int64_t op) {
  if (PyLong_CheckExact(left) && PyLong_CheckExact(right)) {
    if (is_compact(left) && is_compact(right))
      return ordered(compact_value(left), compact_value(right), op);
  } else if (PyFloat_CheckExact(left) && PyFloat_CheckExact(right)) {
    return ordered(PyFloat_AS_DOUBLE(left), PyFloat_AS_DOUBLE(right), op);
  } else if (PyUnicode_CheckExact(left) && PyUnicode_CheckExact(right)) {
    if (op == Py_EQ) return strings_equal(left, right);
    if (op == Py_NE) return !strings_equal(left, right);
  }
  return -1;
}

void replace_slot(void** slot, PyObject* box) {
  PyObject* old = static_cast<PyObject*>(*slot);
  *slot = box;
  Py_DECREF(old);
}

}  // namespace

extern "C" {

PyObject* psyco_binary_op(PyObject* left, PyObject* right, int64_t number) {
  int plain = static_cast<int>(number >= kInPlace ? number - kInPlace : number);
  PyObject* result = nullptr;
  if (PyLong_CheckExact(left)) {
    if (PyLong_CheckExact(right)) {
      result = is_compact(left) && is_compact(right)
                   ? compact_op(compact_value(left), compact_value(right), plain)
                   : long_op(left, right, plain);
    } else if (PyFloat_CheckExact(right) && is_compact(left)) {
      result = float_op(static_cast<double>(compact_value(left)), PyFloat_AS_DOUBLE(right), plain);
    }
  } else if (PyFloat_CheckExact(left)) {
    if (PyFloat_CheckExact(right))
      result = float_op(PyFloat_AS_DOUBLE(left), PyFloat_AS_DOUBLE(right), plain);
    else if (PyLong_CheckExact(right) && is_compact(right))
      result = float_op(PyFloat_AS_DOUBLE(left), static_cast<double>(compact_value(right)), plain);
  } else if (plain == kAdd && PyUnicode_CheckExact(left) && PyUnicode_CheckExact(right)) {
    return PyUnicode_Concat(left, right);
  }
  if (PSYCO_LIKELY(result != nullptr)) return result;
  if (PSYCO_UNLIKELY(number == kSubscriptNumber)) return psyco_subscript(left, right);
  // A failed allocation above left MemoryError: trying again fails again, or succeeds rightly.
  if (PSYCO_UNLIKELY(PyErr_Occurred() != nullptr)) return nullptr;
  return apply_binary(static_cast<int>(number), left, right);
}

PyObject* psyco_compare_op(PyObject* left, PyObject* right, int64_t op) {
  int quick = quick_compare(left, right, op);
  if (quick >= 0) return PyBool_FromLong(quick);
  return PyObject_RichCompare(left, right, static_cast<int>(op));
}

int64_t psyco_compare_bool(PyObject* left, PyObject* right, int64_t op) {
  int quick = quick_compare(left, right, op);
  if (quick >= 0) return quick;
  // Not PyObject_RichCompareBool: that one takes identity for equality.
  PyObject* result = PyObject_RichCompare(left, right, static_cast<int>(op));
  if (!result) return -1;
  int64_t truth = psyco_is_true(result);
  Py_DECREF(result);
  return truth;
}

int64_t psyco_contains(PyObject* container, PyObject* item) {
  if (PyDict_CheckExact(container)) return PyDict_Contains(container, item);
  if (PyAnySet_CheckExact(container)) return set_contains(container, item);
  return PySequence_Contains(container, item);
}

int64_t psyco_is_true(PyObject* object) {
  if (object == Py_True) return 1;
  if (object == Py_False || object == Py_None) return 0;
  if (PyLong_CheckExact(object)) return !(is_compact(object) && compact_value(object) == 0);
  if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) return Py_SIZE(object) != 0;
  if (PyUnicode_CheckExact(object)) return PyUnicode_GET_LENGTH(object) != 0;
  if (PyFloat_CheckExact(object)) return PyFloat_AS_DOUBLE(object) != 0.0;
  return PyObject_IsTrue(object);
}

PyObject* psyco_unary_op(PyObject* object, int64_t op) {
  switch (op) {
    case 0:
      if (PyFloat_CheckExact(object)) return PyFloat_FromDouble(-PyFloat_AS_DOUBLE(object));
      if (PyLong_CheckExact(object) && is_compact(object))
        return psyco_box_int(-compact_value(object));
      return PyNumber_Negative(object);
    case 1:
      if (PyLong_CheckExact(object) && is_compact(object))
        return psyco_box_int(~compact_value(object));
      return PyNumber_Invert(object);
    case 2:
      return PyNumber_Positive(object);
    default: {
      int64_t truth = psyco_is_true(object);
      return truth < 0 ? nullptr : PyBool_FromLong(!truth);
    }
  }
}

int64_t psyco_reference_count(PyObject* object, int64_t besides) {
  return _Py_IsImmortal(object) ? Py_REFCNT(object) : Py_REFCNT(object) + besides;
}

PyObject* psyco_box_int(int64_t value) {
  if (value >= kSmallIntMin && value < kSmallIntEnd) return small_int(value);
  return PyLong_FromLongLong(value);
}

PyObject* psyco_box_float(double value) { return PyFloat_FromDouble(value); }

// As Objects/floatobject.c:float_pow. The result is infinite with both operands finite exactly
// where Python raises or gives a complex: callers must exit then.
double psyco_power_float(double base, double exponent) {
  if (exponent == 0) return 1.0;
  if (std::isnan(base)) return base;
  if (std::isnan(exponent)) return base == 1.0 ? 1.0 : exponent;
  if (std::isinf(exponent)) {
    double magnitude = std::fabs(base);
    if (magnitude == 1.0) return 1.0;
    return (exponent > 0) == (magnitude > 1.0) ? std::fabs(exponent) : 0.0;
  }
  bool odd = std::fmod(std::fabs(exponent), 2.0) == 1.0;
  if (std::isinf(base)) {
    if (exponent > 0) return odd ? base : std::fabs(base);
    return odd ? std::copysign(0.0, base) : 0.0;
  }
  if (base == 0) {
    if (exponent < 0) return HUGE_VAL;
    return odd ? base : 0.0;
  }
  bool negate = false;
  if (base < 0) {
    if (exponent != std::floor(exponent)) return HUGE_VAL;
    base = -base;
    negate = odd;
  }
  if (base == 1.0) return negate ? -1.0 : 1.0;
  double result = std::pow(base, exponent);
  return negate ? -result : result;
}

double psyco_mod_float(double left, double right) {
  double mod = std::fmod(left, right);
  if (mod == 0) return std::copysign(0.0, right);
  return (right < 0) != (mod < 0) ? mod + right : mod;
}

double psyco_floordiv_float(double left, double right) {
  double rest;
  return floor_divide(left, right, &rest);
}

void psyco_dealloc(void* object) { _Py_Dealloc(static_cast<PyObject*>(object)); }

int psyco_unbox_big_int(void* object, int64_t* out) {
  PyObject* number = static_cast<PyObject*>(object);
  if (is_compact(number)) {
    *out = compact_value(number);
    return 0;
  }
  static_assert(kDigitBits == 30);
  const digit* d = digits(number);
  int count = digit_count(number);
  if (count > 3) return 1;
  uint64_t magnitude = d[0] | static_cast<uint64_t>(d[1]) << 30;
  if (count == 3) {
    if (d[2] > 8) return 1;
    magnitude |= static_cast<uint64_t>(d[2]) << 60;
  }
  bool negative = is_negative(number);
  if (magnitude > static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0)) return 1;
  *out = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
  return 0;
}

void psyco_update_float_slot(void** slot, double value) {
  PyObject* old = static_cast<PyObject*>(*slot);
  if (Py_REFCNT(old) == 1) {
    reinterpret_cast<PyFloatObject*>(old)->ob_fval = value;
    return;
  }
  psyco::reserve::fill();
  PyObject* box = PyFloat_FromDouble(value);
  if (PSYCO_UNLIKELY(!box)) box = psyco::reserve::number_or_raise_soon(value);
  replace_slot(slot, box);
}

void psyco_update_int_slot(void** slot, int64_t value) {
  PyObject* old = static_cast<PyObject*>(*slot);
  bool small = value >= kSmallIntMin && value < kSmallIntEnd;
  if (small) {
    replace_slot(slot, small_int(value));
    return;
  }
  uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  int needed = magnitude >> kDigitBits == 0 ? 1 : magnitude >> (2 * kDigitBits) == 0 ? 2 : 3;
  if (Py_REFCNT(old) == 1 && needed <= 2 && digit_count(old) == needed) {
    overwrite_int(old, value, needed);
    return;
  }
  psyco::reserve::fill();
  PyObject* box = PyLong_FromLongLong(value);
  if (PSYCO_UNLIKELY(!box)) box = psyco::reserve::integer_or_raise_soon(value);
  replace_slot(slot, box);
}

void psyco_note_types(psyco::OperandCache* cache, void* left, void* right) {
  if (cache->callee) return psyco::g_callee_met(cache, static_cast<PyObject*>(left));
  const void* types[] = {Py_TYPE(static_cast<PyObject*>(left)),
                         Py_TYPE(static_cast<PyObject*>(right))};
  if (types[0] != cache->types[0] || types[1] != cache->types[1]) {
    cache->types[0] = types[0];
    cache->types[1] = types[1];
    cache->hits = 0;
    if (++cache->changes > psyco::OperandCache::kMostChanges) cache->asking = false;
  }
  if (++cache->hits == psyco::OperandCache::kEnough) psyco::g_operands_met(cache);
}

}  // extern "C"
