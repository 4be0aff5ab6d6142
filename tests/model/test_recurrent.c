/* Recurrent layers in random models written here: against the float64 reference, the same bits from
 * each layout of the same weights and however a prompt is fed, and what must be refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/golden.h"
#include "support/make_model.h"
#include "support/ref64.h"
#include "support/scratch.h"

#define N_TOKEN 150 // more than one chunk of the cache

#define NEXT(layers, embd, heads, kv, dim, vocab, type, n)                                         \
    .family = "qwen3_next", .n_layer = layers, .n_embd = embd, .n_ff = 40, .n_head = heads,        \
    .n_head_kv = kv, .head_dim = dim, .n_vocab = vocab, .dtype = type, .seed = n, .n_shard = 1

// clang-format off
static const struct make_model cases[] = {
    {NEXT(3, 48, 4, 2, 16, 77, DTYPE_F32, 1), .delta = {2, 2, 16, 16, 4, 3}, .moe = {6, 2, 24, 0, .n_ff_shared = 16}},
    {NEXT(2, 32, 2, 1, 24, 61, DTYPE_F32, 2), .delta = {1, 3, 7, 21, 2, 2}, .moe = {4, 1, 16, 0, .n_ff_shared = 8}, .tied = true},
    {NEXT(4, 40, 3, 3, 8, 50, DTYPE_F32, 3), .delta = {2, 4, 20, 33, 3, 2}, .moe = {5, 5, 8, 1, .n_ff_shared = 24}, .attention_bias = true},
    {NEXT(2, 64, 2, 2, 16, 90, DTYPE_BF16, 4), .delta = {3, 3, 32, 8, 5, 2}, .moe = {8, 3, 33, 2, .n_ff_shared = 9}},
    {NEXT(1, 37, 2, 1, 8, 53, DTYPE_F16, 5), .delta = {4, 4, 5, 70, 9, 7}, .moe = {3, 2, 17, 0, .n_ff_shared = 5}}, // only recurrent
    {NEXT(2, 32, 2, 1, 8, 53, DTYPE_F32, 6), .delta = {1, 1, 1, 1, 16, 1}, .moe = {3, 2, 17, 0, .n_ff_shared = 5}}, // only attention
};
// clang-format on
#define N_CASE (sizeof cases / sizeof cases[0])

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

/* Partial rotation is a quarter of a head where the file does not say; GGUF always says. */
static void write_layout(const struct make_model *spec, int layout) {
    struct make_model copy = *spec;
    copy.delta.joint = layout == 2;
    if (layout == 0)
        make_hf(&copy, hf);
    else
        make_gguf(&copy, gguf);
}

static struct golden_prompts draw_prompt(const struct make_model *spec) {
    struct golden_prompts prompts = {.n = 1, .n_id = {N_TOKEN}};
    struct rng_key key = {.seed = spec->seed, .purpose = RNG_SAMPLE};
    prompts.ids[0] = calloc(N_TOKEN, sizeof(int32_t));
    for (int i = 0; i < N_TOKEN; i++)
        prompts.ids[0][i] = (int32_t)(rng_uniform(&key, (uint64_t)i) * (float)spec->n_vocab);
    return prompts;
}

static void compare(const char *path, const struct make_model *spec, const float *got,
                    const int32_t *ids) {
    struct jl_error err = {0};
    struct model *model;
    struct class_request request = {"f32", "f32"};
    double worst = 0;
    if (model_load(path, &request, &model, &err) != JL_OK)
        fail_msg("seed %d: %s", (int)spec->seed, err.message);
    double *want = ref64_logits(model, ids, N_TOKEN);
    for (int i = 0; i < N_TOKEN * spec->n_vocab; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) worst = d;
    }
    free(want);
    model_free(model);
}

static void test_shapes_and_layouts(void **state) {
    (void)state;
    for (size_t i = 0; i < N_CASE; i++) {
        const struct make_model *spec = &cases[i];
        struct golden_prompts prompts = draw_prompt(spec);
        size_t bytes = (size_t)(N_TOKEN * spec->n_vocab) * sizeof(float);
        float *first = NULL;
        for (int layout = 0; layout < 3; layout++) { // folder, projections apart, together
            const char *path = layout ? gguf : hf;
            int n_vocab;
            struct golden_run run = {.path = path,
                                     .act = "f32",
                                     .kv = "f32",
                                     .threads = layout + 1,
                                     .chunk = 61 - 30 * layout,
                                     .prompts = &prompts};
            write_layout(spec, layout);
            float *got = golden_logits(&run, &n_vocab);
            assert_int_equal(n_vocab, spec->n_vocab);
            compare(path, spec, got, prompts.ids[0]);
            if (!first) {
                first = got;
                continue;
            }
            if (memcmp(got, first, bytes))
                fail_msg("seed %d: layout %d gives other bits", (int)spec->seed, layout);
            free(got);
        }
        free(first);
        golden_free_prompts(&prompts);
    }
}

/* A configuration may name the layers one by one; that comes before the interval. */
static void test_layer_types(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct make_model spec = cases[0];
    struct model *by_interval, *by_name;
    make_hf(&spec, hf);
    assert_int_equal(model_load(hf, NULL, &by_interval, &err), JL_OK);
    spec.extra = "\"layer_types\": [\"linear_attention\", \"linear_attention\", "
                 "\"full_attention\"], \"full_attention_interval\": 2, ";
    make_hf(&spec, hf);
    if (model_load(hf, NULL, &by_name, &err) != JL_OK) fail_msg("%s", err.message);
    assert_memory_equal(&by_interval->hp.recurrent, &by_name->hp.recurrent,
                        sizeof by_name->hp.recurrent);
    assert_true(layer_set_has(&by_name->hp.recurrent, 0));
    assert_false(layer_set_has(&by_name->hp.recurrent, 2));
    assert_true(by_name->recurrent_bytes > 0);
    model_free(by_interval);
    model_free(by_name);
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

static void test_refused_configs(void **state) {
    (void)state;
    static const struct {
        const char *extra;
        enum jl_status status;
        const char *named;
    } edits[] = {
        // the first of two equal keys counts
        {"\"layer_types\": [\"linear_attention\", \"full_attention\"], ", JL_ERR_FORMAT,
         "layer_types"},
        {"\"layer_types\": [\"linear_attention\", \"linear_attention\", \"full_attention\", "
         "\"full_attention\"], ",
         JL_ERR_FORMAT, "layer_types"},
        {"\"layer_types\": [\"linear_attention\", \"sliding_attention\", \"full_attention\"], ",
         JL_ERR_UNSUPPORTED, "sliding_attention"},
        {"\"layer_types\": \"full_attention\", ", JL_ERR_UNSUPPORTED, "layer_types"},
        {"\"layer_types\": null, ", JL_OK, NULL},
    };
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct make_model spec = cases[0];
        spec.extra = edits[i].extra;
        make_hf(&spec, hf);
        expect(hf, edits[i].status, edits[i].named);
    }
    struct make_model spec = cases[0];
    spec.stranger = "mtp.fc.weight"; // predicts tokens ahead: not run, and not in the way
    make_hf(&spec, hf);
    expect(hf, JL_OK, NULL);
    spec.stranger = "mtq.fc.weight";
    make_hf(&spec, hf);
    expect(hf, JL_ERR_UNSUPPORTED, "mtq.fc.weight");
    spec = cases[0];
    spec.delta.n_head_v = 3; // of 2 key heads
    make_hf(&spec, hf);
    expect(hf, JL_ERR_FORMAT, "3 value heads");
    spec = cases[0];
    spec.delta.n_tap = 17;
    make_hf(&spec, hf);
    expect(hf, JL_ERR_FORMAT, "linear_conv_kernel_dim");
}

/* Replaces bytes of the file; both texts are equally long. */
static void rename_in_file(const char *path, const char *from, const char *to) {
    static char bytes[1 << 19];
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(strlen(from), strlen(to));
    size_t n = fread(bytes, 1, sizeof bytes, f);
    char *at = memmem(bytes, n, from, strlen(from));
    if (!at) fail_msg("%s has no %s", path, from);
    fseek(f, (long)(at - bytes), SEEK_SET);
    fwrite(to, 1, strlen(to), f);
    fclose(f);
}

static void lists_layers(struct gguf_writer *w) {
    gguf_put_u32(w, "qwen3next.attention.recurrent_layers", 1);
}

static void test_refused_files(void **state) {
    (void)state;
    static const struct {
        int layout;
        const char *from, *to;
        enum jl_status status;
        const char *named;
    } edits[] = {
        {1, "blk.0.attn_qkv.weight", "blk.0.attn_qkw.weight", JL_ERR_FORMAT, "attn_qkv"},
        {1, "blk.1.attn_gate.weight", "blk.1.attn_gaze.weight", JL_ERR_FORMAT, "blk.1.attn_gate"},
        {2, "blk.1.ssm_in.weight", "blk.1.ssm_on.weight", JL_ERR_FORMAT, "blk.1.ssm_in"},
        {1, "blk.0.ssm_ba.weight", "blk.0.ssm_bb.weight", JL_ERR_FORMAT, "ssm_ba"},
        {1, "blk.0.ssm_dt.bias", "blk.0.ssm_dt.bios", JL_ERR_FORMAT, "ssm_dt.bias"},
        {1, "blk.0.ssm_conv1d.weight", "blk.0.ssm_conv2d.weight", JL_ERR_FORMAT, "ssm_conv1d"},
        {1, "blk.2.attn_k.weight", "blk.0.attn_k.weight", JL_ERR_FORMAT, "blk.2.attn_k"},
        {1, "qwen3next.ssm.state_size", "qwen3next.ssm.state_sise", JL_ERR_FORMAT,
         "ssm.state_size"},
        {1, "qwen3next.ssm.inner_size", "qwen3next.ssm.inner_sise", JL_ERR_FORMAT,
         "ssm.inner_size"},
        {1, "ffn_gate_inp_shexp", "ffn_gate_inp_shexq", JL_ERR_FORMAT, "ffn_gate_inp_shexp"},
        {0, "layers.0.linear_attn.A_log", "layers.0.linear_attn.B_log", JL_ERR_FORMAT, "A_log"},
        {0, "layers.0.linear_attn.in_proj_qkvz", "layers.0.linear_attn.in_proj_qkvx", JL_ERR_FORMAT,
         "in_proj_qkvz"},
    };
    char folder_file[640];
    snprintf(folder_file, sizeof folder_file, "%s/model.safetensors", hf);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        write_layout(&cases[0], edits[i].layout);
        rename_in_file(edits[i].layout ? gguf : folder_file, edits[i].from, edits[i].to);
        expect(edits[i].layout ? gguf : hf, edits[i].status, edits[i].named);
    }
    struct make_model spec = cases[0];
    spec.gguf_extra = lists_layers;
    make_gguf(&spec, gguf);
    expect(gguf, JL_ERR_UNSUPPORTED, "recurrent_layers");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_and_layouts),
        cmocka_unit_test(test_layer_types),
        cmocka_unit_test(test_refused_configs),
        cmocka_unit_test(test_refused_files),
    };
    return cmocka_run_group_tests(tests, name_paths, clean_up);
}
