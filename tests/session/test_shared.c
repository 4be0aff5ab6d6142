/* Sessions that share pages: whatever they do to each other, each has the logits of one that read
 * its tokens alone. Every kind of cached state: keys and values, latents, recurrences; experts and
 * quantised weights beside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "base/rng.h"
#include "session/session.h"
#include "support/golden.h"

#define SLOTS 5
#define MOST 420 // tokens of a session here: four pages

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec, *cold_exec;
    struct session_set *set;
    struct page_pool *cold_pool;
    struct session *sessions[SLOTS];
    float *logits; // (MOST, n_vocab)
    uint64_t seed, draws;
    int n_draft;
};

static uint32_t draw(struct rig *rig, uint32_t below) {
    struct rng_key key = {.seed = rig->seed, .purpose = RNG_TEST};
    return (uint32_t)((double)rng_uniform(&key, rig->draws++) * below);
}

struct setting {
    const char *path;
    int threads, rows;
    int n_page; // 0: enough
    size_t prefix_pages;
    int n_draft;
};

static void open_rig(struct rig *rig, const struct setting *s) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, s->threads};
    *rig = (struct rig){.seed = 1, .n_draft = s->n_draft};
    assert_int_equal(backend_cpu_create(&cpu, &rig->backend, &err), JL_OK);
    if (model_load(s->path, NULL, &rig->model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(exec_create(rig->model, rig->backend, s->rows, &rig->exec, &err), JL_OK);
    assert_int_equal(exec_create(rig->model, rig->backend, MOST, &rig->cold_exec, &err), JL_OK);
    size_t bytes = rig->model->page_bytes + rig->model->recurrent_bytes;
    const struct session_options options = {
        .n_seq = SLOTS,
        .n_page = s->n_page,
        .prefix_bytes = s->prefix_pages * bytes,
        .n_draft = s->n_draft,
    };
    if (session_set_create(rig->exec, &options, &rig->set, &err) != JL_OK)
        fail_msg("%s", err.message);
    rig->cold_pool = golden_pool(rig->model, rig->backend, 1);
    rig->logits = calloc((size_t)MOST * (size_t)rig->model->hp.n_vocab, sizeof(float));
}

static void close_rig(struct rig *rig) {
    struct page_pool *pool = session_set_pool(rig->set);
    for (int i = 0; i < SLOTS; i++)
        session_free(rig->sessions[i]);
    if (!session_set_cache(rig->set)) // whoever held a page has given it back
        for (int kind = 0; kind < PAGE_KINDS; kind++)
            assert_int_equal(page_pool_free_pages(pool, (enum page_kind)kind),
                             page_pool_size(pool, (enum page_kind)kind));
    session_set_free(rig->set);
    page_pool_free(rig->cold_pool);
    exec_free(rig->exec);
    exec_free(rig->cold_exec);
    model_free(rig->model);
    backend_free(rig->backend);
    free(rig->logits);
}

/* `got` are the logits after the n ids of a sequence that read them alone and at once. */
static void check_logits(struct rig *rig, const float *got, const int32_t *ids, int n) {
    struct jl_error err = {0};
    size_t n_vocab = (size_t)rig->model->hp.n_vocab;
    float *want = calloc(n_vocab, sizeof *want);
    struct state *cold;
    assert_int_equal(state_create(rig->cold_pool, &cold, &err), JL_OK);
    assert_int_equal(feed_prompt(rig->cold_exec, cold, ids, n, MOST, NULL, want, &err), JL_OK);
    assert_non_null(got);
    if (memcmp(got, want, n_vocab * sizeof *want))
        fail_msg("seed %lu: logits differ after %d tokens", (unsigned long)rig->seed, n);
    state_free(cold);
    free(want);
}

static void check(struct rig *rig, const struct session *session) {
    assert_int_equal(session_n_pending(session), 0);
    if (session_n_token(session) > 0)
        check_logits(rig, session_logits(session), session_ids(session), session_n_token(session));
}

/* A token of a text that many begin with alike; `text` 0 .. 2. */
static int32_t token(const struct rig *rig, int text, int i) {
    int same = text == 2 ? 150 : 0; // text 2 begins as text 0 does
    if (i < same) text = 0;
    return (int32_t)((i * (37 + 4 * text) + 11 + i / 50 * 3) % rig->model->hp.n_vocab);
}

static void fill(const struct rig *rig, int text, int from, int n, int32_t *ids) {
    for (int i = 0; i < n; i++)
        ids[i] = token(rig, text, from + i);
}

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static void run(struct rig *rig) { // everybody to the end of their tokens
    struct jl_error err = {0};
    struct session *list[SLOTS];
    int n = 0, pending;
    for (int i = 0; i < SLOTS; i++)
        if (rig->sessions[i]) list[n++] = rig->sessions[i];
    do {
        must(session_set_forward(rig->set, list, n, NULL, &err), &err);
        pending = 0;
        for (int i = 0; i < n; i++)
            pending += session_n_pending(list[i]);
    } while (pending > 0);
}

/* ---- forks ---- */

/* Forked at `at`, some with a whole page, some in the middle of one; then all go their ways. */
static void fork_and_part(struct rig *rig, int at) {
    struct jl_error err = {0};
    int32_t ids[MOST];
    int reused, n_vocab = rig->model->hp.n_vocab;
    fill(rig, 0, 0, at, ids);
    must(session_create(rig->set, &rig->sessions[0], &err), &err);
    must(session_sync(rig->sessions[0], ids, at, NULL, &reused, &err), &err);
    struct page_pool *pool = session_set_pool(rig->set);
    int free_pages = page_pool_free_pages(pool, PAGE_KEYS);
    for (int i = 1; i < SLOTS; i++) {
        must(session_fork(rig->sessions[0], &rig->sessions[i], &err), &err);
        assert_memory_equal(session_logits(rig->sessions[i]), session_logits(rig->sessions[0]),
                            (size_t)n_vocab * sizeof(float));
    }
    assert_int_equal(page_pool_free_pages(pool, PAGE_KEYS), free_pages); // nothing is copied yet
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < SLOTS; i++) {
            int32_t next = (int32_t)((7 * i + 13 * step) % n_vocab);
            must(session_add(rig->sessions[i], &next, 1, &err), &err);
        }
        run(rig);
    }
    for (int i = 0; i < SLOTS; i++)
        check(rig, rig->sessions[i]);
    // Each of the others has one page of its own, or two across the end of one.
    int own = at % KV_CHUNK && at % KV_CHUNK + 4 > KV_CHUNK ? 2 : 1;
    int mine = at % KV_CHUNK == 0 || own == 2; // a page more of the first one
    assert_int_equal(page_pool_free_pages(pool, PAGE_KEYS), free_pages - (SLOTS - 1) * own - mine);
    must(session_rewind(rig->sessions[0], at / 2, &err), &err); // nobody else goes back
    fill(rig, 1, 0, 20, ids);
    must(session_add(rig->sessions[0], ids, 20, &err), &err);
    run(rig);
    for (int i = 0; i < SLOTS; i++)
        check(rig, rig->sessions[i]);
    for (int i = 0; i < SLOTS; i++) {
        session_free(rig->sessions[i]);
        rig->sessions[i] = NULL;
    }
}

static const struct setting kinds[] = {
    {"tests/golden/llama", 3, 64, 0, 0},
    {"tests/golden/deepseek-v3", 1, 48, 0, 0},
    {"tests/golden/qwen3-next", 3, 40, 0, 0},
};
#define N_KIND (sizeof kinds / sizeof kinds[0])

static void test_forks(void **state) {
    (void)state;
    for (size_t k = 0; k < N_KIND; k++) {
        struct rig rig;
        open_rig(&rig, &kinds[k]);
        const int at[] = {1, 40, 126, 128, 200, 256};
        for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
            fork_and_part(&rig, at[i]);
        close_rig(&rig);
    }
}

/* The prediction layer writes into pages that are full and shared: of its last position there it
 * reads the token that comes next, which forks differ in. */
static void predict(struct exec *mtp, struct state *state, const int32_t *next, const float *hidden,
                    int first, int n, float *logits) {
    struct jl_error err = {0};
    struct feed_ahead feed = {state, next, hidden, first, n, n, NULL};
    must(feed_ahead(mtp, &feed, NULL, logits, &err), &err);
}

static void test_prediction_layer_of_forks(void **state) {
    (void)state;
    struct rig rig;
    struct jl_error err = {0};
    struct exec *mtp;
    struct state *forks[2], *alone;
    enum { N = KV_CHUNK, MORE = 5, TURNS = 3, ALL = N + TURNS * MORE };
    int32_t ids[2][ALL];
    float *hidden[2];
    const struct setting setting = {"tests/golden/deepseek-v3", 2, ALL, 0, 0};
    open_rig(&rig, &setting);
    size_t n_vocab = (size_t)rig.model->hp.n_vocab, n_embd = (size_t)rig.model->hp.n_embd;
    float *got = calloc(MORE * n_vocab, sizeof *got), *want = calloc(ALL * n_vocab, sizeof *want);
    must(exec_create_mtp(rig.model, rig.backend, ALL, &mtp, &err), &err);
    struct page_pool *pool = session_set_pool(rig.set);
    for (int f = 0; f < 2; f++) {
        hidden[f] = calloc(ALL * n_embd, sizeof(float));
        fill(&rig, 0, 0, N, ids[f]);
        fill(&rig, 1, f, ALL - N, ids[f] + N);
    }
    must(state_create(pool, &forks[0], &err), &err);
    struct feed feed = {forks[0], ids[0], N, 0, hidden[0]};
    must(feed_forward(rig.exec, &feed, 1, NULL, NULL, &err), &err);
    predict(mtp, forks[0], ids[0] + 1, hidden[0], 0, N - 1, want);
    must(state_fork(forks[0], &forks[1], &err), &err);
    assert_int_equal(state_n_ahead(forks[1]), N - 1);
    memcpy(hidden[1], hidden[0], N * n_embd * sizeof(float));
    for (int turn = 0; turn < 2 * TURNS; turn++) {
        int f = turn % 2, at = N + turn / 2 * MORE, end = at + MORE;
        feed = (struct feed){forks[f], ids[f] + at, MORE, 0, hidden[f] + at * n_embd};
        must(feed_forward(rig.exec, &feed, 1, NULL, NULL, &err), &err);
        predict(mtp, forks[f], ids[f] + at, hidden[f] + (at - 1) * n_embd, at - 1, MORE, got);
        must(state_create(pool, &alone, &err), &err);
        feed = (struct feed){alone, ids[f], end, 0, hidden[f]};
        must(feed_forward(rig.exec, &feed, 1, NULL, NULL, &err), &err);
        predict(mtp, alone, ids[f] + 1, hidden[f], 0, end - 1, want);
        assert_memory_equal(got, want + (at - 1) * n_vocab, MORE * n_vocab * sizeof *want);
        state_free(alone);
    }
    struct feed_ahead gap = {forks[0], ids[0], hidden[0], ALL, 1, 1, NULL};
    assert_int_equal(feed_ahead(mtp, &gap, NULL, got, &err), JL_ERR_USAGE); // ALL - 1 is missing
    assert_int_equal(state_reserve_ahead(forks[0], ALL - 1, KV_CHUNK, &err), JL_ERR_USAGE);
    must(state_rewind(forks[0], 50, &err), &err);
    assert_int_equal(state_n_ahead(forks[0]), 49);
    state_free(forks[0]);
    state_free(forks[1]);
    exec_free(mtp);
    free(hidden[0]);
    free(hidden[1]);
    free(got);
    free(want);
    close_rig(&rig);
}

/* ---- anything in any order ---- */

static int room(const struct session *session) {
    return MOST - session_n_token(session) - session_n_pending(session);
}

static void read_prompt(struct rig *rig, struct session *session) {
    struct jl_error err = {0};
    int32_t ids[MOST];
    int text = (int)draw(rig, 3), n = (int)draw(rig, MOST - 60) + 1, reused;
    fill(rig, text, 0, n, ids);
    if (draw(rig, 3) == 0) ids[draw(rig, (uint32_t)n)] = (int32_t)draw(rig, 200);
    if (draw(rig, 2)) { // and others beside it
        must(session_aim(session, ids, n, &reused, &err), &err);
    } else {
        must(session_sync(session, ids, n, NULL, &reused, &err), &err);
        check(rig, session);
    }
}

/* What the text goes on with, some of it wrong; or what the prediction layer says. */
static void draft_tokens(struct rig *rig, struct session *session) {
    struct jl_error err = {0};
    int32_t ids[40];
    int most = session_draft_room(session), n = 0;
    assert_true(most >= 0 && (most == 0 || session_n_pending(session) > 0));
    if (session_n_pending(session) == 0 && session_n_draft(session) > 0 && draw(rig, 2)) {
        int at = session_n_token(session); // the draft was read: this costs nothing
        must(session_add(session, session_ids(session) + at, 1, &err), &err);
        check(rig, session);
        return;
    }
    fill(rig, (int)draw(rig, 3), session_n_token(session) + session_n_pending(session), most, ids);
    if (most > 0 && draw(rig, 3) == 0) ids[draw(rig, (uint32_t)most)] = 7;
    if (draw(rig, 2)) session_predict(session, ids, most, &n);
    if (most > 0 && n == 0) n = (int)draw(rig, (uint32_t)most + 1);
    int32_t one = 3;
    assert_int_equal(session_draft(session, ids, most + 1, &err), JL_ERR_USAGE);
    if (session_n_pending(session) == 0) {
        assert_int_equal(session_draft(session, &one, 1, &err), JL_ERR_USAGE);
        return;
    }
    must(session_draft(session, ids, n, &err), &err);
    assert_int_equal(session_n_draft(session), n);
}

static void add_tokens(struct rig *rig, struct session *session) {
    struct jl_error err = {0};
    int32_t ids[40];
    int most = room(session) < 40 ? room(session) : 40;
    if (most < 1) return;
    int n = (int)draw(rig, (uint32_t)most) + 1, text = (int)draw(rig, 3);
    fill(rig, text, session_n_token(session), n, ids);
    if (session_n_pending(session) > 0 || draw(rig, 2)) {
        must(session_add(session, ids, n, &err), &err);
    } else {
        for (int i = 0; i < n; i++)
            must(session_push(session, ids[i], &err), &err);
    }
}

static void cancel(struct rig *rig) {
    struct jl_error err = {0};
    atomic_bool now = true;
    struct session *list[SLOTS];
    int n = 0, pending = 0;
    for (int i = 0; i < SLOTS; i++)
        if (rig->sessions[i]) {
            list[n++] = rig->sessions[i];
            pending += session_n_pending(rig->sessions[i]);
        }
    assert_int_equal(session_set_forward(rig->set, list, n, &now, &err),
                     pending ? JL_ERR_CANCELLED : JL_OK);
}

static void act(struct rig *rig) {
    struct jl_error err = {0};
    struct session **slot = &rig->sessions[draw(rig, SLOTS)];
    if (!*slot) {
        struct session *other = rig->sessions[draw(rig, SLOTS)];
        must(other ? session_fork(other, slot, &err) : session_create(rig->set, slot, &err), &err);
        return;
    }
    switch (draw(rig, rig->n_draft ? 14 : 9)) {
    case 9:
    case 10:
        add_tokens(rig, *slot); // and at once
    // fall through
    case 11:
    case 12:
    case 13: draft_tokens(rig, *slot); break;
    case 0:
    case 1: read_prompt(rig, *slot); break;
    case 2:
    case 3: add_tokens(rig, *slot); break;
    case 4: {
        uint32_t n = (uint32_t)(session_n_token(*slot) + session_n_pending(*slot));
        uint32_t to = draw(rig, n + 1);
        if (draw(rig, 3) == 0) to = draw(rig, 2) ? 0 : (uint32_t)session_n_token(*slot);
        must(session_rewind(*slot, (int)to, &err), &err);
        assert_true(session_n_pending(*slot) >= 0);
        assert_int_equal(session_n_token(*slot) + session_n_pending(*slot), to);
        break;
    }
    case 5:
        session_free(*slot);
        *slot = NULL;
        break;
    case 6: cancel(rig); break;
    default: run(rig); check(rig, *slot);
    }
}

/* Whatever passes others have made since. */
static void check_idle(struct rig *rig) {
    const struct session *session = rig->sessions[draw(rig, SLOTS)];
    if (session && session_n_pending(session) == 0 && session_logits(session)) check(rig, session);
}

static void test_any_order(void **state) {
    (void)state;
    static const struct setting settings[] = {
        {"tests/golden/llama", 2, 64, 0, 0},
        {"tests/golden/llama", 3, 17, 30, 10}, // 20 pages of sessions: the cache gives up
        {"tests/golden/qwen3-next", 2, 150, 0, 0},
        {"tests/golden/qwen3-next", 1, 40, 26, 12},
        {"tests/golden/qwen3-next", 2, 200, 0, 3},
        {"tests/golden/deepseek-v3-fp8", 2, 64, 30, 20},
        {"tests/golden/qwen3-moe", 2, 100, 0, 40},
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", 2, 50, 0, 8},
        {"tests/golden/llama", 2, 64, 0, 0, 8},
        {"tests/golden/llama", 2, 9, 30, 10, 16}, // more than a pass has rows for
        {"tests/golden/qwen3-next", 2, 64, 0, 0, 4},
        {"tests/golden/qwen3-next", 2, 150, 0, 12, 8},
        {"tests/golden/deepseek-v3", 2, 64, 0, 0, 5},
        {"tests/golden/deepseek-v3-fp8", 2, 40, 30, 12, 3},
        {"tests/golden/glm4-moe", 1, 33, 0, 30, 8},
    };
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        struct rig rig;
        open_rig(&rig, &settings[s]);
        rig.seed = 100 + s;
        for (int i = 0; i < 500; i++)
            act(&rig), check_idle(&rig);
        run(&rig);
        for (int i = 0; i < SLOTS; i++)
            if (rig.sessions[i]) check(&rig, rig.sessions[i]);
        close_rig(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_prediction_layer_of_forks),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
