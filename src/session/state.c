#include "session/state.h"

#include <stdlib.h>
#include <string.h>

#include "session/state_self.h"

enum jl_status state_create(struct page_pool *pool, struct state **out, struct jl_error *err) {
    const struct model *model = page_pool_model(pool);
    struct state *state = calloc(1, sizeof *state);
    *out = NULL;
    if (!state) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a sequence's state");
    int cap = (int)(((int64_t)model->hp.n_ctx_train + KV_CHUNK - 1) / KV_CHUNK);
    if (cap > page_pool_size(pool, PAGE_KEYS)) cap = page_pool_size(pool, PAGE_KEYS);
    *state = (struct state){.pool = pool, .model = model, .page_cap = cap, .undo_pos = NO_POS};
    state->pages = calloc((size_t)cap + 1, sizeof *state->pages);
    state->buffers = calloc((size_t)cap + 1, sizeof *state->buffers);
    if (!state->pages || !state->buffers) {
        state_free(state);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the table of %d cache pages", cap);
    }
    if (model->recurrent_bytes) state->recur[0] = page_hold(page_pool_nothing(pool));
    *out = state;
    return JL_OK;
}

/* Pages from n on go. The last ones first: they are then the first to be taken again. */
static void cut_pages(struct state *state, int n) {
    for (; state->n_page > n; state->n_page--)
        page_drop(state->pool, state->pages[state->n_page - 1]);
}

void state_free(struct state *state) {
    if (!state) return;
    cut_pages(state, 0);
    for (int i = 0; i < state->n_checkpoint; i++)
        page_drop(state->pool, state->checkpoints[i].recur);
    page_drop(state->pool, state->recur[0]);
    page_drop(state->pool, state->recur[1]);
    free(state->pages);
    free(state->buffers);
    free(state);
}

static void set_page(struct state *state, int i, struct page *page) {
    state->pages[i] = page;
    state->buffers[i] = page->buffer;
}

enum jl_status state_fork(const struct state *state, struct state **out, struct jl_error *err) {
    JL_TRY(state_create(state->pool, out, err));
    struct state *fork = *out;
    fork->n_page =
        (state->n_pos + KV_CHUNK - 1) / KV_CHUNK; // what is reserved beyond is not shared
    for (int i = 0; i < fork->n_page; i++)
        set_page(fork, i, page_hold(state->pages[i]));
    fork->n_pos = state->n_pos;
    fork->n_ahead = state->n_ahead;
    if (state->model->recurrent_bytes) {
        page_drop(fork->pool, fork->recur[0]);
        fork->recur[0] = page_hold(state->recur[state->now]);
    }
    fork->n_checkpoint = state->n_checkpoint;
    for (int i = 0; i < state->n_checkpoint; i++) {
        fork->checkpoints[i] = state->checkpoints[i];
        page_hold(fork->checkpoints[i].recur);
    }
    return JL_OK;
}

/* ---- room ---- */

static bool is_shared(const struct page *page) { return page->refs > 1; }

/* A page of its own with the same bits. One was made sure of. */
static void own_page(struct state *state, int i) {
    struct page *shared = state->pages[i], *own = page_pool_take(state->pool, PAGE_KEYS);
    backend_copy(own->buffer, shared->buffer);
    set_page(state, i, own);
    page_drop(state->pool, shared);
}

/* Where the next pass writes; what is there now is not wanted any more. */
static void own_recurrent(struct state *state) {
    struct page **next = &state->recur[!state->now];
    if (*next && !is_shared(*next)) return;
    page_drop(state->pool, *next);
    *next = page_pool_take(state->pool, PAGE_RECUR);
    state->undo_pos = NO_POS;
}

enum jl_status state_reserve(struct state *state, int n_pos, struct jl_error *err) {
    const struct page *next = state->recur[!state->now];
    if (n_pos > state->model->hp.n_ctx_train)
        return jl_fail(err, JL_ERR_LIMIT,
                       "%d positions are asked for, but the model's context length is %d; "
                       "shorten the prompt or ask for fewer tokens",
                       n_pos, state->model->hp.n_ctx_train);
    int needed = (n_pos + KV_CHUNK - 1) / KV_CHUNK, last = state->n_pos / KV_CHUNK;
    int n_new = needed > state->n_page ? needed - state->n_page : 0;
    // Past n_pos nobody shares a page; the one that n_pos is in the middle of may be.
    bool copies = n_pos > state->n_pos && state->n_pos % KV_CHUNK && is_shared(state->pages[last]);
    if (needed > state->page_cap)
        return jl_fail(err, JL_ERR_MEMORY,
                       "%d positions need %d cache pages, but the whole pool has %d; start with a "
                       "larger pool",
                       n_pos, needed, state->page_cap);
    JL_TRY(page_pool_want(state->pool, PAGE_KEYS, n_new + copies, err));
    if (state->model->recurrent_bytes && (!next || is_shared(next))) {
        JL_TRY(page_pool_want(state->pool, PAGE_RECUR, 1, err));
        own_recurrent(state);
    }
    if (copies) own_page(state, last);
    for (; state->n_page < needed; state->n_page++)
        set_page(state, state->n_page, page_pool_take(state->pool, PAGE_KEYS));
    return JL_OK;
}

/* ---- passes ---- */

int state_n_pos(const struct state *state) { return state->n_pos; }

struct seq_view state_view_ahead(const struct state *state) {
    return (struct seq_view){
        .pages = state->buffers, .n_page = state->n_page, .n_pos = state->n_pos};
}

/* A shared page is never shown as one to write: a pass that nobody reserved for is refused. */
struct seq_view state_view(struct state *state) {
    struct seq_view view = state_view_ahead(state);
    int last = state->n_pos / KV_CHUNK;
    if (state->n_pos % KV_CHUNK && is_shared(state->pages[last])) view.n_page = last;
    if (state->model->recurrent_bytes) {
        const struct page *next = state->recur[!state->now];
        view.recur = state->recur[state->now]->buffer;
        view.recur_next = next && !is_shared(next) ? next->buffer : NULL;
    }
    state->undo_pos = NO_POS;
    return view;
}

void state_append(struct state *state, int n) {
    if (n == 0) return; // no pass: nothing was written
    state->undo_pos = state->n_pos;
    state->n_pos += n;
    if (state->model->recurrent_bytes) state->now = !state->now;
}

enum jl_status state_reserve_ahead(struct state *state, int first, int n, struct jl_error *err) {
    int64_t room = (int64_t)state->n_page * KV_CHUNK;
    if (first < 0 || n < 0 || n > room - first)
        return jl_fail(err, JL_ERR_USAGE, "position %d has no page: %lld have, %d are stored",
                       first + n - 1, (long long)room, state->n_pos);
    if (first > state->n_ahead)
        return jl_fail(
            err, JL_ERR_USAGE,
            "the prediction layer has passed through %d positions and cannot go on at %d",
            state->n_ahead, first);
    int shared = 0, begin = first / KV_CHUNK, end = (first + n + KV_CHUNK - 1) / KV_CHUNK;
    for (int i = begin; n && i < end; i++)
        shared += is_shared(state->pages[i]);
    JL_TRY(page_pool_want(state->pool, PAGE_KEYS, shared, err));
    for (int i = begin; n && i < end; i++)
        if (is_shared(state->pages[i])) own_page(state, i);
    return JL_OK;
}

void state_append_ahead(struct state *state, int n_ahead) { state->n_ahead = n_ahead; }

int state_n_ahead(const struct state *state) { return state->n_ahead; }

/* ---- back ---- */

bool state_rewinds_freely(const struct state *state) { return state->model->recurrent_bytes == 0; }

int state_rewind_point(const struct state *state, int n_pos) {
    if (state_rewinds_freely(state) || n_pos == state->n_pos) return n_pos;
    int best = state->undo_pos > 0 && state->undo_pos <= n_pos ? state->undo_pos : 0;
    for (int i = 0; i < state->n_checkpoint; i++)
        if (state->checkpoints[i].n_pos <= n_pos && state->checkpoints[i].n_pos > best)
            best = state->checkpoints[i].n_pos;
    return best;
}

bool state_can_rewind(const struct state *state, int n_pos) {
    return n_pos >= 0 && n_pos <= state->n_pos && state_rewind_point(state, n_pos) == n_pos;
}

void state_set_recurrent(struct state *state, struct page *page) {
    page_hold(page);
    page_drop(state->pool, state->recur[state->now]);
    state->recur[state->now] = page;
}

/* The recurrent part as it was after n_pos positions, one of those it can go back to. */
static void rewind_recurrent(struct state *state, int n_pos) {
    if (n_pos == state->undo_pos) {
        state->now = !state->now;
    } else if (n_pos == 0) {
        state_set_recurrent(state, page_pool_nothing(state->pool));
    } else {
        int i = 0;
        while (state->checkpoints[i].n_pos != n_pos)
            i++;
        state_set_recurrent(state, state->checkpoints[i].recur);
    }
    state->undo_pos = NO_POS;
}

/* What comes next may differ from what the later ones had read; the prediction layer's last
 * position has read the token that came next. */
static void forget_past(struct state *state, int n_pos) {
    while (state->n_checkpoint > 0 && state->checkpoints[state->n_checkpoint - 1].n_pos > n_pos)
        page_drop(state->pool, state->checkpoints[--state->n_checkpoint].recur);
    int ahead = n_pos > 0 ? n_pos - 1 : 0;
    if (state->n_ahead > ahead) state->n_ahead = ahead;
}

enum jl_status state_rewind(struct state *state, int n_pos, struct jl_error *err) {
    if (n_pos < 0 || n_pos > state->n_pos)
        return jl_fail(err, JL_ERR_USAGE, "cannot rewind from position %d to %d", state->n_pos,
                       n_pos);
    if (!state_can_rewind(state, n_pos))
        return jl_fail(err, JL_ERR_USAGE,
                       "cannot rewind from position %d to %d: recurrent layers go back to a "
                       "checkpoint only, and the last one before it is at %d",
                       state->n_pos, n_pos, state_rewind_point(state, n_pos));
    if (n_pos == state->n_pos) return JL_OK;
    if (!state_rewinds_freely(state)) rewind_recurrent(state, n_pos);
    state->n_pos = n_pos;
    forget_past(state, n_pos);
    cut_pages(state, (n_pos + KV_CHUNK - 1) / KV_CHUNK);
    return JL_OK;
}

/* ---- pages from elsewhere and for others ---- */

struct page *state_page(const struct state *state, int i) {
    return state->pages[i];
}

struct page *state_recurrent(const struct state *state) {
    return state->recur[state->now];
}

void state_swap_page(struct state *state, int i, struct page *page) {
    page_hold(page);
    page_drop(state->pool, state->pages[i]);
    set_page(state, i, page);
}

void state_adopt(struct state *state, int same, int n_pos, struct page *const *pages,
                 struct page *recur) {
    int n_page = (n_pos + KV_CHUNK - 1) / KV_CHUNK;
    for (int i = 0; i < n_page; i++) {
        page_hold(pages[i]);
        if (i < state->n_page) page_drop(state->pool, state->pages[i]);
        set_page(state, i, pages[i]);
    }
    if (n_page > state->n_page) state->n_page = n_page;
    cut_pages(state, n_page);
    if (recur) state_set_recurrent(state, recur);
    state->undo_pos = NO_POS;
    state->n_pos = n_pos;
    forget_past(state, same < n_pos ? same : n_pos);
    state->n_ahead = 0;
}

size_t state_bytes(const struct state *state) {
    const struct page *nothing = page_pool_nothing(state->pool);
    const struct page *seen[STATE_CHECKPOINTS + 2];
    int n_seen = 0;
    for (int i = 0; i < state->n_checkpoint + 2; i++) {
        const struct page *page = i < 2 ? state->recur[i] : state->checkpoints[i - 2].recur;
        bool counts = page && page != nothing;
        for (int k = 0; counts && k < n_seen; k++)
            counts = seen[k] != page;
        if (counts) seen[n_seen++] = page;
    }
    return (size_t)state->n_page * state->model->page_bytes +
           (size_t)n_seen * state->model->recurrent_bytes;
}
