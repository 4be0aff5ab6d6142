/* What an observer sees, and the sums that are made of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/feed.h"
#include "session/importance.h"
#include "support/golden.h"
#include "support/make_model.h"
#include "support/scratch.h"

#define N_TOKEN 40

struct gathered {
    struct arena arena;
    struct imatrix im;
    float *logits; // (N_TOKEN, n_vocab)
    int n_unseen, n_matrix;
};

static void run(const char *path, int threads, int chunk, bool observe, bool logits,
                struct gathered *out) {
    struct jl_error err = {0};
    struct backend_options options = {NULL, threads};
    struct backend *backend;
    struct model *model;
    struct exec *exec;
    struct state *state;
    struct importance *importance;
    int32_t ids[N_TOKEN];
    *out = (struct gathered){0};
    for (int i = 0; i < N_TOKEN; i++)
        ids[i] = (7 * i + 3) % 64;
    assert_int_equal(backend_cpu_create(&options, &backend, &err), JL_OK);
    if (model_load(path, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(exec_create(model, backend, N_TOKEN, &exec, &err), JL_OK);
    struct page_pool *pool = golden_pool(model, backend, 1);
    assert_int_equal(state_create(pool, &state, &err), JL_OK);
    assert_int_equal(importance_create(model, &importance, &err), JL_OK);
    if (observe) exec_observe(exec, importance_observer(importance));
    size_t n_vocab = (size_t)model->hp.n_vocab;
    out->logits = calloc(N_TOKEN * n_vocab, sizeof *out->logits);
    for (int at = 0; at < N_TOKEN; at += chunk) {
        int n = N_TOKEN - at < chunk ? N_TOKEN - at : chunk;
        struct feed feed = {state, ids + at, n, logits ? n : 0};
        assert_int_equal(
            feed_forward(exec, &feed, 1, NULL, out->logits + (size_t)at * n_vocab, &err), JL_OK);
    }
    assert_int_equal(
        importance_result(importance, &out->arena, &out->im, &out->n_unseen, &out->n_matrix, &err),
        JL_OK);
    importance_free(importance);
    state_free(state);
    page_pool_free(pool);
    exec_free(exec);
    model_free(model);
    backend_free(backend);
}

static void release(struct gathered *gathered) {
    arena_free(&gathered->arena);
    free(gathered->logits);
}

static struct make_model small(enum dtype dtype) {
    return (struct make_model){.family = "llama",
                               .n_layer = 2,
                               .n_embd = 64,
                               .n_ff = 96,
                               .n_head = 4,
                               .n_head_kv = 2,
                               .head_dim = 16,
                               .n_vocab = 64,
                               .dtype = dtype,
                               .seed = 3};
}

static void same_matrix(const struct imatrix *a, const struct imatrix *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->entries[i].name, b->entries[i].name);
        assert_memory_equal(a->entries[i].values, b->entries[i].values,
                            a->entries[i].n_value * sizeof(float));
        assert_memory_equal(a->entries[i].counts, b->entries[i].counts, sizeof(float));
    }
}

/* The sums depend on neither threads nor passes, and being watched changes no bit. */
static void test_same_however_run(void **state) {
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_Q8_0};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct make_model spec = small(types[t]);
        struct gathered want, got, blind;
        const char *path = scratch_path("m.gguf");
        make_gguf(&spec, path);
        run(path, 1, N_TOKEN, true, true, &want);
        run(path, 1, N_TOKEN, false, true, &blind);
        assert_memory_equal(want.logits, blind.logits, sizeof(float) * N_TOKEN * 64);
        assert_int_equal(blind.im.n, 0);
        for (int threads = 1; threads <= 3; threads++) {
            run(path, threads, 7 * threads, true, true, &got);
            same_matrix(&want.im, &got.im);
            release(&got);
        }
        release(&want);
        release(&blind);
    }
}

static void test_names(void **state) {
    struct make_model spec = small(DTYPE_F32);
    struct gathered gguf, folder;
    (void)state;
    make_gguf(&spec, scratch_path("n.gguf"));
    make_hf(&spec, scratch_path("n"));
    run(scratch_path("n.gguf"), 1, N_TOKEN, true, true, &gguf);
    run(scratch_path("n"), 1, N_TOKEN, true, true, &folder);
    assert_int_equal(gguf.im.n, 2 * 7 + 1); // with the head, which ran
    assert_int_equal(gguf.n_matrix, 15);
    assert_non_null(imatrix_find(&gguf.im, "blk.1.ffn_down.weight"));
    assert_non_null(imatrix_find(&gguf.im, "output.weight"));
    for (size_t i = 0; i < gguf.im.n; i++)
        assert_string_equal(gguf.im.entries[i].name, folder.im.entries[i].name);
    release(&gguf);
    release(&folder);
    run(scratch_path("n.gguf"), 1, N_TOKEN, true, false, &gguf);
    assert_null(imatrix_find(&gguf.im, "output.weight")); // nobody asked for logits
    assert_int_equal(gguf.im.n, 2 * 7);
    release(&gguf);
}

/* The first matrices read the normed embedding: worked out here in double, whatever form the
 * kernels round it to. */
static void test_values(void **state) {
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_Q8_0};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct make_model spec = small(types[t]);
        struct gathered got;
        struct jl_error err;
        struct model *model;
        double want[64] = {0};
        make_gguf(&spec, scratch_path("v.gguf"));
        run(scratch_path("v.gguf"), 2, 16, true, true, &got);
        assert_int_equal(model_load(scratch_path("v.gguf"), NULL, &model, &err), JL_OK);
        const struct weight *embd = model_weight(model, ROLE_TOK_EMBD, -1);
        const float *norm =
            (const float *)(const void *)model_weight(model, ROLE_ATTN_NORM, 0)->data;
        for (int i = 0; i < N_TOKEN; i++) {
            float x[64];
            double sum = 0;
            dtype_dequantize(embd->dtype, embd->data + (size_t)((7 * i + 3) % 64) * embd->stride, x,
                             64);
            for (int k = 0; k < 64; k++)
                sum += (double)x[k] * (double)x[k];
            double scale = 1 / sqrt(sum / 64 + model->hp.rms_eps);
            for (int k = 0; k < 64; k++)
                want[k] += pow((double)x[k] * scale * (double)norm[k], 2);
        }
        const struct imatrix_entry *q = imatrix_find(&got.im, "blk.0.attn_q.weight");
        const struct imatrix_entry *v = imatrix_find(&got.im, "blk.0.attn_v.weight");
        assert_true(imatrix_fits(q, 64, 1) && q->counts[0] == N_TOKEN);
        assert_memory_equal(q->values, v->values, sizeof(float) * 64);
        for (int k = 0; k < 64; k++)
            if (fabs((double)q->values[k] - want[k]) > 1e-5 * want[k])
                fail_msg("column %d: %g, expected %g", k, (double)q->values[k], want[k]);
        model_free(model);
        release(&got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_however_run),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove();
    return failed;
}
