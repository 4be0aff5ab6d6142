/* A session: what it reuses, what it feeds, and that the logits never tell the difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/session.h"
#include "support/golden.h"

#define MODEL "tests/golden/llama"
#define ROWS 16
#define N 100

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct session_set *set;
    struct session *session;
    int32_t ids[N];
};

static int set_up(void **out) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    assert_int_equal(backend_cpu_create(&cpu, &rig->backend, &err), JL_OK);
    if (model_load(MODEL, NULL, &rig->model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(exec_create(rig->model, rig->backend, ROWS, &rig->exec, &err), JL_OK);
    const struct session_options options = {.n_seq = 3};
    assert_int_equal(session_set_create(rig->exec, &options, &rig->set, &err), JL_OK);
    assert_int_equal(session_create(rig->set, &rig->session, &err), JL_OK);
    for (int i = 0; i < N; i++)
        rig->ids[i] = (i * 37 + 11) % rig->model->hp.n_vocab;
    *out = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    session_free(rig->session);
    session_set_free(rig->set);
    exec_free(rig->exec);
    model_free(rig->model);
    backend_free(rig->backend);
    free(rig);
    return 0;
}

static void sync(struct rig *rig, const int32_t *ids, int n, int wanted_reused) {
    struct jl_error err = {0};
    int reused = -1;
    if (session_sync(rig->session, ids, n, NULL, &reused, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(reused, wanted_reused);
    assert_int_equal(session_n_token(rig->session), n);
}

/* The logits are those of a session that was fed `ids` and nothing else. */
static void check_logits(struct rig *rig, const int32_t *ids, int n) {
    struct jl_error err = {0};
    struct session *fresh;
    int reused;
    assert_int_equal(session_create(rig->set, &fresh, &err), JL_OK);
    assert_int_equal(session_sync(fresh, ids, n, NULL, &reused, &err), JL_OK);
    assert_int_equal(reused, 0);
    assert_memory_equal(session_logits(fresh), session_logits(rig->session),
                        (size_t)rig->model->hp.n_vocab * sizeof(float));
    session_free(fresh);
}

static void test_only_what_is_new_is_fed(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    sync(rig, rig->ids, 40, 0);
    check_logits(rig, rig->ids, 40);
    sync(rig, rig->ids, 40, 40); // nothing to do
    for (int i = 40; i < 50; i++)
        assert_int_equal(session_push(rig->session, rig->ids[i], &err), JL_OK);
    check_logits(rig, rig->ids, 50);
    assert_memory_equal(session_ids(rig->session), rig->ids, 50 * sizeof *rig->ids);
    sync(rig, rig->ids, 90, 50); // generated tokens count like any other
    check_logits(rig, rig->ids, 90);
    sync(rig, rig->ids, 60, 59); // shorter: its last token once more, for the logits
    check_logits(rig, rig->ids, 60);
    int32_t other[N];
    memcpy(other, rig->ids, sizeof other);
    other[30]++;
    sync(rig, other, 60, 30);
    check_logits(rig, other, 60);
    other[0]++;
    sync(rig, other, 10, 0);
    check_logits(rig, other, 10);
}

static void test_refusals(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    int capacity = session_capacity(rig->session), reused;
    int32_t *many = calloc((size_t)capacity + 1, sizeof *many);
    sync(rig, rig->ids, 20, 0);
    assert_int_equal(session_sync(rig->session, many, capacity + 1, NULL, &reused, &err),
                     JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "4097"));
    assert_int_equal(session_sync(rig->session, many, 0, NULL, &reused, &err), JL_ERR_USAGE);
    sync(rig, rig->ids, 20, 20); // as before
    many[7] = rig->model->hp.n_vocab;
    assert_int_equal(session_sync(rig->session, many, 12, NULL, &reused, &err), JL_ERR_USAGE);
    assert_int_equal(session_push(rig->session, -1, &err), JL_ERR_USAGE);
    sync(rig, rig->ids, 20, 20); // as before
    check_logits(rig, rig->ids, 20);
    free(many);
}

struct count {
    atomic_bool *cancel;
    int done, total, calls;
};

static void stop_after_two(void *ctx, int done, int total) {
    struct count *count = ctx;
    count->done = done;
    count->total = total;
    if (++count->calls == 2) atomic_store(count->cancel, true);
}

static void test_cancel_keeps_what_was_read(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    atomic_bool cancel = false;
    struct count count = {&cancel, 0, 0, 0};
    struct session_watch watch = {&cancel, stop_after_two, &count};
    int reused;
    assert_int_equal(session_sync(rig->session, rig->ids, N, &watch, &reused, &err),
                     JL_ERR_CANCELLED);
    assert_int_equal(count.done, 2 * ROWS);
    assert_int_equal(count.total, N);
    assert_int_equal(session_n_token(rig->session), 2 * ROWS);
    sync(rig, rig->ids, N, 2 * ROWS);
    check_logits(rig, rig->ids, N);
}

/* One pass for several: who has nothing pending takes no part, prompts and single tokens share it.
 */
static void test_passes_of_many(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    struct session *list[4] = {rig->session};
    int reused;
    for (int i = 1; i < 4; i++)
        assert_int_equal(session_create(rig->set, &list[i], &err), JL_OK);
    sync(rig, rig->ids, 20, 0);
    assert_int_equal(session_aim(list[1], rig->ids + 1, 50, &reused, &err), JL_OK);
    assert_int_equal(session_aim(list[2], rig->ids + 2, 9, &reused, &err), JL_OK);
    assert_int_equal(session_add(list[0], rig->ids + 20, 1, &err), JL_OK);
    assert_int_equal(session_set_forward(rig->set, list, 3, NULL, &err), JL_OK);
    assert_int_equal(session_n_pending(list[0]), 0); // ROWS rows: 1 + 14 + 1
    assert_int_equal(session_n_pending(list[1]), 50 - 14);
    assert_int_equal(session_n_pending(list[2]), 8);
    assert_null(session_logits(list[1]));
    check_logits(rig, rig->ids, 21);
    session_pace(list[1], 5);
    assert_int_equal(session_set_forward(rig->set, list, 3, NULL, &err), JL_OK);
    assert_int_equal(session_n_pending(list[1]), 50 - 14 - 5);
    assert_int_equal(session_n_pending(list[2]), 0); // the rest of the rows is for others
    session_pace(list[1], 0);
    while (session_n_pending(list[1]) > 0)
        assert_int_equal(session_set_forward(rig->set, list, 3, NULL, &err), JL_OK);
    assert_int_equal(session_n_token(list[0]), 21);
    rig->session = list[1];
    check_logits(rig, rig->ids + 1, 50);
    rig->session = list[2];
    check_logits(rig, rig->ids + 2, 9);
    rig->session = list[0];
    for (int i = 0; i < 4; i++)
        assert_int_equal(session_add(list[i], rig->ids, 1, &err), JL_OK);
    assert_int_equal(session_set_forward(rig->set, list, 4, NULL, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "4 sessions"));
    struct session *third = list[2];
    list[2] = list[1];
    assert_int_equal(session_set_forward(rig->set, list, 3, NULL, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "number 2"));
    list[2] = third;
    assert_int_equal(session_set_forward(rig->set, list + 1, 2, NULL, &err), JL_OK);
    assert_int_equal(session_n_pending(list[0]), 1); // was not in it
    for (int i = 1; i < 4; i++)
        session_free(list[i]);
}

static void test_further_refusals(void **state) {
    struct rig *rig = *state;
    struct jl_error err = {0};
    int capacity = session_capacity(rig->session), n_vocab = rig->model->hp.n_vocab;
    int32_t *many = calloc((size_t)capacity, sizeof *many), bad = n_vocab;
    sync(rig, rig->ids, 20, 0);
    assert_int_equal(session_add(rig->session, many, capacity - 19, &err), JL_ERR_LIMIT);
    assert_int_equal(session_add(rig->session, &bad, 1, &err), JL_ERR_USAGE);
    assert_int_equal(session_rewind(rig->session, 21, &err), JL_ERR_USAGE);
    assert_int_equal(session_rewind(rig->session, -1, &err), JL_ERR_USAGE);
    sync(rig, rig->ids, 20, 20); // as before
    check_logits(rig, rig->ids, 20);
    assert_int_equal(session_add(rig->session, rig->ids + 20, 2, &err), JL_OK);
    assert_int_equal(session_rewind(rig->session, 21, &err), JL_OK); // one of the two goes
    assert_int_equal(session_n_pending(rig->session), 1);
    assert_int_equal(session_add(rig->session, rig->ids + 21, 60, &err), JL_OK);
    assert_int_equal(session_set_forward(rig->set, &rig->session, 1, NULL, &err), JL_OK);
    assert_int_equal(session_rewind(rig->session, 20, &err), JL_OK); // before what was read
    assert_int_equal(session_set_forward(rig->set, &rig->session, 1, NULL, &err), JL_OK);
    assert_int_equal(session_n_token(rig->session), 20);
    check_logits(rig, rig->ids, 20);
    assert_int_equal(session_rewind(rig->session, 0, &err), JL_OK);
    assert_int_equal(session_n_token(rig->session), 0);
    assert_null(session_logits(rig->session));
    sync(rig, rig->ids, 20, 0);
    check_logits(rig, rig->ids, 20);
    free(many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_passes_of_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_further_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_new_is_fed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_keeps_what_was_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
