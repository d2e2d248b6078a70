#include "pol_record_kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *bytes,
                                                               size_t count) {
  uint64_t state = crc;
  while (count >= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    state = _mm_crc32_u64(state, word);
    bytes += 8;
    count -= 8;
  }
  while (count-- > 0) state = _mm_crc32_u8((uint32_t)state, *bytes++);
  return (uint32_t)state;
}
#endif

// One bit at a time is enough here: machines without the instruction get a table of 256 entries built
// on the stack, which costs nothing beside the bytes it is used for.
static uint32_t crc_portable(uint32_t crc, const uint8_t *bytes, size_t count) {
  uint32_t table[256];
  for (uint32_t value = 0; value < 256; value++) {
    uint32_t entry = value;
    for (int bit = 0; bit < 8; bit++) entry = entry >> 1 ^ (entry & 1 ? 0x82f63b78u : 0);
    table[value] = entry;
  }
  while (count-- > 0) crc = crc >> 8 ^ table[(crc ^ *bytes++) & 255];
  return crc;
}

uint32_t pol_crc32c(uint32_t crc, const void *bytes, size_t count) {
  crc = ~crc;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~crc_hardware(crc, bytes, count);
#endif
  return ~crc_portable(crc, bytes, count);
}
