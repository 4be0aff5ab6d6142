#include "skill/names.h"

static const char *const zh[] = {
    "小明", "小红", "小刚", "小丽", "小华", "小军", "小芳", "小强", "小兰", "小宇", "小林", "小梅",
    "阿宝", "阿珍", "大勇", "大伟", "李雷", "王芳", "张伟", "刘洋", "陈静", "赵云", "孙悦", "周杰",
    "吴敏", "郑凯", "晓东", "晓燕", "天天", "乐乐", "甲",   "乙",   "丙",   "丁",
};
static const char *const en[] = {
    "Anna", "Ben",    "Clara", "David",  "Emma", "Frank", "Grace", "Henry", "Ivy",   "Jack",
    "Kate", "Leo",    "Mary",  "Nick",   "Olga", "Paul",  "Quinn", "Rosa",  "Sam",   "Tina",
    "Uma",  "Victor", "Wendy", "Xavier", "Yara", "Zoe",   "Tom",   "Lucy",  "Peter", "Alice",
};

void names_draw(struct skill_draw *draw, int n, const char **out) {
    int at[NAMES_MOST], n_name = skill_zh(draw) ? SKILL_COUNT(zh) : SKILL_COUNT(en);
    skill_choose(draw, n_name, n, at);
    for (int i = 0; i < n; i++)
        out[i] = (skill_zh(draw) ? zh : en)[at[i]];
}
