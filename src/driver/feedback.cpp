#include "driver/feedback.h"

#include <algorithm>

#include "cpython/shapes.h"
#include "driver/units.h"
#include "runtime/activation.h"
#include "runtime/caches.h"
#include "runtime/code.h"
#include "runtime/governor.h"
#include "runtime/native_calls.h"
#include "runtime/osr.h"
#include "runtime/watch.h"

namespace psyco {

bool is_speculation(ir::Reason reason) {
  switch (reason) {
    case ir::Reason::TypeSeen:
    case ir::Reason::ValueSeen:
    case ir::Reason::NotMet:
    case ir::Reason::Overflow:
    case ir::Reason::BigInt:
    case ir::Reason::ZeroDivision:
    case ir::Reason::Domain:
    case ir::Reason::Bounds:
    case ir::Reason::Unbound:
    case ir::Reason::NeverRun:
    case ir::Reason::NamesChanged:
      return true;
    default:
      return false;
  }
}

int32_t g_exit_countdown = 1;

namespace {

uint32_t g_exit_random = 0;  // the random numbers so far; 0: none yet

}  // namespace

void reset_random_exits() {
  g_exit_countdown = 1;
  g_exit_random = 0;
}

namespace {

// Guards until the next random exit: one to 255, short distances as likely as long ones.
void wind_up_random_exit() {
  if (!g_exit_random) g_exit_random = static_cast<uint32_t>(g_options.exit_seed);
  auto next = [] { return (g_exit_random = g_exit_random * 1664525u + 1013904223u) >> 16; };
  const uint32_t limit = 1u << (next() % 8 + 1);
  g_exit_countdown = 1 + static_cast<int32_t>(next() % (limit - 1));
}

// Code that was worth its while may not stay so: every so many exits it is measured again.
void note_exits(CompiledCode* code, ir::Reason reason) {
  if (is_speculation(reason)) g_speculative_exits++;
  Unit* unit = static_cast<Unit*>(code->owner);
  if (!unit || unit->retired || ++unit->exits % 2048 != 0 || unit->target == kEntryCall) return;
  if (CodeEntry* entry = code_entry(unit->python_code, false))
    loop_exits_often(entry, unit->target);
}

void drop(CodeEntry* entry, Unit* unit, const char* why) {
  history_of(entry)->dropped = why;
  retire_unit(entry, unit);
}

constexpr int kMostTables = 8;  // of a module whose names keep changing

// To tell apart what comes by has not helped: that is not tried again.
void forbid_speculation(Feedback::Site& site) {
  site.generic = true;
  site.noted |= site.met;
}

// Every exit comes here first. A guard that fails often is dropped at the next compilation.
void on_exit(CompiledCode* code, uint32_t record, const ExitRecord& exit, Activation*) {
  g_totals.exits_by[static_cast<int>(exit.reason)]++;
  if (exit.reason == ir::Reason::Stress) wind_up_random_exit();
  if (code->exit_counts.size() <= record) return;
  note_exits(code, exit.reason);
  uint32_t count = code->exit_counts[record];
  // No version of a table comes back: this guard will always fail.
  const bool for_ever = exit.reason == ir::Reason::NamesChanged;
  if (count < static_cast<uint32_t>(for_ever ? 1 : g_options.exit_limit)) return;
  Unit* unit = static_cast<Unit*>(code->owner);
  if (!is_speculation(exit.reason) || !unit || unit->retired || exit.frames.empty()) return;
  const ExitFrame& inner = exit.frames.back();
  auto* python_code =
      static_cast<PyCodeObject*>(const_cast<void*>(code->frames[inner.frame_index].code));
  CodeEntry* entry = code_entry(python_code, false);
  CodeEntry* own = code_entry(unit->python_code, false);
  if (!entry || !own) return;
  Feedback::Site& site = history_of(entry)->feedback.sites[inner.bci];
  if (exit.reason == ir::Reason::Overflow || exit.reason == ir::Reason::BigInt)
    site.big_int = true;
  else if (exit.reason == ir::Reason::NeverRun)
    site.reached = true;
  else if (exit.reason == ir::Reason::NotMet)
    site.other = true;  // than the classes or functions that are told apart
  else if (exit.reason == ir::Reason::NamesChanged)
    site.generic = ++site.tables > kMostTables;
  else
    forbid_speculation(site);
  drop(own, unit, "a guard of it failed often");
}

// Nothing to be counted on: callers expect an object from now on.
void result_misfits(LinkCell* cell, CompiledCode* caller) {
  cell->misfit = true;
  auto* unit = static_cast<Unit*>(caller->owner);
  if (!unit || unit->retired) return;
  if (CodeEntry* entry = code_entry(unit->python_code, false))
    drop(entry, unit, "a function it calls returns something else than it did");
}

// What there is to gain by telling the classes apart that an attribute's helper meets: what the
// class of an object decides is worth much, a method in C is called the same way afterwards.
uint8_t gain_of(PyTypeObject* type, PyObject* name, bool store) {
  using shapes::AttrPlan;
  const AttrPlan plan = store ? shapes::plan_store(type, name) : shapes::plan_load(type, name);
  if (plan.kind == AttrPlan::None) return 0;
  return plan.kind == AttrPlan::Method && !PyFunction_Check(plan.value) ? 1 : 2;
}

constexpr double kMethodGainNs = 20;  // of gain 1, for each lookup

// The code is made again with the classes that its sites have met, all of those that have met
// enough: one site is seldom alone.
void learn_classes(CodeEntry* own, Unit* unit) {
  const auto enough = static_cast<uint32_t>(g_options.watched_lookups) * 3 / 4;
  for (const SiteCache& place : unit->caches) {
    if (place.kind != SiteKind::Attribute) continue;
    auto* cache = reinterpret_cast<AttrCache*>(place.memory.get());
    CodeEntry* entry = cache->owner ? code_entry(place.code, false) : nullptr;
    if (!entry || (cache->watched > enough && !cache->patient)) continue;
    Feedback::Site& site = history_of(entry)->feedback.sites[place.bci];
    if (!site.gain) continue;
    site.met = true;
    // What has failed for one class and met no second one will meet others again.
    site.other = site.generic && !site.types[Feedback::Site::kOperands + 1];
    site.generic = false;
  }
  drop(own, unit, "it met classes to be made again for");
}

// A class that a generic attribute access met. When there are enough of them the code is made
// again, unless there is nothing to gain.
void on_attribute_met(AttrCache* cache, PyObject* object, PyObject* name, bool store) {
  auto* unit = static_cast<Unit*>(cache->owner);
  if (unit->retired) return;
  const SiteCache& place = unit->caches[cache->site];
  CodeEntry* entry = code_entry(place.code, false);
  CodeEntry* own = code_entry(unit->python_code, false);
  if (!entry || !own) return;
  Feedback::Site& site = history_of(entry)->feedback.sites[place.bci];
  using Site = Feedback::Site;
  PyTypeObject* type = Py_TYPE(object);
  int k = Site::kOperands;
  while (k < Site::kOperands + Site::kMet && site.types[k] && site.types[k] != type) k++;
  if (k == Site::kOperands + Site::kMet) {
    cache->watched = 0;  // too many: it stays as it is
    site.gain = 0;
    return;
  }
  if (!site.types[k]) {
    make_young(history_of(entry), history_of(entry)->generation);
    site.types[k] = reinterpret_cast<PyTypeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(type)));
    site.gain = std::max(site.gain, gain_of(type, name, store));
  }
  if (store)
    if (PyObject* now = shapes::peek_attr(object, name); now && !site.types[1]) {
      make_young(history_of(entry), history_of(entry)->generation);
      site.types[1] =
          reinterpret_cast<PyTypeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(now))));
    }
  if (cache->watched || !site.gain) return;
  if (site.gain == 1 && !cache->patient && g_governor) {
    // Not before as much could have been saved as the compiler takes.
    cache->patient = true;
    cache->watched = static_cast<uint32_t>(unit->compile_ms * 1e6 / kMethodGainNs);
    if (cache->watched) return;
  }
  learn_classes(own, unit);
}

// Operands whose types the front end did not know had the same ones often enough. Where there is a
// faster case for them the code is made again, with what its other sites have met so far.
void on_operands_met(OperandCache* enough) {
  enough->asking = false;
  auto* unit = static_cast<Unit*>(enough->owner);
  CodeEntry* own = code_entry(unit->python_code, false);
  if (unit->retired || !own) return;
  const SiteCache& asked = unit->caches[enough->site];
  if (!has_fast_case(asked.kind, enough->types[0], enough->types[1])) {
    if (CodeEntry* entry = code_entry(asked.code, false))
      history_of(entry)->feedback.sites[asked.bci].noted = true;
    return;
  }
  if (!own->bound && !compiler_may_spend(Py_SIZE(own->code))) {
    enough->asking = true;  // later
    enough->hits = 0;
    return;
  }
  for (const SiteCache& place : unit->caches) {
    if (place.kind < SiteKind::Arithmetic) continue;
    auto* cache = reinterpret_cast<OperandCache*>(place.memory.get());
    CodeEntry* entry = code_entry(place.code, false);
    if (!entry || !has_fast_case(place.kind, cache->types[0], cache->types[1])) continue;
    if (cache != enough && (cache->hits < OperandCache::kEnough / 4 || cache->changes > 1))
      continue;
    cache->asking = false;
    Feedback::Site& site = history_of(entry)->feedback.sites[place.bci];
    site.noted = true;
    for (int operand = 0; operand < 2; operand++) {
      // Builtin types, as all that have fast cases.
      auto* type = static_cast<PyTypeObject*>(const_cast<void*>(cache->types[operand]));
      if (PyTypeObject* old = site.types[operand]) release_later(reinterpret_cast<PyObject*>(old));
      site.types[operand] =
          reinterpret_cast<PyTypeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(type)));
    }
  }
  drop(own, unit, "it met operands to be made again for");
}

// A function that is worth a branch of its own where it is called among others. Code may keep what
// has a name, since it learns when it has that no more.
bool may_be_promoted(PyObject* callee) {
  constexpr int kSuspends =
      CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE;
  if (!PyFunction_Check(callee)) return false;
  auto* function = reinterpret_cast<PyFunctionObject*>(callee);
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  if ((code->co_flags & kSuspends) || !shapes::is_named(function)) return false;
  if (keeps_changing(function->func_globals, function->func_name)) return false;
  CodeEntry* entry = code_entry(code, true);
  return entry && !entry->excluded && calls_are_ours(function);
}

// What a call of something unknown calls. When it has been one of a few functions often enough the
// code is made again with a branch for each.
void on_callee_met(OperandCache* cache, PyObject* callee) {
  using Site = Feedback::Site;
  auto* function = reinterpret_cast<PyFunctionObject*>(callee);
  auto* unit = static_cast<Unit*>(cache->owner);
  const SiteCache& place = unit->caches[cache->site];
  CodeEntry* entry = code_entry(place.code, false);
  CodeEntry* own = code_entry(unit->python_code, false);
  if (unit->retired || !entry || !own || !may_be_promoted(callee)) {
    if (++cache->changes > OperandCache::kMostChanges) cache->asking = false;
    return;
  }
  Site& site = history_of(entry)->feedback.sites[place.bci];
  int k = 0;
  while (k < Site::kFunctions && site.functions[k] != function && is_noted(site.functions[k])) k++;
  if (k == Site::kFunctions) {  // too many to tell them apart
    cache->asking = false;
    site.noted = true;
    return;
  }
  note_function(function);
  site.functions[k] = function;
  if (++cache->hits < OperandCache::kEnough) return;
  if (!own->bound && !compiler_may_spend(Py_SIZE(own->code))) {
    cache->hits = 0;  // later, or not at all: to ask costs each call something
    if (++cache->changes > OperandCache::kMostChanges) cache->asking = false;
    return;
  }
  cache->asking = false;
  site.met = true;
  site.generic = false;
  drop(own, unit, "it met functions to be made again for");
}

// Measured, and the interpreter was faster.
void on_lost(CodeEntry* entry, int target) {
  if (target == kEntryCall) return note_reason(entry, ir::Reason::Slower, 0);
  CodeHistory* history = history_of(entry);
  for (size_t i = history->units.size(); i-- > 0;)
    if (history->units[i]->target == target)
      drop(entry, history->units[i], ir::reason_message(ir::Reason::Slower));
  refuse_loop(entry, target, ir::Reason::Slower);
  history->slow_loop = true;
}

}  // namespace

void start_feedback() {
  g_exit_hook = on_exit;
  g_result_misfits = result_misfits;
  g_lost = on_lost;
  g_attribute_met = on_attribute_met;
  g_operands_met = on_operands_met;
  g_callee_met = on_callee_met;
}

}  // namespace psyco
