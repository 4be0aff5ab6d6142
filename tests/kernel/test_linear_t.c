/* linear_t: every level equals the reference bit for bit for every weight type, keeps to its
 * columns and reads no byte outside its operands; the reference is the F32 rule over dequantised
 * weights and does not care how columns are shared out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/quant.h"

static const uint64_t seed = 20261201;
static const float untouched = 7.0f;

static const enum dtype types[] = {
#define X(w, x, name) w,
    LINEAR_LIST(X)
#undef X
};
enum { N_TYPE = sizeof types / sizeof types[0] };

struct operands {
    struct linear_t_args args;
    struct guarded w, x, scale, want, y;
    size_t y_floats;
};

static void weight_row(struct rnd *rnd, enum dtype dtype, enum flavour flavour, uint8_t *row,
                       int n) {
    size_t bytes;
    assert_true(dtype_row_bytes(dtype, n, &bytes));
    float *values = malloc((size_t)n * sizeof *values);
    assert_non_null(values);
    data_fill(rnd, flavour, values, (size_t)n);
    bool quantised = flavour != FLAVOUR_BITS && dtype_quantize(dtype, values, NULL, row, n);
    for (size_t i = 0; i < bytes && !quantised; i++)
        row[i] = (uint8_t)rnd_u32(rnd);
    free(values);
}

static void f8_scales(struct operands *o, enum flavour flavour, struct rnd *rnd) {
    size_t cols = (size_t)(o->args.out1 + F8_SCALE_BLOCK - 1) / F8_SCALE_BLOCK;
    int end = o->args.row0 + o->args.n_in;
    size_t rows = (size_t)(end + F8_SCALE_BLOCK - 1) / F8_SCALE_BLOCK;
    size_t stride = cols + (size_t)rnd_int(rnd, 0, 3), n = (rows - 1) * stride + cols;
    o->scale = guarded_alloc(n * sizeof(float));
    data_fill(rnd, flavour, o->scale.data, n);
    o->args.scale = o->scale.data;
    o->args.scale_stride = stride;
}

/* Rows of w before the first and behind the last one taken do not exist. */
static struct operands operands_make(enum dtype dtype, int n_in, int n_out, int n_rows,
                                     enum flavour flavour, struct rnd *rnd) {
    size_t row_bytes, gap = rnd_int(rnd, 0, 1) ? 0 : (size_t)rnd_int(rnd, 1, 70);
    assert_true(dtype_row_bytes(dtype, n_out, &row_bytes));
    struct operands o = {.args = {.dtype = dtype,
                                  .w_stride = row_bytes + gap,
                                  .row0 = rnd_int(rnd, 0, 140),
                                  .n_in = n_in,
                                  .out1 = n_out,
                                  .x_stride = (size_t)(n_in + rnd_int(rnd, 0, 5)),
                                  .n_rows = n_rows,
                                  .y_stride = (size_t)(n_out + rnd_int(rnd, 0, 5))}};
    size_t w_bytes = (size_t)(n_in - 1) * o.args.w_stride + row_bytes;
    size_t x_floats = (size_t)(n_rows - 1) * o.args.x_stride + (size_t)n_in;
    o.y_floats = (size_t)(n_rows - 1) * o.args.y_stride + (size_t)n_out;
    o.w = guarded_alloc(w_bytes);
    o.x = guarded_alloc(x_floats * sizeof(float));
    o.want = guarded_alloc(o.y_floats * sizeof(float));
    o.y = guarded_alloc(o.y_floats * sizeof(float));
    memset(o.w.data, 0xff, w_bytes);
    for (int i = 0; i < n_in; i++)
        weight_row(rnd, dtype, flavour, (uint8_t *)o.w.data + (size_t)i * o.args.w_stride, n_out);
    data_fill(rnd, flavour, o.x.data, x_floats);
    o.args.w = (const uint8_t *)((uintptr_t)o.w.data - (size_t)o.args.row0 * o.args.w_stride);
    o.args.x = o.x.data;
    if (dtype == DTYPE_F8_E4M3) f8_scales(&o, flavour, rnd);
    return o;
}

static void operands_free(struct operands *o) {
    guarded_free(&o->w);
    guarded_free(&o->x);
    guarded_free(&o->scale);
    guarded_free(&o->want);
    guarded_free(&o->y);
}

/* Columns out0 .. out1-1 into y; all other floats of it must stay, as must those behind the
 * scratch. */
static void run(const struct kernel_table *table, const struct operands *o, int out0, int out1,
                float *y) {
    struct guarded scratch = guarded_alloc(LINEAR_T_SCRATCH);
    struct linear_t_args args = o->args;
    memset(scratch.data, 0xff, LINEAR_T_SCRATCH);
    args.out0 = out0;
    args.out1 = out1;
    args.y = y;
    args.scratch = scratch.data;
    for (size_t i = 0; i < o->y_floats; i++)
        y[i] = untouched;
    table->linear_t(&args);
    guarded_free(&scratch);
}

static void compare(const struct kernel_table *ref, const struct kernel_table *table,
                    struct operands *o, int out0, int out1) {
    run(ref, o, out0, out1, o->want.data);
    run(table, o, out0, out1, o->y.data);
    if (!data_same("linear_t", o->want.data, o->y.data, o->y_floats))
        fail_msg("%s: seed %llu, %s, n_in %d, rows %d, columns %d..%d of %d",
                 table->row_name[KSLOT_linear_t], (unsigned long long)seed,
                 dtype_name(o->args.dtype), o->args.n_in, o->args.n_rows, out0, out1, o->args.out1);
}

static void check_shape(const struct kernel_table *ref, const struct kernel_table *table,
                        enum dtype dtype, const int shape[3], enum flavour flavour,
                        struct rnd *rnd) {
    struct operands o = operands_make(dtype, shape[0], shape[1], shape[2], flavour, rnd);
    int block = dtype_row(dtype)->block, n_block = shape[1] / block;
    int first = rnd_int(rnd, 0, n_block - 1), last = rnd_int(rnd, first + 1, n_block);
    compare(ref, table, &o, 0, shape[1]);
    compare(ref, table, &o, first * block, last * block);
    operands_free(&o);
}

static void sweep(const struct kernel_table *ref, const struct kernel_table *table,
                  enum dtype dtype, struct rnd *rnd) {
    int block = dtype_row(dtype)->block, step = 0;
    for (int i = 1; i <= 40; i += 1 + i / 16) {
        int wide = block == 1 ? rnd_int(rnd, 1, 90) : block * rnd_int(rnd, 1, 3);
        int outs = block == 1 ? i : block * (1 + i % 9);
        int shapes[][3] = {{i, wide, rnd_int(rnd, 1, 15)},
                           {rnd_int(rnd, 1, 70), wide, i},
                           {rnd_int(rnd, 1, 150), outs, rnd_int(rnd, 1, 15)}};
        for (int k = 0; k < 3; k++)
            check_shape(ref, table, dtype, shapes[k], (enum flavour)(step++ % FLAVOUR_COUNT), rnd);
    }
    int large[3] = {130, block == 1 ? 530 : 768, 26};
    for (int f = 0; f < FLAVOUR_COUNT; f++)
        check_shape(ref, table, dtype, large, (enum flavour)f, rnd);
}

static void test_levels(void **state) {
    (void)state;
    struct kernel_table ref, table;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
        if (!data_table(kernel_level_name(level), &table)) continue;
        assert_ptr_not_equal(table.linear_t, ref.linear_t);
        data_assert_level(table.row_name[KSLOT_linear_t], kernel_level_name(level));
        for (int i = 0; i < N_TYPE; i++) {
            struct rnd rnd = {seed + (uint64_t)types[i]};
            sweep(&ref, &table, types[i], &rnd);
        }
    }
}

/* The chain as docs/numerics.md writes it, one output at a time. */
static void test_rule(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (int k = 0; k < N_TYPE; k++) {
        struct rnd rnd = {seed + 100 + (uint64_t)types[k]};
        enum { N_IN = 37, N_OUT = 512, N_ROWS = 3 };
        struct operands o = operands_make(types[k], N_IN, N_OUT, N_ROWS, FLAVOUR_PLAIN, &rnd);
        float *want = o.want.data;
        run(&ref, &o, 0, N_OUT, o.y.data);
        for (size_t i = 0; i < o.y_floats; i++)
            want[i] = untouched;
        for (size_t i = 0; i < N_IN; i++) {
            float w[N_OUT];
            dtype_dequantize(types[k], (uint8_t *)o.w.data + i * o.args.w_stride, w, N_OUT);
            size_t row = (size_t)o.args.row0 + i;
            for (size_t j = 0; o.args.scale && j < N_OUT; j++)
                w[j] *=
                    o.args.scale[row / F8_SCALE_BLOCK * o.args.scale_stride + j / F8_SCALE_BLOCK];
            for (size_t r = 0; r < N_ROWS; r++)
                for (size_t j = 0; j < N_OUT; j++) {
                    float *y = &want[r * o.args.y_stride + j];
                    *y = fmaf(w[j], o.args.x[r * o.args.x_stride + i], i == 0 ? 0.0f : *y);
                }
        }
        if (!data_same(dtype_name(types[k]), want, o.y.data, o.y_floats)) fail();
        operands_free(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_rule, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
