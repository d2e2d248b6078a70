// Matrix product with one order of sums (spec/training-arithmetic.md §4).
#pragma STDC FP_CONTRACT OFF

#include <string.h>

#include "dispatch.h"
#include "matmul_tile.h"
#include "pol_arithmetic.h"

// 256 rows of 16 columns are 16 KiB: half of the smallest first-level cache in use.
#define BLOCK_DEPTH 256

void pol_tile_portable(
    size_t rows, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, float *c, size_t c_stride) {
  for (size_t i = 0; i < rows; i++) {
    float sum[POL_TILE_COLUMNS];
    memcpy(sum, c + i * c_stride, sizeof sum);
    for (size_t step = 0; step < k; step++) {
      float factor = a[i * a_row_stride + step * a_column_stride];
      const float *row = b + step * POL_TILE_COLUMNS;
      for (size_t j = 0; j < POL_TILE_COLUMNS; j++) {
        float product = factor * row[j];
        sum[j] = sum[j] + product;
      }
    }
    memcpy(c + i * c_stride, sum, sizeof sum);
  }
}

// Copies `depth` rows of up to 16 columns of B side by side; missing columns are zero.
static void pack(size_t depth, size_t columns, const float *b, size_t b_stride, float *packed) {
  if (columns == POL_TILE_COLUMNS) {
    for (size_t k = 0; k < depth; k++) {
      memcpy(packed + k * POL_TILE_COLUMNS, b + k * b_stride, POL_TILE_COLUMNS * sizeof(float));
    }
    return;
  }
  memset(packed, 0, depth * POL_TILE_COLUMNS * sizeof(float));
  for (size_t k = 0; k < depth; k++) {
    memcpy(packed + k * POL_TILE_COLUMNS, b + k * b_stride, columns * sizeof(float));
  }
}

static void copy_rows(
    size_t rows, size_t columns, const float *in, size_t in_stride, float *out, size_t out_stride) {
  for (size_t i = 0; i < rows; i++) {
    memcpy(out + i * out_stride, in + i * in_stride, columns * sizeof(float));
  }
}

void pol_matmul(
    size_t m, size_t n, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, size_t b_stride, const float *initial, float *c, size_t c_stride) {
  pol_tile_function tile = pol_tile_portable;
#if POL_HAS_AVX2
  if (pol_kernels_use_avx2()) tile = pol_tile_avx2;
#endif
  for (size_t i = 0; i < m; i++) {
    if (initial) {
      memcpy(c + i * c_stride, initial, n * sizeof(float));
    } else {
      memset(c + i * c_stride, 0, n * sizeof(float));
    }
  }
  _Alignas(64) float packed[BLOCK_DEPTH * POL_TILE_COLUMNS];
  // Blocks of k in ascending order, sums stored between them: storing a float32 changes nothing, so
  // every element still adds its products for k = 0, 1, 2, ...
  for (size_t start = 0; start < k; start += BLOCK_DEPTH) {
    size_t depth = k - start < BLOCK_DEPTH ? k - start : BLOCK_DEPTH;
    const float *a_block = a + start * a_column_stride;
    for (size_t j = 0; j < n; j += POL_TILE_COLUMNS) {
      size_t columns = n - j < POL_TILE_COLUMNS ? n - j : POL_TILE_COLUMNS;
      pack(depth, columns, b + start * b_stride + j, b_stride, packed);
      for (size_t i = 0; i < m; i += POL_TILE_ROWS) {
        size_t rows = m - i < POL_TILE_ROWS ? m - i : POL_TILE_ROWS;
        const float *a_tile = a_block + i * a_row_stride;
        float *c_tile = c + i * c_stride + j;
        if (columns == POL_TILE_COLUMNS) {
          tile(rows, depth, a_tile, a_row_stride, a_column_stride, packed, c_tile, c_stride);
          continue;
        }
        // The tile writes 16 columns; at the right edge it works on a copy.
        float edge[POL_TILE_ROWS * POL_TILE_COLUMNS] = {0};
        copy_rows(rows, columns, c_tile, c_stride, edge, POL_TILE_COLUMNS);
        tile(
            rows, depth, a_tile, a_row_stride, a_column_stride, packed, edge, POL_TILE_COLUMNS);
        copy_rows(rows, columns, edge, POL_TILE_COLUMNS, c_tile, c_stride);
      }
    }
  }
}

void pol_transpose(size_t rows, size_t columns, const float *in, float *out) {
  // Blocks of 16 by 16, so that both sides stay within a few cache lines.
  for (size_t i0 = 0; i0 < rows; i0 += 16) {
    for (size_t j0 = 0; j0 < columns; j0 += 16) {
      for (size_t i = i0; i < rows && i < i0 + 16; i++) {
        for (size_t j = j0; j < columns && j < j0 + 16; j++) {
          out[j * rows + i] = in[i * columns + j];
        }
      }
    }
  }
}
