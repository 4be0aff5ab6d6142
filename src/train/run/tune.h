/* Tuning: the recipe that teaches a model what files of examples show. */
#ifndef JL_TRAIN_RUN_TUNE_H
#define JL_TRAIN_RUN_TUNE_H

#include "train/run/recipe.h"

struct tune_source {
    const char *path; // from the root
    double weight;
};

/* Zero is the default, where nothing else is said. */
struct tune_options {
    const char *model; // from the root
    int64_t n_param;   // of it
    int n_ctx;         // its context, tokens
    const struct tune_source *sources;
    int n_source;
    int64_t steps; // at most one of the two; neither: TUNE_EPOCHS
    double epochs;
    double rate;     // 0: tune_rate
    int64_t rows;    // of a step; 0: seq_len
    int64_t seq_len; // 0: TUNE_SEQ_LEN, or the model's context
    int64_t warmup;  // steps; negative: TUNE_WARMUP of all
    double holdout;  // share of each file
    uint64_t seed;
    const char *dtype; // bf16 or f32
    int64_t lora_rank; // 0: all weights learn, else an adapter alone (model/adapter.h)
    double lora_alpha; // 0: twice the rank
    const char *roles; // of the adapter; NULL: all
    bool merge;        // write the model with the adapter in it, too
};

#define TUNE_EPOCHS 3
#define TUNE_SEQ_LEN 1024
#define TUNE_WARMUP 0.05
#define TUNE_LORA_FACTOR 10 // an adapter learns so many times as fast as all weights
#define TUNE_STAGE "tuned"  // the stage, and so the folder of the tuned model

/* The learning rate for a model of so many parameters: 1e-3 up to a million, 1e-4 from a hundred
 * million on, falling with their square root between. */
double tune_rate(int64_t n_param);

/* A recipe whose text stands in out->text. `path` is where the run will keep it. JL_ERR_USAGE: a
 * path that a recipe cannot hold. */
enum jl_status tune_recipe(const struct tune_options *options, const char *path, struct recipe *out,
                           struct jl_error *err);

#endif
