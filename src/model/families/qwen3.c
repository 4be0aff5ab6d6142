/* qwen3: Qwen3 dense. Every head of q and k is RMS-normed before rotation. */
#include "model/spec.h"

const struct family family_qwen3 = {
    .name = "qwen3",
    .gguf = "qwen3",
    .hf = "Qwen3ForCausalLM",
    .hf_model_type = "qwen3",
    .rope_gguf = ROPE_HALF,
    .rope_hf = ROPE_HALF,
    .mixer = {[MIXER_ATTENTION] = &prog_gqa},
    .ffn = {[FFN_DENSE] = &prog_swiglu},
    .rules =
        {
            {ROLE_ATTN_Q_NORM, REQUIRED},
            {ROLE_ATTN_K_NORM, REQUIRED},
            {ROLE_OUTPUT_B, OPTIONAL},
            {ROLE_ROPE_FREQS, OPTIONAL},
            {ROLE_ATTN_Q_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_K_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_V_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_O_B, BY_ATTENTION_BIAS},
            {ROLE_FFN_GATE_B, OPTIONAL},
            {ROLE_FFN_UP_B, OPTIONAL},
            {ROLE_FFN_DOWN_B, OPTIONAL},
        },
    .ignored = {".rotary_emb.inv_freq"},
};
