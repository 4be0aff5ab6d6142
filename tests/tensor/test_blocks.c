/* Block layouts: dequantised bytes against each published rule, written again by bit position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tensor/dtype.h"

static void random_bytes(uint64_t seed, uint8_t *out, size_t n) {
    struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
    for (size_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        rng_block(&key, i / 16, words);
        for (size_t k = 0; k < 4 && i + k < n; k++)
            out[i + k] = (uint8_t)(words[i / 4 % 4] >> 8 * k);
    }
}

static void put_f16(uint8_t *p, float value) {
    uint16_t h = f16_from_f32(value);
    memcpy(p, &h, 2);
}

static void fill(uint64_t seed, uint8_t *block, size_t n, size_t d_at, float d) {
    random_bytes(seed, block, n);
    put_f16(block + d_at, d);
}

/* The legacy types: elements 0 .. 15 in the low nibbles of the quant bytes, 16 .. 31 in the high.
 */
static void test_q4_0_layout(void **state) {
    (void)state;
    uint8_t block[18];
    float y[32];
    fill(2, block, sizeof block, 0, 0.25f);
    dtype_dequantize(DTYPE_Q4_0, block, y, 32);
    for (int l = 0; l < 16; l++) {
        assert_true(y[l] == 0.25f * (float)(block[2 + l] % 16 - 8));
        assert_true(y[16 + l] == 0.25f * (float)(block[2 + l] / 16 - 8));
    }
}

static void test_q4_1_layout(void **state) {
    (void)state;
    uint8_t block[20];
    float y[32];
    fill(3, block, sizeof block, 0, 0.25f);
    put_f16(block + 2, -1.5f);
    dtype_dequantize(DTYPE_Q4_1, block, y, 32);
    for (int l = 0; l < 16; l++) {
        assert_true(y[l] == 0.25f * (float)(block[4 + l] % 16) - 1.5f);
        assert_true(y[16 + l] == 0.25f * (float)(block[4 + l] / 16) - 1.5f);
    }
}

/* The fifth bits are one little-endian number of 32 bits. */
static void test_q5_layouts(void **state) {
    (void)state;
    uint8_t block[24];
    float y[32];
    for (int with_min = 0; with_min < 2; with_min++) {
        int at = with_min ? 4 : 2;
        fill(4, block, sizeof block, 0, 0.5f);
        if (with_min) put_f16(block + 2, 3.0f);
        dtype_dequantize(with_min ? DTYPE_Q5_1 : DTYPE_Q5_0, block, y, 32);
        uint32_t fifth =
            block[at] + 256u * block[at + 1] + 65536u * block[at + 2] + 16777216u * block[at + 3];
        float low = with_min ? 3.0f : -8.0f; // 16 steps of 0.5
        for (int l = 0; l < 16; l++) {
            uint32_t first = block[at + 4 + l] % 16u + 16u * (fifth >> l & 1u);
            uint32_t second = block[at + 4 + l] / 16u + 16u * (fifth >> (l + 16) & 1u);
            assert_true(y[l] == 0.5f * (float)first + low);
            assert_true(y[16 + l] == 0.5f * (float)second + low);
        }
    }
}

/* A half of 128 elements is 32 bytes; its four runs of 32 take two bits of each, from the low end.
 * A scale byte serves 16 elements. */
static void test_q2_k_layout(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint8_t block[84];
        float y[256];
        fill(seed, block, sizeof block, 80, 0.5f);
        put_f16(block + 82, 0.25f);
        dtype_dequantize(DTYPE_Q2_K, block, y, 256);
        int i = 0, sub = 0;
        for (int half = 0; half < 2; half++)
            for (int divisor = 1; divisor <= 64; divisor *= 4)
                for (int part = 0; part < 2; part++, sub++)
                    for (int l = 0; l < 16; l++, i++) {
                        int q = block[16 + 32 * half + 16 * part + l] / divisor % 4;
                        assert_true(y[i] == 0.5f * (float)(block[sub] % 16 * q) -
                                                0.25f * (float)(block[sub] / 16));
                    }
    }
}

/* Low two bits as Q2_K; the third, where it is missing, takes 4 away. Scales: four low bits from a
 * nibble of bytes 0 .. 7, two high ones from bytes 8 .. 11, all 32 too high. */
static void test_q3_k_layout(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint8_t block[110];
        float y[256];
        fill(seed, block, sizeof block, 108, 0.5f);
        dtype_dequantize(DTYPE_Q3_K, block, y, 256);
        const uint8_t *s = block + 96;
        int scale[16];
        for (int j = 0; j < 4; j++) {
            scale[j] = s[j] % 16 + 16 * (s[8 + j] % 4);
            scale[4 + j] = s[4 + j] % 16 + 16 * (s[8 + j] / 4 % 4);
            scale[8 + j] = s[j] / 16 + 16 * (s[8 + j] / 16 % 4);
            scale[12 + j] = s[4 + j] / 16 + 16 * (s[8 + j] / 64);
        }
        for (int run = 0; run < 8; run++)
            for (int l = 0; l < 32; l++) {
                int q = block[32 + 32 * (run / 4) + l] >> 2 * (run % 4) & 3;
                if (!(block[l] >> run & 1)) q -= 4;
                float want = 0.5f * (float)((scale[2 * run + l / 16] - 32) * q);
                assert_true(y[32 * run + l] == want);
            }
    }
}

static void test_q8_0_layout(void **state) {
    (void)state;
    uint8_t block[34];
    float y[32];
    random_bytes(1, block, sizeof block);
    put_f16(block, 0.25f);
    dtype_dequantize(DTYPE_Q8_0, block, y, 32);
    for (int i = 0; i < 32; i++)
        assert_true(y[i] == 0.25f * (float)(int8_t)block[2 + i]);
}

/* Q4_K and Q5_K by bit position: the 6-bit field j of the 12 scale bytes, as ggml documents it. */
static void check_k_of_32(enum dtype dtype, uint64_t seed) {
    uint8_t block[176];
    float y[256];
    fill(seed, block, sizeof block, 0, 0.5f);
    put_f16(block + 2, 0.125f);
    dtype_dequantize(dtype, block, y, 256);
    const uint8_t *s = block + 4, *fifth = block + 16;
    const uint8_t *nibbles = dtype == DTYPE_Q5_K ? block + 48 : block + 16;
    int scale[8], min[8];
    for (int j = 0; j < 4; j++) {
        scale[j] = s[j] % 64;
        min[j] = s[4 + j] % 64;
        scale[4 + j] = s[8 + j] % 16 + 16 * (s[j] / 64);
        min[4 + j] = s[8 + j] / 16 + 16 * (s[4 + j] / 64);
    }
    for (int i = 0; i < 256; i++) {
        uint8_t byte = nibbles[32 * (i / 64) + i % 32];
        int q = i % 64 < 32 ? byte % 16 : byte / 16;
        if (dtype == DTYPE_Q5_K) q += 16 * (fifth[i % 32] >> i / 32 & 1);
        float want = 0.5f * (float)scale[i / 32] * (float)q - 0.125f * (float)min[i / 32];
        assert_true(y[i] == want);
    }
}

static void test_q4_k_and_q5_k_layouts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        check_k_of_32(DTYPE_Q4_K, seed);
        check_k_of_32(DTYPE_Q5_K, seed);
    }
}

static void test_q6_k_layout(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint8_t block[210];
        float y[256];
        random_bytes(seed, block, sizeof block);
        put_f16(block + 208, 0.5f);
        dtype_dequantize(DTYPE_Q6_K, block, y, 256);
        for (int n = 0; n < 2; n++) // two halves; in each, four runs of 32
            for (int l = 0; l < 32; l++) {
                const uint8_t *low = block + 64 * n, *high = block + 128 + 32 * n;
                int q[4] = {
                    low[l] % 16 + 16 * (high[l] % 4), low[l + 32] % 16 + 16 * (high[l] / 4 % 4),
                    low[l] / 16 + 16 * (high[l] / 16 % 4), low[l + 32] / 16 + 16 * (high[l] / 64)};
                for (int r = 0; r < 4; r++) {
                    int i = 128 * n + 32 * r + l;
                    assert_true(y[i] ==
                                0.5f * (float)(int8_t)block[192 + i / 16] * (float)(q[r] - 32));
                }
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_q4_0_layout),
        cmocka_unit_test(test_q4_1_layout),
        cmocka_unit_test(test_q5_layouts),
        cmocka_unit_test(test_q8_0_layout),
        cmocka_unit_test(test_q2_k_layout),
        cmocka_unit_test(test_q3_k_layout),
        cmocka_unit_test(test_q4_k_and_q5_k_layouts),
        cmocka_unit_test(test_q6_k_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
