#include "skill/verse_tables.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "skill/variants.h"
#include "skill/verse_check.h"
#include "text/utf8.h"

#define LEAST_OF_TUNE 30 // poems of a tune that may be asked for
#define LEAST_OF_SHAPE 3 // poems of a shape that is one of a tune's
#define MOST_TUNES 4096
#define MOST_TITLE 7 // characters

/* ---- which poems ---- */

static void count_chars(const struct poem *poem, int32_t *seen) {
    const char *at = poem->lines;
    for (int i = 0; i < poem->n_line; i++, at += strlen(at) + 1)
        for (size_t k = 0, len = strlen(at); k < len;) {
            uint32_t code;
            k += (size_t)utf8_step(at + k, len - k, &code);
            if (code < HAN_CODE_END) seen[code]++;
        }
}

static bool is_common(const struct verse_tables *t, const struct poem *poem) {
    const char *at = poem->lines;
    for (int i = 0; i < poem->n_line; i++, at += strlen(at) + 1)
        for (size_t k = 0, len = strlen(at); k < len;) {
            uint32_t code;
            k += (size_t)utf8_step(at + k, len - k, &code);
            if (code >= HAN_CODE_END || t->seen[code] < VERSE_RARE ||
                !hanzi_reading(&t->hanzi, code))
                return false;
        }
    return true;
}

/* A mended poem may have lost its rhyme. */
static void mend(const struct verse_tables *t, const struct variants *variants, struct poem *poem) {
    struct verse_wanted wanted = {0};
    struct han_lines lines;
    int n = 0;
    char *at = poem->lines;
    for (int i = 0; i < poem->n_line; i++, at += strlen(at) + 1)
        n += variants_mend(variants, at, strlen(at));
    if (!n || !poem->strict) return;
    wanted.form = verse_forms[poem->form];
    poems_as_lines(poem, &lines);
    struct verse_verdict verdict = verse_judge(&t->rhymes, &wanted, &lines);
    poem->strict = verse_right(&verdict);
}

/* Verses of monks' sermons and of mourning are another kind of text, and some are not for all. */
static bool is_poetry(const struct poem *poem) {
    static const char *const others[] = {"偈", "颂古", "挽", "赞", "谶", "哭", "颂", "妓"};
    const char *at = poem->lines;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strstr(poem->title, others[i])) return false;
    for (int i = 0; i < poem->n_line; i++, at += strlen(at) + 1)
        if (strstr(at, "妓")) return false;
    return true;
}

static bool choose(const struct verse_tables *t, struct verse_pool *pool, struct arena *arena) {
    int n = pool->poems.n;
    pool->fit = arena_calloc(arena, (size_t)n, sizeof *pool->fit);
    pool->common = arena_calloc(arena, (size_t)n, sizeof *pool->common);
    if (!pool->fit || !pool->common) return false;
    for (int f = 0; f < VERSE_N_REGULAR; f++) {
        pool->of_form[f] = arena_calloc(arena, (size_t)n, sizeof(int));
        if (!pool->of_form[f]) return false;
    }
    for (int i = 0; i < n; i++) {
        const struct poem *poem = &pool->poems.poems[i];
        pool->common[i] = is_common(t, poem);
        pool->fit[i] = poem->strict && pool->common[i] && is_poetry(poem);
        if (pool->fit[i]) pool->of_form[poem->form][pool->n_of_form[poem->form]++] = i;
    }
    return true;
}

/* ---- what is held out ---- */

uint64_t verse_key(const char *kind, const char *text) {
    return XXH64(text, strlen(text), XXH64(kind, strlen(kind), 0));
}

static int by_key(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool verse_is_held(const struct verse_tables *tables, uint64_t key) {
    return bsearch(&key, tables->asked, (size_t)tables->n_asked, sizeof key, by_key) != NULL;
}

void verse_heads(const struct poem *poem, char out[VERSE_HEADS_BYTES]) {
    const char *at = poem->lines;
    size_t n = 0;
    for (int i = 0; i < poem->n_line && i < 16; i++, at += strlen(at) + 1) {
        size_t bytes = (size_t)utf8_length(at, strlen(at));
        memcpy(out + n, at, bytes);
        n += bytes;
    }
    out[n] = 0;
}

static bool list_asked(struct verse_tables *t, struct arena *arena) {
    const struct poems *held = &t->held.poems;
    t->asked = arena_calloc(arena, (size_t)held->n * (2 + 8), sizeof *t->asked);
    for (int i = 0; t->asked && i < held->n; i++) {
        char heads[VERSE_HEADS_BYTES];
        if (!t->held.fit[i]) continue;
        verse_heads(&held->poems[i], heads);
        t->asked[t->n_asked++] = verse_key("heads", heads);
        t->asked[t->n_asked++] = verse_key("title", held->poems[i].title);
        for (int k = 0; k < held->poems[i].n_line; k++)
            t->asked[t->n_asked++] = verse_key("line", poems_line(&held->poems[i], k));
    }
    if (t->asked) qsort(t->asked, (size_t)t->n_asked, sizeof *t->asked, by_key);
    return t->asked != NULL;
}

bool verse_title_fits(const char *title) {
    static const char *const begins[] = {"次", "和", "送", "寄", "赠", "挽", "贺", "谢", "酬",
                                         "答", "呈", "上", "奉", "用", "再", "又", "依", "同",
                                         "别", "代", "戏", "见", "哭", "访", "怀", "过"};
    static const char *const holds[] = {"韵", "其", "首", "绝", "律", "句", "前", "寿",
                                        "赋", "公", "侍", "郎", "丞", "守", "尉", "令",
                                        "兄", "弟", "作", "答", "示", "呈", "诗"};
    uint32_t code[MOST_TITLE];
    int n = han_decode(title, strlen(title), code, MOST_TITLE);
    for (int i = 0; i < n; i++)
        if (!han_is(code[i])) return false;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (!strncmp(title, begins[i], strlen(begins[i]))) return false;
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++)
        if (strstr(title, holds[i])) return false;
    return n >= 2;
}

/* ---- tunes ---- */

bool verse_shape(const struct poem *poem, char out[VERSE_SHAPE_BYTES]) {
    const char *at = poem->lines;
    if (poem->n_line >= VERSE_SHAPE_BYTES) return false;
    for (int i = 0; i < poem->n_line; i++, at += strlen(at) + 1) {
        uint32_t code[HAN_MOST_CHARS];
        int n = han_decode(at, strlen(at), code, HAN_MOST_CHARS);
        if (n < 1) return false;
        out[i] = (char)('0' + n);
    }
    out[poem->n_line] = 0;
    return true;
}

/* One poem of a tune; sorted, poems of a tune stand together, and those of a shape within it. */
struct tuned {
    const char *tune;
    char shape[VERSE_SHAPE_BYTES];
    int poem;
    bool held;
};

static int by_tune(const void *a, const void *b) {
    const struct tuned *x = a, *y = b;
    int order = strcmp(x->tune, y->tune);
    if (!order) order = strcmp(x->shape, y->shape);
    if (!order) order = (int)x->held - (int)y->held;
    return order ? order : x->poem - y->poem;
}

static int list_tuned(const struct verse_pool *pool, bool held, struct tuned *out) {
    int n = 0;
    for (int i = 0; i < pool->poems.n; i++) {
        const struct poem *poem = &pool->poems.poems[i];
        if (!poem->tune || strstr(poem->tune, "・") || !pool->common[i] ||
            !verse_shape(poem, out[n].shape))
            continue;
        out[n].tune = poem->tune;
        out[n].poem = i;
        out[n++].held = held;
    }
    return n;
}

static void add_shapes(struct verse_tune *tune, const struct tuned *list, int n) {
    int most = 0;
    for (int least = n; least >= LEAST_OF_SHAPE; least = most) { // the most frequent first
        most = 0;
        for (int i = 0, k; i < n; i = k) {
            int train = 0;
            for (k = i; k < n && !strcmp(list[k].shape, list[i].shape); k++)
                train += !list[k].held;
            if (train == least && tune->n_shape < VERSE_MOST_SHAPES)
                tune->shapes[tune->n_shape++] = list[i].shape;
            if (train < least && train > most) most = train;
        }
    }
}

static bool add_tune(struct verse_tables *t, const struct tuned *list, int n, struct arena *arena) {
    static const char *const no_tunes[] = {"失调名", "导引"};
    struct verse_tune tune = {.name = list[0].tune};
    for (size_t i = 0; i < sizeof no_tunes / sizeof no_tunes[0]; i++)
        if (!strcmp(tune.name, no_tunes[i])) return true;
    if (n < LEAST_OF_TUNE || t->n_tune == MOST_TUNES) return true;
    tune.train = arena_calloc(arena, (size_t)n, sizeof(int));
    tune.held = arena_calloc(arena, (size_t)n, sizeof(int));
    if (!tune.train || !tune.held) return false;
    for (int i = 0; i < n; i++)
        if (list[i].held)
            tune.held[tune.n_held++] = list[i].poem;
        else
            tune.train[tune.n_train++] = list[i].poem;
    add_shapes(&tune, list, n);
    if (tune.n_shape) t->tunes[t->n_tune++] = tune;
    return true;
}

static bool list_tunes(struct verse_tables *t, struct arena *arena) {
    size_t most = (size_t)(t->train.poems.n + t->held.poems.n) + 1;
    struct tuned *list = arena_calloc(arena, most, sizeof *list); // shapes stay
    t->tunes = arena_calloc(arena, MOST_TUNES, sizeof *t->tunes);
    if (!list || !t->tunes) return false;
    int n = list_tuned(&t->train, false, list);
    n += list_tuned(&t->held, true, list + n);
    qsort(list, (size_t)n, sizeof *list, by_tune);
    for (int i = 0, k; i < n; i = k) {
        for (k = i; k < n && !strcmp(list[k].tune, list[i].tune);)
            k++;
        if (!add_tune(t, list + i, k - i, arena)) return false;
    }
    return true;
}

/* ---- all ---- */

static bool prepare(struct verse_tables *t, struct arena *arena, struct arena *own) {
    int32_t *seen = t->seen = arena_calloc(arena, HAN_CODE_END, sizeof *seen);
    struct variants *variants = arena_calloc(own, 1, sizeof *variants);
    if (!seen || !variants) return false;
    variants_list(variants);
    for (int i = 0; i < t->train.poems.n; i++) {
        mend(t, variants, &t->train.poems.poems[i]);
        count_chars(&t->train.poems.poems[i], seen);
    }
    for (int i = 0; i < t->held.poems.n; i++)
        mend(t, variants, &t->held.poems.poems[i]);
    return choose(t, &t->train, arena) && choose(t, &t->held, arena) && list_asked(t, arena) &&
           list_tunes(t, arena);
}

enum jl_status verse_tables_read(const char *folder, struct arena *arena, struct verse_tables *out,
                                 struct jl_error *err) {
    struct arena own = {0};
    *out = (struct verse_tables){0};
    JL_TRY(rhyme_read(folder, arena, &out->rhymes, err));
    JL_TRY(hanzi_read(folder, arena, &out->hanzi, err));
    JL_TRY(poems_read(folder, "verse/train.jsonl", arena, &out->train.poems, err));
    JL_TRY(poems_read(folder, "verse/heldout.jsonl", arena, &out->held.poems, err));
    bool ok = prepare(out, arena, &own);
    arena_free(&own);
    if (!ok) return jl_fail(err, JL_ERR_MEMORY, "out of memory for poems");
    return themes_find(&out->train.poems, out->train.fit, &out->held.poems, out->held.fit, arena,
                       &out->themes, err);
}
