#include "dispatch.h"

#include <stdatomic.h>

#include "pol_arithmetic.h"

static atomic_int forced_portable;

void pol_kernels_force_portable(int force) {
  atomic_store_explicit(&forced_portable, force, memory_order_relaxed);
}

int pol_kernels_are_portable(void) {
  return atomic_load_explicit(&forced_portable, memory_order_relaxed);
}

int pol_kernels_use_avx2(void) {
#if POL_HAS_AVX2
  // The builtin reads a variable that the C runtime fills once, and asks the operating system too.
  return !pol_kernels_are_portable() && __builtin_cpu_supports("avx2");
#else
  return 0;
#endif
}
