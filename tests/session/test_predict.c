/* Drafts of the prediction layer: those of a layer that read all tokens at once, whatever the
 * session has been through; and what becomes of an answer when the layer fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/sample.h"
#include "session/session_file.h"
#include "session/session_self.h"
#include "support/golden.h"
#include "support/scratch.h"

#define MOST 320
#define ROWS 50
#define DRAFT 4

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec, *whole, *layer;
    struct session_set *set;
    int32_t ids[MOST];
};

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static void open_set(struct rig *rig, enum draft_kind kind, struct session_set **out) {
    struct jl_error err = {0};
    const struct session_options options = {.n_seq = 3,
                                            .n_ctx = MOST + 20,
                                            .n_page = 30,
                                            .prefix_bytes = 10 * rig->model->page_bytes,
                                            .n_draft = DRAFT,
                                            .draft = kind};
    must(session_set_create(rig->exec, &options, out, &err), &err);
}

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    must(backend_cpu_create(&cpu, &rig->backend, &err), &err);
    must(model_load("tests/golden/deepseek-v3", NULL, &rig->model, &err), &err);
    must(exec_create(rig->model, rig->backend, ROWS, &rig->exec, &err), &err);
    must(exec_create(rig->model, rig->backend, MOST, &rig->whole, &err), &err);
    must(exec_create_mtp(rig->model, rig->backend, MOST, &rig->layer, &err), &err);
    for (int i = 0; i < MOST; i++)
        rig->ids[i] = (int32_t)((i * 37 + i / 7 * 5 + 11) % rig->model->hp.n_vocab);
    open_set(rig, DRAFT_AUTO, &rig->set);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    session_set_free(rig->set);
    exec_free(rig->exec);
    exec_free(rig->whole);
    exec_free(rig->layer);
    model_free(rig->model);
    backend_free(rig->backend);
    free(rig);
    return 0;
}

/* Two tokens after n of the rig's, by the layer's rule: of the model's hidden states, then of its
 * own. */
static void expected(struct rig *rig, int n, int32_t out[2]) {
    struct jl_error err = {0};
    size_t n_embd = (size_t)rig->model->hp.n_embd, n_vocab = (size_t)rig->model->hp.n_vocab;
    float *hidden = calloc(MOST * n_embd, sizeof *hidden), *own = calloc(n_embd, sizeof *own);
    float *logits = calloc(n_vocab, sizeof *logits);
    struct page_pool *pool = golden_pool(rig->model, rig->backend, 1);
    struct state *state;
    must(state_create(pool, &state, &err), &err);
    const struct feed all = {state, rig->ids, n - 1, 0, hidden};
    must(feed_forward(rig->whole, &all, 1, NULL, NULL, &err), &err);
    const struct feed_ahead first = {state, rig->ids + 1, hidden, 0, n - 1, 1, own};
    must(feed_ahead(rig->layer, &first, NULL, logits, &err), &err);
    out[0] = sample_greedy(logits, (int)n_vocab);
    must(state_reserve(state, n, &err), &err);
    const struct feed_ahead second = {state, out, own, n - 1, 1, 1, NULL};
    must(feed_ahead(rig->layer, &second, NULL, logits, &err), &err);
    out[1] = sample_greedy(logits, (int)n_vocab);
    state_free(state);
    page_pool_free(pool);
    free(hidden);
    free(own);
    free(logits);
}

/* The session has read n - 1 of the rig's tokens. */
static void check(struct rig *rig, struct session *session, int n) {
    struct jl_error err = {0};
    int32_t want[2], got[DRAFT];
    int n_got;
    assert_int_equal(session_n_token(session), n - 1);
    must(session_add(session, rig->ids + n - 1, 1, &err), &err);
    session_predict(session, got, 2, &n_got);
    assert_int_equal(n_got, 2);
    expected(rig, n, want);
    assert_memory_equal(got, want, sizeof want);
    session_predict(session, got, 1, &n_got);
    assert_int_equal(n_got, 0); // it has been asked: what it read is not there twice
    must(session_forward(session, NULL, &err), &err);
}

static void read_to(struct rig *rig, struct session *session, int n, int *reused) {
    struct jl_error err = {0};
    must(session_sync(session, rig->ids, n, NULL, reused, &err), &err);
}

static void test_ways_to_a_place(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    struct session *session, *other;
    int reused;
    must(session_create(rig->set, &session, &err), &err);
    read_to(rig, session, 1, &reused);
    check(rig, session, 2);
    read_to(rig, session, 170, &reused); // in parts
    check(rig, session, 171);
    for (int n = 172; n < 180; n++) // one by one, the layer now and then
        must(session_push(session, rig->ids[n - 1], &err), &err);
    check(rig, session, 180);
    must(session_fork(session, &other, &err), &err);
    for (int n = 181; n < 190; n++)
        check(rig, session, n);
    must(session_push(other, 5, &err), &err); // goes another way, and comes back
    must(session_rewind(other, 180, &err), &err);
    must(session_push(other, rig->ids[180], &err), &err);
    check(rig, other, 182);
    read_to(rig, session, 300, &reused);
    session_free(other);
    must(session_create(rig->set, &other, &err), &err);
    read_to(rig, other, 299, &reused); // from the cache
    assert_int_equal(reused, 2 * KV_CHUNK);
    check(rig, other, 300);
    session_free(session);
    session_free(other);
}

/* A draft is read, taken in part, and the rest is dropped. */
static void test_after_drafts(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    struct session *session;
    int reused;
    must(session_create(rig->set, &session, &err), &err);
    read_to(rig, session, 60, &reused);
    for (int n = 61, right = 0; n < 150; n += 1 + right, right = (right + 1) % (DRAFT + 1)) {
        int32_t draft[DRAFT];
        memcpy(draft, rig->ids + n, sizeof draft);
        if (right < DRAFT) draft[right] ^= 1;
        must(session_add(session, rig->ids + n - 1, 1, &err), &err);
        must(session_draft(session, draft, DRAFT, &err), &err);
        must(session_forward(session, NULL, &err), &err);
        must(session_add(session, rig->ids + n, right, &err), &err);
        assert_int_equal(session_n_pending(session), 0);
        struct session *other;
        must(session_fork(session, &other, &err), &err);
        check(rig, other, n + right + 1);
        session_free(other);
    }
    session_free(session);
}

static void test_files(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    struct session_set *without;
    struct session *session, *other, *plain;
    const char *path = scratch_path("predict.session");
    int32_t got[DRAFT];
    int reused, n_got;
    open_set(rig, DRAFT_NONE, &without);
    must(session_create(rig->set, &session, &err), &err);
    must(session_create(rig->set, &other, &err), &err);
    must(session_create(without, &plain, &err), &err);
    read_to(rig, session, 140, &reused);
    for (int n = 141; n <= 143; n++)
        must(session_push(session, rig->ids[n - 1], &err), &err);
    must(session_save(session, path, &err), &err);
    must(session_load(other, path, &err), &err);
    must(session_add(other, rig->ids + 143, 1, &err), &err);
    must(session_forward(other, NULL, &err), &err);
    must(session_add(other, rig->ids + 144, 1, &err), &err);
    session_predict(other, got, 1, &n_got);
    assert_int_equal(n_got, 1);
    must(session_load(plain, path, &err), &err); // keys that nobody asks for
    must(session_push(plain, rig->ids[143], &err), &err);
    must(session_save(plain, path, &err), &err);
    must(session_load(other, path, &err), &err); // a file without them
    must(session_add(other, rig->ids + 144, 1, &err), &err);
    session_predict(other, got, 1, &n_got);
    assert_int_equal(n_got, 0);
    read_to(rig, other, 1, &reused); // from the start it goes along again
    check(rig, other, 2);
    session_free(session);
    session_free(other);
    session_free(plain);
    session_set_free(without);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ways_to_a_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_drafts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove();
    return failed;
}
