/* json_print against what Python's json.dumps prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/json_print.h"

static void prints(const char *input, const struct json_print_options *options,
                   const char *wanted) {
    struct byte_buffer out = {0};
    struct jl_error err = {0};
    json_error_t error;
    json_t *value = json_loads(input, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value) fail_msg("%s: %s", input, error.text);
    assert_int_equal(json_print_value(value, options, &out, &err), JL_OK);
    if (out.len != strlen(wanted) || memcmp(out.data, wanted, out.len) != 0)
        fail_msg("%s\n  wanted %s\n  got    %.*s", input, wanted, (int)out.len, out.data);
    json_decref(value);
    buffer_free(&out);
}

static void plain(void **state) {
    static const char *const rows[][2] = {
        {"{\"b\":1,\"a\":[1,2.5,\"x\",null,true,false,{},[]]}",
         "{\"b\": 1, \"a\": [1, 2.5, \"x\", null, true, false, {}, []]}"},
        {"[0.1, 1e22, 1.0, -0.0, 1e-7, 123456789.125, 5e-324, 1e16]",
         "[0.1, 1e+22, 1.0, -0.0, 1e-07, 123456789.125, 5e-324, 1e+16]"},
        {"[9223372036854775807, -9223372036854775808]",
         "[9223372036854775807, -9223372036854775808]"},
        {"\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\\u0080\\u2028\"",
         "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc2\x80\xe2\x80\xa8\""},
        {"\"日本 \\ud83d\\ude00 é\"", "\"日本 😀 é\""},
        {"{\"é\": \"<script>&'\"}", "{\"é\": \"<script>&'\"}"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"7", "7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        prints(rows[i][0], NULL, rows[i][1]);
}

static void options(void **state) {
    const struct json_print_options ascii = {.ensure_ascii = true}, sorted = {.sort_keys = true},
                                    compact = {.compact = true}, lines = {.indent = 2};
    (void)state;
    prints("\"日 \\ud83d\\ude00 é\\u007f\"", &ascii, "\"\\u65e5 \\ud83d\\ude00 \\u00e9\x7f\"");
    prints("{\"b\":1,\"aa\":2,\"a\":{\"d\":1,\"c\":2},\"é\":3,\"B\":4}", &sorted,
           "{\"B\": 4, \"a\": {\"c\": 2, \"d\": 1}, \"aa\": 2, \"b\": 1, \"é\": 3}");
    prints("{\"b\":[1,2],\"a\":{}}", &compact, "{\"b\":[1,2],\"a\":{}}");
    prints("{\"b\":[1,[]],\"a\":{\"x\":{}}}", &lines,
           "{\n  \"b\": [\n    1,\n    []\n  ],\n  \"a\": {\n    \"x\": {}\n  }\n}");
}

static void limits(void **state) {
    struct byte_buffer out = {0};
    struct jl_error err;
    json_t *deep = json_array();
    (void)state;
    for (int i = 0; i < 5000; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, deep);
        deep = outer;
    }
    assert_true(buffer_append(&out, "kept", 4));
    assert_int_equal(json_print_value(deep, NULL, &out, &err), JL_ERR_LIMIT);
    assert_int_equal(out.len, 4);
    json_decref(deep);
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(options),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
