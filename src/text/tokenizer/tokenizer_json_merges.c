/* Merges of a tokenizer.json's BPE model. */
#include <string.h>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/tokenizer_json.h"

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
    int byte = bpe->bytes ? -1 : vocab_byte_value(token->text, token->len);
    return byte >= 0 && bpe->byte_token[byte] == id;
}

/* What a text of a merge stands for, into *out. */
static enum jl_status read_part(const struct bpe *bpe, const struct merge_texts *parts, int i,
                                struct byte_buffer *out, struct jl_error *err) {
    bool known = false;
    if (bpe->bytes && !byte_alphabet_read(parts->text[i], parts->len[i], out, &known))
        return tokenizer_json_no_memory(err);
    if (known) return JL_OK;
    out->len = 0;
    return buffer_append(out, parts->text[i], parts->len[i]) ? JL_OK
                                                             : tokenizer_json_no_memory(err);
}

/* The two tokens and what they become, which is their text without the second's prefix. */
static enum jl_status find_tokens(const struct bpe *bpe, const struct merge_texts *parts,
                                  struct byte_buffer bytes[2], int32_t ids[3],
                                  struct jl_error *err) {
    JL_TRY(read_part(bpe, parts, 0, &bytes[0], err));
    JL_TRY(read_part(bpe, parts, 1, &bytes[1], err));
    ids[0] = vocab_find(bpe->vocab, bytes[0].data, bytes[0].len);
    ids[1] = vocab_find(bpe->vocab, bytes[1].data, bytes[1].len);
    size_t skip = bpe->prefix && bytes[1].len >= bpe->prefix_len ? bpe->prefix_len : 0;
    if (!buffer_append(&bytes[0], bytes[1].data + skip, bytes[1].len - skip))
        return tokenizer_json_no_memory(err);
    ids[2] = vocab_find(bpe->vocab, bytes[0].data, bytes[0].len);
    return JL_OK;
}

static enum jl_status add_merge(struct bpe *bpe, const json_t *merge, uint32_t rank,
                                struct byte_buffer bytes[2], struct jl_error *err) {
    struct merge_texts parts;
    int32_t ids[3] = {TOKEN_NONE, TOKEN_NONE, TOKEN_NONE};
    uint64_t old;
    if (!split_merge(merge, &parts)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": model.merges[%u] must be \"a b\" or [\"a\", \"b\"]",
                       rank);
    }
    JL_TRY(find_tokens(bpe, &parts, bytes, ids, err));
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
    if (u64map_get(&bpe->pairs.map, key, &old)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": model.merges[%u] and [%u] are the same pair",
                       (unsigned)(old >> 32), rank);
    }
    // Text never becomes a special token piece by piece, only where such tokens are looked for.
    if (bpe->vocab->tokens[ids[2]].type == TOKEN_CONTROL) return JL_OK;
    bpe_allow_joins(bpe, bytes[0].data, bytes[0].len);
    return u64map_put(&bpe->pairs.map, key, bpe_merge_value(rank, ids[2]))
               ? JL_OK
               : tokenizer_json_no_memory(err);
}

enum jl_status tokenizer_json_merges(struct tokenizer *t, const json_t *model,
                                     struct jl_error *err) {
    const json_t *merges, *merge;
    struct byte_buffer bytes[2] = {0};
    enum jl_status status = JL_OK;
    size_t i;
    JL_TRY(json_reader_array(model, "model", "merges", &merges, err));
    if (json_array_size(merges) >= UINT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": model.merges is too long");
    json_array_foreach(merges, i, merge) {
        status = add_merge(&t->bpe, merge, (uint32_t)i, bytes, err);
        if (status != JL_OK) break;
    }
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
    if (status == JL_OK && !bpe_finish(&t->bpe)) return tokenizer_json_no_memory(err);
    return status;
}
