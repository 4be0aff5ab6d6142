/* Ids to text, one at a time. Bytes wait until they make a character; what can no longer become
 * one is written as U+FFFD, one for each maximal ill-formed part. */
#include <string.h>

#include "text/tokenizer/pipeline.h"
#include "text/utf8.h"

#define STRIPPED_MAX ((size_t)PIPELINE_MAX_STRIP * UTF8_MAX) // bytes of marks that wait

void token_stream_init(struct token_stream *stream, const struct tokenizer *tokenizer,
                       bool at_start) {
    *stream = (struct token_stream){.tokenizer = tokenizer, .started = !at_start};
}

static void put(struct byte_buffer *out, const char *bytes, size_t len) {
    memcpy(out->data + out->len, bytes, len);
    out->len += len;
}

static bool begins_with(const char *bytes, size_t len, const struct pipeline_strip *strip) {
    return len >= strip->mark_len && memcmp(bytes, strip->mark, strip->mark_len) == 0;
}

/* Up to strip.start marks at the start are lost, and as many as strip.stop at the end: those wait
 * until more text shows that the end is not there. */
static void write_stripped(struct token_stream *stream, struct byte_buffer *out, const char *bytes,
                           size_t len) {
    const struct pipeline_strip *strip = &stream->tokenizer->strip;
    size_t n = strip->mark_len, end = len, marks = 0;
    while (!stream->started && stream->n_dropped < strip->start && begins_with(bytes, end, strip)) {
        bytes += n;
        end -= n;
        stream->n_dropped++;
    }
    if (end == 0) return;
    stream->started = true;
    while (end >= n && begins_with(bytes + end - n, n, strip)) {
        end -= n;
        marks++;
    }
    if (end) {
        for (; stream->n_waiting; stream->n_waiting--)
            put(out, strip->mark, n);
        put(out, bytes, end);
    }
    for (marks += (size_t)stream->n_waiting; marks > (size_t)strip->stop; marks--)
        put(out, strip->mark, n);
    stream->n_waiting = (int)marks;
}

/* Room is there: the caller reserved three bytes for each byte that can come out. */
static void write_out(struct token_stream *stream, struct byte_buffer *out, const char *bytes,
                      size_t len) {
    if (len == 0) return;
    if (stream->tokenizer->first == PIPELINE_FIRST_STRIP) {
        write_stripped(stream, out, bytes, len);
        return;
    }
    if (!stream->started && stream->tokenizer->first == PIPELINE_FIRST_DROP_SPACE &&
        bytes[0] == ' ') {
        bytes++;
        len--;
    }
    stream->started = true;
    put(out, bytes, len);
}

/* In the place of `n` bytes that begin a character and do not end it. */
static void write_bad(struct token_stream *stream, struct byte_buffer *out, size_t n) {
    if (!stream->tokenizer->bad_bytes_alone) n = 1;
    for (; n; n--)
        write_out(stream, out, UTF8_REPLACEMENT, sizeof UTF8_REPLACEMENT - 1);
}

/* Writes whole characters; an unfinished one at the end stays in stream->held. */
static void write_chars(struct token_stream *stream, struct byte_buffer *out, const char *bytes,
                        size_t len) {
    size_t at = 0;
    if (stream->raw) {
        write_out(stream, out, bytes, len);
        return;
    }
    while (at < len) {
        size_t good = at + utf8_valid_length(bytes + at, len - at);
        write_out(stream, out, bytes + at, good - at);
        at = good;
        if (at == len) break;
        bool unfinished;
        int bad = utf8_bad_length(bytes + at, len - at, &unfinished);
        if (unfinished) {
            memcpy(stream->held, bytes + at, len - at);
            stream->n_held = (int)(len - at);
            return;
        }
        write_bad(stream, out, (size_t)bad);
        at += (size_t)bad;
    }
}

/* Lets the waiting bytes become a character with the next ones; the number of bytes used up. */
static size_t finish_held(struct token_stream *stream, struct byte_buffer *out, const char *bytes,
                          size_t len) {
    size_t used = 0;
    while (stream->n_held && used < len) {
        char *held = (char *)stream->held;
        size_t n = (size_t)stream->n_held;
        bool unfinished;
        held[n] = bytes[used];
        if (utf8_length(held, n + 1)) {
            stream->n_held = 0;
            write_out(stream, out, held, n + 1);
            used++;
        } else if (utf8_bad_length(held, n + 1, &unfinished), unfinished) {
            stream->n_held++;
            used++;
        } else { // the new byte begins something else
            stream->n_held = 0;
            write_bad(stream, out, n);
        }
    }
    return used;
}

/* The first token's text as it stands in the vocabulary, without any marks. Such vocabularies come
 * from JSON, so the parts between marks are whole characters. */
static void write_without_marks(struct token_stream *stream, struct byte_buffer *out,
                                const struct vocab_token *token) {
    const struct tokenizer *tokenizer = stream->tokenizer;
    const char *at = token->text, *end = at + token->len;
    while (at < end) {
        const char *mark =
            memmem(at, (size_t)(end - at), tokenizer->first_mark, tokenizer->first_mark_len);
        write_chars(stream, out, at, (size_t)((mark ? mark : end) - at));
        at = mark ? mark + tokenizer->first_mark_len : end;
    }
}

static void write_text(struct token_stream *stream, struct byte_buffer *out, const char *bytes,
                       size_t len) {
    size_t used = finish_held(stream, out, bytes, len);
    write_chars(stream, out, bytes + used, len - used);
}

/* SentencePiece: at the start, the mark that a token begins with is not written. */
static void write_marked(struct token_stream *stream, struct byte_buffer *out,
                         const struct vocab_token *token) {
    const struct tokenizer *t = stream->tokenizer;
    bool mark = token->type != TOKEN_UNKNOWN && token->len >= t->first_mark_len &&
                memcmp(token->text, t->first_mark, t->first_mark_len) == 0;
    write_text(stream, out, token->out + mark, token->out_len - mark); // `out` has a space there
    if (mark && t->first == PIPELINE_FIRST_ONE_MARK) stream->started = true;
}

/* The token's text with what stands between it and the token before. */
static void write_token(struct token_stream *stream, struct byte_buffer *out,
                        const struct vocab_token *token) {
    enum pipeline_first first = stream->started ? PIPELINE_FIRST_KEEP : stream->tokenizer->first;
    if (stream->space_waits) write_text(stream, out, " ", 1);
    stream->space_waits = stream->tokenizer->glue == PIPELINE_GLUE_SPACE || token->ends_word;
    size_t len = token->out_len - token->ends_word;
    if (first == PIPELINE_FIRST_DROP_MARKS || first == PIPELINE_FIRST_TEXT) stream->started = true;
    if (first == PIPELINE_FIRST_DROP_MARKS && token->type != TOKEN_BYTE)
        write_without_marks(stream, out, token);
    else if (first == PIPELINE_FIRST_TEXT)
        write_text(stream, out, token->text, token->len);
    else if ((first == PIPELINE_FIRST_ONE_MARK || first == PIPELINE_FIRST_EACH_MARK) &&
             token->type != TOKEN_BYTE && !(stream->n_held && !stream->raw))
        write_marked(stream, out, token);
    else
        write_text(stream, out, token->out, len);
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for decoded text");
}

enum jl_status token_stream_push(struct token_stream *stream, int32_t id, char **text, size_t *len,
                                 size_t *cap, struct jl_error *err) {
    const struct tokenizer *tokenizer = stream->tokenizer;
    if (!vocab_has(&tokenizer->vocab, id)) {
        return jl_fail(err, JL_ERR_USAGE, "token id %d is not in the vocabulary of %d tokens", id,
                       tokenizer->vocab.n);
    }
    const struct vocab_token *token = &tokenizer->vocab.tokens[id];
    bool hidden = token->type == TOKEN_CONTROL ||
                  (token->type == TOKEN_UNKNOWN && !tokenizer->unknown_has_text);
    if (hidden && !stream->show_control)
        return tokenizer->bad_bytes_alone ? token_stream_end(stream, text, len, cap, err) : JL_OK;
    if (tokenizer->drop_repeats && stream->last == id + 1) return JL_OK;
    struct byte_buffer out = {*text, *len, *cap};
    size_t most = (size_t)stream->n_held + 1 + token->out_len + token->len, room;
    // Each byte becomes at most one U+FFFD; one more byte ends the text with a NUL.
    if (!size_mul(most, 3, &room) || !buffer_reserve(&out, room + STRIPPED_MAX + 1))
        return no_memory(err);
    *text = out.data;
    *cap = out.cap;
    stream->last = id + 1;
    write_token(stream, &out, token);
    out.data[out.len] = '\0';
    *len = out.len;
    return JL_OK;
}

enum jl_status token_stream_end(struct token_stream *stream, char **text, size_t *len, size_t *cap,
                                struct jl_error *err) {
    if (stream->n_held == 0) return JL_OK;
    struct byte_buffer out = {*text, *len, *cap};
    if (!buffer_reserve(&out, UTF8_MAX * sizeof UTF8_REPLACEMENT + STRIPPED_MAX))
        return no_memory(err);
    *text = out.data;
    *cap = out.cap;
    write_bad(stream, &out, (size_t)stream->n_held);
    stream->n_held = 0;
    out.data[out.len] = '\0';
    *len = out.len;
    return JL_OK;
}

bool token_stream_agree(const struct token_stream *a, const struct token_stream *b) {
    const struct tokenizer *tokenizer = a->tokenizer;
    return tokenizer == b->tokenizer && a->show_control == b->show_control && a->raw == b->raw &&
           a->started == b->started && a->space_waits == b->space_waits &&
           a->n_dropped == b->n_dropped && a->n_waiting == b->n_waiting &&
           (a->last == b->last || !tokenizer->drop_repeats) && a->n_held == b->n_held &&
           memcmp(a->held, b->held, (size_t)a->n_held) == 0;
}
