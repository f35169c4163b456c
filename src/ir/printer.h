// The graph as text: stable (values, states and virtuals are numbered in order of appearance) and
// free of addresses. ir/parser reads it back; parse(print(g)) prints the same again.
//
//   fn NAME call|osr args=2 {
//   frame f0 "name" code=obj:0 locals=2 stack=3
//   b0: @0                                            block at bci 0
//     entry STATE                                     Block::entry_state
//     v0: Object = Arg 0
//     GuardType v0 type:float #1 why=TypeSeen @4 ! STATE
//     v1: Object owned nullable = LoadObjectAt v5, v2 #24 heap=ListItems
//     v2: Bool = CmpInt.Lt v3, v4
//     v6: Object owned = CallHelper.binary_op v0, v1, v3 @6 ! STATE
//     Branch v2 b1, b2                                true, false
//   b1: <- b0, b2 loop cold depth=1 @8                predecessors, in the order of phi inputs
//     v7: I64 = Phi v3, v8
//   }
//
//   STATE  @bci[:fN] [push|init] [fn vN] {local, ... | stack, ... [; drop, ...]} [in STATE]
//          sN=STATE where it is used again as sN (N counts from 0)
//   SLOT   -            null                    int v1 [box v2]    float v1 [box v2]    bool v1
//          v1           object                  Tuple(SLOT, ...)   a virtual; %N=Tuple(...) if used
//          again
//          a number or a virtual, then: is N        the object (graph.h, OBJECTS), where one state
//          has several slots for it
//   ATTRIBUTES  #imm  <<shift  heap=H  why=REASON  @bci  kind:name (pointer)   flags: owned
//   nullable hoisted Constants are written bare: ConstI64 5, ConstF64 0.5 or
//   bits:0x7ff8000000000001, Arg 0. A semicolon starts a comment outside states.
#pragma once
#include <map>
#include <string>

#include "ir/graph.h"

namespace psyco::ir {

// Symbolic names of addresses, such as type:float or obj:3.
class PtrPrintMap {
 public:
  // Names are made of letters, digits, '_', '.', and ':' (at least one ':').
  void set(const void* ptr, const std::string& name);
  // The name of an address; invents kind:N when it has none.
  const std::string& name_of(const void* ptr, const char* kind);
  // The address for a name; invents one when it has none (for the parser).
  const void* address_of(const std::string& name);
  // The same, but null when the name is unknown.
  const void* find(const std::string& name) const;

 private:
  std::map<const void*, std::string> names_;
  std::map<std::string, const void*> addresses_;
  uintptr_t next_fake_ = 0x10000;
};

std::string print(const Graph& graph, PtrPrintMap& names);
std::string print(const Graph& graph);
// One value on one line, with the ids of the graph, for messages.
std::string describe(const Value& value);

const char* rep_name(Rep rep);
const char* heap_name(Heap heap);
const char* cond_name(Cond cond);
const char* virtual_name(VirtualKind kind);

}  // namespace psyco::ir
