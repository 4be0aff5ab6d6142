/* The groups of the skill "logic" that are in a file of their own: rows of numbers, seats, sets. */
#ifndef JL_SKILL_LOGIC_H
#define JL_SKILL_LOGIC_H

#include "skill/draw.h"
#include "skill/task.h"

void logic_make_next(struct skill_draw *draw, struct skill_task *task);
void logic_make_odd_one(struct skill_draw *draw, struct skill_task *task);
void logic_make_row(struct skill_draw *draw, struct skill_task *task);
void logic_make_set(struct skill_draw *draw, struct skill_task *task);

#endif
