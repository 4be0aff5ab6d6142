#include "text/bpe_train/han.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pre_extra.h"

struct ranked {
    const struct bpe_piece *piece;
    const char *text;
};

static int by_count(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->piece->count != y->piece->count) return x->piece->count > y->piece->count ? -1 : 1;
    return strncmp(x->text, y->text, x->piece->len < y->piece->len ? x->piece->len : y->piece->len);
}

enum jl_status bpe_han_list(struct bpe_han *han, const struct bpe_pieces *pieces,
                            uint64_t min_count, struct jl_error *err) {
    struct ranked *list = NULL;
    size_t n = 0;
    *han = (struct bpe_han){.pieces = pieces};
    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (size_t i = 0; i < pieces->n; i++) {
            const struct bpe_piece *piece = &pieces->items[i];
            const char *text = bpe_piece_text(pieces, piece);
            if (piece->count < min_count || !pre_extra_is_han(text, piece->len)) continue;
            if (list) list[n] = (struct ranked){piece, text};
            n++;
        }
        if (!list) list = calloc(n ? n : 1, sizeof *list);
        if (!list) break;
    }
    if (list) han->chars = calloc(n ? n : 1, sizeof *han->chars);
    if (!han->chars) {
        free(list);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %zu Han characters", n);
    }
    qsort(list, n, sizeof *list, by_count);
    for (; han->n < n; han->n++)
        han->chars[han->n] = list[han->n].piece;
    free(list);
    return JL_OK;
}

/* UTF-8 has at most 2^16 beginnings of two bytes, and of three bytes for characters of four; both
 * as the number their bytes are. */
size_t bpe_han_merges(const struct bpe_han *han, size_t n) {
    uint8_t seen[2][(1 << 16) / 8] = {{0}};
    size_t n_merge = n;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *text =
            (const unsigned char *)bpe_piece_text(han->pieces, han->chars[i]);
        for (uint32_t k = 2; k < han->chars[i]->len; k++) { // all of four begin with F0
            unsigned begin = (unsigned)text[k - 2] << 8 | text[k - 1];
            if (seen[k - 2][begin / 8] >> begin % 8 & 1) continue;
            seen[k - 2][begin / 8] |= (uint8_t)(1 << begin % 8);
            n_merge++;
        }
    }
    return n_merge;
}

enum jl_status bpe_han_join(const struct bpe_han *han, struct bpe_learn *learn,
                            struct jl_error *err) {
    for (size_t i = 0; i < han->n; i++) {
        const unsigned char *text =
            (const unsigned char *)bpe_piece_text(han->pieces, han->chars[i]);
        int32_t id = text[0];
        for (uint32_t k = 1; k < han->chars[i]->len; k++)
            JL_TRY(bpe_learn_join(learn, id, text[k], &id, err));
    }
    return JL_OK;
}

void bpe_han_free(struct bpe_han *han) {
    free(han->chars);
    *han = (struct bpe_han){0};
}
