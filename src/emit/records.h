// Writing exit records. The format is private to records.cpp; decode_record (abi.h) reads it back.
#pragma once
#include <cstdint>
#include <vector>

#include "emit/abi.h"

namespace psyco {

// Collects the records of one body: equal records get one id; ids are dense.
class RecordWriter {
 public:
  // A long list of slots, as its size and what chunk() has said of each kChunk of them.
  struct Chunks {
    size_t size = 0;  // 0: the list is in the record
    std::vector<uint32_t> numbers = {};
  };
  static constexpr size_t kChunk = 16;
  uint32_t chunk(const std::vector<ExitSlot>& slots);
  // `locals`, by frame, stands for those of the record.
  uint32_t add(const ExitRecord& record, const std::vector<Chunks>& locals = {});
  void finish(CompiledCode& code);
  size_t count() const { return offsets_.size(); }

 private:
  // Byte strings, each kept once: a hash table of them.
  class Strings {
   public:
    // The number of the string, appended to `bytes` if it is new.
    uint32_t intern(std::vector<uint8_t>& bytes, const std::vector<uint8_t>& string);
    uint32_t offset(uint32_t id) const { return known_[id].offset; }

   private:
    struct Known {
      uint64_t hash;
      uint32_t offset, size;
    };
    std::vector<Known> known_;
    std::vector<uint32_t> table_;  // of ids + 1; its size is a power of two
    void grow();
  };
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> offsets_;
  std::vector<uint8_t> scratch_, chunk_;
  Strings records_, chunks_;
  void slots(const std::vector<ExitSlot>& list);
};

#ifdef PSYCO_MUTANTS
ExitRecord decode_spoilt_record(const CompiledCode& code, uint32_t id);  // as the runtime gets it
#endif

}  // namespace psyco
