/* Regular expressions of tokenizer files, run by tables where they are of the usual kind
 * (automaton.h), else by PCRE2 with its JIT; both find the same.
 *
 * A pattern is first translated from the flavour its file was written for (regex_translate.c),
 * then compiled. A compiled pattern is const and shared by all threads; each thread brings a
 * scratch. Subjects must be well-formed UTF-8: nothing checks them again. */
#ifndef JL_TEXT_REGEX_H
#define JL_TEXT_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/automaton.h"

#define REGEX_MAX_BYTES ((size_t)1 << 16) // of a pattern
#define REGEX_MAX_DEPTH 64                // groups inside each other
#define REGEX_MAX_REPEAT 1000             // times: what PCRE2 tries in one step is bounded by it

enum regex_flavour {
    REGEX_RUST, // tiktoken and llama.cpp: `$` is the end of the text, `{n}+` is possessive
    REGEX_ONIG, // tokenizer.json (Oniguruma): `$` ends a line, `{n}+` repeats the interval
};

struct regex;

/* A feature that has no exact counterpart is JL_ERR_UNSUPPORTED and named. */
enum jl_status regex_compile(const char *pattern, size_t len, enum regex_flavour flavour,
                             struct regex **out, struct jl_error *err);
/* Finds `text` itself, which is not empty. */
enum jl_status regex_compile_text(const char *text, size_t len, struct regex **out,
                                  struct jl_error *err);
void regex_free(struct regex *regex); // NULL is fine
/* The pattern as it was given, of regex_compile; NULL of regex_compile_text. */
const char *regex_source(const struct regex *regex, size_t *len);
bool regex_is_table(const struct regex *regex);

/* The pattern in PCRE2's language. */
enum jl_status regex_translate(const char *pattern, size_t len, enum regex_flavour flavour,
                               struct byte_buffer *out, struct jl_error *err);
/* The pattern that finds `text` itself. */
enum jl_status regex_translate_text(const char *text, size_t len, struct byte_buffer *out,
                                    struct jl_error *err);

/* One thread's memory of a pattern: for PCRE2, and of the work done in all texts so far. Zero is
 * the empty one. */
struct regex_scratch {
    void *match, *context, *stack;
    uint64_t steps, allowed;
    size_t at; // where PCRE2 reported from last
};
void regex_scratch_free(struct regex_scratch *scratch);

/* The matches in one text, from left to right. */
struct regex_search {
    struct automaton_search in; // in.match: the one found last
    const struct regex *regex;
    struct regex_scratch *scratch;
    size_t last_empty; // end of the match before, plus 1: an empty match there does not count
};

/* The work that all texts of one scratch may take: REGEX_STEPS_FREE steps (some tenths of a
 * second), and for each byte REGEX_STEPS steps and REGEX_STEPS_ITEM more for each byte of the
 * pattern. A step is a byte that was looked at, or an item of the pattern that PCRE2 tried. The
 * patterns of published tokenizers take 1 to 10 steps a byte. */
#define REGEX_STEPS_FREE ((uint64_t)1 << 26)
#define REGEX_STEPS 256
#define REGEX_STEPS_ITEM 4
void regex_begin(struct regex_search *search, const struct regex *regex,
                 struct regex_scratch *scratch, const char *text, size_t len);

/* The next match goes to search->in.match; *found is false when there is none. An empty match just
 * behind the match before is passed over, as the iterators of Oniguruma and Rust do. Running out of
 * stack or of steps is JL_ERR_LIMIT, never "no match". */
enum jl_status regex_next(struct regex_search *search, bool *found, struct jl_error *err);

#endif
