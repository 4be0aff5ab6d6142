/* Schemas at random, and documents that a grammar's masks allow at random. */
#ifndef TEST_GRAMMAR_RANDOM_JSON_H
#define TEST_GRAMMAR_RANDOM_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "grammar/matcher.h"
#include "grammar/vocab.h"

json_t *random_schema(uint64_t *seed); // the caller's

/* Tokens drawn among those allowed until the text is complete: a heap text with a NUL, NULL where
 * `most` tokens did not do. Errors fail the test that runs. */
char *random_document(struct grammar_matcher *m, const struct grammar_vocab *v, uint64_t *seed,
                      int most, size_t *len);

/* A vocabulary in which tokens cross what JSON separates. */
struct grammar_vocab *random_json_vocab(void);

#endif
