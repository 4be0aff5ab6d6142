/* Layout of one chunk of cached keys or values: KV_CHUNK positions of one key/value head.
 *
 * Keys are d-major in groups of 16 positions, so that scores of 16 keys are one vector:
 *   f32, f16:  element (pos j, dim i) at ((j/16)*d + i)*16 + j%16
 *   bf16:      pairs of dims together: ((j/16)*(d/2) + i/2)*32 + (j%16)*2 + i%2
 * Values are position-major, so that one output is one chain over positions:
 *   f32, f16:  j*d + i
 *   bf16:      pairs of positions together: (j/2)*2*d + 2*i + j%2
 * d is even. A chunk is aligned to absolute position: chunk c holds positions c*128 .. c*128+127.
 * The cache stores what the class's kv dtype says; both scores and values are read from it only. */
#ifndef JL_TENSOR_KVCHUNK_H
#define JL_TENSOR_KVCHUNK_H

#include "tensor/dtype.h"

#define KV_CHUNK 128

size_t kvchunk_bytes(enum dtype kv, int d); // one chunk of keys, or of values
/* Rounds x (d floats) to the cache dtype and puts it at position `slot` (0..127) of the chunk. */
void kvchunk_put_key(enum dtype kv, void *chunk, int d, int slot, const float *x);
void kvchunk_put_value(enum dtype kv, void *chunk, int d, int slot, const float *x);
/* Zeroes the positions from slot `from` on. */
void kvchunk_clear_keys(enum dtype kv, void *chunk, int d, int from);
void kvchunk_clear_values(enum dtype kv, void *chunk, int d, int from);

#endif
