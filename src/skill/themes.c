#include "skill/themes.h"

#include <string.h>

#include "skill/han.h"
#include "text/utf8.h"

#define CODE_END 0x20000 // themes are below
#define MOST_CHARS 512   // of both lists
#define MOST_THEMES 4096
#define LEAST_PAIRS 60 // poems' lines that have a word of two characters
#define LEAST_TIES 3.3 // how much oftener than by chance its characters stand together

/* Which characters are nouns cannot be counted; which words they make, and how often, is. */
static const char nouns[] =
    "月风花雪山水云雨春秋夏冬江湖海天日星露霜雾烟霞夜晨暮夕柳梅竹松菊荷莲兰桃李杏桂梧桐枫草苔萍藤"
    "叶枝林树木溪河泉池潭浪波潮沙洲岸滩石岩峰岭谷川原野田村城楼台亭阁寺塔桥门窗帘庭院园舟船帆车马"
    "牛羊犬鹤雁莺燕鸥鹭鸟鸦鹊蝉蝶蜂萤鱼龙凤虎猿鸡鸳鸯酒茶琴棋书画诗歌笛箫钟鼓剑灯烛火香炉衣袖镜枕"
    "席杯壶客僧渔樵农翁仙佛王君人家乡路道关塞边影声色光梦愁心情泪恨思别年岁节雷电虹冰玉金珠";
static const char modifiers[] =
    "青白红绿碧苍黄翠紫明清寒冷暖暗幽孤独古旧新老晓晚朝落飞流残斜长短远高深浅空小大东西南北故归征"
    "千万百双芳秀疏密荒";
/* Nouns that are too wide for a poem to be about, alone. */
static const char not_alone[] = "鸳鸯梧晨暮色光声影边年岁节人王君关别道塞原恨思情席珠";

struct counts {
    uint16_t id[CODE_END]; // 1 + number of a noun; behind them those of the modifiers
    uint32_t code[MOST_CHARS];
    int n_noun, n_char;
    int64_t seen[MOST_CHARS], all, all_pairs;
    int32_t pairs[MOST_CHARS][MOST_CHARS];
    int16_t word[MOST_CHARS][MOST_CHARS], single[MOST_CHARS]; // 1 + its theme
};

static void number_chars(struct counts *c, const char *list) {
    uint32_t code[MOST_CHARS];
    int n = han_decode(list, strlen(list), code, MOST_CHARS);
    for (int i = 0; i < n; i++)
        if (!c->id[code[i]]) {
            c->code[c->n_char] = code[i];
            c->id[code[i]] = (uint16_t)++c->n_char;
        }
}

static int id_of(const struct counts *c, uint32_t code) {
    return code < CODE_END ? c->id[code] - 1 : -1;
}

/* Where words of two characters begin: lines of seven fall into 2 2 3, of five into 2 3, and threes
 * into 1 2 or 2 1. */
static bool begins_pair(int n_char, int at) {
    return n_char == 7 ? at == 0 || at == 2 || at == 4 || at == 5 : at == 0 || at == 2 || at == 3;
}

typedef void visit(struct counts *c, void *ctx, int first, int second); // second -1: one character

/* Every character, and every pair that may be a word, of a poem's lines; -1: in no list. */
static void walk(struct counts *c, const struct poem *poem, visit *look, void *ctx) {
    const char *line = poem->lines;
    for (int i = 0; i < poem->n_line; i++, line += strlen(line) + 1) {
        uint32_t code[HAN_MOST_CHARS];
        int n = han_decode(line, strlen(line), code, HAN_MOST_CHARS);
        for (int k = 0; k < n; k++) {
            int first = id_of(c, code[k]), second = k + 1 < n ? id_of(c, code[k + 1]) : -1;
            look(c, ctx, first, -1);
            if (first >= 0 && second >= 0 && begins_pair(n, k)) look(c, ctx, first, second);
        }
        c->all_pairs += n == 7 ? 4 : 3;
    }
}

static void count(struct counts *c, void *ctx, int first, int second) {
    (void)ctx;
    c->all += second < 0;
    if (first >= 0 && second >= 0)
        c->pairs[first][second]++;
    else if (first >= 0)
        c->seen[first]++;
}

static bool is_word(const struct counts *c, int first, int second) {
    double chance = (double)c->seen[first] * (double)c->seen[second] / (double)c->all /
                    (double)c->all * (double)c->all_pairs;
    return first != second && second < c->n_noun && c->pairs[first][second] >= LEAST_PAIRS &&
           (double)c->pairs[first][second] > LEAST_TIES * chance;
}

static void add_theme(const struct counts *c, struct arena *arena, struct themes *out, int first,
                      int second) {
    char text[2 * UTF8_MAX + 1] = "";
    int n = utf8_encode(c->code[first], text);
    if (second >= 0) utf8_encode(c->code[second], text + n);
    out->themes[out->n++].text = arena_strdup(arena, text);
}

static void find_words(struct counts *c, struct arena *arena, struct themes *out) {
    for (int i = 0; i < c->n_noun; i++) {
        char text[UTF8_MAX + 1] = "";
        utf8_encode(c->code[i], text);
        if (!c->seen[i] || strstr(not_alone, text)) continue;
        add_theme(c, arena, out, i, -1);
        c->single[i] = (int16_t)out->n;
    }
    out->n_single = out->n;
    for (int i = 0; i < c->n_char; i++)
        for (int k = 0; k < c->n_noun; k++)
            if (is_word(c, i, k) && out->n < MOST_THEMES) {
                add_theme(c, arena, out, i, k);
                c->word[i][k] = (int16_t)out->n;
            }
}

/* ---- poems of a word ---- */

struct listing {
    int *last; // (themes) 1 + the poem that was seen last
    int (*n)[VERSE_N_REGULAR];
    struct themes *out;
    bool held, fill;
    int poem, form;
};

static void list(struct counts *c, void *ctx, int first, int second) {
    struct listing *l = ctx;
    if (first < 0) return;
    int theme = (second < 0 ? c->single[first] : c->word[first][second]) - 1;
    if (theme < 0 || l->last[theme] == l->poem + 1) return;
    l->last[theme] = l->poem + 1;
    int at = l->n[theme][l->form]++;
    if (!l->fill) return;
    struct theme_poems *poems =
        l->held ? &l->out->themes[theme].held : &l->out->themes[theme].train;
    poems->items[poems->begin[l->form] + at] = l->poem;
}

static bool list_poems(struct counts *c, const struct poems *poems, const bool *fit, bool held,
                       struct arena *arena, struct arena *own, struct themes *out) {
    size_t n = (size_t)out->n;
    struct listing l = {.out = out, .held = held};
    for (int pass = 0; pass < 2; pass++) {
        l.last = arena_calloc(own, n, sizeof *l.last);
        l.n = arena_calloc(own, n, sizeof *l.n);
        l.fill = pass == 1;
        if (!l.last || !l.n) return false;
        for (l.poem = 0; l.poem < poems->n; l.poem++) {
            if (!fit[l.poem]) continue;
            l.form = poems->poems[l.poem].form;
            walk(c, &poems->poems[l.poem], list, &l);
        }
        if (l.fill) break;
        for (size_t i = 0; i < n; i++) {
            struct theme_poems *of = held ? &out->themes[i].held : &out->themes[i].train;
            for (int f = 0; f < VERSE_N_REGULAR; f++)
                of->begin[f + 1] = of->begin[f] + l.n[i][f];
            of->items = arena_calloc(arena, (size_t)of->begin[VERSE_N_REGULAR], sizeof(int));
            if (!of->items) return false;
        }
    }
    return true;
}

enum jl_status themes_find(const struct poems *train, const bool *train_fit,
                           const struct poems *held, const bool *held_fit, struct arena *arena,
                           struct themes *out, struct jl_error *err) {
    struct arena own = {0};
    struct counts *c = arena_calloc(&own, 1, sizeof *c);
    *out = (struct themes){0};
    if (c) out->themes = arena_calloc(arena, MOST_THEMES, sizeof *out->themes);
    bool ok = out->themes != NULL;
    if (ok) {
        number_chars(c, nouns);
        c->n_noun = c->n_char;
        number_chars(c, modifiers);
        for (int i = 0; i < train->n; i++)
            if (train->poems[i].strict) walk(c, &train->poems[i], count, NULL);
        find_words(c, arena, out);
        for (int i = 0; i < out->n; i++)
            ok = ok && out->themes[i].text;
    }
    ok = ok && list_poems(c, train, train_fit, false, arena, &own, out) &&
         list_poems(c, held, held_fit, true, arena, &own, out);
    arena_free(&own);
    return ok ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for the themes of poems");
}
