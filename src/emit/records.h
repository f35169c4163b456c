// Writing exit records. The format is private to records.cpp; decode_record (abi.h) reads it back.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
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
  std::unordered_map<std::string, uint32_t> known_;
};

}  // namespace psyco
