#include "session/splice.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"

/* One of the two sequences. */
struct side {
    const int32_t *ids;
    size_t n, at;               // ids[0, at) went through the stream
    struct token_stream stream; // bytes as the tokens have them
};

/* A place in both. */
struct border {
    struct side known, plain;
};

struct splice {
    const struct tokenizer *tokenizer;
    const char *text; // the prompt
    struct token_places places;
    size_t next_place; // the first one that is not behind the border
    size_t max;
    struct border now;
    struct border stretch; // behind the last mark
    const char *start;     // of that stretch in the prompt, NULL: not known or tried already
    struct byte_buffer known_text, plain_text; // what only one side has given yet
    size_t best_known, best_plain;
    struct jl_error *err;
};

static bool next_is_mark(const struct splice *s, const struct side *side) {
    return tokenizer_is_mark(s->tokenizer, side->ids[side->at]);
}

static enum jl_status push(struct splice *s, struct side *side, struct byte_buffer *text) {
    JL_TRY(token_stream_push(&side->stream, side->ids[side->at], &text->data, &text->len,
                             &text->cap, s->err));
    side->at++;
    return JL_OK;
}

/* Both sides have given the same text, and what follows may be taken from either. */
static void note_border(struct splice *s) {
    size_t rest = s->now.plain.n - s->now.plain.at;
    if (rest > s->max || s->now.known.at > s->max - rest || s->now.known.at < s->best_known) return;
    s->best_known = s->now.known.at;
    s->best_plain = s->now.plain.at;
}

/* A mark has been passed: a stretch of text begins. Where, is known of marks found in the prompt,
 * not of those that stand before it or for what the vocabulary lacks. */
static void begin_stretch(struct splice *s) {
    const struct token_places *places = &s->places;
    s->start = NULL;
    s->stretch = s->now;
    if (s->next_place == places->len || places->data[s->next_place].at >= s->now.plain.at) return;
    const struct token_place *place = &places->data[s->next_place++];
    if (place->bytes.stop > place->bytes.start) s->start = s->text + place->bytes.stop;
}

/* As long as both have the same ids. */
static enum jl_status pass_equal(struct splice *s) {
    struct side *known = &s->now.known, *plain = &s->now.plain;
    while (known->at < known->n && plain->at < plain->n &&
           known->ids[known->at] == plain->ids[plain->at]) {
        bool mark = next_is_mark(s, plain);
        s->known_text.len = 0;
        JL_TRY(push(s, known, &s->known_text));
        plain->stream = known->stream; // they agreed, and got the same
        plain->at++;
        if (mark) begin_stretch(s);
        note_border(s);
    }
    s->known_text.len = 0;
    return JL_OK;
}

static void drop(struct byte_buffer *text, size_t n) {
    text->len -= n;
    memmove(text->data, text->data + n, text->len);
}

/* Drops what both have; false when they differ. */
static bool match(struct splice *s) {
    struct byte_buffer *known = &s->known_text, *plain = &s->plain_text;
    size_t n = known->len < plain->len ? known->len : plain->len;
    if (n == 0) return true;
    if (memcmp(known->data, plain->data, n) != 0) return false;
    drop(known, n);
    drop(plain, n);
    return true;
}

/* From a border where the ids differ to the next one, by letting that side go on which is behind.
 * A token without text stands for itself only. *met = false: there is none. */
static enum jl_status catch_up(struct splice *s, bool *met) {
    struct border *now = &s->now;
    *met = false;
    s->known_text.len = s->plain_text.len = 0;
    do {
        bool known_first = s->known_text.len <= s->plain_text.len;
        struct side *side = known_first ? &now->known : &now->plain;
        struct byte_buffer *text = known_first ? &s->known_text : &s->plain_text;
        size_t before = text->len;
        if (side->at == side->n || next_is_mark(s, side)) return JL_OK;
        JL_TRY(push(s, side, text));
        if (text->len == before || !match(s)) return JL_OK;
    } while (s->known_text.len || s->plain_text.len ||
             !token_stream_agree(&now->known.stream, &now->plain.stream));
    *met = true;
    return JL_OK;
}

/* The known ids of the stretch, if they spell all of it as the prompt has it. */
static enum jl_status pass_stretch(struct splice *s, bool *met) {
    struct border *now = &s->now;
    *met = false;
    if (!s->start || s->next_place == s->places.len) return JL_OK;
    const struct token_place *end = &s->places.data[s->next_place];
    if (end->bytes.stop == end->bytes.start) return JL_OK;
    size_t left = (size_t)(s->text + end->bytes.start - s->start);
    const char *text = s->start;
    *now = s->stretch;
    s->start = NULL;
    while (left) {
        s->known_text.len = 0;
        if (now->known.at == now->known.n || next_is_mark(s, &now->known)) return JL_OK;
        JL_TRY(push(s, &now->known, &s->known_text));
        size_t n = s->known_text.len;
        if (n == 0 || n > left || memcmp(text, s->known_text.data, n) != 0) return JL_OK;
        text += n;
        left -= n;
    }
    while (now->plain.at < end->at) {
        s->plain_text.len = 0;
        JL_TRY(push(s, &now->plain, &s->plain_text));
    }
    *met = token_stream_agree(&now->known.stream, &now->plain.stream);
    return JL_OK;
}

static enum jl_status find_best(struct splice *s) {
    bool met = true;
    while (met) {
        JL_TRY(pass_equal(s));
        if (s->now.known.at == s->now.known.n || s->now.plain.at == s->now.plain.n) break;
        JL_TRY(catch_up(s, &met));
        if (!met) JL_TRY(pass_stretch(s, &met));
        if (met) note_border(s);
    }
    return JL_OK;
}

static struct side side_of(const struct tokenizer *tokenizer, const int32_t *ids, size_t n) {
    struct side side = {.ids = ids, .n = n};
    token_stream_init(&side.stream, tokenizer, false);
    side.stream.show_control = side.stream.raw = true;
    return side;
}

/* known[0, best) in the place of what it stands for. */
static enum jl_status join(const struct splice *s, const struct splice_known *known,
                           struct token_ids *ids) {
    size_t rest = ids->len - s->best_plain;
    int32_t *joined = malloc((s->best_known + rest + 1) * sizeof *joined); // not empty
    if (!joined) return jl_fail(s->err, JL_ERR_MEMORY, "out of memory for a prompt");
    if (s->best_known) memcpy(joined, known->ids, s->best_known * sizeof *joined);
    memcpy(joined + s->best_known, ids->data + s->best_plain, rest * sizeof *joined);
    free(ids->data);
    *ids = (struct token_ids){joined, s->best_known + rest};
    return JL_OK;
}

enum jl_status splice_encode(const struct tokenizer *tokenizer, const struct tokenizer_text *text,
                             int flags, const struct splice_known *known, struct token_ids *ids,
                             struct jl_error *err) {
    struct splice s = {.tokenizer = tokenizer, .text = text->text, .max = known->max, .err = err};
    JL_TRY(tokenizer_encode_marked(tokenizer, text, flags, ids, &s.places, err));
    s.now.known = side_of(tokenizer, known->ids, known->n);
    s.now.plain = side_of(tokenizer, ids->data, ids->len);
    enum jl_status status = find_best(&s);
    if (status == JL_OK) status = join(&s, known, ids);
    if (status != JL_OK) {
        free(ids->data);
        *ids = (struct token_ids){0};
    }
    free(s.places.data);
    buffer_free(&s.known_text);
    buffer_free(&s.plain_text);
    return status;
}
