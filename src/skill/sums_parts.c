/* Fractions, divisors, averages and percentages. */
#include "skill/columns.h"
#include "skill/sums.h"

static int divisor(int a, int b) { return b ? divisor(b, a % b) : a; }

static const char *ratio(struct skill_draw *draw, int num, int den) {
    return den == 1 ? skill_textf(draw, "%d", num) : skill_textf(draw, "%d/%d", num, den);
}

/* "=6/36=1/6" */
static void give_fraction(struct skill_draw *draw, struct skill_turn *turn, struct skill_task *task,
                          int num, int den) {
    int by = divisor(num < 0 ? -num : num, den);
    skill_put(&turn->thought, "=%d/%d", num, den);
    if (by > 1) skill_put(&turn->thought, "=%s", ratio(draw, num / by, den / by));
    skill_puts(&turn->answer, ratio(draw, num / by, den / by));
    skill_expect_answer(task, "fraction");
}

static void draw_fraction(struct skill_draw *draw, int *num, int *den) {
    do {
        *den = skill_range(draw, 2, 12);
        *num = skill_range(draw, 1, *den + 3);
    } while (divisor(*num, *den) > 1);
}

void sums_make_fraction(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    struct skill_text *thought = &turn->thought;
    char op = "+-*/"[skill_below(draw, 4)];
    int a, b, c, d;
    bool swap;
    do {
        draw_fraction(draw, &a, &b);
        draw_fraction(draw, &c, &d);
        // a*d <= b*c puts the smaller one first, where the order says nothing
        swap = (op == '+' || op == '*') && a * d > b * c;
    } while (!skill_takes(draw, 2, "fraction %c %d %d %d %d", op, swap ? c : a, swap ? d : b,
                          swap ? a : c, swap ? b : d));
    const char *sign = op == '*' ? "×" : op == '/' ? "÷" : op == '+' ? "+" : "-";
    sums_ask(draw, turn, skill_textf(draw, "%d/%d %s %d/%d", a, b, sign, c, d));
    skill_put(thought, op == '/' ? "%d/%d%c(%d/%d)" : "%d/%d%c%d/%d", a, b, op, c, d);
    if (op == '*') {
        give_fraction(draw, turn, task, a * c, b * d);
    } else if (op == '/') {
        skill_put(thought, "=%d/%d*%d/%d", a, b, d, c);
        give_fraction(draw, turn, task, a * d, b * c);
    } else {
        int den = b / divisor(b, d) * d, x = a * (den / b), y = c * (den / d);
        if (b != d) skill_put(thought, "=%d/%d%c%d/%d", x, den, op, y, den);
        give_fraction(draw, turn, task, op == '+' ? x + y : x - y, den);
    }
}

void sums_make_reduce(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"约分：{a}",
                                     "把 {a} 化成最简分数。",
                                     "{a} 约分后是多少？",
                                     "化简 {a}",
                                     "{a} 的最简形式是什么？",
                                     "请把分数 {a} 约到最简。",
                                     "将 {a} 化为最简分数",
                                     "最简分数：{a} = ?"};
    static const char *const en[] = {"Reduce {a}.",
                                     "Simplify {a}.",
                                     "Write {a} in lowest terms.",
                                     "What is {a} in simplest form?",
                                     "Bring {a} to lowest terms.",
                                     "{a} = ? (lowest terms)",
                                     "Cancel {a} down.",
                                     "Give the simplest form of {a}."};
    struct skill_turn *turn = skill_turn(task);
    int num, den, by;
    do {
        draw_fraction(draw, &num, &den);
        by = skill_range(draw, 1, 15);
    } while (!skill_takes(draw, 5, "reduce %d %d", num * by, den * by));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d/%d", num * by, den * by));
    columns_euclid(&turn->thought, num > den ? num * by : den * by,
                   num > den ? den * by : num * by);
    skill_put(&turn->thought, "\n%d/%d=%d %d/%d=%d", num * by, by, num, den * by, by, den);
    skill_put(&turn->answer, "%d/%d", num, den);
    skill_expect_answer(task, "fraction");
}

void sums_make_divisor(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][8] = {
        {"{a} 和 {b} 的最大公约数是多少？", "求 {a} 与 {b} 的最大公因数。", "gcd({a}, {b}) = ?",
         "{a}、{b} 的最大公因数", "最大公约数：{a}，{b}", "能同时整除 {a} 和 {b} 的最大的数是几？",
         "请算出 {a} 和 {b} 的最大公约数。", "用辗转相除法求 {a} 和 {b} 的最大公约数。"},
        {"{a} 和 {b} 的最小公倍数是多少？", "求 {a} 与 {b} 的最小公倍数。", "lcm({a}, {b}) = ?",
         "{a}、{b} 的最小公倍数", "最小公倍数：{a}，{b}",
         "既是 {a} 的倍数又是 {b} 的倍数的最小正整数是几？", "请算出 {a} 和 {b} 的最小公倍数。",
         "{a} 与 {b}，最小的公倍数是？"}};
    static const char *const en[2][8] = {
        {"What is the greatest common divisor of {a} and {b}?", "gcd({a}, {b}) = ?",
         "Find the GCD of {a} and {b}.", "Greatest common factor of {a} and {b}?",
         "What is the largest number that divides both {a} and {b}?", "Compute gcd of {a}, {b}.",
         "Use Euclid's algorithm: gcd of {a} and {b}.", "{a} and {b}: greatest common divisor"},
        {"What is the least common multiple of {a} and {b}?", "lcm({a}, {b}) = ?",
         "Find the LCM of {a} and {b}.", "Lowest common multiple of {a} and {b}?",
         "What is the smallest number that both {a} and {b} divide?", "Compute lcm of {a}, {b}.",
         "{a} and {b}: least common multiple", "Give the least common multiple: {a}, {b}"}};
    struct skill_turn *turn = skill_turn(task);
    bool multiple = skill_chance(draw, 40);
    int a, b;
    do {
        int by = skill_range(draw, 1, multiple ? 8 : 24), most = multiple ? 12 : 30;
        a = by * skill_range(draw, 2, most);
        b = by * skill_range(draw, 2, most);
    } while (!skill_takes(draw, 2, "divisor %d %d", a < b ? a : b, a < b ? b : a));
    const char *values[] = {skill_textf(draw, "%d", a), skill_textf(draw, "%d", b)};
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[multiple][skill_below(draw, 8)], values, 2);
    int larger = a > b ? a : b, smaller = a > b ? b : a;
    int by = columns_euclid(&turn->thought, larger, smaller), answer = by;
    if (multiple) {
        answer = larger / by * smaller;
        skill_put(&turn->thought, "\n%d/%d=%d", larger, by, larger / by);
        columns_multiply(&turn->thought, smaller, larger / by);
    }
    skill_put(&turn->answer, "%d", answer);
    skill_expect_answer(task, "number");
}

enum { MOST_AVERAGED = 6 };

/* In ascending order, for the same numbers are the same task in any. */
static bool takes_average(struct skill_draw *draw, const int *numbers, int n) {
    int sorted[MOST_AVERAGED];
    for (int i = 0, k; i < n; i++) {
        for (k = i; k && sorted[k - 1] > numbers[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = numbers[i];
    }
    return skill_takes(draw, 2, "average %s", skill_list(draw, sorted, n, " "));
}

/* Returns the sum, which n divides unless it is small. */
static int draw_averaged(struct skill_draw *draw, int *numbers, int n) {
    int sum = 0, most = skill_chance(draw, 50) ? 20 : 100;
    for (int i = 0; i < n; i++)
        sum += numbers[i] = skill_range(draw, 1, most);
    if (sum > 99 || skill_chance(draw, 70)) {
        numbers[n - 1] += (n - sum % n) % n;
        sum += (n - sum % n) % n;
    }
    return sum;
}

/* Added up one by one, "3+5=8 8+10=18", then divided: "18/3=6". */
void sums_make_average(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 的平均数是多少？", "求 {a} 的平均数。",
                                     "{a} 的平均值是多少？", "计算平均数：{a}", "{a} 平均是多少？"};
    static const char *const en[] = {"What is the average of {a}?", "Find the mean of {a}.",
                                     "Average of {a}", "What is the mean of {a}?",
                                     "Calculate the average: {a}"};
    struct skill_turn *turn = skill_turn(task);
    int numbers[MOST_AVERAGED], n, sum;
    do {
        n = skill_range(draw, 2, MOST_AVERAGED);
        sum = draw_averaged(draw, numbers, n);
    } while (!takes_average(draw, numbers, n));
    const char *list =
        skill_chance(draw, 50)
            ? skill_list(draw, numbers, n, skill_zh(draw) ? "、" : ", ")
            : skill_textf(draw, skill_zh(draw) ? "%s和%d" : "%s and %d",
                          skill_list(draw, numbers, n - 1, skill_zh(draw) ? "、" : ", "),
                          numbers[n - 1]);
    SKILL_SAY(draw, &turn->user, zh, en, list);
    for (int i = 1, so_far = numbers[0]; i < n; i++) {
        columns_line(&turn->thought);
        so_far = columns_short(&turn->thought, so_far, '+', numbers[i]);
    }
    int by = divisor(sum, n);
    if (sum > 99)
        columns_divide(&turn->thought, sum, n);
    else
        skill_put(&turn->thought, "\n%d/%d", sum, n);
    if (sum <= 99 && by > 1) skill_put(&turn->thought, "=%s", ratio(draw, sum / by, n / by));
    skill_puts(&turn->answer, ratio(draw, sum / by, n / by));
    skill_expect_answer(task, "fraction");
}

/* n * percent / 100, which is whole, by the shortest way. */
static void think_share(struct skill_text *thought, int n, int percent) {
    if (percent == 50) {
        columns_divide(thought, n, 2);
    } else if (percent % 25 == 0 && n % 4 == 0) {
        columns_divide(thought, n, 4);
        if (percent == 75) columns_multiply(thought, n / 4, 3);
    } else if (percent % 10 == 0 && n % 10 == 0) {
        skill_put(thought, "%d/10=%d", n, n / 10);
        columns_multiply(thought, n / 10, percent / 10);
    } else if (n % 100 == 0) {
        skill_put(thought, "%d/100=%d", n, n / 100);
        columns_multiply(thought, percent, n / 100);
    } else {
        columns_multiply(thought, n, percent);
        skill_put(thought, "\n%d/100=%d", n * percent, n * percent / 100);
    }
}

void sums_make_percent(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[4][5] = {
        {"{a} 的 {b}% 是多少？", "求 {a} 的 {b}%。", "{b}% 的 {a} 等于几？", "{a} 取 {b}% 得多少？",
         "计算 {a} × {b}%"},
        {"{c} 是 {a} 的百分之几？", "{c} 占 {a} 的百分比是多少？", "{a} 中的 {c} 占百分之多少？",
         "求 {c} 相当于 {a} 的百分之几。", "{c} ÷ {a} 写成百分数是多少？"},
        {"{a} 增加 {b}% 后是多少？", "原价 {a} 元，涨价 {b}%，现在多少元？",
         "{a} 提高 {b}% 得多少？", "产量 {a} 吨，增长 {b}%，变为多少吨？",
         "{a} 上涨 {b}% 以后是几？"},
        {"{a} 减少 {b}% 后是多少？", "原价 {a} 元，降价 {b}%，现在多少元？",
         "{a} 降低 {b}% 得多少？", "产量 {a} 吨，下降 {b}%，变为多少吨？",
         "{a} 下跌 {b}% 以后是几？"}};
    static const char *const en[4][5] = {
        {"What is {b}% of {a}?", "Find {b}% of {a}.", "{b} percent of {a} is what?",
         "Calculate {b}% of {a}.", "How much is {b}% of {a}?"},
        {"What percentage of {a} is {c}?", "{c} is what percent of {a}?",
         "Express {c} out of {a} as a percentage.", "{c} of {a}: how many percent?",
         "What percent is {c} of {a}?"},
        {"What is {a} increased by {b}%?", "A price of {a} goes up by {b}%. What is it now?",
         "Increase {a} by {b}%.", "{a} grows by {b}%. What does it become?", "Add {b}% to {a}."},
        {"What is {a} decreased by {b}%?", "A price of {a} goes down by {b}%. What is it now?",
         "Decrease {a} by {b}%.", "{a} shrinks by {b}%. What does it become?",
         "Take {b}% off {a}."}};
    struct skill_turn *turn = skill_turn(task);
    int kind = skill_below(draw, 4), n, percent;
    do {
        percent = skill_chance(draw, 70) ? 5 * skill_range(draw, 1, 19) : skill_range(draw, 1, 99);
        n = skill_number(draw, 3) * (skill_chance(draw, 40) ? 20 : 1);
    } while (n * percent % 100 || n > (kind == 1 ? 400 : 9999) ||
             !skill_takes(draw, 2, "percent %d %d %d", kind, n, percent));
    int share = n * percent / 100, answer = share;
    const char *values[] = {skill_textf(draw, "%d", n), skill_textf(draw, "%d", percent),
                            skill_textf(draw, "%d", share)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[kind][skill_below(draw, 5)], values, 3);
    if (kind == 1) {
        skill_put(&turn->thought, "%d*100=%d", share, share * 100);
        columns_divide(&turn->thought, share * 100, n);
        skill_put(&turn->answer, "%d%%", percent);
        skill_expect_answer(task, "numbers");
        return;
    }
    think_share(&turn->thought, n, percent);
    if (kind == 2) answer = n + share;
    if (kind == 3) answer = n - share;
    if (kind > 1) (kind == 2 ? columns_add : columns_subtract)(&turn->thought, n, share);
    skill_put(&turn->answer, "%d", answer);
    skill_expect_answer(task, "number");
}
