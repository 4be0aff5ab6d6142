/* A run: a recipe carried out in a folder, from its first step or from where it was left.
 *
 * The folder holds `start/` (a new model as it was before the first step), `cache/` (tokenised
 * sources), `checkpoint-*.jinlin`, `recipe` (as it was read), `from` (where a run that was begun
 * elsewhere goes on) and, after each stage, `STAGE/`: the
 * model as a Hugging Face folder, which has been loaded again and given the same logits. */
#ifndef JL_TRAIN_RUN_RUN_H
#define JL_TRAIN_RUN_RUN_H

#include "train/run/recipe.h"

struct run_step {
    const char *stage;
    int64_t step, n_step;             // of the run, the first is 1
    int64_t stage_step, stage_n_step; // of the stage
    float rate;
    double seconds; // of this step
    struct step_result result;
    const struct learner *learner; // loads of experts, numbers of parameters
    const struct rl_report *rl;    // NULL: it did not learn by reward
};

/* Who looks on; any member may be NULL. */
struct run_watch {
    void (*begin)(void *ctx, const struct learner *learner, int64_t steps_done); // before a step
    void (*step)(void *ctx, const struct run_step *step);
    void (*drawn)(void *ctx); // all answers of a step by reward, before one is learned
    void (*held_out)(void *ctx, int64_t step, double loss, int64_t n_loss);
    void (*sample)(void *ctx, int64_t step, const char *prompt, const char *text);
    void (*saving)(void *ctx); // a checkpoint is about to be written
    void (*checkpoint)(void *ctx, int64_t step, const char *folder);
    /* divergence: of a GGUF file, in nats (publish.h); of a folder 0: its logits are equal. */
    void (*exported)(void *ctx, const char *stage, const char *path, double divergence);
    void (*note)(void *ctx, const char *text); // a torn checkpoint, a source that was tokenised
    data_progress_fn *tokenising;
    void *ctx;
};

struct run_options {
    const char *folder;  // made where it is not there; its parent is
    const char *from;    // NULL, or a stage that restarts from weights: the run begins with it
    const char *weights; // beside `from`: the folder that the stage before left
    int64_t stop_after;  // steps of this call; 0: to the end. The run can then be gone on with
    const atomic_bool *cancel; // as stop_after: a checkpoint is written first
    struct run_watch watch;
    int64_t now; // clock of chat templates, seconds since 1970 in UTC
};

/* The learner that a recipe asks for. `start`: its model; memory: what the options point to. */
#define RUN_MOST_ROLES 64
struct run_learner_memory {
    struct class_request cls;
    struct adapter_request adapter;
    const char *roles[RUN_MOST_ROLES];
    char text[1024];
};
enum jl_status run_learner_options(const struct recipe *recipe, const char *start,
                                   struct run_learner_memory *memory, struct learner_options *out,
                                   struct jl_error *err);

/* JL_ERR_CANCELLED after stop_after or cancel, with a checkpoint of the last step. Another run at
 * work in the folder is JL_ERR_IO. */
enum jl_status run_recipe(struct backend *backend, struct pool *pool, const struct recipe *recipe,
                          const struct run_options *options, struct jl_error *err);

#endif
