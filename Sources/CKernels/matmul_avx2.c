// The AVX2 tile: lanes are different elements of C, so that each sum keeps its written order.
#pragma STDC FP_CONTRACT OFF

#include "dispatch.h"
#include "matmul_tile.h"

#if POL_HAS_AVX2

#include <immintrin.h>

// With `rows` a constant after inlining, the loops over rows unroll and `sum` lives in registers.
__attribute__((target("avx2"), always_inline)) static inline void tile(
    size_t rows, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, float *c, size_t c_stride) {
  __m256 sum[POL_TILE_ROWS][2];
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) {
    sum[i][0] = _mm256_loadu_ps(c + i * c_stride);
    sum[i][1] = _mm256_loadu_ps(c + i * c_stride + 8);
  }
  for (size_t step = 0; step < k; step++) {
    __m256 left = _mm256_loadu_ps(b);
    __m256 right = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
      __m256 factor = _mm256_broadcast_ss(a + i * a_row_stride);
      sum[i][0] = _mm256_add_ps(sum[i][0], _mm256_mul_ps(factor, left));
      sum[i][1] = _mm256_add_ps(sum[i][1], _mm256_mul_ps(factor, right));
    }
    a += a_column_stride;
    b += POL_TILE_COLUMNS;
  }
#pragma GCC unroll 6
  for (size_t i = 0; i < rows; i++) {
    _mm256_storeu_ps(c + i * c_stride, sum[i][0]);
    _mm256_storeu_ps(c + i * c_stride + 8, sum[i][1]);
  }
}

POL_AVX2 void pol_tile_avx2(
    size_t rows, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, float *c, size_t c_stride) {
  switch (rows) {
    case 1: tile(1, k, a, a_row_stride, a_column_stride, b, c, c_stride); break;
    case 2: tile(2, k, a, a_row_stride, a_column_stride, b, c, c_stride); break;
    case 3: tile(3, k, a, a_row_stride, a_column_stride, b, c, c_stride); break;
    case 4: tile(4, k, a, a_row_stride, a_column_stride, b, c, c_stride); break;
    case 5: tile(5, k, a, a_row_stride, a_column_stride, b, c, c_stride); break;
    default: tile(6, k, a, a_row_stride, a_column_stride, b, c, c_stride); break;
  }
}

#endif
