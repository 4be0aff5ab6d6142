#include "train/data/order.h"

#define ROUNDS 8 // four suffice for large domains; small ones need more to look random

/* One round's function of half a block: at most 31 bits in and out. */
static uint32_t mix(const struct rng_key *key, int round, uint32_t half) {
    uint32_t words[4];
    rng_block(key, (uint64_t)round << 32 | half, words);
    return words[0];
}

static uint64_t permute(const struct rng_key *key, int half_bits, uint64_t value) {
    uint32_t mask = ((uint32_t)1 << half_bits) - 1;
    uint32_t left = (uint32_t)(value >> half_bits), right = (uint32_t)value & mask;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t next = left ^ (mix(key, round, right) & mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << half_bits | right;
}

uint64_t data_order(const struct rng_key *key, uint64_t n, uint64_t i) {
    int half_bits = 1;
    while ((uint64_t)1 << (2 * half_bits) < n)
        half_bits++;
    do {
        i = permute(key, half_bits, i);
    } while (i >= n);
    return i;
}
