// The project's C kernels: arithmetic in a written order (spec/training-arithmetic.md).
#pragma once

#include "pol_arithmetic.h"
