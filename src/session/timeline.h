/* One sequence and the ids in its state: brought to any prompt with as little feeding as can be.
 *
 * What a new prompt shares with what was fed stays; the rest is cut off and fed. A model with
 * recurrent layers goes back to the last checkpoint before the first difference (session/state.h),
 * and reads on from there. One owner. */
#ifndef JL_SESSION_TIMELINE_H
#define JL_SESSION_TIMELINE_H

#include <stdatomic.h>

#include "model/exec.h"
#include "session/state.h"

struct timeline;

enum jl_status timeline_create(struct exec *exec, struct timeline **out, struct jl_error *err);
void timeline_free(struct timeline *timeline); // NULL is fine

int timeline_n_token(const struct timeline *timeline);         // in the state
const int32_t *timeline_ids(const struct timeline *timeline);  // these, until the next change
int timeline_capacity(const struct timeline *timeline);        // the model's context length
size_t timeline_bytes(const struct timeline *timeline);        // of the cached state
const float *timeline_logits(const struct timeline *timeline); // (n_vocab), after the last token

/* How others take part in a long feed; NULL members are left out. */
struct timeline_watch {
    const atomic_bool *cancel;
    void (*step)(void *ctx, int done, int total); // after each pass
    void *ctx;
};

/* The state holds exactly `ids` (n >= 1) and the logits after them are known. *reused: how many
 * were there already. A longer prompt than the context is JL_ERR_LIMIT and changes nothing. After
 * JL_ERR_CANCELLED or another failure the state holds a shorter part of `ids`. watch may be NULL.
 */
enum jl_status timeline_sync(struct timeline *timeline, const int32_t *ids, int n,
                             const struct timeline_watch *watch, int *reused, struct jl_error *err);

/* One token more, after a sync. JL_ERR_LIMIT when the context is full. */
enum jl_status timeline_push(struct timeline *timeline, int32_t id, struct jl_error *err);

#endif
