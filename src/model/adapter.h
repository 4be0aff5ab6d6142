/* Low-rank adapters (LoRA, arXiv 2106.09685): y = W x + (alpha / rank) B (A x), beside the matrices
 * of a base whose own weights stand still.
 *
 * An adapter is a list of pairs of matrices, each for a role and a layer of one base (-1: the
 * model's own embedding or output head); rows stand in the order in which that base's rows stand.
 * What latent attention makes of its latents, kv_b, is one matrix to an adapter, a head's keys and
 * then its values, whether the base has it in one tensor or in two. It is read from a folder as
 * PEFT writes it or from a GGUF file as llama.cpp has it, and written as either. A model with
 * adapters (adapter_bind.c) has a plan of its own over the base's mapping and weights.
 * docs/adapters.md. */
#ifndef JL_MODEL_ADAPTER_H
#define JL_MODEL_ADAPTER_H

#include "base/arena.h"
#include "model/model.h"

#define ADAPTER_MAX_RANK 65536

struct adapter_pair {
    enum role_id role;
    int layer;
    int n_expert; // 0: one matrix; else one an expert, all of one rank and alpha
    int rank, n_in, n_out;
    double alpha;
    float *a; // (rank, n_in), (n_expert, rank, n_in); of an embedding (n_in, rank), a row a token
    float *b; // (n_out, rank), (n_expert, n_out, rank)
};

static inline size_t adapter_matrices(const struct adapter_pair *pair) {
    return pair->n_expert ? (size_t)pair->n_expert : 1;
}
/* Numbers in a, in b. */
static inline size_t adapter_n_a(const struct adapter_pair *pair) {
    return adapter_matrices(pair) * (size_t)pair->rank * (size_t)pair->n_in;
}
static inline size_t adapter_n_b(const struct adapter_pair *pair) {
    return adapter_matrices(pair) * (size_t)pair->rank * (size_t)pair->n_out;
}

struct adapter {
    const char *name;
    struct adapter_pair *pairs; // by layer, then by role
    int n;
    struct arena arena; // owns all of it
};

/* A folder with adapter_config.json, or a GGUF file. Closed-world: whatever changes what the
 * adapter means and is not done here is refused by name, and so is a tensor that no matrix of the
 * base takes. */
enum jl_status adapter_open(const struct model *base, const char *path, struct adapter **out,
                            struct jl_error *err);
void adapter_free(struct adapter *adapter); // NULL is fine

/* What A is multiplied by when an adapter is bound, at a scale of its use or at 1: rounded once.
 * And how: each product is rounded once, and a zero of its sign where it or the number is below the
 * normal ones, in any environment. By 1 all stays. `to` may be `a`. */
float adapter_factor_at(const struct adapter_pair *pair, float scale);
float adapter_factor(const struct adapter_pair *pair);
void adapter_scale(const float *a, float factor, size_t n, float *to);

/* May an adapter stand on this role of a layer? `why`: if not, what to do. */
bool adapter_can(const struct model *base, enum role_id role, int layer, const char **why);
/* The matrix, or one an expert, that an adapter on the role sees. False: the base has none. */
struct adapter_shape {
    int n_expert, n_in, n_out; // as a pair's
};
bool adapter_shape(const struct model *base, enum role_id role, int layer,
                   struct adapter_shape *out);
/* Does the pair stand on a matrix of the base, as it is shaped there? */
bool adapter_fits(const struct model *base, const struct adapter_pair *pair);
/* Are rows of A looked up, not multiplied with? n_in is the vocabulary then. */
bool adapter_is_lookup(enum role_id role);

/* ---- a new one ---- */

struct adapter_request {
    const char *name;
    const char *const *roles; // "attn_q" or "q_proj", as files call them; "all": the blocks'
    int n_role;
    int rank;
    double alpha;
    uint64_t seed;
};

/* A is uniform within 1 / sqrt(n_in) and B zero; on an embedding A is zero and B normal: as PEFT
 * begins, nothing changes yet. */
enum jl_status adapter_fresh(const struct model *base, const struct adapter_request *request,
                             struct adapter **out, struct jl_error *err);

/* ---- files ---- */

/* For `base`, the one it was opened or made for. The folder must not exist yet; it and the file are
 * whole or absent. Matrices are F32. */
enum jl_status adapter_write_folder(const struct model *base, const struct adapter *adapter,
                                    const char *path, struct jl_error *err);
enum jl_status adapter_write_gguf(const struct model *base, const struct adapter *adapter,
                                  const char *path, struct jl_error *err);

/* ---- a model with adapters ---- */

struct adapter_use {
    const struct adapter *adapter;
    float scale; // times what the adapter itself says
};

/* Each adds to the outputs in the order given. The base, which must outlive the model, is only
 * read: several models may stand on it. The adapters may go. */
enum jl_status adapter_model(const struct model *base, const struct adapter_use *uses, int n,
                             struct model **out, struct jl_error *err);

struct adapter_path {
    const char *path;
    float scale;
};
/* model_load, with these adapters; n 0: as model_load. The model owns its base. */
enum jl_status adapter_model_load(const char *path, const struct class_request *request,
                                  const struct adapter_path *adapters, int n, struct model **out,
                                  struct jl_error *err);
/* model_load, with a new adapter to be learned; the base's weights stay in the file, frozen. What
 * is learned of A is A without its factor (own.h). */
enum jl_status adapter_model_learn(const char *path, const struct class_request *request,
                                   const struct adapter_request *fresh, struct model **out,
                                   struct jl_error *err);

/* The adapter of a model's use `use` as its matrices stand now: what is written and read again has
 * the same bits. One that is learned has the alpha it was asked for with; of others the factor is
 * in A, and alpha is the rank. */
enum jl_status adapter_of_model(const struct model *model, int use, struct adapter **out,
                                struct jl_error *err);

/* Adds the adapters to the weights of an owned model (own.h), each number rounded once to its type:
 * W + B A in f32, adapters in order, each B A a chain over the rank ascending from +0. An embedding
 * or a head that is the other, too, takes none: both would change. */
enum jl_status adapter_merge(struct model *owned, const struct adapter_use *uses, int n,
                             struct jl_error *err);

/* Could the adapters of a model be merged into its base's file? Errors say why not. */
enum jl_status adapter_mergeable(const struct model *with, struct jl_error *err);

#endif
