// The defect chosen by PSYCO_MUTANT; whether it was ever met goes to the file PSYCO_MUTANT_MET, so
// that a mutant no test reaches can be told from one that no test minds.
#include "support/mutants.h"

#ifdef PSYCO_MUTANTS
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace psyco::mutants {
namespace {

struct Choice {
  std::string kind, what;
  unsigned first = 0, last = 0;
  bool met = false;

  Choice() {
    const char* text = std::getenv("PSYCO_MUTANT");
    const char* colon = text ? std::strchr(text, ':') : nullptr;
    if (!colon) return;
    kind.assign(text, colon);
    what = colon + 1;
    const size_t at = what.rfind(':');
    if (at != std::string::npos && std::sscanf(what.c_str() + at + 1, "%u-%u", &first, &last) == 2)
      what.resize(at);
  }
  void meet() {
    if (met) return;
    met = true;
    const char* path = std::getenv("PSYCO_MUTANT_MET");
    if (std::FILE* file = path ? std::fopen(path, "a") : nullptr) {
      std::fputs("met\n", file);
      std::fclose(file);
    }
  }
};
Choice& choice() {
  static Choice one;
  return one;
}

bool ends_with(const char* text, const std::string& end) {
  const size_t size = std::strlen(text);
  return size >= end.size() && !std::strcmp(text + size - end.size(), end.c_str());
}

}  // namespace

bool chosen(const char* kind, const char* what) {
  Choice& c = choice();
  if (c.kind != kind || c.what != what) return false;
  c.meet();
  return true;
}

bool chosen(const char* kind, Site site) {
  Choice& c = choice();
  if (c.kind != kind || site.line < c.first || site.line > c.last || !ends_with(site.file, c.what))
    return false;
  c.meet();
  return true;
}

}  // namespace psyco::mutants
#endif
