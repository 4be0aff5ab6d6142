/* What the integer linear bodies share: vectors of small integers and the ways rows become lanes.
 *
 * A v16i (kernel/cpu/simd.h) is 64 bytes here: four 16-byte quarters, or two halves. Sums of
 * integers are exact, so their order is free; only the float chain over blocks keeps the order of
 * docs/numerics.md. */
#ifndef JL_KERNEL_CPU_LINEAR_Q_H
#define JL_KERNEL_CPU_LINEAR_Q_H

#include "kernel/cpu/simd.h"
#include "kernel/kernel.h"
#include "tensor/xrow.h"

SIMD_INLINE v16i v16i_set8(unsigned x) { return v16i_set1((int32_t)(x * 0x01010101u)); }
SIMD_INLINE int32_t q_load_i32(const void *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Panels hold signed quants whatever a type stores: no offset has to be taken back. */
#if defined(JINLIN_LEVEL_AMX)
enum { Q_SIGNED_PANELS = 1 };
#else
enum { Q_SIGNED_PANELS = 0 };
#endif

#if defined(JINLIN_LEVEL_NEON)
#include "kernel/cpu/simd_q_neon.h"
#else
#include "kernel/cpu/simd_q_x86.h"
#endif

/* ---- blocks of activations ---- */

/* The step of a block of floats of which `most` has the largest (q_max_bits), and what they are
 * multiplied by before they are rounded. False: their quants are zeros, because the step is 0, or
 * NaN where one of them is not finite. */
SIMD_INLINE bool q_block_step(v16i most, float *step, v16 *inverse) {
    uint32_t bits = q_reduce_max(most);
    float amax;
    memcpy(&amax, &bits, sizeof amax);
    *step = bits < 0x7f800000u ? amax / 127.0f : __builtin_nanf("");
    if (!(*step > 0)) return false;
    *inverse = v16_set1(127.0f / amax);
    return true;
}

/* ---- sixteen weight rows ---- */

/* Rows from output o on; where fewer than 16 are left the last one repeats, and is not stored.
 * `next`: the 16 rows after them, one behind the other, for q_prefetch; these here if there are no
 * more. */
struct q_rows {
    const uint8_t *p[16];
    const uint8_t *next;
};

SIMD_INLINE struct q_rows q_rows_at(const struct linear_args *args, int o, size_t offset) {
    int next = o + 16 < args->out1 ? o + 16 : o;
    struct q_rows rows = {.next = args->w + (size_t)next * args->w_stride + offset};
    for (int i = 0; i < 16; i++) {
        int row = o + i < args->out1 ? o + i : args->out1 - 1;
        rows.p[i] = args->w + (size_t)row * args->w_stride + offset;
    }
    return rows;
}

/* Quarter l of vector i: 16 bytes of row 4l + i. */
SIMD_INLINE v16i q_gather16(const struct q_rows *rows, int i, size_t at) {
    return v16i_quarters(q_load16(rows->p[i] + at), q_load16(rows->p[i + 4] + at),
                         q_load16(rows->p[i + 8] + at), q_load16(rows->p[i + 12] + at));
}

/* 16 bytes of 16 rows as four vectors: lane o of column c is int32 c of row o. */
SIMD_INLINE void q_transpose(v16i row[4]) {
    v16i a = v16i_unlo32(row[0], row[1]), b = v16i_unlo32(row[2], row[3]);
    v16i c = v16i_unhi32(row[0], row[1]), d = v16i_unhi32(row[2], row[3]);
    row[0] = v16i_unlo64(a, b);
    row[1] = v16i_unhi64(a, b);
    row[2] = v16i_unlo64(c, d);
    row[3] = v16i_unhi64(c, d);
}

SIMD_INLINE void q_columns(const struct q_rows *rows, size_t at, v16i column[4]) {
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        column[i] = q_gather16(rows, i, at);
    q_transpose(column);
}

SIMD_INLINE v16i q_merge32(v16i a, v16i b) {
    return v16i_add32(v16i_unlo32(a, b), v16i_unhi32(a, b));
}
SIMD_INLINE v16i q_merge64(v16i a, v16i b) {
    return v16i_add32(v16i_unlo64(a, b), v16i_unhi64(a, b));
}

/* Row of the low half of pair i; the high half holds the row four further. */
SIMD_INLINE int q_pair_row(int i) { return i < 4 ? i : i + 4; }

/* Eight pairs of rows, each row eight partial sums: lane o is the sum of row o. */
SIMD_INLINE v16i q_sum_pairs(const v16i pair[8]) {
    v16i a = q_merge64(q_merge32(pair[0], pair[1]), q_merge32(pair[2], pair[3]));
    v16i b = q_merge64(q_merge32(pair[4], pair[5]), q_merge32(pair[6], pair[7]));
    return v16i_merge128(a, b);
}

/* Four vectors with the four partial sums of row 4l + i in quarter l of vector i. */
SIMD_INLINE v16i q_sum_quarters(const v16i part[4]) {
    return q_merge64(q_merge32(part[0], part[1]), q_merge32(part[2], part[3]));
}

/* Brings the next `bytes` of the next rows to L2 while these are worked on: memory then sees one
 * long stream, not sixteen. L1 would be too small, and its fill buffers too few. */
SIMD_INLINE void q_prefetch(const uint8_t **next, int bytes) {
    for (int line = 0; line < bytes; line += 64)
        SIMD_PREFETCH(*next + line);
    *next += bytes;
}

SIMD_INLINE int q_lanes(const struct linear_args *args, int o) {
    return args->out1 - o < 16 ? args->out1 - o : 16;
}

#endif
