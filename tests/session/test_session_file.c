/* Session files: what is restored has the bits of what was saved, and no file that is anything else
 * than what it should be changes a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "session/session_file.h"
#include "session/session_format.h"
#include "support/golden.h"
#include "support/scratch.h"

#define MODEL "tests/golden/llama"
#define RECURRENT "tests/golden/qwen3-next"
#define MOST 400

struct engine {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct session_set *set;
    struct session *session;
    int32_t ids[MOST];
};

struct setting {
    const char *path, *act, *kv;
    int threads, rows;
};

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) fail_msg("%s", err->message);
}

static void open_engine(struct engine *e, const struct setting *s, int n_page, size_t prefix) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, s->threads};
    struct class_request request = {s->act, s->kv};
    must(backend_cpu_create(&cpu, &e->backend, &err), &err);
    must(model_load(s->path, &request, &e->model, &err), &err);
    must(exec_create(e->model, e->backend, s->rows, &e->exec, &err), &err);
    const struct session_options options = {.n_seq = 2, .n_page = n_page, .prefix_bytes = prefix};
    must(session_set_create(e->exec, &options, &e->set, &err), &err);
    must(session_create(e->set, &e->session, &err), &err);
    for (int i = 0; i < MOST; i++)
        e->ids[i] = (i * 37 + 11) % e->model->hp.n_vocab;
}

static void close_engine(struct engine *e) {
    session_free(e->session);
    session_set_free(e->set);
    exec_free(e->exec);
    model_free(e->model);
    backend_free(e->backend);
}

static void sync(struct engine *e, int n, int wanted_reused) {
    struct jl_error err = {0};
    int reused = -1;
    must(session_sync(e->session, e->ids, n, NULL, &reused, &err), &err);
    assert_int_equal(reused, wanted_reused);
}

static void push(struct engine *e, int from, int to) {
    struct jl_error err = {0};
    for (int i = from; i < to; i++)
        must(session_push(e->session, e->ids[i], &err), &err);
}

/* The logits are those of a session that read its n ids and nothing else. */
static void check(struct engine *e, int n) {
    struct jl_error err = {0};
    struct session_set *set;
    struct session *cold;
    int reused;
    const struct session_options options = {.n_seq = 1};
    must(session_set_create(e->exec, &options, &set, &err), &err);
    must(session_create(set, &cold, &err), &err);
    must(session_sync(cold, e->ids, n, NULL, &reused, &err), &err);
    assert_int_equal(session_n_token(e->session), n);
    assert_memory_equal(session_ids(e->session), e->ids, (size_t)n * sizeof(int32_t));
    assert_non_null(session_logits(e->session));
    assert_memory_equal(session_logits(e->session), session_logits(cold),
                        (size_t)e->model->hp.n_vocab * sizeof(float));
    session_free(cold);
    session_set_free(set);
}

static uint8_t *bytes_of(const char *path, size_t *size) {
    struct jl_error err = {0};
    char *data;
    must(file_read(path, (size_t)1 << 30, &data, size, &err), &err);
    return (uint8_t *)data;
}

/* ---- there and back ---- */

static void there_and_back(const struct setting *from, const struct setting *to, int n) {
    struct jl_error err = {0};
    struct engine a, b;
    const char *path = scratch_path("there.session");
    open_engine(&a, from, 0, 0);
    sync(&a, n - n / 3, 0);
    push(&a, n - n / 3, n);
    must(session_save(a.session, path, &err), &err);
    open_engine(&b, to, 0, 0);
    must(session_load(b.session, path, &err), &err);
    check(&b, n);
    push(&b, n, n + 9); // goes on at once
    check(&b, n + 9);
    push(&a, n, n + 9); // and so does the one that was saved
    check(&a, n + 9);
    must(session_load(b.session, path, &err), &err); // over another
    check(&b, n);
    sync(&b, n + 40, n);
    check(&b, n + 40);
    b.ids[n - 2]++; // goes back as before, as far as it can
    int reused;
    must(session_sync(b.session, b.ids, n + 20, NULL, &reused, &err), &err);
    assert_in_range(reused, n > 150 ? n - 150 : 0, n - 2);
    check(&b, n + 20);
    close_engine(&a);
    close_engine(&b);
}

static void test_there_and_back(void **state) {
    (void)state;
    static const struct setting settings[][2] = {
        {{MODEL, NULL, NULL, 1, 64}, {MODEL, NULL, NULL, 3, 20}},
        {{MODEL, "f32", "f32", 2, 64}, {MODEL, "f32", "f32", 1, 100}},
        {{MODEL, "bf16", "bf16", 2, 30}, {MODEL, "bf16", "bf16", 2, 64}},
        {{MODEL, "f32", "q8", 2, 30}, {MODEL, "f32", "q8", 1, 64}},
        {{RECURRENT, NULL, NULL, 3, 64}, {RECURRENT, NULL, NULL, 1, 150}},
        {{"tests/golden/deepseek-v3", NULL, NULL, 2, 64},
         {"tests/golden/deepseek-v3", NULL, NULL, 1, 64}},
        {{"tests/golden/gguf/small-llama.q4_k_m.gguf", NULL, NULL, 2, 64},
         {"tests/golden/gguf/small-llama.q4_k_m.gguf", NULL, NULL, 3, 31}},
    };
    const int lengths[] = {3, 128, 200, 300};
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++)
        for (size_t i = 0; i < 4; i++)
            there_and_back(&settings[s][0], &settings[s][1], lengths[i]);
}

static const struct setting plain = {MODEL, NULL, NULL, 2, 64};

/* What other sessions have left in a page's unused part does not reach the disk. */
static void test_same_tokens_same_file(void **state) {
    (void)state;
    struct jl_error err = {0};
    static const struct setting settings[] = {{MODEL, NULL, NULL, 2, 64},
                                              {MODEL, "bf16", "bf16", 2, 64},
                                              {MODEL, "f32", "f32", 2, 64},
                                              {MODEL, "f32", "q8", 2, 64},
                                              {"tests/golden/deepseek-v3", NULL, NULL, 2, 64}};
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        size_t size[2];
        uint8_t *data[2];
        struct engine e;
        open_engine(&e, &settings[s], 0, 0);
        for (int round = 0; round < 2; round++) {
            sync(&e, 141, 0);
            must(session_save(e.session, scratch_path("same"), &err), &err);
            data[round] = bytes_of(scratch_path("same"), &size[round]);
            e.ids[0]++;
            sync(&e, 256, 0); // others
            e.ids[0]--;
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(data[0], data[1], size[0]);
        free(data[0]);
        free(data[1]);
        close_engine(&e);
    }
}

static void test_without_logits(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct engine e;
    atomic_bool cancel = true;
    int reused;
    open_engine(&e, &plain, 0, 0);
    must(session_save(e.session, scratch_path("empty"), &err), &err); // nothing read yet
    sync(&e, 50, 0);
    const struct session_watch watch = {.cancel = &cancel};
    assert_int_equal(session_sync(e.session, e.ids, 200, &watch, &reused, &err), JL_ERR_CANCELLED);
    must(session_save(e.session, scratch_path("half"), &err), &err);
    must(session_load(e.session, scratch_path("empty"), &err), &err);
    assert_int_equal(session_n_token(e.session), 0);
    assert_null(session_logits(e.session));
    sync(&e, 20, 0);
    must(session_load(e.session, scratch_path("half"), &err), &err);
    assert_int_equal(session_n_token(e.session), 50);
    assert_int_equal(session_n_pending(e.session), 0);
    assert_null(session_logits(e.session));
    sync(&e, 200, 50);
    check(&e, 200);
    close_engine(&e);
}

/* A restored session is as good a source of cached pages as any, and takes them from there. */
static void test_with_a_prefix_cache(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct engine e;
    open_engine(&e, &plain, 0, (size_t)1 << 30);
    sync(&e, 300, 0);
    must(session_save(e.session, scratch_path("cached"), &err), &err);
    int before = page_pool_free_pages(session_set_pool(e.set), PAGE_KEYS);
    must(session_load(e.session, scratch_path("cached"), &err), &err);
    assert_int_equal(page_pool_free_pages(session_set_pool(e.set), PAGE_KEYS), before);
    check(&e, 300);
    close_engine(&e);
    open_engine(&e, &plain, 0, (size_t)1 << 30);
    must(session_load(e.session, scratch_path("cached"), &err), &err);
    session_free(e.session);
    must(session_create(e.set, &e.session, &err), &err);
    sync(&e, 290, 256);
    check(&e, 290);
    close_engine(&e);
}

/* ---- what is refused ---- */

struct victim {
    struct engine e;
    float *logits; // before
    uint8_t *file;
    size_t size;
};

static void open_victim(struct victim *v, const struct setting *s) {
    struct jl_error err = {0};
    open_engine(&v->e, s, 0, 0);
    sync(&v->e, 150, 0);
    must(session_save(v->e.session, scratch_path("good"), &err), &err);
    v->file = bytes_of(scratch_path("good"), &v->size);
    v->e.ids[1]++;
    sync(&v->e, 30, v->e.model->recurrent_bytes ? 0 : 1);
    size_t bytes = (size_t)v->e.model->hp.n_vocab * sizeof(float);
    v->logits = malloc(bytes);
    memcpy(v->logits, session_logits(v->e.session), bytes);
}

static void close_victim(struct victim *v) {
    free(v->logits);
    free(v->file);
    close_engine(&v->e);
}

static void expect_refused(struct victim *v, const uint8_t *file, size_t size,
                           enum jl_status status, const char *named) {
    struct jl_error err = {0};
    struct page_pool *pool = session_set_pool(v->e.set);
    int before[PAGE_KINDS];
    for (int kind = 0; kind < PAGE_KINDS; kind++)
        before[kind] = page_pool_free_pages(pool, (enum page_kind)kind);
    scratch_write("bad.session", file, size);
    enum jl_status got = session_load(v->e.session, scratch_path("bad.session"), &err);
    if (got == JL_OK) fail_msg("a file that is not whole was read (%s)", named);
    if (status != JL_OK && got != status)
        fail_msg("%s: %d instead of %d", err.message, got, status);
    if (!strstr(err.message, "bad.session") || !strstr(err.message, named))
        fail_msg("'%s' is not in: %s", named, err.message);
    assert_int_equal(session_n_token(v->e.session), 30);
    assert_memory_equal(session_ids(v->e.session), v->e.ids, 30 * sizeof(int32_t));
    assert_memory_equal(session_logits(v->e.session), v->logits,
                        (size_t)v->e.model->hp.n_vocab * sizeof(float));
    for (int kind = 0; kind < PAGE_KINDS; kind++)
        assert_int_equal(page_pool_free_pages(pool, (enum page_kind)kind), before[kind]);
}

/* All offsets of what describes the rest, some of the rest. */
static size_t next_offset(const struct victim *v, size_t at) {
    size_t tokens = sizeof(struct session_head), page = tokens + 150 * 4;
    size_t data = page + sizeof(struct session_page_head), end = v->size - SESSION_SUM_BYTES - 4;
    size_t step = at >= tokens && at < page ? 53 : at >= data && at < end ? 9973 : 1;
    return at < page && at + step > page ? page : at < end && at + step > end ? end : at + step;
}

static void test_damaged(void **state) {
    (void)state;
    static const struct setting settings[] = {{MODEL, NULL, NULL, 1, 64},
                                              {RECURRENT, NULL, NULL, 1, 64}};
    for (int s = 0; s < 2; s++) {
        struct victim v;
        open_victim(&v, &settings[s]);
        for (size_t at = 0; at < v.size; at = next_offset(&v, at)) {
            v.file[at] ^= (uint8_t)(1u << at % 8);
            expect_refused(&v, v.file, v.size, JL_OK, "");
            v.file[at] ^= (uint8_t)(1u << at % 8);
        }
        for (size_t n = 0; n < v.size; n = next_offset(&v, n))
            expect_refused(&v, v.file, n, JL_ERR_FORMAT, "cut off");
        v.file = realloc(v.file, v.size + 1);
        v.file[v.size] = 0;
        expect_refused(&v, v.file, v.size + 1, JL_ERR_FORMAT, "follows");
        close_victim(&v);
    }
}

/* Somebody who knows the format: all checksums fit. */
static void seal(uint8_t *file, size_t size, size_t page) {
    struct session_page_head *head = (struct session_page_head *)(void *)(file + page);
    if (page) session_sum(head, sizeof *head - SESSION_SUM_BYTES, head->sum);
    session_sum(file, sizeof(struct session_head) - SESSION_SUM_BYTES,
                file + sizeof(struct session_head) - SESSION_SUM_BYTES);
    session_sum(file, size - SESSION_SUM_BYTES, file + size - SESSION_SUM_BYTES);
}

struct lie {
    size_t at;
    uint64_t value;
    int bytes;
    enum jl_status status;
    const char *named;
};
#define HEAD(field) offsetof(struct session_head, field)
#define PAGE(field) offsetof(struct session_page_head, field)

static void tell(struct victim *v, const struct lie *lie, size_t base) {
    uint8_t *copy = malloc(v->size);
    memcpy(copy, v->file, v->size);
    memcpy(copy + base + lie->at, &lie->value, (size_t)lie->bytes);
    seal(copy, v->size, base);
    expect_refused(v, copy, v->size, lie->status, lie->named);
    free(copy);
}

static void test_lies(void **state) {
    (void)state;
    static const struct lie heads[] = {
        {HEAD(magic), 'X', 1, JL_ERR_FORMAT, "magic"},
        {HEAD(version), 2, 4, JL_ERR_UNSUPPORTED, "version"},
        {HEAD(head_bytes), 512, 4, JL_ERR_UNSUPPORTED, "version"},
        {HEAD(file_bytes), UINT64_MAX, 8, JL_ERR_FORMAT, "file_bytes"},
        {HEAD(cls), 'b', 1, JL_ERR_UNSUPPORTED, "class"},
        {HEAD(model), 0, 8, JL_ERR_UNSUPPORTED, "fingerprint"},
        {HEAD(page_bytes), (uint64_t)1 << 60, 8, JL_ERR_FORMAT, "page_bytes"},
        {HEAD(recurrent_bytes), 64, 8, JL_ERR_FORMAT, "recurrent_bytes"},
        {HEAD(n_token), 4097, 4, JL_ERR_LIMIT, "4096"},
        {HEAD(n_token), UINT32_MAX, 4, JL_ERR_LIMIT, "n_token"},
        {HEAD(n_token), 300, 4, JL_ERR_FORMAT, "n_page"},
        {HEAD(n_token), 151, 4, JL_ERR_FORMAT, "file_bytes"},
        {HEAD(n_page), 0, 4, JL_ERR_FORMAT, "n_page"},
        {HEAD(n_page), UINT32_MAX, 4, JL_ERR_FORMAT, "n_page"},
        {HEAD(n_recur), 1, 4, JL_ERR_FORMAT, "n_recur"},
        {HEAD(n_vocab), 7, 4, JL_ERR_FORMAT, "n_vocab"},
        {HEAD(n_vocab), 0, 4, JL_ERR_FORMAT, "file_bytes"},
        {HEAD(n_prompt), 151, 4, JL_ERR_FORMAT, "n_prompt"},
        {HEAD(n_ahead), 1, 4, JL_ERR_FORMAT, "n_ahead"},
        {HEAD(zero), 1, 1, JL_ERR_FORMAT, "zero"},
        {sizeof(struct session_head) + 40, 320, 4, JL_ERR_FORMAT, "token 10"},
        {sizeof(struct session_head) + 40, UINT32_MAX, 4, JL_ERR_FORMAT, "token 10"},
        {sizeof(struct session_head) + 40, 0, 4, JL_ERR_FORMAT, "chain"},
    };
    static const struct lie pages[] = {
        {PAGE(magic), 0, 1, JL_ERR_FORMAT, "magic"},
        {PAGE(version), 0, 4, JL_ERR_FORMAT, "version"},
        {PAGE(kind), 1, 4, JL_ERR_FORMAT, "kind"},
        {PAGE(first), 1, 4, JL_ERR_FORMAT, "first"},
        {PAGE(n_pos), 127, 4, JL_ERR_FORMAT, "n_pos"},
        {PAGE(bytes), (uint64_t)1 << 62, 8, JL_ERR_FORMAT, "bytes"},
        {PAGE(chain), 0, 8, JL_ERR_FORMAT, "chain"},
        {PAGE(summary), 1, 1, JL_ERR_UNSUPPORTED, "summary"},
        {PAGE(data_sum), 0, 8, JL_ERR_FORMAT, "checksum"},
        {sizeof(struct session_page_head) + 5, 0x5555, 2, JL_ERR_FORMAT, "checksum"},
    };
    struct victim v;
    open_victim(&v, &plain);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        tell(&v, &heads[i], 0);
    size_t page = sizeof(struct session_head) + 150 * 4;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        tell(&v, &pages[i], page);
    size_t logits = v.size - SESSION_SUM_BYTES - (size_t)v.e.model->hp.n_vocab * 4;
    const struct lie nan = {logits + 8, 0x7fc00000, 4, JL_ERR_FORMAT, "logit 2"};
    tell(&v, &nan, 0);
    close_victim(&v);
}

/* Checkpoints of recurrent layers: in order, within the tokens, of a kind that exists. */
static void test_lies_about_checkpoints(void **state) {
    (void)state;
    struct victim v;
    const struct setting setting = {RECURRENT, NULL, NULL, 1, 40};
    open_victim(&v, &setting);
    const struct session_head *head = (const struct session_head *)(void *)v.file;
    assert_true(head->n_recur >= 3);
    size_t record = sizeof(struct session_page_head);
    size_t first = sizeof *head + head->n_token * 4 + head->n_page * (record + head->page_bytes) +
                   record + head->recurrent_bytes;
    const struct lie lies[] = {
        {PAGE(n_pos), 0, 4, JL_ERR_FORMAT, "checkpoint 0"},
        {PAGE(n_pos), 151, 4, JL_ERR_FORMAT, "checkpoint 0"},
        {PAGE(n_pos), UINT32_MAX, 4, JL_ERR_FORMAT, "checkpoint 0"},
        {PAGE(n_pos), 150, 4, JL_ERR_FORMAT, "checkpoint 1"},
        {PAGE(kind), 0, 4, JL_ERR_FORMAT, "checkpoint 0"},
        {PAGE(kind), 1, 4, JL_ERR_FORMAT, "checkpoint 0"},
        {PAGE(kind), 9, 4, JL_ERR_FORMAT, "checkpoint 0"},
        {PAGE(chain), 9, 8, JL_ERR_FORMAT, "chain"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        tell(&v, &lies[i], first);
    const struct lie many = {HEAD(n_recur), 2 + STATE_CHECKPOINTS, 4, JL_ERR_FORMAT, "n_recur"};
    tell(&v, &many, 0);
    close_victim(&v);
}

static void test_other_owners(void **state) {
    (void)state;
    static const struct {
        struct setting setting;
        const char *named;
    } others[] = {
        {{"tests/golden/qwen3", "f32", "f16", 1, 64}, "fingerprint"},
        {{"tests/golden/llama-llama3rope-tied", "f32", "f16", 1, 64}, "fingerprint"},
        {{MODEL, "f32", "f32", 1, 64}, "kv=f32"},
        {{MODEL, "f32", "q8", 1, 64}, "kv=q8"},
        {{MODEL, "bf16", "bf16", 1, 64}, "act=bf16"},
    };
    struct victim v;
    open_victim(&v, &plain);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct engine e;
        struct jl_error err = {0};
        open_engine(&e, &others[i].setting, 0, 0);
        if (session_load(e.session, scratch_path("good"), &err) != JL_ERR_UNSUPPORTED ||
            !strstr(err.message, others[i].named))
            fail_msg("%s", err.message);
        close_engine(&e);
    }
    close_victim(&v);
}

static void test_no_files(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct engine e;
    open_engine(&e, &plain, 3, 0);
    sync(&e, 140, 0);
    assert_int_equal(session_load(e.session, scratch_path("nowhere"), &err), JL_ERR_IO);
    assert_int_equal(session_load(e.session, scratch_dir(), &err), JL_ERR_IO);
    assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
    assert_int_equal(session_load(e.session, scratch_path("fifo"), &err), JL_ERR_IO);
    assert_int_equal(session_save(e.session, "/nowhere/at/all", &err), JL_ERR_IO);
    assert_int_equal(session_save(e.session, "/dev/full", &err), JL_ERR_IO);
    must(session_save(e.session, scratch_path("fits"), &err), &err);
    sync(&e, 140, 140);
    // The pool has one page more than these two.
    assert_int_equal(session_load(e.session, scratch_path("fits"), &err), JL_ERR_MEMORY);
    sync(&e, 140, 140);
    check(&e, 140);
    must(session_rewind(e.session, 100, &err), &err);
    must(session_load(e.session, scratch_path("fits"), &err), &err);
    check(&e, 140);
    close_engine(&e);
}

static int clean_up(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_same_tokens_same_file),
        cmocka_unit_test(test_without_logits),
        cmocka_unit_test(test_with_a_prefix_cache),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_lies_about_checkpoints),
        cmocka_unit_test(test_other_owners),
        cmocka_unit_test(test_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
