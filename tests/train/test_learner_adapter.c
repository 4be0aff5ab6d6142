/* An adapter learned on a quantised base: the loss falls, the base stays, what is written and read
 * again has the bits that were learned, and another number of threads learns the same. */
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

#define MODEL "tests/golden/gguf/small-llama.q4_k_m.gguf"
enum { N_ROW = 24, N_STEP = 12 };

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static const char *const roles[] = {"all"};
static const struct adapter_request request = {"learned", roles, 1, 4, 8, 1};

static struct learner *learn(struct backend *backend, double losses[N_STEP]) {
    struct jl_error err = {0};
    struct learner *learner;
    struct learner_row rows[N_ROW];
    const struct learner_options options = {
        .model = MODEL,
        .adapter = &request,
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

static void test_learned(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct backend *one = start(1), *three = start(3);
    double losses[2][N_STEP];
    uint8_t prints[3][FINGERPRINT_BYTES];
    struct learner *first = learn(one, losses[0]), *second = learn(three, losses[1]);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    if (!(losses[0][N_STEP - 1] < 0.5 * losses[0][0]))
        fail_msg("the loss goes from %g to %g only", losses[0][0], losses[0][N_STEP - 1]);
    print_of(learner_model(first), one, prints[0]);
    print_of(learner_model(second), three, prints[1]);
    assert_memory_equal(prints[0], prints[1], FINGERPRINT_BYTES);

    struct adapter *adapter;
    struct model *again;
    const char *path = scratch_path("learned");
    must(adapter_of_model(learner_model(first), 0, &adapter, &err), &err);
    must(adapter_write_folder(learner_model(first), adapter, path, &err), &err);
    must(adapter_model_load(MODEL, NULL, &(struct adapter_path){path, 1}, 1, &again, &err), &err);
    print_of(again, one, prints[2]);
    assert_memory_equal(prints[0], prints[2], FINGERPRINT_BYTES);
    adapter_free(adapter);
    model_free(again);
    learner_free(first);
    learner_free(second);
    backend_free(one);
    backend_free(three);
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
