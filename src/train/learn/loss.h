/* Losses: what the outputs of a row cost, and their gradient. One row of this table a loss; whoever
 * teaches something else than the next token brings a row of his own. */
#ifndef JL_TRAIN_LEARN_LOSS_H
#define JL_TRAIN_LEARN_LOSS_H

#include "backend/tape.h"

/* One row of outputs, as a loss sees it. */
struct loss_row {
    int micro;    // which micro-batch of the step
    int row;      // of the micro-batch
    int target;   // the token that follows, or what the caller wrote there
    float weight; // of the row in the step's loss: the sum over a step is 1 for a mean
};

struct train_loss {
    const char *name;
    /* out (n) becomes weight times the gradient of the row's loss. Returns the loss without the
     * weight. Called on any thread; reads and writes nothing of other rows. */
    double (*row)(void *ctx, const struct backend *backend, const struct loss_row *row, float *out,
                  int n);
    void *ctx;
    /* NULL, or asked when all micro-batches of a step have gone through, before the weights move: a
     * refusal ends the step, and nothing has moved. */
    enum jl_status (*accept)(void *ctx, struct jl_error *err);
};

/* -log p(target) */
extern const struct train_loss loss_cross_entropy;

#endif
