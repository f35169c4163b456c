// What psyco has cost the program and what its code has won for it, in nanoseconds of processor
// time; and from both, whether the compiler may spend more.
#pragma once
#include "runtime/entry.h"

namespace psyco {

int64_t now_ns();  // by the wall clock
int64_t thread_cpu_ns();
int64_t process_cpu_ns();
int64_t recent_cpu_ns();  // the same, some milliseconds old, without a system call each time

extern int64_t g_compile_ns;  // spent in the compiler so far: not counted in any measurement
// The same in processor time: what the compiler has cost the program, however busy the machine.
extern int64_t g_compile_cpu_ns;

// Whether compiling a function of so many code units is within the compiler's share. It gets a
// grant, a small share of all the time, and half of what its code has won. The grant is for code
// that dominates the program: what is hot among much else seldom repays its compilation soon.
bool compiler_may_spend(int64_t units, bool dominant = false);

// What deciding has cost so far, besides compiling, as counts of its steps. The events by which
// winning loops are entered are none.
struct Deciding {
  uint64_t events = 0;        // of monitoring
  uint64_t loop_entries = 0;  // of loops on trial
  uint64_t timed_calls = 0;   // of functions on trial
};
extern Deciding g_deciding;
// Whether that is within its share, which is as the compiler's, but smaller.
bool deciding_may_go_on();

// A trial was won: measured code would have saved so much of the elapsed time. What saves a good
// part of the time is likely to go on doing so, and the compiler gets an advance on it.
void lend_on_win(double saved_ns, int64_t elapsed_ns);

// Native code of a loop saved so many ticks of the time stamp counter, as far as is known.
void credit(double ticks);
// Each native call of this function from the interpreter saves CodeEntry::saved_ns from now on.
void open_account(CodeEntry* entry);
void close_account(CodeEntry* entry);  // its code dies, or calls are native no more
double won_ns();                       // so far, all accounts together

}  // namespace psyco
