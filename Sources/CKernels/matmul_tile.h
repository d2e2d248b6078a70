// The tile that both kernels of matmul.c compute. Internal to this target.
#pragma once

#include <stddef.h>

// A tile of 6 rows by 16 columns takes 12 of AVX2's 16 registers for sums, and leaves 2 for a row of
// B, 1 for an element of A and 1 for the product.
#define POL_TILE_ROWS 6
#define POL_TILE_COLUMNS 16

// c[i][j] += a(i,0) b[0][j] + a(i,1) b[1][j] + ... for 1..6 rows and 16 columns; b is packed, 16 values
// a row.
typedef void (*pol_tile_function)(
    size_t rows, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, float *c, size_t c_stride);

void pol_tile_portable(
    size_t rows, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, float *c, size_t c_stride);
void pol_tile_avx2(
    size_t rows, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, float *c, size_t c_stride);
