// Per-site memory of the attribute and name helpers. One zeroed record per site; nothing to
// release: objects are borrowed and only used while the version beside them holds, which keeps them
// alive.
#pragma once
#include <cstdint>

typedef struct _object PyObject;

namespace psyco {

struct AttrEntry {
  uint32_t version = 0;  // version tag of the object's type; 0: empty
  uint8_t kind = 0;      // attributes.cpp: Kind
  uint8_t flags = 0;
  int32_t index = 0;           // inline value, dictionary entry, or byte offset of a slot
  uint32_t keys_version = 0;   // of the shared keys, or the version tag of the class read from
  PyObject* object = nullptr;  // descriptor or value
};

struct AttrCache {
  static constexpr int kWays = 4;
  AttrEntry entries[kWays];
  uint16_t misses = 0;
  uint16_t pause = 0;  // lookups to let pass before learning again
  // The site's code wants to know what comes by here: one object in 2 ** kSampledBits of so many
  // lookups, and the last.
  static constexpr uint32_t kSampledBits = 4;
  uint32_t watched = 0;  // lookups still to come
  bool patient = false;  // for the second time: there is little to gain
  uint32_t site = 0;     // for the one who asked
  void* owner = nullptr;
};
// Told of such an object, before the lookup. May not run Python code.
extern void (*g_attribute_met)(AttrCache* cache, PyObject* object, PyObject* name, bool store);

struct GlobalCache {
  int32_t index = -1;  // entry in globals, or in builtins if globals_version is not 0
  uint32_t globals_version = 0;
  uint32_t misses = 0;  // too many: the site stops learning
};

// The types that an operator's operands have, where the front end could not tell: Op::NoteTypes.
struct OperandCache {
  bool asking = false;                     // first: machine code reads it
  static constexpr uint16_t kEnough = 30;  // meetings with the same types
  static constexpr uint16_t kMostChanges = 8;
  bool callee = false;  // of a call: the operand is what is called, and is told each time
  uint16_t hits = 0, changes = 0;
  const void* types[2] = {};  // compared only: they may be gone
  uint32_t site = 0;          // for the one who asked
  void* owner = nullptr;
};
// Told when there are enough, before the operation. May not run Python code.
extern void (*g_operands_met)(OperandCache* cache);
// Told of what is called, before the call. May not run Python code.
extern void (*g_callee_met)(OperandCache* cache, PyObject* callee);

}  // namespace psyco
