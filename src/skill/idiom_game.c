/* Idioms: moves and games of 成语接龙, missing characters, and which words are idioms. */
#include <string.h>

#include "skill/skill.h"
#include "skill/tables.h"
#include "text/utf8.h"

#define HELD 3 // percent of the idioms that are asked

static const struct idioms *book_of(const struct skill_draw *draw) {
    return &((const struct skill_tables *)draw->tables)->idioms;
}

static const char *text_of(const struct skill_draw *draw, int idiom) {
    return book_of(draw)->idioms[idiom].text;
}

/* ---- drawing ---- */

/* The game is played in Chinese by most. */
static void draw_tongue(struct skill_draw *draw, struct skill_task *task) {
    if (draw->tongue == SKILL_EN && skill_chance(draw, 60)) draw->tongue = task->tongue = SKILL_ZH;
}

static bool takes(struct skill_draw *draw, int idiom) {
    return skill_takes(draw, HELD, "idiom %s", text_of(draw, idiom));
}

/* One of n that are ordered by frequency, the frequent ones oftener. */
static int lean_below(struct skill_draw *draw, int n) {
    int a = skill_below(draw, n), b = skill_below(draw, n);
    return a < b ? a : b;
}

/* An idiom of the wanted part. */
static int draw_idiom(struct skill_draw *draw) {
    int idiom;
    do
        idiom = lean_below(draw, book_of(draw)->n);
    while (!takes(draw, idiom));
    return idiom;
}

static bool is_used(const int *used, int n_used, int idiom) {
    for (int i = 0; i < n_used; i++)
        if (used[i] == idiom) return true;
    return false;
}

/* What follows the last one of `used`, -1: nothing does. The same character goes before the same
 * sound; `lean` percent take the most frequent idiom that is left. */
static int draw_move(struct skill_draw *draw, const int *used, int n_used, bool sound, int lean) {
    for (int by_sound = 0; by_sound <= (int)sound; by_sound++) {
        struct idiom_moves moves = idioms_moves(book_of(draw), used[n_used - 1], by_sound);
        int left[256], n = 0;
        for (int i = 0; i < moves.n && n < SKILL_COUNT(left); i++)
            if (!is_used(used, n_used, moves.idiom[i])) left[n++] = moves.idiom[i];
        if (n) return left[skill_chance(draw, lean) ? 0 : lean_below(draw, n)];
    }
    return -1;
}

/* ---- moves ---- */

/* An answer is nearly always the same: one idiom for each character is what a small model can keep.
 */
#define ANSWER_LEAN 95
#define USER_LEAN 15

static void expect_move(struct skill_draw *draw, struct skill_task *task, const int *used,
                        int n_used, bool sound) {
    task->check = "idiom_move";
    skill_put(&task->expect, "{\"after\": \"%s\"", text_of(draw, used[n_used - 1]));
    for (int i = 0; i + 1 < n_used; i++)
        skill_put(&task->expect, "%s\"%s\"", i ? ", " : ", \"used\": [", text_of(draw, used[i]));
    skill_put(&task->expect, "%s%s}", n_used > 1 ? "]" : "", sound ? ", \"sound\": true" : "");
}

/* How the last character sounds, and the one that is gone on with: "腮 sai 塞". */
static void think_sound(struct skill_draw *draw, struct skill_turn *turn, int last, int move) {
    const struct hanzi *hanzi = &((const struct skill_tables *)draw->tables)->hanzi;
    uint32_t end = book_of(draw)->idioms[last].code[IDIOM_CHARS - 1];
    const struct hanzi_reading *reading = hanzi_reading(hanzi, end);
    char from[UTF8_MAX + 1] = "", to[UTF8_MAX + 1] = "";
    if (!reading) return;
    utf8_encode(end, from);
    if (move >= 0) utf8_encode(book_of(draw)->idioms[move].code[0], to);
    skill_put(&turn->thought, "%s %s%s%s", from, reading->toneless, *to ? " " : "", to);
}

/* The assistant's move behind used[n_used - 1], which is added; false: it gives up. */
static bool answer_move(struct skill_draw *draw, struct skill_task *task, struct skill_turn *turn,
                        int *used, int *n_used, bool sound) {
    int move = draw_move(draw, used, *n_used, sound, ANSWER_LEAN);
    if (sound) think_sound(draw, turn, used[*n_used - 1], move);
    if (move < 0) {
        task->check = "contains";
        skill_puts(&task->expect, skill_zh(draw) ? "接不上" : "give up");
        skill_puts(&turn->answer, skill_zh(draw) ? "我接不上了，你赢了。" : "I give up. You win.");
        return false;
    }
    skill_puts(&turn->answer, text_of(draw, move));
    used[(*n_used)++] = move;
    return true;
}

static void ask_first(struct skill_draw *draw, struct skill_turn *turn, int idiom, bool sound) {
    static const char *const zh[] = {"成语接龙：{a}",
                                     "我们来玩成语接龙吧，我先来：{a}",
                                     "接龙：{a}",
                                     "成语接龙，我出“{a}”。",
                                     "“{a}”，请接下一个成语。",
                                     "来玩成语接龙，第一个：{a}。",
                                     "用“{a}”的最后一个字开头，说一个成语。",
                                     "以{a}开始成语接龙，该你了。",
                                     "{a}，请接龙"};
    static const char *const en[] = {"Let's play the idiom chain game (成语接龙). {a}",
                                     "Idiom chain (成语接龙): {a}. Your turn.",
                                     ("Give a Chinese idiom that begins with the last character of "
                                      "{a}.")};
    static const char *const zh_sound[] = {
        "成语接龙，同音也可以：{a}", "我们来玩成语接龙吧，可以用同音字，我先来：{a}",
        "接龙（谐音也行）：{a}", "“{a}”，请接下一个成语，同音字也算。",
        "成语接龙，只要读音相同就行，声调不论：{a}"};
    static const char *const en_sound[] = {
        "Idiom chain (成语接龙), characters of the same sound are fine: {a}",
        "Let's play 成语接龙; the same pinyin is enough, whatever the tone. {a}"};
    const char *text = text_of(draw, idiom);
    if (sound)
        SKILL_SAY(draw, &turn->user, zh_sound, en_sound, text);
    else
        SKILL_SAY(draw, &turn->user, zh, en, text);
}

static void make_move(struct skill_draw *draw, struct skill_task *task) {
    int used[2], n_used = 1;
    bool sound = skill_chance(draw, 30);
    draw_tongue(draw, task);
    do
        used[0] = draw_idiom(draw); // who gave up at a third of all would learn to give up
    while (draw_move(draw, used, 1, sound, 100) < 0 && skill_chance(draw, 70));
    struct skill_turn *turn = skill_turn(task);
    ask_first(draw, turn, used[0], sound);
    if (answer_move(draw, task, turn, used, &n_used, sound))
        expect_move(draw, task, used, n_used - 1, sound);
}

/* An idiom that begins with a character. */
static void make_begins(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"说一个以“{a}”开头的成语。", "“{a}”字开头的成语",
                                     "给我一个{a}字开头的成语", "有哪个成语以{a}开头？",
                                     "什么成语的第一个字是“{a}”？"};
    static const char *const en[] = {"Give a Chinese idiom that begins with {a}.",
                                     "A 成语 that starts with the character {a}, please."};
    char first[UTF8_MAX + 1];
    int idiom;
    draw_tongue(draw, task);
    do {
        idiom = lean_below(draw, book_of(draw)->n);
        memset(first, 0, sizeof first);
        utf8_encode(book_of(draw)->idioms[idiom].code[0], first);
    } while (!skill_takes(draw, HELD, "begins %s", first));
    for (int i = 0; i < idiom; i++) // the most frequent one
        if (book_of(draw)->idioms[i].code[0] == book_of(draw)->idioms[idiom].code[0]) idiom = i;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, first);
    skill_puts(&turn->answer, text_of(draw, idiom));
    skill_put(&task->expect, "^%s...$", first);
    task->check = "regex";
}

/* A game of up to four rounds: used has what the user and the assistant said, in turn. Of a
 * training task all that is asked is of its part, of a held-out one what is judged. */
static int draw_game(struct skill_draw *draw, bool sound, int *used) {
    int most = skill_range(draw, 2, SKILL_MOST_TURNS), n = 0;
    used[n++] = lean_below(draw, book_of(draw)->n);
    while (n < 2 * most - 1) {
        int move = draw_move(draw, used, n, sound, n % 2 ? ANSWER_LEAN : USER_LEAN);
        if (move < 0) break;
        used[n++] = move;
    }
    return n % 2 ? n : n - 1; // the user's idiom is the last
}

static bool takes_game(struct skill_draw *draw, const int *used, int n) {
    for (int i = draw->part == SKILL_HELD ? n - 1 : 0; i < n; i += 2)
        if (!takes(draw, used[i])) return false;
    return n >= 3 || skill_gives_up(draw);
}

static void make_game(struct skill_draw *draw, struct skill_task *task) {
    static const char *const goes_on[] = {"%s", "%s", "%s。", "我接%s。", "%s，该你了"};
    static const char *const goes_on_en[] = {"%s", "%s.", "%s. Your turn."};
    int used[2 * SKILL_MOST_TURNS], n;
    bool sound = skill_chance(draw, 30);
    draw_tongue(draw, task);
    do
        n = draw_game(draw, sound, used);
    while (!takes_game(draw, used, n));
    const char *form = skill_zh(draw) ? skill_pick(draw, goes_on) : skill_pick(draw, goes_on_en);
    for (int i = 0; i < n; i += 2) {
        struct skill_turn *turn = skill_turn(task);
        if (i)
            skill_puts(&turn->user, skill_textf(draw, form, text_of(draw, used[i])));
        else
            ask_first(draw, turn, used[0], sound);
        if (i + 1 == n) break; // the last one is the task
        if (sound) think_sound(draw, turn, used[i], used[i + 1]);
        skill_puts(&turn->answer, text_of(draw, used[i + 1]));
    }
    if (answer_move(draw, task, &task->turns[task->n_turn - 1], used, &n, sound))
        expect_move(draw, task, used, n - 1, sound);
}

/* Whether one idiom may follow another. */
static void make_referee(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"成语接龙，“{a}”后面可以接“{b}”吗？", "“{a}”能接“{b}”吗？",
                                     "上一个是“{a}”，我接“{b}”，对不对？",
                                     "接龙时“{b}”可以跟在“{a}”后面吗？"};
    static const char *const en[] = {"In an idiom chain, may {b} follow {a}?",
                                     "Idiom chain: after {a} I say {b}. Is that allowed?"};
    draw_tongue(draw, task);
    int used[1] = {draw_idiom(draw)};
    const struct idiom *all = book_of(draw)->idioms;
    int next = skill_chance(draw, 50) ? draw_move(draw, used, 1, false, USER_LEAN) : -1;
    if (next < 0) next = lean_below(draw, book_of(draw)->n);
    const struct idiom *a = &all[used[0]], *b = &all[next];
    char last[UTF8_MAX + 1] = "", first[UTF8_MAX + 1] = "";
    utf8_encode(a->code[IDIOM_CHARS - 1], last);
    utf8_encode(b->code[0], first);
    bool may = a->code[IDIOM_CHARS - 1] == b->code[0] && next != used[0];
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, a->text, b->text);
    task->check = "regex";
    if (next == used[0])
        skill_puts(&turn->answer, skill_zh(draw) ? "不可以，这个成语已经用过了。"
                                                 : "No, that idiom has been used.");
    else if (skill_zh(draw))
        skill_put(&turn->answer,
                  may ? "可以，“%s”是“%s”的最后一个字，也是“%s”的第一个字。"
                      : "不可以，“%s”是“%s”的最后一个字，而“%s”的第一个字是“%s”。",
                  last, a->text, b->text, first);
    else
        skill_put(&turn->answer,
                  may ? "Yes: %s ends %s and begins %s." : "No: %s ends %s, but %s begins with %s.",
                  last, a->text, b->text, first);
    skill_puts(&task->expect, skill_zh(draw) ? may ? "^可以" : "^不可以" : may ? "^Yes" : "^No");
}

/* ---- words ---- */

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

static void make_blank(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"补全成语：{a}", "把成语“{a}”补充完整。", "填空：{a}",
                                     "“{a}”里缺的字是什么？请写出整个成语。",
                                     "这个成语少了一个字，请补上：{a}"};
    static const char *const en[] = {
        "Complete this Chinese idiom: {a}",
        "Fill in the missing character and write the whole idiom: {a}"};
    static const char *const gaps[] = {"_", "＿", "□", "（）", "?"};
    int idiom, at;
    draw_tongue(draw, task);
    do {
        idiom = draw_idiom(draw);
        at = skill_below(draw, IDIOM_CHARS);
    } while (has_twin(book_of(draw), idiom, at) && !skill_gives_up(draw));
    char shown[64] = "";
    const char *gap = skill_pick(draw, gaps);
    size_t n = 0;
    for (int i = 0; i < IDIOM_CHARS; i++) {
        char bytes[UTF8_MAX + 1] = "";
        utf8_encode(book_of(draw)->idioms[idiom].code[i], bytes);
        const char *part = i == at ? gap : bytes;
        memcpy(shown + n, part, strlen(part));
        n += strlen(part);
    }
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, shown);
    skill_puts(&turn->answer, text_of(draw, idiom));
    skill_expect_answer(task, "exact");
}

/* The first half of one idiom and the second of another, which make none. */
static const char *draw_fake(struct skill_draw *draw) {
    const struct idioms *book = book_of(draw);
    uint32_t code[IDIOM_CHARS];
    do {
        const uint32_t *a = book->idioms[lean_below(draw, book->n)].code,
                       *b = book->idioms[lean_below(draw, book->n)].code;
        memcpy(code, a, 2 * sizeof *code);
        memcpy(code + 2, b + 2, 2 * sizeof *code);
    } while (idioms_find(book, code) >= 0 && !skill_gives_up(draw));
    char text[IDIOM_BYTES] = "";
    for (int i = 0, n = 0; i < IDIOM_CHARS; i++)
        n += utf8_encode(code[i], text + n);
    return skill_textf(draw, "%s", text);
}

static void make_which(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"下面哪个是成语？{a}", "{a}，其中哪一个是成语？",
                                     "从下列词语中选出成语：{a}", "哪个是真正的成语：{a}？"};
    static const char *const en[] = {"Which of these is a Chinese idiom: {a}?",
                                     "Only one of these is a real idiom; which? {a}"};
    const char *words[4];
    draw_tongue(draw, task);
    int idiom = draw_idiom(draw), at = skill_below(draw, 4);
    for (int i = 0; i < 4; i++)
        words[i] = i == at ? text_of(draw, idiom) : draw_fake(draw);
    struct skill_turn *turn = skill_turn(task);
    const char *list = skill_list_words(draw, words, 4, skill_zh(draw) ? "、" : ", ");
    SKILL_SAY(draw, &turn->user, zh, en, list);
    skill_puts(&turn->answer, text_of(draw, idiom));
    skill_expect_answer(task, "exact");
}

/* ---- the row ---- */

static enum jl_status load(const char *folder, struct arena *arena, const void **tables,
                           struct jl_error *err) {
    struct skill_tables *out = arena_calloc(arena, 1, sizeof *out);
    if (!out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for idioms");
    *tables = out;
    return skill_tables_read(folder, SKILL_IDIOMS, arena, out, err);
}

static const struct skill_group groups[] = {
    {"move", 40, make_move},   {"begins", 15, make_begins},
    {"game", 20, make_game},   {"referee", 5, make_referee},
    {"blank", 20, make_blank}, {"which", 10, make_which},
    {NULL, 0, NULL},
};

const struct skill skill_idiom = {"idiom", "Chinese idioms: chains, gaps, which is one", load,
                                  groups};
