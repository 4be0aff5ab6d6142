#include "session/prefix.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct prefix_entry {
    struct prefix_entry *parent, *next_same; // next_same: of one hash slot, or the next unused
    struct prefix_entry *newer, *older;      // by last use
    struct page *page, *recur;
    uint64_t hash; // of the chain up to here
    uint64_t owner;
    uint32_t seen; // mark of a walk
    int depth, n_child, n_pin;
    bool went_on; // somebody went on from recur
    int32_t ids[KV_CHUNK];
};

struct prefix_cache {
    struct page_pool *pool;
    size_t budget, page_bytes, recurrent_bytes;
    int n_entry, n_recur;
    struct prefix_entry *entries;         // (most)
    struct prefix_entry *unused;          // those given back
    int most, n_fresh;                    // the last n_fresh entries were never used
    struct prefix_entry **slots;          // (n_slot)
    size_t n_slot;                        // a power of two
    struct prefix_entry *newest, *oldest; // by last use
    uint32_t walk;
};

uint64_t prefix_hash(uint64_t before, const int32_t *ids, int n) {
    return XXH3_64bits_withSeed(ids, (size_t)n * sizeof *ids, before);
}

/* ---- order of use ---- */

static void unlink_use(struct prefix_cache *cache, struct prefix_entry *e) {
    *(e->newer ? &e->newer->older : &cache->newest) = e->older;
    *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
}

static void link_newest(struct prefix_cache *cache, struct prefix_entry *e) {
    e->newer = NULL;
    e->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = e;
    cache->newest = e;
}

/* The chain is used, its beginning last: what is at its end goes first. */
static void use_chain(struct prefix_cache *cache, struct prefix_entry *e) {
    for (; e; e = e->parent) {
        unlink_use(cache, e);
        link_newest(cache, e);
    }
}

void prefix_pin(struct prefix_cache *cache, struct prefix_entry *entry) {
    if (!entry) return;
    entry->n_pin++;
    use_chain(cache, entry);
}

void prefix_unpin(struct prefix_cache *cache, struct prefix_entry *entry) {
    if (!entry) return;
    entry->n_pin--;
    use_chain(cache, entry);
}

/* ---- giving up ---- */

static void drop_recur(struct prefix_cache *cache, struct prefix_entry *e) {
    if (!e->recur) return;
    page_drop(cache->pool, e->recur);
    e->recur = NULL;
    cache->n_recur--;
}

static struct prefix_entry **slot_of(struct prefix_cache *cache, uint64_t hash) {
    return &cache->slots[hash & (cache->n_slot - 1)];
}

static bool is_loose(const struct prefix_entry *e) { return e->n_pin == 0 && e->n_child == 0; }

static void evict(struct prefix_cache *cache, struct prefix_entry *e) {
    struct prefix_entry **at = slot_of(cache, e->hash);
    while (*at != e)
        at = &(*at)->next_same;
    *at = e->next_same;
    unlink_use(cache, e);
    drop_recur(cache, e);
    page_drop(cache->pool, e->page);
    if (e->parent) e->parent->n_child--;
    e->next_same = cache->unused;
    cache->unused = e;
    cache->n_entry--;
}

static size_t bytes_used(const struct prefix_cache *cache) {
    return (size_t)cache->n_entry * cache->page_bytes +
           (size_t)cache->n_recur * cache->recurrent_bytes;
}

/* Room in the budget for so many bytes more. Recurrent states are given up where pages stay. */
static bool make_room(struct prefix_cache *cache, size_t more, bool for_recur) {
    while (bytes_used(cache) + more > cache->budget) {
        struct prefix_entry *e = cache->oldest;
        while (e && !is_loose(e) && !(for_recur && e->recur))
            e = e->newer;
        if (!e) return false;
        if (is_loose(e))
            evict(cache, e);
        else
            drop_recur(cache, e);
    }
    return true;
}

/* The pool wants a page that nobody else holds. */
static bool give_up(void *ctx, enum page_kind kind) {
    struct prefix_cache *cache = ctx;
    struct prefix_entry *e = cache->oldest;
    while (e) {
        struct prefix_entry *newer = e->newer;
        if (kind == PAGE_RECUR && e->recur && e->recur->refs == 1) {
            drop_recur(cache, e);
            return true;
        }
        if (kind == PAGE_KEYS && is_loose(e)) {
            bool frees = e->page->refs == 1;
            evict(cache, e);
            if (frees) return true;
            newer = cache->oldest; // its parent may be loose now
        }
        e = newer;
    }
    return false;
}

static int could_give(void *ctx, enum page_kind kind) {
    struct prefix_cache *cache = ctx;
    int n = 0;
    cache->walk++;
    for (struct prefix_entry *e = cache->newest; e; e = e->older)
        for (struct prefix_entry *p = e; e->n_pin && p && p->seen != cache->walk; p = p->parent)
            p->seen = cache->walk; // stays with the one that is pinned
    for (const struct prefix_entry *e = cache->newest; e; e = e->older)
        n += kind == PAGE_KEYS ? e->seen != cache->walk && e->page->refs == 1
                               : e->recur && e->recur->refs == 1;
    return n;
}

/* ---- the cache ---- */

enum jl_status prefix_create(struct page_pool *pool, size_t budget, struct prefix_cache **out,
                             struct jl_error *err) {
    const struct model *model = page_pool_model(pool);
    struct prefix_cache *cache = calloc(1, sizeof *cache);
    int n_page = page_pool_size(pool, PAGE_KEYS);
    *out = NULL;
    if (!cache) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a prefix cache");
    *cache = (struct prefix_cache){.pool = pool,
                                   .budget = budget,
                                   .page_bytes = model->page_bytes,
                                   .recurrent_bytes = model->recurrent_bytes,
                                   .n_slot = 16};
    size_t fit = budget / (model->page_bytes ? model->page_bytes : 1);
    cache->most = cache->n_fresh = fit < (size_t)n_page ? (int)fit : n_page;
    while (cache->n_slot < (size_t)cache->most)
        cache->n_slot *= 2;
    cache->entries = calloc((size_t)cache->most + 1, sizeof *cache->entries);
    cache->slots = calloc(cache->n_slot, sizeof(void *));
    if (!cache->entries || !cache->slots) {
        prefix_free(cache);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a cache of %d pages", cache->most);
    }
    const struct page_reclaimer reclaimer = {give_up, could_give, cache};
    page_pool_set_reclaimer(pool, &reclaimer);
    *out = cache;
    return JL_OK;
}

void prefix_free(struct prefix_cache *cache) {
    static const struct page_reclaimer nobody;
    if (!cache) return;
    for (struct prefix_entry *e = cache->newest; e; e = e->older) {
        page_drop(cache->pool, e->recur);
        page_drop(cache->pool, e->page);
    }
    page_pool_set_reclaimer(cache->pool, &nobody);
    free(cache->entries);
    free(cache->slots);
    free(cache);
}

static struct prefix_entry *find_child(struct prefix_cache *cache, uint64_t owner,
                                       const struct prefix_entry *parent, uint64_t hash,
                                       const int32_t *ids) {
    struct prefix_entry *e = *slot_of(cache, hash);
    while (e && !(e->parent == parent && e->owner == owner && !memcmp(e->ids, ids, sizeof e->ids)))
        e = e->next_same;
    return e;
}

struct prefix_entry *prefix_find(struct prefix_cache *cache, uint64_t owner, const int32_t *ids,
                                 int n) {
    struct prefix_entry *found = NULL;
    for (int at = 0; n - at >= KV_CHUNK; at += KV_CHUNK) {
        uint64_t hash = prefix_hash(found ? found->hash : 0, ids + at, KV_CHUNK);
        struct prefix_entry *next = find_child(cache, owner, found, hash, ids + at);
        if (!next) break;
        found = next;
    }
    return found;
}

/* Of a chain that grows, states are kept close behind its end and further apart further back; those
 * that others have gone on from stay. */
static void thin_out(struct prefix_cache *cache, const struct prefix_entry *end) {
    for (struct prefix_entry *e = end->parent; e; e = e->parent) {
        int step = e->depth & -e->depth; // the largest power of two that divides it
        if (e->recur && !e->went_on && end->depth - e->depth >= 4 * step) drop_recur(cache, e);
    }
}

static void keep_recur(struct prefix_cache *cache, struct prefix_entry *e, struct page *recur) {
    if (!recur || e->recur) return;
    e->n_pin++; // making room must not take this one
    thin_out(cache, e);
    if (make_room(cache, cache->recurrent_bytes, true)) {
        e->recur = page_hold(recur);
        e->went_on = false;
        cache->n_recur++;
    }
    e->n_pin--;
}

static struct prefix_entry *take_entry(struct prefix_cache *cache) {
    struct prefix_entry *e = cache->unused;
    if (e)
        cache->unused = e->next_same;
    else if (cache->n_fresh > 0)
        e = &cache->entries[cache->most - cache->n_fresh--];
    return e;
}

struct prefix_entry *prefix_add(struct prefix_cache *cache, uint64_t owner,
                                struct prefix_entry *parent, const int32_t *ids, struct page *page,
                                struct page *recur) {
    uint64_t hash = prefix_hash(parent ? parent->hash : 0, ids, KV_CHUNK);
    struct prefix_entry *e = find_child(cache, owner, parent, hash, ids);
    if (!e) {
        if (!make_room(cache, cache->page_bytes, false) || !(e = take_entry(cache))) return NULL;
        *e = (struct prefix_entry){.parent = parent,
                                   .next_same = *slot_of(cache, hash),
                                   .page = page_hold(page),
                                   .hash = hash,
                                   .owner = owner,
                                   .depth = parent ? parent->depth + 1 : 1};
        memcpy(e->ids, ids, sizeof e->ids);
        *slot_of(cache, hash) = e;
        if (parent) parent->n_child++;
        link_newest(cache, e);
        cache->n_entry++;
    }
    keep_recur(cache, e, recur);
    return e;
}

struct prefix_entry *prefix_parent(const struct prefix_entry *entry) {
    return entry->parent;
}

int prefix_depth(const struct prefix_entry *entry) { return entry->depth; }

struct page *prefix_page(const struct prefix_entry *entry) {
    return entry->page;
}

struct page *prefix_recurrent(const struct prefix_entry *entry) {
    return entry->recur;
}

struct page *prefix_use_recurrent(struct prefix_entry *entry) {
    entry->went_on = true;
    return entry->recur;
}

struct prefix_stats prefix_stats(const struct prefix_cache *cache) {
    return (struct prefix_stats){cache->n_entry, cache->n_recur, bytes_used(cache), cache->budget};
}
