/* The learning rate over a stage of a run, as a function of the step alone. */
#ifndef JL_TRAIN_LEARN_SCHEDULE_H
#define JL_TRAIN_LEARN_SCHEDULE_H

#include <stdint.h>

/* WSD (arXiv 2404.06395): warm up, stay, come down over the last steps: a stage can be gone on with
 * from before its descent. COSINE: half a period from the warm-up to the end. */
#define SCHEDULE_LIST(X)                                                                           \
    X(SCHEDULE_WSD, "wsd")                                                                         \
    X(SCHEDULE_COSINE, "cosine")                                                                   \
    X(SCHEDULE_CONSTANT, "constant")

enum schedule_kind {
#define X(id, name) id,
    SCHEDULE_LIST(X)
#undef X
        SCHEDULE_COUNT
};

struct schedule {
    enum schedule_kind kind;
    double rate;       // the highest
    double min_share;  // of it, at the end
    int64_t n_step;    // of the stage
    int64_t n_warmup;  // the rate rises linearly over these
    int64_t n_descent; // WSD: it falls linearly over these, the last
};

float schedule_rate(const struct schedule *schedule, int64_t step); // step from 0

#endif
