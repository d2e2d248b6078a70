// Measures pol_matmul against OpenBLAS's sgemm on one thread; tools/bench-train-gflops runs it.
//
// Both alternate within the same second and are timed by thread CPU time, so that a busy machine
// slows both alike; the best of the rounds is what each can do.
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "CKernels.h"

enum { SIZE = 256, ROUNDS = 60, REPEATS = 10 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(void) {
  float *a = malloc(SIZE * SIZE * sizeof(float));
  float *b = malloc(SIZE * SIZE * sizeof(float));
  float *c = malloc(SIZE * SIZE * sizeof(float));
  if (!a || !b || !c) return 1;
  for (int i = 0; i < SIZE * SIZE; i++) {
    a[i] = (float)(i * 37 % 101) / 101 - 0.5f;
    b[i] = (float)(i * 53 % 103) / 103 - 0.5f;
  }
  double ours = 1e9, theirs = 1e9;
  for (int round = 0; round < ROUNDS; round++) {
    double start = now();
    for (int i = 0; i < REPEATS; i++) {
      pol_matmul(SIZE, SIZE, SIZE, a, SIZE, 1, b, SIZE, NULL, c, SIZE);
    }
    double middle = now();
    for (int i = 0; i < REPEATS; i++) {
      cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasNoTrans, SIZE, SIZE, SIZE, 1, a, SIZE, b, SIZE, 0, c,
          SIZE);
    }
    double end = now();
    if (middle - start < ours) ours = middle - start;
    if (end - middle < theirs) theirs = end - middle;
  }
  double work = 2.0 * SIZE * SIZE * SIZE * REPEATS * 1e-9;
  printf(
      "{\"ours_gflops\":%.1f,\"openblas_gflops\":%.1f,\"ratio\":%.3f}\n", work / ours,
      work / theirs, theirs / ours);
  free(a);
  free(b);
  free(c);
  return 0;
}
