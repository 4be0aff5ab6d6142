/* What a session is made of, for the files that share its work. */
#ifndef JL_SESSION_SESSION_SELF_H
#define JL_SESSION_SESSION_SELF_H

#include "model/fingerprint.h"
#include "session/feed.h"
#include "session/prefix.h"
#include "session/session.h"

struct session_set {
    struct exec *exec;
    struct page_pool *pool;
    struct prefix_cache *cache; // NULL: none
    int n_seq;
    int n_ctx; // most tokens of a session
    bool has_fingerprint;
    uint8_t fingerprint[FINGERPRINT_BYTES]; // of the model, once a session file has asked for it
    struct feed *feeds;                     // (n_seq): of the pass that runs now
    struct session **fed;                   // (n_seq): whose they are
    float *logits;                          // (n_seq, n_vocab): what it gives
    struct page **pages; // (pages of the context): while one sequence is put together
};

struct session {
    struct session_set *set;
    struct state *state;
    int32_t *ids; // (context length); the first state_n_pos(state) are read, up to n_id pending
    int n_id;
    int n_prompt;             // of them the last prompt's: the rest was added one by one
    float *logits;            // (n_vocab)
    int n_logits;             // tokens read when the logits were computed, 0: they mean nothing
    struct prefix_entry *tip; // pinned: its chain's pages are the session's first ones; NULL: none
    bool listed;              // seen in the list of the pass that is being made
};

/* session_prefix.c; nothing to do without a cache */
void session_share(struct session *session);              // leaves its full pages in the cache
void session_unshare(struct session *session, int n_pos); // the tip is not past n_pos any more
/* Its ids' longest cached prefix becomes its state, if that is longer than so many positions; the
 * first `same` of its state are of these ids. */
bool session_take_prefix(struct session *session, int same, int more_than);

#endif
