/* Order: lists that are sorted, searched and thinned out. Held out are whole lists, whatever their
 * order.
 */
#include "skill/order.h"

#include <string.h>

#include "skill/skill.h"

enum { MOST_ITEMS = 9 };

static void sort_numbers(int *items, int n, bool down) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && (down ? items[k] > items[k - 1] : items[k] < items[k - 1]); k--) {
            int kept = items[k];
            items[k] = items[k - 1];
            items[k - 1] = kept;
        }
}

static void sort_words(const char **items, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && strcmp(items[k], items[k - 1]) < 0; k--) {
            const char *kept = items[k];
            items[k] = items[k - 1];
            items[k - 1] = kept;
        }
}

static bool takes_numbers(struct skill_draw *draw, const int *items, int n) {
    int sorted[MOST_ITEMS];
    memcpy(sorted, items, (size_t)n * sizeof *items);
    sort_numbers(sorted, n, false);
    return skill_takes(draw, 5, "numbers %s", skill_list(draw, sorted, n, " "));
}

static bool takes_words(struct skill_draw *draw, const char *const *items, int n) {
    const char *sorted[MOST_ITEMS];
    memcpy(sorted, items, (size_t)n * sizeof *items);
    sort_words(sorted, n);
    return skill_takes(draw, 5, "words %s", skill_list_words(draw, sorted, n, " "));
}

static const char *between(struct skill_draw *draw) {
    static const char *const zh[] = {"、", "，", ", ", " "}, *const en[] = {", ", ", ", " ", ","};
    return skill_zh(draw) ? skill_pick(draw, zh) : skill_pick(draw, en);
}

static int draw_numbers(struct skill_draw *draw, int *items, bool negatives) {
    int n;
    do {
        int digits = skill_range(draw, 1, 4);
        n = skill_range(draw, 3, 8);
        for (int i = 0; i < n; i++) {
            items[i] = skill_number(draw, digits);
            if (negatives && skill_chance(draw, 40)) items[i] = -items[i];
        }
    } while (!takes_numbers(draw, items, n));
    return n;
}

/* ---- sorting ---- */

static const char *const zh_sort[2][10] = {
    {"把 {a} 从小到大排列。", "从小到大排序：{a}", "请将这些数按升序排列：{a}",
     "{a} 由小到大怎么排？", "给这组数从小到大排个序：{a}", "升序排列 {a}",
     "请把下面的数从小到大写出来：{a}", "{a} 这几个数，从最小的开始依次写出。", "排序：{a}",
     "把 {a} 排序"},
    {"把 {a} 从大到小排列。", "从大到小排序：{a}", "请将这些数按降序排列：{a}",
     "{a} 由大到小怎么排？", "给这组数从大到小排个序：{a}", "降序排列 {a}",
     "请把下面的数从大到小写出来：{a}", "{a} 这几个数，从最大的开始依次写出。", "倒序排序：{a}",
     "把 {a} 排序，大的在前"}};
static const char *const en_sort[2][10] = {
    {"Sort {a} from smallest to largest.", "Put these numbers in ascending order: {a}",
     "Sort in increasing order: {a}", "Arrange {a} from least to greatest.",
     "{a}: sort them, smallest first.", "Please list {a} from low to high.",
     "Order these numbers, lowest first: {a}", "What is the ascending order of {a}?", "sort {a}",
     "Sort: {a}"},
    {"Sort {a} from largest to smallest.", "Put these numbers in descending order: {a}",
     "Sort in decreasing order: {a}", "Arrange {a} from greatest to least.",
     "{a}: sort them, largest first.", "Please list {a} from high to low.",
     "Order these numbers, highest first: {a}", "What is the descending order of {a}?",
     "sort {a} descending", "Sort, biggest first: {a}"}};

/* What is left, and which of it comes next. */
static void think_sort(struct skill_draw *draw, struct skill_text *thought, const int *items, int n,
                       bool down) {
    int left[MOST_ITEMS];
    memcpy(left, items, (size_t)n * sizeof *items);
    for (; n; n--) {
        int at = 0;
        for (int i = 1; i < n; i++)
            if (down ? left[i] > left[at] : left[i] < left[at]) at = i;
        skill_put(thought, "%s → %d%s", skill_list(draw, left, n, " "), left[at],
                  n > 1 ? "\n" : "");
        memmove(&left[at], &left[at + 1], (size_t)(n - 1 - at) * sizeof *left);
    }
}

static void make_sort(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    int items[MOST_ITEMS], down = skill_below(draw, 2);
    int n = draw_numbers(draw, items, skill_chance(draw, 15));
    const char *list = skill_list(draw, items, n, between(draw));
    skill_fill(
        &turn->user,
        (skill_zh(draw) ? zh_sort : en_sort)[down][skill_below(draw, SKILL_COUNT(zh_sort[0]))],
        &list, 1);
    think_sort(draw, &turn->thought, items, n, down);
    sort_numbers(items, n, down);
    skill_puts(&turn->answer, skill_list(draw, items, n, ", "));
    skill_expect_answer(task, "list");
}

static void make_sort_words(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"按字母顺序排列：{a}",           "把这些单词按字母表排序：{a}",
                                     "{a}，按 a 到 z 的顺序怎么排？", "请将 {a} 按字典顺序排列。",
                                     "给单词排序（字母顺序）：{a}",   "字典序排列 {a}",
                                     "按英文字母先后排好：{a}",       "请把 {a} 从 a 到 z 排列。"};
    static const char *const en[] = {"Sort alphabetically: {a}",
                                     "Put these words in alphabetical order: {a}",
                                     "Arrange {a} from a to z.",
                                     "What is the alphabetical order of {a}?",
                                     "Order the words as in a dictionary: {a}",
                                     "{a}: alphabetical order, please.",
                                     "List {a} alphabetically.",
                                     "Sort these words: {a}"};
    struct skill_turn *turn = skill_turn(task);
    const char *items[MOST_ITEMS];
    int n;
    do
        order_words(draw, n = skill_range(draw, 3, 6), items);
    while (!takes_words(draw, items, n));
    SKILL_SAY(draw, &turn->user, zh, en, skill_list_words(draw, items, n, ", "));
    const char *sorted[MOST_ITEMS];
    memcpy(sorted, items, (size_t)n * sizeof *items);
    sort_words(sorted, n);
    for (int k = 0, n_left = n; k < n; k++) { // what is left, and which of it comes next
        skill_put(&turn->thought, "%s%s → %s", k ? "\n" : "",
                  skill_list_words(draw, items, n_left, " "), sorted[k]);
        int at = 0;
        while (items[at] != sorted[k])
            at++;
        n_left--;
        memmove(&items[at], &items[at + 1], (size_t)(n_left - at) * sizeof *items);
    }
    memcpy(items, sorted, (size_t)n * sizeof *items);
    skill_puts(&turn->answer, skill_list_words(draw, items, n, ", "));
    skill_expect_answer(task, "list");
}

static void make_extreme(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][6] = {
        {"{a} 中最大的是哪个？", "找出最大的数：{a}", "{a}，哪个数最大？", "下面哪个数最大：{a}",
         "{a} 里的最大值是多少？", "求 {a} 的最大值。"},
        {"{a} 中最小的是哪个？", "找出最小的数：{a}", "{a}，哪个数最小？", "下面哪个数最小：{a}",
         "{a} 里的最小值是多少？", "求 {a} 的最小值。"}};
    static const char *const en[2][6] = {
        {"Which is the largest of {a}?", "Find the largest number: {a}",
         "What is the maximum of {a}?", "{a}: which one is the biggest?",
         "Pick the greatest number: {a}", "Largest of {a}?"},
        {"Which is the smallest of {a}?", "Find the smallest number: {a}",
         "What is the minimum of {a}?", "{a}: which one is the least?",
         "Pick the lowest number: {a}", "Smallest of {a}?"}};
    struct skill_turn *turn = skill_turn(task);
    int items[MOST_ITEMS], least = skill_below(draw, 2);
    int n = draw_numbers(draw, items, skill_chance(draw, 30));
    const char *list = skill_list(draw, items, n, between(draw));
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[least][skill_below(draw, 6)], &list, 1);
    int best = items[0];
    for (int i = 0; i < n; i++) { // each, and the best so far
        if (least ? items[i] < best : items[i] > best) best = items[i];
        skill_put(&turn->thought, "%s%d: %d", i ? "\n" : "", items[i], best);
    }
    skill_put(&turn->answer, "%d", best);
    skill_expect_answer(task, "number");
}

/* Decimals with different numbers of places, which are made as long as each other. */
static void make_compare(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][6] = {
        {"{a} 和 {b} 哪个大？", "{a} 与 {b}，较大的是哪个？", "比较 {a} 和 {b}，写出大的那个。",
         "{a}、{b} 谁更大？", "{a} 和 {b} 中较大的数是？", "哪个更大：{a} 还是 {b}？"},
        {"{a} 和 {b} 哪个小？", "{a} 与 {b}，较小的是哪个？", "比较 {a} 和 {b}，写出小的那个。",
         "{a}、{b} 谁更小？", "{a} 和 {b} 中较小的数是？", "哪个更小：{a} 还是 {b}？"}};
    static const char *const en[2][6] = {
        {"Which is larger, {a} or {b}?", "{a} or {b}: which is bigger?",
         "Compare {a} and {b}; write the larger one.", "Which number is greater: {a} or {b}?",
         "The larger of {a} and {b}?", "Is {a} or {b} the larger number?"},
        {"Which is smaller, {a} or {b}?", "{a} or {b}: which is less?",
         "Compare {a} and {b}; write the smaller one.", "Which number is lower: {a} or {b}?",
         "The smaller of {a} and {b}?", "Is {a} or {b} the smaller number?"}};
    static const int powers[] = {1, 10, 100, 1000};
    struct skill_turn *turn = skill_turn(task);
    int whole[2], rest[2], places[2], padded[2], least = skill_below(draw, 2), most;
    const char *texts[2];
    bool first;
    do {
        whole[0] = skill_below(draw, skill_chance(draw, 50) ? 10 : 100);
        whole[1] = skill_chance(draw, 80) ? whole[0] : skill_below(draw, 100);
        for (int i = 0; i < 2; i++) {
            places[i] = skill_range(draw, 1, 3);
            rest[i] = skill_range(draw, 1, powers[places[i]] - 1);
            texts[i] = skill_textf(draw, "%d.%0*d", whole[i], places[i], rest[i]);
        }
        most = places[0] > places[1] ? places[0] : places[1];
        for (int i = 0; i < 2; i++)
            padded[i] = rest[i] * powers[most - places[i]];
        first = whole[0] != whole[1] ? whole[0] > whole[1] : padded[0] > padded[1];
    } while ((whole[0] == whole[1] && padded[0] == padded[1]) ||
             !skill_takes(draw, 5, "compare %s %s", texts[!first], texts[first]));
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[least][skill_below(draw, 6)], texts, 2);
    skill_put(&turn->thought, "%d.%0*d%c%d.%0*d", whole[0], most, padded[0], first ? '>' : '<',
              whole[1], most, padded[1]);
    skill_puts(&turn->answer, texts[first == (bool)least]);
    skill_expect_answer(task, "number");
}

/* ---- what a list has where, and twice ---- */

static void make_unique(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"去掉重复的数：{a}",
                                     "{a} 去重后是什么？",
                                     "把 {a} 里重复的去掉，保留原来的顺序。",
                                     "删除重复项：{a}",
                                     "每个数只留第一次出现的：{a}",
                                     "给 {a} 去重。",
                                     "{a}，去掉重复，剩下哪些？",
                                     "请将 {a} 去重，顺序不变。"};
    static const char *const en[] = {"Remove the duplicates: {a}",
                                     "Remove repeated numbers from {a}, keeping the order.",
                                     "Keep each number of {a} once, in order of appearance.",
                                     "Deduplicate {a}.",
                                     "{a} without duplicates?",
                                     "Drop the repeats: {a}",
                                     "Which numbers are left of {a} without repeats?",
                                     "List the distinct numbers of {a} in their order."};
    struct skill_turn *turn = skill_turn(task);
    int items[MOST_ITEMS], left[MOST_ITEMS], n, n_left = 0;
    do {
        n = skill_range(draw, 4, 9);
        int kinds = skill_range(draw, 2, n - 1), most = skill_chance(draw, 60) ? 9 : 99;
        for (int i = 0; i < n; i++)
            items[i] = i < kinds ? skill_range(draw, 1, most) : items[skill_below(draw, kinds)];
        skill_shuffle(draw, items, n);
    } while (!takes_numbers(draw, items, n));
    for (int i = 0, k; i < n; i++) {
        for (k = 0; k < n_left && left[k] != items[i];)
            k++;
        skill_put(&turn->thought, "%s%d%c", i ? " " : "", items[i], k == n_left ? '+' : '-');
        if (k == n_left) left[n_left++] = items[i];
    }
    SKILL_SAY(draw, &turn->user, zh, en, skill_list(draw, items, n, between(draw)));
    skill_puts(&turn->answer, skill_list(draw, left, n_left, ", "));
    skill_expect_answer(task, "list");
}

static void make_place(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][5] = {
        {"{a} 中，{b} 排第几？", "在 {a} 里，{b} 是第几个？", "{b} 在 {a} 中的位置是第几？",
         "列表：{a}。{b} 是第几项？", "{a}，从前往后数 {b} 是第几个？"},
        {"{a} 中，第 {c} 个是什么？", "在 {a} 里，排第 {c} 的是哪个？", "{a} 的第 {c} 项是什么？",
         "列表：{a}。第 {c} 个是？", "{a}，从前往后数第 {c} 个是哪个？"}};
    static const char *const en[2][5] = {
        {"At which position is {b} in {a}?", "In {a}, which place has {b}?",
         "The list is {a}. What number is {b}?", "{a}: position of {b}?",
         "Counting from 1, where is {b} in {a}?"},
        {"Which item is number {c} in {a}?", "In {a}, what is at place {c}?",
         "The list is {a}. What is item {c}?", "{a}: item number {c}?",
         "Counting from 1, what is at place {c} in {a}?"}};
    struct skill_turn *turn = skill_turn(task);
    const char *items[MOST_ITEMS];
    int n, which = skill_below(draw, 2);
    do
        order_words(draw, n = skill_range(draw, 4, 8), items);
    while (!takes_words(draw, items, n));
    int at = skill_below(draw, n);
    const char *values[] = {skill_list_words(draw, items, n, ", "), items[at],
                            skill_textf(draw, "%d", at + 1)};
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[which][skill_below(draw, 5)], values, 3);
    for (int i = 0; i <= at; i++)
        skill_put(&turn->thought, "%s%d %s", i ? "\n" : "", i + 1, items[i]);
    skill_puts(&turn->answer, values[which ? 1 : 2]);
    skill_expect_answer(task, which ? "exact" : "number");
}

static void make_count(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"{a} 里有几个词？",     "数一数有多少项：{a}",
                                     "{a}，一共几个？",      "下面的列表有几项：{a}",
                                     "{a} 共有多少个单词？", "请数一数：{a}"};
    static const char *const en[] = {"How many words are there: {a}?",
                                     "Count the items: {a}",
                                     "How many items does this list have: {a}?",
                                     "{a}: how many in all?",
                                     "How long is the list {a}?",
                                     "Number of words in: {a}"};
    struct skill_turn *turn = skill_turn(task);
    const char *items[MOST_ITEMS];
    int n;
    do
        order_words(draw, n = skill_range(draw, 3, 9), items);
    while (!takes_words(draw, items, n));
    SKILL_SAY(draw, &turn->user, zh, en, skill_list_words(draw, items, n, ", "));
    for (int i = 0; i < n; i++)
        skill_put(&turn->thought, "%s%d %s", i ? "\n" : "", i + 1, items[i]);
    skill_put(&turn->answer, "%d", n);
    skill_expect_answer(task, "number");
}

static const struct skill_group groups[] = {
    {"sort", 3, make_sort},
    {"sort-words", 2, make_sort_words},
    {"extreme", 2, make_extreme},
    {"compare", 2, make_compare},
    {"unique", 1, make_unique},
    {"place", 1, make_place},
    {"count", 1, make_count},
    {"count-letter", 2, order_make_count_letter},
    {"count-han", 2, order_make_count_han},
    {"length", 2, order_make_length},
    {"reverse", 2, order_make_reverse},
    {"palindrome", 1, order_make_palindrome},
    {"ends", 1, order_make_ends},
    {"letter-at", 1, order_make_letter_at},
    {"spell", 2, order_make_spell},
    {0},
};

const struct skill skill_order_things = {
    .name = "order", .about = "sorting, places in lists, letters and characters", .groups = groups};
