#include "skill/rhyme.h"

#include <stdlib.h>
#include <string.h>

#include "skill/han.h"
#include "skill/tsv.h"

static int by_code(const void *a, const void *b) {
    uint32_t x = ((const struct rhyme_char *)a)->code, y = ((const struct rhyme_char *)b)->code;
    return (x > y) - (x < y);
}

/* The number of a group, a new one if it was not there. */
static enum jl_status group_of(struct rhyme_book *book, const struct tsv *table,
                               struct arena *arena, const char *name, size_t len, int *out,
                               struct jl_error *err) {
    for (*out = 0; *out < book->n_group; ++*out)
        if (strlen(book->group[*out]) == len && !memcmp(book->group[*out], name, len)) return JL_OK;
    if (book->n_group == RHYME_MOST_GROUPS) return tsv_fail(table, "too many rhyme groups", err);
    book->group[*out] = arena_strndup(arena, name, len);
    if (!book->group[*out]) return jl_fail(err, JL_ERR_MEMORY, "out of memory for rhymes");
    book->level[*out] =
        !strncmp(name, "上平", strlen("上平")) || !strncmp(name, "下平", strlen("下平"));
    book->n_group++;
    return JL_OK;
}

static enum jl_status read_row(struct rhyme_book *book, const struct tsv *table,
                               struct arena *arena, struct jl_error *err) {
    struct rhyme_char *one = &book->chars[book->n_char];
    const char *tone = table->field[1], *at = table->field[2];
    *one = (struct rhyme_char){0};
    if (han_decode(table->field[0], strlen(table->field[0]), &one->code, 1) != 1)
        return tsv_fail(table, "the first field is not one character", err);
    one->level = !strcmp(tone, "平") || !strcmp(tone, "both");
    one->oblique = !strcmp(tone, "仄") || !strcmp(tone, "both");
    if (!one->level && !one->oblique) return tsv_fail(table, "a tone is 平, 仄 or both", err);
    for (;;) {
        size_t len = strcspn(at, ",");
        int group;
        JL_TRY(group_of(book, table, arena, at, len, &group, err));
        if (one->n_group == RHYME_MOST_OF_ONE)
            return tsv_fail(table, "too many rhyme groups for a character", err);
        one->group[one->n_group++] = (uint8_t)group;
        if (!at[len]) break;
        at += len + 1;
    }
    book->n_char++;
    return JL_OK;
}

enum jl_status rhyme_read(const char *folder, struct arena *arena, struct rhyme_book *out,
                          struct jl_error *err) {
    struct tsv table;
    bool more;
    *out = (struct rhyme_book){0};
    JL_TRY(tsv_open(folder, "rhyme/pingshui.tsv", arena, &table, err));
    out->chars = arena_calloc(arena, tsv_count(&table), sizeof *out->chars);
    if (!out->chars) return jl_fail(err, JL_ERR_MEMORY, "out of memory for rhymes");
    for (;;) {
        JL_TRY(tsv_next(&table, 3, &more, err));
        if (!more) break;
        JL_TRY(read_row(out, &table, arena, err));
    }
    qsort(out->chars, (size_t)out->n_char, sizeof *out->chars, by_code);
    return JL_OK;
}

const struct rhyme_char *rhyme_find(const struct rhyme_book *book, uint32_t code) {
    const struct rhyme_char key = {.code = code};
    if (!book->n_char) return NULL;
    return bsearch(&key, book->chars, (size_t)book->n_char, sizeof key, by_code);
}

bool rhyme_allows(const struct rhyme_book *book, uint32_t code, bool level) {
    const struct rhyme_char *found = rhyme_find(book, code);
    return !found || (level ? found->level : found->oblique);
}

static bool stands_in(const struct rhyme_char *one, int group) {
    for (int i = 0; one && i < one->n_group; i++)
        if (one->group[i] == group) return true;
    return false;
}

int rhyme_shared(const struct rhyme_book *book, const uint32_t *codes, int n) {
    const struct rhyme_char *first = n ? rhyme_find(book, codes[0]) : NULL;
    for (int i = 0; first && i < first->n_group; i++) {
        bool all = book->level[first->group[i]];
        for (int k = 1; all && k < n; k++)
            all = stands_in(rhyme_find(book, codes[k]), first->group[i]);
        if (all) return first->group[i];
    }
    return -1;
}
