/* The page pool: all cached state of one model's sequences, taken from the system once.
 *
 * A page holds keys and values of KV_CHUNK positions of all layers, or what the recurrent layers
 * have made of a whole sequence. Pages are counted references: several sequences and the prefix
 * cache may hold one, and only a page with one holder is written. To take one and to give it back
 * needs no heap. The pool is as large as its counts say, known before it is made; memory that was
 * never used is never touched. One owner. */
#ifndef JL_SESSION_PAGE_H
#define JL_SESSION_PAGE_H

#include "model/model.h"
#include "tensor/kvchunk.h"

enum page_kind { PAGE_KEYS, PAGE_RECUR, PAGE_KINDS };

struct page {
    struct backend_buffer *buffer;
    struct page *next_free;
    int refs;
    enum page_kind kind;
};

struct page_counts {
    int n[PAGE_KINDS];
};

/* What n_seq sequences need that hold n_pos positions each and share nothing. */
struct page_counts page_counts_for(const struct model *model, int n_seq, int n_pos);
/* JL_ERR_LIMIT when they overflow. */
enum jl_status page_counts_bytes(const struct model *model, const struct page_counts *counts,
                                 size_t *out, struct jl_error *err);


struct page_pool;

enum jl_status page_pool_create(const struct model *model, struct backend *backend,
                                const struct page_counts *counts, struct page_pool **out,
                                struct jl_error *err);
void page_pool_free(struct page_pool *pool); // after all who hold pages of it; NULL is fine

const struct model *page_pool_model(const struct page_pool *pool);
struct backend *page_pool_backend(const struct page_pool *pool);
int page_pool_size(const struct page_pool *pool, enum page_kind kind);
int page_pool_free_pages(const struct page_pool *pool, enum page_kind kind);
size_t page_pool_bytes(const struct page_pool *pool); // when every page is used

/* Makes so many pages free, asking the reclaimer where there are too few. JL_ERR_MEMORY with both
 * numbers when they cannot be had. */
enum jl_status page_pool_want(struct page_pool *pool, enum page_kind kind, int n,
                              struct jl_error *err);
/* One that was made sure of. Whatever its last holder left is in it. */
struct page *page_pool_take(struct page_pool *pool, enum page_kind kind);
/* Recurrent state of a sequence of which nothing is read: zeros, held by the pool, too. */
struct page *page_pool_nothing(struct page_pool *pool);

struct page *page_hold(struct page *page);                 // one holder more; returns it
void page_drop(struct page_pool *pool, struct page *page); // NULL is fine

/* Somebody who holds pages that can be given up: drops at least one of the kind, or says false. */
struct page_reclaimer {
    bool (*give_up)(void *ctx, enum page_kind kind);
    int (*could)(void *ctx, enum page_kind kind); // pages that would be free in the end
    void *ctx;
};
void page_pool_set_reclaimer(struct page_pool *pool, const struct page_reclaimer *reclaimer);

#endif
