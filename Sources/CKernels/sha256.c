// Two SHA-256 computations (FIPS 180-4) side by side, with the processor's SHA instructions.
//
// Each of those instructions waits for the one before it for longer than it takes: one stream keeps half
// of the unit idle, two streams fill it. OpenSSL, which hashes everything else here, has no such call.
#include <string.h>

#include "dispatch.h"
#include "pol_record_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define POL_SHA __attribute__((target("sha,sse4.1")))

static int has_instructions(void) {
  // 0 unknown, 1 no, 2 yes: asking the processor costs microseconds in a virtual machine.
  static atomic_int known;
  int answer = atomic_load_explicit(&known, memory_order_relaxed);
  if (answer == 0) {
    unsigned a, b = 0, c, d;
    int has_sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
    answer = has_sha && __builtin_cpu_supports("sse4.1") ? 2 : 1;
    atomic_store_explicit(&known, answer, memory_order_relaxed);
  }
  return answer == 2;
}

int pol_sha256_has_pair(void) {
  return !pol_kernels_are_portable() && has_instructions();
}

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// The instructions hold the state as (a b e f) and (c d g h), which is how a lane keeps it from its
// beginning on; only the digest is put into the standard's order.
#define DEFINE_BLOCKS(name, WIDTH)                                                               \
  POL_SHA static void name(pol_sha256_lane *const *lanes, const uint8_t *const *bytes, size_t blocks) { \
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);             \
    __m128i abef[WIDTH], cdgh[WIDTH], old_abef[WIDTH], old_cdgh[WIDTH], words[WIDTH][4];         \
    const uint8_t *at[WIDTH];                                                                    \
    for (int l = 0; l < WIDTH; l++) {                                                            \
      abef[l] = _mm_loadu_si128((const __m128i *)lanes[l]->state);                               \
      cdgh[l] = _mm_loadu_si128((const __m128i *)(lanes[l]->state + 4));                         \
      at[l] = bytes[l];                                                                          \
    }                                                                                            \
    for (; blocks > 0; blocks--) {                                                               \
      for (int l = 0; l < WIDTH; l++) {                                                          \
        old_abef[l] = abef[l];                                                                   \
        old_cdgh[l] = cdgh[l];                                                                   \
      }                                                                                          \
      _Pragma("clang loop unroll(full)") for (int four = 0; four < 16; four++) {                 \
        const __m128i k = _mm_load_si128((const __m128i *)(round_constants + 4 * four));         \
        for (int l = 0; l < WIDTH; l++) {                                                        \
          __m128i *w = words[l];                                                                 \
          if (four < 4)                                                                          \
            w[four] = _mm_shuffle_epi8(                                                          \
                _mm_loadu_si128((const __m128i *)(at[l] + 16 * four)), swap);                    \
          else                                                                                   \
            w[four % 4] = _mm_sha256msg2_epu32(                                                  \
                _mm_add_epi32(                                                                   \
                    _mm_sha256msg1_epu32(w[four % 4], w[(four + 1) % 4]),                        \
                    _mm_alignr_epi8(w[(four + 3) % 4], w[(four + 2) % 4], 4)),                   \
                w[(four + 3) % 4]);                                                              \
          __m128i sum = _mm_add_epi32(w[four % 4], k);                                           \
          cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], sum);                                \
          sum = _mm_shuffle_epi32(sum, 0x0e);                                                    \
          abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], sum);                                \
        }                                                                                        \
      }                                                                                          \
      for (int l = 0; l < WIDTH; l++) {                                                          \
        abef[l] = _mm_add_epi32(abef[l], old_abef[l]);                                           \
        cdgh[l] = _mm_add_epi32(cdgh[l], old_cdgh[l]);                                           \
        at[l] += 64;                                                                             \
      }                                                                                          \
    }                                                                                            \
    for (int l = 0; l < WIDTH; l++) {                                                            \
      _mm_storeu_si128((__m128i *)lanes[l]->state, abef[l]);                                     \
      _mm_storeu_si128((__m128i *)(lanes[l]->state + 4), cdgh[l]);                               \
    }                                                                                            \
  }

DEFINE_BLOCKS(hash_blocks_of_one, 1)
DEFINE_BLOCKS(hash_blocks_of_two, 2)

static void add_alone(pol_sha256_lane *lane, const uint8_t *bytes, size_t blocks) {
  hash_blocks_of_one(&lane, &bytes, blocks);
}

// f e b a h g d c: the lowest word of a register is the last of its name.
static const int place_of_word[8] = {3, 2, 7, 6, 1, 0, 5, 4};

void pol_sha256_begin(pol_sha256_lane *lane) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int word = 0; word < 8; word++) lane->state[place_of_word[word]] = initial[word];
  lane->byte_count = 0;
}

// Takes bytes until the lane stands at the start of a block, or none are left.
static void fill(pol_sha256_lane *lane, const uint8_t **bytes, size_t *count) {
  size_t held = lane->byte_count % 64;
  if (held == 0) return;
  size_t taken = 64 - held < *count ? 64 - held : *count;
  if (taken > 0) memcpy(lane->rest + held, *bytes, taken);
  lane->byte_count += taken;
  *bytes += taken;
  *count -= taken;
  if (held + taken == 64) add_alone(lane, lane->rest, 1);
}

// What is left after whole blocks.
static void hold(pol_sha256_lane *lane, const uint8_t *bytes, size_t count) {
  size_t blocks = count / 64;
  if (blocks > 0) add_alone(lane, bytes, blocks);
  size_t left = count - 64 * blocks;
  if (left > 0) memcpy(lane->rest, bytes + 64 * blocks, left);
  lane->byte_count += count;
}

void pol_sha256_add_pair(
    pol_sha256_lane *first, const void *first_bytes, size_t first_count, pol_sha256_lane *second,
    const void *second_bytes, size_t second_count) {
  const uint8_t *bytes[2] = {first_bytes, second_bytes};
  size_t counts[2] = {first_count, second_count};
  pol_sha256_lane *lanes[2] = {first, second};
  for (int l = 0; l < 2; l++) fill(lanes[l], &bytes[l], &counts[l]);
  size_t blocks = (counts[0] < counts[1] ? counts[0] : counts[1]) / 64;
  if (blocks > 0) {
    hash_blocks_of_two(lanes, bytes, blocks);
    for (int l = 0; l < 2; l++) {
      bytes[l] += 64 * blocks;
      counts[l] -= 64 * blocks;
      lanes[l]->byte_count += 64 * blocks;
    }
  }
  for (int l = 0; l < 2; l++) hold(lanes[l], bytes[l], counts[l]);
}

void pol_sha256_finish(pol_sha256_lane *lane, uint8_t digest[32]) {
  uint64_t bits = lane->byte_count * 8;
  size_t held = lane->byte_count % 64;
  uint8_t last[128] = {0};
  memcpy(last, lane->rest, held);
  last[held] = 0x80;
  size_t end = held < 56 ? 64 : 128;
  for (int byte = 0; byte < 8; byte++) last[end - 1 - byte] = (uint8_t)(bits >> 8 * byte);
  add_alone(lane, last, end / 64);
  for (int word = 0; word < 8; word++) {
    uint32_t value = __builtin_bswap32(lane->state[place_of_word[word]]);
    memcpy(digest + 4 * word, &value, 4);
  }
}

#else

int pol_sha256_has_pair(void) { return 0; }
void pol_sha256_begin(pol_sha256_lane *lane) { (void)lane; }
void pol_sha256_add_pair(
    pol_sha256_lane *first, const void *first_bytes, size_t first_count, pol_sha256_lane *second,
    const void *second_bytes, size_t second_count) {
  __builtin_trap();  // Nobody calls it without pol_sha256_has_pair.
}
void pol_sha256_finish(pol_sha256_lane *lane, uint8_t digest[32]) { __builtin_trap(); }

#endif
