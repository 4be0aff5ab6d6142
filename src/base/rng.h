/* Counter-based random numbers: value = f(key, counter), no hidden state.
 *
 * The key is (seed, sequence, position, purpose), so a draw does not depend on batch mates or on
 * how many draws came before it. Philox4x32-10 (Salmon et al., SC'11). */
#ifndef JL_BASE_RNG_H
#define JL_BASE_RNG_H

#include <stdint.h>

/* Numbers are part of the stream: append, never reorder. At most 256. */
enum rng_purpose {
    RNG_SAMPLE,
    RNG_SYNTH,
    RNG_TEST,
    RNG_XTC,
    RNG_INIT,
    RNG_SHUFFLE,
    RNG_HOLDOUT,
    RNG_ADAPTER,
    RNG_SKILL
};

struct rng_key {
    uint64_t seed;
    uint32_t sequence, position;
    enum rng_purpose purpose;
};

/* The `index`-th block of four words of the stream; index < 2^56. */
void rng_block(const struct rng_key *key, uint64_t index, uint32_t out[4]);

/* The `index`-th value of the stream in [0, 1), 24 bits: word index % 4 of block index / 4. */
float rng_uniform(const struct rng_key *key, uint64_t index);
double rng_unit53(const struct rng_key *key); // in [0, 1), 53 bits of block 0
float rng_unit(uint32_t word);                // one word of a block to [0, 1): its top 24 bits

/* The bare generator: counter and key as the paper orders their words, lowest first. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
