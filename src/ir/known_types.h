// The few type objects that passes must recognise. Addresses only; the port fills them, tests use
// invented ones. A null entry makes the passes that need it more careful, never wrong.
#pragma once
namespace psyco::ir {

struct KnownTypes {
  const void* float_type = nullptr;
  const void* int_type = nullptr;

  // Proved to be neither an exact float nor an exact int.
  bool is_no_number(const void* type) const {
    return type && float_type && int_type && type != float_type && type != int_type;
  }
};

}  // namespace psyco::ir
