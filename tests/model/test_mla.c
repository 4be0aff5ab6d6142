/* Latent attention and DeepSeek's mixtures on random shapes: every layout against the expanded form
 * in float64, the prediction layer too, and one set of bits whatever shares the work. */
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

#define N_TOKEN 140 // more than one chunk of the cache

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

/* ---- shapes ---- */

struct draw {
    struct rng_key key;
    uint64_t at;
};

static int pick(struct draw *d, int lo, int hi) {
    return lo + (int)(rng_uniform(&d->key, d->at++) * (float)(hi - lo + 1));
}

#define YARN                                                                                       \
    "{\"type\": \"yarn\", \"factor\": 40, \"original_max_position_embeddings\": 32, "              \
    "\"beta_fast\": 32, \"beta_slow\": 1, \"mscale\": 0.707, \"mscale_all_dim\": 0.707}"

static void yarn_keys(struct gguf_writer *w) {
    gguf_put_text(w, "deepseek2.rope.scaling.type", "yarn");
    gguf_put_f32(w, "deepseek2.rope.scaling.factor", 40);
    gguf_put_u32(w, "deepseek2.rope.scaling.original_context_length", 32);
    gguf_put_f32(w, "deepseek2.rope.scaling.yarn_log_multiplier", 0.0707f);
}

/* Every member at random; `block`: what the columns of matrices are multiples of. */
static struct make_model draw_shape(uint64_t seed, int block) {
    struct draw d = {{.seed = seed, .purpose = RNG_TEST}, 0};
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    struct make_model s = {.family = pick(&d, 0, 1) ? "deepseek_v3" : "deepseek_v2",
                           .n_layer = pick(&d, 1, 3),
                           .n_embd = block * pick(&d, 1, block > 1 ? 2 : 40),
                           .n_ff = block * pick(&d, 1, block > 1 ? 2 : 50),
                           .n_head = pick(&d, 1, 5),
                           .n_vocab = pick(&d, 40, 90),
                           .dtype = block > 1 ? DTYPE_Q8_0 : types[pick(&d, 0, 3)],
                           .seed = seed,
                           .n_shard = pick(&d, 1, 2)};
    s.n_head_kv = s.n_head;
    s.tied = pick(&d, 0, 3) == 0;
    if (pick(&d, 0, 1)) {
        s.rope_scaling = YARN;
        s.gguf_extra = yarn_keys;
    }
    s.mla = (struct make_mla){
        .q_lora = pick(&d, 0, 1) ? block * pick(&d, 1, block > 1 ? 2 : 30) : 0,
        .kv_lora = block > 1 ? block * pick(&d, 1, 2) : 2 * pick(&d, 2, 24),
        .nope = block * pick(&d, 1, block > 1 ? 2 : 20), // odd ones, too
        .rope = 2 * pick(&d, 1, 10),
        .v = block > 1 ? block : pick(&d, 2, 24),
        .mtp = pick(&d, 0, 1),
    };
    int n_group = 1 << pick(&d, 0, 2), per_group = pick(&d, 2, 4), open = pick(&d, 1, n_group);
    s.moe = (struct make_moe){
        .n_expert = n_group * per_group,
        .n_used = block > 1 ? n_group * per_group : pick(&d, 1, per_group * open),
        .n_ff = block * pick(&d, 1, block > 1 ? 1 : 30),
        .n_dense = pick(&d, 0, s.n_layer > 1 ? 1 : 0),
        .n_shared = pick(&d, 0, 2),
        .n_group = n_group,
        .n_group_used = block > 1 ? n_group : open,
        .norm_topk = pick(&d, 0, 1),
        .scale = 0.5 * pick(&d, 1, 5),
    };
    s.attention_bias = pick(&d, 0, 1);
    if (pick(&d, 0, 2) == 0) s.extra = "\"rope_interleave\": false,"; // folders only
    s.head_dim = s.mla.rope; // as published configurations have it
    if (!strcmp(s.family, "deepseek_v2")) s.mla.mtp = false;
    return s;
}

static struct golden_prompts draw_prompt(const struct make_model *s, int n) {
    struct golden_prompts prompts = {.n = 1, .n_id = {n}};
    struct rng_key key = {.seed = s->seed, .purpose = RNG_SAMPLE};
    prompts.ids[0] = calloc((size_t)n, sizeof(int32_t));
    for (int i = 0; i < n; i++)
        prompts.ids[0][i] = (int32_t)(rng_uniform(&key, (uint64_t)i) * (float)s->n_vocab);
    return prompts;
}

/* ---- against float64 ---- */

/* How far off the logits are altogether, beside their own size. */
static double share_of(const float *got, const double *want, size_t n) {
    double size = 0, off = 0;
    for (size_t i = 0; i < n; i++) {
        size += want[i] * want[i];
        off += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    }
    return sqrt(off / size);
}

static double worst_of(const float *got, const double *want, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

static void compare(const char *path, const struct make_model *s) {
    struct jl_error err = {0};
    struct model *model;
    struct class_request request = {"f32", "f32"};
    struct golden_prompts prompts = draw_prompt(s, N_TOKEN);
    struct golden_run run = {
        .path = path, .act = "f32", .kv = "f32", .threads = 2, .chunk = 61, .prompts = &prompts};
    int n_vocab;
    if (model_load(path, &request, &model, &err) != JL_OK)
        fail_msg("seed %d: %s", (int)s->seed, err.message);
    double *want = ref64_logits(model, prompts.ids[0], N_TOKEN);
    float *got = golden_logits(&run, &n_vocab);
    size_t n = (size_t)N_TOKEN * (size_t)n_vocab;
    bool rounded = dtype_row(s->dtype)->block > 1; // activations are, too
    double worst = rounded ? share_of(got, want, n) : worst_of(got, want, n);
    if (!(worst < (rounded ? 0.04 : 1e-4)))
        fail_msg("%s (%s, seed %d): off by %g", path, s->family, (int)s->seed, worst);
    free(want);
    free(got);
    bool has_mtp = s->mla.mtp && path == hf;
    assert_int_equal(model->mtp.n_step > 0, has_mtp);
    bool biased = model_weight(model, ROLE_ATTN_KV_A_B, 0) && model_weight(model, ROLE_ATTN_O_B, 0);
    assert_int_equal(biased, s->attention_bias);
    assert_int_equal(model_weight(model, ROLE_ATTN_Q_A_B, 0) != NULL,
                     s->attention_bias && s->mla.q_lora);
    assert_int_equal(model->rope.interleaved, path != hf || !s->extra);
    if (has_mtp) {
        want = ref64_mtp_logits(model, prompts.ids[0], N_TOKEN);
        got = golden_mtp_logits(&run, &n_vocab);
        worst = worst_of(got, want, n - (size_t)n_vocab);
        if (!(worst < 1e-4))
            fail_msg("%s (%s, seed %d): prediction layer off by %g", path, s->family, (int)s->seed,
                     worst);
        free(want);
        free(got);
    }
    golden_free_prompts(&prompts);
    model_free(model);
}

static void test_shapes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 32; seed++) {
        struct make_model s = draw_shape(seed, 1);
        make_hf(&s, hf);
        compare(hf, &s);
        s.mla.split = seed % 2;
        make_gguf(&s, gguf);
        compare(gguf, &s);
    }
}

/* DeepSeek-V2's code normalises the weights of several experts and then does not scale them; one
 * alone is scaled. */
static void test_one_expert(void **state) {
    (void)state;
    for (int n_used = 1; n_used <= 2; n_used++) {
        struct jl_error err = {0};
        struct model *model;
        struct make_model s = draw_shape(1, 1);
        s.family = "deepseek_v2";
        s.mla.mtp = false;
        s.moe.n_used = n_used;
        s.moe.norm_topk = true;
        s.moe.scale = 2.5;
        make_hf(&s, hf);
        if (model_load(hf, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
        assert_int_equal(model->hp.route.normalize, n_used == 2);
        assert_true(model->hp.route.scale == (n_used == 2 ? 1 : 2.5f));
        model_free(model);
    }
}

/* FP8 has one scale for 128 x 128 weights: heads that begin inside a block, and end in the next. */
static void test_f8(void **state) {
    (void)state;
    for (uint64_t seed = 200; seed < 208; seed++) {
        struct make_model s = draw_shape(seed, 1);
        s.dtype = DTYPE_F8_E4M3;
        s.tied = false;
        s.n_head = s.n_head_kv = 4 + (int)(seed % 3);
        s.mla.nope = 9 + (int)(seed % 5);
        s.mla.v = 21;
        s.mla.kv_lora = seed % 2 ? 140 : 32;
        make_hf(&s, hf);
        compare(hf, &s);
    }
}

/* With rounded activations all experts are used, so that none can flip. */
static void test_quantized(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct make_model s = draw_shape(seed, 32);
        s.mla.mtp = false;
        for (int split = 0; split < 2; split++) {
            s.mla.split = split;
            make_gguf(&s, gguf);
            compare(gguf, &s);
        }
    }
}

/* ---- bits ---- */

static const struct make_model many_heads = {
    .family = "deepseek_v3",
    .n_layer = 2,
    .n_embd = 64,
    .n_ff = 48,
    .n_head = 67, // more than an item of attention takes, and an uneven rest
    .n_head_kv = 67,
    .head_dim = 8,
    .n_vocab = 50,
    .dtype = DTYPE_BF16,
    .seed = 7,
    .n_shard = 1,
    .moe = {.n_expert = 6,
            .n_used = 2,
            .n_ff = 32,
            .n_dense = 1,
            .n_shared = 1,
            .n_group = 3,
            .n_group_used = 2,
            .norm_topk = true,
            .scale = 2.5},
    .mla = {.q_lora = 24, .kv_lora = 22, .nope = 12, .rope = 4, .v = 10, .mtp = true},
};

static void expect_same(const struct golden_run *run, const float *want, const float *want_mtp) {
    int n_vocab;
    float *got = golden_logits(run, &n_vocab);
    float *mtp = run->n_also || !want_mtp ? NULL : golden_mtp_logits(run, &n_vocab);
    size_t n = (size_t)run->prompts->n_id[run->prompt] * (size_t)n_vocab;
    if (memcmp(got, want, n * sizeof *got) ||
        (mtp && memcmp(mtp, want_mtp, (n - (size_t)n_vocab) * sizeof *mtp)))
        fail_msg("%s act=%s kv=%s: bits differ at level %s, %d threads, chunk %d, %d batch mates",
                 run->path, run->act, run->kv, run->level, run->threads, run->chunk, run->n_also);
    free(got);
    free(mtp);
}

static void check_bits(const char *path, const char *act, const char *kv, bool mtp) {
    struct golden_prompts prompts = draw_prompt(&many_heads, 133);
    struct golden_run run = {
        .path = path, .act = act, .kv = kv, .level = "ref", .threads = 1, .prompts = &prompts};
    int n_vocab;
    float *want = golden_logits(&run, &n_vocab);
    float *want_mtp = mtp ? golden_mtp_logits(&run, &n_vocab) : NULL;
    for (int l = 1; golden_levels[l]; l++) {
        if (!golden_has_level(golden_levels[l])) {
            print_message("SKIPPED: level %s: this CPU lacks it\n", golden_levels[l]);
            continue;
        }
        static const int ways[][2] = {{1, 0}, {2, 50}, {3, 1}, {12, 0}, {12, 50}};
        run.level = golden_levels[l];
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            if (golden_quick() && i % 2 == 0) continue;
            run.threads = ways[i][0];
            run.chunk = ways[i][1];
            expect_same(&run, want, want_mtp);
        }
        run.threads = 2;
        run.n_also = 2;
        run.also[0] = run.also[1] = 0;
        run.chunk = 40;
        expect_same(&run, want, NULL);
        run.n_also = 0;
    }
    free(want);
    free(want_mtp);
    golden_free_prompts(&prompts);
}

static void test_bits(void **state) {
    (void)state;
    struct make_model s = many_heads;
    make_hf(&s, hf);
    check_bits(hf, "bf16", "bf16", true);
    check_bits(hf, "f32", "f16", true);
    s.dtype = DTYPE_F8_E4M3;
    make_hf(&s, hf);
    check_bits(hf, "bf16", "bf16", true);
    s.dtype = DTYPE_BF16;
    s.mla.split = true;
    make_gguf(&s, gguf);
    check_bits(gguf, "bf16", "bf16", false);
    check_bits(gguf, "f32", "f32", false);
    s.dtype = DTYPE_Q8_0;
    s.mla = (struct make_mla){.kv_lora = 32, .nope = 32, .rope = 4, .v = 32};
    s.n_ff = 64;
    for (int split = 0; split < 2; split++) {
        s.mla.split = split;
        make_gguf(&s, gguf);
        check_bits(gguf, "f32", "f16", false);
    }
}

/* Where heads share a key, a group of them is shared out over threads, too. */
static void test_bits_of_groups(void **state) {
    (void)state;
    const struct make_model s = {.family = "llama",
                                 .n_layer = 1,
                                 .n_embd = 32,
                                 .n_ff = 48,
                                 .n_head = 50,
                                 .n_head_kv = 2,
                                 .head_dim = 8,
                                 .n_vocab = many_heads.n_vocab,
                                 .dtype = DTYPE_BF16,
                                 .seed = 8,
                                 .n_shard = 1};
    make_hf(&s, hf);
    check_bits(hf, "bf16", "bf16", false);
    check_bits(hf, "f32", "f32", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),     cmocka_unit_test(test_f8),
        cmocka_unit_test(test_one_expert), cmocka_unit_test(test_quantized),
        cmocka_unit_test(test_bits),       cmocka_unit_test(test_bits_of_groups),
    };
    return cmocka_run_group_tests(tests, name_paths, clean_up);
}
