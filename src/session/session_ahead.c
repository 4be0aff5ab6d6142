/* The prediction layer of a session: kept up with the model, asked for drafts. */
#include <string.h>

#include "session/sample.h"
#include "session/session_self.h"

static size_t embd(const struct session *session) {
    return (size_t)exec_model(session->set->exec)->hp.n_embd;
}

bool session_ahead_follows(const struct session *session) {
    return session->set->mtp &&
           state_n_ahead(session->state) + session->n_hidden == state_n_pos(session->state);
}

const struct jl_error *session_set_predict_error(const struct session_set *set) {
    return set->mtp_error.status == JL_OK ? NULL : &set->mtp_error;
}

/* ---- beside passes of the model ---- */

void session_ahead_before(struct session *session, struct feed *feed, float **hidden) {
    size_t n_embd = embd(session), kept = (size_t)session->n_hidden * n_embd;
    if (!session_ahead_follows(session)) return;
    memcpy(*hidden, session->hidden, kept * sizeof **hidden);
    feed->hidden = *hidden + kept;
    *hidden = feed->hidden + (size_t)feed->n_token * n_embd;
}

/* Positions first..end-1, of which `hidden` are the states: false when the layer has failed. */
static bool go_through(struct session *session, const float *hidden, int first, int end) {
    struct session_set *set = session->set;
    int rows = exec_max_rows(set->mtp);
    for (int at = first; at < end; at += rows) {
        struct feed_ahead feed = {
            .state = session->state,
            .tokens = session->ids + at + 1,
            .hidden = hidden + (size_t)(at - first) * embd(session),
            .first = at,
            .n = end - at < rows ? end - at : rows,
        };
        if (feed_ahead(set->mtp, &feed, NULL, NULL, &set->mtp_error) != JL_OK) return false;
    }
    return true;
}

/* What is kept are the states of positions first..end-1, which start at `hidden`. */
static void keep(struct session *session, const float *hidden, int first, int end) {
    session->n_hidden = end - first;
    memmove(session->hidden, hidden, (size_t)session->n_hidden * embd(session) * sizeof *hidden);
}

/* It goes along only when there is no more room for hidden states: many rows cost it less. */
void session_ahead_after(struct session *session, const struct feed *feed) {
    int end = state_n_pos(session->state), first = end - feed->n_token - session->n_hidden;
    const float *hidden;
    if (!feed->hidden) return;
    hidden = feed->hidden - (size_t)session->n_hidden * embd(session);
    if (end - first > 1 + session->set->n_draft) {
        int certain = (end < session->n_id ? end : session->n_id) - 1;
        if (!go_through(session, hidden, first, certain)) {
            session->n_hidden = 0;
            return;
        }
        hidden += (size_t)(certain - first) * embd(session);
        first = certain;
    }
    keep(session, hidden, first, end);
}

void session_ahead_cut(struct session *session, int n_ahead, bool follows) {
    int n_pos = state_n_pos(session->state);
    session->n_hidden = 0;
    if (!follows) return;
    if (n_ahead > n_pos) n_ahead = n_pos;
    state_append_ahead(session->state, n_ahead);
    session->n_hidden = n_pos - n_ahead;
}

void session_ahead_settle(struct session *session) {
    int end = state_n_pos(session->state), first = end - session->n_hidden;
    if (session->n_hidden < 2 || !session_ahead_follows(session)) return;
    if (go_through(session, session->hidden, first, end - 1))
        keep(session, session->hidden + (size_t)(end - 1 - first) * embd(session), end - 1, end);
    else
        session->n_hidden = 0;
}

/* ---- drafts ---- */

/* The token that the layer puts after `feed`'s last; its own hidden state goes where the feed says.
 */
static bool next_token(struct session *session, const struct feed_ahead *feed, int32_t *id) {
    struct session_set *set = session->set;
    if (feed_ahead(set->mtp, feed, NULL, set->guess, &set->mtp_error) != JL_OK) return false;
    *id = sample_greedy(set->guess, exec_model(set->exec)->hp.n_vocab);
    return true;
}

/* Behind the model's own hidden states the layer goes on from its own: what that is worth shows in
 * how many of its tokens are accepted. */
void session_predict(struct session *session, int32_t *ids, int n, int *n_got) {
    struct session_set *set = session->set;
    int n_pos = state_n_pos(session->state), last = n_pos - 1;
    bool asked = n > 0 && session->n_id == n_pos + 1 && session->n_draft == 0;
    *n_got = 0;
    if (!asked || session->n_hidden < 1 || !session_ahead_follows(session)) return;
    if (state_reserve(session->state, n_pos + n, NULL) != JL_OK) return; // no page: no draft
    struct feed_ahead feed = {
        .state = session->state,
        .tokens = session->ids + n_pos - session->n_hidden + 1,
        .hidden = session->hidden,
        .first = n_pos - session->n_hidden,
        .n = session->n_hidden,
        .n_logits = 1,
        .last_hidden = set->hidden,
    };
    bool works = next_token(session, &feed, &ids[0]);
    session->n_hidden = 0;
    if (!works) return;
    for (*n_got = 1; *n_got < n && works; *n_got += works) {
        float *before = feed.last_hidden;
        feed = (struct feed_ahead){
            .state = session->state,
            .tokens = &ids[*n_got - 1],
            .hidden = before,
            .first = last + *n_got,
            .n = 1,
            .n_logits = 1,
            .last_hidden = before == set->hidden ? set->hidden + embd(session) : set->hidden,
        };
        works = next_token(session, &feed, &ids[*n_got]);
    }
    state_append_ahead(session->state, n_pos); // of what may come, nothing counts
}
