// Fills the helper part of the RuntimeTable from helpers.def: a row without its function does not
// link, and one that contradicts its prototype does not compile.
#include "runtime/table.h"

#include <string_view>
#include <type_traits>

#include "runtime/helpers.h"

namespace psyco {
namespace {

template <class T>
constexpr char letter() {
  if (std::is_same_v<T, PyObject*>) return 'o';
  if (std::is_same_v<T, PyObject**>) return 'O';
  if (std::is_same_v<T, int64_t>) return 'i';
  if (std::is_same_v<T, double>) return 'd';
  return std::is_pointer_v<T> ? 'p' : '?';
}

template <class R>
constexpr bool gives(std::string_view result) {
  if (result == "Owned" || result == "Object" || result == "Nullable")
    return std::is_same_v<R, PyObject*>;
  if (result == "Status" || result == "I64") return std::is_same_v<R, int64_t>;
  if (result == "F64") return std::is_same_v<R, double>;
  if (result == "Ptr") return std::is_pointer_v<R>;
  return result == "Void" && std::is_void_v<R>;
}

// Machine code passes and takes what the row says, whatever the function expects.
template <class R, class... Arguments>
constexpr bool agrees(R (*)(Arguments...), std::string_view params, std::string_view result) {
  const char given[] = {letter<Arguments>()..., 0};
  size_t at = 0;
  for (char wanted : params) {
    if (at >= sizeof...(Arguments)) return false;
    const char have = given[at++];
    if (wanted == 'A') {
      if (have != 'O' || given[at++] != 'i') return false;
    } else if (wanted == 'p') {
      if (have == 'i' || have == 'd') return false;
    } else if (have != (wanted == 's' ? 'o' : wanted)) {
      return false;
    }
  }
  return at == sizeof...(Arguments) && gives<R>(result);
}

#define HELPER(name, params, result, effects)          \
  static_assert(agrees(psyco_##name, params, #result), \
                "psyco_" #name " is not what its row in helpers.def says");
#include "ir/helpers.def"
#undef HELPER

}  // namespace

void fill_helper_table(RuntimeTable& table) {
  void* const addresses[] = {
#define HELPER(name, params, result, effects) reinterpret_cast<void*>(&psyco_##name),
#include "ir/helpers.def"
#undef HELPER
  };
  static_assert(sizeof(addresses) / sizeof(addresses[0]) == ir::kHelperCount);
  for (int i = 0; i < ir::kHelperCount; i++) table.helpers[i] = addresses[i];
  table.dealloc = psyco_dealloc;
  table.unbox_big_int = psyco_unbox_big_int;
  table.update_float_slot = psyco_update_float_slot;
  table.update_int_slot = psyco_update_int_slot;
  table.note_types = psyco_note_types;
}

}  // namespace psyco
