// Parts of cpython/objects.h that are not so in all versions: in 3.14 none is its own. Included by
// it.
#pragma once
#include "cpython/objects_since_314.h"
#include "cpython/objects_until_314.h"
