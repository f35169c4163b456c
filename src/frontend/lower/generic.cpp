// Instructions that always go through a helper.
#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/lower/lower.h"

namespace psyco {

using ir::Cond;
using ir::Heap;
using ir::Helper;
using ir::Op;
using ir::Reason;
using ir::SlotKind;
using ir::Value;

namespace {
Value* code_object(Builder& f) { return f.const_object(f.context().code); }
Value* globals_object(Builder& f) { return f.const_object(f.context().globals); }
Value* builtins_object(Builder& f) { return f.const_object(f.context().builtins); }
AVId local(Builder& f, int i) { return f.state().top().locals[i]; }
// Functions have no mapping of locals; class and module bodies do: they are not entered by us at a
// call, and their loops read it from the frame.
Value* locals_mapping(Builder& f) { return f.frame_locals(); }
Value* status_truth(Builder& f, Value* status) {
  Value* v = f.emit(Op::CmpInt, {status, f.const_int(0)});
  v->cond = Cond::Ne;
  return v;
}
}  // namespace

// ---- cells
void lower_MakeCell(Builder& f, const Bytecode& bc) {
  AVId old = local(f, bc.arg);
  Value* contents = f.force(old);
  Value* cell = f.call_helper(Helper::make_cell, {contents});
  f.state().top().locals[bc.arg] = f.object_av(cell, &PyCell_Type);
  f.drop(old);
}

void lower_CopyFreeVars(Builder& f, const Bytecode& bc) {
  Context& c = f.context();
  int first = c.info->nlocals - bc.arg;
  PyObject* closure = c.function ? c.function->func_closure : nullptr;
  if (c.caller && !c.any_function) {
    // The function itself is known, so its cells are.
    for (int i = 0; i < bc.arg; i++)
      f.state().top().locals[first + i] = f.const_av(PyTuple_GET_ITEM(closure, i));
    return;
  }
  Value* function = c.caller ? c.function_value : f.emit(Op::Function, {});
  Value* cells = f.load(Op::LoadObject, function, shapes::kFunctionClosure, Heap::Constant);
  for (int i = 0; i < bc.arg; i++) {
    Value* cell = f.load(Op::LoadObject, cells, shapes::kTupleItems + 8 * i, Heap::Constant);
    PyObject* example =
        closure && i < PyTuple_GET_SIZE(closure) ? PyTuple_GET_ITEM(closure, i) : nullptr;
    f.state().top().locals[first + i] = f.object_av(cell, &PyCell_Type, nullptr, example);
  }
}

void lower_LoadCell(Builder& f, const Bytecode& bc) {
  Value* cell = f.force(local(f, bc.arg));
  PyObject* cell_example = f.av(local(f, bc.arg)).example;
  if (cell_example && !PyCell_Check(cell_example)) cell_example = nullptr;
  Value* value = f.load(Op::LoadObject, cell, shapes::kCellValue, Heap::Cells);
  value->flags |= ir::kNullable;
  f.guard(Op::GuardNotNull, value, Reason::Unbound);
  value->flags &= static_cast<uint8_t>(~ir::kNullable);
  f.mark_owned(value);
  f.emit(Op::Retain, {value});
  f.push(f.object_av(value, nullptr, nullptr, cell_example ? PyCell_GET(cell_example) : nullptr));
}

void lower_StoreCell(Builder& f, const Bytecode& bc) {
  AVId value = f.pop();
  Value* cell = f.force(local(f, bc.arg));
  Value* object;
  f.consume(value, object);
  Value* old = f.load(Op::LoadObject, cell, shapes::kCellValue, Heap::Cells);
  old->flags |= ir::kNullable;
  f.mark_owned(old);
  Value* store = f.emit(Op::StoreObject, {cell, object});
  store->imm = shapes::kCellValue;
  store->heap = Heap::Cells;
  f.drop(f.object_av(old));
}

void lower_DeleteCell(Builder& f, const Bytecode& bc) {
  f.call_helper(Helper::delete_cell, {f.force(local(f, bc.arg)), code_object(f)}, bc.arg, true);
}

void lower_LoadFromOrCell(Builder& f, const Bytecode& bc) {
  AVId mapping = f.pop();
  f.drop(mapping);
  Value* m = f.force(mapping);
  Value* cell = f.force(local(f, bc.arg));
  f.push(f.object_av(
      f.call_helper(Helper::load_from_dict_or_deref, {m, cell, code_object(f)}, bc.arg, true)));
}

// ---- names: see globals.cpp
void lower_LoadLocals(Builder& f, const Bytecode&) {
  f.push(f.object_av(f.call_helper(Helper::load_locals, {locals_mapping(f)})));
}

void lower_LoadFromOrGlobal(Builder& f, const Bytecode& bc) {
  AVId mapping = f.pop();
  f.drop(mapping);
  Value* m = f.force(mapping);
  f.push(f.object_av(
      f.call_helper(Helper::load_from_dict_or_globals,
                    {m, globals_object(f), builtins_object(f), f.const_object(bc.object)})));
}

void lower_LoadBuildClass(Builder& f, const Bytecode&) {
  f.push(f.object_av(f.call_helper(Helper::load_build_class, {builtins_object(f)})));
}

void lower_SetupAnnotations(Builder& f, const Bytecode&) {
  f.call_helper(Helper::setup_annotations, {locals_mapping(f)});
}

// ---- strings
void lower_Convert(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  f.push(f.object_av(f.call_helper(Helper::convert_value, {f.force(id)}, bc.arg, true),
                     &PyUnicode_Type));
}

void lower_Format(Builder& f, const Bytecode& bc) {
  AVId spec = bc.arg ? f.pop() : kNoAV;
  AVId id = f.pop();
  f.drop(id);
  Value* v = f.force(id);
  if (spec == kNoAV) {
    if (f.type_of(id) == &PyUnicode_Type) return f.push(id);  // str formats to itself
    return f.push(f.object_av(f.call_helper(Helper::format_simple, {v}), nullptr, &PyUnicode_Type));
  }
  f.drop(spec);
  f.push(f.object_av(f.call_helper(Helper::format_with_spec, {v, f.force(spec)}), nullptr,
                     &PyUnicode_Type));
}

void lower_BuildTemplate(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }
void lower_BuildInterpolation(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }

// ---- functions
void lower_MakeFunction(Builder& f, const Bytecode&) {
  AVId code = f.pop();
  f.drop(code);
  f.push(f.object_av(f.call_helper(Helper::make_function, {f.force(code), globals_object(f)}),
                     &PyFunction_Type));
}

void lower_SetFunctionAttr(Builder& f, const Bytecode& bc) {
  AVId function = f.pop(), value = f.pop();
  f.drop(value);
  Value* fn = f.force(function);
  f.call_helper(Helper::set_function_attribute, {fn, f.force(value)}, bc.arg, true);
  f.push(function);
}

void lower_Intrinsic1(Builder& f, const Bytecode& bc) {
  AVId id = f.pop();
  f.drop(id);
  // Printing to the display hook and import * need the frame's own mapping: left to the
  // interpreter.
  if (bc.arg == 2) return f.deopt(Reason::Unsupported);
  f.push(f.object_av(f.call_helper(Helper::intrinsic_1, {f.force(id)}, bc.arg, true)));
}

void lower_Intrinsic2(Builder& f, const Bytecode& bc) {
  AVId top = f.pop(), lower = f.pop();
  f.drop(lower), f.drop(top);
  Value* l = f.force(lower);
  f.push(f.object_av(f.call_helper(Helper::intrinsic_2, {l, f.force(top)}, bc.arg, true)));
}

// ---- imports
void lower_ImportName(Builder& f, const Bytecode& bc) {
  if (bc.arg2) return f.deopt(Reason::Unsupported);
  AVId fromlist = f.pop(), level = f.pop();
  f.drop(level), f.drop(fromlist);
  Value* from = f.force(fromlist);
  Value* lev = f.force(level);
  f.push(f.object_av(
      f.call_helper(Helper::import_name, {f.const_object(bc.object), globals_object(f),
                                          builtins_object(f), locals_mapping(f), from, lev})));
}

void lower_ImportFrom(Builder& f, const Bytecode& bc) {
  Value* module = f.force(f.peek());
  f.push(f.object_av(f.call_helper(Helper::import_from, {module, f.const_object(bc.object)})));
}

// ---- pattern matching
void lower_MatchClass(Builder& f, const Bytecode& bc) {
  AVId names = f.pop(), cls = f.pop(), subject = f.pop();
  f.drop(subject), f.drop(cls), f.drop(names);
  Value* s = f.force(subject);
  Value* c = f.force(cls);
  f.push(f.object_av(f.call_helper(Helper::match_class, {s, c, f.force(names)}, bc.arg, true)));
}

void lower_MatchMapping(Builder& f, const Bytecode&) {
  f.push(f.bool_av(status_truth(f, f.call_helper(Helper::match_mapping, {f.force(f.peek())}))));
}

void lower_MatchSequence(Builder& f, const Bytecode&) {
  f.push(f.bool_av(status_truth(f, f.call_helper(Helper::match_sequence, {f.force(f.peek())}))));
}

void lower_MatchKeys(Builder& f, const Bytecode&) {
  Value* subject = f.force(f.peek(2));
  Value* keys = f.force(f.peek(1));
  f.push(f.object_av(f.call_helper(Helper::match_keys, {subject, keys})));
}

// ---- with and exceptions
void lower_EnterWith(Builder& f, const Bytecode& bc) {
  if (bc.arg) return f.deopt(Reason::Suspend);
  AVId manager = f.pop();
  f.drop(manager);
  Value* call = f.call_helper(Helper::enter_with, {f.force(manager)}, 0, false, nullptr, 1);
  Value* exit = f.take_out(call, 0);
  f.push(f.object_av(exit));
  f.push(f.object_av(call));
}

// Handlers are reached through the interpreter, which made the exception state; these instructions
// are met only in loops inside handlers, and go on there.
void lower_WithExceptStart(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }
void lower_PushExcInfo(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }
void lower_PopExcept(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }
void lower_CheckExcMatch(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }
void lower_CheckEgMatch(Builder& f, const Bytecode&) { f.deopt(Reason::Unsupported); }
void lower_Raise(Builder& f, const Bytecode&) { f.deopt(Reason::Exception); }
void lower_Reraise(Builder& f, const Bytecode&) { f.deopt(Reason::Exception); }

}  // namespace psyco
