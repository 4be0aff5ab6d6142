/* One group of a skill at a time: what every task must do. */
#ifndef JL_TESTS_SKILL_RUN_H
#define JL_TESTS_SKILL_RUN_H

#include "skill/skill.h"
#include "train/verify/verify.h"

struct run {
    const struct skill *skill;
    const struct skill_group *group;
    const void *tables;                // of skills that load some
    const struct skill_tables *judges; // of verifiers that read tables
    struct arena arena;
    struct skill_task task;
    uint32_t n; // tasks to look at
};

void run_make(struct run *run, enum skill_part part, uint64_t seed, uint32_t number);
void run_fail(const struct run *run, const char *why); // with the task

/* Its own answer passes its own check, and nothing is empty or was left open. */
void run_check_answer(const struct run *run);
/* The same tasks come again, whatever was made between. */
void run_check_again(struct run *run);
/* Of run->n tasks of each part none is one of the other, by what `identity` (the caller frees it)
 * says of them. */
void run_check_parts(struct run *run, char *(*identity)(const struct run *run));

#endif
