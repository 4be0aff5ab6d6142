/* Codebook types and the small floats: the grids by checksum, every layout read a second time bit
 * by bit, every code, and the values that another program gives for the same blocks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tensor/codebook.h"

static const enum dtype types[] = {DTYPE_IQ4_NL, DTYPE_IQ4_XS, DTYPE_MXFP4,   DTYPE_IQ2_XXS,
                                   DTYPE_IQ2_XS, DTYPE_IQ2_S,  DTYPE_IQ3_XXS, DTYPE_IQ3_S,
                                   DTYPE_IQ1_S,  DTYPE_IQ1_M};
enum { N_TYPE = sizeof types / sizeof types[0], MOST_BYTES = 136 };

/* ---- the grids ---- */

static uint64_t fnv(const void *bytes, size_t n) {
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* Computed from the tables that ggml publishes, byte for byte. */
static void test_grids(void **state) {
    (void)state;
    assert_true(fnv(codebook_iq1, sizeof codebook_iq1) == UINT64_C(0x99649f4b16b0d5dd));
    assert_true(fnv(codebook_iq2_xxs, sizeof codebook_iq2_xxs) == UINT64_C(0xbb4ee025b5ac6e8e));
    assert_true(fnv(codebook_iq2_xs, sizeof codebook_iq2_xs) == UINT64_C(0xc9b1ee61e79909bd));
    assert_true(fnv(codebook_iq2_s, sizeof codebook_iq2_s) == UINT64_C(0x123edd38a3b62b90));
    assert_true(fnv(codebook_iq3_xxs, sizeof codebook_iq3_xxs) == UINT64_C(0xdfa5dc83d6a155d5));
    assert_true(fnv(codebook_iq3_s, sizeof codebook_iq3_s) == UINT64_C(0xfa37020c25b44829));
}

/* ---- layouts, bit by bit ---- */

/* n bits of a block from bit `at` on, the lowest of a byte first. */
static uint32_t bits(const uint8_t *block, int at, int n) {
    uint32_t out = 0;
    for (int i = 0; i < n; i++)
        out |= (uint32_t)(block[(at + i) / 8] >> (at + i) % 8 & 1) << i;
    return out;
}

static void put_bits(uint8_t *block, int at, int n, uint32_t value) {
    for (int i = 0; i < n; i++, at++)
        block[at / 8] = (uint8_t)((block[at / 8] & ~(1u << at % 8)) | (value >> i & 1) << at % 8);
}

/* Where the parts of element i of a block stand: bits, for lack of which a length is 0. */
struct place {
    int index, n_index; // the place in the book, low part
    int high, n_high;   // its further bits
    int sign;           // the element's sign bit; -1: none; a seventh part is found by parity
    int group;          // i / 8's seven sign bits where they are kept by parity, or -1
    int scale, n_scale;
    int down; // IQ1: the bit that says -1
};

static struct place place_of(enum dtype dtype, int i) {
    int j = i / 32, t = i / 16, g = i / 8, f = i / 4;
    switch (dtype) {
    case DTYPE_IQ4_NL:
        return (struct place){16 + i % 16 * 8 + i / 16 * 4, 4, 0, 0, -1, -1, 0, 0, 0};
    case DTYPE_MXFP4: return (struct place){8 + i % 16 * 8 + i / 16 * 4, 4, 0, 0, -1, -1, 0, 0, 0};
    case DTYPE_IQ4_XS:
        return (struct place){64 + 128 * j + i % 16 * 8 + i % 32 / 16 * 4,
                              4,
                              0,
                              0,
                              -1,
                              -1,
                              32 + 4 * j,
                              4,
                              16 + 2 * j};
    case DTYPE_IQ2_XXS: {
        int sub = 16 + 64 * j, signs = sub + 32 + 7 * (g % 4);
        return (struct place){sub + 8 * (g % 4), 8, 0, 0, signs + i % 8, signs, sub + 60, 4, 0};
    }
    case DTYPE_IQ2_XS: {
        int word = 16 + 16 * g;
        return (struct place){word, 9, 0, 0, word + 9 + i % 8, word + 9, 528 + 4 * t, 4, 0};
    }
    case DTYPE_IQ2_S:
        return (struct place){16 + 8 * g, 8, 528 + 2 * g, 2, 272 + i, -1, 592 + 4 * t, 4, 0};
    case DTYPE_IQ3_XXS: {
        int word = 528 + 32 * j, signs = word + 7 * (g % 4);
        return (struct place){16 + 8 * f, 8, 0, 0, signs + i % 8, signs, word + 28, 4, 0};
    }
    case DTYPE_IQ3_S:
        return (struct place){16 + 8 * f, 8, 528 + f, 1, 592 + i, -1, 848 + 4 * j, 4, 0};
    case DTYPE_IQ1_S: {
        int word = 272 + 16 * j;
        return (struct place){16 + 8 * g, 8, word + 3 * (g % 4), 3, -1, -1,
                              word + 12,  3, word + 15};
    }
    default: // IQ1_M
        return (struct place){
            8 * g, 8, 256 + 4 * g, 3, -1, -1, 384 + 16 * (t / 4) + 3 * (t % 4), 3, 259 + 4 * g};
    }
}

static int from_book(enum dtype dtype, uint32_t index, int i) {
    switch (dtype) {
    case DTYPE_IQ4_NL:
    case DTYPE_IQ4_XS: return codebook_iq4[index];
    case DTYPE_MXFP4: return codebook_fp4[index];
    case DTYPE_IQ2_XXS: return (int)(codebook_iq2_xxs[index] >> i % 8 * 8 & 255);
    case DTYPE_IQ2_XS: return (int)(codebook_iq2_xs[index] >> i % 8 * 8 & 255);
    case DTYPE_IQ2_S: return (int)(codebook_iq2_s[index] >> i % 8 * 8 & 255);
    case DTYPE_IQ3_XXS: return (int)(codebook_iq3_xxs[index] >> i % 4 * 8 & 255);
    case DTYPE_IQ3_S: return (int)(codebook_iq3_s[index] >> i % 4 * 8 & 255);
    default: return (int8_t)(codebook_iq1[index] >> i % 8 * 8 & 255);
    }
}

static double block_scale(enum dtype dtype, const uint8_t *block) {
    double f16 = (double)f32_from_f16((uint16_t)bits(block, 0, 16));
    switch (dtype) {
    case DTYPE_IQ4_NL:
    case DTYPE_IQ4_XS:
    case DTYPE_IQ3_S: return f16;
    case DTYPE_MXFP4: return ldexp(1, block[0] - 128);
    case DTYPE_IQ3_XXS: return f16 / 4;
    case DTYPE_IQ1_M: {
        uint32_t parts = bits(block, 396, 4) | bits(block, 412, 4) << 4 | bits(block, 428, 4) << 8 |
                         bits(block, 444, 4) << 12;
        return (double)f32_from_f16((uint16_t)parts) / 8;
    }
    default: return f16 / 8;
    }
}

/* The element's value from its bits. */
static double value_of(enum dtype dtype, const uint8_t *block, int i) {
    struct place at = place_of(dtype, i);
    uint32_t index = bits(block, at.index, at.n_index);
    if (at.n_high) index += bits(block, at.high, at.n_high) << at.n_index;
    double q = from_book(dtype, index, i), scale = 1;
    uint32_t negative = 0;
    if (at.group >= 0 && i % 8 == 7)
        for (int k = 0; k < 7; k++)
            negative ^= bits(block, at.group + k, 1);
    else if (at.sign >= 0)
        negative = bits(block, at.sign, 1);
    if (dtype == DTYPE_IQ1_S || dtype == DTYPE_IQ1_M) q += bits(block, at.down, 1) ? -1 : 1;
    if (dtype == DTYPE_IQ4_XS)
        scale = (double)(bits(block, at.scale, 4) + 16 * bits(block, at.down, 2)) - 32;
    else if (at.n_scale)
        scale = 2 * bits(block, at.scale, at.n_scale) + 1;
    return block_scale(dtype, block) * scale * (negative ? -q : q);
}

static void random_block(enum dtype dtype, uint64_t seed, uint32_t n, uint8_t *block) {
    struct rng_key key = {.seed = seed, .position = n, .purpose = RNG_TEST};
    for (int i = 0; i < MOST_BYTES; i += 16)
        rng_block(&key, (uint64_t)i / 16, (uint32_t *)(void *)(block + i));
    if (dtype == DTYPE_MXFP4)
        block[0] = (uint8_t)(100 + block[0] % 50);
    else if (dtype == DTYPE_IQ1_M)
        block[55] &= 0xbf; // below 2 in magnitude
    else
        block[1] &= 0xbf;
}

static void test_layouts(void **state) {
    (void)state;
    for (int k = 0; k < N_TYPE; k++)
        for (uint32_t n = 0; n < 200; n++) {
            _Alignas(4) uint8_t block[MOST_BYTES + 8];
            float y[256];
            random_block(types[k], 1, n, block);
            dtype_dequantize(types[k], block, y, dtype_row(types[k])->block);
            for (int i = 0; i < dtype_row(types[k])->block; i++)
                if (!((double)y[i] == value_of(types[k], block, i)))
                    fail_msg("%s: element %d of block %u is %g, want %g", dtype_name(types[k]), i,
                             n, (double)y[i], value_of(types[k], block, i));
        }
}

/* Every place of the book with every sign pattern, at every position in turn. */
static void test_every_code(void **state) {
    (void)state;
    for (int k = 0; k < N_TYPE; k++) {
        int n = dtype_row(types[k])->block, turn = 0;
        struct place first = place_of(types[k], 0);
        int n_code = 1 << (first.n_index + first.n_high), n_sign = first.sign < 0 ? 1 : 256;
        if (first.group >= 0) n_sign = 128;
        for (int code = 0; code < n_code; code++)
            for (int signs = code % 3; signs < n_sign; signs += 3, turn += 11) {
                _Alignas(4) uint8_t block[MOST_BYTES + 8];
                float y[256];
                int i = turn % n, group = i / 8 * 8;
                struct place at = place_of(types[k], i), start = place_of(types[k], group);
                random_block(types[k], 2, (uint32_t)(turn % 64), block);
                put_bits(block, at.index, at.n_index, (uint32_t)code);
                if (at.n_high) put_bits(block, at.high, at.n_high, (uint32_t)code >> at.n_index);
                if (at.sign >= 0)
                    put_bits(block, start.sign, at.group < 0 ? 8 : 7, (uint32_t)signs);
                dtype_dequantize(types[k], block, y, n);
                for (int e = group; e < group + 8; e++)
                    if (!((double)y[e] == value_of(types[k], block, e)))
                        fail_msg("%s: code %d, signs %d at element %d", dtype_name(types[k]), code,
                                 signs, e);
            }
    }
}

/* The same blocks through llama.cpp's dequantisers (a build of 2026 with ggml 0.4) gave numbers
 * with these checksums. */
static void test_foreign_values(void **state) {
    (void)state;
    static const uint64_t want[N_TYPE] = {
        UINT64_C(0x90357ec75fcd8ee1), UINT64_C(0xa04ccb53a7dd9a80), UINT64_C(0x9f7f6e056a9647d0),
        UINT64_C(0x51b3cd0b91b57d49), UINT64_C(0x9b3e5e7ec3f3d6ca), UINT64_C(0xdd793e57ed10f6cf),
        UINT64_C(0x30cf9231f2be6117), UINT64_C(0x8304499523f1a9ae), UINT64_C(0xa52298a1cfa0ae75),
        UINT64_C(0x173da084fbbcc9d8),
    };
    for (int k = 0; k < N_TYPE; k++) {
        static float y[64][256];
        int n = dtype_row(types[k])->block;
        memset(y, 0, sizeof y);
        for (uint32_t b = 0; b < 64; b++) {
            _Alignas(4) uint8_t block[MOST_BYTES + 8];
            random_block(types[k], 3, b, block);
            dtype_dequantize(types[k], block, y[b], n);
            for (int i = 0; i < n; i++)
                y[b][i] += 0.0f; // no sign on zeros
        }
        uint64_t sum = fnv(y, sizeof y);
        if (sum != want[k]) fail_msg("%s: %#llx", dtype_name(types[k]), (unsigned long long)sum);
    }
}

/* ---- scales that are no numbers; sizes ---- */

static void test_bad_scales(void **state) {
    (void)state;
    for (int k = 0; k < N_TYPE; k++)
        for (int bad = 0; bad < 2; bad++) {
            _Alignas(4) uint8_t block[MOST_BYTES + 8];
            float y[256];
            uint32_t f16 = bad ? 0x7e00 : 0x7c00;
            random_block(types[k], 4, 0, block);
            if (types[k] == DTYPE_MXFP4)
                block[0] = 255;
            else if (types[k] == DTYPE_IQ1_M)
                for (int i = 0; i < 4; i++)
                    put_bits(block, 396 + 16 * i, 4, f16 >> 4 * i);
            else
                put_bits(block, 0, 16, f16);
            dtype_dequantize(types[k], block, y, dtype_row(types[k])->block);
            for (int i = 0; i < dtype_row(types[k])->block; i++)
                assert_false(isfinite(y[i]));
        }
}

static void test_sizes(void **state) {
    (void)state;
    static const int bytes_of[N_TYPE] = {18, 136, 17, 66, 74, 82, 98, 110, 50, 56};
    size_t bytes;
    for (int k = 0; k < N_TYPE; k++) {
        int n = dtype_row(types[k])->block;
        assert_int_equal(dtype_row(types[k])->bytes, bytes_of[k]);
        assert_false(dtype_row_bytes(types[k], n - 1, &bytes));
        assert_false(dtype_row_bytes(types[k], n + n / 2, &bytes));
        assert_true(dtype_row_bytes(types[k], 3 * n, &bytes) && bytes == 3 * (size_t)bytes_of[k]);
    }
    assert_true(dtype_row_bytes(DTYPE_F8_E4M3, 129, &bytes) && bytes == 129);
}

/* ---- small floats ---- */

static double f8_value(int code) {
    int exponent = code >> 3 & 15, mantissa = code & 7;
    double magnitude = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
    return code & 128 ? -magnitude : magnitude;
}

static void test_f8(void **state) {
    (void)state;
    for (int code = 0; code < 256; code++) {
        float value = f32_from_f8_e4m3((uint8_t)code);
        if ((code & 127) == 127) {
            assert_true(isnan(value));
            continue;
        }
        assert_true((double)value == f8_value(code) && !signbit(value) == !(code & 128));
        assert_int_equal(f8_e4m3_from_f32(value), code);
    }
    for (int code = 0; code < 126; code++) { // to nearest, ties to even
        float low = f32_from_f8_e4m3((uint8_t)code), high = f32_from_f8_e4m3((uint8_t)(code + 1));
        float middle = low + (high - low) / 2;
        assert_int_equal(f8_e4m3_from_f32(nextafterf(middle, low)), code);
        assert_int_equal(f8_e4m3_from_f32(middle), code + (code & 1));
        assert_int_equal(f8_e4m3_from_f32(nextafterf(middle, high)), code + 1);
        assert_int_equal(f8_e4m3_from_f32(-middle), 128 | (code + (code & 1)));
    }
    assert_int_equal(f8_e4m3_from_f32(464), 0x7e); // the largest that still rounds to 448
    assert_int_equal(f8_e4m3_from_f32(464.001f), 0x7f);
    assert_int_equal(f8_e4m3_from_f32(-INFINITY), 0xff);
    assert_int_equal(f8_e4m3_from_f32(NAN) & 0x7f, 0x7f);
    assert_int_equal(f8_e4m3_from_f32(-1e-40f), 0x80);
}

static void test_e8m0(void **state) {
    (void)state;
    for (int e = 0; e < 255; e++)
        assert_true((double)f32_from_e8m0_half((uint8_t)e) == ldexp(1, e - 128));
    assert_true(isnan(f32_from_e8m0_half(255)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grids),      cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_every_code), cmocka_unit_test(test_foreign_values),
        cmocka_unit_test(test_bad_scales), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_f8),         cmocka_unit_test(test_e8m0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
