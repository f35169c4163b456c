// Never slower, by measurement: early in the life of a compiled loop or function its native and its
// interpreted executions alternate and are timed, and the loser is dropped.
#pragma once
#include "runtime/entry.h"
#include "runtime/ledger.h"

namespace psyco {

extern bool g_governor;  // false: whatever was compiled is used
extern uint64_t
    g_speculative_exits;  // guards that failed so far; each may still make the code better

extern uint64_t g_unmeasured_calls;  // native, undecided, while something else was measured

// A loop lost: its code is to be retired and the loop never compiled again. Calls lost (target
// kEntryCall): the function is not worth entering from the interpreter; compiled callers go on
// calling its code. May not run Python code.
extern void (*g_lost)(CodeEntry* entry, int target);

// ---- loops. One at a time is measured: some iterations in the interpreter, as many natively,
// three times.
enum class LoopMode : uint8_t {
  Native,     // go on with compiled code; after it, loop_left()
  Interpret,  // stay in the interpreter this time
  Lost,       // the loop is refused from now on
};
// At each back edge that could be taken natively. `budget`: the iterations allowed this time.
LoopMode loop_mode(CodeEntry* entry, LoopCounter* loop, int64_t* budget);
void loop_left(CodeEntry* entry, int target, int64_t iterations, uint64_t native_ticks);
// No native code fits this back edge just now.
void loop_not_native(CodeEntry* entry, int target);
// Something else than the measured loop had a back edge. True: it must stay in the interpreter.
bool others_must_wait();
void loop_exits_often(CodeEntry* entry, int target);  // measure it again

// ---- functions: calls of an installed function take turns until it is decided.
void measure_calls(PyFunctionObject* function);
// The vectorcall of functions being measured.
extern "C" PyObject* psyco_measured_call(PyObject* callable, PyObject* const* args, size_t nargsf,
                                         PyObject* kwnames);

// Entering the function natively is slower than the interpreter: its calls are plain from now on.
void calls_lose(PyFunctionObject* function, CodeEntry* entry);

bool has_won(const CodeEntry* entry);  // its calls, or one of its loops

void governor_forget(CodeEntry* entry);  // the code dies

// Deciding has cost more than its share: what nobody has named, and has won nothing yet, is plain
// until the sampler finds it again.
void put_off_decisions();

// Verdicts do not last for ever: at ever longer intervals what runs natively is measured again.
// Cheap when none is due; may be called wherever Python code may run.
void review_verdicts();

}  // namespace psyco
