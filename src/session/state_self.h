/* What a state is made of, for state.c and checkpoints.c. */
#ifndef JL_SESSION_STATE_SELF_H
#define JL_SESSION_STATE_SELF_H

#include "session/state.h"

#define NO_POS (-1)

struct state {
    struct page_pool *pool;
    const struct model *model;
    struct page **pages;             // (page_cap)
    struct backend_buffer **buffers; // (page_cap): theirs, as a pass wants them
    int n_page, page_cap;
    int n_pos;
    int n_ahead; // positions that the prediction layer has passed through

    /* of a model with recurrent layers */
    struct page *recur[2]; // [now]: after n_pos positions; the other: NULL, or for the next pass
    int now;
    int undo_pos; // recur[!now]: after so many positions, or NO_POS when it holds no such thing
    struct state_checkpoint_view checkpoints[STATE_CHECKPOINTS]; // ascending; their pages are held
    int n_checkpoint;
};

#endif
