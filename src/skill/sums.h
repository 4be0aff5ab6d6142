/* The groups of the skill "sums" that are in files of their own. */
#ifndef JL_SKILL_SUMS_H
#define JL_SKILL_SUMS_H

#include "skill/draw.h"
#include "skill/task.h"

/* Asks for the value of an expression. */
void sums_ask(struct skill_draw *draw, struct skill_turn *turn, const char *expression);

/* skill_takes for one operation, in whichever order and form it is asked. */
bool sums_takes(struct skill_draw *draw, char op, int a, int b);

void sums_make_fraction(struct skill_draw *draw, struct skill_task *task);
void sums_make_reduce(struct skill_draw *draw, struct skill_task *task);
void sums_make_divisor(struct skill_draw *draw, struct skill_task *task);
void sums_make_average(struct skill_draw *draw, struct skill_task *task);
void sums_make_percent(struct skill_draw *draw, struct skill_task *task);
void sums_make_decimal(struct skill_draw *draw, struct skill_task *task);
void sums_make_power(struct skill_draw *draw, struct skill_task *task);
void sums_make_root(struct skill_draw *draw, struct skill_task *task);
void sums_make_prime(struct skill_draw *draw, struct skill_task *task);
void sums_make_factors(struct skill_draw *draw, struct skill_task *task);
void sums_make_numeral(struct skill_draw *draw, struct skill_task *task);
void sums_make_numeral_sum(struct skill_draw *draw, struct skill_task *task);

#endif
