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

struct bpe_first { // 16 bytes: there is one for each character
    int32_t symbols[BPE_FIRST_MAX];
    unsigned n : 2;       // of symbols; 0: nothing is known
    unsigned borders : 4; // bit k: a symbol ends behind k bytes, inside of the character
    unsigned beside : 4;  // enum bpe_beside: where this holds
    bool alone : 1;       // all symbols are ids: they are what the character becomes by itself
};

/* Fills bpe->first; after byte_symbol and byte_pairs, before the pairs are packed. False: out of
 * memory. */
bool bpe_find_first(struct bpe *bpe);

/* The entry of the well-formed character of n bytes at c, else NULL. */
static inline const struct bpe_first *bpe_first_of(const struct bpe *bpe, const char *text,
                                                   size_t n) {
    const unsigned char *c = (const unsigned char *)text;
    if (n == 3) return &bpe->first[(c[0] & 0xFu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu)];
    return n == 2 ? &bpe->first[(c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu)] : NULL;
}

/* Whether an entry of text[at, end) holds beside what stands there. */
static inline bool bpe_first_holds(const struct bpe_first *first, const char *text, size_t len,
                                   size_t at, size_t end) {
    unsigned beside = 0;
    if (at > 0) beside |= (unsigned char)text[at - 1] < 0x80 ? BPE_AFTER_ASCII : BPE_AFTER_WIDE;
    if (end < len) {
        unsigned char next = (unsigned char)text[end];
        if ((next & 0xC0) == 0x80) return false; // a stray byte: not what the ranks were asked for
        beside |= next < 0x80 ? BPE_BEFORE_ASCII : BPE_BEFORE_WIDE;
    }
    return first->n && (first->beside & beside) == beside;
}

/* The symbols of a piece of any bytes, at most one for each; their number. */
size_t bpe_first_symbols(const struct bpe *bpe, const char *text, size_t len, int32_t *symbols);

#endif
