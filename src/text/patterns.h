/* Several strings looked for at once in a stream of bytes, in time linear in the stream (Knuth,
 * Morris and Pratt 1977, one automaton a string).
 *
 * The strings are const after construction and shared; where a stream stands is the caller's: one
 * number a string, copied to follow two continuations of a stream. */
#ifndef JL_TEXT_PATTERNS_H
#define JL_TEXT_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define PATTERNS_MAX 64               // most strings together
#define PATTERNS_MAX_BYTES (64 << 10) // most bytes of all of them

struct patterns;

struct pattern_text {
    const char *text; // len bytes, at least one; copied
    size_t len;
};

/* n may be 0. `what` names one in messages: "stop string". With utf8 each must be whole
 * characters. */
struct patterns_spec {
    const struct pattern_text *texts;
    size_t n;
    const char *what;
    bool utf8;
};
enum jl_status patterns_new(const struct patterns_spec *spec, struct patterns **out,
                            struct jl_error *err);
void patterns_free(struct patterns *patterns); // NULL is fine

size_t patterns_count(const struct patterns *patterns);
size_t patterns_length(const struct patterns *patterns, int i); // bytes of string i

/* The next byte; state: (count), zeroed at the start of a stream. The longest string that ends with
 * it, -1: none does. */
int patterns_step(const struct patterns *patterns, uint32_t *state, char byte);
/* How many bytes at the end of what was seen may begin a string. */
size_t patterns_begun(const struct patterns *patterns, const uint32_t *state);

#endif
