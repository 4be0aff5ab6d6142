/* The part of a recipe that says how to learn by reward: [grpo]. */
#ifndef JL_TRAIN_RUN_RECIPE_GRPO_H
#define JL_TRAIN_RUN_RECIPE_GRPO_H

#include "train/run/recipe.h"

/* `KIND ARGUMENT weight=W seconds=S parallel=N`, the last three in any order; text is cut up. NULL:
 * good; else what is wrong, with `*about` what it is about. */
const char *recipe_read_reward(char *text, struct reward_spec *out, const char **about);

/* What the keys mean together: the variant's values stand for those that are not given. */
enum jl_status recipe_finish_grpo(struct recipe *recipe, struct jl_error *err);

#endif
