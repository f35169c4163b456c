// Why there is no compiled code for the calls or for a loop of a function, in words for its author.
#pragma once
#include <string>
#include <vector>

#include "cpython/port.h"

namespace psyco {

struct WhyNot {
  int line = -1;  // of a loop; -1: calls of the function
  std::string text;
};

// What is not compiled, as things are now. Runs nothing and leaves no error set.
std::vector<WhyNot> why_not_compiled(PyFunctionObject* function);

}  // namespace psyco
