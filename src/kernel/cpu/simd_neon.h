/* kernel/cpu/simd.h on ARMv8.2 with dot products: a v16 is four registers. */
#ifndef JL_KERNEL_CPU_SIMD_NEON_H
#define JL_KERNEL_CPU_SIMD_NEON_H

#define SIMD_REGISTERS 8    // v16 values that the register file holds
#define SIMD_SPLITS_PAIRS 1 // v16_dpbf16 works on the two floats of a pair apart
#define SIMD_DOTS 1         // four products of bytes are added to an int32 by one instruction

typedef struct {
    float32x4_t q0, q1, q2, q3;
} v16;
typedef struct {
    int32x4_t q0, q1, q2, q3;
} v16i;
typedef struct {
    uint32x4_t q0, q1, q2, q3; // all bits of a lane set or clear
} v16m;
typedef uint8x16_t v4i;
typedef struct {
    v4i lo, hi;
} v8i;

/* What is done to each register: `op` names it by its member. */
#define V16_EACH_(type, op) ((type){op(q0), op(q1), op(q2), op(q3)})

/* Sixteen set lanes, then sixteen clear ones: a mask of n lanes starts at 16 - n. */
static const uint32_t v16_first_table_[32] = {-1u, -1u, -1u, -1u, -1u, -1u, -1u, -1u,
                                              -1u, -1u, -1u, -1u, -1u, -1u, -1u, -1u};
SIMD_INLINE v16m v16_first_(int n) {
    const uint32_t *row = v16_first_table_ + 16 - n;
    return (v16m){vld1q_u32(row), vld1q_u32(row + 4), vld1q_u32(row + 8), vld1q_u32(row + 12)};
}

/* Copies an even number of bytes, at most `most`, a power of two. By pieces: a call would cost all
 * registers. */
SIMD_INLINE void v16_copy_(void *to, const void *from, size_t bytes, size_t most) {
    uint8_t *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;
    SIMD_UNROLL
    for (size_t piece = most; piece > 1; piece /= 2) {
        if (!(bytes & piece)) continue;
        memcpy(out, in, piece);
        out += piece;
        in += piece;
    }
}

SIMD_INLINE v16 v16_set1(float x) {
    float32x4_t q = vdupq_n_f32(x);
    return (v16){q, q, q, q};
}
SIMD_INLINE v16 v16_zero(void) { return v16_set1(0.0f); }
SIMD_INLINE v16 v16_load(const float *p) {
    return (v16){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
SIMD_INLINE void v16_store(float *p, v16 x) {
    vst1q_f32(p, x.q0);
    vst1q_f32(p + 4, x.q1);
    vst1q_f32(p + 8, x.q2);
    vst1q_f32(p + 12, x.q3);
}
SIMD_INLINE v16 v16_load_n(const float *p, int n) {
    if (n == 16) return v16_load(p);
    float lanes[16] = {0};
    v16_copy_(lanes, p, (size_t)n * sizeof lanes[0], sizeof lanes);
    return v16_load(lanes);
}
SIMD_INLINE void v16_store_n(float *p, v16 x, int n) {
    if (n == 16) {
        v16_store(p, x);
        return;
    }
    float lanes[16];
    v16_store(lanes, x);
    v16_copy_(p, lanes, (size_t)n * sizeof lanes[0], sizeof lanes);
}

#define V16_OP2_(name, type, instruction)                                                          \
    SIMD_INLINE type name(type a, type b) {                                                        \
        return (type){instruction(a.q0, b.q0), instruction(a.q1, b.q1), instruction(a.q2, b.q2),   \
                      instruction(a.q3, b.q3)};                                                    \
    }
V16_OP2_(v16_add, v16, vaddq_f32)
V16_OP2_(v16_sub, v16, vsubq_f32)
V16_OP2_(v16_mul, v16, vmulq_f32)
V16_OP2_(v16_div, v16, vdivq_f32)
SIMD_INLINE v16 v16_sqrt(v16 a) {
    return (v16){vsqrtq_f32(a.q0), vsqrtq_f32(a.q1), vsqrtq_f32(a.q2), vsqrtq_f32(a.q3)};
}
SIMD_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { // a*b + c
    return (v16){vfmaq_f32(c.q0, a.q0, b.q0), vfmaq_f32(c.q1, a.q1, b.q1),
                 vfmaq_f32(c.q2, a.q2, b.q2), vfmaq_f32(c.q3, a.q3, b.q3)};
}
SIMD_INLINE v16 v16_fms(v16 a, v16 b, v16 c) { // a*b - c
    return v16_fma(a, b, (v16){vnegq_f32(c.q0), vnegq_f32(c.q1), vnegq_f32(c.q2), vnegq_f32(c.q3)});
}
SIMD_INLINE v16 v16_fnma(v16 a, v16 b, v16 c) { // c - a*b
    return (v16){vfmsq_f32(c.q0, a.q0, b.q0), vfmsq_f32(c.q1, a.q1, b.q1),
                 vfmsq_f32(c.q2, a.q2, b.q2), vfmsq_f32(c.q3, a.q3, b.q3)};
}

/* The same value, of which the compiler knows nothing. */
SIMD_INLINE v16 v16_opaque(v16 x) {
    __asm__("" : "+w"(x.q0), "+w"(x.q1), "+w"(x.q2), "+w"(x.q3));
    return x;
}

SIMD_INLINE v16m v16_gt(v16 a, v16 b) {
    return (v16m){vcgtq_f32(a.q0, b.q0), vcgtq_f32(a.q1, b.q1), vcgtq_f32(a.q2, b.q2),
                  vcgtq_f32(a.q3, b.q3)};
}
SIMD_INLINE v16 v16_select(v16m m, v16 yes, v16 no) {
    return (v16){vbslq_f32(m.q0, yes.q0, no.q0), vbslq_f32(m.q1, yes.q1, no.q1),
                 vbslq_f32(m.q2, yes.q2, no.q2), vbslq_f32(m.q3, yes.q3, no.q3)};
}

/* The larger; NaN if either is. */
V16_OP2_(v16_max, v16, vmaxq_f32)
/* Lanes from n on become `fill`. */
SIMD_INLINE v16 v16_first_n(v16 x, int n, v16 fill) { return v16_select(v16_first_(n), x, fill); }

/* The contract's tree: lane j += lane j+8, then +4, +2, +1. */
SIMD_INLINE float v16_reduce_add(v16 x) {
    float32x4_t s4 = vaddq_f32(vaddq_f32(x.q0, x.q2), vaddq_f32(x.q1, x.q3));
    float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}

/* The largest lane; NaN if any is. */
SIMD_INLINE float v16_reduce_max(v16 x) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.q0, x.q1), vmaxq_f32(x.q2, x.q3)));
}

/* 32 floats in memory order a, b: those of even and of odd index; zip is the inverse. */
SIMD_INLINE void v16_unzip(v16 a, v16 b, v16 *even, v16 *odd) {
    *even = (v16){vuzp1q_f32(a.q0, a.q1), vuzp1q_f32(a.q2, a.q3), vuzp1q_f32(b.q0, b.q1),
                  vuzp1q_f32(b.q2, b.q3)};
    *odd = (v16){vuzp2q_f32(a.q0, a.q1), vuzp2q_f32(a.q2, a.q3), vuzp2q_f32(b.q0, b.q1),
                 vuzp2q_f32(b.q2, b.q3)};
}
SIMD_INLINE void v16_zip(v16 even, v16 odd, v16 *a, v16 *b) {
    *a = (v16){vzip1q_f32(even.q0, odd.q0), vzip2q_f32(even.q0, odd.q0),
               vzip1q_f32(even.q1, odd.q1), vzip2q_f32(even.q1, odd.q1)};
    *b = (v16){vzip1q_f32(even.q2, odd.q2), vzip2q_f32(even.q2, odd.q2),
               vzip1q_f32(even.q3, odd.q3), vzip2q_f32(even.q3, odd.q3)};
}

/* ---- integers and bits ---- */

SIMD_INLINE v16 v16_from_bits_(v16i x) {
#define OP_(q) vreinterpretq_f32_s32(x.q)
    return V16_EACH_(v16, OP_);
#undef OP_
}
SIMD_INLINE v16i v16_bits(v16 x) {
#define OP_(q) vreinterpretq_s32_f32(x.q)
    return V16_EACH_(v16i, OP_);
#undef OP_
}
V16_OP2_(v16i_sub, v16i, vsubq_s32)
SIMD_INLINE v16i v16i_sra1(v16i a) {
#define OP_(q) vshrq_n_s32(a.q, 1)
    return V16_EACH_(v16i, OP_);
#undef OP_
}
/* 2^n of each lane, -127 < n < 128 */
SIMD_INLINE v16 v16_pow2(v16i n) {
#define OP_(q) vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n.q, vdupq_n_s32(127)), 23))
    return V16_EACH_(v16, OP_);
#undef OP_
}
SIMD_INLINE int32x4_t v16i_quarter_(const void *p, int i) {
    return vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)p + 16 * i));
}
SIMD_INLINE v16i v16i_load(const void *p) {
    return (v16i){v16i_quarter_(p, 0), v16i_quarter_(p, 1), v16i_quarter_(p, 2),
                  v16i_quarter_(p, 3)};
}
SIMD_INLINE v16i v16i_load_n(const void *p, int n) {
    int32_t lanes[16] = {0};
    v16_copy_(lanes, p, (size_t)n * sizeof lanes[0], sizeof lanes);
    return v16i_load(lanes);
}
SIMD_INLINE v16i v16i_set1(int32_t x) {
    int32x4_t q = vdupq_n_s32(x);
    return (v16i){q, q, q, q};
}
/* 16 int8 as int32 */
SIMD_INLINE v16i v16i_widen_i8_(int8x16_t q) {
    int16x8_t low = vmovl_s8(vget_low_s8(q)), high = vmovl_high_s8(q);
    return (v16i){vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
                  vmovl_high_s16(high)};
}
/* 16 int8 as floats */
SIMD_INLINE v16 v16_load_i8(const void *p) {
    v16i wide = v16i_widen_i8_(vld1q_s8((const int8_t *)p));
#define OP_(q) vcvtq_f32_s32(wide.q)
    return V16_EACH_(v16, OP_);
#undef OP_
}

/* ---- 16-bit floats ---- */

SIMD_INLINE float32x4_t v16_widen_f16_(uint16x4_t h) {
    return vcvt_f32_f16(vreinterpret_f16_u16(h));
}
SIMD_INLINE v16 v16_load_f16(const void *p) {
    const uint16_t *h = (const uint16_t *)p;
    uint16x8_t low = vld1q_u16(h), high = vld1q_u16(h + 8);
    return (v16){v16_widen_f16_(vget_low_u16(low)), v16_widen_f16_(vget_high_u16(low)),
                 v16_widen_f16_(vget_low_u16(high)), v16_widen_f16_(vget_high_u16(high))};
}
SIMD_INLINE v16 v16_load_f16_n(const void *p, int n) {
    uint16_t lanes[16] = {0};
    v16_copy_(lanes, p, (size_t)n * sizeof lanes[0], sizeof lanes);
    return v16_load_f16(lanes);
}
SIMD_INLINE float32x4_t v16_widen_bf16_(uint16x4_t h) {
    return vreinterpretq_f32_u32(vshll_n_u16(h, 16));
}
SIMD_INLINE v16 v16_load_bf16(const void *p) {
    const uint16_t *h = (const uint16_t *)p;
    uint16x8_t low = vld1q_u16(h), high = vld1q_u16(h + 8);
    return (v16){v16_widen_bf16_(vget_low_u16(low)), v16_widen_bf16_(vget_high_u16(low)),
                 v16_widen_bf16_(vget_low_u16(high)), v16_widen_bf16_(vget_high_u16(high))};
}
SIMD_INLINE v16 v16_load_bf16_n(const void *p, int n) {
    uint16_t lanes[16] = {0};
    v16_copy_(lanes, p, (size_t)n * sizeof lanes[0], sizeof lanes);
    return v16_load_bf16(lanes);
}
/* Nearest even, denormals to signed zeros. */
SIMD_INLINE uint16x4_t v16_round_bf16_(float32x4_t x) {
    uint32x4_t u = vreinterpretq_u32_f32(x), high = vshrq_n_u32(u, 16);
    uint32x4_t bias = vaddq_u32(vdupq_n_u32(0x7fff), vandq_u32(high, vdupq_n_u32(1)));
    uint32x4_t y = vshrq_n_u32(vaddq_u32(u, bias), 16);
    uint32x4_t magnitude = vandq_u32(u, vdupq_n_u32(0x7fffffff));
    uint32x4_t is_nan = vcgtq_u32(magnitude, vdupq_n_u32(0x7f800000));
    y = vbslq_u32(is_nan, vorrq_u32(high, vdupq_n_u32(0x40)), y);
    uint32x4_t is_tiny = vcltq_u32(magnitude, vdupq_n_u32(0x00800000));
    return vmovn_u32(vbslq_u32(is_tiny, vandq_u32(high, vdupq_n_u32(0x8000)), y));
}
SIMD_INLINE void v16_store_bf16(void *p, v16 x) {
    uint16_t *h = (uint16_t *)p;
    vst1q_u16(h, vcombine_u16(v16_round_bf16_(x.q0), v16_round_bf16_(x.q1)));
    vst1q_u16(h + 8, vcombine_u16(v16_round_bf16_(x.q2), v16_round_bf16_(x.q3)));
}
SIMD_INLINE void v16_store_bf16_n(void *p, v16 x, int n) {
    uint16_t lanes[16];
    v16_store_bf16(lanes, x);
    v16_copy_(p, lanes, (size_t)n * sizeof lanes[0], sizeof lanes);
}

/* 32 16-bit floats, a's first: nearest even; of f16 denormals are kept, and a NaN is the quiet one
 * of its sign without payload, as tensor/dtype.h has it. */
SIMD_INLINE int32x4_t v16_to_f16_(float32x4_t x, float32x4_t y) {
    uint16x8_t h = vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x), y));
    uint16x8_t is_nan = vcgtq_u16(vandq_u16(h, vdupq_n_u16(0x7fff)), vdupq_n_u16(0x7c00));
    return vreinterpretq_s32_u16(vbicq_u16(h, vandq_u16(is_nan, vdupq_n_u16(0x01ff))));
}
SIMD_INLINE v16i v16i_pack_f16(v16 a, v16 b) {
    return (v16i){v16_to_f16_(a.q0, a.q1), v16_to_f16_(a.q2, a.q3), v16_to_f16_(b.q0, b.q1),
                  v16_to_f16_(b.q2, b.q3)};
}
SIMD_INLINE int32x4_t v16_to_bf16_(float32x4_t x, float32x4_t y) {
    return vreinterpretq_s32_u16(vcombine_u16(v16_round_bf16_(x), v16_round_bf16_(y)));
}
SIMD_INLINE v16i v16i_pack_bf16(v16 a, v16 b) {
    return (v16i){v16_to_bf16_(a.q0, a.q1), v16_to_bf16_(a.q2, a.q3), v16_to_bf16_(b.q0, b.q1),
                  v16_to_bf16_(b.q2, b.q3)};
}

/* ---- pairs of bf16 ---- */

#define V16_U32_(x) vreinterpretq_u32_s32(x)
#define V16_S32_(x) vreinterpretq_s32_u32(x)

/* The first and second of each pair as floats. */
SIMD_INLINE v16 v16_pair_even(v16i x) {
#define OP_(q) vreinterpretq_f32_s32(vshlq_n_s32(x.q, 16))
    return V16_EACH_(v16, OP_);
#undef OP_
}
SIMD_INLINE v16 v16_pair_odd(v16i x) {
#define OP_(q) vreinterpretq_f32_u32(vandq_u32(V16_U32_(x.q), vdupq_n_u32(0xffff0000u)))
    return V16_EACH_(v16, OP_);
#undef OP_
}
/* acc = fma(w odd, x odd, acc), then fma(w even, x even, acc), lane by lane. */
SIMD_INLINE v16 v16_dpbf16(v16 acc, v16i w, v16i x) {
    acc = v16_fma(v16_pair_odd(w), v16_pair_odd(x), acc);
    return v16_fma(v16_pair_even(w), v16_pair_even(x), acc);
}
/* One pair in all lanes. */
SIMD_INLINE v16i v16i_set1_pair(const uint16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return v16i_set1(both);
}
/* The low halves of a and b as pairs; the high halves. */
SIMD_INLINE v16i v16i_low_halves(v16i a, v16i b) {
#define OP_(q) V16_S32_(vsliq_n_u32(V16_U32_(a.q), V16_U32_(b.q), 16))
    return V16_EACH_(v16i, OP_);
#undef OP_
}
SIMD_INLINE v16i v16i_high_halves(v16i a, v16i b) {
#define OP_(q) V16_S32_(vsriq_n_u32(V16_U32_(b.q), V16_U32_(a.q), 16))
    return V16_EACH_(v16i, OP_);
#undef OP_
}
/* Pairs whose second element counts as +0. */
SIMD_INLINE v16i v16i_drop_odd(v16i x) {
#define OP_(q) V16_S32_(vandq_u32(V16_U32_(x.q), vdupq_n_u32(0x0000ffff)))
    return V16_EACH_(v16i, OP_);
#undef OP_
}

#endif
