#include "text/bpe_train/learn.h"

#include <stdlib.h>
#include <string.h>

#include "text/bpe_train/candidates.h"
#include "text/bpe_train/grow.h"
#include "text/utf8.h"

#define NO_PAIR UINT32_MAX

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while learning merges");
}

/* ---- tokens ---- */

static bool add_token(struct bpe_learn *learn, const char *text, size_t len, int32_t left,
                      int32_t right) {
    struct bpe_learn_token *grown =
        bpe_grow(learn->tokens, (size_t)learn->n_token, &learn->cap_token, sizeof *grown);
    if (!grown) return false;
    learn->tokens = grown;
    size_t at = learn->text.len;
    if (!buffer_append(&learn->text, text, len) || !bpe_pieces_add(&learn->known, text, len, 1))
        return false;
    learn->tokens[learn->n_token++] = (struct bpe_learn_token){
        (uint32_t)len, left, right, utf8_valid_length(text, len) == len, at};
    return true;
}

/* The bytes of two tokens, one behind the other. */
static size_t joined(const struct bpe_learn *learn, int32_t left, int32_t right,
                     char out[2 * BPE_LEARN_TOKEN_BYTES]) {
    const struct bpe_learn_token *a = &learn->tokens[left], *b = &learn->tokens[right];
    memcpy(out, bpe_learn_bytes(learn, left), a->len);
    memcpy(out + a->len, bpe_learn_bytes(learn, right), b->len);
    return (size_t)a->len + b->len;
}

/* Whole characters with whole characters, or parts of one character. */
static bool fits(const struct bpe_learn *learn, int32_t left, int32_t right) {
    const struct bpe_learn_token *a = &learn->tokens[left], *b = &learn->tokens[right];
    if ((size_t)a->len + b->len > learn->max_token_bytes) return false;
    if (learn->cross_characters || (a->whole && b->whole)) return true;
    return !a->whole && !b->whole && ((unsigned char)*bpe_learn_bytes(learn, right) & 0xC0) == 0x80;
}

/* ---- pairs ---- */

static uint64_t key_of(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static uint32_t find_pair(const struct bpe_learn *learn, int32_t left, int32_t right) {
    uint64_t value;
    return u64map_get(&learn->index, key_of(left, right), &value) ? (uint32_t)value : NO_PAIR;
}

static bool add_pair(struct bpe_learn *learn, int32_t left, int32_t right, uint32_t *pair) {
    struct bpe_learn_pair *grown =
        bpe_grow(learn->pairs, learn->n_pair, &learn->cap_pair, sizeof *grown);
    if (!grown) return false;
    learn->pairs = grown;
    *pair = (uint32_t)learn->n_pair;
    if (!u64map_put(&learn->index, key_of(left, right), *pair)) return false;
    learn->pairs[learn->n_pair++] =
        (struct bpe_learn_pair){.left = left, .right = right, .merged = -1};
    return true;
}

static void lower(struct bpe_learn *learn, int32_t left, int32_t right, uint64_t count) {
    if (left == BPE_WORDS_GAP || right == BPE_WORDS_GAP) return;
    uint32_t pair = find_pair(learn, left, right);
    if (pair != NO_PAIR) learn->pairs[pair].count -= count;
}

/* Notes a pair that came to be at a place. */
static bool raise(struct bpe_learn *learn, int32_t left, int32_t right, uint64_t count,
                  size_t place) {
    if (left == BPE_WORDS_GAP || right == BPE_WORDS_GAP || !fits(learn, left, right)) return true;
    uint32_t pair = find_pair(learn, left, right);
    if (pair == NO_PAIR && !add_pair(learn, left, right, &pair)) return false;
    void *found = bpe_grow(learn->found, learn->n_found, &learn->cap_found, sizeof *learn->found);
    if (!found) return false;
    learn->found = found;
    if (learn->pairs[pair].n_found++ == 0) {
        void *touched =
            bpe_grow(learn->touched, learn->n_touched, &learn->cap_touched, sizeof *learn->touched);
        if (!touched) return false;
        learn->touched = touched;
        learn->touched[learn->n_touched++] = pair;
    }
    learn->pairs[pair].count += count;
    learn->found[learn->n_found++] = (struct bpe_learn_found){pair, (uint32_t)place};
    return true;
}

/* Makes room for the places that were counted. */
static bool open_places(struct bpe_learn_pair *pair) {
    pair->places = reallocarray(NULL, pair->n_found, sizeof *pair->places);
    pair->n_found = 0;
    return pair->places != NULL;
}

/* Gives each pair its places, and the pairs to the heap. */
static bool settle(struct bpe_learn *learn) {
    for (size_t i = 0; i < learn->n_touched; i++)
        if (!open_places(&learn->pairs[learn->touched[i]])) return false;
    for (size_t i = 0; i < learn->n_found; i++) {
        struct bpe_learn_pair *pair = &learn->pairs[learn->found[i].pair];
        pair->places[pair->n_place++] = learn->found[i].place;
    }
    for (size_t i = 0; i < learn->n_touched; i++) {
        if (learn->pairs[learn->touched[i]].count == 0) continue;
        if (!bpe_candidates_put(learn, learn->touched[i])) return false;
    }
    learn->n_found = learn->n_touched = 0;
    return true;
}

static void free_places(struct bpe_learn_pair *pair) {
    free(pair->places);
    pair->places = NULL;
}

/* ---- one merge ---- */

/* At one place, if the pair still stands there. */
static bool merge_at(struct bpe_learn *learn, const struct bpe_learn_pair *pair, int32_t merged,
                     size_t place) {
    int32_t *places = learn->words.places;
    size_t second = place + learn->tokens[pair->left].len;
    size_t end = second + learn->tokens[pair->right].len;
    if (places[place] != pair->left || places[second] != pair->right) return true;
    uint64_t count = bpe_words_count(&learn->words, (uint32_t)place);
    int32_t before = places[place - 1], behind = places[end];
    lower(learn, before, pair->left, count);
    lower(learn, pair->left, pair->right, count);
    lower(learn, pair->right, behind, count);
    places[second] = BPE_WORDS_GONE;
    places[place] = places[end - 1] = merged;
    return (before == BPE_WORDS_GAP ||
            raise(learn, before, merged, count, place - learn->tokens[before].len)) &&
           raise(learn, merged, behind, count, place);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static enum jl_status merge_pair(struct bpe_learn *learn, uint32_t index, struct jl_error *err) {
    struct bpe_learn_pair pair = learn->pairs[index]; // a copy: the array may move
    char text[2 * BPE_LEARN_TOKEN_BYTES];
    size_t len = joined(learn, pair.left, pair.right, text);
    int32_t merged = learn->n_token;
    if (!add_token(learn, text, len, pair.left, pair.right)) return no_memory(err);
    learn->pairs[index].merged = merged;
    bool ok = true;
    // Only "aa" in "aaa" can stand in its own way: from left to right.
    if (pair.left == pair.right && pair.n_place)
        qsort(pair.places, pair.n_place, sizeof *pair.places, ascending);
    for (uint32_t i = 0; i < pair.n_place && ok; i++)
        ok = merge_at(learn, &pair, merged, pair.places[i]);
    free_places(&learn->pairs[index]);
    return ok && settle(learn) ? JL_OK : no_memory(err);
}

/* ---- start ---- */

/* As raise and settle do, without a list of all places. */
static bool first_pairs(struct bpe_learn *learn) {
    const struct bpe_words *words = &learn->words;
    uint32_t *pairs = reallocarray(NULL, 1 << 16, sizeof *pairs);
    bool ok = pairs != NULL;
    for (int i = 0; i < 1 << 16 && ok; i++)
        pairs[i] = NO_PAIR;
    for (int pass = 0; pass < 2 && ok; pass++) {
        for (size_t word = 0; word < words->n && ok; word++) {
            const int32_t *at = words->places + words->starts[word];
            for (; at[1] != BPE_WORDS_GAP && ok; at++) {
                uint32_t *pair = &pairs[at[0] << 8 | at[1]];
                if (!fits(learn, at[0], at[1])) continue;
                if (pass) {
                    struct bpe_learn_pair *found = &learn->pairs[*pair];
                    found->places[found->n_place++] = (uint32_t)(at - words->places);
                    continue;
                }
                if (*pair == NO_PAIR) ok = add_pair(learn, at[0], at[1], pair);
                if (!ok) break;
                learn->pairs[*pair].count += words->counts[word];
                learn->pairs[*pair].n_found++;
            }
        }
        for (size_t i = 0; i < learn->n_pair && ok; i++)
            ok = pass ? bpe_candidates_put(learn, (uint32_t)i) : open_places(&learn->pairs[i]);
    }
    free(pairs);
    return ok;
}

enum jl_status bpe_learn_start(struct bpe_learn *learn, struct bpe_words *words,
                               struct jl_error *err) {
    learn->words = *words;
    *words = (struct bpe_words){0};
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        if (!add_token(learn, &byte, 1, -1, -1)) return no_memory(err);
    }
    return first_pairs(learn) ? JL_OK : no_memory(err);
}

enum jl_status bpe_learn_forbid(struct bpe_learn *learn, const char *text, size_t len,
                                struct jl_error *err) {
    return bpe_pieces_add(&learn->known, text, len, 1) ? JL_OK : no_memory(err);
}

/* ---- steps ---- */

enum jl_status bpe_learn_join(struct bpe_learn *learn, int32_t left, int32_t right, int32_t *id,
                              struct jl_error *err) {
    uint32_t pair = find_pair(learn, left, right);
    if (pair == NO_PAIR && !add_pair(learn, left, right, &pair)) return no_memory(err);
    if (learn->pairs[pair].merged < 0) JL_TRY(merge_pair(learn, pair, err));
    *id = learn->pairs[pair].merged;
    return JL_OK;
}

enum jl_status bpe_learn_best(struct bpe_learn *learn, uint64_t min_count, bool *done,
                              struct jl_error *err) {
    uint32_t pair;
    while (bpe_candidates_take(learn, min_count, &pair)) {
        char text[2 * BPE_LEARN_TOKEN_BYTES];
        size_t len = joined(learn, learn->pairs[pair].left, learn->pairs[pair].right, text);
        *done = false;
        if (!bpe_pieces_find(&learn->known, text, len)) return merge_pair(learn, pair, err);
        free_places(&learn->pairs[pair]);
    }
    *done = true;
    return JL_OK;
}

void bpe_learn_free(struct bpe_learn *learn) {
    for (size_t i = 0; i < learn->n_pair; i++)
        free_places(&learn->pairs[i]);
    bpe_words_free(&learn->words);
    buffer_free(&learn->text);
    free(learn->tokens);
    bpe_pieces_free(&learn->known);
    u64map_free(&learn->index);
    free(learn->pairs);
    free(learn->heap);
    free(learn->found);
    free(learn->touched);
    *learn = (struct bpe_learn){0};
}
