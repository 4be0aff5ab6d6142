/* Arithmetic as people write it, worked out exactly: numbers, + - * / and brackets. */
#ifndef JL_TEXT_EXPRESSION_H
#define JL_TEXT_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In lowest terms, den > 0. */
struct fraction {
    int64_t num, den;
};

/* False: a division by zero, or what does not fit into 64 bits. */
bool fraction_make(int64_t num, int64_t den, struct fraction *out);
/* `op` is + - * or /. */
bool fraction_apply(struct fraction a, char op, struct fraction b, struct fraction *out);
bool fraction_equal(struct fraction a, struct fraction b);

#define EXPRESSION_MOST_NUMBERS 64

struct expression {
    struct fraction value;
    struct fraction numbers[EXPRESSION_MOST_NUMBERS]; // in their order
    int n_number;
    bool plain; // every number is whole and has no sign of its own
};

/* The whole of `text` as one expression; spaces between its parts are passed over.
 * Operators may be + - * / or U+00D7, U+00F7, U+2212, brackets full-width. False: it is none, is
 * nested more than 32 deep, has too many numbers, divides by zero or does not fit. Any bytes. */
bool expression_read(const char *text, size_t len, struct expression *out);

/* Bytes of the character at `text` that can be in an expression (spaces too), 0 where it cannot. */
size_t expression_char(const char *text, size_t len);

#endif
