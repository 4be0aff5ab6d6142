#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#include "session/feed.h"
#include "session/session_self.h"

/* Where the state keeps checkpoints: the last tokens of a prompt go in a pass of their own, after a
 * checkpoint, so that the same prompt once more, or one that differs in its last words, finds it;
 * an answer leaves one now and then. */
#define TAIL 16
#define ROAD 64

/* ---- the set ---- */

static int context_of(const struct model *model, const struct session_options *options) {
    int n_ctx = model->hp.n_ctx_train;
    return options->n_ctx > 0 && options->n_ctx < n_ctx ? options->n_ctx : n_ctx;
}

struct page_counts session_set_counts(const struct model *model,
                                      const struct session_options *options) {
    int n_seq = options->n_seq ? options->n_seq : 1;
    struct page_counts counts = page_counts_for(model, n_seq, context_of(model, options));
    if (options->n_page) counts.n[PAGE_KEYS] = options->n_page;
    if (model->recurrent_bytes) { // states at the ends of cached pages
        size_t cached = options->prefix_bytes / model->recurrent_bytes;
        if (cached > (size_t)counts.n[PAGE_KEYS]) cached = (size_t)counts.n[PAGE_KEYS];
        if (cached > (size_t)(INT32_MAX - counts.n[PAGE_RECUR]))
            cached = (size_t)(INT32_MAX - counts.n[PAGE_RECUR]);
        counts.n[PAGE_RECUR] += (int)cached;
    }
    return counts;
}

enum jl_status session_set_create(struct exec *exec, const struct session_options *options,
                                  struct session_set **out, struct jl_error *err) {
    const struct model *model = exec_model(exec);
    struct session_set *set = calloc(1, sizeof *set);
    int n_seq = options->n_seq ? options->n_seq : 1;
    size_t n_logit;
    *out = NULL;
    if (!set) return jl_fail(err, JL_ERR_MEMORY, "out of memory for sessions");
    *set = (struct session_set){.exec = exec, .n_seq = n_seq, .n_ctx = context_of(model, options)};
    set->feeds = calloc((size_t)n_seq, sizeof *set->feeds);
    set->fed = calloc((size_t)n_seq, sizeof *set->fed);
    if (size_mul((size_t)n_seq, (size_t)model->hp.n_vocab, &n_logit))
        set->logits = calloc(n_logit, sizeof *set->logits);
    enum jl_status status = JL_OK;
    if (!set->feeds || !set->fed || !set->logits)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the logits of %d sessions", n_seq);
    struct page_counts counts = session_set_counts(model, options);
    if (!options->n_page) page_counts_clip(model, backend_memory(exec_backend(exec)), &counts);
    if (status == JL_OK)
        status = page_pool_create(model, exec_backend(exec), &counts, &set->pool, err);
    if (status == JL_OK) { // no more than there are, however long a context the model claims
        set->pages = calloc((size_t)page_pool_size(set->pool, PAGE_KEYS) + 1, sizeof *set->pages);
        if (!set->pages) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for cache pages");
    }
    if (status == JL_OK && options->prefix_bytes)
        status = prefix_create(set->pool, options->prefix_bytes, &set->cache, err);
    if (status != JL_OK) {
        session_set_free(set);
        return status;
    }
    *out = set;
    return JL_OK;
}

void session_set_free(struct session_set *set) {
    if (!set) return;
    prefix_free(set->cache);
    page_pool_free(set->pool);
    free(set->pages);
    free(set->feeds);
    free(set->fed);
    free(set->logits);
    free(set);
}

const struct prefix_cache *session_set_cache(const struct session_set *set) { return set->cache; }

struct page_pool *session_set_pool(const struct session_set *set) {
    return set->pool;
}

/* ---- one session ---- */

static enum jl_status create(struct session_set *set, struct session **out, struct jl_error *err) {
    const struct model *model = exec_model(set->exec);
    struct session *session = calloc(1, sizeof *session);
    *out = session;
    if (!session) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a session");
    session->set = set;
    session->ids = calloc((size_t)session_capacity(session), sizeof *session->ids);
    session->logits = calloc((size_t)model->hp.n_vocab, sizeof *session->logits);
    if (session->ids && session->logits) return JL_OK;
    session_free(session);
    *out = NULL;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a session's tokens and logits");
}

enum jl_status session_create(struct session_set *set, struct session **out, struct jl_error *err) {
    JL_TRY(create(set, out, err));
    enum jl_status status = state_create(set->pool, &(*out)->state, err);
    if (status == JL_OK) return JL_OK;
    session_free(*out);
    *out = NULL;
    return status;
}

enum jl_status session_fork(const struct session *session, struct session **out,
                            struct jl_error *err) {
    JL_TRY(create(session->set, out, err));
    struct session *fork = *out;
    enum jl_status status = state_fork(session->state, &fork->state, err);
    if (status != JL_OK) {
        session_free(fork);
        *out = NULL;
        return status;
    }
    fork->tip = session->tip;
    prefix_pin(session->set->cache, fork->tip);
    fork->n_prompt = session->n_prompt;
    fork->n_id = session->n_id;
    memcpy(fork->ids, session->ids, (size_t)session->n_id * sizeof *fork->ids);
    fork->n_logits = session->n_logits;
    if (session->n_logits)
        memcpy(fork->logits, session->logits,
               (size_t)exec_model(session->set->exec)->hp.n_vocab * sizeof *fork->logits);
    return JL_OK;
}

void session_free(struct session *session) {
    if (!session) return;
    prefix_unpin(session->set->cache, session->tip);
    state_free(session->state);
    free(session->ids);
    free(session->logits);
    free(session);
}

int session_n_token(const struct session *session) { return state_n_pos(session->state); }

int session_n_pending(const struct session *session) {
    return session->n_id - state_n_pos(session->state);
}

const int32_t *session_ids(const struct session *session) { return session->ids; }

int session_capacity(const struct session *session) {
    int64_t room = (int64_t)page_pool_size(session->set->pool, PAGE_KEYS) * KV_CHUNK;
    int n_ctx = session->set->n_ctx;
    return room < n_ctx ? (int)room : n_ctx;
}

size_t session_bytes(const struct session *session) { return state_bytes(session->state); }

const float *session_logits(const struct session *session) {
    return session->n_logits && session->n_logits == session->n_id ? session->logits : NULL;
}

/* ---- what its tokens are ---- */

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

static int common_prefix(const struct session *session, const int32_t *ids, int n) {
    int have = state_n_pos(session->state), same = 0;
    while (same < have && same < n && session->ids[same] == ids[same])
        same++;
    return same;
}

/* The first `same` of its tokens are those it has read; it reads on from as near to there as it
 * can. The logits are those of the last token read: without them it must be read once more. */
static enum jl_status go_on_from(struct session *session, int same, bool from_cache,
                                 struct jl_error *err) {
    bool known = same > 0 && same == session->n_id && same == session->n_logits &&
                 state_can_rewind(session->state, same);
    if (!known && same > 0 && same == session->n_id) same--;
    int back = state_rewind_point(session->state, same);
    if (!known) session->n_logits = 0;
    if (!known && from_cache && session_take_prefix(session, same, back)) return JL_OK;
    JL_TRY(state_rewind(session->state, back, err));
    session_unshare(session, back);
    return JL_OK;
}

enum jl_status session_aim(struct session *session, const int32_t *ids, int n, int *reused,
                           struct jl_error *err) {
    if (n < 1) return jl_fail(err, JL_ERR_USAGE, "a prompt needs at least one token");
    if (n > session_capacity(session)) return refuse_longer(session, n, err);
    JL_TRY(check_ids(session, ids, n, err));
    int same = common_prefix(session, ids, n);
    memmove(session->ids + same, ids + same, (size_t)(n - same) * sizeof *ids);
    session->n_id = session->n_prompt = n;
    JL_TRY(go_on_from(session, same, true, err));
    *reused = state_n_pos(session->state);
    return JL_OK;
}

enum jl_status session_add(struct session *session, const int32_t *ids, int n,
                           struct jl_error *err) {
    if (n > session_capacity(session) - session->n_id)
        return refuse_longer(session, n < INT32_MAX - session->n_id ? session->n_id + n : n, err);
    JL_TRY(check_ids(session, ids, n, err));
    memmove(session->ids + session->n_id, ids, (size_t)n * sizeof *ids);
    session->n_id += n;
    return JL_OK;
}

enum jl_status session_rewind(struct session *session, int n, struct jl_error *err) {
    if (n < 0 || n > session->n_id)
        return jl_fail(err, JL_ERR_USAGE, "a session of %d tokens cannot keep %d of them",
                       session->n_id, n);
    session->n_id = n;
    if (session->n_prompt > n) session->n_prompt = n;
    int have = state_n_pos(session->state);
    return go_on_from(session, have < n ? have : n, false, err);
}

/* ---- passes ---- */

/* How many of the pending tokens go into the next pass, which has room for so many. Prompts of
 * models with recurrent layers end in a pass of their own. */
static int next_pass(const struct session *session, int room) {
    int at = state_n_pos(session->state), left = session->n_id - at, n = session->n_prompt;
    int count = left < room ? left : room;
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

/* What the sessions put into the pass; how many do. */
static int fill_feeds(struct session_set *set, struct session *const *list, int n, int waiting) {
    int n_feed = 0, room = exec_max_rows(set->exec);
    for (int i = 0; i < n; i++) {
        struct session *session = list[i];
        int at = state_n_pos(session->state);
        if (session->n_id == at) continue;
        int count = next_pass(session, room - --waiting);
        room -= count;
        keep_checkpoint(session);
        set->fed[n_feed] = session;
        set->feeds[n_feed++] = (struct feed){
            .state = session->state,
            .tokens = session->ids + at,
            .n_token = count,
            .logits = at + count == session->n_id ? FEED_LAST : FEED_NONE,
        };
    }
    return n_feed;
}

enum jl_status session_set_forward(struct session_set *set, struct session *const *list, int n,
                                   const atomic_bool *cancel, struct jl_error *err) {
    size_t n_vocab = (size_t)exec_model(set->exec)->hp.n_vocab;
    int waiting;
    JL_TRY(count_waiting(set, list, n, &waiting, err));
    int n_feed = fill_feeds(set, list, n, waiting);
    JL_TRY(feed_forward(set->exec, set->feeds, n_feed, cancel, set->logits, err));
    const float *logits = set->logits; // a pass that fails has written some of it
    for (int f = 0; f < n_feed; f++) {
        struct session *session = set->fed[f];
        session_share(session);
        if (set->feeds[f].logits == FEED_NONE) continue;
        memcpy(session->logits, logits, n_vocab * sizeof *logits);
        session->n_logits = session->n_id;
        logits += n_vocab;
    }
    return JL_OK;
}

/* ---- one session alone ---- */

enum jl_status session_sync(struct session *session, const int32_t *ids, int n,
                            const struct session_watch *watch, int *reused, struct jl_error *err) {
    static const struct session_watch nobody;
    if (!watch) watch = &nobody;
    JL_TRY(session_aim(session, ids, n, reused, err));
    while (session_n_pending(session) > 0) {
        JL_TRY(session_set_forward(session->set, &session, 1, watch->cancel, err));
        if (watch->step) watch->step(watch->ctx, session_n_token(session) - *reused, n - *reused);
    }
    return JL_OK;
}

enum jl_status session_push(struct session *session, int32_t id, struct jl_error *err) {
    int n_id = session->n_id;
    JL_TRY(session_add(session, &id, 1, err));
    while (session_n_pending(session) > 0) {
        enum jl_status status = session_set_forward(session->set, &session, 1, NULL, err);
        if (status == JL_OK) continue;
        session->n_id = n_id;
        return status;
    }
    return JL_OK;
}

enum jl_status session_push_many(struct session *session, const int32_t *ids, int n, float *logits,
                                 struct jl_error *err) {
    size_t n_vocab = (size_t)exec_model(session->set->exec)->hp.n_vocab;
    if (n < 1 || session_n_pending(session) > 0)
        return jl_fail(err, JL_ERR_USAGE, "%d tokens cannot be pushed behind %d pending ones", n,
                       session_n_pending(session));
    JL_TRY(session_add(session, ids, n, err));
    keep_checkpoint(session);
    struct feed feed = {session->state, session->ids + session->n_id - n, n, FEED_ALL, NULL};
    enum jl_status status = feed_forward(session->set->exec, &feed, 1, NULL, logits, err);
    if (status != JL_OK) {
        session->n_id -= n;
        return status;
    }
    session_share(session);
    memcpy(session->logits, logits + (size_t)(n - 1) * n_vocab, n_vocab * sizeof *logits);
    session->n_logits = session->n_id;
    return JL_OK;
}
