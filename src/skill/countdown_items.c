#include "skill/countdown.h"

bool countdown_whole(struct fraction value) { return value.den == 1; }

static bool less(struct fraction a, struct fraction b) { return a.num * b.den < b.num * a.den; }

/* x op y, the larger one first but where a fraction may come of y / x. Divisions by 1 say no more
 * than products with it. */
bool countdown_apply(struct fraction x, char op, struct fraction y, enum countdown_kind kind,
                     struct fraction *out) {
    if (op == '/') {
        if (!y.num || (y.num == 1 && y.den == 1)) return false;
        bool divides = countdown_whole(x) && countdown_whole(y) && x.num % y.num == 0;
        if (kind == COUNTDOWN_WHOLE && !divides) return false;
    }
    if (countdown_whole(x) && countdown_whole(y)) {
        *out = (struct fraction){op == '+'   ? x.num + y.num
                                 : op == '-' ? x.num - y.num
                                 : op == '*' ? x.num * y.num
                                             : x.num / y.num,
                                 1};
        if (op != '/' || x.num % y.num == 0) return true;
    }
    return fraction_apply(x, op, y, out);
}

void countdown_sort_down(struct countdown_item *items, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && less(items[k - 1].value, items[k].value); k--) {
            struct countdown_item kept = items[k];
            items[k] = items[k - 1];
            items[k - 1] = kept;
        }
}

/* ---- one or two operations that are left ---- */

static bool is_target(struct fraction x, char op, struct fraction y, enum countdown_kind kind,
                      int target) {
    struct fraction made;
    return countdown_apply(x, op, y, kind, &made) && countdown_whole(made) && made.num == target;
}

bool countdown_solve_two(const struct countdown_item *two, enum countdown_kind kind, int target,
                         struct countdown_step *out) {
    bool swap = less(two[0].value, two[1].value);
    int i = swap, j = !swap;
    for (const char *op = "+-*/"; *op; op++)
        if (is_target(two[i].value, *op, two[j].value, kind, target)) {
            *out = (struct countdown_step){i, j, *op, false};
            return true;
        }
    *out = (struct countdown_step){j, i, '/', true};
    return kind == COUNTDOWN_FRACTION && is_target(two[j].value, '/', two[i].value, kind, target);
}

/* three, sorted down, without i and j, and with what they made. */
void countdown_leave(const struct countdown_item *items, int n, int i, int j,
                     struct countdown_item made, struct countdown_item *out) {
    int n_out = 0;
    for (int k = 0; k < n; k++)
        if (k != i && k != j) out[n_out++] = items[k];
    out[n_out] = made;
}

bool countdown_solve_three(const struct countdown_item *three, enum countdown_kind kind, int target,
                           struct countdown_step *out) {
    for (const char *op = "/-+*"; *op; op++)
        for (int turned = 0; turned <= (*op == '/' && kind == COUNTDOWN_FRACTION); turned++)
            for (int i = 0; i < 3; i++)
                for (int j = i + 1; j < 3; j++) {
                    struct countdown_item made = {0}, two[2];
                    struct countdown_step last;
                    int x = turned ? j : i, y = turned ? i : j;
                    if (!countdown_apply(three[x].value, *op, three[y].value, kind, &made.value))
                        continue;
                    countdown_leave(three, 3, i, j, made, two);
                    *out = (struct countdown_step){x, y, *op, turned};
                    if (countdown_solve_two(two, kind, target, &last)) return true;
                }
    return false;
}

/* ---- texts ---- */

const char *countdown_value(struct skill_draw *draw, struct fraction value) {
    return countdown_whole(value) ? skill_textf(draw, "%d", (int)value.num)
                                  : skill_textf(draw, "%d/%d", (int)value.num, (int)value.den);
}

static bool wants_brackets(const struct countdown_item *item, char op, bool right) {
    bool sum = item->op == '+' || item->op == '-';
    if (op == '*' || op == '/') return sum || (right && op == '/' && item->op);
    return right && op == '-' && sum;
}

struct countdown_item countdown_join(struct skill_draw *draw, struct countdown_item x, char op,
                                     struct countdown_item y, enum countdown_kind kind) {
    bool left = wants_brackets(&x, op, false), right = wants_brackets(&y, op, true);
    struct countdown_item made = {.op = op};
    countdown_apply(x.value, op, y.value, kind, &made.value);
    made.text = skill_textf(draw, "%s%s%s%c%s%s%s", left ? "(" : "", x.text, left ? ")" : "", op,
                            right ? "(" : "", y.text, right ? ")" : "");
    return made;
}

/* "13-9=4" */
const char *countdown_equation(struct skill_draw *draw, struct countdown_item x, char op,
                               struct countdown_item y, struct fraction made) {
    const char *right = countdown_value(draw, y.value);
    if (!countdown_whole(y.value) && op == '/') right = skill_textf(draw, "(%s)", right);
    return skill_textf(draw, "%s%c%s=%s", countdown_value(draw, x.value), op, right,
                       countdown_value(draw, made));
}

void countdown_take(struct skill_draw *draw, const int *numbers, int n,
                    struct countdown_item *out) {
    for (int i = 0; i < n; i++)
        out[i] = (struct countdown_item){{numbers[i], 1}, skill_textf(draw, "%d", numbers[i]), 0};
    countdown_sort_down(out, n);
}

void countdown_write(struct skill_draw *draw, struct skill_text *out,
                     const struct countdown_item *items, int n) {
    for (int i = 0; i < n; i++)
        skill_put(out, "%s%s", i ? " " : "", countdown_value(draw, items[i].value));
}

bool countdown_same_pair(const struct countdown_item *items, int i, int j) {
    // Sorted: equal numbers are neighbours, and a pair has been seen if an equal one came before.
    return (i > 0 && items[i - 1].value.num == items[i].value.num && i - 1 != j) ||
           (j > i + 1 && items[j - 1].value.num == items[j].value.num);
}
