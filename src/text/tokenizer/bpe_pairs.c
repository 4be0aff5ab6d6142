#include "text/tokenizer/bpe_pairs.h"

#include <stdlib.h>

#include "base/arena.h"

#define NO_RESULT (-1)
#define MOST_FAR 4096 // slots from home; the map has no such limit

void bpe_pairs_free(struct bpe_pairs *pairs) {
    u64map_free(&pairs->map);
    free(pairs->slots);
    free(pairs->results);
    *pairs = (struct bpe_pairs){0};
}

/* One more than the highest rank; 0 when some symbol or rank has too many bits. */
static size_t count_ranks(const struct u64map *map) {
    size_t n = 0;
    for (size_t i = 0; i <= map->mask; i++) {
        const struct u64map_slot *slot = &map->slots[i];
        if (slot->key == U64MAP_EMPTY) continue;
        uint64_t left = slot->key >> 32, right = (uint32_t)slot->key, rank = slot->value >> 32;
        if ((left | right) >> BPE_SYMBOL_BITS || rank >= (1u << BPE_RANK_BITS) - 1) return 0;
        if (rank >= n) n = (size_t)rank + 1;
    }
    return n;
}

/* False: some rank has two results. *same: every rank is its result. */
static bool fill_results(const struct u64map *map, int32_t *results, size_t n, bool *same) {
    for (size_t i = 0; i < n; i++)
        results[i] = NO_RESULT;
    *same = true;
    for (size_t i = 0; i <= map->mask; i++) {
        const struct u64map_slot *slot = &map->slots[i];
        if (slot->key == U64MAP_EMPTY) continue;
        size_t rank = (size_t)(slot->value >> 32);
        int32_t result = (int32_t)(uint32_t)slot->value;
        if (results[rank] != NO_RESULT && results[rank] != result) return false;
        results[rank] = result;
        *same = *same && (size_t)result == rank;
    }
    return true;
}

/* False: out of memory. Slots stay NULL where pairs were chosen to collide under this plain hash.
 */
static bool fill_slots(struct bpe_pairs *pairs) {
    const struct u64map *map = &pairs->map;
    unsigned bits = 4;
    while ((size_t)1 << bits < 2 * map->count)
        bits++;
    size_t n = (size_t)1 << bits, bytes;
    if (!size_mul(n, sizeof *pairs->slots, &bytes)) return false;
    pairs->slots = malloc(bytes);
    if (!pairs->slots) return false;
    for (size_t i = 0; i < n; i++)
        pairs->slots[i] = BPE_SLOT_FREE;
    pairs->shift = 64 - bits;
    pairs->mask = n - 1;
    for (size_t i = 0; i <= map->mask; i++) {
        if (map->slots[i].key == U64MAP_EMPTY) continue;
        uint64_t left = map->slots[i].key >> 32, right = (uint32_t)map->slots[i].key;
        uint64_t key = left << BPE_SYMBOL_BITS | right;
        size_t at = (size_t)(bpe_pairs_hash(key) >> pairs->shift), far = 0;
        for (; pairs->slots[at] != BPE_SLOT_FREE && far <= MOST_FAR; far++)
            at = (at + 1) & pairs->mask;
        if (far > MOST_FAR) {
            free(pairs->slots);
            pairs->slots = NULL;
            return true;
        }
        if (far > pairs->far) pairs->far = far;
        pairs->slots[at] = key << BPE_RANK_BITS | map->slots[i].value >> 32;
    }
    return true;
}

bool bpe_pairs_pack(struct bpe_pairs *pairs) {
    size_t n = pairs->map.count ? count_ranks(&pairs->map) : 0;
    bool same;
    if (n == 0) return true;
    int32_t *results = malloc(n * sizeof *results); // n is below 2^22
    if (!results) return false;
    if (!fill_results(&pairs->map, results, n, &same)) {
        free(results);
        return true;
    }
    bool filled = fill_slots(pairs);
    if (!filled || !pairs->slots) {
        free(results);
        return filled;
    }
    if (same) free(results);
    pairs->results = same ? NULL : results;
    u64map_free(&pairs->map);
    return true;
}

static bool next_of_map(const struct u64map *map, size_t *at, struct bpe_pair *out) {
    for (; map->slots && *at <= map->mask; ++*at) {
        const struct u64map_slot *slot = &map->slots[*at];
        if (slot->key == U64MAP_EMPTY) continue;
        *out = (struct bpe_pair){(int32_t)(slot->key >> 32), (int32_t)(uint32_t)slot->key,
                                 slot->value};
        ++*at;
        return true;
    }
    return false;
}

bool bpe_pairs_next(const struct bpe_pairs *pairs, size_t *at, struct bpe_pair *out) {
    const uint64_t symbol = ((uint64_t)1 << BPE_SYMBOL_BITS) - 1;
    if (!pairs->slots) return next_of_map(&pairs->map, at, out);
    for (; *at <= pairs->mask; ++*at) {
        uint64_t slot = pairs->slots[*at], key = slot >> BPE_RANK_BITS;
        if (slot == BPE_SLOT_FREE) continue;
        uint32_t rank = (uint32_t)slot & ((1u << BPE_RANK_BITS) - 1);
        *out = (struct bpe_pair){
            (int32_t)(key >> BPE_SYMBOL_BITS), (int32_t)(key & symbol),
            bpe_merge_value(rank, pairs->results ? pairs->results[rank] : (int32_t)rank)};
        ++*at;
        return true;
    }
    return false;
}

size_t bpe_pairs_count(const struct bpe_pairs *pairs) {
    struct bpe_pair pair;
    size_t n = 0;
    for (size_t at = 0; bpe_pairs_next(pairs, &at, &pair);)
        n++;
    return n;
}
