/* Quantisers: bytes and back, within a step, beside an exhaustive search, importance, faults, and
 * the same bytes under every compiler. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tensor/codebook.h"
#include "tensor/quant.h"
#include "tensor/quant_fit.h"
#include "tensor/quant_pack.h"

enum { N = 512, ROW_BYTES = 2048 };

/* Per type: what an integer form may hold, and the largest error of values in [-1, 1] (a step and a
 * half: the search may give up on the ends). */
static const struct kind {
    enum dtype dtype;
    quant_pack_fn *pack;
    int run, low, high, scale_low, scale_high, most_min;
    float error;
} kinds[] = {
    {DTYPE_Q4_0, quant_pack_q4_0, 32, -8, 7, 1, 1, 0, 0.20f},
    {DTYPE_Q4_1, quant_pack_q4_1, 32, 0, 15, 1, 1, 1, 0.20f},
    {DTYPE_Q5_0, quant_pack_q5_0, 32, -16, 15, 1, 1, 0, 0.10f},
    {DTYPE_Q5_1, quant_pack_q5_1, 32, 0, 31, 1, 1, 1, 0.10f},
    {DTYPE_Q8_0, quant_pack_q8_0, 32, -127, 127, 1, 1, 0, 0.0045f},
    {DTYPE_Q2_K, quant_pack_q2_k, 16, 0, 3, 0, 15, 15, 0.75f},
    {DTYPE_Q3_K, quant_pack_q3_k, 16, -4, 3, -32, 31, 0, 0.45f},
    {DTYPE_Q4_K, quant_pack_q4_k, 32, 0, 15, 0, 63, 63, 0.20f},
    {DTYPE_Q5_K, quant_pack_q5_k, 32, 0, 31, 0, 63, 63, 0.10f},
    {DTYPE_Q6_K, quant_pack_q6_k, 16, -32, 31, -128, 127, 0, 0.06f},
    {DTYPE_IQ4_NL, quant_pack_iq4_nl, 32, 0, 15, 1, 1, 0, 0.25f},
    {DTYPE_IQ4_XS, quant_pack_iq4_xs, 32, 0, 15, -32, 31, 0, 0.25f},
};
enum { N_KIND = sizeof kinds / sizeof kinds[0] };

/* ---- data ---- */

static int draw_int(const struct rng_key *key, uint64_t *at, int low, int high) {
    return low + (int)(rng_uniform(key, (*at)++) * (float)(high - low + 1));
}

/* Roughly normal: the sum of four uniform numbers, at times one far out. */
static void normal_row(uint64_t seed, bool outliers, float *x, int n) {
    struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
    for (int i = 0; i < n; i++) {
        float sum = -2;
        for (int k = 0; k < 4; k++)
            sum += rng_uniform(&key, (uint64_t)(5 * i + k));
        if (outliers && rng_uniform(&key, (uint64_t)(5 * i + 4)) < 0.02f) sum *= 8;
        x[i] = 0.05f * sum;
    }
}

/* Weights over four orders of magnitude, as importance matrices have them. */
static void importance_row(uint64_t seed, float *w, int n) {
    struct rng_key key = {.seed = seed, .sequence = 1, .purpose = RNG_TEST};
    for (int i = 0; i < n; i++)
        w[i] = ldexpf(1 + rng_uniform(&key, (uint64_t)(2 * i)),
                      (int)(13 * rng_uniform(&key, (uint64_t)(2 * i + 1))) - 8);
}

static double error_of(enum dtype dtype, const float *x, const float *w, const float *importance) {
    uint8_t row[ROW_BYTES];
    float y[N];
    double sum = 0;
    assert_true(dtype_quantize(dtype, x, importance, row, N));
    dtype_dequantize(dtype, row, y, N);
    for (int i = 0; i < N; i++) {
        double off = (double)x[i] - (double)y[i];
        sum += (w ? (double)w[i] : 1) * off * off;
    }
    return sum;
}

/* ---- bytes ---- */

static void random_block(const struct kind *kind, uint64_t seed, struct qblock *block) {
    struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
    uint64_t at = 0;
    int size = dtype_row(kind->dtype)->block, a_run = kind->run / QBLOCK_RUN;
    *block = (struct qblock){.d = f32_from_f16((uint16_t)draw_int(&key, &at, 0, 0x7bff))};
    if (kind->most_min) block->dmin = -f32_from_f16((uint16_t)draw_int(&key, &at, 0, 0x7bff));
    for (int j = 0; j < size / QBLOCK_RUN; j++) {
        bool first = j % a_run == 0;
        block->scale[j] = first ? (int16_t)draw_int(&key, &at, kind->scale_low, kind->scale_high)
                                : block->scale[j - 1];
        block->min[j] = !first                ? block->min[j - 1]
                        : kind->most_min == 1 ? 1
                                              : (int16_t)draw_int(&key, &at, 0, kind->most_min);
    }
    for (int i = 0; i < size; i++) {
        int level = draw_int(&key, &at, kind->low, kind->high);
        bool book = kind->dtype == DTYPE_IQ4_NL || kind->dtype == DTYPE_IQ4_XS;
        block->q[i] = book ? codebook_iq4[level] : (int8_t)level;
    }
}

static void test_bytes_and_back(void **state) {
    (void)state;
    for (int k = 0; k < N_KIND; k++)
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct qblock block, back = {0};
            uint8_t bytes[300];
            int size = dtype_row(kinds[k].dtype)->block, n_byte = dtype_row(kinds[k].dtype)->bytes;
            random_block(&kinds[k], seed, &block);
            memset(bytes, seed % 2 ? 0xff : 0x00, sizeof bytes);
            kinds[k].pack(&block, bytes);
            for (size_t i = (size_t)n_byte; i < sizeof bytes; i++)
                assert_int_equal(bytes[i], seed % 2 ? 0xff : 0x00);
            qblock_form(kinds[k].dtype).unpack(bytes, &back);
            assert_true(back.d == block.d && back.dmin == block.dmin);
            assert_memory_equal(back.q, block.q, (size_t)size);
            size_t n_scale = (size_t)(size / QBLOCK_RUN) * sizeof back.scale[0];
            assert_memory_equal(back.scale, block.scale, n_scale);
            assert_memory_equal(back.min, block.min, n_scale);
        }
}

/* ---- values ---- */

static void test_within_a_step(void **state) {
    (void)state;
    for (int k = 0; k < N_KIND; k++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
            float x[N], y[N];
            uint8_t row[ROW_BYTES];
            for (int i = 0; i < N; i++)
                x[i] = seed ? 2 * rng_uniform(&key, (uint64_t)i) - 1 : 0;
            assert_true(seed % 4 ? dtype_quantize(kinds[k].dtype, x, NULL, row, N)
                                 : dtype_quantize_plain(kinds[k].dtype, x, row, N));
            dtype_dequantize(kinds[k].dtype, row, y, N);
            for (int i = 0; i < N; i++)
                if (!(fabsf(x[i] - y[i]) <= (seed ? kinds[k].error : 0)))
                    fail_msg("%s, seed %d: %g became %g", dtype_name(kinds[k].dtype), (int)seed,
                             (double)x[i], (double)y[i]);
        }
    assert_false(dtype_can_quantize(DTYPE_I32));
    assert_false(dtype_can_quantize(DTYPE_IQ2_S));
    assert_true(dtype_can_quantize(DTYPE_BF16));
}

/* Values of every size that the factors reach, and of one sign only. */
static void test_sizes_and_signs(void **state) {
    (void)state;
    for (int k = 0; k < N_KIND; k++)
        for (int power = -10; power <= 14; power += 4)
            for (int sign = -1; sign <= 1; sign++) {
                float x[N];
                double size = 0;
                normal_row(7, false, x, N);
                for (int i = 0; i < N; i++) {
                    x[i] = ldexpf(sign ? (float)sign * fabsf(x[i]) : x[i], power);
                    size += (double)x[i] * (double)x[i];
                }
                double error = error_of(kinds[k].dtype, x, NULL, NULL);
                double most = kinds[k].dtype == DTYPE_Q2_K ? 0.12 : 0.04;
                if (!(error <= most * size))
                    fail_msg("%s at 2^%d, sign %d: relative square error %g",
                             dtype_name(kinds[k].dtype), power, sign, error / size);
            }
}

static double plain_error(enum dtype dtype, const float *x) {
    uint8_t row[ROW_BYTES];
    float y[N];
    double sum = 0;
    assert_true(dtype_quantize_plain(dtype, x, row, N));
    dtype_dequantize(dtype, row, y, N);
    for (int i = 0; i < N; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return sum;
}

/* ---- the search ---- */

static void test_search_beside_plain(void **state) {
    (void)state;
    for (int k = 0; k < N_KIND; k++) {
        double searched = 0, plain = 0;
        for (uint64_t seed = 0; seed < 40; seed++) {
            float x[N];
            normal_row(seed, seed % 2, x, N);
            double error = error_of(kinds[k].dtype, x, NULL, NULL);
            double other = plain_error(kinds[k].dtype, x);
            assert_true(error <= other);
            searched += error;
            plain += other;
        }
        print_message("%s: %.3f of the error without a search\n", dtype_name(kinds[k].dtype),
                      searched / plain);
        if (kinds[k].dtype != DTYPE_Q8_0) assert_true(searched < 0.9 * plain);
    }
}

static double gain_at(struct quant_run run, const struct quant_levels *levels, double inverse) {
    float v[QUANT_RUN_MOST];
    double product = 0, square = 0;
    quant_levels_near(levels, run.x, (float)inverse, v, run.n);
    for (int i = 0; i < run.n; i++) {
        product += (double)run.w[i] * (double)run.x[i] * (double)v[i];
        square += (double)run.w[i] * (double)v[i] * (double)v[i];
    }
    return square > 0 ? product * product / square : 0;
}

/* Thousands of scales tried one by one: on average the search leaves hardly anything to
 * be won, and a little where a few of the weights count for all. */
static void test_scale_beside_exhaustive(void **state) {
    (void)state;
    static const struct quant_levels all[] = {
        {-8, 7, NULL, 0}, {-4, 3, NULL, 0}, {-32, 31, NULL, 0}, {-127, 113, codebook_iq4, 16}};
    for (size_t l = 0; l < sizeof all / sizeof all[0]; l++)
        for (int weighted = 0; weighted < 2; weighted++) {
            double ours = 0, best = 0;
            for (uint64_t seed = 0; seed < 60; seed++) {
                float x[32], w[32], most = 0;
                double square = 0, gain = 0;
                normal_row(seed, false, x, 32);
                for (int i = 0; i < 32; i++)
                    w[i] = 1;
                if (weighted) importance_row(seed, w, 32);
                for (int i = 0; i < 32; i++) {
                    most = fmaxf(most, fabsf(x[i]));
                    square += (double)w[i] * (double)x[i] * (double)x[i];
                }
                struct quant_run run = {x, w, 32};
                for (int i = 0; i < 4000; i++) {
                    double inverse = all[l].high * (0.4 + 0.001 * i) / (double)most;
                    gain = fmax(gain, gain_at(run, &all[l], inverse));
                    gain = fmax(gain, gain_at(run, &all[l], -inverse));
                }
                best += square - gain;
                ours += (double)quant_scale_error(run, &all[l], quant_fit_scale(run, &all[l]));
            }
            print_message("levels %d..%d%s: %.4f of the best of 8000\n", all[l].low, all[l].high,
                          weighted ? ", weighted" : "", ours / best);
            assert_true(ours <= (weighted ? 1.04 : 1.005) * best);
        }
}

/* The line with q from 0 at `low` to most at `high`, then three rounds of least squares. */
static double line_error_at(struct quant_run run, int most, float low, float high) {
    struct quant_line line = {(high - low) / (float)most, -low};
    float min, error = 0;
    for (int i = 0; i < 3; i++) {
        error = quant_line_error(run, most, line, &min);
        if (min >= 0) line.min = min;
    }
    return (double)error;
}

static void test_line_beside_exhaustive(void **state) {
    (void)state;
    static const int all[] = {3, 15, 31};
    for (size_t l = 0; l < sizeof all / sizeof all[0]; l++) {
        double ours = 0, best = 0;
        for (uint64_t seed = 0; seed < 20; seed++) {
            float x[32], w[32], low = 0, high = 0, unused;
            normal_row(seed, false, x, 32);
            for (int i = 0; i < 32; i++) {
                w[i] = 1;
                low = fminf(low, x[i]);
                high = fmaxf(high, x[i]);
            }
            struct quant_run run = {x, w, 32};
            double error = HUGE_VAL;
            for (int i = 0; i < 80 * 80; i++) {
                float from = low + (high - low) * 0.01f * (float)(i / 80 - 5);
                float to = high - (high - low) * 0.01f * (float)(i % 80 - 5);
                if (to - from < 0.1f * (high - low)) continue;
                error = fmin(error, line_error_at(run, all[l], from, to));
            }
            best += error;
            struct quant_line line = quant_fit_line(run, all[l], false);
            assert_true(line.min >= 0);
            ours += (double)quant_line_error(run, all[l], line, &unused);
        }
        print_message("q to %d: %.4f of the best of 6400\n", all[l], ours / best);
        assert_true(ours <= 1.06 * best);
    }
}

/* ---- importance ---- */

static void test_importance(void **state) {
    (void)state;
    for (int k = 0; k < N_KIND; k++) {
        float x[N], w[N], scaled[N], zeros[N] = {0};
        uint8_t plain[ROW_BYTES], row[ROW_BYTES];
        size_t bytes;
        assert_true(dtype_row_bytes(kinds[k].dtype, N, &bytes));
        double with = 0, without = 0;
        for (uint64_t seed = 0; seed < 8; seed++) {
            normal_row(seed, seed % 2, x, N);
            importance_row(seed, w, N);
            with += error_of(kinds[k].dtype, x, w, w);
            without += error_of(kinds[k].dtype, x, w, NULL);
        }
        print_message("%s: %.3f of the weighted error without importance\n",
                      dtype_name(kinds[k].dtype), with / without);
        if (kinds[k].dtype != DTYPE_Q8_0) assert_true(with < 0.95 * without);
        // It is a ratio: a power of two more changes nothing, nor do weights that are all 0.
        for (int i = 0; i < N; i++)
            scaled[i] = 1024 * w[i];
        assert_true(dtype_quantize(kinds[k].dtype, x, w, plain, N));
        assert_true(dtype_quantize(kinds[k].dtype, x, scaled, row, N));
        assert_memory_equal(plain, row, bytes);
        assert_true(dtype_quantize(kinds[k].dtype, x, NULL, plain, N));
        assert_true(dtype_quantize(kinds[k].dtype, x, zeros, row, N));
        assert_memory_equal(plain, row, bytes);
    }
}

/* ---- faults ---- */

/* A value that no block of the type can hold spoils its block, visibly, and no other. */
static void test_faults(void **state) {
    (void)state;
    const float faults[] = {NAN, INFINITY, -INFINITY, 3e38f, -1e12f};
    for (int k = 0; k < N_KIND; k++)
        for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
            float x[N], y[N];
            uint8_t row[ROW_BYTES];
            int size = dtype_row(kinds[k].dtype)->block;
            normal_row(3, false, x, N);
            x[N - 5] = faults[f];
            assert_true(dtype_quantize(kinds[k].dtype, x, NULL, row, N));
            dtype_dequantize(kinds[k].dtype, row, y, N);
            for (int i = 0; i < N; i++)
                assert_true(isnan(y[i]) == (i / size == (N - 5) / size));
        }
}

/* ---- the same everywhere ---- */

static uint64_t checksum(uint64_t sum, const uint8_t *p, size_t n) { // FNV-1a
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static void test_pinned(void **state) {
    (void)state;
    static const uint64_t want[N_KIND] = {
        0x6f76d004bee7488a, 0x431cf96512dc0ab3, 0xd31b71fd483992b0, 0xe4911b5badab394c,
        0x95319a255ba50d21, 0x5daa2c6938196e6e, 0x32f994b8de8fbfd6, 0x2d604fbc542fe6f7,
        0xac10bed28833921b, 0xcdead00714a2ac75, 0xc175b38250dcb7ca, 0xc40639dcda995100};
    bool same = true;
    for (int k = 0; k < N_KIND; k++) {
        uint64_t sum = UINT64_C(0xcbf29ce484222325);
        for (uint64_t seed = 0; seed < 16; seed++) {
            float x[N], w[N];
            uint8_t row[ROW_BYTES];
            size_t bytes;
            normal_row(seed, seed % 3 == 0, x, N);
            importance_row(seed, w, N);
            assert_true(dtype_row_bytes(kinds[k].dtype, N, &bytes));
            assert_true(dtype_quantize(kinds[k].dtype, x, seed % 2 ? w : NULL, row, N));
            sum = checksum(sum, row, bytes);
        }
        if (sum == want[k]) continue;
        same = false;
        print_error("%s: 0x%016llx\n", dtype_name(kinds[k].dtype), (unsigned long long)sum);
    }
    assert_true(same);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_back),
        cmocka_unit_test(test_within_a_step),
        cmocka_unit_test(test_sizes_and_signs),
        cmocka_unit_test(test_search_beside_plain),
        cmocka_unit_test(test_scale_beside_exhaustive),
        cmocka_unit_test(test_line_beside_exhaustive),
        cmocka_unit_test(test_importance),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
