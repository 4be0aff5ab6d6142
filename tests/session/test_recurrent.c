/* A model with recurrent layers: whatever the way to a position (passes that fail or are cancelled,
 * checkpoints, other sequences beside it, a session that reuses), the logits have the bits of a
 * sequence that was fed once. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "session/session.h"
#include "support/golden.h"

#define MODEL "tests/golden/qwen3-next"
#define ROWS 32
#define N 400

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct session_set *set;
    struct page_pool *pool;
    struct state *state;
    struct session *session;
    float *logits;
    int32_t ids[N];
};

static int set_up(void **out) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    assert_int_equal(backend_cpu_create(&cpu, &rig->backend, &err), JL_OK);
    if (model_load(MODEL, NULL, &rig->model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_true(rig->model->recurrent_bytes > 0);
    assert_int_equal(exec_create(rig->model, rig->backend, ROWS, &rig->exec, &err), JL_OK);
    const struct session_options options = {.n_seq = 6};
    assert_int_equal(session_set_create(rig->exec, &options, &rig->set, &err), JL_OK);
    rig->pool = session_set_pool(rig->set);
    assert_int_equal(state_create(rig->pool, &rig->state, &err), JL_OK);
    assert_int_equal(session_create(rig->set, &rig->session, &err), JL_OK);
    rig->logits = calloc((size_t)rig->model->hp.n_vocab, sizeof(float));
    for (int i = 0; i < N; i++)
        rig->ids[i] = (i * 37 + 11) % rig->model->hp.n_vocab;
    *out = rig;
    return 0;
}

static int tear_down(void **out) {
    struct rig *rig = *out;
    free(rig->logits);
    session_free(rig->session);
    state_free(rig->state);
    session_set_free(rig->set);
    exec_free(rig->exec);
    model_free(rig->model);
    backend_free(rig->backend);
    free(rig);
    return 0;
}

static void feed(struct rig *rig, const int32_t *ids, int n, int chunk) {
    struct jl_error err = {0};
    if (feed_prompt(rig->exec, rig->state, ids, n, chunk, NULL, rig->logits, &err) != JL_OK)
        fail_msg("%s", err.message);
}

/* `got` are the logits after ids[0 .. n) of a sequence that was fed nothing else. */
static void check(struct rig *rig, const float *got, const int32_t *ids, int n) {
    struct jl_error err = {0};
    struct state *cold;
    size_t bytes = (size_t)rig->model->hp.n_vocab * sizeof(float);
    float *want = malloc(bytes);
    assert_int_equal(state_create(rig->pool, &cold, &err), JL_OK);
    assert_int_equal(feed_prompt(rig->exec, cold, ids, n, ROWS, NULL, want, &err), JL_OK);
    assert_memory_equal(got, want, bytes);
    state_free(cold);
    free(want);
}

/* ---- states ---- */

/* A vector that is not finite is found after layer 0 has written its new state. */
static void fail_a_pass(struct rig *rig) {
    struct jl_error err = {0};
    int at = state_n_pos(rig->state);
    float vector[256] = {0};
    vector[3] = NAN;
    assert_int_equal(state_reserve(rig->state, at + 3, &err), JL_OK);
    struct seq_view seq = state_view(rig->state);
    struct batch_row rows[3] = {{.token = 5, .pos = {at}},
                                {.token = 6, .pos = {at + 1}},
                                {.vector = vector, .pos = {at + 2}, .want_logits = true}};
    struct batch batch = {rows, 3, &seq, 1, NULL};
    assert_int_equal(exec_forward(rig->exec, &batch, rig->logits, &err), JL_ERR_NONFINITE);
    assert_int_equal(state_n_pos(rig->state), at);
}

static void cancel_a_pass(struct rig *rig) {
    struct jl_error err = {0};
    int at = state_n_pos(rig->state);
    atomic_bool cancel = true;
    assert_int_equal(feed_prompt(rig->exec, rig->state, rig->ids, 9, 9, &cancel, rig->logits, &err),
                     JL_ERR_CANCELLED);
    assert_int_equal(state_n_pos(rig->state), at);
}

static void test_failed_and_cancelled_passes(void **out) {
    struct rig *rig = *out;
    fail_a_pass(rig);
    cancel_a_pass(rig);
    feed(rig, rig->ids, 21, 5);
    fail_a_pass(rig);
    feed(rig, rig->ids + 21, 30, 30);
    check(rig, rig->logits, rig->ids, 51);
    cancel_a_pass(rig);
    fail_a_pass(rig);
    feed(rig, rig->ids + 51, 1, 1);
    check(rig, rig->logits, rig->ids, 52);
}

static void test_checkpoints(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    int32_t other[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    feed(rig, rig->ids, 30, ROWS);
    state_checkpoint(rig->state, CHECKPOINT_TURN);
    feed(rig, rig->ids + 30, 20, 6);
    feed(rig, other, 8, 8);
    assert_int_equal(state_rewind(rig->state, 50, &err), JL_OK); // before the last pass
    feed(rig, rig->ids + 50, 3, 1);
    check(rig, rig->logits, rig->ids, 53);
    assert_int_equal(state_rewind(rig->state, 40, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "30"));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(state_rewind(rig->state, 30, &err), JL_OK);
        feed(rig, rig->ids + 30, 25, 1 + 11 * round);
        check(rig, rig->logits, rig->ids, 55);
    }
    assert_int_equal(state_rewind(rig->state, 0, &err), JL_OK);
    feed(rig, other, 8, 3);
    check(rig, rig->logits, other, 8);
}

/* Several sequences in a pass, some of them without tokens in it. */
static void test_beside_others(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    struct state *states[3];
    int fed[3] = {0}, n_vocab = rig->model->hp.n_vocab;
    float *logits = calloc((size_t)(3 * n_vocab), sizeof *logits);
    struct rng_key key = {.seed = 5, .purpose = RNG_TEST};
    for (int i = 0; i < 3; i++)
        assert_int_equal(state_create(rig->pool, &states[i], &err), JL_OK);
    for (int round = 0; round < 12; round++) {
        struct feed feeds[3];
        for (int i = 0; i < 3; i++) {
            int n = (int)(rng_uniform(&key, (uint64_t)(3 * round + i)) * 10);
            feeds[i] = (struct feed){states[i], rig->ids + i + fed[i], n, 1};
            fed[i] += n;
        }
        assert_int_equal(feed_forward(rig->exec, feeds, 3, NULL, logits, &err), JL_OK);
        for (int i = 0, at = 0; i < 3; i++)
            if (feeds[i].n_token)
                check(rig, logits + (size_t)at++ * (size_t)n_vocab, rig->ids + i, fed[i]);
    }
    for (int i = 0; i < 3; i++)
        state_free(states[i]);
    free(logits);
}

static void test_batch_without_state_is_refused(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    assert_int_equal(state_reserve(rig->state, 1, &err), JL_OK);
    struct seq_view seq = state_view(rig->state);
    seq.recur = NULL;
    struct batch_row row = {.token = 1};
    struct batch batch = {&row, 1, &seq, 1, NULL};
    assert_int_equal(exec_forward(rig->exec, &batch, rig->logits, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "recurrent"));
}

/* ---- sessions ---- */

static void sync(struct rig *rig, const int32_t *ids, int n, int wanted_reused) {
    struct jl_error err = {0};
    int reused = -1;
    if (session_sync(rig->session, ids, n, NULL, &reused, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(reused, wanted_reused);
    assert_int_equal(session_n_token(rig->session), n);
    check(rig, session_logits(rig->session), ids, n);
}

static void push(struct rig *rig, const int32_t *ids, int from, int to) {
    struct jl_error err = {0};
    for (int i = from; i < to; i++)
        assert_int_equal(session_push(rig->session, ids[i], &err), JL_OK);
    check(rig, session_logits(rig->session), ids, to);
}

/* A chat: what a turn adds is fed, and little more when something is taken back. */
static void test_chat_turns(void **out) {
    struct rig *rig = *out;
    int32_t other[N];
    memcpy(other, rig->ids, sizeof other);
    sync(rig, rig->ids, 40, 0);
    push(rig, rig->ids, 40, 60); // an answer
    sync(rig, rig->ids, 90, 60); // the next turn: nothing is read twice
    sync(rig, rig->ids, 90, 90);
    push(rig, rig->ids, 90, 260);
    sync(rig, rig->ids, 90, 74); // the same turn once more: its last words
    push(rig, rig->ids, 90, 100);
    other[99]++;
    sync(rig, other, 110, 99); // the last token of the answer is another
    other[84]++;
    sync(rig, other, 110, 74); // some of the last words of the prompt
    other[50]++;
    sync(rig, other, 110, 24); // an earlier turn
    other[3]++;
    sync(rig, other, 30, 0);
}

/* A long answer, or a long document, is not read again for a change near its end. */
static void test_long_ones(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    int32_t other[N];
    int reused = -1;
    memcpy(other, rig->ids, sizeof other);
    sync(rig, rig->ids, 20, 0);
    push(rig, rig->ids, 20, 300);
    other[290]++;
    assert_int_equal(session_sync(rig->session, other, 310, NULL, &reused, &err), JL_OK);
    assert_in_range(reused, 290 - 64, 290);
    check(rig, session_logits(rig->session), other, 310);
    sync(rig, rig->ids + 1, N - 1, 0); // passes of ROWS
    memcpy(other, rig->ids + 1, (N - 1) * sizeof *other);
    other[350]++;
    assert_int_equal(session_sync(rig->session, other, N - 1, NULL, &reused, &err), JL_OK);
    assert_in_range(reused, 350 - 3 * ROWS, 350);
    check(rig, session_logits(rig->session), other, N - 1);
    size_t recurrent = rig->model->recurrent_bytes, pages = (N + 127) / 128;
    assert_true(session_bytes(rig->session) <=
                pages * rig->model->page_bytes + (2 + STATE_CHECKPOINTS) * recurrent);
}

struct stop {
    atomic_bool *cancel;
    int after;
};

static void stop_after(void *ctx, int done, int total) {
    struct stop *stop = ctx;
    (void)done;
    (void)total;
    if (--stop->after == 0) atomic_store(stop->cancel, true);
}

static void test_cancelled_reading_goes_on(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    atomic_bool cancel = false;
    struct stop stop = {&cancel, 3};
    struct session_watch watch = {&cancel, stop_after, &stop};
    int reused;
    assert_int_equal(session_sync(rig->session, rig->ids, 200, &watch, &reused, &err),
                     JL_ERR_CANCELLED);
    assert_int_equal(session_n_token(rig->session), 3 * ROWS);
    sync(rig, rig->ids, 200, 3 * ROWS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failed_and_cancelled_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_beside_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch_without_state_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chat_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled_reading_goes_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
