/* A world small enough for whole runs: a tokenizer of bytes, sums to learn, models of three
 * families, and recipes put together from lines. */
#ifndef JL_TESTS_TRAIN_WORLD_H
#define JL_TESTS_TRAIN_WORLD_H

#include "train/run/run.h"

extern const char world_qwen3[], world_deepseek[], world_next[]; // lines of [config]

struct world_setting {
    const char *config, *model, *data, *train; // more lines of these sections, or NULL
    const char *stages;                        // NULL: one of eight steps
    const char *grpo;                       // lines of [grpo], which then has the place of the data
    void (*drawn)(struct learner *learner); // told when the answers of a step are drawn
    const char *level;
    const char *from, *weights; // of run_options; weights: a folder in scratch
    int threads, stop_after;
};

/* What a run told. */
struct world_seen {
    double first, last, held_out, mtp;
    int64_t steps, begun;
    char note[512];
    double first_reward, last_reward, reward; // by reward: of a step; the sum over all
    struct rl_report rl;                      // of the last step
    const struct learner *learner;
    void (*drawn)(struct learner *learner);
};

void world_on_step(void *ctx, const struct run_step *step); // ctx: a struct world_seen

int world_setup(void **state);
int world_teardown(void **state);

/* In a folder of scratch. */
enum jl_status world_try_run(const struct world_setting *set, const char *folder,
                             struct world_seen *seen, struct jl_error *err);
struct world_seen world_must_run(const struct world_setting *set, const char *folder);
/* Weights, configuration and tokenizer of two folders of scratch are the same bytes. */
void world_assert_same(const char *a, const char *b);

#endif
