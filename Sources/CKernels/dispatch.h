// Which kernels run. Internal to this target.
#pragma once

#include <float.h>

// x87 or any other wider evaluation would round differently.
_Static_assert(FLT_EVAL_METHOD == 0, "float expressions must be evaluated as float");

#if defined(__x86_64__)
#define POL_HAS_AVX2 1
#define POL_AVX2 __attribute__((target("avx2")))
#else
#define POL_HAS_AVX2 0
#endif

#define POL_INLINE static inline __attribute__((always_inline))

// Whether tests asked for the portable paths.
int pol_kernels_are_portable(void);
int pol_kernels_use_avx2(void);
