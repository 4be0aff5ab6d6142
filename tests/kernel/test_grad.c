/* Kernels of the backward pass and of the optimizers: every level equals the reference bit for bit,
 * and the reference is the derivative, by differences in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"

static const uint64_t seed = 20261126;
enum { N = 200, N_IN = 4, N_OUT = 3 };

/* A call of one slot: inputs filled by the test, outputs compared. */
struct call {
    float in[N_IN][N], out[N_OUT][N + 1];
    int n;
    bool flag;
};
typedef void run_fn(const struct kernel_table *k, struct call *c);

static void run_rms_norm(const struct kernel_table *k, struct call *c) {
    struct rms_norm_grad_args args = {.x = c->in[0],
                                      .w = c->flag ? NULL : c->in[1],
                                      .dy = c->in[2],
                                      .dx = c->out[0],
                                      .n = c->n,
                                      .eps = 1e-6f};
    c->out[1][0] = k->rms_norm_grad(&args);
}

static void run_norm_weight(const struct kernel_table *k, struct call *c) {
    memcpy(c->out[0], c->in[2], (size_t)c->n * sizeof(float));
    k->norm_weight_grad(c->in[3][0], c->in[0], c->in[1], c->out[0], c->n);
}

static void run_silu_mul(const struct kernel_table *k, struct call *c) {
    struct silu_mul_grad_args args = {c->in[0], c->in[1], c->in[2], c->out[0], c->out[1], c->n};
    k->silu_mul_grad(&args);
}

static void run_sigmoid_mul(const struct kernel_table *k, struct call *c) {
    struct sigmoid_mul_grad_args args = {c->in[0],  c->in[1], c->in[2], c->out[0],
                                         c->out[1], c->flag,  c->n};
    k->sigmoid_mul_grad(&args);
}

static void run_sigmoid(const struct kernel_table *k, struct call *c) {
    k->sigmoid_grad(c->in[0], c->in[1], c->out[0], c->n);
}

static void run_decay(const struct kernel_table *k, struct call *c) {
    memcpy(c->out[1], c->in[3], (size_t)c->n * sizeof(float));
    struct decay_grad_args args = {c->in[0], c->in[1], c->in[2], c->out[0], c->out[1], c->n};
    k->decay_grad(&args);
}

static void run_l2_norm(const struct kernel_table *k, struct call *c) {
    struct l2_norm_grad_args args = {c->in[0], c->in[1], c->out[0], c->n, 1e-6f, 0.3f};
    k->l2_norm_grad(&args);
}

static void run_softmax(const struct kernel_table *k, struct call *c) {
    struct softmax_args args = {.x = c->in[0], .p = c->out[0], .n = c->n, .scale = 0.7f};
    k->softmax(&args);
    c->out[1][0] = args.max;
    c->out[1][1] = args.sum;
}

static void run_softmax_grad(const struct kernel_table *k, struct call *c) {
    struct softmax_grad_args args = {c->in[0], c->in[1], c->out[0], c->n, 0.7f};
    k->softmax_grad(&args);
}

static void run_plain(const struct kernel_table *k, struct call *c) {
    memcpy(c->out[0], c->in[0], (size_t)c->n * sizeof(float));
    memcpy(c->out[1], c->in[0], (size_t)c->n * sizeof(float));
    k->scale(c->in[1][0], c->out[0], c->n);
    k->mix(c->in[1][1], c->in[2], c->in[1][2], c->out[1], c->n);
    c->out[2][0] = k->dot(c->in[0], c->in[3], c->n);
}

static void run_adamw(const struct kernel_table *k, struct call *c) {
    for (int i = 0; i < 3; i++)
        memcpy(c->out[i], c->in[i], (size_t)c->n * sizeof(float));
    struct adamw_args args = {.w = c->out[0],
                              .m = c->out[1],
                              .v = c->out[2],
                              .grad = c->in[3],
                              .n = (size_t)c->n,
                              .rate = 1e-2f,
                              .beta1 = 0.9f,
                              .beta2 = 0.95f,
                              .eps = 1e-8f,
                              .decay = 0.1f,
                              .clip = c->flag ? 0.5f : 1.0f,
                              .fix1 = 1.7f,
                              .fix2 = 5.3f};
    k->adamw(&args);
}

/* decay_grad may stay the reference's on every level: it is short. */
static const struct slot {
    const char *name;
    run_fn *run;
    enum kernel_slot slot;
    bool any_level;
} slots[] = {
    {"rms_norm_grad", run_rms_norm, KSLOT_rms_norm_grad, false},
    {"norm_weight_grad", run_norm_weight, KSLOT_norm_weight_grad, false},
    {"silu_mul_grad", run_silu_mul, KSLOT_silu_mul_grad, false},
    {"sigmoid_mul_grad", run_sigmoid_mul, KSLOT_sigmoid_mul_grad, false},
    {"sigmoid_grad", run_sigmoid, KSLOT_sigmoid_grad, false},
    {"decay_grad", run_decay, KSLOT_decay_grad, true},
    {"l2_norm_grad", run_l2_norm, KSLOT_l2_norm_grad, false},
    {"softmax", run_softmax, KSLOT_softmax, false},
    {"softmax_grad", run_softmax_grad, KSLOT_softmax_grad, false},
    {"scale", run_plain, KSLOT_scale, false},
    {"mix", run_plain, KSLOT_mix, false},
    {"dot", run_plain, KSLOT_dot, false},
    {"adamw", run_adamw, KSLOT_adamw, false},
};
enum { N_SLOT = sizeof slots / sizeof slots[0] };

static void fill(struct call *c, struct rnd *rnd, enum flavour flavour, int n, bool flag) {
    memset(c, 0, sizeof *c);
    for (int i = 0; i < N_IN; i++)
        data_fill(rnd, flavour, c->in[i], N);
    for (int i = 0; i < N_OUT; i++)
        c->out[i][n] = 7.0f;
    c->n = n;
    c->flag = flag;
}

static void test_levels(void **state) {
    (void)state;
    struct kernel_table ref, level;
    static struct call want, got;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level l = LEVEL_REF + 1; l < LEVEL_COUNT; l++) {
        struct rnd rnd = {seed};
        if (!data_table(kernel_level_name(l), &level)) continue;
        for (int s = 0; s < N_SLOT; s++) {
            if (!slots[s].any_level)
                data_assert_level(level.row_name[slots[s].slot], kernel_level_name(l));
            for (int f = 0; f < FLAVOUR_COUNT; f++)
                for (int n = 1; n < N; n += n < 70 ? 1 : 13) {
                    fill(&want, &rnd, f, n, n % 2);
                    got = want;
                    slots[s].run(&ref, &want);
                    slots[s].run(&level, &got);
                    if (!data_same(slots[s].name, want.out[0], got.out[0], N_OUT * (N + 1)))
                        fail_msg("%s.%s: seed %llu, flavour %d, n %d", slots[s].name,
                                 kernel_level_name(l), (unsigned long long)seed, f, n);
                }
        }
    }
}

/* ---- transposed copies ---- */

typedef void transpose_fn(const struct transpose_args *);

static void transposed(const struct kernel_table *ref, const struct kernel_table *level,
                       enum kernel_slot slot, struct rnd *rnd) {
    bool is_f32 = slot == KSLOT_transpose_f32;
    size_t in = is_f32 ? 4 : 2;
    for (int round = 0; round < 150; round++) {
        int rows = rnd_int(rnd, 1, 70), cols = rnd_int(rnd, 1, 70);
        if (round % 3 == 0) rows = 32 * rnd_int(rnd, 1, 3), cols = 32 * rnd_int(rnd, 1, 2);
        size_t x_stride = (size_t)(cols + rnd_int(rnd, 0, 5));
        size_t y_stride = (size_t)(rows + 1 + rnd_int(rnd, 0, 5));
        struct guarded x = guarded_alloc((((size_t)rows - 1) * x_stride + (size_t)cols) * in);
        for (size_t i = 0; i + 4 <= (((size_t)rows - 1) * x_stride + (size_t)cols) * in; i += 4) {
            float v;
            data_fill(rnd, round % FLAVOUR_COUNT, &v, 1);
            memcpy((uint8_t *)x.data + i, &v, 4);
        }
        size_t bytes = (size_t)cols * y_stride * in;
        uint8_t *want = malloc(bytes), *got = malloc(bytes);
        memset(want, 0x5a, bytes);
        memset(got, 0x5a, bytes);
        struct transpose_args args = {x.data, want, x_stride, y_stride, rows, cols};
        transpose_fn *a = is_f32 ? ref->transpose_f32 : ref->transpose_bf16;
        transpose_fn *b = is_f32 ? level->transpose_f32 : level->transpose_bf16;
        a(&args);
        args.y = got;
        b(&args);
        if (memcmp(want, got, bytes))
            fail_msg("transpose %s: %d x %d", level->row_name[slot], rows, cols);
        free(want);
        free(got);
        guarded_free(&x);
    }
}

static void test_transpose(void **state) {
    (void)state;
    struct kernel_table ref, level;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level l = LEVEL_REF; l < LEVEL_COUNT; l++) {
        struct rnd rnd = {seed + 1};
        if (!data_table(kernel_level_name(l), &level)) continue;
        data_assert_level(level.row_name[KSLOT_transpose_f32], kernel_level_name(l));
        transposed(&ref, &level, KSLOT_transpose_f32, &rnd);
        transposed(&ref, &level, KSLOT_transpose_bf16, &rnd);
    }
    float x[6] = {1, 2, 3, 4, 5, 6}, y[6]; // 2 x 3
    ref.transpose_f32(&(struct transpose_args){x, y, 3, 2, 2, 3});
    assert_true(y[0] == 1 && y[1] == 4 && y[2] == 2 && y[3] == 5 && y[4] == 3 && y[5] == 6);
    const uint16_t h[6] = {1, 2, 3, 4, 5, 6}; // 3 x 2
    uint16_t turned[8];
    ref.transpose_bf16(&(struct transpose_args){h, turned, 2, 4, 3, 2}); // odd: a +0 behind
    assert_true(turned[2] == 5 && turned[3] == 0 && turned[4] == 2);
}

/* ---- derivatives ---- */

/* sum of dy * y for one slot's forward function, in double */
typedef double value_fn(const double in[N_IN][N], int n);

static double silu(double x) { return x / (1 + exp(-x)); }

static double value_rms(const double in[N_IN][N], int n) {
    double square = 0, sum = 0;
    for (int i = 0; i < n; i++)
        square += in[0][i] * in[0][i];
    for (int i = 0; i < n; i++)
        sum += in[2][i] * in[1][i] * in[0][i] / sqrt(square / n + 1e-6);
    return sum;
}

static double value_silu_mul(const double in[N_IN][N], int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += in[2][i] * silu(in[0][i]) * in[1][i];
    return sum;
}

static double value_sigmoid_mul(const double in[N_IN][N], int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += in[2][i] * in[1][i] / (1 + exp(-in[0][i]));
    return sum;
}

static double value_sigmoid(const double in[N_IN][N], int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += in[1][i] / (1 + exp(-in[0][i]));
    return sum;
}

static double value_decay(const double in[N_IN][N], int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += in[2][i] * exp(in[0][i] * log1p(exp(in[1][i])));
    return sum;
}

static double value_l2(const double in[N_IN][N], int n) {
    double square = 1e-6, sum = 0;
    for (int i = 0; i < n; i++)
        square += in[0][i] * in[0][i];
    for (int i = 0; i < n; i++)
        sum += in[1][i] * in[0][i] / sqrt(square) * 0.3;
    return sum;
}

/* The gradient by input `input` that stands in c->out[out] against differences. */
static void check_derivative(const char *name, value_fn *value, const struct call *c, int input,
                             int out) {
    static double x[N_IN][N];
    for (int i = 0; i < N_IN; i++)
        for (int j = 0; j < c->n; j++)
            x[i][j] = (double)c->in[i][j];
    for (int j = 0; j < c->n; j++) {
        const double h = 1e-5, at = x[input][j];
        x[input][j] = at + h;
        double up = value((const double(*)[N])x, c->n);
        x[input][j] = at - h;
        double down = value((const double(*)[N])x, c->n);
        x[input][j] = at;
        double want = (up - down) / (2 * h), got = (double)c->out[out][j];
        if (fabs(got - want) > 2e-5 * (1 + fabs(want)))
            fail_msg("%s: derivative by input %d at %d is %g, want %g", name, input, j, got, want);
    }
}

static void test_derivatives(void **state) {
    (void)state;
    struct kernel_table ref;
    static struct call c;
    struct rnd rnd = {seed + 2};
    assert_true(data_table("ref", &ref));
    for (int n = 1; n < 60; n += 7) {
        fill(&c, &rnd, FLAVOUR_PLAIN, n, false);
        run_rms_norm(&ref, &c);
        check_derivative("rms_norm", value_rms, &c, 0, 0);
        float s = c.out[1][0];
        memset(c.out[2], 0, sizeof c.out[2]);
        ref.norm_weight_grad(s, c.in[0], c.in[2], c.out[2], n);
        check_derivative("norm_weight", value_rms, &c, 1, 2);
        run_silu_mul(&ref, &c);
        check_derivative("silu_mul", value_silu_mul, &c, 0, 0);
        check_derivative("silu_mul", value_silu_mul, &c, 1, 1);
        run_sigmoid_mul(&ref, &c);
        check_derivative("sigmoid_mul", value_sigmoid_mul, &c, 0, 0);
        check_derivative("sigmoid_mul", value_sigmoid_mul, &c, 1, 1);
        run_sigmoid(&ref, &c);
        check_derivative("sigmoid", value_sigmoid, &c, 0, 0);
        memset(c.in[3], 0, sizeof c.in[3]);
        run_decay(&ref, &c);
        check_derivative("decay", value_decay, &c, 1, 0);
        check_derivative("decay", value_decay, &c, 0, 1);
        run_l2_norm(&ref, &c);
        check_derivative("l2_norm", value_l2, &c, 0, 0);
    }
}

static void test_softmax(void **state) {
    (void)state;
    struct kernel_table ref;
    static struct call c;
    struct rnd rnd = {seed + 3};
    assert_true(data_table("ref", &ref));
    fill(&c, &rnd, FLAVOUR_PLAIN, 50, false);
    run_softmax(&ref, &c);
    double sum = 0, weighted = 0, p[50];
    for (int i = 0; i < 50; i++)
        sum += p[i] = exp((double)c.in[0][i] * (double)0.7f);
    for (int i = 0; i < 50; i++) {
        p[i] /= sum;
        weighted += p[i] * (double)c.in[1][i];
        assert_true(fabs((double)c.out[0][i] - p[i]) < 1e-7);
    }
    assert_true(fabs((double)c.out[1][0] + log((double)c.out[1][1]) - log(sum)) < 1e-6);
    memcpy(c.in[0], c.out[0], sizeof c.in[0]);
    run_softmax_grad(&ref, &c);
    for (int i = 0; i < 50; i++)
        assert_true(fabs((double)c.out[0][i] - 0.7 * p[i] * ((double)c.in[1][i] - weighted)) <
                    1e-7);
}

static void test_adamw(void **state) {
    (void)state;
    struct kernel_table ref;
    float w[1] = {1}, m[1] = {0}, v[1] = {0}, grad[1] = {0.5f};
    assert_true(data_table("ref", &ref));
    // The first step goes by the rate, whatever the gradient's size.
    ref.adamw(&(struct adamw_args){w, m, v, grad, 1, 0.1f, 0.9f, 0.99f, 1e-8f, 0, 1, 10, 100});
    assert_true(fabsf(w[0] - 0.9f) < 1e-5f && fabsf(m[0] - 0.05f) < 1e-6f &&
                fabsf(v[0] - 0.0025f) < 1e-7f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_transpose, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_derivatives, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_softmax, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_adamw, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
