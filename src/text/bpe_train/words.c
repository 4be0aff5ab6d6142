#include "text/bpe_train/words.h"

#include <stdlib.h>

static bool allocate(struct bpe_words *words) {
    size_t n = words->n ? words->n : 1;
    words->places = reallocarray(NULL, words->n_place, sizeof *words->places);
    words->starts = reallocarray(NULL, n, sizeof *words->starts);
    words->counts = reallocarray(NULL, n, sizeof *words->counts);
    words->blocks = reallocarray(NULL, words->n_place / 64 + 1, sizeof *words->blocks);
    return words->places && words->starts && words->counts && words->blocks;
}

static void index_blocks(struct bpe_words *words) {
    size_t word = 0;
    for (size_t block = 0; block <= words->n_place / 64; block++) {
        while (word + 1 < words->n && words->starts[word + 1] <= block * 64)
            word++;
        words->blocks[block] = (uint32_t)word;
    }
}

static bool is_word(const struct bpe_pieces *pieces, const struct bpe_piece *piece,
                    bool (*leave_out)(const char *text, size_t len)) {
    return piece->len > 1 && !(leave_out && leave_out(bpe_piece_text(pieces, piece), piece->len));
}

enum jl_status bpe_words_fill(struct bpe_words *words, const struct bpe_pieces *pieces,
                              bool (*leave_out)(const char *text, size_t len),
                              struct jl_error *err) {
    *words = (struct bpe_words){.n_place = 1};
    for (size_t i = 0; i < pieces->n; i++) {
        if (!is_word(pieces, &pieces->items[i], leave_out)) continue;
        words->n_place += (size_t)pieces->items[i].len + 1;
        words->n++;
    }
    if (words->n_place > UINT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT,
                       "the different words have %zu bytes together, at most 4 GiB are possible; "
                       "take less text",
                       words->n_place);
    if (!allocate(words))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %zu different words", words->n);
    size_t at = 0, word = 0;
    words->places[at++] = BPE_WORDS_GAP;
    for (size_t i = 0; i < pieces->n; i++) {
        const struct bpe_piece *piece = &pieces->items[i];
        if (!is_word(pieces, piece, leave_out)) continue;
        words->starts[word] = (uint32_t)at;
        words->counts[word++] = piece->count;
        for (uint32_t k = 0; k < piece->len; k++)
            words->places[at++] = (unsigned char)bpe_piece_text(pieces, piece)[k];
        words->places[at++] = BPE_WORDS_GAP;
    }
    index_blocks(words);
    return JL_OK;
}

void bpe_words_free(struct bpe_words *words) {
    free(words->places);
    free(words->starts);
    free(words->counts);
    free(words->blocks);
    *words = (struct bpe_words){0};
}
