/* The groups of the skill "calendar" that are in a file of their own: ages and times of day. */
#ifndef JL_SKILL_CALENDAR_H
#define JL_SKILL_CALENDAR_H

#include "skill/draw.h"
#include "skill/task.h"

void calendar_make_age(struct skill_draw *draw, struct skill_task *task);
void calendar_make_later(struct skill_draw *draw, struct skill_task *task);
void calendar_make_lasted(struct skill_draw *draw, struct skill_task *task);

#endif
