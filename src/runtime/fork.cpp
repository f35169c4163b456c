// In the child the frames of the parent's other threads are nobody's any more, but their memory and
// their references stay (plainly, too), and a frame object that somebody keeps goes on showing the
// variables. So the variables are written into the frames, and the activations of these threads are
// forgotten: the code they ran may be freed.
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
  for (Activation* act = g_entering.newest; act; act = act->prev)
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

bool call_with(const char* module, const char* function, PyObject* positional, PyObject* named) {
  PyObject* owner = PyImport_ImportModule(module);
  PyObject* callable = owner ? PyObject_GetAttrString(owner, function) : nullptr;
  PyObject* args = positional ? PyTuple_Pack(1, positional) : PyTuple_New(0);
  PyObject* done = callable && args ? PyObject_Call(callable, args, named) : nullptr;
  const bool ok = done != nullptr;
  Py_XDECREF(done);
  Py_XDECREF(args);
  Py_XDECREF(callable);
  Py_XDECREF(owner);
  return ok;
}

bool watch_forks() {
  PyObject* hook = PyCFunction_New(&g_after, nullptr);
  PyObject* named = hook ? Py_BuildValue("{s:O}", "after_in_child", hook) : nullptr;
  const bool ok = named && call_with("posix", "register_at_fork", nullptr, named);
  Py_XDECREF(named);
  Py_XDECREF(hook);
  return ok;
}

}  // namespace psyco
