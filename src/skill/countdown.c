/* Countdown: numbers, each used once, become a target by + - * /.
 *
 * The search is one that a small model can carry out: the numbers from large to small, first
 * operations in a fixed order (/ - + *, pairs from the front), each line with what is left. With
 * three numbers a line has all that the two left can make, and then asks whether the target is
 * among it; with four it says, by heart, whether the three left can make 24. */
#include "skill/skill.h"

#include <string.h>

#include "text/expression.h"

#define MOST_TARGET 999 // larger products are left out of the search for a target

/* A number that was given or made, and how. */
struct item {
    struct fraction value;
    const char *text; // of the expression
    char op;          // its last operation, 0: a number
};

enum { AS_WHOLE, AS_FRACTION }; // which divisions are tried: those without a rest, or all

static bool is_whole(struct fraction value) { return value.den == 1; }

static bool less(struct fraction a, struct fraction b) { return a.num * b.den < b.num * a.den; }

/* x op y, the larger one first but where a fraction may come of y / x. Divisions by 1 say no more
 * than products with it. */
static bool apply(struct fraction x, char op, struct fraction y, int kind, struct fraction *out) {
    if (op == '/') {
        if (!y.num || (y.num == 1 && y.den == 1)) return false;
        bool divides = is_whole(x) && is_whole(y) && x.num % y.num == 0;
        if (kind == AS_WHOLE && !divides) return false;
    }
    if (is_whole(x) && is_whole(y)) {
        *out = (struct fraction){op == '+'   ? x.num + y.num
                                 : op == '-' ? x.num - y.num
                                 : op == '*' ? x.num * y.num
                                             : x.num / y.num,
                                 1};
        if (op != '/' || x.num % y.num == 0) return true;
    }
    return fraction_apply(x, op, y, out);
}

static void sort_down(struct item *items, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && less(items[k - 1].value, items[k].value); k--) {
            struct item kept = items[k];
            items[k] = items[k - 1];
            items[k - 1] = kept;
        }
}

/* ---- one or two operations that are left ---- */

struct step {
    int i, j;
    char op;
    bool turned; // j / i
};

static bool is_target(struct fraction x, char op, struct fraction y, int kind, int target) {
    struct fraction made;
    return apply(x, op, y, kind, &made) && is_whole(made) && made.num == target;
}

static bool solve_two(const struct item *two, int kind, int target, struct step *out) {
    bool swap = less(two[0].value, two[1].value);
    int i = swap, j = !swap;
    for (const char *op = "+-*/"; *op; op++)
        if (is_target(two[i].value, *op, two[j].value, kind, target)) {
            *out = (struct step){i, j, *op, false};
            return true;
        }
    *out = (struct step){j, i, '/', true};
    return kind == AS_FRACTION && is_target(two[j].value, '/', two[i].value, kind, target);
}

/* three, sorted down, without i and j, and with what they made. */
static void leave(const struct item *items, int n, int i, int j, struct item made,
                  struct item *out) {
    int n_out = 0;
    for (int k = 0; k < n; k++)
        if (k != i && k != j) out[n_out++] = items[k];
    out[n_out] = made;
}

static bool solve_three(const struct item *three, int kind, int target, struct step *out) {
    for (const char *op = "/-+*"; *op; op++)
        for (int turned = 0; turned <= (*op == '/' && kind == AS_FRACTION); turned++)
            for (int i = 0; i < 3; i++)
                for (int j = i + 1; j < 3; j++) {
                    struct item made = {0}, two[2];
                    struct step last;
                    int x = turned ? j : i, y = turned ? i : j;
                    if (!apply(three[x].value, *op, three[y].value, kind, &made.value)) continue;
                    leave(three, 3, i, j, made, two);
                    *out = (struct step){x, y, *op, turned};
                    if (solve_two(two, kind, target, &last)) return true;
                }
    return false;
}

static bool can_three(const struct item *three, int target) {
    struct step step;
    bool whole = is_whole(three[0].value) && is_whole(three[1].value) && is_whole(three[2].value);
    return solve_three(three, whole ? AS_WHOLE : AS_FRACTION, target, &step);
}

/* ---- texts ---- */

static const char *value_text(struct skill_draw *draw, struct fraction value) {
    return is_whole(value) ? skill_textf(draw, "%d", (int)value.num)
                           : skill_textf(draw, "%d/%d", (int)value.num, (int)value.den);
}

static bool wants_brackets(const struct item *item, char op, bool right) {
    bool sum = item->op == '+' || item->op == '-';
    if (op == '*' || op == '/') return sum || (right && op == '/' && item->op);
    return right && op == '-' && sum;
}

static struct item join(struct skill_draw *draw, struct item x, char op, struct item y, int kind) {
    bool left = wants_brackets(&x, op, false), right = wants_brackets(&y, op, true);
    struct item made = {.op = op};
    apply(x.value, op, y.value, kind, &made.value);
    made.text = skill_textf(draw, "%s%s%s%c%s%s%s", left ? "(" : "", x.text, left ? ")" : "", op,
                            right ? "(" : "", y.text, right ? ")" : "");
    return made;
}

/* "13-9=4" */
static const char *equation(struct skill_draw *draw, struct item x, char op, struct item y,
                            struct fraction made) {
    const char *right = value_text(draw, y.value);
    if (!is_whole(y.value) && op == '/') right = skill_textf(draw, "(%s)", right);
    return skill_textf(draw, "%s%c%s=%s", value_text(draw, x.value), op, right,
                       value_text(draw, made));
}

/* Writes what is left, two operations or one, and returns the whole expression. */
static struct item finish(struct skill_draw *draw, struct skill_text *thought, struct item *items,
                          int n, int target) {
    int kind = AS_WHOLE;
    sort_down(items, n);
    for (int i = 0; i < n; i++) {
        if (!is_whole(items[i].value)) kind = AS_FRACTION;
        // What is there already once more, beside the answer that it goes into.
        if (items[i].op && thought)
            skill_put(thought, "\n%s=%s", items[i].text, value_text(draw, items[i].value));
    }
    while (n > 1) {
        struct step step;
        struct item left[3];
        if (n == 3)
            solve_three(items, kind, target, &step);
        else
            solve_two(items, kind, target, &step);
        struct item x = items[step.i], y = items[step.j];
        struct item made = join(draw, x, step.op, y, kind);
        if (thought) skill_put(thought, "\n%s", equation(draw, x, step.op, y, made.value));
        leave(items, n, step.i, step.j, made, left);
        memcpy(items, left, (size_t)--n * sizeof *items);
        sort_down(items, n);
    }
    return items[0];
}

static void write_answer(struct skill_draw *draw, struct skill_turn *turn, const struct item *made,
                         int target) {
    if (made)
        skill_put(&turn->answer, "%s = %d", made->text, target);
    else
        skill_puts(&turn->answer, skill_zh(draw) ? "无解" : "no solution");
}

static void write_expect(struct skill_task *task, const int *numbers, int n, int target) {
    for (int i = 0; i < n; i++)
        skill_put(&task->expect, "%d ", numbers[i]);
    skill_put(&task->expect, "= %d", target);
    task->check = "countdown";
}

static void take_items(struct skill_draw *draw, const int *numbers, int n, struct item *out) {
    for (int i = 0; i < n; i++)
        out[i] = (struct item){{numbers[i], 1}, skill_textf(draw, "%d", numbers[i]), 0};
    sort_down(out, n);
}

static void write_items(struct skill_draw *draw, struct skill_text *out, const struct item *items,
                        int n) {
    for (int i = 0; i < n; i++)
        skill_put(out, "%s%s", i ? " " : "", value_text(draw, items[i].value));
}

static void order_down(int *numbers, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && numbers[k - 1] < numbers[k]; k--) {
            int kept = numbers[k];
            numbers[k] = numbers[k - 1];
            numbers[k - 1] = kept;
        }
}

/* As a user may write them. */
static const char *listed(struct skill_draw *draw, int *numbers, int n) {
    static const char *const zh[] = {"、", "，", " ", ", "}, *const en[] = {", ", " ", ", "};
    const char *between = skill_zh(draw) ? skill_pick(draw, zh) : skill_pick(draw, en);
    skill_shuffle(draw, numbers, n);
    return skill_list(draw, numbers, n, between);
}

/* ---- three numbers and a target ---- */

/* x * y, the larger one first, by parts that are known by heart: "340+272=612". */
static void write_product(struct skill_text *thought, int x, int y) {
    int part = y < 10 ? x % 100 : y % 10, by = y < 10 ? y : x;
    if ((y < 10 && x < 100) || !part)
        skill_put(thought, "%d", x * y);
    else
        skill_put(thought, "%d+%d=%d", x * y - part * by, part * by, x * y);
}

/* A product too long to be known by its last digit first: "..4". Whether that is the target's, and
 * the product after it: "..2=340+272=612". */
static void compare_product(struct skill_text *thought, int x, int y, int wanted) {
    skill_put(thought, "..%d", x * y % 10);
    if (x * y % 10 != wanted % 10) return;
    skill_puts(thought, "=");
    write_product(thought, x, y);
}

/* Whether the two make the target: "→ 52 16 ..2=340+272=612 612? yes". A long number is not
 * divided, but the target multiplied. */
static bool look_at_two(struct skill_text *thought, const struct item *two, int target) {
    int x = (int)two[0].value.num, y = (int)two[1].value.num;
    bool divides = y > 1 && x % y == 0;
    skill_put(thought, " → %d %d", x + y, x - y);
    if (x < 100 && y < 10)
        skill_put(thought, " %d", x * y);
    else if (x < 100 || y < 10)
        skill_puts(thought, " "), compare_product(thought, x, y, target);
    if (x < 100 && divides) skill_put(thought, " %d", x / y);
    if (x > 99 && y > 1 && (y < 10 || target < 100)) {
        skill_puts(thought, " /");
        compare_product(thought, target > y ? target : y, target > y ? y : target, x);
    }
    bool made = x + y == target || x - y == target || (x * y == target && (x < 100 || y < 10)) ||
                (divides && x / y == target);
    skill_put(thought, " %d? %s", target, made ? "yes" : "no");
    return made;
}

/* The first operation of three: "87-69=18: ". False: it made too much to go on with. */
static bool write_first(struct skill_draw *draw, struct skill_text *thought, struct item x, char op,
                        struct item y, struct fraction made) {
    int a = (int)x.value.num, b = (int)y.value.num;
    if (op != '*' || b < 10) {
        skill_put(thought, "\n%s: ", equation(draw, x, op, y, made));
    } else if (a / 10 * (b / 10) > 9) {
        skill_put(thought, "\n%d*%d: %d*%d=%d big", a, b, a / 10, b / 10, a / 10 * (b / 10));
    } else {
        skill_put(thought, "\n%d*%d=", a, b);
        write_product(thought, a, b);
        skill_puts(thought, made.num > MOST_TARGET ? " big" : ": ");
    }
    return made.num <= MOST_TARGET;
}

static bool same_pair(const struct item *items, int i, int j) {
    // Sorted: equal numbers are neighbours, and a pair has been seen if an equal one came before.
    return (i > 0 && items[i - 1].value.num == items[i].value.num && i - 1 != j) ||
           (j > i + 1 && items[j - 1].value.num == items[j].value.num);
}

/* A first operation after the other; `found`: the two items that make the target. */
static bool search_target(struct skill_draw *draw, struct skill_text *thought,
                          const struct item *items, int target, struct item *found) {
    for (const char *op = "/-+*"; *op; op++)
        for (int i = 0; i < 3; i++)
            for (int j = i + 1; j < 3; j++) {
                struct fraction value;
                if (same_pair(items, i, j) ||
                    !apply(items[i].value, *op, items[j].value, AS_WHOLE, &value) ||
                    !write_first(draw, thought, items[i], *op, items[j], value))
                    continue;
                struct item made = join(draw, items[i], *op, items[j], AS_WHOLE);
                leave(items, 3, i, j, made, found);
                sort_down(found, 2);
                write_items(draw, thought, found, 2);
                if (look_at_two(thought, found, target)) return true;
            }
    return false;
}

static bool think_three(struct skill_draw *draw, struct skill_text *thought,
                        const struct item *items, int target, struct item *found) {
    thought->bytes.len = 0;
    write_items(draw, thought, items, 3);
    skill_put(thought, " = %d", target);
    return search_target(draw, thought, items, target, found);
}

/* Some target that the search finds. */
static int draw_target(struct skill_draw *draw, const int *numbers) {
    struct item items[3];
    for (int i = 0; i < 3; i++)
        items[i] = (struct item){{numbers[i], 1}, "", 0};
    for (int n = 3; n > 1;) {
        int i = skill_below(draw, n), j = skill_below(draw, n);
        struct item left[3], made = {{0, 1}, "", 0};
        if (i == j) continue;
        if (less(items[i].value, items[j].value)) continue;
        if (!apply(items[i].value, "+-*/"[skill_below(draw, 4)], items[j].value, AS_WHOLE,
                   &made.value))
            continue;
        if (made.value.num > MOST_TARGET) return 0;
        leave(items, n, i, j, made, left);
        memcpy(items, left, sizeof *items * (size_t)--n);
    }
    return (int)items[0].value.num;
}

static void make_three(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "用 {a} 这三个数，每个只用一次，算出 {b}。",
        "把 {a} 用加减乘除凑成 {b}，每个数恰好用一次。",
        "{a}，怎样算得到 {b}？",
        "用加减乘除和括号，由 {a} 得到 {b}。",
        "数字：{a}。目标：{b}。写出算式。",
        "请用 {a} 各一次，列出一个等于 {b} 的算式。",
        "倒计时游戏：{a}，目标 {b}。",
        "怎么用 {a} 算出 {b}？每个数都要用，且只用一次。",
        "给你 {a}，请凑出 {b}。",
        "{a} 凑 {b}",
    };
    static const char *const en[] = {
        "Use {a}, each once, to make {b}.",
        "Make {b} from {a} with + - * / and brackets. Use every number exactly once.",
        "Numbers: {a}. Target: {b}. Write the expression.",
        "How can {a} make {b}?",
        "Countdown: {a}. Reach {b}.",
        "Combine {a} to get {b}; each number is used once.",
        "Find an expression with {a} that equals {b}.",
        "Get {b} out of {a} by arithmetic.",
        "Can you reach {b} with {a}, using each number once?",
        "countdown {a} target {b}",
    };
    struct skill_turn *turn = skill_turn(task);
    bool none = skill_chance(draw, 6), found;
    int numbers[3], target;
    struct item items[3], two[2];
    do {
        int most = none || skill_chance(draw, 40) ? 20 : 99;
        for (int i = 0; i < 3; i++)
            numbers[i] = skill_range(draw, 1, most);
        order_down(numbers, 3);
        target = none ? skill_range(draw, 1, 60) : draw_target(draw, numbers);
        take_items(draw, numbers, 3, items);
        if (target < 1 ||
            !skill_takes(draw, 10, "three %d %d %d %d", numbers[0], numbers[1], numbers[2], target))
            continue;
        found = think_three(draw, &turn->thought, items, target, two);
        if (found != none || draw->no_content) break;
    } while (true);
    struct item made = {0};
    if (found) made = finish(draw, &turn->thought, two, 2, target);
    write_answer(draw, turn, found ? &made : NULL, target);
    write_expect(task, numbers, 3, target);
    SKILL_SAY(draw, &turn->user, zh, en, listed(draw, numbers, 3), skill_textf(draw, "%d", target));
}

/* ---- 24 ---- */

static const char *const zh24[] = {
    "用 {a} 算 24 点。",
    "24 点：{a}",
    "{a} 怎么算得到 24？",
    "用 {a} 各一次，加减乘除算出 24。",
    "请用 {a} 凑 24，每个数恰好用一次。",
    "算二十四：{a}",
    "牌面是 {a}，怎样得到 24？",
    "用加减乘除和括号，由 {a} 得到 24。",
    "{a} 能算出 24 吗？能的话写出算式。",
    "24点 {a}",
    "算24点 {a}",
};
static const char *const en24[] = {
    "Make 24 from {a}.",
    "24 game: {a}",
    "How do {a} make 24?",
    "Use {a}, each once, to get 24.",
    "Can {a} make 24? Show how.",
    "Combine {a} into 24 with + - * / and brackets.",
    "Find an expression equal to 24 with {a}.",
    "Get 24 out of {a}, using every number exactly once.",
    "The cards are {a}. Make 24.",
    "make 24 with {a}",
    "24 points: {a}",
};

/* The lines of one pass; `left`: the three that can make it. */
static bool search_24(struct skill_draw *draw, struct skill_text *thought, const struct item *items,
                      int kind, struct item *left) {
    for (const char *op = kind == AS_WHOLE ? "/-+*" : "/"; *op; op++)
        for (int turned = 0; turned <= (kind == AS_FRACTION); turned++)
            for (int i = 0; i < 4; i++)
                for (int j = i + 1; j < 4; j++) {
                    struct fraction value;
                    const struct item *x = &items[turned ? j : i], *y = &items[turned ? i : j];
                    if (same_pair(items, i, j) || !apply(x->value, *op, y->value, kind, &value) ||
                        (kind == AS_FRACTION && is_whole(value)))
                        continue;
                    leave(items, 4, i, j, (struct item){value, "", 0}, left);
                    sort_down(left, 3);
                    bool can = can_three(left, 24);
                    if (thought) {
                        skill_put(thought, "\n%s: ", equation(draw, *x, *op, *y, value));
                        write_items(draw, thought, left, 3);
                        skill_puts(thought, can ? " yes" : " no");
                    }
                    if (!can) continue;
                    leave(items, 4, i, j, join(draw, *x, *op, *y, kind), left);
                    return true;
                }
    return false;
}

static bool solve_24(struct skill_draw *draw, struct skill_text *thought, const struct item *items,
                     struct item *left) {
    return search_24(draw, thought, items, AS_WHOLE, left) ||
           search_24(draw, thought, items, AS_FRACTION, left);
}

static void make_24(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    bool none = skill_chance(draw, 6), found;
    int numbers[4];
    struct item items[4], left[3];
    do {
        do {
            for (int i = 0; i < 4; i++)
                numbers[i] = skill_range(draw, 1, 13);
            order_down(numbers, 4);
        } while (!skill_takes(draw, 10, "24 %d %d %d %d", numbers[0], numbers[1], numbers[2],
                              numbers[3]));
        take_items(draw, numbers, 4, items);
        found = solve_24(draw, NULL, items, left);
    } while (found == none && !draw->no_content);
    write_items(draw, &turn->thought, items, 4);
    solve_24(draw, &turn->thought, items, left);
    struct item made = {0};
    if (found) made = finish(draw, &turn->thought, left, 3, 24);
    write_answer(draw, turn, found ? &made : NULL, 24);
    write_expect(task, numbers, 4, 24);
    SKILL_SAY(draw, &turn->user, zh24, en24, listed(draw, numbers, 4));
}

static void make_three_24(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    bool want = skill_chance(draw, 80), found;
    int numbers[3];
    struct item items[3], two[2];
    do {
        do {
            for (int i = 0; i < 3; i++)
                numbers[i] = skill_range(draw, 1, skill_chance(draw, 80) ? 13 : 30);
            order_down(numbers, 3);
        } while (!skill_takes(draw, 10, "24 %d %d %d", numbers[0], numbers[1], numbers[2]));
        take_items(draw, numbers, 3, items);
        found = think_three(draw, &turn->thought, items, 24, two);
    } while (found != want && !draw->no_content);
    struct item made = {0};
    if (found) made = finish(draw, &turn->thought, two, 2, 24);
    write_answer(draw, turn, found ? &made : NULL, 24);
    write_expect(task, numbers, 3, 24);
    SKILL_SAY(draw, &turn->user, zh24, en24, listed(draw, numbers, 3));
}

static const struct skill_group groups[] = {
    {"three", 5, make_three}, {"four-24", 4, make_24}, {"three-24", 1, make_three_24}, {0}};

const struct skill skill_countdown = {
    .name = "countdown",
    .about = "numbers, each used once, become a target: three to any, four to 24",
    .groups = groups};
