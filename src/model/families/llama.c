/* llama: Llama 1-3, Yi, DeepSeek-LLM and everything else published as LlamaForCausalLM.
 * GGUF files hold q and k rows permuted for interleaved rotary pairs; folders do not. */
#include "model/spec.h"

const struct family family_llama = {
    .name = "llama",
    .gguf = "llama",
    .hf = "LlamaForCausalLM",
    .hf_model_type = "llama",
    .rope_gguf = ROPE_INTERLEAVED,
    .rope_hf = ROPE_HALF,
    .mixer = {[MIXER_ATTENTION] = &prog_gqa},
    .ffn = {[FFN_DENSE] = &prog_swiglu},
    .rules =
        {
            {ROLE_ROPE_FREQS, OPTIONAL},
            {ROLE_ATTN_Q_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_K_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_V_B, BY_ATTENTION_BIAS},
            {ROLE_ATTN_O_B, BY_ATTENTION_BIAS},
            {ROLE_FFN_GATE_B, BY_MLP_BIAS},
            {ROLE_FFN_UP_B, BY_MLP_BIAS},
            {ROLE_FFN_DOWN_B, BY_MLP_BIAS},
        },
    .ignored = {".rotary_emb.inv_freq"},
};
