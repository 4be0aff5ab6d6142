/* Characters: the other script, readings, tones and rhymes, counting, places and turning round. */
#include <string.h>

#include "skill/idioms.h"
#include "skill/polyphones.h"
#include "skill/skill.h"
#include "skill/verse_tables.h"
#include "text/utf8.h"

#define HELD 3 // percent
#define MOST_CHARS 40

struct tables {
    struct verse_tables verse;
    struct idioms idioms;
};

static const struct tables *tables_of(const struct skill_draw *draw) { return draw->tables; }

/* ---- what is asked about ---- */

/* A text of a few characters, decoded. */
struct words {
    const char *text;
    uint32_t code[MOST_CHARS];
    int n; // -1: more
};

static struct words words_of(const char *text) {
    struct words out = {.text = text};
    out.n = han_decode(text, strlen(text), out.code, MOST_CHARS);
    return out;
}

static const struct poem *draw_poem(struct skill_draw *draw) {
    const struct verse_pool *pool = &tables_of(draw)->verse.train;
    int form = skill_below(draw, VERSE_N_REGULAR);
    if (!pool->n_of_form[form]) return NULL;
    return &pool->poems.poems[pool->of_form[form][skill_below(draw, pool->n_of_form[form])]];
}

static const char *draw_line(struct skill_draw *draw) {
    const struct poem *poem = draw_poem(draw);
    return poem ? poems_line(poem, skill_below(draw, poem->n_line)) : "";
}

static const char *draw_idiom(struct skill_draw *draw) {
    const struct idioms *book = &tables_of(draw)->idioms;
    return book->idioms[skill_below(draw, book->n)].text;
}

static const char *draw_word(struct skill_draw *draw) {
    const struct themes *themes = &tables_of(draw)->verse.themes;
    return themes->themes[skill_below(draw, themes->n)].text;
}

/* A line of verse, an idiom or a word, of the wanted part, for which `fits` is true. */
static struct words draw_words(struct skill_draw *draw, const char *kind, int least,
                               bool (*fits)(const struct tables *tables,
                                            const struct words *words)) {
    for (;;) {
        int at = skill_below(draw, 100);
        struct words words = words_of(at < 45   ? draw_line(draw)
                                      : at < 80 ? draw_idiom(draw)
                                                : draw_word(draw));
        bool ok = words.n >= least && (!fits || fits(tables_of(draw), &words));
        if (ok ? skill_takes(draw, HELD, "hanzi %s %s", kind, words.text) : skill_gives_up(draw))
            return words;
    }
}

/* ---- the other script ---- */

static bool converts(const struct tables *tables, const struct words *words) {
    const struct hanzi *hanzi = &tables->verse.hanzi;
    bool changes = false;
    for (int i = 0; i < words->n; i++) {
        uint32_t other = hanzi_traditional(hanzi, words->code[i]);
        if (!other || hanzi_simplified(hanzi, other) != words->code[i]) return false;
        changes = changes || other != words->code[i];
    }
    return changes;
}

static const char *traditional_of(struct skill_draw *draw, const struct words *words) {
    char text[MOST_CHARS * UTF8_MAX + 1] = "";
    for (int i = 0, n = 0; i < words->n; i++)
        n +=
            utf8_encode(hanzi_traditional(&tables_of(draw)->verse.hanzi, words->code[i]), text + n);
    return skill_textf(draw, "%s", text);
}

static void make_traditional(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"把“{a}”转成繁体。", "“{a}”的繁体怎么写？", "简体转繁体：{a}",
                                     "用繁体字写出：{a}", "请把下面的话换成繁体字：{a}"};
    static const char *const en[] = {"Convert to Traditional Chinese: {a}",
                                     "Write {a} in Traditional characters.",
                                     "What is {a} in Traditional Chinese?"};
    struct words words = draw_words(draw, "script", 1, converts);
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, words.text);
    skill_puts(&turn->answer, traditional_of(draw, &words));
    skill_expect_answer(task, "exact");
}

static void make_simplified(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"把“{a}”转成简体。", "“{a}”的简体怎么写？", "繁体转简体：{a}",
                                     "用简体字写出：{a}", "请把下面的话换成简体字：{a}"};
    static const char *const en[] = {"Convert to Simplified Chinese: {a}",
                                     "Write {a} in Simplified characters.",
                                     "What is {a} in Simplified Chinese?"};
    struct words words = draw_words(draw, "script", 1, converts);
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, traditional_of(draw, &words));
    skill_puts(&turn->answer, words.text);
    skill_expect_answer(task, "exact");
}

/* ---- readings ---- */

static bool has_readings(const struct tables *tables, const struct words *words) {
    for (int i = 0; i < words->n; i++)
        if (!hanzi_reading(&tables->verse.hanzi, words->code[i]) || polyphones_have(words->code[i]))
            return false;
    return true;
}

static void answer_readings(struct skill_draw *draw, struct skill_turn *turn,
                            const struct words *words, bool tones) {
    for (int i = 0; i < words->n; i++) {
        const struct hanzi_reading *reading =
            hanzi_reading(&tables_of(draw)->verse.hanzi, words->code[i]);
        skill_put(&turn->answer, "%s%s", i ? " " : "", tones ? reading->pinyin : reading->toneless);
    }
}

static void make_pinyin(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"“{a}”的拼音是什么？", "给“{a}”注音。", "写出拼音：{a}",
                                     "“{a}”怎么读？请写拼音。", "{a} 的拼音"};
    static const char *const en[] = {"What is the pinyin of {a}?", "Write the pinyin: {a}",
                                     "How is {a} read? Give the pinyin."};
    struct words words = draw_words(draw, "pinyin", 1, has_readings);
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, words.text);
    answer_readings(draw, turn, &words, true);
    skill_expect_answer(task, "exact");
}

/* Without tones, as games of idioms go by sounds: idioms have every character that one ends with.
 */
static void make_plain(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"“{a}”的拼音是什么？不写声调。", "写出“{a}”的拼音，不带声调。",
                                     "{a} 的拼音（不带声调）", "“{a}”怎么读？不用标声调。"};
    static const char *const en[] = {"What is the pinyin of {a}, without tones?",
                                     "Write the pinyin without tone marks: {a}"};
    struct words words;
    do
        words = words_of(draw_idiom(draw));
    while ((!has_readings(tables_of(draw), &words) ||
            !skill_takes(draw, HELD, "hanzi plain %s", words.text)) &&
           !skill_gives_up(draw));
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, words.text);
    answer_readings(draw, turn, &words, false);
    skill_expect_answer(task, "exact");
}

/* ---- tones and rhymes ---- */

/* Whether a character has one tone and one group, and is not rare. */
static bool is_plain(const struct skill_draw *draw, const struct rhyme_char *one) {
    const struct verse_tables *verse = &tables_of(draw)->verse;
    return one->n_group == 1 && one->level != one->oblique &&
           verse->seen[one->code] >= VERSE_RARE && hanzi_reading(&verse->hanzi, one->code);
}

/* A character of one tone and one group, as often as poems have it. */
static const struct rhyme_char *draw_char(struct skill_draw *draw) {
    do {
        struct words line = words_of(draw_line(draw));
        if (line.n < 1) continue;
        const struct rhyme_char *one =
            rhyme_find(&tables_of(draw)->verse.rhymes, line.code[skill_below(draw, line.n)]);
        if (one && is_plain(draw, one)) return one;
    } while (!skill_gives_up(draw));
    return NULL;
}

static const char *text_of(struct skill_draw *draw, uint32_t code) {
    char bytes[UTF8_MAX + 1] = "";
    utf8_encode(code, bytes);
    return skill_textf(draw, "%s", bytes);
}

static const char *group_of(const struct skill_draw *draw, const struct rhyme_char *one) {
    return tables_of(draw)->verse.rhymes.group[one->group[0]];
}

static void make_tone(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"“{a}”是平声还是仄声？", "按平水韵，“{a}”字是平是仄？",
                                     "“{a}”属平水韵的哪一部？", "{a}字的平仄和韵部是什么？",
                                     "写诗时“{a}”算平还是仄？"};
    static const char *const en[] = {"Is {a} a level (平) or an oblique (仄) character?",
                                     "In the Pingshui rhyme book, what tone and group has {a}?"};
    const struct rhyme_char *one;
    const char *text = "";
    do
        if ((one = draw_char(draw))) text = text_of(draw, one->code);
    while (one && !skill_takes(draw, HELD, "hanzi tone %s", text));
    if (!one || draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, text);
    skill_put(&turn->answer, "%s，%s", one->level ? "平声" : "仄声", group_of(draw, one));
    skill_expect_answer(task, "exact");
}

/* One that rhymes with `with`; NULL: none does. */
static const struct rhyme_char *draw_rhyme(struct skill_draw *draw, const struct rhyme_char *with) {
    const struct rhyme_book *book = &tables_of(draw)->verse.rhymes;
    const struct rhyme_char *found[1024];
    int n = 0;
    for (int i = 0; i < book->n_char && n < SKILL_COUNT(found); i++) {
        const struct rhyme_char *one = &book->chars[i];
        if (one->group[0] == with->group[0] && one != with && is_plain(draw, one)) found[n++] = one;
    }
    return n ? found[skill_below(draw, n)] : NULL;
}

/* One that does not. */
static const struct rhyme_char *draw_other(struct skill_draw *draw, const struct rhyme_char *from) {
    do {
        const struct rhyme_char *one = draw_char(draw);
        if (one && one->group[0] != from->group[0]) return one;
    } while (!skill_gives_up(draw));
    return NULL;
}

/* Pairs are held out whatever their order. */
static bool takes_pair(struct skill_draw *draw, const struct rhyme_char *a,
                       const struct rhyme_char *b) {
    uint32_t low = a->code < b->code ? a->code : b->code, high = a->code ^ b->code ^ low;
    return skill_takes(draw, HELD, "hanzi rhyme %u %u", (unsigned)low, (unsigned)high);
}

/* A pair of the wanted part; false: given up. */
static bool draw_pair(struct skill_draw *draw, bool rhymes, const struct rhyme_char **a,
                      const struct rhyme_char **b) {
    do {
        *a = draw_char(draw);
        *b = !*a ? NULL : rhymes ? draw_rhyme(draw, *a) : draw_other(draw, *a);
    } while (!*b ? !skill_gives_up(draw) : !takes_pair(draw, *a, *b));
    return !draw->no_content;
}

static void make_rhyme(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"“{a}”和“{b}”押韵吗？", "按平水韵，“{a}”与“{b}”同韵吗？",
                                     "写诗时“{a}”“{b}”能押韵吗？"};
    static const char *const en[] = {"Do {a} and {b} rhyme in the Pingshui book?",
                                     "By the Pingshui rhymes, is {a} a rhyme of {b}?"};
    const struct rhyme_char *a, *b;
    bool rhymes = skill_chance(draw, 50);
    if (!draw_pair(draw, rhymes, &a, &b)) return;
    struct skill_turn *turn = skill_turn(task);
    const char *x = text_of(draw, a->code), *y = text_of(draw, b->code);
    SKILL_SAY(draw, &turn->user, zh, en, x, y);
    task->check = "regex";
    if (skill_zh(draw) && rhymes)
        skill_put(&turn->answer, "押韵，“%s”和“%s”都属%s。", x, y, group_of(draw, a));
    else if (skill_zh(draw))
        skill_put(&turn->answer, "不押韵，“%s”属%s，“%s”属%s。", x, group_of(draw, a), y,
                  group_of(draw, b));
    else if (rhymes)
        skill_put(&turn->answer, "Yes, both %s and %s are in %s.", x, y, group_of(draw, a));
    else
        skill_put(&turn->answer, "No, %s is in %s, and %s in %s.", x, group_of(draw, a), y,
                  group_of(draw, b));
    skill_puts(&task->expect, skill_zh(draw) ? rhymes ? "^押韵" : "^不押韵"
                              : rhymes       ? "^Yes"
                                             : "^No");
}

static void make_pick(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"下面哪个字和“{a}”押韵？{b}", "{b}，哪个与“{a}”同韵？",
                                     "从{b}中选一个和“{a}”押平水韵的字。"};
    static const char *const en[] = {"Which of these rhymes with {a} (Pingshui): {b}?",
                                     "Pick the character that rhymes with {a}: {b}"};
    const struct rhyme_char *a, *b;
    const char *words[4];
    if (!draw_pair(draw, true, &a, &b)) return;
    int at = skill_below(draw, 4);
    for (int i = 0; i < 4;) {
        const struct rhyme_char *one = i == at ? b : draw_other(draw, a);
        bool again = false;
        if (!one) draw->no_content = true;
        if (draw->no_content) return;
        words[i] = text_of(draw, one->code);
        for (int k = 0; k < i; k++)
            again = again || !strcmp(words[k], words[i]);
        i += !again;
    }
    struct skill_turn *turn = skill_turn(task);
    const char *list = skill_list_words(draw, words, 4, skill_zh(draw) ? "、" : ", ");
    SKILL_SAY(draw, &turn->user, zh, en, text_of(draw, a->code), list);
    skill_puts(&turn->answer, words[at]);
    skill_expect_answer(task, "exact");
}

/* ---- places ---- */

/* Characters with their places, up to `most`: the way to count them. */
static void number_chars(struct skill_draw *draw, struct skill_text *out, const struct words *words,
                         int most, int *at) {
    for (int i = 0; i < words->n && i < most; i++, ++*at)
        skill_put(out, "%s%s%d", *at ? " " : "", text_of(draw, words->code[i]), *at + 1);
}

static void make_count(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"“{a}”有几个字？", "数一数“{a}”有多少个汉字。",
                                     "{a}，一共几个字？", "“{a}”这句话有多少字（不算标点）？"};
    static const char *const en[] = {"How many Chinese characters are in “{a}”?",
                                     "Count the Chinese characters: {a}"};
    const char *marks[] = {"，", "、", "。"};
    struct words words, more;
    const char *text;
    do {
        words = words_of(skill_chance(draw, 60) ? draw_line(draw) : draw_idiom(draw));
        more = words_of(skill_chance(draw, 50) ? draw_line(draw) : draw_word(draw));
        bool both = skill_chance(draw, 60) && more.n > 0;
        if (!both) more.n = 0;
        text = both ? skill_textf(draw, "%s%s%s", words.text, skill_pick(draw, marks), more.text)
                    : words.text;
    } while (words.n < 1 ? !skill_gives_up(draw)
                         : !skill_takes(draw, HELD, "hanzi count %s", text));
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, text);
    int n = 0;
    number_chars(draw, &turn->thought, &words, words.n, &n);
    number_chars(draw, &turn->thought, &more, more.n, &n);
    skill_put(&turn->answer, "%d", n);
    skill_expect_answer(task, "number");
}

static const char *ordinal(struct skill_draw *draw, int at) {
    static const char *const zh[] = {"一", "二", "三", "四", "五", "六", "七", "八", "九", "十"};
    static const char *const en[] = {"first", "second",  "third",  "fourth", "fifth",
                                     "sixth", "seventh", "eighth", "ninth",  "tenth"};
    return skill_zh(draw) ? zh[at] : en[at];
}

static void make_place(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"“{a}”的第{b}个字是什么？", "写出“{a}”的第{b}个字。",
                                     "{a}，第{b}个字是哪个？"};
    static const char *const en[] = {"What is the {b} character of “{a}”?",
                                     "Give the {b} character: {a}"};
    struct words words = draw_words(draw, "place", 3, NULL);
    if (draw->no_content) return;
    int at = skill_below(draw, words.n < 10 ? words.n : 10);
    struct skill_turn *turn = skill_turn(task);
    int n = 0;
    SKILL_SAY(draw, &turn->user, zh, en, words.text, ordinal(draw, at));
    number_chars(draw, &turn->thought, &words, at + 1, &n);
    skill_puts(&turn->answer, text_of(draw, words.code[at]));
    skill_expect_answer(task, "exact");
}

static void make_reverse(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"把“{a}”倒过来写。", "倒着写：{a}", "“{a}”反过来怎么写？",
                                     "从后往前写出“{a}”。"};
    static const char *const en[] = {"Reverse the characters of “{a}”.", "Write {a} backwards."};
    struct words words = draw_words(draw, "reverse", 3, NULL);
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, words.text);
    for (int i = words.n; i-- > 0;)
        skill_puts(&turn->answer, text_of(draw, words.code[i]));
    skill_expect_answer(task, "exact");
}

/* ---- the row ---- */

static enum jl_status load(const char *folder, struct arena *arena, const void **tables,
                           struct jl_error *err) {
    struct tables *out = arena_calloc(arena, 1, sizeof *out);
    if (!out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for characters");
    *tables = out;
    JL_TRY(verse_tables_read(folder, arena, &out->verse, err));
    return idioms_read(folder, &out->verse.hanzi, arena, &out->idioms, err);
}

static const struct skill_group groups[] = {
    {"traditional", 18, make_traditional},
    {"simplified", 18, make_simplified},
    {"pinyin", 18, make_pinyin},
    {"plain", 8, make_plain},
    {"tone", 10, make_tone},
    {"rhyme", 8, make_rhyme},
    {"pick", 6, make_pick},
    {"count", 8, make_count},
    {"place", 7, make_place},
    {"reverse", 7, make_reverse},
    {NULL, 0, NULL},
};

const struct skill skill_hanzi = {
    "hanzi", "Chinese characters: scripts, readings, tones, rhymes, places", load, groups};
