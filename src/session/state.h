/* One sequence's cached state. One owner; the interface is the same whatever a family stores:
 * append, rewind (or "cannot"), checkpoint, fork, bytes.
 *
 * Keys and values stand in pages of KV_CHUNK positions, all layers of a model together, and can be
 * cut back to any position. What recurrent layers have made of the sequence stands in one page. A
 * pass reads it and writes another; the two change places when the pass has succeeded, so that one
 * which fails or is cancelled has changed nothing. Such a state goes back only to where its
 * recurrent part is known: nothing read, before the last pass, or a checkpoint.
 *
 * Pages are shared: by forks, by the prefix cache, by a recurrent part and the checkpoint taken of
 * it. A page with several holders is never written; who wants to write takes one of its own first
 * (state_reserve). After state_create nothing here needs the heap. */
#ifndef JL_SESSION_STATE_H
#define JL_SESSION_STATE_H

#include "session/page.h"

struct state;

/* The pool must outlive it. */
enum jl_status state_create(struct page_pool *pool, struct state **out, struct jl_error *err);
void state_free(struct state *state); // NULL is fine
/* A second sequence that goes on from where this one is, with its checkpoints; every page is shared
 * until one of the two writes to it. */
enum jl_status state_fork(const struct state *state, struct state **out, struct jl_error *err);

/* Room for positions below n_pos, of its own where a pass will write; refused past the model's
 * context length and when the pool has too few pages. On failure the state is as before. */
enum jl_status state_reserve(struct state *state, int n_pos, struct jl_error *err);

int state_n_pos(const struct state *state); // positions stored

/* For one pass over positions that were reserved, which may write what it likes: only state_append
 * makes it count. After a pass that failed the way back to before the pass that preceded it is
 * gone. */
struct seq_view state_view(struct state *state);
void state_append(struct state *state, int n); // the pass has stored n more positions

/* ---- the prediction layer's keys, in the pages beside those of the layers ---- */

/* Positions first .. first+n-1, stored or reserved, become its own to write. */
enum jl_status state_reserve_ahead(struct state *state, int first, int n, struct jl_error *err);
struct seq_view state_view_ahead(const struct state *state); // without a recurrent part
void state_append_ahead(struct state *state, int n_ahead);   // so many positions hold them now
int state_n_ahead(const struct state *state);

/* ---- back ---- */

bool state_rewinds_freely(const struct state *state); // to any position: checkpoints are not needed
/* The last position up to n_pos, which is not past the end, that the state can go back to. */
int state_rewind_point(const struct state *state, int n_pos);
bool state_can_rewind(const struct state *state, int n_pos);
/* Going back gives the pages past n_pos to the pool, those that were only reserved too. */
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
void state_checkpoint(struct state *state, enum checkpoint_kind kind);
int state_last_checkpoint(const struct state *state); // its position; 0: none

/* ---- pages from elsewhere and for others ---- */

struct page *state_page(const struct state *state, int i); // of positions i*KV_CHUNK..
struct page *state_recurrent(const struct state *state);   // NULL: the model has none

/* Page i, which is full and whose bits are these. */
void state_swap_page(struct state *state, int i, struct page *page);

/* The state becomes n_pos positions that others have computed, of which it had the first `same`
 * already: pages (one for every KV_CHUNK of them) and the recurrent part after them (NULL: the
 * model has none). Holds all of them. Of the prediction layer nothing is known. */
void state_adopt(struct state *state, int same, int n_pos, struct page *const *pages,
                 struct page *recur);

void state_set_recurrent(struct state *state, struct page *page); // as it is now; held

struct state_checkpoint_view {
    int n_pos;
    enum checkpoint_kind kind;
    struct page *recur;
};
int state_n_checkpoint(const struct state *state);
struct state_checkpoint_view state_checkpoint_at(const struct state *state, int i); // ascending
/* One more behind the last, before n_pos. The page is held. False: there are too many. */
bool state_add_checkpoint(struct state *state, const struct state_checkpoint_view *checkpoint);

size_t state_bytes(const struct state *state); // pages, recurrent part, checkpoints; shared or not

#endif
