/* A second reading of the maths: the whole forward pass in float64, every position recomputed, no
 * cache, no plan, no kernels. It shares the loader's hyper-parameters and bound weights, nothing
 * else. For what the goldens do not reach. */
#ifndef JL_TESTS_SUPPORT_REF64_H
#define JL_TESTS_SUPPORT_REF64_H

#include "model/model.h"

/* Logits (n, n_vocab) of all positions; caller frees. */
double *ref64_logits(const struct model *model, const int32_t *ids, int n);

/* Logits (n - 1, n_vocab) of the prediction layer; caller frees. */
double *ref64_mtp_logits(const struct model *model, const int32_t *ids, int n);

/* Its parts. y[r] = W x[r] + b for n rows, and what the model's adapters add; b may be NULL;
 * `data`: W's, or one expert's. */
double *ref64_matrix(const struct model *model, const struct weight *w, const uint8_t *data,
                     const struct weight *b, const double *x, int n);
/* The output (n, n_embd) of a layer's mixture of experts. */
double *ref64_moe(const struct model *model, int layer, const double *x, int n);
/* The output (n, n_embd) of a layer's latent attention for its normed input. */
double *ref64_mla(const struct model *model, int layer, const double *x, int n);
/* The output (n, n_embd) of a recurrent layer by the gated delta rule. */
double *ref64_delta(const struct model *model, int layer, const double *x, int n);

#endif
