/* Vocabulary, added tokens and merges of a tokenizer.json. Ids may have holes; an id or a text that
 * stands for two things is an error. */
#include <string.h>

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
    *n = 0;
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

static enum jl_status add_vocab(struct tokenizer *t, const json_t *vocab, struct jl_error *err) {
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)vocab, text, value) {
        int32_t id = (int32_t)json_integer_value(value);
        size_t len = strlen(text); // keys hold no NUL
        JL_TRY(set_token(t, id, text, len, TOKEN_NORMAL, err));
        vocab_index(&t->vocab, id); // keys are unique
        if (!bpe_add_char(&t->bpe, id)) return no_memory(err);
    }
    return JL_OK;
}

static enum jl_status read_unknown(struct tokenizer *t, const json_t *model, struct jl_error *err) {
    const char *text;
    size_t len;
    t->bpe.unknown = TOKEN_NONE;
    if (json_reader_absent(json_object_get(model, "unk_token"))) return JL_OK;
    JL_TRY(json_reader_string(model, "model", "unk_token", &text, &len, err));
    t->bpe.unknown = vocab_find(&t->vocab, text, len);
    if (t->bpe.unknown != TOKEN_NONE) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": model.unk_token '%.80s' is not in the vocabulary", text);
}

static enum jl_status read_flags(struct tokenizer *t, const json_t *model, bool *byte_fallback,
                                 struct jl_error *err) {
    JL_TRY(json_reader_bool(model, "model", "fuse_unk", false, &t->bpe.fuse_unknown, err));
    JL_TRY(json_reader_bool(model, "model", "ignore_merges", false, &t->bpe.ignore_merges, err));
    return json_reader_bool(model, "model", "byte_fallback", false, byte_fallback, err);
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
        if (!normalize_text(&t->normalizer, token->text, token->len, scratch))
            return no_memory(err);
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

static enum jl_status add_added(struct tokenizer *t, const json_t *item,
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
    int32_t in_model = vocab_find(&t->vocab, content, len);
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
    added.text = token->text;
    added.len = token->len;
    return put_added(t, &added, normalized, scratch, err);
}

/* ---- what tokens decode to ---- */

static enum jl_status set_out(struct tokenizer *t, struct vocab_token *token,
                              const struct tokenizer_json_decoder *decoder,
                              struct byte_buffer scratch[2], struct jl_error *err) {
    if (!normalize_text(&decoder->rewrite, token->text, token->len, scratch)) return no_memory(err);
    struct byte_buffer *text = &scratch[0];
    int byte = decoder->byte_fallback ? vocab_byte_value(text->data, text->len) : -1;
    token->out = token->text;
    token->out_len = token->len;
    if (byte >= 0) {
        text->data[0] = (char)byte;
        text->len = 1;
        if (token->type == TOKEN_NORMAL) token->type = TOKEN_BYTE;
    } else if (text->len == token->len && memcmp(text->data, token->text, text->len) == 0) {
        return JL_OK;
    }
    if (text->len > UINT32_MAX) {
        return jl_fail(err, JL_ERR_LIMIT,
                       JSON_READER_FILE ": the decoder makes %zu bytes of '%.40s'", text->len,
                       token->text);
    }
    token->out = vocab_keep(&t->vocab, text->data, text->len);
    token->out_len = (uint32_t)text->len;
    return token->out ? JL_OK : no_memory(err);
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
    if (!json_is_object(vocab)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": model.vocab must be an object of token ids");
    }
    if (!json_reader_absent(added))
        JL_TRY(json_reader_array(root, "the file", "added_tokens", &added, err));
    JL_TRY(count_ids(vocab, added, &n, err));
    if (n == 0) return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": model.vocab is empty");
    if (!vocab_init(&t->vocab, &t->arena, n)) return no_memory(err);
    t->bpe.vocab = &t->vocab;
    JL_TRY(add_vocab(t, vocab, err));
    JL_TRY(read_unknown(t, model, err));
    JL_TRY(read_flags(t, model, &byte_fallback, err));
    memset(t->bpe.byte_token, 0xFF, sizeof t->bpe.byte_token); // all TOKEN_NONE
    if (byte_fallback) find_bytes(t);
    bpe_set_byte_fallback(&t->bpe);
    int n_added = (int)json_array_size(added);
    if (!added_init(&t->added_raw, &t->arena, n_added)) return no_memory(err);
    if (!added_init(&t->added_normalized, &t->arena, n_added)) return no_memory(err);
    json_array_foreach(added, i, item) JL_TRY(add_added(t, item, scratch, err));
    for (int32_t id = 0; id < n; id++) {
        struct vocab_token *token = &t->vocab.tokens[id];
        if (token->type != VOCAB_HOLE) JL_TRY(set_out(t, token, decoder, scratch, err));
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

/* ---- merges ---- */

struct merge_texts {
    const char *text[2];
    size_t len[2];
};

/* Either spelling of a merge: "a b" or ["a", "b"]. */
static bool split_merge(const json_t *merge, struct merge_texts *parts) {
    if (json_is_array(merge) && json_array_size(merge) == 2) {
        for (size_t i = 0; i < 2; i++) {
            const json_t *part = json_array_get(merge, i);
            parts->text[i] = json_string_value(part);
            parts->len[i] = json_string_length(part);
            if (!parts->text[i]) return false;
        }
        return true;
    }
    const char *text = json_string_value(merge);
    const char *space = text ? strchr(text, ' ') : NULL;
    if (!space || strchr(space + 1, ' ')) return false;
    *parts = (struct merge_texts){{text, space + 1}, {(size_t)(space - text), strlen(space + 1)}};
    return true;
}

static bool is_byte_token(const struct bpe *bpe, int32_t id) {
    const struct vocab_token *token = &bpe->vocab->tokens[id];
    int byte = vocab_byte_value(token->text, token->len);
    return byte >= 0 && bpe->byte_token[byte] == id;
}

static enum jl_status add_merge(struct bpe *bpe, const json_t *merge, uint32_t rank,
                                struct byte_buffer *joined, struct jl_error *err) {
    struct merge_texts parts;
    int32_t ids[3];
    uint64_t old;
    if (!split_merge(merge, &parts)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": model.merges[%u] must be \"a b\" or [\"a\", \"b\"]",
                       rank);
    }
    joined->len = 0;
    if (!buffer_append(joined, parts.text[0], parts.len[0]) ||
        !buffer_append(joined, parts.text[1], parts.len[1]))
        return no_memory(err);
    ids[0] = vocab_find(bpe->vocab, parts.text[0], parts.len[0]);
    ids[1] = vocab_find(bpe->vocab, parts.text[1], parts.len[1]);
    ids[2] = vocab_find(bpe->vocab, joined->data, joined->len);
    if (parts.len[0] == 0 || parts.len[1] == 0 || ids[0] < 0 || ids[1] < 0 || ids[2] < 0) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": model.merges[%u] joins '%.*s' and '%.*s', but the "
                                        "vocabulary lacks one of the three tokens",
                       rank, VOCAB_SHOW(parts.len[0]), parts.text[0], VOCAB_SHOW(parts.len[1]),
                       parts.text[1]);
    }
    for (int i = 0; i < 3; i++) {
        if (!is_byte_token(bpe, ids[i]) && ids[i] != bpe->unknown) continue;
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE ": model.merges[%u] merges a byte token or the unknown "
                                        "token, which is not supported",
                       rank);
    }
    uint64_t key = bpe_merge_key(ids[0], ids[1]);
    if (u64map_get(&bpe->pairs, key, &old)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": model.merges[%u] and [%u] are the same pair",
                       (unsigned)(old >> 32), rank);
    }
    bpe_allow_joins(bpe, joined->data, joined->len);
    return u64map_put(&bpe->pairs, key, bpe_merge_value(rank, ids[2])) ? JL_OK : no_memory(err);
}

enum jl_status tokenizer_json_merges(struct tokenizer *t, const json_t *model,
                                     struct jl_error *err) {
    const json_t *merges, *merge;
    struct byte_buffer joined = {0};
    enum jl_status status = JL_OK;
    size_t i;
    JL_TRY(json_reader_array(model, "model", "merges", &merges, err));
    if (json_array_size(merges) >= UINT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": model.merges is too long");
    json_array_foreach(merges, i, merge) {
        status = add_merge(&t->bpe, merge, (uint32_t)i, &joined, err);
        if (status != JL_OK) break;
    }
    buffer_free(&joined);
    return status;
}
