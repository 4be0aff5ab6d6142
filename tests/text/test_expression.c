/* Expressions: values, refusals, and any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "text/expression.h"

static void values(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t num, den; // den 0: refused
        int n_number;
    } cases[] = {
        {"1", 1, 1, 1},
        {" 7 ", 7, 1, 1},
        {"1+2*3", 7, 1, 3},
        {"(1+2)*3", 9, 1, 3},
        {"8-2-1", 5, 1, 3},
        {"12/4/3", 1, 1, 3},
        {"8/(3-8/3)", 24, 1, 4},
        {"3/4-5/6", -1, 12, 4},
        {"-3+5", 2, 1, 2},
        {"-(3+5)", -8, 1, 2},
        {"2*-3", -6, 1, 2},
        {"2.50*4", 10, 1, 2},
        {"0.1+0.2", 3, 10, 2},
        {"6\xC3\x97"
         "7",
         42, 1, 2},
        {"42\xC3\xB7"
         "7",
         6, 1, 2},
        {"4\xE2\x88\x92"
         "7",
         -3, 1, 2},
        {"\xEF\xBC\x88"
         "1+2\xEF\xBC\x89*3",
         9, 1, 3},
        {"", 0, 0, 0},
        {"+", 0, 0, 0},
        {"1+", 0, 0, 0},
        {"*2", 0, 0, 0},
        {"1 2", 0, 0, 0},
        {"(1", 0, 0, 0},
        {"1)", 0, 0, 0},
        {"()", 0, 0, 0},
        {"2(3)", 0, 0, 0},
        {"--1", 0, 0, 0},
        {"1.", 0, 0, 0},
        {".5", 0, 0, 0},
        {"1/0", 0, 0, 0},
        {"1/(2-2)", 0, 0, 0},
        {"a", 0, 0, 0},
        {"9223372036854775807", INT64_MAX, 1, 1},
        {"9223372036854775808", 0, 0, 0},
        {"9223372036854775807+1", 0, 0, 0},
        {"4294967296*4294967296", 0, 0, 0},
        {"-9223372036854775807-1", 0, 0, 0}, // its own negative does not fit
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expression out;
        bool ok = expression_read(cases[i].text, strlen(cases[i].text), &out);
        if (ok != (cases[i].den != 0))
            fail_msg("'%s' is %s", cases[i].text, ok ? "read" : "refused");
        if (!ok) continue;
        if (out.value.num != cases[i].num || out.value.den != cases[i].den ||
            out.n_number != cases[i].n_number)
            fail_msg("'%s' is %lld/%lld of %d", cases[i].text, (long long)out.value.num,
                     (long long)out.value.den, out.n_number);
    }
}

static void plain(void **state) {
    (void)state;
    struct expression out;
    assert_true(expression_read("(8-2)*(1+3)", 11, &out) && out.plain);
    assert_int_equal(out.numbers[1].num, 2);
    assert_true(expression_read("-8+2", 4, &out) && !out.plain);
    assert_true(expression_read("8.0+2", 5, &out) && !out.plain);
}

/* Any bytes give a verdict; many brackets do not end the stack. */
static void hostile(void **state) {
    (void)state;
    static const char letters[] = "0123456789+-*/(). \xC3\x97\xEF";
    const struct rng_key key = {3, 0, 0, RNG_TEST};
    struct expression out;
    char text[256];
    for (uint64_t i = 0; i < 20000; i++) {
        size_t n = 0;
        for (uint64_t k = 0; k < 8; k++) {
            uint32_t words[4];
            rng_block(&key, 8 * i + k, words);
            for (int w = 0; w < 4; w++)
                text[n++] = letters[words[w] % (sizeof letters - 1)];
        }
        expression_read(text, n, &out);
    }
    char *deep = malloc(1 << 20);
    memset(deep, '(', 1 << 20);
    assert_false(expression_read(deep, 1 << 20, &out));
    memset(deep, '-', 1 << 20);
    assert_false(expression_read(deep, 1 << 20, &out));
    for (size_t i = 0; i < 1 << 20; i++)
        deep[i] = "1+"[i % 2];
    assert_false(expression_read(deep, (1 << 20) - 1, &out)); // too many numbers
    free(deep);
    assert_false(expression_read(NULL, 0, &out));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(plain),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
