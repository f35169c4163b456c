// Counting and taking over running loops, both through sys.monitoring's JUMP and PY_START events.
#pragma once
#include "cpython/port.h"
#include "runtime/entry.h"

namespace psyco {

struct HotOptions {
  uint32_t loop_threshold = 1000;     // back edges
  uint32_t call_threshold = 200;      // starts of a function
  int64_t slow_ns = 5 * 1000 * 1000;  // or back edges for so long: slow iterations count too
};
extern HotOptions g_hot;

// Takes a tool id: 5, else 4, else 3. False with no error set if all are taken: calls only.
bool init_monitoring();
// Somebody has switched all events of our tool off, and its callbacks, but left the id to us.
void restore_events();
void stop_monitoring();
int monitoring_tool();  // -1: none

// Our local events for this code on, which also re-arms disabled locations; or off, when it is the
// last that wanted them, and then its functions are plain again. False: a Python error is set.
bool watch_code(PyCodeObject* code, WantedBy who);
bool unwatch_code(PyCodeObject* code, WantedBy who);
bool is_wanted(const CodeEntry* entry);
bool arm_events(CodeEntry* entry);
bool drop_unwanted(CodeEntry* entry);  // the second half of unwatch_code
bool disarm_events(CodeEntry* entry);
// Fits the code with the events that the tools want now; an error that is set stays set.
void refresh_instrumentation(PyCodeObject* code);
void rearm_events(PyCodeObject* code);  // the same, and our disabled locations are on again
// Global events: costs every function a little. Off, functions nobody else wants are plain again.
bool watch_everything(bool on);
// If it is watched: by global events from now on, there can be no sampler. False: an error is set.
bool count_everything();
bool everything_is_watched();
bool everything_is_counted();  // it is, and not by the sampler
// Such code is not counted unless it is bound: see osr.cpp.
bool is_initialiser(PyCodeObject* code);

// While somebody traces, no native code starts, so nothing needs counting: our global events are
// off, and the local ones of the functions that are running. They would do harm. When a second
// tool's event joins ours in a code object, CPython (3.12, 3.13: update_instrumentation_data)
// forgets whom its INSTRUCTION events are for, and pdb.set_trace() lives on those. Next to our
// PY_START a tool that wants LINE events (`lines`) would be told of more of them than alone, so
// then they are off in all code where that is so. In a code object with events of another tool's
// own, ours are off always.
void pause_events(PyThreadState* ts, bool lines);
void resume_events();
void give_way(PyCodeObject* code);          // another tool is about to set its events of this code
void take_up_again(PyCodeObject* code);     // it has done so, or taken them away
std::vector<CodeEntry*> watched_entries();  // those whose events are on
void forget_watched(CodeEntry* entry);      // its code dies
bool events_are_paused();

// The loop at `target_bci` is hot and no version fits: locals (co_nlocalsplus) and stack are those
// of `frame`, as the loop head expects them. Compile, add_version() and return the code; or return
// null: not now, or, with refuse_loop(), never. `function` is null for a frame without one (class
// bodies have one too).
extern CompiledCode* (*g_compile_osr)(PyCodeObject* code, PyFunctionObject* function,
                                      CodeEntry* entry, int target_bci, _PyInterpreterFrame* frame);
// A function called often: normally install_function() follows by itself. False: do not.
extern bool (*g_function_is_hot)(PyFunctionObject* function, CodeEntry* entry);
void refuse_loop(CodeEntry* entry, int target_bci, ir::Reason reason);

struct OsrStats {
  uint64_t events = 0, entries = 0;
};
extern OsrStats g_osr_stats;

}  // namespace psyco
