/* Rewards: what answers are worth, a weighted sum of parts. docs/grpo.md lists the kinds. */
#ifndef JL_TRAIN_RL_REWARD_H
#define JL_TRAIN_RL_REWARD_H

#include <stdatomic.h>

#include "train/eval/eval.h"

#define REWARD_MOST 16 // parts

/* One part: `reward = KIND ARGUMENT weight=W` of a recipe. */
struct reward_spec {
    const char *kind;     // of reward_kind_name, or a verifier's name
    const char *argument; // "": none
    double weight;
    double seconds; // a program's, for one answer; 0: 10
    int parallel;   // processes of a program; 0: 2
};

struct rewards;

/* JL_ERR_USAGE: no such kind, or an argument that it cannot take. `tasks` are those whose answers
 * will be judged: each must have what the parts read. */
enum jl_status reward_open(const struct reward_spec *specs, int n, const struct eval_tasks *tasks,
                           struct rewards **out, struct jl_error *err);
void reward_close(struct rewards *rewards); // NULL is fine

struct reward_answer {
    const struct eval_task *task;
    const struct eval_answer *answer;
};
/* parts: (n, the specs' number), each before its weight; sums: (n). */
enum jl_status reward_judge(struct rewards *rewards, const struct reward_answer *answers, int n,
                            double *parts, double *sums, const atomic_bool *cancel,
                            struct jl_error *err);

/* Names and what they say, for the reference; NULL past the last. Besides these there is each
 * verifier. */
const char *reward_kind_name(int i);
bool reward_takes_file(const char *kind); // its argument is a path

#endif
