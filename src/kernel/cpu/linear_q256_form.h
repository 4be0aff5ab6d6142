/* What a type with superblocks of 256 says of itself: how its bytes unpack to quants, sub-scales
 * and minima. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_FORM_H
#define JL_KERNEL_CPU_LINEAR_Q256_FORM_H

#include "kernel/cpu/linear_q_gemm.h"

/* A superblock's factors of 16 rows (lanes), and its int8 sub-scales and minima: quarter l of
 * vector i holds those of row 4l + i, in order. Eight minima stand behind their eight scales, in
 * the upper half of the quarter; sixteen in `min`. */
struct q256_header {
    v16 d, dmin;
    v16i scale[4], min[4];
};

enum { Q256_LOOK = 192, Q256_PLANES_MOST = 4 };
/* A superblock of 16 rows on its way into a panel. */
struct q256_slice {
    const struct q_rows *rows;
    size_t at; // of the superblock in each row
    const struct q_panel *panel;
    int step, vec; // where its 64 steps start
    // Where they are folded into the quants: sub-scales, or their digits (linear_q256_digits.h), as
    // int16 twice a lane.
    v16i factor[16][Q256_PLANES_MOST];
};

/* Constant in each file, so that everything it decides is decided by the compiler. */
struct q256_form {
    int bytes;      // of a superblock
    int n_sub;      // sub-blocks with a scale (and minimum): 8 or 16
    int most;       // quants are stored as 0 .. most, `offset` higher than they count
    int offset;     // a power of two or 0; not with has_min
    bool is_signed; // quants are int8 (most is 128, offset 0)
    bool has_min;
    int quant_most, scale_most; // without sign: of a quant, its offset gone, and of a sub-scale
    bool scale_signed;          // sub-scales may be negative
    uint8_t order[16];          // the sub-blocks as quants() gives them
    void (*header)(const struct q_rows *rows, size_t at, struct q256_header *h);
    v16i (*quants)(const uint8_t *block, int c); // vector c of 4
    /* Writes what quants() reads in place of the block, up to Q256_LOOK bytes: what is cheaper to
     * do for a whole block than vector by vector. Or NULL. */
    void (*look)(const uint8_t *block, uint8_t *out);
    /* Puts a part of the 64 steps (q256_put()), or NULL: quants() is used. */
    void (*slice)(const struct q256_form *form, const struct q256_slice *slice, int i);
    int n_slice;
    /* AVX-512 panels: a quant's product with its sub-scale, `fold_offset` higher, fits a byte: one
     * vector of four quants times the factor of each. NULL: sub-sums are scaled instead. */
    v16i (*fold)(v16i quants, v16i factor);
    int fold_offset;
};

SIMD_INLINE bool q256_folds(const struct q256_form *form) {
#if defined(JINLIN_LEVEL_AMX)
    return (void)form, true;
#elif defined(JINLIN_LEVEL_AVX512)
    return form->fold != NULL;
#else
    return (void)form, false;
#endif
}

/* The elements of half h of the vectors start at this one. */
SIMD_INLINE int q256_first(const struct q256_form *form, int h) {
    return form->n_sub == 8 ? 32 * form->order[h] : 16 * form->order[2 * h];
}

/* Sums of activations, one a sub-block, eight a group. */
SIMD_INLINE void q256_sums(const struct q256_form *form, const int16_t *sum, int16_t out[16]) {
    if (form->n_sub == 16)
        v8i_store(out, q_load32((const uint8_t *)(const void *)sum));
    else
        q_add_pairs16(sum, out);
}

#endif
