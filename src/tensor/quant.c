/* Rows of floats into each type: floats are rounded, blocks are searched for (quant_search.h). */
#include "tensor/quant.h"

#include <math.h>
#include <string.h>

#include "tensor/codebook.h"
#include "tensor/quant_pack.h"
#include "tensor/quant_search.h"

struct quantizer {
    quant_search_fn *search;
    struct quant_form form;
};

#define IQ4                                                                                        \
    { -127, 113, codebook_iq4, 16 }

static const struct quantizer *quantizer_of(enum dtype dtype) {
    static const struct quantizer quantizers[DTYPE_COUNT] = {
        [DTYPE_Q4_0] = {quant_search_one, {32, 32, {-8, 7}, 1, 1, 0, quant_pack_q4_0}},
        [DTYPE_Q4_1] = {quant_search_one, {32, 32, {0, 15}, 1, 1, 1, quant_pack_q4_1}},
        [DTYPE_Q5_0] = {quant_search_one, {32, 32, {-16, 15}, 1, 1, 0, quant_pack_q5_0}},
        [DTYPE_Q5_1] = {quant_search_one, {32, 32, {0, 31}, 1, 1, 1, quant_pack_q5_1}},
        [DTYPE_Q8_0] = {quant_search_plain, {32, 32, {-127, 127}, 1, 1, 0, quant_pack_q8_0}},
        [DTYPE_Q2_K] = {quant_search_line, {256, 16, {0, 3}, 0, 15, 15, quant_pack_q2_k}},
        [DTYPE_Q3_K] = {quant_search_scale, {256, 16, {-4, 3}, -32, 31, 0, quant_pack_q3_k}},
        [DTYPE_Q4_K] = {quant_search_line, {256, 32, {0, 15}, 0, 63, 63, quant_pack_q4_k}},
        [DTYPE_Q5_K] = {quant_search_line, {256, 32, {0, 31}, 0, 63, 63, quant_pack_q5_k}},
        [DTYPE_Q6_K] = {quant_search_scale, {256, 16, {-32, 31}, -128, 127, 0, quant_pack_q6_k}},
        [DTYPE_IQ4_NL] = {quant_search_one, {32, 32, IQ4, 1, 1, 0, quant_pack_iq4_nl}},
        [DTYPE_IQ4_XS] = {quant_search_scale, {256, 32, IQ4, -32, 31, 0, quant_pack_iq4_xs}},
    };
    return quantizers[dtype].search ? &quantizers[dtype] : NULL;
}

/* What is far enough from the largest number that factors of f16 can give: the search goes somewhat
 * beyond the ends. NaN is out of reach too. */
static bool within_reach(const struct quant_form *form, const float *x) {
    float most = 0.25f * 65504.0f * (float)form->levels.high * (float)form->scale_high;
    for (int i = 0; i < form->size; i++)
        if (!(fabsf(x[i]) < most)) return false;
    return true;
}

/* Weights around 1, none of them 0: an element that costs nothing still gets a value near its own.
 */
static void block_weights(const float *importance, int n, float *w) {
    double sum = 0;
    for (int i = 0; importance && i < n; i++)
        sum += (double)importance[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++)
        w[i] = mean > 0 ? (float)((double)importance[i] / mean) + 0x1p-16f : 1;
}

static void quantize_blocks(enum dtype dtype, const struct quantizer *by, const float *x,
                            const float *importance, uint8_t *row, int64_t n) {
    int size = by->form.size;
    for (int64_t i = 0; i < n; i += size, row += dtype_row(dtype)->bytes) {
        float w[QBLOCK_MOST];
        struct qblock block;
        if (within_reach(&by->form, x + i)) {
            block_weights(importance ? importance + i : NULL, size, w);
            by->search(&by->form, x + i, w, &block);
        } else {
            block = (struct qblock){.d = NAN, .dmin = by->form.most_min ? NAN : 0};
        }
        by->form.pack(&block, row);
    }
}

static bool quantize_floats(enum dtype dtype, const float *x, uint8_t *p, int64_t n) {
    switch (dtype) {
    case DTYPE_F32:
        if (n) memcpy(p, x, (size_t)n * sizeof *x); // nothing may come with no memory
        return true;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            quant_put_f16(p + 2 * i, x[i]);
        return true;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) {
            uint16_t bits = bf16_from_f32(x[i]);
            memcpy(p + 2 * i, &bits, sizeof bits);
        }
        return true;
    case DTYPE_F8_E4M3:
        for (int64_t i = 0; i < n; i++)
            p[i] = f8_e4m3_from_f32(x[i]);
        return true;
    default: return false;
    }
}

bool dtype_quantize(enum dtype dtype, const float *x, const float *importance, void *row,
                    int64_t n) {
    const struct quantizer *by = quantizer_of(dtype);
    if (!by) return quantize_floats(dtype, x, row, n);
    quantize_blocks(dtype, by, x, importance, row, n);
    return true;
}

bool dtype_quantize_plain(enum dtype dtype, const float *x, void *row, int64_t n) {
    const struct quantizer *by = quantizer_of(dtype);
    if (!by) return quantize_floats(dtype, x, row, n);
    const struct quantizer plain = {quant_search_plain, by->form};
    quantize_blocks(dtype, &plain, x, NULL, row, n);
    return true;
}

bool dtype_can_quantize(enum dtype dtype) { return dtype_quantize(dtype, NULL, NULL, NULL, 0); }
