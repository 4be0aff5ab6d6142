/* The order of documents: a keyed permutation, without memory.
 *
 * A Feistel network over the smallest even number of bits that holds n, with Philox as its round
 * function; what falls outside [0, n) goes round again (cycle walking), so [0, n) is mapped onto
 * itself (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). */
#ifndef JL_TRAIN_DATA_ORDER_H
#define JL_TRAIN_DATA_ORDER_H

#include <stdint.h>

#include "base/rng.h"

#define DATA_ORDER_MAX ((uint64_t)1 << 62)

/* The i-th of a permutation of [0, n); i < n <= DATA_ORDER_MAX. The key's stream belongs to it. */
uint64_t data_order(const struct rng_key *key, uint64_t n, uint64_t i);

#endif
