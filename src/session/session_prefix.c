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

bool session_take_prefix(struct session *session, int same, int more_than) {
    struct session_set *set = session->set;
    if (!set->cache) return false;
    // The last token is read in any case: the logits are those after it.
    struct prefix_entry *found =
        prefix_find(set->cache, session->owner, session->ids, session->n_id - 1);
    bool recurrent = !state_rewinds_freely(session->state);
    while (found && recurrent && !prefix_recurrent(found))
        found = prefix_parent(found);
    if (!found || prefix_depth(found) * KV_CHUNK <= more_than) return false;
    int n_page = prefix_depth(found);
    struct prefix_entry *entry = found;
    for (int i = n_page; i > 0; i--, entry = prefix_parent(entry))
        set->pages[i - 1] = prefix_page(entry);
    state_adopt(session->state, same, n_page * KV_CHUNK, set->pages,
                recurrent ? prefix_use_recurrent(found) : NULL);
    if (set->mtp) state_append_ahead(session->state, n_page * KV_CHUNK); // their keys are there
    session->n_hidden = 0;
    prefix_pin(set->cache, found);
    prefix_unpin(set->cache, session->tip);
    session->tip = found;
    return true;
}

void session_share(struct session *session) {
    struct prefix_cache *cache = session->set->cache;
    if (!cache) return;
    bool recurrent = !state_rewinds_freely(session->state);
    int n_pos = session_read_end(session), n_ahead = state_n_ahead(session->state), end;
    if (session->set->mtp && n_ahead < n_pos) n_pos = n_ahead; // with the prediction layer's keys
    for (int i = session->tip ? prefix_depth(session->tip) : 0; (end = (i + 1) * KV_CHUNK) <= n_pos;
         i++) {
        struct page *page = state_page(session->state, i), *recur = NULL;
        if (recurrent && state_n_pos(session->state) == end)
            recur = state_recurrent(session->state);
        struct prefix_entry *entry = prefix_add(cache, session->owner, session->tip,
                                                session->ids + i * KV_CHUNK, page, recur);
        if (!entry) return;
        // One page of these bits is enough.
        if (prefix_page(entry) != page) state_swap_page(session->state, i, prefix_page(entry));
        prefix_pin(cache, entry);
        prefix_unpin(cache, session->tip);
        session->tip = entry;
    }
}
