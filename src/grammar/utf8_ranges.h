/* Ranges of code points as sequences of byte ranges in UTF-8. */
#ifndef JL_GRAMMAR_UTF8_RANGES_H
#define JL_GRAMMAR_UTF8_RANGES_H

#include <stdint.h>

/* Where an automaton is built. `byte` joins two positions, `place` makes one. */
struct utf8_ranges {
    void *ctx;
    void (*byte)(void *ctx, uint32_t from, uint32_t to, uint8_t low, uint8_t high);
    uint32_t (*place)(void *ctx);
    uint32_t to;      // where all ways end
    uint32_t tail[4]; // places from which n continuation bytes lead there; 0: not made yet
};

/* The characters from first to last, which must not be surrogates. */
void utf8_ranges_add(struct utf8_ranges *out, uint32_t from, uint32_t first, uint32_t last);

#endif
