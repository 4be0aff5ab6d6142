/* Vocabulary and added tokens of a tokenizer.json. Ids may have holes; an id or a text that
 * stands for two things is an error. */
#include <string.h>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/tokenizer_json.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, JSON_READER_FILE ": out of memory for the vocabulary");
}

/* ---- tokens ---- */

static enum jl_status set_token(struct tokenizer *t, int32_t id, const char *text, size_t len,
                                int type, struct jl_error *err) {
    struct vocab_token *token = &t->vocab.tokens[id];
    if (token->type != VOCAB_HOLE) {
        return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": '%.*s' and '%.*s' both have id %d",
                       VOCAB_SHOW(token->len), token->text, VOCAB_SHOW(len), text, id);
    }
    if (len > UINT32_MAX / 4) {
        return jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": token %d has %zu bytes of text", id,
                       len);
    }
    token->text = vocab_keep(&t->vocab, text, len);
    if (!token->text) return no_memory(err);
    token->len = (uint32_t)len;
    token->type = type;
    return JL_OK;
}

/* One more than the largest id, over the model's vocabulary and the added tokens. */
static enum jl_status count_ids(const json_t *vocab, const json_t *added, int *n,
                                struct jl_error *err) {
    const char *text;
    json_t *value;
    const json_t *item;
    size_t i;
    int id;
    *n = (int)json_array_size(vocab); // of a Unigram model
    json_object_foreach((json_t *)vocab, text, value) {
        JL_TRY(json_reader_id(value, "model.vocab", text, VOCAB_MAX_TOKENS, &id, err));
        if (id >= *n) *n = id + 1;
    }
    json_array_foreach(added, i, item) {
        const char *content;
        size_t len;
        JL_TRY(json_reader_string(item, "added_tokens", "content", &content, &len, err));
        JL_TRY(json_reader_id(json_object_get(item, "id"), "added_tokens", content,
                              VOCAB_MAX_TOKENS, &id, err));
        if (id >= *n) *n = id + 1;
    }
    return JL_OK;
}

/* A vocabulary of bytes is written in the byte alphabet; a text the alphabet cannot write stays as
 * it is, and no text ever becomes it. */
static enum jl_status add_vocab(struct tokenizer *t, const json_t *vocab, struct byte_buffer *bytes,
                                struct jl_error *err) {
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)vocab, text, value) {
        int32_t id = (int32_t)json_integer_value(value);
        size_t len = strlen(text); // keys hold no NUL
        bool known = false;
        if (t->bpe.bytes && !byte_alphabet_read(text, len, bytes, &known)) return no_memory(err);
        JL_TRY(set_token(t, id, known ? bytes->data : text, known ? bytes->len : len, TOKEN_NORMAL,
                         err));
        if (t->bpe.bytes && !known) continue;
        vocab_index(&t->vocab, id); // keys are unique
        if (!bpe_add_char(&t->bpe, id)) return no_memory(err);
    }
    return JL_OK;
}

/* Unigram: a list of a text and a score each. */
static enum jl_status add_pieces(struct tokenizer *t, const json_t *vocab, struct jl_error *err) {
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *text = json_array_get(json_array_get(vocab, i), 0);
        if (!json_is_string(text)) {
            return jl_fail(err, JL_ERR_FORMAT,
                           JSON_READER_FILE ": model.vocab[%zu] must be a text and a number", i);
        }
        JL_TRY(set_token(t, (int32_t)i, json_string_value(text), json_string_length(text),
                         TOKEN_NORMAL, err));
        vocab_index(&t->vocab, (int32_t)i);
    }
    return JL_OK;
}

/* The id of a text as the file writes it. */
static int32_t literal_id(const struct tokenizer *t, const json_t *vocab, const char *text,
                          size_t len) {
    if (json_is_array(vocab)) return vocab_find(&t->vocab, text, len);
    const json_t *id = strlen(text) == len ? json_object_get(vocab, text) : NULL;
    return id ? (int32_t)json_integer_value(id) : TOKEN_NONE;
}

static enum jl_status read_unknown(struct tokenizer *t, const json_t *model, struct jl_error *err) {
    const char *text;
    size_t len;
    t->bpe.unknown = TOKEN_NONE; // of the other models too
    if (t->model == PIPELINE_UNIGRAM) {
        const json_t *id = json_object_get(model, "unk_id");
        if (json_reader_absent(id)) return JL_OK;
        return json_reader_id(id, "model", "unk_id", t->vocab.n, &t->bpe.unknown, err);
    }
    if (json_reader_absent(json_object_get(model, "unk_token"))) return JL_OK;
    JL_TRY(json_reader_string(model, "model", "unk_token", &text, &len, err));
    t->bpe.unknown = literal_id(t, json_object_get(model, "vocab"), text, len);
    if (t->bpe.unknown != TOKEN_NONE) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": model.unk_token '%.80s' is not in the vocabulary", text);
}

/* A text that symbols inside or at the end of a word carry. */
static enum jl_status read_affix(struct tokenizer *t, const json_t *model, const char *key,
                                 const char **text, size_t *len, struct jl_error *err) {
    if (json_reader_absent(json_object_get(model, key))) return JL_OK;
    JL_TRY(json_reader_string(model, "model", key, text, len, err));
    if (*len == 0) {
        *text = NULL;
        return JL_OK;
    }
    if (t->bpe.bytes) return json_reader_unknown("model", key, err);
    return tokenizer_json_keep(t, *text, *len, text, err);
}

static enum jl_status read_flags(struct tokenizer *t, const json_t *model, bool *byte_fallback,
                                 struct jl_error *err) {
    JL_TRY(json_reader_bool(model, "model", "fuse_unk", false, &t->bpe.fuse_unknown, err));
    JL_TRY(json_reader_bool(model, "model", "ignore_merges", false, &t->bpe.ignore_merges, err));
    JL_TRY(json_reader_bool(model, "model", "byte_fallback", false, byte_fallback, err));
    if (t->model != PIPELINE_BPE) return JL_OK;
    JL_TRY(
        read_affix(t, model, "continuing_subword_prefix", &t->bpe.prefix, &t->bpe.prefix_len, err));
    JL_TRY(read_affix(t, model, "end_of_word_suffix", &t->bpe.suffix, &t->bpe.suffix_len, err));
    if (*byte_fallback && (t->bpe.prefix || t->bpe.suffix))
        return json_reader_unknown("model", "byte_fallback with a prefix or suffix", err);
    return JL_OK;
}

static void find_bytes(struct tokenizer *t) {
    static const char hex[] = "0123456789ABCDEF";
    for (int i = 0; i < 256; i++) {
        const char text[6] = {'<', '0', 'x', hex[i >> 4], hex[i & 15], '>'};
        t->bpe.byte_token[i] = vocab_find(&t->vocab, text, sizeof text);
    }
}

/* ---- added tokens ---- */

static enum jl_status put_added(struct tokenizer *t, struct added_token *token, bool normalized,
                                struct byte_buffer scratch[2], struct jl_error *err) {
    struct added_set *set = normalized ? &t->added_normalized : &t->added_raw;
    const char *content = token->text;
    int32_t same;
    if (normalized) {
        if (token->special && token->len && !added_put(&t->added_guarded, token, &same))
            return no_memory(err);
        JL_TRY(normalize_text(&t->normalizer, token->text, token->len, scratch, err));
        token->text = arena_strndup(&t->arena, scratch[0].data, scratch[0].len);
        token->len = scratch[0].len;
        if (!token->text) return no_memory(err);
    }
    if (token->len == 0) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": added_tokens: token %d has an empty text", token->id);
    }
    if (!added_put(set, token, &same)) return no_memory(err);
    if (same < 0) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": added_tokens: tokens %d and %d are both '%.80s'", same,
                   token->id, content);
}

static enum jl_status add_added(struct tokenizer *t, const json_t *vocab, const json_t *item,
                                struct byte_buffer scratch[2], struct jl_error *err) {
    static const char *const known[] = {"id",     "content",    "special",     "lstrip",
                                        "rstrip", "normalized", "single_word", NULL};
    struct added_token added = {0};
    bool normalized;
    const char *content;
    size_t len;
    JL_TRY(json_reader_keys(item, "added_tokens", known, err));
    JL_TRY(json_reader_string(item, "added_tokens", "content", &content, &len, err));
    added.id = (int32_t)json_integer_value(json_object_get(item, "id"));
    JL_TRY(json_reader_bool(item, "added_tokens", "special", false, &added.special, err));
    JL_TRY(json_reader_bool(item, "added_tokens", "lstrip", false, &added.lstrip, err));
    JL_TRY(json_reader_bool(item, "added_tokens", "rstrip", false, &added.rstrip, err));
    JL_TRY(json_reader_bool(item, "added_tokens", "single_word", false, &added.single_word, err));
    JL_TRY(json_reader_bool(item, "added_tokens", "normalized", !added.special, &normalized, err));
    int32_t in_model = literal_id(t, vocab, content, len);
    if (in_model == TOKEN_NONE) {
        JL_TRY(set_token(t, added.id, content, len, TOKEN_USER_DEFINED, err));
    } else if (in_model != added.id) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": added_tokens: '%.80s' has id %d, in model.vocab %d",
                       content, added.id, in_model);
    }
    struct vocab_token *token = &t->vocab.tokens[added.id];
    token->type = !added.special               ? TOKEN_USER_DEFINED
                  : added.id == t->bpe.unknown ? TOKEN_UNKNOWN
                                               : TOKEN_CONTROL;
    JL_TRY(tokenizer_json_keep(t, content, len, &added.text, err));
    added.len = len;
    return put_added(t, &added, normalized, scratch, err);
}

static enum jl_status read_vocab(struct tokenizer *t, const json_t *root,
                                 const struct tokenizer_json_decoder *decoder,
                                 struct byte_buffer scratch[2], struct jl_error *err) {
    const json_t *model = json_object_get(root, "model"), *item;
    const json_t *vocab = json_object_get(model, "vocab");
    const json_t *added = json_object_get(root, "added_tokens");
    size_t i;
    int n;
    bool byte_fallback;
    bool unigram = t->model == PIPELINE_UNIGRAM;
    if (unigram ? !json_is_array(vocab) : !json_is_object(vocab)) {
        return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": model.vocab must be %s",
                       unigram ? "a list of texts and scores" : "an object of token ids");
    }
    if (json_array_size(vocab) > VOCAB_MAX_TOKENS) {
        return jl_fail(err, JL_ERR_LIMIT,
                       JSON_READER_FILE ": model.vocab has %zu tokens; %d are possible",
                       json_array_size(vocab), VOCAB_MAX_TOKENS);
    }
    if (!json_reader_absent(added))
        JL_TRY(json_reader_array(root, "the file", "added_tokens", &added, err));
    JL_TRY(count_ids(vocab, added, &n, err));
    if (n == 0) return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": model.vocab is empty");
    if (!vocab_init(&t->vocab, &t->arena, n)) return no_memory(err);
    t->bpe.vocab = &t->vocab;
    JL_TRY(unigram ? add_pieces(t, vocab, err) : add_vocab(t, vocab, &scratch[0], err));
    JL_TRY(read_unknown(t, model, err));
    JL_TRY(read_flags(t, model, &byte_fallback, err));
    memset(t->bpe.byte_token, 0xFF, sizeof t->bpe.byte_token); // all TOKEN_NONE
    if (byte_fallback) find_bytes(t);
    bpe_set_byte_fallback(&t->bpe);
    int n_added = (int)json_array_size(added);
    if (!added_init(&t->added_raw, &t->arena, n_added)) return no_memory(err);
    if (!added_init(&t->added_normalized, &t->arena, n_added)) return no_memory(err);
    if (!added_init(&t->added_guarded, &t->arena, n_added)) return no_memory(err);
    json_array_foreach(added, i, item) JL_TRY(add_added(t, vocab, item, scratch, err));
    for (int32_t id = 0; id < n; id++) {
        struct vocab_token *token = &t->vocab.tokens[id];
        if (token->type != VOCAB_HOLE) JL_TRY(tokenizer_json_out(t, token, decoder, scratch, err));
    }
    return JL_OK;
}

enum jl_status tokenizer_json_vocab(struct tokenizer *t, const json_t *root,
                                    const struct tokenizer_json_decoder *decoder,
                                    struct jl_error *err) {
    struct byte_buffer scratch[2] = {0};
    enum jl_status status = read_vocab(t, root, decoder, scratch, err);
    buffer_free(&scratch[0]);
    buffer_free(&scratch[1]);
    return status;
}
