/* What `train` and `tune` do besides deciding what to learn: they carry the recipe out, show how it
 * goes, and let Ctrl-C end it with a checkpoint. */
#ifndef JL_CLI_TRAIN_SCREEN_H
#define JL_CLI_TRAIN_SCREEN_H

#include "train/run/run.h"

struct train_screen_options {
    const char *folder;
    const char *from, *weights; // run.h
    int threads;                // 0: physical cores
    int stop_after;             // steps; 0: to the end
    bool quiet;                 // only what is remarkable
};

/* JL_ERR_CANCELLED where it was stopped before its end, which then can be gone on with. */
enum jl_status train_screen_run(const struct recipe *recipe,
                                const struct train_screen_options *options, struct jl_error *err);

#endif
