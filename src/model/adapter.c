/* What adapters may stand on, new ones, and their memory. */
#include "model/adapter.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "format/report.h"
#include "model/adapter_self.h"
#include "model/init.h"

/* ---- memory ---- */

enum jl_status adapter_no_memory(const char *path, struct jl_error *err) {
    return report_no_memory(err, path, "an adapter");
}

struct adapter *adapter_new(const char *name, int n) {
    struct adapter *adapter = calloc(1, sizeof *adapter);
    if (!adapter) return NULL;
    adapter->name = arena_strdup(&adapter->arena, name);
    adapter->pairs = arena_calloc(&adapter->arena, (size_t)n + 1, sizeof *adapter->pairs);
    if (adapter->name && adapter->pairs) return adapter;
    adapter_free(adapter);
    return NULL;
}

void adapter_free(struct adapter *adapter) {
    if (!adapter) return;
    arena_free(&adapter->arena);
    free(adapter);
}

bool adapter_room(struct adapter *adapter, struct adapter_pair *pair) {
    size_t rows, a, b;
    if (!size_mul(adapter_matrices(pair), (size_t)pair->rank, &rows) ||
        !size_mul(rows, (size_t)pair->n_in, &a) || !size_mul(rows, (size_t)pair->n_out, &b))
        return false;
    pair->a = arena_calloc(&adapter->arena, a, sizeof *pair->a);
    pair->b = arena_calloc(&adapter->arena, b, sizeof *pair->b);
    return pair->a && pair->b;
}

/* ---- the factor ---- */

float adapter_factor_at(const struct adapter_pair *pair, float scale) {
    return (float)(pair->alpha / pair->rank * (double)scale);
}

float adapter_factor(const struct adapter_pair *pair) { return adapter_factor_at(pair, 1.0f); }

/* The environment that kernels compute in counts such numbers as zeros, other code's may not. */
static float normal(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

void adapter_scale(const float *a, float factor, size_t n, float *to) {
    for (size_t i = 0; i < n; i++)
        to[i] = factor == 1.0f ? a[i] : normal(normal(a[i]) * factor);
}

/* ---- roles ---- */

static bool multiplies(const struct prog *prog, enum role_id role) {
    for (int i = 0; prog && i < prog->n_step; i++)
        if (prog->steps[i].w == role &&
            (prog->steps[i].op == OP_LINEAR || prog->steps[i].op == OP_EXPERTS))
            return true;
    return false;
}

bool adapter_is_lookup(enum role_id role) { return role == ROLE_TOK_EMBD; }

bool adapter_shape(const struct model *base, enum role_id role, int layer,
                   struct adapter_shape *out) {
    const struct hparams *hp = &base->hp;
    if (role == ROLE_ATTN_KV_UP && model_weight(base, ROLE_ATTN_K_UP, layer)) { // in two tensors
        *out = (struct adapter_shape){0, hp->kv_lora_rank, (int)hparams_dim(hp, DIM_KV_UP)};
        return true;
    }
    const struct weight *w = model_weight(base, role, layer);
    if (!w) return false;
    *out = adapter_is_lookup(role) ? (struct adapter_shape){0, w->n_out, w->n_in}
                                   : (struct adapter_shape){w->n_expert, w->n_in, w->n_out};
    return true;
}

bool adapter_fits(const struct model *base, const struct adapter_pair *pair) {
    struct adapter_shape shape;
    return pair->layer < hparams_n_block(&base->hp) &&
           adapter_shape(base, pair->role, pair->layer, &shape) && shape.n_in == pair->n_in &&
           shape.n_out == pair->n_out && shape.n_expert == pair->n_expert;
}

bool adapter_can(const struct model *base, enum role_id role, int layer, const char **why) {
    const struct role_row *row = role_row(role);
    *why = NULL;
    if (role == ROLE_TOK_EMBD || role == ROLE_OUTPUT || role == ROLE_ATTN_KV_UP) return true;
    if (row->scope == SCOPE_HEADS)
        *why = "is for a half of kv_b, and takes none: an adapter stands on both halves together, "
               "as kv_b_proj in a folder or blk.N.attn_kv_b.weight in a GGUF file";
    else if (row->rows == DIM_ONE)
        *why = "it is a vector, not a matrix";
    else if (!multiplies(model_mixer(base->family, &base->hp, layer), role) &&
             !multiplies(model_ffn(base->family, &base->hp, layer), role))
        *why = "it is no linear layer";
    return !*why;
}

/* ---- a new one ---- */

/* "blk.%d.attn_q.weight" is called attn_q, "model.layers.%d.self_attn.q_proj.weight" q_proj,
 * "token_embd.weight" token_embd. */
static bool is_called(const char *pattern, const char *name) {
    size_t n = pattern ? strlen(pattern) : 0, m = strlen(name), tail = strlen(".weight");
    return n >= tail + m && !strcmp(pattern + n - tail, ".weight") &&
           !strncmp(pattern + n - tail - m, name, m) &&
           (n == tail + m || pattern[n - tail - m - 1] == '.');
}

static bool is_named(enum role_id role, const char *name) {
    const struct role_row *row = role_row(role);
    if (!strcmp(name, "attn_o")) return role == ROLE_ATTN_O;
    if (!strcmp(name, "all")) return row->group == GROUP_MATRIX;
    return is_called(row->gguf, name) || is_called(row->hf, name);
}

/* The prediction layer is not the model that answers: it gets none. */
static bool is_wanted(const struct model *base, const struct adapter_request *request,
                      enum role_id role, int layer, struct adapter_shape *shape) {
    const char *why;
    if (layer >= base->hp.n_layer || (role_row(role)->scope == SCOPE_MODEL) != (layer < 0) ||
        !adapter_shape(base, role, layer, shape) || !adapter_can(base, role, layer, &why))
        return false;
    for (int i = 0; i < request->n_role; i++)
        if (is_named(role, request->roles[i])) return true;
    return false;
}

/* A name that no matrix has would be left out in silence. */
static enum jl_status check_names(const struct model *base, const struct adapter_request *request,
                                  struct jl_error *err) {
    for (int i = 0; i < request->n_role; i++) {
        struct adapter_request one = *request;
        struct adapter_shape shape;
        bool found = false;
        one.roles = request->roles + i;
        one.n_role = 1;
        for (int layer = -1; layer < base->hp.n_layer && !found; layer++)
            for (int role = ROLE_NONE + 1; role < ROLE_COUNT && !found; role++)
                found = is_wanted(base, &one, (enum role_id)role, layer, &shape);
        if (!found)
            return report_fail(err, JL_ERR_USAGE, base->file->path,
                               "no matrix that takes an adapter is called %s; write all, or names "
                               "such as attn_q, attn_v, ffn_down",
                               report_quote_str(request->roles[i]).text);
    }
    return JL_OK;
}

static void fill_normal(const struct rng_key *key, float *x, size_t n) {
    for (size_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        double values[4];
        rng_block(key, i / 4, words);
        init_normals(words, values);
        init_normals(words + 2, values + 2);
        for (size_t k = 0; k < 4 && i + k < n; k++)
            x[i + k] = (float)values[k];
    }
}

static void fill_pair(const struct adapter_request *request, struct adapter_pair *pair) {
    const struct rng_key key = {.seed = request->seed,
                                .sequence = (uint32_t)pair->role,
                                .position = (uint32_t)pair->layer,
                                .purpose = RNG_ADAPTER};
    if (adapter_is_lookup(pair->role)) {
        fill_normal(&key, pair->b, adapter_n_b(pair));
        return;
    }
    float bound = 1.0f / sqrtf((float)pair->n_in);
    for (size_t i = 0; i < adapter_n_a(pair); i++)
        pair->a[i] = (2.0f * rng_uniform(&key, i) - 1.0f) * bound;
}

static enum jl_status check_request(const struct adapter_request *request, struct jl_error *err) {
    if (request->rank < 1 || request->rank > ADAPTER_MAX_RANK)
        return jl_fail(err, JL_ERR_USAGE, "an adapter's rank is from 1 to %d, not %d",
                       ADAPTER_MAX_RANK, request->rank);
    if (!isfinite(request->alpha) || request->alpha == 0)
        return jl_fail(err, JL_ERR_USAGE, "an adapter's alpha must be a number other than 0");
    if (request->n_role < 1)
        return jl_fail(err, JL_ERR_USAGE, "an adapter needs matrices to stand on, or all");
    return JL_OK;
}

enum jl_status adapter_fresh(const struct model *base, const struct adapter_request *request,
                             struct adapter **out, struct jl_error *err) {
    *out = NULL;
    JL_TRY(check_request(request, err));
    JL_TRY(check_names(base, request, err));
    struct adapter *adapter =
        adapter_new(request->name ? request->name : "adapter", (base->hp.n_layer + 1) * ROLE_COUNT);
    if (!adapter) return adapter_no_memory(base->file->path, err);
    for (int layer = -1; layer < base->hp.n_layer; layer++)
        for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
            struct adapter_shape shape;
            if (!is_wanted(base, request, (enum role_id)role, layer, &shape)) continue;
            struct adapter_pair *pair = &adapter->pairs[adapter->n++];
            *pair = (struct adapter_pair){.role = (enum role_id)role,
                                          .layer = layer,
                                          .n_expert = shape.n_expert,
                                          .rank = request->rank,
                                          .n_in = shape.n_in,
                                          .n_out = shape.n_out,
                                          .alpha = request->alpha};
            if (!adapter_room(adapter, pair)) {
                adapter_free(adapter);
                return adapter_no_memory(base->file->path, err);
            }
            fill_pair(request, pair);
        }
    *out = adapter;
    return JL_OK;
}
