/* The searches of the quantisers: from a block's elements to what qblock.h says a block means. */
#ifndef JL_TENSOR_QUANT_SEARCH_H
#define JL_TENSOR_QUANT_SEARCH_H

#include "tensor/qblock.h"
#include "tensor/quant_fit.h"

/* What a type can hold. Runs have sub-scales from scale_low to scale_high, or none (both 1); minima
 * from 0 to most_min, or none (0). */
struct quant_form {
    int size; // of a block
    int run;  // elements of a sub-block, 16 or 32
    struct quant_levels levels;
    int scale_low, scale_high, most_min;
    void (*pack)(const struct qblock *block, uint8_t *bytes);
};

/* x and w: form->size elements and their weights, w > 0. What comes out is exact: d and dmin are
 * f16 numbers, the integers within the type's ranges. */
typedef void quant_search_fn(const struct quant_form *form, const float *x, const float *w,
                             struct qblock *out);
quant_search_fn quant_search_one;   // one factor a block, and perhaps one addend of any sign
quant_search_fn quant_search_scale; // sub-scales
quant_search_fn quant_search_line;  // sub-scales and minima
quant_search_fn quant_search_plain; // any form, by the extremes alone; w is not looked at

static inline float quant_f16(float x) { return f32_from_f16(f16_from_f32(x)); }

static inline int quant_clamp(float x, int low, int high) {
    return x > (float)low ? x < (float)high ? (int)quant_rint(x) : high : low; // NaN: low
}

/* Writes the quants of a run and its scale and minimum. */
void quant_put_run(struct qblock *block, const struct quant_form *form, const float *x, int run,
                   int scale, int min);

/* The factor d >= 0 with which d * (an integer up to `most`) comes nearest to the n values, a miss
 * of value j costing weight[j] times its square. */
float quant_fit_factor(const float *value, const float *weight, int n, int most);

#endif
