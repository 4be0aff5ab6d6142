/* A session and the prefix cache: what it takes from there, what it leaves there. */
#include "session/session_self.h"

void session_unshare(struct session *session, int n_pos) {
    struct prefix_cache *cache = session->set->cache;
    struct prefix_entry *tip = session->tip;
    while (tip && prefix_depth(tip) * KV_CHUNK > n_pos)
        tip = prefix_parent(tip);
    if (tip == session->tip) return;
    prefix_pin(cache, tip);
    prefix_unpin(cache, session->tip);
    session->tip = tip;
}

/* Positions of the chain's pages that hold the prediction layer's keys for these tokens: the last
 * one of a page was made with the token that came next then. */
static int ahead_of(struct page *const *pages, int n_page, const int32_t *ids) {
    int n_ahead = 0;
    for (int i = 0; i < n_page; i++) {
        n_ahead += pages[i]->n_ahead;
        if (pages[i]->n_ahead < KV_CHUNK) break;
        if (pages[i]->ahead_token != ids[(i + 1) * KV_CHUNK]) return n_ahead - 1;
    }
    return n_ahead;
}

bool session_take_prefix(struct session *session, int same, int more_than) {
    struct session_set *set = session->set;
    if (!set->cache) return false;
    // The last token is read in any case: the logits are those after it.
    struct prefix_entry *found = prefix_find(set->cache, session->ids, session->n_id - 1);
    bool recurrent = !state_rewinds_freely(session->state);
    while (found && recurrent && !prefix_recurrent(found))
        found = prefix_parent(found);
    if (!found || prefix_depth(found) * KV_CHUNK <= more_than) return false;
    int n_page = prefix_depth(found);
    struct prefix_entry *entry = found;
    for (int i = n_page; i > 0; i--, entry = prefix_parent(entry))
        set->pages[i - 1] = prefix_page(entry);
    state_adopt(session->state, same, n_page * KV_CHUNK, set->pages,
                recurrent ? prefix_use_recurrent(found) : NULL,
                ahead_of(set->pages, n_page, session->ids));
    prefix_pin(set->cache, found);
    prefix_unpin(set->cache, session->tip);
    session->tip = found;
    return true;
}

/* Pages that nothing will be written to any more: the prediction layer follows the others. */
static int n_complete(const struct session *session) {
    int n_pos = state_n_pos(session->state), n_ahead = state_n_ahead(session->state);
    if (n_ahead > 0 && n_ahead < n_pos) n_pos = n_ahead;
    return n_pos / KV_CHUNK;
}

void session_share(struct session *session) {
    struct prefix_cache *cache = session->set->cache;
    if (!cache) return;
    bool recurrent = !state_rewinds_freely(session->state), ahead = state_n_ahead(session->state);
    int n_pos = state_n_pos(session->state), n_page = n_complete(session);
    for (int i = session->tip ? prefix_depth(session->tip) : 0; i < n_page; i++) {
        struct page *page = state_page(session->state, i), *recur = NULL;
        int end = (i + 1) * KV_CHUNK;
        if (recurrent && n_pos == end) recur = state_recurrent(session->state);
        struct prefix_entry *entry =
            prefix_add(cache, session->tip, session->ids + i * KV_CHUNK, page, recur);
        if (!entry) return;
        if (prefix_page(entry) == page && ahead) {
            bool known = end < state_n_ahead(session->state);
            page->n_ahead = known ? KV_CHUNK : KV_CHUNK - 1;
            if (known) page->ahead_token = session->ids[end];
        } else if (prefix_page(entry) != page && !ahead) {
            state_swap_page(session->state, i, prefix_page(entry)); // one of the two is enough
        }
        prefix_pin(cache, entry);
        prefix_unpin(cache, session->tip);
        session->tip = entry;
    }
}
