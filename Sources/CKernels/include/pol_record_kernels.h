#pragma once
#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli, RFC 3720 B.4) of `count` bytes, continuing from `crc` (0 to begin).
uint32_t pol_crc32c(uint32_t crc, const void *bytes, size_t count);

// The four sums of an update (spec/archive.md 3.5). `linf` is a maximum, `is_nan` says that some term
// was NaN.
typedef struct {
  double l1, l2_squared, linf, weight_l2_squared;
  int is_nan;
} pol_norm_sums;

// Adds one tensor: `before` and `after` hold `count` elements; element sizes as in the name.
void pol_norms_f32(pol_norm_sums *sums, const void *before, const void *after, size_t count);
void pol_norms_f64(pol_norm_sums *sums, const void *before, const void *after, size_t count);
void pol_norms_f16(pol_norm_sums *sums, const void *before, const void *after, size_t count);
void pol_norms_bf16(pol_norm_sums *sums, const void *before, const void *after, size_t count);
