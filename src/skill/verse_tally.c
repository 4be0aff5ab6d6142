#include "skill/verse_tally.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static int by_hash(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum jl_status verse_known_lines(const struct poems *poems, struct arena *arena,
                                 struct verse_known *out, struct jl_error *err) {
    size_t n = 0;
    for (int i = 0; i < poems->n; i++)
        n += (size_t)poems->poems[i].n_line;
    *out = (struct verse_known){.hash = arena_calloc(arena, n + 1, sizeof *out->hash)};
    if (!out->hash) return jl_fail(err, JL_ERR_MEMORY, "out of memory for lines of verse");
    for (int i = 0; i < poems->n; i++) {
        const char *line = poems->poems[i].lines;
        for (int k = 0; k < poems->poems[i].n_line; k++, line += strlen(line) + 1) {
            uint32_t code[HAN_MOST_CHARS];
            int n_char = han_decode(line, strlen(line), code, HAN_MOST_CHARS);
            if (n_char > 0) out->hash[out->n++] = han_hash(code, n_char);
        }
    }
    qsort(out->hash, out->n, sizeof *out->hash, by_hash);
    return JL_OK;
}

bool verse_is_known(const struct verse_known *known, const uint32_t *line, int n_char) {
    uint64_t hash = han_hash(line, n_char);
    return bsearch(&hash, known->hash, known->n, sizeof hash, by_hash) != NULL;
}

/* U64MAP_EMPTY is no key. */
static bool note(struct u64map *map, uint64_t hash) {
    return u64map_put(map, hash == U64MAP_EMPTY ? 0 : hash, 1);
}

bool verse_tally_add(struct verse_tally *t, const struct rhyme_book *book,
                     const struct verse_known *known, const struct verse_wanted *wanted,
                     const char *answer, size_t len) {
    struct han_lines lines;
    uint64_t all = 0;
    bool ok = true;
    han_lines_read(answer, len, &lines);
    const struct verse_verdict v = verse_judge(book, wanted, &lines);
    t->n_answer++;
    t->n_form += v.form;
    t->n_right += verse_right(&v);
    t->n_varied += v.form && verse_is_varied(&lines);
    if (wanted->form.kind != VERSE_PLAIN) {
        t->n_ruled++;
        t->n_rhyme += v.rhyme;
        t->n_tone += v.tone;
        t->n_both += v.rhyme && v.tone;
    }
    t->n_theme += wanted->n_theme > 0;
    t->has_theme += wanted->n_theme && v.theme;
    t->n_heads += wanted->n_heads > 0;
    t->has_heads += wanted->n_heads && v.heads;
    t->n_first += wanted->n_first > 0;
    t->has_first += wanted->n_first && v.first;
    for (int i = 0; ok && i < lines.n_line; i++) {
        bool given = wanted->n_first && wanted->form.kind != VERSE_COUPLET && i == 0;
        uint64_t hash = han_hash(lines.code[i], lines.n_char[i]);
        all = XXH64(&hash, sizeof hash, all);
        if (given) continue; // the line that was asked to begin with is nobody's merit or fault
        t->n_line++;
        t->n_known += verse_is_known(known, lines.code[i], lines.n_char[i]);
        ok = note(&t->lines, hash);
    }
    return ok && note(&t->answers, all);
}

void verse_tally_free(struct verse_tally *tally) {
    u64map_free(&tally->lines);
    u64map_free(&tally->answers);
}
