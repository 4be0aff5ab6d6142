/* Verse: poems by theme, title, heads or first line, couplets, and 词 by their tune. */
#include <string.h>

#include "skill/han.h"
#include "skill/skill.h"
#include "skill/verse_check.h"
#include "skill/verse_tables.h"
#include "text/utf8.h"

#define THEMES_HELD 5 // percent

/* ---- drawing ---- */

/* Verse is Chinese, and so are most who ask for it. */
static void draw_tongue(struct skill_draw *draw, struct skill_task *task) {
    if (draw->tongue == SKILL_EN && skill_chance(draw, 60)) draw->tongue = task->tongue = SKILL_ZH;
}

static const struct verse_tables *tables_of(const struct skill_draw *draw) { return draw->tables; }

static const struct verse_pool *pool_of(const struct skill_draw *draw) {
    return draw->part == SKILL_HELD ? &tables_of(draw)->held : &tables_of(draw)->train;
}

/* Quatrains of seven are what most ask for; the corpus has few of five. */
static int draw_form(struct skill_draw *draw) {
    int at = skill_below(draw, 100);
    return at < 40   ? VERSE_QUATRAIN_7
           : at < 60 ? VERSE_QUATRAIN_5
           : at < 80 ? VERSE_REGULAR_5
                     : VERSE_REGULAR_7;
}

static const struct poem *poem_at(const struct skill_draw *draw, int number) {
    return &pool_of(draw)->poems.poems[number];
}

static const struct poem *draw_poem(struct skill_draw *draw, int form) {
    const struct verse_pool *pool = pool_of(draw);
    if (!pool->n_of_form[form]) return NULL;
    return poem_at(draw, pool->of_form[form][skill_below(draw, pool->n_of_form[form])]);
}

/* Whether what a poem is asked by is of the wanted part: a held-out poem's own always is. */
static bool may_ask(struct skill_draw *draw, const char *kind, const char *text) {
    return draw->part == SKILL_HELD || !verse_is_held(draw->tables, verse_key(kind, text));
}

/* ---- writing ---- */

static void write_poem(struct skill_text *out, const struct poem *poem) {
    poems_write(poem, &out->bytes, &out->no_memory);
}

static void write_code(struct skill_text *out, uint32_t code) {
    char bytes[UTF8_MAX + 1] = "";
    utf8_encode(code, bytes);
    skill_puts(out, bytes);
}

/* The first line that the theme stands in, from 1; 0: none. */
static int theme_line(const struct han_lines *lines, const char *theme) {
    uint32_t code[VERSE_MOST_THEME];
    int n = han_decode(theme, strlen(theme), code, VERSE_MOST_THEME);
    for (int i = 0; n > 0 && i < lines->n_line; i++)
        for (int at = 0; at + n <= lines->n_char[i]; at++)
            if (!memcmp(lines->code[i] + at, code, (size_t)n * sizeof *code)) return i + 1;
    return 0;
}

/* What one settles before writing: the theme and the line that has it, which the poem then has only
 * to repeat; the form, how the tones begin, whether the first line rhymes, and the characters at
 * the ends of the rhyming lines. */
static void write_plan(struct skill_draw *draw, struct skill_text *out, const struct poem *poem,
                       const char *theme) {
    const struct rhyme_book *book = &tables_of(draw)->rhymes;
    struct han_lines lines;
    uint32_t ends[HAN_MOST_LINES];
    int n = 0;
    if (!tables_of(draw)->plan) return;
    poems_as_lines(poem, &lines);
    for (int i = 0; i < lines.n_line; i++)
        if (i == 0 || i % 2 == 1) ends[n++] = lines.code[i][lines.n_char[i] - 1];
    bool first = rhyme_allows(book, ends[0], true) && rhyme_shared(book, ends, n) >= 0;
    static const char *const places[] = {"", "一", "二", "三", "四", "五", "六", "七", "八"};
    int line = theme ? theme_line(&lines, theme) : 0;
    if (theme) skill_put(out, "题：%s。", theme);
    if (line && line < SKILL_COUNT(places))
        skill_put(out, "%s：%s。", places[line], poems_line(poem, line - 1));
    skill_put(out, "%s，%s，%s。韵：", verse_forms[poem->form].name,
              verse_beginning(book, &lines) == 1 ? "平起" : "仄起",
              first ? "首句入韵" : "首句不入韵");
    for (int i = first ? 0 : 1; i < n; i++) {
        if (i > (first ? 0 : 1)) skill_puts(out, "、");
        write_code(out, ends[i]);
    }
    skill_puts(out, "。");
}

/* ---- forms in words ---- */

static const char *form_zh(struct skill_draw *draw, int form) {
    static const char *const names[VERSE_N_REGULAR][3] = {
        [VERSE_QUATRAIN_5] = {"五绝", "五言绝句", "五绝"},
        [VERSE_QUATRAIN_7] = {"七绝", "七言绝句", "七绝"},
        [VERSE_REGULAR_5] = {"五律", "五言律诗", "五律"},
        [VERSE_REGULAR_7] = {"七律", "七言律诗", "七律"},
    };
    return names[form][skill_below(draw, 3)];
}

static const char *form_en(struct skill_draw *draw, int form) {
    static const char *const names[VERSE_N_REGULAR][4] = {
        [VERSE_QUATRAIN_5] = {"five-character quatrain (五绝)", "wujue (五绝)",
                              "Chinese poem of 4 lines with 5 characters each", "五绝"},
        [VERSE_QUATRAIN_7] = {"seven-character quatrain (七绝)", "qijue (七绝)",
                              "Chinese poem of 4 lines with 7 characters each", "七绝"},
        [VERSE_REGULAR_5] = {"five-character regulated verse (五律)", "wulü (五律)",
                             "Chinese poem of 8 lines with 5 characters each", "五律"},
        [VERSE_REGULAR_7] = {"seven-character regulated verse (七律)", "qilü (七律)",
                             "Chinese poem of 8 lines with 7 characters each", "七律"},
    };
    return names[form][skill_below(draw, 4)];
}

static const char *form_name(struct skill_draw *draw, int form) {
    return skill_zh(draw) ? form_zh(draw, form) : form_en(draw, form);
}

static void expect_verse(struct skill_task *task, const char *form, const char *key,
                         const char *value) {
    task->check = "verse";
    skill_put(&task->expect, "{\"form\": \"%s\"", form);
    if (key) skill_put(&task->expect, ", \"%s\": \"%s\"", key, value);
    skill_puts(&task->expect, "}");
}

/* ---- by theme ---- */

/* A theme of the wanted part, and a poem of the form in which it stands; half of the themes have
 * one character. NULL: given up. */
static const struct theme *draw_theme(struct skill_draw *draw, int form, const struct poem **poem) {
    const struct themes *themes = &tables_of(draw)->themes;
    do {
        bool single = skill_chance(draw, 50) || themes->n == themes->n_single;
        int at = single ? skill_below(draw, themes->n_single)
                        : themes->n_single + skill_below(draw, themes->n - themes->n_single);
        const struct theme *theme = &themes->themes[at];
        const struct theme_poems *list = draw->part == SKILL_HELD ? &theme->held : &theme->train;
        int n = list->begin[form + 1] - list->begin[form];
        if (!n || !skill_takes(draw, THEMES_HELD, "verse theme %s", theme->text)) continue;
        *poem = poem_at(draw, list->items[list->begin[form] + skill_below(draw, n)]);
        return theme;
    } while (!skill_gives_up(draw));
    return NULL;
}

/* How an English question says a theme; most are quoted as they are. */
static const char *theme_en(struct skill_draw *draw, const char *theme) {
    static const char *const words[][2] = {
        {"月", "the moon"},
        {"风", "the wind"},
        {"花", "flowers"},
        {"雪", "snow"},
        {"山", "mountains"},
        {"水", "water"},
        {"云", "clouds"},
        {"雨", "rain"},
        {"春", "spring"},
        {"秋", "autumn"},
        {"夏", "summer"},
        {"冬", "winter"},
        {"江", "the river"},
        {"湖", "a lake"},
        {"海", "the sea"},
        {"星", "the stars"},
        {"露", "dew"},
        {"霜", "frost"},
        {"夜", "the night"},
        {"柳", "willows"},
        {"梅", "plum blossoms"},
        {"竹", "bamboo"},
        {"松", "pines"},
        {"菊", "chrysanthemums"},
        {"荷", "lotus flowers"},
        {"兰", "orchids"},
        {"桃", "peach blossoms"},
        {"草", "grass"},
        {"叶", "leaves"},
        {"林", "the woods"},
        {"树", "trees"},
        {"溪", "a brook"},
        {"泉", "a spring in the hills"},
        {"石", "stones"},
        {"村", "a village"},
        {"城", "a city"},
        {"桥", "a bridge"},
        {"窗", "a window"},
        {"舟", "a boat"},
        {"马", "a horse"},
        {"鹤", "cranes"},
        {"雁", "wild geese"},
        {"燕", "swallows"},
        {"鸟", "birds"},
        {"蝉", "cicadas"},
        {"蝶", "butterflies"},
        {"鱼", "fish"},
        {"龙", "dragons"},
        {"酒", "wine"},
        {"茶", "tea"},
        {"琴", "the zither"},
        {"棋", "chess"},
        {"书", "books"},
        {"钟", "bells"},
        {"灯", "a lamp"},
        {"客", "a traveller"},
        {"僧", "a monk"},
        {"梦", "dreams"},
        {"愁", "sorrow"},
        {"泪", "tears"},
        {"路", "the road"},
        {"寺", "a temple"},
        {"春风", "the spring wind"},
        {"明月", "the bright moon"},
        {"故乡", "home"},
        {"落花", "falling blossoms"},
        {"江南", "the south"},
        {"白云", "white clouds"},
        {"青山", "green mountains"},
        {"秋风", "the autumn wind"},
        {"夕阳", "the setting sun"},
        {"夜雨", "rain at night"},
        {"流水", "flowing water"},
    };
    for (int i = 0; i < SKILL_COUNT(words); i++)
        if (!strcmp(words[i][0], theme))
            return skill_chance(draw, 50) ? words[i][1]
                                          : skill_textf(draw, "%s (%s)", words[i][1], theme);
    return skill_textf(draw, "“%s”", theme);
}

/* How a theme is said by who speaks today's Chinese; the poem has the theme itself. */
static const char *theme_zh(struct skill_draw *draw, const char *theme) {
    static const char *const words[][3] = {
        {"月", "月亮", "月光"}, {"日", "太阳", "太阳"},   {"星", "星星", "星空"},
        {"春", "春天", "春日"}, {"夏", "夏天", "夏日"},   {"秋", "秋天", "秋日"},
        {"冬", "冬天", "冬日"}, {"雪", "雪花", "下雪天"}, {"雨", "下雨", "雨天"},
        {"花", "花儿", "鲜花"}, {"山", "大山", "山景"},   {"海", "大海", "海边"},
        {"鱼", "鱼儿", "小鱼"}, {"鸟", "小鸟", "鸟儿"},   {"云", "云彩", "白云"},
        {"夜", "夜晚", "深夜"}, {"树", "大树", "树木"},   {"草", "小草", "青草"},
        {"梅", "梅花", "梅花"}, {"菊", "菊花", "菊花"},   {"荷", "荷花", "荷塘"},
        {"桃", "桃花", "桃树"}, {"柳", "柳树", "杨柳"},   {"竹", "竹子", "竹林"},
        {"松", "松树", "青松"}, {"燕", "燕子", "燕子"},   {"蝶", "蝴蝶", "蝴蝶"},
        {"马", "骏马", "马儿"}, {"愁", "忧愁", "愁绪"},   {"梦", "做梦", "梦境"},
        {"乡", "家乡", "故乡"}, {"客", "旅人", "游子"},   {"江", "大江", "江水"},
        {"湖", "湖水", "湖边"}, {"溪", "小溪", "溪水"},   {"酒", "饮酒", "美酒"},
        {"茶", "喝茶", "茶香"}, {"琴", "琴声", "弹琴"},   {"书", "读书", "书本"},
        {"桥", "小桥", "石桥"}, {"船", "小船", "船儿"},   {"霜", "霜降", "秋霜"},
        {"晨", "早晨", "清晨"}, {"暮", "傍晚", "黄昏"},   {"龙", "龙", "神龙"},
    };
    const char *word = theme;
    for (int i = 0; i < SKILL_COUNT(words); i++)
        if (!strcmp(words[i][0], theme) && skill_chance(draw, 60))
            word = words[i][skill_range(draw, 1, 2)];
    const struct themes *themes = &tables_of(draw)->themes;
    for (int i = 0; i < themes->n; i++) // a theme of its own would be wanted in the poem
        if (!strcmp(themes->themes[i].text, word)) return theme;
    return word;
}

static const char *theme_said(struct skill_draw *draw, const char *theme, bool loose) {
    if (!skill_zh(draw)) return theme_en(draw, theme);
    return loose ? theme_zh(draw, theme) : theme;
}

static void write_answer(struct skill_draw *draw, struct skill_turn *turn, const struct poem *poem,
                         const char *theme) {
    write_plan(draw, &turn->thought, poem, theme);
    write_poem(&turn->answer, poem);
}

static void make_theme(struct skill_draw *draw, struct skill_task *task) {
    static const char *const about_zh[] = {
        "写一首关于{b}的{a}。", "以{b}为主题写一首{a}。",   "来一首{a}，写{b}。",
        "用{a}写一写{b}。",     "请以{b}为题材作{a}一首。", "帮我写首{a}吧，写{b}的。",
        "{a}一首，主题：{b}",   "写{a}，咏{b}。",           "以{b}入诗，写一首{a}。"};
    static const char *const about_en[] = {
        "Write a {a} about {b}.",         "Please write a {a} about {b} in Chinese.",
        "Compose a {a} on {b}.",          "I would like a {a} about {b}.",
        "Can you write a {a} about {b}?", "A {a} about {b}, please."};
    // seven characters, four lines: what a poem is for whoever names no form
    static const char *const free_zh[] = {"写一首关于{b}的诗。", "来首诗，写{b}。",
                                          "作诗一首：{b}",       "给我写首诗吧，主题是{b}。",
                                          "以{b}为题写首古诗。", "写一首{b}的诗"};
    static const char *const free_en[] = {"Write a Chinese poem about {b}.",
                                          "Please write a classical Chinese poem about {b}."};
    static const char *const with_zh[] = {"请作一首{a}，诗中要有“{b}”。",
                                          "我想要一首含有“{b}”的{a}。", "能写一首有“{b}”的{a}吗？",
                                          "写一首{a}，必须出现“{b}”。"};
    static const char *const with_en[] = {"Write a {a} that has {b} in it.",
                                          "Compose a {a} with {b} in one of its lines."};
    int form = draw_form(draw);
    const struct poem *poem = NULL;
    draw_tongue(draw, task);
    const struct theme *theme = draw_theme(draw, form, &poem);
    if (!theme) return;
    struct skill_turn *turn = skill_turn(task);
    bool with = skill_chance(draw, 25),
         free = !with && form == VERSE_QUATRAIN_7 && skill_chance(draw, 40);
    const char *name = form_name(draw, form), *word = theme_said(draw, theme->text, !with);
    if (with)
        SKILL_SAY(draw, &turn->user, with_zh, with_en, name, word);
    else if (free)
        SKILL_SAY(draw, &turn->user, free_zh, free_en, name, word);
    else
        SKILL_SAY(draw, &turn->user, about_zh, about_en, name, word);
    write_answer(draw, turn, poem, theme->text);
    expect_verse(task, verse_forms[form].name, "theme", theme->text);
}

/* A poem of no theme, or of one, and then another. */
static void make_talk(struct skill_draw *draw, struct skill_task *task) {
    static const char *const first_zh[] = {"写一首{a}。", "来首{a}。", "作一首{a}吧。",
                                           "请写{a}一首。"};
    static const char *const first_en[] = {"Write a {a}.", "A {a}, please.", "Compose a {a}."};
    static const char *const then_zh[] = {
        "再写一首{a}，写{b}。", "不错。再来一首{a}，主题换成{b}。", "现在写{b}，用{a}。",
        "换个题目：{b}，{a}。", "好诗！能再写一首关于{b}的{a}吗？"};
    static const char *const then_en[] = {"Now a {a} about {b}.",
                                          "Nice. Another one: a {a} about {b}.",
                                          "And now write a {a} about {b}, please."};
    int first = draw_form(draw), then = draw_form(draw);
    const struct poem *before = NULL, *poem = NULL;
    draw_tongue(draw, task);
    const struct theme *theme = NULL;
    if ((before = draw_poem(draw, first))) theme = draw_theme(draw, then, &poem);
    draw->no_content = draw->no_content || !before;
    if (!theme || draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, first_zh, first_en, form_name(draw, first));
    write_answer(draw, turn, before, NULL);
    turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, then_zh, then_en, form_name(draw, then),
              theme_said(draw, theme->text, true));
    write_answer(draw, turn, poem, theme->text);
    expect_verse(task, verse_forms[then].name, "theme", theme->text);
}

/* ---- by title, heads, first line ---- */

static void make_title(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {
        "以《{b}》为题写一首{a}。", "写一首{a}，题目是《{b}》。",   "请作{a}《{b}》。",
        "题目：{b}。体裁：{a}。",   "帮我写一首题为《{b}》的{a}。", "《{b}》，{a}一首。"};
    static const char *const en[] = {"Write a {a} titled 《{b}》.",
                                     "Please write a {a}; its title is 《{b}》.",
                                     "Compose a {a} with the title 《{b}》."};
    int form = draw_form(draw);
    const struct poem *poem;
    draw_tongue(draw, task);
    do
        poem = draw_poem(draw, form);
    while ((!poem || !verse_title_fits(poem->title) || !may_ask(draw, "title", poem->title)) &&
           !skill_gives_up(draw));
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, form_name(draw, form), poem->title);
    write_answer(draw, turn, poem, NULL);
    expect_verse(task, verse_forms[form].name, NULL, NULL);
}

static void make_heads(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"写一首{a}藏头诗，每句首字依次为“{b}”。",
                                     "以“{b}”为藏头写一首{a}。",
                                     "请用“{b}”作一首藏头{a}。",
                                     "作{a}一首，各句的第一个字连起来是“{b}”。",
                                     "藏头诗，{a}：{b}",
                                     "帮我写一首藏头诗，{a}，藏“{b}”。"};
    static const char *const en[] = {
        "Write a {a} whose lines begin with the characters {b}.",
        "Write an acrostic {a}: the lines start with {b}.",
        "Please compose a {a}; the first characters of its lines spell {b}."};
    int form = draw_form(draw);
    const struct poem *poem;
    char heads[VERSE_HEADS_BYTES] = "";
    draw_tongue(draw, task);
    do
        if ((poem = draw_poem(draw, form))) verse_heads(poem, heads);
    while ((!poem || !may_ask(draw, "heads", heads)) && !skill_gives_up(draw));
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    static const char *const zh_short[] = {"藏头诗 {a}", "藏头诗：{a}", "用“{a}”写一首藏头诗。",
                                           "写一首藏头诗：{a}"},
                             *const en_short[] = {"Write an acrostic poem: {a}",
                                                  "Acrostic poem for {a}."};
    if (form == VERSE_QUATRAIN_7 && skill_chance(draw, 35))
        SKILL_SAY(draw, &turn->user, zh_short, en_short, heads);
    else
        SKILL_SAY(draw, &turn->user, zh, en, form_name(draw, form), heads);
    write_answer(draw, turn, poem, NULL);
    expect_verse(task, verse_forms[form].name, "heads", heads);
}

static void make_first(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"以“{b}”为首句，写一首{a}。", "首句是“{b}”，请续成一首{a}。",
                                     "接着写成{a}：{b}",           "{a}的第一句：{b}。请写完整。",
                                     "用“{b}”开头作一首{a}。",     "续写{a}：“{b}，……”"};
    static const char *const en[] = {"Write a {a} that begins with the line {b}.",
                                     "The first line is {b}. Complete the {a}.",
                                     "Continue this into a {a}: {b}"};
    int form = draw_form(draw);
    const struct poem *poem;
    draw_tongue(draw, task);
    do
        poem = draw_poem(draw, form);
    while ((!poem || !may_ask(draw, "line", poem->lines)) && !skill_gives_up(draw));
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, form_name(draw, form), poem->lines);
    write_answer(draw, turn, poem, NULL);
    expect_verse(task, verse_forms[form].name, "first", poem->lines);
}

/* ---- couplets ---- */

/* The middle couplets of regulated verse are parallel. *above, *below: lines of the poem. */
static bool draw_couplet(struct skill_draw *draw, const char **above, const char **below) {
    struct verse_wanted wanted = {.form = {.kind = VERSE_COUPLET, .n_line = 1}};
    const struct poem *poem =
        draw_poem(draw, skill_chance(draw, 50) ? VERSE_REGULAR_5 : VERSE_REGULAR_7);
    int at = skill_chance(draw, 50) ? 2 : 4;
    struct han_lines line;
    if (!poem) return false;
    *above = poems_line(poem, at);
    *below = poems_line(poem, at + 1);
    wanted.n_first = han_decode(*above, strlen(*above), wanted.first, HAN_MOST_CHARS);
    han_lines_read(*below, strlen(*below), &line);
    struct verse_verdict verdict = verse_judge(&tables_of(draw)->rhymes, &wanted, &line);
    return verse_right(&verdict) && may_ask(draw, "line", *above);
}

static void make_couplet(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"对对联。上联：{a}",     "上联：{a}。请对下联。",
                                     "给“{a}”对个下联。",     "请对：{a}",
                                     "“{a}”，下一句怎么对？", "我出上联：{a}。你来对下联。",
                                     "对出下联：{a}",         "上联是“{a}”，下联是什么好？"};
    static const char *const en[] = {
        "Write the second line of this couplet: {a}", "Match this line with a parallel one: {a}",
        "The first line of a Chinese couplet is {a}. Give the second."};
    const char *above = "", *below = "";
    draw_tongue(draw, task);
    while (!draw_couplet(draw, &above, &below))
        if (skill_gives_up(draw)) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, above);
    skill_puts(&turn->answer, below);
    expect_verse(task, "对联", "first", above);
}

/* ---- 词 ---- */

/* Every shape of the tune, and the poem's own, as a pattern over the answer. */
static void expect_shapes(struct skill_task *task, const struct verse_tune *tune, const char *own) {
    task->check = "regex";
    skill_puts(&task->expect, "^(?:");
    for (int i = -1; i < tune->n_shape; i++) {
        const char *shape = i < 0 ? own : tune->shapes[i];
        if (i >= 0 && !strcmp(shape, own)) continue;
        if (i >= 0) skill_puts(&task->expect, "|");
        for (; *shape; shape++)
            skill_put(&task->expect, "\\w{%d}\\W+", *shape - '0');
    }
    skill_puts(&task->expect, ")$");
}

/* A theme of the wanted part that stands in the poem; NULL: none is found. */
static const char *theme_of(struct skill_draw *draw, const struct poem *poem) {
    const struct themes *themes = &tables_of(draw)->themes;
    for (int begin = skill_below(draw, themes->n), i = 0; i < themes->n; i++) {
        const char *word = themes->themes[(begin + i) % themes->n].text, *line = poem->lines;
        for (int k = 0; k < poem->n_line; k++, line += strlen(line) + 1)
            if (strstr(line, word) && skill_takes(draw, THEMES_HELD, "verse theme %s", word))
                return word;
    }
    return NULL;
}

static const struct poem *draw_lyric(struct skill_draw *draw, const struct verse_tune **tune) {
    const struct verse_tables *tables = tables_of(draw);
    *tune = &tables->tunes[skill_below(draw, tables->n_tune)];
    const int *list = draw->part == SKILL_HELD ? (*tune)->held : (*tune)->train;
    int n = draw->part == SKILL_HELD ? (*tune)->n_held : (*tune)->n_train;
    return n ? poem_at(draw, list[skill_below(draw, n)]) : NULL;
}

static void make_lyric(struct skill_draw *draw, struct skill_task *task) {
    static const char *const zh[] = {"填一首《{a}》，写{b}。", "以“{b}”为题材填一首《{a}》。",
                                     "词牌：{a}。主题：{b}。请填词。", "请用《{a}》的词牌写{b}。",
                                     "写一首《{a}》，词中要有“{b}”。"};
    static const char *const en[] = {"Write a ci to the tune {a} about “{b}”.",
                                     "Compose a Chinese lyric (词) to the tune 《{a}》 with the "
                                     "word “{b}” in it."};
    const struct verse_tune *tune = NULL;
    const struct poem *poem = NULL;
    const char *theme = NULL;
    char shape[VERSE_SHAPE_BYTES];
    if (!tables_of(draw)->n_tune) draw->no_content = true;
    if (draw->no_content) return;
    draw_tongue(draw, task);
    do {
        poem = draw_lyric(draw, &tune);
        theme = poem && verse_shape(poem, shape) ? theme_of(draw, poem) : NULL;
    } while (!theme && !skill_gives_up(draw));
    if (draw->no_content) return;
    struct skill_turn *turn = skill_turn(task);
    SKILL_SAY(draw, &turn->user, zh, en, tune->name, theme);
    write_poem(&turn->answer, poem);
    expect_shapes(task, tune, shape);
}

/* ---- the rows ---- */

static enum jl_status load(const char *folder, bool plan, struct arena *arena, const void **tables,
                           struct jl_error *err) {
    struct verse_tables *out = arena_calloc(arena, 1, sizeof *out);
    if (!out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for poems");
    JL_TRY(verse_tables_read(folder, arena, out, err));
    out->plan = plan;
    *tables = out;
    return JL_OK;
}

static enum jl_status load_plain(const char *folder, struct arena *arena, const void **tables,
                                 struct jl_error *err) {
    return load(folder, false, arena, tables, err);
}

static enum jl_status load_plan(const char *folder, struct arena *arena, const void **tables,
                                struct jl_error *err) {
    return load(folder, true, arena, tables, err);
}

static const struct skill_group groups[] = {
    {"theme", 36, make_theme}, {"talk", 6, make_talk},    {"title", 12, make_title},
    {"heads", 18, make_heads}, {"first", 10, make_first}, {"couplet", 10, make_couplet},
    {"lyric", 8, make_lyric},  {NULL, 0, NULL},
};

const struct skill skill_verse = {"verse", "Chinese verse by form, theme, heads or tune",
                                  load_plain, groups};
const struct skill skill_verse_plan = {
    "verse_plan", "the same, with a thought that settles the rhymes first", load_plan, groups};
