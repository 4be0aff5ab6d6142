#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sha256.h>

#include "kernel/kernel.h"
#include "session/sample.h"

#if defined(__aarch64__)
const char *const golden_levels[] = {"ref", "neon", NULL};
#else
const char *const golden_levels[] = {"ref", "avx2", "avx512", "amx", NULL};
#endif

bool golden_has_level(const char *level) {
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (!strcmp(level, kernel_level_name((enum kernel_level)i)))
            return kernel_level_available((enum kernel_level)i);
    return false;
}

bool golden_quick(void) {
    const char *quick = getenv("JINLIN_TEST_QUICK");
    return quick && *quick;
}

void golden_read_prompts(const char *path, const char *key, struct golden_prompts *out) {
    json_error_t where;
    json_t *root = json_load_file(path, 0, &where), *lists;
    *out = (struct golden_prompts){0};
    if (!root) fail_msg("%s: %s", path, where.text);
    lists = json_object_get(root, key);
    out->n = (int)json_array_size(lists);
    assert_in_range(out->n, 1, 8);
    for (int p = 0; p < out->n; p++) {
        const json_t *list = json_array_get(lists, (size_t)p);
        out->n_id[p] = (int)json_array_size(list);
        out->ids[p] = calloc((size_t)out->n_id[p], sizeof(int32_t));
        for (int i = 0; i < out->n_id[p]; i++)
            out->ids[p][i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
    }
    json_decref(root);
}

void golden_free_prompts(struct golden_prompts *prompts) {
    for (int p = 0; p < prompts->n; p++)
        free(prompts->ids[p]);
}

float *golden_read_floats(const char *path, size_t n) {
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: cannot open", path);
    float *out = calloc(n + 1, sizeof *out);
    assert_int_equal(fread(out, sizeof *out, n + 1, file), n);
    fclose(file);
    return out;
}

void golden_sha256(const void *data, size_t bytes, char out[65]) { SHA256Data(data, bytes, out); }

struct opened {
    struct model *loaded; // NULL: the caller's
    const struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct page_pool *pool;
};

static void must(enum jl_status status, const struct jl_error *err, const char *path) {
    if (status != JL_OK) fail_msg("%s: %s", path, err->message);
}

struct page_pool *golden_pool(const struct model *model, struct backend *backend, int n_seq) {
    struct jl_error err = {0};
    struct page_pool *pool;
    struct page_counts counts = page_counts_for(model, n_seq, model->hp.n_ctx_train);
    must(page_pool_create(model, backend, &counts, &pool, &err), &err, "a page pool");
    return pool;
}

static struct opened open_run(const struct golden_run *run, int max_rows) {
    struct opened o = {0};
    struct jl_error err = {0};
    struct class_request request = {run->act, run->kv};
    struct backend_options cpu = {run->level, run->threads};
    must(backend_cpu_create(&cpu, &o.backend, &err), &err, run->path);
    if (!run->model) must(model_load(run->path, &request, &o.loaded, &err), &err, run->path);
    o.model = run->model ? run->model : o.loaded;
    must(exec_create(o.model, o.backend, max_rows, &o.exec, &err), &err, run->path);
    o.pool = golden_pool(o.model, o.backend, 5);
    return o;
}

static void close_run(struct opened *o) {
    page_pool_free(o->pool);
    exec_free(o->exec);
    model_free(o->loaded);
    backend_free(o->backend);
}

float *golden_logits(const struct golden_run *run, int *n_vocab) {
    struct jl_error err = {0};
    const struct golden_prompts *p = run->prompts;
    int n_feed = 1 + run->n_also, which[5], fed[5] = {0}, rows = 0;
    struct feed feeds[5] = {{0}};
    for (int f = 0; f < n_feed; f++) {
        which[f] = f ? run->also[f - 1] : run->prompt;
        rows += p->n_id[which[f]];
    }
    struct opened o = open_run(run, rows);
    *n_vocab = o.model->hp.n_vocab;
    float *out = calloc((size_t)p->n_id[run->prompt] * (size_t)*n_vocab, sizeof *out);
    for (int f = 0; f < n_feed; f++) {
        must(state_create(o.pool, &feeds[f].state, &err), &err, run->path);
    }
    for (bool more = true; more;) {
        float *at = out + (size_t)fed[0] * (size_t)*n_vocab;
        more = false;
        for (int f = 0; f < n_feed; f++) {
            int left = p->n_id[which[f]] - fed[f];
            feeds[f].tokens = p->ids[which[f]] + fed[f];
            feeds[f].n_token = run->chunk && left > run->chunk ? run->chunk : left;
            feeds[f].n_logits = f ? 0 : feeds[f].n_token;
            fed[f] += feeds[f].n_token;
            more |= fed[f] < p->n_id[which[f]];
        }
        must(feed_forward(o.exec, feeds, n_feed, NULL, at, &err), &err, run->path);
    }
    for (int f = 0; f < n_feed; f++)
        state_free(feeds[f].state);
    close_run(&o);
    return out;
}

float *golden_mtp_logits(const struct golden_run *run, int *n_vocab) {
    struct jl_error err = {0};
    const struct golden_prompts *p = run->prompts;
    const int32_t *ids = p->ids[run->prompt];
    int n = p->n_id[run->prompt], step = run->chunk ? run->chunk : n;
    struct opened o = open_run(run, n);
    struct exec *mtp;
    struct state *state;
    size_t n_embd = (size_t)o.model->hp.n_embd;
    *n_vocab = o.model->hp.n_vocab;
    float *hidden = calloc((size_t)n * n_embd, sizeof *hidden);
    float *out = calloc((size_t)(n - 1) * (size_t)*n_vocab, sizeof *out);
    must(exec_create_mtp(o.model, o.backend, n, &mtp, &err), &err, run->path);
    must(state_create(o.pool, &state, &err), &err, run->path);
    for (int at = 0; at < n; at += step) { // the layers and the layer behind them take turns
        int rows = n - at < step ? n - at : step, ahead = at + rows < n ? rows : rows - 1;
        struct feed feed = {state, ids + at, rows, 0, hidden + (size_t)at * n_embd};
        must(feed_forward(o.exec, &feed, 1, NULL, NULL, &err), &err, run->path);
        struct feed_ahead next = {state, ids + at + 1, feed.hidden, at, ahead, ahead, NULL};
        if (ahead > 0)
            must(feed_ahead(mtp, &next, NULL, out + (size_t)at * (size_t)*n_vocab, &err), &err,
                 run->path);
    }
    free(hidden);
    state_free(state);
    exec_free(mtp);
    close_run(&o);
    return out;
}

void golden_greedy(const struct golden_run *run, int n, int32_t *ids) {
    struct jl_error err = {0};
    const struct golden_prompts *p = run->prompts;
    struct opened o = open_run(run, p->n_id[run->prompt]);
    struct state *state;
    float *logits = calloc((size_t)o.model->hp.n_vocab, sizeof *logits);
    must(state_create(o.pool, &state, &err), &err, run->path);
    must(feed_prompt(o.exec, state, p->ids[run->prompt], p->n_id[run->prompt], p->n_id[run->prompt],
                     NULL, logits, &err),
         &err, run->path);
    for (int i = 0; i < n; i++) {
        ids[i] = sample_greedy(logits, o.model->hp.n_vocab);
        must(feed_prompt(o.exec, state, &ids[i], 1, 1, NULL, logits, &err), &err, run->path);
    }
    free(logits);
    state_free(state);
    close_run(&o);
}
