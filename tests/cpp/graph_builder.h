// Builds graphs in C++ for the tests of the middle and back end.
#pragma once
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace psyco::test {

using ir::Cond;
using ir::Op;
using ir::Rep;
using ir::Value;

struct Builder {
  std::unique_ptr<ir::Graph> owned = std::make_unique<ir::Graph>();
  ir::Graph& g = *owned;
  ir::Block* cur = nullptr;
  ir::FrameInfo* frame = nullptr;

  Builder() {
    frame = g.arena.make<ir::FrameInfo>();
    frame->name = "test";
    frame->nlocals = 8;
    frame->nstack = 8;
    g.frames.push_back(g.arena, frame);
    cur = g.new_block();
  }
  ir::Block* block(uint32_t depth = 0, bool cold = false) {
    ir::Block* b = g.new_block();
    b->loop_depth = depth;
    b->cold = cold;
    return b;
  }
  Value* op(Op o, Rep rep, std::initializer_list<Value*> inputs = {},
            ir::FrameState* state = nullptr) {
    Value* v = g.new_value(o, rep);
    for (Value* in : inputs) v->inputs.push_back(g.arena, in);
    v->state = state;
    return g.append(cur, v);
  }
  // With the op table's result.
  Value* op(Op o, std::initializer_list<Value*> inputs = {}, ir::FrameState* state = nullptr) {
    return op(o, ir::op_info(o).result, inputs, state);
  }
  Value* i(int64_t x) {
    Value* v = op(Op::ConstI64, Rep::I64);
    v->imm = x;
    return v;
  }
  Value* d(double x) {
    Value* v = op(Op::ConstF64, Rep::F64);
    std::memcpy(&v->imm, &x, 8);
    return v;
  }
  Value* object(const void* p) {
    Value* v = op(Op::ConstObject, Rep::Object);
    v->ptr = p;
    return v;
  }
  Value* arg(int64_t index) {
    Value* v = op(Op::Arg, Rep::Object);
    v->imm = index;
    if (index >= g.arg_count) g.arg_count = static_cast<uint32_t>(index) + 1;
    return v;
  }
  Value* cmp(Op o, Cond cond, Value* a, Value* b) {
    Value* v = op(o, Rep::Bool, {a, b});
    v->cond = cond;
    return v;
  }
  Value* phi(ir::Block* b, Rep rep) {
    Value* v = g.new_value(Op::Phi, rep);
    return g.append(b, v);
  }
  void add_input(Value* phi, Value* v) { phi->inputs.push_back(g.arena, v); }
  Value* call(ir::Helper h, Rep rep, std::initializer_list<Value*> inputs, ir::FrameState* state) {
    Value* v = op(Op::CallHelper, rep, inputs, state);
    v->helper = h;
    if (ir::helper_info(h).result == ir::HelperResult::Owned) v->flags |= ir::kOwned;
    return v;
  }
  void jump(ir::Block* to) {
    op(Op::Jump);
    g.connect(cur, to);
  }
  void branch(Value* c, ir::Block* yes, ir::Block* no) {
    op(Op::Branch, {c});
    g.connect(cur, yes);
    g.connect(cur, no);
  }
  void ret(Value* v) { op(Op::Return, {v}); }
  ir::Slot slot(Value* v) {
    ir::Slot s;
    s.value = v;
    s.kind = v->rep == Rep::I64    ? ir::SlotKind::Int
             : v->rep == Rep::F64  ? ir::SlotKind::Float
             : v->rep == Rep::Bool ? ir::SlotKind::Bool
                                   : ir::SlotKind::Object;
    return s;
  }
  ir::FrameState* state(const std::vector<Value*>& locals, int32_t bci = 0) {
    ir::FrameState* s = g.new_state();
    s->frame = frame;
    s->bci = bci;
    for (Value* v : locals) s->locals.push_back(g.arena, slot(v));
    return s;
  }
};

}  // namespace psyco::test
