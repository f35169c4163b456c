#include "ir/parser.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace psyco::ir {
namespace {

class Parser {
 public:
  Parser(std::string_view text, Graph& graph, PtrPrintMap& names)
      : text_(text), graph_(graph), names_(names) {}

  bool run(std::string& error) {
    parse_function();
    if (failed_) {
      error = "line " + std::to_string(error_line_) + ": " + message_;
      return false;
    }
    return true;
  }

 private:
  // ---- text
  void fail(const std::string& what) {
    if (failed_) return;
    failed_ = true;
    message_ = what;
    error_line_ = line_;
  }
  // Blanks and comments, and line ends if asked to.
  void skip(bool lines) {
    while (pos_ < text_.size()) {
      char c = text_[pos_];
      if (c == ';' && !in_state_) {
        while (pos_ < text_.size() && text_[pos_] != '\n') pos_++;
      } else if (c == '\n' && lines) {
        line_++;
        pos_++;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        pos_++;
      } else {
        return;
      }
    }
  }
  char peek() {
    skip(false);
    return pos_ < text_.size() ? text_[pos_] : '\0';
  }
  bool at_line_end() { return peek() == '\n' || peek() == '\0'; }
  bool accept(std::string_view what) {
    skip(false);
    if (text_.substr(pos_, what.size()) != what) return false;
    pos_ += what.size();
    return true;
  }
  bool expect(std::string_view what) {
    if (accept(what)) return true;
    fail("expected '" + std::string(what) + "'");
    return false;
  }
  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':' ||
           c == '-' || c == '+';
  }
  std::string word() {
    skip(false);
    size_t start = pos_;
    while (pos_ < text_.size() && is_word(text_[pos_])) pos_++;
    return std::string(text_.substr(start, pos_ - start));
  }
  std::string peek_word() {
    size_t at = pos_;
    std::string result = word();
    pos_ = at;
    return result;
  }
  bool accept_word(const char* what) {
    if (peek_word() != what) return false;
    word();
    return true;
  }
  std::string name() {
    if (!accept("\"")) return word();
    size_t start = pos_;
    while (pos_ < text_.size() && text_[pos_] != '"' && text_[pos_] != '\n') pos_++;
    std::string result(text_.substr(start, pos_ - start));
    expect("\"");
    return result;
  }
  int64_t integer() {
    skip(false);
    size_t start = pos_;
    if (pos_ < text_.size() && (text_[pos_] == '-' || text_[pos_] == '+')) pos_++;
    while (pos_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[pos_]))) pos_++;
    std::string digits(text_.substr(start, pos_ - start));
    if (digits.empty() || !std::isdigit(static_cast<unsigned char>(digits.back()))) {
      fail("expected a number");
      return 0;
    }
    if (digits[0] == '-') return static_cast<int64_t>(std::strtoll(digits.c_str(), nullptr, 10));
    return static_cast<int64_t>(std::strtoull(digits.c_str(), nullptr, 10));
  }
  const char* keep(const std::string& text) {
    char* copy = static_cast<char*>(graph_.arena.allocate(text.size() + 1));
    std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
  }

  // ---- references, possibly ahead of the definition
  template <class T>
  struct Named {
    std::string name;
    T* item;
    bool defined;
    int line;
  };
  template <class T>
  static Named<T>* find(std::vector<Named<T>>& list, const std::string& name) {
    for (Named<T>& entry : list)
      if (entry.name == name) return &entry;
    return nullptr;
  }
  static bool is_value_name(const std::string& name) {
    return name.size() > 1 && name[0] == 'v' && name.find(':') == std::string::npos;
  }
  static bool is_block_name(const std::string& name) {
    return name.size() > 1 && name[0] == 'b' && std::isdigit(static_cast<unsigned char>(name[1]));
  }
  Value* value_ref(const std::string& name) {
    if (!is_value_name(name)) {
      fail("expected a value, found '" + name + "'");
      return nullptr;
    }
    auto found = values_.find(name);
    if (found != values_.end()) return found->second.item;
    Value* value = graph_.arena.make<Value>();
    value->bci = -1;
    values_[name] = {name, value, false, line_};
    return value;
  }
  Block* block_ref(const std::string& name) {
    if (!is_block_name(name)) {
      fail("expected a block, found '" + name + "'");
      return nullptr;
    }
    if (Named<Block>* found = find(blocks_, name)) return found->item;
    Block* block = graph_.arena.make<Block>();
    block->bci = -1;
    blocks_.push_back({name, block, false, line_});
    return block;
  }

  // ---- the function
  void parse_function() {
    skip(true);
    if (!expect("fn")) return;
    graph_.name = keep(name());
    while (!failed_ && !accept("{")) {
      std::string item = peek_word();
      if (item == "call" || item == "osr") {
        word();
        graph_.entry_kind = item == "osr" ? EntryKind::Osr : EntryKind::Call;
      } else if (accept("args=")) {
        graph_.arg_count = static_cast<uint32_t>(integer());
      } else {
        fail("expected call, osr, args= or '{'");
      }
    }
    for (;;) {
      skip(true);
      if (failed_ || accept("}")) break;
      if (peek() == '\0') return fail("the function does not end");
      std::string first = peek_word();
      if (first == "frame") {
        parse_frame();
      } else if (is_block_name(first) && first.back() == ':') {
        parse_block_header();
      } else if (!block_) {
        fail("expected a block");
      } else if (first == "entry") {
        word();
        block_->entry_state = parse_state();
      } else {
        parse_value();
      }
      if (!failed_ && !at_line_end()) fail("unexpected text at the end of the line");
    }
    for (auto& [name, entry] : values_)
      if (!entry.defined) {
        line_ = entry.line;
        fail("value " + name + " is not defined");
      }
    for (Named<Block>& entry : blocks_)
      if (!entry.defined) {
        line_ = entry.line;
        fail("block " + entry.name + " is not defined");
      }
  }

  void parse_frame() {
    word();
    FrameInfo* frame = graph_.arena.make<FrameInfo>();
    std::string id = word();
    frame->index = static_cast<uint32_t>(graph_.frames.size());
    if (id != "f" + std::to_string(frame->index)) return fail("frames are numbered from f0");
    graph_.frames.push_back(graph_.arena, frame);
    frame->name = "";
    if (!at_line_end()) frame->name = keep(name());
    while (!failed_ && !at_line_end()) {
      if (accept("locals=")) {
        frame->nlocals = static_cast<int32_t>(integer());
      } else if (accept("stack=")) {
        frame->nstack = static_cast<int32_t>(integer());
      } else if (accept("code=")) {
        frame->code = names_.address_of(word());
      } else {
        fail("expected locals=, stack= or code=");
      }
    }
  }

  void parse_block_header() {
    std::string id = word();
    id.pop_back();
    block_ = block_ref(id);
    Named<Block>* entry = find(blocks_, id);
    if (entry->defined) return fail("block " + id + " is defined twice");
    entry->defined = true;
    block_->id = graph_.block_count++;
    graph_.blocks.push_back(graph_.arena, block_);
    if (accept("<-")) {
      do {
        block_->preds.push_back(graph_.arena, block_ref(word()));
      } while (!failed_ && accept(","));
    }
    while (!failed_ && !at_line_end()) {
      if (accept("@")) {
        block_->bci = static_cast<int32_t>(integer());
      } else if (accept("depth=")) {
        block_->loop_depth = static_cast<uint32_t>(integer());
      } else if (accept_word("loop")) {
        block_->loop_head = true;
      } else if (accept_word("cold")) {
        block_->cold = true;
      } else {
        fail("expected loop, cold, depth= or @bci");
      }
    }
  }

  template <class Row>
  static int lookup(const std::string& text, int count, Row row) {
    for (int i = 0; i < count; i++)
      if (text == row(i)) return i;
    return -1;
  }

  void parse_flags(Value& value) {
    for (;;) {
      if (accept_word("owned")) {
        value.flags |= kOwned;
      } else if (accept_word("nullable")) {
        value.flags |= kNullable;
      } else if (accept_word("relied")) {
        value.flags |= kRelied;
      } else if (accept_word("hoisted")) {
        value.flags |= kHoisted;
      } else if (accept_word("immortal")) {
        value.flags |= kImmortal;
      } else {
        return;
      }
    }
  }

  void parse_value() {
    Value* value = nullptr;
    std::string first = peek_word();
    if (is_value_name(first) && first.size() > 1) {
      word();
      return fail("expected ':' after " + first);
    }
    if (first.size() > 2 && first[0] == 'v' && first.back() == ':') {
      word();
      first.pop_back();
      value = value_ref(first);
      Named<Value>& entry = values_[first];
      if (entry.defined) return fail("value " + first + " is defined twice");
      entry.defined = true;
      std::string rep = word();
      int index = lookup(rep, 6, [](int i) { return rep_name(static_cast<Rep>(i)); });
      if (index <= 0) return fail("unknown representation '" + rep + "'");
      value->rep = static_cast<Rep>(index);
      parse_flags(*value);
      expect("=");
    } else {
      value = graph_.arena.make<Value>();
      value->bci = -1;
      parse_flags(*value);
    }
    value->id = graph_.value_count++;
    parse_op(*value);
    if (failed_) return;
    while (!failed_ && !at_line_end()) parse_operand(*value);
    if (!failed_) graph_.append(block_, value);
  }

  void parse_op(Value& value) {
    std::string op = word(), suffix;
    size_t dot = op.find('.');
    if (dot != std::string::npos) {
      suffix = op.substr(dot + 1);
      op.resize(dot);
    }
    int index = lookup(op, kOpCount, [](int i) { return op_info(static_cast<Op>(i)).name; });
    if (index < 0) return fail("unknown op '" + op + "'");
    value.op = static_cast<Op>(index);
    if (suffix.empty()) return;
    if (value.op == Op::CallHelper) {
      int helper = lookup(suffix, kHelperCount,
                          [](int i) { return helper_info(static_cast<Helper>(i)).name; });
      if (helper < 0) return fail("unknown helper '" + suffix + "'");
      value.helper = static_cast<Helper>(helper);
      return;
    }
    int cond = lookup(suffix, 6, [](int i) { return cond_name(static_cast<Cond>(i)); });
    if (cond < 0) return fail("unknown condition '" + suffix + "'");
    value.cond = static_cast<Cond>(cond);
  }

  void parse_operand(Value& value) {
    if (accept(",")) return;
    if (accept("#")) {
      value.imm = integer();
    } else if (accept("<<")) {
      value.shift = static_cast<uint8_t>(integer());
    } else if (accept("@")) {
      value.bci = static_cast<int32_t>(integer());
    } else if (accept("!")) {
      value.state = parse_state();
    } else if (accept("heap=")) {
      std::string text = word();
      int heap = lookup(text, kHeapCount, [](int i) { return heap_name(static_cast<Heap>(i)); });
      if (heap < 0) return fail("unknown heap '" + text + "'");
      value.heap = static_cast<Heap>(heap);
    } else if (accept("why=")) {
      std::string text = word();
      int reason =
          lookup(text, kReasonCount, [](int i) { return reason_name(static_cast<Reason>(i)); });
      if (reason < 0) return fail("unknown reason '" + text + "'");
      value.reason = static_cast<Reason>(reason);
    } else if (value.op == Op::ConstF64) {
      std::string text = word();
      if (text.substr(0, 5) == "bits:") {
        value.imm = static_cast<int64_t>(std::strtoull(text.c_str() + 5, nullptr, 16));
      } else {
        char* end = nullptr;
        double number = std::strtod(text.c_str(), &end);
        if (text.empty() || *end) return fail("expected a number");
        std::memcpy(&value.imm, &number, sizeof number);
      }
    } else if (std::isdigit(static_cast<unsigned char>(peek())) || peek() == '-') {
      value.imm = integer();
    } else {
      std::string text = word();
      if (text.find(':') != std::string::npos) {
        value.ptr = names_.address_of(text);
      } else if (is_block_name(text)) {
        Block* succ = block_ref(text);
        if (succ) block_->succs.push_back(graph_.arena, succ);
      } else if (Value* input = value_ref(text)) {
        value.inputs.push_back(graph_.arena, input);
      }
    }
  }

  // ---- frame states
  FrameState* parse_state() {
    in_state_ = true;
    FrameState* state = parse_state_inner();
    in_state_ = false;
    return state;
  }
  FrameState* parse_state_inner() {
    std::string label;
    if (peek() == 's') {
      label = word();
      if (!accept("=")) {
        for (Named<FrameState>& entry : states_)
          if (entry.name == label) return entry.item;
        fail("unknown state '" + label + "'");
        return nullptr;
      }
    }
    FrameState* state = graph_.new_state();
    if (!label.empty()) states_.push_back({label, state, true, line_});
    if (!expect("@")) return nullptr;
    state->bci = static_cast<int32_t>(integer());
    size_t frame = 0;
    if (accept(":f")) frame = static_cast<size_t>(integer());
    if (frame >= graph_.frames.size()) {
      fail("state of an unknown frame");
      return nullptr;
    }
    state->frame = graph_.frames[frame];
    if (accept_word("half")) state->cont = Continuation::Half;
    if (accept_word("push")) state->cont = Continuation::Push;
    if (accept_word("init")) state->cont = Continuation::Init;
    if (accept_word("drop")) state->cont = Continuation::Drop;
    if (accept_word("operator")) state->cont = Continuation::Operator;
    if (accept_word("fn")) state->function = value_ref(word());
    expect("{");
    parse_slots(state->locals, '|');
    expect("|");
    parse_slots(state->stack, '}');
    if (accept(";")) {
      do {
        state->drops.push_back(graph_.arena, value_ref(word()));
      } while (!failed_ && accept(","));
    }
    expect("}");
    if (accept_word("in")) state->caller = parse_state_inner();
    return failed_ ? nullptr : state;
  }
  template <class List>
  void parse_slots(List& slots, char end) {
    if (peek() == end || peek() == ';') return;
    do {
      slots.push_back(graph_.arena, parse_slot());
    } while (!failed_ && accept(","));
  }
  Slot parse_slot() {
    Slot slot;
    std::string label;
    if (accept("%")) {
      label = word();
      if (!accept("=")) {
        slot.kind = SlotKind::Virtual;
        for (Named<Virtual>& entry : virtuals_)
          if (entry.name == label) slot.virt = entry.item;
        if (!slot.virt) fail("unknown virtual %" + label);
        return slot;
      }
    }
    std::string first = word();
    if (first == "-") return slot;
    if (is_value_name(first)) {
      slot.kind = SlotKind::Object;
      slot.value = value_ref(first);
      return slot;
    }
    if (first == "int" || first == "float") {
      slot.kind = first == "int" ? SlotKind::Int : SlotKind::Float;
      slot.value = value_ref(word());
      if (accept_word("box")) slot.box = value_ref(word());
      slot.object = parse_object();
      return slot;
    }
    if (first == "bool") {
      slot.kind = SlotKind::Bool;
      slot.value = value_ref(word());
      return slot;
    }
    int kind = lookup(first, kVirtualKinds,
                      [](int i) { return virtual_name(static_cast<VirtualKind>(i)); });
    if (kind < 0) {
      fail("expected a slot, found '" + first + "'");
      return slot;
    }
    slot.kind = SlotKind::Virtual;
    slot.virt = graph_.new_virtual(static_cast<VirtualKind>(kind));
    if (!label.empty()) virtuals_.push_back({label, slot.virt, true, line_});
    expect("(");
    parse_slots(slot.virt->fields, ')');
    expect(")");
    slot.virt->object = parse_object();
    return slot;
  }
  uint32_t parse_object() {
    if (!accept_word("is")) return 0;
    const auto object = static_cast<uint32_t>(integer());
    graph_.object_count = std::max(graph_.object_count, object);
    return object;
  }

  std::string_view text_;
  Graph& graph_;
  PtrPrintMap& names_;
  size_t pos_ = 0;
  int line_ = 1, error_line_ = 0;
  bool failed_ = false, in_state_ = false;
  std::string message_;
  Block* block_ = nullptr;
  std::map<std::string, Named<Value>> values_;
  std::vector<Named<Block>> blocks_;
  std::vector<Named<FrameState>> states_;
  std::vector<Named<Virtual>> virtuals_;
};

}  // namespace

bool parse(std::string_view text, Graph& graph, PtrPrintMap& names, std::string& error) {
  return Parser(text, graph, names).run(error);
}

}  // namespace psyco::ir
