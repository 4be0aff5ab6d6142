/* Idioms: moves, chains and games of 成语接龙. */
#include <string.h>

#include "skill/idiom_draw.h"
#include "skill/skill.h"
#include "text/utf8.h"

static bool is_used(const int *used, int n_used, int idiom) {
    for (int i = 0; i < n_used; i++)
        if (used[i] == idiom) return true;
    return false;
}

/* What follows `last` and was not used, -1: nothing does. The same character goes before the same
 * sound; `lean` percent take the most frequent idiom that is left. */
static int draw_move_after(struct skill_draw *draw, const struct idiom *last, const int *used,
                           int n_used, bool sound, int lean) {
    for (int by_sound = 0; by_sound <= (int)sound; by_sound++) {
        struct idiom_moves moves = idioms_moves(idiom_book(draw), last, by_sound);
        int left[256], n = 0;
        for (int i = 0; i < moves.n && n < SKILL_COUNT(left); i++)
            if (!is_used(used, n_used, moves.idiom[i])) left[n++] = moves.idiom[i];
        if (n) return left[skill_chance(draw, lean) ? 0 : idiom_lean_below(draw, n)];
    }
    return -1;
}

/* What follows the last one of `used`. */
static int draw_move(struct skill_draw *draw, const int *used, int n_used, bool sound, int lean) {
    const struct idiom *last = &idiom_book(draw)->idioms[used[n_used - 1]];
    return draw_move_after(draw, last, used, n_used, sound, lean);
}

/* ---- moves ---- */

/* An answer is nearly always the same: one idiom for each character is what a small model can keep.
 */
#define ANSWER_LEAN 95
#define USER_LEAN 15

/* A move behind `after`, with none of the n that were said before it. */
static void expect_move(struct skill_draw *draw, struct skill_task *task, const char *after,
                        const int *before, int n, bool sound) {
    task->check = "idiom_move";
    skill_put(&task->expect, "{\"after\": \"%s\"", after);
    for (int i = 0; i < n; i++)
        skill_put(&task->expect, "%s\"%s\"", i ? ", " : ", \"used\": [",
                  idiom_text(draw, before[i]));
    skill_put(&task->expect, "%s%s}", n ? "]" : "", sound ? ", \"sound\": true" : "");
}

static const struct hanzi *hanzi_of(const struct skill_draw *draw) {
    return &((const struct skill_tables *)draw->tables)->hanzi;
}

/* How the last character sounds, and the one that is gone on with: "腮 sai 塞". */
static void think_sound(struct skill_draw *draw, struct skill_turn *turn, uint32_t end, int move) {
    const struct hanzi_reading *reading = hanzi_reading(hanzi_of(draw), end);
    char from[UTF8_MAX + 1] = "", to[UTF8_MAX + 1] = "";
    if (!reading) return;
    utf8_encode(end, from);
    if (move >= 0) utf8_encode(idiom_book(draw)->idioms[move].code[0], to);
    skill_put(&turn->thought, "%s %s%s%s", from, reading->toneless, *to ? " " : "", to);
}

static uint32_t last_char(const struct skill_draw *draw, int idiom) {
    return idiom_book(draw)->idioms[idiom].code[IDIOM_CHARS - 1];
}

/* The assistant's move, -1: it gives up. False: it does. */
static bool say_move(struct skill_draw *draw, struct skill_task *task, struct skill_turn *turn,
                     int move) {
    if (move < 0) {
        task->check = "contains";
        skill_puts(&task->expect, skill_zh(draw) ? "接不上" : "give up");
        skill_puts(&turn->answer, skill_zh(draw) ? "我接不上了，你赢了。" : "I give up. You win.");
        return false;
    }
    skill_puts(&turn->answer, idiom_text(draw, move));
    return true;
}

/* The move behind used[n_used - 1], which is added; false: it gives up. */
static bool answer_move(struct skill_draw *draw, struct skill_task *task, struct skill_turn *turn,
                        int *used, int *n_used, bool sound) {
    int move = draw_move(draw, used, *n_used, sound, ANSWER_LEAN);
    if (sound) think_sound(draw, turn, last_char(draw, used[*n_used - 1]), move);
    if (!say_move(draw, task, turn, move)) return false;
    used[(*n_used)++] = move;
    return true;
}

static void ask_first(struct skill_draw *draw, struct skill_turn *turn, const char *text,
                      bool sound) {
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
    if (sound)
        SKILL_SAY(draw, &turn->user, zh_sound, en_sound, text);
    else
        SKILL_SAY(draw, &turn->user, zh, en, text);
}

static void make_move(struct skill_draw *draw, struct skill_task *task) {
    int used[2], n_used = 1;
    bool sound = skill_chance(draw, 30);
    idiom_tongue(draw, task);
    do
        used[0] = idiom_draw(draw); // who gave up at a third of all would learn to give up
    while (draw_move(draw, used, 1, sound, 100) < 0 && skill_chance(draw, 70));
    struct skill_turn *turn = skill_turn(task);
    ask_first(draw, turn, idiom_text(draw, used[0]), sound);
    if (answer_move(draw, task, turn, used, &n_used, sound))
        expect_move(draw, task, idiom_text(draw, used[0]), NULL, 0, sound);
}

/* The beginning of one idiom and any last character, that of an idiom or one that begins some. */
static void draw_word(struct skill_draw *draw, struct idiom *word, char text[IDIOM_BYTES]) {
    const struct idioms *book = idiom_book(draw);
    do {
        *word = book->idioms[idiom_lean_below(draw, book->n)];
        word->code[IDIOM_CHARS - 1] = skill_chance(draw, 75)
                                          ? book->idioms[idiom_draw_first(draw)].code[0]
                                          : last_char(draw, idiom_lean_below(draw, book->n));
        memset(text, 0, IDIOM_BYTES);
        for (int i = 0, n = 0; i < IDIOM_CHARS; i++)
            n += utf8_encode(word->code[i], text + n);
    } while (idioms_find(book, word->code) >= 0 ||
             !skill_takes(draw, IDIOM_HELD, "idiom %s", text));
    word->sound_last = hanzi_sound(hanzi_of(draw), word->code[IDIOM_CHARS - 1]);
}

/* A move behind what is no idiom: who learns from idioms alone never sees most of the characters
 * that begin one at the end of another. */
static void make_word(struct skill_draw *draw, struct skill_task *task) {
    struct idiom word;
    char text[IDIOM_BYTES];
    bool sound = skill_chance(draw, 30);
    idiom_tongue(draw, task);
    draw_word(draw, &word, text);
    struct skill_turn *turn = skill_turn(task);
    ask_first(draw, turn, text, sound);
    int move = draw_move_after(draw, &word, NULL, 0, sound, ANSWER_LEAN);
    if (sound) think_sound(draw, turn, word.code[IDIOM_CHARS - 1], move);
    if (say_move(draw, task, turn, move)) expect_move(draw, task, text, NULL, 0, sound);
}

/* Several moves at once. */
static void make_chain(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "从“{a}”开始，接龙接 {b} 个成语。", "成语接龙，{a}，连接 {b} 个。",
        "以“{a}”开头，一口气接 {b} 个成语。", "{a}，往下接 {b} 个成语，一个接一个。"};
    static const char *const en[] = {"Starting from {a}, chain {b} Chinese idioms.",
                                     "成语接龙: {a}. Give the next {b} idioms of the chain."};
    int used[IDIOM_MOST_CHAIN + 1], wanted, n;
    idiom_tongue(draw, task);
    do {
        used[0] = idiom_draw(draw);
        wanted = skill_range(draw, 2, 8);
        for (n = 1; n <= wanted; n++)
            if ((used[n] = draw_move(draw, used, n, false, ANSWER_LEAN)) < 0) break;
    } while (n <= wanted && !skill_gives_up(draw));
    if (n <= wanted) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, idiom_text(draw, used[0]),
              skill_textf(draw, "%d", wanted));
    for (int i = 1; i <= wanted; i++)
        skill_put(&turn->answer, "%s%s", i > 1 ? "，" : "", idiom_text(draw, used[i]));
    task->check = "idiom_move";
    skill_put(&task->expect, "{\"after\": \"%s\", \"n\": %d}", idiom_text(draw, used[0]), wanted);
}

/* A game of up to four rounds: used has what the user and the assistant said, in turn. Of a
 * training task all that is asked is of its part, of a held-out one what is judged. */
static int draw_game(struct skill_draw *draw, bool sound, int *used) {
    int most = skill_range(draw, 2, SKILL_MOST_TURNS), n = 0;
    used[n++] = idiom_lean_below(draw, idiom_book(draw)->n);
    while (n < 2 * most - 1) {
        int move = draw_move(draw, used, n, sound, n % 2 ? ANSWER_LEAN : USER_LEAN);
        if (move < 0) break;
        used[n++] = move;
    }
    return n % 2 ? n : n - 1; // the user's idiom is the last
}

static bool takes_game(struct skill_draw *draw, const int *used, int n) {
    for (int i = draw->part == SKILL_HELD ? n - 1 : 0; i < n; i += 2)
        if (!idiom_takes(draw, used[i])) return false;
    return n >= 3 || skill_gives_up(draw);
}

static void make_game(struct skill_draw *draw, struct skill_task *task) {
    static const char *const goes_on[] = {"%s", "%s", "%s。", "我接%s。", "%s，该你了"};
    static const char *const goes_on_en[] = {"%s", "%s.", "%s. Your turn."};
    int used[2 * SKILL_MOST_TURNS], n;
    bool sound = skill_chance(draw, 30);
    idiom_tongue(draw, task);
    do
        n = draw_game(draw, sound, used);
    while (!takes_game(draw, used, n));
    const char *form = skill_zh(draw) ? skill_pick(draw, goes_on) : skill_pick(draw, goes_on_en);
    for (int i = 0; i < n; i += 2) {
        struct skill_turn *turn = skill_turn(task);
        if (i)
            skill_puts(&turn->user, skill_textf(draw, form, idiom_text(draw, used[i])));
        else
            ask_first(draw, turn, idiom_text(draw, used[0]), sound);
        if (i + 1 == n) break; // the last one is the task
        if (sound) think_sound(draw, turn, last_char(draw, used[i]), used[i + 1]);
        skill_puts(&turn->answer, idiom_text(draw, used[i + 1]));
    }
    if (answer_move(draw, task, &task->turns[task->n_turn - 1], used, &n, sound))
        expect_move(draw, task, idiom_text(draw, used[n - 2]), used, n - 2, sound);
}

/* Whether one idiom may follow another. */
static void make_referee(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"成语接龙，“{a}”后面可以接“{b}”吗？", "“{a}”能接“{b}”吗？",
                                     "上一个是“{a}”，我接“{b}”，对不对？",
                                     "接龙时“{b}”可以跟在“{a}”后面吗？"};
    static const char *const en[] = {"In an idiom chain, may {b} follow {a}?",
                                     "Idiom chain: after {a} I say {b}. Is that allowed?"};
    idiom_tongue(draw, task);
    int used[1] = {idiom_draw(draw)};
    const struct idiom *all = idiom_book(draw)->idioms;
    int next = skill_chance(draw, 50) ? draw_move(draw, used, 1, false, USER_LEAN) : -1;
    if (next < 0) next = idiom_lean_below(draw, idiom_book(draw)->n);
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

/* ---- the row ---- */

static enum jl_status load(const char *folder, struct arena *arena, const void **tables,
                           struct jl_error *err) {
    struct skill_tables *out = arena_calloc(arena, 1, sizeof *out);
    if (!out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for idioms");
    *tables = out;
    return skill_tables_read(folder, SKILL_IDIOMS, arena, out, err);
}

static const struct skill_group groups[] = {
    {"move", 40, make_move},
    {"word", 20, make_word},
    {"chain", 10, make_chain},
    {"begins", 10, idiom_make_begins},
    {"begins-each", 25, idiom_make_begins_each},
    {"game", 20, make_game},
    {"referee", 5, make_referee},
    {"blank", 20, idiom_make_blank},
    {"which", 10, idiom_make_which},
    {NULL, 0, NULL},
};

const struct skill skill_idiom = {"idiom", "Chinese idioms: chains, gaps, which is one", load,
                                  groups};
