/* The scanner against jansson: on texts made to be JSON, damaged and random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/dialect/json_scan.h"

static void test_known(void **state) {
    (void)state;
    static const struct {
        const char *text;
        char kind; // 0: no JSON
    } rows[] = {
        {"{}", '{'},
        {" [1, 2.5e-3, {\"a\": null}] ", '['},
        {"\"\\u00e9\\n\"", '"'},
        {"-0", '0'},
        {"01", 0},
        {"1.", 0},
        {"1e", 0},
        {"-", 0},
        {"+1", 0},
        {"tru", 0},
        {"true", 't'},
        {"truex", 0},
        {"{\"a\" 1}", 0},
        {"{\"a\":1,}", 0},
        {"[1,]", 0},
        {"[1 2]", 0},
        {"\"\\x\"", 0},
        {"\"\\u12g4\"", 0},
        {"{} {}", 0},
        {"", 0},
        {"  ", 0},
        {"\"a\nb\"", 0},
        {"{\"a\":1", 0},
        {"[}", 0},
        {"null", 'n'},
        {"1e+5", '0'},
        {"{a: 1}", 0},
        {"'a'", 0},
        {"{\"\":[]}", '{'},
        {"1 ", '0'},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char kind = 0;
        bool ok = json_scan_text(rows[i].text, strlen(rows[i].text), &kind);
        if (ok != (rows[i].kind != 0) || (ok && kind != rows[i].kind))
            fail_msg("%s: %d %c", rows[i].text, ok, kind);
    }
}

static void test_depth(void **state) {
    (void)state;
    for (int depth = JSON_SCAN_DEPTH; depth <= JSON_SCAN_DEPTH + 1; depth++) {
        char text[2 * JSON_SCAN_DEPTH + 8], kind;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(json_scan_text(text, 2 * (size_t)depth, &kind), depth <= JSON_SCAN_DEPTH);
    }
}

/* The end is found where it is, whatever follows. */
static void test_end(void **state) {
    (void)state;
    static const char text[] = "{\"a\": [\"}\\\"\", {}]}xyz";
    struct json_scan scan = {0};
    size_t i = 0;
    enum json_scan_result result = JSON_SCAN_MORE;
    for (; result == JSON_SCAN_MORE; i++)
        result = json_scan_byte(&scan, text[i]);
    assert_int_equal(result, JSON_SCAN_DONE);
    assert_string_equal(text + i, "xyz");
}

static void test_random(void **state) {
    (void)state;
    static const char *const parts[] = {"{",  "}",   "[",     "]",      ",",  ":",    "\"a\"", "1",
                                        "-",  ".5",  "e3",    "true",   "nu", "null", " ",     "\"",
                                        "\\", "\\n", "\"b\"", "\"k\":", "0",  "false"};
    uint64_t random = random_seed();
    int n_json = 0;
    for (int round = 0; round < 200000; round++) {
        char text[128] = "", kind;
        size_t n = 1 + next_random(&random) % 8;
        for (size_t i = 0; i < n; i++)
            strcat(text, parts[next_random(&random) % (sizeof parts / sizeof parts[0])]);
        json_error_t where;
        json_t *value = json_loads(text, JSON_DECODE_ANY, &where);
        if (!value && (strstr(where.text, "overflow") || strstr(where.text, "too big")))
            continue; // JSON, but no number that jansson can hold
        bool ok = json_scan_text(text, strlen(text), &kind);
        if (ok != (value != NULL)) fail_msg("%s: jansson says %d", text, value != NULL);
        n_json += ok;
        json_decref(value);
    }
    assert_true(n_json > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
