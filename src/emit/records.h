// Writing exit records. The format is private to records.cpp; decode_record (abi.h) reads it back.
#pragma once
#include <cstdint>
#include <vector>

#include "emit/abi.h"

namespace psyco {

// Collects the records of one body: equal records get one id; ids are dense.
class RecordWriter {
 public:
  uint32_t add(const ExitRecord& record);
  void finish(CompiledCode& code);
  size_t count() const { return offsets_.size(); }

 private:
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> offsets_;
  std::vector<uint8_t> scratch_;
  std::vector<uint32_t> table_;   // hash table of ids + 1; its size is a power of two
  std::vector<uint64_t> hashes_;  // by id
  void grow();
};

#ifdef PSYCO_MUTANTS
ExitRecord decode_spoilt_record(const CompiledCode& code, uint32_t id);  // as the runtime gets it
#endif

}  // namespace psyco
