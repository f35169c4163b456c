#include "fake_runtime.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace psyco {
__attribute__((weak)) uint64_t g_own_tools_bytes = 0;
__attribute__((weak)) EntryGlobals g_entering;
}  // namespace psyco

namespace psyco::test {

FakeRuntime* g_fake = nullptr;

uint64_t mix(uint64_t hash, uint64_t x) {
  hash ^= x + 0x9e3779b97f4a7c15ull + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdull;
}

uint64_t canonical(ir::SlotKind kind, uint64_t bits) {
  if (kind == ir::SlotKind::Float) {
    double x;
    std::memcpy(&x, &bits, 8);
    if (std::isnan(x)) return 0x7ff8000000000000ull;
  }
  if (kind == ir::SlotKind::Object && bits && g_fake->numbers_by_value) {
    // Numbers by value: which object holds one is the compiler's choice.
    const FakeObject* o = reinterpret_cast<const FakeObject*>(bits);
    if (o->type == &g_fake->int_type) return mix(1, static_cast<uint64_t>(g_fake->int_value(o)));
    if (o->type == &g_fake->float_type) {
      uint64_t number;
      std::memcpy(&number, &o->number, 8);
      return mix(2, canonical(ir::SlotKind::Float, number));
    }
  }
  return bits;
}

namespace {

constexpr int64_t kImmortal = 0xffffffff;

// Destroys the caller-saved registers, so that nothing survives a call by luck.
void trash() {
  asm volatile(
      "mov $0x7777777777777777, %%rax\n mov %%rax, %%rcx\n mov %%rax, %%rdx\n mov %%rax, %%rsi\n"
      "mov %%rax, %%rdi\n mov %%rax, %%r8\n mov %%rax, %%r9\n mov %%rax, %%r10\n mov %%rax, %%r11\n"
      "movq %%rax, %%xmm0\n movq %%rax, %%xmm1\n movq %%rax, %%xmm2\n movq %%rax, %%xmm3\n"
      "movq %%rax, %%xmm4\n movq %%rax, %%xmm5\n movq %%rax, %%xmm6\n movq %%rax, %%xmm7\n"
      "movq %%rax, %%xmm8\n movq %%rax, %%xmm9\n movq %%rax, %%xmm10\n movq %%rax, %%xmm11\n"
      "movq %%rax, %%xmm12\n movq %%rax, %%xmm13\n movq %%rax, %%xmm14\n movq %%rax, %%xmm15\n" ::
          : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
            "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
            "xmm13", "xmm14", "xmm15", "memory");
}

void look_at_site() {
  FakeRuntime& r = *g_fake;
  ExitRecord record = decode_record(*r.code, r.act->site);
  auto check = [&](const ExitSlot& s) {
    if (s.value.kind == Location::Gpr || s.value.kind == Location::Xmm) r.registers_at_site = true;
    if (s.box.kind == Location::Gpr) r.registers_at_site = true;
  };
  for (const ExitFrame& f : record.frames) {
    for (const ExitSlot& s : f.locals) check(s);
    for (const ExitSlot& s : f.stack) check(s);
  }
  for (uint64_t x : r.evaluate(record)) r.site_hash = mix(r.site_hash, x);
}

void fake_drop(Activation* act) {
  if (act->linked) {
    g_fake->linked--;
    g_fake->log.push_back("unlink");
  }
  act->linked = act->chain = 0;
  trash();
}
uint64_t fake_exit(Activation* act, uint32_t record, int exception) {
  FakeRuntime& r = *g_fake;
  if (reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) & 15) std::abort();
  r.exit.happened = true;
  r.exit.exception = exception;
  r.exit.record = decode_record(*r.code, record);
  r.exit.values = r.evaluate(r.exit.record);
  r.code->exit_counts[record]++;
  fake_drop(act);
  trash();
  return kExitResult;
}
void fake_link(Activation* act) {
  fake_drop(act);
  const ExitRecord site = decode_record(*g_fake->code, act->site);
  for (size_t i = 1; i < site.frames.size(); i++) act->linked_frames[act->linked++] = g_fake->frame;
  act->chain = static_cast<uint8_t>(site.frames.back().frame_index);
  g_fake->linked++;
  g_fake->log.push_back("link");
  trash();
}
void fake_dealloc(void* o) {
  g_fake->log.push_back("dealloc " + std::to_string(static_cast<FakeObject*>(o)->extra[0]));
  if (g_fake->leave_on_dealloc) g_fake->act->expected = kToldToLeave;
  trash();
}
int fake_unbox(void* object, int64_t* out) {
  FakeObject* o = static_cast<FakeObject*>(object);
  trash();
  if (o->extra[3]) {  // a big int that fits
    *out = o->extra[2];
    return 0;
  }
  return 1;
}
void fake_update_float(void** slot, double x) {
  FakeObject* o = static_cast<FakeObject*>(*slot);
  if (o->refcnt != kImmortal) o->refcnt--;
  *slot = g_fake->make_float(x);
  g_fake->log.push_back("update_float");
  trash();
}
void fake_update_int(void** slot, int64_t x) {
  FakeObject* o = static_cast<FakeObject*>(*slot);
  if (o->refcnt != kImmortal) o->refcnt--;
  *slot = g_fake->make_int(x);
  g_fake->log.push_back("update_int");
  trash();
}
void* fake_box_int(int64_t x) {
  void* o = g_fake->fail_helpers ? nullptr : g_fake->make_int(x);
  trash();
  return o;
}
void* fake_box_float(double x) {
  void* o = g_fake->fail_helpers ? nullptr : g_fake->make_float(x);
  trash();
  return o;
}
void* fake_binary_op(FakeObject* a, FakeObject* b, int64_t op) {
  look_at_site();
  g_fake->log.push_back("binary_op " + std::to_string(op));
  void* result = g_fake->fail_helpers
                     ? nullptr
                     : g_fake->make_int(g_fake->int_value(a) * 3 + g_fake->int_value(b) + op);
  trash();
  return result;
}
int64_t fake_is_true(FakeObject* a) {
  look_at_site();
  trash();
  return g_fake->fail_helpers ? -1 : g_fake->int_value(a) & 1;
}
void* fake_vectorcall(FakeObject* callable, FakeObject* self, FakeObject** args, int64_t count) {
  look_at_site();
  int64_t sum = callable->extra[0] * 1000 + (self ? self->extra[0] * 100 : 0);
  args[-1] = nullptr;
  for (int64_t i = 0; i < count; i++) sum = sum * 7 + (args[i] ? g_fake->int_value(args[i]) : -9);
  void* result = g_fake->make_int(sum);
  trash();
  return result;
}
void* fake_load_method(FakeObject* o, FakeObject* name, void*, FakeObject** out) {
  out[0] = o;
  trash();
  return name;
}
double fake_power(double a, double b) {
  double x = a * 0.5 + b;
  trash();
  return x;
}
void fake_unexpected() { std::abort(); }

}  // namespace

FakeRuntime::FakeRuntime() {
  g_fake = this;
  int_type.extra[0] = 1;
  small_ints = new FakeObject[262];
  layout.long_type = &int_type;
  layout.float_type = &float_type;
  layout.small_ints = small_ints;
  layout.small_int_size = sizeof(FakeObject);
  for (int i = 0; i < 262; i++) {
    int v = i - 5;
    small_ints[i].refcnt = kImmortal;
    small_ints[i].type = &int_type;
    small_ints[i].tag = v == 0 ? 1 : v < 0 ? 8 | 2 : 8;
    small_ints[i].digits[0] = static_cast<uint32_t>(std::abs(v));
  }
  true_object = make(nullptr);
  false_object = make(nullptr);
  none_object = make(nullptr);
  for (FakeObject* o : {true_object, false_object, none_object}) o->refcnt = kImmortal;
  layout.true_object = true_object;
  layout.false_object = false_object;
  layout.none_object = none_object;
  layout.float_free_list = &float_free;
  layout.float_free_count = &float_free_count;
  layout.ts_eval_breaker = 0;
  layout.frame_instr_ptr = 56;
  layout.frame_object = 48;
  layout.code_units = 200;
  for (void*& h : table.helpers) h = reinterpret_cast<void*>(fake_unexpected);
  auto set = [&](ir::Helper h, auto* f) {
    table.helpers[static_cast<int>(h)] = reinterpret_cast<void*>(f);
  };
  set(ir::Helper::box_int, fake_box_int);
  set(ir::Helper::box_float, fake_box_float);
  set(ir::Helper::binary_op, fake_binary_op);
  set(ir::Helper::is_true, fake_is_true);
  set(ir::Helper::vectorcall, fake_vectorcall);
  set(ir::Helper::load_method, fake_load_method);
  set(ir::Helper::power_float, fake_power);
  table.exit = fake_exit;
  table.link_frames = fake_link;
  table.unlink_frames = table.drop_frames = fake_drop;
  table.dealloc = fake_dealloc;
  table.unbox_big_int = fake_unbox;
  table.update_float_slot = fake_update_float;
  table.update_int_slot = fake_update_int;
}

FakeRuntime::~FakeRuntime() {
  for (FakeObject* o : all) delete o;
  delete[] small_ints;
  g_fake = nullptr;
}

FakeObject* FakeRuntime::make(const void* type) {
  FakeObject* o = new FakeObject;
  o->type = type;
  o->tag = 0;
  all.push_back(o);
  return o;
}
FakeObject* FakeRuntime::make_int(int64_t x) {
  FakeObject* o = make(&int_type);
  uint64_t a = x < 0 ? 0 - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  uint64_t n = a == 0 ? 0 : a < (1ull << 30) ? 1 : a < (1ull << 60) ? 2 : 3;
  o->tag = n << 3 | (x == 0 ? 1 : x < 0 ? 2 : 0);
  o->digits[0] = static_cast<uint32_t>(a & ((1u << 30) - 1));
  o->digits[1] = static_cast<uint32_t>(a >> 30 & ((1u << 30) - 1));
  o->extra[2] = x;
  o->extra[3] = n == 3;
  return o;
}
FakeObject* FakeRuntime::make_float(double x) {
  FakeObject* o = make(&float_type);
  o->number = x;
  return o;
}
void FakeRuntime::fill_free_list(int count) {
  float_free = nullptr;
  float_free_count = count;
  for (int i = 0; i < count; i++) float_free = make(float_free);
}
int64_t FakeRuntime::int_value(const FakeObject* o) const {
  uint64_t n = o->tag >> 3;
  if (n > 2) return o->extra[2];
  int64_t a = n == 0 ? 0 : o->digits[0];
  if (n == 2) a += static_cast<int64_t>(o->digits[1]) << 30;
  return (o->tag & 3) == 2 ? -a : a;
}

uint64_t FakeRuntime::value_at(const Location& l) {
  switch (l.kind) {
    case Location::None:
      return 0xdead;
    case Location::Gpr:
      return act->save_gpr[l.reg];
    case Location::Xmm: {
      uint64_t bits;
      std::memcpy(&bits, &act->save_xmm[l.reg], 8);
      return bits;
    }
    case Location::Spill:
      return static_cast<uint64_t>(act->spill[l.spill]);
    case Location::Imm:
    case Location::Object:
      return static_cast<uint64_t>(l.imm);
  }
  return 0;
}

std::vector<uint64_t> FakeRuntime::evaluate(const ExitRecord& record) {
  std::vector<uint64_t> out;
  auto add = [&](const ExitSlot& s) {
    if (s.kind != ir::SlotKind::Null && s.kind != ir::SlotKind::Virtual)
      out.push_back(canonical(s.kind, value_at(s.value)));
    if (s.box.kind != Location::None && numbers_by_value)
      out.push_back(canonical(ir::SlotKind::Object, value_at(s.box)));
  };
  for (const ExitFrame& f : record.frames) {
    for (const ExitSlot& s : f.locals) add(s);
    for (const ExitSlot& s : f.stack) add(s);
  }
  for (const ExitVirtual& v : record.virtuals)
    for (const ExitSlot& s : v.fields) add(s);
  return out;
}

uint64_t FakeRuntime::run(CompiledCode* compiled, std::vector<FakeObject*> args) {
  g_fake = this;
  code = compiled;
  activation_words.assign(sizeof(Activation) / 8 + compiled->spill_count + 8,
                          0x5555555555555555ull);
  act = reinterpret_cast<Activation*>(activation_words.data());
  uint64_t* guard = activation_words.data() + kSpillOffset / 8 + compiled->spill_count;
  *guard = 0x1234567812345678ull;
  act->tstate = &tstate;
  act->code = compiled;
  act->frame = frame;
  act->args = reinterpret_cast<void**>(args.data());
  act->function = none_object;
  act->site = kNoSite;
  act->linked = act->chain = 0;
  act->expected = 0;
  exit = ExitSeen{};
  site_hash = 0;
  log.clear();
  uint64_t result = memory.enter()(compiled->entry, act);
  if (*guard != 0x1234567812345678ull) std::abort();
  return result;
}

}  // namespace psyco::test
