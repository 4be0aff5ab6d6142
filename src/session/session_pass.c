/* Passes: what sessions put into them and what they take away. */
#include "session/session_self.h"

/* Where the state keeps checkpoints: the last tokens of a prompt go in a pass of their own, after a
 * checkpoint, so that the same prompt once more, or one that differs in its last words, finds it;
 * an answer leaves one now and then. */
#define TAIL 16
#define ROAD 64

/* How many of the pending tokens, and of the draft behind them, go into the next pass, which has
 * room for so many. Prompts of models with recurrent layers end in a pass of their own. */
static int next_pass(const struct session *session, int room) {
    int at = state_n_pos(session->state), n = session->n_prompt;
    int left = session->n_id + session->n_draft - at, count = left < room ? left : room;
    if (state_rewinds_freely(session->state)) return count;
    if (at + TAIL < n && at + count + TAIL > n) count = n - TAIL - at;
    // The cache keeps recurrent states at the ends of pages: a pass across one ends on one.
    if (session->set->cache && at % KV_CHUNK + count > KV_CHUNK) count -= (at + count) % KV_CHUNK;
    return count;
}

static void keep_checkpoint(struct session *session) {
    int at = state_n_pos(session->state);
    bool prompt = at < session->n_prompt;
    if (prompt && at + TAIL >= session->n_prompt)
        state_checkpoint(session->state, CHECKPOINT_TURN);
    else if (prompt || at - state_last_checkpoint(session->state) >= ROAD)
        state_checkpoint(session->state, CHECKPOINT_ROAD);
}

/* How many of the list have tokens pending. Whoever is in it twice is found. */
static enum jl_status count_waiting(const struct session_set *set, struct session *const *list,
                                    int n, int *out, struct jl_error *err) {
    int rows = exec_max_rows(set->exec), twice = -1;
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (list[i]->listed) twice = i;
        list[i]->listed = true;
        *out += session_n_pending(list[i]) > 0;
    }
    for (int i = 0; i < n; i++)
        list[i]->listed = false;
    if (twice >= 0)
        return jl_fail(err, JL_ERR_USAGE, "number %d of a pass's sessions is in it already", twice);
    if (*out > set->n_seq || *out > rows)
        return jl_fail(err, JL_ERR_LIMIT,
                       "%d sessions for one pass, which has %d rows and is made for %d sessions",
                       *out, rows, set->n_seq);
    return JL_OK;
}

/* Logits are wanted after the last certain token and after each drafted one. */
static int wanted_logits(const struct session *session, int end) {
    int at = state_n_pos(session->state), first = session->n_id > at ? session->n_id : at + 1;
    return end < first ? 0 : end - first + 1;
}

/* What the sessions put into the pass; how many do. */
static int fill_feeds(struct session_set *set, struct session *const *list, int n, int waiting) {
    int n_feed = 0, room = exec_max_rows(set->exec);
    float *hidden = set->hidden;
    for (int i = 0; i < n; i++) {
        struct session *session = list[i];
        int at = state_n_pos(session->state);
        if (session_n_pending(session) == 0) continue;
        int most = room - --waiting;
        int count =
            next_pass(session, session->pace && session->pace < most ? session->pace : most);
        room -= count;
        keep_checkpoint(session);
        set->fed[n_feed] = session;
        struct feed *feed = &set->feeds[n_feed++];
        *feed = (struct feed){
            .state = session->state,
            .tokens = session->ids + at,
            .n_token = count,
            .n_logits = wanted_logits(session, at + count),
        };
        session_ahead_before(session, feed, &hidden);
    }
    return n_feed;
}

/* The pass has been made; *logits: what it gave for this session and those behind it. */
static void take_away(struct session *session, const struct feed *feed, const float **logits) {
    size_t n_vocab = (size_t)exec_model(session->set->exec)->hp.n_vocab;
    int read = state_n_pos(session->state);
    session_ahead_after(session, feed);
    if (read >= session->n_id) session->n_draft = read - session->n_id; // what had no room is out
    session_share(session);
    if (feed->n_logits == 0) return;
    session_logits_take(session, *logits, feed->n_logits);
    session->n_scored = read - feed->n_logits + 1;
    *logits += (size_t)feed->n_logits * n_vocab;
}

enum jl_status session_set_forward(struct session_set *set, struct session *const *list, int n,
                                   const atomic_bool *cancel, struct jl_error *err) {
    int waiting;
    JL_TRY(count_waiting(set, list, n, &waiting, err));
    session_set_clear_half(set);
    int n_feed = fill_feeds(set, list, n, waiting);
    JL_TRY(feed_forward(set->exec, set->feeds, n_feed, cancel, session_set_half(set), err));
    const float *logits = session_set_half(set);
    for (int f = 0; f < n_feed; f++)
        take_away(set->fed[f], &set->feeds[f], &logits);
    set->half ^= 1;
    return JL_OK;
}

void session_pace(struct session *session, int n) { session->pace = n < 0 ? 0 : n; }

/* ---- one session alone ---- */

enum jl_status session_forward(struct session *session, const atomic_bool *cancel,
                               struct jl_error *err) {
    return session_set_forward(session->set, &session, 1, cancel, err);
}

enum jl_status session_sync(struct session *session, const int32_t *ids, int n,
                            const struct session_watch *watch, int *reused, struct jl_error *err) {
    static const struct session_watch nobody;
    if (!watch) watch = &nobody;
    JL_TRY(session_aim(session, ids, n, reused, err));
    while (session_n_pending(session) > 0) {
        JL_TRY(session_forward(session, watch->cancel, err));
        if (watch->step) watch->step(watch->ctx, session_n_token(session) - *reused, n - *reused);
    }
    return JL_OK;
}

enum jl_status session_push(struct session *session, int32_t id, struct jl_error *err) {
    int n_id = session->n_id;
    JL_TRY(session_add(session, &id, 1, err));
    while (session_n_pending(session) > 0) {
        enum jl_status status = session_forward(session, NULL, err);
        if (status == JL_OK) continue;
        session->n_id = n_id;
        return status;
    }
    return JL_OK;
}
