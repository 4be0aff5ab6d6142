/* Building: tables from the vocabulary and its merges. */
#include "text/tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/bpe_first.h"
#include "text/utf8.h"

void bpe_free(struct bpe *bpe) {
    bpe_pairs_free(&bpe->pairs);
    u64map_free(&bpe->chars);
    u64map_free(&bpe->splits);
    free(bpe->byte_pairs);
    free(bpe->first);
    bpe->byte_pairs = NULL;
    bpe->first = NULL;
}

size_t bpe_symbol_step(const struct bpe *bpe, const char *text, size_t len, uint32_t *code) {
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
    if (entry->len == 0 || bpe_symbol_step(bpe, entry->text, entry->len, &code) != entry->len)
        return true;
    return u64map_put(&bpe->chars, code, (uint64_t)token);
}

void bpe_set_byte_fallback(struct bpe *bpe) {
    bpe->byte_fallback = bpe->cuts_words = true;
    for (uint32_t i = 0; i < 256; i++) {
        bool known = bpe->bytes ? bpe_symbol(bpe, UTF8_CODE_END + i) < BPE_BARE
                                : bpe->byte_token[i] != TOKEN_NONE;
        bool first = bpe->bytes && (i & 0xC0) != 0x80; // what a character begins with is looked at
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
    if (bpe_symbol_step(bpe, text, len, &code) == len) return bpe_symbol(bpe, code);
    return vocab_find(bpe->vocab, text, len);
}

bool bpe_add_cuts(struct bpe *bpe, int32_t id, uint32_t rank) {
    const struct vocab_token *token = &bpe->vocab->tokens[id];
    uint32_t code;
    size_t at = bpe_symbol_step(bpe, token->text, token->len, &code);
    while (at < token->len) {
        int32_t left = part_symbol(bpe, token->text, at);
        int32_t right = part_symbol(bpe, token->text + at, token->len - at);
        if (left != TOKEN_NONE && right != TOKEN_NONE &&
            !u64map_put(&bpe->pairs.map, bpe_merge_key(left, right), bpe_merge_value(rank, id)))
            return false;
        at += bpe_symbol_step(bpe, token->text + at, token->len - at, &code);
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
        at += bpe_symbol_step(bpe, token->text + at, token->len - at, &code);
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
