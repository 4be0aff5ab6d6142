/* One sequence's cached state: pages of KV_CHUNK positions, all layers of a model together.
 *
 * One owner. The interface is the same whatever a family stores: append, rewind (or "cannot"),
 * checkpoint, restore, bytes. Keys and values can be cut back to any position. */
#ifndef JL_SESSION_STATE_H
#define JL_SESSION_STATE_H

#include "model/model.h"

struct state;

/* What restore needs to come back to a moment. */
struct state_checkpoint {
    int n_pos;
};

enum jl_status state_create(const struct model *model, struct backend *backend, struct state **out,
                            struct jl_error *err);
void state_free(struct state *state); // NULL is fine

/* Pages for positions below n_pos; refused past the model's context length. On failure the state
 * is as before. */
enum jl_status state_reserve(struct state *state, int n_pos, struct jl_error *err);

int state_n_pos(const struct state *state); // positions stored
struct seq_view state_view(const struct state *state);
void state_append(struct state *state, int n); // a pass has stored n more positions

bool state_can_rewind(const struct state *state, int n_pos);
enum jl_status state_rewind(struct state *state, int n_pos, struct jl_error *err);
struct state_checkpoint state_save(const struct state *state);
enum jl_status state_restore(struct state *state, const struct state_checkpoint *checkpoint,
                             struct jl_error *err);
size_t state_bytes(const struct state *state);

#endif
