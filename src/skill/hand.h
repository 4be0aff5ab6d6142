/* How people type: the same question with other marks, signs, quotes and courtesies. */
#ifndef JL_SKILL_HAND_H
#define JL_SKILL_HAND_H

#include "skill/draw.h"
#include "skill/task.h"

/* Three questions of ten get one to three changes; none changes what is asked. */
void skill_hand(struct skill_draw *draw, struct skill_text *question);

#endif
