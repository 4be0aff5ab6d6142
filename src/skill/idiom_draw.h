/* What the makers of idiom tasks share: draws from the book of idioms. */
#ifndef JL_SKILL_IDIOM_DRAW_H
#define JL_SKILL_IDIOM_DRAW_H

#include "skill/draw.h"
#include "skill/tables.h"
#include "skill/task.h"

#define IDIOM_HELD 3 // percent of the idioms, and of the first characters, that are asked

const struct idioms *idiom_book(const struct skill_draw *draw);
const char *idiom_text(const struct skill_draw *draw, int idiom);

/* The game is played in Chinese by most: some tasks in English become such. */
void idiom_tongue(struct skill_draw *draw, struct skill_task *task);
/* One of n that are ordered by frequency, the frequent ones oftener. */
int idiom_lean_below(struct skill_draw *draw, int n);
/* Whether an idiom is of the wanted part, and one that is. */
bool idiom_takes(struct skill_draw *draw, int idiom);
int idiom_draw(struct skill_draw *draw);
/* Any first character as likely, however few idioms have it: the most frequent that it begins. */
int idiom_draw_first(struct skill_draw *draw);

/* idiom_words.c */
void idiom_make_begins(struct skill_draw *draw, struct skill_task *task);
void idiom_make_begins_each(struct skill_draw *draw, struct skill_task *task);
void idiom_make_blank(struct skill_draw *draw, struct skill_task *task);
void idiom_make_which(struct skill_draw *draw, struct skill_task *task);

#endif
