/* The models of a tokenizer.json: which kinds there are, their keys, and what Unigram and WordPiece
 * build of the vocabulary. Merges are in tokenizer_json_merges.c. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

#define UNKNOWN_PENALTY 10.0

/* ---- kinds ---- */

static const char *const bpe_keys[] = {"type",
                                       "dropout",
                                       "unk_token",
                                       "continuing_subword_prefix",
                                       "end_of_word_suffix",
                                       "fuse_unk",
                                       "byte_fallback",
                                       "ignore_merges",
                                       "vocab",
                                       "merges",
                                       NULL};
static const char *const unigram_keys[] = {"type", "unk_id", "vocab", "byte_fallback", NULL};
static const char *const wordpiece_keys[] = {
    "type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab", NULL};

/* Files of the first versions do not say; what the model has tells. */
static const char *untagged(const json_t *model) {
    if (json_object_get(model, "type")) return NULL;
    if (json_object_get(model, "merges")) return "BPE";
    if (json_is_array(json_object_get(model, "vocab"))) return "Unigram";
    return json_object_get(model, "max_input_chars_per_word") ? "WordPiece" : NULL;
}

static enum jl_status check_dropout(const json_t *model, struct jl_error *err) {
    const json_t *dropout = json_object_get(model, "dropout");
    if (json_reader_absent(dropout) ||
        (json_is_number(dropout) && !(json_number_value(dropout) != 0)))
        return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   JSON_READER_FILE ": model.dropout is set; merges are never dropped here: make "
                                    "it null");
}

enum jl_status tokenizer_json_model(struct tokenizer *t, const json_t *model,
                                    struct jl_error *err) {
    static const struct {
        const char *type;
        enum pipeline_model model;
        const char *const *keys;
    } kinds[] = {
        {"BPE", PIPELINE_BPE, bpe_keys},
        {"Unigram", PIPELINE_UNIGRAM, unigram_keys},
        {"WordPiece", PIPELINE_WORDPIECE, wordpiece_keys},
    };
    const char *type = untagged(model);
    if (!type) JL_TRY(json_reader_type(model, "model", &type, err));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].type, type) != 0) continue;
        t->model = kinds[i].model;
        JL_TRY(json_reader_keys(model, "model", kinds[i].keys, err));
        return check_dropout(model, err);
    }
    return json_reader_unknown("model", type, err);
}

/* Text becomes these tokens; control tokens are only ever found as they stand. */
static bool is_text(const struct vocab_token *token) {
    return (token->type == TOKEN_NORMAL || token->type == TOKEN_USER_DEFINED ||
            token->type == TOKEN_BYTE) &&
           token->len > 0;
}

static enum jl_status not_of_bytes(const struct tokenizer *t, struct jl_error *err) {
    if (!t->bpe.bytes) return JL_OK;
    return json_reader_unknown("pre_tokenizer", "ByteLevel with a model that is not BPE", err);
}

/* ---- Unigram ---- */

static enum jl_status read_score(const json_t *vocab, size_t i, double *score,
                                 struct jl_error *err) {
    const json_t *value = json_array_get(json_array_get(vocab, i), 1);
    *score = json_number_value(value);
    if (json_is_number(value) && isfinite(*score)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": model.vocab[%zu] must be a text and a number", i);
}

/* A byte token is not made of the text that its name is. */
static bool is_byte(const struct tokenizer *t, int32_t id) {
    int byte = vocab_byte_value(t->vocab.tokens[id].text, t->vocab.tokens[id].len);
    return byte >= 0 && t->bpe.byte_token[byte] == id;
}

static enum jl_status collect_pieces(struct tokenizer *t, const json_t *vocab,
                                     struct unigram_piece *pieces, size_t *n, double *least,
                                     struct jl_error *err) {
    *n = 0;
    *least = DBL_MAX;
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const struct vocab_token *token = &t->vocab.tokens[i];
        double score;
        JL_TRY(read_score(vocab, i, &score, err));
        if (score < *least) *least = score;
        if (!is_text(token) || is_byte(t, (int32_t)i)) continue;
        if (token->len > UNIGRAM_MAX_PIECE) {
            return jl_fail(err, JL_ERR_LIMIT,
                           JSON_READER_FILE ": model.vocab[%zu] has %u bytes of text, more than %d",
                           i, token->len, UNIGRAM_MAX_PIECE);
        }
        pieces[(*n)++] = (struct unigram_piece){token->text, token->len, (int32_t)i, score};
    }
    return JL_OK;
}

enum jl_status tokenizer_json_unigram(struct tokenizer *t, const json_t *model,
                                      struct jl_error *err) {
    const json_t *vocab = json_object_get(model, "vocab");
    struct unigram *unigram = &t->unigram;
    size_t count = json_array_size(vocab), n;
    double least;
    JL_TRY(not_of_bytes(t, err));
    struct unigram_piece *pieces = calloc(count ? count : 1, sizeof *pieces);
    if (!pieces) return tokenizer_json_no_memory(err);
    enum jl_status status = collect_pieces(t, vocab, pieces, &n, &least, err);
    unigram->unknown = t->bpe.unknown;
    unigram->unknown_score = least - UNKNOWN_PENALTY;
    memcpy(unigram->byte_token, t->bpe.byte_token, sizeof unigram->byte_token);
    for (int i = 0; i < 256; i++)
        unigram->byte_fallback = unigram->byte_fallback || t->bpe.byte_token[i] != TOKEN_NONE;
    if (status == JL_OK && !unigram_build(unigram, pieces, n, (size_t)t->vocab.n))
        status = tokenizer_json_no_memory(err);
    free(pieces);
    return status;
}

/* ---- WordPiece ---- */

enum jl_status tokenizer_json_wordpiece(struct tokenizer *t, const json_t *model,
                                        struct jl_error *err) {
    struct wordpiece *wordpiece = &t->wordpiece;
    const json_t *most = json_object_get(model, "max_input_chars_per_word");
    const char *prefix = "##";
    size_t prefix_len = 2, n = 0;
    int max_chars = 100;
    JL_TRY(not_of_bytes(t, err));
    if (!json_reader_absent(json_object_get(model, "continuing_subword_prefix")))
        JL_TRY(json_reader_string(model, "model", "continuing_subword_prefix", &prefix, &prefix_len,
                                  err));
    if (!json_reader_absent(most))
        JL_TRY(
            json_reader_id(most, "model", "max_input_chars_per_word", INT32_MAX, &max_chars, err));
    wordpiece->max_chars = (size_t)max_chars;
    wordpiece->unknown = t->bpe.unknown;
    struct wordpiece_token *tokens = calloc((size_t)t->vocab.n, sizeof *tokens);
    if (!tokens) return tokenizer_json_no_memory(err);
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        if (is_text(token) && vocab_find(&t->vocab, token->text, token->len) == id)
            tokens[n++] = (struct wordpiece_token){token->text, token->len, id};
    }
    bool ok = wordpiece_build(wordpiece, tokens, n, prefix, prefix_len);
    free(tokens);
    return ok ? JL_OK : tokenizer_json_no_memory(err);
}
