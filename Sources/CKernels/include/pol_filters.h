#pragma once
#include <stddef.h>
#include <stdint.h>

// Filters of chunk codecs (spec/filters.md §4): elements of 1, 2, 4 or 8 bytes become integers that
// compress, and the integers are taken apart into byte planes or bit planes.
//
// Integer arithmetic alone: every bit pattern comes back. AVX2 and portable code give the same bytes.
// Nothing here needs an alignment. `raw`, `parent` and the planes must not overlap what is written.

// How an element becomes an integer of its size.
typedef enum {
  // As it is.
  POL_MAP_PLAIN = 0,
  // Rotated left by one: the sign goes last and the exponent of binary32 is one whole byte.
  POL_MAP_ROTATE = 1,
  // Difference from the parent's element, zigzag.
  POL_MAP_DELTA = 2,
  // The same of sign-magnitude numbers, put in two's-complement order first.
  POL_MAP_DELTA_FLOAT = 3,
} pol_filter_map;

// Bit planes of the first `count` / 8 * 8 elements: plane p holds bit p of each, 8 elements a byte, at
// `planes` + p * `stride`, which should be no power of two. The remaining mapped elements go to
// `tail`. `parent` may be null for the maps that have none.
void pol_filter_bits(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *raw,
    const uint8_t *parent, uint8_t *planes, size_t stride, uint8_t *tail);
// The reverse; each of the 8 * `element_size` planes may lie anywhere.
void pol_unfilter_bits(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *const *planes,
    const uint8_t *tail, const uint8_t *parent, uint8_t *raw);

// Byte planes: plane b holds byte b of each mapped element, at `planes` + b * `count`.
void pol_filter_bytes(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *raw,
    const uint8_t *parent, uint8_t *planes);
// The reverse; each of the `element_size` planes may lie anywhere.
void pol_unfilter_bytes(
    size_t element_size, pol_filter_map map, size_t count, const uint8_t *const *planes,
    const uint8_t *parent, uint8_t *raw);

// memcpy, but as fast from any address to any other: glibc's is 20 times slower on some processors
// when the addresses, modulo 4096, are 1 to 15 bytes apart (measured: 1.6 GB/s for 30).
void pol_copy_bytes(size_t count, const uint8_t *bytes, uint8_t *copy);

// How many bytes equal the byte before them.
size_t pol_repeat_count(size_t count, const uint8_t *bytes);
