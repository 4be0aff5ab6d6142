/* Written arithmetic: column by column from the right, a line a column, each with what is left
 * of the numbers and the digits that are done. Whole numbers from 0 below 10^9. */
#ifndef JL_SKILL_COLUMNS_H
#define JL_SKILL_COLUMNS_H

#include "skill/task.h"

void columns_add(struct skill_text *text, int a, int b);
void columns_subtract(struct skill_text *text, int a, int b); // a >= b
/* a by each digit of b from the left, "831*9|07", and ten times what there was added to it; the
 * result below 10^8. */
void columns_multiply(struct skill_text *text, int a, int b);
/* Long division: "76|5: 3:69 76-69=7 3", with the digits that are to come and the quotient's so
 * far. Multiples of a longer divisor are written first. b >= 1. */
void columns_divide(struct skill_text *text, int a, int b);
/* Euclid: "84: 36*2=72 84-72=12" down to a rest of 0. Returns the greatest common divisor; b >= 1.
 */
int columns_euclid(struct skill_text *text, int a, int b);
/* Which is larger, on a line of its own: "3803 8944: 4 4= 3 8<", how many digits each has and then
 * digit by digit until two differ. */
void columns_compare(struct skill_text *text, int a, int b);
/* On the line as it is: "87+23=107+3=110", tens before units. Returns the result. */
int columns_short(struct skill_text *text, int a, char op, int b);

/* A line's beginning: a newline unless the text is empty. */
void columns_line(struct skill_text *text);

#endif
