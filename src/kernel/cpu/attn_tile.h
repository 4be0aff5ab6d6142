/* What the attention bodies work on: some queries against one chunk. */
#ifndef JL_KERNEL_CPU_ATTN_TILE_H
#define JL_KERNEL_CPU_ATTN_TILE_H

#include "kernel/kernel.h"

/* Rows of a tile, and where vectors are many and have to be converted, of a tall one. */
enum { TILE_ROWS = 6, TILE_TALL = 12, TILE_WIDTH = 8 };

/* The queries of one tile, all with n_key > 0. */
struct tile {
    const struct attn_chunk_args *args;
    int n;
    int row[TILE_TALL]; // index into args->q
    int n_key[TILE_TALL];
    const void *q[TILE_TALL];
    float *p[TILE_TALL]; // scores, then weights; ATTN_BF16: weights as bf16
    float *o[TILE_TALL];
};

#endif
