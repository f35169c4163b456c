// Text of LIR, for listings and failure messages. Stable: no addresses but those in immediates.
#include <cstdio>
#include <set>

#include "lir/lir.h"

namespace psyco::lir {

const char* lop_name(Lop op) {
  switch (op) {
#define CASE(name) \
  case Lop::name:  \
    return #name;
    CASE(Move)
    CASE(LoadImm)
    CASE(LoadLit)
    CASE(Add)
    CASE(Sub)
    CASE(Mul)
    CASE(And)
    CASE(Or)
    CASE(Xor)
    CASE(Neg)
    CASE(Not)
    CASE(AddExit)
    CASE(SubExit)
    CASE(MulExit)
    CASE(NegExit)
    CASE(ShlImm)
    CASE(SarImm)
    CASE(ShlExit)
    CASE(ShlImmExit)
    CASE(ShrExit)
    CASE(FloorDivExit)
    CASE(ModExit)
    CASE(WrapIndex)
    CASE(LoadOut)
    CASE(Lea)
    CASE(Load)
    CASE(Store)
    CASE(LoadFloat)
    CASE(StoreFloat)
    CASE(FloatAdd)
    CASE(FloatSub)
    CASE(FloatMul)
    CASE(FloatDiv)
    CASE(FloatNeg)
    CASE(FloatAbs)
    CASE(FloatSqrt)
    CASE(FloatNotZeroGuard)
    CASE(FloatNotNegativeGuard)
    CASE(IntToFloat)
    CASE(FloatToIntExit)
    CASE(CompareSet)
    CASE(CompareBranch)
    CASE(CompareGuard)
    CASE(Select)
    CASE(Retain)
    CASE(Release)
    CASE(BoxInt)
    CASE(BoxFloat)
    CASE(BoxOr)
    CASE(UnboxInt)
    CASE(UpdateFloatSlot)
    CASE(NoteTypes)
    CASE(UpdateIntSlot)
    CASE(CallHelper)
    CASE(CallC) CASE(CallNative) CASE(ReturnNumber) CASE(Jump) CASE(Return) CASE(Exit)
#undef CASE
  }
  return "?";
}

std::string print(const Loc& loc) {
  static const char* const kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  switch (loc.kind) {
    case Loc::Gpr:
      return kNames[loc.reg & 15];
    case Loc::Xmm:
      return "xmm" + std::to_string(loc.reg);
    case Loc::Slot:
      return "[" + std::to_string(loc.slot) + "]";
    case Loc::None:
      break;
  }
  return "";
}

namespace {
std::string print(const Operand& o) {
  if (o.kind == Operand::None) return "-";
  if (o.kind == Operand::Imm) return std::to_string(o.imm);
  if (o.kind == Operand::Lit) {
    double d;
    __builtin_memcpy(&d, &o.imm, 8);
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", d);
    return text;
  }
  std::string s = "v" + std::to_string(o.vreg);
  if (o.loc.kind != Loc::None) s += ":" + lir::print(o.loc);
  if (o.late) s += "'";
  return s;
}
}  // namespace

std::string print(const Inst& inst) {
  static const char* const kCc[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                    "s", "ns", "p", "np", "l", "ge", "le", "g"};
  static const char* const kCompare[] = {"Int",  "Bool",       "Float", "Identity",
                                         "Type", "FitsDouble", "Leave", "Poll"};
  std::string s;
  if (inst.def.is_vreg()) s += print(inst.def) + " = ";
  s += lop_name(inst.op);
  if (inst.op == Lop::CompareSet || inst.op == Lop::CompareBranch || inst.op == Lop::CompareGuard) {
    s += std::string(".") + kCompare[static_cast<int>(inst.compare)] + "." +
         kCc[static_cast<int>(inst.cc)];
    if (inst.invert) s += ".not";
  }
  for (int i = 0; i < 2; i++)
    if (inst.use[i].kind != Operand::None) s += (i ? ", " : " ") + print(inst.use[i]);
  if (inst.base != Base::None) {
    s += " [";
    if (inst.base == Base::Activation) s += "act";
    if (inst.base == Base::Thread) s += "thread";
    if (inst.base == Base::Vreg || inst.base == Base::Absolute) s += print(inst.use[2]);
    if (inst.use[3].kind != Operand::None)
      s += " + " + print(inst.use[3]) + " << " + std::to_string(inst.scale);
    if (inst.disp) s += " + " + std::to_string(inst.disp);
    s += "]";
  }
  if (inst.imm) s += " #" + std::to_string(inst.imm);
  if (inst.call) {
    if (inst.op == Lop::CallHelper) s += std::string(" ") + ir::helper_info(inst.call->helper).name;
    s += "(";
    for (size_t i = 0; i < inst.call->args.size(); i++)
      s += (i ? ", " : "") + print(inst.call->args[i]);
    s += ")";
  }
  if (inst.exit) s += " ! state " + std::to_string(inst.exit->state ? inst.exit->state->id : 0);
  if (inst.value)
    s += "    ; v" + std::to_string(inst.value->id) + " " + ir::op_info(inst.value->op).name;
  return s;
}

static std::string exit_uses(const Function& fn, const ExitPoint& exit) {
  std::set<Vreg> used;
  for_each_exit_use(fn, exit, [&](Vreg v) { used.insert(v); });
  std::string s = " {";
  for (Vreg v : used) {
    s += " v" + std::to_string(v);
    if (!fn.first_piece.empty()) s += ":" + print(fn.loc_at(v, exit.position(v)));
    if (exit.is_late(v)) s += "'";
  }
  return s + " }";
}

std::string print(const Function& fn) {
  std::string s;
  size_t g = 0;
  auto moves = [&](uint32_t k, bool after) {
    for (; g < fn.moves.size() && fn.moves[g].inst == k && fn.moves[g].after == after; g++) {
      s += "        move";
      for (const Move& m : fn.moves[g].moves) {
        s += " " + print(m.to) + "<-";
        s += m.from.kind == Loc::None ? std::to_string(m.imm) : print(m.from);
      }
      s += "\n";
    }
  };
  for (const Block* b : fn.blocks) {
    s += "b" + std::to_string(b->id);
    if (b->source) s += " (block " + std::to_string(b->source->id) + ")";
    s += b->cold ? " cold" : "";
    s += " depth " + std::to_string(b->depth) + " (";
    for (size_t i = 0; i < b->params.size(); i++)
      s += (i ? " v" : "v") + std::to_string(b->params[i]);
    s += "):\n";
    for (uint32_t k = b->first; k < b->last; k++) {
      moves(k, false);
      s += "    " + std::to_string(k) + ": " + print(fn.insts[k]);
      if (fn.insts[k].exit) s += exit_uses(fn, *fn.insts[k].exit);
      if (k + 1 == b->last && !b->succs.empty()) {
        s += " ->";
        for (const Block* t : b->succs) s += " b" + std::to_string(t->id);
        if (!b->args.empty()) {
          s += " (";
          for (size_t i = 0; i < b->args.size(); i++) s += (i ? " " : "") + print(b->args[i]);
          s += ")";
        }
      }
      s += "\n";
      moves(k, true);
    }
  }
  return s;
}

}  // namespace psyco::lir
