// The frames of the other threads are nobody's any more, but their memory and their references stay
// (plainly, too), and a frame object that somebody keeps goes on showing the variables. So these
// are written into the frames, and the activations forgotten: what they ran may be freed.
//
// A library's own fork does not come by here: there the frames of all threads can still be seen.
#include "runtime/fork.h"

#include <vector>

#include "runtime/activation.h"
#include "runtime/materialize.h"
#include "runtime/visible.h"

namespace psyco {
namespace {

PyObject* after_in_child(PyObject*, PyObject*) {
  PyThreadState* ts = _PyThreadState_GET();
  std::vector<Activation*> gone;
  for (Activation* act = g_newest_activation; act; act = act->prev)
    if (act->tstate != ts) gone.push_back(act);
  for (Activation* act : gone)
    for (Activation* at = act; at; at = at->callee)
      if (at->frame) {
        fill_frames(at);
        forget_made(at);  // the frames have references of their own
      }
  for (Activation* act : gone) abandon(act);
  Py_RETURN_NONE;
}

PyMethodDef g_after = {"psyco_after_in_child", after_in_child, METH_NOARGS, nullptr};

}  // namespace

bool watch_forks() {
  PyObject* posix = PyImport_ImportModule("posix");
  PyObject* enlist = posix ? PyObject_GetAttrString(posix, "register_at_fork") : nullptr;
  PyObject* hook = PyCFunction_New(&g_after, nullptr);
  PyObject* named = hook ? Py_BuildValue("{s:O}", "after_in_child", hook) : nullptr;
  PyObject* none = PyTuple_New(0);
  PyObject* done = enlist && named && none ? PyObject_Call(enlist, none, named) : nullptr;
  Py_XDECREF(none);
  Py_XDECREF(named);
  Py_XDECREF(hook);
  Py_XDECREF(enlist);
  Py_XDECREF(posix);
  Py_XDECREF(done);
  return done != nullptr;
}

}  // namespace psyco
