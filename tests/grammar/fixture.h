/* Grammars and vocabularies for the tests of the room. */
#ifndef TEST_GRAMMAR_FIXTURE_H
#define TEST_GRAMMAR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grammar/builder.h"
#include "grammar/matcher.h"
#include "grammar/vocab.h"

enum language { REGEX, GBNF, SCHEMA, SCHEMA_COMPACT, SCHEMA_LINES, SCHEMA_OPEN, OBJECT };

/* NULL, with *err filled. */
struct grammar *try_compile(enum language language, const char *text, struct jl_error *err);
struct grammar *compile(enum language language, const char *text);          // fails the test
struct grammar *compile_expr(struct grammar_builder *b, grammar_expr root); // and frees b

/* A matcher without a vocabulary, for texts as bytes. */
struct grammar_matcher *byte_matcher(const struct grammar *g);
void byte_matcher_free(struct grammar_matcher *m);
bool matches(const struct grammar *g, const char *text, size_t len);

struct text_case {
    const char *source;
    const char *accepted[12]; // up to the first NULL
    const char *rejected[16];
};
void check_cases(enum language language, const struct text_case *cases, size_t n);
struct error_case {
    const char *source;
    enum jl_status status;
    const char *says; // part of the message
};
void check_errors(enum language language, const struct error_case *cases, size_t n);

/* All single bytes, then every substring of `texts` (NULL behind the last) of 2 to `longest`
 * bytes, and some of up to 70, each once. */
struct grammar_vocab *vocab_of_texts(const char *const *texts, size_t longest);

/* Every token of the vocabulary: the mask against bytes one by one. */
void check_mask(struct grammar_matcher *m, const struct grammar_vocab *v,
                struct grammar_state state, uint64_t *mask);

uint32_t draw(uint64_t *seed, uint32_t n); // in [0, n)

#endif
