#include "runtime/parked.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "runtime/governor.h"
#include "runtime/osr.h"

namespace psyco {

namespace {

constexpr uint32_t kRound = 4096;  // denied events; what was denied before is forgotten
constexpr uint32_t kFirst = 128;   // events of a round that park nothing: who dominates must show
constexpr uint32_t kDominant = 4;  // one of so many denied events is enough to stay
constexpr size_t kBatch = 16;      // re-armed at once
constexpr int64_t kUnits = 100;    // of bytecode, as good a guess as any

uint32_t g_round = 1, g_denials = 0;

std::deque<CodeEntry*>& parked() {
  static auto* list = new std::deque<CodeEntry*>;
  return *list;
}

std::vector<CodeEntry*>& settled() {
  static auto* list = new std::vector<CodeEntry*>;
  return *list;
}

}  // namespace

bool park(CodeEntry* entry) {
  if (entry->parking_round != g_round) {
    entry->parking_round = g_round;
    entry->denials = 0;
  }
  entry->denials++;
  if (++g_denials >= kRound) {
    g_round++;
    g_denials = 0;
    return false;
  }
  if (g_denials < kFirst || entry->denials * kDominant >= g_denials) return false;
  if (!entry->parked) parked().push_back(entry);
  entry->parked = true;
  return true;
}

void unpark_some() {
  if (parked().empty() || events_are_paused() || !compiler_may_spend(kUnits)) return;
  for (size_t i = 0; i < kBatch && !parked().empty(); i++) {
    CodeEntry* entry = parked().front();
    parked().pop_front();
    entry->parked = false;
    rearm_events(entry->code);
  }
}

void settle(CodeEntry* entry) {
  if (!entry->settled) settled().push_back(entry);
  entry->settled = true;
}

void wake_settled() {
  const std::vector<CodeEntry*> all = std::move(settled());
  settled().clear();
  for (CodeEntry* entry : all) entry->settled = false;
  // Events are switched without running Python code: all these entries stay alive meanwhile.
  for (CodeEntry* entry : all) rearm_events(entry->code);
}

void forget_parked(CodeEntry* entry) {
  if (entry->settled) {
    auto& all = settled();
    all.erase(std::remove(all.begin(), all.end(), entry), all.end());
  }
  if (!entry->parked) return;
  auto& list = parked();
  list.erase(std::remove(list.begin(), list.end(), entry), list.end());
}

}  // namespace psyco
