// Update norms in float64, in the order that spec/archive.md 3.5 writes down: eight interleaved sums,
// so that a compiler may use vectors without changing one bit.
#include "pol_record_kernels.h"

#include <math.h>
#include <string.h>

#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

POL_INLINE double widen_f32(const uint8_t *at) {
  float value;
  memcpy(&value, at, 4);
  return (double)value;
}

POL_INLINE double widen_f64(const uint8_t *at) {
  double value;
  memcpy(&value, at, 8);
  return value;
}

POL_INLINE double widen_bf16(const uint8_t *at) {
  uint16_t half;
  memcpy(&half, at, 2);
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return (double)value;
}

POL_INLINE double widen_f16(const uint8_t *at) {
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

#define ADD_ELEMENT(type, lane, at_a, at_b)                                          \
  do {                                                                               \
    double from = widen_##type(at_a);                                                \
    double step = widen_##type(at_b) - from;                                         \
    double size_of_step = fabs(step);                                                \
    is_nan[lane] |= (step != step) | (from != from);                                 \
    l1[lane] += size_of_step;                                                        \
    l2[lane] += step * step;                                                         \
    weight[lane] += from * from;                                                     \
    largest[lane] = size_of_step > largest[lane] ? size_of_step : largest[lane];     \
  } while (0)

// The lane of an element is its position in the tensor, whatever pieces the tensor comes in: single
// elements up to the first whole group of eight, whole groups, single elements.
#define DEFINE_NORMS(type, size, attributes, name)                                               \
  attributes static void name(pol_norm_lanes *lanes, const uint8_t *a, const uint8_t *b, size_t n) { \
    double l1[8], l2[8], weight[8], largest[8] = {0};                                            \
    int64_t is_nan[8] = {0};                                                                     \
    memcpy(l1, lanes->l1, sizeof l1);                                                            \
    memcpy(l2, lanes->l2, sizeof l2);                                                            \
    memcpy(weight, lanes->weight, sizeof weight);                                                \
    size_t j = 0;                                                                                \
    for (; j < n && (lanes->count + j) % 8 != 0; j++)                                            \
      ADD_ELEMENT(type, (lanes->count + j) % 8, a + j * size, b + j * size);                     \
    for (; n - j >= 8; j += 8)                                                                   \
      for (int lane = 0; lane < 8; lane++)                                                       \
        ADD_ELEMENT(type, lane, a + (j + lane) * size, b + (j + lane) * size);                   \
    for (int lane = 0; j < n; j++, lane++) ADD_ELEMENT(type, lane, a + j * size, b + j * size);  \
    memcpy(lanes->l1, l1, sizeof l1);                                                            \
    memcpy(lanes->l2, l2, sizeof l2);                                                            \
    memcpy(lanes->weight, weight, sizeof weight);                                                \
    for (int lane = 0; lane < 8; lane++) {                                                       \
      if (largest[lane] > lanes->linf) lanes->linf = largest[lane];                              \
      lanes->is_nan |= is_nan[lane] != 0;                                                        \
    }                                                                                            \
    lanes->count += n;                                                                           \
  }

DEFINE_NORMS(f32, 4, , add_f32)
DEFINE_NORMS(f64, 8, , add_f64)
DEFINE_NORMS(f16, 2, , add_f16)
DEFINE_NORMS(bf16, 2, , add_bf16)
#if POL_HAS_AVX2
DEFINE_NORMS(f32, 4, POL_AVX2, add_f32_avx2)
DEFINE_NORMS(bf16, 2, POL_AVX2, add_bf16_avx2)
#endif

void pol_norms_add(
    pol_norm_lanes *lanes, pol_float_type type, const void *before, const void *after,
    size_t count) {
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2() && type == POL_F32) {
    add_f32_avx2(lanes, before, after, count);
    return;
  }
  if (pol_kernels_use_avx2() && type == POL_BF16) {
    add_bf16_avx2(lanes, before, after, count);
    return;
  }
#endif
  switch (type) {
    case POL_F16: add_f16(lanes, before, after, count); break;
    case POL_BF16: add_bf16(lanes, before, after, count); break;
    case POL_F32: add_f32(lanes, before, after, count); break;
    case POL_F64: add_f64(lanes, before, after, count); break;
  }
}

void pol_norms_finish(pol_norm_sums *sums, const pol_norm_lanes *lanes) {
  double l1 = lanes->l1[0], l2 = lanes->l2[0], weight = lanes->weight[0];
  for (int lane = 1; lane < 8; lane++) {
    l1 += lanes->l1[lane];
    l2 += lanes->l2[lane];
    weight += lanes->weight[lane];
  }
  sums->l1 += l1;
  sums->l2_squared += l2;
  sums->weight_l2_squared += weight;
  if (lanes->linf > sums->linf) sums->linf = lanes->linf;
  sums->is_nan |= lanes->is_nan;
}
