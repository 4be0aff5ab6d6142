#include "base/rng.h"

/* Multipliers and key increments of Philox4x32 (Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC'11, table 2 and section 4). */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u
#define PHILOX_ROUNDS 10

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* 64 bits of seed are the key; sequence, position, purpose (8 bits) and index (56 bits) fill the
 * counter, so distinct arguments never share a block. */
void rng_block(const struct rng_key *key, uint64_t index, uint32_t out[4]) {
    const uint32_t seed[2] = {(uint32_t)key->seed, (uint32_t)(key->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)index, key->position, key->sequence,
                                 (uint32_t)key->purpose << 24 |
                                     ((uint32_t)(index >> 32) & 0xFFFFFFu)};
    rng_philox(counter, seed, out);
}

double rng_unit53(const struct rng_key *key) {
    uint32_t words[4];
    rng_block(key, 0, words);
    uint64_t bits = ((uint64_t)words[0] << 32 | words[1]) >> 11;
    return (double)bits * 0x1p-53;
}

float rng_unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

float rng_uniform(const struct rng_key *key, uint64_t index) {
    uint32_t words[4];
    rng_block(key, index / 4, words);
    return rng_unit(words[index % 4]);
}
