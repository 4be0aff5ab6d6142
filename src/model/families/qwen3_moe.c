/* qwen3_moe: Qwen3 with mixtures of experts. Attention as qwen3; the router's softmax is over all
 * experts, and the weights of the chosen ones are normalised where norm_topk_prob says so. */
#include "model/spec.h"

const struct family family_qwen3_moe = {
    .name = "qwen3_moe",
    .gguf = "qwen3moe",
    .hf = "Qwen3MoeForCausalLM",
    .hf_model_type = "qwen3_moe",
    .rope_gguf = ROPE_HALF,
    .rope_hf = ROPE_HALF,
    .mixer = {[MIXER_ATTENTION] = &prog_gqa},
    .ffn = {[FFN_DENSE] = &prog_swiglu, [FFN_MOE] = &prog_moe},
    .rules =
        {
            {ROLE_ATTN_Q_NORM, REQUIRED},
            {ROLE_ATTN_K_NORM, REQUIRED},
            {ROLE_ROPE_FREQS, OPTIONAL},
            {ROLE_ATTN_Q_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_K_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_V_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_O_B, BY_ATTENTION_BIAS},
            {ROLE_SHEXP_GATE, ABSENT},
            {ROLE_SHEXP_UP, ABSENT},
            {ROLE_SHEXP_DOWN, ABSENT},
        },
    .ignored = {".rotary_emb.inv_freq"},
    .moe_phase = 1,
    .scoring = ROUTE_SOFTMAX,
    .norm_topk_gguf = YES,
    .norm_topk_hf = NO,
};
