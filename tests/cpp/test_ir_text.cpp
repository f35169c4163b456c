// Printer and parser: parse(print(g)) prints the same, for written and for random graphs.
#include <doctest/doctest.h>

#include <random>

#include "ir/parser.h"
#include "ir/printer.h"

using namespace psyco;
using namespace psyco::ir;

namespace {

// A graph that need not make sense, but uses everything the text can say.
class Scrambler {
 public:
  Scrambler(Graph& graph, uint32_t seed) : g_(graph), random_(seed) {}

  void run() {
    g_.name = pick(2) ? "plain" : "with space";
    g_.entry_kind = pick(2) ? EntryKind::Osr : EntryKind::Call;
    g_.arg_count = pick(5);
    for (uint32_t i = 0, n = 1 + pick(3); i < n; i++) {
      FrameInfo* frame = g_.arena.make<FrameInfo>();
      frame->index = i;
      frame->name = "frame";
      frame->nlocals = static_cast<int32_t>(pick(4));
      frame->nstack = static_cast<int32_t>(pick(4));
      frame->code = reinterpret_cast<const void*>(uintptr_t{0x1000} + i);
      g_.frames.push_back(g_.arena, frame);
    }
    for (uint32_t i = 0, n = 1 + pick(6); i < n; i++) g_.new_block();
    for (Block* block : g_.blocks) {
      block->loop_head = pick(4) == 0;
      block->cold = pick(4) == 0;
      block->loop_depth = pick(3);
      block->bci = static_cast<int32_t>(pick(10)) - 1;
      for (uint32_t i = 0, n = pick(12); i < n; i++) make_value(block);
      if (pick(5) == 0) block->entry_state = make_state(0);
      Value* end = g_.new_value(pick(2) ? Op::Jump : Op::Return, Rep::None);
      if (end->op == Op::Jump) {
        g_.connect(block, g_.blocks[pick(g_.blocks.size())]);
      } else {
        use(end);
      }
      g_.append(block, end);
    }
  }

 private:
  uint32_t pick(size_t n) { return static_cast<uint32_t>(random_() % n); }
  Value* any() { return named_.empty() ? nullptr : named_[pick(named_.size())]; }
  void use(Value* value) {
    if (Value* input = any()) value->inputs.push_back(g_.arena, input);
  }
  void make_value(Block* block) {
    constexpr Op kOps[] = {Op::ConstI64,   Op::ConstF64,   Op::ConstObject, Op::AddInt,
                           Op::CmpInt,     Op::Phi,        Op::CallHelper,  Op::LoadObjectAt,
                           Op::GuardType,  Op::PtrAdd,     Op::Release,     Op::BoxFloat,
                           Op::StoreF64At, Op::CallNative, Op::Poll};
    Op op = kOps[pick(sizeof kOps / sizeof *kOps)];
    Rep rep = op_info(op).same ? static_cast<Rep>(pick(6)) : op_info(op).result;
    if (op == Op::Phi && rep == Rep::None) rep = Rep::Object;
    Value* value = g_.new_value(op, rep);
    bool bare = op == Op::ConstF64;  // its text is read as a number
    for (uint32_t i = bare ? 0 : pick(4); i > 0; i--) use(value);
    value->flags = static_cast<uint8_t>(pick(8));
    value->heap = static_cast<Heap>(pick(kHeapCount));
    value->cond = op == Op::CmpInt ? static_cast<Cond>(pick(6)) : Cond::Lt;
    value->reason = static_cast<Reason>(pick(kReasonCount));
    if (op == Op::CallHelper) value->helper = static_cast<Helper>(pick(kHelperCount));
    value->shift = static_cast<uint8_t>(pick(4));
    value->bci = static_cast<int32_t>(pick(20)) - 1;
    if (pick(2)) value->imm = static_cast<int64_t>(random_());
    if (pick(2)) value->imm = -value->imm;
    if (!bare && pick(3) == 0)
      value->ptr = reinterpret_cast<const void*>(uintptr_t{0x2000} + pick(4) * 8);
    g_.append(block, value);
    if (rep != Rep::None) named_.push_back(value);
    if (pick(3) == 0) value->state = make_state(0);
  }
  FrameState* make_state(int depth) {
    if (!states_.empty() && pick(3) == 0) return states_[pick(states_.size())];
    FrameState* state = g_.new_state();
    state->frame = g_.frames[pick(g_.frames.size())];
    state->bci = static_cast<int32_t>(pick(30));
    state->cont = static_cast<Continuation>(pick(6));
    if (pick(3) == 0) state->function = any();
    for (uint32_t i = pick(4); i > 0; i--) state->locals.push_back(g_.arena, make_slot(0));
    for (uint32_t i = pick(3); i > 0; i--) state->stack.push_back(g_.arena, make_slot(0));
    for (uint32_t i = pick(3); i > 0; i--)
      if (Value* drop = any()) state->drops.push_back(g_.arena, drop);
    if (depth < 3 && pick(3) == 0) state->caller = make_state(depth + 1);
    states_.push_back(state);
    return state;
  }
  Slot make_slot(int depth) {
    Slot slot;
    slot.kind = static_cast<SlotKind>(pick(6));
    if (slot.kind == SlotKind::Null) return slot;
    if (slot.kind == SlotKind::Virtual) {
      if (!virtuals_.empty() && pick(3) == 0) {
        slot.virt = virtuals_[pick(virtuals_.size())];
        return slot;
      }
      slot.virt = g_.new_virtual(static_cast<VirtualKind>(pick(8)));
      if (depth < 3)
        for (uint32_t i = pick(4); i > 0; i--)
          slot.virt->fields.push_back(g_.arena, make_slot(depth + 1));
      virtuals_.push_back(slot.virt);
      return slot;
    }
    slot.value = any();
    if (!slot.value) return Slot{};
    if ((slot.kind == SlotKind::Int || slot.kind == SlotKind::Float) && pick(2)) slot.box = any();
    return slot;
  }

  Graph& g_;
  std::mt19937 random_;
  std::vector<Value*> named_;
  std::vector<FrameState*> states_;
  std::vector<Virtual*> virtuals_;
};

}  // namespace

TEST_CASE("print, parse, print: random graphs") {
  for (uint32_t seed = 0; seed < 500; seed++) {
    Graph first;
    Scrambler(first, seed).run();
    PtrPrintMap names;
    std::string text = print(first, names);
    Graph second;
    PtrPrintMap fresh;
    std::string error;
    INFO("seed " << seed << "\n" << text);
    REQUIRE_MESSAGE(parse(text, second, fresh, error), error);
    REQUIRE(print(second, fresh) == text);
  }
}

TEST_CASE("the parser says what is wrong and where") {
  const char* cases[][2] = {
      {"fn f {\nb0:\n  Retrun v0\n}\n", "line 3: unknown op 'Retrun'"},
      {"fn f {\nb0:\n  Return v0\n}\n", "line 3: value v0 is not defined"},
      {"fn f {\nb0:\n  Jump b1\n}\n", "line 3: block b1 is not defined"},
      {"fn f {\nb0:\n  v1: I46 = ConstI64 1\n}\n", "line 3: unknown representation 'I46'"},
      {"fn f {\nb0:\n  GuardType v0 ! @4{", "line 3: state of an unknown frame"},
      {"fn f {\nb0:\n", "line 3: the function does not end"},
  };
  for (auto& [text, message] : cases) {
    Graph graph;
    PtrPrintMap names;
    std::string error;
    CHECK_FALSE(parse(text, graph, names, error));
    CHECK(error == message);
  }
}
