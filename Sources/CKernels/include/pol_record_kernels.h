#pragma once
#include <stddef.h>
#include <stdint.h>

// For programs that move chunks: buffers of 256 KiB come from memory that was used before, and not from
// the system, which clears every page of each of them.
void pol_keep_freed_memory(void);

// CRC-32C (Castagnoli, RFC 3720 B.4) of `count` bytes, continuing from `crc` (0 to begin).
uint32_t pol_crc32c(uint32_t crc, const void *bytes, size_t count);

// One of two SHA-256 computations that go on side by side. Both belong to one thread.
typedef struct {
  uint32_t state[8];
  uint64_t byte_count;
  uint8_t rest[64];
} pol_sha256_lane;

// Whether this processor has the instructions. Without them nothing below may be called.
int pol_sha256_has_pair(void);
void pol_sha256_begin(pol_sha256_lane *lane);
// Adds bytes to both; where one has more, the rest of it is hashed alone. Takes half of the time
// of one after the other where both are about as long.
void pol_sha256_add_pair(
    pol_sha256_lane *first, const void *first_bytes, size_t first_count, pol_sha256_lane *second,
    const void *second_bytes, size_t second_count);
// The digest; the lane has to begin anew.
void pol_sha256_finish(pol_sha256_lane *lane, uint8_t digest[32]);

// The four sums of an update (spec/archive.md 3.5). `linf` is a maximum, `is_nan` says that some term
// was NaN.
typedef struct {
  double l1, l2_squared, linf, weight_l2_squared;
  int is_nan;
} pol_norm_sums;

// One tensor on its way: eight interleaved sums of each kind. All zero to begin.
typedef struct {
  double l1[8], l2[8], weight[8], linf;
  uint64_t count;
  int is_nan;
} pol_norm_lanes;

typedef enum { POL_F16, POL_BF16, POL_F32, POL_F64 } pol_float_type;

// Adds the next `count` elements of a tensor: any cut into pieces gives the same bits.
void pol_norms_add(
    pol_norm_lanes *lanes, pol_float_type type, const void *before, const void *after,
    size_t count);
// Adds a finished tensor to the total.
void pol_norms_finish(pol_norm_sums *sums, const pol_norm_lanes *lanes);
