// exp, log and cos from + - * / alone (spec/training-arithmetic.md §3).
//
// Coefficients are Taylor's, rounded to the nearest float32 and written as bit patterns: anybody can
// recompute them, and on these short intervals a fitted polynomial would gain nothing visible.
#pragma STDC FP_CONTRACT OFF

#include "dispatch.h"
#include "pol_arithmetic.h"

POL_INLINE float from_bits(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } both = {.bits = bits};
  return both.value;
}

POL_INLINE uint32_t to_bits(float value) {
  union {
    float value;
    uint32_t bits;
  } both = {.value = value};
  return both.bits;
}

POL_INLINE float power_of_two(int32_t exponent) {
  return from_bits((uint32_t)(exponent + 127) << 23);
}

float pol_expf(float x) {
  if (x != x) return from_bits(POL_CANONICAL_NAN_BITS);
  if (x > 89.0f) return from_bits(0x7f800000u);
  if (x < -104.0f) return 0.0f;
  // n = x / ln 2 rounded half away from zero; the conversion cuts towards zero and is exact.
  float t = x * from_bits(0x3fb8aa3bu);
  t = t < 0.0f ? t - 0.5f : t + 0.5f;
  int32_t n = (int32_t)t;
  float k = (float)n;
  // ln 2 in two parts; the first has 9 significant bits, so k times it is exact.
  float r = x - k * from_bits(0x3f318000u);
  r = r - k * from_bits(0xb95e8083u);
  float p = from_bits(0x39500d01u);      // 1/7!
  p = p * r + from_bits(0x3ab60b61u);    // 1/6!
  p = p * r + from_bits(0x3c088889u);    // 1/5!
  p = p * r + from_bits(0x3d2aaaabu);    // 1/4!
  p = p * r + from_bits(0x3e2aaaabu);    // 1/3!
  p = p * r + from_bits(0x3f000000u);    // 1/2!
  float y = (r * r) * p;
  y = y + r;
  y = y + 1.0f;
  // Two exact factors: 2^n alone would leave the range of normal numbers. Only the second product
  // can round, so results below the smallest normal number are rounded once.
  int32_t half = n / 2;
  y = y * power_of_two(half);
  return y * power_of_two(n - half);
}

float pol_logf(float x) {
  if (x != x || x < 0.0f) return from_bits(POL_CANONICAL_NAN_BITS);
  if (x == 0.0f) return from_bits(0xff800000u);
  uint32_t bits = to_bits(x);
  if (bits == 0x7f800000u) return x;
  int32_t e = 0;
  if (bits < 0x00800000u) {
    bits = to_bits(x * 8388608.0f);
    e = -23;
  }
  // x = 2^e m with m from sqrt(1/2) up to sqrt(2).
  bits += 0x3f800000u - 0x3f3504f3u;
  e += (int32_t)(bits >> 23) - 127;
  float m = from_bits((bits & 0x007fffffu) + 0x3f3504f3u);
  float f = m - 1.0f;
  float s = f / (2.0f + f);
  float z = s * s;
  float p = from_bits(0x3e638e39u);      // 2/9
  p = p * z + from_bits(0x3e924925u);    // 2/7
  p = p * z + from_bits(0x3ecccccdu);    // 2/5
  p = p * z + from_bits(0x3f2aaaabu);    // 2/3
  float r = p * z;
  float h = (0.5f * f) * f;
  float k = (float)e;
  // log x = k ln 2 + f - (h - s (h + r)), smallest parts first; ln 2 again in two parts.
  float y = s * (h + r);
  y = y + k * from_bits(0xb95e8083u);
  y = y - h;
  y = y + f;
  return y + k * from_bits(0x3f318000u);
}

float pol_cos_turns(float u) {
  if (!(u >= 0.0f && u <= 1.0f)) return from_bits(POL_CANONICAL_NAN_BITS);
  // Every subtraction here is exact, so the symmetries cost no accuracy.
  if (u > 0.5f) u = 1.0f - u;
  int is_negative = u > 0.25f;
  if (is_negative) u = 0.5f - u;
  float y;
  if (u > 0.125f) {
    // cos(2 pi u) = sin(2 pi (1/4 - u)); coefficients (2 pi)^n / n!, signs alternating.
    u = 0.25f - u;
    float z = u * u;
    float p = from_bits(0x42283c1au);
    p = p * z + from_bits(0xc2996966u);
    p = p * z + from_bits(0x42a335e3u);
    p = p * z + from_bits(0xc2255de7u);
    p = p * z + from_bits(0x40c90fdbu);
    y = p * u;
  } else {
    float z = u * u;
    float p = from_bits(0xc1d368f9u);
    p = p * z + from_bits(0x4270fa83u);
    p = p * z + from_bits(0xc2aae9e4u);
    p = p * z + from_bits(0x4281e0f8u);
    p = p * z + from_bits(0xc19de9e6u);
    y = p * z;
    y = y + 1.0f;
  }
  return is_negative ? -y : y;
}

float pol_sqrtf(float x) {
  float root = __builtin_sqrtf(x);
  return root != root ? from_bits(POL_CANONICAL_NAN_BITS) : root;
}
