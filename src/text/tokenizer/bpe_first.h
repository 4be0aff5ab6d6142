/* Vocabularies of bytes: the symbols that a text may begin with. Most characters of two or three
 * bytes are sure to become one or two symbols before anything else can happen to their bytes, so
 * merging need not begin with the bytes.
 *
 * Let r be the highest rank of the merges that the character's bytes go through when they stand
 * alone. If every pair of a symbol at one of its ends (bytes, parts, or all of it) with what can
 * stand beside the character has a rank above r, then in any text: until the character's own merges
 * are done, the next of them has rank r or lower, so that nothing across its ends is done before.
 * And to have them done from the start adds only pairs of ranks above r, so that what else is done
 * until then stays the same. Hence the same symbols come out. What stands beside is told apart by
 * one bit: ASCII or not. */
#ifndef JL_TEXT_BPE_FIRST_H
#define JL_TEXT_BPE_FIRST_H

#include "text/tokenizer/bpe.h"

#define BPE_FIRST_MAX 3 // bytes of a character that has an entry

enum bpe_beside {
    BPE_AFTER_ASCII = 1,
    BPE_AFTER_WIDE = 2,
    BPE_BEFORE_ASCII = 4,
    BPE_BEFORE_WIDE = 8,
};

struct bpe_first {
    int32_t symbols[BPE_FIRST_MAX];
    uint8_t n;       // of symbols; 0: nothing is known
    uint8_t borders; // bit k: a symbol ends behind k bytes, inside of the character
    uint8_t beside;  // enum bpe_beside: where this holds
};

/* Fills bpe->first; after byte_symbol and byte_pairs, before the pairs are packed. False: out of
 * memory. */
bool bpe_find_first(struct bpe *bpe);

/* The entry that holds for the well-formed character of n bytes at text[at], else NULL. */
static inline const struct bpe_first *bpe_first_at(const struct bpe *bpe, const char *text,
                                                   size_t len, size_t at, size_t n) {
    const unsigned char *c = (const unsigned char *)text + at;
    if (n < 2 || n > BPE_FIRST_MAX) return NULL;
    unsigned code = n == 2 ? (c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu)
                           : (c[0] & 0xFu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu);
    unsigned beside = 0;
    if (at > 0) beside |= c[-1] < 0x80 ? BPE_AFTER_ASCII : BPE_AFTER_WIDE;
    if (at + n < len) {
        if ((c[n] & 0xC0) == 0x80) return NULL; // a stray byte: not what the ranks were asked for
        beside |= c[n] < 0x80 ? BPE_BEFORE_ASCII : BPE_BEFORE_WIDE;
    }
    const struct bpe_first *first = &bpe->first[code];
    return first->n && (first->beside & beside) == beside ? first : NULL;
}

/* The symbols of a piece of any bytes, at most one for each; their number. */
size_t bpe_first_symbols(const struct bpe *bpe, const char *text, size_t len, int32_t *symbols);

#endif
