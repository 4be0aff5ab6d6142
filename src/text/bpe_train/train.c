/* Training as a whole: options checked, words counted, merges learned, files made. */
#include <stdlib.h>
#include <string.h>

#include "text/bpe_train.h"
#include "text/bpe_train/count.h"
#include "text/bpe_train/han.h"
#include "text/bpe_train/learn.h"
#include "text/bpe_train/rules.h"
#include "text/bpe_train/write.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/pre_extra.h"
#include "text/tokenizer/vocab.h"
#include "text/utf8.h"

#define N_BYTE 256

void bpe_train_defaults(struct bpe_train_options *options) {
    *options = (struct bpe_train_options){
        .vocab_size = 32000,
        .rules = {.pattern = bpe_train_pattern(0)},
        .min_count = 2,
        .max_token_bytes = 64,
    };
}

/* ---- options ---- */

/* A single character may be an ordinary token. */
static enum jl_status check_special(const struct bpe_train_options *options, int i,
                                    struct jl_error *err) {
    const char *text = options->special[i];
    size_t len = strlen(text);
    if (len > BPE_TRAIN_SPECIAL_BYTES)
        return jl_fail(err, JL_ERR_USAGE,
                       "the special token '%.40s...' has %zu bytes, at most %d "
                       "are possible",
                       text, len, BPE_TRAIN_SPECIAL_BYTES);
    if (utf8_valid_length(text, len) != len)
        return jl_fail(err, JL_ERR_USAGE, "a special token is not UTF-8");
    if (len < 2 || (size_t)utf8_length(text, len) == len)
        return jl_fail(err, JL_ERR_USAGE,
                       "the special token '%s' must have two characters or more: one is an "
                       "ordinary token",
                       text);
    for (int k = 0; k < i; k++)
        if (!strcmp(options->special[k], text))
            return jl_fail(err, JL_ERR_USAGE, "the special token '%s' is given twice", text);
    return JL_OK;
}

static enum jl_status check_role(const struct bpe_train_options *options, const char *role,
                                 const char *text, struct jl_error *err) {
    for (int i = 0; text && i < options->n_special; i++)
        if (!strcmp(options->special[i], text)) return JL_OK;
    return text ? jl_fail(err, JL_ERR_USAGE, "the %s token '%s' is not among the special tokens",
                          role, text)
                : JL_OK;
}

static enum jl_status check(const struct bpe_train_options *options, struct jl_error *err) {
    int least = N_BYTE + options->n_special;
    for (int i = 0; i < options->n_special; i++)
        JL_TRY(check_special(options, i, err));
    JL_TRY(check_role(options, "BOS", options->bos, err));
    JL_TRY(check_role(options, "EOS", options->eos, err));
    JL_TRY(check_role(options, "padding", options->pad, err));
    if (options->add_bos && !options->bos)
        return jl_fail(err, JL_ERR_USAGE, "a BOS token shall be added, but none is given");
    if (options->vocab_size < least)
        return jl_fail(err, JL_ERR_USAGE,
                       "a vocabulary of %d tokens cannot hold the %d bytes and %d special tokens: "
                       "it needs at least %d",
                       options->vocab_size, N_BYTE, options->n_special, least);
    if (options->vocab_size > VOCAB_MAX_TOKENS)
        return jl_fail(err, JL_ERR_LIMIT, "a vocabulary of %d tokens, at most %d are possible",
                       options->vocab_size, VOCAB_MAX_TOKENS);
    if (options->max_token_bytes < UTF8_MAX || options->max_token_bytes > BPE_TRAIN_TOKEN_BYTES)
        return jl_fail(err, JL_ERR_USAGE, "the longest token may have %d to %d bytes, not %zu",
                       UTF8_MAX, BPE_TRAIN_TOKEN_BYTES, options->max_token_bytes);
    return JL_OK;
}

static enum jl_status check_sources(const struct bpe_train_source *sources, int n,
                                    struct jl_error *err) {
    for (int i = 0; i < n; i++)
        if (sources[i].weight < 1 || sources[i].weight > BPE_TRAIN_WEIGHT_MAX)
            return jl_fail(err, JL_ERR_USAGE, "%s: its weight must be 1 to %d, not %u",
                           sources[i].name, BPE_TRAIN_WEIGHT_MAX, (unsigned)sources[i].weight);
    return JL_OK;
}

/* ---- merges ---- */

/* Learning a special token's text, or what its text would be in the byte alphabet, would give two
 * tokens one name. */
static enum jl_status forbid_specials(const struct bpe_train_options *options,
                                      struct bpe_learn *learn, struct jl_error *err) {
    struct byte_buffer bytes = {0};
    enum jl_status status = JL_OK;
    for (int i = 0; i < options->n_special && status == JL_OK; i++) {
        const char *text = options->special[i];
        bool known = false;
        status = bpe_learn_forbid(learn, text, strlen(text), err);
        if (status == JL_OK && !byte_alphabet_read(text, strlen(text), &bytes, &known))
            status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the special tokens");
        if (status == JL_OK && known) status = bpe_learn_forbid(learn, bytes.data, bytes.len, err);
    }
    buffer_free(&bytes);
    return status;
}

/* The Han characters must all fit; else the message says how rare a character may be. */
static enum jl_status check_han(const struct bpe_han *han, const struct bpe_train_options *options,
                                struct jl_error *err) {
    size_t room = (size_t)(options->vocab_size - N_BYTE - options->n_special);
    size_t need = bpe_han_merges(han, han->n), most = 0;
    if (need <= room) return JL_OK;
    for (size_t step = (size_t)1 << 20; step; step /= 2)
        if (most + step <= han->n && bpe_han_merges(han, most + step) <= room) most += step;
    return jl_fail(err, JL_ERR_USAGE,
                   "%zu Han characters occur at least %llu times and need %zu tokens, but a "
                   "vocabulary of %d has room for %zu: take a larger one, or --min-count %llu",
                   han->n, (unsigned long long)options->min_count, need, options->vocab_size, room,
                   (unsigned long long)han->chars[most]->count + 1);
}

static enum jl_status learn_han(const struct bpe_train_options *options,
                                const struct bpe_pieces *pieces, struct bpe_learn *learn,
                                struct bpe_trained *out, struct jl_error *err) {
    struct bpe_han han;
    JL_TRY(bpe_han_list(&han, pieces, options->min_count, err));
    enum jl_status status = check_han(&han, options, err);
    if (status == JL_OK) status = bpe_han_join(&han, learn, err);
    out->n_han = (int)han.n;
    bpe_han_free(&han);
    return status;
}

/* `pieces` is freed as soon as it is not needed. */
static enum jl_status learn_all(const struct bpe_train_options *options, struct bpe_pieces *pieces,
                                struct bpe_learn *learn, struct bpe_trained *out,
                                struct jl_error *err) {
    struct bpe_words words = {0};
    bool done = false, han = options->rules.han_single;
    learn->max_token_bytes = options->max_token_bytes;
    learn->cross_characters = options->cross_characters;
    out->n_piece = pieces->n;
    enum jl_status status = bpe_words_fill(&words, pieces, han ? pre_extra_is_han : NULL, err);
    if (status == JL_OK) status = bpe_learn_start(learn, &words, err);
    bpe_words_free(&words);
    if (status == JL_OK) status = forbid_specials(options, learn, err);
    if (status == JL_OK && han) status = learn_han(options, pieces, learn, out, err);
    bpe_pieces_free(pieces);
    while (status == JL_OK && !done && learn->n_token + options->n_special < options->vocab_size)
        status = bpe_learn_best(learn, options->min_count, &done, err);
    return status;
}

/* ---- all ---- */

static enum jl_status count_words(const struct bpe_train_source *sources, int n,
                                  const struct bpe_train_options *options, struct pool *pool,
                                  struct bpe_pieces *pieces, struct jl_error *err) {
    struct pretok pretok;
    JL_TRY(bpe_rules_pretok(&options->rules, &pretok, err));
    enum jl_status status = bpe_count(sources, n, &pretok, pool, pieces, err);
    pretok_free(&pretok);
    return status;
}

enum jl_status bpe_train(const struct bpe_train_source *sources, int n_source,
                         const struct bpe_train_options *options, struct pool *pool,
                         struct bpe_trained *out, struct jl_error *err) {
    struct bpe_pieces pieces = {0};
    struct bpe_learn learn = {0};
    *out = (struct bpe_trained){.n_special = options->n_special};
    JL_TRY(check(options, err));
    JL_TRY(check_sources(sources, n_source, err));
    enum jl_status status = count_words(sources, n_source, options, pool, &pieces, err);
    if (status == JL_OK) status = learn_all(options, &pieces, &learn, out, err);
    out->n_token = learn.n_token + options->n_special;
    out->n_merge = learn.n_token - N_BYTE;
    if (status == JL_OK)
        status = bpe_write_tokenizer(&learn, options, &out->tokenizer, &out->tokenizer_len, err);
    if (status == JL_OK)
        status = bpe_write_config(&learn, options, &out->config, &out->config_len, err);
    bpe_learn_free(&learn);
    bpe_pieces_free(&pieces);
    if (status != JL_OK) bpe_trained_free(out);
    return status;
}

void bpe_trained_free(struct bpe_trained *trained) {
    free(trained->tokenizer);
    free(trained->config);
    *trained = (struct bpe_trained){0};
}
