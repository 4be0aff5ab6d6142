/* Random rows of the types that this program reads and does not quantise to. */
#ifndef JL_MODEL_SYNTH_BLOCKS_H
#define JL_MODEL_SYNTH_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "tensor/dtype.h"

bool synth_blocks_has(enum dtype dtype);
/* n values of a row: random bits, with each block's factor such that its values have this standard
 * deviation. `x`: room for a block. */
void synth_blocks_row(enum dtype dtype, const struct rng_key *key, float deviation, uint8_t *row,
                      float *x, int64_t n);

#endif
