/* Idioms as words: by the first character, with one missing, and which of four is one. */
#include <string.h>

#include "skill/idiom_draw.h"
#include "text/utf8.h"

/* ---- by the first character ---- */

/* The most frequent idiom that begins with the first character of another, which is set. */
static int most_frequent(struct skill_draw *draw, int idiom, char first[UTF8_MAX + 1]) {
    const struct idiom *all = idiom_book(draw)->idioms;
    memset(first, 0, UTF8_MAX + 1);
    utf8_encode(all[idiom].code[0], first);
    for (int i = 0; i < idiom; i++)
        if (all[i].code[0] == all[idiom].code[0]) return i;
    return idiom;
}

static int draw_first(struct skill_draw *draw, char first[UTF8_MAX + 1]) {
    int idiom;
    do {
        idiom = idiom_draw_first(draw);
        most_frequent(draw, idiom, first);
    } while (!skill_takes(draw, IDIOM_HELD, "begins %s", first));
    return idiom;
}

/* An idiom for each of some characters. */
void idiom_make_begins_each(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"用“{a}”分别开头，各说一个成语。",
                                     "以{a}开头的成语，各来一个。", "{a}：每个字开头说一个成语。"};
    static const char *const en[] = {"For each of {a}, give a Chinese idiom that begins with it.",
                                     "A 成语 for each first character: {a}"};
    char first[6][UTF8_MAX + 1];
    const char *asked[6];
    int n = skill_range(draw, 2, 6), k = 0;
    idiom_tongue(draw, task);
    struct skill_turn *turn = skill_turn(task);
    skill_puts(&task->expect, "^");
    for (int tries = 0; k < n && tries < 100; tries++) { // a small book may hold fewer out
        int idiom = draw_first(draw, first[k]);
        bool again = false;
        for (int i = 0; i < k; i++)
            again = again || !strcmp(first[i], first[k]);
        if (again) continue;
        asked[k] = first[k];
        skill_put(&turn->answer, "%s%s", k ? "，" : "", idiom_text(draw, idiom));
        skill_put(&task->expect, "%s%s...", k ? "[，、 \n]+" : "", first[k]);
        k++;
    }
    skill_puts(&task->expect, "$");
    SKILL_SAY(draw, &turn->user, zh, en, skill_list_words(draw, asked, k, "、"));
    task->check = "regex";
}

/* An idiom that begins with a character. */
void idiom_make_begins(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"说一个以“{a}”开头的成语。", "“{a}”字开头的成语",
                                     "给我一个{a}字开头的成语", "有哪个成语以{a}开头？",
                                     "什么成语的第一个字是“{a}”？"};
    static const char *const en[] = {"Give a Chinese idiom that begins with {a}.",
                                     "A 成语 that starts with the character {a}, please."};
    char first[UTF8_MAX + 1];
    int idiom;
    idiom_tongue(draw, task);
    do
        idiom = most_frequent(draw, idiom_lean_below(draw, idiom_book(draw)->n), first);
    while (!skill_takes(draw, IDIOM_HELD, "begins %s", first));
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, first);
    skill_puts(&turn->answer, idiom_text(draw, idiom));
    skill_put(&task->expect, "^%s...$", first);
    task->check = "regex";
}

/* ---- a missing character ---- */

/* Whether another idiom is the same but for character `at`. */
static bool has_twin(const struct idioms *book, int idiom, int at) {
    const uint32_t *code = book->idioms[idiom].code;
    for (int i = 0; i < book->n; i++) {
        int same = 0;
        for (int k = 0; k < IDIOM_CHARS; k++)
            same += k == at || book->idioms[i].code[k] == code[k];
        if (same == IDIOM_CHARS && i != idiom) return true;
    }
    return false;
}

void idiom_make_blank(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"补全成语：{a}", "把成语“{a}”补充完整。", "填空：{a}",
                                     "“{a}”里缺的字是什么？请写出整个成语。",
                                     "这个成语少了一个字，请补上：{a}"};
    static const char *const en[] = {
        "Complete this Chinese idiom: {a}",
        "Fill in the missing character and write the whole idiom: {a}"};
    static const char *const gaps[] = {"_", "＿", "□", "（）", "?"};
    int idiom, at;
    idiom_tongue(draw, task);
    do {
        idiom = idiom_draw(draw);
        at = skill_below(draw, IDIOM_CHARS);
    } while (has_twin(idiom_book(draw), idiom, at) && !skill_gives_up(draw));
    char shown[64] = "";
    const char *gap = skill_pick(draw, gaps);
    size_t n = 0;
    for (int i = 0; i < IDIOM_CHARS; i++) {
        char bytes[UTF8_MAX + 1] = "";
        utf8_encode(idiom_book(draw)->idioms[idiom].code[i], bytes);
        const char *part = i == at ? gap : bytes;
        memcpy(shown + n, part, strlen(part));
        n += strlen(part);
    }
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, shown);
    skill_puts(&turn->answer, idiom_text(draw, idiom));
    skill_expect_answer(task, "exact");
}

/* The first half of one idiom and the second of another, which make none. */
static const char *draw_fake(struct skill_draw *draw) {
    const struct idioms *book = idiom_book(draw);
    uint32_t code[IDIOM_CHARS];
    do {
        const uint32_t *a = book->idioms[idiom_lean_below(draw, book->n)].code,
                       *b = book->idioms[idiom_lean_below(draw, book->n)].code;
        memcpy(code, a, 2 * sizeof *code);
        memcpy(code + 2, b + 2, 2 * sizeof *code);
    } while (idioms_find(book, code) >= 0 && !skill_gives_up(draw));
    char text[IDIOM_BYTES] = "";
    for (int i = 0, n = 0; i < IDIOM_CHARS; i++)
        n += utf8_encode(code[i], text + n);
    return skill_textf(draw, "%s", text);
}

void idiom_make_which(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"下面哪个是成语？{a}", "{a}，其中哪一个是成语？",
                                     "从下列词语中选出成语：{a}", "哪个是真正的成语：{a}？"};
    static const char *const en[] = {"Which of these is a Chinese idiom: {a}?",
                                     "Only one of these is a real idiom; which? {a}"};
    const char *words[4];
    idiom_tongue(draw, task);
    int idiom = idiom_draw(draw), at = skill_below(draw, 4);
    for (int i = 0; i < 4; i++)
        words[i] = i == at ? idiom_text(draw, idiom) : draw_fake(draw);
    struct skill_turn *turn = skill_turn(task);
    const char *list = skill_list_words(draw, words, 4, skill_zh(draw) ? "、" : ", ");
    SKILL_SAY(draw, &turn->user, zh, en, list);
    skill_puts(&turn->answer, idiom_text(draw, idiom));
    skill_expect_answer(task, "exact");
}
