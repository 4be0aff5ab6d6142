/* New models: the same bits for the same seed, values as they should be spread, and configurations
 * that mean nothing refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "session/export_folder.h"
#include "session/fresh_folder.h"
#include "support/golden.h"
#include "support/scratch.h"

static json_t *parse(const char *text) {
    json_error_t where;
    json_t *json = json_loads(text, 0, &where);
    if (!json) fail_msg("%s", where.text);
    return json;
}

static enum jl_status fresh(const json_t *config, struct fresh_folder_options options,
                            const char *out, int threads, struct jl_error *err) {
    struct pool *pool;
    options.init.config = config;
    options.init.path = "recipe";
    assert_int_equal(pool_create(&(struct pool_options){.n_threads = threads}, &pool, err), JL_OK);
    enum jl_status status = fresh_folder_write(&options, out, pool, err);
    pool_free(pool);
    return status;
}

static void must_fresh(const json_t *config, struct fresh_folder_options options, const char *out,
                       int threads) {
    struct jl_error err;
    if (fresh(config, options, out, threads, &err) != JL_OK) fail_msg("%s", err.message);
}

static struct model *load(const char *path) {
    struct model *model;
    struct jl_error err;
    if (model_load(path, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
    return model;
}

static void hash_file(const char *folder, const char *name, char out[65]) {
    char path[512], *bytes;
    size_t size;
    struct jl_error err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_read(path, (size_t)1 << 30, &bytes, &size, &err) != JL_OK) fail_msg("%s", err.message);
    golden_sha256(bytes, size, out);
    free(bytes);
}

static void same_file(const char *a, const char *b, const char *name) {
    char x[65], y[65];
    hash_file(a, name, x);
    hash_file(b, name, y);
    if (strcmp(x, y) != 0) fail_msg("%s differs in %s and %s", name, a, b);
}

/* A golden's shape. */
static json_t *golden_config(const char *name) {
    char path[256];
    json_error_t where;
    snprintf(path, sizeof path, "tests/golden/%s/config.json", name);
    json_t *config = json_load_file(path, 0, &where);
    if (!config) fail_msg("%s: %s", path, where.text);
    json_object_del(config, "quantization_config");
    json_object_del(config, "ep_size"); // of other programs
    return config;
}

static const char *const folders[] = {
    "llama",       "llama-llama3rope-tied", "qwen2",       "qwen3",    "qwen3-moe", "glm4",
    "deepseek-v2", "deepseek-v2-lite",      "deepseek-v3", "glm4-moe", "qwen3-next"};
#define N_FOLDER (sizeof folders / sizeof folders[0])

/* It loads, and an export of it is the same file. */
static void test_families(void **state) {
    (void)state;
    for (size_t i = 0; i < N_FOLDER; i++) {
        json_t *config = golden_config(folders[i]);
        const struct fresh_folder_options options = {
            .init = {.dtype = i % 2 ? DTYPE_BF16 : DTYPE_F32, .seed = i}};
        must_fresh(config, options, scratch_path("a"), 2);
        struct model *model = load(scratch_path("a"));
        assert_int_equal(model_weight(model, ROLE_ATTN_NORM, 0)->dtype, DTYPE_F32);
        assert_int_equal(model_weight(model, ROLE_TOK_EMBD, -1)->dtype, options.init.dtype);
        struct pool *pool;
        struct jl_error err;
        assert_int_equal(pool_create(&(struct pool_options){.n_threads = 2}, &pool, &err), JL_OK);
        if (export_folder_write(model, &(struct export_folder_options){0}, scratch_path("b"), pool,
                                &err) != JL_OK)
            fail_msg("%s", err.message);
        pool_free(pool);
        model_free(model);
        same_file(scratch_path("a"), scratch_path("b"), "model.safetensors");
        same_file(scratch_path("a"), scratch_path("b"), "config.json");
        json_decref(config);
        scratch_remove();
    }
}

static void test_bits(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum dtype dtype;
        const char *sha256;
    } cases[] = {
        {"qwen3", DTYPE_F32, "806ca92225cddc3153ca1cdfbe560c179f475f5f101deb2cbc0548a7d3354868"},
        {"qwen3", DTYPE_BF16, "d9a57308ef22d37c5d494d9c5be5e4cdf4038a1b4cc64b0e9a267e687582f1cf"},
        {"qwen3-next", DTYPE_BF16, "01a1c1b06b69d14b97026e888b0702a4aa5837df7b8deabbb1fbf7f11557abf0"},
        {"deepseek-v3", DTYPE_BF16, "8a6f3d6c549ef06f5b7d98a3f0129fc0985e2a36dc898d2b7206fb7688ccd261"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *config = golden_config(cases[i].name);
        struct fresh_folder_options options = {.init = {.dtype = cases[i].dtype, .seed = 7}};
        char sum[65];
        must_fresh(config, options, scratch_path("a"), 1);
        must_fresh(config, options, scratch_path("b"), 3);
        same_file(scratch_path("a"), scratch_path("b"), "model.safetensors");
        hash_file(scratch_path("a"), "model.safetensors", sum);
        assert_string_equal(sum, cases[i].sha256);
        options.init.seed = 8;
        must_fresh(config, options, scratch_path("c"), 2);
        char other[65];
        hash_file(scratch_path("c"), "model.safetensors", other);
        assert_string_not_equal(sum, other);
        json_decref(config);
        scratch_remove();
    }
}

/* ---- how values are spread ---- */

struct spread {
    double mean, deviation, largest;
    size_t n;
};

static struct spread spread_of(const struct model *model, const char *name) {
    const struct tensor_info *t = model_file_find(model->file, name);
    if (!t) fail_msg("%s is missing", name);
    int64_t n = 1;
    for (int i = 0; i < t->n_dim; i++)
        n *= t->dim[i];
    float *x = calloc((size_t)n, sizeof *x);
    struct spread s = {.n = (size_t)n};
    dtype_dequantize(t->dtype, t->data, x, n);
    for (int64_t i = 0; i < n; i++) {
        s.mean += (double)x[i] / (double)n;
        s.largest = fmax(s.largest, fabs((double)x[i]));
    }
    for (int64_t i = 0; i < n; i++)
        s.deviation += ((double)x[i] - s.mean) * ((double)x[i] - s.mean) / (double)n;
    s.deviation = sqrt(s.deviation);
    free(x);
    return s;
}

static void is_normal(const struct model *model, const char *name, double deviation) {
    struct spread s = spread_of(model, name);
    double error = 4 * deviation / sqrt((double)s.n); // four of the mean's own deviations
    if (fabs(s.mean) > error || fabs(s.deviation / deviation - 1) > 4 / sqrt(2.0 * (double)s.n) ||
        s.largest > 7 * deviation || s.largest < 2 * deviation)
        fail_msg("%s: mean %g, deviation %g, largest %g", name, s.mean, s.deviation, s.largest);
}

static void is_constant(const struct model *model, const char *name, double value) {
    struct spread s = spread_of(model, name);
    if (s.mean != value || s.deviation != 0) fail_msg("%s: mean %g", name, s.mean);
}

static void test_values(void **state) {
    (void)state;
    json_t *config = golden_config("qwen3-next");
    json_object_set_new(config, "initializer_range", json_real(0.05));
    must_fresh(config, (struct fresh_folder_options){.init = {.dtype = DTYPE_F32, .seed = 1}},
               scratch_path("a"), 2);
    struct model *model = load(scratch_path("a"));
    double part = 0.05 / sqrt(8); // four layers, two terms each
    is_normal(model, "model.embed_tokens.weight", 0.05);
    is_normal(model, "lm_head.weight", 0.05);
    is_normal(model, "model.layers.0.linear_attn.in_proj_qkvz.weight", 0.05);
    is_normal(model, "model.layers.0.linear_attn.out_proj.weight", part);
    is_normal(model, "model.layers.1.self_attn.q_proj.weight", 0.05);
    is_normal(model, "model.layers.1.self_attn.o_proj.weight", part);
    is_normal(model, "model.layers.1.mlp.experts.5.up_proj.weight", 0.05);
    is_normal(model, "model.layers.1.mlp.experts.5.down_proj.weight", part);
    is_normal(model, "model.layers.1.mlp.shared_expert.down_proj.weight", part);
    is_normal(model, "model.layers.1.mlp.gate.weight", 0.05);
    is_constant(model, "model.norm.weight", 0); // the difference to 1
    is_constant(model, "model.layers.0.input_layernorm.weight", 0);
    is_constant(model, "model.layers.0.linear_attn.norm.weight", 1);
    is_constant(model, "model.layers.0.linear_attn.dt_bias", 1);
    struct spread taps = spread_of(model, "model.layers.0.linear_attn.conv1d.weight");
    assert_true(taps.largest < 0.5 && taps.largest > 0.45); // 1/sqrt(4)
    struct spread decay = spread_of(model, "model.layers.0.linear_attn.A_log");
    assert_true(decay.largest < log(16));
    model_free(model);
    json_decref(config);
    scratch_remove();
    config = golden_config("glm4-moe");
    must_fresh(config, (struct fresh_folder_options){.init = {.dtype = DTYPE_BF16, .std = 0.01}},
               scratch_path("a"), 2);
    model = load(scratch_path("a"));
    is_normal(model, "model.embed_tokens.weight", 0.01);
    is_constant(model, "model.layers.0.self_attn.q_proj.bias", 0);
    is_constant(model, "model.layers.0.self_attn.q_norm.weight", 1);
    is_constant(model, "model.layers.1.mlp.gate.e_score_correction_bias", 0);
    is_constant(model, "model.norm.weight", 1);
    model_free(model);
    json_decref(config);
    scratch_remove();
}

/* ---- tokenizers ---- */

static const char tokenizer_json[] =
    "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": "
    "[\"a b\"]}, \"added_tokens\": [{\"id\": 3, \"content\": \"<end>\", \"special\": true, "
    "\"normalized\": false, \"single_word\": false, \"lstrip\": false, \"rstrip\": false}]}";

static void test_tokenizer(void **state) {
    (void)state;
    json_t *config = golden_config("qwen3");
    struct fresh_folder_options options = {.init = {.dtype = DTYPE_BF16}};
    struct jl_error err;
    scratch_text("t/tokenizer.json", tokenizer_json);
    scratch_text("t/tokenizer_config.json", "{\"eos_token\": \"<end>\"}");
    scratch_text("t/model.safetensors", "not of a tokenizer");
    json_object_del(config, "vocab_size");
    json_object_del(config, "eos_token_id");
    options.tokenizer = scratch_path("t");
    must_fresh(config, options, scratch_path("a"), 1);
    same_file(scratch_path("t"), scratch_path("a"), "tokenizer.json");
    same_file(scratch_path("t"), scratch_path("a"), "tokenizer_config.json");
    options.tokenizer = scratch_path("t/tokenizer.json");
    must_fresh(config, options, scratch_path("b"), 1);
    same_file(scratch_path("t"), scratch_path("b"), "tokenizer_config.json");
    same_file(scratch_path("a"), scratch_path("b"), "config.json");
    struct model *model = load(scratch_path("a"));
    assert_int_equal(model->hp.n_vocab, 4);
    const struct meta *eos = meta_find(model->file->meta, "eos_token_id");
    assert_true(eos && eos->kind == META_INT && eos->as.i == 3);
    model_free(model);
    json_object_set_new(config, "vocab_size", json_integer(3));
    assert_int_equal(fresh(config, options, scratch_path("c"), 1, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "has 4 tokens"));
    scratch_text("t/tokenizer.json", "{}");
    assert_int_not_equal(fresh(config, options, scratch_path("c"), 1, &err), JL_OK);
    assert_false(file_exists(scratch_path("c")));
    json_decref(config);
    scratch_remove();
}

/* ---- what is refused ---- */

static void expect_refused(json_t *config, const char *needle) {
    struct jl_error err = {0};
    enum jl_status status =
        fresh(config, (struct fresh_folder_options){.init = {.dtype = DTYPE_BF16}},
              scratch_path("a"), 1, &err);
    assert_int_not_equal(status, JL_OK);
    if (!strstr(err.message, needle)) fail_msg("no '%s' in: %s", needle, err.message);
    assert_int_equal(scratch_folders(), 0);
    json_decref(config);
}

static json_t *with(const char *name, const char *key, const char *value) {
    json_t *config = golden_config(name), *parsed = parse(value);
    json_object_set(config, key, json_array_get(parsed, 0));
    json_decref(parsed);
    return config;
}

static void test_refused(void **state) {
    (void)state;
    expect_refused(with("qwen3", "n_layers", "[3]"), "'n_layers' means nothing");
    expect_refused(with("qwen3", "num_experts", "[8]"), "'num_experts' means nothing");
    expect_refused(with("llama", "kv_lora_rank", "[8]"), "'kv_lora_rank' means nothing");
    expect_refused(with("qwen3", "rope_scaling",
                        "[{\"rope_type\": \"linear\", \"factor\": 2, \"factors\": 3}]"),
                   "'rope_scaling.factors' means nothing");
    expect_refused(with("qwen3", "tie_word_embeddings", "[null]"), "tie_word_embeddings");
    expect_refused(with("qwen3", "hidden_size", "[0]"), "hidden_size");
    expect_refused(with("qwen3", "vocab_size", "[null]"), "vocab_size");
    expect_refused(with("qwen3", "architectures", "[[\"Other\"]]"), "architectures");
    expect_refused(with("qwen3", "initializer_range", "[\"small\"]"), "initializer_range");
    expect_refused(with("qwen3", "initializer_range", "[-1]"), "initializer_range");
    expect_refused(with("deepseek-v3-fp8", "quantization_config",
                        "[{\"quant_method\": \"fp8\", "
                        "\"weight_block_size\": [128, "
                        "128]}]"),
                   "quantization_config");
    json_t *config = golden_config("qwen3");
    struct jl_error err;
    assert_int_equal(fresh(config, (struct fresh_folder_options){.init = {.dtype = DTYPE_F16}},
                           scratch_path("a"), 1, &err),
                     JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "F32 or BF16"));
    json_decref(config);
    scratch_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_values),   cmocka_unit_test(test_tokenizer),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
