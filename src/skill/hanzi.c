#include "skill/hanzi.h"

#include <stdlib.h>
#include <string.h>

#include "skill/han.h"
#include "skill/tsv.h"
#include "text/utf8.h"

/* ---- readings ---- */

/* The letter below a tone mark, as UTF-8. */
static const char *bare_letter(uint32_t code) {
    static const struct {
        uint32_t marked[4];
        const char *bare;
    } letters[] = {
        {{0x101, 0xE1, 0x1CE, 0xE0}, "a"},   {{0x113, 0xE9, 0x11B, 0xE8}, "e"},
        {{0x12B, 0xED, 0x1D0, 0xEC}, "i"},   {{0x14D, 0xF3, 0x1D2, 0xF2}, "o"},
        {{0x16B, 0xFA, 0x1D4, 0xF9}, "u"},   {{0x1D6, 0x1D8, 0x1DA, 0x1DC}, "ü"},
        {{0x144, 0x148, 0x1F9, 0x1F9}, "n"}, {{0x1E3F, 0x1E3F, 0x1E3F, 0x1E3F}, "m"},
    };
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        for (int k = 0; k < 4; k++)
            if (letters[i].marked[k] == code) return letters[i].bare;
    return NULL;
}

#define MOST_SYLLABLE 16 // bytes

static bool strip_tone(const char *pinyin, char out[MOST_SYLLABLE]) {
    size_t n = 0, len = strlen(pinyin);
    for (size_t i = 0; i < len;) {
        uint32_t code;
        int bytes = utf8_decode(pinyin + i, len - i, &code);
        const char *bare = bare_letter(code);
        size_t size = bare ? strlen(bare) : (size_t)bytes;
        if (!bytes || n + size >= MOST_SYLLABLE) return false;
        if (code == 0x300 || code == 0x304) size = 0; // marks of their own, on m and n
        memcpy(out + n, bare ? bare : pinyin + i, size);
        n += size;
        i += (size_t)bytes;
    }
    out[n] = 0;
    return n > 0;
}

static int by_toneless(const void *a, const void *b) {
    return strcmp(((const struct hanzi_reading *)a)->toneless,
                  ((const struct hanzi_reading *)b)->toneless);
}

static int by_reading_code(const void *a, const void *b) {
    uint32_t x = ((const struct hanzi_reading *)a)->code,
             y = ((const struct hanzi_reading *)b)->code;
    return (x > y) - (x < y);
}

static void number_sounds(struct hanzi *tables) {
    struct hanzi_reading *readings = tables->readings;
    size_t n = (size_t)tables->n_reading;
    qsort(readings, n, sizeof *readings, by_toneless);
    for (size_t i = 0; i < n; i++)
        readings[i].sound = i && !strcmp(readings[i].toneless, readings[i - 1].toneless)
                                ? readings[i - 1].sound
                                : tables->n_sound++;
    qsort(readings, n, sizeof *readings, by_reading_code);
}

static enum jl_status one_character(const struct tsv *table, const char *text, uint32_t *out,
                                    struct jl_error *err) {
    if (han_decode(text, strlen(text), out, 1) == 1) return JL_OK;
    return tsv_fail(table, "a field is not one character", err);
}

static enum jl_status read_readings(const char *folder, struct arena *arena, struct hanzi *out,
                                    struct jl_error *err) {
    struct tsv table;
    bool more;
    JL_TRY(tsv_open(folder, "hanzi/pinyin.tsv", arena, &table, err));
    out->readings = arena_calloc(arena, tsv_count(&table), sizeof *out->readings);
    if (!out->readings) return jl_fail(err, JL_ERR_MEMORY, "out of memory for readings");
    for (;;) {
        char toneless[MOST_SYLLABLE];
        JL_TRY(tsv_next(&table, 2, &more, err));
        if (!more) break;
        struct hanzi_reading *one = &out->readings[out->n_reading++];
        JL_TRY(one_character(&table, table.field[0], &one->code, err));
        if (!strip_tone(table.field[1], toneless)) return tsv_fail(&table, "no reading", err);
        one->pinyin = table.field[1];
        one->toneless = arena_strdup(arena, toneless);
        if (!one->toneless) return jl_fail(err, JL_ERR_MEMORY, "out of memory for readings");
    }
    number_sounds(out);
    return JL_OK;
}

/* ---- forms ---- */

static int by_form_code(const void *a, const void *b) {
    uint32_t x = ((const struct hanzi_forms *)a)->code, y = ((const struct hanzi_forms *)b)->code;
    return (x > y) - (x < y);
}

static enum jl_status read_forms(const char *folder, const char *name, struct arena *arena,
                                 struct hanzi_forms **forms, int *n, struct jl_error *err) {
    struct tsv table;
    bool more;
    JL_TRY(tsv_open(folder, name, arena, &table, err));
    *forms = arena_calloc(arena, tsv_count(&table), sizeof **forms);
    if (!*forms) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", name);
    for (;;) {
        JL_TRY(tsv_next(&table, 2, &more, err));
        if (!more) break;
        struct hanzi_forms *one = &(*forms)[(*n)++];
        JL_TRY(one_character(&table, table.field[0], &one->code, err));
        for (char *at = table.field[1], *space; at; at = space) {
            space = strchr(at, ' ');
            if (space) *space++ = 0;
            if (one->n_form == HANZI_MOST_FORMS) return tsv_fail(&table, "too many forms", err);
            JL_TRY(one_character(&table, at, &one->form[one->n_form++], err));
        }
    }
    qsort(*forms, (size_t)*n, sizeof **forms, by_form_code);
    return JL_OK;
}

/* Of two forms that are both right the table has the one that few write. */
static uint32_t usual_form(uint32_t code) {
    static const char pairs[] =
        "爲為僞偽嬀媯潙溈衆眾峯峰羣群牀床啓啟麪麵綫線竈灶喫吃祕秘痹痺鉢缽脣唇柺拐";
    for (size_t i = 0; i + 1 < sizeof pairs; i += 6) {
        uint32_t from, to;
        utf8_decode(pairs + i, 3, &from);
        utf8_decode(pairs + i + 3, 3, &to);
        if (from == code) return to;
    }
    return code;
}

enum jl_status hanzi_read(const char *folder, struct arena *arena, struct hanzi *out,
                          struct jl_error *err) {
    *out = (struct hanzi){0};
    JL_TRY(read_readings(folder, arena, out, err));
    JL_TRY(read_forms(folder, "hanzi/s2t.tsv", arena, &out->to_traditional, &out->n_to_traditional,
                      err));
    for (int i = 0; i < out->n_to_traditional; i++)
        for (int k = 0; k < out->to_traditional[i].n_form; k++)
            out->to_traditional[i].form[k] = usual_form(out->to_traditional[i].form[k]);
    return read_forms(folder, "hanzi/t2s.tsv", arena, &out->to_simplified, &out->n_to_simplified,
                      err);
}

/* ---- looking up ---- */

const struct hanzi_reading *hanzi_reading(const struct hanzi *tables, uint32_t code) {
    const struct hanzi_reading key = {.code = code};
    if (!tables->n_reading) return NULL;
    return bsearch(&key, tables->readings, (size_t)tables->n_reading, sizeof key, by_reading_code);
}

int hanzi_sound(const struct hanzi *tables, uint32_t code) {
    const struct hanzi_reading *found = hanzi_reading(tables, code);
    return found ? found->sound : -1;
}

static uint32_t only_form(const struct hanzi_forms *forms, int n, uint32_t code) {
    const struct hanzi_forms key = {.code = code}, *found = NULL;
    if (n) found = bsearch(&key, forms, (size_t)n, sizeof key, by_form_code);
    if (!found) return code;
    return found->n_form == 1 ? found->form[0] : 0;
}

uint32_t hanzi_traditional(const struct hanzi *tables, uint32_t code) {
    return only_form(tables->to_traditional, tables->n_to_traditional, code);
}

uint32_t hanzi_simplified(const struct hanzi *tables, uint32_t code) {
    return only_form(tables->to_simplified, tables->n_to_simplified, code);
}
