/* Countdown: numbers, each used once, become a target by + - * /.
 *
 * With three the thought is a search (countdown_three.c); with four it says of each first
 * operation, by heart, whether the three numbers left can make 24. */
#include "skill/skill.h"

#include <string.h>

#include "skill/countdown.h"

#define MOST_TARGET 999 // larger ones are not asked for

static bool can_three(const struct countdown_item *three, int target) {
    struct countdown_step step;
    bool whole = countdown_whole(three[0].value) && countdown_whole(three[1].value) &&
                 countdown_whole(three[2].value);
    return countdown_solve_three(three, whole ? COUNTDOWN_WHOLE : COUNTDOWN_FRACTION, target,
                                 &step);
}

/* Writes what is left, two operations or one, and returns the whole expression. */
static struct countdown_item finish(struct skill_draw *draw, struct skill_text *thought,
                                    struct countdown_item *items, int n, int target) {
    enum countdown_kind kind = COUNTDOWN_WHOLE;
    countdown_sort_down(items, n);
    for (int i = 0; i < n; i++) {
        if (!countdown_whole(items[i].value)) kind = COUNTDOWN_FRACTION;
        // What is there already once more, beside the answer that it goes into.
        if (items[i].op && thought)
            skill_put(thought, "\n%s=%s", items[i].text, countdown_value(draw, items[i].value));
    }
    while (n > 1) {
        struct countdown_step step;
        struct countdown_item left[3];
        if (n == 3)
            countdown_solve_three(items, kind, target, &step);
        else
            countdown_solve_two(items, kind, target, &step);
        struct countdown_item x = items[step.i], y = items[step.j];
        struct countdown_item made = countdown_join(draw, x, step.op, y, kind);
        if (thought)
            skill_put(thought, "\n%s", countdown_equation(draw, x, step.op, y, made.value));
        countdown_leave(items, n, step.i, step.j, made, left);
        memcpy(items, left, (size_t)--n * sizeof *items);
        countdown_sort_down(items, n);
    }
    return items[0];
}

static void write_answer(struct skill_draw *draw, struct skill_turn *turn,
                         const struct countdown_item *made, int target) {
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

/* Some target that the search finds. */
static int draw_target(struct skill_draw *draw, const int *numbers) {
    struct countdown_item items[3];
    for (int i = 0; i < 3; i++)
        items[i] = (struct countdown_item){{numbers[i], 1}, "", 0};
    for (int n = 3; n > 1;) {
        int i = skill_below(draw, n), j = skill_below(draw, n);
        struct countdown_item left[3], made = {{0, 1}, "", 0};
        if (i == j) continue;
        if (items[i].value.num < items[j].value.num) continue;
        if (!countdown_apply(items[i].value, "+-*/"[skill_below(draw, 4)], items[j].value,
                             COUNTDOWN_WHOLE, &made.value))
            continue;
        if (made.value.num > MOST_TARGET) return 0;
        countdown_leave(items, n, i, j, made, left);
        memcpy(items, left, sizeof *items * (size_t)--n);
    }
    return (int)items[0].value.num;
}

/* The thought with its slips, which are drawn aside: the question is the same without them. */
static void answer_three(struct skill_draw *draw, struct skill_turn *turn,
                         const struct countdown_item *items, int target) {
    struct skill_draw aside = *draw;
    struct countdown_item made = {0};
    bool found = countdown_think_three(&aside, &turn->thought, items, target, true, &made);
    draw->no_memory |= aside.no_memory;
    write_answer(draw, turn, found ? &made : NULL, target);
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
    struct countdown_item items[3], made = {0};
    do {
        int most = none || skill_chance(draw, 40) ? 20 : 99;
        for (int i = 0; i < 3; i++)
            numbers[i] = skill_range(draw, 1, most);
        order_down(numbers, 3);
        target = none ? skill_range(draw, 1, 60) : draw_target(draw, numbers);
        countdown_take(draw, numbers, 3, items);
        if (target < 1 ||
            !skill_takes(draw, 10, "three %d %d %d %d", numbers[0], numbers[1], numbers[2], target))
            continue;
        found = countdown_think_three(draw, &turn->thought, items, target, false, &made);
        if (found != none || draw->no_content) break;
    } while (true);
    write_expect(task, numbers, 3, target);
    SKILL_SAY(draw, &turn->user, zh, en, listed(draw, numbers, 3), skill_textf(draw, "%d", target));
    answer_three(draw, turn, items, target);
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
static bool search_24(struct skill_draw *draw, struct skill_text *thought,
                      const struct countdown_item *items, enum countdown_kind kind,
                      struct countdown_item *left) {
    for (const char *op = kind == COUNTDOWN_WHOLE ? "/-+*" : "/"; *op; op++)
        for (int turned = 0; turned <= (kind == COUNTDOWN_FRACTION); turned++)
            for (int i = 0; i < 4; i++)
                for (int j = i + 1; j < 4; j++) {
                    struct fraction value;
                    const struct countdown_item *x = &items[turned ? j : i],
                                                *y = &items[turned ? i : j];
                    if (countdown_same_pair(items, i, j) ||
                        !countdown_apply(x->value, *op, y->value, kind, &value) ||
                        (kind == COUNTDOWN_FRACTION && countdown_whole(value)))
                        continue;
                    countdown_leave(items, 4, i, j, (struct countdown_item){value, "", 0}, left);
                    countdown_sort_down(left, 3);
                    bool can = can_three(left, 24);
                    if (thought) {
                        skill_put(thought, "\n%s: ", countdown_equation(draw, *x, *op, *y, value));
                        countdown_write(draw, thought, left, 3);
                        skill_puts(thought, can ? " yes" : " no");
                    }
                    if (!can) continue;
                    countdown_leave(items, 4, i, j, countdown_join(draw, *x, *op, *y, kind), left);
                    return true;
                }
    return false;
}

static bool solve_24(struct skill_draw *draw, struct skill_text *thought,
                     const struct countdown_item *items, struct countdown_item *left) {
    return search_24(draw, thought, items, COUNTDOWN_WHOLE, left) ||
           search_24(draw, thought, items, COUNTDOWN_FRACTION, left);
}

static void make_24(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    bool none = skill_chance(draw, 6), found;
    int numbers[4];
    struct countdown_item items[4], left[3];
    do {
        do {
            for (int i = 0; i < 4; i++)
                numbers[i] = skill_range(draw, 1, 13);
            order_down(numbers, 4);
        } while (!skill_takes(draw, 10, "24 %d %d %d %d", numbers[0], numbers[1], numbers[2],
                              numbers[3]));
        countdown_take(draw, numbers, 4, items);
        found = solve_24(draw, NULL, items, left);
    } while (found == none && !draw->no_content);
    countdown_write(draw, &turn->thought, items, 4);
    solve_24(draw, &turn->thought, items, left);
    struct countdown_item made = {0};
    if (found) made = finish(draw, &turn->thought, left, 3, 24);
    write_answer(draw, turn, found ? &made : NULL, 24);
    write_expect(task, numbers, 4, 24);
    SKILL_SAY(draw, &turn->user, zh24, en24, listed(draw, numbers, 4));
}

static void make_three_24(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    bool want = skill_chance(draw, 80), found;
    int numbers[3];
    struct countdown_item items[3], made = {0};
    do {
        do {
            for (int i = 0; i < 3; i++)
                numbers[i] = skill_range(draw, 1, skill_chance(draw, 80) ? 13 : 30);
            order_down(numbers, 3);
        } while (!skill_takes(draw, 10, "24 %d %d %d", numbers[0], numbers[1], numbers[2]));
        countdown_take(draw, numbers, 3, items);
        found = countdown_think_three(draw, &turn->thought, items, 24, false, &made);
    } while (found != want && !draw->no_content);
    write_expect(task, numbers, 3, 24);
    SKILL_SAY(draw, &turn->user, zh24, en24, listed(draw, numbers, 3));
    answer_three(draw, turn, items, 24);
}

static const struct skill_group groups[] = {
    {"three", 5, make_three}, {"four-24", 4, make_24}, {"three-24", 1, make_three_24}, {0}};

const struct skill skill_countdown = {
    .name = "countdown",
    .about = "numbers, each used once, become a target: three to any, four to 24",
    .groups = groups};
