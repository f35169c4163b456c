// What the program can see of an activation: its frames, their line numbers and their variables.
#pragma once
#include "cpython/port.h"
#include "emit/abi.h"

namespace psyco {

// RuntimeTable::link_frames, unlink_frames: around a call-out from inlined code, whose stack map is
// act->site. A frame whose object somebody keeps stays linked, and the activation is told to leave.
extern "C" void psyco_link_frames(Activation* act);
extern "C" void psyco_show_frames(Activation* act);
// An activation at a native call: its frame stands there, inlined ones are linked.
void show_call_site(Activation* act);
extern "C" void psyco_unlink_frames(Activation* act);
// After any other call-out: the same for the activation's own frame.
extern "C" void psyco_note_kept_frame(Activation* act);
extern "C" void psyco_release_after_return(Activation* act, void* object);

// Unlinks and clears them whoever keeps their objects.
void drop_linked_frames(Activation* act);

// Writes the variables of every live activation somebody holds a frame object of into its frames,
// as new references, and tells the activation to leave: from then on the frames are the truth.
void fill_visible_frames();
void fill_frames(Activation* act);
// Those of the activation that is calling out now.
void fill_current_frame(PyThreadState* ts);

// Somebody besides the frame itself holds its frame object, perhaps through a proxy of its
// variables made earlier, which reads the frame without asking: native code must not take the
// variables out of it.
bool frame_is_kept(const _PyInterpreterFrame* frame);

bool install_locals_hook();
void remove_locals_hook();

}  // namespace psyco
