/* A vocabulary of 320 tokens made for these tests, as scores and as tokenizer.json, and the files
 * of the shared folder beside the checkout, where there is one. */
#ifndef JL_TESTS_TEXT_FIXTURE_H
#define JL_TESTS_TEXT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/tokenizer.h"

#define FIXTURE_UNK 0
#define FIXTURE_BOS 1
#define FIXTURE_EOS 2
#define FIXTURE_BYTE0 3
#define FIXTURE_PIECE0 259 // the first piece; scores fall from here on
#define FIXTURE_TOOL 318   // "<tool>", user-defined
#define FIXTURE_END 319    // "<|end|>", control
#define FIXTURE_N 320

/* A copy the caller may change; its texts are static. The fixture adds BOS and a space prefix. */
struct fixture {
    struct token_entry tokens[FIXTURE_N];
    char bytes[256][8];
    struct spm_spec spec;
};
void fixture_init(struct fixture *fixture);

/* The same vocabulary as tokenizer.json: every way to cut a piece in two is a merge. Parts to be
 * replaced: NULL is the usual one. Heap text. */
struct fixture_json {
    const char *normalizer, *pre_tokenizer, *decoder, *post_processor;
    bool pairs; // merges as ["a", "b"]
};
char *fixture_json_text(const struct fixture *fixture, const struct fixture_json *parts);

struct tokenizer *fixture_spm(void);
struct tokenizer *fixture_from_json(const char *json);

/* Encodes, and fails the test if that fails. */
size_t fixture_encode(const struct tokenizer *t, const char *text, size_t len, int flags,
                      int32_t **ids);
/* All ids through one stream; heap text with a NUL behind it. */
char *fixture_decode(const struct tokenizer *t, const int32_t *ids, size_t n, size_t *len);

/* Space-separated ids of `text` are `want`. */
void fixture_check(const struct tokenizer *t, const char *text, int flags, const char *want);

/* Seeded 64-bit numbers. */
uint64_t fixture_random(uint64_t *state);
/* Well-formed UTF-8 of about `len` bytes, with many of the fixture's characters. */
size_t fixture_random_text(uint64_t *state, char *out, size_t len);

/* With a NUL behind it: 4 bytes for each 3 begun, and 1. */
void fixture_put_base64(const char *bytes, size_t len, char *out);

/* Heap path, NULL (and a printed line) when absent. Tests run in the root of the checkout. */
char *fixture_shared(const char *name);
/* Every case of a JSON-lines file of the shared vocabularies; the number of cases. */
size_t fixture_check_cases(const struct tokenizer *t, const char *path);

#endif
