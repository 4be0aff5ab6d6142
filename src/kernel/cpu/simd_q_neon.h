/* kernel/cpu/linear_q.h on ARM: vectors of small integers. Weights of every type fit a signed byte,
 * so the signed dot product serves all of them and none needs an offset of its own. */
#ifndef JL_KERNEL_CPU_SIMD_Q_NEON_H
#define JL_KERNEL_CPU_SIMD_Q_NEON_H

/* ---- 64 bytes ---- */

/* name(a, b) of quarters seen as another vector type. */
#define Q_AS2_(name, from, to, instruction)                                                        \
    SIMD_INLINE int32x4_t name##_quarter_(int32x4_t a, int32x4_t b) {                              \
        return to(instruction(from(a), from(b)));                                                  \
    }                                                                                              \
    V16_OP2_(name, v16i, name##_quarter_)
#define Q_U8_(name, instruction)                                                                   \
    Q_AS2_(name, vreinterpretq_u8_s32, vreinterpretq_s32_u8, instruction)
#define Q_S16_(name, instruction)                                                                  \
    Q_AS2_(name, vreinterpretq_s16_s32, vreinterpretq_s32_s16, instruction)
#define Q_S64_(name, instruction)                                                                  \
    Q_AS2_(name, vreinterpretq_s64_s32, vreinterpretq_s32_s64, instruction)

/* By `bits` in all lanes, fewer than a lane has; `type` is a register's as lanes that shift so. */
#define Q_SHIFT_(name, type, lane, op)                                                             \
    SIMD_INLINE v16i name(v16i a, int bits) {                                                      \
        return (v16i){                                                                             \
            (int32x4_t)((type)a.q0 op(lane) bits), (int32x4_t)((type)a.q1 op(lane) bits),          \
            (int32x4_t)((type)a.q2 op(lane) bits), (int32x4_t)((type)a.q3 op(lane) bits)};         \
    }

V16_OP2_(v16i_and, v16i, vandq_s32)
V16_OP2_(v16i_or, v16i, vorrq_s32)
V16_OP2_(v16i_xor, v16i, veorq_s32)
V16_OP2_(v16i_add32, v16i, vaddq_s32)
V16_OP2_(v16i_mul32, v16i, vmulq_s32)
V16_OP2_(v16i_unlo32, v16i, vzip1q_s32)
V16_OP2_(v16i_unhi32, v16i, vzip2q_s32)
Q_U8_(v16i_add8, vaddq_u8)
Q_U8_(v16i_sub8, vsubq_u8)
Q_U8_(v16i_shuffle8, vqtbl1q_u8) // within quarters; an index of 128 gives 0
Q_U8_(v16i_unlo8, vzip1q_u8)
Q_U8_(v16i_unhi8, vzip2q_u8)
Q_S16_(v16i_add16, vaddq_s16)
Q_S16_(v16i_sub16, vsubq_s16)
Q_S16_(v16i_mul16, vmulq_s16)
Q_S64_(v16i_unlo64, vzip1q_s64)
Q_S64_(v16i_unhi64, vzip2q_s64)
Q_SHIFT_(v16i_srl16, uint16x8_t, uint16_t, >>)
Q_SHIFT_(v16i_sll16, uint16x8_t, uint16_t, <<)
Q_SHIFT_(v16i_sra16, int16x8_t, int16_t, >>)
Q_SHIFT_(v16i_srl32, uint32x4_t, uint32_t, >>)
Q_SHIFT_(v16i_sll32, uint32x4_t, uint32_t, <<)
Q_SHIFT_(v16i_sra32, int32x4_t, int32_t, >>)

SIMD_INLINE v16i v16i_zero(void) { return v16i_set1(0); }
SIMD_INLINE void v16i_store(void *p, v16i a) {
    uint8_t *byte = (uint8_t *)p;
    vst1q_u8(byte, vreinterpretq_u8_s32(a.q0));
    vst1q_u8(byte + 16, vreinterpretq_u8_s32(a.q1));
    vst1q_u8(byte + 32, vreinterpretq_u8_s32(a.q2));
    vst1q_u8(byte + 48, vreinterpretq_u8_s32(a.q3));
}
SIMD_INLINE v16i v16i_or_and(v16i a, v16i b, v16i c) { return v16i_or(a, v16i_and(b, c)); }
SIMD_INLINE int32x4_t v16i_srlv32_quarter_(int32x4_t a, int32x4_t bits) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vnegq_s32(bits)));
}
V16_OP2_(v16i_srlv32, v16i, v16i_srlv32_quarter_)
/* a + the sums of two signed products, 16 bits each */
SIMD_INLINE int32x4_t v16i_dot16_quarter_(int32x4_t a, int32x4_t b) {
    int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}
V16_OP2_(v16i_pairs16_, v16i, v16i_dot16_quarter_)
SIMD_INLINE v16i v16i_dot16(v16i a, v16i b, v16i c) { return v16i_add32(a, v16i_pairs16_(b, c)); }

SIMD_INLINE v16i v16i_quarters(v4i a, v4i b, v4i c, v4i d) {
    return (v16i){vreinterpretq_s32_u8(a), vreinterpretq_s32_u8(b), vreinterpretq_s32_u8(c),
                  vreinterpretq_s32_u8(d)};
}
SIMD_INLINE v16i v16i_halves(v8i lo, v8i hi) { return v16i_quarters(lo.lo, lo.hi, hi.lo, hi.hi); }
/* The low half shifted by `lo` bits, the high one by `hi`; words of 16 bits. */
SIMD_INLINE v16i v16i_sll_halves(v16i x, int lo, int hi) {
    v16i low = v16i_sll16(x, lo), high = v16i_sll16(x, hi);
    return (v16i){low.q0, low.q1, high.q2, high.q3};
}
SIMD_INLINE v16i v16i_srl_halves(v16i x, int lo, int hi) {
    v16i low = v16i_srl16(x, lo), high = v16i_srl16(x, hi);
    return (v16i){low.q0, low.q1, high.q2, high.q3};
}
/* 32 bytes twice, 16 bytes four times */
SIMD_INLINE v16i v16i_load_32x2(const void *p) {
    int32x4_t a = v16i_quarter_(p, 0), b = v16i_quarter_(p, 1);
    return (v16i){a, b, a, b};
}
SIMD_INLINE v16i v16i_load_16x4(const void *p) {
    int32x4_t a = v16i_quarter_(p, 0);
    return (v16i){a, a, a, a};
}
/* Dwords 0, 2 of each quarter of a, then of b; 1 and 3. */
V16_OP2_(v16i_even32, v16i, vuzp1q_s32)
V16_OP2_(v16i_odd32, v16i, vuzp2q_s32)
/* Quarters 0, 2 of a and of b plus quarters 1, 3 of them. */
SIMD_INLINE v16i v16i_merge128(v16i a, v16i b) {
    return (v16i){vaddq_s32(a.q0, a.q1), vaddq_s32(a.q2, a.q3), vaddq_s32(b.q0, b.q1),
                  vaddq_s32(b.q2, b.q3)};
}
/* The low half of a and of b plus the high half of them. */
SIMD_INLINE v16i v16i_merge256(v16i a, v16i b) {
    return (v16i){vaddq_s32(a.q0, a.q2), vaddq_s32(a.q1, a.q3), vaddq_s32(b.q0, b.q2),
                  vaddq_s32(b.q1, b.q3)};
}
SIMD_INLINE v16 v16_from_i32(v16i a) {
#define OP_(q) vcvtq_f32_s32(a.q)
    return V16_EACH_(v16, OP_);
#undef OP_
}
/* f16 in the low halves of 16 int32 */
SIMD_INLINE v16 v16_from_f16_low(v16i a) {
#define OP_(q) v16_widen_f16_(vmovn_u32(vreinterpretq_u32_s32(a.q)))
    return V16_EACH_(v16, OP_);
#undef OP_
}
/* Adds 16 to a byte, whose bit 4 is clear, where `chosen` has its one of `bits`. */
SIMD_INLINE v16i v16i_add_bit4(v16i w, v16i chosen, v16i bits) {
#define OP_(q)                                                                                     \
    vreinterpretq_s32_u8(vandq_u8(                                                                 \
        vtstq_u8(vreinterpretq_u8_s32(chosen.q), vreinterpretq_u8_s32(bits.q)), vdupq_n_u8(16)))
    return v16i_or(w, V16_EACH_(v16i, OP_));
#undef OP_
}
/* The bytes of x, negated where their bit of `signs` is set, plus `offset`. */
SIMD_INLINE v16i v16i_negate8(v16i x, uint64_t signs, unsigned offset) {
    const v4i bit = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    const v4i all = vreinterpretq_u8_u64(vdupq_n_u64(signs)), base = vdupq_n_u8((uint8_t)offset);
    const v4i first = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1)), two = vdupq_n_u8(2);
    v4i at[4] = {first, vaddq_u8(first, two)};
    at[2] = vaddq_u8(at[1], two);
    at[3] = vaddq_u8(at[2], two);
#define ONE_(q, i)                                                                                 \
    vreinterpretq_s32_u8(vbslq_u8(vtstq_u8(vqtbl1q_u8(all, at[i]), bit),                           \
                                  vsubq_u8(base, vreinterpretq_u8_s32(x.q)),                       \
                                  vaddq_u8(base, vreinterpretq_u8_s32(x.q))))
    return (v16i){ONE_(q0, 0), ONE_(q1, 1), ONE_(q2, 2), ONE_(q3, 3)};
#undef ONE_
}

/* ---- dots ---- */

/* Sums of products that do not end a block yet, and what they add to its sum once they are scaled:
 * int32 times an int32 scale. */
SIMD_INLINE int32x4_t q_dot_quarter_(int32x4_t acc, int32x4_t w, int32x4_t x) {
    return vdotq_s32(acc, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
}
SIMD_INLINE v16i q_sub_dot(v16i acc, v16i w, v16i x) {
#define OP_(q) q_dot_quarter_(acc.q, w.q, x.q)
    return V16_EACH_(v16i, OP_);
#undef OP_
}
SIMD_INLINE v16i q_add_scaled(v16i total, v16i sub, v16i scale) {
#define OP_(q) vmlaq_s32(total.q, sub.q, scale.q)
    return V16_EACH_(v16i, OP_);
#undef OP_
}
SIMD_INLINE int q_run_steps(int most, int steps) { return (void)most, steps; }

/* Signed weights need nothing. */
enum { Q_SIGNED_BIAS = 0 };
SIMD_INLINE v16i q_signed(v16i w) { return w; }
SIMD_INLINE v16i q_signed_sub_dot(v16i acc, v16i w, v16i x) { return q_sub_dot(acc, w, x); }

/* a + the products of 64 quants with activations, four of them times an int32 scale. */
SIMD_INLINE v16i q_dot_scaled(v16i a, v16i q, v16i x, bool is_signed, v16i scale) {
    (void)is_signed;
    return q_add_scaled(a, q_sub_dot(v16i_zero(), q, x), scale);
}

/* ---- 32 and 16 bytes ---- */

/* The sums of eight pairs. */
SIMD_INLINE void q_add_pairs16(const int16_t *x, int16_t *out) {
    vst1q_s16(out, vpaddq_s16(vld1q_s16(x), vld1q_s16(x + 8)));
}

SIMD_INLINE v4i q_load16(const uint8_t *p) { return vld1q_u8(p); }
SIMD_INLINE v8i q_load32(const uint8_t *p) { return (v8i){vld1q_u8(p), vld1q_u8(p + 16)}; }
SIMD_INLINE void v4i_store(void *p, v4i x) { vst1q_u8((uint8_t *)p, x); }
SIMD_INLINE void v8i_store(void *p, v8i x) {
    vst1q_u8((uint8_t *)p, x.lo);
    vst1q_u8((uint8_t *)p + 16, x.hi);
}
SIMD_INLINE v8i v8i_twice(v4i x) { return (v8i){x, x}; }
SIMD_INLINE v8i v8i_set8(int x) { return v8i_twice(vdupq_n_u8((uint8_t)x)); }
SIMD_INLINE v8i v8i_set16(int x) {
    return v8i_twice(vreinterpretq_u8_u16(vdupq_n_u16((uint16_t)x)));
}
SIMD_INLINE v8i v8i_set32(int32_t x) { return v8i_twice(vreinterpretq_u8_s32(vdupq_n_s32(x))); }
SIMD_INLINE v8i v8i_set64(int64_t x) { return v8i_twice(vreinterpretq_u8_s64(vdupq_n_s64(x))); }

#define V8I_OP2_(name, instruction)                                                                \
    SIMD_INLINE v8i name(v8i a, v8i b) {                                                           \
        return (v8i){instruction(a.lo, b.lo), instruction(a.hi, b.hi)};                            \
    }
SIMD_INLINE v4i v4i_mul16_(v4i a, v4i b) {
    return vreinterpretq_u8_u16(vmulq_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
}
V8I_OP2_(v8i_and, vandq_u8)
V8I_OP2_(v8i_or, vorrq_u8)
V8I_OP2_(v8i_xor, veorq_u8)
V8I_OP2_(v8i_mul16, v4i_mul16_)
V8I_OP2_(v8i_shuffle8, vqtbl1q_u8) // within halves
SIMD_INLINE v8i v8i_srl16(v8i a, int bits) {
    return (v8i){(v4i)((uint16x8_t)a.lo >> (uint16_t)bits),
                 (v4i)((uint16x8_t)a.hi >> (uint16_t)bits)};
}
SIMD_INLINE v8i v8i_sll16(v8i a, int bits) {
    return (v8i){(v4i)((uint16x8_t)a.lo << (uint16_t)bits),
                 (v4i)((uint16x8_t)a.hi << (uint16_t)bits)};
}
SIMD_INLINE v8i v8i_sll32(v8i a, int bits) {
    return (v8i){(v4i)((uint32x4_t)a.lo << (uint32_t)bits),
                 (v4i)((uint32x4_t)a.hi << (uint32_t)bits)};
}
SIMD_INLINE v8i v8i_words(v4i bytes) {
    return (v8i){vreinterpretq_u8_u16(vmovl_u8(vget_low_u8(bytes))),
                 vreinterpretq_u8_u16(vmovl_high_u8(bytes))};
}
/* 32 words below 256, in order, as bytes. */
SIMD_INLINE v8i v8i_bytes(v8i a, v8i b) {
    return (v8i){vuzp1q_u8(a.lo, a.hi), vuzp1q_u8(b.lo, b.hi)};
}
/* The dwords of even and of odd index of 64 bytes. */
SIMD_INLINE void v8i_unzip32(const void *p, v8i *even, v8i *odd) {
    v16i x = v16i_load(p);
    *even = (v8i){vreinterpretq_u8_s32(vuzp1q_s32(x.q0, x.q1)),
                  vreinterpretq_u8_s32(vuzp1q_s32(x.q2, x.q3))};
    *odd = (v8i){vreinterpretq_u8_s32(vuzp2q_s32(x.q0, x.q1)),
                 vreinterpretq_u8_s32(vuzp2q_s32(x.q2, x.q3))};
}
SIMD_INLINE v4i v8i_low(v8i x) { return x.lo; }
SIMD_INLINE v4i v8i_high(v8i x) { return x.hi; }

/* Four entries of eight bytes. */
SIMD_INLINE v4i v4i_fetch64_(const uint64_t *book, const uint16_t at[2]) {
    return vreinterpretq_u8_u64(vcombine_u64(vld1_u64(book + at[0]), vld1_u64(book + at[1])));
}
SIMD_INLINE v8i v8i_fetch64(const uint64_t *book, const uint16_t at[4]) {
    return (v8i){v4i_fetch64_(book, at), v4i_fetch64_(book, at + 2)};
}
/* Eight entries of four bytes. */
SIMD_INLINE v4i v4i_fetch32_(const uint32_t *book, const uint16_t at[4]) {
    uint32x4_t x = vld1q_dup_u32(book + at[0]);
    x = vld1q_lane_u32(book + at[1], x, 1);
    x = vld1q_lane_u32(book + at[2], x, 2);
    return vreinterpretq_u8_u32(vld1q_lane_u32(book + at[3], x, 3));
}
SIMD_INLINE v8i v8i_fetch32(const uint32_t *book, const uint16_t at[8]) {
    return (v8i){v4i_fetch32_(book, at), v4i_fetch32_(book, at + 4)};
}

/* 2^(e - 128) of 16 e: e - 1 is the exponent of a float; 0 and 1 would be denormal, which counts as
 * zero; 255 is NaN. */
SIMD_INLINE v16i v16i_widen_u8_(v4i q) {
    uint16x8_t low = vmovl_u8(vget_low_u8(q)), high = vmovl_high_u8(q);
    return (v16i){
        vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))),
        vreinterpretq_s32_u32(vmovl_high_u16(low)),
        vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
        vreinterpretq_s32_u32(vmovl_high_u16(high)),
    };
}
SIMD_INLINE v16 v16_from_e8m0(const uint8_t e[16]) {
    v4i code = vld1q_u8(e), none = vceqq_u8(code, vdupq_n_u8(255));
    v16i exponent = v16i_widen_u8_(vqsubq_u8(code, vdupq_n_u8(1)));
    v16i nan = v16i_widen_i8_(vreinterpretq_s8_u8(none));
    return v16_from_bits_(v16i_or_and(v16i_sll32(exponent, 23), nan, v16i_set1(0x7fc00000)));
}

/* ---- activations ---- */

/* 16 floats to int8, nearest even, clamped; their sum. */
SIMD_INLINE v4i q_round16(v16 x, v16 inverse) {
    const float32x4_t most = vdupq_n_f32(127), least = vdupq_n_f32(-127);
#define OP_(q) vcvtnq_s32_f32(vmaxq_f32(vminq_f32(vmulq_f32(x.q, inverse.q), most), least))
    v16i wide = V16_EACH_(v16i, OP_);
#undef OP_
    int16x8_t low = vcombine_s16(vmovn_s32(wide.q0), vmovn_s32(wide.q1));
    int16x8_t high = vcombine_s16(vmovn_s32(wide.q2), vmovn_s32(wide.q3));
    return vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
SIMD_INLINE int q_sum16(v4i q) { return vaddlvq_s8(vreinterpretq_s8_u8(q)); }

/* |x| as integers: their order is that of the values, NaN above all. */
SIMD_INLINE v16i q_max_bits(v16i most, v16 x) {
    v16i bits = v16i_and(v16_bits(x), v16i_set1(0x7fffffff));
#define OP_(q) vmaxq_s32(most.q, bits.q)
    return V16_EACH_(v16i, OP_);
#undef OP_
}
SIMD_INLINE uint32_t q_reduce_max(v16i x) {
    return (uint32_t)vmaxvq_s32(vmaxq_s32(vmaxq_s32(x.q0, x.q1), vmaxq_s32(x.q2, x.q3)));
}

#endif
