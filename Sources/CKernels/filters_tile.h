// The parts of a filter that work on one tile; internal to this target.
#pragma once

#include <string.h>

#include "dispatch.h"
#include "pol_filters.h"

_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are read as they lie: little-endian");

// Elements of a tile: 512 bits are one cache line of a bit plane, which is so written in one visit.
#define POL_FILTER_TILE 512

#define POL_DEFINE_MAP(TYPE, BITS)                                                                 \
  POL_INLINE TYPE pol_in_order_##TYPE(TYPE x) {                                                    \
    /* Negative numbers: all bits but the sign turn over. Its own inverse. */                      \
    return (TYPE)(x ^ (TYPE)((TYPE)(0 - (TYPE)(x >> (BITS - 1))) >> 1));                           \
  }                                                                                                \
  POL_INLINE TYPE pol_mapped_##TYPE(pol_filter_map map, TYPE x, TYPE p) {                          \
    if (map == POL_MAP_PLAIN) return x;                                                            \
    if (map == POL_MAP_ROTATE) return (TYPE)((TYPE)(x << 1) | (TYPE)(x >> (BITS - 1)));            \
    if (map == POL_MAP_DELTA_FLOAT) {                                                              \
      x = pol_in_order_##TYPE(x);                                                                  \
      p = pol_in_order_##TYPE(p);                                                                  \
    }                                                                                              \
    TYPE d = (TYPE)(x - p);                                                                        \
    return (TYPE)((TYPE)(d << 1) ^ (TYPE)(0 - (TYPE)(d >> (BITS - 1))));                           \
  }                                                                                                \
  POL_INLINE TYPE pol_unmapped_##TYPE(pol_filter_map map, TYPE x, TYPE p) {                        \
    if (map == POL_MAP_PLAIN) return x;                                                            \
    if (map == POL_MAP_ROTATE) return (TYPE)((TYPE)(x >> 1) | (TYPE)(x << (BITS - 1)));            \
    TYPE d = (TYPE)((TYPE)(x >> 1) ^ (TYPE)(0 - (TYPE)(x & 1)));                                   \
    if (map == POL_MAP_DELTA) return (TYPE)(p + d);                                                \
    return pol_in_order_##TYPE((TYPE)(pol_in_order_##TYPE(p) + d));                                \
  }                                                                                                \
  POL_INLINE void pol_map_##TYPE(                                                                  \
      pol_filter_map map, int reverse, size_t count, const uint8_t *in, const uint8_t *parent,     \
      uint8_t *out) {                                                                              \
    for (size_t i = 0; i < count; i++) {                                                           \
      TYPE x, p = 0;                                                                               \
      memcpy(&x, in + i * sizeof x, sizeof x);                                                     \
      if (map >= POL_MAP_DELTA) memcpy(&p, parent + i * sizeof p, sizeof p);                       \
      x = reverse ? pol_unmapped_##TYPE(map, x, p) : pol_mapped_##TYPE(map, x, p);                 \
      memcpy(out + i * sizeof x, &x, sizeof x);                                                    \
    }                                                                                              \
  }

POL_DEFINE_MAP(uint8_t, 8)
POL_DEFINE_MAP(uint16_t, 16)
POL_DEFINE_MAP(uint32_t, 32)
POL_DEFINE_MAP(uint64_t, 64)

// Maps `count` elements, or reverses it. Inlined where it is used, so that the compiler's vectors are
// those of the caller's processor.
POL_INLINE void pol_map_sized(
    size_t size, pol_filter_map map, int reverse, size_t count, const uint8_t *in,
    const uint8_t *parent, uint8_t *out) {
  switch (size) {
    case 1: pol_map_uint8_t(map, reverse, count, in, parent, out); return;
    case 2: pol_map_uint16_t(map, reverse, count, in, parent, out); return;
    case 4: pol_map_uint32_t(map, reverse, count, in, parent, out); return;
    default: pol_map_uint64_t(map, reverse, count, in, parent, out); return;
  }
}

POL_INLINE void pol_map_elements(
    size_t size, pol_filter_map map, int reverse, size_t count, const uint8_t *in,
    const uint8_t *parent, uint8_t *out) {
  switch (map) {
    case POL_MAP_PLAIN: memcpy(out, in, count * size); return;
    case POL_MAP_ROTATE:
      pol_map_sized(size, POL_MAP_ROTATE, reverse, count, in, parent, out);
      return;
    case POL_MAP_DELTA:
      pol_map_sized(size, POL_MAP_DELTA, reverse, count, in, parent, out);
      return;
    case POL_MAP_DELTA_FLOAT:
      pol_map_sized(size, POL_MAP_DELTA_FLOAT, reverse, count, in, parent, out);
      return;
  }
}

#if POL_HAS_AVX2
// As the public functions, for whole tiles (and `count` a multiple of 128 bytes).
void pol_filter_bits_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *raw, const uint8_t *parent,
    uint8_t *planes, size_t plane_stride);
void pol_unfilter_bits_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw);
void pol_filter_bytes_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *raw, const uint8_t *parent,
    uint8_t *planes, size_t plane_stride);
void pol_unfilter_bytes_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw);
void pol_copy_bytes_avx2(size_t count, const uint8_t *bytes, uint8_t *copy);
size_t pol_repeat_count_avx2(size_t count, const uint8_t *bytes);
#endif
