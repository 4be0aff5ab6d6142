#include "text/bpe_train/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "text/u64map.h"

#define FIRST_SLOTS ((size_t)1 << 10)
#define MOST_PIECES ((size_t)1 << 31)

static uint32_t hash_of(const char *text, size_t len) {
    uint64_t hash = len, word = 0;
    for (; len >= 8; text += 8, len -= 8) {
        memcpy(&word, text, 8);
        hash = u64map_mix(hash ^ word);
    }
    word = 0;
    memcpy(&word, text, len);
    return (uint32_t)u64map_mix(hash ^ word);
}

/* The slot of a piece, or the free one where it would go. */
static size_t slot_of(const struct bpe_pieces *pieces, const char *text, size_t len,
                      uint32_t hash) {
    size_t i = hash & pieces->mask;
    for (; pieces->slots[i]; i = (i + 1) & pieces->mask) {
        const struct bpe_piece *piece = &pieces->items[pieces->slots[i] - 1];
        if (piece->hash == hash && piece->len == len &&
            !memcmp(pieces->bytes.data + piece->at, text, len))
            break;
    }
    return i;
}

static bool grow_slots(struct bpe_pieces *pieces) {
    size_t n = pieces->slots ? 2 * (pieces->mask + 1) : FIRST_SLOTS;
    uint32_t *slots = calloc(n, sizeof *slots);
    if (!slots) return false;
    for (size_t k = 0; k < pieces->n; k++) {
        size_t i = pieces->items[k].hash & (n - 1);
        while (slots[i])
            i = (i + 1) & (n - 1);
        slots[i] = (uint32_t)k + 1;
    }
    free(pieces->slots);
    pieces->slots = slots;
    pieces->mask = n - 1;
    return true;
}

static bool grow_items(struct bpe_pieces *pieces) {
    size_t cap = pieces->cap ? 2 * pieces->cap : FIRST_SLOTS;
    struct bpe_piece *grown = reallocarray(pieces->items, cap, sizeof *grown);
    if (!grown) return false;
    pieces->items = grown;
    pieces->cap = cap;
    return true;
}

static bool add_hashed(struct bpe_pieces *pieces, const char *text, size_t len, uint32_t hash,
                       uint64_t count) {
    if (!pieces->slots || 2 * pieces->n > pieces->mask) {
        if (!grow_slots(pieces)) return false;
    }
    size_t slot = slot_of(pieces, text, len, hash);
    if (pieces->slots[slot]) {
        pieces->items[pieces->slots[slot] - 1].count += count;
        return true;
    }
    if (pieces->n >= MOST_PIECES || len > UINT32_MAX) return false;
    if (pieces->n == pieces->cap && !grow_items(pieces)) return false;
    size_t at = pieces->bytes.len;
    if (!buffer_append(&pieces->bytes, text, len)) return false;
    pieces->items[pieces->n++] = (struct bpe_piece){count, at, (uint32_t)len, hash};
    pieces->slots[slot] = (uint32_t)pieces->n;
    return true;
}

bool bpe_pieces_add(struct bpe_pieces *pieces, const char *text, size_t len, uint64_t count) {
    return add_hashed(pieces, text, len, hash_of(text, len), count);
}

const struct bpe_piece *bpe_pieces_find(const struct bpe_pieces *pieces, const char *text,
                                        size_t len) {
    if (!pieces->slots) return NULL;
    uint32_t index = pieces->slots[slot_of(pieces, text, len, hash_of(text, len))];
    return index ? &pieces->items[index - 1] : NULL;
}

bool bpe_pieces_join(struct bpe_pieces *pieces, const struct bpe_pieces *from) {
    for (size_t i = 0; i < from->n; i++) {
        const struct bpe_piece *piece = &from->items[i];
        if (!add_hashed(pieces, bpe_piece_text(from, piece), piece->len, piece->hash, piece->count))
            return false;
    }
    return true;
}

void bpe_pieces_free(struct bpe_pieces *pieces) {
    buffer_free(&pieces->bytes);
    free(pieces->items);
    free(pieces->slots);
    *pieces = (struct bpe_pieces){0};
}
