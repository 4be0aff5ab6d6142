/* Blocks whose quants are places in a codebook, as tensor/codebook.h lays them out. */
#include <string.h>

#include "tensor/blocks.h"
#include "tensor/codebook.h"
#include "tensor/qblock.h"

static uint32_t load_u16(const uint8_t *p) { return (uint32_t)(p[0] | p[1] << 8); }

static uint32_t load_u32(const uint8_t *p) { return load_u16(p) | load_u16(p + 2) << 16; }

/* Eight signs of which seven are stored. */
static uint32_t signs_by_parity(uint32_t seven) {
    return seven | (uint32_t)(__builtin_popcount(seven) & 1) << 7;
}

/* The elements of one or two grid entries, those with a set sign bit negated. */
static void put_vector(uint64_t entry, uint32_t signs, int n, int8_t *q) {
    for (int j = 0; j < n; j++) {
        int element = (int)(entry >> 8 * j & 255);
        q[j] = (int8_t)(signs >> j & 1 ? -element : element);
    }
}

static void put_nibbles(const uint8_t *packed, const int8_t book[16], int8_t *q) {
    for (int i = 0; i < 16; i++) {
        q[i] = book[packed[i] & 15];
        q[i + 16] = book[packed[i] >> 4];
    }
}

static void no_minima(struct qblock *out) {
    out->dmin = 0;
    memset(out->min, 0, sizeof out->min);
}

/* A nibble s for each of sixteen sub-blocks: 2s + 1. */
static void put_odd_scales(const uint8_t *nibbles, int16_t scale[16]) {
    for (int t = 0; t < 16; t++)
        scale[t] = (int16_t)(2 * (nibbles[t / 2] >> t % 2 * 4 & 15) + 1);
}

/* ---- single numbers ---- */

void qblock_iq4_nl(const uint8_t *block, struct qblock *out) {
    no_minima(out);
    out->d = block_f16(block);
    out->scale[0] = out->scale[1] = 1;
    put_nibbles(block + IQ4_NL_Q, codebook_iq4, out->q);
}

void qblock_iq4_xs(const uint8_t *block, struct qblock *out) {
    uint32_t high = load_u16(block + IQ4_XS_HIGH);
    no_minima(out);
    out->d = block_f16(block);
    for (int j = 0; j < 8; j++) {
        uint32_t low = block[IQ4_XS_LOW + j / 2] >> j % 2 * 4 & 15u;
        int six = (int)(low | (high >> 2 * j & 3) << 4);
        out->scale[2 * j] = out->scale[2 * j + 1] = (int16_t)(six - 32);
        put_nibbles(block + IQ4_XS_Q + 16 * j, codebook_iq4, out->q + 32 * j);
    }
}

void qblock_mxfp4(const uint8_t *block, struct qblock *out) {
    no_minima(out);
    out->d = f32_from_e8m0_half(block[0]);
    out->scale[0] = out->scale[1] = 1;
    put_nibbles(block + MXFP4_Q, codebook_fp4, out->q);
}

/* ---- IQ2 and IQ3 ---- */

void qblock_iq2_xxs(const uint8_t *block, struct qblock *out) {
    const uint8_t *p = block + IQ2_XXS_Q;
    no_minima(out);
    out->d = block_f16(block) * 0.125f;
    for (int j = 0; j < 8; j++, p += 8) {
        uint32_t word = load_u32(p + 4);
        out->scale[2 * j] = out->scale[2 * j + 1] = (int16_t)(2 * (word >> 28) + 1);
        for (int l = 0; l < 4; l++)
            put_vector(codebook_iq2_xxs[p[l]], signs_by_parity(word >> 7 * l & 127), 8,
                       out->q + 32 * j + 8 * l);
    }
}

void qblock_iq2_xs(const uint8_t *block, struct qblock *out) {
    no_minima(out);
    out->d = block_f16(block) * 0.125f;
    put_odd_scales(block + IQ2_XS_SCALES, out->scale);
    for (int g = 0; g < 32; g++) {
        uint32_t word = load_u16(block + IQ2_XS_Q + 2 * g);
        put_vector(codebook_iq2_xs[word & 511], signs_by_parity(word >> 9), 8, out->q + 8 * g);
    }
}

void qblock_iq2_s(const uint8_t *block, struct qblock *out) {
    no_minima(out);
    out->d = block_f16(block) * 0.125f;
    put_odd_scales(block + IQ2_S_SCALES, out->scale);
    for (int g = 0; g < 32; g++) {
        uint32_t high = block[IQ2_S_HIGH + g / 4] >> g % 4 * 2 & 3u;
        put_vector(codebook_iq2_s[block[IQ2_S_Q + g] | high << 8], block[IQ2_S_SIGNS + g], 8,
                   out->q + 8 * g);
    }
}

void qblock_iq3_xxs(const uint8_t *block, struct qblock *out) {
    const uint8_t *index = block + IQ3_XXS_Q;
    no_minima(out);
    out->d = block_f16(block) * 0.25f;
    for (int j = 0; j < 8; j++) {
        uint32_t word = load_u32(block + IQ3_XXS_SIGNS + 4 * j);
        out->scale[2 * j] = out->scale[2 * j + 1] = (int16_t)(2 * (word >> 28) + 1);
        for (int l = 0; l < 4; l++, index += 2) {
            uint32_t signs = signs_by_parity(word >> 7 * l & 127);
            put_vector(codebook_iq3_xxs[index[0]], signs, 4, out->q + 32 * j + 8 * l);
            put_vector(codebook_iq3_xxs[index[1]], signs >> 4, 4, out->q + 32 * j + 8 * l + 4);
        }
    }
}

void qblock_iq3_s(const uint8_t *block, struct qblock *out) {
    no_minima(out);
    out->d = block_f16(block);
    for (int j = 0; j < 8; j++) {
        int s = block[IQ3_S_SCALES + j / 2] >> j % 2 * 4 & 15;
        out->scale[2 * j] = out->scale[2 * j + 1] = (int16_t)(2 * s + 1);
    }
    for (int f = 0; f < 64; f++) { // fours
        uint32_t high = block[IQ3_S_HIGH + f / 8] >> f % 8 & 1u;
        put_vector(codebook_iq3_s[block[IQ3_S_Q + f] | high << 8],
                   block[IQ3_S_SIGNS + f / 2] >> f % 2 * 4, 4, out->q + 4 * f);
    }
}

/* ---- IQ1 ---- */

static void put_shifted(uint64_t entry, int shift, int8_t *q) {
    for (int j = 0; j < 8; j++)
        q[j] = (int8_t)((int8_t)(entry >> 8 * j & 255) + shift);
}

void qblock_iq1_s(const uint8_t *block, struct qblock *out) {
    no_minima(out);
    out->d = block_f16(block) * 0.125f;
    for (int j = 0; j < 8; j++) {
        uint32_t word = load_u16(block + IQ1_S_HIGH + 2 * j);
        out->scale[2 * j] = out->scale[2 * j + 1] = (int16_t)(2 * (word >> 12 & 7) + 1);
        for (int g = 4 * j; g < 4 * j + 4; g++) {
            uint32_t high = word >> 3 * (g % 4) & 7;
            put_shifted(codebook_iq1[block[IQ1_S_Q + g] | high << 8], word >> 15 ? -1 : 1,
                        out->q + 8 * g);
        }
    }
}

void qblock_iq1_m(const uint8_t *block, struct qblock *out) {
    const uint8_t *scales = block + IQ1_M_SCALES;
    no_minima(out);
    out->d = f32_from_f16(codebook_iq1_m_d(scales)) * 0.125f;
    for (int t = 0; t < 16; t++)
        out->scale[t] = (int16_t)(2 * (load_u16(scales + t / 4 * 2) >> 3 * (t % 4) & 7) + 1);
    for (int g = 0; g < 32; g++) {
        uint32_t high = block[IQ1_M_HIGH + g / 2] >> g % 2 * 4 & 15u;
        put_shifted(codebook_iq1[block[g] | (high & 7) << 8], high & 8 ? -1 : 1, out->q + 8 * g);
    }
}
