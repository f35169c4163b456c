// Reads the text written by ir/printer (grammar there). For tests and tools.
#pragma once
#include <string>
#include <string_view>

#include "ir/graph.h"
#include "ir/printer.h"

namespace psyco::ir {

// Fills an empty graph. On failure returns false with "line N: what" in error. Names of pointers
// get invented addresses, kept in names.
bool parse(std::string_view text, Graph& graph, PtrPrintMap& names, std::string& error);

}  // namespace psyco::ir
