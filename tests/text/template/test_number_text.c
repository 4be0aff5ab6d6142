/* Doubles as text and back: against values that are known to be hard, and against the C library on
 * random bits (glibc's strtod and printf round exactly). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "text/number_text.h"

static void known(void **state) {
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.1, "0.1"},
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1e5, "100000.0"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {5.684341886080802e-14, "5.684341886080802e-14"}, // 2^-44: the lower neighbour is nearer
        {9007199254740992.0, "9007199254740992.0"},
        {2.0 / 3, "0.6666666666666666"},
        {(double)INFINITY, "inf"},
        {-(double)INFINITY, "-inf"},
        {(double)NAN, "nan"},
    };
    char text[NUMBER_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(number_text_repr(rows[i].value, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

static uint64_t random_word(uint64_t seed, int i) {
    struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
    uint32_t words[4];
    rng_block(&key, (uint64_t)i, words);
    return (uint64_t)words[0] << 32 | words[1];
}

/* The fewest digits with which the C library reads the same double back. */
static void shortest_by_libc(double value, char *out, size_t room) {
    for (int digits = 0; digits < 17; digits++) {
        snprintf(out, room, "%.*e", digits, value);
        if (strtod(out, NULL) == value) return;
    }
}

static void random_bits(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_word(1, i);
        double value, back, libc_value;
        char text[NUMBER_TEXT_BYTES], libc[64];
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        size_t len = number_text_repr(value, text);
        assert_true(number_text_parse(text, len, &back));
        assert_memory_equal(&back, &value, sizeof value);
        shortest_by_libc(value, libc, sizeof libc);
        assert_true(number_text_parse(libc, strlen(libc), &libc_value));
        assert_memory_equal(&libc_value, &value, sizeof value);
        size_t digits = 0, libc_digits = 0;
        for (const char *at = text; *at && *at != 'e'; at++)
            digits += *at >= '0' && *at <= '9';
        for (const char *at = libc; *at != 'e'; at++)
            libc_digits += *at >= '0' && *at <= '9';
        if (strchr(text, 'e') && libc_digits > 1) assert_int_equal(digits, libc_digits);
    }
}

/* Long texts, among them ones that lie half-way between two doubles. */
static void long_texts(void **state) {
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char text[1200];
        uint64_t bits = random_word(2, i) & INT64_MAX;
        double value, next, ours;
        memcpy(&value, &bits, sizeof value);
        bits++;
        memcpy(&next, &bits, sizeof next);
        if (!isfinite(value) || !isfinite(next)) continue;
        long double middle = ((long double)value + (long double)next) / 2;
        snprintf(text, sizeof text, "%.*Le", i % 2 ? 780 : (int)(random_word(3, i) % 60), middle);
        assert_true(number_text_parse(text, strlen(text), &ours));
        double libc = strtod(text, NULL);
        if (memcmp(&ours, &libc, sizeof ours) != 0) fail_msg("%s", text);
    }
}

static void bad_texts(void **state) {
    static const char *const texts[] = {"",      "-",   ".",     "e5",   "1e", "1e+",
                                        "1 ",    " 1",  "1__0",  "_1",   "1_", "0x1",
                                        "1.2.3", "--1", "1e5.0", "infi", "na"};
    double value;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(number_text_parse(texts[i], strlen(texts[i]), &value));
    assert_true(number_text_parse("1e999999999999", 14, &value) && isinf(value));
    assert_true(number_text_parse("1e-999999999999", 15, &value) && value == 0);
    assert_true(number_text_parse("1_0.5_0", 7, &value) && value == 10.5);
    assert_true(number_text_parse("-Infinity", 9, &value) && isinf(value) && value < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known),
        cmocka_unit_test(random_bits),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(bad_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
