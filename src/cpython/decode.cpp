// Raw code units to neutral instructions, by bytecodes.def and the version's own_bytecodes.def.
//
// Two views of the code are walked in step: the clean opcodes (PyCode_GetCode undoes specialisation
// and instrumentation) say what the program is, the live bytes say how it ran.
#include <cstring>

#include "cpython/bytecode.h"
#include "support/check.h"

namespace psyco {
namespace {

enum class JumpKind : uint8_t { None, Forward, Backward, ForwardPastEndFor };
constexpr int kMaxMicroOps = 2;

struct Micro {
  int op;
  int arg = 0, arg2 = 0;
};
constexpr int Omit = -1;
// Argument of LoadConst for what the instruction itself stands for.
constexpr int special_constant(int raw, int a) { return -1 - (raw << 8 | a); }
#define NEUTRAL(name, pops, pushes, flags, text) \
  constexpr int name = static_cast<int>(NeutralOp::name);
#include "cpython/neutral.def"
#undef NEUTRAL

// Number of micro-ops, or -1 for an opcode that never occurs in a code object.
int expand(int opcode, int a, Micro out[kMaxMicroOps]) {
  switch (opcode) {
#define JUMP_KIND(raw, kind)
#define MAP(raw, caches, ...)                                    \
  case raw: {                                                    \
    const Micro list[] = {__VA_ARGS__};                          \
    static_assert(sizeof(list) / sizeof(Micro) <= kMaxMicroOps); \
    int count = 0;                                               \
    for (const Micro& micro : list)                              \
      if (micro.op != Omit) out[count++] = micro;                \
    return count;                                                \
  }
#include "cpython/bytecodes.def"
#include "own_bytecodes.def"
#undef MAP
#undef JUMP_KIND
  }
  return -1;
}

struct RawInfo {
  bool known = false;
  uint8_t caches = 0;
  JumpKind jump = JumpKind::None;
};
struct RawTable {
  RawInfo info[256] = {};
  RawTable() {
#define MAP(raw, cache_units, ...) \
  info[raw].known = true;          \
  info[raw].caches = cache_units;
#define JUMP_KIND(raw, kind) info[raw].jump = JumpKind::kind;
#include "cpython/bytecodes.def"
#include "own_bytecodes.def"
#undef MAP
#undef JUMP_KIND
    info[EXTENDED_ARG].known = true;
  }
};
const RawInfo& raw_info(int opcode) {
  static const RawTable table;
  return table.info[opcode];
}

constexpr uint8_t kFlags[] = {
#define R kMayRaise
#define P kRunsPython
#define S kPolls
#define J kJumps
#define T kEndsBlock
#define N kHasName
#define C kHasConst
#define NEUTRAL(name, pops, pushes, flags, text) static_cast<uint8_t>(flags),
#include "cpython/neutral.def"
#undef NEUTRAL
#undef R
#undef P
#undef S
#undef J
#undef T
#undef N
#undef C
};

PyObject* object_of(PyCodeObject* code, NeutralOp op, int arg) {
  if (neutral_flags(op) & kHasName) return PyTuple_GET_ITEM(code->co_names, arg);
  if (neutral_flags(op) & kHasConst)
    return arg < 0 ? Port::constant_of((-1 - arg) >> 8, (-1 - arg) & 255)
                   : PyTuple_GET_ITEM(code->co_consts, arg);
  return nullptr;
}

// The state of the adaptive counter. Jumps count nothing of this kind, their units are branch
// history; and RESUME becomes another opcode when it first runs, whatever it sees.
Heat heat_of(int clean, int live, uint16_t counter, const RawInfo& info) {
  if (!info.caches || clean == RESUME || info.jump == JumpKind::Backward ||
      (info.jump == JumpKind::Forward && clean != SEND))
    return Heat::Unknown;
  if (live != clean) return live < MIN_INSTRUMENTED_OPCODE ? Heat::Hot : Heat::Unknown;
  uint16_t backoff = counter & ((1 << Port::kBackoffBits) - 1);
  uint16_t value = counter >> Port::kBackoffBits;
  if (backoff > ADAPTIVE_WARMUP_BACKOFF) return Heat::Failed;
  if (backoff == ADAPTIVE_WARMUP_BACKOFF && value == ADAPTIVE_WARMUP_VALUE) return Heat::Cold;
  return Heat::Warm;
}

const uint8_t* read_varint(const uint8_t* p, int* out) {
  int value = *p & 63;
  while (*p & 64) value = value << 6 | (*++p & 63);
  *out = value;
  return p + 1;
}

void decode_handlers(PyCodeObject* code, DecodedCode& out) {
  auto* p = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(code->co_exceptiontable));
  auto* end = p + PyBytes_GET_SIZE(code->co_exceptiontable);
  while (p < end) {
    int start, size, target, depth_lasti;
    p = read_varint(p, &start);
    p = read_varint(p, &size);
    p = read_varint(p, &target);
    p = read_varint(p, &depth_lasti);
    out.handlers.push_back(
        {start, start + size, target, -1, depth_lasti >> 1, bool(depth_lasti & 1)});
  }
}

}  // namespace

const char* neutral_name(NeutralOp op) {
  static const char* const names[] = {
#define NEUTRAL(name, pops, pushes, flags, text) #name,
#include "cpython/neutral.def"
#undef NEUTRAL
  };
  return names[static_cast<int>(op)];
}

uint8_t neutral_flags(NeutralOp op) { return kFlags[static_cast<int>(op)]; }

bool neutral_names_local(NeutralOp op) {
  return (op >= NeutralOp::LoadLocal && op <= NeutralOp::MakeCell) ||
         (op >= NeutralOp::LoadCell && op <= NeutralOp::DeleteCell) ||
         op == NeutralOp::LoadFromOrCell;
}

int neutral_pops(const Bytecode& bc) {
  [[maybe_unused]] const int a = bc.arg, b = bc.arg2, I = Port::kIterSlots,
                             W = Port::kWithSlots - 1;
  switch (bc.op) {
#define NEUTRAL(name, pops, pushes, flags, text) \
  case NeutralOp::name:                          \
    return pops;
#include "cpython/neutral.def"
#undef NEUTRAL
  }
  return 0;
}

int neutral_pushes(const Bytecode& bc) {
  [[maybe_unused]] const int a = bc.arg, b = bc.arg2, I = Port::kIterSlots,
                             W = Port::kWithSlots - 1;
  switch (bc.op) {
#define NEUTRAL(name, pops, pushes, flags, text) \
  case NeutralOp::name:                          \
    return pushes;
#include "cpython/neutral.def"
#undef NEUTRAL
  }
  return 0;
}

const HandlerEntry* DecodedCode::handler_at(int bci) const {
  for (const HandlerEntry& entry : handlers) {
    if (entry.start > bci) break;
    if (bci < entry.end) return &entry;
  }
  return nullptr;
}

DecodedCode decode(PyCodeObject* code) {
  DecodedCode out;
  out.code = code;
  PyObject* clean_bytes = PyCode_GetCode(code);
  if (!clean_bytes) {
    PyErr_Clear();
    return out;
  }
  const auto* clean = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(clean_bytes));
  const int units = static_cast<int>(Py_SIZE(code));
  // One copy under the GIL: the live bytes change as the program runs.
  std::vector<uint16_t> live(units);
  std::memcpy(live.data(), _PyCode_CODE(code), units * sizeof(uint16_t));

  out.index_of_bci.assign(units + 1, -1);
  out.list.reserve(units);
  std::vector<int32_t> jump_to;  // by list index: destination in code units, -1 none
  jump_to.reserve(units);
  out.ok = true;
  for (int unit = 0; unit < units && out.ok;) {
    const int start = unit;
    int arg = 0;
    while (unit < units && clean[2 * unit] == EXTENDED_ARG)
      arg = (arg | clean[2 * unit++ + 1]) << 8;
    if (unit >= units) {
      out.ok = false;
      break;
    }
    const int opcode = clean[2 * unit];
    arg |= clean[2 * unit + 1];
    const RawInfo& info = raw_info(opcode);
    Micro micros[kMaxMicroOps];
    const int count = expand(opcode, arg, micros);
    const int next = unit + 1 + info.caches;
    if (count <= 0 || next > units) {
      out.ok = false;
      break;
    }
    const int index = static_cast<int>(out.list.size());
    for (int u = start; u <= unit; u++) out.index_of_bci[u] = index;

    int destination = -1;
    switch (info.jump) {
      case JumpKind::None:
        break;
      case JumpKind::Forward:
        destination = next + arg;
        break;
      case JumpKind::Backward:
        destination = next - arg;
        break;
      case JumpKind::ForwardPastEndFor:
        destination = next + arg + 1;
        break;
    }
    const int live_opcode = live[unit] & 255;
    for (int k = 0; k < count; k++) {
      Bytecode bc;
      bc.op = static_cast<NeutralOp>(micros[k].op);
      bc.arg = micros[k].arg;
      bc.arg2 = micros[k].arg2;
      bc.object = object_of(code, bc.op, bc.arg);
      bc.bci = unit;
      bc.start_bci = start;
      bc.next_bci = next;
      bc.first_of_raw = k == 0;
      bc.last_of_raw = k == count - 1;
      if (info.caches) {
        std::memcpy(bc.cache, &live[unit + 1], info.caches * sizeof(uint16_t));
        bc.heat = heat_of(opcode, live_opcode, live[unit + 1], info);
      }
      if (live_opcode != opcode && live_opcode < MIN_INSTRUMENTED_OPCODE &&
          live_opcode != ENTER_EXECUTOR)
        bc.adaptive = static_cast<uint8_t>(live_opcode);
      out.list.push_back(bc);
      jump_to.push_back(k == count - 1 ? destination : -1);
    }
    unit = next;
  }
  Py_DECREF(clean_bytes);
  decode_handlers(code, out);
  if (!out.ok) return out;

  out.leader.assign(out.list.size(), 0);
  auto lead = [&](int index) {
    if (index >= 0 && index < static_cast<int>(out.leader.size())) out.leader[index] = 1;
  };
  lead(0);
  for (size_t i = 0; i < out.list.size(); i++) {
    Bytecode& bc = out.list[i];
    if (jump_to[i] >= 0) {
      bc.target = out.index_at(jump_to[i]);
      if (bc.target < 0) out.ok = false;
      lead(bc.target);
    }
    if (neutral_flags(bc.op) & (kJumps | kEndsBlock)) lead(static_cast<int>(i) + 1);
  }
  for (HandlerEntry& entry : out.handlers) {
    entry.target = out.index_at(entry.target_bci);
    if (entry.target < 0) out.ok = false;
    lead(entry.target);
  }
  return out;
}

int following_unit(PyCodeObject* code, int bci) {
  // decode() has been here before, so the clean bytes are cached and this allocates nothing.
  PyObject* clean_bytes = PyCode_GetCode(code);
  if (!clean_bytes) Py_FatalError("psyco: no memory for the bytecode of a running function");
  const auto* clean = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(clean_bytes));
  const int result = bci + 1 + raw_info(clean[2 * bci]).caches;
  Py_DECREF(clean_bytes);
  return result;
}

bool has_loops(PyCodeObject* code) {
  PyObject* bytes = PyCode_GetCode(code);
  if (!bytes) {
    PyErr_Clear();
    return true;
  }
  const auto* clean = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(bytes));
  bool found = false;
  const auto units = static_cast<int>(Py_SIZE(code));
  for (int unit = 0; unit < units && !found; unit += 1 + raw_info(clean[2 * unit]).caches)
    found =
        raw_info(clean[2 * unit]).jump == JumpKind::Backward || !raw_info(clean[2 * unit]).known;
  Py_DECREF(bytes);
  return found;
}

int entry_unit(PyCodeObject* code, int bci) {
  // The unit before can look like EXTENDED_ARG only if it is one, or a cache unit: then walk from
  // the start. EXTENDED_ARG is never specialised, but a tool may have replaced its byte.
  const auto* units = reinterpret_cast<const uint8_t*>(_PyCode_CODE(code));
  if (bci == 0) return 0;
  const uint8_t before = units[2 * (bci - 1)];
  if (before != EXTENDED_ARG && before < MIN_INSTRUMENTED_OPCODE) return bci;
  PyObject* clean_bytes = PyCode_GetCode(code);
  if (!clean_bytes) Py_FatalError("psyco: no memory for the bytecode of a running function");
  const auto* clean = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(clean_bytes));
  int result = bci;
  for (int unit = 0; unit <= bci;) {
    const int start = unit;
    while (clean[2 * unit] == EXTENDED_ARG) unit++;
    if (unit == bci) {
      result = start;
      break;
    }
    unit += 1 + raw_info(clean[2 * unit]).caches;
  }
  Py_DECREF(clean_bytes);
  return result;
}

}  // namespace psyco
