// Update norms in float64, in the order that spec/archive.md 3.5 writes down: eight interleaved sums,
// so that a compiler may use vectors without changing one bit.
#include "pol_record_kernels.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static double widen_f32(const uint8_t *at) {
  float value;
  memcpy(&value, at, 4);
  return (double)value;
}

static double widen_f64(const uint8_t *at) {
  double value;
  memcpy(&value, at, 8);
  return value;
}

static double widen_bf16(const uint8_t *at) {
  uint16_t half;
  memcpy(&half, at, 2);
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return (double)value;
}

static double widen_f16(const uint8_t *at) {
  uint16_t half;
  memcpy(&half, at, 2);
  uint64_t sign = (uint64_t)(half >> 15) << 63;
  uint64_t exponent = half >> 10 & 31;
  uint64_t fraction = half & 1023;
  if (exponent == 0) {
    double magnitude = (double)fraction * 0x1p-24;
    return sign ? -magnitude : magnitude;
  }
  uint64_t bits = exponent == 31 ? sign | 0x7ffull << 52 | fraction << 42
                                 : sign | (exponent + 1008) << 52 | fraction << 42;
  double value;
  memcpy(&value, &bits, 8);
  return value;
}

#define DEFINE_NORMS(type, size)                                                                \
  void pol_norms_##type(pol_norm_sums *sums, const void *before, const void *after, size_t n) { \
    const uint8_t *a = before, *b = after;                                                      \
    double l1[8] = {0}, l2[8] = {0}, weight[8] = {0}, largest = 0;                              \
    int is_nan = 0;                                                                             \
    for (size_t j = 0; j < n; j++) {                                                            \
      double from = widen_##type(a + j * size);                                                 \
      double step = widen_##type(b + j * size) - from;                                          \
      double size_of_step = fabs(step);                                                         \
      is_nan |= isnan(step) || isnan(from);                                                     \
      l1[j & 7] += size_of_step;                                                                \
      l2[j & 7] += step * step;                                                                 \
      weight[j & 7] += from * from;                                                             \
      if (size_of_step > largest) largest = size_of_step;                                       \
    }                                                                                           \
    double l1_sum = l1[0], l2_sum = l2[0], weight_sum = weight[0];                              \
    for (int lane = 1; lane < 8; lane++) {                                                      \
      l1_sum += l1[lane];                                                                       \
      l2_sum += l2[lane];                                                                       \
      weight_sum += weight[lane];                                                               \
    }                                                                                           \
    sums->l1 += l1_sum;                                                                         \
    sums->l2_squared += l2_sum;                                                                 \
    sums->weight_l2_squared += weight_sum;                                                      \
    if (largest > sums->linf) sums->linf = largest;                                             \
    sums->is_nan |= is_nan;                                                                     \
  }

DEFINE_NORMS(f32, 4)
DEFINE_NORMS(f64, 8)
DEFINE_NORMS(f16, 2)
DEFINE_NORMS(bf16, 2)
