// The project's C kernels: arithmetic in a written order (spec/training-arithmetic.md), update norms
// and checksums (spec/archive.md), filters of chunks (spec/filters.md).
#pragma once
#include "pol_arithmetic.h"
#include "pol_filters.h"
#include "pol_record_kernels.h"
