/* What a session's tokens are: aimed at, added, drafted, cut off. */
#include <string.h>

#include "session/session_self.h"

static enum jl_status refuse_longer(const struct session *session, int n, struct jl_error *err) {
    int holds = session_capacity(session), n_ctx = exec_model(session->set->exec)->hp.n_ctx_train;
    if (holds == n_ctx)
        return jl_fail(err, JL_ERR_LIMIT, "%d tokens are too many: the model's context holds %d", n,
                       holds);
    if (holds == session->set->n_ctx)
        return jl_fail(err, JL_ERR_LIMIT,
                       "%d tokens are too many: the context was set to %d (the model's is %d)", n,
                       holds, n_ctx);
    return jl_fail(err, JL_ERR_LIMIT,
                   "%d tokens are too many: the cache pages hold %d (the model's context %d)", n,
                   holds, n_ctx);
}

static enum jl_status check_ids(const struct session *session, const int32_t *ids, int n,
                                struct jl_error *err) {
    int n_vocab = exec_model(session->set->exec)->hp.n_vocab;
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= n_vocab)
            return jl_fail(err, JL_ERR_USAGE,
                           "token id %d (number %d) is outside the vocabulary 0 .. %d", ids[i], i,
                           n_vocab - 1);
    return JL_OK;
}

/* ---- the way back ---- */

void session_cut(struct session *session, int n_pos) {
    bool follows = session_ahead_follows(session);
    int n_ahead = state_n_ahead(session->state);
    state_rewind(session->state, n_pos, NULL); // it was asked whether it can
    session_ahead_cut(session, n_ahead, follows);
    session_unshare(session, n_pos);
}

int session_common_prefix(const struct session *session, const int32_t *ids, int n) {
    int have = session_read_end(session), same = 0;
    while (same < have && same < n && session->ids[same] == ids[same])
        same++;
    return same;
}

/* The first `same` of its tokens are those it has read; it reads on from as near to there as it
 * can. The logits are those of the last token read: without them it must be read once more. */
static void go_on_from(struct session *session, int same, bool from_cache) {
    bool known = same > 0 && same == session->n_id && session_knows_logits(session, same) &&
                 state_can_rewind(session->state, same);
    if (!known && same > 0 && same == session->n_id) same--;
    int back = state_rewind_point(session->state, same);
    session_logits_keep(session, known ? same : 0);
    if (!known && from_cache && session_take_prefix(session, same, back)) return;
    session_cut(session, back);
}

enum jl_status session_aim(struct session *session, const int32_t *ids, int n, int *reused,
                           struct jl_error *err) {
    if (n < 1) return jl_fail(err, JL_ERR_USAGE, "a prompt needs at least one token");
    if (n > session_capacity(session)) return refuse_longer(session, n, err);
    JL_TRY(check_ids(session, ids, n, err));
    int same = session_common_prefix(session, ids, n);
    memmove(session->ids + same, ids + same, (size_t)(n - same) * sizeof *ids);
    session->n_id = session->n_prompt = n;
    session->n_draft = 0;
    go_on_from(session, same, true);
    *reused = state_n_pos(session->state);
    return JL_OK;
}

enum jl_status session_rewind(struct session *session, int n, struct jl_error *err) {
    if (n < 0 || n > session->n_id)
        return jl_fail(err, JL_ERR_USAGE, "a session of %d tokens cannot keep %d of them",
                       session->n_id, n);
    int have = session_read_end(session);
    session->n_id = n;
    session->n_draft = 0;
    if (session->n_prompt > n) session->n_prompt = n;
    go_on_from(session, have < n ? have : n, false);
    return JL_OK;
}

/* ---- and on ---- */

enum jl_status session_add(struct session *session, const int32_t *ids, int n,
                           struct jl_error *err) {
    if (n > session_capacity(session) - session->n_id)
        return refuse_longer(session, n < INT32_MAX - session->n_id ? session->n_id + n : n, err);
    JL_TRY(check_ids(session, ids, n, err));
    int drafted = 0;
    while (drafted < n && drafted < session->n_draft &&
           session->ids[session->n_id + drafted] == ids[drafted])
        drafted++;
    session->n_id += drafted;
    session->n_draft -= drafted;
    if (drafted < n) {
        session_drop_draft(session);
        memmove(session->ids + session->n_id, ids + drafted, (size_t)(n - drafted) * sizeof *ids);
        session->n_id += n - drafted;
    }
    return JL_OK;
}

/* Models with recurrent layers go back to before the pass that read the draft: the certain tokens
 * of that pass are pending again, with their logits known. */
void session_drop_draft(struct session *session) {
    session->n_draft = 0;
    if (state_n_pos(session->state) <= session->n_id) return;
    session_cut(session, state_rewind_point(session->state, session->n_id));
    session_logits_keep(session, session->n_id);
}

int session_n_draft(const struct session *session) { return session->n_draft; }

int session_draft_room(const struct session *session) {
    const struct session_set *set = session->set;
    int room = session_capacity(session) - session->n_id;
    if (room > set->n_draft) room = set->n_draft;
    int rows = exec_max_rows(set->exec) - session_n_pending(session);
    if (room > rows) room = rows > 0 ? rows : 0;
    // The cache keeps recurrent states at the ends of pages, where no draft may be between.
    int left = KV_CHUNK - (session->n_id - 1) % KV_CHUNK - 1;
    if (set->cache && !state_rewinds_freely(session->state) && room > left) room = left;
    return session_n_pending(session) > 0 ? room : 0;
}

enum jl_status session_draft(struct session *session, const int32_t *ids, int n,
                             struct jl_error *err) {
    if (n < 0 || n > session_draft_room(session))
        return jl_fail(err, JL_ERR_USAGE,
                       "a draft of %d tokens: the session can take %d behind %d pending ones", n,
                       session_draft_room(session), session_n_pending(session));
    JL_TRY(check_ids(session, ids, n, err));
    session_drop_draft(session);
    memmove(session->ids + session->n_id, ids, (size_t)n * sizeof *ids);
    session->n_draft = n;
    return JL_OK;
}
