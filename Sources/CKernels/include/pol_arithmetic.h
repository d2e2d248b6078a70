// Float32 arithmetic whose bits are the same on every machine (spec/training-arithmetic.md).
//
// Only IEEE 754 + - * / and square root, rounded to nearest even, one operation at a time in the
// order that the specification writes. No fused multiply-add, no libm, no flush to zero. All
// matrices are row-major; counts are elements, never bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The bits that every NaN gets before it is stored: processors differ in sign and payload.
#define POL_CANONICAL_NAN_BITS 0x7fc00000u

// Non-zero forces the portable kernels, zero lets the processor decide. For tests, which hold that
// both give the same bits; changing it while another thread computes is harmless for that reason.
void pol_kernels_force_portable(int force);
// 1 when the AVX2 kernels run, 0 for the portable ones.
int pol_kernels_use_avx2(void);

// e^x (§3.1), natural logarithm (§3.2), and cos(2 pi u) for u in 0...1 (§3.3; NaN elsewhere).
float pol_expf(float x);
float pol_logf(float x);
float pol_cos_turns(float u);
// The correctly rounded square root, which IEEE 754 defines.
float pol_sqrtf(float x);

// C[i][j] = initial[j] + A(i,0) B[0][j] + A(i,1) B[1][j] + ... in that order of sums (§4).
//
// A(i,k) is a[i * a_row_stride + k * a_column_stride], so that a transposed A needs no copy.
// B is k by n with rows `b_stride` apart, C is m by n with rows `c_stride` apart.
// `initial` holds n values, or is null for +0. C must not overlap A, B or `initial`.
// Rows of C are independent: any split of m over threads gives the same bits.
void pol_matmul(
    size_t m, size_t n, size_t k, const float *a, size_t a_row_stride, size_t a_column_stride,
    const float *b, size_t b_stride, const float *initial, float *c, size_t c_stride);

// out[j][i] = in[i][j] for `in` of rows by columns.
void pol_transpose(size_t rows, size_t columns, const float *in, float *out);

// z = +0 where z < 0, else z (NaN and -0 stay).
void pol_relu(size_t count, float *z);
// d = +0 where a <= 0, else d.
void pol_relu_mask(size_t count, const float *a, float *d);

// Softmax cross-entropy over rows of logits (§5). Overwrites `z` with the gradient of the mean loss
// and returns the mean loss, NaN canonical. Labels are within 0..<classes: the caller's contract.
float pol_softmax_cross_entropy(size_t batch, size_t classes, float *z, const int32_t *labels);

// out[j] = +0 + d[0][j] + d[1][j] + ... (§6).
void pol_column_sums(size_t rows, size_t columns, const float *d, float *out);

// g' = g + decay w; v = momentum v + g'; w = w - rate v (§7). NaN is stored canonical.
void pol_sgd(
    size_t count, float *w, float *v, const float *g, float rate, float momentum, float decay);

// Whether the row's label wins: above every class before it, not below any after it. NaN never wins.
int pol_label_wins(size_t classes, const float *z, int32_t label);
