/* Decimals, powers, roots, primes. */
#include "skill/columns.h"
#include "skill/numerals.h"
#include "skill/sums.h"

/* ---- decimals: the same sum without the point ---- */

void sums_make_decimal(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    char op = "++--*"[skill_below(draw, 5)];
    int places = skill_range(draw, 1, 2), scale = places == 2 ? 100 : 10, a, b;
    do {
        a = skill_number(draw, places + 3);
        b = op == '*' ? skill_range(draw, 2, 20) : skill_number(draw, places + 2);
        if (op != '*' && skill_chance(draw, 15)) b = b / 10 * 10; // with a place less
        if (op == '-' && a < b) {
            int kept = a;
            a = b;
            b = kept;
        }
    } while (b == 0 || a % scale == 0 || (op == '*' && a > 2000) ||
             !skill_takes(draw, 2, "decimal %c %d %d %d", op, places, op == '+' && a > b ? b : a,
                          op == '+' && a > b ? a : b));
    const char *gap = skill_chance(draw, 50) ? " " : "";
    const char *sign = op == '+' ? "+" : op == '-' ? "-" : skill_chance(draw, 60) ? "×" : "*";
    sums_ask(draw, turn,
             skill_textf(draw, "%s%s%s%s%s", numerals_decimal(draw, a, scale), gap, sign, gap,
                         numerals_decimal(draw, b, op == '*' ? 1 : scale)));
    if (op == '+')
        columns_add(&turn->thought, a, b);
    else if (op == '-')
        columns_subtract(&turn->thought, a, b);
    else
        columns_multiply(&turn->thought, a, b);
    int value = op == '+' ? a + b : op == '-' ? a - b : a * b;
    skill_puts(&turn->answer, numerals_decimal(draw, value, scale));
    skill_expect_answer(task, "number");
}

/* ---- powers and roots ---- */

void sums_make_power(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][5] = {
        {"{a} 的平方是多少？", "{a}² = ?", "{a}^2", "求 {a} 的二次方。", "{a} 的平方等于几？"},
        {"{a} 的 {b} 次方是多少？", "{a}^{b}", "{a} 的 {b} 次方等于几？", "计算 {a}^{b}",
         "求 {a} 的 {b} 次幂。"}};
    static const char *const en[2][5] = {
        {"What is {a} squared?", "{a}² = ?", "{a}^2", "Square {a}.", "What is the square of {a}?"},
        {"What is {a} to the power of {b}?", "{a}^{b}", "{a} to the {b}th power?",
         "Calculate {a}^{b}.", "Raise {a} to the power {b}."}};
    struct skill_turn *turn = skill_turn(task);
    int a, n, value = 1;
    do {
        n = skill_chance(draw, 55) ? 2 : skill_range(draw, 3, 10);
        a = skill_range(draw, 2, n == 2 ? 99 : n == 3 ? 20 : n == 4 ? 10 : n == 5 ? 5 : 3);
        if (n > 6) a = 2;
    } while (!skill_takes(draw, 5, "power %d %d", a, n));
    const char *values[] = {skill_textf(draw, "%d", a), skill_textf(draw, "%d", n)};
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[n > 2][skill_below(draw, 5)], values, 2);
    for (int i = 1; i <= n; i++) {
        int before = value;
        value *= a;
        if (i == 1) continue;
        columns_line(&turn->thought);
        if (n > 2) skill_put(&turn->thought, "%d^%d", a, i);
        columns_multiply(&turn->thought, before, a);
    }
    skill_put(&turn->answer, "%d", value);
    skill_expect_answer(task, "number");
}

/* The tens as long as their squares are not too large, then one by one. */
static void think_root(struct skill_text *thought, int root) {
    int tens = 0;
    do {
        tens += 10;
        skill_put(thought, "%s%d*%d=%d%s", tens > 10 ? " " : "", tens, tens, tens * tens,
                  tens > root ? ">" : "");
    } while (tens <= root);
    for (int i = tens - 10 ? tens - 10 : 1; i <= root; i++)
        skill_put(thought, "%s%d*%d=%d", i == tens - 10 || i == 1 ? "\n" : " ", i, i, i * i);
}

void sums_make_root(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"√{a} = ?", "{a} 的算术平方根是多少？", "根号 {a} 等于几？",
                                     "{a} 开平方得多少？", "哪个正数的平方是 {a}？"};
    static const char *const en[] = {"√{a} = ?", "What is the square root of {a}?", "sqrt({a})",
                                     "Find the square root of {a}.",
                                     "Which positive number has the square {a}?"};
    struct skill_turn *turn = skill_turn(task);
    int root;
    do
        root = skill_range(draw, 1, 40);
    while (!skill_takes(draw, 5, "root %d", root));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d", root * root));
    think_root(&turn->thought, root);
    skill_put(&turn->answer, "%d", root);
    skill_expect_answer(task, "number");
}

/* ---- primes ---- */

enum { MOST_TRIED = 500 };

static bool is_prime(int n) {
    for (int by = 2; by * by <= n; by++)
        if (n % by == 0) return false;
    return n > 1;
}

void sums_make_prime(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 是质数吗？", "{a} 是不是素数？", "判断 {a} 是否为质数。",
                                     "{a} 是素数吗？"};
    static const char *const en[] = {"Is {a} a prime number?", "Is {a} prime?",
                                     "Tell me whether {a} is prime.", "{a}: prime or not?"};
    struct skill_turn *turn = skill_turn(task);
    int n, by;
    do
        n = skill_range(draw, 2, skill_chance(draw, 40) ? 100 : MOST_TRIED);
    while ((n % 2 == 0 && n > 2 && skill_chance(draw, 70)) || !skill_takes(draw, 5, "prime %d", n));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d", n));
    for (by = 2; by * by <= n; by++) {
        if (!is_prime(by)) continue;
        columns_line(&turn->thought);
        skill_put(&turn->thought, "%d=%d*%d+%d", n, by, n / by, n % by);
        if (n % by == 0) break;
    }
    bool prime = by * by > n;
    if (skill_zh(draw))
        skill_puts(&turn->answer, prime ? "是" : "不是");
    else
        skill_puts(&turn->answer, prime ? "yes" : "no");
    skill_expect_answer(task, "exact");
}

void sums_make_factors(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"把 {a} 分解质因数。", "{a} 的质因数分解是什么？",
                                     "将 {a} 写成质数的乘积。", "分解质因数：{a}"};
    static const char *const en[] = {"Factor {a} into primes.", "Prime factorisation of {a}?",
                                     "Write {a} as a product of primes.",
                                     "What are the prime factors of {a}?"};
    struct skill_turn *turn = skill_turn(task);
    int n;
    do
        n = skill_range(draw, 4, MOST_TRIED);
    while ((is_prime(n) && skill_chance(draw, 80)) || !skill_takes(draw, 5, "factors %d", n));
    SKILL_SAY(draw, &turn->user, zh, en, skill_textf(draw, "%d", n));
    for (int rest = n, by = 2; rest > 1; by++)
        for (; rest % by == 0; rest /= by) {
            if (rest > by) {
                columns_line(&turn->thought);
                skill_put(&turn->thought, "%d=%d*%d", rest, by, rest / by);
            }
            skill_put(&turn->answer, rest == n ? "%d" : "×%d", by);
        }
    skill_expect_answer(task, "exact");
}
