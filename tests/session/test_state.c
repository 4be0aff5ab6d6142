/* State of a model with recurrent layers: a pass that fails changes nothing, the way back leads to
 * checkpoints only, and what is found there is what was left. A toy stands for the model: its
 * recurrent part is a hash of the tokens read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "session/state.h"
#include "tensor/kvchunk.h"

#define N_CTX 20000
#define RECURRENT_BYTES 72

struct rig {
    struct model model; // only what a state asks for
    struct backend *backend;
    struct page_pool *pool;
    struct state *state;
    uint32_t tokens[N_CTX]; // those the state has read
    uint64_t draws;
};

static int set_up(void **out) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 1};
    assert_int_equal(backend_cpu_create(&cpu, &rig->backend, &err), JL_OK);
    rig->model.hp.n_ctx_train = N_CTX;
    rig->model.page_bytes = 64;
    rig->model.recurrent_bytes = RECURRENT_BYTES;
    struct page_counts counts = page_counts_for(&rig->model, 2, N_CTX);
    assert_int_equal(page_pool_create(&rig->model, rig->backend, &counts, &rig->pool, &err), JL_OK);
    assert_int_equal(state_create(rig->pool, &rig->state, &err), JL_OK);
    *out = rig;
    return 0;
}

static int tear_down(void **out) {
    struct rig *rig = *out;
    state_free(rig->state);
    page_pool_free(rig->pool);
    backend_free(rig->backend);
    free(rig);
    return 0;
}

static uint32_t draw(struct rig *rig, uint32_t below) { // splitmix64
    uint64_t z = rig->draws += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(z >> 33) % below;
}

static uint64_t hash(uint64_t before, uint32_t token) { return before * 1000003 + token + 1; }

static uint64_t *words(const struct backend_buffer *buffer) {
    return (uint64_t *)(void *)buffer->data;
}

/* A pass over n new tokens; one that fails half-way has written something all the same. */
static void pass(struct rig *rig, int n, bool fails) {
    struct jl_error err = {0};
    int at = state_n_pos(rig->state);
    assert_int_equal(state_reserve(rig->state, at + n, &err), JL_OK);
    struct seq_view view = state_view(rig->state);
    assert_int_equal(view.n_pos, at);
    assert_ptr_not_equal(view.recur, view.recur_next);
    uint64_t now = *words(view.recur);
    for (int i = 0; i < n; i++) {
        uint32_t token = draw(rig, 1000);
        now = hash(now, token);
        if (!fails) rig->tokens[at + i] = token;
    }
    *words(view.recur_next) = now;
    if (!fails) state_append(rig->state, n);
}

/* The recurrent part is that of the tokens read, whatever the way here. (To look is to begin a
 * pass: the way back to before the last one is then gone.) */
static void check(struct rig *rig) {
    struct jl_error err = {0};
    uint64_t want = 0;
    for (int i = 0; i < state_n_pos(rig->state); i++)
        want = hash(want, rig->tokens[i]);
    assert_int_equal(state_reserve(rig->state, 1, &err), JL_OK);
    assert_true(*words(state_view(rig->state).recur) == want);
}

static void rewind_to(struct rig *rig, int n_pos) {
    struct jl_error err = {0};
    if (state_rewind(rig->state, n_pos, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(state_n_pos(rig->state), n_pos);
    check(rig);
}

static void keep(struct rig *rig, enum checkpoint_kind kind) {
    state_checkpoint(rig->state, kind);
    assert_int_equal(state_last_checkpoint(rig->state), state_n_pos(rig->state));
}

static void test_a_failed_pass_changes_nothing(void **out) {
    struct rig *rig = *out;
    pass(rig, 3, true); // the very first one
    assert_int_equal(state_n_pos(rig->state), 0);
    check(rig);
    pass(rig, 5, false);
    check(rig);
    pass(rig, 4, true);
    assert_int_equal(state_n_pos(rig->state), 5);
    check(rig);
    pass(rig, 2, false);
    check(rig);
    state_append(rig->state, 0); // a feed without tokens
    check(rig);
}

static void test_where_it_can_go_back_to(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    pass(rig, 10, false);
    keep(rig, CHECKPOINT_ROAD);
    pass(rig, 10, false);
    pass(rig, 3, false);
    assert_false(state_rewinds_freely(rig->state));
    assert_true(state_can_rewind(rig->state, 23)); // where it is
    assert_true(state_can_rewind(rig->state, 20)); // before the last pass
    assert_true(state_can_rewind(rig->state, 10)); // the checkpoint
    assert_true(state_can_rewind(rig->state, 0));
    assert_false(state_can_rewind(rig->state, 22));
    assert_false(state_can_rewind(rig->state, 9));
    assert_false(state_can_rewind(rig->state, 24));
    assert_false(state_can_rewind(rig->state, -1));
    assert_int_equal(state_rewind_point(rig->state, 22), 20);
    assert_int_equal(state_rewind_point(rig->state, 19), 10);
    assert_int_equal(state_rewind_point(rig->state, 9), 0);
    assert_int_equal(state_rewind(rig->state, 19, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "at 10"));
    assert_int_equal(state_rewind(rig->state, 24, &err), JL_ERR_USAGE);
    assert_int_equal(state_n_pos(rig->state), 23);
    rewind_to(rig, 20);
    assert_false(state_can_rewind(rig->state, 23));
    pass(rig, 4, true); // what was before the last pass is gone now
    assert_int_equal(state_rewind_point(rig->state, 19), 10);
    rewind_to(rig, 10);
    pass(rig, 6, false);
    rewind_to(rig, 10); // as often as one likes
    pass(rig, 2, false);
    check(rig);
    rewind_to(rig, 0);
    assert_int_equal(state_last_checkpoint(rig->state), 0); // of tokens that are no more
    pass(rig, 12, false);
    assert_false(state_can_rewind(rig->state, 10));
    rewind_to(rig, 0); // before the last pass and the beginning in one
}

static void test_any_order(void **out) {
    struct rig *rig = *out;
    int reached = 0;
    for (int round = 0; round < 4000; round++) {
        int n_pos = state_n_pos(rig->state), kind = (int)draw(rig, 20);
        if (kind < 14 && n_pos < N_CTX - 10) {
            pass(rig, (int)draw(rig, 9) + 1, false);
        } else if (kind < 15) {
            pass(rig, 3, true);
        } else if (kind < 18) {
            enum checkpoint_kind why = draw(rig, 3) ? CHECKPOINT_ROAD : CHECKPOINT_TURN;
            state_checkpoint(rig->state, why);
        } else {
            int back = (int)draw(rig, draw(rig, 20) ? 40 : 400);
            int to = state_rewind_point(rig->state, n_pos > back ? n_pos - back : 0);
            reached += to > 0 && to < n_pos;
            rewind_to(rig, to);
        }
        if (draw(rig, 2)) check(rig);
    }
    assert_true(reached > 200);
}

/* However far it has come: few checkpoints, close behind it and further apart further back. */
static void test_checkpoints_are_few_and_well_spread(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    enum { TURN = 1000 };
    pass(rig, TURN, false);
    keep(rig, CHECKPOINT_TURN);
    while (state_n_pos(rig->state) + 64 < N_CTX) {
        pass(rig, 64, false);
        keep(rig, CHECKPOINT_ROAD);
    }
    int end = state_n_pos(rig->state);
    size_t pages = (size_t)(end + KV_CHUNK - 1) / KV_CHUNK * rig->model.page_bytes;
    // The last checkpoint is what the state has now; there is one more for the next pass.
    assert_int_equal(state_bytes(rig->state), pages + (1 + STATE_CHECKPOINTS) * RECURRENT_BYTES);
    assert_int_equal(state_rewind_point(rig->state, TURN + 60), TURN);
    for (int back = 64; back < end - TURN; back += 100) {
        int point = state_rewind_point(rig->state, end - back);
        if (end - point > 8 * back) // a walk of a few times the way back
            fail_msg("%d tokens back from %d, the last checkpoint is at %d", back, end, point);
    }
    rewind_to(rig, TURN);
    assert_int_equal(state_rewind_point(rig->state, TURN - 1), 0);
    keep(rig, CHECKPOINT_ROAD); // there is one here
    assert_int_equal(state_reserve(rig->state, N_CTX + 1, &err), JL_ERR_LIMIT);
}

static void test_how_many_are_kept(void **out) {
    (void)out;
    assert_int_equal(state_checkpoints_kept(0), 0);
    assert_int_equal(state_checkpoints_kept(1), STATE_CHECKPOINTS);
    assert_int_equal(state_checkpoints_kept((size_t)64 << 20), 4);
    assert_int_equal(state_checkpoints_kept((size_t)1 << 40), 2);
}

static void test_without_recurrent_layers(void **out) {
    struct rig *rig = *out;
    struct jl_error err = {0};
    rig->model.recurrent_bytes = 0;
    assert_int_equal(state_reserve(rig->state, 200, &err), JL_OK);
    struct seq_view view = state_view(rig->state);
    assert_null(view.recur);
    assert_null(view.recur_next);
    state_append(rig->state, 200);
    assert_true(state_rewinds_freely(rig->state));
    size_t bytes = state_bytes(rig->state);
    state_checkpoint(rig->state, CHECKPOINT_TURN);
    assert_int_equal(state_bytes(rig->state), bytes); // nothing to keep
    assert_int_equal(state_rewind_point(rig->state, 77), 77);
    assert_int_equal(state_rewind(rig->state, 77, &err), JL_OK);
    assert_int_equal(state_n_pos(rig->state), 77);
    assert_int_equal(state_rewind(rig->state, 78, &err), JL_ERR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_failed_pass_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_where_it_can_go_back_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoints_are_few_and_well_spread, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_how_many_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_recurrent_layers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
