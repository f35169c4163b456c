// What a code object does with each of its locals: whether the identity of their objects can
// matter. Follows values over the operand stack, block by block; what is still there at the end of
// a block counts as an object. Arithmetic counts as calculating, though an operand of somebody's
// class could keep the other one.
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

}  // namespace psyco
