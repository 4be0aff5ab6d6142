/* The linear rule of integer weights, to be read beside docs/numerics.md. What the bytes of a type
 * mean is tensor/qblock.h's affair; the rule is the same for all of them. */
#include <math.h>
#include <string.h>

#include "kernel/fill.h"
#include "tensor/qblock.h"
#include "tensor/xrow.h"

static float load_f32(const uint8_t *p) {
    float v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* One block's steps of a chain: the integer sums are exact, so only the fma's round. */
static float add_block(float acc, const struct qblock *w, bool has_min, const int8_t *q, float d_x,
                       int size) {
    int32_t total = 0, minima = 0;
    for (int j = 0; j < size / QBLOCK_RUN; j++) {
        int32_t sum = 0, sum_q = 0;
        for (int i = QBLOCK_RUN * j; i < QBLOCK_RUN * (j + 1); i++) {
            sum += w->q[i] * q[i];
            sum_q += q[i];
        }
        total += w->scale[j] * sum;
        minima += w->min[j] * sum_q;
    }
    acc = fmaf((float)total, w->d * d_x, acc);
    return has_min ? fmaf(-(float)minima, w->dmin * d_x, acc) : acc;
}

enum { MOST_ROWS = 16 }; // that share the unpacking of a weight row

static void linear_rows(const struct linear_args *args, enum dtype dtype, int o, int row, int n) {
    const struct dtype_row *type = dtype_row(dtype);
    const struct qblock_form form = qblock_form(dtype);
    const struct xrow_layout layout = xrow_layout(type->x_f32, args->n_in);
    float acc[MOST_ROWS] = {0};
    for (int b = 0; b < args->n_in / type->block; b++) {
        struct qblock w;
        form.unpack(args->w + (size_t)o * args->w_stride + (size_t)b * (size_t)type->bytes, &w);
        for (int r = 0; r < n; r++) {
            const uint8_t *x = linear_x(args, row + r);
            const int8_t *q = (const int8_t *)x + b * type->block;
            float d_x = load_f32(x + layout.d_at + 4 * (size_t)b);
            acc[r] = add_block(acc[r], &w, form.has_min, q, d_x, type->block);
        }
    }
    for (int r = 0; r < n; r++)
        args->y[(size_t)(row + r) * args->y_stride + (size_t)o] = acc[r];
}

static void linear_blocks(const struct linear_args *args, enum dtype dtype) {
    for (int row = 0; row < args->n_rows; row += MOST_ROWS) {
        int left = args->n_rows - row, n = left < MOST_ROWS ? left : MOST_ROWS;
        for (int o = args->out0; o < args->out1; o++)
            linear_rows(args, dtype, o, row, n);
    }
}

/* ---- the slots: one body serves gemv and gemm ---- */

/* type, activation form, name */
#define INTEGER_LIST(X)                                                                            \
    X(DTYPE_Q4_0, XFMT_Q8_32, q4_0)                                                                \
    X(DTYPE_Q4_1, XFMT_Q8_32, q4_1)                                                                \
    X(DTYPE_Q5_0, XFMT_Q8_32, q5_0)                                                                \
    X(DTYPE_Q5_1, XFMT_Q8_32, q5_1)                                                                \
    X(DTYPE_Q8_0, XFMT_Q8_32, q8_0)                                                                \
    X(DTYPE_Q2_K, XFMT_Q8_256, q2_k)                                                               \
    X(DTYPE_Q3_K, XFMT_Q8_256, q3_k)                                                               \
    X(DTYPE_Q4_K, XFMT_Q8_256, q4_k)                                                               \
    X(DTYPE_Q5_K, XFMT_Q8_256, q5_k)                                                               \
    X(DTYPE_Q6_K, XFMT_Q8_256, q6_k)                                                               \
    X(DTYPE_IQ4_NL, XFMT_Q8_32, iq4_nl)                                                            \
    X(DTYPE_IQ4_XS, XFMT_Q8_256, iq4_xs)                                                           \
    X(DTYPE_MXFP4, XFMT_Q8_32, mxfp4)                                                              \
    X(DTYPE_IQ2_XXS, XFMT_Q8_256, iq2_xxs)                                                         \
    X(DTYPE_IQ2_XS, XFMT_Q8_256, iq2_xs)                                                           \
    X(DTYPE_IQ2_S, XFMT_Q8_256, iq2_s)                                                             \
    X(DTYPE_IQ3_XXS, XFMT_Q8_256, iq3_xxs)                                                         \
    X(DTYPE_IQ3_S, XFMT_Q8_256, iq3_s)                                                             \
    X(DTYPE_IQ1_S, XFMT_Q8_256, iq1_s)                                                             \
    X(DTYPE_IQ1_M, XFMT_Q8_256, iq1_m)

#define X(dtype, xfmt, name)                                                                       \
    static void run_##name(const struct linear_args *args) { linear_blocks(args, dtype); }         \
    static const struct linear_body gemv_##name = {run_##name, "gemv_" #name ".ref", NULL, 1};     \
    static const struct linear_body gemm_##name = {run_##name, "gemm_" #name ".ref", NULL, 1};
INTEGER_LIST(X)
#undef X

void ref_fill_linear_q(struct kernel_table *table) {
#define X(dtype, xfmt, name)                                                                       \
    table->gemv[dtype][xfmt] = &gemv_##name;                                                       \
    table->gemm[dtype][xfmt] = &gemm_##name;                                                       \
    table->gemm_rows[dtype][xfmt] = 4;
    INTEGER_LIST(X)
#undef X
}
