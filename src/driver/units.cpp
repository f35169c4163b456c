// Units hold objects, and through them often themselves: a recursive function, a method whose code
// guards on its class, two functions that call each other. The way back, from a code object to its
// co_extra, is one the collector does not see. So units hold what they hold only while it is not
// at work: before a collection every unit that is not running lends its objects out, keeping weak
// references, and cannot be entered; after it the unit takes them back, or dies because one of them
// did. A unit that has lived through collections has no objects that are younger: those of younger
// generations only do not concern it.
#include "driver/units.h"

#include <algorithm>
#include <utility>

#include "driver/ending.h"
#include "runtime/activation.h"
#include "runtime/governor.h"
#include "runtime/parked.h"
#include "runtime/poll.h"
#include "runtime/watch.h"

namespace psyco {

CodeMemory* g_memory;

namespace {

std::list<CodeEntry*> g_entries;  // those with a history
constexpr int kOldest = 2;
// The same by CodeHistory::youngest: a collection looks at those it may concern.
std::list<CodeEntry*> g_by_age[kOldest + 1];
std::vector<Unit*> g_graveyard;     // retired, perhaps still running
std::vector<PyObject*> g_unwanted;  // owned
bool g_burial_due = false;
std::vector<Unit*> g_broken;  // their code has become invalid, and they are not retired
int g_lent = -1;              // objects of this generation and younger are lent; -1: none are

bool inlines(const CompiledCode* body, const PyCodeObject* code) {
  return std::any_of(body->frames.begin() + 1, body->frames.end(),
                     [code](const FrameMeta& frame) { return frame.code == code; });
}

void local_events_changed(const PyCodeObject* code) {
  for (CodeEntry* entry : g_entries) {
    const bool concerned =
        std::any_of(entry->versions.begin(), entry->versions.end(),
                    [code](const Version& version) { return inlines(version.code, code); });
    if (concerned) link_cells(entry);
  }
}

int bury_soon(void*) {
  g_burial_due = false;
  bury_the_dead();
  return 0;
}

// Gives back what an invalid unit embeds. `all` may run Python code; otherwise what nobody else
// holds stays, and what dies because the program lets go of it now does so now. Code objects stay
// till the end: they say whose code it was.
void give_back(CompiledCode* code, bool all) {
  auto* unit = static_cast<Unit*>(code->owner);
  if (!unit || code_is_executing(code)) return;
  std::vector<PyObject*> kept, dropped;
  for (PyObject* object : unit->objects) {
    if (PyCode_Check(object) || (!all && Py_REFCNT(object) == 1))
      kept.push_back(object);
    else if (all)
      dropped.push_back(object);
    else
      Py_DECREF(object);
  }
  unit->objects = std::move(kept);
  for (PyObject* object : dropped) Py_DECREF(object);
}

void invalid_code_left(CompiledCode* code) { give_back(code, true); }

// Code broke, or an activation of broken code ended: between two instructions of the main thread
// there is time for it.
void burial_is_due(CompiledCode* code, bool broken) {
  give_back(code, false);
  auto* unit = static_cast<Unit*>(code->owner);
  if (broken && unit && !unit->retired && !unit->broken) {
    unit->broken = true;
    g_broken.push_back(unit);
  }
  if (!g_burial_due && Py_AddPendingCall(bury_soon, nullptr) == 0) g_burial_due = true;
}

// To be dropped when all lists are in order again: to drop one may run anything.
void give_up_types(CodeHistory* history, std::vector<PyObject*>& dropped) {
  for (auto& [bci, site] : history->feedback.sites)
    for (PyTypeObject*& type : site.types)
      if (type) dropped.push_back(reinterpret_cast<PyObject*>(std::exchange(type, nullptr)));
  for (const LentType& lent : history->lent) dropped.push_back(lent.reference);
  history->lent.clear();
}

void entry_dies(CodeEntry* entry) {
  governor_forget(entry);
  auto* history = static_cast<CodeHistory*>(entry->driver);
  if (!history) return;
  g_entries.erase(history->place);
  g_by_age[history->youngest].erase(history->place_by_age);
  while (!history->units.empty()) retire_unit(entry, history->units.back());
  entry->driver = nullptr;
  std::vector<PyObject*> types;
  give_up_types(history, types);
  delete history;
  for (PyObject* type : types) Py_DECREF(type);
  bury_the_dead();
}

}  // namespace

static void set_youngest(CodeHistory* history, int generation) {
  if (history->youngest == generation) return;
  std::list<CodeEntry*>& list = g_by_age[generation];
  list.splice(list.end(), g_by_age[history->youngest], history->place_by_age);
  history->youngest = generation;
}

void make_young(CodeHistory* history, int& generation) {
  generation = 0;
  set_youngest(history, 0);
}

CodeHistory* history_of(CodeEntry* entry) {
  if (!entry->driver) {
    auto* history = new CodeHistory;
    entry->driver = history;
    history->place = g_entries.insert(g_entries.end(), entry);
    history->place_by_age = g_by_age[0].insert(g_by_age[0].end(), entry);
  }
  return static_cast<CodeHistory*>(entry->driver);
}

void link_cells(CodeEntry* entry) {
  for (auto& cell : history_of(entry)->cells) {
    cell->body = nullptr;
    cell->code = nullptr;
    for (const Version& version : entry->versions) {
      if (!version.simple || !may_enter(version.code) || !body_allowed(version.code) ||
          native_signature(version) != cell->signature)
        continue;
      auto* unit = static_cast<Unit*>(version.code->owner);
      if (!unit) continue;
      cell->body = version.code->entry;
      auto& links = version.code->links;
      if (std::find(links.begin(), links.end(), cell.get()) == links.end())
        links.push_back(cell.get());
      cell->code = version.code;
      cell->record_bytes = direct_record_bytes(version.code);
      cell->result = unit->result;
    }
  }
}

void free_unit(Unit* unit) {
  if (unit->broken)
    g_broken.erase(std::remove(g_broken.begin(), g_broken.end(), unit), g_broken.end());
  disown_code(unit->code);
  g_memory->free(unit->code);
  delete unit->code;
  std::vector<PyObject*> objects = std::move(unit->objects);
  for (const Lent& lent : unit->lent) objects.push_back(lent.reference);
  delete unit;
  for (PyObject* object : objects) Py_XDECREF(object);
}

uint64_t exits_so_far(const Unit* unit) {
  uint64_t sum = 0;
  for (uint32_t count : unit->code->exit_counts) sum += count;
  return sum;
}

void forget_feedback(CodeHistory* history) {
  std::vector<PyObject*> types;
  give_up_types(history, types);
  history->feedback.sites.clear();
  for (PyObject* type : types) Py_DECREF(type);
}

const std::list<CodeEntry*>& known_entries() { return g_entries; }

void retire_unit(CodeEntry* entry, Unit* unit) {
  if (unit->retired) return;
  unit->retired = true;
  history_of(entry)->entries += state_of(unit->code)->entries;
  history_of(entry)->exits += exits_so_far(unit);
  retire_code(unit->code);
  remove_version(entry, unit->code);
  link_cells(entry);
  auto& units = history_of(entry)->units;
  units.erase(std::remove(units.begin(), units.end(), unit), units.end());
  g_graveyard.push_back(unit);
}

static void retire_broken() {
  const std::vector<Unit*> broken = std::exchange(g_broken, {});
  for (Unit* unit : broken) {
    unit->broken = false;
    if (!unit->retired) retire_unit(code_entry(unit->python_code, false), unit);
  }
}

void release_later(PyObject* object) { g_unwanted.push_back(object); }

void bury_the_dead() {
  retire_broken();
  const std::vector<PyObject*> unwanted = std::exchange(g_unwanted, {});
  for (PyObject* object : unwanted) Py_DECREF(object);
  // To free one may run a finaliser that comes here again: what is free belongs to this call.
  std::vector<Unit*> free;
  const auto in_use = [](const Unit* unit) { return code_in_use(unit->code); };
  const auto rest = std::stable_partition(g_graveyard.begin(), g_graveyard.end(), in_use);
  free.assign(rest, g_graveyard.end());
  g_graveyard.erase(rest, g_graveyard.end());
  for (Unit* unit : free) free_unit(unit);
}

// ---------------------------------------------------------------- eviction

namespace {

struct Candidate {
  CodeEntry* entry;
  Unit* unit;
  uint64_t entered;
};

// Calls from body to body are not counted: who is called is as warm as its callers, which keep the
// function object.
void warm_callees(std::vector<Candidate>& all) {
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.entry < b.entry; });
  bool changed = true;
  for (int round = 0; changed && round < 16; round++) {
    changed = false;
    for (size_t i = 0; i < all.size(); i++)
      for (PyObject* object : all[i].unit->objects) {
        if (!PyFunction_Check(object)) continue;
        PyObject* code = reinterpret_cast<PyFunctionObject*>(object)->func_code;
        CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(code), false);
        auto at =
            std::lower_bound(all.begin(), all.end(), entry,
                             [](const Candidate& c, const CodeEntry* e) { return c.entry < e; });
        for (; at != all.end() && at->entry == entry; ++at)
          if (at->entered < all[i].entered) {
            at->entered = all[i].entered;
            changed = true;
          }
      }
  }
}

}  // namespace

void evict_to(size_t bytes) {
  std::vector<Candidate> all;
  for (CodeEntry* entry : g_entries)
    for (Unit* unit : history_of(entry)->units)
      all.push_back({entry, unit, state_of(unit->code)->entered});
  warm_callees(all);
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.entered < b.entered; });
  size_t used = g_memory->bytes_used();
  for (const Candidate& c : all) {
    if (used <= bytes) break;
    if (code_in_use(c.unit->code)) continue;
    used -= std::min(used, c.unit->code->size);
    history_of(c.entry)->compiles--;  // to compile it again is no new attempt
    history_of(c.entry)->compiles_at[c.unit->target]--;
    history_of(c.entry)->dropped = "it made room for other code";
    retire_unit(c.entry, c.unit);
    g_totals.evicted++;
  }
  bury_the_dead();
}

bool make_room() {
  const auto limit = static_cast<size_t>(g_options.code_limit);
  if (g_memory->bytes_used() <= limit) return true;
  evict_to(limit / 4 * 3);
  return g_memory->bytes_used() <= limit;
}

size_t code_bytes_in_use() { return g_memory ? g_memory->bytes_used() : 0; }

// ---------------------------------------------------------------- collections of garbage

namespace {

bool has_item(PyObject* tuple, const PyObject* object) {
  for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++)
    if (PyTuple_GET_ITEM(tuple, i) == object) return true;
  return false;
}

// As a cell of its closure or a default.
bool owns(PyFunctionObject* function, const PyObject* object) {
  if (has_item(function->func_closure, object) || has_item(function->func_defaults, object))
    return true;
  PyObject *key, *value;
  for (Py_ssize_t at = 0;
       function->func_kwdefaults && PyDict_Next(function->func_kwdefaults, &at, &key, &value);)
    if (value == object) return true;
  return false;
}

// What cannot be referred to weakly lives as long as a function that the body knows, too.
PyObject* function_with(const Unit* unit, const PyObject* object) {
  for (PyObject* owner : unit->objects)
    if (PyFunction_Check(owner) && owns(reinterpret_cast<PyFunctionObject*>(owner), object))
      return owner;
  return nullptr;
}

// Something weak to stand for an object that the collector knows; null if there is none. `unit`
// may be null.
PyObject* weak_stand_in(PyObject* object, const Unit* unit) {
  if (!PyObject_GC_IsTracked(object)) return nullptr;
  if (PyDict_CheckExact(object)) return watch_death(object) ? Py_NewRef(Py_None) : nullptr;
  if (!PyType_SUPPORTS_WEAKREFS(Py_TYPE(object))) {
    object = unit ? function_with(unit, object) : nullptr;
    if (!object) return nullptr;
  }
  PyObject* reference = PyWeakref_NewRef(object, nullptr);
  if (!reference) PyErr_Clear();
  return reference;
}

// A new reference, or null if the object died.
PyObject* taken_back(const Lent& lent) {
  if (lent.reference == Py_None) return died(lent.object) ? nullptr : Py_NewRef(lent.object);
  PyObject* object = nullptr;
  if (PyWeakref_GetRef(lent.reference, &object) < 0) PyErr_Clear();
  if (!object || !lent.object || object == lent.object) return object;
  // Of its owner: a default may have been replaced meanwhile.
  const bool there = owns(reinterpret_cast<PyFunctionObject*>(object), lent.object);
  PyObject* owned = there ? Py_NewRef(lent.object) : nullptr;
  Py_DECREF(object);
  return owned;
}

void lend(Unit* unit, std::vector<PyObject*>& dropped) {
  state_of(unit->code)->lent = true;
  std::vector<PyObject*> kept;
  for (PyObject* object : unit->objects) {
    PyObject* reference = weak_stand_in(object, unit);
    (reference ? dropped : kept).push_back(object);
    if (reference) unit->lent.push_back({reference, object});
  }
  unit->objects = std::move(kept);
}

void lend_types(CodeHistory* history, std::vector<PyObject*>& dropped) {
  for (auto& [bci, site] : history->feedback.sites)
    for (int k = 0; k < static_cast<int>(std::size(site.types)); k++) {
      auto* type = reinterpret_cast<PyObject*>(site.types[k]);
      PyObject* reference = type ? weak_stand_in(type, nullptr) : nullptr;
      if (!reference) continue;
      history->lent.push_back({reference, bci, k});
      site.types[k] = nullptr;
      dropped.push_back(type);
    }
}

void lend_objects_of(CodeEntry* entry, int generation, std::vector<PyObject*>& dropped) {
  CodeHistory* history = history_of(entry);
  bool any = false;
  for (Unit* unit : history->units) {
    if (unit->generation > generation || code_in_use(unit->code)) continue;
    lend(unit, dropped);
    any = true;
  }
  if (any) link_cells(entry);
  if (history->generation <= generation) lend_types(history, dropped);
}

// Of the generations that are collected now.
void lend_objects(int generation) {
  std::vector<PyObject*> dropped;  // at the end: to drop one may run anything
  g_lent = generation;
  for (int age = 0; age <= generation; age++)
    for (CodeEntry* entry : g_by_age[age]) lend_objects_of(entry, generation, dropped);
  for (PyObject* object : dropped) Py_DECREF(object);
}

void take_back(Unit* unit, std::vector<PyObject*>& dropped) {
  state_of(unit->code)->lent = false;
  for (const Lent& lent : unit->lent) {
    if (PyObject* object = taken_back(lent))
      unit->objects.push_back(object);
    else
      retire_code(unit->code);
    dropped.push_back(lent.reference);
  }
  unit->lent.clear();
}

void take_types_back(CodeHistory* history, std::vector<PyObject*>& dropped) {
  for (const LentType& lent : history->lent) {
    PyObject* type = taken_back({lent.reference, nullptr});
    PyTypeObject*& slot = history->feedback.sites[lent.bci].types[lent.operand];
    if (slot)
      dropped.push_back(type);
    else
      slot = reinterpret_cast<PyTypeObject*>(type);
    dropped.push_back(lent.reference);
  }
  history->lent.clear();
}

void take_back_and_age(CodeEntry* entry, int generation, std::vector<PyObject*>& dropped) {
  CodeHistory* history = history_of(entry);
  int youngest = kOldest;
  const auto grow_older = [&](int& own) {
    if (own <= generation) own = std::min(generation + 1, kOldest);
    youngest = std::min(youngest, own);
  };
  bool any = false;
  for (Unit* unit : history->units) {
    any |= state_of(unit->code)->lent;
    take_back(unit, dropped);
    grow_older(unit->generation);
  }
  if (any) link_cells(entry);
  take_types_back(history, dropped);
  grow_older(history->generation);
  set_youngest(history, youngest);
}

void take_objects_back() {
  std::vector<PyObject*> dropped;
  for (int age = g_lent; age >= 0; age--)
    for (auto it = g_by_age[age].begin(); it != g_by_age[age].end();)
      take_back_and_age(*it++, g_lent, dropped);  // goes to an older list, if there is one
  forget_deaths();
  g_lent = -1;
  for (PyObject* object : dropped) Py_XDECREF(object);
  bury_the_dead();
}

bool anything_of(int generation) {
  for (int age = 0; age <= generation; age++)
    if (!g_by_age[age].empty()) return true;
  return false;
}

PyObject* on_collection(PyObject*, PyObject* args) {
  const char* phase;
  PyObject* info;
  if (!PyArg_ParseTuple(args, "sO!", &phase, &PyDict_Type, &info)) return nullptr;
  if (Py_IsFinalizing()) {
    end_everything();
    Py_RETURN_NONE;
  }
  unpark_some();  // where there are no events, there are collections
  review_verdicts();
  PyObject* number = PyDict_GetItemString(info, "generation");
  const long generation = number ? PyLong_AsLong(number) : -1;
  if (generation < 0 || generation > kOldest) Py_RETURN_NONE;
  // A start without its end is possible: the list of callbacks is everybody's.
  if (objects_are_lent()) take_objects_back();
  if (phase[0] == 's' && phase[2] == 'a' && anything_of(static_cast<int>(generation))) {
    bury_the_dead();  // what they hold could be garbage too
    lend_objects(static_cast<int>(generation));
  }
  Py_RETURN_NONE;
}

PyMethodDef g_collection_method = {"psyco", on_collection, METH_VARARGS, nullptr};

bool watch_collections() {
  PyObject* module = PyImport_ImportModule("gc");
  PyObject* list = module ? PyObject_GetAttrString(module, "callbacks") : nullptr;
  PyObject* callback = list ? PyCFunction_New(&g_collection_method, nullptr) : nullptr;
  const bool ok = callback && PyList_Append(list, callback) == 0;
  Py_XDECREF(callback);
  Py_XDECREF(list);
  Py_XDECREF(module);
  return ok;
}

}  // namespace

bool objects_are_lent() { return g_lent >= 0; }

// ---------------------------------------------------------------- the end

static void give_up_objects(Unit* unit, std::vector<PyObject*>& dropped) {
  dropped.insert(dropped.end(), unit->objects.begin(), unit->objects.end());
  for (const Lent& lent : unit->lent) dropped.push_back(lent.reference);
  unit->objects.clear();
  unit->lent.clear();
}

// Memory is left to the process: to free it would take time.
void stop_units() {
  g_entry_dies = nullptr;
  g_burial_due_hook = nullptr;
  g_invalid_code_left = nullptr;
  g_lent = kOldest;                // and nothing is compiled
  std::vector<PyObject*> dropped;  // at the end: to drop one may run anything
  for (CodeEntry* entry : g_entries) {
    entry->versions.clear();
    CodeHistory* history = history_of(entry);
    for (Unit* unit : history->units) give_up_objects(unit, dropped);
    give_up_types(history, dropped);
  }
  for (Unit* unit : g_graveyard) give_up_objects(unit, dropped);
  dropped.insert(dropped.end(), g_unwanted.begin(), g_unwanted.end());
  g_entries.clear();
  for (auto& list : g_by_age) list.clear();
  g_graveyard.clear();
  g_unwanted.clear();
  for (PyObject* object : dropped) Py_DECREF(object);
}

bool start_units() {
  g_entry_dies = entry_dies;
  g_burial_due_hook = burial_is_due;
  g_invalid_code_left = invalid_code_left;
  g_local_events_hook = local_events_changed;
  return watch_collections();
}

}  // namespace psyco
