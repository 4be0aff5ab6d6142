/* Feeding sequences: what a batch may hold, what it refuses, and that state survives both. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/golden.h"

#define MODEL "tests/golden/llama"
#define MAX_ROWS 64

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct page_pool *pool;
    struct state *state;
    float *logits;
    int32_t tokens[MAX_ROWS];
};

static int set_up(void **out) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    assert_int_equal(backend_cpu_create(&cpu, &rig->backend, &err), JL_OK);
    if (model_load(MODEL, NULL, &rig->model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(exec_create(rig->model, rig->backend, MAX_ROWS, &rig->exec, &err), JL_OK);
    rig->pool = golden_pool(rig->model, rig->backend, 1);
    assert_int_equal(state_create(rig->pool, &rig->state, &err), JL_OK);
    rig->logits = calloc((size_t)MAX_ROWS * (size_t)rig->model->hp.n_vocab, sizeof(float));
    for (int i = 0; i < MAX_ROWS; i++)
        rig->tokens[i] = (i * 37 + 11) % rig->model->hp.n_vocab;
    *out = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    free(rig->logits);
    state_free(rig->state);
    page_pool_free(rig->pool);
    exec_free(rig->exec);
    model_free(rig->model);
    backend_free(rig->backend);
    free(rig);
    return 0;
}

static size_t row_bytes(const struct rig *rig) {
    return (size_t)rig->model->hp.n_vocab * sizeof(float);
}

static void test_rewind_gives_the_same_bits(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    assert_int_equal(
        feed_prompt(rig->exec, rig->state, rig->tokens, 40, 40, NULL, rig->logits, &err), JL_OK);
    float *first = malloc(row_bytes(rig));
    memcpy(first, rig->logits, row_bytes(rig));
    int32_t other[5] = {1, 2, 3, 4, 5};
    assert_int_equal(state_rewind(rig->state, 30, &err), JL_OK);
    assert_int_equal(feed_prompt(rig->exec, rig->state, other, 5, 5, NULL, rig->logits, &err),
                     JL_OK);
    assert_memory_not_equal(first, rig->logits, row_bytes(rig));
    assert_int_equal(state_rewind(rig->state, 25, &err), JL_OK);
    assert_int_equal(
        feed_prompt(rig->exec, rig->state, rig->tokens + 25, 15, 4, NULL, rig->logits, &err),
        JL_OK);
    assert_memory_equal(first, rig->logits, row_bytes(rig));
    assert_int_equal(state_n_pos(rig->state), 40);
    assert_int_equal(state_rewind(rig->state, 41, &err), JL_ERR_USAGE);
    free(first);
}

static void test_vectors_are_as_good_as_ids(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    int n_embd = rig->model->hp.n_embd;
    const struct weight *embd = model_weight(rig->model, ROLE_TOK_EMBD, -1);
    assert_int_equal(feed_prompt(rig->exec, rig->state, rig->tokens, 9, 9, NULL, rig->logits, &err),
                     JL_OK);
    float *by_id = malloc(row_bytes(rig)), vectors[9][256];
    memcpy(by_id, rig->logits, row_bytes(rig));
    struct batch_row rows[9];
    for (int i = 0; i < 9; i++) {
        dtype_dequantize(embd->dtype, embd->data + (size_t)rig->tokens[i] * embd->stride,
                         vectors[i], n_embd);
        rows[i] = (struct batch_row){
            .token = -1, .vector = vectors[i], .pos = {i}, .want_logits = i == 8};
    }
    assert_int_equal(state_rewind(rig->state, 0, &err), JL_OK);
    assert_int_equal(state_reserve(rig->state, 9, &err), JL_OK);
    struct seq_view seq = state_view(rig->state);
    struct batch batch = {rows, 9, &seq, 1, NULL};
    assert_int_equal(exec_forward(rig->exec, &batch, rig->logits, &err), JL_OK);
    assert_memory_equal(by_id, rig->logits, row_bytes(rig));
    free(by_id);
}

static void expect_refused(struct rig *rig, const struct batch *batch, enum jl_status status,
                           const char *named) {
    struct jl_error err = {0};
    assert_int_equal(exec_forward(rig->exec, batch, rig->logits, &err), status);
    if (!strstr(err.message, named)) fail_msg("'%s' is not in: %s", named, err.message);
}

static void test_bad_batches(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    assert_int_equal(state_reserve(rig->state, 100, &err), JL_OK);
    struct seq_view seqs[2] = {state_view(rig->state), state_view(rig->state)};
    struct batch_row rows[MAX_ROWS + 1];
    struct batch batch = {rows, 3, seqs, 2, NULL};
#define RESET()                                                                                    \
    for (int i = 0; i <= MAX_ROWS; i++)                                                            \
        rows[i] = (struct batch_row) {                                                             \
            .token = 1, .pos = { i }                                                               \
        }
    RESET();
    rows[1].token = rig->model->hp.n_vocab;
    expect_refused(rig, &batch, JL_ERR_USAGE, "token id");
    rows[1].token = -1;
    expect_refused(rig, &batch, JL_ERR_USAGE, "token id");
    RESET();
    rows[2].pos[0] = 3;
    expect_refused(rig, &batch, JL_ERR_USAGE, "position");
    RESET();
    rows[0].pos[0] = 1;
    expect_refused(rig, &batch, JL_ERR_USAGE, "position");
    RESET();
    rows[2].seq = 2;
    expect_refused(rig, &batch, JL_ERR_USAGE, "sequence 2");
    RESET();
    rows[1].seq = 1;
    rows[1].pos[0] = 0;
    rows[2].pos[0] = 0;
    expect_refused(rig, &batch, JL_ERR_USAGE, "together");
    RESET();
    batch.n_row = MAX_ROWS + 1;
    expect_refused(rig, &batch, JL_ERR_LIMIT, "65");
    batch.n_row = 0;
    expect_refused(rig, &batch, JL_ERR_LIMIT, "0 rows");
    batch.n_row = 1;
    seqs[0].n_page = 0;
    expect_refused(rig, &batch, JL_ERR_LIMIT, "pages");
}

static void test_context_is_not_stretched(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    assert_int_equal(state_reserve(rig->state, rig->model->hp.n_ctx_train, &err), JL_OK);
    assert_int_equal(state_reserve(rig->state, rig->model->hp.n_ctx_train + 1, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "4096"));
}

static void test_cancel(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    atomic_bool cancel = true;
    assert_int_equal(
        feed_prompt(rig->exec, rig->state, rig->tokens, 8, 8, &cancel, rig->logits, &err),
        JL_ERR_CANCELLED);
    assert_int_equal(state_n_pos(rig->state), 0); // nothing was added
    atomic_store(&cancel, false);
    assert_int_equal(
        feed_prompt(rig->exec, rig->state, rig->tokens, 8, 8, &cancel, rig->logits, &err), JL_OK);
    assert_int_equal(state_n_pos(rig->state), 8);
}

/* An infinite input must be found at the first layer, named, and leave the state where it was. */
static void test_nonfinite_names_the_layer(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    float vector[256] = {0};
    assert_int_equal(feed_prompt(rig->exec, rig->state, rig->tokens, 3, 3, NULL, rig->logits, &err),
                     JL_OK);
    struct batch_row row = {.vector = vector, .pos = {3}, .want_logits = true};
    struct seq_view seq = state_view(rig->state);
    struct batch batch = {&row, 1, &seq, 1, NULL};
    vector[5] = INFINITY;
    expect_refused(rig, &batch, JL_ERR_NONFINITE, "layer 0");
    vector[5] = NAN;
    expect_refused(rig, &batch, JL_ERR_NONFINITE, "position 3");
}

static void test_environment_comes_back(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    volatile float tiny = 1e-38f;
    float before = tiny * 0.1f; // a denormal, where flush-to-zero is off
    assert_true(before > 0);
    assert_int_equal(
        feed_prompt(rig->exec, rig->state, rig->tokens, 20, 7, NULL, rig->logits, &err), JL_OK);
    float after = tiny * 0.1f;
    assert_memory_equal(&before, &after, sizeof before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rewind_gives_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vectors_are_as_good_as_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_context_is_not_stretched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nonfinite_names_the_layer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment_comes_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
