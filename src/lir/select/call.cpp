// Calls. All registers are lost, so arguments may be anywhere: the emitter moves them into place.
#include <cstring>

#include "lir/select/select.h"

namespace psyco::lir {

using ir::HelperEffects;
using ir::HelperResult;
using ir::Op;
using ir::Reason;
using ir::Value;

void Selector::select_call(Value& v) {
  if (v.op == Op::TakeOut) {
    Inst load{Lop::LoadOut};
    load.value = &v;
    load.imm = v.imm;
    load.def = define(v);
    fn.insts.push_back(load);
    return;
  }
  Inst i{v.op == Op::CallC        ? Lop::CallC
         : v.op == Op::CallNative ? Lop::CallNative
                                  : Lop::CallHelper};
  i.value = &v;
  i.clobber_gpr = kAllGpr;
  i.clobber_xmm = kAllXmm;
  i.call = fn.arena.make<CallInfo>();
  for (Value* in : v.inputs) {
    i.call->args.push_back(fn.arena, argument(in));
    i.call->banks.push_back(fn.arena, bank_of(in->rep));
  }
  Bank result = bank_of(v.rep);
  if (v.op == Op::CallHelper) {
    const ir::HelperInfo& info = ir::helper_info(v.helper);
    i.call->helper = v.helper;
    size_t fixed = 0;  // inputs before those of the array
    bool kinds_match = true;
    for (const char* p = info.params; *p; p++) {
      if (*p == 'A')
        i.call->array_from = static_cast<uint32_t>(fixed);
      else if (*p == 'O')
        i.call->out_words = static_cast<uint32_t>(v.imm > 0 ? v.imm : 1);
      else if (++fixed <= v.inputs.size())
        kinds_match &= (*p == 'd') == (i.call->banks[fixed - 1] == Bank::Xmm);
    }
    if (v.inputs.size() < fixed || (v.inputs.size() > fixed && i.call->array_from == 0xffffffffu))
      return fail("a helper call with a wrong number of arguments");
    if (!kinds_match) return fail("a helper call with an argument of the wrong kind");
    bool fails = info.result == HelperResult::Owned || info.result == HelperResult::Status;
    if (fails || info.effects == HelperEffects::Python) set_exit(i, v, Reason::Exception);
  } else if (v.op == Op::CallNative) {
    i.imm = reinterpret_cast<int64_t>(v.ptr);
    i.imm2 = v.rep == ir::Rep::I64 ? 'i' : v.rep == ir::Rep::F64 ? 'd' : 'o';
    i.call->array_from = 0;
    i.call->out_words = 1;
    set_exit(i, v, Reason::Exception);
  } else {
    i.imm = reinterpret_cast<int64_t>(v.ptr);
  }
  bool has_result = v.rep != ir::Rep::None && (uses[v.id] || in_state[v.id]);
  if (has_result) {
    i.def = define(v);
    fn.vregs[i.def.vreg].fixed_hint = result == Bank::Xmm ? 0 : static_cast<int8_t>(rax);
  }
  fn.insts.push_back(i);
}

}  // namespace psyco::lir
