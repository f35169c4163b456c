// What a code object does with each of its locals: whether the identity of their objects can
// matter. Follows values over the operand stack, block by block; what is still there at the end of
// a block counts as an object. Arithmetic counts as calculating, though an operand of somebody's
// class could keep the other one. And where which of them may still be read.
#include <algorithm>

#include "frontend/builder.h"

namespace psyco {

std::vector<Use> local_uses(const DecodedCode& decoded, int locals) {
  std::vector<Use> uses(static_cast<size_t>(locals), Use::Value);
  std::vector<std::pair<int, int>> copies;  // from, to
  std::vector<int> stack;                   // the local it came from, or -1
  auto pop = [&] {
    if (stack.empty()) return -1;
    int local = stack.back();
    stack.pop_back();
    return local;
  };
  auto use = [&](int local, Use how) {
    if (local >= 0) uses[local] = std::max(uses[local], how);
  };
  for (size_t i = 0; i < decoded.list.size(); i++) {
    const Bytecode& bc = decoded.list[i];
    if (decoded.leader[i]) {
      for (int local : stack) use(local, Use::Object);
      stack.clear();
    }
    int pushes = neutral_pushes(bc);
    switch (bc.op) {
      case NeutralOp::LoadLocal:
      case NeutralOp::LoadLocalCheck:
      case NeutralOp::LoadLocalClear:
        stack.push_back(bc.arg);
        continue;
      case NeutralOp::StoreLocal:
        if (int from = pop(); from >= 0) copies.push_back({from, bc.arg});
        continue;
      case NeutralOp::MakeCell:
        use(bc.arg, Use::Object);
        continue;
      case NeutralOp::Copy:
        stack.push_back(bc.arg <= static_cast<int>(stack.size()) ? stack[stack.size() - bc.arg]
                                                                 : -1);
        continue;
      case NeutralOp::Swap:
        while (static_cast<int>(stack.size()) < bc.arg) stack.insert(stack.begin(), -1);
        std::swap(stack.back(), stack[stack.size() - bc.arg]);
        continue;
      case NeutralOp::Compare:
        pop(), pop();
        break;
      case NeutralOp::Unary:
        if (int local = pop(); bc.arg == 2) use(local, Use::Object);  // +x is x
        break;
      case NeutralOp::ToBool:
      case NeutralOp::Not:
      case NeutralOp::Branch:
      case NeutralOp::Pop:
        pop();
        break;
      case NeutralOp::Binary:
        if (int right = pop(); bc.arg == kSubscript) use(right, Use::Key);
        if (int left = pop(); bc.arg == kSubscript) use(left, Use::Object);
        break;
      default:
        for (int k = neutral_pops(bc); k > 0; k--) use(pop(), Use::Object);
        break;
    }
    stack.insert(stack.end(), static_cast<size_t>(pushes), -1);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto [from, to] : copies) {
      changed |= uses[from] < uses[to];
      use(from, uses[to]);
    }
  }
  return uses;
}

// Which locals may still be read, by a backward pass over the list, exception edges included. Rows
// of bits.
void Builder::find_live(Context& context) {
  const std::vector<Bytecode>& list = context.decoded->list;
  const size_t n = list.size();
  const size_t words = (static_cast<size_t>(context.info->nlocals) + 63) / 64 + 1;
  context.live_words = words;
  context.live.assign(n * words, 0);
  std::vector<uint64_t> in(words);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = n; i-- > 0;) {
      const Bytecode& bc = list[i];
      std::fill(in.begin(), in.end(), 0);
      auto join = [&](int j) {
        if (j < 0 || j >= static_cast<int>(n)) return;
        const uint64_t* there = &context.live[static_cast<size_t>(j) * words];
        for (size_t w = 0; w < words; w++) in[w] |= there[w];
      };
      if (!(neutral_flags(bc.op) & kEndsBlock)) join(static_cast<int>(i) + 1);
      if (bc.target >= 0) join(bc.target);
      const uint64_t bit = uint64_t{1} << (static_cast<size_t>(bc.arg) % 64);
      switch (bc.op) {
        case NeutralOp::StoreLocal:
          in[static_cast<size_t>(bc.arg) / 64] &= ~bit;
          break;
        case NeutralOp::LoadLocal:
        case NeutralOp::LoadLocalCheck:
        case NeutralOp::LoadLocalClear:
        case NeutralOp::DeleteLocal:
        case NeutralOp::MakeCell:
        case NeutralOp::LoadCell:
        case NeutralOp::StoreCell:
        case NeutralOp::DeleteCell:
        case NeutralOp::LoadFromOrCell:
          in[static_cast<size_t>(bc.arg) / 64] |= bit;
          break;
        default:
          break;
      }
      if (const HandlerEntry* handler = context.decoded->handler_at(bc.bci)) join(handler->target);
      uint64_t* here = &context.live[i * words];
      if (std::equal(in.begin(), in.end(), here)) continue;
      std::copy(in.begin(), in.end(), here);
      changed = true;
    }
  }
}

bool Builder::is_live(Context& context, int index, int local) {
  if (context.live.empty()) find_live(context);
  const size_t l = static_cast<size_t>(local);
  return context.live[static_cast<size_t>(index) * context.live_words + l / 64] >> (l % 64) & 1;
}

// Which slots of all frames may still be read from `bci` on, callers from their calls on. In the
// order of the slots; operands always are.
std::vector<uint8_t> Builder::live_slots(const State& state, int bci) {
  std::vector<uint8_t> live;
  for (size_t f = 0; f < state.frames.size(); f++) {
    const FrameSlots& frame = state.frames[f];
    const bool top = f + 1 == state.frames.size();
    const int index = frame.context->decoded->index_at(top ? bci : frame.call_bci);
    for (size_t i = 0; i < frame.locals.size(); i++)
      live.push_back(index < 0 || is_live(*frame.context, index, static_cast<int>(i)));
    live.insert(live.end(), frame.stack.size(), 1);
  }
  return live;
}

// The use of each slot by what comes after `bci`.
std::vector<Use> Builder::uses_from(const State& state, int bci) {
  std::vector<Use> uses;
  for (const FrameSlots& frame : state.frames) {
    uses.insert(uses.end(), frame.context->uses.begin(), frame.context->uses.end());
    uses.insert(uses.end(), frame.stack.size(), Use::Object);
  }
  std::vector<uint8_t> live = live_slots(state, bci);
  for (size_t s = 0; s < uses.size(); s++)
    if (!live[s]) uses[s] = Use::Value;
  return uses;
}

}  // namespace psyco
