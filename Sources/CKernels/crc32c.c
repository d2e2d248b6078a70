#include "pol_record_kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <stdatomic.h>

#define POL_SSE42 __attribute__((target("sse4.2")))

// The instruction gives an answer after three cycles and takes a question every cycle: three streams
// of this length run side by side and are put together by what so many zero bytes do to a checksum.
#define STREAM_BYTES 4096

static uint32_t shift_table[4][256];
static atomic_int has_shift_table;

POL_SSE42 static uint32_t crc_words(uint32_t crc, const uint8_t *bytes, size_t count) {
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

// The register after STREAM_BYTES zero bytes is linear in the register: four tables of its bytes. Two
// threads may fill them at once, with the same values.
POL_SSE42 static void make_shift_table(void) {
  uint32_t of_bit[32];
  for (int bit = 0; bit < 32; bit++) {
    uint64_t state = 1u << bit;
    for (int i = 0; i < STREAM_BYTES / 8; i++) state = _mm_crc32_u64(state, 0);
    of_bit[bit] = (uint32_t)state;
  }
  for (int byte = 0; byte < 4; byte++)
    for (int value = 0; value < 256; value++) {
      uint32_t sum = 0;
      for (int bit = 0; bit < 8; bit++)
        if (value >> bit & 1) sum ^= of_bit[8 * byte + bit];
      __atomic_store_n(&shift_table[byte][value], sum, __ATOMIC_RELAXED);
    }
  atomic_store_explicit(&has_shift_table, 1, memory_order_release);
}

static uint32_t shifted(uint32_t crc) {
  return shift_table[0][crc & 255] ^ shift_table[1][crc >> 8 & 255] ^
         shift_table[2][crc >> 16 & 255] ^ shift_table[3][crc >> 24];
}

POL_SSE42 static uint32_t crc_hardware(uint32_t crc, const uint8_t *bytes, size_t count) {
  if (count >= 3 * STREAM_BYTES &&
      !atomic_load_explicit(&has_shift_table, memory_order_acquire))
    make_shift_table();
  while (count >= 3 * STREAM_BYTES) {
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < STREAM_BYTES; i += 8) {
      uint64_t x, y, z;
      memcpy(&x, bytes + i, 8);
      memcpy(&y, bytes + STREAM_BYTES + i, 8);
      memcpy(&z, bytes + 2 * STREAM_BYTES + i, 8);
      a = _mm_crc32_u64(a, x);
      b = _mm_crc32_u64(b, y);
      c = _mm_crc32_u64(c, z);
    }
    crc = shifted(shifted((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    bytes += 3 * STREAM_BYTES;
    count -= 3 * STREAM_BYTES;
  }
  return crc_words(crc, bytes, count);
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
