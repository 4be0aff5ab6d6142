#include "session/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "session/feed.h"

/* Where the state keeps checkpoints: the last tokens of a prompt go in a pass of their own, after a
 * checkpoint, so that the same prompt once more, or one that differs in its last words, finds it;
 * an answer leaves one now and then. */
#define TAIL 16
#define ROAD 64

struct timeline {
    struct exec *exec;
    struct state *state;
    int32_t *ids; // (cap); the first state_n_pos(state) are in the state
    int cap;
    float *logits; // (n_vocab)
    int n_logits;  // tokens in the state when the logits were computed, 0: none
};

enum jl_status timeline_create(struct exec *exec, struct timeline **out, struct jl_error *err) {
    const struct model *model = exec_model(exec);
    struct timeline *timeline = calloc(1, sizeof *timeline);
    *out = timeline;
    if (!timeline) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a sequence");
    timeline->exec = exec;
    timeline->logits = calloc((size_t)model->hp.n_vocab, sizeof *timeline->logits);
    enum jl_status status = timeline->logits
                                ? state_create(model, exec_backend(exec), &timeline->state, err)
                                : jl_fail(err, JL_ERR_MEMORY, "out of memory for logits");
    if (status == JL_OK) return JL_OK;
    timeline_free(timeline);
    *out = NULL;
    return status;
}

void timeline_free(struct timeline *timeline) {
    if (!timeline) return;
    state_free(timeline->state);
    free(timeline->ids);
    free(timeline->logits);
    free(timeline);
}

int timeline_n_token(const struct timeline *timeline) { return state_n_pos(timeline->state); }

const int32_t *timeline_ids(const struct timeline *timeline) { return timeline->ids; }

int timeline_capacity(const struct timeline *timeline) {
    return exec_model(timeline->exec)->hp.n_ctx_train;
}

size_t timeline_bytes(const struct timeline *timeline) { return state_bytes(timeline->state); }

const float *timeline_logits(const struct timeline *timeline) { return timeline->logits; }

static enum jl_status reserve(struct timeline *timeline, int n, struct jl_error *err) {
    if (n <= timeline->cap) return JL_OK;
    int64_t cap = n > 2 * (int64_t)timeline->cap ? n : 2 * (int64_t)timeline->cap;
    if (cap > timeline_capacity(timeline)) cap = timeline_capacity(timeline);
    int32_t *grown = realloc(timeline->ids, (size_t)cap * sizeof *grown);
    if (!grown) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d token ids", n);
    timeline->ids = grown;
    timeline->cap = (int)cap;
    return JL_OK;
}

static int common_prefix(const struct timeline *timeline, const int32_t *ids, int n) {
    int have = state_n_pos(timeline->state), same = 0;
    while (same < have && same < n && timeline->ids[same] == ids[same])
        same++;
    return same;
}

/* How many of the tokens from `at` on go into one pass. */
static int next_pass(const struct timeline *timeline, int at, int n) {
    int rows = exec_max_rows(timeline->exec), count = n - at < rows ? n - at : rows;
    bool reaches_tail = at + TAIL < n && at + count + TAIL > n;
    if (reaches_tail && !state_rewinds_freely(timeline->state)) count = n - TAIL - at;
    return count;
}

enum jl_status timeline_sync(struct timeline *timeline, const int32_t *ids, int n,
                             const struct timeline_watch *watch, int *reused,
                             struct jl_error *err) {
    static const struct timeline_watch nobody;
    if (!watch) watch = &nobody;
    if (n < 1) return jl_fail(err, JL_ERR_USAGE, "a prompt needs at least one token");
    if (n > timeline_capacity(timeline))
        return jl_fail(err, JL_ERR_LIMIT, "the prompt has %d tokens; the model's context holds %d",
                       n, timeline_capacity(timeline));
    JL_TRY(reserve(timeline, n, err));
    int same = common_prefix(timeline, ids, n);
    // The logits are those of the last token fed: without them it must be fed once more.
    if (same == n && timeline->n_logits != n) same--;
    same = state_rewind_point(timeline->state, same);
    JL_TRY(state_rewind(timeline->state, same, err));
    *reused = same;
    if (same == n) return JL_OK;
    timeline->n_logits = 0;
    memcpy(timeline->ids + same, ids + same, (size_t)(n - same) * sizeof *ids);
    for (int at = same; at < n;) {
        int count = next_pass(timeline, at, n);
        enum checkpoint_kind kind = at + TAIL < n ? CHECKPOINT_ROAD : CHECKPOINT_TURN;
        JL_TRY(state_checkpoint(timeline->state, kind, err));
        struct feed feed = {timeline->state, timeline->ids + at, count,
                            at + count == n ? FEED_LAST : FEED_NONE};
        JL_TRY(feed_forward(timeline->exec, &feed, 1, watch->cancel, timeline->logits, err));
        at += count;
        if (watch->step) watch->step(watch->ctx, at - same, n - same);
    }
    timeline->n_logits = n;
    return JL_OK;
}

enum jl_status timeline_push(struct timeline *timeline, int32_t id, struct jl_error *err) {
    int n = state_n_pos(timeline->state);
    if (n >= timeline_capacity(timeline))
        return jl_fail(err, JL_ERR_LIMIT, "the model's context of %d tokens is full", n);
    JL_TRY(reserve(timeline, n + 1, err));
    timeline->ids[n] = id;
    timeline->n_logits = 0;
    if (n - state_last_checkpoint(timeline->state) >= ROAD)
        JL_TRY(state_checkpoint(timeline->state, CHECKPOINT_ROAD, err));
    JL_TRY(feed_prompt(timeline->exec, timeline->state, &id, 1, 1, NULL, timeline->logits, err));
    timeline->n_logits = n + 1;
    return JL_OK;
}
