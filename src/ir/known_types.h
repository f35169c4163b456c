// The few type objects that passes must recognise. Addresses only; the port fills them, tests use
// invented ones. A null entry makes the passes that need it more careful, never wrong.
#pragma once
#include <vector>

namespace psyco::ir {

struct KnownTypes {
  const void* float_type = nullptr;
  const void* int_type = nullptr;
  // Exact types whose instances hold no reference to any other object that could matter to us: float,
  // int, bool, str, bytes, complex, NoneType. Dropping one can only free that one.
  std::vector<const void*> leaf_types;

  bool is_leaf(const void* type) const {
    for (const void* leaf : leaf_types)
      if (leaf == type) return true;
    return type && (type == float_type || type == int_type);
  }
  // Proved to be neither an exact float nor an exact int.
  bool is_no_number(const void* type) const {
    return type && float_type && int_type && type != float_type && type != int_type;
  }
};

}  // namespace psyco::ir
