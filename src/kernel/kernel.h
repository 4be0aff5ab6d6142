/* The kernel table: every arithmetic loop of the engine, one slot each.
 *
 * Kernels are pure functions on raw pointers. The table is filled with the readable bodies of
 * kernel/ref and then overwritten, slot by slot, with those of the best level the CPU has (or that
 * JINLIN_CPU forces). All bodies of a slot give the same bits: docs/numerics.md is the contract,
 * kernel/ref its executable form. Callers set the floating-point environment (kernel/fpenv.h). */
#ifndef JL_KERNEL_KERNEL_H
#define JL_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernel/grad.h"
#include "kernel/route.h"
#include "tensor/dtype.h"
#include "tensor/recur.h"

#define KERNEL_LEVEL_LIST(X)                                                                       \
    X(LEVEL_REF, "ref")       /* portable C, one scalar chain at a time */                         \
    X(LEVEL_AVX2, "avx2")     /* AVX2, FMA, F16C */                                                \
    X(LEVEL_AVX512, "avx512") /* AVX-512 F, BW, DQ, VL, VNNI, BF16 */                              \
    X(LEVEL_AMX, "amx")       /* the same with AMX-INT8 for the gemm of integer types */           \
    X(LEVEL_NEON, "neon")     /* 64-bit ARM with dot products (ARMv8.2 and up) */

enum kernel_level {
#define X(id, name) id,
    KERNEL_LEVEL_LIST(X)
#undef X
        LEVEL_COUNT
};

/* ---- y[r][o] = sum_k w[o][k] * x[r][k], the linear rules of docs/numerics.md ---- */

struct linear_args {
    const uint8_t *w;      // (n_out, n_in), rows of w_stride bytes; may be unaligned
    size_t w_stride;       // bytes
    int n_in;              // a multiple of the weight type's block
    const float *scale;    // F8_E4M3: one for 128 x 128 weights (F8_SCALE_BLOCK), rows of them from
                           // output 0 on, smaller at both edges. NULL for other types
    size_t scale_stride;   // floats from one row of scales to the next
    const uint8_t *x;      // (n_rows, n_in) in the body's xfmt (tensor/xrow.h), 64-aligned
    size_t x_stride;       // bytes, a multiple of 64
    const int32_t *x_rows; // (n_rows): row r is vector x_rows[r] of x; NULL: r
    int n_rows;            // > 0
    int out0, out1;        // outputs to compute, 0 <= out0 < out1 <= n_out
    float *y;              // (n_rows, n_out), y_stride floats between rows
    size_t y_stride;
    uint8_t *scratch; // linear_scratch_bytes() of the calling thread, 64-aligned
};

static inline const uint8_t *linear_x(const struct linear_args *args, int row) {
    return args->x + (size_t)(args->x_rows ? args->x_rows[row] : row) * args->x_stride;
}

/* What the linear slots multiply: weight type, activation form, name. */
#define LINEAR_LIST(X)                                                                             \
    X(DTYPE_F32, XFMT_F32, "f32")                                                                  \
    X(DTYPE_F16, XFMT_F32, "f16")                                                                  \
    X(DTYPE_BF16, XFMT_F32, "bf16_f32")                                                            \
    X(DTYPE_BF16, XFMT_BF16, "bf16")                                                               \
    X(DTYPE_Q4_0, XFMT_Q8_32, "q4_0")                                                              \
    X(DTYPE_Q4_1, XFMT_Q8_32, "q4_1")                                                              \
    X(DTYPE_Q5_0, XFMT_Q8_32, "q5_0")                                                              \
    X(DTYPE_Q5_1, XFMT_Q8_32, "q5_1")                                                              \
    X(DTYPE_Q8_0, XFMT_Q8_32, "q8_0")                                                              \
    X(DTYPE_Q2_K, XFMT_Q8_256, "q2_k")                                                             \
    X(DTYPE_Q3_K, XFMT_Q8_256, "q3_k")                                                             \
    X(DTYPE_Q4_K, XFMT_Q8_256, "q4_k")                                                             \
    X(DTYPE_Q5_K, XFMT_Q8_256, "q5_k")                                                             \
    X(DTYPE_Q6_K, XFMT_Q8_256, "q6_k")                                                             \
    X(DTYPE_IQ4_NL, XFMT_Q8_32, "iq4_nl")                                                          \
    X(DTYPE_IQ4_XS, XFMT_Q8_256, "iq4_xs")                                                         \
    X(DTYPE_MXFP4, XFMT_Q8_32, "mxfp4")                                                            \
    X(DTYPE_IQ2_XXS, XFMT_Q8_256, "iq2_xxs")                                                       \
    X(DTYPE_IQ2_XS, XFMT_Q8_256, "iq2_xs")                                                         \
    X(DTYPE_IQ2_S, XFMT_Q8_256, "iq2_s")                                                           \
    X(DTYPE_IQ3_XXS, XFMT_Q8_256, "iq3_xxs")                                                       \
    X(DTYPE_IQ3_S, XFMT_Q8_256, "iq3_s")                                                           \
    X(DTYPE_IQ1_S, XFMT_Q8_256, "iq1_s")                                                           \
    X(DTYPE_IQ1_M, XFMT_Q8_256, "iq1_m")                                                           \
    X(DTYPE_F8_E4M3, XFMT_F32, "f8_f32")                                                           \
    X(DTYPE_F8_E4M3, XFMT_BF16, "f8")

typedef void linear_fn(const struct linear_args *args);

struct linear_body {
    linear_fn *run;
    const char *name;                  // "gemm_q4_k.avx512"
    size_t (*scratch_bytes)(int n_in); // NULL: none
    int tile; // outputs the body handles together: out0 and, but for the last, out1 want multiples
};

/* ---- y[r][j] = sum_i w[row0 + i][j] * x[r][i]: a matrix from its other side ---- */

/* The chains cross the blocks of a quantised row, so every weight is first dequantised as
 * dtype_dequantize does, once for all rows of x, and then obeys the F32 rule whatever its type. */
struct linear_t_args {
    const uint8_t *w;   // (.., n_out), rows of w_stride bytes; may be unaligned
    size_t w_stride;    // bytes
    enum dtype dtype;   // any that linear steps multiply
    const float *scale; // F8_E4M3: as in linear_args, from row 0 of w on
    size_t scale_stride;
    int row0, n_in; // rows row0 .. row0 + n_in-1 of w
    int out0, out1; // columns to compute: multiples of the type's block, out0 < out1
    const float *x; // (n_rows, n_in), x_stride floats between rows
    size_t x_stride;
    int n_rows; // > 0
    float *y;   // (n_rows, n_out), y_stride floats between rows
    size_t y_stride;
    uint8_t *scratch; // LINEAR_T_SCRATCH bytes, 64-aligned
};
#define LINEAR_T_COLUMNS 256 // outputs worked on together; out0 wants multiples
#define LINEAR_T_SCRATCH 137216

/* ---- row kernels ---- */

struct rms_norm_args {
    const float *x, *w; // (n), (n); w NULL: no weight
    float *y;           // (n), may be x
    int n;
    float eps;
};

/* Rotates one head vector in place. pair i of n_rot/2: (2i, 2i+1) when interleaved, else
 * (i, i + n_rot/2); elements from n_rot on are left. cs: n_rot floats, cos at [2i], sin at [2i+1].
 */
struct rope_args {
    float *x;
    const float *cs;
    int n_rot;
    bool interleaved;
};

/* y = (x * (1 / sqrt(sum of squares + eps))) * scale; y may be x. */
struct l2_norm_args {
    const float *x; // (n)
    float *y;       // (n)
    int n;
    float eps, scale;
};

/* ---- recurrent mixers: tokens of one sequence in order, state in, state out ---- */

/* A causal convolution of each channel with its own taps, then SiLU. */
struct conv_silu_args {
    int n_token, n_channel, n_tap; // n_token > 0, 2 <= n_tap <= CONV_MAX_TAP
    int channel0, channel1;        // channels to compute
    const float *w;                // (n_tap, n_channel), the oldest input's tap first
    const float *from;             // (n_tap - 1, n_channel): inputs before these, oldest first
    float *to;                     // the same after the last token; not `from`
    const float *x;                // (n_token, n_channel), x_stride floats between tokens
    float *y;                      // the same shape; may be x
    size_t x_stride, y_stride;
};

/* One vector a token, `stride` floats apart. */
struct token_rows {
    const float *at;
    size_t stride;
};

/* The gated delta rule for one head; its state as tensor/recur.h lays it out. */
struct delta_args {
    int n_token, d_k, d_v;     // n_token > 0
    int n_decay;               // 1: one factor for the head; d_k: one a row of the state
    struct token_rows q, k, v; // (d_k), (d_k), (d_v)
    struct token_rows decay;   // (n_decay)
    struct token_rows beta;    // (1)
    const float *from;         // delta_state_floats(); what is past d_v is neither read nor set
    float *to;                 // not `from`
    float *o;                  // (n_token, d_v), o_stride floats between tokens
    size_t o_stride;
};

/* ---- attention over one chunk of KV_CHUNK cached positions (tensor/kvchunk.h) ---- */

struct attn_chunk_args {
    int n_q;              // query vectors that share this chunk's key/value head
    int d_k, d_v;         // even
    const void *const *q; // n_q vectors of d_k: bf16 when kv and act are bf16, rows of
                          // XFMT_Q8_32 (kv_q8_query() elements) when kv is q8, else f32
    const int *n_key;     // per query: the first n_key positions are visible; 0 skips the query
    const void *k, *v;    // the chunk; K is read to the end of the last visible group of 16,
                          // V to the last visible position (bf16: to its partner in the pair)
    float scale;          // score = scale * chain
    float *m, *l;         // (n_q): max and sum of exp
    float *o;             // (n_q, d_v): unnormalised output, o_stride floats apart
    size_t o_stride;
    float *scratch; // n_q * KV_CHUNK floats, 64-aligned
};

/* Keys, or values, of positions slot .. slot + n-1, rounded to the cache's type and put where the
 * chunk has them; nothing of other positions is written. */
struct kv_put_args {
    enum dtype kv;  // F32, F16, BF16 or KV_Q8
    int d;          // even
    int slot, n;    // within the chunk, n > 0
    const float *x; // (n, d), x_stride floats between positions
    size_t x_stride;
    void *chunk;
};

/* Where values are the first elements of the keys: writes those of a chunk of keys, element by
 * element unchanged, in the layout of values. Of q8 the scales go along, that of the last block too
 * where d_v ends within it; what is past d_v in a value's width is what the key has there. */
struct attn_values_args {
    enum dtype kv;
    int d_k, d_v;  // d_v <= d_k, both even
    int n_key;     // the first n_key positions, and the rest of their group of 16
    const void *k; // chunk of keys, read to the end of that group
    void *v;       // chunk of values, written as far, 64-aligned
};

/* Folds the next chunk's part into the running state, in order of position; `fresh`: copy. */
struct attn_fold_args {
    int d_v;
    float *m, *l, *o; // running state of one query
    const float *part_m, *part_l, *part_o;
    bool fresh;
};

/* kv dtype, q form */
enum attn_kind { ATTN_F32, ATTN_F16, ATTN_BF16_F32, ATTN_BF16, ATTN_Q8, ATTN_COUNT };

/* ---- the table ---- */

/* slot, C type. Most work on one row a call; the others as their arguments say. */
#define ROW_KERNEL_LIST(X)                                                                         \
    X(rms_norm, void (*)(const struct rms_norm_args *))                                            \
    X(rope, void (*)(const struct rope_args *))                                                    \
    X(silu_mul, void (*)(const float *gate, const float *up, float *y, int n))                     \
    X(add, void (*)(const float *x, float *y, int n))                 /* y += x */                 \
    X(add_scaled, void (*)(float a, const float *x, float *y, int n)) /* y = fma(a, x, y) */       \
    /* y *= sigmoid(gate); one gate for all n, or one each */                                      \
    X(sigmoid_mul, void (*)(const float *gate, bool one, float *y, int n))                         \
    X(route, void (*)(const struct route_args *))                                                  \
    X(sigmoid, void (*)(const float *x, float *y, int n)) /* y = 1 / (1 + exp(-x)) */              \
    X(decay, void (*)(const float *a, const float *x, float *y, int n)) /* exp(a * softplus(x)) */ \
    X(l2_norm, void (*)(const struct l2_norm_args *args))                                          \
    X(conv_silu, void (*)(const struct conv_silu_args *args))                                      \
    X(delta, void (*)(const struct delta_args *args))                                              \
    X(all_finite, bool (*)(const float *x, int n))                                                 \
    X(to_bf16, void (*)(const float *x, void *row, int n))   /* XFMT_BF16 row */                   \
    X(to_q8_32, void (*)(const float *x, void *row, int n))  /* XFMT_Q8_32 row */                  \
    X(to_q8_256, void (*)(const float *x, void *row, int n)) /* XFMT_Q8_256 row */                 \
    X(linear_t, void (*)(const struct linear_t_args *))                                            \
    X(put_keys, void (*)(const struct kv_put_args *))                                              \
    X(put_values, void (*)(const struct kv_put_args *))                                            \
    X(attn_values, void (*)(const struct attn_values_args *))                                      \
    X(attn_fold, void (*)(const struct attn_fold_args *))                                          \
    X(attn_finish, void (*)(float *o, float l, int d_v)) /* o /= l */                              \
    GRAD_KERNEL_LIST(X)

enum kernel_slot {
#define X(slot, type) KSLOT_##slot,
    ROW_KERNEL_LIST(X)
#undef X
        KSLOT_ROW_COUNT
};

struct kernel_table {
    enum kernel_level level;
    const struct linear_body *gemv[DTYPE_COUNT][XFMT_COUNT]; // few rows: streams the weights
    const struct linear_body *gemm[DTYPE_COUNT][XFMT_COUNT]; // many rows: converts a panel once
    const struct linear_body *wide[DTYPE_COUNT][XFMT_COUNT]; // many more rows; or NULL
    int gemm_rows[DTYPE_COUNT][XFMT_COUNT];                  // from this many rows on, gemm wins
    int wide_rows[DTYPE_COUNT][XFMT_COUNT];                  // and from this many on, wide
    void (*attn_chunk[ATTN_COUNT])(const struct attn_chunk_args *);
    const char *attn_chunk_name[ATTN_COUNT];
#define X(slot, type) __typeof__(type) slot;
    ROW_KERNEL_LIST(X)
#undef X
    const char *row_name[KSLOT_ROW_COUNT]; // "rms_norm.avx512"
};

/* `level`: as JINLIN_CPU spells it, or NULL for the best the CPU has. An unknown name or a level
 * the CPU lacks is an error. */
enum jl_status kernel_table_init(struct kernel_table *table, const char *level,
                                 struct jl_error *err);
bool kernel_level_built(enum kernel_level level);     // for this kind of CPU
bool kernel_level_available(enum kernel_level level); // on this CPU
const char *kernel_level_name(enum kernel_level level);

/* The body for n_rows, and its slot; NULL when the pair of types is not multiplied. */
enum linear_kind { LINEAR_GEMV, LINEAR_GEMM, LINEAR_WIDE, LINEAR_KIND_COUNT };
enum linear_kind kernel_linear_kind(const struct kernel_table *table, enum dtype w, enum xfmt x,
                                    int n_rows);
const struct linear_body *kernel_linear_of(const struct kernel_table *table, enum linear_kind kind,
                                           enum dtype w, enum xfmt x);
const struct linear_body *kernel_linear(const struct kernel_table *table, enum dtype w, enum xfmt x,
                                        int n_rows);
/* Enough scratch for any linear body with this n_in, bytes, a multiple of 64. */
size_t kernel_linear_scratch(const struct kernel_table *table, enum dtype w, enum xfmt x, int n_in);
/* Which attn_chunk slot serves a cache dtype and act; ATTN_COUNT for a type that is no cache type.
 */
enum attn_kind kernel_attn_kind(enum dtype kv, bool act_bf16);

/* What each level brings; a NULL slot keeps the one below. */
void kernel_fill_ref(struct kernel_table *table);
void kernel_fill_avx2(struct kernel_table *table);
void kernel_fill_avx512(struct kernel_table *table);
void kernel_fill_neon(struct kernel_table *table);

#endif
