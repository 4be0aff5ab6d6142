/* deepseek_v2: DeepSeek-V2, V2.5, V2-Lite and the models made of them. Latent attention; a softmax
 * router that may be bound to the groups with the best experts. */
#include "model/spec.h"

const struct family family_deepseek_v2 = {
    .name = "deepseek_v2",
    .gguf = "deepseek2",
    .gguf_gating = 1,
    .hf = "DeepseekV2ForCausalLM",
    .hf_model_type = "deepseek_v2",
    .hf_spelling = 1,
    .rope_gguf = ROPE_INTERLEAVED,
    .rope_hf = ROPE_INTERLEAVED,
    .mixer = {[MIXER_ATTENTION] = &prog_mla},
    .ffn = {[FFN_DENSE] = &prog_swiglu, [FFN_MOE] = &prog_moe},
    .rules = {{ROLE_ATTN_Q, BY_Q_WHOLE}, {ROLE_ATTN_O_B, BY_ATTENTION_BIAS}},
    .ignored = {".rotary_emb.inv_freq"},
    .scoring = ROUTE_SOFTMAX,
    .group = ROUTE_GROUP_BEST,
    .norm_topk_gguf = NO,
    .norm_topk_hf = NO,
    .norm_floor = 1e-20f,
    .norm_unscaled = true,
};
