/* What the attention bodies work on: some queries against one chunk. */
#ifndef JL_KERNEL_CPU_ATTN_TILE_H
#define JL_KERNEL_CPU_ATTN_TILE_H

#include "kernel/kernel.h"

enum { TILE_ROWS = 6, TILE_WIDTH = 8 };

/* The queries of one tile, all with n_key > 0. */
struct tile {
    const struct attn_chunk_args *args;
    int n;
    int row[TILE_ROWS]; // index into args->q
    int n_key[TILE_ROWS];
    const void *q[TILE_ROWS];
    float *p[TILE_ROWS]; // scores, then weights; ATTN_BF16: weights as bf16
    float *o[TILE_ROWS];
};

#endif
