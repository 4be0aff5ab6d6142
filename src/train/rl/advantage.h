/* Advantages: how much better an answer was than its group. */
#ifndef JL_TRAIN_RL_ADVANTAGE_H
#define JL_TRAIN_RL_ADVANTAGE_H

#include <stdbool.h>

enum advantage_scale {
    ADVANTAGE_DEVIATION, // divided by the group's standard deviation (GRPO)
    ADVANTAGE_PLAIN,     // not: hard and easy tasks weigh what they differ by (Dr. GRPO)
};

/* The rewards (n) of a group, less their mean. False: they are all alike, and all advantages 0. */
bool advantage_of(const double *rewards, int n, enum advantage_scale scale, double *out);

#endif
