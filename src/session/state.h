/* One sequence's cached state. One owner; the interface is the same whatever a family stores:
 * append, rewind (or "cannot"), checkpoint, bytes.
 *
 * Keys and values stand in pages of KV_CHUNK positions, all layers of a model together, and can be
 * cut back to any position. What recurrent layers have made of the sequence stands in one buffer. A
 * pass reads it and writes another; the two change places when the pass has succeeded, so that one
 * which fails or is cancelled has changed nothing. Such a state goes back only to where its
 * recurrent part is known: nothing read, before the last pass, or a checkpoint. */
#ifndef JL_SESSION_STATE_H
#define JL_SESSION_STATE_H

#include "model/model.h"

struct state;

enum jl_status state_create(const struct model *model, struct backend *backend, struct state **out,
                            struct jl_error *err);
void state_free(struct state *state); // NULL is fine

/* Room for positions below n_pos; refused past the model's context length. On failure the state is
 * as before. */
enum jl_status state_reserve(struct state *state, int n_pos, struct jl_error *err);

int state_n_pos(const struct state *state); // positions stored

/* For one pass, which may write what it likes: only state_append makes it count. After a pass that
 * failed the way back to before the pass that preceded it is gone. */
struct seq_view state_view(struct state *state);
struct seq_view state_pages(const struct state *state); // without a recurrent part, for a plan of
                                                        // layers that attend
void state_append(struct state *state, int n);          // the pass has stored n more positions

/* ---- back ---- */

bool state_rewinds_freely(const struct state *state); // to any position: checkpoints are not needed
/* The last position up to n_pos, which is not past the end, that the state can go back to. */
int state_rewind_point(const struct state *state, int n_pos);
bool state_can_rewind(const struct state *state, int n_pos);
enum jl_status state_rewind(struct state *state, int n_pos, struct jl_error *err);

/* What a checkpoint is made for: where somebody is likely to come back to, the end of a turn's
 * prompt, or a stretch of road that would be long to walk again. */
enum checkpoint_kind { CHECKPOINT_ROAD, CHECKPOINT_TURN };

/* At most so many are kept, in at most so many bytes, but two whatever their size: when one more
 * comes, that one goes which is the least loss. */
#define STATE_CHECKPOINTS 8
#define STATE_CHECKPOINT_BYTES ((size_t)256 << 20)
int state_checkpoints_kept(size_t recurrent_bytes); // how many that makes

/* From here on the state can come back to where it is now, until it goes back further. Nothing to
 * do for a state that rewinds freely. */
enum jl_status state_checkpoint(struct state *state, enum checkpoint_kind kind,
                                struct jl_error *err);
int state_last_checkpoint(const struct state *state); // its position; 0: none

size_t state_bytes(const struct state *state); // pages, recurrent part, checkpoints

#endif
