// Turns the values of a record into objects: registers and spill slots to PyObject*.
//
// Only allocates: no Python code runs, no error is left set (one that is set already must be held
// aside by the caller). Every result is a new reference. The activation keeps its own references
// until release_owned().
#pragma once
#include <vector>

#include "cpython/port.h"
#include "emit/abi.h"
#include "runtime/code.h"

namespace psyco {

uint64_t read_location(const Activation* act, const Location& location);

// Where the distinct owned values of a record are, drops included.
std::vector<Location> owned_locations(const ExitRecord& record);

class Materializer {
 public:
  Materializer(const Activation* act, const DecodedRecord& decoded);
  ~Materializer();
  Materializer(const Materializer&) = delete;
  Materializer& operator=(const Materializer&) = delete;

  // New reference, or null for an empty slot. When memory is out the result is None and failed() is
  // true.
  PyObject* object(const ExitSlot& slot);
  bool failed() const { return failed_; }

  // Gives up the activation's references: one for each distinct owned value of the record, drops
  // included. May run finalisers. The values are unusable afterwards, and nothing is held any more.
  void release_owned();

 private:
  struct Box {
    ir::SlotKind kind;
    Location location;
    PyObject* object;  // owned
  };
  PyObject* number(const ExitSlot& slot);
  PyObject* virtual_object(int index);
  PyObject* build(const ExitVirtual& virt);
  int64_t integer(const ExitSlot& slot);
  PyObject* out_of_memory();
  void drop_own();

  const Activation* act_;
  const ExitRecord& record_;
  const std::vector<Location>& owned_;
  std::vector<Box> boxes_;
  std::vector<PyObject*> virtuals_;  // owned; null until built
  bool failed_ = false;
};

}  // namespace psyco
