// Times include everything around the measured code, entering and leaving it as well: what counts
// is how fast the program gets on. What is compared is processor time, so that a busy machine
// decides nothing; reading it is a system call, though, so when to look, and calls too short to be
// interrupted often, go by the wall clock.
#include "runtime/governor.h"

#include <time.h>

#include <algorithm>

#include "runtime/osr.h"

namespace psyco {

bool g_governor = true;
int64_t g_compile_ns = 0;
int64_t g_compile_cpu_ns = 0;
uint64_t g_speculative_exits = 0;
uint64_t g_unmeasured_calls = 0;
void (*g_lost)(CodeEntry*, int) = nullptr;

namespace {

constexpr int64_t kCompileGrant = 10 * 1000 * 1000;  // what the compiler may spend at once,
constexpr int64_t kWinGrant = 5 * 1000 * 1000;       // for each time its code has won enough,
constexpr double kWinShare = 0.05;                   // which is so much of the time,
constexpr double kCompileShare = 0.02;               // and of all the time
constexpr int64_t kAskAgainNs = 500 * 1000;          // who may not compile now
constexpr int64_t kEventNs = 25;                     // a monitoring event that leads to nothing
constexpr int64_t kClockNs = 40, kCpuClockNs = 600;  // reading it
constexpr int64_t kLongCallNs = 30 * 1000;  // long enough to be interrupted, and to read that one
constexpr int64_t kCallNs = 30;  // what a call from C costs more than one within the interpreter
constexpr int64_t kPhaseNs =
    200 * 1000;  // a phase lasts so long at least, and kPhaseCount iterations,
constexpr uint32_t kPhaseCount = 8;
constexpr int64_t kLongPhaseNs = 2 * 1000 * 1000;  // or so long
constexpr int64_t kGoneNs = 100 * 1000 * 1000;     // no sign of the loop for so long: it is over
constexpr double kWins = 0.95;                     // compiled code has to be that much better
constexpr int kRounds = 5;
constexpr int kMaxTrials = 8;
constexpr int kMaxRestarts = 4;  // of phases that the loop was away in: then others have a turn
constexpr int64_t kShortCallNs = 500 * 1000;  // loops in longer calls are decided by themselves

int64_t clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}
int64_t wall_ns() { return now_ns() - g_compile_ns; }
// Of the process: threads may take turns in one loop.
int64_t cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID) - g_compile_cpu_ns; }

// Where compiled code is clearly better, more of it is worth its price: in proportion to what it
// saves, since a program of a thousand small functions, each called now and then, gains nothing.
double g_wins = 0;
// `measured` of the `elapsed` time was spent in what was compared, most of the rest elsewhere. The
// worst ratio of several counts: what calls do differs, and luck is no reason to compile more.
void note_win(double ratio, int64_t measured, int64_t elapsed) {
  if (ratio >= 0.7) return;
  const double share =
      static_cast<double>(measured) / static_cast<double>(std::max(elapsed, measured));
  g_wins += std::min(1.0, share * (1 - ratio) / kWinShare);
}

// Time that counts: without the compiler and, while interpreting, without our own callbacks.
struct Stamp {
  int64_t wall = 0, cpu = 0;  // cpu 0: by the wall clock
  uint64_t events = 0;
};
Stamp stamp(bool by_cpu) { return {wall_ns(), by_cpu ? cpu_ns() : 0, g_osr_stats.events}; }
int64_t since(const Stamp& start) {
  const int64_t ns = start.cpu ? cpu_ns() - start.cpu : wall_ns() - start.wall;
  const auto events = static_cast<int64_t>(g_osr_stats.events - start.events);
  return std::max(ns - events * kEventNs, ns / 4);
}

struct LoopTrial {
  CodeEntry* entry = nullptr;  // null: none under way
  int target = 0;
  bool native = false;
  bool slow = false;
  int64_t want = 0, count = 0;
  Stamp start{};
  int64_t last_ns = 0;         // the last sign of life, by the wall clock
  int64_t look_ns = 0;         // when to read the processor time again
  int64_t interpreted_ns = 0;  // of the phase before
  int64_t begun_ns = 0, measured_ns = 0;
  uint64_t exits = 0;
  int round = 0, restarts = 0;
  double ratios[kRounds];
} g_trial;
bool g_timing_a_call = false;  // an interpreted one: loops wait
Stamp g_call_start;

void begin_phase(bool native) {
  g_trial.native = native;
  g_trial.count = 0;
  g_trial.start = stamp(true);
  g_trial.last_ns = g_trial.look_ns = g_trial.start.wall;
}

void give_up() { g_trial.entry = nullptr; }

// What lay in the phase was not the loop's own.
LoopMode restart_phase() {
  if (++g_trial.restarts > kMaxRestarts)
    give_up();
  else
    begin_phase(false);
  return LoopMode::Interpret;
}

LoopCounter* counter(CodeEntry* entry, int target) {
  for (LoopCounter& loop : entry->loops)
    if (loop.target == target) return &loop;
  return nullptr;
}

// True if the loop is decided.
void end_round(int64_t native_ns) {
  const int64_t interpreted = std::max<int64_t>(g_trial.interpreted_ns, 1);
  g_trial.measured_ns += interpreted + native_ns;
  g_trial.ratios[g_trial.round++] =
      static_cast<double>(native_ns) / static_cast<double>(interpreted);
  LoopCounter* loop = counter(g_trial.entry, g_trial.target);
  if (!loop) return give_up();
  double* ratios = g_trial.ratios;
  for (int i = g_trial.round - 1; i > 0 && ratios[i] < ratios[i - 1]; i--)
    std::swap(ratios[i], ratios[i - 1]);
  // One round says little: one of its phases may have met the end of the loop and much else.
  const bool clear = g_trial.round >= 2 && (ratios[g_trial.round - 1] < 0.7 || ratios[0] > 2.0);
  if (g_trial.round < kRounds && !clear) return begin_phase(false);
  loop->trials++;
  if (ratios[g_trial.round / 2] <= kWins) {
    loop->decided = true;
    note_win(ratios[g_trial.round - 1], g_trial.measured_ns, wall_ns() - g_trial.begun_ns);
  } else if (g_trial.exits == g_speculative_exits || loop->trials >= kMaxTrials) {
    loop->refused = true;
  }
  // Otherwise the code may soon be replaced by better: measured again at the next back edge.
  give_up();
}

}  // namespace

int64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }
int64_t thread_cpu_ns() { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

// What compiling so many code units costs. More than in proportion: large functions are built again
// more often, and hold more across everything.
static int64_t compile_estimate(int64_t units) { return units * 5000 + units * units * 4; }

bool compiler_may_spend(int64_t units) {
  const int64_t estimate = compile_estimate(units);
  // One large function, warm in a program's start, must not use up what many small ones need.
  const int64_t grant = kCompileGrant + static_cast<int64_t>(g_wins * kWinGrant);
  const bool small = estimate <= kCompileGrant / 2;
  if (!g_governor || (small && g_compile_cpu_ns <= grant)) return true;
  const int64_t spent = small ? g_compile_cpu_ns - grant : std::max(g_compile_cpu_ns, estimate);
  // The processor's clock is a system call, and who may not compile asks often.
  static int64_t asked = 0, used = 0;
  const auto affordable = [&] {
    return static_cast<double>(spent) <= kCompileShare * static_cast<double>(used);
  };
  if (affordable()) return true;
  const int64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
  if (now - asked < kAskAgainNs) return false;
  asked = now;
  used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  return affordable();
}

// The trial under way is over, or no reason to wait: a call that takes long, a loop whose
// iterations do (what happens in them is decided by itself, and is to happen as it will), one that
// does not run at present. Looks at the clock, so not to be asked each time.
static void notice_silence() {
  if (g_timing_a_call) {
    if (since(g_call_start) > kShortCallNs) g_timing_a_call = false;
    return;
  }
  if (!g_trial.entry) return;
  const int64_t quiet = wall_ns() - g_trial.last_ns;
  if (quiet > std::max<int64_t>(kGoneNs, 8 * g_trial.interpreted_ns))
    give_up();
  else if (quiet > kPhaseNs)
    g_trial.slow = true;
}

bool others_must_wait() {
  if (g_osr_stats.events % 64 == 0) notice_silence();
  return g_timing_a_call || (g_trial.entry && !g_trial.native && !g_trial.slow);
}

// Whether a call cannot be measured now: it would be part of what is being measured.
static bool calls_must_wait() {
  static unsigned asked = 0;
  if (!g_timing_a_call && (!g_trial.entry || g_trial.slow)) return false;
  if (++asked % 16 == 0) notice_silence();
  return g_timing_a_call || (g_trial.entry && !g_trial.slow);
}

LoopMode loop_mode(CodeEntry* entry, LoopCounter* loop, int64_t* budget) {
  *budget = INT64_MAX;
  const bool measured = g_trial.entry == entry && g_trial.target == loop->target;
  if (g_timing_a_call || (g_trial.entry && !measured))
    return others_must_wait() ? LoopMode::Interpret : LoopMode::Native;
  if (!measured) {
    if (loop->decided) return LoopMode::Native;
    g_trial.entry = entry;
    g_trial.target = loop->target;
    g_trial.round = g_trial.restarts = 0;
    g_trial.slow = false;
    g_trial.interpreted_ns = 0;
    g_trial.measured_ns = 0;
    g_trial.begun_ns = wall_ns();
    g_trial.exits = g_speculative_exits;
    begin_phase(false);
    return LoopMode::Interpret;
  }
  g_trial.count++;
  if (!g_trial.native) {
    if (g_trial.count >= 16 && g_trial.count % 8 != 0) return LoopMode::Interpret;
    const int64_t now = wall_ns(), gap = now - g_trial.last_ns;
    g_trial.last_ns = now;
    if (now - g_trial.look_ns < kPhaseNs) return LoopMode::Interpret;
    // The loop was left and came back after a while: what lay between is not its own.
    if (g_trial.count > 4 && gap > kLongPhaseNs && gap > (now - g_trial.start.wall) / 2)
      return restart_phase();
    g_trial.look_ns = now;
    const int64_t raw = cpu_ns() - g_trial.start.cpu;  // phases of nothing but events end, too
    if (!(raw >= kPhaseNs && g_trial.count >= kPhaseCount) && raw < kLongPhaseNs)
      return LoopMode::Interpret;
    g_trial.interpreted_ns = since(g_trial.start);
    g_trial.want = g_trial.count;
    begin_phase(true);
    g_trial.count = 0;
  } else {
    const int64_t gap = wall_ns() - g_trial.last_ns;
    if (gap > kLongPhaseNs && gap > 2 * g_trial.interpreted_ns) return restart_phase();
    if (g_trial.count >= g_trial.want) {
      end_round(since(g_trial.start));
      if (loop->refused) return LoopMode::Lost;
      if (loop->decided) return LoopMode::Native;
      return LoopMode::Interpret;
    }
  }
  // The last one is left to the next event, so that the phase ends there.
  *budget = std::max<int64_t>(g_trial.want - g_trial.count - 2, 0);
  return LoopMode::Native;
}

void loop_left(CodeEntry* entry, int target, int64_t iterations) {
  if (g_trial.entry != entry || g_trial.target != target || !g_trial.native) return;
  g_trial.count += iterations;
  g_trial.last_ns = wall_ns();
}

void loop_not_native(CodeEntry* entry, int target) {
  if (g_trial.entry == entry && g_trial.target == target) give_up();
}

void loop_exits_often(CodeEntry* entry, int target) {
  LoopCounter* loop = counter(entry, target);
  if (loop && loop->trials < kMaxTrials) loop->decided = false;
}

// ---------------------------------------------------------------- functions

namespace {

// Which calls are native: the Thue-Morse sequence, so that no regularity of the program favours one
// side.
bool native_turn(int call) { return __builtin_popcount(static_cast<unsigned>(call)) % 2 == 0; }

constexpr int kChunkCalls = 8, kChunks = 5;

void take_turns(PyFunctionObject* function, CodeEntry* entry, int64_t ns, bool native) {
  CallTrial& trial = entry->trial;
  trial.calls++;
  const int64_t clock = trial.by_cpu ? kCpuClockNs : kClockNs;
  trial.ns[native] += std::max<int64_t>(ns - clock - (native ? 0 : kCallNs), 1);
  trial.by_cpu = ns > kLongCallNs;
  trial.measured_ns += ns;
  trial.chunk_calls[native]++;
  const bool each = trial.chunk_calls[0] && trial.chunk_calls[1];
  if (!each) return;
  const double ratio = (static_cast<double>(trial.ns[1]) / trial.chunk_calls[1]) /
                       (static_cast<double>(trial.ns[0]) / trial.chunk_calls[0]);
  const int64_t total = trial.ns[0] + trial.ns[1];
  const int in_chunk = trial.chunk_calls[0] + trial.chunk_calls[1];
  bool decided = false, native_wins = false;
  double worst = ratio;
  if (total > 20 * 1000 * 1000) {  // long calls: few have to do
    decided = ratio < 0.8 || ratio > 1.25 || in_chunk >= 4;
    native_wins = ratio <= kWins;
    if (in_chunk < 4) worst = 1;
  }
  if (!decided && in_chunk >= kChunkCalls && trial.calls % kChunkCalls == 0 && total >= 40 * 1000) {
    trial.ratios[trial.chunks++] = static_cast<float>(ratio);
    trial.ns[0] = trial.ns[1] = 0;
    trial.chunk_calls[0] = trial.chunk_calls[1] = 0;
    if (trial.chunks == kChunks) {
      std::sort(trial.ratios, trial.ratios + kChunks);
      decided = true;
      native_wins = trial.ratios[kChunks / 2] <= kWins;
      worst = trial.ratios[kChunks - 1];
    }
  }
  if (!decided) return;
  if (!native_wins && trial.exits != g_speculative_exits && ++trial.rounds < kMaxTrials) {
    const int rounds = trial.rounds;
    trial = CallTrial{};
    trial.rounds = rounds;
    trial.exits = g_speculative_exits;
    trial.begun_ns = wall_ns();
    return;
  }
  trial.decided = true;
  if (native_wins) return note_win(worst, trial.measured_ns, wall_ns() - trial.begun_ns);
  if (g_lost) g_lost(entry, kEntryCall);
  uninstall_function(function);
}

}  // namespace

extern "C" PyObject* psyco_measured_call(PyObject* callable, PyObject* const* args, size_t nargsf,
                                         PyObject* kwnames) {
  auto* function = reinterpret_cast<PyFunctionObject*>(callable);
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (!entry) {
    PyFunction_SetVectorcall(function, g_plain_vectorcall);
    return g_plain_vectorcall(callable, args, nargsf, kwnames);
  }
  // For the calls that come out of this one, and for good if it is decided.
  function->vectorcall = psyco_call_function;
  if (entry->trial.decided || !g_governor)
    return psyco_call_function(callable, args, nargsf, kwnames);
  if (calls_must_wait()) {
    g_unmeasured_calls++;
    PyObject* result = psyco_call_function(callable, args, nargsf, kwnames);
    if (function->vectorcall == psyco_call_function) function->vectorcall = psyco_measured_call;
    return result;
  }
  const bool native = native_turn(entry->trial.calls);
  Py_INCREF(function);
  PyCodeObject* code = reinterpret_cast<PyCodeObject*>(Py_NewRef(function->func_code));
  const vectorcallfunc way = native ? psyco_call_function : g_plain_vectorcall;
  function->vectorcall = way;
  const uint64_t entries = g_entry_stats.native;
  const Stamp start = stamp(entry->trial.by_cpu);
  if (!native) {
    g_timing_a_call = true;
    g_call_start = start;
  }
  PyObject* result = way(callable, args, nargsf, kwnames);
  const int64_t ns = since(start);
  if (!native) g_timing_a_call = false;
  const bool same = reinterpret_cast<PyObject*>(code) == function->func_code;
  const bool ours = function->vectorcall == psyco_call_function || is_installed(function);
  if (same && ours && !calls_are_plain()) {
    if (function->vectorcall == way) function->vectorcall = psyco_call_function;
    PyObject* error = PyErr_GetRaisedException();
    if (!entry->trial.decided && (!native || g_entry_stats.native != entries))
      take_turns(function, entry, ns, native);
    PyErr_SetRaisedException(error);
    if (!entry->trial.decided && function->vectorcall == psyco_call_function)
      function->vectorcall = psyco_measured_call;
  }
  Py_DECREF(code);
  Py_DECREF(function);
  return result;
}

void measure_calls(PyFunctionObject* function) {
  CodeEntry* entry = code_entry(reinterpret_cast<PyCodeObject*>(function->func_code), false);
  if (!g_governor || !entry || entry->trial.decided || !is_installed(function)) return;
  note_measured(function);
  if (function->vectorcall != psyco_call_function) return;
  entry->trial.exits = g_speculative_exits;
  if (!entry->trial.begun_ns) entry->trial.begun_ns = wall_ns();
  function->vectorcall = psyco_measured_call;
}

void governor_forget(const CodeEntry* entry) {
  if (g_trial.entry == entry) give_up();
}

}  // namespace psyco
