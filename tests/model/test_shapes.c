/* Every way a configuration varies, on random models written here, against the float64 reference:
 * head layouts, biases, tied heads, odd vocabularies and widths, rotary scalings, types, shards.
 * The same weights as a folder and as a GGUF file must agree too. */
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

static const struct make_model cases[] = {
    {"llama", 2, 48, 80, 4, 4, 12, 101, false, false, false, DTYPE_F32, NULL, NULL, 1, 1},
    {"llama", 2, 32, 33, 6, 1, 8, 77, true, true, true, DTYPE_F32, NULL, NULL, 2, 1},
    {"llama", 1, 64, 96, 4, 2, 16, 300, false, true, false, DTYPE_F16, NULL, NULL, 3, 2},
    {"llama", 2, 40, 56, 2, 2, 32, 64, true, false, true, DTYPE_BF16, NULL, NULL, 4, 3},
    {"llama", 1, 37, 41, 3, 3, 10, 53, false, false, false, DTYPE_BF16, NULL, NULL, 5, 1},
    {"qwen2", 2, 48, 64, 6, 2, 8, 99, true, false, false, DTYPE_F32, NULL, NULL, 6, 1},
    {"qwen2", 1, 64, 72, 8, 1, 16, 128, false, false, false, DTYPE_F16, NULL, NULL, 7, 1},
    {"qwen3", 2, 32, 48, 4, 2, 24, 65, true, false, false, DTYPE_F32, NULL, NULL, 8, 2},
    {"qwen3", 1, 48, 64, 4, 4, 64, 97, false, true, false, DTYPE_BF16, NULL, NULL, 9, 1},
    {"qwen3_moe",
     2,
     32,
     40,
     4,
     2,
     8,
     61,
     false,
     false,
     false,
     DTYPE_F32,
     NULL,
     "\"norm_topk_prob\": true,",
     10,
     2,
     NULL,
     {8, 2, 24, 0}},
    {"qwen3_moe",
     3,
     48,
     40,
     2,
     1,
     24,
     83,
     true,
     true,
     false,
     DTYPE_BF16,
     NULL,
     "\"norm_topk_prob\": true,",
     11,
     1,
     NULL,
     {5, 5, 33, 1}},
    {"qwen3_moe",
     1,
     32,
     64,
     4,
     4,
     8,
     50,
     false,
     false,
     false,
     DTYPE_F16,
     NULL,
     "\"norm_topk_prob\": true,",
     12,
     3,
     NULL,
     {17, 1, 8, 0}},
    {"glm4", 2, 48, 56, 4, 2, 16, 71, false, true, false, DTYPE_F32, NULL, NULL, 13, 1},
    {"glm4", 1, 32, 33, 2, 2, 16, 60, true, false, false, DTYPE_BF16, NULL, NULL, 14, 2},
    {"glm4_moe",
     2,
     48,
     56,
     4,
     2,
     16,
     71,
     false,
     true,
     false,
     DTYPE_F32,
     NULL,
     "\"use_qk_norm\": true,",
     15,
     1,
     NULL,
     {8, 2, 24, 1, 1, 1, 1, true, 2.5}},
    {"glm4_moe",
     2,
     32,
     40,
     2,
     1,
     8,
     60,
     true,
     false,
     false,
     DTYPE_BF16,
     NULL,
     "\"partial_rotary_factor\": 0.5,",
     16,
     2,
     NULL,
     {6, 3, 8, 0, 2, 2, 2, false, 1}},
};
#define N_CASE (sizeof cases / sizeof cases[0])

/* The same, with rotary settings that only a folder carries. */
static const struct {
    const char *scaling, *extra;
} ropes[] = {
    {"{\"type\": \"linear\", \"factor\": 4.0}", NULL},
    {"{\"rope_type\": \"default\"}", "\"partial_rotary_factor\": 0.5,"},
    {"{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": "
     "4.0, "
     "\"original_max_position_embeddings\": 32}",
     NULL},
    {"{\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32}", NULL},
    {"{\"rope_type\": \"yarn\", \"factor\": 2.5, \"original_max_position_embeddings\": 64, "
     "\"beta_fast\": 16, \"beta_slow\": 2, \"attention_factor\": 1.3, \"truncate\": false}",
     NULL},
    {NULL, "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 3, \"rope_theta\": 5000.0, "
           "\"original_max_position_embeddings\": 40},"},
};

static void compare(const char *path, const struct make_model *spec) {
    struct jl_error err = {0};
    struct model *model;
    struct class_request request = {"f32", "f32"};
    struct golden_prompts prompts = {.n = 1, .n_id = {N_TOKEN}};
    struct rng_key key = {.seed = spec->seed, .purpose = RNG_SAMPLE};
    int n_vocab;
    prompts.ids[0] = calloc(N_TOKEN, sizeof(int32_t));
    for (int i = 0; i < N_TOKEN; i++)
        prompts.ids[0][i] = (int32_t)(rng_uniform(&key, (uint64_t)i) * (float)spec->n_vocab);
    if (model_load(path, &request, &model, &err) != JL_OK)
        fail_msg("seed %d: %s", (int)spec->seed, err.message);
    double *want = ref64_logits(model, prompts.ids[0], N_TOKEN);
    struct golden_run run = {
        .path = path, .act = "f32", .kv = "f32", .threads = 2, .chunk = 61, .prompts = &prompts};
    float *got = golden_logits(&run, &n_vocab);
    assert_int_equal(n_vocab, spec->n_vocab);
    double worst = 0;
    for (int i = 0; i < N_TOKEN * n_vocab; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) worst = d;
    }
    if (!(worst < 1e-4))
        fail_msg("%s (%s, seed %d): off by %g", path, spec->family, (int)spec->seed, worst);
    free(got);
    free(want);
    free(prompts.ids[0]);
    model_free(model);
}

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

static void test_shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < N_CASE; i++) {
        make_hf(&cases[i], hf);
        compare(hf, &cases[i]);
        make_gguf(&cases[i], gguf);
        compare(gguf, &cases[i]);
    }
}

static void test_ropes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ropes / sizeof ropes[0]; i++)
        for (int family = 0; family < 2; family++) {
            struct make_model spec = cases[family ? 7 : 2];
            spec.rope_scaling = ropes[i].scaling;
            spec.extra = ropes[i].extra;
            spec.dtype = DTYPE_F32;
            spec.seed = 20 + i;
            make_hf(&spec, hf);
            compare(hf, &spec);
        }
}

/* How much of a head is turned where a configuration does not say: what the makers' code does. A
 * scale of 0 is one in a folder, and none in a GGUF file. */
static void test_defaults(void **state) {
    (void)state;
    static const struct {
        const char *family;
        int n_rot;
    } same[] = {{"glm4", 8}, {"glm4_moe", 8}, {"qwen3", 16}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct jl_error err = {0};
        struct model *model;
        struct make_model spec = cases[12];
        spec.family = same[i].family;
        if (!strcmp(spec.family, "glm4_moe"))
            spec.moe = (struct make_moe){8, 2, 24, 1, 1, 1, 1, true, 0};
        make_hf(&spec, hf);
        if (model_load(hf, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
        assert_int_equal(model->rope.n_rot, same[i].n_rot);
        if (spec.moe.n_expert) assert_true(model->hp.route.scale == 0);
        model_free(model);
        make_gguf(&spec, gguf);
        if (model_load(gguf, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
        assert_int_equal(model->rope.n_rot, same[i].n_rot);
        if (spec.moe.n_expert) assert_true(model->hp.route.scale == 1);
        model_free(model);
    }
}

/* GGUF spells the scalings with keys of its own; the folder's spelling is the yardstick. */
static void linear_by_type(struct gguf_writer *w) {
    gguf_put_text(w, "llama.rope.scaling.type", "linear");
    gguf_put_f32(w, "llama.rope.scaling.factor", 4);
}

static void linear_by_factor(struct gguf_writer *w) {
    gguf_put_f32(w, "llama.rope.scaling.factor", 4);
}

static void linear_oldest(struct gguf_writer *w) { gguf_put_f32(w, "llama.rope.scale_linear", 4); }

static void none_by_type(struct gguf_writer *w) {
    gguf_put_text(w, "llama.rope.scaling.type", "none");
}

static void yarn_by_type(struct gguf_writer *w) {
    gguf_put_text(w, "llama.rope.scaling.type", "yarn");
    gguf_put_f32(w, "llama.rope.scaling.factor", 4);
    gguf_put_u32(w, "llama.rope.scaling.original_context_length", 32);
}

static void partial(struct gguf_writer *w) { gguf_put_u32(w, "llama.rope.dimension_count", 8); }

static void test_gguf_ropes(void **state) {
    (void)state;
    static const struct {
        void (*keys)(struct gguf_writer *w);
        const char *scaling, *extra;
    } same[] = {
        {linear_by_type, "{\"type\": \"linear\", \"factor\": 4.0}", NULL},
        {linear_by_factor, "{\"type\": \"linear\", \"factor\": 4.0}", NULL},
        {linear_oldest, "{\"type\": \"linear\", \"factor\": 4.0}", NULL},
        {none_by_type, NULL, NULL},
        {yarn_by_type,
         "{\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32}", NULL},
        {partial, NULL, "\"partial_rotary_factor\": 0.5,"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct jl_error err = {0};
        struct model *file, *dir;
        struct make_model spec = cases[2];
        spec.dtype = DTYPE_F32;
        spec.seed = 40 + i;
        spec.gguf_extra = same[i].keys;
        spec.rope_scaling = same[i].scaling;
        spec.extra = same[i].extra;
        make_hf(&spec, hf);
        make_gguf(&spec, gguf);
        if (model_load(gguf, NULL, &file, &err) != JL_OK) fail_msg("%s", err.message);
        if (model_load(hf, NULL, &dir, &err) != JL_OK) fail_msg("%s", err.message);
        assert_int_equal(file->rope.n_rot, dir->rope.n_rot);
        assert_memory_equal(file->rope.freq, dir->rope.freq,
                            (size_t)file->rope.n_rot / 2 * sizeof(double));
        assert_true(file->rope.magnitude == dir->rope.magnitude);
        model_free(file);
        model_free(dir);
        compare(gguf, &spec);
    }
}

/* Frequencies against the formulas of the Llama 3.1 release and the YaRN paper, written again. */
static void test_rope_formulas(void **state) {
    (void)state;
    struct hparams hp = {.n_rot = 64,
                         .rope_theta = 500000,
                         .rope = {.scaling = ROPE_LLAMA3,
                                  .factor = 8,
                                  .n_ctx_orig = 8192,
                                  .low_freq_factor = 1,
                                  .high_freq_factor = 4}};
    double freq[32];
    rope_frequencies(&hp, NULL, freq);
    for (int i = 0; i < 32; i++) {
        double plain = pow(500000, -i / 32.0), wave = 2 * M_PI / plain, want;
        if (wave < 8192 / 4.0)
            want = plain;
        else if (wave > 8192)
            want = plain / 8;
        else {
            double s = (8192 / wave - 1) / 3;
            want = (1 - s) * plain / 8 + s * plain;
        }
        assert_true(fabs(freq[i] / want - 1) < 1e-7); // the factor is rounded to f32
    }
    float factors[32];
    double divided[32];
    rope_factors(&hp, factors);
    hp.rope.scaling = ROPE_PLAIN;
    rope_frequencies(&hp, factors, divided);
    assert_memory_equal(freq, divided, sizeof freq);
    hp.rope = (struct rope_hparams){.scaling = ROPE_YARN,
                                    .factor = 4,
                                    .n_ctx_orig = 4096,
                                    .beta_fast = 32,
                                    .beta_slow = 1,
                                    .truncate = true};
    rope_frequencies(&hp, NULL, freq);
    double low = floor(64 * log(4096 / (32 * 2 * M_PI)) / (2 * log(500000)));
    double high = ceil(64 * log(4096 / (2 * M_PI)) / (2 * log(500000)));
    for (int i = 0; i < 32; i++) {
        double plain = pow(500000, -i / 32.0);
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1);
        assert_true(fabs(freq[i] / (plain / 4 * ramp + plain * (1 - ramp)) - 1) < 1e-12);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),        cmocka_unit_test(test_ropes),
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_gguf_ropes),
        cmocka_unit_test(test_rope_formulas),
    };
    return cmocka_run_group_tests(tests, name_paths, clean_up);
}
