/* Encoding: words to pieces, pieces to symbols, symbols to ids. */
#include "text/tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/bpe_first.h"
#include "text/utf8.h"

#define CACHE_FROM_BYTES 512 // shorter texts repeat too little to pay for a cache
#define CACHE_MAX_PLACES 65536
#define SHORT_BYTES 32

/* ---- symbols to ids ---- */

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while encoding a text");
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
                return no_memory(err);
        }
        *after_unknown = false;
        return JL_OK;
    }
    if (bpe->unknown == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the text holds %s 0x%X, for which the vocabulary has neither a token, nor "
                       "byte tokens, nor an unknown token",
                       code < UTF8_CODE_END ? "the character" : "the byte",
                       (unsigned)(code < UTF8_CODE_END ? code : code - UTF8_CODE_END));
    }
    bool fused = *after_unknown && bpe->fuse_unknown;
    *after_unknown = true;
    if (fused || buffer_append_id(run->ids, bpe->unknown)) return JL_OK;
    return no_memory(err);
}

/* Unused tokens nest no deeper than they have characters. */
static enum jl_status emit_symbol(struct bpe_run *run, int32_t symbol, bool *after_unknown,
                                  struct jl_error *err) {
    uint64_t parts;
    if (symbol >= BPE_BARE)
        return emit_bare(run, (uint32_t)(symbol - BPE_BARE), after_unknown, err);
    if (run->bpe->splits.count && u64map_get(&run->bpe->splits, (uint64_t)symbol, &parts)) {
        JL_TRY(emit_symbol(run, (int32_t)(parts >> 32), after_unknown, err));
        return emit_symbol(run, (int32_t)(uint32_t)parts, after_unknown, err);
    }
    *after_unknown = false;
    return buffer_append_id(run->ids, symbol) ? JL_OK : no_memory(err);
}

static enum jl_status emit(struct bpe_run *run, const int32_t *symbols, size_t n,
                           struct jl_error *err) {
    bool after_unknown = false;
    for (size_t i = 0; i < n; i++)
        JL_TRY(emit_symbol(run, symbols[i], &after_unknown, err));
    return JL_OK;
}

/* ---- pieces ---- */

/* The symbol of a character that carries a prefix (inside a word) or a suffix (at its end). */
static bool affixed_symbol(struct bpe_run *run, const char *text, size_t len, bool first, bool last,
                           int32_t *symbol) {
    const struct bpe *bpe = run->bpe;
    struct byte_buffer *out = &run->affixed;
    uint32_t code;
    out->len = 0;
    if (!first && bpe->prefix && !buffer_append(out, bpe->prefix, bpe->prefix_len)) return false;
    if (!buffer_append(out, text, len)) return false;
    if (last && bpe->suffix && !buffer_append(out, bpe->suffix, bpe->suffix_len)) return false;
    *symbol = vocab_find(bpe->vocab, out->data, out->len);
    bpe_symbol_step(bpe, text, len, &code);
    if (*symbol == TOKEN_NONE) *symbol = BPE_BARE + (int32_t)code;
    return true;
}

/* A short piece of bytes. Where its symbols are the bytes, as in ASCII, a small table has the first
 * pairs. */
static enum jl_status merge_bytes(struct bpe_run *run, const char *text, size_t len,
                                  struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    int32_t symbols[SHORT_BYTES];
    uint64_t first[SHORT_BYTES];
    size_t n = bpe_first_symbols(bpe, text, len, symbols);
    for (size_t i = 0; n == len && i + 1 < len; i++)
        first[i] = bpe->byte_pairs[(unsigned char)text[i] << 8 | (unsigned char)text[i + 1]];
    if (!bpe_merge(&bpe->pairs, symbols, &n, n == len ? first : NULL, &run->merge))
        return no_memory(err);
    return emit(run, symbols, n, err);
}

static enum jl_status merge_piece(struct bpe_run *run, const char *text, size_t len,
                                  struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    struct id_buffer *symbols = &run->symbols;
    if (bpe->bytes && len <= SHORT_BYTES) return merge_bytes(run, text, len, err);
    bool affixed = bpe->prefix || bpe->suffix;
    symbols->len = 0;
    if (!buffer_reserve_ids(symbols, len)) return no_memory(err); // at most a symbol a byte
    if (bpe->bytes) symbols->len = bpe_first_symbols(bpe, text, len, symbols->data);
    for (size_t at = bpe->bytes ? len : 0, step; at < len; at += step) {
        uint32_t code;
        int32_t *symbol = &symbols->data[symbols->len++];
        step = bpe_symbol_step(bpe, text + at, len - at, &code);
        if (!affixed)
            *symbol = bpe_symbol(bpe, code);
        else if (!affixed_symbol(run, text + at, step, at == 0, at + step == len, symbol))
            return no_memory(err);
    }
    if (symbols->len > BPE_MERGE_MAX) {
        return jl_fail(err, JL_ERR_LIMIT,
                       "the text has a piece of %zu characters, more than %zu: cut it into parts",
                       symbols->len, BPE_MERGE_MAX);
    }
    if (!bpe_merge(&bpe->pairs, symbols->data, &symbols->len, NULL, &run->merge))
        return no_memory(err);
    return emit(run, symbols->data, symbols->len, err);
}

/* ---- the cache: ids depend on the bytes only, and on what is still to be done with them ---- */

/* A word may be used whole where the same piece is merged; UNCUT + n is to be cut from step n of
 * the pre-tokenizer on. */
enum piece_kind { PIECE = 0, WORD = 1, UNCUT = 2, KIND_END = 16 };

static uint64_t load64(const char *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* Of 1 to BPE_SEEN_BYTES bytes, `before` more of which can be read before them. Eight at a time:
 * how long a word is no processor foresees. */
static struct bpe_key key_of(const char *text, size_t len, size_t before, unsigned kind) {
    struct bpe_key key = {.high = (uint64_t)(len << 4 | kind) << 56};
    if (len >= 8) {
        key.low = load64(text);
        key.high |= load64(text + len - 8) >> 8 >> (15 - len) * 8; // of 8 bytes nothing is left
    } else if (before + len >= 8) {
        key.low = load64(text + len - 8) >> (8 - len) * 8;
    } else {
        for (size_t i = 0; i < len; i++)
            key.low |= (uint64_t)(unsigned char)text[i] << i * 8;
    }
    return key;
}

static size_t place_of(const struct bpe_run *run, const struct bpe_key *key) {
    uint64_t hash = key->low * 0x9E3779B97F4A7C15u ^ key->high * 0xC2B2AE3D27D4EB4Fu;
    return (size_t)((hash ^ hash >> 32) * 0xFF51AFD7ED558CCDu >> 32) & run->cache_mask;
}

static enum jl_status encode_key(struct bpe_run *run, const struct bpe_key *key,
                                 struct jl_error *err);

static enum jl_status through_place(struct bpe_run *run, const struct bpe_key *key, size_t place,
                                    struct jl_error *err) {
    struct bpe_seen *seen = &run->cache[place];
    struct id_buffer *ids = run->ids;
    if (seen->key.low == key->low && seen->key.high == key->high) {
        if (ids->cap - ids->len < BPE_SEEN_IDS && !buffer_reserve_ids(ids, BPE_SEEN_IDS))
            return no_memory(err);
        memcpy(ids->data + ids->len, seen->ids, sizeof seen->ids);
        ids->len += (size_t)seen->n_id;
        return JL_OK;
    }
    size_t ids_at = ids->len;
    JL_TRY(encode_key(run, key, err));
    size_t n = ids->len - ids_at;
    if (n > BPE_SEEN_IDS) return JL_OK;
    seen->key = *key;
    seen->n_id = (int32_t)n;
    memcpy(seen->ids, ids->data + ids_at, n * sizeof *seen->ids);
    return JL_OK;
}

/* What a character becomes by itself. */
static enum jl_status append_letter(struct bpe_run *run, const struct bpe_first *letter,
                                    struct jl_error *err) {
    struct id_buffer *ids = run->ids;
    if (ids->cap - ids->len < BPE_FIRST_MAX && !buffer_reserve_ids(ids, BPE_FIRST_MAX))
        return no_memory(err);
    memcpy(ids->data + ids->len, letter->symbols, sizeof letter->symbols);
    ids->len += letter->n;
    return JL_OK;
}

static enum jl_status encode_oldest(struct bpe_run *run, struct jl_error *err) {
    const struct bpe_waiting *oldest = &run->waiting[run->first_waiting];
    run->first_waiting = (run->first_waiting + 1) % BPE_WAITING;
    run->n_waiting--;
    if (oldest->letter) return append_letter(run, oldest->letter, err);
    return through_place(run, &oldest->key, oldest->place, err);
}

/* Waiting comes to an end before ids are written past it. */
static enum jl_status settle(struct bpe_run *run, struct jl_error *err) {
    if (run->nested) return JL_OK;
    while (run->n_waiting)
        JL_TRY(encode_oldest(run, err));
    return JL_OK;
}

enum jl_status bpe_run_flush(struct bpe_run *run, struct jl_error *err) { return settle(run, err); }

/* Room for one more that waits. */
static enum jl_status new_waiting(struct bpe_run *run, struct bpe_waiting **waiting,
                                  struct jl_error *err) {
    if (run->n_waiting == BPE_WAITING) JL_TRY(encode_oldest(run, err));
    *waiting = &run->waiting[(run->first_waiting + run->n_waiting++) % BPE_WAITING];
    return JL_OK;
}

/* From the cache or into it: a few pieces later, when its place has come from memory. */
static enum jl_status seek(struct bpe_run *run, const char *text, size_t len, size_t before,
                           unsigned kind, struct jl_error *err) {
    struct bpe_key key = key_of(text, len, before, kind);
    size_t place = place_of(run, &key);
    struct bpe_waiting *waiting;
    if (run->nested) return through_place(run, &key, place, err);
    __builtin_prefetch(&run->cache[place]);
    JL_TRY(new_waiting(run, &waiting, err));
    *waiting = (struct bpe_waiting){.key = key, .place = place};
    return JL_OK;
}

/* The piece of a word that begins at text[from]; `letter` if it is one character whose ids are
 * known. */
static enum jl_status encode_piece(struct bpe_run *run, const char *text, size_t from, size_t to,
                                   const struct bpe_first *letter, struct jl_error *err) {
    size_t len = to - from;
    if (letter && (run->nested || run->n_waiting == 0)) return append_letter(run, letter, err);
    if (letter) {
        struct bpe_waiting *waiting;
        JL_TRY(new_waiting(run, &waiting, err));
        waiting->letter = letter;
        return JL_OK;
    }
    if (run->cache && len <= BPE_SEEN_BYTES) return seek(run, text + from, len, from, PIECE, err);
    JL_TRY(settle(run, err));
    return merge_piece(run, text + from, len, err);
}

void bpe_run_start(struct bpe_run *run, size_t len) {
    size_t places = 64;
    if (len < CACHE_FROM_BYTES) return;
    while (places < CACHE_MAX_PLACES && places < len / 16)
        places *= 2;
    run->cache = calloc(places, sizeof *run->cache);
    run->cache_mask = places - 1;
}

/* ---- words ---- */

/* The character at text[at]. In a vocabulary of bytes, tokens may end anywhere in ill-formed bytes,
 * and unknown bytes fuse: beside such ones nothing is cut. */
static inline struct bpe_letter read_letter(const struct bpe *bpe, const char *text, size_t len,
                                            size_t at) {
    const unsigned char *c = (const unsigned char *)text + at;
    struct bpe_letter letter = {.packed = c[0], .n = 1};
    letter.sound = !bpe->bytes || bpe->byte_symbol[c[0]] < BPE_BARE;
    if (c[0] < 0x80) return letter;
    if (c[0] > 0xE0 && c[0] < 0xED && len - at >= 3 && (c[1] & 0xC0) == 0x80 &&
        (c[2] & 0xC0) == 0x80) { // most that come here
        letter.n = 3;
        letter.packed = (uint32_t)(c[0] << 16 | c[1] << 8 | c[2]);
    } else {
        int n = utf8_length(text + at, len - at);
        if (n == 0) letter.sound = !bpe->bytes;
        for (int i = 1; i < n; i++)
            letter.packed = letter.packed << 8 | c[i];
        if (n) letter.n = (uint8_t)n;
    }
    if (!bpe->bytes || !letter.sound) return letter;
    const struct bpe_first *first = bpe_first_of(bpe, text + at, letter.n);
    bool holds = first && bpe_first_holds(first, text, len, at, at + letter.n);
    letter.borders = holds ? first->borders : BPE_ALL_BORDERS;
    letter.first = first && first->alone ? first : NULL;
    return letter;
}

/* Cuts where no merge can cross; each part is a piece of its own. */
static enum jl_status encode_pieces(struct bpe_run *run, const char *text, size_t len,
                                    struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    size_t start = 0;
    struct bpe_letter left = read_letter(bpe, text, len, 0), right;
    for (size_t at = left.n; at < len; at += right.n, left = right) {
        right = read_letter(bpe, text, len, at);
        if (!right.sound || !left.sound || bpe_may_join(bpe, &left, &right)) continue;
        const struct bpe_first *letter = at - start == left.n ? left.first : NULL;
        JL_TRY(encode_piece(run, text, start, at, letter, err));
        start = at;
    }
    const struct bpe_first *letter = len - start == left.n ? left.first : NULL;
    if (start > 0 || letter) return encode_piece(run, text, start, len, letter, err);
    JL_TRY(settle(run, err)); // a word that stays whole is in the cache as a word, or should not be
    return merge_piece(run, text, len, err);
}

static enum jl_status encode_word(struct bpe_run *run, const char *text, size_t len,
                                  struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    if (bpe->ignore_merges) {
        int32_t whole = vocab_find(bpe->vocab, text, len);
        if (whole != TOKEN_NONE && bpe->vocab->tokens[whole].type != TOKEN_CONTROL) {
            JL_TRY(settle(run, err));
            return buffer_append_id(run->ids, whole) ? JL_OK : no_memory(err);
        }
    }
    // Unknown characters fuse across places where no merge does.
    if (!bpe->prefix && !bpe->suffix && bpe->cuts_words) return encode_pieces(run, text, len, err);
    JL_TRY(settle(run, err));
    return merge_piece(run, text, len, err);
}

/* What the cache did not know. */
static enum jl_status encode_key(struct bpe_run *run, const struct bpe_key *key,
                                 struct jl_error *err) {
    const char *text = (const char *)key;
    size_t len = (size_t)(key->high >> 60);
    unsigned kind = (unsigned)(key->high >> 56) & 15;
    if (kind == PIECE) return merge_piece(run, text, len, err);
    bool outer = run->nested;
    run->nested = true;
    if (kind == WORD) {
        JL_TRY(encode_word(run, text, len, err));
    } else {
        run->cutting = len;
        JL_TRY(run->cut(run->ctx, (int)(kind - UNCUT), text, len, err));
        run->cutting = 0;
    }
    run->nested = outer;
    return JL_OK;
}

/* Four characters or more of a script that writes no spaces: seldom seen again as a whole, it would
 * only drive its own pieces out of the cache. */
static bool is_phrase(const char *word, size_t len) {
    return len > 9 && (unsigned char)word[0] >= 0xE3;
}

static bool is_kept(const struct bpe_run *run, const char *text, size_t len) {
    return run->cache && len <= BPE_SEEN_BYTES && !is_phrase(text, len);
}

enum jl_status bpe_run_word(struct bpe_run *run, const char *word, size_t len, size_t before,
                            struct jl_error *err) {
    if (len == 0) return JL_OK;
    if (len != run->cutting && is_kept(run, word, len))
        return seek(run, word, len, before, WORD, err);
    return encode_word(run, word, len, err);
}

enum jl_status bpe_run_piece(struct bpe_run *run, int step, const char *text, size_t len,
                             size_t before, struct jl_error *err) {
    if (!run->nested && UNCUT + step < KIND_END && is_kept(run, text, len))
        return seek(run, text, len, before, (unsigned)(UNCUT + step), err);
    JL_TRY(settle(run, err));
    return run->cut(run->ctx, step, text, len, err);
}

void bpe_run_free(struct bpe_run *run) {
    bpe_merge_scratch_free(&run->merge);
    free(run->symbols.data);
    buffer_free(&run->affixed);
    free(run->cache);
}
