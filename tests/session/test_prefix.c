/* The prefix cache: what is found, what is given up and when; then how much sessions reuse. The
 * bits are test_shared's matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/session.h"
#include "support/golden.h"

#define MODEL "tests/golden/llama"
#define RECURRENT "tests/golden/qwen3-next"

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

/* ---- entries ---- */

#define PAGES 8

struct rig {
    struct model model; // only what a pool asks for
    struct backend *backend;
    struct page_pool *pool;
    struct prefix_cache *cache;
    int32_t ids[PAGES * KV_CHUNK];
};

static void open_rig(struct rig *rig, int n_page, int n_recur, size_t budget) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 1};
    *rig = (struct rig){.model = {.page_bytes = 64, .recurrent_bytes = n_recur ? 64 : 0}};
    must(backend_cpu_create(&cpu, &rig->backend, &err), &err);
    const struct page_counts counts = {{n_page, n_recur}};
    must(page_pool_create(&rig->model, rig->backend, &counts, &rig->pool, &err), &err);
    must(prefix_create(rig->pool, budget, &rig->cache, &err), &err);
    for (int i = 0; i < PAGES * KV_CHUNK; i++)
        rig->ids[i] = i % 90 + i / 90;
}

static void close_rig(struct rig *rig) {
    prefix_free(rig->cache);
    for (int kind = 0; kind < PAGE_KINDS; kind++)
        assert_int_equal(page_pool_free_pages(rig->pool, (enum page_kind)kind),
                         page_pool_size(rig->pool, (enum page_kind)kind));
    page_pool_free(rig->pool);
    backend_free(rig->backend);
}

/* A new page's entry; only the cache and who pins it hold it. */
static struct prefix_entry *add(struct rig *rig, struct prefix_entry *parent, const int32_t *ids) {
    struct jl_error err = {0};
    must(page_pool_want(rig->pool, PAGE_KEYS, 1, &err), &err);
    struct page *page = page_pool_take(rig->pool, PAGE_KEYS);
    struct prefix_entry *entry = prefix_add(rig->cache, 0, parent, ids, page, NULL);
    page_drop(rig->pool, page);
    return entry;
}

/* Entries of the first n pages of the tokens, as a session leaves them. */
static struct prefix_entry *add_chain(struct rig *rig, int n) {
    struct prefix_entry *tip = NULL;
    for (int i = 0; i < n; i++) {
        struct prefix_entry *entry = add(rig, tip, rig->ids + i * KV_CHUNK);
        prefix_pin(rig->cache, entry);
        prefix_unpin(rig->cache, tip);
        tip = entry;
    }
    prefix_unpin(rig->cache, tip);
    return tip;
}

static void expect_found(struct rig *rig, int n, int depth) {
    const struct prefix_entry *found = prefix_find(rig->cache, 0, rig->ids, n);
    assert_int_equal(found ? prefix_depth(found) : 0, depth);
}

static void test_found_by_tokens(void **state) {
    (void)state;
    struct rig rig;
    open_rig(&rig, 64, 0, 64 * 64);
    struct prefix_entry *tip = add_chain(&rig, 3);
    assert_ptr_equal(prefix_find(rig.cache, 0, rig.ids, PAGES * KV_CHUNK), tip);
    expect_found(&rig, 3 * KV_CHUNK, 3);
    expect_found(&rig, 3 * KV_CHUNK - 1, 2);
    expect_found(&rig, KV_CHUNK - 1, 0);
    expect_found(&rig, 0, 0);
    for (int i = 0; i < 3 * KV_CHUNK; i += 37) { // any token counts
        rig.ids[i]++;
        expect_found(&rig, 3 * KV_CHUNK, i / KV_CHUNK);
        rig.ids[i]--;
    }
    // The same page behind another, and as a first one, is not the same.
    struct prefix_entry *other = add(&rig, NULL, rig.ids + KV_CHUNK);
    struct prefix_entry *behind = add(&rig, other, rig.ids + 2 * KV_CHUNK);
    assert_ptr_not_equal(prefix_find(rig.cache, 0, rig.ids, 3 * KV_CHUNK), behind);
    expect_found(&rig, 3 * KV_CHUNK, 3);
    // What is there is not added again.
    struct page *before = prefix_page(tip);
    int n_entry = prefix_stats(rig.cache).n_entry;
    add_chain(&rig, 3);
    assert_int_equal(prefix_stats(rig.cache).n_entry, n_entry);
    assert_ptr_equal(prefix_page(prefix_find(rig.cache, 0, rig.ids, 3 * KV_CHUNK)), before);
    close_rig(&rig);
}

/* Nobody finds what another has left, nor goes on from it; each has pages of their own. */
static void test_owners(void **state) {
    (void)state;
    struct rig rig;
    open_rig(&rig, 64, 0, 64 * 64);
    struct prefix_entry *mine = add_chain(&rig, 2);
    assert_null(prefix_find(rig.cache, 7, rig.ids, 2 * KV_CHUNK));
    struct jl_error err = {0};
    must(page_pool_want(rig.pool, PAGE_KEYS, 1, &err), &err);
    struct page *page = page_pool_take(rig.pool, PAGE_KEYS);
    struct prefix_entry *theirs = prefix_add(rig.cache, 7, NULL, rig.ids, page, NULL);
    page_drop(rig.pool, page);
    assert_ptr_not_equal(prefix_page(theirs), prefix_page(prefix_parent(mine)));
    assert_ptr_equal(prefix_find(rig.cache, 7, rig.ids, 2 * KV_CHUNK), theirs);
    assert_ptr_equal(prefix_find(rig.cache, 0, rig.ids, 2 * KV_CHUNK), mine);
    close_rig(&rig);
}

/* Far more chains than hash slots: every one is found, and no other. */
static void test_many_chains(void **state) {
    (void)state;
    struct rig rig;
    enum { N = 300 };
    open_rig(&rig, N, 0, N * 64);
    struct prefix_entry *entries[N];
    for (int i = 0; i < N; i++) {
        rig.ids[KV_CHUNK - 1] = i;
        entries[i] = add(&rig, NULL, rig.ids);
        assert_non_null(entries[i]);
    }
    for (int i = 0; i < N; i++) {
        rig.ids[KV_CHUNK - 1] = i;
        assert_ptr_equal(prefix_find(rig.cache, 0, rig.ids, KV_CHUNK), entries[i]);
    }
    close_rig(&rig);
}

static void test_budget(void **state) {
    (void)state;
    struct rig rig;
    open_rig(&rig, 64, 0, 4 * 64 + 63);
    add_chain(&rig, 3);
    rig.ids[KV_CHUNK]++; // another way on from the first page
    add_chain(&rig, 2);
    assert_int_equal(prefix_stats(rig.cache).n_entry, 4);
    add_chain(&rig, 3); // takes the end of the chain that was used least recently
    assert_int_equal(prefix_stats(rig.cache).n_entry, 4);
    assert_true(prefix_stats(rig.cache).bytes <= 4 * 64 + 63);
    expect_found(&rig, 3 * KV_CHUNK, 3);
    rig.ids[KV_CHUNK]--;
    expect_found(&rig, 3 * KV_CHUNK, 2);
    struct prefix_entry *pinned = prefix_find(rig.cache, 0, rig.ids, 2 * KV_CHUNK);
    prefix_pin(rig.cache, pinned);
    rig.ids[0]++; // a chain of others: pinned entries stay, and what they follow
    add_chain(&rig, 2);
    expect_found(&rig, 2 * KV_CHUNK, 2);
    rig.ids[0]--;
    expect_found(&rig, 3 * KV_CHUNK, 2);
    prefix_unpin(rig.cache, pinned);
    close_rig(&rig);
    open_rig(&rig, 64, 0, 63); // less than a page
    assert_null(add(&rig, NULL, rig.ids));
    close_rig(&rig);
}

/* A pinned end of a chain stays however long ago it was used, and where all stay nothing comes in.
 */
static void test_pinned_is_never_evicted(void **state) {
    (void)state;
    struct rig rig;
    open_rig(&rig, 64, 0, 3 * 64);
    struct prefix_entry *pinned = add(&rig, NULL, rig.ids);
    prefix_pin(rig.cache, pinned);
    for (int i = 1; i < PAGES; i++) {
        const int32_t *ids = rig.ids + i * KV_CHUNK;
        struct prefix_entry *other = add(&rig, NULL, ids);
        assert_non_null(other);
        assert_ptr_equal(prefix_find(rig.cache, 0, ids, KV_CHUNK), other);
        assert_int_equal(prefix_stats(rig.cache).n_entry, i < 2 ? 2 : 3);
    }
    expect_found(&rig, KV_CHUNK, 1);
    rig.ids[0]++;
    struct prefix_entry *more[2] = {add(&rig, NULL, rig.ids), NULL};
    prefix_pin(rig.cache, more[0]);
    rig.ids[0]++;
    prefix_pin(rig.cache, more[1] = add(&rig, NULL, rig.ids));
    rig.ids[0]++;
    assert_null(add(&rig, NULL, rig.ids)); // three, all pinned
    prefix_unpin(rig.cache, more[0]);
    assert_non_null(add(&rig, NULL, rig.ids));
    rig.ids[0] -= 3;
    expect_found(&rig, KV_CHUNK, 1);
    prefix_unpin(rig.cache, more[1]);
    prefix_unpin(rig.cache, pinned);
    close_rig(&rig);
}

/* Who needs pages gets those that nobody uses, and an error that costs nothing otherwise. */
static void test_pool_takes_back(void **state) {
    (void)state;
    struct rig rig;
    struct jl_error err = {0};
    open_rig(&rig, 6, 0, 100 * 64);
    struct prefix_entry *tip = add_chain(&rig, 5);
    prefix_pin(rig.cache, prefix_parent(prefix_parent(tip))); // the third page
    assert_int_equal(page_pool_free_pages(rig.pool, PAGE_KEYS), 1);
    assert_int_equal(page_pool_want(rig.pool, PAGE_KEYS, 4, &err), JL_ERR_MEMORY);
    assert_non_null(strstr(err.message, "4 more"));
    assert_non_null(strstr(err.message, "only 3"));
    assert_int_equal(prefix_stats(rig.cache).n_entry, 5);
    must(page_pool_want(rig.pool, PAGE_KEYS, 2, &err), &err);
    expect_found(&rig, 5 * KV_CHUNK, 4);
    must(page_pool_want(rig.pool, PAGE_KEYS, 3, &err), &err);
    expect_found(&rig, 5 * KV_CHUNK, 3);
    prefix_unpin(rig.cache, prefix_find(rig.cache, 0, rig.ids, 3 * KV_CHUNK));
    must(page_pool_want(rig.pool, PAGE_KEYS, 6, &err), &err);
    expect_found(&rig, 5 * KV_CHUNK, 0);
    close_rig(&rig);
}

static void test_recurrent_states(void **state) {
    (void)state;
    struct rig rig;
    struct jl_error err = {0};
    enum { N = 64 };
    open_rig(&rig, N, 40, 1000 * 64);
    struct prefix_entry *tip = NULL, *at[N];
    for (int i = 0; i < N; i++) {
        must(page_pool_want(rig.pool, PAGE_RECUR, 1, &err), &err);
        struct page *page = page_pool_take(rig.pool, PAGE_KEYS);
        struct page *recur = page_pool_take(rig.pool, PAGE_RECUR);
        at[i] = prefix_add(rig.cache, 0, tip, rig.ids, page, recur);
        assert_ptr_equal(prefix_recurrent(at[i]), recur);
        page_drop(rig.pool, page);
        page_drop(rig.pool, recur);
        prefix_pin(rig.cache, at[i]);
        prefix_unpin(rig.cache, tip);
        tip = at[i];
        if (i == 10) assert_non_null(prefix_use_recurrent(at[10]));
    }
    int n = prefix_stats(rig.cache).n_recur;
    assert_in_range(n, 12, 28); // few, and never far from where somebody comes back to
    assert_non_null(prefix_recurrent(at[10]));
    for (int i = 0, last = -1; i < N; i++) {
        if (prefix_recurrent(at[i])) last = i;
        if (i > 20) assert_true(last >= 0 && i - last <= 1 + (N - i) / 2);
    }
    must(page_pool_want(rig.pool, PAGE_RECUR, 40, &err), &err); // pinned pages keep no states
    assert_int_equal(prefix_stats(rig.cache).n_recur, 0);
    assert_int_equal(prefix_stats(rig.cache).n_entry, N);
    prefix_unpin(rig.cache, tip);
    close_rig(&rig);
}

/* ---- sessions ---- */

struct engine {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct session_set *set;
    int32_t ids[700];
};

static void open_engine(struct engine *e, const char *path, int rows, int n_page, size_t pages) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, 2};
    must(backend_cpu_create(&cpu, &e->backend, &err), &err);
    must(model_load(path, NULL, &e->model, &err), &err);
    must(exec_create(e->model, e->backend, rows, &e->exec, &err), &err);
    const struct session_options options = {
        .n_seq = 2,
        .n_page = n_page,
        .prefix_bytes = pages * (e->model->page_bytes + e->model->recurrent_bytes)};
    must(session_set_create(e->exec, &options, &e->set, &err), &err);
    for (int i = 0; i < 700; i++)
        e->ids[i] = (i * 37 + 11) % e->model->hp.n_vocab;
}

static void close_engine(struct engine *e) {
    session_set_free(e->set);
    exec_free(e->exec);
    model_free(e->model);
    backend_free(e->backend);
}

/* A session that comes, reads n tokens and goes. */
static void expect_reuse(struct engine *e, int n, int wanted) {
    struct jl_error err = {0};
    struct session *session;
    int reused = -1;
    must(session_create(e->set, &session, &err), &err);
    must(session_sync(session, e->ids, n, NULL, &reused, &err), &err);
    assert_int_equal(reused, wanted);
    session_free(session);
}

static void test_sessions_reuse_pages(void **state) {
    (void)state;
    struct engine e;
    open_engine(&e, MODEL, 300, 0, 20);
    expect_reuse(&e, 600, 0);
    expect_reuse(&e, 600, 512);
    expect_reuse(&e, 512, 384); // the last token is read for its logits
    expect_reuse(&e, 513, 512);
    expect_reuse(&e, 129, 128);
    expect_reuse(&e, 128, 0);
    e.ids[300]++;
    expect_reuse(&e, 600, 256);
    expect_reuse(&e, 600, 512);
    e.ids[300]--;
    expect_reuse(&e, 600, 512);
    e.ids[0]++;
    expect_reuse(&e, 200, 0);
    close_engine(&e);
    open_engine(&e, MODEL, 300, 0, 0); // without a cache
    expect_reuse(&e, 600, 0);
    expect_reuse(&e, 600, 0);
    close_engine(&e);
}

/* Only where a pass ended on the end of a page is there a state to go on from. */
static void test_recurrent_sessions_reuse_pages(void **state) {
    (void)state;
    struct engine e;
    open_engine(&e, RECURRENT, 300, 0, 20);
    expect_reuse(&e, 620, 0); // passes end at 256, 512, 604, 620
    expect_reuse(&e, 620, 512);
    expect_reuse(&e, 400, 256);
    expect_reuse(&e, 400, 384);
    e.ids[200]++; // the first page is the same, but there is no state after it
    expect_reuse(&e, 400, 0);
    expect_reuse(&e, 200, 0); // leaves one there
    expect_reuse(&e, 201, 128);
    expect_reuse(&e, 400, 384);
    close_engine(&e);
}

static void test_answers_are_cached_too(void **state) {
    (void)state;
    struct jl_error err = {0};
    const char *paths[] = {MODEL, RECURRENT};
    for (int p = 0; p < 2; p++) {
        struct engine e;
        struct session *session;
        int reused;
        open_engine(&e, paths[p], 64, 0, 20);
        must(session_create(e.set, &session, &err), &err);
        must(session_sync(session, e.ids, 100, NULL, &reused, &err), &err);
        for (int i = 100; i < 260; i++)
            must(session_push(session, e.ids[i], &err), &err);
        expect_reuse(&e, 300, 256); // while the first one still lives
        size_t free_before = (size_t)page_pool_free_pages(session_set_pool(e.set), PAGE_KEYS);
        session_free(session);
        // Of what it had, only the page that was not full is free now.
        assert_int_equal(page_pool_free_pages(session_set_pool(e.set), PAGE_KEYS), free_before + 1);
        close_engine(&e);
    }
}

/* Cached pages are no reason to refuse anybody, pages in use are. */
static void test_small_pool(void **state) {
    (void)state;
    struct engine e;
    struct jl_error err = {0};
    struct session *first, *second;
    int reused;
    open_engine(&e, MODEL, 64, 6, 100);
    expect_reuse(&e, 600, 0);
    must(session_create(e.set, &first, &err), &err);
    must(session_create(e.set, &second, &err), &err);
    e.ids[0]++;
    must(session_sync(first, e.ids, 500, NULL, &reused, &err), &err);
    e.ids[0]++;
    must(session_sync(second, e.ids, 200, NULL, &reused, &err), &err);
    enum jl_status status = session_sync(second, e.ids, 300, NULL, &reused, &err);
    assert_int_equal(status, JL_ERR_MEMORY);
    if (!strstr(err.message, "1 more") || !strstr(err.message, "6"))
        fail_msg("'%s' does not tell both numbers", err.message);
    assert_int_equal(session_sync(second, e.ids, 700, NULL, &reused, &err), JL_ERR_MEMORY);
    session_free(first);
    must(session_sync(second, e.ids, 300, NULL, &reused, &err), &err);
    assert_int_equal(reused, 200);
    session_free(second);
    close_engine(&e);
    open_engine(&e, MODEL, 64, 5, 0); // what never fits is refused before the work
    must(session_create(e.set, &first, &err), &err);
    assert_int_equal(session_capacity(first), 640);
    assert_int_equal(session_sync(first, e.ids, 641, NULL, &reused, &err), JL_ERR_LIMIT);
    if (!strstr(err.message, "641") || !strstr(err.message, "640") || !strstr(err.message, "4096"))
        fail_msg("'%s' does not tell the numbers", err.message);
    assert_int_equal(session_n_token(first), 0);
    must(session_sync(first, e.ids, 640, NULL, &reused, &err), &err);
    assert_int_equal(session_push(first, 1, &err), JL_ERR_LIMIT);
    session_free(first);
    close_engine(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_tokens),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_many_chains),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_pinned_is_never_evicted),
        cmocka_unit_test(test_pool_takes_back),
        cmocka_unit_test(test_recurrent_states),
        cmocka_unit_test(test_sessions_reuse_pages),
        cmocka_unit_test(test_recurrent_sessions_reuse_pages),
        cmocka_unit_test(test_answers_are_cached_too),
        cmocka_unit_test(test_small_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
