/* What a recipe will take, found by taking a step of it: on random tokens, with a model of its
 * shape that is thrown away. */
#ifndef JL_TRAIN_RUN_ESTIMATE_H
#define JL_TRAIN_RUN_ESTIMATE_H

#include "base/pool.h"
#include "train/run/recipe.h"

struct estimate {
    int64_t n_param, n_active; // learner.h
    int64_t rows;              // of a full step
    size_t bytes;              // of memory besides the model's file
    size_t drawing; // by reward: and as much at most while answers are drawn, if each is as
                    // long as a micro-batch; where memory is short fewer go at once
    double seconds; // of a step, the median
    double best;    // and the fastest
};

/* `repeat` steps are timed after one that is not. A new model stands in a temporary folder
 * meanwhile; its tokenizer is looked at only where the configuration does not say vocab_size. */
enum jl_status estimate_recipe(const struct recipe *recipe, int repeat, struct backend *backend,
                               struct pool *pool, struct estimate *out, struct jl_error *err);

#endif
