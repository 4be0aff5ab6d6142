/* Texts and lines of JSON from outside to train on: the first two bytes are the options. What is
 * trained loads, and gives every text back. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "text/bpe_train.h"

static void set_options(const uint8_t *data, struct bpe_train_options *options) {
    bpe_train_defaults(options);
    options->rules.pattern = bpe_train_pattern(data[0] & 3);
    options->rules.han_single = data[0] >> 2 & 1;
    options->rules.digits_single = data[0] >> 3 & 1;
    options->rules.newlines_single = data[0] >> 4 & 1;
    options->rules.spaces_apart = data[0] >> 5 & 1;
    options->cross_characters = data[0] >> 6 & 1;
    options->vocab_size = 250 + (data[1] & 0x3F) * 4;
    options->min_count = 1 + (data[1] >> 7);
    options->special[0] = "<s>";
    options->special[1] = "ab";
    options->n_special = 2;
    options->special_first = data[1] >> 6 & 1;
}

static void check_back(const struct tokenizer *t, const char *text, size_t len) {
    struct token_stream stream;
    struct jl_error err;
    int32_t *ids;
    size_t n, n_back = 0, cap = 0;
    char *back = NULL;
    if (tokenizer_encode(t, text, len, 0, &ids, &n, &err) != JL_OK) abort();
    token_stream_init(&stream, t, true);
    stream.raw = true;
    for (size_t i = 0; i < n; i++)
        if (token_stream_push(&stream, ids[i], &back, &n_back, &cap, &err) != JL_OK) abort();
    if (token_stream_end(&stream, &back, &n_back, &cap, &err) != JL_OK) abort();
    if (n_back != len || (len && memcmp(back, text, len) != 0)) abort();
    free(back);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct pool_options one = {.n_threads = 1};
    struct bpe_train_options options;
    struct bpe_trained trained;
    struct tokenizer *t;
    struct pool *pool;
    struct jl_error err;
    if (size < 2 || pool_create(&one, &pool, &err) != JL_OK) return 0;
    set_options(data, &options);
    const char *text = (const char *)data + 2;
    const struct bpe_train_source source = {"input", text, size - 2, size > 2 && *text == '{', 1};
    if (bpe_train(&source, 1, &options, pool, &trained, &err) == JL_OK) {
        if (tokenizer_from_json(trained.tokenizer, trained.tokenizer_len, trained.config,
                                trained.config_len, &t, &err) != JL_OK)
            abort();
        check_back(t, text, size - 2);
        tokenizer_free(t);
    }
    bpe_trained_free(&trained);
    pool_free(pool);
    return 0;
}
