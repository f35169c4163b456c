// Runs passes on graphs written as text. No interpreter needed.
//
//   psyco-opt [--accept] FILE.ir ...       run the cases of each file and compare with what they
//   expect psyco-opt --passes=a,b [--verify] < graph     print the result ("--passes=" runs the
//   pipeline)
//
// A test file is a list of cases:
//   ; case: what it shows
//   ; run: pass, pass              or "verify", whose output is the list of violations; "all": the
//   pipeline ; switches: fuel=...           optional fn ... { } ; expect fn ... { }
// --accept writes the actual results into the file. The types named type:float and type:int mean
// what they say.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "passes/pass.h"

namespace {
using namespace psyco;

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  for (char c : text + ",") {
    if (c == ',') {
      if (!part.empty()) parts.push_back(part);
      part.clear();
    } else if (c != ' ') {
      part += c;
    }
  }
  return parts;
}

// Runs and returns the resulting text; errors are part of it, as comments.
std::string transform(const std::string& text, const std::string& run,
                      const std::string& switches) {
  ir::Graph graph;
  ir::PtrPrintMap names;
  std::string error;
  passes::PassOptions options;
  options.types.float_type = names.address_of("type:float");
  options.types.int_type = names.address_of("type:int");
  if (!ir::parse(text, graph, names, error)) return "; " + error + "\n";
  if (run != "verify") {
    std::vector<std::string> errors = ir::verify(graph, ir::VerifyLevel::Ownership, &options.types);
    if (!errors.empty()) return "; the input is wrong: " + errors[0] + "\n";
    if (run != "all") options.only = split(run);
    options.names = &names;
    std::vector<std::string> unknown;
    if (!passes::parse_pass_switches(switches, options, error, unknown)) return "; " + error + "\n";
    if (!unknown.empty()) return "; there is no switch " + unknown[0] + "\n";
    passes::run_passes(graph, options);
  }
  std::string result;
  for (const std::string& message : ir::verify(graph, ir::VerifyLevel::Ownership, &options.types))
    result += "; " + message + "\n";
  if (run == "verify") return result.empty() ? "; valid\n" : result;
  return result + ir::print(graph, names);
}

bool starts_with(const std::string& line, const char* prefix) {
  return line.compare(0, std::strlen(prefix), prefix) == 0;
}

int run_file(const char* path, bool accept) {
  std::ifstream in(path);
  if (!in) {
    std::fprintf(stderr, "psyco-opt: cannot read %s\n", path);
    return 1;
  }
  std::string line, title, run, switches, input, expected, out;
  bool expecting = false;
  int failures = 0;
  auto finish = [&] {
    if (!input.empty()) {
      std::string actual = transform(input, run, switches);
      out += "; expect\n" + actual;
      while (!expected.empty() && expected.back() == '\n') expected.pop_back();
      std::string bare = actual;
      while (!bare.empty() && bare.back() == '\n') bare.pop_back();
      if (bare != expected && !accept) {
        std::printf("%s: %s\n--- expected\n%s\n--- actual\n%s\n", path, title.c_str(),
                    expected.c_str(), bare.c_str());
        failures++;
      }
    }
    input.clear();
    expected.clear();
    switches.clear();
    expecting = false;
  };
  bool any = false;
  while (std::getline(in, line)) {
    if (starts_with(line, "; case:")) {
      finish();
      if (any) out += "\n";
      any = true;
      title = line.substr(7);
    } else if (starts_with(line, "; run:")) {
      run = line.substr(6);
      while (!run.empty() && run[0] == ' ') run.erase(0, 1);
    } else if (starts_with(line, "; switches:")) {
      switches = line.substr(11);
      while (!switches.empty() && switches[0] == ' ') switches.erase(0, 1);
    } else if (starts_with(line, "; expect")) {
      expecting = true;
      continue;
    }
    if (expecting) {
      expected += line + "\n";
      continue;
    }
    out += line + "\n";
    if (starts_with(line, "fn ") || !input.empty()) input += line + "\n";
  }
  finish();
  in.close();
  if (accept) std::ofstream(path) << out;
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  bool accept = false, filter = false;
  std::string run, switches;
  int failures = 0;
  for (int i = 1; i < argc; i++) {
    std::string arg = argv[i];
    if (arg == "--accept") {
      accept = true;
    } else if (starts_with(arg, "--passes=")) {
      filter = true;
      run = arg.substr(9);
      if (run.empty()) run = "all";
    } else if (starts_with(arg, "--switches=")) {
      switches = arg.substr(11);
    } else {
      failures += run_file(argv[i], accept);
    }
  }
  if (filter) {
    std::stringstream text;
    text << std::cin.rdbuf();
    std::cout << transform(text.str(), run, switches);
  }
  return failures ? 1 : 0;
}
