#include "train/learn/loss.h"

static double cross_entropy(void *ctx, const struct backend *backend, const struct loss_row *row,
                            float *out, int n) {
    (void)ctx;
    return backend_cross_entropy(backend, out, n, row->target, row->weight);
}

const struct train_loss loss_cross_entropy = {.name = "cross_entropy", .row = cross_entropy};
