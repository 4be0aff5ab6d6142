/* Sub-scales folded into quants, for a unit that adds up whole superblocks of bytes.
 *
 * quant times sub-scale does not fit a byte, but times a digit of the sub-scale it does: a plane of
 * products a digit, and the sum is that of plane 0 plus `base` times that of plane 1 and so on.
 * Where quants have no sign, nor have digits and bytes, and the base is a power of two; else digits
 * are balanced about 0, and the base is one more or one less than that: what multiplies sums is a
 * shift and an addition. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_DIGITS_H
#define JL_KERNEL_CPU_LINEAR_Q256_DIGITS_H

#include "kernel/cpu/linear_q256_form.h"

/* base = 2^bits + step, where step is 0 for digits without signs, else 1 or -1. */
struct q256_digits {
    int n, bits, step;
};

SIMD_INLINE struct q256_digits q256_digits(const struct q256_form *form) {
    struct q256_digits digits = {.n = 1};
    if (form->fold) return digits;
    bool is_signed = form->offset || form->is_signed || form->scale_signed;
    int most = (is_signed ? 127 : 255) / form->quant_most; // of a digit
    int digits_most = is_signed ? 2 * most + 1 : most + 1; // how many there can be
    while (2 << digits.bits <= digits_most + is_signed)
        digits.bits++;
    if (is_signed) digits.step = 1 << digits.bits < digits_most ? 1 : -1;
    int base = (1 << digits.bits) + digits.step, top = is_signed ? base / 2 : base - 1;
    for (int reach = top; reach < form->scale_most; reach = reach * base + top)
        digits.n++;
    return digits;
}

SIMD_INLINE v16i q256_times_base(const struct q256_digits *digits, v16i x) {
    v16i product = v16i_sll32(x, digits->bits);
    if (digits->step > 0) product = v16i_add32(product, x);
    if (digits->step < 0) product = v16i_sub(product, x);
    return product;
}

/* The digits of sub-scales, int16 twice a lane, lowest first. */
SIMD_INLINE void q256_split(const struct q256_digits *digits, v16i scale,
                            v16i digit[Q256_PLANES_MOST]) {
    const int base = (1 << digits->bits) + digits->step;
    const v16i inverse = v16i_set1((32768 + base / 2) / base * 0x10001);
    for (int p = 0; p + 1 < digits->n; p++) {
        v16i rest = digits->step ? _mm512_mulhrs_epi16(scale, inverse) // to nearest
                                 : v16i_srl16(scale, digits->bits);
        digit[p] = v16i_sub16(scale, v16i_mul16(rest, v16i_set1(base * 0x10001)));
        scale = rest;
    }
    digit[digits->n - 1] = scale;
}

/* Four quants times their digit, modulo 256: without signs no byte carries into the next. */
SIMD_INLINE v16i q256_times(const struct q256_digits *digits, v16i quants, v16i digit) {
    const v16i high = v16i_set1((int32_t)0xff00ff00u);
    v16i low = v16i_mul16(quants, digit);
    if (!digits->step) return low;
    v16i upper = v16i_mul16(v16i_and(quants, high), digit);
    return _mm512_mask_blend_epi8(UINT64_C(0xaaaaaaaaaaaaaaaa), low, upper);
}

#endif
