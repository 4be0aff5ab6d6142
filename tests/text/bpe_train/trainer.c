#include "trainer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"
#include "fixture.h"

static enum jl_status train(const struct bpe_train_source *sources, int n,
                            const struct bpe_train_options *options, int n_thread,
                            struct bpe_trained *out, struct jl_error *err) {
    const struct pool_options threads = {.n_threads = n_thread};
    struct pool *pool;
    if (pool_create(&threads, &pool, err) != JL_OK) fail_msg("%s", err->message);
    enum jl_status status = bpe_train(sources, n, options, pool, out, err);
    pool_free(pool);
    return status;
}

struct bpe_trained trainer_run(const struct bpe_train_source *sources, int n,
                               const struct bpe_train_options *options, int n_thread) {
    struct bpe_trained trained;
    struct jl_error err = {0};
    if (train(sources, n, options, n_thread, &trained, &err) != JL_OK) fail_msg("%s", err.message);
    return trained;
}

struct bpe_trained trainer_run_text(const char *text, size_t len,
                                    const struct bpe_train_options *options) {
    const struct bpe_train_source source = {"a text", text, len, false, 1};
    return trainer_run(&source, 1, options, 1);
}

enum jl_status trainer_refuses(const struct bpe_train_source *sources, int n,
                               const struct bpe_train_options *options, int n_thread,
                               struct jl_error *err) {
    struct bpe_trained trained;
    enum jl_status status = train(sources, n, options, n_thread, &trained, err);
    assert_int_not_equal(status, JL_OK);
    assert_null(trained.tokenizer);
    assert_null(trained.config);
    return status;
}

struct tokenizer *trainer_load(const struct bpe_trained *trained) {
    struct tokenizer *t;
    struct jl_error err = {0};
    if (tokenizer_from_json(trained->tokenizer, trained->tokenizer_len, trained->config,
                            trained->config_len, &t, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocab_size(t), trained->n_token);
    return t;
}

json_t *trainer_json(const char *text, size_t len) {
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    return value;
}

size_t trainer_text(uint64_t *state, enum trainer_alphabet alphabet, char *out, size_t len) {
    static const char *const letters[TRAINER_KINDS][16] = {
        [TRAINER_TIES] = {"a", "b", "a", "b", " "},
        [TRAINER_WORDS] = {"the", " the", "an", "er", " gold", "scale", ".", "\n", "  ", "12", "'s",
                           " (", ")\n"},
        [TRAINER_HAN] = {"\xE9\x87\x91", "\xE9\xB3\x9E", "\xE4\xB8\x80", "\xE4\xB8\x81",
                         "\xE3\x80\x82", "\xE3\x80\x87", "\xF0\xA0\x80\x80", "\xF0\xA0\x80\x81",
                         "\xEF\xBC\x8C", "\n", "a", " ", "\xE2\x80\x9C"},
        [TRAINER_MIXED] = {"\xD0\xB0", "\xD0\xB1", "\xD1\x80", " ", "\xF0\x9F\x98\x80",
                           "\xF0\x9F\x98\x81", "\xE2\x82\xAC", "7", "\xC2\xA0", "e\xCC\x81",
                           "\xE1\x84\x80", "\r\n", "x"},
    };
    size_t n = 0, used = 0;
    while (n < 16 && letters[alphabet][n])
        n++;
    for (;;) {
        const char *piece = letters[alphabet][fixture_random(state) % n];
        size_t piece_len = strlen(piece);
        if (used + piece_len > len) return used;
        memcpy(out + used, piece, piece_len);
        used += piece_len;
    }
}
