/* Sums: the four operations with written arithmetic as the thought, and what is built of them. */
#include "skill/skill.h"

#include <string.h>

#include "skill/columns.h"
#include "skill/sums.h"

/* ---- one operation ---- */

static const char *const ask_zh[] = {
    "{a}",           "{a} = ?",      "计算 {a}",           "{a} 等于多少？",
    "求 {a} 的值。", "算一下 {a}。", "{a} 的结果是什么？", "请计算：{a}",
    "帮我算算 {a}",  "{a} 是多少？",
};
static const char *const ask_en[] = {
    "{a}",          "{a} = ?",          "Calculate {a}.", "What is {a}?",      "Work out {a}.",
    "Compute: {a}", "{a} equals what?", "Find {a}.",      "Please solve {a}.", "How much is {a}?",
};

void sums_ask(struct skill_draw *draw, struct skill_turn *turn, const char *expression) {
    SKILL_SAY(draw, &turn->user, ask_zh, ask_en, expression);
}

bool sums_takes(struct skill_draw *draw, char op, int a, int b) {
    bool swap = (op == '+' || op == '*') && a > b;
    return skill_takes(draw, 2, "%c %d %d", op, swap ? b : a, swap ? a : b);
}

/* As users write them: with spaces or without, with one sign or another. */
static const char *infix(struct skill_draw *draw, int a, char op, int b) {
    const char *sign = op == '+' ? "+" : op == '-' ? "-" : "";
    if (op == '*') sign = skill_chance(draw, 60) ? "×" : "*";
    if (op == '/') sign = skill_chance(draw, 60) ? "÷" : "/";
    const char *gap = skill_chance(draw, 50) ? " " : "";
    return skill_textf(draw, b < 0 ? "%d%s%s%s(%d)" : "%d%s%s%s%d", a, gap, sign, gap, b);
}

static void give_number(struct skill_turn *turn, struct skill_task *task, int answer) {
    skill_put(&turn->answer, "%d", answer);
    skill_expect_answer(task, "number");
}

static int size(int n) { return n < 0 ? -n : n; }

/* a + b by what their signs make of it. `written`: how that was asked. */
static void think_sum(struct skill_text *thought, int a, int b, const char *written) {
    int x = size(a), y = size(b);
    bool differ = (a < 0) != (b < 0), minus = differ ? (x > y ? a : b) < 0 : a < 0;
    if (differ && (x > 9 || y > 9)) columns_compare(thought, x, y);
    if (differ && x < y) {
        int kept = x;
        x = y;
        y = kept;
    }
    char op = differ ? '-' : '+';
    if (minus || a < 0 || strchr(written, '(')) {
        columns_line(thought);
        skill_put(thought, "%s=%s%d%c%d%s", written, minus ? "-(" : "", x, op, y, minus ? ")" : "");
    }
    if (x < 10 && y < 10) {
        columns_line(thought);
        skill_put(thought, "%d%c%d=%d", x, op, y, differ ? x - y : x + y);
        return;
    }
    (differ ? columns_subtract : columns_add)(thought, x, y);
}

static void make_plus_minus(struct skill_draw *draw, struct skill_task *task, char op) {
    struct skill_turn *turn = skill_turn(task);
    int a, b;
    bool negatives = skill_chance(draw, 20);
    do {
        a = skill_number(draw, 6);
        b = skill_number(draw, 6);
        if (op == '-' && a < b && !skill_chance(draw, 25)) {
            int kept = a;
            a = b;
            b = kept;
        }
        if (negatives && skill_chance(draw, 60)) a = -a;
        if (negatives && skill_chance(draw, 60)) b = -b;
    } while (!sums_takes(draw, op, a, b));
    sums_ask(draw, turn, infix(draw, a, op, b));
    think_sum(&turn->thought, a, op == '+' ? b : -b,
              skill_textf(draw, b < 0 ? "%d%c(%d)" : "%d%c%d", a, op, b));
    give_number(turn, task, op == '+' ? a + b : a - b);
}

static void make_add(struct skill_draw *draw, struct skill_task *task) {
    make_plus_minus(draw, task, '+');
}

static void make_subtract(struct skill_draw *draw, struct skill_task *task) {
    make_plus_minus(draw, task, '-');
}

static void make_multiply(struct skill_draw *draw, struct skill_task *task) {
    static const int digits[][2] = {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {2, 2},
                                    {2, 2}, {3, 2}, {3, 2}, {4, 2}, {3, 3}};
    struct skill_turn *turn = skill_turn(task);
    int a, b;
    do {
        const int *lengths = skill_pick(draw, digits);
        a = skill_digits(draw, lengths[0]);
        b = skill_digits(draw, lengths[1]);
    } while (!sums_takes(draw, '*', a, b));
    bool swap = skill_chance(draw, 30);
    sums_ask(draw, turn, infix(draw, swap ? b : a, '*', swap ? a : b));
    int long_one = a > b ? a : b, short_one = a > b ? b : a;
    if (long_one > 9 && short_one > 1)
        columns_multiply(&turn->thought, long_one, short_one);
    else
        skill_put(&turn->thought, "%d*%d=%d", long_one, short_one, a * b);
    give_number(turn, task, a * b);
}

static void make_divide(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "{a}，商和余数是多少？",
        "{a} 得多少，余多少？",
        "计算 {a}，写出商和余数。",
        "求 {a} 的商与余数。",
        "{a} 等于几余几？",
        "{a} = ? 余几？",
        "带余除法：{a}",
        "请算 {a}，结果写成“商余余数”的形式。",
    };
    static const char *const en[] = {
        "{a} with remainder",
        "What are the quotient and remainder of {a}?",
        "{a} = ? Give the remainder.",
        "Divide: {a}. Quotient and remainder?",
        "Work out {a} with remainder.",
        "Find quotient and remainder: {a}",
        "How many times, and what is left: {a}?",
        "Do the division {a} and state the remainder.",
    };
    struct skill_turn *turn = skill_turn(task);
    bool exact = skill_chance(draw, 50);
    int a, b;
    do {
        b = skill_chance(draw, 50) ? skill_range(draw, 2, 9) : skill_range(draw, 10, 99);
        a = skill_number(draw, 5);
        if (exact) a = a / b * b;
        if (exact && !a) a = b;
    } while (!sums_takes(draw, '/', a, b));
    const char *expression = infix(draw, a, '/', b);
    columns_divide(&turn->thought, a, b);
    if (exact) {
        sums_ask(draw, turn, expression);
        give_number(turn, task, a / b);
        return;
    }
    if (skill_chance(draw, 30)) // what is left is said unasked
        sums_ask(draw, turn, expression);
    else
        SKILL_SAY(draw, &turn->user, zh, en, expression);
    skill_put(&turn->answer, skill_zh(draw) ? "%d 余 %d" : "%d remainder %d", a / b, a % b);
    skill_expect_answer(task, "numbers");
}

/* ---- several operations: an expression that becomes shorter ---- */

enum { MOST_NODES = 9 };

struct node {
    char op; // 0: a number
    int value, left, right;
};

static int rank(char op) { return op == '+' || op == '-' ? 1 : op ? 2 : 3; }

static void write_tree(struct skill_text *out, const struct node *nodes, int at, bool wide) {
    const struct node *node = &nodes[at];
    if (!node->op) {
        skill_put(out, "%d", node->value);
        return;
    }
    for (int right = 0; right < 2; right++) {
        int child = right ? node->right : node->left;
        bool brackets = rank(nodes[child].op) < rank(node->op) ||
                        (right && rank(nodes[child].op) == rank(node->op) && node->op != '+');
        if (right) {
            const char *sign = node->op == '*' ? "×" : "÷";
            if (wide && rank(node->op) == 2)
                skill_puts(out, sign);
            else
                skill_put(out, "%c", node->op);
        }
        if (brackets) skill_puts(out, "(");
        write_tree(out, nodes, child, wide);
        if (brackets) skill_puts(out, ")");
    }
}

/* Draws a tree of n operations below `at`; false: a value is negative, too large or no whole
 * number. */
static bool draw_tree(struct skill_draw *draw, struct node *nodes, int *n_node, int at, int n) {
    struct node *node = &nodes[at];
    if (!n) {
        *node = (struct node){.value = skill_range(draw, 1, skill_chance(draw, 60) ? 12 : 60)};
        return true;
    }
    int n_left = skill_below(draw, n);
    *node = (struct node){"+-**/"[skill_below(draw, 5)], 0, *n_node, *n_node + 1};
    *n_node += 2;
    if (!draw_tree(draw, nodes, n_node, node->left, n_left) ||
        !draw_tree(draw, nodes, n_node, node->right, n - 1 - n_left))
        return false;
    int a = nodes[node->left].value, b = nodes[node->right].value;
    if (node->op == '*' && (a > b ? a : b) > 12 && (a > b ? b : a) > 9) return false;
    if (node->op == '/' && (b < 2 || a % b)) return false;
    node->value = node->op == '+'   ? a + b
                  : node->op == '-' ? a - b
                  : node->op == '*' ? a * b
                                    : a / b;
    return node->value >= 0 && node->value <= 999;
}

/* Does the first operation whose sides are numbers; false: there is none. */
static bool reduce(struct node *nodes, int at) {
    struct node *node = &nodes[at];
    if (!node->op) return false;
    if (reduce(nodes, node->left) || reduce(nodes, node->right)) return true;
    node->op = 0;
    return true;
}

static void make_mixed(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    struct node nodes[MOST_NODES];
    struct skill_text text = {0};
    int n_node, n_op = skill_range(draw, 2, 4);
    do {
        do
            n_node = 1;
        while (!draw_tree(draw, nodes, &n_node, 0, n_op));
        text.bytes.len = 0;
        write_tree(&text, nodes, 0, false);
        skill_put(&text, "%c", 0);
    } while (!skill_takes(draw, 2, "mixed %s", text.bytes.data ? text.bytes.data : ""));
    text.bytes.len = 0;
    write_tree(&text, nodes, 0, skill_chance(draw, 50));
    sums_ask(draw, turn, skill_textf(draw, "%.*s", (int)text.bytes.len, text.bytes.data));
    write_tree(&turn->thought, nodes, 0, false);
    while (reduce(nodes, 0)) {
        skill_puts(&turn->thought, "\n=");
        write_tree(&turn->thought, nodes, 0, false);
    }
    if (text.no_memory) draw->no_memory = true;
    buffer_free(&text.bytes);
    give_number(turn, task, nodes[0].value);
}

static const struct skill_group groups[] = {
    {"add", 6, make_add},
    {"subtract", 7, make_subtract},
    {"multiply", 6, make_multiply},
    {"divide", 4, make_divide},
    {"mixed", 4, make_mixed},
    {"fraction", 3, sums_make_fraction},
    {"reduce", 1, sums_make_reduce},
    {"divisor", 2, sums_make_divisor},
    {"average", 2, sums_make_average},
    {"percent", 2, sums_make_percent},
    {"decimal", 2, sums_make_decimal},
    {"power", 1, sums_make_power},
    {"root", 1, sums_make_root},
    {"prime", 1, sums_make_prime},
    {"factors", 1, sums_make_factors},
    {"numeral", 2, sums_make_numeral},
    {"numeral-sum", 1, sums_make_numeral_sum},
    {0},
};

const struct skill skill_sums = {
    .name = "sums",
    .about =
        "written arithmetic, fractions, divisors, averages, decimals, powers, primes, percentages, numerals",
    .groups = groups};
