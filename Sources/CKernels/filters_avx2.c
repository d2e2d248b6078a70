// Filters of chunk codecs (spec/filters.md §4) in AVX2: whole tiles of 512 elements.
#include "filters_tile.h"

#if POL_HAS_AVX2
#include <immintrin.h>

enum { TILE = POL_FILTER_TILE, VECTORS = TILE / 32 };

#define LOAD(address) _mm256_loadu_si256((const __m256i *)(address))
#define STORE(address, value) _mm256_storeu_si256((__m256i *)(address), value)

// Two runs of 16 bytes, `apart` bytes from one another, as the halves of a vector.
POL_AVX2 POL_INLINE __m256i load_halves(const uint8_t *bytes, size_t apart) {
  __m128i low = _mm_loadu_si128((const __m128i *)bytes);
  __m128i high = _mm_loadu_si128((const __m128i *)(bytes + apart));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

POL_AVX2 POL_INLINE void store_halves(uint8_t *bytes, size_t apart, __m256i value) {
  _mm_storeu_si128((__m128i *)bytes, _mm256_castsi256_si128(value));
  _mm_storeu_si128((__m128i *)(bytes + apart), _mm256_extracti128_si256(value, 1));
}

// 32 elements of `size` bytes into one vector for each of their bytes. A half of each vector holds 16
// elements: loading the halves from 16 elements apart keeps the network of shuffles within halves.
POL_AVX2 POL_INLINE void split_32(size_t size, const uint8_t *in, __m256i out[8]) {
  size_t apart = 16 * size;
  if (size == 1) {
    out[0] = LOAD(in);
  } else if (size == 2) {
    __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    __m256i a = _mm256_shuffle_epi8(load_halves(in, apart), order);
    __m256i b = _mm256_shuffle_epi8(load_halves(in + 16, apart), order);
    out[0] = _mm256_unpacklo_epi64(a, b);
    out[1] = _mm256_unpackhi_epi64(a, b);
  } else if (size == 4) {
    __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m256i v[4];
    for (int i = 0; i < 4; i++) {
      v[i] = _mm256_shuffle_epi8(load_halves(in + 16 * i, apart), order);
    }
    __m256i low01 = _mm256_unpacklo_epi32(v[0], v[1]), high01 = _mm256_unpackhi_epi32(v[0], v[1]);
    __m256i low23 = _mm256_unpacklo_epi32(v[2], v[3]), high23 = _mm256_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm256_unpacklo_epi64(low01, low23);
    out[1] = _mm256_unpackhi_epi64(low01, low23);
    out[2] = _mm256_unpacklo_epi64(high01, high23);
    out[3] = _mm256_unpackhi_epi64(high01, high23);
  } else {
    __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
    __m256i v[8], u[8];
    for (int i = 0; i < 8; i++) {
      v[i] = _mm256_shuffle_epi8(load_halves(in + 16 * i, apart), order);
    }
    for (int i = 0; i < 4; i++) {
      u[i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);      // bytes 0 to 3 of 4 elements
      u[i + 4] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);  // bytes 4 to 7
    }
    for (int half = 0; half < 2; half++) {
      __m256i *w = u + 4 * half;
      __m256i a = _mm256_unpacklo_epi32(w[0], w[1]), b = _mm256_unpackhi_epi32(w[0], w[1]);
      __m256i c = _mm256_unpacklo_epi32(w[2], w[3]), d = _mm256_unpackhi_epi32(w[2], w[3]);
      out[4 * half] = _mm256_unpacklo_epi64(a, c);
      out[4 * half + 1] = _mm256_unpackhi_epi64(a, c);
      out[4 * half + 2] = _mm256_unpacklo_epi64(b, d);
      out[4 * half + 3] = _mm256_unpackhi_epi64(b, d);
    }
  }
}

// Writes byte k of in[0], in[1], ... in[ways - 1], then byte k + 1 of each, for 32 k.
POL_AVX2 POL_INLINE void interleave_32(size_t ways, const __m256i in[8], uint8_t *out) {
  size_t apart = 16 * ways;
  if (ways == 1) {
    STORE(out, in[0]);
  } else if (ways == 2) {
    store_halves(out, apart, _mm256_unpacklo_epi8(in[0], in[1]));
    store_halves(out + 16, apart, _mm256_unpackhi_epi8(in[0], in[1]));
  } else if (ways == 4) {
    __m256i a = _mm256_unpacklo_epi8(in[0], in[1]), b = _mm256_unpacklo_epi8(in[2], in[3]);
    __m256i c = _mm256_unpackhi_epi8(in[0], in[1]), d = _mm256_unpackhi_epi8(in[2], in[3]);
    store_halves(out, apart, _mm256_unpacklo_epi16(a, b));
    store_halves(out + 16, apart, _mm256_unpackhi_epi16(a, b));
    store_halves(out + 32, apart, _mm256_unpacklo_epi16(c, d));
    store_halves(out + 48, apart, _mm256_unpackhi_epi16(c, d));
  } else {
    __m256i u[8];
    for (int i = 0; i < 4; i++) {
      u[i] = _mm256_unpacklo_epi8(in[2 * i], in[2 * i + 1]);
      u[i + 4] = _mm256_unpackhi_epi8(in[2 * i], in[2 * i + 1]);
    }
    for (int half = 0; half < 2; half++) {
      __m256i *w = u + 4 * half;
      __m256i a = _mm256_unpacklo_epi16(w[0], w[1]), b = _mm256_unpackhi_epi16(w[0], w[1]);
      __m256i c = _mm256_unpacklo_epi16(w[2], w[3]), d = _mm256_unpackhi_epi16(w[2], w[3]);
      uint8_t *place = out + 64 * half;
      store_halves(place, apart, _mm256_unpacklo_epi32(a, c));
      store_halves(place + 16, apart, _mm256_unpackhi_epi32(a, c));
      store_halves(place + 32, apart, _mm256_unpacklo_epi32(b, d));
      store_halves(place + 48, apart, _mm256_unpackhi_epi32(b, d));
    }
  }
}

// Exchanges, in every byte, the bits `mask` of `b` with those `shift` places above in `a`.
POL_AVX2 POL_INLINE void exchange(__m256i *a, __m256i *b, int shift, char mask) {
  __m256i t = _mm256_xor_si256(_mm256_srli_epi64(*a, shift), *b);
  t = _mm256_and_si256(t, _mm256_set1_epi8(mask));
  *b = _mm256_xor_si256(*b, t);
  *a = _mm256_xor_si256(*a, _mm256_slli_epi64(t, shift));
}

// Turns 32 bit matrices at once: bit j of byte k of row p becomes bit p of byte k of row j.
POL_AVX2 POL_INLINE void transpose_bits(__m256i r[8]) {
  for (int i = 0; i < 4; i++) exchange(&r[i], &r[i + 4], 4, 0x0f);
  for (int i = 0; i < 2; i++) {
    exchange(&r[i], &r[i + 2], 2, 0x33);
    exchange(&r[i + 4], &r[i + 6], 2, 0x33);
  }
  for (int i = 0; i < 8; i += 2) exchange(&r[i], &r[i + 1], 1, 0x55);
}

// One cache line of each of the 8 bit planes of a byte plane.
POL_AVX2 POL_INLINE void split_bits(const uint8_t *bytes, uint8_t *planes, size_t stride) {
  __m256i low[8], high[8];
  split_32(8, bytes, low);
  transpose_bits(low);
  split_32(8, bytes + 256, high);
  transpose_bits(high);
  for (size_t bit = 0; bit < 8; bit++) {
    STORE(planes + bit * stride, low[bit]);
    STORE(planes + bit * stride + 32, high[bit]);
  }
}

// A byte plane out of the cache line of each of its 8 bit planes.
POL_AVX2 POL_INLINE void join_bits(
    const uint8_t *const *planes, size_t position, uint8_t *bytes) {
  for (int half = 0; half < 2; half++) {
    __m256i r[8];
    for (int bit = 0; bit < 8; bit++) r[bit] = LOAD(planes[bit] + position + 32 * half);
    transpose_bits(r);
    interleave_32(8, r, bytes + 256 * half);
  }
}

POL_AVX2 POL_INLINE void split_tile(
    size_t size, pol_filter_map map, const uint8_t *raw, const uint8_t *parent,
    uint8_t bytes[8][TILE]) {
  uint8_t mapped[TILE * 8];
  if (map != POL_MAP_PLAIN) {
    pol_map_elements(size, map, 0, TILE, raw, parent, mapped);
    raw = mapped;
  }
  for (int v = 0; v < VECTORS; v++) {
    __m256i part[8];
    split_32(size, raw + 32 * (size_t)v * size, part);
    for (size_t byte = 0; byte < size; byte++) STORE(bytes[byte] + 32 * v, part[byte]);
  }
}

POL_AVX2 POL_INLINE void join_tile(
    size_t size, pol_filter_map map, const uint8_t *const bytes[8], const uint8_t *parent,
    uint8_t *raw) {
  uint8_t mapped[TILE * 8];
  uint8_t *elements = map == POL_MAP_PLAIN ? raw : mapped;
  for (int v = 0; v < VECTORS; v++) {
    __m256i part[8];
    for (size_t byte = 0; byte < size; byte++) part[byte] = LOAD(bytes[byte] + 32 * v);
    interleave_32(size, part, elements + 32 * (size_t)v * size);
  }
  if (map != POL_MAP_PLAIN) pol_map_elements(size, map, 1, TILE, mapped, parent, raw);
}

POL_INLINE const uint8_t *from(const uint8_t *bytes, size_t offset) {
  return bytes ? bytes + offset : NULL;
}

POL_AVX2 POL_INLINE void filter_bits(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *raw, const uint8_t *parent,
    uint8_t *planes, size_t plane_stride) {
  for (size_t tile = 0; tile < tiles; tile++) {
    uint8_t bytes[8][TILE];
    size_t offset = tile * TILE * size;
    split_tile(size, map, raw + offset, from(parent, offset), bytes);
    for (size_t byte = 0; byte < size; byte++) {
      split_bits(bytes[byte], planes + 8 * byte * plane_stride + tile * (TILE / 8), plane_stride);
    }
  }
}

POL_AVX2 POL_INLINE void unfilter_bits(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw) {
  for (size_t tile = 0; tile < tiles; tile++) {
    uint8_t bytes[8][TILE];
    const uint8_t *rows[8];
    size_t offset = tile * TILE * size;
    for (size_t byte = 0; byte < size; byte++) {
      join_bits(planes + 8 * byte, tile * (TILE / 8), bytes[byte]);
      rows[byte] = bytes[byte];
    }
    join_tile(size, map, rows, from(parent, offset), raw + offset);
  }
}

POL_AVX2 POL_INLINE void filter_bytes(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *raw, const uint8_t *parent,
    uint8_t *planes, size_t plane_stride) {
  for (size_t tile = 0; tile < tiles; tile++) {
    uint8_t bytes[8][TILE];
    size_t offset = tile * TILE * size;
    split_tile(size, map, raw + offset, from(parent, offset), bytes);
    for (size_t byte = 0; byte < size; byte++) {
      memcpy(planes + byte * plane_stride + tile * TILE, bytes[byte], TILE);
    }
  }
}

POL_AVX2 POL_INLINE void unfilter_bytes(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw) {
  for (size_t tile = 0; tile < tiles; tile++) {
    const uint8_t *rows[8];
    size_t offset = tile * TILE * size;
    for (size_t byte = 0; byte < size; byte++) rows[byte] = planes[byte] + tile * TILE;
    join_tile(size, map, rows, from(parent, offset), raw + offset);
  }
}

// One body for each element size: the networks above are chosen when this is compiled.
#define BY_SIZE(CALL)           \
  switch (size) {               \
    case 1: CALL(1); return;    \
    case 2: CALL(2); return;    \
    case 4: CALL(4); return;    \
    default: CALL(8); return;   \
  }

POL_AVX2 void pol_filter_bits_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *raw, const uint8_t *parent,
    uint8_t *planes, size_t plane_stride) {
#define CALL(SIZE) filter_bits(SIZE, map, tiles, raw, parent, planes, plane_stride)
  BY_SIZE(CALL)
#undef CALL
}

POL_AVX2 void pol_unfilter_bits_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw) {
#define CALL(SIZE) unfilter_bits(SIZE, map, tiles, planes, parent, raw)
  BY_SIZE(CALL)
#undef CALL
}

POL_AVX2 void pol_filter_bytes_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *raw, const uint8_t *parent,
    uint8_t *planes, size_t plane_stride) {
#define CALL(SIZE) filter_bytes(SIZE, map, tiles, raw, parent, planes, plane_stride)
  BY_SIZE(CALL)
#undef CALL
}

POL_AVX2 void pol_unfilter_bytes_avx2(
    size_t size, pol_filter_map map, size_t tiles, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw) {
#define CALL(SIZE) unfilter_bytes(SIZE, map, tiles, planes, parent, raw)
  BY_SIZE(CALL)
#undef CALL
}

POL_AVX2 void pol_copy_bytes_avx2(size_t count, const uint8_t *bytes, uint8_t *copy) {
  for (size_t i = 0; i < count; i += 128) {
    __m256i a = LOAD(bytes + i), b = LOAD(bytes + i + 32);
    __m256i c = LOAD(bytes + i + 64), d = LOAD(bytes + i + 96);
    STORE(copy + i, a);
    STORE(copy + i + 32, b);
    STORE(copy + i + 64, c);
    STORE(copy + i + 96, d);
  }
}

POL_AVX2 size_t pol_repeat_count_avx2(size_t count, const uint8_t *bytes) {
  size_t i = 1, sum = 0;
  for (; i + 32 <= count; i += 32) {
    __m256i same = _mm256_cmpeq_epi8(LOAD(bytes + i), LOAD(bytes + i - 1));
    sum += (size_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(same));
  }
  for (; i < count; i++) sum += bytes[i] == bytes[i - 1];
  return sum;
}
#endif
