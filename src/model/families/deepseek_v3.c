/* deepseek_v3: DeepSeek-V3 and R1, Kimi-K2, Moonlight. Latent attention; a sigmoid router whose
 * bias only chooses, bound to the groups with the best pairs of experts. */
#include "model/spec.h"

const struct family family_deepseek_v3 = {
    .name = "deepseek_v3",
    .gguf = "deepseek2",
    .gguf_gating = 2,
    .hf = "DeepseekV3ForCausalLM",
    .hf_model_type = "deepseek_v3|kimi_k2",
    .hf_spelling = 1,
    .rope_gguf = ROPE_INTERLEAVED,
    .rope_hf = ROPE_INTERLEAVED,
    .mixer = {[MIXER_ATTENTION] = &prog_mla},
    .ffn = {[FFN_DENSE] = &prog_swiglu, [FFN_MOE] = &prog_moe},
    .mtp = true,
    .rules =
        {
            {ROLE_ATTN_Q, BY_Q_WHOLE},
            {ROLE_ATTN_O_B, BY_ATTENTION_BIAS},
            {ROLE_ROUTER_B, REQUIRED},
        },
    .ignored = {".rotary_emb.inv_freq"},
    .scoring = ROUTE_SIGMOID,
    .group = ROUTE_GROUP_TOP2,
    .routing_said = true,
    .norm_topk_gguf = NO,
    .norm_topk_hf = YES,
    .norm_floor = 1e-20f,
};
