// Which functions may be compiled at all: the switch, the user's filter, the modules under jit().
#pragma once
#include "cpython/port.h"
#include "runtime/entry.h"

namespace psyco {

extern bool g_compiling;  // false: run what there is, compile nothing more
void set_compiling(bool on);

enum class Permission : uint8_t {
  Granted,
  Later,    // the compiler has had its share of the program's time for now
  Refused,  // by the user, at present
};
// Asks the user's filter, once for each code object; so this may run Python code. No error is left
// set.
Permission permission_to_compile(CodeEntry* entry, int64_t units);  // of bytecode
inline bool may_compile(CodeEntry* entry) {
  return permission_to_compile(entry, Py_SIZE(entry->code)) == Permission::Granted;
}
// What the user's filter is known to say. It is not asked: no Python may run.
bool filter_lets(const CodeEntry* entry);
bool filter_refuses(const CodeEntry* entry);
void set_filter(PyObject* hook);  // callable(code) -> bool, or null
// From the entry of a code object, which is being freed.
void code_dies(const CodeEntry* entry);

// Functions made from now on with these globals, which are not kept alive, are counted. scope: 1
// functions, 2 methods (a class in the qualified name), 3 both, 0 ends it. False: an error is set.
bool jit_globals(PyObject* globals, int scope);
int jit_scope(PyObject* globals);  // what was asked for so far
bool jit_nothing();                // ends it for all globals

// No filter and no globals from now on, and nothing is compiled.
void stop_wanting();

}  // namespace psyco
