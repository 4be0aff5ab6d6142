/* The groups of the skill "order" that are in a file of their own: letters and characters. */
#ifndef JL_SKILL_ORDER_H
#define JL_SKILL_ORDER_H

#include "skill/draw.h"
#include "skill/task.h"

void order_make_count_letter(struct skill_draw *draw, struct skill_task *task);
void order_make_count_han(struct skill_draw *draw, struct skill_task *task);
void order_make_length(struct skill_draw *draw, struct skill_task *task);
void order_make_reverse(struct skill_draw *draw, struct skill_task *task);
void order_make_palindrome(struct skill_draw *draw, struct skill_task *task);
void order_make_ends(struct skill_draw *draw, struct skill_task *task);
void order_make_letter_at(struct skill_draw *draw, struct skill_task *task);
void order_make_spell(struct skill_draw *draw, struct skill_task *task);

/* k different English words, in a random order. */
void order_words(struct skill_draw *draw, int k, const char **out);

#endif
