/* What a session is made of, for the files that share its work. */
#ifndef JL_SESSION_SESSION_SELF_H
#define JL_SESSION_SESSION_SELF_H

#include "session/feed.h"
#include "session/session.h"

struct session_set {
    struct exec *exec;
    struct page_pool *pool;
    int n_seq;
    struct feed *feeds;   // (n_seq): of the pass that runs now
    struct session **fed; // (n_seq): whose they are
    float *logits;        // (n_seq, n_vocab): what it gives
};

struct session {
    struct session_set *set;
    struct state *state;
    int32_t *ids; // (context length); the first state_n_pos(state) are read, up to n_id pending
    int n_id;
    int n_prompt;  // of them the last prompt's: the rest was added one by one
    float *logits; // (n_vocab)
    int n_logits;  // tokens read when the logits were computed, 0: they mean nothing
    bool listed;   // seen in the list of the pass that is being made
};

#endif
