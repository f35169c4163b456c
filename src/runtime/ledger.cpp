#include "runtime/ledger.h"

#include <time.h>

#include <algorithm>
#include <vector>

#include "runtime/code.h"
#include "runtime/governor.h"
#include "support/ticks.h"

namespace psyco {

int64_t g_compile_ns = 0;
int64_t g_compile_cpu_ns = 0;
Deciding g_deciding;

namespace {

constexpr int64_t kGrant = 10 * 1000 * 1000;      // what the compiler may spend before all else
constexpr int64_t kSmallGrant = 2 * 1000 * 1000;  // (on code that does not dominate),
constexpr double kShare = 0.01;                   // of all the time,
constexpr double kAdvance = 10 * 1000 * 1000;     // for a trial that saved so much of the time:
constexpr double kGoodPart = 0.05;
constexpr double kShareOfWins = 0.5;  // and of what its code has won

// Deciding: nanoseconds a step, measured in a flat program; and what it may cost.
constexpr double kEventCost = 90, kLoopEntryCost = 500, kTimedCallCost = 300, kMissCost = 70;
constexpr double kDecidingGrant = 2000 * 1000, kDecidingShare = 0.005, kDecidingShareOfWins = 0.25;

double g_won = 0;  // settled so far; and in ticks, by loops:
double g_won_ticks = 0;
double g_advance = 0;
std::vector<CodeEntry*> g_accounts;  // whose native calls win something

int64_t clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

const int64_t g_first_ns = clock_ns(CLOCK_MONOTONIC);
const uint64_t g_first_ticks = ticks();

void settle_account(CodeEntry* entry) {
  const uint64_t calls = native_calls(entry);
  // Fewer than before: they were counted in a version that is gone.
  if (calls > entry->credited)
    g_won += static_cast<double>(calls - entry->credited) * entry->saved_ns;
  entry->credited = calls;
}

// What compiling so many code units costs. More than in proportion: large functions are built again
// more often, and hold more across everything.
int64_t estimate(int64_t units) { return units * 5000 + units * units * 4; }

}  // namespace

int64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }
int64_t thread_cpu_ns() { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

int64_t process_cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

namespace {

struct Recent {
  int64_t cpu_ns = 0;
  double won_ns = 0;
};

// The process's clock is a system call and the accounts are many, but who asks does so often.
const Recent& recent() {
  static Recent known;
  static int64_t asked = 0;
  const int64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
  if (now != asked) known = {process_cpu_ns(), won_ns()};
  asked = now;
  return known;
}

}  // namespace

int64_t recent_cpu_ns() { return recent().cpu_ns; }

bool compiler_may_spend(int64_t units, bool dominant) {
  if (!g_governor) return true;
  const int64_t cost = estimate(units);
  // One large function, warm in a program's start, must not use up what many small ones need.
  const bool small = cost <= kGrant / 2;
  const int64_t grant = dominant ? kGrant : kSmallGrant;
  const double spent =
      static_cast<double>(small ? g_compile_cpu_ns - grant : std::max(g_compile_cpu_ns, cost));
  return spent <=
         kShare * static_cast<double>(recent().cpu_ns) + g_advance + kShareOfWins * recent().won_ns;
}

bool deciding_may_go_on() {
  if (!g_governor) return true;
  const double spent = kEventCost * static_cast<double>(g_deciding.events) +
                       kLoopEntryCost * static_cast<double>(g_deciding.loop_entries) +
                       kTimedCallCost * static_cast<double>(g_deciding.timed_calls) +
                       kMissCost * static_cast<double>(g_entry_stats.interpreted);
  return spent <= kDecidingGrant + kDecidingShare * static_cast<double>(recent().cpu_ns) +
                      g_advance / 2 + kDecidingShareOfWins * recent().won_ns;
}

void lend_on_win(double saved_ns, int64_t elapsed_ns) {
  const double part = saved_ns / static_cast<double>(std::max<int64_t>(elapsed_ns, 1));
  g_advance += kAdvance * std::min(1.0, part / kGoodPart);
}

void credit(double ticks) { g_won_ticks += ticks; }

void open_account(CodeEntry* entry) {
  if (!entry->account) {
    g_accounts.push_back(entry);
    entry->account = g_accounts.size();
  }
  entry->credited = native_calls(entry);
}

void close_account(CodeEntry* entry) {
  if (!entry->account) return;
  settle_account(entry);
  CodeEntry* last = g_accounts.back();
  g_accounts[entry->account - 1] = last;
  last->account = entry->account;
  entry->account = 0;
  g_accounts.pop_back();
}

double won_ns() {
  const uint64_t passed = ticks() - g_first_ticks;  // enough to tell how long a tick is
  if (passed > 1000 * 1000) {
    g_won += g_won_ticks * static_cast<double>(now_ns() - g_first_ns) / static_cast<double>(passed);
    g_won_ticks = 0;
  }
  for (CodeEntry* entry : g_accounts) settle_account(entry);
  return g_won;
}

}  // namespace psyco
