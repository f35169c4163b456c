#include "runtime/runtime.h"

#include "runtime/activation.h"
#include "runtime/deopt.h"
#include "runtime/entry.h"
#include "runtime/fork.h"
#include "runtime/native_calls.h"
#include "runtime/osr.h"
#include "runtime/poll.h"
#include "runtime/reserve.h"
#include "runtime/sampler.h"
#include "runtime/table.h"
#include "runtime/visible.h"
#include "runtime/wanted.h"
#include "runtime/watch.h"

namespace psyco {

bool start_runtime() {
  if (!init_entry()) return false;
  if (!init_watchers()) return false;
  if (!Port::prepare_unwind_running()) {
    stop_watchers();
    PyErr_NoMemory();
    return false;
  }
  Port::restock_spare_chunk();
  reserve::start();
  if (!install_locals_hook()) {
    stop_watchers();
    PyErr_SetString(PyExc_RuntimeError, "the type of frame locals proxies has no allocator");
    return false;
  }
  if (!watch_forks()) {
    stop_watchers();
    remove_locals_hook();
    return false;
  }
  init_monitoring();  // without a tool id calls alone are compiled
  watch_tools();
  tools_changed(_PyThreadState_GET());
  Port::keep_freed_chunks(true);
  return true;
}

void stop_runtime() {
  Port::keep_freed_chunks(false);
  stop_sampler();
  uninstall_all();
  stop_watching_tools();
  stop_monitoring();
  stop_wanting();
  stop_watchers();
  remove_locals_hook();
}

void fill_runtime_table(RuntimeTable* table) {
  table->exit = psyco_exit;
  table->link_frames = psyco_link_frames;
  table->unlink_frames = psyco_unlink_frames;
  table->drop_frames = drop_linked_frames;
  table->note_kept_frame = psyco_note_kept_frame;
  table->attend = psyco_attend;
  table->show_frames = psyco_show_frames;
  table->release_after_return = psyco_release_after_return;
  table->call_unlinked = psyco_call_unlinked;
  using Call = decltype(table->call_function);
  table->call_function = reinterpret_cast<Call>(psyco_call_function);
  table->pop_call = psyco_pop_call;
  table->invalid_code_idle = psyco_invalid_code_idle;
  table->new_chunk = psyco_new_chunk;
  table->end_direct = psyco_end_direct;
  table->convert_result = psyco_convert_result;
  fill_helper_table(*table);
}

}  // namespace psyco
