/* Han text as code points: characters, and the lines that a text falls into. */
#ifndef JL_SKILL_HAN_H
#define JL_SKILL_HAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAN_MOST_LINES 40 // of a text that is looked at as lines
#define HAN_MOST_CHARS 32 // of a line

#define HAN_CODE_END 0x40000u // ideographs are below

/* Ideographs, with their extensions and the compatibility ones. */
bool han_is(uint32_t code);

/* Up to `most` characters of a text; their number, or -1: it has more, or bytes that are no UTF-8.
 */
int han_decode(const char *text, size_t len, uint32_t *out, int most);

/* What stands between white space and punctuation. `whole` is false where the text has anything
 * but ideographs between them, or more and longer lines than fit; those are cut. */
struct han_lines {
    uint32_t code[HAN_MOST_LINES][HAN_MOST_CHARS];
    int n_char[HAN_MOST_LINES];
    int n_line;
    bool whole;
};
void han_lines_read(const char *text, size_t len, struct han_lines *out);

uint64_t han_hash(const uint32_t *code, int n); // of a line

#endif
