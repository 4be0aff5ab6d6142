/* Order: lists, letters and places. */
#include "skill/skill.h"

static void write_list(struct skill_text *out, const int *items, int n, const char *between) {
    for (int i = 0; i < n; i++)
        skill_put(out, "%s%d", i ? between : "", items[i]);
}

static void sort_numbers(int *items, int n, bool down) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && (down ? items[k] > items[k - 1] : items[k] < items[k - 1]); k--) {
            int kept = items[k];
            items[k] = items[k - 1];
            items[k - 1] = kept;
        }
}

static void make_sort(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[2][8] = {
        {"把 {a} 从小到大排列。", "从小到大排序：{a}", "请将这些数按升序排列：{a}",
         "{a}，由小到大怎么排？", "给这组数从小到大排个序：{a}", "升序排列 {a}",
         "请把下面的数从小到大写出来：{a}", "{a} 这几个数，从最小的开始依次写出。"},
        {"把 {a} 从大到小排列。", "从大到小排序：{a}", "请将这些数按降序排列：{a}",
         "{a}，由大到小怎么排？", "给这组数从大到小排个序：{a}", "降序排列 {a}",
         "请把下面的数从大到小写出来：{a}", "{a} 这几个数，从最大的开始依次写出。"}};
    static const char *const en[2][8] = {
        {"Sort {a} from smallest to largest.", "Put these numbers in ascending order: {a}",
         "Sort in increasing order: {a}", "Arrange {a} from least to greatest.",
         "{a}: sort them, smallest first.", "Please list {a} from low to high.",
         "Order these numbers, lowest first: {a}", "What is the ascending order of {a}?"},
        {"Sort {a} from largest to smallest.", "Put these numbers in descending order: {a}",
         "Sort in decreasing order: {a}", "Arrange {a} from greatest to least.",
         "{a}: sort them, largest first.", "Please list {a} from high to low.",
         "Order these numbers, highest first: {a}", "What is the descending order of {a}?"}};
    struct skill_turn *turn = skill_turn(task);
    struct skill_text list = {0};
    int items[8], n, down = skill_below(draw, 2);
    const char *between = skill_chance(draw, 80) ? ", " : " ";
    do {
        n = skill_range(draw, 3, 8);
        int digits = skill_range(draw, 1, 3);
        for (int i = 0; i < n; i++)
            items[i] = skill_number(draw, digits);
    } while (!skill_takes(draw, 5, "sort %d %d %d", items[0], items[1], items[2]));
    write_list(&list, items, n, skill_zh(draw) && between[0] == ',' ? "、" : between);
    skill_put(&list, "%c", 0);
    const char *value = list.bytes.data ? list.bytes.data : "";
    skill_fill(&turn->user, (skill_zh(draw) ? zh : en)[down][skill_below(draw, 8)], &value, 1);
    if (list.no_memory) draw->no_memory = true;
    buffer_free(&list.bytes);
    sort_numbers(items, n, down);
    write_list(&turn->answer, items, n, ", ");
    write_list(&task->expect, items, n, ", ");
    task->check = "exact";
}

static const struct skill_group groups[] = {{"sort", 1, make_sort}, {0}};

const struct skill skill_order_things = {
    .name = "order", .about = "sorting, letters, places in lists", .groups = groups};
