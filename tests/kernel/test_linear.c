/* Linear bodies: every level equals the reference bit for bit, keeps to its outputs and reads no
 * byte outside its operands; the reference is accurate.
 *
 * Every operand ends at a page that cannot be touched. What is free by contract is filled with NaN:
 * the padding of x rows, the gaps between weight rows, scratch. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/blocks_k.h"
#include "tensor/blocks_q.h"
#include "tensor/codebook.h"
#include "tensor/xrow.h"

static const uint64_t seed = 20261125;

struct slot {
    enum dtype w;
    enum xfmt x;
    const char *name;
};

static const struct slot slots[] = {
#define X(w, x, name) {w, x, name},
    LINEAR_LIST(X)
#undef X
};
enum { N_SLOT = sizeof slots / sizeof slots[0] };

struct levels {
    struct kernel_table table[LEVEL_COUNT];
    bool present[LEVEL_COUNT];
};

static void levels_init(struct levels *levels) {
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++)
        levels->present[level] = data_table(kernel_level_name(level), &levels->table[level]);
    assert_true(levels->present[LEVEL_REF]);
}

/* ---- operands ---- */

static void put_u16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }

static void random_bytes(struct rnd *rnd, uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rnd_u32(rnd);
}

/* Of the usual size most blocks hold no code that is special; the other flavours hold many. */
static uint8_t f8_weight(struct rnd *rnd, enum flavour flavour, float value) {
    if (flavour == FLAVOUR_BITS) return (uint8_t)rnd_u32(rnd);
    if (flavour == FLAVOUR_TINY) return (uint8_t)(rnd_u32(rnd) & 0x8f); // denormals too
    if (flavour == FLAVOUR_CORNER && rnd_int(rnd, 0, 99) == 0)
        return (uint8_t)(rnd_int(rnd, 0, 1) ? 0x7f : 0xff);
    if (flavour == FLAVOUR_WIDE && rnd_int(rnd, 0, 9) == 0) return (uint8_t)(rnd_u32(rnd) & 0x87);
    uint8_t code = f8_e4m3_from_f32(100 * value);
    return (code & 0x7f) == 0x7f ? 0x7e : code;
}

static void float_weights(struct rnd *rnd, enum dtype dtype, enum flavour flavour, uint8_t *row,
                          int n) {
    for (int i = 0; i < n; i++) {
        float value;
        data_fill(rnd, flavour, &value, 1);
        if (dtype == DTYPE_F32)
            memcpy(row + 4 * (size_t)i, &value, sizeof value);
        else if (dtype == DTYPE_F8_E4M3)
            row[i] = f8_weight(rnd, flavour, value);
        else if (flavour == FLAVOUR_BITS || (flavour == FLAVOUR_CORNER && i % 8 == 0))
            put_u16(row + 2 * (size_t)i, (uint16_t)rnd_u32(rnd)); // denormals too
        else
            put_u16(row + 2 * (size_t)i,
                    dtype == DTYPE_F16 ? f16_from_f32(value) : bf16_from_f32(value));
    }
}

/* An f16 scale: mostly of a usual size; extremes by flavour. */
static uint16_t scale(struct rnd *rnd, enum flavour flavour) {
    static const uint16_t corners[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff,
                                       0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x3c00};
    if (flavour == FLAVOUR_BITS) return (uint16_t)rnd_u32(rnd);
    if (flavour == FLAVOUR_TINY) return (uint16_t)(rnd_u32(rnd) & 0x83ff);
    if (flavour == FLAVOUR_CORNER && rnd_int(rnd, 0, 3) == 0)
        return corners[rnd_int(rnd, 0, sizeof corners / sizeof corners[0] - 1)];
    return f16_from_f32(rnd_float(rnd) * (flavour == FLAVOUR_WIDE ? 60000.0f : 0.02f));
}

/* Where a block keeps its f16 factors, and its sub-scales if they are bytes of their own; -1: none.
 */
static const struct {
    enum dtype dtype;
    int d, dmin, scales;
} factors[] = {
    {DTYPE_Q4_0, 0, -1, -1},        {DTYPE_Q4_1, 0, Q4_1_M, -1},
    {DTYPE_Q5_0, 0, -1, -1},        {DTYPE_Q5_1, 0, Q5_1_M, -1},
    {DTYPE_Q8_0, 0, -1, -1},        {DTYPE_Q2_K, Q2_K_D, Q2_K_DMIN, -1},
    {DTYPE_Q3_K, Q3_K_D, -1, -1},   {DTYPE_Q4_K, 0, Q4_K_DMIN, -1},
    {DTYPE_Q5_K, 0, Q4_K_DMIN, -1}, {DTYPE_Q6_K, Q6_K_D, -1, Q6_K_SCALES},
    {DTYPE_IQ4_NL, 0, -1, -1},      {DTYPE_IQ4_XS, 0, -1, -1},
    {DTYPE_IQ2_XXS, 0, -1, -1},     {DTYPE_IQ2_XS, 0, -1, -1},
    {DTYPE_IQ2_S, 0, -1, -1},       {DTYPE_IQ3_XXS, 0, -1, -1},
    {DTYPE_IQ3_S, 0, -1, -1},       {DTYPE_IQ1_S, 0, -1, -1},
};

/* The types that keep a factor in another way; false for all others. */
static bool odd_factors(struct rnd *rnd, enum dtype dtype, enum flavour flavour, uint8_t *block) {
    uint16_t f16 = scale(rnd, flavour);
    if (dtype == DTYPE_MXFP4) { // a power of two
        block[0] = flavour == FLAVOUR_PLAIN ? (uint8_t)(112 + (f16 >> 10 & 31)) : (uint8_t)f16;
        return true;
    }
    for (int i = 0; i < 4 && dtype == DTYPE_IQ1_M; i++) {
        uint8_t *top = block + IQ1_M_SCALES + 2 * i + 1;
        *top = (uint8_t)((*top & 15) | (f16 >> 4 * i & 15) << 4);
    }
    return dtype == DTYPE_IQ1_M;
}

static void block_factors(struct rnd *rnd, enum dtype dtype, enum flavour flavour, uint8_t *block) {
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        if (factors[i].dtype != dtype) continue;
        put_u16(block + factors[i].d, scale(rnd, flavour));
        if (factors[i].dmin >= 0) put_u16(block + factors[i].dmin, scale(rnd, flavour));
        if (factors[i].scales >= 0 && rnd_int(rnd, 0, 3) == 0)
            memset(block + factors[i].scales, rnd_int(rnd, 0, 1) ? 0x80 : 0x7f, 16);
        return;
    }
    if (!odd_factors(rnd, dtype, flavour, block))
        fail_msg("%s is not in the table of factors", dtype_name(dtype));
}

/* Quants and sub-scales of any bits, at times all alike: the sums are then at their extremes. */
static void block_weights(struct rnd *rnd, enum dtype dtype, enum flavour flavour, uint8_t *row,
                          int n) {
    static const uint8_t alike[] = {0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0};
    const struct dtype_row *type = dtype_row(dtype);
    for (int i = 0; i < n / type->block; i++, row += type->bytes) {
        random_bytes(rnd, row, (size_t)type->bytes);
        if (rnd_int(rnd, 0, 3) == 0)
            memset(row, alike[rnd_int(rnd, 0, sizeof alike - 1)], (size_t)type->bytes);
        block_factors(rnd, dtype, flavour, row);
    }
}

/* All q alike or of alternating extremes, in a row that otherwise stays as it is. */
static void extreme_quants(struct rnd *rnd, struct xrow_layout layout, uint8_t *row, int n) {
    int8_t even = (int8_t)(rnd_int(rnd, 0, 1) ? 127 : -127);
    int8_t odd = (int8_t)(rnd_int(rnd, 0, 1) ? 127 : -127);
    for (int i = 0; i < n; i++)
        row[i] = (uint8_t)(i % 2 ? odd : even);
    int16_t sum = (int16_t)(8 * (even + odd));
    for (int i = 0; i < n / 16; i++)
        memcpy(row + layout.sum_at + 2 * (size_t)i, &sum, sizeof sum);
}

static void x_row(struct rnd *rnd, const struct kernel_table *ref, enum xfmt fmt,
                  enum flavour flavour, uint8_t *row, int n) {
    static float x[4096];
    assert_true(n <= 4096);
    struct xrow_layout layout = xrow_layout(fmt, n);
    memset(row, 0xff, layout.bytes);
    data_fill(rnd, flavour, x, (size_t)n);
    switch (fmt) {
    case XFMT_F32: memcpy(row, x, (size_t)n * sizeof x[0]); break;
    case XFMT_BF16:
        ref->to_bf16(x, row, n);
        if (flavour == FLAVOUR_BITS) random_bytes(rnd, row, 2 * (size_t)n); // denormals too
        break;
    case XFMT_Q8_32: ref->to_q8_32(x, row, n); break;
    default: ref->to_q8_256(x, row, n); break;
    }
    if ((fmt == XFMT_Q8_32 || fmt == XFMT_Q8_256) && rnd_int(rnd, 0, 3) == 0)
        extreme_quants(rnd, layout, row, n);
}

struct shape {
    int n_in, n_out, n_rows;
};

struct operands {
    struct shape shape;
    struct guarded w, x, scale, want, y;
    struct linear_args args; // of all outputs, into want
    size_t y_floats;
};

static const float untouched = 7.0f;

static void f8_scales(struct operands *o, enum flavour flavour, struct rnd *rnd) {
    size_t cols = (size_t)(o->shape.n_in + F8_SCALE_BLOCK - 1) / F8_SCALE_BLOCK;
    size_t rows = (size_t)(o->shape.n_out + F8_SCALE_BLOCK - 1) / F8_SCALE_BLOCK;
    size_t stride = cols + (size_t)rnd_int(rnd, 0, 3), n = (rows - 1) * stride + cols;
    o->scale = guarded_alloc(n * sizeof(float));
    data_fill(rnd, flavour, o->scale.data, n);
    o->args.scale = o->scale.data;
    o->args.scale_stride = stride;
}

static void operands_make(struct operands *o, const struct slot *slot, struct shape shape,
                          enum flavour flavour, const struct kernel_table *ref, struct rnd *rnd) {
    bool is_float = dtype_row(slot->w)->block == 1;
    size_t row_bytes, rows = (size_t)shape.n_rows, outs = (size_t)shape.n_out;
    assert_true(dtype_row_bytes(slot->w, shape.n_in, &row_bytes));
    struct xrow_layout layout = xrow_layout(slot->x, shape.n_in);
    size_t gap = rnd_int(rnd, 0, 3) ? 0 : (size_t)rnd_int(rnd, 1, 70);
    size_t w_stride = row_bytes + gap;
    size_t x_stride = layout.bytes + 64 * (size_t)rnd_int(rnd, 0, 2);
    size_t y_stride = outs + (size_t)rnd_int(rnd, 0, 5);
    *o = (struct operands){.shape = shape};
    o->y_floats = (rows - 1) * y_stride + outs;
    o->w = guarded_alloc((outs - 1) * w_stride + row_bytes);
    o->x = guarded_alloc((rows - 1) * x_stride + layout.bytes);
    o->want = guarded_alloc(o->y_floats * sizeof(float));
    o->y = guarded_alloc(o->y_floats * sizeof(float));
    o->args = (struct linear_args){.w = o->w.data,
                                   .w_stride = w_stride,
                                   .n_in = shape.n_in,
                                   .x = o->x.data,
                                   .x_stride = x_stride,
                                   .n_rows = shape.n_rows,
                                   .out1 = shape.n_out,
                                   .y = o->want.data,
                                   .y_stride = y_stride};
    memset(o->w.data, 0xff, (outs - 1) * w_stride + row_bytes);
    memset(o->x.data, 0xff, (rows - 1) * x_stride + layout.bytes);
    for (size_t i = 0; i < outs; i++) {
        uint8_t *row = (uint8_t *)o->w.data + i * w_stride;
        if (is_float)
            float_weights(rnd, slot->w, flavour, row, shape.n_in);
        else
            block_weights(rnd, slot->w, flavour, row, shape.n_in);
    }
    if (slot->w == DTYPE_F8_E4M3) f8_scales(o, flavour, rnd);
    for (size_t r = 0; r < rows; r++)
        x_row(rnd, ref, slot->x, flavour, (uint8_t *)o->x.data + r * x_stride, shape.n_in);
    for (size_t i = 0; i < o->y_floats; i++)
        ((float *)o->want.data)[i] = untouched;
    ref->gemv[slot->w][slot->x]->run(&o->args);
}

static void operands_free(struct operands *o) {
    guarded_free(&o->w);
    guarded_free(&o->x);
    guarded_free(&o->scale);
    guarded_free(&o->want);
    guarded_free(&o->y);
}

/* ---- a body against the reference ---- */

/* Runs outputs out0 .. out1-1; all other floats of y must stay. `listed`: the rows in reverse,
 * found through a list. */
static void check_body(const struct operands *o, const struct linear_body *body, int out0, int out1,
                       bool listed) {
    size_t bytes = body->scratch_bytes ? body->scratch_bytes(o->shape.n_in) : 0;
    bytes = (bytes + 63) / 64 * 64;
    struct guarded scratch = guarded_alloc(bytes);
    if (bytes > 0) memset(scratch.data, 0xff, bytes);
    struct linear_args args = o->args;
    args.out0 = out0;
    args.out1 = out1;
    args.y = o->y.data;
    args.scratch = scratch.data;
    const float *want = o->want.data;
    int n_rows = o->shape.n_rows;
    int32_t *rows = malloc((size_t)n_rows * sizeof *rows);
    assert_non_null(rows);
    for (int r = 0; r < n_rows; r++)
        rows[r] = n_rows - 1 - r;
    if (listed) args.x_rows = rows;
    float *expected = malloc(o->y_floats * sizeof *expected);
    assert_non_null(expected);
    for (size_t i = 0; i < o->y_floats; i++) {
        int out = (int)(i % o->args.y_stride), row = (int)(i / o->args.y_stride);
        size_t from = (size_t)(listed ? rows[row] : row) * o->args.y_stride + (size_t)out;
        args.y[i] = untouched;
        expected[i] = out >= out0 && out < out1 ? want[from] : untouched;
    }
    body->run(&args);
    if (!data_same(body->name, expected, args.y, o->y_floats))
        fail_msg("seed %llu: n_in %d, n_out %d, rows %d, outputs %d..%d, w_stride %zu",
                 (unsigned long long)seed, o->shape.n_in, o->shape.n_out, o->shape.n_rows, out0,
                 out1, args.w_stride);
    free(expected);
    free(rows);
    guarded_free(&scratch);
}

static void check_level(const struct operands *o, const struct slot *slot,
                        const struct kernel_table *table, struct rnd *rnd) {
    for (enum linear_kind kind = LINEAR_GEMV; kind < LINEAR_KIND_COUNT; kind++) {
        const struct linear_body *body = kernel_linear_of(table, kind, slot->w, slot->x);
        int n = o->shape.n_out, out0 = rnd_int(rnd, 0, n - 1), out1 = rnd_int(rnd, out0 + 1, n);
        if (!body) continue;
        check_body(o, body, 0, n, false);
        check_body(o, body, out0, out1, rnd_int(rnd, 0, 1));
    }
}

static void check_shape(const struct levels *levels, const struct slot *slot, struct shape shape,
                        enum flavour flavour, struct rnd *rnd) {
    struct operands o;
    operands_make(&o, slot, shape, flavour, &levels->table[LEVEL_REF], rnd);
    const struct linear_body *ref = levels->table[LEVEL_REF].gemm[slot->w][slot->x];
    check_body(&o, ref, 0, shape.n_out, rnd_int(rnd, 0, 1));
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++)
        if (levels->present[level]) check_level(&o, slot, &levels->table[level], rnd);
    operands_free(&o);
}

/* ---- the tests ---- */

static void test_slots(void **state) {
    (void)state;
    static struct levels levels;
    levels_init(&levels);
    const struct kernel_table *ref = &levels.table[LEVEL_REF];
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        if (!levels.present[level]) continue;
        const struct kernel_table *table = &levels.table[level];
        for (int i = 0; i < N_SLOT; i++) {
            enum dtype w = slots[i].w;
            enum xfmt x = slots[i].x;
            const struct linear_body *gemv = table->gemv[w][x], *gemm = table->gemm[w][x];
            assert_non_null(gemv);
            assert_non_null(gemm);
            data_assert_level(gemv->name, kernel_level_name(level));
            data_assert_level(gemm->name, kernel_level_name(level));
            assert_memory_equal(gemv->name, "gemv_", 5);
            assert_memory_equal(gemm->name, "gemm_", 5);
            assert_memory_equal(gemv->name + 5, slots[i].name, strlen(slots[i].name));
            assert_memory_equal(gemm->name + 5, slots[i].name, strlen(slots[i].name));
            assert_true(gemv->tile > 0 && gemm->tile > 0 && table->gemm_rows[w][x] > 1);
            const struct linear_body *wide = table->wide[w][x];
            bool takes_wide = w != DTYPE_IQ4_XS && (dtype_row(w)->block > 1 || x == XFMT_BF16);
            assert_true(!wide == (level != LEVEL_AMX || !takes_wide));
            if (wide) {
                data_assert_level(wide->name, kernel_level_name(level));
                assert_memory_equal(wide->name + 5, slots[i].name, strlen(slots[i].name));
                assert_true(wide->tile > 0 && table->wide_rows[w][x] > table->gemm_rows[w][x]);
            }
            if (level == LEVEL_REF) continue;
            assert_ptr_not_equal(gemv->run, ref->gemv[w][x]->run);
            assert_ptr_not_equal(gemm->run, ref->gemm[w][x]->run);
        }
    }
}

/* Each axis by itself, the other two at random; n_in counts in blocks of the type. */
static void sweep(const struct levels *levels, const struct slot *slot) {
    static const int long_in[] = {96, 127, 129, 255, 256, 257, 511, 512, 513, 770, 1000};
    static const int long_blocks[] = {8, 16, 17, 24, 32, 33};
    int block = dtype_row(slot->w)->block;
    struct rnd rnd = {seed + (uint64_t)slot->w * 16 + (uint64_t)slot->x};
    int step = 0;
    int n_short = block == 1 ? 70 : block == 32 ? 9 : 3;
    int n_long = block == 1 ? 11 : block == 32 ? 6 : 0;
    for (int i = 0; i < n_short + n_long; i++)
        for (int repeat = 0; repeat < (block == 1 ? 2 : 4); repeat++) {
            int n_in = i < n_short  ? i + 1
                       : block == 1 ? long_in[i - n_short]
                                    : long_blocks[i - n_short];
            struct shape shape = {n_in * block, rnd_int(&rnd, 1, 40), rnd_int(&rnd, 1, 20)};
            check_shape(levels, slot, shape, (enum flavour)(step++ % FLAVOUR_COUNT), &rnd);
        }
    for (int i = 1; i <= 41; i++) {
        int n_in = block * rnd_int(&rnd, 1, block == 1 ? 40 : 2);
        struct shape outs = {n_in, i <= 40 ? i : 300, rnd_int(&rnd, 1, 20)};
        check_shape(levels, slot, outs, (enum flavour)(step++ % FLAVOUR_COUNT), &rnd);
        struct shape rows = {n_in, rnd_int(&rnd, 1, 100), i <= 40 ? i : 70};
        check_shape(levels, slot, rows, (enum flavour)(step++ % FLAVOUR_COUNT), &rnd);
    }
    struct shape large = {block == 1 ? 1100 : 1024, 161, 33};
    for (int f = 0; f < FLAVOUR_COUNT; f++)
        check_shape(levels, slot, large, (enum flavour)f, &rnd);
}

static void test_levels(void **state) {
    (void)state;
    static struct levels levels;
    levels_init(&levels);
    for (int i = 0; i < N_SLOT; i++)
        sweep(&levels, &slots[i]);
}

/* The reference against double arithmetic on the same stored numbers: a chain of n steps is off by
 * no more than n roundings of the sum of magnitudes. */
static void test_accuracy(void **state) {
    (void)state;
    static struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (int i = 0; i < N_SLOT; i++) {
        const struct slot *slot = &slots[i];
        enum { N = 1024 };
        struct rnd rnd = {seed + 1000};
        struct operands o;
        operands_make(&o, slot, (struct shape){N, 40, 3}, FLAVOUR_PLAIN, &ref, &rnd);
        struct xrow_layout layout = xrow_layout(slot->x, N);
        for (size_t r = 0; r < 3; r++)
            for (size_t out = 0; out < 40; out++) {
                static float w[N];
                const uint8_t *x = o.args.x + r * o.args.x_stride;
                dtype_dequantize(slot->w, o.args.w + out * o.args.w_stride, w, N);
                double sum = 0, size = 0;
                for (int k = 0; k < N; k++) {
                    float v = 0, d = 0;
                    if (o.args.scale)
                        w[k] *= o.args.scale[out / F8_SCALE_BLOCK * o.args.scale_stride +
                                             (size_t)k / F8_SCALE_BLOCK];
                    uint16_t half = 0;
                    if (slot->x == XFMT_F32) {
                        memcpy(&v, x + 4 * (size_t)k, sizeof v);
                    } else if (slot->x == XFMT_BF16) {
                        memcpy(&half, x + 2 * (size_t)k, sizeof half);
                        v = f32_from_bf16(half);
                    } else {
                        size_t at = 4 * (size_t)(k / xfmt_block(slot->x));
                        memcpy(&d, x + layout.d_at + at, sizeof d);
                        v = d * (float)(int8_t)x[k];
                    }
                    sum += (double)w[k] * (double)v;
                    size += fabs((double)w[k] * (double)v);
                }
                double got = (double)((float *)o.want.data)[r * o.args.y_stride + out];
                if (!(fabs(got - sum) <= size * N * 0x1p-24))
                    fail_msg("%s: row %zu, output %zu is %g, want %g", slot->name, r, out, got,
                             sum);
            }
        operands_free(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_slots, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_accuracy, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
