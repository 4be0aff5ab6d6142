/* qwen2: Qwen1.5 to Qwen2.5 dense. q, k and v always carry a bias, whatever attention_bias says. */
#include "model/spec.h"

const struct family family_qwen2 = {
    .name = "qwen2",
    .gguf = "qwen2",
    .hf = "Qwen2ForCausalLM",
    .hf_model_type = "qwen2",
    .rope_gguf = ROPE_HALF,
    .rope_hf = ROPE_HALF,
    .mixer = {[MIXER_ATTENTION] = &prog_gqa},
    .ffn = {[FFN_DENSE] = &prog_swiglu},
    .rules =
        {
            {ROLE_ATTN_Q_B, REQUIRED},
            {ROLE_ATTN_K_B, REQUIRED},
            {ROLE_ATTN_V_B, REQUIRED},
            {ROLE_OUTPUT_B, OPTIONAL},
            {ROLE_ROPE_FREQS, OPTIONAL},
            {ROLE_ATTN_O_B, OPTIONAL},
            {ROLE_FFN_GATE_B, OPTIONAL},
            {ROLE_FFN_UP_B, OPTIONAL},
            {ROLE_FFN_DOWN_B, OPTIONAL},
        },
    .ignored = {".rotary_emb.inv_freq"},
};
