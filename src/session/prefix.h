/* The prefix cache: full pages of any session, found again by the tokens they were made of.
 *
 * An entry is one page after its parent's, so that a chain of entries is a sequence from its first
 * token on. Chains are looked up by hash and accepted by comparing parent and tokens: a hash alone
 * decides nothing. Of models with recurrent layers an entry may hold their state after it, too;
 * without one somewhere on a chain there is nothing to go on from.
 *
 * The cache keeps to a budget of bytes, least recently used out first, and gives pages up when the
 * pool has no others. An entry that is pinned, or has a child, stays; a session pins the last entry
 * that it has pages of. No function but prefix_create needs the heap. One owner. */
#ifndef JL_SESSION_PREFIX_H
#define JL_SESSION_PREFIX_H

#include "session/page.h"

struct prefix_cache;
struct prefix_entry;

/* Becomes the pool's reclaimer. To be freed before the pool. */
enum jl_status prefix_create(struct page_pool *pool, size_t budget, struct prefix_cache **out,
                             struct jl_error *err);
void prefix_free(struct prefix_cache *cache); // NULL is fine

/* The last entry of the longest chain that these n tokens begin with, n / KV_CHUNK pages at most;
 * NULL: none. Chains of another owner are not found: how long a prompt takes must not tell what
 * somebody else has asked. */
struct prefix_entry *prefix_find(struct prefix_cache *cache, uint64_t owner, const int32_t *ids,
                                 int n);

/* The entry of the page that follows `parent`'s (NULL: the first one), made of these KV_CHUNK
 * tokens; recur: NULL, or the recurrent state after it. It may have been there, with another page
 * of the same bits. NULL: no room. The parent is pinned and of the same owner, or NULL. */
struct prefix_entry *prefix_add(struct prefix_cache *cache, uint64_t owner,
                                struct prefix_entry *parent, const int32_t *ids, struct page *page,
                                struct page *recur);

struct prefix_entry *prefix_parent(const struct prefix_entry *entry); // NULL: it is the first
int prefix_depth(const struct prefix_entry *entry);                   // pages of the chain up to it
struct page *prefix_page(const struct prefix_entry *entry);
struct page *prefix_recurrent(const struct prefix_entry *entry); // NULL: not kept
struct page *prefix_use_recurrent(struct prefix_entry *entry);   // it is worth keeping, then

/* NULL is fine. */
void prefix_pin(struct prefix_cache *cache, struct prefix_entry *entry);
void prefix_unpin(struct prefix_cache *cache, struct prefix_entry *entry);

/* The hash of a chain that is n tokens longer; that of the empty chain is 0. */
uint64_t prefix_hash(uint64_t before, const int32_t *ids, int n);

struct prefix_stats {
    int n_entry, n_recur;
    size_t bytes, budget;
};
struct prefix_stats prefix_stats(const struct prefix_cache *cache);

#endif
