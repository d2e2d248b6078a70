// Prints bits of a deterministic workload; tools/test-arm64 compares them between processors.
//
// Covers every kernel: products of odd sizes, the elementary functions over all exponents, filters of
// chunks, and a small training that strings the kernels together as the reference trainer does.
#pragma STDC FP_CONTRACT OFF

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static uint32_t state = 1;

static uint32_t next_word(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Mixed sizes and signs, so that another order of sums shows.
static float next_value(void) {
  uint32_t word = next_word();
  float scale = from_bits((120 + (word & 7)) << 23);
  return ((float)(word >> 8) * 0x1p-24f - 0.5f) * scale;
}

// FNV-1a over the bits; NaN counts as one value, because processors differ in sign and payload.
static uint64_t hash(const float *values, size_t count) {
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    if (values[i] != values[i]) bits = POL_CANONICAL_NAN_BITS;
    for (int byte = 0; byte < 4; byte++) {
      sum = (sum ^ (bits >> (8 * byte) & 255)) * 1099511628211u;
    }
  }
  return sum;
}

static float *room(size_t count) {
  float *values = calloc(count + 1, sizeof(float));
  if (!values) exit(3);
  return values;
}

static float *filled(size_t count) {
  float *values = room(count);
  for (size_t i = 0; i < count; i++) values[i] = next_value();
  return values;
}

static void products(void) {
  static const size_t sizes[][3] = {{1, 1, 1},    {6, 16, 5},   {7, 17, 3},    {5, 15, 257},
                                    {13, 33, 255}, {31, 10, 128}, {64, 47, 515}, {3, 1, 64}};
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
    float *a = filled(m * k), *b = filled(k * n), *initial = filled(n), *c = room(m * n);
    pol_matmul(m, n, k, a, k, 1, b, n, NULL, c, n);
    printf("product %zu %zu %zu %016llx", m, n, k, (unsigned long long)hash(c, m * n));
    pol_matmul(m, n, k, a, 1, m, b, n, initial, c, n);
    printf(" %016llx\n", (unsigned long long)hash(c, m * n));
    free(a);
    free(b);
    free(initial);
    free(c);
  }
}

static void elementary(const char *name, float (*function)(float)) {
  enum { COUNT = 1 << 20 };
  float *values = room(COUNT);
  for (uint32_t i = 0; i < COUNT; i++) values[i] = function(from_bits(i * 4096 + 5));
  printf("%s over all exponents %016llx\n", name, (unsigned long long)hash(values, COUNT));
  for (uint32_t i = 0; i < COUNT; i++) values[i] = function((float)i * 0x1p-20f);
  printf("%s from 0 to 1 %016llx\n", name, (unsigned long long)hash(values, COUNT));
  for (uint32_t i = 0; i < COUNT; i++) values[i] = function((float)i * 0x1p-12f - 128.0f);
  printf("%s from -128 to 128 %016llx\n", name, (unsigned long long)hash(values, COUNT));
  free(values);
}

// Two layers, 50 steps; with `is_wild`, rates that end in infinities and NaN.
static void training(int is_wild) {
  enum { BATCH = 19, INPUT = 37, HIDDEN = 41, CLASSES = 7 };
  float *w1 = filled(HIDDEN * INPUT), *b1 = room(HIDDEN);
  float *w2 = filled(CLASSES * HIDDEN), *b2 = room(CLASSES);
  float *v1 = room(HIDDEN * INPUT), *u1 = room(HIDDEN);
  float *v2 = room(CLASSES * HIDDEN), *u2 = room(CLASSES);
  float *x = filled(BATCH * INPUT), *t = room(HIDDEN * INPUT), *a = room(BATCH * HIDDEN);
  float *z = room(BATCH * CLASSES), *d = room(BATCH * HIDDEN);
  float *g = room(HIDDEN * INPUT), *h = room(HIDDEN);
  int32_t labels[BATCH];
  for (int i = 0; i < BATCH; i++) labels[i] = (int32_t)(next_word() % CLASSES);
  float rate = is_wild ? 1e20f : 0.125f, loss = 0;
  int wins = 0;
  for (int step = 0; step < 50; step++) {
    pol_transpose(HIDDEN, INPUT, w1, t);
    pol_matmul(BATCH, HIDDEN, INPUT, x, INPUT, 1, t, HIDDEN, b1, a, HIDDEN);
    pol_relu(BATCH * HIDDEN, a);
    pol_transpose(CLASSES, HIDDEN, w2, t);
    pol_matmul(BATCH, CLASSES, HIDDEN, a, HIDDEN, 1, t, CLASSES, b2, z, CLASSES);
    for (int i = 0; i < BATCH; i++) wins += pol_label_wins(CLASSES, z + i * CLASSES, labels[i]);
    loss = pol_softmax_cross_entropy(BATCH, CLASSES, z, labels);
    pol_matmul(BATCH, HIDDEN, CLASSES, z, CLASSES, 1, w2, HIDDEN, NULL, d, HIDDEN);
    pol_relu_mask(BATCH * HIDDEN, a, d);
    pol_matmul(CLASSES, HIDDEN, BATCH, z, 1, CLASSES, a, HIDDEN, NULL, g, HIDDEN);
    pol_column_sums(BATCH, CLASSES, z, h);
    pol_sgd(CLASSES * HIDDEN, w2, v2, g, rate, 0.9f, 1e-4f);
    pol_sgd(CLASSES, b2, u2, h, rate, 0.9f, 1e-4f);
    pol_matmul(HIDDEN, INPUT, BATCH, d, 1, HIDDEN, x, INPUT, NULL, g, INPUT);
    pol_column_sums(BATCH, HIDDEN, d, h);
    pol_sgd(HIDDEN * INPUT, w1, v1, g, rate, 0.9f, 1e-4f);
    pol_sgd(HIDDEN, b1, u1, h, rate, 0.9f, 1e-4f);
  }
  uint32_t bits;
  memcpy(&bits, &loss, sizeof bits);
  printf(
      "training %d loss %08x wins %d weights %016llx %016llx momentum %016llx %016llx\n", is_wild,
      bits, wins, (unsigned long long)hash(w1, HIDDEN * INPUT),
      (unsigned long long)hash(w2, CLASSES * HIDDEN), (unsigned long long)hash(v1, HIDDEN * INPUT),
      (unsigned long long)hash(v2, CLASSES * HIDDEN));
  // The process ends soon; its memory goes with it.
}

// `raw` bits of what is stored, where NaN must already be the one NaN.
static void stored_nan(void) {
  float w[9], v[9], g[9];
  for (int i = 0; i < 9; i++) {
    w[i] = from_bits(0xffc12345u);
    v[i] = i % 2 ? from_bits(0x7f800000u) : 1.0f;
    g[i] = from_bits(0xff800000u);
  }
  pol_sgd(9, w, v, g, 0.5f, 0.5f, 0.0f);
  printf("stored");
  for (int i = 0; i < 9; i++) {
    uint32_t pair[2];
    memcpy(pair, w + i, 4);
    memcpy(pair + 1, v + i, 4);
    printf(" %08x %08x", pair[0], pair[1]);
  }
  printf("\n");
}

static uint64_t hash_bytes(const uint8_t *bytes, size_t count) {
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 1099511628211u;
  return sum;
}

// Every element size and map, on whole tiles and a rest.
static void filters(void) {
  enum { COUNT = 1543, STRIDE = COUNT / 8 + 5 };
  static uint8_t raw[COUNT * 8], parent[COUNT * 8], back[COUNT * 8], tail[64], planes[64 * STRIDE];
  for (size_t i = 0; i < sizeof raw; i++) {
    raw[i] = (uint8_t)next_word();
    parent[i] = (uint8_t)next_word();
  }
  for (size_t size = 1; size <= 8; size *= 2) {
    for (pol_filter_map map = POL_MAP_PLAIN; map <= POL_MAP_DELTA_FLOAT; map++) {
      const uint8_t *places[64];
      memset(planes, 0, sizeof planes);
      memset(tail, 0, sizeof tail);
      pol_filter_bits(size, map, COUNT, raw, parent, planes, STRIDE, tail);
      printf(
          "filter %zu %d %016llx %016llx", size, (int)map,
          (unsigned long long)hash_bytes(planes, sizeof planes),
          (unsigned long long)hash_bytes(tail, sizeof tail));
      for (size_t plane = 0; plane < 8 * size; plane++) places[plane] = planes + plane * STRIDE;
      pol_unfilter_bits(size, map, COUNT, places, tail, parent, back);
      int differs = memcmp(back, raw, COUNT * size) != 0;
      pol_filter_bytes(size, map, COUNT, raw, parent, planes);
      printf(" %016llx", (unsigned long long)hash_bytes(planes, COUNT * size));
      for (size_t plane = 0; plane < size; plane++) places[plane] = planes + plane * COUNT;
      pol_unfilter_bytes(size, map, COUNT, places, parent, back);
      differs |= memcmp(back, raw, COUNT * size) != 0;
      printf(" %s\n", differs ? "comes back changed" : "comes back");
      if (differs) exit(4);
    }
  }
}

int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "portable") == 0) pol_kernels_force_portable(1);
  if (count > 1 && strcmp(arguments[1], "avx2") == 0 && !pol_kernels_use_avx2()) return 2;
  products();
  elementary("exp", pol_expf);
  elementary("log", pol_logf);
  elementary("cos", pol_cos_turns);
  elementary("sqrt", pol_sqrtf);
  training(0);
  training(1);
  stored_nan();
  filters();
  return 0;
}
