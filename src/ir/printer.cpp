#include "ir/printer.h"

#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

namespace psyco::ir {

const char* rep_name(Rep rep) {
  constexpr const char* kNames[] = {"None", "Object", "I64", "F64", "Bool", "Ptr"};
  return kNames[static_cast<int>(rep)];
}
const char* heap_name(Heap heap) {
  constexpr const char* kNames[] = {
      "None",    "ListShape", "ListItems",  "TupleItems", "Attributes", "AttrShape", "Dict",
      "Numbers", "Bytes",     "BytesShape", "Cells",      "Constant",   "Other"};
  static_assert(sizeof kNames / sizeof *kNames == kHeapCount);
  return kNames[static_cast<int>(heap)];
}
const char* cond_name(Cond cond) {
  constexpr const char* kNames[] = {"Lt", "Le", "Eq", "Ne", "Gt", "Ge"};
  return kNames[static_cast<int>(cond)];
}
const char* virtual_name(VirtualKind kind) {
  constexpr const char* kNames[] = {"Tuple",     "RangeIter",     "CountIter",   "Range",
                                    "ListIter",  "TupleIter",     "BoundMethod", "Slice",
                                    "BytesIter", "ByteArrayIter", "Instance"};
  return kNames[static_cast<int>(kind)];
}

void PtrPrintMap::set(const void* ptr, const std::string& name) {
  std::string clean;
  for (char c : name)
    clean +=
        std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':' ? c : '_';
  if (clean.find(':') == std::string::npos) clean = "ptr:" + clean;
  std::string unique = clean;
  for (int i = 2; addresses_.count(unique) && addresses_[unique] != ptr; i++)
    unique = clean + "." + std::to_string(i);
  names_[ptr] = unique;
  addresses_[unique] = ptr;
}

const std::string& PtrPrintMap::name_of(const void* ptr, const char* kind) {
  auto found = names_.find(ptr);
  if (found != names_.end()) return found->second;
  std::string name;
  int i = 0;
  do {
    name = std::string(kind) + ":" + std::to_string(i++);
  } while (addresses_.count(name));
  addresses_[name] = ptr;
  return names_[ptr] = name;
}

const void* PtrPrintMap::find(const std::string& name) const {
  auto found = addresses_.find(name);
  return found == addresses_.end() ? nullptr : found->second;
}

const void* PtrPrintMap::address_of(const std::string& name) {
  if (const void* known = find(name)) return known;
  const void* ptr;
  do {
    ptr = reinterpret_cast<const void*>(next_fake_ += 16);
  } while (names_.count(ptr));
  names_[ptr] = name;
  addresses_[name] = ptr;
  return ptr;
}

namespace {

bool is_plain_name(const char* name) {
  if (!*name) return false;
  for (const char* c = name; *c; c++)
    if (!std::isalnum(static_cast<unsigned char>(*c)) && *c != '_' && *c != '.') return false;
  return true;
}

std::string float_text(int64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  char text[40];
  for (int digits = 6; digits <= 17; digits++) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    double back = std::strtod(text, nullptr);
    int64_t back_bits;
    std::memcpy(&back_bits, &back, sizeof back);
    if (back_bits == bits && value == value) return text;
  }
  std::snprintf(text, sizeof text, "bits:0x%016" PRIx64, static_cast<uint64_t>(bits));
  return text;
}

const char* pointer_kind(Op op) {
  switch (op) {
    case Op::GuardType:
    case Op::HasType:
      return "type";
    case Op::ConstObject:
    case Op::GuardIs:
      return "obj";
    default:
      return "ptr";
  }
}

class Printer {
 public:
  Printer(const Graph& graph, PtrPrintMap& names) : graph_(graph), names_(names) {}

  // With the graph's own ids, one value only.
  std::string one(const Value& value) {
    raw_ = true;
    print_value(value);
    return out_;
  }

  std::string run() {
    value_numbers_.assign(graph_.value_count, kNone);
    block_numbers_.assign(graph_.block_count, kNone);
    state_numbers_.assign(graph_.state_count, kNone);
    state_uses_.assign(graph_.state_count, 0);
    virtual_numbers_.assign(graph_.virtual_count, kNone);
    virtual_uses_.assign(graph_.virtual_count, 0);
    number();
    print_header();
    for (const Block* block : graph_.blocks) print_block(*block);
    out_ += "}\n";
    return out_;
  }

 private:
  static constexpr uint32_t kNone = 0xffffffffu;

  void number() {
    uint32_t values = 0, blocks = 0;
    for (const Block* block : graph_.blocks) {
      block_numbers_[block->id] = blocks++;
      count(block->entry_state);
      find_shared(block->entry_state);
      for (const ArenaVec<Value*>* list : {&block->phis, &block->values})
        for (const Value* value : *list) {
          if (value->rep != Rep::None) value_numbers_[value->id] = values++;
          count(value->state);
          find_shared(value->state);
        }
    }
  }
  void count(const FrameState* state) {
    for (; state; state = state->caller) {
      if (state_uses_[state->id]++) return;
      for (const SlotList* slots : {&state->locals, &state->stack})
        for (const Slot& slot : *slots) count(slot);
    }
  }
  void count(const Slot& slot) {
    if (!slot.virt || virtual_uses_[slot.virt->id]++) return;
    for (const Slot& field : slot.virt->fields) count(field);
  }

  // Numbers of objects are shown where one state has several slots with them.
  void find_shared(const FrameState* state) {
    std::set<uint32_t> seen;
    std::set<const Virtual*> virtuals;
    for (; state; state = state->caller)
      for (const SlotList* slots : {&state->locals, &state->stack})
        for (const Slot& slot : *slots) find_shared(slot, seen, virtuals);
  }
  void find_shared(const Slot& slot, std::set<uint32_t>& seen, std::set<const Virtual*>& virtuals) {
    if (slot.virt && !virtuals.insert(slot.virt).second) return;
    const uint32_t object = slot.virt ? slot.virt->object : slot.object;
    if (object && !seen.insert(object).second) shared_.try_emplace(object, 0);
    if (!slot.virt) return;
    for (const Slot& field : slot.virt->fields) find_shared(field, seen, virtuals);
  }

  void print_header() {
    out_ += "fn ";
    add_name(graph_.name ? graph_.name : "");
    out_ += graph_.entry_kind == EntryKind::Osr ? " osr" : " call";
    out_ += " args=" + std::to_string(graph_.arg_count) + " {\n";
    for (const FrameInfo* frame : graph_.frames) {
      out_ += "frame f" + std::to_string(frame->index) + " ";
      add_name(frame->name ? frame->name : "");
      if (frame->code) out_ += " code=" + names_.name_of(frame->code, "obj");
      out_ += " locals=" + std::to_string(frame->nlocals);
      out_ += " stack=" + std::to_string(frame->nstack) + "\n";
    }
  }
  void add_name(const char* name) {
    if (is_plain_name(name)) {
      out_ += name;
      return;
    }
    out_ += '"';
    for (const char* c = name; *c; c++) out_ += *c == '"' || *c == '\n' ? '\'' : *c;
    out_ += '"';
  }

  void print_block(const Block& block) {
    add_block(&block);
    out_ += ":";
    if (!block.preds.empty()) {
      out_ += " <-";
      const char* separator = " ";
      for (const Block* pred : block.preds) {
        out_ += separator;
        add_block(pred);
        separator = ", ";
      }
    }
    if (block.loop_head) out_ += " loop";
    if (block.cold) out_ += " cold";
    if (block.loop_depth) out_ += " depth=" + std::to_string(block.loop_depth);
    if (block.bci != -1) out_ += " @" + std::to_string(block.bci);
    out_ += "\n";
    if (block.entry_state) {
      out_ += "  entry ";
      add_state(block.entry_state);
      out_ += "\n";
    }
    for (const ArenaVec<Value*>* list : {&block.phis, &block.values})
      for (const Value* value : *list) {
        out_ += "  ";
        print_value(*value);
        out_ += "\n";
      }
  }
  void add_block(const Block* block) {
    bool known = block && (raw_ || block_numbers_[block->id] != kNone);
    out_ += known ? "b" + std::to_string(raw_ ? block->id : block_numbers_[block->id]) : "b?";
  }
  void add_ref(const Value* value) {
    bool known = value && (raw_ || value_numbers_[value->id] != kNone);
    out_ += known ? "v" + std::to_string(raw_ ? value->id : value_numbers_[value->id]) : "v?";
  }
  void add_flags(const Value& value) {
    if (value.owned()) out_ += "owned ";
    if (value.nullable()) out_ += "nullable ";
    if (value.flags & kHoisted) out_ += "hoisted ";
    if (value.flags & kRelied) out_ += "relied ";
    if (value.flags & kImmortal) out_ += "immortal ";
  }

  void print_value(const Value& value) {
    if (value.rep != Rep::None) {
      add_ref(&value);
      out_ += std::string(": ") + rep_name(value.rep) + " ";
      add_flags(value);
      out_ += "= ";
    } else {
      add_flags(value);
    }
    out_ += op_info(value.op).name;
    if (value.op == Op::CmpInt || value.op == Op::CmpFloat || value.cond != Cond::Lt)
      out_ += std::string(".") + cond_name(value.cond);
    if (value.op == Op::CallHelper) out_ += std::string(".") + helper_info(value.helper).name;
    const char* separator = " ";
    for (const Value* input : value.inputs) {
      out_ += separator;
      add_ref(input);
      separator = ", ";
    }
    if (is_terminator(value) && value.block) {
      for (const Block* succ : value.block->succs) {
        out_ += separator;
        add_block(succ);
        separator = ", ";
      }
    }
    print_attributes(value);
  }
  void print_attributes(const Value& value) {
    switch (value.op) {
      case Op::ConstI64:
      case Op::ConstBool:
      case Op::Arg:
      case Op::ArgNumber:
        out_ += " " + std::to_string(value.imm);
        break;
      case Op::ConstF64:
        out_ += " " + float_text(value.imm);
        break;
      default:
        if (value.imm) out_ += " #" + std::to_string(value.imm);
    }
    if (value.shift) out_ += " <<" + std::to_string(value.shift);
    if (value.ptr) out_ += " " + names_.name_of(value.ptr, pointer_kind(value.op));
    if (value.heap != Heap::None) out_ += std::string(" heap=") + heap_name(value.heap);
    if (value.reason != Reason::None) out_ += std::string(" why=") + reason_name(value.reason);
    if (value.bci != -1) out_ += " @" + std::to_string(value.bci);
    if (value.state && !raw_) {
      out_ += " ! ";
      add_state(value.state);
    }
  }

  void add_state(const FrameState* state) {
    uint32_t& number = state_numbers_[state->id];
    if (number != kNone) {
      out_ += "s" + std::to_string(number);
      return;
    }
    if (state_uses_[state->id] > 1) {
      number = next_state_++;
      out_ += "s" + std::to_string(number) + "=";
    }
    out_ += "@" + std::to_string(state->bci);
    if (state->frame && state->frame->index) out_ += ":f" + std::to_string(state->frame->index);
    if (state->cont == Continuation::Half) out_ += " half";
    if (state->cont == Continuation::Push) out_ += " push";
    if (state->cont == Continuation::Init) out_ += " init";
    if (state->cont == Continuation::Drop) out_ += " drop";
    if (state->cont == Continuation::Operator) out_ += " operator";
    if (state->function) {
      out_ += " fn ";
      add_ref(state->function);
      out_ += " ";
    }
    out_ += "{";
    add_slots(state->locals);
    out_ += " | ";
    add_slots(state->stack);
    if (!state->drops.empty()) {
      const char* separator = "; ";
      for (const Value* drop : state->drops) {
        out_ += separator;
        add_ref(drop);
        separator = ", ";
      }
    }
    out_ += "}";
    if (state->caller) {
      out_ += " in ";
      add_state(state->caller);
    }
  }
  void add_object(uint32_t object) {
    const auto shared = shared_.find(object);
    if (shared == shared_.end()) return;
    if (!shared->second) shared->second = ++next_object_;
    out_ += " is " + std::to_string(shared->second);
  }
  template <class List>
  void add_slots(const List& slots) {
    const char* separator = "";
    for (const Slot& slot : slots) {
      out_ += separator;
      add_slot(slot);
      separator = ", ";
    }
  }
  void add_slot(const Slot& slot) {
    switch (slot.kind) {
      case SlotKind::Null:
        out_ += "-";
        return;
      case SlotKind::Object:
        add_ref(slot.value);
        return;
      case SlotKind::Int:
      case SlotKind::Float:
        out_ += slot.kind == SlotKind::Int ? "int " : "float ";
        add_ref(slot.value);
        if (slot.box) {
          out_ += " box ";
          add_ref(slot.box);
        }
        add_object(slot.object);
        return;
      case SlotKind::Bool:
        out_ += "bool ";
        add_ref(slot.value);
        return;
      case SlotKind::Virtual:
        break;
    }
    uint32_t& number = virtual_numbers_[slot.virt->id];
    if (number != kNone) {
      out_ += "%" + std::to_string(number);
      return;
    }
    if (virtual_uses_[slot.virt->id] > 1) {
      number = next_virtual_++;
      out_ += "%" + std::to_string(number) + "=";
    }
    out_ += virtual_name(slot.virt->kind);
    out_ += "(";
    add_slots(slot.virt->fields);
    out_ += ")";
    add_object(slot.virt->object);
  }

  const Graph& graph_;
  PtrPrintMap& names_;
  std::string out_;
  bool raw_ = false;
  uint32_t next_state_ = 0, next_virtual_ = 0, next_object_ = 0;
  std::map<uint32_t, uint32_t> shared_;  // objects to what they are printed as, 0 if not yet
  std::vector<uint32_t> value_numbers_, block_numbers_, state_numbers_, state_uses_,
      virtual_numbers_, virtual_uses_;
};

}  // namespace

std::string print(const Graph& graph, PtrPrintMap& names) { return Printer(graph, names).run(); }

std::string print(const Graph& graph) {
  PtrPrintMap names;
  return print(graph, names);
}

std::string describe(const Value& value) {
  static const Graph kNone;
  PtrPrintMap names;
  return Printer(kNone, names).one(value);
}

}  // namespace psyco::ir
