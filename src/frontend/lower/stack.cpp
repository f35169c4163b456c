// Locals, constants and the operand stack; jumps and returns.
#include "frontend/builder.h"

namespace psyco {

using ir::Op;
using ir::Reason;
using ir::SlotKind;
using ir::Value;

void lower_Nop(Builder&, const Bytecode&) {}

// The poll of a function's entry is in Builder::build; inlined bodies are polled by the loops
// around them.
void lower_Resume(Builder& f, const Bytecode& bc) {
  if (bc.arg != 0) f.deopt(Reason::Suspend);
}

void lower_LoadLocal(Builder& f, const Bytecode& bc) {
  AVId id = f.state().top().locals[bc.arg];
  if (f.av(id).kind == SlotKind::Null) return f.deopt(Reason::Unbound);
  const AV& a = f.av(id);
  if (a.kind == SlotKind::Object && a.value->nullable()) f.check_bound(id);
  if (!f.av(id).not_null) f.edit(id).not_null = true;  // the bytecode compiler proved it
  f.push(id);
}

void lower_LoadLocalCheck(Builder& f, const Bytecode& bc) {
  AVId id = f.state().top().locals[bc.arg];
  if (f.av(id).kind == SlotKind::Null) return f.deopt(Reason::Unbound);
  f.check_bound(id);
  f.push(id);
}

void lower_LoadLocalClear(Builder& f, const Bytecode& bc) {
  f.push(f.state().top().locals[bc.arg]);
  f.state().top().locals[bc.arg] = f.null_av();
}

void lower_StoreLocal(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  AVId old = f.state().top().locals[bc.arg];
  f.state().top().locals[bc.arg] = id;
  f.drop(old);
}

void lower_DeleteLocal(Builder& f, const Bytecode& bc) {
  AVId old = f.state().top().locals[bc.arg];
  if (f.av(old).kind == SlotKind::Null) return f.deopt(Reason::Unbound);
  f.check_bound(old);
  f.state().top().locals[bc.arg] = f.null_av();
  f.drop(old);
}

void lower_LoadConst(Builder& f, const Bytecode& bc) { f.push(f.const_av(bc.object)); }

void lower_PushNull(Builder& f, const Bytecode&) { f.push(f.null_av()); }

void lower_Pop(Builder& f, const Bytecode&) { f.drop(f.pop()); }

void lower_Nip(Builder& f, const Bytecode& bc) {
  AVId top = f.pop();
  for (int i = 0; i < bc.arg; i++) f.drop(f.pop());
  f.push(top);
}

void lower_Copy(Builder& f, const Bytecode& bc) { f.push(f.peek(bc.arg)); }

void lower_Swap(Builder& f, const Bytecode& bc) {
  std::vector<AVId>& stack = f.state().top().stack;
  std::swap(stack[stack.size() - 1], stack[stack.size() - bc.arg]);
}

void lower_Jump(Builder& f, const Bytecode& bc) { f.jump_to(bc.target); }

void lower_LoopBack(Builder& f, const Bytecode& bc) { f.back_edge(bc.target); }

void lower_Branch(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  int next = static_cast<int>(&bc - f.context().decoded->list.data()) + 1;
  Value* condition;
  bool jump_if = bc.arg == 0 || bc.arg == 2;
  if (bc.arg <= 1) {
    condition = f.truth(id);
    if (!condition) return f.deopt(Reason::Unsupported);  // the operand is always a bool
  } else {
    const AV& a = f.av(id);
    if (a.kind != SlotKind::Object || (a.type && a.type != Py_TYPE(Py_None)))
      condition = f.const_bool(false);
    else if (a.constant == Py_None)
      condition = f.const_bool(true);
    else
      condition = f.emit(Op::IsSame, {a.value, f.const_object(Py_None)});
    f.drop(id);
  }
  f.branch(condition, jump_if ? bc.target : next, jump_if ? next : bc.target);
}

void lower_Return(Builder& f, const Bytecode&) { f.return_value(f.pop()); }

}  // namespace psyco
