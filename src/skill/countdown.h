/* Numbers of a countdown, given or made, what one or two operations make of them, how both are
 * written, and the thought about three of them. */
#ifndef JL_SKILL_COUNTDOWN_H
#define JL_SKILL_COUNTDOWN_H

#include <stdbool.h>

#include "skill/draw.h"
#include "skill/task.h"
#include "text/expression.h"

struct countdown_item {
    struct fraction value;
    const char *text; // of the expression
    char op;          // its last operation, 0: a number that was given
};

/* Which divisions are tried: those without a rest, or all. */
enum countdown_kind { COUNTDOWN_WHOLE, COUNTDOWN_FRACTION };

/* items[i] op items[j]; turned: j / i where the rest goes by size. */
struct countdown_step {
    int i, j;
    char op;
    bool turned;
};

bool countdown_whole(struct fraction value);

/* x op y. False: not to be tried; divisions by 1 say no more than products with it. */
bool countdown_apply(struct fraction x, char op, struct fraction y, enum countdown_kind kind,
                     struct fraction *out);

void countdown_take(struct skill_draw *draw, const int *numbers, int n, struct countdown_item *out);
void countdown_sort_down(struct countdown_item *items, int n);

/* Whether the items before it in sorted ones have had what i and j make. */
bool countdown_same_pair(const struct countdown_item *items, int i, int j);

/* The n items without i and j, and with what they made, into n - 1 of `out`. */
void countdown_leave(const struct countdown_item *items, int n, int i, int j,
                     struct countdown_item made, struct countdown_item *out);

/* The first operation that makes the target of two, or after which two of three do. */
bool countdown_solve_two(const struct countdown_item *two, enum countdown_kind kind, int target,
                         struct countdown_step *out);
bool countdown_solve_three(const struct countdown_item *three, enum countdown_kind kind, int target,
                           struct countdown_step *out);

/* "18", "8/3"; "18 13". Texts last as long as the task. */
const char *countdown_value(struct skill_draw *draw, struct fraction value);
void countdown_write(struct skill_draw *draw, struct skill_text *out,
                     const struct countdown_item *items, int n);
/* "13-9=4" */
const char *countdown_equation(struct skill_draw *draw, struct countdown_item x, char op,
                               struct countdown_item y, struct fraction made);

/* x op y as one expression, with the brackets that it wants. */
struct countdown_item countdown_join(struct skill_draw *draw, struct countdown_item x, char op,
                                     struct countdown_item y, enum countdown_kind kind);

/* Writes the thought about three items, sorted down, and the expression into *made; false: there is
 * none. With `slips` some thoughts have a step that is mistaken at first, and found to be: what
 * equations say is always true. */
bool countdown_think_three(struct skill_draw *draw, struct skill_text *thought,
                           const struct countdown_item *items, int target, bool slips,
                           struct countdown_item *made);

#endif
