// Filters of chunk codecs (spec/filters.md §4): the way in, and the portable code.
#include "pol_filters.h"

#include "filters_tile.h"

// An 8 by 8 bit matrix in one word, row r in byte r, turned over its diagonal (Warren, "Hacker's
// Delight", 2nd edition, §7-3).
static uint64_t transposed(uint64_t x) {
  uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aau;
  x ^= t ^ t << 7;
  t = (x ^ x >> 14) & 0x0000cccc0000ccccu;
  x ^= t ^ t << 14;
  t = (x ^ x >> 28) & 0x00000000f0f0f0f0u;
  return x ^ t ^ t << 28;
}

// One byte of every bit plane, out of 8 elements.
static void split_group(size_t size, const uint8_t *elements, uint8_t *planes, size_t stride) {
  for (size_t byte = 0; byte < size; byte++) {
    uint64_t rows = 0;
    for (size_t i = 0; i < 8; i++) rows |= (uint64_t)elements[i * size + byte] << (8 * i);
    rows = transposed(rows);
    for (size_t bit = 0; bit < 8; bit++) {
      planes[(8 * byte + bit) * stride] = (uint8_t)(rows >> (8 * bit));
    }
  }
}

static void join_group(
    size_t size, const uint8_t *const *planes, size_t position, uint8_t *elements) {
  for (size_t byte = 0; byte < size; byte++) {
    uint64_t rows = 0;
    for (size_t bit = 0; bit < 8; bit++) {
      rows |= (uint64_t)planes[8 * byte + bit][position] << (8 * bit);
    }
    rows = transposed(rows);
    for (size_t i = 0; i < 8; i++) elements[i * size + byte] = (uint8_t)(rows >> (8 * i));
  }
}

static const uint8_t *from(const uint8_t *bytes, size_t offset) {
  return bytes ? bytes + offset : NULL;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

void pol_filter_bits(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *raw,
    const uint8_t *parent, uint8_t *planes, size_t stride, uint8_t *tail) {
  size_t done = 0;
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) {
    size_t tiles = count / POL_FILTER_TILE;
    pol_filter_bits_avx2(element_size, map, tiles, raw, parent, planes, stride);
    done = tiles * POL_FILTER_TILE;
  }
#endif
  uint8_t mapped[POL_FILTER_TILE * 8];
  while (done < count) {
    size_t now = smaller(count - done, POL_FILTER_TILE), offset = done * element_size;
    pol_map_elements(element_size, map, 0, now, raw + offset, from(parent, offset), mapped);
    for (size_t group = 0; group < now / 8; group++) {
      split_group(element_size, mapped + 8 * group * element_size, planes + done / 8 + group, stride);
    }
    size_t rest = now % 8;
    if (rest) memcpy(tail, mapped + (now - rest) * element_size, rest * element_size);
    done += now;
  }
}

void pol_unfilter_bits(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *const *planes,
    const uint8_t *tail, const uint8_t *parent, uint8_t *raw) {
  size_t done = 0;
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) {
    size_t tiles = count / POL_FILTER_TILE;
    pol_unfilter_bits_avx2(element_size, map, tiles, planes, parent, raw);
    done = tiles * POL_FILTER_TILE;
  }
#endif
  uint8_t mapped[POL_FILTER_TILE * 8];
  while (done < count) {
    size_t now = smaller(count - done, POL_FILTER_TILE), offset = done * element_size;
    for (size_t group = 0; group < now / 8; group++) {
      join_group(element_size, planes, done / 8 + group, mapped + 8 * group * element_size);
    }
    size_t rest = now % 8;
    if (rest) memcpy(mapped + (now - rest) * element_size, tail, rest * element_size);
    pol_map_elements(element_size, map, 1, now, mapped, from(parent, offset), raw + offset);
    done += now;
  }
}

void pol_filter_bytes(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *raw,
    const uint8_t *parent, uint8_t *planes) {
  size_t done = 0;
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) {
    size_t tiles = count / POL_FILTER_TILE;
    pol_filter_bytes_avx2(element_size, map, tiles, raw, parent, planes, count);
    done = tiles * POL_FILTER_TILE;
  }
#endif
  uint8_t mapped[POL_FILTER_TILE * 8];
  while (done < count) {
    size_t now = smaller(count - done, POL_FILTER_TILE), offset = done * element_size;
    pol_map_elements(element_size, map, 0, now, raw + offset, from(parent, offset), mapped);
    for (size_t byte = 0; byte < element_size; byte++) {
      uint8_t *plane = planes + byte * count + done;
      for (size_t i = 0; i < now; i++) plane[i] = mapped[i * element_size + byte];
    }
    done += now;
  }
}

void pol_unfilter_bytes(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw) {
  size_t done = 0;
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) {
    size_t tiles = count / POL_FILTER_TILE;
    pol_unfilter_bytes_avx2(element_size, map, tiles, planes, parent, raw);
    done = tiles * POL_FILTER_TILE;
  }
#endif
  uint8_t mapped[POL_FILTER_TILE * 8];
  while (done < count) {
    size_t now = smaller(count - done, POL_FILTER_TILE), offset = done * element_size;
    for (size_t byte = 0; byte < element_size; byte++) {
      const uint8_t *plane = planes[byte] + done;
      for (size_t i = 0; i < now; i++) mapped[i * element_size + byte] = plane[i];
    }
    pol_map_elements(element_size, map, 1, now, mapped, from(parent, offset), raw + offset);
    done += now;
  }
}

void pol_copy_bytes(size_t count, const uint8_t *bytes, uint8_t *copy) {
  size_t done = 0;
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) {
    done = count / 128 * 128;
    pol_copy_bytes_avx2(done, bytes, copy);
  }
#endif
  memcpy(copy + done, bytes + done, count - done);
}

size_t pol_repeat_count(size_t count, const uint8_t *bytes) {
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) return pol_repeat_count_avx2(count, bytes);
#endif
  size_t sum = 0;
  for (size_t i = 1; i < count; i++) sum += bytes[i] == bytes[i - 1];
  return sum;
}
