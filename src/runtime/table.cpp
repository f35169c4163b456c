// Fills the helper part of the RuntimeTable from helpers.def: a row without its function does not
// link.
#include "runtime/table.h"

#include "runtime/helpers.h"

namespace psyco {

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
