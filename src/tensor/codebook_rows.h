/* How the grids are written: rows of sixteen words, each widened to a vector of bytes while the
 * compiler reads it. The including file defines ELEMENT(word, j): byte j, in its place. */
#ifndef JL_TENSOR_CODEBOOK_ROWS_H
#define JL_TENSOR_CODEBOOK_ROWS_H

#include "tensor/codebook.h"

#define CODEBOOK_FOUR(word)                                                                        \
    ELEMENT(word, 0) | ELEMENT(word, 1) | ELEMENT(word, 2) | ELEMENT(word, 3)
#define CODEBOOK_EIGHT(word)                                                                       \
    ELEMENT(word, 0) | ELEMENT(word, 1) | ELEMENT(word, 2) | ELEMENT(word, 3) | ELEMENT(word, 4) | \
        ELEMENT(word, 5) | ELEMENT(word, 6) | ELEMENT(word, 7)

#define CODEBOOK_HEX(make, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)                         \
    make(0x##a), make(0x##b), make(0x##c), make(0x##d), make(0x##e), make(0x##f), make(0x##g),     \
        make(0x##h), make(0x##i), make(0x##j), make(0x##k), make(0x##l), make(0x##m), make(0x##n), \
        make(0x##o), make(0x##p)
#define CODEBOOK_OCTAL(make, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)                       \
    make(0##a), make(0##b), make(0##c), make(0##d), make(0##e), make(0##f), make(0##g),            \
        make(0##h), make(0##i), make(0##j), make(0##k), make(0##l), make(0##m), make(0##n),        \
        make(0##o), make(0##p)

#endif
