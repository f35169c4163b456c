// Changes in place that CPython tells nobody about: obj.__class__ = X, and __init__ called once
// more on a property, static method or class method.
//
// Every assignment of a class goes through the setter of object.__class__, every such call through
// the slot wrapper that the type has as its __init__. Both keep their C function in a field, which
// is ours while psyco runs.
#pragma once

namespace psyco {

bool watch_changes_in_place();  // false, with an error set: this CPython is built otherwise
void stop_watching_changes_in_place();
bool sees_changes_in_place();

}  // namespace psyco
