/* Block types whose quants are places in a codebook: single numbers (IQ4_NL, IQ4_XS, MXFP4) or
 * vectors of four or eight with signs beside them (IQ1, IQ2, IQ3); qblock_iq.c takes them apart.
 * d * scale * q is exact in f32, but for MXFP4 at the ends of its range. Sources: ggml's published
 * block layouts and grids (ggml-common.h, ggml-quants.c); for MXFP4 also the OCP Microscaling
 * Formats specification 1.0.
 *
 * Below stand the layouts, in bytes from the block's start; numbers of several bytes are
 * little-endian. A group is 8 consecutive elements, a sub-block 16 or 32. "Signs by parity" are
 * seven bits, the eighth being such that the number of set bits is even; a set bit negates its
 * element. */
#ifndef JL_TENSOR_CODEBOOK_H
#define JL_TENSOR_CODEBOOK_H

#include "tensor/dtype.h"

/* IQ4_NL: f16 d; 16 bytes, elements 0..15 in the low nibbles, 16..31 in the high ones. */
enum { IQ4_NL_Q = 2 };

/* IQ4_XS: f16 d; u16 of eight 2-bit high parts of scales; 4 bytes of 4-bit low parts; 128 bytes, as
 * IQ4_NL sixteen a sub-block of 32. scale = the 6 bits - 32. */
enum { IQ4_XS_HIGH = 2, IQ4_XS_LOW = 4, IQ4_XS_Q = 8 };

/* MXFP4: E8M0 exponent e; 16 bytes as IQ4_NL. d = 2^(e - 128), because the quants are FP4 numbers
 * doubled; 255 is no number. */
enum { MXFP4_Q = 1 };

/* IQ2_XXS: f16 d; eight sub-blocks of 32: 4 index bytes, then a u32 of 4 x 7 signs by parity and,
 * on top, 4 bits of s. scale = 2s + 1; d is an eighth of the f16, as in all of IQ2. */
enum { IQ2_XXS_Q = 2 };

/* IQ2_XS: f16 d; 32 u16, one a group: 9 bits of index, 7 signs by parity; 8 bytes, a nibble s a
 * sub-block of 16. scale = 2s + 1. */
enum { IQ2_XS_Q = 2, IQ2_XS_SCALES = 66 };

/* IQ2_S: f16 d; 32 bytes of low index; 32 bytes of signs; 8 bytes, 2 bits of high index a group; 8
 * bytes of s as in IQ2_XS. */
enum { IQ2_S_Q = 2, IQ2_S_SIGNS = 34, IQ2_S_HIGH = 66, IQ2_S_SCALES = 74 };

/* IQ3_XXS: f16 d; 64 index bytes, one for four elements; 8 u32 as in IQ2_XXS. scale = 2s + 1; d is
 * a quarter of the f16. */
enum { IQ3_XXS_Q = 2, IQ3_XXS_SIGNS = 66 };

/* IQ3_S: f16 d; 64 bytes of low index; 8 bytes, 1 bit of high index for four elements; 32 bytes of
 * signs; 4 bytes, a nibble s a sub-block of 32. scale = 2s + 1. */
enum { IQ3_S_Q = 2, IQ3_S_HIGH = 66, IQ3_S_SIGNS = 74, IQ3_S_SCALES = 106 };

/* IQ1_S: f16 d; 32 bytes of low index; 8 u16, one a sub-block of 32: 4 x 3 bits of high index, 3
 * bits s, 1 bit "down". scale = 2s + 1; q = 8 * grid + 1, or - 1 where down; d is an eighth of the
 * f16. */
enum { IQ1_S_Q = 2, IQ1_S_HIGH = 34 };

/* IQ1_M: 32 bytes of low index; 16 bytes, a nibble a group: 3 bits of high index, 1 bit down; 4
 * u16: 4 x 3 bits s of sub-blocks of 16 and, on top, 4 bits of the f16 d, the lowest in the first.
 * The rest as IQ1_S. */
enum { IQ1_M_HIGH = 32, IQ1_M_SCALES = 48 };

extern const int8_t codebook_iq4[16], codebook_fp4[16];

/* Element j of an entry is byte j, counted from the lowest; those of codebook_iq1 are signed and
 * already times eight. */
extern const uint64_t codebook_iq1[2048];
extern const uint64_t codebook_iq2_xxs[256], codebook_iq2_xs[512], codebook_iq2_s[1024];
extern const uint32_t codebook_iq3_xxs[256], codebook_iq3_s[512];

/* The f16 that IQ1_M keeps in the top nibbles of its scales; `scales`: 8 bytes. */
static inline uint16_t codebook_iq1_m_d(const uint8_t *scales) {
    return (uint16_t)(scales[1] >> 4 | (scales[3] >> 4) << 4 | (scales[5] >> 4) << 8 |
                      (scales[7] >> 4) << 12);
}

#endif
