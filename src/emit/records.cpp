// Exit records as bytes.
//
//   record   = reason value_id shown_bci frames{count, frame...}
//              virtuals{count, (kind object slots)...} drops{slots}
//   frame    = index bci cont function(slot) locals{slots} stack{slots}
//   slots    = count slot...
//   slot     = header byte: kind(3 bits) owned nullable box_owned has_box has_object; then the
//              virtual's number, or: value location, box location if has_box, object if has_object
//   Of more than kChunk slots, each kChunk of them (and the rest) are a number instead: where they
//   are among the bytes. Records that follow one another have most of these in common.
//   location = kind(3 bits) | small payload(5 bits, 31: a varint follows)
// Numbers are LEB128; signed ones zigzag.
#include "emit/records.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "support/check.h"
#include "support/mutants.h"

namespace psyco {

namespace {

using ir::SlotKind;

constexpr size_t kChunk = RecordWriter::kChunk;

struct Writer {
  std::vector<uint8_t>& out;
  void byte(uint8_t b) { out.push_back(b); }
  void number(uint64_t x) {
    while (x >= 0x80) {
      out.push_back(static_cast<uint8_t>(x | 0x80));
      x >>= 7;
    }
    out.push_back(static_cast<uint8_t>(x));
  }
  void integer(int64_t x) {
    number(static_cast<uint64_t>(x) << 1 ^ static_cast<uint64_t>(x >> 63));
  }
  void packed(uint8_t kind, uint64_t payload) {
    if (payload < 31) {
      byte(static_cast<uint8_t>(kind | payload << 3));
    } else {
      byte(static_cast<uint8_t>(kind | 31 << 3));
      number(payload);
    }
  }
  void location(const Location& l) {
    uint64_t zigzag = static_cast<uint64_t>(l.imm) << 1 ^ static_cast<uint64_t>(l.imm >> 63);
    switch (l.kind) {
      case Location::None:
        return byte(0);
      case Location::Gpr:
      case Location::Xmm:
        return packed(l.kind, l.reg);
      case Location::Spill:
        return packed(l.kind, static_cast<uint32_t>(l.spill));
      case Location::Imm:
        return packed(l.kind, zigzag);
      case Location::Object:
        return packed(l.kind, static_cast<uint64_t>(l.imm));
    }
  }
  void slot(const ExitSlot& s) {
    bool has_box = s.box.kind != Location::None;
    byte(static_cast<uint8_t>(static_cast<uint8_t>(s.kind) | s.owned << 3 | s.nullable << 4 |
                              s.box_owned << 5 | has_box << 6 | (s.object != 0) << 7));
    if (s.kind == SlotKind::Virtual) return number(static_cast<uint64_t>(s.virt));
    if (s.kind != SlotKind::Null) location(s.value);
    if (has_box) location(s.box);
    if (s.object) number(s.object);
  }
};

struct Reader {
  const uint8_t* base;
  const uint8_t* p;
  uint8_t byte() { return *p++; }
  uint64_t number() {
    uint64_t x = 0;
    for (int shift = 0;; shift += 7) {
      uint8_t b = *p++;
      x |= static_cast<uint64_t>(b & 0x7f) << shift;
      if (!(b & 0x80)) return x;
    }
  }
  int64_t integer() {
    uint64_t x = number();
    return static_cast<int64_t>(x >> 1 ^ (0 - (x & 1)));
  }
  Location location() {
    uint8_t b = byte();
    Location l;
    l.kind = static_cast<Location::Kind>(b & 7);
    uint64_t payload = b >> 3;
    if (payload == 31) payload = number();
    switch (l.kind) {
      case Location::None:
        break;
      case Location::Gpr:
      case Location::Xmm:
        l.reg = static_cast<uint8_t>(payload);
        break;
      case Location::Spill:
        l.spill = static_cast<int32_t>(payload);
        break;
      case Location::Imm:
        l.imm = static_cast<int64_t>(payload >> 1 ^ (0 - (payload & 1)));
        break;
      case Location::Object:
        l.imm = static_cast<int64_t>(payload);
        break;
    }
    return l;
  }
  ExitSlot slot() {
    uint8_t b = byte();
    ExitSlot s;
    s.kind = static_cast<SlotKind>(b & 7);
    s.owned = b >> 3 & 1;
    s.nullable = b >> 4 & 1;
    s.box_owned = b >> 5 & 1;
    if (s.kind == SlotKind::Virtual) {
      s.virt = static_cast<int32_t>(number());
      return s;
    }
    if (s.kind != SlotKind::Null) s.value = location();
    if (b >> 6 & 1) s.box = location();
    if (b >> 7) s.object = static_cast<uint32_t>(number());
    return s;
  }
  void slots(std::vector<ExitSlot>& list) {
    list.resize(number());
    if (list.size() <= kChunk) {
      for (ExitSlot& s : list) s = slot();
      return;
    }
    for (size_t i = 0; i < list.size();) {
      Reader chunk{base, base + number()};
      for (size_t end = std::min(i + kChunk, list.size()); i < end; i++) list[i] = chunk.slot();
    }
  }
};

}  // namespace

void RecordWriter::slots(const std::vector<ExitSlot>& list) {
  Writer w{scratch_};
  w.number(list.size());
  if (list.size() <= kChunk) {
    for (const ExitSlot& s : list) w.slot(s);
    return;
  }
  for (size_t i = 0; i < list.size();) {
    chunk_.clear();
    Writer chunk{chunk_};
    for (size_t end = std::min(i + kChunk, list.size()); i < end; i++) chunk.slot(list[i]);
    w.number(chunks_.offset(chunks_.intern(bytes_, chunk_)));
  }
}

uint32_t RecordWriter::chunk(const std::vector<ExitSlot>& slots) {
  chunk_.clear();
  Writer chunk{chunk_};
  for (const ExitSlot& slot : slots) chunk.slot(slot);
  return chunks_.offset(chunks_.intern(bytes_, chunk_));
}

uint32_t RecordWriter::add(const ExitRecord& record, const std::vector<Chunks>& locals) {
  std::vector<uint8_t>& bytes = scratch_;
  bytes.clear();
  Writer w{bytes};
  w.byte(static_cast<uint8_t>(record.reason));
  w.number(record.value_id);
  w.integer(record.shown_bci);
  w.number(record.frames.size());
  for (size_t i = 0; i < record.frames.size(); i++) {
    const ExitFrame& f = record.frames[i];
    w.number(f.frame_index);
    w.integer(f.bci);
    w.byte(static_cast<uint8_t>(f.cont));
    w.slot(f.function);
    if (i < locals.size() && locals[i].size) {
      w.number(locals[i].size);
      for (const uint32_t number : locals[i].numbers) w.number(number);
    } else {
      slots(f.locals);
    }
    slots(f.stack);
  }
  w.number(record.virtuals.size());
  for (const ExitVirtual& v : record.virtuals) {
    w.byte(static_cast<uint8_t>(v.kind));
    w.number(v.object);
    slots(v.fields);
  }
  slots(record.drops);
  const uint32_t id = records_.intern(bytes_, bytes);
  if (id == offsets_.size()) offsets_.push_back(records_.offset(id));
  return id;
}

uint32_t RecordWriter::Strings::intern(std::vector<uint8_t>& bytes,
                                       const std::vector<uint8_t>& string) {
  if (known_.size() * 2 >= table_.size()) grow();
  uint64_t hash =
      std::hash<std::string_view>{}({reinterpret_cast<const char*>(string.data()), string.size()});
  size_t at = hash & (table_.size() - 1);
  for (; table_[at]; at = (at + 1) & (table_.size() - 1)) {
    const Known& known = known_[table_[at] - 1];
    if (known.hash == hash && known.size == string.size() &&
        std::memcmp(bytes.data() + known.offset, string.data(), string.size()) == 0)
      return table_[at] - 1;
  }
  known_.push_back(
      {hash, static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(string.size())});
  bytes.insert(bytes.end(), string.begin(), string.end());
  table_[at] = static_cast<uint32_t>(known_.size());
  return table_[at] - 1;
}

void RecordWriter::Strings::grow() {
  table_.assign(std::max<size_t>(64, table_.size() * 2), 0);
  for (size_t id = 0; id < known_.size(); id++) {
    size_t at = known_[id].hash & (table_.size() - 1);
    while (table_[at]) at = (at + 1) & (table_.size() - 1);
    table_[at] = static_cast<uint32_t>(id + 1);
  }
}

void RecordWriter::finish(CompiledCode& code) {
  code.records = std::move(bytes_);
  code.records.shrink_to_fit();
  code.record_offsets = std::move(offsets_);
  code.exit_counts.assign(code.record_offsets.size(), 0);
}

#ifdef PSYCO_MUTANTS
namespace {

constexpr const char* kVirtualNames[] = {"Tuple",     "RangeIter",     "CountIter",   "Range",
                                         "ListIter",  "TupleIter",     "BoundMethod", "Slice",
                                         "BytesIter", "ByteArrayIter", "Instance"};

void swap_two(std::vector<ExitSlot>& slots, const char* what) {
  for (size_t i = slots.size(); i-- > 1;) {
    ExitSlot &a = slots[i], &b = slots[i - 1];
    const bool alike = a.kind == b.kind && a.virt == b.virt && a.value.kind == b.value.kind;
    if (alike && a.kind == ir::SlotKind::Null) continue;
    if (!mutants::chosen("record", what)) return;
    std::swap(a, b);
    return;
  }
}

// Of the first object slot that has it so.
void turn_ownership(std::vector<ExitSlot>& slots, bool from, const char* what) {
  for (ExitSlot& slot : slots) {
    const bool in_machine = slot.value.kind != Location::Imm && slot.value.kind != Location::Object;
    if (slot.kind != ir::SlotKind::Object || slot.owned != from || !in_machine) continue;
    if (mutants::chosen("record", what)) slot.owned = !from;
    return;
  }
}

void spoil(ExitRecord& record) {
  for (size_t i = 0; i < record.frames.size(); i++) {
    ExitFrame& frame = record.frames[i];
    if (frame.function.kind != ir::SlotKind::Null && mutants::chosen("record", "function"))
      frame.function = ExitSlot{};
    if (frame.cont != ir::Continuation::None && mutants::chosen("record", "continuation"))
      frame.cont = ir::Continuation::None;
    if (i + 1 == record.frames.size()) {
      turn_ownership(frame.locals, true, "owned-local");
      turn_ownership(frame.locals, false, "borrowed-local");
      turn_ownership(frame.stack, true, "owned-operand");
      turn_ownership(frame.stack, false, "borrowed-operand");
      break;
    }
    swap_two(frame.locals, "outer-locals");
    swap_two(frame.stack, "outer-stack");
    if (mutants::chosen("record", "outer-bci")) frame.bci++;
  }
  for (ExitVirtual& virt : record.virtuals)
    if (virt.fields.size() > 1 && virt.kind != ir::VirtualKind::Instance &&
        mutants::chosen("virtual", kVirtualNames[static_cast<int>(virt.kind)]))
      std::swap(virt.fields[0], virt.fields[1]);
  if (!record.drops.empty() && mutants::chosen("record", "drops")) record.drops.clear();
}

}  // namespace

ExitRecord decode_spoilt_record(const CompiledCode& code, uint32_t id) {
  ExitRecord record = decode_record(code, id);
  spoil(record);
  return record;
}
#endif

ExitRecord decode_record(const CompiledCode& code, uint32_t id) {
  PSYCO_CHECK(id < code.record_offsets.size());
  Reader r{code.records.data(), code.records.data() + code.record_offsets[id]};
  ExitRecord record;
  record.reason = static_cast<ir::Reason>(r.byte());
  record.value_id = static_cast<uint32_t>(r.number());
  record.shown_bci = static_cast<int32_t>(r.integer());
  record.frames.resize(r.number());
  for (ExitFrame& f : record.frames) {
    f.frame_index = static_cast<uint32_t>(r.number());
    f.bci = static_cast<int32_t>(r.integer());
    f.cont = static_cast<ir::Continuation>(r.byte());
    f.function = r.slot();
    r.slots(f.locals);
    r.slots(f.stack);
  }
  record.virtuals.resize(r.number());
  for (ExitVirtual& v : record.virtuals) {
    v.kind = static_cast<ir::VirtualKind>(r.byte());
    v.object = static_cast<uint32_t>(r.number());
    r.slots(v.fields);
  }
  r.slots(record.drops);
  return record;
}

}  // namespace psyco
