/* Tensor roles: one row a role, for all families. From a row come its names in both kinds of file,
 * its shape check, its optimizer group and the way it splits over ranks. */
#ifndef JL_MODEL_ROLES_H
#define JL_MODEL_ROLES_H

#include <stddef.h>

/* A dimension is named, not computed: hparams_dim() gives its size. */
#define DIM_LIST(X)                                                                                \
    X(DIM_ONE, "1")                                                                                \
    X(DIM_VOCAB, "n_vocab")                                                                        \
    X(DIM_EMBD, "n_embd")                                                                          \
    X(DIM_Q, "n_head*head_dim_k")                                                                  \
    X(DIM_K, "n_head_kv*head_dim_k")                                                               \
    X(DIM_V, "n_head_kv*head_dim_v")                                                               \
    X(DIM_A, "n_head*head_dim_v")                                                                  \
    X(DIM_HEAD, "head_dim_k")                                                                      \
    X(DIM_FF, "n_ff")                                                                              \
    X(DIM_PAIRS, "n_rot/2")                                                                        \
    X(DIM_EMBD_TWICE, "2*n_embd")                                                                  \
    X(DIM_HEAD_V, "head_dim_v")                                                                    \
    X(DIM_NOPE, "head_dim_k-n_rot")                                                                \
    X(DIM_Q_LORA, "q_lora_rank")                                                                   \
    X(DIM_KV_LORA, "kv_lora_rank")                                                                 \
    X(DIM_LATENT, "kv_lora_rank+n_rot")                                                            \
    X(DIM_KV_UP, "n_head*(head_dim_k-n_rot+head_dim_v)")                                           \
    X(DIM_EXPERTS, "n_expert")                                                                     \
    X(DIM_FF_EXP, "n_ff_exp")                                                                      \
    X(DIM_FF_SHEXP, "n_ff_shexp")                                                                  \
    X(DIM_QG, "2*n_head*head_dim_k")                                                               \
    X(DIM_DELTA_HEADS, "delta_head_v")                                                             \
    X(DIM_DELTA_BA, "2*delta_head_v")                                                              \
    X(DIM_DELTA_HEAD, "delta_dim_v")                                                               \
    X(DIM_DELTA_V, "delta_head_v*delta_dim_v")                                                     \
    X(DIM_DELTA_QKV, "2*delta_head_k*delta_dim_k+delta_head_v*delta_dim_v")                        \
    X(DIM_DELTA_QKVZ, "2*delta_head_k*delta_dim_k+2*delta_head_v*delta_dim_v")                     \
    X(DIM_DELTA_TAPS, "delta_tap")

enum dim_id {
#define X(id, ...) id,
    DIM_LIST(X)
#undef X
        DIM_COUNT
};

/* HEADS: of a layer, a matrix for each head in one tensor, heads outermost. */
enum role_scope { SCOPE_MODEL, SCOPE_LAYER, SCOPE_EXPERTS, SCOPE_HEADS };
enum role_shard { SHARD_NONE, SHARD_OUT }; // tensor parallel: by outputs or not at all
enum role_group {
    GROUP_EMBED,
    GROUP_MATRIX,
    GROUP_ROUTER,
    GROUP_VECTOR,
    GROUP_TAPS,
    GROUP_FIXED
}; // optimizer's

/* Is a role's tensor there? OPTIONAL: in every layer that has a use for it, or in none. BY_*: a
 * config key decides, and where the file has no such key it is OPTIONAL. */
enum role_need {
    REQUIRED,
    OPTIONAL,
    ABSENT,
    BY_ATTENTION_BIAS,
    BY_MLP_BIAS,
    BY_QK_NORM,
    BY_UNTIED,
    BY_SHARED_EXPERT,
    BY_Q_LORA,      // queries are projected twice
    BY_Q_LORA_BIAS, // the first time with a bias
    BY_Q_WHOLE,     // or once
    BY_KV_JOINT,
    BY_KV_SPLIT,
    BY_DELTA_JOINT, // one projection for q, k, v and z of a recurrent layer
    BY_DELTA_SPLIT  // or two
};

/* id, GGUF name, Hugging Face name (families may say others), scope, rows, columns, shard, group,
 * need (families may say another). In names %d is the layer and %e the expert; a name of experts
 * without %e is one tensor for all, experts outermost. Rows DIM_ONE: a vector of `columns`
 * elements, widened to f32 when bound, as routers are. GROUP_TAPS: a convolution's, also widened,
 * and turned: (channels, taps) in the file, (taps, channels) when bound. */
#define ROLE_LIST(X)                                                                               \
    X(ROLE_TOK_EMBD, "token_embd.weight", "model.embed_tokens.weight", SCOPE_MODEL, DIM_VOCAB,     \
      DIM_EMBD, SHARD_NONE, GROUP_EMBED, REQUIRED)                                                 \
    X(ROLE_OUTPUT_NORM, "output_norm.weight", "model.norm.weight", SCOPE_MODEL, DIM_ONE, DIM_EMBD, \
      SHARD_NONE, GROUP_VECTOR, REQUIRED)                                                          \
    X(ROLE_OUTPUT, "output.weight", "lm_head.weight", SCOPE_MODEL, DIM_VOCAB, DIM_EMBD, SHARD_OUT, \
      GROUP_EMBED, BY_UNTIED)                                                                      \
    X(ROLE_OUTPUT_B, "output.bias", "lm_head.bias", SCOPE_MODEL, DIM_ONE, DIM_VOCAB, SHARD_OUT,    \
      GROUP_VECTOR, ABSENT)                                                                        \
    X(ROLE_ROPE_FREQS, "rope_freqs.weight", NULL, SCOPE_MODEL, DIM_ONE, DIM_PAIRS, SHARD_NONE,     \
      GROUP_FIXED, ABSENT)                                                                         \
    X(ROLE_ATTN_NORM, "blk.%d.attn_norm.weight", "model.layers.%d.input_layernorm.weight",         \
      SCOPE_LAYER, DIM_ONE, DIM_EMBD, SHARD_NONE, GROUP_VECTOR, REQUIRED)                          \
    X(ROLE_ATTN_Q, "blk.%d.attn_q.weight", "model.layers.%d.self_attn.q_proj.weight", SCOPE_LAYER, \
      DIM_Q, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                                          \
    X(ROLE_ATTN_Q_B, "blk.%d.attn_q.bias", "model.layers.%d.self_attn.q_proj.bias", SCOPE_LAYER,   \
      DIM_ONE, DIM_Q, SHARD_OUT, GROUP_VECTOR, ABSENT)                                             \
    X(ROLE_ATTN_K, "blk.%d.attn_k.weight", "model.layers.%d.self_attn.k_proj.weight", SCOPE_LAYER, \
      DIM_K, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                                          \
    X(ROLE_ATTN_K_B, "blk.%d.attn_k.bias", "model.layers.%d.self_attn.k_proj.bias", SCOPE_LAYER,   \
      DIM_ONE, DIM_K, SHARD_OUT, GROUP_VECTOR, ABSENT)                                             \
    X(ROLE_ATTN_V, "blk.%d.attn_v.weight", "model.layers.%d.self_attn.v_proj.weight", SCOPE_LAYER, \
      DIM_V, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                                          \
    X(ROLE_ATTN_V_B, "blk.%d.attn_v.bias", "model.layers.%d.self_attn.v_proj.bias", SCOPE_LAYER,   \
      DIM_ONE, DIM_V, SHARD_OUT, GROUP_VECTOR, ABSENT)                                             \
    X(ROLE_ATTN_Q_NORM, "blk.%d.attn_q_norm.weight", "model.layers.%d.self_attn.q_norm.weight",    \
      SCOPE_LAYER, DIM_ONE, DIM_HEAD, SHARD_NONE, GROUP_VECTOR, ABSENT)                            \
    X(ROLE_ATTN_K_NORM, "blk.%d.attn_k_norm.weight", "model.layers.%d.self_attn.k_norm.weight",    \
      SCOPE_LAYER, DIM_ONE, DIM_HEAD, SHARD_NONE, GROUP_VECTOR, ABSENT)                            \
    X(ROLE_ATTN_Q_A, "blk.%d.attn_q_a.weight", "model.layers.%d.self_attn.q_a_proj.weight",        \
      SCOPE_LAYER, DIM_Q_LORA, DIM_EMBD, SHARD_NONE, GROUP_MATRIX, BY_Q_LORA)                      \
    X(ROLE_ATTN_Q_A_NORM, "blk.%d.attn_q_a_norm.weight",                                           \
      "model.layers.%d.self_attn.q_a_layernorm.weight", SCOPE_LAYER, DIM_ONE, DIM_Q_LORA,          \
      SHARD_NONE, GROUP_VECTOR, BY_Q_LORA)                                                         \
    X(ROLE_ATTN_Q_A_B, "blk.%d.attn_q_a.bias", "model.layers.%d.self_attn.q_a_proj.bias",          \
      SCOPE_LAYER, DIM_ONE, DIM_Q_LORA, SHARD_NONE, GROUP_VECTOR, BY_Q_LORA_BIAS)                  \
    X(ROLE_ATTN_Q_UP, "blk.%d.attn_q_b.weight", "model.layers.%d.self_attn.q_b_proj.weight",       \
      SCOPE_LAYER, DIM_Q, DIM_Q_LORA, SHARD_OUT, GROUP_MATRIX, BY_Q_LORA)                          \
    X(ROLE_ATTN_KV_A, "blk.%d.attn_kv_a_mqa.weight",                                               \
      "model.layers.%d.self_attn.kv_a_proj_with_mqa.weight", SCOPE_LAYER, DIM_LATENT, DIM_EMBD,    \
      SHARD_NONE, GROUP_MATRIX, REQUIRED)                                                          \
    X(ROLE_ATTN_KV_A_B, "blk.%d.attn_kv_a_mqa.bias",                                               \
      "model.layers.%d.self_attn.kv_a_proj_with_mqa.bias", SCOPE_LAYER, DIM_ONE, DIM_LATENT,       \
      SHARD_NONE, GROUP_VECTOR, BY_ATTENTION_BIAS)                                                 \
    X(ROLE_ATTN_KV_A_NORM, "blk.%d.attn_kv_a_norm.weight",                                         \
      "model.layers.%d.self_attn.kv_a_layernorm.weight", SCOPE_LAYER, DIM_ONE, DIM_KV_LORA,        \
      SHARD_NONE, GROUP_VECTOR, REQUIRED)                                                          \
    X(ROLE_ATTN_KV_UP, "blk.%d.attn_kv_b.weight", "model.layers.%d.self_attn.kv_b_proj.weight",    \
      SCOPE_LAYER, DIM_KV_UP, DIM_KV_LORA, SHARD_OUT, GROUP_MATRIX, BY_KV_JOINT)                   \
    X(ROLE_ATTN_K_UP, "blk.%d.attn_k_b.weight", NULL, SCOPE_HEADS, DIM_KV_LORA, DIM_NOPE,          \
      SHARD_OUT, GROUP_MATRIX, BY_KV_SPLIT)                                                        \
    X(ROLE_ATTN_V_UP, "blk.%d.attn_v_b.weight", NULL, SCOPE_HEADS, DIM_HEAD_V, DIM_KV_LORA,        \
      SHARD_OUT, GROUP_MATRIX, BY_KV_SPLIT)                                                        \
    X(ROLE_ATTN_O, "blk.%d.attn_output.weight", "model.layers.%d.self_attn.o_proj.weight",         \
      SCOPE_LAYER, DIM_EMBD, DIM_A, SHARD_OUT, GROUP_MATRIX, REQUIRED)                             \
    X(ROLE_ATTN_O_B, "blk.%d.attn_output.bias", "model.layers.%d.self_attn.o_proj.bias",           \
      SCOPE_LAYER, DIM_ONE, DIM_EMBD, SHARD_OUT, GROUP_VECTOR, ABSENT)                             \
    X(ROLE_ATTN_POST_NORM, "blk.%d.post_attention_norm.weight",                                    \
      "model.layers.%d.post_self_attn_layernorm.weight", SCOPE_LAYER, DIM_ONE, DIM_EMBD,           \
      SHARD_NONE, GROUP_VECTOR, ABSENT)                                                            \
    X(ROLE_ATTN_QG, "blk.%d.attn_q.weight", "model.layers.%d.self_attn.q_proj.weight",             \
      SCOPE_LAYER, DIM_QG, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                            \
    X(ROLE_ATTN_QG_B, "blk.%d.attn_q.bias", "model.layers.%d.self_attn.q_proj.bias", SCOPE_LAYER,  \
      DIM_ONE, DIM_QG, SHARD_OUT, GROUP_VECTOR, ABSENT)                                            \
    X(ROLE_DELTA_QKVZ, "blk.%d.ssm_in.weight", "model.layers.%d.linear_attn.in_proj_qkvz.weight",  \
      SCOPE_LAYER, DIM_DELTA_QKVZ, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, BY_DELTA_JOINT)              \
    X(ROLE_DELTA_QKV, "blk.%d.attn_qkv.weight", NULL, SCOPE_LAYER, DIM_DELTA_QKV, DIM_EMBD,        \
      SHARD_OUT, GROUP_MATRIX, BY_DELTA_SPLIT)                                                     \
    X(ROLE_DELTA_Z, "blk.%d.attn_gate.weight", NULL, SCOPE_LAYER, DIM_DELTA_V, DIM_EMBD,           \
      SHARD_OUT, GROUP_MATRIX, BY_DELTA_SPLIT)                                                     \
    X(ROLE_DELTA_BA, "blk.%d.ssm_ba.weight", "model.layers.%d.linear_attn.in_proj_ba.weight",      \
      SCOPE_LAYER, DIM_DELTA_BA, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                      \
    X(ROLE_DELTA_CONV, "blk.%d.ssm_conv1d.weight", "model.layers.%d.linear_attn.conv1d.weight",    \
      SCOPE_LAYER, DIM_DELTA_QKV, DIM_DELTA_TAPS, SHARD_NONE, GROUP_TAPS, REQUIRED)                \
    X(ROLE_DELTA_DT_B, "blk.%d.ssm_dt.bias", "model.layers.%d.linear_attn.dt_bias", SCOPE_LAYER,   \
      DIM_ONE, DIM_DELTA_HEADS, SHARD_NONE, GROUP_VECTOR, REQUIRED)                                \
    X(ROLE_DELTA_A, "blk.%d.ssm_a", "model.layers.%d.linear_attn.A_log", SCOPE_LAYER, DIM_ONE,     \
      DIM_DELTA_HEADS, SHARD_NONE, GROUP_VECTOR, REQUIRED)                                         \
    X(ROLE_DELTA_NORM, "blk.%d.ssm_norm.weight", "model.layers.%d.linear_attn.norm.weight",        \
      SCOPE_LAYER, DIM_ONE, DIM_DELTA_HEAD, SHARD_NONE, GROUP_VECTOR, REQUIRED)                    \
    X(ROLE_DELTA_OUT, "blk.%d.ssm_out.weight", "model.layers.%d.linear_attn.out_proj.weight",      \
      SCOPE_LAYER, DIM_EMBD, DIM_DELTA_V, SHARD_OUT, GROUP_MATRIX, REQUIRED)                       \
    X(ROLE_FFN_NORM, "blk.%d.ffn_norm.weight", "model.layers.%d.post_attention_layernorm.weight",  \
      SCOPE_LAYER, DIM_ONE, DIM_EMBD, SHARD_NONE, GROUP_VECTOR, REQUIRED)                          \
    X(ROLE_FFN_GATE, "blk.%d.ffn_gate.weight", "model.layers.%d.mlp.gate_proj.weight",             \
      SCOPE_LAYER, DIM_FF, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                            \
    X(ROLE_FFN_GATE_B, "blk.%d.ffn_gate.bias", "model.layers.%d.mlp.gate_proj.bias", SCOPE_LAYER,  \
      DIM_ONE, DIM_FF, SHARD_OUT, GROUP_VECTOR, ABSENT)                                            \
    X(ROLE_FFN_UP, "blk.%d.ffn_up.weight", "model.layers.%d.mlp.up_proj.weight", SCOPE_LAYER,      \
      DIM_FF, DIM_EMBD, SHARD_OUT, GROUP_MATRIX, REQUIRED)                                         \
    X(ROLE_FFN_UP_B, "blk.%d.ffn_up.bias", "model.layers.%d.mlp.up_proj.bias", SCOPE_LAYER,        \
      DIM_ONE, DIM_FF, SHARD_OUT, GROUP_VECTOR, ABSENT)                                            \
    X(ROLE_FFN_DOWN, "blk.%d.ffn_down.weight", "model.layers.%d.mlp.down_proj.weight",             \
      SCOPE_LAYER, DIM_EMBD, DIM_FF, SHARD_OUT, GROUP_MATRIX, REQUIRED)                            \
    X(ROLE_FFN_DOWN_B, "blk.%d.ffn_down.bias", "model.layers.%d.mlp.down_proj.bias", SCOPE_LAYER,  \
      DIM_ONE, DIM_EMBD, SHARD_OUT, GROUP_VECTOR, ABSENT)                                          \
    X(ROLE_FFN_POST_NORM, "blk.%d.post_ffw_norm.weight",                                           \
      "model.layers.%d.post_mlp_layernorm.weight", SCOPE_LAYER, DIM_ONE, DIM_EMBD, SHARD_NONE,     \
      GROUP_VECTOR, ABSENT)                                                                        \
    X(ROLE_ROUTER, "blk.%d.ffn_gate_inp.weight", "model.layers.%d.mlp.gate.weight", SCOPE_LAYER,   \
      DIM_EXPERTS, DIM_EMBD, SHARD_NONE, GROUP_ROUTER, REQUIRED)                                   \
    X(ROLE_ROUTER_B, "blk.%d.exp_probs_b.bias",                                                    \
      "model.layers.%d.mlp.gate.e_score_correction_bias", SCOPE_LAYER, DIM_ONE, DIM_EXPERTS,       \
      SHARD_NONE, GROUP_FIXED, ABSENT)                                                             \
    X(ROLE_EXP_GATE, "blk.%d.ffn_gate_exps.weight",                                                \
      "model.layers.%d.mlp.experts.%e.gate_proj.weight", SCOPE_EXPERTS, DIM_FF_EXP, DIM_EMBD,      \
      SHARD_NONE, GROUP_MATRIX, REQUIRED)                                                          \
    X(ROLE_EXP_UP, "blk.%d.ffn_up_exps.weight", "model.layers.%d.mlp.experts.%e.up_proj.weight",   \
      SCOPE_EXPERTS, DIM_FF_EXP, DIM_EMBD, SHARD_NONE, GROUP_MATRIX, REQUIRED)                     \
    X(ROLE_EXP_DOWN, "blk.%d.ffn_down_exps.weight",                                                \
      "model.layers.%d.mlp.experts.%e.down_proj.weight", SCOPE_EXPERTS, DIM_EMBD, DIM_FF_EXP,      \
      SHARD_NONE, GROUP_MATRIX, REQUIRED)                                                          \
    X(ROLE_SHEXP_GATE, "blk.%d.ffn_gate_shexp.weight",                                             \
      "model.layers.%d.mlp.shared_experts.gate_proj.weight", SCOPE_LAYER, DIM_FF_SHEXP, DIM_EMBD,  \
      SHARD_OUT, GROUP_MATRIX, BY_SHARED_EXPERT)                                                   \
    X(ROLE_SHEXP_UP, "blk.%d.ffn_up_shexp.weight",                                                 \
      "model.layers.%d.mlp.shared_experts.up_proj.weight", SCOPE_LAYER, DIM_FF_SHEXP, DIM_EMBD,    \
      SHARD_OUT, GROUP_MATRIX, BY_SHARED_EXPERT)                                                   \
    X(ROLE_SHEXP_DOWN, "blk.%d.ffn_down_shexp.weight",                                             \
      "model.layers.%d.mlp.shared_experts.down_proj.weight", SCOPE_LAYER, DIM_EMBD, DIM_FF_SHEXP,  \
      SHARD_OUT, GROUP_MATRIX, BY_SHARED_EXPERT)                                                   \
    X(ROLE_MTP_EMBD, "blk.%d.nextn.embed_tokens.weight", "model.layers.%d.embed_tokens.weight",    \
      SCOPE_LAYER, DIM_VOCAB, DIM_EMBD, SHARD_NONE, GROUP_EMBED, OPTIONAL)                         \
    X(ROLE_MTP_ENORM, "blk.%d.nextn.enorm.weight", "model.layers.%d.enorm.weight", SCOPE_LAYER,    \
      DIM_ONE, DIM_EMBD, SHARD_NONE, GROUP_VECTOR, REQUIRED)                                       \
    X(ROLE_MTP_HNORM, "blk.%d.nextn.hnorm.weight", "model.layers.%d.hnorm.weight", SCOPE_LAYER,    \
      DIM_ONE, DIM_EMBD, SHARD_NONE, GROUP_VECTOR, REQUIRED)                                       \
    X(ROLE_MTP_PROJ, "blk.%d.nextn.eh_proj.weight", "model.layers.%d.eh_proj.weight", SCOPE_LAYER, \
      DIM_EMBD, DIM_EMBD_TWICE, SHARD_OUT, GROUP_MATRIX, REQUIRED)                                 \
    X(ROLE_MTP_NORM, "blk.%d.nextn.shared_head_norm.weight",                                       \
      "model.layers.%d.shared_head.norm.weight", SCOPE_LAYER, DIM_ONE, DIM_EMBD, SHARD_NONE,       \
      GROUP_VECTOR, REQUIRED)                                                                      \
    X(ROLE_MTP_OUTPUT, "blk.%d.nextn.shared_head_head.weight",                                     \
      "model.layers.%d.shared_head.head.weight", SCOPE_LAYER, DIM_VOCAB, DIM_EMBD, SHARD_OUT,      \
      GROUP_EMBED, OPTIONAL)                                                                       \
    X(ROLE_SHEXP_SWITCH, "blk.%d.ffn_gate_inp_shexp.weight",                                       \
      "model.layers.%d.mlp.shared_expert_gate.weight", SCOPE_LAYER, DIM_ONE, DIM_EMBD, SHARD_NONE, \
      GROUP_VECTOR, ABSENT)

enum role_id {
    ROLE_NONE,
#define X(id, ...) id,
    ROLE_LIST(X)
#undef X
        ROLE_COUNT
};

struct role_row {
    const char *id; // "ROLE_ATTN_Q"
    const char *gguf, *hf;
    enum role_scope scope;
    enum dim_id rows, cols;
    enum role_shard shard;
    enum role_group group;
    enum role_need need;
};
const struct role_row *role_row(enum role_id id);

#endif
