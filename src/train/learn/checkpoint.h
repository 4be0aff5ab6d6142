/* Checkpoints: all that a run needs to go on with the same bits.
 *
 * A file `checkpoint-STEPS.jinlin` of a run's folder: the learner's arrays, the number of steps,
 * the stage, the data's cursor and a fingerprint of the recipe, with checksums over all of it.
 * Written to a temporary name, synced and renamed: whole or absent. The newest whole one counts;
 * one that is torn or of another recipe is told of. */
#ifndef JL_TRAIN_LEARN_CHECKPOINT_H
#define JL_TRAIN_LEARN_CHECKPOINT_H

#include "train/learn/learner.h"

#define CHECKPOINT_MARK 32 // bytes of a fingerprint

struct checkpoint {
    int64_t steps;      // of the run
    int64_t stage;      // which one it is in
    int64_t stage_step; // steps of that one
    uint8_t *cursor;    // of its data, on the heap
    size_t n_cursor;
};

/* Writes one and removes all but the newest `keep`. marks: of the recipe, up to each stage. */
enum jl_status checkpoint_write(const char *folder, struct learner *learner,
                                const struct checkpoint *at, const uint8_t mark[CHECKPOINT_MARK],
                                int keep, struct jl_error *err);

/* The newest whole checkpoint of the folder into the learner's arrays, on which the caller then
 * calls learner_restore; out->steps is -1 where there is none. `mark(ctx, stage, out)` gives the
 * recipe's fingerprint up to a stage. Torn ones are named to `torn`; one of another recipe is
 * JL_ERR_USAGE. The caller frees out->cursor. */
struct checkpoint_reader {
    void (*mark)(void *ctx, int64_t stage, uint8_t out[CHECKPOINT_MARK]);
    void (*torn)(void *ctx, const char *message);
    void *ctx;
};
enum jl_status checkpoint_read_newest(const char *folder, struct learner *learner,
                                      const struct checkpoint_reader *reader,
                                      struct checkpoint *out, struct jl_error *err);

#endif
