/* `bench train`: steps of the learner on random tokens, at the shapes of small GPTs. */
#ifndef JL_CLI_BENCH_TRAIN_H
#define JL_CLI_BENCH_TRAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

struct bench_train {
    const char *shape; // of bench_train_shape
    int threads;       // 0: physical cores
    int repeat;        // steps that are counted, after one warm-up
    const char *act;   // "bf16" or "f32": of weights and products, too; NULL: bf16
};
const char *bench_train_shape(int i); // NULL past the last
enum jl_status bench_train_run(const struct bench_train *bench, bool json, FILE *out,
                               struct jl_error *err);

#endif
