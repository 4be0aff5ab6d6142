/* qwen3_next: Qwen3-Next. Most layers are recurrent (gated delta net), every fourth attends with a
 * gated output; a mixture of experts with a shared expert behind a switch. All norms but that of
 * the recurrent layers are stored as the difference to 1 in folders, whole in GGUF files. */
#include "model/spec.h"

const struct family family_qwen3_next = {
    .name = "qwen3_next",
    .gguf = "qwen3next",
    .hf = "Qwen3NextForCausalLM",
    .hf_model_type = "qwen3_next",
    .rope_gguf = ROPE_HALF,
    .rope_hf = ROPE_HALF,
    .rotary_share = 0.25,
    .mixer = {[MIXER_ATTENTION] = &prog_gated, [MIXER_RECURRENT] = &prog_delta},
    .attention_interval = 4,
    .ffn = {[FFN_DENSE] = &prog_swiglu, [FFN_MOE] = &prog_moe},
    .rules =
        {
            {ROLE_ATTN_Q_NORM, REQUIRED},
            {ROLE_ATTN_K_NORM, REQUIRED},
            {ROLE_ATTN_QG_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_K_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_V_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_O_B, BY_ATTENTION_BIAS},
            {ROLE_SHEXP_GATE, REQUIRED},
            {ROLE_SHEXP_UP, REQUIRED},
            {ROLE_SHEXP_DOWN, REQUIRED},
            {ROLE_SHEXP_SWITCH, REQUIRED},
        },
    .sources =
        {
            {ROLE_OUTPUT_NORM, NULL, "model.norm.weight", .hf_transform = ADD_ONE},
            {ROLE_ATTN_NORM, NULL, "model.layers.%d.input_layernorm.weight",
             .hf_transform = ADD_ONE},
            {ROLE_FFN_NORM, "blk.%d.post_attention_norm.weight",
             "model.layers.%d.post_attention_layernorm.weight", .hf_transform = ADD_ONE},
            {ROLE_ATTN_Q_NORM, NULL, "model.layers.%d.self_attn.q_norm.weight",
             .hf_transform = ADD_ONE},
            {ROLE_ATTN_K_NORM, NULL, "model.layers.%d.self_attn.k_norm.weight",
             .hf_transform = ADD_ONE},
            {ROLE_DELTA_A, NULL, "model.layers.%d.linear_attn.A_log", .hf_transform = NEG_EXP},
            {ROLE_SHEXP_GATE, NULL, "model.layers.%d.mlp.shared_expert.gate_proj.weight"},
            {ROLE_SHEXP_UP, NULL, "model.layers.%d.mlp.shared_expert.up_proj.weight"},
            {ROLE_SHEXP_DOWN, NULL, "model.layers.%d.mlp.shared_expert.down_proj.weight"},
            {ROLE_EXP_GATE, "blk.%d.ffn_gate_up_exps.weight", NULL, .parts = 2, .read_only = true},
            {ROLE_EXP_UP, "blk.%d.ffn_gate_up_exps.weight", NULL, .part = 1, .parts = 2,
             .read_only = true},
        },
    .ignored = {"mtp.*"}, // predicts tokens ahead
    .moe_phase = 1,
    .scoring = ROUTE_SOFTMAX,
    .norm_topk_gguf = YES,
    .norm_topk_hf = YES,
};
