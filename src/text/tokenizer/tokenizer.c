/* Encoding through the stages of pipeline.h, and the small questions about a tokenizer. */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pipeline.h"

void tokenizer_free(struct tokenizer *tokenizer) {
    if (!tokenizer) return;
    bpe_free(&tokenizer->bpe);
    unigram_free(&tokenizer->unigram);
    wordpiece_free(&tokenizer->wordpiece);
    pretok_free(&tokenizer->pretok);
    normalize_free(&tokenizer->normalizer);
    added_free(&tokenizer->added_raw);
    added_free(&tokenizer->added_normalized);
    added_free(&tokenizer->added_guarded);
    arena_free(&tokenizer->arena);
    free(tokenizer);
}

int tokenizer_vocab_size(const struct tokenizer *tokenizer) { return tokenizer->vocab.n; }

int32_t tokenizer_bos(const struct tokenizer *tokenizer) { return tokenizer->bos; }

int32_t tokenizer_eos(const struct tokenizer *tokenizer) { return tokenizer->eos; }

bool tokenizer_is_control(const struct tokenizer *tokenizer, int32_t id) {
    return vocab_has(&tokenizer->vocab, id) && tokenizer->vocab.tokens[id].type == TOKEN_CONTROL;
}

bool tokenizer_is_mark(const struct tokenizer *tokenizer, int32_t id) {
    if (!vocab_has(&tokenizer->vocab, id)) return false;
    const struct vocab_token *token = &tokenizer->vocab.tokens[id];
    if (token->type != TOKEN_USER_DEFINED)
        return token->type == TOKEN_CONTROL || token->type == TOKEN_UNKNOWN;
    for (size_t i = 0; i < token->out_len; i++)
        if (!memchr(" \t\n\r", token->out[i], 4)) return true;
    return false;
}

int32_t tokenizer_find_added(const struct tokenizer *tokenizer, const char *text, size_t len) {
    const struct added_set *sets[] = {&tokenizer->added_raw, &tokenizer->added_normalized,
                                      &tokenizer->added_guarded};
    for (int s = 0; s < 3; s++) {
        for (int i = 0; i < sets[s]->n; i++) {
            const struct added_token *token = &sets[s]->tokens[i];
            if (token->len == len && memcmp(token->text, text, len) == 0) return token->id;
        }
    }
    return TOKEN_NONE;
}

/* ---- encoding ---- */

struct encoding {
    const struct tokenizer *tokenizer;
    const char *text; // all of it
    struct added_trust trust;
    struct id_buffer ids;
    struct token_places *places; // NULL: nobody asks
    struct byte_buffer normal[2];
    struct bpe_run run;
    struct unigram_run unigram;
    struct pretok_run pretok;
    struct jl_error *err;
};

static enum jl_status no_memory(struct encoding *e) {
    return jl_fail(e->err, JL_ERR_MEMORY, "out of memory while encoding a text");
}

static enum jl_status encode_word(void *ctx, const char *text, size_t len, struct jl_error *err) {
    struct encoding *e = ctx;
    const struct tokenizer *t = e->tokenizer;
    switch (t->model) {
    case PIPELINE_BPE: return bpe_run_word(&e->run, text, len, e->pretok.before, err);
    case PIPELINE_UNIGRAM: return unigram_encode(&t->unigram, &e->unigram, text, len, &e->ids, err);
    case PIPELINE_WORDPIECE: return wordpiece_encode(&t->wordpiece, text, len, &e->ids, err);
    case PIPELINE_WORDS: return words_encode(&t->words, text, len, &e->ids, err);
    }
    return JL_OK;
}

static enum jl_status encode_piece(void *ctx, int step, const char *text, size_t len,
                                   struct jl_error *err) {
    struct encoding *e = ctx;
    return bpe_run_piece(&e->run, step, text, len, e->pretok.before, err);
}

static enum jl_status cut_piece(void *ctx, int step, const char *text, size_t len,
                                struct jl_error *err) {
    struct encoding *e = ctx;
    return pretok_rest(&e->pretok, step, text, len, err);
}

/* Splits a stretch without added tokens into words and encodes each. */
static enum jl_status encode_words(struct encoding *e, const char *text, size_t len,
                                   bool at_text_start) {
    if (len == 0) return JL_OK;
    JL_TRY(pretok_text(&e->pretok, text, len, at_text_start, e->err));
    return bpe_run_flush(&e->run, e->err);
}

typedef enum jl_status (*encode_stretch)(struct encoding *e, const char *text, size_t len,
                                         bool at_text_start);

/* A search for added tokens, and what is done with the text between them. */
struct around {
    const struct added_set *set;
    const struct added_trust *trust;
    encode_stretch between;
    bool moved; // the text is no part of the whole one any more
};

static bool note_place(struct token_places *places, struct token_place place) {
    if (places->len == places->cap) {
        size_t cap = places->cap ? 2 * places->cap : 32, bytes;
        if (!size_mul(cap, sizeof *places->data, &bytes)) return false;
        struct token_place *grown = realloc(places->data, bytes);
        if (!grown) return false;
        places->data = grown;
        places->cap = cap;
    }
    places->data[places->len++] = place;
    return true;
}

/* An added token was found; `bytes` are places of the whole text. */
static enum jl_status encode_added(struct encoding *e, int32_t id, struct text_span bytes) {
    bool noted = !e->places || !tokenizer_is_mark(e->tokenizer, id) ||
                 note_place(e->places, (struct token_place){e->ids.len, bytes});
    return noted && buffer_append_id(&e->ids, id) ? JL_OK : no_memory(e);
}

/* The ids of the set's tokens where they occur; what lies between goes to the next stage. */
static enum jl_status encode_around(struct encoding *e, const struct around *around,
                                    const char *text, size_t len, bool at_text_start) {
    size_t at = 0;
    struct added_match match;
    while (added_find(around->set, text, len, at, around->trust, &match)) {
        struct text_span bytes = {0};
        JL_TRY(around->between(e, text + at, match.start - at, at_text_start && at == 0));
        if (!around->moved) {
            size_t start = (size_t)(text - e->text);
            bytes = (struct text_span){start + match.start, start + match.stop};
        }
        JL_TRY(encode_added(e, match.id, bytes));
        at = match.stop;
    }
    return around->between(e, text + at, len - at, at_text_start && at == 0);
}

static enum jl_status encode_normal(struct encoding *e, const char *text, size_t len,
                                    const struct added_trust *trust, bool at_text_start) {
    const struct around around = {&e->tokenizer->added_normalized, trust, encode_words,
                                  .moved = e->tokenizer->normalizer.n_step > 0};
    if (len == 0) return JL_OK;
    JL_TRY(
        normalize_view(&e->tokenizer->normalizer, &text, &len, at_text_start, e->normal, e->err));
    return encode_around(e, &around, text, len, at_text_start);
}

static enum jl_status encode_untrusted(struct encoding *e, const char *text, size_t len,
                                       bool at_text_start) {
    return encode_normal(e, text, len, &(struct added_trust){0}, at_text_start);
}

/* Normalising moves bytes about, so that behind it nobody can say whose they are. A stretch that
 * holds a user's words therefore has its special tokens looked for before. */
static enum jl_status encode_raw(struct encoding *e, const char *text, size_t len,
                                 bool at_text_start) {
    const struct tokenizer *t = e->tokenizer;
    bool moves = t->normalizer.n_step > 0;
    const struct added_set *set = moves ? &t->added_guarded : &t->added_normalized;
    encode_stretch between = moves ? encode_untrusted : encode_words;
    size_t start = (size_t)(text - e->text), at = start, stop = start + len;
    struct added_match match;
    if (added_is_trusted(&e->trust, start, stop))
        return encode_normal(e, text, len, &(struct added_trust){.special = true}, at_text_start);
    // From here on places are those of the whole text, as the spans' are.
    while (added_find(set, e->text, stop, at, &e->trust, &match)) {
        JL_TRY(between(e, e->text + at, match.start - at, at_text_start && at == start));
        JL_TRY(encode_added(e, match.id, (struct text_span){match.start, match.stop}));
        at = match.stop;
    }
    return between(e, e->text + at, stop - at, at_text_start && at == start);
}

static bool append_all(struct id_buffer *ids, const int32_t *extra, int n) {
    for (int i = 0; i < n; i++) {
        if (!buffer_append_id(ids, extra[i])) return false;
    }
    return true;
}

static enum jl_status encode_all(struct encoding *e, size_t len, bool extra) {
    const struct tokenizer *tokenizer = e->tokenizer;
    const struct around around = {&tokenizer->added_raw, &e->trust, encode_raw, .moved = false};
    if (!buffer_reserve_ids(&e->ids, len / 4 + 1)) return no_memory(e); // an empty result too
    if (extra && !append_all(&e->ids, tokenizer->before, tokenizer->n_before)) return no_memory(e);
    JL_TRY(encode_around(e, &around, e->text, len, true));
    if (extra && !append_all(&e->ids, tokenizer->after, tokenizer->n_after)) return no_memory(e);
    return JL_OK;
}

static enum jl_status check_spans(const struct tokenizer_text *text, struct jl_error *err) {
    size_t at = 0;
    for (size_t i = 0; i < text->n_user; i++) {
        const struct text_span *span = &text->user[i];
        if (span->start < at || span->stop < span->start || span->stop > text->len) {
            return jl_fail(err, JL_ERR_USAGE,
                           "span %zu of the user's words, bytes %zu to %zu, is out of order or "
                           "ends behind the text of %zu bytes",
                           i, span->start, span->stop, text->len);
        }
        at = span->stop;
    }
    return JL_OK;
}

enum jl_status tokenizer_encode_marked(const struct tokenizer *tokenizer,
                                       const struct tokenizer_text *text, int flags,
                                       struct token_ids *ids, struct token_places *places,
                                       struct jl_error *err) {
    *ids = (struct token_ids){0};
    if (places) *places = (struct token_places){0};
    JL_TRY(check_spans(text, err));
    struct encoding e = {
        .tokenizer = tokenizer,
        .text = text->len ? text->text : "",
        .trust = {flags & ENCODE_SPECIAL, text->user, text->n_user},
        .places = places,
        .err = err,
    };
    e.run.bpe = &tokenizer->bpe;
    e.run.ids = &e.ids;
    e.run.cut = cut_piece;
    e.run.ctx = &e;
    bpe_run_start(&e.run, text->len);
    e.pretok.pretok = &tokenizer->pretok;
    e.pretok.word = encode_word;
    if (tokenizer->model == PIPELINE_BPE) e.pretok.piece = encode_piece;
    e.pretok.ctx = &e;
    enum jl_status status = encode_all(&e, text->len, flags & ENCODE_ADD_BOS);
    if (status == JL_OK) {
        *ids = (struct token_ids){e.ids.data, e.ids.len};
    } else {
        free(e.ids.data);
        if (places) {
            free(places->data);
            *places = (struct token_places){0};
        }
    }
    buffer_free(&e.normal[0]);
    buffer_free(&e.normal[1]);
    pretok_run_free(&e.pretok);
    bpe_run_free(&e.run);
    unigram_run_free(&e.unigram);
    return status;
}

enum jl_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t len,
                                int flags, int32_t **ids, size_t *n_ids, struct jl_error *err) {
    const struct tokenizer_text plain = {.text = text, .len = len};
    struct token_ids out;
    enum jl_status status = tokenizer_encode_marked(tokenizer, &plain, flags, &out, NULL, err);
    *ids = out.data;
    *n_ids = out.len;
    return status;
}
