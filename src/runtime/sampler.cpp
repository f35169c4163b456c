// The thread never holds the GIL and touches no object. It only asks, through a pending call, that
// whoever holds the GIL look at his frames; it asks again only when that was done. It sleeps longer
// and longer while the process is idle, and while samples show nothing new.
//
// Around os.fork the thread is ended and begun again: a fork with other threads alive is warned of,
// and the child would not have it. (3.13.0 counts the threads after the parent's hooks have run, so
// those only ask for the new start.)
#include "runtime/sampler.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "cpython/bytecode.h"
#include "runtime/activation.h"
#include "runtime/fork.h"
#include "runtime/governor.h"
#include "runtime/osr.h"
#include "runtime/parked.h"
#include "runtime/poll.h"
#include "runtime/wanted.h"

namespace psyco {

bool g_sampling = true;

namespace {

constexpr int64_t kShortestNs = 2 * 1000 * 1000;  // between ticks, while code gets hot,
constexpr int64_t kLongestNs = 20 * 1000 * 1000;  // while none does,
constexpr int64_t kIdleNs = 250 * 1000 * 1000;    // and while the process sleeps
// A frame that is looked at heats its code, the innermost most; heat halves in so many looks. To
// become hot takes a streak: code that has all of the time is hot after three looks, code that has
// a fifth of it after a hundred, and most code of a flat program never.
constexpr float kHeat[] = {1.0f, 0.7f, 0.5f};
constexpr int kFrames = 3, kHalfLife = 3, kLongHalfLife = 24;
constexpr float kWarm = 1.7f, kHot = 2.3f, kMostHeat = 4.5f, kHarder = 1.25f;
constexpr int64_t kQuietNs = 50 * 1000 * 1000;        // at least, after too many events,
constexpr int64_t kMostQuietNs = 1000 * 1000 * 1000;  // and at most
constexpr int64_t kWindowNs = 20 * 1000 * 1000;       // of processor time: to show that code is hot
constexpr int64_t kSlowWindowNs = 200 * 1000 * 1000;  // for loops whose iterations take long

struct Thread {
  pthread_t handle;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake;
  bool running = false;  // guarded by the mutex
};
Thread g_thread;
bool g_wanted = false;              // by the user; the thread may be away for a fork
bool g_hooked = false;              // the hooks of fork and exit are set
bool g_over = false;                // the process ends
PyInterpreterState* g_interpreter;  // where psyco lives
std::atomic<bool> g_asked{false};   // a look is under way
std::atomic<int64_t> g_interval{kShortestNs};

// Code that raises events on trial.
struct Trial {
  CodeEntry* entry;
  int64_t begun_ns;  // processor time
};
std::vector<Trial>& trials() {
  static auto* list = new std::vector<Trial>;
  return *list;
}

// ---------------------------------------------------------------- with the GIL

// Whether events of this code lead to anything: it runs natively, or waits for its turn.
bool stays_watched(const CodeEntry* entry) {
  return !entry->versions.empty() || entry->bound || entry->parked || entry->settled ||
         entry->unworthy || entry->refused ||
         std::any_of(entry->loops.begin(), entry->loops.end(), [](const LoopCounter& loop) {
           return loop.refused || loop.decided || loop.trials;
         });
}

bool has_slow_loop(const CodeEntry* entry) {
  return std::any_of(entry->loops.begin(), entry->loops.end(),
                     [](const LoopCounter& loop) { return loop.spent_ns > 0; });
}

// Events cost, so who has not come round often enough in time raises none until he has been seen
// again, twice as often as before.
void end_trials(int64_t now) {
  std::vector<Trial>& list = trials();
  for (size_t i = list.size(); i-- > 0;) {
    CodeEntry* entry = list[i].entry;
    const int64_t age = now - list[i].begun_ns;
    const bool over = age >= (has_slow_loop(entry) ? kSlowWindowNs : kWindowNs);
    const bool stays = stays_watched(entry);
    if (!over && !stays) continue;
    if (!stays && !entry->wanted_by && !disarm_events(entry)) {
      PyErr_Clear();
      continue;
    }
    list.erase(list.begin() + static_cast<long>(i));
    if (!stays) cool(entry);
  }
}

uint32_t g_tick = 0;
int64_t g_quiet_until = 0;  // processor time

// The code's heat, with what this look adds.
float heat_up(CodeEntry* entry, float more) {
  const auto passed = static_cast<float>(g_tick - entry->heat_tick);
  entry->heat = entry->heat * std::exp2(-passed / kHalfLife) + more;
  entry->long_heat = entry->long_heat * std::exp2(-passed / kLongHalfLife) + more;
  entry->heat_tick = g_tick;
  return entry->heat;
}

struct Seen {
  PyCodeObject* code[kFrames];  // owned, hot ones only
  int count = 0;
  bool warm = false;  // some code is on its way to be hot
};

void see(Seen& seen, PyCodeObject* code, float heat) {
  CodeEntry* entry = code_entry(code, true);
  if (!entry || entry->straight || entry->excluded || filter_refuses(entry)) return;
  const float now = heat_up(entry, heat), needed = std::max(entry->needed_heat, kHot);
  if (entry->watched) return;
  seen.warm |= now >= kWarm && needed < kMostHeat;  // it may soon be hot
  if (now < needed) return;
  // To switch on its events would cost more than to run it.
  entry->straight = !(code->co_flags & CO_OPTIMIZED) && !has_loops(code);
  if (entry->straight) return;
  for (int i = 0; i < seen.count; i++)
    if (seen.code[i] == code) return;
  seen.code[seen.count++] = reinterpret_cast<PyCodeObject*>(Py_NewRef(code));
}

// What the compiler has no time for, or the user does not want, need raise no events.
void put_on_trial(PyCodeObject* code, int64_t now) {
  CodeEntry* entry = code_entry(code, false);
  if (!entry || entry->watched) return;
  const Permission permission = permission_to_compile(entry, Py_SIZE(code));
  if (permission == Permission::Granted && arm_events(entry)) {
    entry->armed_ns = now;
    trials().push_back({entry, now});
  } else if (permission != Permission::Granted) {
    entry->heat = 0;
  } else {
    PyErr_Clear();
  }
}

int look(void*) {
  g_asked = false;
  if (!g_wanted || !g_compiling || events_are_paused()) return 0;
  PyThreadState* ts = _PyThreadState_GET();
  if (ts->interp != g_interpreter) return 0;
  PyObject* error = PyErr_GetRaisedException();
  const int64_t now = process_cpu_ns();
  g_tick++;
  Seen seen;
  if (now >= g_quiet_until && !deciding_may_go_on()) {
    g_quiet_until = now + std::clamp(now / 2, kQuietNs, kMostQuietNs);
    trials().clear();
    put_off_decisions();
  }
  int frames = 0;
  for (_PyInterpreterFrame* frame = Port::current_frame(ts); frame && frames < kFrames;
       frame = frame->previous) {
    if (Port::is_boundary(frame) || !Port::is_complete(frame)) continue;
    see(seen, Port::code_of(frame), kHeat[frames++]);
  }
  for (int i = 0; i < seen.count; i++) {
    if (now >= g_quiet_until) put_on_trial(seen.code[i], now);
    Py_DECREF(seen.code[i]);
  }
  end_trials(now);
  unpark_some();
  review_verdicts();
  const int64_t interval = g_interval;
  const bool hot = (seen.count || seen.warm) && now >= g_quiet_until;
  g_interval = hot ? kShortestNs : std::min(interval + interval / 8, kLongestNs);
  PyErr_SetRaisedException(error);
  return 0;
}

// ---------------------------------------------------------------- the thread

int64_t cpu_used() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * int64_t{1000000000} + used.tv_nsec;
}

void wait(int64_t ns) {
  timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += ns % 1000000000;
  until.tv_sec += ns / 1000000000 + until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait(&g_thread.wake, &g_thread.mutex, &until);
}

void ask() {
  g_asked = true;
  if (!Port::call_soon(g_interpreter, look)) g_asked = false;
}

void* run(void*) {
  int64_t used = 0, idle = 0;
  int native = 0;
  pthread_mutex_lock(&g_thread.mutex);
  while (g_thread.running) {
    wait(std::max<int64_t>(g_interval, idle));
    if (!g_thread.running) break;
    const int64_t now = cpu_used();
    const bool sleeps = now - used < kShortestNs / 8;
    used = now;
    idle = sleeps ? std::min(std::max(2 * idle, kShortestNs), kIdleNs) : 0;
    if (sleeps || g_asked || !Port::gil_is_held(g_interpreter)) continue;
    // Where compiled code runs, what it calls is seldom of interest, and to look makes it stop.
    if (__atomic_load_n(&g_entering.newest, __ATOMIC_RELAXED) && ++native % 4 != 0) continue;
    ask();
  }
  pthread_mutex_unlock(&g_thread.mutex);
  return nullptr;
}

bool begin_thread() {
  if (g_thread.running || g_over) return true;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&g_thread.wake, &attributes);
  pthread_condattr_destroy(&attributes);
  g_asked = false;
  g_interval = kShortestNs;
  g_thread.running = true;
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  g_thread.running = pthread_create(&g_thread.handle, &small, run, nullptr) == 0;
  pthread_attr_destroy(&small);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!g_thread.running) pthread_cond_destroy(&g_thread.wake);
  return g_thread.running;
}

void end_thread() {
  if (!g_thread.running) return;
  pthread_mutex_lock(&g_thread.mutex);
  g_thread.running = false;
  pthread_cond_signal(&g_thread.wake);
  pthread_mutex_unlock(&g_thread.mutex);
  pthread_join(g_thread.handle, nullptr);
  pthread_cond_destroy(&g_thread.wake);
}

// ---------------------------------------------------------------- fork and exit

// The process and the thread that forked, as of the last fork.
pid_t g_parent = 0;
bool g_main_thread_forked = true;

// A child that another thread than the main one has forked ends when that thread does, without any
// exit of Python's: a thread of ours would keep it alive. Global events have to do there.
int begin_again(void*) {
  if (!g_wanted) return 0;
  if (getpid() == g_parent || g_main_thread_forked) {
    begin_thread();
  } else {
    g_wanted = false;
    if (!count_everything()) PyErr_Clear();
  }
  return 0;
}

PyObject* before_fork(PyObject*, PyObject*) {
  g_parent = getpid();
  g_main_thread_forked = syscall(SYS_gettid) == g_parent;
  end_thread();
  Py_RETURN_NONE;
}
PyObject* after_fork(PyObject*, PyObject*) {
  if (g_wanted) Port::call_soon(g_interpreter, begin_again);
  Py_RETURN_NONE;
}
// A library's own fork runs no hook of Python's: the child has neither the thread nor, perhaps, a
// mutex that is free.
void forget_thread() {
  g_thread.running = false;
  g_thread.mutex = PTHREAD_MUTEX_INITIALIZER;
}

PyObject* at_exit(PyObject*, PyObject*) {
  g_over = true;
  g_wanted = false;
  end_thread();
  Py_RETURN_NONE;
}

PyMethodDef g_before = {"psyco_before_fork", before_fork, METH_NOARGS, nullptr};
PyMethodDef g_after = {"psyco_after_fork", after_fork, METH_NOARGS, nullptr};
PyMethodDef g_exit = {"psyco_at_exit", at_exit, METH_NOARGS, nullptr};

bool hook_process() {
  if (g_hooked) return true;
  PyObject* before = PyCFunction_New(&g_before, nullptr);
  PyObject* after = PyCFunction_New(&g_after, nullptr);
  PyObject* exit = PyCFunction_New(&g_exit, nullptr);
  PyObject* named = before && after
                        ? Py_BuildValue("{s:O,s:O,s:O}", "before", before, "after_in_parent", after,
                                        "after_in_child", after)
                        : nullptr;
  g_hooked = named && exit && call_with("posix", "register_at_fork", nullptr, named) &&
             call_with("atexit", "register", exit, nullptr) &&
             pthread_atfork(nullptr, nullptr, forget_thread) == 0;
  Py_XDECREF(named);
  Py_XDECREF(exit);
  Py_XDECREF(after);
  Py_XDECREF(before);
  return g_hooked;
}

}  // namespace

bool start_sampler() {
  g_interpreter = PyInterpreterState_Get();
  g_wanted = hook_process() && begin_thread();
  if (!g_wanted) PyErr_Clear();
  return g_wanted;
}

void stop_sampler() {
  g_wanted = false;
  end_thread();
}

void cool(CodeEntry* entry) {
  entry->needed_heat = std::min(kHarder * std::max(entry->needed_heat, kHot), kMostHeat);
  entry->heat = 0;
  entry->calls = 0;
  for (LoopCounter& loop : entry->loops) {
    loop.count = 0;
    loop.spent_ns = 0;
  }
}

void look_soon() {
  if (g_wanted && !g_asked) ask();
}

double share_of_time(const CodeEntry* entry) {
  const double decay = std::exp2(-1.0 / kLongHalfLife);
  const double all = (1 - std::pow(decay, g_tick)) / (1 - decay);
  return entry->long_heat * std::pow(decay, g_tick - entry->heat_tick) / std::max(all, 1.0);
}

void look_again(CodeEntry* entry) {
  if (!g_wanted || entry->bound || entry->wanted_by || has_won(entry))
    rearm_events(entry->code);
  else if (!disarm_events(entry))
    PyErr_Clear();
}

void forget_sampled(const CodeEntry* entry) {
  std::vector<Trial>& list = trials();
  list.erase(std::remove_if(list.begin(), list.end(),
                            [entry](const Trial& trial) { return trial.entry == entry; }),
             list.end());
}

}  // namespace psyco
