/* Judges: a program of the user's that says what answers are worth, several of it at once.
 *
 * Each is a process of its own that is asked again and again: a line of JSON on its standard input,
 * a line {"reward": NUMBER} on its standard output. One that ends, says anything else or takes too
 * long is an error, not a reward of 0. It runs with the rights of whoever trains. */
#ifndef JL_TRAIN_RL_JUDGE_H
#define JL_TRAIN_RL_JUDGE_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/status.h"

struct judge_options {
    const char *command; // for the shell
    int n;               // processes
    double seconds;      // at most, for one answer
};
struct judges;

/* They are started. */
enum jl_status judge_open(const struct judge_options *options, struct judges **out,
                          struct jl_error *err);
void judge_close(struct judges *judges); // and ended; NULL is fine

/* lines (n), without a newline in them; rewards (n) in the same order, whoever was faster. cancel:
 * NULL, or looked at while it waits. */
enum jl_status judge_ask(struct judges *judges, const char *const *lines, int n, double *rewards,
                         const atomic_bool *cancel, struct jl_error *err);

#endif
