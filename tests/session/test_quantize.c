/* What is written of a folder against the GGUF file that the test itself writes of the same
 * weights: names, shapes, rows and bytes of every tensor, and the model that each makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/export.h"
#include "session/quantize.h"
#include "support/make_model.h"
#include "support/scratch.h"

static struct model *load(const char *path) {
    struct model *model;
    struct jl_error err;
    if (model_load(path, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
    return model;
}

static enum jl_status write_as(const char *in, const char *out, const char *type,
                               struct jl_error *err) {
    struct model *model = load(in);
    struct quantize_options options = {.preset = quant_preset_find(type)};
    struct quantize_plan plan;
    struct quantize_error error;
    struct pool *pool;
    assert_int_equal(pool_create(&(struct pool_options){.n_threads = 2}, &pool, err), JL_OK);
    enum jl_status status = quantize_plan(model, &options, &plan, err);
    if (status == JL_OK) status = quantize_write(&plan, out, pool, NULL, NULL, &error, err);
    quantize_plan_free(&plan);
    pool_free(pool);
    model_free(model);
    return status;
}

static bool same_values(const struct tensor_info *x, const struct tensor_info *y) {
    int64_t n = 1;
    for (int i = 0; i < x->n_dim; i++)
        n *= x->dim[i];
    float *a = calloc((size_t)n, sizeof *a), *b = calloc((size_t)n, sizeof *b);
    assert_true(a && b);
    dtype_dequantize(x->dtype, x->data, a, n);
    dtype_dequantize(y->dtype, y->data, b, n);
    bool same = !memcmp(a, b, (size_t)n * sizeof *a);
    free(a);
    free(b);
    return same;
}

static bool same_shape(const struct tensor_info *x, const struct tensor_info *y) {
    return x->n_dim == y->n_dim && !memcmp(x->dim, y->dim, sizeof x->dim);
}

/* Routers are F32 in what is written, whatever the folder has; the switch of a shared expert is a
 * vector. */
static void same_tensors(const struct model_file *want, const struct model_file *got) {
    for (size_t i = 0; i < want->n_tensor && i < got->n_tensor; i++) {
        const struct tensor_info *x = &want->tensors[i], *y = &got->tensors[i];
        bool router = strstr(x->name, "ffn_gate_inp"), flat = strstr(x->name, "gate_inp_shexp");
        bool taps = strstr(x->name, "ssm_conv1d");
        if (strcmp(x->name, y->name) != 0) fail_msg("%s against %s", x->name, y->name);
        if (y->dtype != (router || taps ? DTYPE_F32 : x->dtype) ||
            !(flat ? y->n_dim == 1 && x->dim[1] == y->dim[0] : same_shape(x, y)) ||
            !same_values(x, y))
            fail_msg("tensor %s differs", x->name);
    }
    assert_int_equal(want->n_tensor, got->n_tensor);
}

/* Of the values that both kinds of file say. */
static void same_hparams(const struct hparams *a, const struct hparams *b) {
#define X(field, type, gguf, hf, fallback, min, max)                                               \
    if (memcmp(&a->field, &b->field, sizeof a->field) != 0 && gguf != NULL &&                      \
        strcmp(#field, "rms_eps"))                                                                 \
        fail_msg("hyper-parameter %s differs: %g, %g", #field, (double)a->field, (double)b->field);
    HPARAM_LIST(X)
#undef X
    assert_true((float)a->rms_eps == (float)b->rms_eps);
    assert_memory_equal(&a->moe, &b->moe, sizeof a->moe);
    assert_memory_equal(&a->route, &b->route, sizeof a->route);
    assert_true(a->rope.scaling == b->rope.scaling && a->rope.factor == b->rope.factor);
    assert_true(a->rope.magnitude == b->rope.magnitude);
}

static struct make_model plain(const char *family) {
    return (struct make_model){.family = family,
                               .n_layer = 3,
                               .n_embd = 64,
                               .n_ff = 96,
                               .n_head = 4,
                               .n_head_kv = 2,
                               .head_dim = 16,
                               .n_vocab = 70,
                               .dtype = DTYPE_BF16,
                               .seed = 8};
}

static void check(const struct make_model *spec) {
    struct jl_error err;
    make_hf(spec, scratch_path("folder"));
    make_gguf(spec, scratch_path("want.gguf"));
    if (write_as(scratch_path("folder"), scratch_path("got.gguf"), "BF16", &err) != JL_OK)
        fail_msg("%s: %s", spec->family, err.message);
    struct model *want = load(scratch_path("want.gguf")), *got = load(scratch_path("got.gguf"));
    assert_ptr_equal(want->family, got->family);
    same_tensors(want->file, got->file);
    same_hparams(&want->hp, &got->hp);
    model_free(want);
    model_free(got);
    scratch_remove();
}

static void test_families(void **state) {
    (void)state;
    static const char *const dense[] = {"llama", "qwen2", "qwen3", "glm4"};
    for (int i = 0; i < 4; i++) {
        struct make_model spec = plain(dense[i]);
        check(&spec);
        spec.n_shard = 2;
        spec.tied = true;
        spec.attention_bias = i == 0;
        spec.mlp_bias = i == 0;
        check(&spec);
    }
    struct make_model spec = plain("qwen3_moe");
    spec.moe = (struct make_moe){.n_expert = 6, .n_used = 2, .n_ff = 32};
    spec.extra = "\"norm_topk_prob\": true,"; // as GGUF files mean it
    check(&spec);
    spec.moe.n_dense = 1; // a list of layers in the folder, a count in the file
    check(&spec);
    spec = plain("deepseek_v3");
    spec.moe = (struct make_moe){.n_expert = 8,
                                 .n_used = 2,
                                 .n_ff = 32,
                                 .n_dense = 1,
                                 .n_shared = 1,
                                 .n_group = 4,
                                 .n_group_used = 2,
                                 .norm_topk = true,
                                 .scale = 2.5};
    spec.mla = (struct make_mla){.q_lora = 48, .kv_lora = 32, .nope = 16, .rope = 8, .v = 16};
    check(&spec);
    spec.family = "deepseek_v2";
    spec.mla.q_lora = 0;
    check(&spec);
    spec.family = "glm4_moe";
    spec.mla = (struct make_mla){0};
    check(&spec);
    spec = plain("qwen3_next");
    spec.moe = (struct make_moe){.n_expert = 6, .n_used = 2, .n_ff = 32, .n_ff_shared = 32};
    spec.delta = (struct make_delta){2, 4, 16, 16, 4, .interval = 3, .joint = true};
    check(&spec);
}

static void expect_refused(const struct make_model *spec, const char *needle) {
    struct jl_error err;
    make_hf(spec, scratch_path("folder"));
    assert_int_equal(write_as(scratch_path("folder"), scratch_path("got.gguf"), "BF16", &err),
                     JL_ERR_UNSUPPORTED);
    if (!strstr(err.message, needle)) fail_msg("no '%s' in: %s", needle, err.message);
    assert_false(file_exists(scratch_path("got.gguf")));
    scratch_remove();
}

/* Each value by the scale of its square. */
static void test_fp8(void **state) {
    (void)state;
    struct make_model spec = plain("qwen3");
    struct jl_error err;
    spec.dtype = DTYPE_F8_E4M3;
    spec.n_ff = 160; // two squares down
    make_hf(&spec, scratch_path("folder"));
    assert_int_equal(write_as(scratch_path("folder"), scratch_path("got.gguf"), "F32", &err),
                     JL_OK);
    struct model *from = load(scratch_path("folder")), *got = load(scratch_path("got.gguf"));
    const struct weight *w = model_weight(from, ROLE_FFN_UP, 1);
    const struct weight *x = model_weight(got, ROLE_FFN_UP, 1);
    assert_true(w->scale && x->dtype == DTYPE_F32);
    for (int row = 0; row < w->n_out; row++) {
        float values[64];
        const float *have = (const float *)(const void *)(x->data + (size_t)row * x->stride);
        float scale = w->scale[(size_t)(row / F8_SCALE_BLOCK) * w->scale_stride];
        dtype_dequantize(w->dtype, w->data + (size_t)row * w->stride, values, w->n_in);
        for (int k = 0; k < w->n_in; k++)
            assert_true(have[k] == values[k] * scale);
    }
    model_free(from);
    model_free(got);
    scratch_remove();
}

static void test_what_gguf_cannot_say(void **state) {
    (void)state;
    struct make_model spec = plain("qwen3");
    spec.rope_scaling = "{\"rope_type\": \"yarn\", \"factor\": 4.0, \"truncate\": false, "
                        "\"original_max_position_embeddings\": 128}";
    expect_refused(&spec, "truncate");
}

static void test_layers_without_a_rule(void **state) {
    (void)state;
    struct make_model spec = plain("qwen3_next");
    struct jl_error err;
    struct gguf_writer *writer;
    spec.moe = (struct make_moe){.n_expert = 6, .n_used = 2, .n_ff = 32, .n_ff_shared = 32};
    spec.delta = (struct make_delta){2, 4, 16, 16, 4, .interval = 2};
    make_hf(&spec, scratch_path("folder"));
    struct model *model = load(scratch_path("folder"));
    assert_int_equal(gguf_writer_create(scratch_path("x.gguf"), 0, &writer, &err), JL_OK);
    assert_int_equal(export_hparams(model->family, &model->hp, writer, "x", &err), JL_OK);
    model->hp.recurrent = (struct layer_set){{6}}; // the second and the third
    assert_int_equal(export_hparams(model->family, &model->hp, writer, "x", &err),
                     JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "recurrent"));
    gguf_writer_free(writer);
    model_free(model);
    scratch_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_fp8),
        cmocka_unit_test(test_what_gguf_cannot_say),
        cmocka_unit_test(test_layers_without_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
