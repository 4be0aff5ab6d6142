/* Weighted least squares between runs of elements and small integers: the search that the
 * quantisers share.
 *
 * Every sum is taken in four lanes, then joined in one order, and rounding is plain arithmetic: the
 * result is the same whatever compiler and vectors it is built with. */
#ifndef JL_TENSOR_QUANT_FIT_H
#define JL_TENSOR_QUANT_FIT_H

#include <stdbool.h>
#include <stdint.h>

#define QUANT_RUN_MOST 32 // elements

/* Elements that share a scale, and what an error of each costs. */
struct quant_run {
    const float *x, *w; // w >= 0
    int n;              // 16 or 32
};

/* What a quant may stand for: all integers from low to high, or the ascending numbers of a table.
 */
struct quant_levels {
    int low, high;
    const int8_t *table; // (n_table) from low to high; NULL: all integers
    int n_table;
};

/* Nearest integer, the even one of two, for |x| below 2^22. */
#define QUANT_MAGIC 12582912.0f // 1.5 * 2^23: what is below its last bit is rounded away
static inline float quant_rint(float x) { return (x + QUANT_MAGIC) - QUANT_MAGIC; }

/* v = the level nearest to x * inverse, for each element; x and v do not overlap. */
void quant_levels_near(const struct quant_levels *levels, const float *x, float inverse, float *v,
                       int n);

/* The scale (of either sign) with which scale * level comes nearest to x; 0 where x is 0. */
float quant_fit_scale(struct quant_run run, const struct quant_levels *levels);

/* scale and min with which scale * q - min comes nearest to x, q from 0 to most. min is not
 * negative, unless `any_min`. */
struct quant_line {
    float scale, min;
};
struct quant_line quant_fit_line(struct quant_run run, int most, bool any_min);

/* sum w * (x - scale * level)^2 with the nearest levels. */
float quant_scale_error(struct quant_run run, const struct quant_levels *levels, float scale);

/* sum w * (x - (scale * q - min))^2 with the nearest q; and the min that would be best for these q.
 */
float quant_line_error(struct quant_run run, int most, struct quant_line line, float *best_min);

#endif
