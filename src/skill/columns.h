/* Written arithmetic: column by column from the right, a line a column, each with the digits that
 * are done. Whole numbers from 0 below 10^9. */
#ifndef JL_SKILL_COLUMNS_H
#define JL_SKILL_COLUMNS_H

#include "skill/task.h"

void columns_add(struct skill_text *text, int a, int b);
void columns_subtract(struct skill_text *text, int a, int b); // a >= b
/* A product of a by each digit of b, then their sum; the result below 10^9. */
void columns_multiply(struct skill_text *text, int a, int b);
/* Long division: "76: 23*3=69 76-69=7 3", with the quotient's digits so far. b >= 1. */
void columns_divide(struct skill_text *text, int a, int b);
/* Euclid: "84=36*2+12" down to a rest of 0. Returns the greatest common divisor; b >= 1. */
int columns_euclid(struct skill_text *text, int a, int b);

/* A line's beginning: a newline unless the text is empty. */
void columns_line(struct skill_text *text);

#endif
