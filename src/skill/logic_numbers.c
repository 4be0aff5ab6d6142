/* Rows of numbers, seats in a row, sets of numbers. */
#include "skill/logic.h"

#include <string.h>

enum { MOST_ROW = 8 };

/* ---- what comes next ---- */

static void next_by_difference(struct skill_draw *draw, int *row, int n) {
    int step = skill_range(draw, 1, 25);
    row[0] = skill_range(draw, 1, 99);
    if (skill_chance(draw, 35)) {
        row[0] += step * n;
        step = -step;
    }
    for (int i = 1; i <= n; i++)
        row[i] = row[i - 1] + step;
}

static void next_by_ratio(struct skill_draw *draw, int *row, int n) {
    int ratio = skill_range(draw, 2, 4);
    row[0] = skill_range(draw, 1, 9);
    for (int i = 1; i <= n; i++)
        row[i] = row[i - 1] * ratio;
}

static void next_by_sum(struct skill_draw *draw, int *row, int n) {
    row[0] = skill_range(draw, 1, 15);
    row[1] = skill_range(draw, row[0], 20);
    for (int i = 2; i <= n; i++)
        row[i] = row[i - 1] + row[i - 2];
}

static void next_by_square(struct skill_draw *draw, int *row, int n) {
    int first = skill_range(draw, 1, 20);
    for (int i = 0; i <= n; i++)
        row[i] = (first + i) * (first + i);
}

/* Differences that grow by the same. */
static void next_by_growth(struct skill_draw *draw, int *row, int n) {
    int step = skill_range(draw, 1, 6), growth = skill_range(draw, 1, 4);
    row[0] = skill_range(draw, 1, 20);
    for (int i = 1; i <= n; i++, step += growth)
        row[i] = row[i - 1] + step;
}

static int root_of(int square) {
    int root = 0;
    while (root * root < square)
        root++;
    return root;
}

static void think_next(struct skill_text *out, int kind, const int *row, int n) {
    int step = row[1] - row[0], growth = row[2] - row[1] - step;
    if (kind == 3) {
        for (int i = 0; i < n; i++)
            skill_put(out, "%d*%d=%d\n", root_of(row[i]), root_of(row[i]), row[i]);
        skill_put(out, "%d*%d=%d", root_of(row[n]), root_of(row[n]), row[n]);
        return;
    }
    for (int i = 1; i < n; i++) {
        if (kind == 1)
            skill_put(out, "%d/%d=%d\n", row[i], row[i - 1], row[i] / row[i - 1]);
        else if (kind != 2)
            skill_put(out, "%d-%d=%d\n", row[i], row[i - 1], row[i] - row[i - 1]);
        else if (i > 1)
            skill_put(out, "%d+%d=%d\n", row[i - 2], row[i - 1], row[i]);
    }
    if (kind == 0)
        skill_put(out, step < 0 ? "%d-%d=%d" : "%d+%d=%d", row[n - 1], step < 0 ? -step : step,
                  row[n]);
    if (kind == 1) skill_put(out, "%d*%d=%d", row[n - 1], row[1] / row[0], row[n]);
    if (kind == 2) skill_put(out, "%d+%d=%d", row[n - 2], row[n - 1], row[n]);
    if (kind == 4) {
        int last = row[n - 1] - row[n - 2];
        skill_put(out, "%d+%d=%d\n%d+%d=%d", last, growth, last + growth, row[n - 1], last + growth,
                  row[n]);
    }
}

void logic_make_next(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a}，下一个数是多少？",     "按规律填数：{a}，?",
                                     "找规律：{a}，接下来是几？", "数列 {a} 的下一项是什么？",
                                     "{a}，……，后面一个数是？",   "观察 {a}，写出下一个数。",
                                     "{a} 之后应该是哪个数？",    "这列数接着写一个：{a}"};
    static const char *const en[] = {"What comes next: {a}?",
                                     "{a}, ... What is the next number?",
                                     "Continue the sequence by one: {a}",
                                     "Find the next term of {a}.",
                                     "Which number follows {a}?",
                                     "Look at {a}. Next?",
                                     "The sequence goes {a}. What is the next term?",
                                     "Fill in: {a}, ?"};
    static void (*const makers[])(struct skill_draw *, int *, int) = {
        next_by_difference, next_by_ratio, next_by_sum, next_by_square, next_by_growth};
    static const int kinds[] = {0, 0, 0, 1, 2, 2, 3, 4, 4, 4}; // those with many rows more often
    struct skill_turn *turn = skill_turn(task);
    int row[MOST_ROW], n, kind;
    do {
        kind = skill_pick(draw, kinds);
        // Four terms of a growing step may be sums of two, too: 2 3 5 8.
        n = skill_range(draw, kind == 2 || kind == 4 ? 5 : 4, 6);
        makers[kind](draw, row, n);
    } while (!skill_takes(draw, 5, "next %d %d %d", row[0], row[1], row[2]));
    SKILL_SAY(draw, &turn->user, zh, en, skill_list(draw, row, n, skill_zh(draw) ? "，" : ", "));
    think_next(&turn->thought, kind, row, n);
    skill_put(&turn->answer, "%d", row[n]);
    skill_expect_answer(task, "number");
}

/* ---- the odd one out ---- */

static bool has(int kind, int n) {
    if (kind == 2) return n % 5 == 0;
    if (kind == 3) return root_of(n) * root_of(n) == n;
    return n % 2 == kind;
}

void logic_make_odd_one(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[4][3] = {
        {"{a} 中哪个不是偶数？", "找出不是偶数的那个：{a}", "{a}，只有一个是奇数，是哪个？"},
        {"{a} 中哪个不是奇数？", "找出不是奇数的那个：{a}", "{a}，只有一个是偶数，是哪个？"},
        {"{a} 中哪个不是 5 的倍数？", "找出不能被 5 整除的：{a}",
         "{a}，只有一个不是 5 的倍数，是哪个？"},
        {"{a} 中哪个不是平方数？", "找出不是完全平方数的：{a}",
         "{a}，只有一个不是平方数，是哪个？"}};
    static const char *const en[4][3] = {
        {"Which of {a} is not even?", "Find the one that is not even: {a}",
         "{a}: only one is odd. Which?"},
        {"Which of {a} is not odd?", "Find the one that is not odd: {a}",
         "{a}: only one is even. Which?"},
        {"Which of {a} is not a multiple of 5?", "Find the one that 5 does not divide: {a}",
         "{a}: only one is no multiple of 5. Which?"},
        {"Which of {a} is not a square number?", "Find the one that is no perfect square: {a}",
         "{a}: only one is not a square. Which?"}};
    struct skill_turn *turn = skill_turn(task);
    int row[MOST_ROW], n, at, kind = skill_below(draw, 4), sum;
    do {
        n = skill_range(draw, 4, 6);
        at = skill_below(draw, n);
        sum = 0;
        for (int i = 0; i < n; i++) {
            do
                row[i] = kind == 3 && i != at ? root_of(skill_range(draw, 1, 225))
                                              : skill_range(draw, 1, 99);
            while (kind != 3 && has(kind, row[i]) == (i == at));
            if (kind == 3 && i != at) row[i] *= row[i];
            sum += row[i];
        }
    } while ((kind == 3 && has(3, row[at])) ||
             !skill_takes(draw, 5, "odd one %d %d %d", kind, row[at], sum));
    const char *list = skill_list(draw, row, n, skill_zh(draw) ? "、" : ", ");
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[kind][skill_below(draw, 3)], &list, 1);
    for (int i = 0; i <= at; i++) {
        skill_puts(&turn->thought, i ? "\n" : "");
        int by = kind == 3 ? root_of(row[i]) : kind == 2 ? 5 : 2;
        if (kind == 3 && i == at) by--;
        int times = kind == 3 ? by : row[i] / by;
        skill_put(&turn->thought, "%d=%d*%d+%d", row[i], by, times, row[i] - by * times);
    }
    skill_put(&turn->answer, "%d", row[at]);
    skill_expect_answer(task, "number");
}

/* ---- seats ---- */

void logic_make_row(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[4][2] = {
        {"一排有 {a} 人，从左数你是第 {b} 个，从右数是第几个？",
         "{a} 个座位排成一行，左起第 {b} 个是右起第几个？"},
        {"排队时从前数第 {b} 个，从后数第 {c} 个，一共多少人？",
         "一行里左起第 {b}、右起第 {c} 是同一个座位，共有几个座位？"},
        {"一排 {a} 人，从左数第 {b} 个的右边还有几个人？", "{a} 人排队，第 {b} 个人后面有几个人？"},
        {"左起第 {d} 个和第 {e} 个之间有几个人？", "队伍里第 {d} 位与第 {e} 位中间隔着几个人？"}};
    static const char *const en[4][2] = {
        {"{a} people stand in a row. You are number {b} from the left. What number are you from "
         "the right?",
         "A row has {a} seats. Seat {b} from the left is which from the right?"},
        {"In a queue you are number {b} from the front and number {c} from the back. How many "
         "people are there?",
         "A seat is number {b} from the left and number {c} from the right. How many seats are in "
         "the row?"},
        {"{a} people stand in a row. How many are to the right of number {b} from the left?",
         "{a} people queue. How many stand behind number {b}?"},
        {"How many people are between number {d} and number {e} of a row?",
         "In a queue, how many stand between number {d} and number {e}?"}};
    struct skill_turn *turn = skill_turn(task);
    int all, left, other, ask;
    do {
        all = skill_range(draw, 3, skill_chance(draw, 60) ? 30 : 200);
        left = skill_range(draw, 1, all);
        other = skill_range(draw, 1, all);
        ask = skill_below(draw, 4);
    } while ((ask == 3 && other <= left) ||
             !skill_takes(draw, 5, "row %d %d %d", ask, left, ask == 3 ? other : all));
    int right = all - left + 1;
    const char *values[] = {skill_textf(draw, "%d", all), skill_textf(draw, "%d", left),
                            skill_textf(draw, "%d", right), skill_textf(draw, "%d", left),
                            skill_textf(draw, "%d", other)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[ask][skill_below(draw, 2)], values, 5);
    int answer = ask == 0 ? right : ask == 1 ? all : ask == 2 ? all - left : other - left - 1;
    if (ask == 0) skill_put(&turn->thought, "%d-%d+1=%d", all, left, answer);
    if (ask == 1) skill_put(&turn->thought, "%d+%d-1=%d", left, right, answer);
    if (ask == 2) skill_put(&turn->thought, "%d-%d=%d", all, left, answer);
    if (ask == 3) skill_put(&turn->thought, "%d-%d-1=%d", other, left, answer);
    skill_put(&turn->answer, "%d", answer);
    skill_expect_answer(task, "number");
}

/* ---- sets ---- */

static bool contains(const int *set, int n, int item) {
    for (int i = 0; i < n; i++)
        if (set[i] == item) return true;
    return false;
}

void logic_make_set(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[4][2] = {
        {"A = {{{a}}，B = {{{b}}，求 A∩B。", "{a} 和 {b} 两组里都有的数是哪些？"},
        {"A = {{{a}}，B = {{{b}}，求 A∪B。", "把 {a} 和 {b} 两组合并，去掉重复，有哪些数？"},
        {"A = {{{a}}，B = {{{b}}，求 A-B。", "在 {a} 里而不在 {b} 里的数是哪些？"},
        {"A = {{{a}}，{c} 属于 A 吗？", "{c} 在 {a} 里吗？"}};
    static const char *const en[4][2] = {
        {"A = {{{a}}, B = {{{b}}. What is A∩B?", "Which numbers are both in {a} and in {b}?"},
        {"A = {{{a}}, B = {{{b}}. What is A∪B?",
         "Join {a} and {b}, without repeats. Which numbers are there?"},
        {"A = {{{a}}, B = {{{b}}. What is A-B?", "Which numbers are in {a} but not in {b}?"},
        {"A = {{{a}}. Is {c} in A?", "Is {c} one of {a}?"}};
    struct skill_turn *turn = skill_turn(task);
    int a[MOST_ROW], b[MOST_ROW], out[2 * MOST_ROW], n_a, n_b, n = 0, item, ask, most;
    do {
        n_a = skill_range(draw, 3, 6);
        n_b = skill_range(draw, 3, 6);
        most = skill_chance(draw, 60) ? 12 : 99;
        ask = skill_below(draw, 4);
        skill_choose(draw, most, n_a, a);
        skill_choose(draw, most, n_b, b);
        if (most > 12)
            for (int i = 0; i < n_a && i < n_b; i++)
                if (skill_chance(draw, 40) && !contains(b, n_b, a[i])) b[i] = a[i];
        item = skill_chance(draw, 50) ? a[skill_below(draw, n_a)] : skill_below(draw, most);
        n = 0;
        for (int i = 0; i < n_a; i++)
            if (ask == 1 || contains(b, n_b, a[i]) == (ask == 0)) out[n++] = a[i];
        for (int i = 0; ask == 1 && i < n_b; i++)
            if (!contains(a, n_a, b[i])) out[n++] = b[i];
    } while (
        (ask != 3 && !n) ||
        !skill_takes(draw, 5, "set %d %s %s", ask, skill_list(draw, a, n_a, " "),
                     ask == 3 ? skill_textf(draw, "%d", item) : skill_list(draw, b, n_b, " ")));
    const char *values[] = {skill_list(draw, a, n_a, ", "), skill_list(draw, b, n_b, ", "),
                            skill_textf(draw, "%d", item)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[ask][skill_below(draw, 2)], values, 3);
    if (ask == 3) {
        bool in = contains(a, n_a, item);
        skill_put(&turn->thought, "A %s\n%d %s", skill_list(draw, a, n_a, " "), item,
                  in ? "A" : "-");
        skill_puts(&turn->answer,
                   in ? (skill_zh(draw) ? "是" : "yes") : (skill_zh(draw) ? "不是" : "no"));
        skill_expect_answer(task, "exact");
        return;
    }
    bool join = ask == 1; // then B's are looked for in A, else A's in B
    const int *list = join ? b : a, *in = join ? a : b;
    int n_list = join ? n_b : n_a, n_in = join ? n_a : n_b;
    skill_put(&turn->thought, "%c %s", join ? 'A' : 'B', skill_list(draw, in, n_in, " "));
    for (int i = 0; i < n_list; i++)
        skill_put(&turn->thought, "\n%d %c", list[i],
                  contains(in, n_in, list[i]) ? (join ? 'A' : 'B') : '-');
    skill_puts(&turn->answer, skill_list(draw, out, n, ", "));
    skill_expect_answer(task, "list");
}
