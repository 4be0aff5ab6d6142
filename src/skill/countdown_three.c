/* A search that a small model can carry out, and two ways to find its own mistakes.
 *
 * First operations come in a fixed order, each line with all that the two numbers left can make,
 * and then asks whether the target is among it. A yes is looked at again: the two operations are
 * worked out once more, and what the expression comes to once its first operation is done; a no
 * there goes on with the search. Where the search finds nothing, a second look goes the other way:
 * what two of the numbers make, beside what the third would need. */
#include "skill/countdown.h"

#include <stdlib.h>

#define MOST_TARGET 999 // larger products are left out of the search
#define MOST_LINES 12   // three pairs, four operations

/* Mistakes that a thought makes and finds. */
struct slips {
    int stray;         // the line that is taken for the one that makes the target; -1: none
    int blind;         // so many lines that make the target are taken for others
    int off;           // and what they show is so far off; 0: only the word is wrong
    bool draft;        // the expression is put down wrongly first
    int draft_variant; // how
};

struct search {
    struct skill_draw *draw;
    struct skill_text *thought;
    const struct countdown_item *items; // three, sorted down
    int target;
    struct slips slips;
    int n_line;
    int near[MOST_LINES], n_near; // lines whose product ends as the target does
};

static int number(struct countdown_item item) { return (int)item.value.num; }

static const char *verdict(bool yes) { return yes ? "yes" : "no"; }

/* ---- products ---- */

/* x * y, the larger one first, by parts that are known by heart: "340+272=612". */
static void write_product(struct skill_text *thought, int x, int y) {
    int part = y < 10 ? x % 100 : y % 10, by = y < 10 ? y : x;
    if ((y < 10 && x < 100) || !part)
        skill_put(thought, "%d", x * y);
    else
        skill_put(thought, "%d+%d=%d", x * y - part * by, part * by, x * y);
}

static void write_product_of(struct skill_text *thought, int x, int y) {
    write_product(thought, x > y ? x : y, x > y ? y : x);
}

/* A product too long to be known by its last digit first: "..4". Whether that is the wanted one's,
 * and the product after it: "..2=340+272=612". `off`: shown with another digit. */
static void compare_product(struct skill_text *thought, int x, int y, int wanted, int off) {
    int digit = (x * y + off) % 10;
    skill_put(thought, "..%d", digit);
    if (off || digit != wanted % 10) return;
    skill_puts(thought, "=");
    write_product_of(thought, x, y);
}

/* ---- the search ---- */

static bool is_long_product(int x, int y) { return x >= 100 && y >= 10; }

/* A long number is not divided, but the target multiplied. */
static bool is_long_quotient(int x, int y, int target) {
    return x > 99 && y > 1 && (y < 10 || target < 100);
}

/* How far off a number is shown that is the target. */
static int shown(const struct search *search, int value, bool blind) {
    return blind && value == search->target ? value + search->slips.off : value;
}

/* What the two make: " → 52 16 ..2=340+272=612". */
static void write_made(const struct search *search, int x, int y, bool blind) {
    struct skill_text *thought = search->thought;
    int target = search->target,
        off = blind && search->slips.off ? 1 + abs(search->slips.off) % 9 : 0;
    skill_put(thought, " → %d %d", shown(search, x + y, blind), shown(search, x - y, blind));
    if (x < 100 && y < 10)
        skill_put(thought, " %d", shown(search, x * y, blind));
    else if (!is_long_product(x, y))
        skill_puts(thought, " "), compare_product(thought, x, y, target, x * y == target ? off : 0);
    if (x < 100 && y > 1 && x % y == 0) skill_put(thought, " %d", shown(search, x / y, blind));
    if (is_long_quotient(x, y, target)) {
        skill_puts(thought, " /");
        compare_product(thought, target, y, x, target * y == x ? off : 0);
    }
}

/* The first operation of three: "87-69=18: ". False: it made too much to go on with. */
static bool write_first(const struct search *search, struct countdown_item x, char op,
                        struct countdown_item y, struct fraction made) {
    struct skill_text *thought = search->thought;
    int a = number(x), b = number(y);
    if (op != '*' || b < 10) {
        skill_put(thought, "\n%s: ", countdown_equation(search->draw, x, op, y, made));
    } else if (a / 10 * (b / 10) > 9) {
        skill_put(thought, "\n%d*%d: %d*%d=%d big", a, b, a / 10, b / 10, a / 10 * (b / 10));
    } else {
        skill_put(thought, "\n%d*%d=", a, b);
        write_product(thought, a, b);
        skill_puts(thought, made.num > MOST_TARGET ? " big" : ": ");
    }
    return made.num <= MOST_TARGET;
}

/* ---- a yes is looked at again ---- */

/* The operation that a line is taken for the right one by: what comes nearest to the target. */
static char stray_op(int x, int y, int target) {
    if (!is_long_product(x, y) && (x * y) % 10 == target % 10) return '*';
    if (is_long_quotient(x, y, target) && (target * y) % 10 == x % 10) return '/';
    return abs(x + y - target) < abs(x - y - target) ? '+' : '-';
}

/* "35*19=350+315=665 365? no". A quotient is multiplied: "27*16=270+162=432 432? yes". */
static bool check_last(const struct search *search, int x, char op, int y) {
    struct skill_text *thought = search->thought;
    int wanted = op == '/' ? x : search->target, made = op == '+' ? x + y : x - y;
    if (op == '*' || op == '/') {
        int a = op == '/' ? search->target : x, more = a > y ? a : y, less = a + y - more;
        made = a * y;
        skill_put(thought, "\n%d*%d=", more, less);
        write_product(thought, more, less);
    } else {
        skill_put(thought, "\n%d%c%d=%d", x, op, y, made);
    }
    skill_put(thought, " %d? %s", wanted, verdict(made == wanted));
    return made == wanted;
}

/* "\n76-18-57: 58-57 yes": x op y as an expression, and what is left of it once its first operation
 * is done. Only its text matters where it is not right: a quotient may be none. */
static struct countdown_item check_draft(const struct search *search, struct countdown_item x,
                                         char op, struct countdown_item y, bool right) {
    struct countdown_item made = countdown_join(search->draw, x, op, y, COUNTDOWN_FRACTION);
    skill_put(search->thought, "\n%s: %d%c%d %s", made.text, number(x), op, number(y),
              verdict(right));
    return made;
}

/* An expression that is not x op y: its sides are turned, or another number stands in the place of
 * the one that was not made. */
static void write_wrong_draft(const struct search *search, struct countdown_item x, char op,
                              struct countdown_item y) {
    int variant = search->slips.draft_variant;
    if ((op == '-' || op == '/') && variant == 0 && number(x) != number(y)) {
        check_draft(search, y, op, x, false);
        return;
    }
    struct countdown_item *third = x.op ? &y : &x;
    int other = variant == 1 ? number(x.op ? x : y) : number(search->items[variant % 3]);
    if (other == number(*third)) return;
    *third = (struct countdown_item){{other, 1}, skill_textf(search->draw, "%d", other), 0};
    check_draft(search, x, op, y, false);
}

/* The two operations and the expression, for what a line left: `two`, one of which was made. */
static bool look_again(const struct search *search, const struct countdown_item *two, bool stray,
                       struct countdown_item *out) {
    struct countdown_step step = {0, 1, 0, false};
    int made_at = two[0].op ? 0 : 1;
    skill_put(search->thought, "\n%s=%d", two[made_at].text, number(two[made_at]));
    if (stray)
        step.op = stray_op(number(two[0]), number(two[1]), search->target);
    else
        countdown_solve_two(two, COUNTDOWN_WHOLE, search->target, &step);
    struct countdown_item x = two[step.i], y = two[step.j];
    if (!check_last(search, number(x), step.op, number(y))) return false;
    if (search->slips.draft) write_wrong_draft(search, x, step.op, y);
    *out = check_draft(search, x, step.op, y, true);
    return true;
}

/* ---- line by line ---- */

/* What is left of the three once items i and j have become one. */
static void leave_two(const struct search *search, int i, char op, int j,
                      struct countdown_item two[2]) {
    const struct countdown_item *items = search->items;
    struct countdown_item made =
        countdown_join(search->draw, items[i], op, items[j], COUNTDOWN_WHOLE);
    countdown_leave(items, 3, i, j, made, two);
    countdown_sort_down(two, 2);
}

static void note_near(struct search *search, int x, int y) {
    if (stray_op(x, y, search->target) == '*') search->near[search->n_near++] = search->n_line;
}

/* One line: whether it ends the search. */
static bool look_at_two(struct search *search, const struct countdown_item *two,
                        struct countdown_item *out) {
    struct countdown_step step;
    int x = number(two[0]), y = number(two[1]);
    bool right = countdown_solve_two(two, COUNTDOWN_WHOLE, search->target, &step);
    bool stray = !right && search->n_line == search->slips.stray;
    bool blind = right && search->slips.blind > 0;
    if (blind) search->slips.blind--;
    countdown_write(search->draw, search->thought, two, 2);
    write_made(search, x, y, blind);
    bool yes = stray || (right && !blind);
    skill_put(search->thought, " %d? %s", search->target, verdict(yes));
    if (!right) note_near(search, x, y);
    search->n_line++;
    return yes && look_again(search, two, stray, out);
}

/* A first operation after the other. */
static bool search_forward(struct search *search, struct countdown_item *out) {
    const struct countdown_item *items = search->items;
    for (const char *op = "/-+*"; *op; op++)
        for (int i = 0; i < 3; i++)
            for (int j = i + 1; j < 3; j++) {
                struct fraction value;
                struct countdown_item two[2];
                if (countdown_same_pair(items, i, j) ||
                    !countdown_apply(items[i].value, *op, items[j].value, COUNTDOWN_WHOLE,
                                     &value) ||
                    !write_first(search, items[i], *op, items[j], value))
                    continue;
                leave_two(search, i, *op, j, two);
                if (look_at_two(search, two, out)) return true;
            }
    return false;
}

/* ---- the second look ---- */

/* What a number of the three would need of the other two: "; 27: 36 18 ..3 3". Only what is beside
 * a product that is not too long is multiplied. */
static void write_needed(const struct search *search, int third, int product) {
    struct skill_text *thought = search->thought;
    int target = search->target;
    skill_put(thought, "; %d: %d %d", target, target + third, abs(target - third));
    if (third == 1) {
        skill_put(thought, " %d", target);
        return;
    }
    int less = target < third ? target : third, more = target + third - less;
    if (less < 10 && more < 100) {
        skill_put(thought, " %d", target * third);
    } else if (product <= MOST_TARGET && (less < 10 || more < 100)) {
        skill_puts(thought, " ");
        compare_product(thought, target, third, product, 0);
    }
    if (target % third == 0)
        skill_put(thought, " %d", target / third);
    else if (target > 1 && third % target == 0)
        skill_put(thought, " %d", third / target);
}

/* A line of it: "\n9: 48 16 → 64 32 768 3; 27: 36 18 ..3 3 yes". */
static bool look_back(const struct search *search, int k, struct countdown_item *out) {
    const struct countdown_item *items = search->items;
    struct skill_text *thought = search->thought;
    int i = k == 0, j = k == 2 ? 1 : 2, x = number(items[i]), y = number(items[j]);
    skill_put(thought, "\n%d: %d %d → %d %d", number(items[k]), x, y, x + y, x - y);
    if (x * y <= MOST_TARGET) skill_put(thought, " %d", x * y);
    if (y > 1 && x % y == 0) skill_put(thought, " %d", x / y);
    write_needed(search, number(items[k]), x * y);
    for (const char *op = "+-*/"; *op; op++) {
        struct countdown_step step;
        struct fraction value;
        struct countdown_item two[2];
        if (!countdown_apply(items[i].value, *op, items[j].value, COUNTDOWN_WHOLE, &value) ||
            value.num > MOST_TARGET)
            continue;
        leave_two(search, i, *op, j, two);
        if (!countdown_solve_two(two, COUNTDOWN_WHOLE, search->target, &step)) continue;
        skill_puts(thought, " yes");
        return look_again(search, two, false, out);
    }
    skill_puts(thought, " no");
    return false;
}

static bool search_back(const struct search *search, struct countdown_item *out) {
    for (int k = 0; k < 3; k++) {
        if (k && number(search->items[k]) == number(search->items[k - 1])) continue;
        if (look_back(search, k, out)) return true;
    }
    return false;
}

/* ---- the whole ---- */

static bool think(struct search *search, struct countdown_item *out) {
    search->n_line = search->n_near = 0;
    search->thought->bytes.len = 0;
    countdown_write(search->draw, search->thought, search->items, 3);
    skill_put(search->thought, " = %d", search->target);
    return search_forward(search, out) || search_back(search, out);
}

/* Which mistakes, once a search without any has said how long it is. */
static struct slips draw_slips(const struct search *search, bool found) {
    static const int offs[] = {0, 0, -10, -2, -1, 1, 2, 10};
    struct skill_draw *draw = search->draw;
    struct slips slips = {.stray = -1};
    int before = search->n_line - found; // lines that make something else
    bool stray = skill_chance(draw, 10), blind = skill_chance(draw, 12);
    if (stray && before > 0)
        slips.stray = search->n_near && skill_chance(draw, 70)
                          ? search->near[skill_below(draw, search->n_near)]
                          : skill_below(draw, before);
    if (blind && found) slips.blind = skill_chance(draw, 50) ? 1 : MOST_LINES;
    slips.off = skill_pick(draw, offs);
    slips.draft = skill_chance(draw, 8);
    slips.draft_variant = skill_below(draw, 5);
    return slips;
}

bool countdown_think_three(struct skill_draw *draw, struct skill_text *thought,
                           const struct countdown_item *items, int target, bool slips,
                           struct countdown_item *made) {
    struct search search = {draw, thought, items, target, {.stray = -1}, 0, {0}, 0};
    bool found = think(&search, made);
    if (!slips) return found;
    search.slips = draw_slips(&search, found);
    bool again = think(&search, made);
    if (again == found) return found;
    // What was overlooked has no other way that the second look knows.
    search.slips = (struct slips){.stray = -1};
    return think(&search, made);
}
