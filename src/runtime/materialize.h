// Turns the values of a record into objects: registers and spill slots to PyObject*.
//
// Only allocates: no Python code runs, no error is left set (one that is set already must be held
// aside by the caller). Every result is a new reference. The activation keeps its own references
// until release_owned().
//
// Each object is made once for the life of the activation (ir/graph.h, OBJECTS): what a reader of
// f_locals got is what the exit goes on with, also where the operand stack names it.
#pragma once
#include <utility>
#include <vector>

#include "cpython/port.h"
#include "emit/abi.h"
#include "runtime/code.h"

namespace psyco {

uint64_t read_location(const Activation* act, const Location& location);

// Where the distinct owned values of a record are, drops included.
std::vector<Location> owned_locations(const ExitRecord& record);

// By number; 0: in virtuals_ only. Owned.
using MadeObjects = std::vector<std::pair<uint32_t, PyObject*>>;

// The activation ends: lets go of what was made for it. May run finalisers.
void forget_made(const Activation* act);

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

  // Leaves what was made to the activation: the next Materializer finds it.
  void keep();

  // Gives up the activation's references: one for each distinct owned value of the record, drops
  // included. May run finalisers. The values are unusable afterwards, and nothing is held any more.
  void release_owned();

 private:
  PyObject* known(uint32_t object) const;
  PyObject* number(const ExitSlot& slot);
  PyObject* virtual_object(int index);
  PyObject* build(const ExitVirtual& virt);
  PyObject* instance(const std::vector<ExitSlot>& fields);
  int64_t integer(const ExitSlot& slot);
  PyObject* out_of_memory();

  const Activation* act_;
  const ExitRecord& record_;
  const std::vector<Location>& owned_;
  MadeObjects made_;
  std::vector<PyObject*> virtuals_;  // null until built; made_ holds them
  bool failed_ = false;
};

}  // namespace psyco
