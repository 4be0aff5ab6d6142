#include "session/state.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/kvchunk.h"

#define NO_POS (-1)

struct checkpoint {
    int n_pos;
    enum checkpoint_kind kind;
    struct backend_buffer *recur;
};

struct state {
    const struct model *model;
    struct backend *backend;
    struct backend_buffer **pages;
    int n_page, page_cap;
    int n_pos;

    /* of a model with recurrent layers */
    struct backend_buffer *recur[2]; // [now]: after n_pos positions
    int now;
    int undo_pos; // recur[!now]: after so many positions, or NO_POS when it holds no such thing
    struct checkpoint checkpoints[STATE_CHECKPOINTS]; // ascending; buffers past n_checkpoint: spare
    int n_checkpoint;
};

enum jl_status state_create(const struct model *model, struct backend *backend, struct state **out,
                            struct jl_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a sequence's state");
    **out = (struct state){.model = model, .backend = backend, .undo_pos = NO_POS};
    return JL_OK;
}

void state_free(struct state *state) {
    if (!state) return;
    for (int i = 0; i < state->n_page; i++)
        backend_release(state->pages[i]);
    for (int i = 0; i < STATE_CHECKPOINTS; i++)
        backend_release(state->checkpoints[i].recur);
    backend_release(state->recur[0]);
    backend_release(state->recur[1]);
    free(state->pages);
    free(state);
}

static enum jl_status reserve_pages(struct state *state, int n_pos, struct jl_error *err) {
    int needed = (n_pos + KV_CHUNK - 1) / KV_CHUNK;
    if (needed > state->page_cap) {
        int cap = needed > 2 * state->page_cap ? needed : 2 * state->page_cap;
        struct backend_buffer **grown = realloc(state->pages, (size_t)cap * sizeof(void *));
        if (!grown) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d cache pages", cap);
        state->pages = grown;
        state->page_cap = cap;
    }
    while (state->n_page < needed) {
        struct backend_buffer **slot = &state->pages[state->n_page];
        JL_TRY(backend_alloc(state->backend, state->model->page_bytes, slot, err));
        state->n_page++;
    }
    return JL_OK;
}

enum jl_status state_reserve(struct state *state, int n_pos, struct jl_error *err) {
    size_t recurrent = state->model->recurrent_bytes;
    if (n_pos > state->model->hp.n_ctx_train)
        return jl_fail(err, JL_ERR_LIMIT,
                       "%d positions are asked for, but the model's context length is %d; "
                       "shorten the prompt or ask for fewer tokens",
                       n_pos, state->model->hp.n_ctx_train);
    for (int i = 0; recurrent && i < 2; i++) // zeroed: a sequence of which nothing is read yet
        if (!state->recur[i])
            JL_TRY(backend_alloc(state->backend, recurrent, &state->recur[i], err));
    return reserve_pages(state, n_pos, err);
}

int state_n_pos(const struct state *state) { return state->n_pos; }

struct seq_view state_pages(const struct state *state) {
    return (struct seq_view){.pages = state->pages, .n_page = state->n_page, .n_pos = state->n_pos};
}

struct seq_view state_view(struct state *state) {
    struct seq_view view = state_pages(state);
    view.recur = state->recur[state->now];
    view.recur_next = state->recur[!state->now];
    state->undo_pos = NO_POS;
    return view;
}

void state_append(struct state *state, int n) {
    if (n == 0) return; // no pass: nothing was written
    state->undo_pos = state->n_pos;
    state->n_pos += n;
    state->now = !state->now;
}

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

/* The recurrent part as it was after n_pos positions, one of those it can go back to. */
static void rewind_recurrent(struct state *state, int n_pos) {
    int now = state->now;
    if (n_pos == state->undo_pos) {
        state->now = !now;
    } else if (n_pos == 0) {
        if (state->recur[now]) backend_clear(state->recur[now]);
    } else {
        int i = 0;
        while (state->checkpoints[i].n_pos != n_pos)
            i++;
        backend_copy(state->recur[now], state->checkpoints[i].recur);
    }
    state->undo_pos = NO_POS;
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
    // What comes next may differ from what the later ones had read.
    while (state->n_checkpoint > 0 && state->checkpoints[state->n_checkpoint - 1].n_pos > n_pos)
        state->n_checkpoint--;
    return JL_OK;
}

/* ---- checkpoints ---- */

int state_checkpoints_kept(size_t recurrent_bytes) {
    if (recurrent_bytes == 0) return 0;
    size_t n = STATE_CHECKPOINT_BYTES / recurrent_bytes;
    return n < 2 ? 2 : n < STATE_CHECKPOINTS ? (int)n : STATE_CHECKPOINTS;
}

/* What is lost when checkpoint i goes: whoever wants to come back to between it and the next one
 * has to walk from the one before. The further back, the less likely; the end of a turn's prompt is
 * asked for more than others. */
static double loss(const struct state *state, int i) {
    const struct checkpoint *c = &state->checkpoints[i];
    int before = i > 0 ? c[-1].n_pos : 0;
    int after = i + 1 < state->n_checkpoint ? c[1].n_pos : state->n_pos;
    double walk = c->n_pos - before, wanted = after - c->n_pos;
    return walk * wanted / (state->n_pos - c->n_pos) * (c->kind == CHECKPOINT_TURN ? 16 : 1);
}

/* Takes the least loss out and leaves its buffer spare. */
static void drop_one(struct state *state) {
    int least = 0;
    for (int i = 1; i < state->n_checkpoint; i++)
        if (loss(state, i) < loss(state, least)) least = i;
    struct checkpoint gone = state->checkpoints[least];
    state->n_checkpoint--;
    memmove(&state->checkpoints[least], &state->checkpoints[least + 1],
            (size_t)(state->n_checkpoint - least) * sizeof gone);
    state->checkpoints[state->n_checkpoint] = gone;
}

enum jl_status state_checkpoint(struct state *state, enum checkpoint_kind kind,
                                struct jl_error *err) {
    if (state_rewinds_freely(state) || state->n_pos == 0) return JL_OK;
    if (state_last_checkpoint(state) == state->n_pos) {
        struct checkpoint *last = &state->checkpoints[state->n_checkpoint - 1];
        if (kind == CHECKPOINT_TURN) last->kind = kind;
        return JL_OK;
    }
    if (state->n_checkpoint == state_checkpoints_kept(state->model->recurrent_bytes))
        drop_one(state);
    struct checkpoint *c = &state->checkpoints[state->n_checkpoint];
    if (!c->recur)
        JL_TRY(backend_alloc(state->backend, state->model->recurrent_bytes, &c->recur, err));
    backend_copy(c->recur, state->recur[state->now]);
    c->n_pos = state->n_pos;
    c->kind = kind;
    state->n_checkpoint++;
    return JL_OK;
}

int state_last_checkpoint(const struct state *state) {
    return state->n_checkpoint ? state->checkpoints[state->n_checkpoint - 1].n_pos : 0;
}

size_t state_bytes(const struct state *state) {
    size_t n_recur = 0;
    for (int i = 0; i < 2; i++)
        n_recur += state->recur[i] != NULL;
    for (int i = 0; i < STATE_CHECKPOINTS; i++)
        n_recur += state->checkpoints[i].recur != NULL;
    return (size_t)state->n_page * state->model->page_bytes +
           n_recur * state->model->recurrent_bytes;
}
