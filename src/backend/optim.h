/* What an optimizer does to weights, over the backend's threads. The same bits for any number of
 * them and any kernel level: elements do not meet, sums have fixed blocks. docs/numerics.md,
 * "Training". */
#ifndef JL_BACKEND_OPTIM_H
#define JL_BACKEND_OPTIM_H

#include "backend/backend.h"
#include "kernel/grad.h"

/* Sum of squares: f32 in blocks of 4096 by 16 lanes and the tree, the blocks in double, ascending.
 */
double backend_square_sum(struct backend *backend, const float *x, size_t n);

/* y = fma(a, x, b * y); y = 0 with a and b 0 */
void backend_mix(struct backend *backend, float a, const float *x, float b, float *y, size_t n);

/* x into `to`, F32 or BF16, to nearest even. */
void backend_round(struct backend *backend, const float *x, enum dtype dtype, void *to, size_t n);

void backend_adamw(struct backend *backend, const struct adamw_args *args);

/* Muon (Jordan et al., 2024), with the step's size of Moonlight (arXiv 2502.16982), so that rates
 * and decays of AdamW serve: with g = clip * grad,
 *   m = beta * m + g;  u = g + beta * m;  o = the orthogonal matrix near u, by five steps of Newton
 *   and Schulz in bf16;  w -= rate * (0.2 * sqrt(max(rows, cols)) * o + decay * w) */
struct muon_args {
    float *w, *m;      // (rows, cols)
    const float *grad; // (rows, cols)
    int rows, cols;
    float rate, beta, decay, clip;
};
struct backend_muon; // work space for matrices up to a size
enum jl_status backend_muon_create(struct backend *backend, int max_rows, int max_cols,
                                   struct backend_muon **out, struct jl_error *err);
void backend_muon_free(struct backend_muon *muon); // NULL is fine
size_t backend_muon_bytes(const struct backend_muon *muon);
/* n matrices, each on one thread. */
void backend_muon_run(struct backend_muon *muon, const struct muon_args *matrices, int n);

#endif
