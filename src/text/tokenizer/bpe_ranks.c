/* tiktoken's rank files: lines "BASE64 RANK". The rank is the id, and two neighbours merge when
 * their bytes together are a token, the lowest rank first: every way to cut a token is a pair. A
 * word that is a token stays whole. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/base64.h"
#include "text/tokenizer/bpe_build.h"
#include "text/tokenizer/pre.h"

#define MAX_TOKEN_BYTES 4096 // the longest in use has about 130; bounds the work of cutting

struct line {
    const char *text;
    size_t len; // of the base64 part
    int rank;
};

static enum jl_status bad_line(size_t number, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "line %zu of the rank file: %s", number, what);
}

/* The line at *at, without its end; *at goes behind it. Empty lines have len 0. */
static enum jl_status next_line(const char **at, const char *end, size_t number, struct line *line,
                                struct jl_error *err) {
    const char *start = *at, *stop = memchr(start, '\n', (size_t)(end - start));
    if (!stop) stop = end;
    *at = stop < end ? stop + 1 : end;
    if (stop > start && stop[-1] == '\r') stop--;
    *line = (struct line){.text = start};
    if (stop == start) return JL_OK;
    const char *space = memchr(start, ' ', (size_t)(stop - start));
    if (!space || space == start || space + 1 == stop)
        return bad_line(number, "it must be a token in base64, a space and a number", err);
    line->len = (size_t)(space - start);
    for (const char *digit = space + 1; digit < stop; digit++) {
        if (*digit < '0' || *digit > '9' || line->rank >= VOCAB_MAX_TOKENS)
            return bad_line(number, "the rank is not a number, or too large", err);
        line->rank = line->rank * 10 + (*digit - '0');
    }
    if (line->rank >= VOCAB_MAX_TOKENS)
        return bad_line(number, "the rank is not a number, or too large", err);
    return JL_OK;
}

/* ---- tokens ---- */

static enum jl_status count_ids(const char *text, size_t len, const char *pre, int *n,
                                const struct pre_special **specials, struct jl_error *err) {
    struct line line;
    size_t number = 1;
    *n = 0;
    *specials = NULL;
    for (const char *at = text, *end = text + len; at < end; number++) {
        JL_TRY(next_line(&at, end, number, &line, err));
        if (line.len && line.rank >= *n) *n = line.rank + 1;
    }
    if (*n == 0) return jl_fail(err, JL_ERR_FORMAT, "the rank file holds no ranks");
    *specials = pre_specials(pre, *n);
    for (const struct pre_special *special = *specials; special->text; special++) {
        if (special->id >= *n) *n = special->id + 1;
    }
    return JL_OK;
}

static enum jl_status set_token(struct tokenizer *t, int32_t id, const char *text, size_t len,
                                int type, struct jl_error *err) {
    struct vocab_token *token = &t->vocab.tokens[id];
    token->out = token->text = vocab_keep(&t->vocab, text, len);
    token->out_len = token->len = (uint32_t)len;
    token->type = type;
    return token->text ? JL_OK : bpe_build_no_memory(err);
}

/* Some files list their special tokens among the ranks. */
static enum jl_status add_line(struct tokenizer *t, const struct line *line, size_t number,
                               struct jl_error *err) {
    char bytes[MAX_TOKEN_BYTES / 3 * 3 + 3];
    size_t n;
    struct vocab_token *token = &t->vocab.tokens[line->rank];
    if (line->len > MAX_TOKEN_BYTES) return bad_line(number, "the token is too long", err);
    if (!base64_decode(line->text, line->len, bytes, &n))
        return bad_line(number, "the token is not base64", err);
    if (token->type == TOKEN_CONTROL && token->len == n && memcmp(token->text, bytes, n) == 0)
        return JL_OK;
    if (token->type != VOCAB_HOLE) return bad_line(number, "another token has this rank", err);
    JL_TRY(set_token(t, line->rank, bytes, n, TOKEN_NORMAL, err));
    if (vocab_index(&t->vocab, line->rank) != line->rank)
        return bad_line(number, "another token has these bytes", err);
    return bpe_add_char(&t->bpe, line->rank) ? JL_OK : bpe_build_no_memory(err);
}

static enum jl_status add_tokens(struct tokenizer *t, const char *text, size_t len,
                                 const struct pre_special *specials, struct jl_error *err) {
    struct line line;
    size_t number = 1;
    for (const struct pre_special *special = specials; special->text; special++) {
        JL_TRY(set_token(t, special->id, special->text, strlen(special->text), TOKEN_CONTROL, err));
    }
    for (const char *at = text, *end = text + len; at < end; number++) {
        JL_TRY(next_line(&at, end, number, &line, err));
        if (line.len) JL_TRY(add_line(t, &line, number, err));
    }
    bpe_set_byte_fallback(&t->bpe);
    if (t->bpe.byte_fallback) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "the rank file lacks single bytes: not every text could be encoded");
}

static enum jl_status build(struct tokenizer *t, const char *text, size_t len, const char *pre,
                            struct jl_error *err) {
    const struct pre_row *row = pre_find(pre, strlen(pre));
    const struct pre_special *specials = NULL;
    int n;
    if (!row) return pre_unknown(pre, strlen(pre), err);
    JL_TRY(count_ids(text, len, pre, &n, &specials, err));
    JL_TRY(bpe_build_start(t, n, err));
    JL_TRY(pre_add_row(&t->pretok, row, err));
    JL_TRY(add_tokens(t, text, len, specials, err));
    JL_TRY(bpe_build_specials(t, err));
    for (int32_t id = 0; id < n; id++) {
        if (t->vocab.tokens[id].type == TOKEN_NORMAL && !bpe_add_cuts(&t->bpe, id, (uint32_t)id))
            return bpe_build_no_memory(err);
    }
    if (!bpe_finish(&t->bpe)) return bpe_build_no_memory(err);
    t->bpe.ignore_merges = true;
    t->bos = t->eos = TOKEN_NONE;
    return JL_OK;
}

enum jl_status tokenizer_from_ranks(const char *text, size_t len, const char *pre,
                                    struct tokenizer **out, struct jl_error *err) {
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return bpe_build_no_memory(err);
    enum jl_status status = build(t, text, len, pre, err);
    if (status != JL_OK) {
        tokenizer_free(t);
        return status;
    }
    identity_begin(&t->identity, "ranks");
    identity_add(&t->identity, text, len);
    identity_add(&t->identity, pre, pre ? strlen(pre) : 0);
    *out = t;
    return JL_OK;
}
