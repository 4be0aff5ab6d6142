/* glm4: GLM-4-0414 dense. Norms before and after each branch; the first half of a head is turned,
 * pairs interleaved; gate and up projections stand in one tensor, gate first. */
#include "model/spec.h"

const struct family family_glm4 = {
    .name = "glm4",
    .gguf = "glm4",
    .hf = "Glm4ForCausalLM",
    .hf_model_type = "glm4",
    .rope_gguf = ROPE_INTERLEAVED,
    .rope_hf = ROPE_INTERLEAVED,
    .rotary_share = 0.5,
    .mixer = {[MIXER_ATTENTION] = &prog_gqa},
    .ffn = {[FFN_DENSE] = &prog_swiglu},
    .rules =
        {
            {ROLE_ATTN_Q_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_K_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_V_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_POST_NORM, REQUIRED},
            {ROLE_FFN_POST_NORM, REQUIRED},
        },
    .sources =
        {
            {ROLE_FFN_GATE, "blk.%d.ffn_up.weight", "model.layers.%d.mlp.gate_up_proj.weight", 0, 2,
             AS_STORED},
            {ROLE_FFN_UP, "blk.%d.ffn_up.weight", "model.layers.%d.mlp.gate_up_proj.weight", 1, 2,
             AS_STORED},
        },
};
