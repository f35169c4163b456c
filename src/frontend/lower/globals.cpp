// Names of the module and of builtins. What does not change is a constant under a watcher. What
// does is read where the dictionary's table has it, and a number is written there in place.
#include "cpython/shapes.h"
#include "frontend/builder.h"
#include "frontend/lower/lower.h"

namespace psyco {

using ir::Cond;
using ir::Heap;
using ir::Helper;
using ir::Op;
using ir::Reason;
using ir::Value;

namespace {

Value* globals_object(Builder& f) { return f.const_object(f.context().globals); }
Value* builtins_object(Builder& f) { return f.const_object(f.context().builtins); }
// Functions have no mapping of locals; class and module bodies do: they are not entered by us at a
// call, and their loops read it from the frame.
Value* locals_mapping(Builder& f) { return f.frame_locals(); }

// The table of the globals, proved to be laid out as planned. Null: not to be had.
Value* table_of_globals(Builder& f, PyObject* name, shapes::GlobalPlan* plan) {
  if (f.site().generic) return nullptr;
  *plan = shapes::plan_global(f.context().globals, name);
  if (!plan->found) return nullptr;
  Value* table = f.load(Op::LoadPtr, globals_object(f), shapes::kDictKeys, Heap::Dict);
  Value* version = f.load(Op::LoadU32, table, shapes::kKeysVersion, Heap::Dict);
  Value* same = f.emit(Op::CmpInt, {version, f.const_int(plan->version)});
  same->cond = Cond::Eq;
  f.guard(Op::GuardTrue, same, Reason::NamesChanged);
  return table;
}

// Stores past all watchers but ours, which knows that the name is variable.
bool nobody_else_watches(Builder& f) {
  const uint8_t own = f.request().own_dict_watcher;
  if (!own) return false;
  Value* bits = f.load(Op::LoadU8, globals_object(f), shapes::kDictWatchers, Heap::Dict);
  Value* others =
      f.emit(Op::AndInt, {bits, f.const_int(0xff & ~own & ~shapes::kHarmlessDictWatchers)});
  Value* none = f.emit(Op::CmpInt, {others, f.const_int(0)});
  none->cond = Cond::Eq;
  f.guard(Op::GuardTrue, none, Reason::ValueSeen);
  return true;
}

void load_name_of_module(Builder& f, PyObject* name) {
  Context& c = f.context();
  PyObject* example = shapes::peek_dict(c.globals, name);
  if (PyDict_CheckExact(c.globals) && c.builtins && PyDict_CheckExact(c.builtins) &&
      !shapes::is_lazy_name(c.globals, name)) {
    if (f.request().feedback->is_variable(c.globals, name)) {
      shapes::GlobalPlan plan;
      if (Value* table = table_of_globals(f, name, &plan)) {
        Value* value = f.load(Op::LoadObject, table, plan.offset, Heap::Attributes);
        value->flags |= ir::kNullable;
        f.guard(Op::GuardNotNull, value, Reason::Unbound);
        if (PyTypeObject* lazy = shapes::lazy_type()) {
          Value* type = f.load(Op::LoadObject, value, shapes::kObType, Heap::Constant);
          Value* type_object = f.const_object(reinterpret_cast<PyObject*>(lazy));
          f.guard(Op::GuardFalse, f.emit(Op::IsSame, {type, type_object}), Reason::ValueSeen);
        }
        Value* owned = f.load_owned(table, plan.offset, Heap::Attributes);
        return f.push(f.object_av(owned, nullptr, nullptr, example));
      }
    } else if (example) {
      f.assume(Assumption::DictValue, c.globals, name);
      return f.push(f.const_av(example));
    } else if (PyObject* value = shapes::peek_dict(c.builtins, name);
               value && !f.request().feedback->is_variable(c.builtins, name)) {
      f.assume(Assumption::DictValue, c.globals, name);
      f.assume(Assumption::DictValue, c.builtins, name);
      return f.push(f.const_av(value));
    }
  }
  Value* globals = globals_object(f);
  Value* builtins = builtins_object(f);
  f.push(f.object_av(
      f.call_helper(Helper::load_global, {globals, builtins, f.const_object(name)}, 0, false,
                    f.site_cache(f.request().global_cache_size, SiteKind::Global)),
      nullptr, nullptr, example));
}

// A number replaces one of its kind. False: nothing was done.
bool store_number_of_module(Builder& f, AVId value, PyObject* name) {
  Context& c = f.context();
  PyObject* now = shapes::peek_dict(c.globals, name);
  if (!now || !PyDict_CheckExact(c.globals) || !f.request().feedback->is_variable(c.globals, name))
    return false;
  if (!f.may_store_in_place(value, Py_TYPE(now))) return false;
  shapes::GlobalPlan plan;
  Value* table = table_of_globals(f, name, &plan);
  return table && nobody_else_watches(f) &&
         f.store_number_in_place(value, Py_TYPE(now), Heap::Attributes, table, plan.offset,
                                 nullptr);
}

}  // namespace

void lower_LoadGlobal(Builder& f, const Bytecode& bc) { load_name_of_module(f, bc.object); }

void lower_StoreGlobal(Builder& f, const Bytecode& bc) {
  AVId value = f.pop();
  if (store_number_of_module(f, value, bc.object)) return f.drop(value);
  f.drop(value);
  Value* v = f.force(value);
  f.call_helper(Helper::store_global, {globals_object(f), f.const_object(bc.object), v});
}

void lower_DeleteGlobal(Builder& f, const Bytecode& bc) {
  f.call_helper(Helper::delete_global, {globals_object(f), f.const_object(bc.object)});
}

void lower_LoadName(Builder& f, const Bytecode& bc) {
  if (f.context().globals_are_locals) return load_name_of_module(f, bc.object);
  PyObject* example = shapes::peek_dict(f.context().globals, bc.object);
  if (!example && f.context().builtins)
    example = shapes::peek_dict(f.context().builtins, bc.object);
  Value* call = f.call_helper(Helper::load_name, {locals_mapping(f), globals_object(f),
                                                  builtins_object(f), f.const_object(bc.object)});
  f.push(f.object_av(call, nullptr, nullptr, example));
}

void lower_StoreName(Builder& f, const Bytecode& bc) {
  AVId value = f.pop();
  if (f.context().globals_are_locals && store_number_of_module(f, value, bc.object))
    return f.drop(value);
  f.drop(value);
  Value* v = f.force(value);
  f.call_helper(Helper::store_name, {locals_mapping(f), f.const_object(bc.object), v});
}

void lower_DeleteName(Builder& f, const Bytecode& bc) {
  f.call_helper(Helper::delete_name, {locals_mapping(f), f.const_object(bc.object)});
}

// What the code stores by name cannot be taken for a constant. Of module code only its loop counts:
// all else it defines once.
void expect_stores(const CompileRequest& request, const Context& context) {
  const std::vector<Bytecode>& list = context.decoded->list;
  if (!PyDict_CheckExact(context.globals)) return;
  for (size_t i = 0; i < list.size(); i++) {
    if (!context.reachable[i]) continue;
    const bool in_loop = context.globals_are_locals && static_cast<int>(i) > request.osr_index &&
                         static_cast<int>(i) <= context.loop_end[request.osr_index];
    if (list[i].op == NeutralOp::StoreGlobal || (list[i].op == NeutralOp::StoreName && in_loop))
      request.feedback->make_variable(context.globals, list[i].object);
  }
}

}  // namespace psyco
