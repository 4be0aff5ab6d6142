/* Closed-world loading: what must be refused is, with a message that names the thing, and what may
 * vary loads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "support/make_model.h"
#include "support/scratch.h"

static char hf[600], gguf[600];

static int name_paths(void **state) {
    (void)state;
    snprintf(hf, sizeof hf, "%s/model", scratch_dir());
    snprintf(gguf, sizeof gguf, "%s/model.gguf", scratch_dir());
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

static const struct make_model plain = {"llama", 2,     32,    48,        4,    2,    8, 64,
                                        false,   false, false, DTYPE_F32, NULL, NULL, 1, 1};

/* Replaces `from` by `to` in the folder's config.json (once). */
static void edit_config(const char *from, const char *to) {
    char path[640], text[4096] = "", out[8192];
    snprintf(path, sizeof path, "%s/config.json", hf);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    char *at = strstr(text, from);
    if (!at) fail_msg("config has no %s", from);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(out, f);
    fclose(f);
}

static void expect(const char *path, enum jl_status status, const char *named) {
    struct jl_error err = {0};
    struct model *model = NULL;
    enum jl_status got = model_load(path, NULL, &model, &err);
    model_free(model);
    if (got != status)
        fail_msg("expected %s, got %s: %s", jl_status_name(status), jl_status_name(got),
                 err.message);
    if (named && !strstr(err.message, named))
        fail_msg("'%s' is not named in: %s", named, err.message);
}

/* Between the two factors lies the band that is divided by their difference. */
#define LLAMA3(high)                                                                               \
    "{\"rope_type\": \"llama3\", \"factor\": 8, \"original_max_position_embeddings\": 64, "        \
    "\"low_freq_factor\": 1, \"high_freq_factor\": " high "}"

static const struct {
    const char *from, *to;
    enum jl_status status;
    const char *named;
} edits[] = {
    {"\"silu\"", "\"gelu\"", JL_ERR_UNSUPPORTED, "hidden_act"},
    {"\"silu\"", "\"silu\", \"anything_new\": [1, {\"a\": 2}]", JL_OK, NULL},
    {"\"silu\"", "\"silu\", \"quantization_config\": {\"quant_method\": \"gptq\"}",
     JL_ERR_UNSUPPORTED, "quantization_config"},
    {"\"silu\"", "\"silu\", \"quantization_config\": null", JL_OK, NULL},
    {"\"silu\"", "\"silu\", \"use_sliding_window\": true", JL_ERR_UNSUPPORTED,
     "use_sliding_window"},
    {"\"silu\"", "\"silu\", \"layer_types\": [\"full_attention\", \"sliding_attention\"]",
     JL_ERR_UNSUPPORTED, "layer_types"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": null", JL_OK, NULL},
    {"\"silu\"", "\"silu\", \"rope_scaling\": {\"type\": \"longrope\", \"factor\": 2}",
     JL_ERR_UNSUPPORTED, "longrope"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}",
     JL_ERR_UNSUPPORTED, "dynamic"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": {\"type\": \"linear\"}", JL_ERR_FORMAT, "factor"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": -1}",
     JL_ERR_FORMAT, "factor"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": {\"factor\": 2}", JL_ERR_FORMAT, "rope_scaling"},
    {"\"silu\"", "\"silu\", \"rope_parameters\": {\"rope_theta\": 500}", JL_OK, NULL},
    {"\"silu\"", "\"silu\", \"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\"}}",
     JL_ERR_UNSUPPORTED, "rope_parameters"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": 3", JL_ERR_FORMAT, "rope_scaling"},
    {"\"silu\"",
     "\"silu\", \"rope_scaling\": {\"type\": \"yarn\", \"rope_type\": \"linear\", \"factor\": 2}",
     JL_ERR_FORMAT, "disagree"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": " LLAMA3("4"), JL_OK, NULL},
    {"\"silu\"", "\"silu\", \"rope_scaling\": " LLAMA3("1"), JL_ERR_FORMAT, "high_freq_factor"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": " LLAMA3("0.5"), JL_ERR_FORMAT, "high_freq_factor"},
    {"\"hidden_size\": 32", "\"hidden_size\": 36", JL_ERR_FORMAT, "32"},
    {"\"hidden_size\": 32", "\"hidden_size\": \"32\"", JL_ERR_FORMAT, "hidden_size"},
    {"\"hidden_size\": 32", "\"hidden_size\": 32.5", JL_ERR_FORMAT, "hidden_size"},
    {"\"hidden_size\": 32", "\"hidden_size\": -32", JL_ERR_FORMAT, "hidden_size"},
    {"\"hidden_size\": 32, ", "", JL_ERR_FORMAT, "hidden_size"},
    {"\"hidden_size\": 32", "\"hidden_size\": 99999999999", JL_ERR_FORMAT, "hidden_size"},
    {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", JL_ERR_FORMAT, "layers.2"},
    {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", JL_ERR_UNSUPPORTED, "layers.1"},
    {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", JL_ERR_FORMAT, "num_hidden_layers"},
    {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", JL_ERR_FORMAT, "3 key/value"},
    {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": null", JL_ERR_FORMAT, "k_proj"},
    {"\"head_dim\": 8", "\"head_dim\": 7", JL_ERR_UNSUPPORTED, "'head_dim'"},
    {"\"silu\"", "\"silu\", \"rope_scaling\": {\"rope_type\": 3}", JL_ERR_UNSUPPORTED,
     "rope_scaling.rope_type"},
    {"\"vocab_size\": 64", "\"vocab_size\": null", JL_ERR_FORMAT, "'vocab_size'"},
    {"\"head_dim\": 8", "\"head_dim\": null", JL_OK, NULL}, // 32 / 4
    {"\"vocab_size\": 64", "\"vocab_size\": 65", JL_ERR_FORMAT, "embed_tokens"},
    {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", JL_ERR_FORMAT, "lm_head"},
    {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 1", JL_ERR_FORMAT,
     "tie_word_embeddings"},
    {"\"attention_bias\": false", "\"attention_bias\": true", JL_ERR_FORMAT, "q_proj.bias"},
    {"\"mlp_bias\": false", "\"mlp_bias\": true", JL_ERR_FORMAT, "gate_proj.bias"},
    {"LlamaForCausalLM", "GPT2LMHeadModel", JL_ERR_UNSUPPORTED, "GPT2LMHeadModel"},
    {"[\"LlamaForCausalLM\"]", "[]", JL_OK, NULL}, // model_type says it
    {"[\"LlamaForCausalLM\"]", "7", JL_ERR_FORMAT, "architectures"},
    {"\"rms_norm_eps\": 1e-6", "\"rms_norm_eps\": 2", JL_ERR_FORMAT, "rms_norm_eps"},
    {"\"rope_theta\": 10000.0", "\"rope_theta\": 0", JL_ERR_FORMAT, "rope_theta"},
};

static void test_config_edits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        make_hf(&plain, hf);
        edit_config(edits[i].from, edits[i].to);
        expect(hf, edits[i].status, edits[i].named);
    }
}

/* A bias nobody announced is used; one that the config denies is refused. */
static void test_unannounced_bias(void **state) {
    (void)state;
    struct make_model spec = plain;
    spec.attention_bias = true;
    make_hf(&spec, hf);
    expect(hf, JL_OK, NULL);
    edit_config("\"attention_bias\": true, ", "");
    expect(hf, JL_OK, NULL);
    make_hf(&spec, hf);
    edit_config("\"attention_bias\": true", "\"attention_bias\": false");
    expect(hf, JL_ERR_UNSUPPORTED, "bias");
}

/* Renames a tensor in place, which is losing it and finding a stranger. */
static void rename_in_file(const char *path, const char *from, const char *to) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(strlen(from), strlen(to));
    static char bytes[1 << 18];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    char *at = memmem(bytes, n, from, strlen(from));
    if (!at) fail_msg("%s has no %s", path, from);
    fseek(f, (long)(at - bytes), SEEK_SET);
    fwrite(to, 1, strlen(to), f);
    fclose(f);
}

static void test_gguf_tensors(void **state) {
    (void)state;
    struct make_model spec = plain;
    make_gguf(&spec, gguf);
    expect(gguf, JL_OK, NULL);
    rename_in_file(gguf, "blk.1.attn_k.weight", "blk.1.attn_z.weight");
    expect(gguf, JL_ERR_FORMAT, "blk.1.attn_k.weight");
    spec.attention_bias = true;
    make_gguf(&spec, gguf);
    rename_in_file(gguf, "blk.0.attn_q.bias", "blk.9.attn_q.bias");
    expect(gguf, JL_ERR_FORMAT, "blk.0.attn_q.bias"); // layer 1 has its own
    make_gguf(&plain, gguf);
    rename_in_file(gguf, "output.weight", "uotput.weight"); // reads as tied, then the stranger
    expect(gguf, JL_ERR_UNSUPPORTED, "uotput.weight");
}

static void test_gguf_keys(void **state) {
    (void)state;
    make_gguf(&plain, gguf);
    rename_in_file(gguf, "llama.block_count", "llama.block_kount");
    expect(gguf, JL_ERR_FORMAT, "llama.block_count");
    make_gguf(&plain, gguf);
    rename_in_file(gguf, "general.architecture", "general.archikecture");
    expect(gguf, JL_ERR_FORMAT, "general.architecture");
}

/* ---- DeepSeek ---- */

static const struct make_model deepseek = {
    .family = "deepseek_v3",
    .n_layer = 2,
    .n_embd = 32,
    .n_ff = 40,
    .n_head = 4,
    .n_head_kv = 4,
    .head_dim = 4,
    .n_vocab = 48,
    .dtype = DTYPE_F32,
    .seed = 3,
    .n_shard = 1,
    .moe = {.n_expert = 8,
            .n_used = 2,
            .n_ff = 16,
            .n_dense = 1,
            .n_shared = 1,
            .n_group = 4,
            .n_group_used = 2,
            .norm_topk = true,
            .scale = 2.5},
    .mla = {.q_lora = 12, .kv_lora = 16, .nope = 8, .rope = 4, .v = 6, .mtp = true},
};

#define YARN(mscale)                                                                               \
    "{\"type\": \"yarn\", \"factor\": 4, \"original_max_position_embeddings\": 32, \"mscale\": "   \
    "1, \"mscale_all_dim\": " mscale "}"

static const struct {
    const char *family, *from, *to;
    enum jl_status status;
    const char *named;
} deepseek_edits[] = {
    {"deepseek_v3", "\"silu\"", "\"silu\"", JL_OK, NULL},
    {"deepseek_v3", "\"sigmoid\"", "\"softmax\"", JL_ERR_UNSUPPORTED, "scoring_func"},
    {"deepseek_v3", "\"sigmoid\"", "null", JL_OK, NULL},
    {"deepseek_v3", "\"noaux_tc\"", "\"greedy\"", JL_ERR_UNSUPPORTED, "topk_method"},
    {"deepseek_v3", "\"noaux_tc\"", "null", JL_OK, NULL},
    {"deepseek_v2", "\"softmax\"", "\"sigmoid\"", JL_ERR_UNSUPPORTED, "scoring_func"},
    {"deepseek_v2", "\"group_limited_greedy\"", "\"noaux_tc\"", JL_ERR_UNSUPPORTED, "topk_method"},
    {"deepseek_v2", "\"group_limited_greedy\"", "\"greedy\"", JL_OK, NULL},
    {"deepseek_v2", "\"group_limited_greedy\"", "null", JL_ERR_FORMAT, "topk_method"},
    {"deepseek_v3", "\"n_group\": 4", "\"n_group\": 3", JL_ERR_FORMAT, "'n_group'"},
    {"deepseek_v3", "\"topk_group\": 2", "\"topk_group\": 5", JL_ERR_FORMAT, "'topk_group'"},
    {"deepseek_v2", "\"topk_group\": 2, ", "", JL_ERR_FORMAT, "'topk_group'"},
    {"deepseek_v3", "\"n_group\": 4, ", "", JL_ERR_FORMAT, "'n_group'"},
    {"deepseek_v3", ", \"routed_scaling_factor\": 2.5", "", JL_ERR_FORMAT,
     "'routed_scaling_factor'"},
    {"deepseek_v3", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 9", JL_ERR_FORMAT,
     "'num_experts_per_tok'"},
    {"deepseek_v3", "\"n_routed_experts\": 8", "\"n_routed_experts\": 1", JL_ERR_FORMAT,
     "'n_routed_experts'"},
    {"deepseek_v3", "\"moe_intermediate_size\": 16, ", "", JL_ERR_FORMAT,
     "'moe_intermediate_size'"},
    {"deepseek_v3", "\"topk_group\": 2", "\"topk_group\": 0", JL_OK, NULL}, // 1 group of 2
    {"deepseek_v3", "\"kv_lora_rank\": 16, ", "", JL_ERR_FORMAT, "kv_lora_rank"},
    {"deepseek_v3", "\"kv_lora_rank\": 16", "\"kv_lora_rank\": 15", JL_ERR_UNSUPPORTED, "odd"},
    {"deepseek_v3", "\"kv_lora_rank\": 16", "\"kv_lora_rank\": 18", JL_ERR_FORMAT, "kv_a"},
    {"deepseek_v3", "\"qk_nope_head_dim\": 8, ", "", JL_ERR_FORMAT, "qk_nope_head_dim"},
    {"deepseek_v3", "\"qk_rope_head_dim\": 4, ", "", JL_ERR_FORMAT, "qk_rope_head_dim"},
    {"deepseek_v3", "\"v_head_dim\": 6, ", "", JL_ERR_FORMAT, "v_head_dim"},
    {"deepseek_v3", "\"v_head_dim\": 6", "\"v_head_dim\": 8", JL_ERR_FORMAT, "proj"},
    {"deepseek_v3", "\"q_lora_rank\": 12", "\"q_lora_rank\": null", JL_ERR_FORMAT, "q_proj"},
    {"deepseek_v3", "\"attention_bias\": false", "\"attention_bias\": true", JL_ERR_FORMAT,
     "q_a_proj.bias"},
    {"deepseek_v3", "\"silu\"", "\"silu\", \"rope_interleave\": true", JL_OK, NULL},
    {"deepseek_v3", "\"silu\"", "\"silu\", \"rope_interleave\": false", JL_OK, NULL},
    {"deepseek_v3", "\"silu\"", "\"silu\", \"rope_interleave\": 0", JL_ERR_FORMAT,
     "rope_interleave"},
    {"deepseek_v3", "\"silu\"", "\"silu\", \"rope_scaling\": " YARN("0"), JL_OK, NULL},
    {"deepseek_v3", "\"silu\"", "\"silu\", \"rope_scaling\": " YARN("-1"), JL_ERR_FORMAT,
     "mscale_all_dim"},
    {"deepseek_v3", "\"n_shared_experts\": 1", "\"n_shared_experts\": 2", JL_ERR_FORMAT,
     "shared_experts"},
    {"deepseek_v3", "\"n_shared_experts\": 1", "\"n_shared_experts\": 0", JL_ERR_UNSUPPORTED,
     "shared_experts"},
    {"deepseek_v3", "\"first_k_dense_replace\": 1", "\"first_k_dense_replace\": 0", JL_ERR_FORMAT,
     "layers.0.mlp"},
    {"deepseek_v3", "\"moe_layer_freq\": 1", "\"moe_layer_freq\": 2", JL_ERR_FORMAT,
     "layers.1.mlp"},
    {"deepseek_v3", "\"num_nextn_predict_layers\": 1", "\"num_nextn_predict_layers\": 0",
     JL_ERR_UNSUPPORTED, "layers.2."},
    {"deepseek_v3", "\"num_nextn_predict_layers\": 1", "\"num_nextn_predict_layers\": 2",
     JL_ERR_FORMAT, "num_nextn_predict_layers"},
    {"deepseek_v3", "[\"DeepseekV3ForCausalLM\"], \"model_type\": \"deepseek_v3\"",
     "null, \"model_type\": \"kimi_k2\"", JL_OK, NULL},
    {"deepseek_v3", "[\"DeepseekV3ForCausalLM\"], \"model_type\": \"deepseek_v3\"",
     "null, \"model_type\": \"kimi_k\"", JL_ERR_UNSUPPORTED, "kimi_k"},
};

static void test_deepseek_edits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof deepseek_edits / sizeof deepseek_edits[0]; i++) {
        struct make_model spec = deepseek;
        spec.family = deepseek_edits[i].family;
        spec.mla.mtp = !strcmp(spec.family, "deepseek_v3");
        make_hf(&spec, hf);
        edit_config(deepseek_edits[i].from, deepseek_edits[i].to);
        expect(hf, deepseek_edits[i].status, deepseek_edits[i].named);
    }
}

/* A prediction layer may be left out of a file as a whole, and only so. */
static void test_deepseek_mtp(void **state) {
    (void)state;
    struct make_model spec = deepseek;
    char path[640];
    snprintf(path, sizeof path, "%s/model.safetensors", hf);
    spec.mla.mtp = false;
    make_hf(&spec, hf);
    edit_config("\"num_nextn_predict_layers\": 0", "\"num_nextn_predict_layers\": 1");
    expect(hf, JL_OK, NULL);
    make_hf(&deepseek, hf);
    rename_in_file(path, "layers.2.hnorm", "layers.2.hnarm");
    expect(hf, JL_ERR_FORMAT, "layers.2.hnorm");
    make_hf(&deepseek, hf);
    rename_in_file(path, "layers.2.eh_proj", "layers.2.eh_praj");
    expect(hf, JL_ERR_UNSUPPORTED, "layers.2.");
}

/* Puts 4 bytes into a file, where the first element of a tensor stands. */
static void poke(const char *name, const uint8_t bytes[4]) {
    struct jl_error err = {0};
    struct model_file *file;
    char path[640];
    assert_int_equal(model_file_open(hf, &file, &err), JL_OK);
    const struct tensor_info *t = model_file_find(file, name);
    long at = -1;
    for (size_t i = 0; t && i < file->n_map; i++)
        if (t->data >= file->maps[i].data && t->data < file->maps[i].data + file->maps[i].size)
            at = (long)(t->data - file->maps[i].data);
    model_file_free(file);
    if (at < 0) fail_msg("no tensor %s", name);
    snprintf(path, sizeof path, "%s/model.safetensors", hf);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    fwrite(bytes, 1, 4, f);
    fclose(f);
}

/* A NaN in what chooses experts would be lost: it compares as not larger. So would one in an FP8
 * scale of an expert that a prompt does not use. */
static void test_not_finite(void **state) {
    (void)state;
    static const uint8_t nan[4] = {0xc0, 0x7f, 0xc0, 0x7f}, inf[4] = {0, 0, 0x80, 0xff};
    static const char *const names[] = {
        "model.layers.1.mlp.gate.e_score_correction_bias", "model.layers.1.mlp.gate.weight",
        "model.layers.0.input_layernorm.weight", "model.layers.1.self_attn.q_a_layernorm.weight"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        make_hf(&deepseek, hf);
        poke(names[i], i % 2 ? inf : nan);
        expect(hf, JL_ERR_FORMAT, names[i]);
    }
    struct make_model spec = deepseek;
    spec.dtype = DTYPE_F8_E4M3;
    make_hf(&spec, hf);
    poke("model.layers.1.mlp.experts.7.up_proj.weight_scale_inv", nan);
    expect(hf, JL_ERR_FORMAT, "experts.7.up_proj.weight_scale_inv");
}

static void gating_3(struct gguf_writer *w) { gguf_put_u32(w, "deepseek2.expert_gating_func", 3); }

static void test_deepseek_gguf(void **state) {
    (void)state;
    struct make_model spec = deepseek;
    make_gguf(&spec, gguf);
    expect(gguf, JL_OK, NULL);
    rename_in_file(gguf, "blk.1.attn_kv_b.weight", "blk.1.attn_kv_z.weight");
    expect(gguf, JL_ERR_FORMAT, "blk.1.attn_kv_b.weight");
    make_gguf(&spec, gguf);
    rename_in_file(gguf, "deepseek2.attention.kv_lora_rank", "deepseek2.attention.kv_lora_rang");
    expect(gguf, JL_ERR_FORMAT, "kv_lora_rank");
    make_gguf(&spec, gguf);
    rename_in_file(gguf, "blk.1.exp_probs_b.bias", "blk.1.exp_probs_z.bias");
    expect(gguf, JL_ERR_FORMAT, "exp_probs_b");
    spec.mla.split = true;
    make_gguf(&spec, gguf);
    expect(gguf, JL_OK, NULL);
    rename_in_file(gguf, "blk.0.attn_v_b.weight", "blk.9.attn_v_b.weight");
    expect(gguf, JL_ERR_FORMAT, "blk.0.attn_v_b.weight");
    make_gguf(&spec, gguf);
    rename_in_file(gguf, "deepseek2.attention.value_length_mla",
                   "deepseek2.attention.value_length_mle");
    expect(gguf, JL_ERR_FORMAT, "value_length_mla");
    spec.family = "deepseek_v2";
    spec.gguf_extra = gating_3;
    make_gguf(&spec, gguf);
    expect(gguf, JL_ERR_UNSUPPORTED, "expert_gating_func");
}

#define FP8 "\"quantization_config\": {\"quant_method\": \"fp8\", "
#define BLOCKS "\"weight_block_size\": [128, 128]"

static void test_fp8_config(void **state) {
    (void)state;
    static const struct {
        const char *members; // of quantization_config, after the method
        enum jl_status status;
        const char *named;
    } cases[] = {
        {BLOCKS "}", JL_OK, NULL},
        {"\"modules_to_not_convert\": [\"lm_head\"], " BLOCKS "}", JL_OK, NULL},
        {"\"fmt\": \"e5m2\", " BLOCKS "}", JL_ERR_UNSUPPORTED, "quantization_config.fmt"},
        {"\"activation_scheme\": \"static\", " BLOCKS "}", JL_ERR_UNSUPPORTED, "activation_scheme"},
        {"\"weight_block_size\": [64, 128]}", JL_ERR_UNSUPPORTED, "weight_block_size"},
        {"\"weight_block_size\": [128]}", JL_ERR_UNSUPPORTED, "weight_block_size"},
        {"\"weight_block_size\": [128, 128, 128]}", JL_ERR_UNSUPPORTED, "weight_block_size"},
        {"\"weight_block_size\": null}", JL_ERR_UNSUPPORTED, "weight_block_size"},
        {"\"fmt\": \"e4m3\"}", JL_ERR_UNSUPPORTED, "weight_block_size"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char to[256];
        snprintf(to, sizeof to, "\"silu\", " FP8 "%s", cases[i].members);
        make_hf(&plain, hf);
        edit_config("\"silu\"", to);
        expect(hf, cases[i].status, cases[i].named);
    }
    make_hf(&plain, hf);
    edit_config("\"silu\"", "\"silu\", \"quantization_config\": {" BLOCKS "}");
    expect(hf, JL_ERR_FORMAT, "quant_method");
    make_hf(&plain, hf);
    edit_config("\"silu\"", "\"silu\", \"quantization_config\": 8");
    expect(hf, JL_ERR_UNSUPPORTED, "quantization_config");
}

static void test_fp8_scales(void **state) {
    (void)state;
#define SCALES "layers.1.self_attn.q_proj.weight_scale_inv"
    char file[640];
    struct make_model spec = {"llama", 2,     200,           48,   4,    2, 50, 64, false,
                              false,   false, DTYPE_F8_E4M3, NULL, NULL, 9, 1};
    snprintf(file, sizeof file, "%s/model.safetensors", hf);
    make_hf(&spec, hf);
    expect(hf, JL_OK, NULL);
    edit_config("\"quantization_config\"", "\"quantization_konfig\""); // the tensors say it too
    expect(hf, JL_OK, NULL);
    rename_in_file(file, SCALES, "layers.1.self_attn.q_proj.weight_scale_inw");
    expect(hf, JL_ERR_FORMAT, SCALES);
    rename_in_file(file, "layers.1.self_attn.k_proj.weight_scale_inv", SCALES); // 1 x 2, not 2 x 2
    expect(hf, JL_ERR_FORMAT, SCALES);
    make_hf(&spec, hf);
    rename_in_file(file, SCALES "\":{\"dtype\":\"F32\"", SCALES "\":{\"dtype\":\"I32\"");
    expect(hf, JL_ERR_UNSUPPORTED, SCALES);
    spec.tied = true;
    make_hf(&spec, hf);
    expect(hf, JL_ERR_UNSUPPORTED, "embed_tokens");
#undef SCALES
}

static void test_class(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct model *model;
    char name[CLASS_NAME_BYTES];
    struct make_model spec = plain;
    for (int i = 0; i < 4; i++) {
        static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_F8_E4M3};
        spec.dtype = types[i];
        make_hf(&spec, hf);
        assert_int_equal(model_load(hf, NULL, &model, &err), JL_OK);
        class_name(&model->cls, name);
        assert_string_equal(name, i >= 2 ? "act=bf16,kv=bf16,mla=latent,rules=v1-draft"
                                         : "act=f32,kv=f16,mla=latent,rules=v1-draft");
        model_free(model);
    }
    struct class_request q8 = {"f32", "q8"};
    assert_int_equal(model_load(hf, &q8, &model, &err), JL_OK);
    class_name(&model->cls, name);
    assert_string_equal(name, "act=f32,kv=q8,mla=latent,rules=v1-draft");
    model_free(model);
    struct class_request bad = {"f64", NULL}, bad_kv = {NULL, "q3"};
    assert_int_equal(model_load(hf, &bad, &model, &err), JL_ERR_USAGE);
    assert_int_equal(model_load(hf, &bad_kv, &model, &err), JL_ERR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_edits),  cmocka_unit_test(test_unannounced_bias),
        cmocka_unit_test(test_gguf_tensors),  cmocka_unit_test(test_gguf_keys),
        cmocka_unit_test(test_class),         cmocka_unit_test(test_deepseek_edits),
        cmocka_unit_test(test_not_finite),    cmocka_unit_test(test_deepseek_mtp),
        cmocka_unit_test(test_deepseek_gguf), cmocka_unit_test(test_fp8_config),
        cmocka_unit_test(test_fp8_scales),    cmocka_unit_test(test_class),
    };
    return cmocka_run_group_tests(tests, name_paths, clean_up);
}
