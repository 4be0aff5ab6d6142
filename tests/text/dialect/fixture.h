/* Runs a text through a stream, cut in some way, and joins what comes out. */
#ifndef JL_TESTS_TEXT_DIALECT_FIXTURE_H
#define JL_TESTS_TEXT_DIALECT_FIXTURE_H

#include <jansson.h>
#include <stdint.h>

#include "text/dialect.h"

/* How many bytes the next piece has; n_left > 0 are left. */
typedef size_t cut_fn(void *ctx, size_t at, size_t n_left);

/* The joined events, a new array: ["reasoning", TEXT], ["content", TEXT], ["call", NAME, ID, ARGS],
 * ["broken", NAME, ID, ARGS]. Checks on the way that no text ends inside a character and that the
 * calls' events come in order with rising indexes. Fails the test on errors. */
json_t *run_stream(const struct dialect *dialect, const struct dialect_options *options,
                   const char *text, size_t len, cut_fn *cut, void *ctx);

size_t cut_whole(void *ctx, size_t at, size_t n_left);
size_t cut_bytes(void *ctx, size_t at, size_t n_left);
size_t cut_once(void *ctx, size_t at, size_t n_left); // ctx: const size_t *, the place

struct cut_random {
    uint64_t state;
    unsigned max;
};
size_t cut_random(void *ctx, size_t at, size_t n_left);
uint64_t next_random(uint64_t *state);
uint64_t random_seed(void); // printed; JINLIN_TEST_SEED repeats one

#endif
