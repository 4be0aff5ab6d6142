/* Recurrent mixers: every level equals the reference bit for bit, splitting the tokens or the work
 * changes nothing, and the reference is accurate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"

static const uint64_t seed = 20261201;

struct pair { // a level against ref
    struct kernel_table ref, level;
    const char *name;
    struct rnd rnd;
};

static void check(const char *what, const struct pair *p, const float *want, const float *got,
                  size_t n, int shown) {
    if (!data_same(what, want, got, n))
        fail_msg("%s.%s: seed %llu, case %d", what, p->name, (unsigned long long)seed, shown);
}

/* Room for n floats that ends at a guard page, filled. */
static struct guarded filled(struct rnd *rnd, enum flavour flavour, size_t n) {
    struct guarded g = guarded_alloc(n * sizeof(float));
    data_fill(rnd, flavour, g.data, n);
    return g;
}

/* ---- one row ---- */

enum { N_MAX = 300 };

static void pair_rows(struct pair *p) {
    assert_ptr_not_equal(p->level.sigmoid, p->ref.sigmoid);
    assert_ptr_not_equal(p->level.decay, p->ref.decay);
    assert_ptr_not_equal(p->level.l2_norm, p->ref.l2_norm);
    data_assert_level(p->level.row_name[KSLOT_sigmoid], p->name);
    data_assert_level(p->level.row_name[KSLOT_decay], p->name);
    data_assert_level(p->level.row_name[KSLOT_l2_norm], p->name);
    for (int f = 0; f < FLAVOUR_COUNT; f++)
        for (int n = 1; n <= N_MAX; n += n < 70 ? 1 : 23) {
            float x[N_MAX], a[N_MAX], want[N_MAX + 1], got[N_MAX + 1];
            data_fill(&p->rnd, f, x, (size_t)n);
            data_fill(&p->rnd, n % 2 ? FLAVOUR_PLAIN : f, a, (size_t)n);
            if (f == FLAVOUR_WIDE)
                for (int i = 0; i < n; i++) // where exp neither overflows nor vanishes
                    x[i] = 100.0f * rnd_float(&p->rnd);
            want[n] = got[n] = 7.0f;
            p->ref.sigmoid(x, want, n);
            p->level.sigmoid(x, got, n);
            check("sigmoid", p, want, got, (size_t)n + 1, n);
            p->ref.decay(a, x, want, n);
            p->level.decay(a, x, got, n);
            check("decay", p, want, got, (size_t)n + 1, n);
            struct l2_norm_args args = {.x = x, .y = want, .n = n, .eps = 1e-6f};
            args.scale = n % 3 ? 1.0f : 0.088388346f;
            p->ref.l2_norm(&args);
            args.y = got;
            p->level.l2_norm(&args);
            check("l2_norm", p, want, got, (size_t)n + 1, n);
            args.y = x; // in place
            p->level.l2_norm(&args);
            check("l2_norm in place", p, want, x, (size_t)n, n);
        }
}

/* Squares that overflow must not make zeros of the row. */
static void test_overflow(void **state) {
    (void)state;
    struct kernel_table ref;
    float x[40], y[40];
    assert_true(data_table("ref", &ref));
    for (int i = 0; i < 40; i++)
        x[i] = i % 3 ? 1e20f : 0.0f;
    ref.l2_norm(&(struct l2_norm_args){.x = x, .y = y, .n = 40, .eps = 1e-6f, .scale = 1});
    for (int i = 0; i < 40; i++)
        assert_true(isnan(y[i]));
    ref.rms_norm(&(struct rms_norm_args){.x = x, .y = y, .n = 40, .eps = 1e-6f});
    for (int i = 0; i < 40; i++)
        assert_true(isnan(y[i]));
}

/* ---- convolution ---- */

struct conv_case {
    struct conv_silu_args args;
    struct guarded w, from, to, x, y;
    size_t n_y, n_to;
};

static struct conv_case conv_case(struct rnd *rnd, enum flavour flavour) {
    static const int taps[] = {2, 3, 4, 4, 5, 9, CONV_MAX_TAP};
    struct conv_case c = {{.n_token = rnd_int(rnd, 1, 12),
                           .n_channel = rnd_int(rnd, 1, 70),
                           .n_tap = taps[rnd_int(rnd, 0, 6)]}};
    struct conv_silu_args *args = &c.args;
    args->channel1 = args->n_channel;
    args->x_stride = (size_t)args->n_channel + (size_t)rnd_int(rnd, 0, 5);
    args->y_stride = (size_t)args->n_channel + (size_t)rnd_int(rnd, 0, 5);
    size_t width = (size_t)args->n_channel, last = (size_t)args->n_token - 1;
    c.n_to = ((size_t)args->n_tap - 1) * width;
    c.n_y = last * args->y_stride + width;
    c.w = filled(rnd, FLAVOUR_PLAIN, (size_t)args->n_tap * width);
    c.from = filled(rnd, flavour, c.n_to);
    c.x = filled(rnd, flavour, last * args->x_stride + width);
    c.to = filled(rnd, FLAVOUR_PLAIN, c.n_to);
    c.y = filled(rnd, FLAVOUR_PLAIN, c.n_y);
    args->w = c.w.data;
    args->from = c.from.data;
    args->x = c.x.data;
    args->to = c.to.data;
    args->y = c.y.data;
    return c;
}

static void conv_case_free(struct conv_case *c) {
    guarded_free(&c->w);
    guarded_free(&c->from);
    guarded_free(&c->to);
    guarded_free(&c->x);
    guarded_free(&c->y);
}

static float *copy_of(const float *x, size_t n) {
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static void pair_conv(struct pair *p) {
    assert_ptr_not_equal(p->level.conv_silu, p->ref.conv_silu);
    data_assert_level(p->level.row_name[KSLOT_conv_silu], p->name);
    for (int round = 0; round < 60 * FLAVOUR_COUNT; round++) {
        struct conv_case c = conv_case(&p->rnd, (enum flavour)(round % FLAVOUR_COUNT));
        float *y = copy_of(c.args.y, c.n_y), *to = copy_of(c.args.to, c.n_to);
        struct conv_silu_args want = c.args;
        want.y = y;
        want.to = to;
        p->ref.conv_silu(&want);
        // In two ranges of channels, and what lies between the rows stays as it is.
        int middle = rnd_int(&p->rnd, 0, c.args.n_channel);
        struct conv_silu_args part = c.args;
        part.channel1 = middle;
        p->level.conv_silu(&part);
        part.channel0 = middle;
        part.channel1 = c.args.n_channel;
        p->level.conv_silu(&part);
        check("conv_silu", p, y, c.args.y, c.n_y, round);
        check("conv_silu state", p, to, c.args.to, c.n_to, round);
        // In place.
        if (c.args.x_stride <= c.args.y_stride) {
            struct conv_silu_args over = c.args;
            over.y = c.x.data;
            over.y_stride = c.args.x_stride;
            p->level.conv_silu(&over);
            for (int t = 0; t < c.args.n_token; t++)
                check("conv_silu in place", p, y + (size_t)t * c.args.y_stride,
                      over.y + (size_t)t * over.y_stride, (size_t)c.args.n_channel, round);
        }
        free(y);
        free(to);
        conv_case_free(&c);
    }
}

/* ---- the delta rule ---- */

enum { DELTA_PARTS = 8 };

struct delta_case {
    struct delta_args args;
    struct guarded part[DELTA_PARTS];
    size_t n_state, n_o;
};

static struct token_rows rows_of(struct rnd *rnd, enum flavour flavour, int n_token, int width,
                                 struct guarded *room) {
    struct token_rows rows = {.stride = (size_t)width + (size_t)rnd_int(rnd, 0, 3)};
    *room = filled(rnd, flavour, ((size_t)n_token - 1) * rows.stride + (size_t)width);
    rows.at = room->data;
    return rows;
}

static struct delta_case delta_case(struct rnd *rnd, enum flavour flavour) {
    struct delta_case c = {
        {.n_token = rnd_int(rnd, 1, 6), .d_k = rnd_int(rnd, 1, 40), .d_v = rnd_int(rnd, 1, 150)}};
    struct delta_args *args = &c.args;
    args->n_decay = rnd_int(rnd, 0, 1) ? 1 : args->d_k;
    c.n_state = delta_state_floats(args->d_k, args->d_v);
    args->q = rows_of(rnd, flavour, args->n_token, args->d_k, &c.part[0]);
    args->k = rows_of(rnd, flavour, args->n_token, args->d_k, &c.part[1]);
    args->v = rows_of(rnd, flavour, args->n_token, args->d_v, &c.part[2]);
    args->decay = rows_of(rnd, FLAVOUR_PLAIN, args->n_token, args->n_decay, &c.part[3]);
    args->beta = rows_of(rnd, flavour, args->n_token, 1, &c.part[4]);
    args->o_stride = (size_t)args->d_v + (size_t)rnd_int(rnd, 0, 3);
    c.n_o = ((size_t)args->n_token - 1) * args->o_stride + (size_t)args->d_v;
    c.part[5] = filled(rnd, flavour, c.n_state);
    c.part[6] = filled(rnd, FLAVOUR_PLAIN, c.n_state);
    c.part[7] = filled(rnd, FLAVOUR_PLAIN, c.n_o);
    args->from = c.part[5].data;
    args->to = c.part[6].data;
    args->o = c.part[7].data;
    return c;
}

static void delta_case_free(struct delta_case *c) {
    for (int i = 0; i < DELTA_PARTS; i++)
        guarded_free(&c->part[i]);
}

static void pair_delta(struct pair *p) {
    assert_ptr_not_equal(p->level.delta, p->ref.delta);
    data_assert_level(p->level.row_name[KSLOT_delta], p->name);
    for (int round = 0; round < 40 * FLAVOUR_COUNT; round++) {
        struct delta_case c = delta_case(&p->rnd, (enum flavour)(round % FLAVOUR_COUNT));
        float *to = copy_of(c.args.to, c.n_state), *o = copy_of(c.args.o, c.n_o);
        struct delta_args want = c.args;
        want.to = to;
        want.o = o;
        p->ref.delta(&want);
        p->level.delta(&c.args);
        check("delta", p, o, c.args.o, c.n_o, round);
        check("delta state", p, to, c.args.to, c.n_state, round);
        free(to);
        free(o);
        delta_case_free(&c);
    }
}

static void test_levels(void **state) {
    (void)state;
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
        struct pair p = {.name = kernel_level_name(level), .rnd = {seed}};
        assert_true(data_table("ref", &p.ref));
        if (!data_table(p.name, &p.level)) continue;
        pair_rows(&p);
        pair_conv(&p);
        pair_delta(&p);
    }
}

/* Tokens in one call, or one by one with the state handed on: the same bits. */
static void conv_one_by_one(const struct kernel_table *table, struct rnd *rnd) {
    struct conv_case c = conv_case(rnd, FLAVOUR_PLAIN);
    table->conv_silu(&c.args);
    float *past = copy_of(c.args.from, c.n_to), *next = copy_of(c.args.from, c.n_to);
    float *y = calloc((size_t)c.args.n_channel, sizeof *y);
    for (int t = 0; t < c.args.n_token; t++) {
        struct conv_silu_args one = c.args;
        one.n_token = 1;
        one.x += (size_t)t * one.x_stride;
        one.from = past;
        one.to = next;
        one.y = y;
        table->conv_silu(&one);
        assert_memory_equal(y, c.args.y + (size_t)t * c.args.y_stride,
                            (size_t)c.args.n_channel * sizeof *y);
        memcpy(past, next, c.n_to * sizeof *past);
    }
    assert_memory_equal(past, c.args.to, c.n_to * sizeof *past);
    free(past);
    free(next);
    free(y);
    conv_case_free(&c);
}

static void delta_one_by_one(const struct kernel_table *table, struct rnd *rnd) {
    struct delta_case c = delta_case(rnd, FLAVOUR_PLAIN);
    table->delta(&c.args);
    float *s = copy_of(c.args.from, c.n_state), *next = copy_of(c.args.to, c.n_state);
    float *o = calloc((size_t)c.args.d_v, sizeof *o);
    for (int t = 0; t < c.args.n_token; t++) {
        struct delta_args one = c.args;
        size_t token = (size_t)t;
        one.n_token = 1;
        one.q.at += token * one.q.stride;
        one.k.at += token * one.k.stride;
        one.v.at += token * one.v.stride;
        one.decay.at += token * one.decay.stride;
        one.beta.at += token * one.beta.stride;
        one.from = s;
        one.to = next;
        one.o = o;
        table->delta(&one);
        assert_memory_equal(o, c.args.o + token * c.args.o_stride, (size_t)c.args.d_v * sizeof *o);
        memcpy(s, next, c.n_state * sizeof *s);
    }
    assert_memory_equal(s, c.args.to, c.n_state * sizeof *s);
    free(s);
    free(next);
    free(o);
    delta_case_free(&c);
}

static void test_one_by_one(void **state) {
    (void)state;
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        struct rnd rnd = {seed + 1};
        if (!data_table(kernel_level_name(level), &table)) continue;
        for (int round = 0; round < 40; round++) {
            conv_one_by_one(&table, &rnd);
            delta_one_by_one(&table, &rnd);
        }
    }
}

/* ---- the reference against double arithmetic ---- */

static void near(const char *what, double got, double want, double limit) {
    if (!(fabs(got - want) <= limit)) fail_msg("%s: %.9g, want %.9g", what, got, want);
}

static void test_rows_accuracy(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    struct rnd rnd = {seed + 2};
    float x[96], a[96], y[96];
    for (int i = 0; i < 96; i++) {
        x[i] = 30.0f * rnd_float(&rnd);
        a[i] = -2.0f - 2.0f * rnd_float(&rnd);
    }
    ref.sigmoid(x, y, 96);
    for (int i = 0; i < 96; i++)
        near("sigmoid", (double)y[i], 1 / (1 + exp(-(double)x[i])), 2e-7);
    ref.decay(a, x, y, 96);
    for (int i = 0; i < 96; i++)
        near("decay", (double)y[i], exp((double)a[i] * log1p(exp((double)x[i]))), 1e-6);
    double sum = 0;
    for (int i = 0; i < 96; i++)
        sum += (double)x[i] * (double)x[i];
    ref.l2_norm(&(struct l2_norm_args){.x = x, .y = y, .n = 96, .eps = 1e-6f, .scale = 0.125f});
    for (int i = 0; i < 96; i++)
        near("l2_norm", (double)y[i], (double)x[i] / sqrt(sum + 1e-6) * 0.125, 1e-7);
}

/* Matrices in their textbook form: S = S diag(decay); S += k (v - S'k)' beta; o = S'q. */
static void test_delta_accuracy(void **state) {
    (void)state;
    enum { D_K = 24, D_V = 20, T = 7 };
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    struct rnd rnd = {seed + 3};
    float q[T][D_K], k[T][D_K], v[T][D_V], decay[T][D_K], beta[T], o[T][D_V];
    float from[D_K * 32] = {0}, to[D_K * 32] = {0};
    double s[D_K][D_V] = {{0}};
    for (int t = 0; t < T; t++) {
        data_fill(&rnd, FLAVOUR_PLAIN, q[t], D_K);
        data_fill(&rnd, FLAVOUR_PLAIN, k[t], D_K);
        data_fill(&rnd, FLAVOUR_PLAIN, v[t], D_V);
        ref.l2_norm(&(struct l2_norm_args){.x = k[t], .y = k[t], .n = D_K, .scale = 1});
        for (int i = 0; i < D_K; i++)
            decay[t][i] = 0.5f + 0.4f * rnd_float(&rnd);
        beta[t] = 0.5f + 0.5f * rnd_float(&rnd);
    }
    struct delta_args args = {.n_token = T,
                              .d_k = D_K,
                              .d_v = D_V,
                              .n_decay = D_K,
                              .q = {q[0], D_K},
                              .k = {k[0], D_K},
                              .v = {v[0], D_V},
                              .decay = {decay[0], D_K},
                              .beta = {beta, 1},
                              .from = from,
                              .to = to,
                              .o = o[0],
                              .o_stride = D_V};
    ref.delta(&args);
    for (int t = 0; t < T; t++)
        for (int c = 0; c < D_V; c++) {
            double known = 0, out = 0;
            for (int i = 0; i < D_K; i++) {
                s[i][c] *= (double)decay[t][i];
                known += s[i][c] * (double)k[t][i];
            }
            for (int i = 0; i < D_K; i++) {
                s[i][c] += (double)k[t][i] * ((double)v[t][c] - known) * (double)beta[t];
                out += s[i][c] * (double)q[t][i];
            }
            near("delta", (double)o[t][c], out, 1e-5);
        }
}

static void test_conv_accuracy(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    // Channel 0 has only its newest tap, channel 1 only its oldest.
    float w[3][2] = {{0, 1}, {0, 0}, {1, 0}}, from[2][2] = {{-1, -2}, {-3, -4}}, to[2][2];
    float x[3][2] = {{1, 5}, {2, 6}, {3, 7}}, y[3][2];
    struct conv_silu_args args = {.n_token = 3, .n_channel = 2, .n_tap = 3, .channel1 = 2};
    args.w = w[0];
    args.from = from[0];
    args.to = to[0];
    args.x = x[0];
    args.y = y[0];
    args.x_stride = args.y_stride = 2;
    ref.conv_silu(&args);
    static const double newest[] = {1, 2, 3}, oldest[] = {-2, -4, 5};
    for (int t = 0; t < 3; t++) {
        near("newest tap", (double)y[t][0], newest[t] / (1 + exp(-newest[t])), 1e-6);
        near("oldest tap", (double)y[t][1], oldest[t] / (1 + exp(-oldest[t])), 1e-6);
    }
    assert_true(to[0][0] == 2 && to[0][1] == 6 && to[1][0] == 3 && to[1][1] == 7);
}

/* The reference's bits themselves: they change with the rules' version and for no other reason. */
static void test_pinned(void **state) {
    (void)state;
    static const uint64_t want = UINT64_C(0x034d23b85569cfac);
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    struct rnd rnd = {seed + 4};
    uint64_t sum = DATA_CHECKSUM;
    for (int round = 0; round < 30; round++) {
        enum flavour flavour = (enum flavour)(round % (FLAVOUR_TINY + 1));
        struct conv_case c = conv_case(&rnd, flavour);
        struct delta_case d = delta_case(&rnd, flavour);
        float x[50], a[50], y[50];
        data_fill(&rnd, flavour, x, 50);
        data_fill(&rnd, FLAVOUR_PLAIN, a, 50);
        ref.conv_silu(&c.args);
        ref.delta(&d.args);
        sum = data_checksum(sum, c.args.y, c.n_y);
        sum = data_checksum(sum, d.args.o, d.n_o);
        ref.decay(a, x, y, 50);
        sum = data_checksum(sum, y, 50);
        ref.sigmoid(x, y, 50);
        sum = data_checksum(sum, y, 50);
        ref.l2_norm(&(struct l2_norm_args){.x = x, .y = y, .n = 50, .eps = 1e-6f, .scale = 0.3f});
        sum = data_checksum(sum, y, 50);
        conv_case_free(&c);
        delta_case_free(&d);
    }
    if (sum != want)
        fail_msg("checksum 0x%016llx, want 0x%016llx", (unsigned long long)sum,
                 (unsigned long long)want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_one_by_one, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_rows_accuracy, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_overflow, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_delta_accuracy, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_conv_accuracy, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_pinned, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
