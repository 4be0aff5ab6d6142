/* Reinforcement learning from rewards that can be checked: GRPO and what became of it, in one
 * process. Answers are drawn by the ordinary forward pass over the learner's working copy; before
 * the weights move the training pass finds each token's log-probability again, and the bits must be
 * the same. docs/grpo.md has the method. */
#ifndef JL_TRAIN_RL_RL_H
#define JL_TRAIN_RL_RL_H

#include "train/learn/learner.h"
#include "train/rl/advantage.h"
#include "train/rl/policy.h"
#include "train/rl/reward.h"

enum rl_share {
    RL_SHARE_ANSWER, // answers weigh alike, and a token its answer's part of it (GRPO)
    RL_SHARE_TOKEN,  // tokens weigh alike (DAPO)
    RL_SHARE_LENGTH, // tokens weigh alike, and no step more than a full one (Dr. GRPO)
};
enum rl_overlong {
    RL_OVERLONG_KEEP,   // an answer that was cut off is judged as it is
    RL_OVERLONG_MASK,   // it teaches nothing
    RL_OVERLONG_PUNISH, // the last fifth of the room costs up to a reward of 1 (DAPO)
};

struct rl_options {
    const char *const *tasks; // (n_tasks) files of tasks (docs/eval.md)
    int n_tasks;
    const char *data; // tables of the tasks' checks; NULL: none
    const struct reward_spec *rewards;
    int n_reward;
    int n_prompt, n_group; // tasks of a step, answers to each
    int max_tokens;        // of an answer, where its task does not ask for fewer
    int n_parallel;        // answers drawn at once; 0: all of a step, where memory allows
    int n_redraw;          // rounds in which groups that are all alike are replaced by others
    int n_pass, n_update;  // so often a step's answers are learned from, in so many parts
    int rows;              // of a micro-batch
    struct policy_options policy;
    enum advantage_scale scale;
    enum rl_share share;
    enum rl_overlong overlong;
    uint64_t seed;
    void (*drawn)(void *ctx); // told when all answers are drawn, before one is learned; may be NULL
    void *ctx;
};

/* Who draws and who learns; all of it the caller's. */
struct rl_model {
    struct learner *learner;
    struct backend *backend;
    struct pool *pool;
    const struct tokenizer *tokenizer;
    const struct chat_form *form;          // tmpl NULL: no conversations
    const struct end_tokens *ends, *turns; // of a text, of a turn
    const char *start;                     // the frozen model of the KL penalty
    const struct class_request *cls;       // of it
};

struct rl;
enum jl_status rl_open(const struct rl_model *model, const struct rl_options *options,
                       struct rl **out, struct jl_error *err);
void rl_close(struct rl *rl); // NULL is fine
int64_t rl_n_task(const struct rl *rl);

/* What a step tells. Means are over answers, or over tokens where that is said. */
struct rl_report {
    double reward, deviation;  // mean, and standard deviation over all
    double parts[REWARD_MOST]; // before their weights
    double right;              // share of answers that the tasks' checks take
    double silent;             // share of groups whose answers are all alike
    double length;             // tokens
    double truncated;          // share of answers that were cut off
    double entropy, kl;        // over tokens, nats
    double clipped;            // share of tokens
    double difference;         // the greatest of drawn and recomputed log-probabilities: 0, always
    double loss, norm;         // of the last update; norm 0: there was nothing to learn
    double draw_seconds, judge_seconds, learn_seconds;
    int64_t n_task, n_answer, n_token; // drawn, those that were replaced too
    int64_t n_checked, n_row;          // tokens found again; rows of the passes of learning
    int n_update;                      // moves of the weights
    // One task for people to look at: the best of its answers and the worst. In memory of rl, until
    // the next step.
    const char *prompt, *best, *worst;
    double best_reward, worst_reward;
};

/* One step at `rate`, the number-th of the run: it draws by the seed and this number alone.
 * *cursor: how many tasks were drawn before; brought forward. JL_ERR_NONFINITE: diverged.
 * JL_ERR_FORMAT: drawing and learning differ in a bit, and nothing has moved. */
enum jl_status rl_step(struct rl *rl, int64_t number, int64_t *cursor, float rate,
                       const atomic_bool *cancel, struct rl_report *out, struct jl_error *err);

#endif
