/* Layout of one chunk of cached keys or values: KV_CHUNK positions of one key/value head.
 *
 * Keys are d-major in groups of 16 positions, so that scores of 16 keys are one vector:
 *   f32, f16:  element (pos j, dim i) at ((j/16)*d + i)*16 + j%16
 *   bf16:      pairs of dims together: ((j/16)*(d/2) + i/2)*32 + (j%16)*2 + i%2
 *   q8:        a group is `width` * 16 int8, four dims together: (i/4)*64 + (j%16)*4 + i%4 bytes
 *              from its start; then n_block * 16 scales (f32): block b's at b*16 + j%16 of them
 * Values are position-major, so that one output is one chain over positions:
 *   f32, f16:  j*d + i
 *   bf16:      pairs of positions together: (j/2)*2*d + 2*i + j%2
 *   q8:        a position is `width` int8, then its n_block scales (f32)
 * d is even. A chunk is aligned to absolute position: chunk c holds positions c*128 .. c*128+127.
 * The cache stores what the class's kv dtype says; both scores and values are read from it only.
 *
 * q8 stores each 32 dims of a position as int8 with a scale of their own, the last dims as a
 * shorter block; `width` is d rounded up to 16, and what is past d is zero. */
#ifndef JL_TENSOR_KVCHUNK_H
#define JL_TENSOR_KVCHUNK_H

#include "tensor/dtype.h"

#define KV_CHUNK 128
#define KV_GROUP 16    // positions that share one vector of scores
#define KV_Q8 DTYPE_I8 // as the cache has them: with scales
#define KV_Q8_BLOCK 32 // dims

static inline size_t kv_q8_width(int d) { return ((size_t)d + 15) / 16 * 16; }
static inline size_t kv_q8_blocks(int d) { return ((size_t)d + KV_Q8_BLOCK - 1) / KV_Q8_BLOCK; }
/* A position's bytes, as a key or as a value. */
static inline size_t kv_q8_bytes(int d) { return kv_q8_width(d) + kv_q8_blocks(d) * sizeof(float); }
/* A query against keys of q8 is a row of XFMT_Q8_32 (tensor/xrow.h) of this many elements, those
 * past d zero. */
static inline int kv_q8_query(int d) { return (d + KV_Q8_BLOCK - 1) / KV_Q8_BLOCK * KV_Q8_BLOCK; }

size_t kvchunk_bytes(enum dtype kv, int d); // one chunk of keys, or of values
/* Rounds x (d floats) to the cache dtype and puts it at position `slot` (0..127) of the chunk. */
void kvchunk_put_key(enum dtype kv, void *chunk, int d, int slot, const float *x);
void kvchunk_put_value(enum dtype kv, void *chunk, int d, int slot, const float *x);
/* The first n positions as numbers, rows of x `stride` floats apart. */
void kvchunk_keys(enum dtype kv, const void *chunk, int d, int n, float *x, size_t stride);
void kvchunk_values(enum dtype kv, const void *chunk, int d, int n, float *x, size_t stride);
/* Zeroes the positions from slot `from` on. */
void kvchunk_clear_keys(enum dtype kv, void *chunk, int d, int from);
void kvchunk_clear_values(enum dtype kv, void *chunk, int d, int from);

#endif
