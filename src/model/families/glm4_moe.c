/* glm4_moe: GLM-4.5 to GLM-4.7, and their Air forms. The first half of a head is turned, halves
 * paired; each head of q and k may be normed; experts as in deepseek_v3. GGUF calls the norm before
 * the feed-forward the one after attention, which is the same place. */
#include "model/spec.h"

const struct family family_glm4_moe = {
    .name = "glm4_moe",
    .gguf = "glm4moe",
    .hf = "Glm4MoeForCausalLM",
    .hf_model_type = "glm4_moe",
    .hf_spelling = 1,
    .rope_gguf = ROPE_HALF,
    .rope_hf = ROPE_HALF,
    .rotary_share = 0.5,
    .mixer = {[MIXER_ATTENTION] = &prog_gqa},
    .ffn = {[FFN_DENSE] = &prog_swiglu, [FFN_MOE] = &prog_moe},
    .mtp = true,
    .rules =
        {
            {ROLE_ATTN_Q_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_K_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_V_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_Q_NORM, BY_QK_NORM},
            {ROLE_ATTN_K_NORM, BY_QK_NORM},
            {ROLE_ROUTER_B, REQUIRED},
        },
    .sources = {{ROLE_FFN_NORM, .gguf = "blk.%d.post_attention_norm.weight"}},
    .scoring = ROUTE_SIGMOID,
    .group = ROUTE_GROUP_TOP2,
    .norm_topk_gguf = YES,
    .norm_topk_hf = YES,
    .norm_floor = 1e-20f,
};
