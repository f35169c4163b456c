// Prototypes of the runtime helpers, which table.cpp compares with helpers.def, and what the helper
// files share.
// Fed by machine code only; every object parameter is borrowed unless the row says otherwise.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>

#include "cpython/objects.h"

#define PSYCO_LIKELY(x) __builtin_expect(!!(x), 1)
#define PSYCO_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace psyco {
struct AttrCache;
struct GlobalCache;
struct OperandCache;

// Marks an exhausted iterator. Immortal, of no visible type, never reachable from Python.
PyObject* exhausted_object();
}  // namespace psyco

extern "C" {
PyObject* psyco_exhausted_object();

PyObject* psyco_binary_op(PyObject* left, PyObject* right, int64_t number);
PyObject* psyco_compare_op(PyObject* left, PyObject* right, int64_t op);
int64_t psyco_compare_bool(PyObject* left, PyObject* right, int64_t op);
int64_t psyco_contains(PyObject* container, PyObject* item);
int64_t psyco_is_true(PyObject* object);
PyObject* psyco_unary_op(PyObject* object, int64_t op);
PyObject* psyco_box_int(int64_t value);
int64_t psyco_reference_count(PyObject* object, int64_t besides);
PyObject* psyco_box_float(double value);
double psyco_power_float(double base, double exponent);
double psyco_mod_float(double left, double right);
double psyco_floordiv_float(double left, double right);

PyObject* psyco_concat_strings(PyObject* left, PyObject* right);
PyObject* psyco_append_string(PyObject* left, PyObject* right);
PyObject* psyco_build_string(PyObject** items, int64_t count);
PyObject* psyco_format_simple(PyObject* value);
PyObject* psyco_format_with_spec(PyObject* value, PyObject* spec);
PyObject* psyco_convert_value(PyObject* value, int64_t conversion);

PyObject* psyco_subscript(PyObject* container, PyObject* key);
int64_t psyco_store_subscript(PyObject* container, PyObject* key, PyObject* value);
int64_t psyco_delete_subscript(PyObject* container, PyObject* key);
PyObject* psyco_binary_slice(PyObject* container, PyObject* start, PyObject* stop);
int64_t psyco_store_slice(PyObject* container, PyObject* start, PyObject* stop, PyObject* value);
PyObject* psyco_build_tuple(PyObject** items, int64_t count);
PyObject* psyco_build_list(PyObject** items, int64_t count);
PyObject* psyco_build_map(PyObject** items, int64_t count);
PyObject* psyco_build_const_key_map(PyObject* keys, PyObject** values, int64_t count);
PyObject* psyco_build_set(PyObject** items, int64_t count);
PyObject* psyco_build_slice(PyObject* start, PyObject* stop, PyObject* step);
int64_t psyco_list_append(PyObject* list, PyObject* item);
int64_t psyco_list_extend(PyObject* list, PyObject* iterable);
int64_t psyco_set_add(PyObject* set, PyObject* item);
int64_t psyco_set_update(PyObject* set, PyObject* iterable);
int64_t psyco_map_add(PyObject* dict, PyObject* key, PyObject* value);
int64_t psyco_dict_update(PyObject* dict, PyObject* update);
int64_t psyco_dict_merge(PyObject* dict, PyObject* update, PyObject* callable);
PyObject* psyco_get_len(PyObject* object);
int64_t psyco_unpack_sequence(PyObject* sequence, int64_t count, PyObject** out);
int64_t psyco_unpack_ex(PyObject* sequence, int64_t before, int64_t after, PyObject** out);

PyObject* psyco_load_attr(PyObject* object, PyObject* name, psyco::AttrCache* cache);
PyObject* psyco_load_method(PyObject* object, PyObject* name, psyco::AttrCache* cache,
                            PyObject** out);
int64_t psyco_store_attr(PyObject* object, PyObject* name, PyObject* value,
                         psyco::AttrCache* cache);
int64_t psyco_delete_attr(PyObject* object, PyObject* name);
PyObject* psyco_load_super_attr(PyObject* super, PyObject* type, PyObject* self, PyObject* name,
                                int64_t two_arguments);
PyObject* psyco_load_super_method(PyObject* super, PyObject* type, PyObject* self, PyObject* name,
                                  int64_t two_arguments, PyObject** out);

PyObject* psyco_load_global(PyObject* globals, PyObject* builtins, PyObject* name,
                            psyco::GlobalCache* cache);
int64_t psyco_store_global(PyObject* globals, PyObject* name, PyObject* value);
int64_t psyco_delete_global(PyObject* globals, PyObject* name);
PyObject* psyco_load_name(PyObject* locals, PyObject* globals, PyObject* builtins, PyObject* name);
int64_t psyco_store_name(PyObject* locals, PyObject* name, PyObject* value);
int64_t psyco_delete_name(PyObject* locals, PyObject* name);
PyObject* psyco_load_locals(PyObject* locals);
PyObject* psyco_load_from_dict_or_globals(PyObject* mapping, PyObject* globals, PyObject* builtins,
                                          PyObject* name);
PyObject* psyco_load_from_dict_or_deref(PyObject* mapping, PyObject* cell, PyObject* code,
                                        int64_t index);
PyObject* psyco_load_build_class(PyObject* builtins);
int64_t psyco_setup_annotations(PyObject* locals);

PyObject* psyco_make_cell(PyObject* contents);
PyObject* psyco_load_cell(PyObject* cell, PyObject* code, int64_t index);
void psyco_store_cell(PyObject* cell, PyObject* value);
int64_t psyco_delete_cell(PyObject* cell, PyObject* code, int64_t index);
int64_t psyco_raise_unbound(PyObject* code, int64_t index);

PyObject* psyco_make_function(PyObject* code, PyObject* globals);
void psyco_set_function_attribute(PyObject* function, PyObject* value, int64_t flag);
PyObject* psyco_intrinsic_1(PyObject* value, int64_t number);
PyObject* psyco_intrinsic_2(PyObject* lower, PyObject* top, int64_t number);

PyObject* psyco_vectorcall(PyObject* callable, PyObject* self, PyObject** args, int64_t count);
PyObject* psyco_call_quiet(PyObject* callable, PyObject* self, PyObject** args, int64_t count);
PyObject* psyco_vectorcall_seen(PyObject* callable, PyObject* self, PyObject** args, int64_t count);
PyObject* psyco_vectorcall_kw(PyObject* callable, PyObject* self, PyObject* names, PyObject** args,
                              int64_t count);
PyObject* psyco_call_ex(PyObject* callable, PyObject* args, PyObject* kwargs);
PyObject* psyco_new_instance(PyObject* type);
int64_t psyco_exit_init_check(PyObject* result);

PyObject* psyco_get_iter(PyObject* iterable);
PyObject* psyco_iter_next(PyObject* iterator);
PyObject* psyco_get_yield_from_iter(PyObject* iterable, int64_t code_flags);
PyObject* psyco_get_awaitable(PyObject* iterable, int64_t where);
PyObject* psyco_get_aiter(PyObject* object);
PyObject* psyco_get_anext(PyObject* iterator);
PyObject* psyco_make_iterator(int64_t kind, PyObject** fields, int64_t count);
PyObject* psyco_make_method(PyObject* function, PyObject* self);

PyObject* psyco_match_class(PyObject* subject, PyObject* type, PyObject* names, int64_t positional);
PyObject* psyco_match_keys(PyObject* subject, PyObject* keys);
int64_t psyco_match_mapping(PyObject* subject);
int64_t psyco_match_sequence(PyObject* subject);

PyObject* psyco_import_name(PyObject* name, PyObject* globals, PyObject* builtins, PyObject* locals,
                            PyObject* fromlist, PyObject* level);
PyObject* psyco_import_from(PyObject* module, PyObject* name);

PyObject* psyco_enter_with(PyObject* manager, PyObject** out);
PyObject* psyco_load_special(PyObject* manager, int64_t number, PyObject** out);
PyObject* psyco_enter_async_with(PyObject* manager, PyObject** out);
PyObject* psyco_with_except_start(PyObject* exit, PyObject* exception);
int64_t psyco_check_exc_match(PyObject* exception, PyObject* type);
int64_t psyco_check_eg_match(PyObject* exception, PyObject* type, PyObject** out);
PyObject* psyco_push_exc_info(PyObject* exception);
void psyco_pop_except(PyObject* previous);
int64_t psyco_raise_varargs(PyObject* exception, PyObject* cause);

// RuntimeTable entries beside the helpers.
void psyco_dealloc(void* object);
int psyco_unbox_big_int(void* object, int64_t* out);
void psyco_update_float_slot(void** slot, double value);
void psyco_update_int_slot(void** slot, int64_t value);
void psyco_note_types(psyco::OperandCache* cache, void* left, void* right);
}
