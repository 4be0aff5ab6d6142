/* An adapter learned on a quantised base: the loss falls, the base stays, what is written and read
 * again has the bits that were learned, and another number of threads learns the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/adapter.h"
#include "model/fingerprint.h"
#include "support/scratch.h"
#include "train/learner.h"

enum { N_ROW = 24, N_STEP = 12 };

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

struct kind {
    const char *model;
    struct adapter_request request;
    double falls; // the loss at the end, of that at the beginning, at most
};

static struct learner *learn(const struct kind *kind, struct backend *backend,
                             double losses[N_STEP]) {
    struct jl_error err = {0};
    struct learner *learner;
    struct learner_row rows[N_ROW];
    const struct learner_options options = {
        .model = kind->model,
        .adapter = &kind->request,
        .rows = N_ROW,
        .n_micro = 1,
        .keep = TAPE_KEEP_COSTLY,
        .optimizer = {OPTIMIZER_ADAMW, 0.9f, 0.95f, 1e-8f, .max_norm = 1},
    };
    must(learner_create(backend, &options, &learner, &err), &err);
    int n_vocab = learner_model(learner)->hp.n_vocab;
    for (int i = 0; i < N_ROW; i++)
        rows[i] = (struct learner_row){.token = (i * 37 + 11) % n_vocab,
                                       .target = (i * 37 + 48) % n_vocab,
                                       .after = -1,
                                       .pos = i,
                                       .weight = 1};
    const struct learner_batch batch = {rows, N_ROW, 1};
    for (int i = 0; i < N_STEP; i++) {
        struct step_result result;
        must(learner_step(learner, &batch, 1, &loss_cross_entropy, 3e-3f, NULL, &result, &err),
             &err);
        losses[i] = result.loss;
    }
    return learner;
}

static struct backend *start(int threads) {
    struct jl_error err = {0};
    struct backend *backend;
    must(backend_cpu_create(&(struct backend_options){NULL, threads}, &backend, &err), &err);
    return backend;
}

static void print_of(const struct model *model, struct backend *backend,
                     uint8_t out[FINGERPRINT_BYTES]) {
    struct jl_error err = {0};
    must(fingerprint_model(model, backend, out, &err), &err);
}

/* Every one of the adapter's matrices has gone somewhere else than it began. */
static void all_have_moved(const struct kind *kind, const struct learner *learner) {
    struct jl_error err = {0};
    struct adapter *began, *now;
    const struct model *model = learner_model(learner);
    must(adapter_fresh(model->base, &kind->request, &began, &err), &err);
    must(adapter_of_model(model, 0, &now, &err), &err);
    assert_int_equal(began->n, now->n);
    for (int i = 0; i < now->n; i++) {
        const struct adapter_pair *x = &began->pairs[i], *y = &now->pairs[i];
        size_t n_a = (size_t)x->rank * (size_t)x->n_in, n_b = (size_t)x->rank * (size_t)x->n_out;
        float factor = adapter_factor(x) / adapter_factor(y);
        double a = 0, b = 0;
        for (size_t k = 0; k < n_a; k++)
            a += fabs((double)(y->a[k] - x->a[k] * factor));
        for (size_t k = 0; k < n_b; k++)
            b += fabs((double)(y->b[k] - x->b[k]));
        if (!(a > 0) || !(b > 0)) fail_msg("pair %d of %s has not moved", i, kind->model);
    }
    adapter_free(began);
    adapter_free(now);
}

static void check_learned(const struct kind *kind) {
    struct jl_error err = {0};
    struct backend *one = start(1), *three = start(3);
    double losses[2][N_STEP];
    uint8_t prints[3][FINGERPRINT_BYTES];
    struct learner *first = learn(kind, one, losses[0]), *second = learn(kind, three, losses[1]);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    if (!(losses[0][N_STEP - 1] < kind->falls * losses[0][0]))
        fail_msg("%s: the loss goes from %g to %g only", kind->model, losses[0][0],
                 losses[0][N_STEP - 1]);
    all_have_moved(kind, first);
    print_of(learner_model(first), one, prints[0]);
    print_of(learner_model(second), three, prints[1]);
    assert_memory_equal(prints[0], prints[1], FINGERPRINT_BYTES);

    struct adapter *adapter;
    struct model *again;
    const char *path = scratch_path("learned");
    must(adapter_of_model(learner_model(first), 0, &adapter, &err), &err);
    must(adapter_write_folder(learner_model(first), adapter, path, &err), &err);
    must(adapter_model_load(kind->model, NULL, &(struct adapter_path){path, 1}, 1, &again, &err),
         &err);
    print_of(again, one, prints[2]);
    assert_memory_equal(prints[0], prints[2], FINGERPRINT_BYTES);
    adapter_free(adapter);
    model_free(again);
    learner_free(first);
    learner_free(second);
    backend_free(one);
    backend_free(three);
    scratch_remove();
}

static void test_learned(void **state) {
    (void)state;
    static const char *const every[] = {"all", "embed_tokens", "lm_head"};
    static const char *const latent[] = {"kv_b_proj", "token_embd", "output"};
    static const char *const few[] = {"attn_kv_b"};
    static const struct kind kinds[] = {
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", {"learned", every, 1, 4, 8, 1}, 0.5},
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", {"learned", every, 3, 4, 8, 1}, 0.5},
        {"tests/golden/llama-llama3rope-tied", {"learned", every, 3, 3, 3, 1}, 0.7},
        {"tests/golden/deepseek-v2", {"learned", latent, 3, 4, 8, 1}, 0.7},
        {"tests/golden/deepseek-v3", {"learned", few, 1, 16, 16, 1}, 0.8},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_learned(&kinds[i]);
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learned)};
    return cmocka_run_group_tests(tests, NULL, clean);
}
