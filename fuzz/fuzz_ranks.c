/* Rank files from outside, and merges.txt with vocab.json: the bytes up to the first NUL are the
 * vocabulary, the rest the merges. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

static void try_tokenizer(struct tokenizer *t) {
    int32_t *ids;
    size_t n;
    struct jl_error err;
    if (tokenizer_encode(t, "abc  ab'll 1234", 15, ENCODE_SPECIAL, &ids, &n, &err) == JL_OK)
        free(ids);
    tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct tokenizer *t;
    struct jl_error err;
    if (tokenizer_from_ranks(text, size, "gpt-2", &t, &err) == JL_OK) try_tokenizer(t);
    const char *nul = size ? memchr(text, 0, size) : NULL;
    if (!nul) return 0;
    struct tokenizer_files files = {.vocab = text,
                                    .vocab_len = (size_t)(nul - text),
                                    .merges = nul + 1,
                                    .merges_len = size - (size_t)(nul - text) - 1,
                                    .model_type = "gpt2"};
    if (tokenizer_from_files(&files, &t, &err) == JL_OK) try_tokenizer(t);
    return 0;
}
