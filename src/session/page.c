#include "session/page.h"

#include <stdlib.h>

#include "session/state.h"

struct shelf { // the pages of one kind
    struct backend_array *buffers;
    struct page *pages; // (n)
    int n, n_free;
    int n_fresh;       // the last so many pages were never taken
    struct page *free; // those given back, the last one first: its memory is warm
};

struct page_pool {
    const struct model *model;
    struct backend *backend;
    struct shelf shelves[PAGE_KINDS];
    struct page *nothing; // NULL: no recurrent layers
    struct page_reclaimer reclaimer;
};

static size_t kind_bytes(const struct model *model, enum page_kind kind) {
    return kind == PAGE_KEYS ? model->page_bytes : model->recurrent_bytes;
}

/* ---- sizes ---- */

static int saturated(int64_t n) { return n > INT32_MAX ? INT32_MAX : (int)n; }

struct page_counts page_counts_for(const struct model *model, int n_seq, int n_pos) {
    int64_t pages = ((int64_t)n_pos + KV_CHUNK - 1) / KV_CHUNK * n_seq, recur = 0;
    // What a sequence has read, what the pass that runs now writes, and checkpoints.
    if (model->recurrent_bytes)
        recur = (int64_t)(2 + state_checkpoints_kept(model->recurrent_bytes)) * n_seq;
    return (struct page_counts){{saturated(pages), saturated(recur)}};
}

/* The pool's own page of zeros counts, too. */
static int shelf_size(const struct model *model, const struct page_counts *counts,
                      enum page_kind kind) {
    if (kind == PAGE_KEYS) return counts->n[kind];
    return model->recurrent_bytes ? saturated((int64_t)counts->n[kind] + 1) : 0;
}

enum jl_status page_counts_bytes(const struct model *model, const struct page_counts *counts,
                                 size_t *out, struct jl_error *err) {
    size_t sum = 0, bytes;
    for (int kind = 0; kind < PAGE_KINDS; kind++) {
        int n = shelf_size(model, counts, (enum page_kind)kind);
        if (!size_mul(kind_bytes(model, (enum page_kind)kind), (size_t)n, &bytes) ||
            !size_add(sum, bytes, &sum))
            return jl_fail(err, JL_ERR_LIMIT, "%d cache pages of %zu bytes overflow", n,
                           kind_bytes(model, (enum page_kind)kind));
    }
    *out = sum;
    return JL_OK;
}

/* ---- the pool ---- */

static enum jl_status fill_shelf(struct page_pool *pool, enum page_kind kind, int n,
                                 struct jl_error *err) {
    struct shelf *shelf = &pool->shelves[kind];
    if (n == 0) return JL_OK;
    shelf->pages = calloc((size_t)n, sizeof *shelf->pages);
    if (!shelf->pages) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d cache pages", n);
    JL_TRY(backend_array_create(pool->backend, kind_bytes(pool->model, kind), n, &shelf->buffers,
                                err));
    shelf->n = shelf->n_free = shelf->n_fresh = n;
    return JL_OK;
}

enum jl_status page_pool_create(const struct model *model, struct backend *backend,
                                const struct page_counts *counts, struct page_pool **out,
                                struct jl_error *err) {
    struct page_pool *pool = calloc(1, sizeof *pool);
    enum jl_status status = JL_OK;
    *out = NULL;
    if (!pool) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a page pool");
    pool->model = model;
    pool->backend = backend;
    for (int kind = 0; kind < PAGE_KINDS && status == JL_OK; kind++)
        status = fill_shelf(pool, (enum page_kind)kind,
                            shelf_size(model, counts, (enum page_kind)kind), err);
    if (status != JL_OK) {
        page_pool_free(pool);
        return status;
    }
    if (model->recurrent_bytes) pool->nothing = page_pool_take(pool, PAGE_RECUR);
    *out = pool;
    return JL_OK;
}

void page_pool_free(struct page_pool *pool) {
    if (!pool) return;
    for (int kind = 0; kind < PAGE_KINDS; kind++) {
        backend_array_free(pool->shelves[kind].buffers);
        free(pool->shelves[kind].pages);
    }
    free(pool);
}

const struct model *page_pool_model(const struct page_pool *pool) { return pool->model; }

struct backend *page_pool_backend(const struct page_pool *pool) {
    return pool->backend;
}

int page_pool_size(const struct page_pool *pool, enum page_kind kind) {
    return pool->shelves[kind].n - (kind == PAGE_RECUR && pool->nothing ? 1 : 0);
}

int page_pool_free_pages(const struct page_pool *pool, enum page_kind kind) {
    return pool->shelves[kind].n_free;
}

size_t page_pool_bytes(const struct page_pool *pool) {
    size_t bytes = 0;
    for (int kind = 0; kind < PAGE_KINDS; kind++)
        bytes += kind_bytes(pool->model, (enum page_kind)kind) * (size_t)pool->shelves[kind].n;
    return bytes;
}

/* ---- taking and giving back ---- */

enum jl_status page_pool_want(struct page_pool *pool, enum page_kind kind, int n,
                              struct jl_error *err) {
    const struct page_reclaimer *r = &pool->reclaimer;
    struct shelf *shelf = &pool->shelves[kind];
    if (shelf->n_free >= n) return JL_OK;
    // Who cannot have all gets none: the reclaimer's pages are not given up for nothing.
    int most = shelf->n_free + (r->could ? r->could(r->ctx, kind) : 0);
    while (most >= n && shelf->n_free < n && r->give_up(r->ctx, kind)) {
    }
    if (shelf->n_free >= n) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY,
                   "%d more %s of %zu bytes are needed, but of the pool's %d only %d can be had; "
                   "end other sequences, or start with a larger pool",
                   n, kind == PAGE_KEYS ? "cache pages" : "recurrent states",
                   kind_bytes(pool->model, kind), page_pool_size(pool, kind), most);
}

struct page *page_pool_take(struct page_pool *pool, enum page_kind kind) {
    struct shelf *shelf = &pool->shelves[kind];
    struct page *page = shelf->free;
    if (page) {
        shelf->free = page->next_free;
    } else {
        int i = shelf->n - shelf->n_fresh--;
        page = &shelf->pages[i];
        page->buffer = backend_array_at(shelf->buffers, i);
        page->kind = kind;
    }
    shelf->n_free--;
    page->next_free = NULL;
    page->refs = 1;
    return page;
}

struct page *page_pool_nothing(struct page_pool *pool) {
    return pool->nothing;
}

struct page *page_hold(struct page *page) {
    page->refs++;
    return page;
}

void page_drop(struct page_pool *pool, struct page *page) {
    if (!page || --page->refs > 0) return;
    struct shelf *shelf = &pool->shelves[page->kind];
    page->next_free = shelf->free;
    shelf->free = page;
    shelf->n_free++;
}

void page_pool_set_reclaimer(struct page_pool *pool, const struct page_reclaimer *reclaimer) {
    pool->reclaimer = *reclaimer;
}
