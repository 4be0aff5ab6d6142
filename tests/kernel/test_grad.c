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

/* ---- routers and recurrent mixers ---- */

/* d value / d x[j] by differences, for values that read x. */
typedef double read_fn(const double *x, void *ctx);
static double difference(read_fn *value, void *ctx, double *x, int j) {
    const double h = 1e-5, at = x[j];
    x[j] = at + h;
    double up = value(x, ctx);
    x[j] = at - h;
    double down = value(x, ctx);
    x[j] = at;
    return (up - down) / (2 * h);
}

static void expect(const char *what, int j, double got, double want) {
    if (!(fabs(got - want) <= 2e-5 * (1 + fabs(want))))
        fail_msg("%s: derivative at %d is %g, want %g", what, j, got, want);
}

struct route_case {
    struct route_rule rule;
    const int32_t *ids;
    const float *dw;
};

static double route_value(const double *x, void *ctx) {
    const struct route_case *c = ctx;
    double score[16], sum = 0, value = 0;
    for (int i = 0; i < c->rule.n_expert; i++)
        sum += exp(x[i]);
    for (int i = 0; i < c->rule.n_expert; i++)
        score[i] = c->rule.scoring == ROUTE_SOFTMAX ? exp(x[i]) / sum : 1 / (1 + exp(-x[i]));
    sum = (double)c->rule.floor;
    for (int k = 0; k < c->rule.n_used; k++)
        sum += score[c->ids[k]];
    for (int k = 0; k < c->rule.n_used; k++)
        value += (double)c->dw[k] * (double)c->rule.scale * score[c->ids[k]] /
                 (c->rule.normalize ? sum : 1);
    return value;
}

static void test_route(void **state) {
    (void)state;
    struct kernel_table ref;
    struct rnd rnd = {seed + 4};
    assert_true(data_table("ref", &ref));
    for (int kind = 0; kind < 4; kind++) {
        float x[9], dw[3], dx[9];
        double at[9];
        const int32_t ids[3] = {7, 2, 4};
        struct route_case c = {.rule = {.n_expert = 9,
                                        .n_used = 3,
                                        .scoring = kind % 2 ? ROUTE_SIGMOID : ROUTE_SOFTMAX,
                                        .normalize = kind > 1,
                                        .floor = 1e-6f,
                                        .scale = 1.5f},
                               .ids = ids,
                               .dw = dw};
        data_fill(&rnd, FLAVOUR_PLAIN, x, 9);
        data_fill(&rnd, FLAVOUR_PLAIN, dw, 3);
        ref.route_grad(&(struct route_grad_args){&c.rule, x, ids, dw, dx});
        for (int i = 0; i < 9; i++)
            at[i] = (double)x[i];
        for (int i = 0; i < 9; i++)
            expect("route", i, (double)dx[i], difference(route_value, &c, at, i));
    }
}

enum { TOKENS = 70, CHANNELS = 3, TAPS = 4 }; // more tokens than two segments of delta_grad

/* x (TOKENS, CHANNELS), then w (TAPS, CHANNELS). */
static double conv_value(const double *x, void *ctx) {
    const float *dy = ctx;
    const double *w = x + TOKENS * CHANNELS;
    double value = 0;
    for (int t = 0; t < TOKENS; t++)
        for (int c = 0; c < CHANNELS; c++) {
            double acc = 0;
            for (int j = 0; j < TAPS; j++)
                if (t - TAPS + 1 + j >= 0)
                    acc += w[j * CHANNELS + c] * x[(t - TAPS + 1 + j) * CHANNELS + c];
            value += (double)dy[t * CHANNELS + c] * silu(acc);
        }
    return value;
}

static void test_conv(void **state) {
    (void)state;
    enum { N_X = TOKENS * CHANNELS, N_W = TAPS * CHANNELS };
    struct kernel_table ref;
    struct rnd rnd = {seed + 5};
    static float x[N_X + N_W], dy[N_X], dx[N_X + N_W], scratch[N_X];
    static double at[N_X + N_W];
    assert_true(data_table("ref", &ref));
    data_fill(&rnd, FLAVOUR_PLAIN, x, N_X + N_W);
    data_fill(&rnd, FLAVOUR_PLAIN, dy, N_X);
    const struct conv_grad_args args = {.n_token = TOKENS,
                                        .n_channel = CHANNELS,
                                        .n_tap = TAPS,
                                        .channel1 = CHANNELS,
                                        .w = x + N_X,
                                        .x = x,
                                        .dy = dy,
                                        .dx = dx,
                                        .dw = dx + N_X,
                                        .x_stride = CHANNELS,
                                        .dy_stride = CHANNELS,
                                        .dx_stride = CHANNELS,
                                        .scratch = scratch};
    ref.conv_grad(&args);
    for (int i = 0; i < N_X + N_W; i++)
        at[i] = (double)x[i];
    for (int i = 0; i < N_X + N_W; i += 5)
        expect("conv", i, (double)dx[i], difference(conv_value, dy, at, i));
}

enum { DK = 3, DV = 2, ROW = 2 * DK + DV + 2 }; // a token: q, k, v, beta, decay

static double delta_value(const double *x, void *ctx) {
    const float *dout = ctx;
    double s[DK][DV] = {{0}}, value = 0;
    for (int t = 0; t < TOKENS; t++, x += ROW)
        for (int c = 0; c < DV; c++) {
            double known = 0, out = 0;
            for (int i = 0; i < DK; i++) {
                s[i][c] *= x[2 * DK + DV + 1];
                known += s[i][c] * x[DK + i];
            }
            double delta = (x[2 * DK + c] - known) * x[2 * DK + DV];
            for (int i = 0; i < DK; i++) {
                s[i][c] += x[DK + i] * delta;
                out += s[i][c] * x[i];
            }
            value += (double)dout[t * DV + c] * out;
        }
    return value;
}

static void test_delta(void **state) {
    (void)state;
    struct kernel_table ref;
    struct rnd rnd = {seed + 6};
    static float x[TOKENS * ROW], dout[TOKENS * DV], dx[TOKENS * ROW];
    static double at[TOKENS * ROW];
    float *scratch = malloc(delta_grad_floats(TOKENS, DK, DV) * sizeof *scratch);
    assert_true(data_table("ref", &ref) && scratch);
    for (int i = 0; i < TOKENS * ROW; i++)
        x[i] = 0.6f * rnd_float(&rnd);
    for (int t = 0; t < TOKENS; t++)
        x[t * ROW + 2 * DK + DV + 1] = 0.9f; // the decay
    data_fill(&rnd, FLAVOUR_PLAIN, dout, TOKENS * DV);
    const struct delta_grad_args args = {.n_token = TOKENS,
                                         .d_k = DK,
                                         .d_v = DV,
                                         .q = x,
                                         .k = x + DK,
                                         .v = x + 2 * DK,
                                         .beta = x + 2 * DK + DV,
                                         .decay = x + 2 * DK + DV + 1,
                                         .dout = dout,
                                         .q_stride = ROW,
                                         .v_stride = ROW,
                                         .beta_stride = ROW,
                                         .decay_stride = ROW,
                                         .dout_stride = DV,
                                         .dq = dx,
                                         .dk = dx + DK,
                                         .dv = dx + 2 * DK,
                                         .dbeta = dx + 2 * DK + DV,
                                         .ddecay = dx + 2 * DK + DV + 1,
                                         .dq_stride = ROW,
                                         .dv_stride = ROW,
                                         .dbeta_stride = ROW,
                                         .ddecay_stride = ROW,
                                         .scratch = scratch};
    ref.delta_grad(&args);
    for (int i = 0; i < TOKENS * ROW; i++)
        at[i] = (double)x[i];
    for (int i = 0; i < TOKENS * ROW; i++)
        expect("delta", i, (double)dx[i], difference(delta_value, dout, at, i));
    free(scratch);
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
        cmocka_unit_test_setup_teardown(test_route, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_conv, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_delta, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_softmax, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_adamw, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
