// The elementwise steps of training, in their written order (spec/training-arithmetic.md §5 to §7).
#pragma STDC FP_CONTRACT OFF

#include "dispatch.h"
#include "pol_arithmetic.h"

POL_INLINE float canonical(float value) {
  union {
    uint32_t bits;
    float value;
  } nan = {.bits = POL_CANONICAL_NAN_BITS};
  return value != value ? nan.value : value;
}

void pol_relu(size_t count, float *z) {
  for (size_t i = 0; i < count; i++) z[i] = z[i] < 0.0f ? 0.0f : z[i];
}

void pol_relu_mask(size_t count, const float *a, float *d) {
  for (size_t i = 0; i < count; i++) d[i] = a[i] <= 0.0f ? 0.0f : d[i];
}

float pol_softmax_cross_entropy(size_t batch, size_t classes, float *z, const int32_t *labels) {
  float divisor = (float)batch;
  float loss = 0.0f;
  for (size_t i = 0; i < batch; i++) {
    float *row = z + i * classes;
    size_t label = (size_t)labels[i];
    float largest = row[0];
    for (size_t j = 1; j < classes; j++) {
      if (row[j] > largest) largest = row[j];
    }
    float margin = row[label] - largest;
    float sum = 0.0f;
    for (size_t j = 0; j < classes; j++) {
      row[j] = pol_expf(row[j] - largest);
      sum = sum + row[j];
    }
    loss = loss + (pol_logf(sum) - margin);
    for (size_t j = 0; j < classes; j++) {
      float share = row[j] / sum;
      float target = j == label ? 1.0f : 0.0f;
      row[j] = (share - target) / divisor;
    }
  }
  return canonical(loss / divisor);
}

void pol_column_sums(size_t rows, size_t columns, const float *d, float *out) {
  for (size_t j = 0; j < columns; j++) out[j] = 0.0f;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) out[j] = out[j] + d[i * columns + j];
  }
}

POL_INLINE void sgd(
    size_t count, float *restrict w, float *restrict v, const float *restrict g, float rate,
    float momentum, float decay) {
  for (size_t i = 0; i < count; i++) {
    float decayed = decay * w[i];
    float slope = g[i] + decayed;
    float kept = momentum * v[i];
    float speed = kept + slope;
    float move = rate * speed;
    w[i] = canonical(w[i] - move);
    v[i] = canonical(speed);
  }
}

#if POL_HAS_AVX2
// The same loop, which the compiler may lay out in wider registers: elements are independent.
POL_AVX2 static void sgd_avx2(
    size_t count, float *w, float *v, const float *g, float rate, float momentum, float decay) {
  sgd(count, w, v, g, rate, momentum, decay);
}
#endif

void pol_sgd(
    size_t count, float *w, float *v, const float *g, float rate, float momentum, float decay) {
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) {
    sgd_avx2(count, w, v, g, rate, momentum, decay);
    return;
  }
#endif
  sgd(count, w, v, g, rate, momentum, decay);
}

int pol_label_wins(size_t classes, const float *z, int32_t label) {
  size_t winner = (size_t)label;
  if (z[winner] != z[winner]) return 0;
  for (size_t j = 0; j < winner; j++) {
    if (!(z[winner] > z[j])) return 0;
  }
  for (size_t j = winner + 1; j < classes; j++) {
    if (!(z[winner] >= z[j])) return 0;
  }
  return 1;
}
