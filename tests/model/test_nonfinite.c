/* Weights that are no numbers, or so large that something overflows: an error that says where, at
 * loading or in the pass; or, where nobody looks at them, the logits as they were. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/golden.h"
#include "support/make_model.h"
#include "support/scratch.h"

#define N_TOKEN 3
#define MOST 3e38f

static const int32_t tokens[N_TOKEN] = {1, 5, 2};
static char path[600];

static int name_path(void **state) {
    (void)state;
    snprintf(path, sizeof path, "%s/model", scratch_dir());
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

/* Logits of the last token, (n_vocab), or NULL. */
static enum jl_status run(float **logits, struct jl_error *err) {
    struct model *model = NULL;
    struct backend *backend = NULL;
    struct exec *exec = NULL;
    struct page_pool *pool = NULL;
    const struct backend_options cpu = {NULL, 1};
    struct feed feed = {.tokens = tokens, .n_token = N_TOKEN, .n_logits = 1};
    *logits = NULL;
    assert_int_equal(backend_cpu_create(&cpu, &backend, err), JL_OK);
    enum jl_status status = model_load(path, NULL, &model, err);
    if (status == JL_OK) status = exec_create(model, backend, N_TOKEN, &exec, err);
    if (status == JL_OK) {
        size_t bytes = sizeof(float) * (size_t)model->hp.n_vocab;
        pool = golden_pool(model, backend, 1);
        assert_int_equal(state_create(pool, &feed.state, err), JL_OK);
        float *copy = malloc(bytes);
        status = feed_forward(exec, &feed, 1, NULL, copy, err);
        if (status == JL_OK)
            *logits = copy;
        else
            free(copy);
        state_free(feed.state);
    }
    page_pool_free(pool);
    exec_free(exec);
    model_free(model);
    backend_free(backend);
    return status;
}

/* Where `bytes` bytes of a tensor's data lie in the model's one file, from byte `first` of it. */
static long place(const char *tensor, size_t first, size_t bytes, char file[640]) {
    struct model_file *model;
    struct jl_error err;
    if (model_file_open(path, &model, &err) != JL_OK) fail_msg("%s", err.message);
    const struct tensor_info *info = model_file_find(model, tensor);
    if (!info) fail_msg("there is no tensor %s", tensor);
    assert_true(first + bytes <= info->bytes);
    long at = (long)(info->data - model->maps[0].data) + (long)first;
    snprintf(file, 640, "%s", info->file);
    model_file_free(model);
    return at;
}

static void overwrite(const char *tensor, size_t first, const void *bytes, size_t n) {
    char file[640];
    long at = place(tensor, first, n, file);
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* n elements of an F32 tensor from `first` on. */
static void poison(const char *tensor, size_t first, size_t n, float value) {
    for (size_t i = 0; i < n; i++)
        overwrite(tensor, (first + i) * sizeof value, &value, sizeof value);
}

/* ---- in each place ---- */

// clang-format off
static const struct make_model
    dense = {"qwen3", 2, 32, 48, 4, 2, 16, 65, false, false, false, DTYPE_F32, NULL, NULL, 8, 1},
    grouped = {.family = "deepseek_v3", .n_layer = 2, .n_embd = 32, .n_ff = 48, .n_head = 2, .n_head_kv = 2,
               .head_dim = 16, .n_vocab = 65, .dtype = DTYPE_F32, .seed = 3, .n_shard = 1,
               .moe = {8, 2, 16, 0, 1, 4, 2, true, 2.5, 0}, .mla = {.kv_lora = 16, .nope = 16, .rope = 8, .v = 16}},
    hybrid = {.family = "qwen3_next", .n_layer = 2, .n_embd = 48, .n_ff = 40, .n_head = 4, .n_head_kv = 2,
              .head_dim = 16, .n_vocab = 77, .dtype = DTYPE_F32, .seed = 1, .n_shard = 1,
              .delta = {2, 2, 16, 16, 4, 2}, .moe = {6, 2, 24, 0, .n_ff_shared = 16}};

#define LAYER "model.layers."
static const struct bad_weight {
    const struct make_model *spec;
    const char *tensor;
    size_t first, n;
    float value;
    enum jl_status status;
    const char *says;
} bad[] = {
    {&dense, "model.embed_tokens.weight", 5 * 32 + 3, 1, NAN, JL_ERR_NONFINITE, "layer 0"},
    {&dense, "model.embed_tokens.weight", 5 * 32, 32, 1e25f, JL_ERR_NONFINITE, "layer 0"}, // its square overflows
    {&dense, "model.embed_tokens.weight", 5 * 32 + 3, 1, INFINITY, JL_ERR_NONFINITE, "layer 0"},
    {&dense, LAYER "1.input_layernorm.weight", 3, 1, NAN, JL_ERR_FORMAT, "input_layernorm"},
    {&dense, LAYER "1.self_attn.q_norm.weight", 3, 1, -INFINITY, JL_ERR_FORMAT, "q_norm"},
    {&dense, LAYER "1.self_attn.q_proj.weight", 40, 1, NAN, JL_ERR_NONFINITE, "layer 1"},
    {&dense, LAYER "1.self_attn.q_proj.weight", 0, 16 * 32, 1e30f, JL_ERR_NONFINITE, "layer 1"}, // a head's norm
    {&dense, LAYER "1.self_attn.k_proj.weight", 40, 1, INFINITY, JL_ERR_NONFINITE, "layer 1"},
    {&dense, LAYER "1.self_attn.v_proj.weight", 40, 1, -INFINITY, JL_ERR_NONFINITE, "layer 1"},
    {&dense, LAYER "1.self_attn.o_proj.weight", 40, 32, MOST, JL_ERR_NONFINITE, "layer 1"},
    {&dense, LAYER "0.mlp.gate_proj.weight", 40, 1, -INFINITY, JL_ERR_NONFINITE, "layer 0"},
    {&dense, LAYER "0.mlp.down_proj.weight", 40, 1, NAN, JL_ERR_NONFINITE, "layer 0"},
    {&dense, "model.norm.weight", 31, 1, INFINITY, JL_ERR_FORMAT, "model.norm"},
    {&dense, "lm_head.weight", 64 * 32, 1, NAN, JL_ERR_NONFINITE, "output layer"},
    {&dense, "lm_head.weight", 64 * 32, 32, MOST, JL_ERR_NONFINITE, "output layer"},
    {&grouped, LAYER "1.mlp.gate.weight", 6 * 32, 1, NAN, JL_ERR_FORMAT, "mlp.gate.weight"},
    {&grouped, LAYER "1.mlp.gate.weight", 6 * 32, 32, MOST, JL_ERR_NONFINITE, "router"}, // never chosen if NaN
    {&grouped, LAYER "1.mlp.gate.e_score_correction_bias", 6, 1, NAN, JL_ERR_FORMAT, "e_score_correction_bias"},
    {&grouped, LAYER "0.self_attn.kv_b_proj.weight", 7, 1, NAN, JL_ERR_NONFINITE, "layer 0"},
    {&grouped, LAYER "0.self_attn.kv_a_layernorm.weight", 7, 1, NAN, JL_ERR_FORMAT, "kv_a_layernorm"},
    {&hybrid, LAYER "0.linear_attn.A_log", 1, 1, -INFINITY, JL_ERR_FORMAT, "A_log"}, // exp of it is 0
    {&hybrid, LAYER "0.linear_attn.A_log", 1, 1, 1000, JL_ERR_FORMAT, "A_log"},
    {&hybrid, LAYER "0.linear_attn.dt_bias", 1, 1, INFINITY, JL_ERR_FORMAT, "dt_bias"},
    {&hybrid, LAYER "0.linear_attn.conv1d.weight", 9, 1, NAN, JL_ERR_FORMAT, "conv1d"},
    {&hybrid, LAYER "0.linear_attn.in_proj_ba.weight", 5, 1, INFINITY, JL_ERR_NONFINITE, "layer 0"}, // sigmoid
    {&hybrid, LAYER "0.linear_attn.in_proj_ba.weight", 2 * 48 + 5, 1, -INFINITY, JL_ERR_NONFINITE, "layer 0"},
    {&hybrid, LAYER "0.linear_attn.in_proj_qkvz.weight", 0, 16 * 48, 1e30f, JL_ERR_NONFINITE, "layer 0"}, // L2 norm
    {&hybrid, LAYER "1.self_attn.q_proj.weight", 16 * 48, 1, -INFINITY, JL_ERR_NONFINITE, "layer 1"}, // its gate
    {&hybrid, LAYER "1.self_attn.q_proj.weight", 16 * 48, 48, MOST, JL_ERR_NONFINITE, "gate"},
    {&hybrid, LAYER "0.mlp.shared_expert_gate.weight", 0, 48, MOST, JL_ERR_NONFINITE, "gate of a branch"},
};
// clang-format on

static void each_place(void **state) {
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct bad_weight *c = &bad[i];
        struct jl_error err = {0};
        float *logits;
        name_path(state);
        make_hf(c->spec, path);
        if (run(&logits, &err) != JL_OK) fail_msg("%s", err.message);
        free(logits);
        poison(c->tensor, c->first, c->n, c->value);
        enum jl_status status = run(&logits, &err);
        if (status != c->status || !strstr(err.message, c->says))
            fail_msg("%s of %s: %s: %s", c->tensor, c->spec->family, jl_status_name(status),
                     err.message);
        assert_null(logits);
        clean_up(state);
    }
}

/* ---- where nobody looks ---- */

static void a_row_without_its_token(void **state) {
    (void)state;
    struct jl_error err;
    float *before, *after;
    make_hf(&dense, path);
    assert_int_equal(run(&before, &err), JL_OK);
    poison("model.embed_tokens.weight", 6 * 32, 32, NAN);
    if (run(&after, &err) != JL_OK) fail_msg("%s", err.message);
    assert_memory_equal(before, after, (size_t)dense.n_vocab * sizeof *before);
    free(before);
    free(after);
}

/* Two of eight are chosen for each of three tokens: those six at most can be seen. */
static void an_expert_that_is_not_chosen(void **state) {
    (void)state;
    struct jl_error err;
    float *before, *after;
    int n_same = 0, n_error = 0;
    make_hf(&grouped, path);
    assert_int_equal(run(&before, &err), JL_OK);
    for (int e = 0; e < 8; e++) {
        char name[96], file[640];
        float old;
        snprintf(name, sizeof name, LAYER "1.mlp.experts.%d.down_proj.weight", e);
        FILE *f = NULL;
        long at = place(name, 0, sizeof old, file);
        f = fopen(file, "rb");
        assert_non_null(f);
        fseek(f, at, SEEK_SET);
        assert_int_equal(fread(&old, sizeof old, 1, f), 1);
        fclose(f);
        poison(name, 0, 1, NAN);
        enum jl_status status = run(&after, &err);
        poison(name, 0, 1, old);
        if (status == JL_OK) {
            assert_memory_equal(before, after, (size_t)grouped.n_vocab * sizeof *before);
            n_same++;
        } else {
            assert_int_equal(status, JL_ERR_NONFINITE);
            assert_non_null(strstr(err.message, "layer 1"));
            n_error++;
        }
        free(after);
    }
    assert_true(n_same >= 2 && n_error >= 2);
    free(before);
}

/* ---- in each type ---- */

/* A block of only ones has a scale that is no number, whatever its type. */
static void each_block(void **state) {
    static const enum dtype types[] = {
        DTYPE_F16,     DTYPE_BF16,   DTYPE_Q4_0,   DTYPE_Q4_1,    DTYPE_Q5_0,  DTYPE_Q5_1,
        DTYPE_Q8_0,    DTYPE_Q2_K,   DTYPE_Q3_K,   DTYPE_Q4_K,    DTYPE_Q5_K,  DTYPE_Q6_K,
        DTYPE_IQ1_S,   DTYPE_IQ1_M,  DTYPE_IQ2_XS, DTYPE_IQ2_XXS, DTYPE_IQ2_S, DTYPE_IQ3_S,
        DTYPE_IQ3_XXS, DTYPE_IQ4_NL, DTYPE_IQ4_XS, DTYPE_MXFP4,
    };
    static const char *const places[] = {"token_embd.weight", "blk.0.attn_k.weight",
                                         "blk.0.ffn_down.weight", "output.weight"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
            struct make_model spec = {"llama", 1,     256,   256, 4,    2,    64, 72,
                                      false,   false, false, 0,   NULL, NULL, 60, 1};
            struct jl_error err;
            uint8_t ones[256];
            float *logits;
            size_t block, row;
            name_path(state);
            spec.dtype = types[i];
            make_gguf(&spec, path);
            assert_true(dtype_row_bytes(spec.dtype, dtype_row(spec.dtype)->block, &block));
            assert_true(dtype_row_bytes(spec.dtype, 256, &row));
            memset(ones, 0xff, sizeof ones);
            overwrite(places[k], (size_t)tokens[1] * row, ones, block);
            enum jl_status status = run(&logits, &err);
            if (status != JL_ERR_NONFINITE || !strstr(err.message, "layer"))
                fail_msg("%s of %s: %s: %s", places[k], dtype_name(spec.dtype),
                         jl_status_name(status), status == JL_OK ? "ran" : err.message);
            assert_null(logits);
            clean_up(state);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place),
        cmocka_unit_test_setup_teardown(a_row_without_its_token, name_path, clean_up),
        cmocka_unit_test_setup_teardown(an_expert_that_is_not_chosen, name_path, clean_up),
        cmocka_unit_test(each_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
