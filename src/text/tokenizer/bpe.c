#include "text/tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

#define CACHE_FROM_BYTES 2048 // shorter texts repeat too little to pay for clearing the cache
#define CACHED_MAX_BYTES 64   // longer pieces do not come again

static uint32_t join_bit(uint32_t left, uint32_t right) {
    uint32_t hash = left * 0x9E3779B1u + right * 0x85EBCA77u;
    return (hash ^ hash >> 15) * 0xC2B2AE3Du >> (32 - BPE_JOIN_BITS);
}

static bool may_join(const struct bpe *bpe, uint32_t left, uint32_t right) {
    uint32_t bit = join_bit(left, right);
    return bpe->joins[bit / 64] >> bit % 64 & 1;
}

/* ---- building ---- */

void bpe_free(struct bpe *bpe) {
    u64map_free(&bpe->pairs);
    u64map_free(&bpe->chars);
}

int32_t bpe_symbol(const struct bpe *bpe, uint32_t code) {
    uint64_t token;
    return u64map_get(&bpe->chars, code, &token) ? (int32_t)token : BPE_BARE + (int32_t)code;
}

bool bpe_add_char(struct bpe *bpe, int32_t token) {
    const struct vocab_token *entry = &bpe->vocab->tokens[token];
    uint32_t code;
    if (entry->len == 0 || (uint32_t)utf8_step(entry->text, entry->len, &code) != entry->len)
        return true;
    return u64map_put(&bpe->chars, code, (uint64_t)token);
}

void bpe_allow_joins(struct bpe *bpe, const char *text, size_t len) {
    uint32_t left = 0, right;
    for (size_t at = 0; at < len; left = right) {
        size_t start = at;
        at += (size_t)utf8_step(text + at, len - at, &right);
        if (start == 0) continue;
        uint32_t bit = join_bit(left, right);
        bpe->joins[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

void bpe_set_byte_fallback(struct bpe *bpe) {
    bpe->byte_fallback = true;
    for (int i = 0; i < 256; i++)
        bpe->byte_fallback = bpe->byte_fallback && bpe->byte_token[i] != TOKEN_NONE;
}

/* ---- symbols to ids ---- */

static enum jl_status no_memory(const struct bpe_run *run, struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while encoding a text of %zu bytes",
                   run->len);
}

/* Bytes of a bare character when all of them are tokens, else the unknown token. */
static enum jl_status emit_bare(struct bpe_run *run, uint32_t code, bool *after_unknown,
                                struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    char bytes[UTF8_MAX];
    int n = utf8_encode(code, bytes);
    bool known = true;
    for (int i = 0; i < n; i++)
        known = known && bpe->byte_token[(unsigned char)bytes[i]] != TOKEN_NONE;
    if (known) {
        for (int i = 0; i < n; i++) {
            if (!buffer_append_id(run->ids, bpe->byte_token[(unsigned char)bytes[i]]))
                return no_memory(run, err);
        }
        *after_unknown = false;
        return JL_OK;
    }
    if (bpe->unknown == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the text holds %s 0x%X, for which the vocabulary has neither a token, nor "
                       "byte tokens, nor an unknown token",
                       code < UTF8_CODE_END ? "the character" : "the stray byte",
                       (unsigned)(code < UTF8_CODE_END ? code : code - UTF8_CODE_END));
    }
    bool fused = *after_unknown && bpe->fuse_unknown;
    *after_unknown = true;
    if (fused || buffer_append_id(run->ids, bpe->unknown)) return JL_OK;
    return no_memory(run, err);
}

static enum jl_status emit(struct bpe_run *run, const int32_t *symbols, size_t n,
                           struct jl_error *err) {
    bool after_unknown = false;
    for (size_t i = 0; i < n; i++) {
        if (symbols[i] >= BPE_BARE) {
            JL_TRY(emit_bare(run, (uint32_t)(symbols[i] - BPE_BARE), &after_unknown, err));
        } else {
            after_unknown = false;
            if (!buffer_append_id(run->ids, symbols[i])) return no_memory(run, err);
        }
    }
    return JL_OK;
}

/* ---- pieces ---- */

static enum jl_status merge_piece(struct bpe_run *run, const char *text, size_t len,
                                  struct jl_error *err) {
    struct id_buffer *symbols = &run->symbols;
    symbols->len = 0;
    if (!buffer_reserve_ids(symbols, len)) return no_memory(run, err); // a character a symbol
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
        symbols->data[symbols->len++] = bpe_symbol(run->bpe, code);
    }
    if (symbols->len > BPE_MERGE_MAX) {
        return jl_fail(err, JL_ERR_LIMIT,
                       "the text has a piece of %zu characters, more than %zu: cut it into parts",
                       symbols->len, BPE_MERGE_MAX);
    }
    if (!bpe_merge(&run->bpe->pairs, symbols->data, &symbols->len, &run->merge))
        return no_memory(run, err);
    return emit(run, symbols->data, symbols->len, err);
}

/* The same bytes give the same ids wherever they stand, so a piece seen before is copied. */
static enum jl_status encode_piece(struct bpe_run *run, size_t from, size_t len, uint64_t hash,
                                   struct jl_error *err) {
    if (!run->cache || len > CACHED_MAX_BYTES) return merge_piece(run, run->text + from, len, err);
    struct bpe_seen *seen = &run->cache[u64map_mix(hash) % BPE_CACHE_SIZE];
    struct id_buffer *ids = run->ids;
    if (seen->n_id && seen->len == len &&
        memcmp(run->text + seen->at, run->text + from, len) == 0) {
        if (!buffer_reserve_ids(ids, seen->n_id)) return no_memory(run, err);
        memcpy(ids->data + ids->len, ids->data + seen->ids_at, seen->n_id * sizeof *ids->data);
        ids->len += seen->n_id;
        return JL_OK;
    }
    size_t ids_at = ids->len;
    JL_TRY(merge_piece(run, run->text + from, len, err));
    if (ids->len <= UINT32_MAX) {
        *seen = (struct bpe_seen){.at = (uint32_t)from,
                                  .len = (uint32_t)len,
                                  .ids_at = (uint32_t)ids_at,
                                  .n_id = (uint32_t)(ids->len - ids_at)};
    }
    return JL_OK;
}

void bpe_run_text(struct bpe_run *run, const char *text, size_t len) {
    run->text = text;
    run->len = len;
    if (len < CACHE_FROM_BYTES || len > UINT32_MAX) {
        free(run->cache);
        run->cache = NULL;
    } else if (run->cache) {
        memset(run->cache, 0, BPE_CACHE_SIZE * sizeof *run->cache);
    } else {
        run->cache = calloc(BPE_CACHE_SIZE, sizeof *run->cache);
    }
}

enum jl_status bpe_run_word(struct bpe_run *run, size_t from, size_t to, struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    const char *text = run->text;
    if (from >= to) return JL_OK;
    if (bpe->ignore_merges) {
        int32_t whole = vocab_find(bpe->vocab, text + from, to - from);
        if (whole != TOKEN_NONE)
            return buffer_append_id(run->ids, whole) ? JL_OK : no_memory(run, err);
    }
    // Unknown characters fuse across places where no merge does: without bytes nothing is cut.
    if (!bpe->byte_fallback) return merge_piece(run, text + from, to - from, err);
    size_t start = from, at = from;
    uint64_t hash = 0;
    for (uint32_t left = 0, right; at < to; left = right) {
        int step = utf8_step(text + at, to - at, &right);
        if (at > start && !may_join(bpe, left, right)) {
            JL_TRY(encode_piece(run, start, at - start, hash, err));
            start = at;
            hash = 0;
        }
        hash = (hash ^ right) * 0x9E3779B97F4A7C15u;
        at += (size_t)step;
    }
    return encode_piece(run, start, to - start, hash, err);
}

void bpe_run_free(struct bpe_run *run) {
    bpe_merge_scratch_free(&run->merge);
    free(run->symbols.data);
    free(run->cache);
}
