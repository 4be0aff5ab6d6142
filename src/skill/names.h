/* People of tasks. */
#ifndef JL_SKILL_NAMES_H
#define JL_SKILL_NAMES_H

#include "skill/draw.h"

#define NAMES_MOST 8

/* n <= NAMES_MOST different names in the task's tongue. */
void names_draw(struct skill_draw *draw, int n, const char **out);

#endif
