/* Out of memory at every allocation: an error, no crash, nothing leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/short_heap.h"
#include "text/dialect.h"
#include "text/stop_filter.h"

static const struct dialect_tool tools[] = {
    {"f", "{\"properties\": {\"s\": {\"type\": \"string\"}}}"}};

static enum jl_status parse(const char *dialect, const char *text, bool whole) {
    struct dialect_options options = dialect_options_default();
    options.whole_calls = whole;
    options.tools = tools;
    options.n_tool = 1;
    struct dialect_stream *stream;
    struct dialect_event event;
    enum jl_status status = dialect_stream_new(dialect_by_name(dialect), &options, &stream, NULL);
    for (size_t i = 0; status == JL_OK && i < strlen(text); i++) {
        status = dialect_stream_push(stream, text + i, 1, NULL);
        while (dialect_stream_next(stream, &event)) {
        }
    }
    if (status == JL_OK) status = dialect_stream_end(stream, NULL);
    while (stream && dialect_stream_next(stream, &event)) {
    }
    dialect_stream_free(stream);
    return status;
}

static void test_parse(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"hermes",
         "<think>\nx\n</think>\n\ny\n<tool_call>\n{\"arguments\": {\"a\": \"\n\"}, \"name\": "
         "\"f\", \"id\": \"1\"}\n</tool_call><tool_call>{\"name\": \"f\", \"arguments\": "
         "\"{}\"}<tool_call>nonsense"},
        {"qwen-xml",
         "<tool_call>\n<function=f>\n<parameter=s>\nabc\n</parameter>\n<parameter=n>\n5\n"
         "</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=f>\nx"},
        {"kimi-k2",
         "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>"},
        {"llama3", "{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\"}"},
        {"llama3", "<|python_tag|>f.call(a=\"x\", b=5)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int whole = 0; whole < 2; whole++) {
            enum jl_status status = JL_ERR_MEMORY;
            long n = 0;
            for (; status == JL_ERR_MEMORY && n < 2000; n++) {
                short_heap_left = n;
                status = parse(rows[i][0], rows[i][1], whole);
                short_heap_left = -1;
            }
            // The schema's parser is a library's: without memory it says the schema is wrong.
            assert_int_equal(status, JL_OK);
            assert_true(n > 5);
        }
    }
}

static void test_render(void **state) {
    (void)state;
    static const struct dialect_call call = {"f", "{\"s\": \"x\", \"n\": [1]}", NULL};
    static const char *const rows[] = {"hermes", "deepseek-v3.2", "qwen-xml", "mistral"};
    for (size_t i = 0; i < 4; i++) {
        struct dialect_turn turn = {i == 3 ? NULL : "thinking", "content", &call, 1, tools, 1};
        enum jl_status status = JL_ERR_MEMORY;
        long n = 0;
        for (; status == JL_ERR_MEMORY && n < 2000; n++) {
            char *text;
            size_t len;
            short_heap_left = n;
            status = dialect_render_calls(dialect_by_name(rows[i]), &turn, &text, &len, NULL);
            short_heap_left = -1;
            free(text);
        }
        assert_int_equal(status, JL_OK);
        assert_true(n > 5);
    }
}

static void test_stop(void **state) {
    (void)state;
    static const struct pattern_text strings[] = {{"ab", 2}, {"cd", 2}};
    enum jl_status status = JL_ERR_MEMORY;
    long n = 0;
    for (; status == JL_ERR_MEMORY && n < 100; n++) {
        struct stop_filter *filter;
        const char *out;
        size_t len;
        short_heap_left = n;
        status = stop_filter_new(strings, 2, &filter, NULL);
        if (status == JL_OK) status = stop_filter_push(filter, "xa", 2, &out, &len, NULL);
        short_heap_left = -1;
        stop_filter_free(filter);
    }
    assert_int_equal(status, JL_OK);
    assert_true(n > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
