#include "support/make_model.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fmath.h"
#include "base/rng.h"
#include "model/model.h"
#include "support/make_rows.h"
#include "tensor/quant.h"

#define MAX_TENSOR 2048

struct made {
    char name[96];
    int n_dim;
    int64_t dim[3];
    enum dtype dtype;
    size_t bytes;
    uint8_t *data;
    float *values; // before rounding
};

struct made_list {
    struct made item[MAX_TENSOR];
    int n, n_value; // tensors; how many of them hold values of their own
    uint64_t seed;
    bool less_one; // norms are stored as the difference to 1
};

/* Experts of one matrix: apart in a folder, one tensor in a GGUF file. */
struct experts {
    int from, n, of; // experts from .. from + n of `of`
};

static void add_values(struct made *t, bool less_one, const struct rng_key *key, uint64_t from,
                       int64_t n_row) {
    int64_t cols = t->dim[t->n_dim - 1];
    size_t row_bytes;
    assert_true(dtype_row_bytes(t->dtype, cols, &row_bytes));
    t->bytes = row_bytes * (size_t)n_row;
    t->data = calloc(1, t->bytes);
    t->values = calloc((size_t)(n_row * cols), sizeof(float));
    bool vector = t->n_dim == 1, is_norm = vector && strstr(t->name, "norm");
    float half = vector ? 0.2f : 1.7f / __builtin_sqrtf((float)cols);
    if (strstr(t->name, "embed") || strstr(t->name, "embd")) half = 1;
    if (strstr(t->name, "A_log") || strstr(t->name, "ssm_a")) half = 2;
    for (int64_t i = 0; i < n_row * cols; i++)
        t->values[i] = (is_norm && !less_one ? 1.0f : 0.0f) +
                       half * (2 * rng_uniform(key, from + (uint64_t)i) - 1);
    if (t->dtype != DTYPE_F8_E4M3) make_rows(t->dtype, t->values, n_row, cols, key, t->data);
}

/* Fills an FP8 matrix and adds its scales, at times in BF16. */
static void add_f8(struct made_list *list, struct made *t) {
    struct made *s = &list->item[list->n];
    assert_in_range(list->n, 0, MAX_TENSOR - 1);
    list->n++;
    assert_true(strlen(t->name) + sizeof "_scale_inv" <= sizeof s->name);
    strcat(strcpy(s->name, t->name), "_scale_inv");
    s->dtype = list->n % 4 ? DTYPE_F32 : DTYPE_BF16;
    s->n_dim = 2;
    for (int i = 0; i < 2; i++)
        s->dim[i] = (t->dim[i] + F8_SCALE_BLOCK - 1) / F8_SCALE_BLOCK;
    int64_t n = s->dim[0] * s->dim[1];
    s->values = calloc((size_t)n, sizeof(float));
    make_f8_rows(t->values, t->dim[0], t->dim[1], t->data, s->values);
    s->bytes = (size_t)n * (size_t)dtype_row(s->dtype)->bytes;
    s->data = calloc(1, s->bytes);
    assert_true(dtype_quantize(s->dtype, s->values, NULL, s->data, n));
}

/* rows 0: a vector, always F32. `experts`: NULL, or which ones this tensor holds. */
static void put(struct made_list *list, enum dtype dtype, int64_t rows, int64_t cols,
                const struct experts *experts, const char *name) {
    struct made *t = &list->item[list->n];
    assert_in_range(list->n, 0, MAX_TENSOR - 1);
    bool first = !experts || experts->from == 0;
    struct rng_key key = {.seed = list->seed,
                          .sequence = (uint32_t)(first ? list->n_value : list->n_value - 1),
                          .purpose = RNG_TEST};
    int64_t n_row = (rows ? rows : 1) * (experts ? experts->n : 1);
    list->n++;
    list->n_value += first;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->dtype = rows ? dtype : DTYPE_F32;
    if (t->dtype == DTYPE_F8_E4M3 && strstr(name, "mlp.gate.")) t->dtype = DTYPE_BF16;
    if (experts && experts->n > 1) t->dim[t->n_dim++] = experts->n;
    if (rows) t->dim[t->n_dim++] = rows;
    t->dim[t->n_dim++] = cols;
    bool less_one = list->less_one && !strstr(name, "ssm_norm") && !strstr(name, "linear_attn");
    add_values(t, less_one, &key, experts ? (uint64_t)experts->from * (uint64_t)(rows * cols) : 0,
               n_row);
    if (t->dtype == DTYPE_F8_E4M3) add_f8(list, t);
}

static void add(struct made_list *list, enum dtype dtype, int64_t rows, int64_t cols,
                const char *format, ...) {
    char name[96];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    put(list, dtype, rows, cols, NULL, name);
}

/* `what`: "gate", "up" or "down". */
static void add_experts(struct made_list *list, const struct make_model *s, bool gguf, int layer,
                        const char *what) {
    bool down = !strcmp(what, "down");
    int64_t rows = down ? s->n_embd : s->moe.n_ff, cols = down ? s->moe.n_ff : s->n_embd;
    char name[96];
    if (gguf) {
        snprintf(name, sizeof name, "blk.%d.ffn_%s_exps.weight", layer, what);
        put(list, s->dtype, rows, cols, &(struct experts){0, s->moe.n_expert, s->moe.n_expert},
            name);
        return;
    }
    for (int e = 0; e < s->moe.n_expert; e++) {
        snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%d.%s_proj.weight", layer, e,
                 what);
        put(list, s->dtype, rows, cols, &(struct experts){e, 1, s->moe.n_expert}, name);
    }
}

/* Tensors of a layer under both names. */
#define LAYER(rows, cols, g, h)                                                                    \
    add(list, s->dtype, rows, cols, gguf ? "blk.%d." g : "model.layers.%d." h, l)

static void add_mla(struct made_list *list, const struct make_model *s, bool gguf, int l) {
    const struct make_mla *a = &s->mla;
    int64_t q = (int64_t)s->n_head * (a->nope + a->rope), joint = (int64_t)a->nope + a->v;
    if (a->q_lora) {
        LAYER(a->q_lora, s->n_embd, "attn_q_a.weight", "self_attn.q_a_proj.weight");
        if (s->attention_bias) LAYER(0, a->q_lora, "attn_q_a.bias", "self_attn.q_a_proj.bias");
        LAYER(0, a->q_lora, "attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight");
        LAYER(q, a->q_lora, "attn_q_b.weight", "self_attn.q_b_proj.weight");
    } else {
        LAYER(q, s->n_embd, "attn_q.weight", "self_attn.q_proj.weight");
    }
    LAYER(a->kv_lora + a->rope, s->n_embd, "attn_kv_a_mqa.weight",
          "self_attn.kv_a_proj_with_mqa.weight");
    if (s->attention_bias)
        LAYER(0, a->kv_lora + a->rope, "attn_kv_a_mqa.bias", "self_attn.kv_a_proj_with_mqa.bias");
    LAYER(0, a->kv_lora, "attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight");
    if (gguf && a->split) {
        char name[96];
        const struct experts heads = {0, s->n_head, s->n_head};
        snprintf(name, sizeof name, "blk.%d.attn_k_b.weight", l);
        put(list, s->dtype, a->kv_lora, a->nope, &heads, name);
        snprintf(name, sizeof name, "blk.%d.attn_v_b.weight", l);
        put(list, s->dtype, a->v, a->kv_lora, &heads, name);
    } else {
        LAYER(s->n_head * joint, a->kv_lora, "attn_kv_b.weight", "self_attn.kv_b_proj.weight");
    }
    LAYER(s->n_embd, (int64_t)s->n_head * a->v, "attn_output.weight", "self_attn.o_proj.weight");
    if (s->attention_bias) LAYER(0, s->n_embd, "attn_output.bias", "self_attn.o_proj.bias");
}

static bool has_router_bias(const struct make_model *s) {
    return !strcmp(s->family, "deepseek_v3") || !strcmp(s->family, "glm4_moe");
}

/* glm4_moe says of itself whether heads are normed. */
static bool has_head_norms(const struct make_model *s) {
    return !strncmp(s->family, "qwen3", 5) ||
           (s->extra && strstr(s->extra, "\"use_qk_norm\": true"));
}

static void add_moe(struct made_list *list, const struct make_model *s, bool gguf, int l) {
    int64_t shared = (int64_t)s->moe.n_shared * s->moe.n_ff;
    enum dtype router = dtype_row(s->dtype)->block > 1 ? DTYPE_F32 : s->dtype;
    add(list, router, s->moe.n_expert, s->n_embd,
        gguf ? "blk.%d.ffn_gate_inp.weight" : "model.layers.%d.mlp.gate.weight", l);
    if (has_router_bias(s))
        LAYER(0, s->moe.n_expert, "exp_probs_b.bias", "mlp.gate.e_score_correction_bias");
    add_experts(list, s, gguf, l, "gate");
    add_experts(list, s, gguf, l, "up");
    add_experts(list, s, gguf, l, "down");
    if (!shared) return;
    LAYER(shared, s->n_embd, "ffn_gate_shexp.weight", "mlp.shared_experts.gate_proj.weight");
    LAYER(shared, s->n_embd, "ffn_up_shexp.weight", "mlp.shared_experts.up_proj.weight");
    LAYER(s->n_embd, shared, "ffn_down_shexp.weight", "mlp.shared_experts.down_proj.weight");
}

static void add_mtp(struct made_list *list, const struct make_model *s, bool gguf, int l) {
    LAYER(0, s->n_embd, "nextn.enorm.weight", "enorm.weight");
    LAYER(0, s->n_embd, "nextn.hnorm.weight", "hnorm.weight");
    LAYER(s->n_embd, 2 * s->n_embd, "nextn.eh_proj.weight", "eh_proj.weight");
    LAYER(0, s->n_embd, "nextn.shared_head_norm.weight", "shared_head.norm.weight");
    if (s->tied) return;
    LAYER(s->n_vocab, s->n_embd, "nextn.embed_tokens.weight", "embed_tokens.weight");
    LAYER(s->n_vocab, s->n_embd, "nextn.shared_head_head.weight", "shared_head.head.weight");
}

/* ---- qwen3_next ---- */

static bool is_next(const struct make_model *s) { return !strcmp(s->family, "qwen3_next"); }

static bool is_recurrent(const struct make_model *s, int layer) {
    return is_next(s) && (layer + 1) % s->delta.interval != 0;
}

/* GGUF files hold norms, all but that of the recurrent layers, one larger than folders do, and
 * -exp(A_log). */
static void turn_into_gguf(struct made_list *list) {
    for (int k = 0; k < list->n; k++) {
        struct made *t = &list->item[k];
        bool norm = t->n_dim == 1 && strstr(t->name, "norm") && !strstr(t->name, "ssm_norm");
        bool rate = strstr(t->name, "ssm_a") != NULL;
        float *x = (float *)(void *)t->data;
        for (int64_t i = 0; (norm || rate) && i < t->dim[0]; i++)
            x[i] = norm ? x[i] + 1.0f : (float)-fmath_exp64((double)x[i]);
    }
}

/* The rows of q, k, v and z, which the last tensor holds key head by key head, in two tensors. */
static void split_last(struct made_list *list, const struct make_model *s, int layer) {
    const struct make_delta *d = &s->delta;
    struct made joint = list->item[list->n - 1];
    struct made *qkv = &list->item[list->n - 1], *z = &list->item[list->n++];
    int part = d->n_head_v / d->n_head_k * d->d_v, group = 2 * d->d_k + 2 * part;
    size_t row = joint.bytes / (size_t)joint.dim[0];
    int at[4] = {0, d->n_head_k * d->d_k, 2 * d->n_head_k * d->d_k, 0};
    qkv->dim[0] = at[2] + d->n_head_v * d->d_v;
    qkv->bytes = (size_t)qkv->dim[0] * row;
    *z = *qkv;
    z->dim[0] = joint.dim[0] - qkv->dim[0];
    z->bytes = (size_t)z->dim[0] * row;
    qkv->data = calloc(1, qkv->bytes);
    z->data = calloc(1, z->bytes);
    qkv->values = z->values = NULL;
    snprintf(qkv->name, sizeof qkv->name, "blk.%d.attn_qkv.weight", layer);
    snprintf(z->name, sizeof z->name, "blk.%d.attn_gate.weight", layer);
    for (int r = 0; r < joint.dim[0]; r++) {
        int in = r % group;
        int kind = in < d->d_k ? 0 : in < 2 * d->d_k ? 1 : in < 2 * d->d_k + part ? 2 : 3;
        uint8_t *to = kind < 3 ? qkv->data : z->data;
        memcpy(to + (size_t)at[kind]++ * row, joint.data + (size_t)r * row, row);
    }
    free(joint.data);
    free(joint.values);
}

static void add_delta(struct made_list *list, const struct make_model *s, bool gguf, int l) {
    const struct make_delta *d = &s->delta;
    int64_t values = (int64_t)d->n_head_v * d->d_v, keys = (int64_t)d->n_head_k * d->d_k;
#define DELTA(rows, cols, g, h)                                                                    \
    add(list, s->dtype, rows, cols, gguf ? "blk.%d." g : "model.layers.%d.linear_attn." h, l)
    DELTA(2 * keys + 2 * values, s->n_embd, "ssm_in.weight", "in_proj_qkvz.weight");
    if (gguf && !d->joint) split_last(list, s, l);
    DELTA(2 * d->n_head_v, s->n_embd, "ssm_ba.weight", "in_proj_ba.weight");
    DELTA(2 * keys + values, d->n_tap, "ssm_conv1d.weight", "conv1d.weight");
    DELTA(0, d->n_head_v, "ssm_dt.bias", "dt_bias");
    DELTA(0, d->n_head_v, "ssm_a", "A_log");
    DELTA(0, d->d_v, "ssm_norm.weight", "norm.weight");
    DELTA(s->n_embd, values, "ssm_out.weight", "out_proj.weight");
}

static void add_shared(struct made_list *list, const struct make_model *s, bool gguf, int l) {
#define SHARED(rows, cols, g, h)                                                                   \
    add(list, s->dtype, rows, cols, gguf ? "blk.%d." g : "model.layers.%d.mlp." h, l)
    SHARED(s->moe.n_ff_shared, s->n_embd, "ffn_gate_shexp.weight",
           "shared_expert.gate_proj.weight");
    SHARED(s->moe.n_ff_shared, s->n_embd, "ffn_up_shexp.weight", "shared_expert.up_proj.weight");
    SHARED(s->n_embd, s->moe.n_ff_shared, "ffn_down_shexp.weight",
           "shared_expert.down_proj.weight");
    SHARED(1, s->n_embd, "ffn_gate_inp_shexp.weight", "shared_expert_gate.weight");
}

static void add_attention(struct made_list *list, const struct make_model *s, bool gguf, int l) {
    int64_t heads = (int64_t)s->n_head * s->head_dim, kv = (int64_t)s->n_head_kv * s->head_dim;
    int64_t q = is_next(s) ? 2 * heads : heads; // a gate beside each query
    LAYER(q, s->n_embd, "attn_q.weight", "self_attn.q_proj.weight");
    LAYER(kv, s->n_embd, "attn_k.weight", "self_attn.k_proj.weight");
    LAYER(kv, s->n_embd, "attn_v.weight", "self_attn.v_proj.weight");
    LAYER(s->n_embd, heads, "attn_output.weight", "self_attn.o_proj.weight");
    if (!strcmp(s->family, "qwen2") || s->attention_bias) {
        LAYER(0, q, "attn_q.bias", "self_attn.q_proj.bias");
        LAYER(0, kv, "attn_k.bias", "self_attn.k_proj.bias");
        LAYER(0, kv, "attn_v.bias", "self_attn.v_proj.bias");
    }
    if (s->attention_bias && strncmp(s->family, "glm4", 4))
        LAYER(0, s->n_embd, "attn_output.bias", "self_attn.o_proj.bias");
    if (has_head_norms(s)) {
        LAYER(0, s->head_dim, "attn_q_norm.weight", "self_attn.q_norm.weight");
        LAYER(0, s->head_dim, "attn_k_norm.weight", "self_attn.k_norm.weight");
    }
    if (!strcmp(s->family, "glm4")) {
        LAYER(0, s->n_embd, "post_attention_norm.weight", "post_self_attn_layernorm.weight");
        LAYER(0, s->n_embd, "post_ffw_norm.weight", "post_mlp_layernorm.weight");
    }
}

static void add_ffn(struct made_list *list, const struct make_model *s, bool gguf, int l) {
    if (s->moe.n_expert && l >= s->moe.n_dense) {
        add_moe(list, s, gguf, l);
        if (s->moe.n_ff_shared) add_shared(list, s, gguf, l);
        return;
    }
    if (!strcmp(s->family, "glm4")) {
        LAYER(2 * s->n_ff, s->n_embd, "ffn_up.weight", "mlp.gate_up_proj.weight");
    } else {
        LAYER(s->n_ff, s->n_embd, "ffn_gate.weight", "mlp.gate_proj.weight");
        LAYER(s->n_ff, s->n_embd, "ffn_up.weight", "mlp.up_proj.weight");
    }
    LAYER(s->n_embd, s->n_ff, "ffn_down.weight", "mlp.down_proj.weight");
    if (s->mlp_bias) {
        LAYER(0, s->n_ff, "ffn_gate.bias", "mlp.gate_proj.bias");
        LAYER(0, s->n_ff, "ffn_up.bias", "mlp.up_proj.bias");
        LAYER(0, s->n_embd, "ffn_down.bias", "mlp.down_proj.bias");
    }
}

/* The order of adds is the same for both formats, so the same seed gives the same weights. */
static void add_all(struct made_list *list, const struct make_model *s, bool gguf) {
    list->seed = s->seed;
    list->less_one = is_next(s);
    add(list, s->dtype == DTYPE_F8_E4M3 && !s->tied ? DTYPE_BF16 : s->dtype, s->n_vocab, s->n_embd,
        gguf ? "token_embd.weight" : "model.embed_tokens.weight");
    add(list, s->dtype, 0, s->n_embd, gguf ? "output_norm.weight" : "model.norm.weight");
    if (!s->tied)
        add(list, s->dtype, s->n_vocab, s->n_embd, gguf ? "output.weight" : "lm_head.weight");
    bool mtp = s->mla.mtp && !gguf;
    for (int l = 0; l < s->n_layer + mtp; l++) {
        if (l == s->n_layer) add_mtp(list, s, gguf, l);
        LAYER(0, s->n_embd, "attn_norm.weight", "input_layernorm.weight");
        if (s->mla.kv_lora)
            add_mla(list, s, gguf, l);
        else if (is_recurrent(s, l))
            add_delta(list, s, gguf, l);
        else
            add_attention(list, s, gguf, l);
        if (is_next(s) || !strcmp(s->family, "glm4_moe"))
            LAYER(0, s->n_embd, "post_attention_norm.weight", "post_attention_layernorm.weight");
        else
            LAYER(0, s->n_embd, "ffn_norm.weight", "post_attention_layernorm.weight");
        add_ffn(list, s, gguf, l);
    }
    if (is_next(s) && gguf) turn_into_gguf(list);
    if (s->stranger && !gguf) add(list, s->dtype, 3, 5, "%s", s->stranger);
}

static void free_all(struct made_list *list) {
    for (int i = 0; i < list->n; i++) {
        free(list->item[i].data);
        free(list->item[i].values);
    }
    free(list);
}

/* ---- Hugging Face ---- */

/* A folder may be written again with other shards: the old index and single file must not stay. */
static void remove_old(const char *folder) {
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    for (int i = 0; i < 2; i++) {
        char path[640];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
}

static FILE *must_open(const char *folder, const char *name) {
    char path[640];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) fail_msg("cannot write %s", path);
    return file;
}

static const struct family *named(const struct make_model *s) {
    for (int i = 0; model_families[i]; i++)
        if (!strcmp(model_families[i]->name, s->family)) return model_families[i];
    fail_msg("no family %s", s->family);
    return NULL;
}

static void write_mla(const struct make_model *s, FILE *f) {
    if (s->mla.q_lora)
        fprintf(f, "\"q_lora_rank\": %d, ", s->mla.q_lora);
    else
        fprintf(f, "\"q_lora_rank\": null, ");
    fprintf(f, "\"kv_lora_rank\": %d, \"qk_nope_head_dim\": %d, \"qk_rope_head_dim\": %d, ",
            s->mla.kv_lora, s->mla.nope, s->mla.rope);
    fprintf(f, "\"v_head_dim\": %d, \"moe_layer_freq\": 1, ", s->mla.v);
    bool v3 = !strcmp(s->family, "deepseek_v3");
    fprintf(f, "\"scoring_func\": \"%s\", \"topk_method\": \"%s\", ", v3 ? "sigmoid" : "softmax",
            v3                   ? "noaux_tc"
            : s->moe.n_group > 1 ? "group_limited_greedy"
                                 : "greedy");
}

/* The spelling of DeepSeek and of those after it. */
static void write_routed(const struct make_model *s, FILE *f) {
    fprintf(f, "\"n_routed_experts\": %d, \"num_experts_per_tok\": %d, ", s->moe.n_expert,
            s->moe.n_used);
    fprintf(f, "\"moe_intermediate_size\": %d, \"first_k_dense_replace\": %d, ", s->moe.n_ff,
            s->moe.n_dense);
    fprintf(f, "\"n_group\": %d, \"topk_group\": %d, \"num_nextn_predict_layers\": %d, ",
            s->moe.n_group, s->moe.n_group_used, s->mla.mtp);
    if (s->moe.n_shared)
        fprintf(f, "\"n_shared_experts\": %d, ", s->moe.n_shared);
    else
        fprintf(f, "\"n_shared_experts\": null, ");
    fprintf(f, "\"norm_topk_prob\": %s, \"routed_scaling_factor\": %g, ",
            s->moe.norm_topk ? "true" : "false", s->moe.scale);
}

static void write_config(const struct make_model *s, const char *folder) {
    FILE *f = must_open(folder, "config.json");
    fprintf(f, "{\"architectures\": [\"%s\"], \"model_type\": \"%s\", %s", named(s)->hf, s->family,
            s->extra ? s->extra : "");
    if (s->mla.kv_lora) write_mla(s, f);
    if (s->moe.n_group) {
        write_routed(s, f);
    } else if (s->moe.n_expert) {
        fprintf(f, "\"num_experts\": %d, \"num_experts_per_tok\": %d, ", s->moe.n_expert,
                s->moe.n_used);
        fprintf(f, "\"moe_intermediate_size\": %d, \"mlp_only_layers\": [", s->moe.n_ff);
        for (int l = 0; l < s->moe.n_dense; l++)
            fprintf(f, "%s%d", l ? ", " : "", l);
        fprintf(f, "], ");
    }
    if (s->moe.n_ff_shared)
        fprintf(f, "\"shared_expert_intermediate_size\": %d, ", s->moe.n_ff_shared);
    if (is_next(s)) {
        const struct make_delta *d = &s->delta;
        fprintf(f, "\"linear_num_key_heads\": %d, \"linear_num_value_heads\": %d, ", d->n_head_k,
                d->n_head_v);
        fprintf(f, "\"linear_key_head_dim\": %d, \"linear_value_head_dim\": %d, ", d->d_k, d->d_v);
        fprintf(f, "\"linear_conv_kernel_dim\": %d, ", d->n_tap);
        if (!s->extra || !strstr(s->extra, "full_attention_interval"))
            fprintf(f, "\"full_attention_interval\": %d, ", d->interval);
    }
    fprintf(f, "\"hidden_size\": %d, \"intermediate_size\": %d, \"num_hidden_layers\": %d, ",
            s->n_embd, s->n_ff, s->n_layer);
    fprintf(f, "\"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"head_dim\": %d, ",
            s->n_head, s->n_head_kv, s->head_dim);
    fprintf(f, "\"vocab_size\": %d, \"max_position_embeddings\": 2048, \"rms_norm_eps\": 1e-6, ",
            s->n_vocab);
    if (s->dtype == DTYPE_F8_E4M3)
        fprintf(f, "\"quantization_config\": {\"quant_method\": \"fp8\", \"fmt\": \"e4m3\", "
                   "\"activation_scheme\": \"dynamic\", \"weight_block_size\": [128, 128]}, ");
    fprintf(f, "\"attention_bias\": %s, \"mlp_bias\": %s, ", s->attention_bias ? "true" : "false",
            s->mlp_bias ? "true" : "false");
    if (s->rope_scaling) fprintf(f, "\"rope_scaling\": %s, ", s->rope_scaling);
    fprintf(f, "\"rope_theta\": 10000.0, \"hidden_act\": \"silu\", \"tie_word_embeddings\": %s}",
            s->tied ? "true" : "false");
    fclose(f);
}

static void write_shard(const struct made_list *list, int shard, int n_shard, const char *folder,
                        const char *name) {
    char *header = calloc(1, MAX_TENSOR * 256);
    size_t used = 1, at = 0;
    header[0] = '{';
    for (int i = shard; i < list->n; i += n_shard) {
        const struct made *t = &list->item[i];
        used += (size_t)sprintf(header + used, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%" PRId64,
                                used > 1 ? "," : "", t->name, dtype_row(t->dtype)->safetensors,
                                t->dim[0]);
        for (int d = 1; d < t->n_dim; d++)
            used += (size_t)sprintf(header + used, ",%" PRId64, t->dim[d]);
        used += (size_t)sprintf(header + used, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
        at += t->bytes;
    }
    header[used++] = '}';
    FILE *f = must_open(folder, name);
    uint64_t size = used;
    fwrite(&size, 8, 1, f);
    fwrite(header, 1, used, f);
    for (int i = shard; i < list->n; i += n_shard)
        fwrite(list->item[i].data, 1, list->item[i].bytes, f);
    fclose(f);
    free(header);
}

void make_hf(const struct make_model *spec, const char *folder) {
    struct made_list *list = calloc(1, sizeof *list);
    add_all(list, spec, false);
    mkdir(folder, 0755);
    remove_old(folder);
    write_config(spec, folder);
    if (spec->n_shard <= 1) {
        write_shard(list, 0, 1, folder, "model.safetensors");
    } else {
        FILE *f = must_open(folder, "model.safetensors.index.json");
        fprintf(f, "{\"metadata\": {\"total_size\": 0}, \"weight_map\": {");
        for (int i = 0; i < list->n; i++)
            fprintf(f, "%s\"%s\": \"model-%05d-of-%05d.safetensors\"", i ? ", " : "",
                    list->item[i].name, i % spec->n_shard + 1, spec->n_shard);
        fprintf(f, "}}");
        fclose(f);
        for (int s = 0; s < spec->n_shard; s++) {
            char name[64];
            snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", s + 1, spec->n_shard);
            write_shard(list, s, spec->n_shard, folder, name);
        }
    }
    free_all(list);
}

/* ---- GGUF ---- */

/* llama's GGUF rows turn pairs (2i, 2i+1) where the folder's turn (i, i + d/2). */
static const uint8_t *permuted_row(const struct made *t, int64_t row, int head_dim,
                                   size_t row_bytes) {
    int64_t head = row / head_dim, at = row % head_dim;
    int64_t from = at % 2 ? head_dim / 2 + at / 2 : at / 2;
    return t->data + (size_t)(head * head_dim + from) * row_bytes;
}

static bool is_permuted(const struct make_model *s, const struct made *t) {
    return !strcmp(s->family, "llama") &&
           (strstr(t->name, "attn_q.") || strstr(t->name, "attn_k."));
}

#define U32(name, value)                                                                           \
    snprintf(key, sizeof key, "%s." name, arch), gguf_put_u32(w, key, (uint32_t)(value))

static void put_deepseek(struct gguf_writer *w, const struct make_model *s) {
    const struct make_mla *a = &s->mla;
    const char *arch = "deepseek2";
    char key[96];
    U32("attention.key_length", a->split ? a->kv_lora + a->rope : a->nope + a->rope);
    U32("attention.value_length", a->split ? a->kv_lora : a->v);
    if (a->split) {
        U32("attention.key_length_mla", a->nope + a->rope);
        U32("attention.value_length_mla", a->v);
    }
    if (a->q_lora) U32("attention.q_lora_rank", a->q_lora);
    U32("attention.kv_lora_rank", a->kv_lora);
    U32("rope.dimension_count", a->rope);
}

static void put_routed(struct gguf_writer *w, const struct make_model *s, const char *arch) {
    char key[96];
    if (s->moe.n_shared) U32("expert_shared_count", s->moe.n_shared);
    U32("expert_group_count", s->moe.n_group);
    U32("expert_group_used_count", s->moe.n_group_used);
    if (has_router_bias(s)) U32("expert_gating_func", 2);
    snprintf(key, sizeof key, "%s.expert_weights_norm", arch);
    gguf_put_bool(w, key, s->moe.norm_topk);
    snprintf(key, sizeof key, "%s.expert_weights_scale", arch);
    gguf_put_f32(w, key, (float)s->moe.scale);
}

void make_gguf(const struct make_model *s, const char *path) {
    struct made_list *list = calloc(1, sizeof *list);
    struct jl_error err = {0};
    struct gguf_writer *w;
    char key[96];
    add_all(list, s, true);
    if (gguf_writer_create(path, 0, &w, &err) != JL_OK) fail_msg("%s", err.message);
    const char *arch = named(s)->gguf;
    gguf_put_text(w, "general.architecture", arch);
    U32("block_count", s->n_layer);
    U32("embedding_length", s->n_embd);
    U32("feed_forward_length", s->n_ff);
    U32("attention.head_count", s->n_head);
    U32("attention.head_count_kv", s->mla.split ? 1 : s->n_head_kv);
    if (s->mla.kv_lora) {
        put_deepseek(w, s);
    } else {
        U32("attention.key_length", s->head_dim);
        U32("attention.value_length", s->head_dim);
    }
    U32("context_length", 2048);
    if (s->moe.n_group) put_routed(w, s, arch);
    if (s->moe.n_expert) {
        U32("expert_count", s->moe.n_expert);
        U32("expert_used_count", s->moe.n_used);
        U32("expert_feed_forward_length", s->moe.n_ff);
        U32("leading_dense_block_count", s->moe.n_dense);
    }
    if (s->moe.n_ff_shared) U32("expert_shared_feed_forward_length", s->moe.n_ff_shared);
    if (is_next(s)) {
        U32("ssm.group_count", s->delta.n_head_k);
        U32("ssm.time_step_rank", s->delta.n_head_v);
        U32("ssm.state_size", s->delta.d_k);
        U32("ssm.inner_size", s->delta.n_head_v * s->delta.d_v);
        U32("ssm.conv_kernel", s->delta.n_tap);
        U32("full_attention_interval", s->delta.interval);
        U32("rope.dimension_count", s->head_dim / 4);
    }
    if (!strncmp(s->family, "glm4", 4)) U32("rope.dimension_count", s->head_dim / 2);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    gguf_put_f32(w, key, 1e-6f);
    if (s->gguf_extra) s->gguf_extra(w);
    for (int i = 0; i < list->n; i++)
        gguf_add_tensor(w, list->item[i].name, list->item[i].dtype, list->item[i].n_dim,
                        list->item[i].dim);
    for (int i = 0; i < list->n; i++) {
        const struct made *t = &list->item[i];
        int64_t rows = t->n_dim == 3 ? t->dim[0] * t->dim[1] : t->dim[0];
        size_t row_bytes = t->bytes / (size_t)rows;
        for (int64_t r = 0; r < rows; r++) {
            const uint8_t *from = is_permuted(s, t) ? permuted_row(t, r, s->head_dim, row_bytes)
                                                    : t->data + (size_t)r * row_bytes;
            if (gguf_write_data(w, from, row_bytes, &err) != JL_OK) fail_msg("%s", err.message);
        }
    }
    if (gguf_writer_commit(w, &err) != JL_OK) fail_msg("%s", err.message);
    gguf_writer_free(w);
    free_all(list);
}
