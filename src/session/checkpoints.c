/* Where a state with recurrent layers can go back to. A checkpoint is one more holder of the
 * recurrent part: nothing is copied, the next pass writes elsewhere. */
#include <string.h>

#include "session/state_self.h"

int state_checkpoints_kept(size_t recurrent_bytes) {
    if (recurrent_bytes == 0) return 0;
    size_t n = STATE_CHECKPOINT_BYTES / recurrent_bytes;
    return n < 2 ? 2 : n < STATE_CHECKPOINTS ? (int)n : STATE_CHECKPOINTS;
}

/* What is lost when checkpoint i goes: whoever wants to come back to between it and the next one
 * has to walk from the one before. The further back, the less likely; the end of a turn's prompt is
 * asked for more than others. */
static double loss(const struct state *state, int i) {
    const struct state_checkpoint_view *c = &state->checkpoints[i];
    int before = i > 0 ? c[-1].n_pos : 0;
    int after = i + 1 < state->n_checkpoint ? c[1].n_pos : state->n_pos;
    double walk = c->n_pos - before, wanted = after - c->n_pos;
    return walk * wanted / (state->n_pos - c->n_pos) * (c->kind == CHECKPOINT_TURN ? 16 : 1);
}

static void drop_least(struct state *state) {
    int least = 0;
    for (int i = 1; i < state->n_checkpoint; i++)
        if (loss(state, i) < loss(state, least)) least = i;
    page_drop(state->pool, state->checkpoints[least].recur);
    state->n_checkpoint--;
    memmove(&state->checkpoints[least], &state->checkpoints[least + 1],
            (size_t)(state->n_checkpoint - least) * sizeof state->checkpoints[0]);
}

void state_checkpoint(struct state *state, enum checkpoint_kind kind) {
    if (state_rewinds_freely(state) || state->n_pos == 0) return;
    if (state_last_checkpoint(state) == state->n_pos) {
        struct state_checkpoint_view *last = &state->checkpoints[state->n_checkpoint - 1];
        if (kind == CHECKPOINT_TURN) last->kind = kind;
        return;
    }
    if (state->n_checkpoint == state_checkpoints_kept(state->model->recurrent_bytes))
        drop_least(state);
    state->checkpoints[state->n_checkpoint++] =
        (struct state_checkpoint_view){state->n_pos, kind, page_hold(state->recur[state->now])};
}

int state_last_checkpoint(const struct state *state) {
    return state->n_checkpoint ? state->checkpoints[state->n_checkpoint - 1].n_pos : 0;
}

int state_n_checkpoint(const struct state *state) { return state->n_checkpoint; }

struct state_checkpoint_view state_checkpoint_at(const struct state *state, int i) {
    return state->checkpoints[i];
}

bool state_add_checkpoint(struct state *state, const struct state_checkpoint_view *checkpoint) {
    if (state->n_checkpoint == state_checkpoints_kept(state->model->recurrent_bytes)) return false;
    page_hold(checkpoint->recur);
    state->checkpoints[state->n_checkpoint++] = *checkpoint;
    return true;
}
