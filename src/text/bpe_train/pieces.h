/* A table of different byte strings, each with a number that adds up: words and how often they
 * occur, tokens and their ids. */
#ifndef JL_TEXT_BPE_TRAIN_PIECES_H
#define JL_TEXT_BPE_TRAIN_PIECES_H

#include "base/status.h"
#include "text/buffer.h"

struct bpe_piece {
    uint64_t count;
    size_t at; // in bytes.data
    uint32_t len, hash;
};

struct bpe_pieces {
    struct byte_buffer bytes;
    struct bpe_piece *items; // n of them, in order of first appearance
    size_t n, cap;
    uint32_t *slots; // index + 1, 0: free; mask + 1 slots, at most half full
    size_t mask;
};

/* False: out of memory, or more than 2^31 pieces, or one of 4 GiB. */
bool bpe_pieces_add(struct bpe_pieces *pieces, const char *text, size_t len, uint64_t count);
/* NULL when there is none. */
const struct bpe_piece *bpe_pieces_find(const struct bpe_pieces *pieces, const char *text,
                                        size_t len);
/* Adds all of `from`. */
bool bpe_pieces_join(struct bpe_pieces *pieces, const struct bpe_pieces *from);
void bpe_pieces_free(struct bpe_pieces *pieces); // zeroed is fine

static inline const char *bpe_piece_text(const struct bpe_pieces *pieces,
                                         const struct bpe_piece *piece) {
    return pieces->bytes.data + piece->at;
}

#endif
