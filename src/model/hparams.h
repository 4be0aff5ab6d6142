/* Hyper-parameters: one row each, read from GGUF metadata or config.json alike.
 *
 * Closed world: a missing required key, a value of the wrong type or out of range, and an unknown
 * value of a key we know are errors. Keys nobody reads are listed by `inspect`. */
#ifndef JL_MODEL_HPARAMS_H
#define JL_MODEL_HPARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "base/status.h"
#include "format/model_file.h"
#include "model/roles.h"
#include "tensor/recur.h"

/* A flag that a config may leave unsaid. */
enum tristate { UNSAID = -1, NO = 0, YES = 1 };

#define HPARAM_MAX_LAYERS 1024

/* field, type, GGUF key after "ARCH.", Hugging Face key, default, min, max. "a|b": the first of
 * these that the file has. Default REQUIRED: absence is an error. A NULL key: the format does not
 * carry it. */
#define HP_REQUIRED (-1e300)
#define HPARAM_LIST(X)                                                                             \
    X(n_layer, int, "block_count", "num_hidden_layers", HP_REQUIRED, 1, HPARAM_MAX_LAYERS)         \
    X(n_embd, int, "embedding_length", "hidden_size", HP_REQUIRED, 1, 1 << 20)                     \
    X(n_ff, int, "feed_forward_length", "intermediate_size", HP_REQUIRED, 1, 1 << 22)              \
    X(n_head, int, "attention.head_count", "num_attention_heads", HP_REQUIRED, 1, 1 << 16)         \
    X(n_head_kv, int, "attention.head_count_kv", "num_key_value_heads", 0, 1, 1 << 16)             \
    X(head_dim_k, int, "attention.key_length", "head_dim", 0, 2, 1 << 16)                          \
    X(head_dim_v, int, "attention.value_length", NULL, 0, 2, 1 << 16)                              \
    X(n_ctx_train, int, "context_length", "max_position_embeddings", HP_REQUIRED, 1, 1 << 30)      \
    X(n_vocab, int, "vocab_size", "vocab_size", 0, 1, 1 << 26)                                     \
    X(rms_eps, double, "attention.layer_norm_rms_epsilon", "rms_norm_eps", HP_REQUIRED, 0, 1)      \
    X(attn_scale, double, "attention.scale", NULL, 0, 1e-9, 1e9)                                   \
    X(rope_theta, double, "rope.freq_base", "rope_theta", 10000, 1e-3, 1e30)                       \
    X(n_rot, int, "rope.dimension_count", NULL, 0, 2, 1 << 16)                                     \
    X(rotary_share, double, NULL, "partial_rotary_factor", 0, 1e-6, 1)                             \
    X(tied, tristate, NULL, "tie_word_embeddings", UNSAID, 0, 1)                                   \
    X(attention_bias, tristate, NULL, "attention_bias", UNSAID, 0, 1)                              \
    X(mlp_bias, tristate, NULL, "mlp_bias", UNSAID, 0, 1)                                          \
    X(qk_norm, tristate, NULL, "use_qk_norm", UNSAID, 0, 1)                                        \
    X(n_expert, int, "expert_count", "num_experts|n_routed_experts", 0, 0, ROUTE_MAX_EXPERTS)      \
    X(n_expert_used, int, "expert_used_count", "num_experts_per_tok", 0, 0, ROUTE_MAX_EXPERTS)     \
    X(n_ff_exp, int, "expert_feed_forward_length", "moe_intermediate_size", 0, 0, 1 << 22)         \
    X(n_expert_shared, int, "expert_shared_count", "n_shared_experts", UNSAID, 0, 1 << 16)         \
    X(n_ff_shexp, int, "expert_shared_feed_forward_length", "shared_expert_intermediate_size", 0,  \
      0, 1 << 24)                                                                                  \
    X(n_group, int, "expert_group_count", "n_group", 1, 0, ROUTE_MAX_EXPERTS)                      \
    X(n_group_used, int, "expert_group_used_count", "topk_group", 1, 0, ROUTE_MAX_EXPERTS)         \
    X(norm_topk, tristate, "expert_weights_norm", "norm_topk_prob", UNSAID, 0, 1)                  \
    X(routed_scale, double, "expert_weights_scale", "routed_scaling_factor", 1, 0, 1e9)            \
    X(n_dense_layer, int, "leading_dense_block_count", "first_k_dense_replace", 0, 0,              \
      HPARAM_MAX_LAYERS)                                                                           \
    X(moe_step, int, NULL, "decoder_sparse_step|moe_layer_freq", 1, 1, HPARAM_MAX_LAYERS)          \
    X(q_lora_rank, int, "attention.q_lora_rank", "q_lora_rank", 0, 0, 1 << 16)                     \
    X(kv_lora_rank, int, "attention.kv_lora_rank", "kv_lora_rank", 0, 0, 1 << 16)                  \
    X(mla_dim_k, int, "attention.key_length_mla", NULL, 0, 2, 1 << 16)                             \
    X(mla_dim_v, int, "attention.value_length_mla", "v_head_dim", 0, 1, 1 << 16)                   \
    X(nope_dim, int, NULL, "qk_nope_head_dim", 0, 1, 1 << 16)                                      \
    X(rope_dim, int, NULL, "qk_rope_head_dim", 0, 2, 1 << 16)                                      \
    X(n_mtp, int, "nextn_predict_layers", "num_nextn_predict_layers", 0, 0, 1)                     \
    X(attention_interval, int, "full_attention_interval", "full_attention_interval", 0, 1,         \
      HPARAM_MAX_LAYERS)                                                                           \
    X(delta_head_k, int, "ssm.group_count", "linear_num_key_heads", 0, 1, 1 << 16)                 \
    X(delta_head_v, int, "ssm.time_step_rank", "linear_num_value_heads", 0, 1, 1 << 16)            \
    X(delta_dim_k, int, "ssm.state_size", "linear_key_head_dim", 0, 1, 1 << 16)                    \
    X(delta_dim_v, int, NULL, "linear_value_head_dim", 0, 1, 1 << 16)                              \
    X(delta_inner, int, "ssm.inner_size", NULL, 0, 1, 1 << 26)                                     \
    X(delta_tap, int, "ssm.conv_kernel", "linear_conv_kernel_dim", 0, 2, CONV_MAX_TAP)

enum rope_scaling { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN };

struct rope_hparams {
    enum rope_scaling scaling;
    double factor;
    double n_ctx_orig;
    double beta_fast, beta_slow;              // yarn
    double low_freq_factor, high_freq_factor; // llama3
    double magnitude;                         // cos and sin are multiplied by it
    double attn_magnitude;                    // latent attention: scores by its square
    bool truncate;                            // yarn: round the correction range to whole pairs
    bool half;                                // pairs (i, i + n_rot/2), whatever the family's are
};

typedef int hparam_int;
typedef double hparam_double;
typedef enum tristate hparam_tristate;

/* Which layers something is true of. */
struct layer_set {
    uint64_t word[HPARAM_MAX_LAYERS / 64];
};
static inline void layer_set_put(struct layer_set *set, int layer) {
    set->word[layer / 64] |= (uint64_t)1 << layer % 64;
}
static inline bool layer_set_has(const struct layer_set *set, int layer) {
    return set->word[layer / 64] >> layer % 64 & 1;
}

struct hparams {
#define X(field, type, ...) hparam_##type field;
    HPARAM_LIST(X)
#undef X
    struct rope_hparams rope;
    bool kv_split;              // latent attention: attn_k_b and attn_v_b, no joint kv_b
    struct layer_set recurrent; // layers with MIXER_RECURRENT
    bool delta_split;           // q, k and v of these are projected apart from z
    struct layer_set moe;       // layers with experts
    struct route_rule route;    // of those layers
};

struct family;

/* Derived fields (n_head_kv,
 * head dims, n_rot, n_vocab from the embedding's shape) are filled in and cross-checked. */
enum jl_status hparams_read(struct model_file *file, const struct family *family,
                            struct hparams *out, struct jl_error *err);
/* Marks the layers with experts: by the counts of `hp`, but for those that are listed as dense. */
void hparams_moe_layers(const struct family *family, const struct layer_set *dense,
                        struct hparams *hp);
/* Layers of the model and those behind them that predict further tokens. */
static inline int hparams_n_block(const struct hparams *hp) { return hp->n_layer + hp->n_mtp; }
int64_t hparams_dim(const struct hparams *hp, enum dim_id dim);
const char *hparams_rope_name(enum rope_scaling scaling);

/* Rotary frequencies (n_rot/2 of them) with the scaling applied, and the magnitude. `factors`:
 * GGUF's rope_freqs tensor, divides each frequency; may be NULL. */
void rope_frequencies(const struct hparams *hp, const float *factors, double *freq);
/* llama3 scaling as that tensor: n_rot/2 factors. Frequencies divided by them are those that
 * rope_frequencies gives without, to the bit. */
void rope_factors(const struct hparams *hp, float *factors);

#endif
