/* Word problems: a line of the thought is an equation, the last one gives the answer. */
#include "skill/story.h"

#include <string.h>

#include "skill/names.h"
#include "skill/skill.h"

enum { N_LETTER = 26, MOST_VALUE = 99999 };

static const struct thing {
    const char *measure, *zh, *en;
} things[] = {
    {"个", "苹果", "apples"},   {"支", "铅笔", "pencils"}, {"本", "书", "books"},
    {"颗", "糖", "sweets"},     {"个", "鸡蛋", "eggs"},    {"张", "贴纸", "stickers"},
    {"朵", "花", "flowers"},    {"个", "橘子", "oranges"}, {"块", "饼干", "biscuits"},
    {"个", "气球", "balloons"}, {"枚", "邮票", "stamps"},  {"个", "杯子", "cups"},
    {"个", "球", "balls"},      {"条", "鱼", "fish"},      {"个", "面包", "rolls"},
    {"张", "卡片", "cards"},
};

/* ---- equations ---- */

struct equation {
    char to, op;
    int left, right; // values
    int made;
};

static int read_number(const char **at) {
    int n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        n = 10 * n + (**at - '0');
    return n;
}

static int read_value(const char **at, const int *values) {
    return **at >= 'a' ? values[*(*at)++ - 'a'] : read_number(at);
}

/* The next "c=a*b" of a text, worked out. False: none is left, or it gives no positive whole number
 * (then *bad). */
static bool next_equation(const char **at, int *values, struct equation *out, bool *bad) {
    while (**at == ' ')
        ++*at;
    if (!**at) return false;
    out->to = **at;
    *at += 2;
    out->left = read_value(at, values);
    out->op = *(*at)++;
    out->right = read_value(at, values);
    int a = out->left, b = out->right;
    if (out->op == '/' && (!b || a % b)) return *bad = true, false;
    out->made = out->op == '+' ? a + b : out->op == '-' ? a - b : out->op == '*' ? a * b : a / b;
    if (out->made < 1 || out->made > MOST_VALUE) return *bad = true, false;
    values[out->to - 'a'] = out->made;
    return true;
}

/* "a2-9 b3-12" */
static void draw_values(struct skill_draw *draw, const char *at, int *values) {
    while (*at) {
        char letter = *at++;
        int low = read_number(&at);
        at++;
        values[letter - 'a'] = skill_range(draw, low, read_number(&at));
        if (*at == ' ') at++;
    }
}

static bool work_out(const char *text, int *values) {
    struct equation equation;
    bool bad = false;
    while (next_equation(&text, values, &equation, &bad)) {
    }
    return !bad;
}

/* ---- a task ---- */

static int count_phrases(const char *const *phrases) {
    int n = 0;
    while (n < STORY_MOST_PHRASES && phrases[n])
        n++;
    return n;
}

static int n_tale(void) {
    int n = 0;
    while (story_tales[n].draw)
        n++;
    return n;
}

/* Numbers that the tale's equations lead on from; false: none after many tries. */
static bool draw_numbers(struct skill_draw *draw, int at, int values[N_LETTER]) {
    const struct story_tale *tale = &story_tales[at];
    for (int tries = 0; tries < 3000; tries++) {
        memset(values, 0,
               N_LETTER * sizeof *values); // those that a tale has not are in its content, too
        draw_values(draw, tale->draw, values);
        if (work_out(tale->make, values) && work_out(tale->think, values) &&
            skill_takes(draw, 5, "story %d %d %d %d %d", at, values[0], values[1], values[2],
                        values[3]))
            return true;
    }
    return false;
}

static void make_story(struct skill_draw *draw, struct skill_task *task) {
    struct skill_turn *turn = skill_turn(task);
    int values[N_LETTER], at;
    const char *people[2];
    do
        at = skill_below(draw, n_tale());
    while (!draw_numbers(draw, at, values));
    const struct story_tale *tale = &story_tales[at];
    const struct thing *thing = &skill_pick(draw, things);
    names_draw(draw, 2, people);
    const char *counted =
        skill_zh(draw) ? skill_textf(draw, "%s%s", thing->measure, thing->zh) : thing->en;
    const char *filled[9] = {NULL,      NULL,    NULL,           NULL,     people[0],
                             people[1], counted, thing->measure, thing->zh};
    for (int i = 0; i < 4; i++)
        filled[i] = skill_textf(draw, "%d", values[i]);
    const char *const *phrases = skill_zh(draw) ? tale->zh : tale->en;
    skill_open(draw, &turn->user);
    skill_fill(&turn->user, phrases[skill_below(draw, count_phrases(phrases))], filled, 9);
    struct equation equation = {0};
    const char *text = tale->think;
    for (bool bad = false; next_equation(&text, values, &equation, &bad);)
        skill_put(&turn->thought, "%s%d%c%d=%d", turn->thought.bytes.len ? "\n" : "", equation.left,
                  equation.op, equation.right, equation.made);
    skill_put(&turn->answer, "%d", equation.made);
    skill_expect_answer(task, "number");
}

static const struct skill_group groups[] = {{"story", 1, make_story}, {0}};

const struct skill skill_story = {
    .name = "story", .about = "word problems of one to four steps", .groups = groups};
