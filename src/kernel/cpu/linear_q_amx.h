/* Products by AMX's matrix unit, for the tiles of linear_q32_amx.h and linear_q256_amx.h.
 *
 * TDPBSSD multiplies 16 rows of activations by 16 outputs, and panels lie as it wants them.
 * Integers are exact, so its sums are those of any other level. They come back through memory,
 * where vectors scale and add them up. The unit takes 16 cycles for up to 64 elements of k, storing
 * its sums as many: how many elements they span decides the speed. */
#ifndef JL_KERNEL_CPU_LINEAR_Q_AMX_H
#define JL_KERNEL_CPU_LINEAR_Q_AMX_H

#include "kernel/cpu/linear_q_gemm.h"

enum { AMX_ROWS = 16, AMX_GROUPS = Q_ROWS / AMX_ROWS };
typedef int32_t amx_sums[AMX_ROWS][16]; // (row, output)

/* Rows from which on this beats VPDPBUSD, by planes of the panel, which take long to fill; 0:
 * never. Measured. */
SIMD_INLINE int amx_from_rows(int planes) {
    return planes == 1 ? 12 : planes == 2 ? 16 : planes == 3 ? 48 : 0;
}

SIMD_INLINE int amx_group_rows(int n, int group) {
    int left = n - AMX_ROWS * group;
    return left < AMX_ROWS ? left : AMX_ROWS;
}

/* Tile registers 0 to 3 hold sums, 4 and 5 activations of rows, 6 and 7 weights; 2, 3 and 5 may be
 * of another number of rows than 0, 1 and 4. `steps` of four elements. */
SIMD_INLINE void amx_configure(const struct q_tile *t, int rows, int other_rows, int steps) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    int shape = rows << 16 | other_rows << 8 | steps;
    if (*t->amx_shape == shape) return;
    *t->amx_shape = shape;
    for (int i = 0; i < 8; i++) {
        bool other = i == 2 || i == 3 || i == 5;
        config.rows[i] = (uint8_t)(i > 5 ? steps : other ? other_rows : rows);
        config.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? 4 * steps : 64);
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config)); // gcc's intrinsic names 8 of its 64 bytes
}

/* The rows of a group from element k on into tile register `i`, which is part of an instruction. */
#define AMX_LOAD_ROWS(i, t, group, k)                                                              \
    _tile_loadd(i, (t)->amx_x + AMX_ROWS * (group) * (t)->amx_x_stride + (k), (t)->amx_x_stride)

/* Row r's chains, 16 outputs, of n rows. Those that are not there start at zero and end nowhere. */
SIMD_INLINE v16 amx_chain_load(const struct q_tile *t, int r, int n, int v) {
    return t->fresh || r >= n ? v16_zero() : v16_load_n(t->y[r] + 16 * v, t->lanes[v]);
}
SIMD_INLINE void amx_chain_store(const struct q_tile *t, int r, int n, int v, v16 chain) {
    if (r < n) v16_store_n(t->y[r] + 16 * v, chain, t->lanes[v]);
}

#endif
