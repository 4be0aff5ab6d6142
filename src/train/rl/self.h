/* Inside reinforcement learning. */
#ifndef JL_TRAIN_RL_SELF_H
#define JL_TRAIN_RL_SELF_H

#include "train/rl/rl.h"

/* One answer of a step. */
struct rollout {
    const struct eval_task *task;
    const struct eval_result *result; // its prompt
    const struct eval_answer *answer;
    double reward, advantage;
    double *parts;     // (n_reward)
    double *reference; // (answer->n_id) log-probabilities of the frozen model; NULL: not asked for
    bool silent;       // of a group whose answers are all alike
    bool cut;          // it was cut off
};

/* What was drawn in one round. */
struct round {
    struct eval_task *tasks; // (n_task), copies of those in rl->tasks
    struct eval_result *results;
    int64_t *index; // where they stand there
    double *parts;  // (n_task, n_group, n_reward)
    int n_task;
};
#define RL_MOST_ROUNDS 65

struct rl {
    struct rl_model model;
    struct rl_options options;
    struct eval_tasks tasks;
    struct skill_tables *tables;
    struct arena arena; // of tables
    struct rewards *rewards;
    struct reference *reference; // NULL: no penalty
    // Of the step.
    struct round rounds[RL_MOST_ROUNDS];
    int n_round;
    struct rollout *rollouts; // (n_rollout) those to learn from, groups together
    int n_rollout;
    char *texts[3]; // that the report names
};

/* rollout.c: draws the tasks of a step and their answers, and judges them. */
enum jl_status rl_draw(struct rl *rl, int64_t number, int64_t *cursor, const atomic_bool *cancel,
                       struct rl_report *report, struct jl_error *err);
void rl_forget(struct rl *rl); // what was drawn
/* update.c: the weights move. */
enum jl_status rl_learn(struct rl *rl, float rate, const atomic_bool *cancel,
                        struct rl_report *report, struct jl_error *err);
/* Rows of an answer with its prompt: the last token predicts nothing and needs none. */
int rl_rows_of(const struct rollout *rollout);

/* reference.c: the frozen model. */
enum jl_status rl_reference_open(const struct rl_model *model, double temperature,
                                 struct reference **out, struct jl_error *err);
void rl_reference_close(struct reference *reference); // NULL is fine
/* Fills in the rollouts' `reference`, which they own. */
enum jl_status rl_reference_score(struct reference *reference, struct rollout *rollouts, int n,
                                  const atomic_bool *cancel, struct jl_error *err);

#endif
