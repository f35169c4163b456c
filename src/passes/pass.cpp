// Runs the pipeline: order check, switches, fuel, dumps, verification, times.
#include "passes/pass.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ir/printer.h"
#include "ir/verifier.h"

namespace psyco::passes {
namespace {

struct Row {
  const char* name;
  bool (*run)(ir::Graph&, PassContext&);
  const char* after;
  const char* before;
};
#define PASS(name, after_list, before_list) {#name, name, #after_list, #before_list},
#define AGAIN(name) {#name, name, nullptr, nullptr},
constexpr Row kRows[] = {
#include "passes/pipeline.def"
};
#undef PASS
#undef AGAIN

bool is_pass(const std::string& name) {
  for (const Row& row : kRows)
    if (name == row.name) return true;
  return false;
}

// The names between the parentheses of "after(a, b)".
std::vector<std::string> names_in(const char* list) {
  std::vector<std::string> names;
  std::string name;
  for (const char* c = std::strchr(list, '(') + 1; *c; c++) {
    if (*c == ',' || *c == ')') {
      if (!name.empty()) names.push_back(name);
      name.clear();
    } else if (*c != ' ') {
      name += *c;
    }
  }
  return names;
}

// Constraints speak about the PASS rows, not about AGAIN.
bool check_order() {
  auto position = [](const std::string& name) {
    for (size_t i = 0; i < sizeof kRows / sizeof *kRows; i++)
      if (kRows[i].after && name == kRows[i].name) return static_cast<int>(i);
    return -1;
  };
  for (const Row& row : kRows) {
    if (!row.after) continue;
    int own = position(row.name);
    for (const std::string& name : names_in(row.after)) {
      int other = position(name);
      PSYCO_CHECK(other >= 0 && other < own);
    }
    for (const std::string& name : names_in(row.before)) PSYCO_CHECK(position(name) > own);
  }
  return true;
}

bool contains(const std::vector<std::string>& list, const char* name) {
  for (const std::string& item : list)
    if (item == name) return true;
  return false;
}

void dump(const ir::Graph& graph, const PassOptions& options, const char* when) {
  ir::PtrPrintMap local;
  std::fprintf(stderr, "; %s: %s\n%s", graph.name, when,
               ir::print(graph, options.names ? *options.names : local).c_str());
}

void verify_or_abort(const ir::Graph& graph, const PassOptions& options, const char* when,
                     const std::string& before) {
  std::vector<std::string> errors = ir::verify(graph, ir::VerifyLevel::Ownership, &options.types);
  if (errors.empty()) return;
  std::fprintf(stderr, "psyco: the graph is wrong after %s\n", when);
  for (const std::string& error : errors) std::fprintf(stderr, "  %s\n", error.c_str());
  if (!before.empty()) std::fprintf(stderr, "; before\n%s", before.c_str());
  dump(graph, options, "after");
  std::abort();
}

}  // namespace

bool parse_pass_switches(const std::string& text, PassOptions& options, std::string& error,
                         std::vector<std::string>& unknown) {
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find(',', at);
    if (end == std::string::npos) end = text.size();
    std::string item = text.substr(at, end - at);
    at = end + 1;
    if (item.empty()) continue;
    size_t equals = item.find('=');
    std::string key = item.substr(0, equals);
    std::string value = equals == std::string::npos ? "" : item.substr(equals + 1);
    if (key == "off") {
      if (!is_pass(value)) return error = "off: no pass is called " + value, false;
      options.off.push_back(value);
    } else if (key == "dump") {
      std::string name = value.substr(0, value.find(':'));
      if (name != "all" && name != "input" && !is_pass(name))
        return error = "dump: no pass is called " + name, false;
      options.dump.push_back(name);
    } else if (key == "fuel") {
      size_t colon = value.find(':');
      if (colon == std::string::npos) return error = "fuel: expected <pass>:<number>", false;
      std::string name = value.substr(0, colon);
      if (!is_pass(name)) return error = "fuel: no pass is called " + name, false;
      char* stop = nullptr;
      long number = std::strtol(value.c_str() + colon + 1, &stop, 10);
      if (stop == value.c_str() + colon + 1 || *stop || number < 0)
        return error = "fuel: expected <pass>:<number>", false;
      options.fuel.push_back({name, static_cast<int>(number)});
    } else if (item == "verify=each") {
      options.verify = true;
    } else if (item == "time=passes") {
      options.time = true;
    } else {
      unknown.push_back(item);
    }
  }
  return true;
}

bool run_passes(ir::Graph& graph, const PassOptions& options, std::vector<PassTime>* times) {
  static const bool ordered = check_order();
  PSYCO_CHECK(ordered);
  using Clock = std::chrono::steady_clock;
  std::vector<std::pair<std::string, int>> fuel = options.fuel;
  bool changed = false;
  std::string previous;
  if (contains(options.dump, "input") || contains(options.dump, "all"))
    dump(graph, options, "input");
  if (options.verify) verify_or_abort(graph, options, "the front end", "");
  auto run = [&](const Row& row) {
    if (contains(options.off, row.name)) return;
    if (options.verify) {
      ir::PtrPrintMap local;
      previous = ir::print(graph, options.names ? *options.names : local);
    }
    int* limit = nullptr;
    for (auto& [name, number] : fuel)
      if (name == row.name) limit = &number;
    PassContext context(options, limit ? *limit : -1);
    Clock::time_point start = Clock::now();
    bool did = row.run(graph, context);
    std::chrono::duration<double> seconds = Clock::now() - start;
    if (limit) *limit = context.fuel_left();
    changed |= did;
    if (times) times->push_back({row.name, seconds.count(), did});
    if (options.time)
      std::fprintf(stderr, "psyco: %s: %-20s %8.1f us\n", graph.name, row.name,
                   seconds.count() * 1e6);
    if (contains(options.dump, row.name) || contains(options.dump, "all"))
      dump(graph, options, row.name);
    if (options.verify) verify_or_abort(graph, options, row.name, previous);
  };
  if (options.only.empty()) {
    for (const Row& row : kRows) run(row);
  } else {
    for (const std::string& name : options.only)
      for (const Row& row : kRows)
        if (row.after && name == row.name) run(row);
  }
  return changed;
}

}  // namespace psyco::passes
