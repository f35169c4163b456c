// Looks at what the driver, the governor and the counters have decided about a function. The order
// of the questions is that in which the runtime asks them: the first reason found is the one that
// keeps the function in the interpreter now.
#include "driver/why.h"

#include <algorithm>

#include "driver/driver.h"
#include "driver/units.h"
#include "runtime/entry.h"
#include "runtime/osr.h"
#include "runtime/wanted.h"

namespace psyco {

namespace {

std::string number(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string counted(uint64_t n, const char* what) {
  return number(n) + " " + what + (n == 1 ? "" : "s");
}

const char* name_of(PyCodeObject* code) {
  const char* name = PyUnicode_AsUTF8(code->co_qualname);
  if (!name) PyErr_Clear();
  return name ? name : "?";
}

// The functions in whose compiled code this one is walked in place, as "f" or "f, g and others".
std::string walked_in(const CodeEntry* entry) {
  std::string names;
  int found = 0;
  for (const CodeEntry* other : known_entries()) {
    if (other == entry) continue;
    const auto inlines = [entry](const Unit* unit) {
      const auto& frames = unit->code->frames;
      return std::any_of(frames.begin(), frames.end(),
                         [entry](const FrameMeta& frame) { return frame.code == entry->code; });
    };
    const std::vector<Unit*>& units = static_cast<const CodeHistory*>(other->driver)->units;
    if (!std::any_of(units.begin(), units.end(), inlines)) continue;
    if (++found > 3) return names + " and others";
    names += (names.empty() ? "" : ", ") + std::string(name_of(other->code));
  }
  return names;
}

// What keeps calls and loops alike from being compiled now; empty: nothing does.
std::string why_nothing(PyFunctionObject* function, const CodeEntry* entry) {
  if (entry && (entry->excluded || filter_refuses(entry)))
    return ir::reason_message(ir::Reason::Excluded);
  if (!g_compiling) return "nothing is compiled any more since runonly()";
  if (events_are_paused()) return "a debugger, tracer or profiler is active";
  if ((entry && entry->bound) || is_installed(function)) return {};
  if (monitoring_tool() < 0)
    return "psyco cannot count: other tools have all the numbers of sys.monitoring it may use";
  if (entry ? is_wanted(entry) : everything_is_watched()) return {};
  return "nobody asked for it: bind() and jit() do not cover it, full() is not on";
}

std::string dropped(const CodeHistory* history, int target) {
  const auto at = history->compiles_at.find(target);
  if (at == history->compiles_at.end()) return {};
  const char* why = history->dropped ? history->dropped : "an assumption of it broke";
  // What made room was no attempt, and does not count as one.
  if (at->second <= 0) return history->dropped ? std::string("the code was dropped: ") + why : "";
  return "compiled " + counted(static_cast<uint64_t>(at->second), "time") +
         ", and the code was dropped: " + why;
}

constexpr const char* kNoTime =
    "hot, but the compiler has had its share of the program's time for now";

// full() counts code only while it is seen at work: see runtime/sampler.h.
constexpr const char* kNotSeen = "not seen at work yet, and not counted until it is";
bool is_counted(const CodeEntry* entry) {
  return everything_is_counted() || (entry && (entry->bound || entry->wanted_by));
}

bool is_generator(const PyCodeObject* code) {
  return code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR);
}

std::string why_no_calls(PyFunctionObject* function, const CodeEntry* entry) {
  if (entry && (entry->refused || entry->unworthy)) return entry->reason_text;
  if (is_generator(reinterpret_cast<PyCodeObject*>(function->func_code)))
    return ir::reason_message(ir::Reason::Generator);
  const auto* history = entry ? static_cast<const CodeHistory*>(entry->driver) : nullptr;
  if (std::string text = history ? dropped(history, kEntryCall) : ""; !text.empty()) return text;
  if (!calls_are_ours(function))
    return "another tool has put an entry of its own into the function";
  if (is_installed(function)) return "compiled at the next call";
  if (std::string names = entry ? walked_in(entry) : ""; !names.empty())
    return "not called from outside compiled code: it is inlined in " + names;
  if (entry && entry->parked) return kNoTime;
  if (entry && !entry->bound && is_initialiser(entry->code))
    return "an __init__ is compiled where its class is called, or when it is bound";
  const uint64_t calls = entry ? entry->calls : 0;
  if (!calls && !is_counted(entry)) return kNotSeen;
  if (calls >= g_hot.call_threshold) return kNoTime;
  return "not hot yet: " + counted(calls, "call") + " of " + number(g_hot.call_threshold);
}

std::string why_no_loop(const CodeEntry* entry, const LoopCounter* loop, int target) {
  if (!loop && !is_counted(entry)) return kNotSeen;
  if (!loop) return "it has not come round while psyco counted";
  if (loop->refused) return ir::reason_message(loop->reason);
  const auto* history = static_cast<const CodeHistory*>(entry->driver);
  if (std::string text = history ? dropped(history, target) : ""; !text.empty()) return text;
  for (const LoopCounter& outer : entry->loops)
    if (outer.wanted && !outer.refused && outer.target < target && outer.last > loop->last)
      return "waits for the loop around it, to be compiled with that";
  if (entry->parked || loop->wanted || loop->count >= g_hot.loop_threshold) return kNoTime;
  return "not hot yet: " + counted(loop->count, "round") + " of " + number(g_hot.loop_threshold);
}

// The first instructions of the loops in the code, by bci.
std::vector<int> loop_heads(PyCodeObject* code) {
  std::vector<int> heads;
  const DecodedCode decoded = decode(code);
  if (!decoded.ok) return heads;
  for (const Bytecode& bytecode : decoded.list) {
    if (bytecode.op != NeutralOp::LoopBack || bytecode.target < 0) continue;
    heads.push_back(decoded.list[static_cast<size_t>(bytecode.target)].start_bci);
  }
  std::sort(heads.begin(), heads.end());
  heads.erase(std::unique(heads.begin(), heads.end()), heads.end());
  return heads;
}

}  // namespace

std::vector<WhyNot> why_not_compiled(PyFunctionObject* function) {
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  const CodeEntry* entry = code_entry(code, false);
  const auto has_version = [entry](int target) {
    const auto is_it = [target](const Version& version) { return version.target == target; };
    return entry && std::any_of(entry->versions.begin(), entry->versions.end(), is_it);
  };
  std::vector<WhyNot> found;
  if (has_version(kEntryCall)) {  // its loops are in there
    if (entry->unworthy) found.push_back({-1, entry->reason_text});
    return found;
  }
  if (std::string text = why_nothing(function, entry); !text.empty()) {
    if (!entry || entry->versions.empty()) found.push_back({-1, text});
    return found;
  }
  found.push_back({-1, why_no_calls(function, entry)});
  for (const int head : loop_heads(code)) {
    if (has_version(head)) continue;
    const LoopCounter* loop = nullptr;
    if (entry)
      for (const LoopCounter& each : entry->loops)
        if (each.target == head) loop = &each;
    const WhyNot why{PyCode_Addr2Line(code, head * 2), why_no_loop(entry, loop, head)};
    const bool said = std::any_of(found.begin(), found.end(), [&](const WhyNot& other) {
      return other.line == why.line && other.text == why.text;
    });
    if (!said) found.push_back(why);
  }
  return found;
}

}  // namespace psyco
