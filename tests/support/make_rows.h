/* Rows of numbers into any type a model may have, for models that tests make. */
#ifndef JL_TESTS_SUPPORT_MAKE_ROWS_H
#define JL_TESTS_SUPPORT_MAKE_ROWS_H

#include "base/rng.h"
#include "tensor/dtype.h"

/* A type without a quantiser gets blocks of random bits instead, from `key`, with a scale that
 * makes their numbers about as large as the first of `values`. */
void make_rows(enum dtype dtype, const float *values, int64_t rows, int64_t cols,
               const struct rng_key *key, uint8_t *out);

/* F8_E4M3: the scales of all blocks of 128 x 128, (rows / 128, cols / 128) rounded up. */
void make_f8_rows(const float *values, int64_t rows, int64_t cols, uint8_t *out, float *scale);

#endif
