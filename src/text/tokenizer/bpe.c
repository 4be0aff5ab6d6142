#include "text/tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/bpe_first.h"
#include "text/utf8.h"

#define CACHE_FROM_BYTES 512 // shorter texts repeat too little to pay for a cache
#define CACHE_MAX_PLACES 65536
#define SHORT_BYTES 32

/* ---- where text may be cut ---- */

/* The bytes of a character or of a part of one, as a number. */
static uint32_t pack(const char *bytes, size_t len) {
    uint32_t packed = 0;
    for (size_t i = 0; i < len; i++)
        packed = packed << 8 | (unsigned char)bytes[i];
    return packed;
}

static uint32_t join_bit(uint32_t left, uint32_t right) {
    uint32_t hash = left * 0x9E3779B1u + right * 0x85EBCA77u;
    return (hash ^ hash >> 15) * 0xC2B2AE3Du >> (32 - BPE_JOIN_BITS);
}

static bool has_join(const struct bpe *bpe, uint32_t left, uint32_t right) {
    uint32_t bit = join_bit(left, right);
    return bpe->joins[bit / 64] >> bit % 64 & 1;
}

/* A character beside a place: its bytes, and behind which of them a symbol may end before anything
 * merges across its ends (bit k: behind k bytes). */
struct beside {
    unsigned n, borders;
};
#define ALL_BORDERS 0xEu

/* Whether some token that merging makes spans the place between two characters. `left` ends and
 * `right` begins there. */
static bool may_join(const struct bpe *bpe, const char *at, struct beside left,
                     struct beside right) {
    uint32_t before = pack(at - left.n, left.n), behind = pack(at, right.n);
    if (has_join(bpe, before, behind)) return true;
    if (!left.borders && !right.borders) return false;
    uint32_t edge = (before & 0xFF) << 8 | (unsigned char)at[0];
    if (!(bpe->edges[edge / 64] >> edge % 64 & 1)) return false;
    for (unsigned i = 1; i <= left.n; i++) {
        if (i < left.n && !(left.borders >> (left.n - i) & 1)) continue;
        for (unsigned j = 1; j <= right.n; j++) {
            if (j < right.n && !(right.borders >> j & 1)) continue;
            if (has_join(bpe, pack(at - i, i), pack(at, j))) return true;
        }
    }
    return false;
}

static void allow_join(struct bpe *bpe, uint32_t left, uint32_t right) {
    uint32_t bit = join_bit(left, right);
    bpe->joins[bit / 64] |= (uint64_t)1 << bit % 64;
}

static bool continues(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

/* The place between text[at - 1] and text[at] of a token of bytes. Text is only cut between two
 * whole characters, so what cannot stand there is passed over. */
static void allow_join_of_bytes(struct bpe *bpe, const char *text, size_t len, size_t at) {
    size_t start = at - 1;
    bool unfinished = false;
    if (continues(text[at])) return;
    while (start > 0 && at - start < UTF8_MAX && continues(text[start]))
        start--;
    bool left_whole = (size_t)utf8_length(text + start, at - start) == at - start;
    if (!left_whole && !(start == 0 && continues(text[0]))) return;
    size_t right = (size_t)utf8_length(text + at, len - at);
    bool right_whole = right > 0;
    if (!right_whole) {
        right = (size_t)utf8_bad_length(text + at, len - at, &unfinished);
        if (!unfinished) return;
    }
    uint32_t left = pack(text + start, at - start);
    allow_join(bpe, left, pack(text + at, right));
    if (left_whole && right_whole) return;
    uint32_t edge = (left & 0xFF) << 8 | (unsigned char)text[at];
    bpe->edges[edge / 64] |= (uint64_t)1 << edge % 64;
}

void bpe_allow_joins(struct bpe *bpe, const char *text, size_t len) {
    if (bpe->bytes) {
        for (size_t at = 1; at < len; at++)
            allow_join_of_bytes(bpe, text, len, at);
        return;
    }
    uint32_t left = 0, right, code;
    for (size_t at = 0; at < len; left = right) {
        size_t start = at;
        at += (size_t)utf8_step(text + at, len - at, &code);
        right = pack(text + start, at - start);
        if (start > 0) allow_join(bpe, left, right);
    }
}

/* ---- building ---- */

void bpe_free(struct bpe *bpe) {
    bpe_pairs_free(&bpe->pairs);
    u64map_free(&bpe->chars);
    u64map_free(&bpe->splits);
    free(bpe->byte_pairs);
    free(bpe->first);
    bpe->byte_pairs = NULL;
    bpe->first = NULL;
}

/* The next symbol of a text: a character, or a byte. */
static size_t symbol_step(const struct bpe *bpe, const char *text, size_t len, uint32_t *code) {
    if (!bpe->bytes) return (size_t)utf8_step(text, len, code);
    *code = UTF8_CODE_END + (unsigned char)text[0];
    return 1;
}

int32_t bpe_symbol(const struct bpe *bpe, uint32_t code) {
    uint64_t token;
    return u64map_get(&bpe->chars, code, &token) ? (int32_t)token : BPE_BARE + (int32_t)code;
}

bool bpe_add_char(struct bpe *bpe, int32_t token) {
    const struct vocab_token *entry = &bpe->vocab->tokens[token];
    uint32_t code;
    if (entry->len == 0 || symbol_step(bpe, entry->text, entry->len, &code) != entry->len)
        return true;
    return u64map_put(&bpe->chars, code, (uint64_t)token);
}

void bpe_set_byte_fallback(struct bpe *bpe) {
    bpe->byte_fallback = bpe->cuts_words = true;
    for (uint32_t i = 0; i < 256; i++) {
        bool known = bpe->bytes ? bpe_symbol(bpe, UTF8_CODE_END + i) < BPE_BARE
                                : bpe->byte_token[i] != TOKEN_NONE;
        bool first = bpe->bytes && !continues((char)i); // what a character begins with is looked at
        bpe->byte_fallback = bpe->byte_fallback && known;
        bpe->cuts_words = bpe->cuts_words && (known || first);
    }
}

/* Tables for the first look-ups of a piece, which are most of them. */
bool bpe_finish(struct bpe *bpe) {
    if (!bpe->bytes) return bpe_pairs_pack(&bpe->pairs);
    bpe->byte_pairs = malloc(256 * 256 * sizeof *bpe->byte_pairs);
    if (!bpe->byte_pairs) return false;
    for (uint32_t i = 0; i < 256; i++)
        bpe->byte_symbol[i] = bpe_symbol(bpe, UTF8_CODE_END + i);
    for (size_t i = 0; i < 256 * 256; i++) {
        bpe->byte_pairs[i] =
            bpe_pairs_get(&bpe->pairs, bpe->byte_symbol[i / 256], bpe->byte_symbol[i % 256]);
    }
    return bpe_find_first(bpe) && bpe_pairs_pack(&bpe->pairs);
}

/* A part of a token: a token itself, or a bare symbol; TOKEN_NONE when merging cannot make it. */
static int32_t part_symbol(const struct bpe *bpe, const char *text, size_t len) {
    uint32_t code;
    if (symbol_step(bpe, text, len, &code) == len) return bpe_symbol(bpe, code);
    return vocab_find(bpe->vocab, text, len);
}

bool bpe_add_cuts(struct bpe *bpe, int32_t id, uint32_t rank) {
    const struct vocab_token *token = &bpe->vocab->tokens[id];
    uint32_t code;
    size_t at = symbol_step(bpe, token->text, token->len, &code);
    while (at < token->len) {
        int32_t left = part_symbol(bpe, token->text, at);
        int32_t right = part_symbol(bpe, token->text + at, token->len - at);
        if (left != TOKEN_NONE && right != TOKEN_NONE &&
            !u64map_put(&bpe->pairs.map, bpe_merge_key(left, right), bpe_merge_value(rank, id)))
            return false;
        at += symbol_step(bpe, token->text + at, token->len - at, &code);
    }
    bpe_allow_joins(bpe, token->text, token->len);
    return true;
}

/* The token's text is merged by itself, without the last merge, the one that makes the token. In
 * any text in which the token comes out, its inside was merged the same way. */
bool bpe_split_unused(struct bpe *bpe, int32_t id, bool *fits) {
    const struct vocab_token *token = &bpe->vocab->tokens[id];
    int32_t symbols[BPE_MAX_UNUSED];
    size_t n = 0;
    uint32_t code;
    *fits = false;
    for (size_t at = 0; at < token->len; n++) {
        if (n == BPE_MAX_UNUSED) return true;
        at += symbol_step(bpe, token->text + at, token->len - at, &code);
        symbols[n] = bpe_symbol(bpe, code);
    }
    *fits = true;
    while (n > 2) {
        size_t best = n;
        uint64_t lowest = UINT64_MAX, value;
        for (size_t i = 0; i + 1 < n; i++) {
            if (!u64map_get(&bpe->pairs.map, bpe_merge_key(symbols[i], symbols[i + 1]), &value) ||
                value >> 32 >= lowest >> 32)
                continue;
            best = i;
            lowest = value;
        }
        if (best == n) return true; // no text becomes this token
        symbols[best] = (int32_t)(uint32_t)lowest;
        memmove(symbols + best + 1, symbols + best + 2, (n - best - 2) * sizeof *symbols);
        n--;
    }
    if (n < 2) return true;
    return u64map_put(&bpe->splits, (uint64_t)id,
                      (uint64_t)(uint32_t)symbols[0] << 32 | (uint32_t)symbols[1]);
}

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
    symbol_step(bpe, text, len, &code);
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
        step = symbol_step(bpe, text + at, len - at, &code);
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

static uint64_t load32(const char *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* 1 to BPE_SEEN_BYTES bytes, read in two overlapping loads where there are enough of them. */
static struct bpe_key key_of(const char *text, size_t len, unsigned kind) {
    struct bpe_key key = {.high = (uint64_t)(len << 4 | kind) << 56};
    if (len > 8) {
        key.low = load64(text);
        key.high |= load64(text + len - 8) >> (16 - len) * 8;
    } else if (len == 8) {
        key.low = load64(text);
    } else if (len >= 4) {
        key.low = load32(text) | load32(text + len - 4) << (len - 4) * 8;
    } else {
        uint64_t middle = (unsigned char)text[len / 2], last = (unsigned char)text[len - 1];
        key.low = (unsigned char)text[0] | middle << len / 2 * 8 | last << (len - 1) * 8;
    }
    return key;
}

static size_t place_of(const struct bpe_run *run, const struct bpe_key *key) {
    return (size_t)u64map_mix(key->low ^ key->high * 0x9E3779B97F4A7C15u) & run->cache_mask;
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

static enum jl_status encode_piece(struct bpe_run *run, const char *text, size_t len,
                                   struct jl_error *err) {
    if (!run->cache || len > BPE_SEEN_BYTES) return merge_piece(run, text, len, err);
    struct bpe_key key = key_of(text, len, PIECE);
    return through_place(run, &key, place_of(run, &key), err);
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

/* As utf8_length; most characters that come here are of three bytes, and not at either end of
 * their range. */
static int char_length(const char *text, size_t len) {
    const unsigned char *at = (const unsigned char *)text;
    if (len >= 3 && at[0] > 0xE0 && at[0] < 0xED && (at[1] & 0xC0) == 0x80 &&
        (at[2] & 0xC0) == 0x80)
        return 3;
    return utf8_length(text, len);
}

/* The character of n bytes at text[at], as a neighbour of places. */
static struct beside look_at(const struct bpe *bpe, const char *text, size_t len, size_t at,
                             size_t n) {
    if (!bpe->bytes || n == 1) return (struct beside){(unsigned)n, 0};
    const struct bpe_first *first = bpe_first_at(bpe, text, len, at, n);
    return (struct beside){(unsigned)n, first ? first->borders : ALL_BORDERS};
}

/* Cuts where no merge can cross; each part is a piece of its own. */
static enum jl_status encode_pieces(struct bpe_run *run, const char *text, size_t len,
                                    struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    size_t start = 0;
    bool left_sound = false;
    struct beside left = {1, 0}, right;
    for (size_t at = 0; at < len; at += right.n, left = right) {
        int n = char_length(text + at, len - at);
        // In a vocabulary of bytes tokens may end anywhere in ill-formed bytes, and unknown bytes
        // fuse: no cut beside them.
        bool sound = !bpe->bytes || (n > 0 && bpe->byte_symbol[(unsigned char)text[at]] < BPE_BARE);
        right = look_at(bpe, text, len, at, n ? (size_t)n : 1);
        if (at > start && sound && left_sound && !may_join(bpe, text + at, left, right)) {
            JL_TRY(encode_piece(run, text + start, at - start, err));
            start = at;
        }
        left_sound = sound;
    }
    if (start == 0) return merge_piece(run, text, len, err);
    return encode_piece(run, text + start, len - start, err);
}

static enum jl_status encode_word(struct bpe_run *run, const char *text, size_t len,
                                  struct jl_error *err) {
    const struct bpe *bpe = run->bpe;
    if (bpe->ignore_merges) {
        int32_t whole = vocab_find(bpe->vocab, text, len);
        if (whole != TOKEN_NONE && bpe->vocab->tokens[whole].type != TOKEN_CONTROL)
            return buffer_append_id(run->ids, whole) ? JL_OK : no_memory(err);
    }
    // Unknown characters fuse across places where no merge does.
    if (bpe->prefix || bpe->suffix || !bpe->cuts_words) return merge_piece(run, text, len, err);
    return encode_pieces(run, text, len, err);
}

/* What no cache knew. */
static enum jl_status encode_key(struct bpe_run *run, const struct bpe_key *key,
                                 struct jl_error *err) {
    const char *text = (const char *)key;
    size_t len = (size_t)(key->high >> 60);
    unsigned kind = (unsigned)(key->high >> 56) & 15;
    if (kind == PIECE) return merge_piece(run, text, len, err);
    if (kind == WORD) return encode_word(run, text, len, err);
    run->cutting = len;
    JL_TRY(run->cut(run->ctx, (int)(kind - UNCUT), text, len, err));
    JL_TRY(bpe_run_flush(run, err));
    run->cutting = 0;
    return JL_OK;
}

enum jl_status bpe_run_flush(struct bpe_run *run, struct jl_error *err) {
    struct bpe_key key = run->waiting;
    if (!key.high) return JL_OK;
    run->waiting.high = 0;
    return through_place(run, &key, run->waiting_place, err);
}

/* Four characters or more of a script that writes no spaces: seldom seen again as a whole, it would
 * only drive its own pieces out of the cache. */
static bool is_phrase(const char *word, size_t len) {
    return len > 9 && (unsigned char)word[0] >= 0xE3;
}

/* A piece's place in the cache is fetched while the piece before it is looked up. */
static enum jl_status put_off(struct bpe_run *run, const char *text, size_t len, unsigned kind,
                              struct jl_error *err) {
    struct bpe_key key = key_of(text, len, kind);
    size_t place = place_of(run, &key);
    __builtin_prefetch(&run->cache[place]);
    JL_TRY(bpe_run_flush(run, err));
    run->waiting = key;
    run->waiting_place = place;
    return JL_OK;
}

enum jl_status bpe_run_word(struct bpe_run *run, const char *word, size_t len,
                            struct jl_error *err) {
    if (len == 0) return JL_OK;
    if (run->cache && len <= BPE_SEEN_BYTES && len != run->cutting && !is_phrase(word, len))
        return put_off(run, word, len, WORD, err);
    JL_TRY(bpe_run_flush(run, err));
    return encode_word(run, word, len, err);
}

enum jl_status bpe_run_piece(struct bpe_run *run, int step, const char *text, size_t len,
                             struct jl_error *err) {
    if (run->cache && len <= BPE_SEEN_BYTES && !run->cutting && UNCUT + step < KIND_END &&
        !is_phrase(text, len))
        return put_off(run, text, len, (unsigned)(UNCUT + step), err);
    if (!run->cutting) JL_TRY(bpe_run_flush(run, err));
    return run->cut(run->ctx, step, text, len, err);
}

void bpe_run_free(struct bpe_run *run) {
    bpe_merge_scratch_free(&run->merge);
    free(run->symbols.data);
    buffer_free(&run->affixed);
    free(run->cache);
}
