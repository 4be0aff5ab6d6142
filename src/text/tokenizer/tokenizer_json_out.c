/* What the tokens of a tokenizer.json decode to, worked out once for each. */
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, JSON_READER_FILE ": out of memory for the vocabulary");
}

/* The word's suffix becomes a space, and the strip of single tokens cuts. */
static enum jl_status trim_out(const struct tokenizer_json_decoder *decoder,
                               struct byte_buffer scratch[2], struct jl_error *err) {
    const struct pipeline_strip *strip = &decoder->strip;
    if (decoder->suffix) {
        const struct normalize_step spaces = {.kind = NORMALIZE_REPLACE,
                                              .pattern = decoder->suffix,
                                              .pattern_len = decoder->suffix_len,
                                              .content = " ",
                                              .content_len = 1};
        struct byte_buffer old = scratch[0];
        scratch[0] = scratch[1];
        scratch[1] = old;
        scratch[0].len = 0;
        if (!normalize_replace(&spaces, old.data, old.len, &scratch[0])) return no_memory(err);
    }
    struct byte_buffer *text = &scratch[0];
    size_t start = 0, n = strip->mark_len;
    for (int i = 0; i < strip->start && text->len - start >= n; i++, start += n) {
        if (memcmp(text->data + start, strip->mark, n) != 0) break;
    }
    memmove(text->data, text->data + start, text->len - start);
    text->len -= start;
    for (int i = 0; i < strip->stop && text->len >= n; i++, text->len -= n) {
        if (memcmp(text->data + text->len - n, strip->mark, n) != 0) break;
    }
    return JL_OK;
}

/* Replaces in out[0]; out[1] is scratch. */
static bool replace(struct byte_buffer out[2], const char *pattern, size_t pattern_len,
                    const char *content) {
    const struct normalize_step step = {.kind = NORMALIZE_REPLACE,
                                        .pattern = pattern,
                                        .pattern_len = pattern_len,
                                        .content = content,
                                        .content_len = strlen(content)};
    struct byte_buffer old = out[0];
    out[0] = out[1];
    out[1] = old;
    out[0].len = 0;
    return normalize_replace(&step, old.data, old.len, &out[0]);
}

/* Hugging Face's cleanup of English, one token at a time. */
static bool clean_up(struct byte_buffer out[2]) {
    static const char *const rules[][2] = {{" .", "."},     {" ?", "?"},           {" !", "!"},
                                           {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
                                           {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
                                           {" 've", "'ve"}, {" 're", "'re"}};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof rules / sizeof rules[0]; i++)
        ok = replace(out, rules[i][0], strlen(rules[i][0]), rules[i][1]);
    return ok;
}

/* What WordPiece and CTC make of a token. */
static enum jl_status word_out(const struct tokenizer_json_decoder *decoder,
                               struct byte_buffer scratch[2], struct jl_error *err) {
    struct byte_buffer *text = &scratch[0];
    bool ok = true;
    if (decoder->prefix) {
        size_t n = decoder->prefix_len;
        if (text->len >= n && memcmp(text->data, decoder->prefix, n) == 0) {
            memmove(text->data, text->data + n, text->len - n);
            text->len -= n;
        } else {
            ok = buffer_reserve(text, 1);
            if (ok) memmove(text->data + 1, text->data, text->len++);
            if (ok) text->data[0] = ' ';
        }
    }
    if (decoder->pad) ok = ok && replace(scratch, decoder->pad, decoder->pad_len, "");
    if (decoder->cleanup) ok = ok && clean_up(scratch);
    if (decoder->delimiter && decoder->cleanup)
        ok = ok && replace(scratch, decoder->delimiter, decoder->delimiter_len, " ");
    return ok ? JL_OK : no_memory(err);
}

/* Other texts may end with a space of their own. */
static bool ends_word(const struct tokenizer_json_decoder *decoder,
                      const struct byte_buffer *text) {
    size_t n = decoder->suffix_len;
    return n && text->len >= n && memcmp(text->data + text->len - n, decoder->suffix, n) == 0;
}

enum jl_status tokenizer_json_out(struct tokenizer *t, struct vocab_token *token,
                                  const struct tokenizer_json_decoder *decoder,
                                  struct byte_buffer scratch[2], struct jl_error *err) {
    token->out = token->text;
    token->out_len = token->len;
    if (decoder->byte_level) return JL_OK;
    JL_TRY(normalize_text(&decoder->rewrite, token->text, token->len, scratch, err));
    bool word = ends_word(decoder, &scratch[0]);
    JL_TRY(trim_out(decoder, scratch, err));
    JL_TRY(word_out(decoder, scratch, err));
    struct byte_buffer *text = &scratch[0];
    token->ends_word = word && text->len && text->data[text->len - 1] == ' '; // it may be cut off
    int byte = decoder->byte_fallback ? vocab_byte_value(text->data, text->len) : -1;
    if (byte >= 0) {
        text->data[0] = (char)byte;
        text->len = 1;
        if (token->type == TOKEN_NORMAL) token->type = TOKEN_BYTE;
    } else if (text->len == token->len && memcmp(text->data, token->text, text->len) == 0) {
        return JL_OK;
    }
    if (text->len > UINT32_MAX / 4) {
        return jl_fail(err, JL_ERR_LIMIT,
                       JSON_READER_FILE ": the decoder makes %zu bytes of '%.40s'", text->len,
                       token->text);
    }
    token->out = vocab_keep(&t->vocab, text->data, text->len);
    token->out_len = (uint32_t)text->len;
    return token->out ? JL_OK : no_memory(err);
}
