/* Numbers in words and in digits, both ways. */
#include "skill/columns.h"
#include "skill/numerals.h"
#include "skill/sums.h"

/* The groups of a number, of four digits in Chinese and of three in English, from the left: as
 * words and as digits, on a line each. */
static void think_groups(struct skill_draw *draw, struct skill_text *thought, long long n) {
    bool zh = skill_zh(draw), begun = false;
    static const char *const zh_units[] = {"", "万", "亿"};
    static const char *const en_units[] = {"", " thousand", " million", " billion"};
    for (int k = zh ? 2 : 3; k >= 0; k--) {
        long long by = 1;
        for (int i = 0; i < k; i++)
            by *= zh ? 10000 : 1000;
        int group = (int)(n / by % (zh ? 10000 : 1000));
        if (!begun && !group) continue;
        const char *words = zh ? numerals_zh_group(draw, group, !begun) : numerals_en(draw, group);
        if (!group) words = zh ? "零" : "zero";
        skill_put(thought, "%s%s%s ", begun ? "\n" : "", words, (zh ? zh_units : en_units)[k]);
        skill_put(thought, begun ? (zh ? "%04d" : "%03d") : "%d", group);
        begun = true;
    }
}

void sums_make_numeral(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][8] = {
        {"把“{a}”写成阿拉伯数字。", "{a}用数字怎么写？", "“{a}”是多少？用数字表示。",
         "写成数字：{a}", "将{a}转成阿拉伯数字", "请用阿拉伯数字写出{a}。", "{a} = ?（数字）",
         "汉字数“{a}”对应的数字是？"},
        {"把 {b} 写成汉字。", "{b} 用中文怎么读？", "{b} 的中文读法是什么？", "写成中文数字：{b}",
         "将 {b} 转成汉字数字", "请用汉字写出 {b}。", "{b} 读作什么？", "{b}，用中文数字表示。"}};
    static const char *const en[2][8] = {
        {"Write \"{a}\" in digits.", "What is {a} in digits?", "{a}: as a number, please.",
         "Convert {a} to digits.", "Which number is {a}?", "Digits for: {a}",
         "Turn the words {a} into a number.", "Write the number {a} with digits."},
        {"Write {b} in words.", "How do you say {b} in English?", "Spell out {b}.",
         "Convert {b} to words.", "{b} in words?", "Write out the number {b}.",
         "Put {b} into words.", "How is {b} read?"}};
    struct skill_turn *turn = skill_turn(task);
    bool to_words = skill_chance(draw, 50);
    long long n;
    do {
        n = skill_number(draw, 9);
        if (skill_chance(draw, 30)) { // with zeros within
            long long by = 1;
            for (int k = skill_range(draw, 1, 5); k > 0; k--)
                by *= 10;
            n = n / (by * 100) * (by * 100) + n % by;
        }
    } while (n < 1 || !skill_takes(draw, 2, "numeral %lld", n));
    const char *words = skill_zh(draw) ? numerals_zh(draw, n) : numerals_en(draw, n);
    const char *values[] = {words, skill_textf(draw, "%lld", n)};
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[to_words][skill_below(draw, 8)], values, 2);
    if (n >= (skill_zh(draw) ? 10000 : 1000)) think_groups(draw, &turn->thought, n);
    skill_puts(&turn->answer, values[to_words ? 0 : 1]);
    skill_expect_answer(task, "exact");
}

void sums_make_numeral_sum(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[3][6] = {
        {"{a}加{b}等于多少？用汉字回答。", "{a}与{b}的和是多少？请写汉字。",
         "{a}加上{b}，得几？用中文数字答。", "用中文数字回答：{a}加{b}", "{a}加{b}等于几？",
         "{a}加{b}"},
        {"{a}减{b}等于多少？用汉字回答。", "{a}与{b}的差是多少？请写汉字。",
         "{a}减去{b}，得几？用中文数字答。", "用中文数字回答：{a}减{b}", "{a}减{b}等于几？",
         "{a}减{b}"},
        {"{a}乘{b}等于多少？用汉字回答。", "{a}与{b}的积是多少？请写汉字。",
         "{a}乘以{b}，得几？用中文数字答。", "用中文数字回答：{a}乘{b}", "{a}乘{b}等于几？",
         "{a}乘{b}"}};
    static const char *const en[3][6] = {
        {"What is {a} plus {b}? Answer in words.", "Add {a} and {b}; write the sum in words.",
         "In words: {a} plus {b}", "{a} and {b} together make what? Answer in words.",
         "What is {a} plus {b}?", "{a} plus {b}"},
        {"What is {a} minus {b}? Answer in words.",
         "Subtract {b} from {a}; write the difference in words.", "In words: {a} minus {b}",
         "{a} less {b} leaves what? Answer in words.", "What is {a} minus {b}?", "{a} minus {b}"},
        {"What is {a} times {b}? Answer in words.",
         "Multiply {a} by {b}; write the product in words.", "In words: {a} times {b}",
         "{a} multiplied by {b} is what? Answer in words.", "What is {a} times {b}?",
         "{a} times {b}"}};
    struct skill_turn *turn = skill_turn(task);
    int op = skill_below(draw, 3), a, b;
    do {
        a = skill_number(draw, op == 2 ? 2 : 3);
        b = op == 2 ? skill_range(draw, 2, 9) : skill_number(draw, 2);
        if (a < b) {
            int kept = a;
            a = b;
            b = kept;
        }
    } while (a == b || !sums_takes(draw, "+-*"[op], a, b));
    int made = op == 0 ? a + b : op == 1 ? a - b : a * b;
    bool is_zh = skill_zh(draw);
    const char *values[] = {is_zh ? numerals_zh(draw, a) : numerals_en(draw, a),
                            is_zh ? numerals_zh(draw, b) : numerals_en(draw, b)};
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, (is_zh ? zh : en)[op][skill_below(draw, SKILL_COUNT(zh[0]))], values,
               2);
    static void (*const columns[])(struct skill_text *, int, int) = {columns_add, columns_subtract,
                                                                     columns_multiply};
    columns[op](&turn->thought, a, b);
    skill_puts(&turn->answer, is_zh ? numerals_zh(draw, made) : numerals_en(draw, made));
    skill_expect_answer(task, "exact");
}
