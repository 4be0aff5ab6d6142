/* What two neighbouring symbols merge to: the table that encoding looks into most.
 *
 * It is filled as an ordinary map. When it is complete and every rank belongs to one result, it is
 * packed: a slot of 8 bytes holds both symbols and the rank, half of what the map takes, and most
 * of the time goes into waiting for these slots. */
#ifndef JL_TEXT_BPE_PAIRS_H
#define JL_TEXT_BPE_PAIRS_H

#include "text/u64map.h"

/* Keys are pairs of symbols, values the rank (high half) and the symbol they become. */
static inline uint64_t bpe_merge_key(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}
static inline uint64_t bpe_merge_value(uint32_t rank, int32_t merged) {
    return (uint64_t)rank << 32 | (uint32_t)merged;
}
#define BPE_MERGE_NONE UINT64_MAX // as a value: the two do not merge

#define BPE_SYMBOL_BITS 21 // of a packed symbol
#define BPE_RANK_BITS 22
#define BPE_SLOT_FREE UINT64_MAX

struct bpe_pairs {
    struct u64map map; // until packed
    uint64_t *slots;   // left, right and rank; NULL: not packed
    unsigned shift;    // a hash's first slot is hash >> shift
    size_t mask, far;  // slots from there, of the farthest pair
    int32_t *results;  // by rank; NULL: the rank is the result
};

/* The pairs one after another, in no order: *at starts at 0. False: there are no more. */
struct bpe_pair {
    int32_t left, right;
    uint64_t value;
};
bool bpe_pairs_next(const struct bpe_pairs *pairs, size_t *at, struct bpe_pair *out);
size_t bpe_pairs_count(const struct bpe_pairs *pairs);

/* After the last pair. Leaves the map as it is if it cannot be packed. False: out of memory. */
bool bpe_pairs_pack(struct bpe_pairs *pairs);
void bpe_pairs_free(struct bpe_pairs *pairs);

static inline uint64_t bpe_pairs_hash(uint64_t key) { return key * 0x9E3779B97F4A7C15u; }

/* The value of a pair, or BPE_MERGE_NONE. */
static inline uint64_t bpe_pairs_get(const struct bpe_pairs *pairs, int32_t left, int32_t right) {
    uint64_t value;
    if (!pairs->slots)
        return u64map_get(&pairs->map, bpe_merge_key(left, right), &value) ? value : BPE_MERGE_NONE;
    if ((left | right) >> BPE_SYMBOL_BITS) return BPE_MERGE_NONE;
    uint64_t key = (uint64_t)left << BPE_SYMBOL_BITS | (uint64_t)right;
    size_t i = (size_t)(bpe_pairs_hash(key) >> pairs->shift);
    for (size_t far = 0; far <= pairs->far; far++, i = (i + 1) & pairs->mask) {
        uint64_t slot = pairs->slots[i];
        if (slot >> BPE_RANK_BITS == key) {
            uint32_t rank = (uint32_t)slot & ((1u << BPE_RANK_BITS) - 1);
            return bpe_merge_value(rank, pairs->results ? pairs->results[rank] : (int32_t)rank);
        }
        if (slot == BPE_SLOT_FREE) break;
    }
    return BPE_MERGE_NONE;
}

#endif
