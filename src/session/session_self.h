/* What a session is made of, for the files that share its work. */
#ifndef JL_SESSION_SESSION_SELF_H
#define JL_SESSION_SESSION_SELF_H

#include "model/fingerprint.h"
#include "session/draft_gain.h"
#include "session/feed.h"
#include "session/prefix.h"
#include "session/session.h"

struct session_set {
    struct exec *exec;
    struct exec *mtp;          // NULL: nobody predicts
    struct jl_error mtp_error; // the last one of that layer
    struct page_pool *pool;
    struct prefix_cache *cache; // NULL: none
    int n_seq;
    int n_ctx;     // most tokens of a session
    int n_draft;   // most drafted tokens of a session
    bool looks_up; // drafts come from what followed before
    bool has_fingerprint;
    uint8_t fingerprint[FINGERPRINT_BYTES]; // of the model, once a session file has asked for it
    struct feed *feeds;                     // (n_seq): of the pass that runs now
    struct session **fed;                   // (n_seq): whose they are
    float *logits; // (2, n_seq, 1 + n_draft, n_vocab): what passes give (session_logits.c)
    int half;      // of the two, where the next pass writes
    struct session *lent[2]; // lists of the sessions whose logits stand in each
    float *guess;            // with mtp: (n_vocab), what the prediction layer gives
    struct draft_gain gain;  // of drafts, whoever makes them
    float *hidden;           // with mtp: (exec's rows + n_seq * (1 + n_draft), n_embd)
    struct page **pages;     // (pages of the context): while one sequence is put together
};

struct session {
    struct session_set *set;
    struct state *state;
    int32_t *ids; // (context length): n_id tokens, then n_draft that may follow. The first
                  // state_n_pos(state) of all these are read
    int n_id, n_draft;
    int n_prompt;        // of them the last prompt's: the rest was added one by one
    const float *logits; // (1 + n_draft, n_vocab): those after n_scored tokens, and after each more
    int n_scored, n_logits;               // n_logits: how many of them there are
    int half;                             // which of the set's halves they stand in, -1: in `own`
    struct session *lent_next, **lent_at; // in that half's list
    float *own;                           // (1 + n_draft, n_vocab)
    struct prefix_entry *tip; // pinned: its chain's pages are the session's first ones; NULL: none
    uint64_t owner;           // whose cached prefixes it may use
    int pace;                 // most of its tokens in a pass; 0: any number
    bool listed;              // seen in the list of the pass that is being made
    float *hidden; // with mtp: (1 + n_draft, n_embd), of the positions that the layer comes to next
    int n_hidden;
};

static inline int session_read_end(const struct session *session) { // drafts are not counted
    int n_pos = state_n_pos(session->state);
    return n_pos < session->n_id ? n_pos : session->n_id;
}

static inline bool session_knows_logits(const struct session *session, int n_token) {
    int row = n_token - session->n_scored;
    return row >= 0 && row < session->n_logits;
}

/* session_logits.c */
bool session_logits_create(struct session *session); // false: out of memory
void session_logits_free(struct session *session);
void session_logits_put(struct session *session, const float *logits, int n);  // into its own room
void session_logits_take(struct session *session, const float *logits, int n); // of the half
void session_logits_share(const struct session *from, struct session *to);
void session_logits_keep(struct session *session, int n_token); // only those, or none
/* Before a pass: nobody's logits stand where it writes, which is at session_set_half. */
void session_set_clear_half(struct session_set *set);
float *session_set_half(const struct session_set *set);

/* session_tokens.c */
void session_cut(struct session *session, int n_pos); // its state goes back to there, which it can

/* session_prefix.c; nothing to do without a cache */
void session_share(struct session *session);              // leaves its full pages in the cache
void session_unshare(struct session *session, int n_pos); // the tip is not past n_pos any more
/* Its ids' longest cached prefix becomes its state, if that is longer than so many positions; the
 * first `same` of its state are of these ids. */
bool session_take_prefix(struct session *session, int same, int more_than);

/* session_ahead.c: the prediction layer, which follows the model. Its key of a position depends on
 * the token after it; where sequences part there may stand that of another continuation. That, and
 * a layer that fails, can be seen in drafts alone. Nothing to do in a set without one. */
bool session_ahead_follows(const struct session *session); // up to what is kept in `hidden`
/* Of a pass: its hidden states are to stand behind those that are kept. Takes room at *hidden. */
void session_ahead_before(struct session *session, struct feed *feed, float **hidden);
void session_ahead_after(struct session *session, const struct feed *feed); // it has been made
void session_ahead_cut(struct session *session, int n_ahead, bool follows); // as before going back
void session_ahead_settle(struct session *session); // through all that is certain

#endif
