/* Doubles <-> decimal text, exactly, without the C library's locale and rounding.
 *
 * Shortest text is Python's repr: the fewest digits that read back as the same double, the nearest
 * of those, in scientific notation below 1e-4 and from 1e16 on. */
#ifndef JL_TEXT_NUMBER_TEXT_H
#define JL_TEXT_NUMBER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Decimal digits of a finite double's magnitude: 0.d1d2d3... times 10^point. */
#define NUMBER_DIGITS 800 // an exact expansion has at most 768
struct number_digits {
    char digits[NUMBER_DIGITS]; // '0' to '9', the first and the last not '0'; none for zero
    int count, point;
};

void number_text_exact(double value, struct number_digits *out);
void number_text_shortest(double value, struct number_digits *out);
/* Keeps the digits down to 10^-place (place may be negative), ties to even. */
void number_text_round(struct number_digits *d, int place);

#define NUMBER_TEXT_BYTES 32
/* repr(value) with a NUL: "0.1", "1e+22", "1.0", "-0.0", "inf", "-inf", "nan". Returns its length.
 */
size_t number_text_repr(double value, char out[NUMBER_TEXT_BYTES]);

/* Python's float() of [sign] digits [. digits] [e [sign] digits], "inf", "infinity" or "nan" in any
 * case, correctly rounded; single underscores between digits. No white space. False: it is none. */
bool number_text_parse(const char *text, size_t len, double *out);

#endif
