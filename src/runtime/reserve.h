// Objects made beforehand, for the moment memory runs out where nothing may fail: an exit has to
// rebuild what the interpreter goes on with, and an update of a slot has no way to raise.
#pragma once
#include "cpython/port.h"

namespace psyco::reserve {

void start();

// Whether there is so much memory at the moment, beside the reserve: who can do without asks first.
bool can_spare(size_t bytes);

// Makes up for what was taken, as far as there is memory. Leaves no error. Cheap if nothing was.
void fill();

// In the place of an object that could not be made; an error that is set is cleared. New
// references; null if there is none left, or none of that kind.
PyObject* integer(int64_t value);
PyObject* number(double value);
PyObject* tuple(Py_ssize_t size);  // its items are empty, and it is not tracked
PyObject* range_iterator();
PyObject* iterator(PyObject* sequence);  // of a list, tuple, bytes or bytearray
PyObject* method(PyObject* function, PyObject* self);
// Stands for an iterator when there is none left: at its end.
PyObject* exhausted_iterator();

// The same for numbers, for who cannot fail at all. From a level on that shows that there is no
// memory the thread gets its MemoryError at the next place where it looks for signals, in a loop
// at the next back edge.
PyObject* integer_or_raise_soon(int64_t value);
PyObject* number_or_raise_soon(double value);

}  // namespace psyco::reserve
