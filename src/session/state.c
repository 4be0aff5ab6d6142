#include "session/state.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/kvchunk.h"

struct state {
    const struct model *model;
    struct backend *backend;
    struct backend_buffer **pages;
    int n_page, page_cap;
    int n_pos;
};

enum jl_status state_create(const struct model *model, struct backend *backend, struct state **out,
                            struct jl_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a sequence's state");
    **out = (struct state){.model = model, .backend = backend};
    return JL_OK;
}

void state_free(struct state *state) {
    if (!state) return;
    for (int i = 0; i < state->n_page; i++)
        backend_release(state->pages[i]);
    free(state->pages);
    free(state);
}

enum jl_status state_reserve(struct state *state, int n_pos, struct jl_error *err) {
    if (n_pos > state->model->hp.n_ctx_train)
        return jl_fail(err, JL_ERR_LIMIT,
                       "%d positions are asked for, but the model's context length is %d; "
                       "shorten the prompt or ask for fewer tokens",
                       n_pos, state->model->hp.n_ctx_train);
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

int state_n_pos(const struct state *state) { return state->n_pos; }

struct seq_view state_view(const struct state *state) {
    return (struct seq_view){state->pages, state->n_page, state->n_pos};
}

void state_append(struct state *state, int n) { state->n_pos += n; }

bool state_can_rewind(const struct state *state, int n_pos) {
    return n_pos >= 0 && n_pos <= state->n_pos;
}

enum jl_status state_rewind(struct state *state, int n_pos, struct jl_error *err) {
    if (!state_can_rewind(state, n_pos))
        return jl_fail(err, JL_ERR_USAGE, "cannot rewind from position %d to %d", state->n_pos,
                       n_pos);
    state->n_pos = n_pos;
    return JL_OK;
}

struct state_checkpoint state_save(const struct state *state) {
    return (struct state_checkpoint){state->n_pos};
}

enum jl_status state_restore(struct state *state, const struct state_checkpoint *checkpoint,
                             struct jl_error *err) {
    return state_rewind(state, checkpoint->n_pos, err);
}

size_t state_bytes(const struct state *state) {
    return (size_t)state->n_page * state->model->page_bytes;
}
