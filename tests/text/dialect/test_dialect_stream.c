/* What the cases do not reach: limits, the thinking budget, what is held back, and bytes that are
 * no UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static struct dialect_stream *open_stream(const char *dialect,
                                          const struct dialect_options *options) {
    struct dialect_stream *stream;
    struct jl_error err;
    if (dialect_stream_new(dialect_by_name(dialect), options, &stream, &err) != JL_OK)
        fail_msg("%s", err.message);
    return stream;
}

/* All text of the events that wait, whatever they are. */
static size_t drain(struct dialect_stream *stream, char *text, size_t size) {
    struct dialect_event event;
    size_t len = 0;
    while (dialect_stream_next(stream, &event)) {
        if (event.kind == DIALECT_CALL_BROKEN) continue;
        assert_true(len + event.len < size);
        memcpy(text + len, event.text, event.len);
        len += event.len;
    }
    text[len] = 0;
    return len;
}

/* Only what may still become a mark waits. */
static void test_held(void **state) {
    (void)state;
    static const struct {
        const char *push, *shown;
    } rows[] = {
        {"Hello ", "Hello "}, {"<", ""},          {"b", "<b"},          {"> x\n", "> x"},
        {"\n", "\n"},         {"<tool", ""},      {"s>", "\n<tools>"},  {"\xF0\x9F\x8C", ""},
        {"\x8D", "🌍"},        {" {\"a", " {\"a"}, {"<tool_call>{", ""}, {"x", "<tool_call>{x"},
    };
    struct dialect_options options = dialect_options_default();
    struct dialect_stream *stream = open_stream("hermes", &options);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct jl_error err;
        char text[256];
        assert_int_equal(dialect_stream_push(stream, rows[i].push, strlen(rows[i].push), &err),
                         JL_OK);
        drain(stream, text, sizeof text);
        assert_string_equal(text, rows[i].shown);
    }
    dialect_stream_free(stream);
}

/* Arguments are given while they are written. */
static void test_args_stream(void **state) {
    (void)state;
    struct dialect_options options = dialect_options_default();
    struct dialect_stream *stream = open_stream("hermes", &options);
    struct dialect_event event;
    struct jl_error err;
    const char *text = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"text\": \"one";
    assert_int_equal(dialect_stream_push(stream, text, strlen(text), &err), JL_OK);
    assert_true(dialect_stream_next(stream, &event));
    assert_int_equal(event.kind, DIALECT_CALL_START);
    assert_string_equal(event.name, "f");
    assert_true(dialect_stream_next(stream, &event));
    assert_int_equal(event.kind, DIALECT_CALL_ARGS);
    assert_int_equal(event.len, strlen("{\"text\": \"one"));
    assert_false(dialect_stream_next(stream, &event));
    dialect_stream_free(stream);
    options.whole_calls = true;
    stream = open_stream("hermes", &options);
    assert_int_equal(dialect_stream_push(stream, text, strlen(text), &err), JL_OK);
    assert_false(dialect_stream_next(stream, &event));
    dialect_stream_free(stream);
}

/* `exact`: no call was begun, so that all that was pushed is content. */
static void push_until_limit(const char *dialect, bool whole, bool exact, const char *head,
                             const char *more) {
    struct dialect_options options = dialect_options_default();
    options.limit = 1000;
    options.whole_calls = whole;
    struct dialect_stream *stream = open_stream(dialect, &options);
    struct jl_error err;
    static char pushed[8192], text[8192], got[8192];
    size_t len = strlen(head), got_len = 0;
    enum jl_status status = dialect_stream_push(stream, head, len, &err);
    memcpy(pushed, head, len);
    for (int i = 0; status == JL_OK && i < 3000; i++) {
        pushed[len++] = *more;
        status = dialect_stream_push(stream, more, 1, &err);
        size_t n = drain(stream, text, sizeof text);
        memcpy(got + got_len, text, n);
        got_len += n;
    }
    assert_int_equal(status, JL_ERR_LIMIT);
    assert_true(len < 2000);
    // Nothing is lost.
    assert_true(got_len > 300);
    if (exact) {
        assert_int_equal(got_len, len);
        assert_memory_equal(got, pushed, len);
    }
    assert_int_equal(got[got_len - 1], *more);
    assert_int_equal(dialect_stream_push(stream, "x", 1, &err), JL_ERR_LIMIT);
    assert_int_equal(dialect_stream_end(stream, &err), JL_OK);
    assert_int_equal(drain(stream, text, sizeof text), 0);
    dialect_stream_free(stream);
}

static void test_limit(void **state) {
    (void)state;
    push_until_limit("hermes", false, true, "", " ");
    push_until_limit("hermes", false, true, "<tool_call>", "\n");
    push_until_limit("hermes", false, true, "<tool_call>{\"arguments\": {\"a\": \"", "x");
    push_until_limit("hermes", true, true, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"",
                     "x");
    push_until_limit("qwen-xml", false, false, "<tool_call><function=f><parameter=a>", "7");
    push_until_limit("qwen-xml", true, true, "<tool_call><function=f><parameter=a>", "7");
    push_until_limit("deepseek-r1", false, true, "<｜tool▁calls▁begin｜>", "\n");
    // What streams needs no room.
    struct dialect_options options = dialect_options_default();
    options.limit = 1000;
    struct dialect_stream *stream = open_stream("hermes", &options);
    struct jl_error err;
    char text[64];
    const char *head = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"";
    assert_int_equal(dialect_stream_push(stream, head, strlen(head), &err), JL_OK);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(dialect_stream_push(stream, "x", 1, &err), JL_OK);
        drain(stream, text, sizeof text);
    }
    dialect_stream_free(stream);
    // Events that nobody fetches.
    stream = open_stream("hermes", &options);
    enum jl_status status = JL_OK;
    for (int i = 0; i < 2000 && status == JL_OK; i++)
        status = dialect_stream_push(stream, "x", 1, &err);
    assert_int_equal(status, JL_ERR_LIMIT);
    dialect_stream_free(stream);
}

static void test_budget(void **state) {
    (void)state;
    struct dialect_options options = dialect_options_default();
    options.thinking_budget = 3;
    options.start = (struct dialect_start){.in_thought = true};
    struct dialect_stream *stream = open_stream("hermes", &options);
    struct jl_error err;
    const char *force = NULL;
    char text[1024];
    assert_true(dialect_stream_in_thought(stream));
    assert_int_equal(dialect_stream_push(stream, "one two", 7, &err), JL_OK);
    assert_false(dialect_thinking_over(stream, 2, &force));
    assert_int_equal(dialect_stream_push(stream, "</th", 4, &err), JL_OK);
    assert_false(dialect_thinking_over(stream, 1, &force)); // the model may be closing it
    assert_int_equal(dialect_stream_push(stream, "x", 1, &err), JL_OK);
    assert_true(dialect_thinking_over(stream, 1, &force));
    assert_non_null(strstr(force, "\n</think>\n\n"));
    assert_int_equal(dialect_stream_push(stream, force, strlen(force), &err), JL_OK);
    assert_false(dialect_stream_in_thought(stream));
    assert_false(dialect_thinking_over(stream, 100, &force));
    assert_int_equal(dialect_stream_push(stream, "answer", 6, &err), JL_OK);
    drain(stream, text, sizeof text);
    assert_int_equal(strncmp(text, "one two</thx", 12), 0);
    assert_null(strstr(text, "</think>"));
    assert_non_null(strstr(text, "answer"));
    dialect_stream_free(stream);

    options.thinking_budget = 0; // at once, and without a word
    stream = open_stream("deepseek-v3.1", &options);
    assert_true(dialect_thinking_over(stream, 0, &force));
    assert_string_equal(force, "</think>");
    dialect_stream_free(stream);

    options.thinking_budget = -1;
    stream = open_stream("hermes", &options);
    assert_false(dialect_thinking_over(stream, 1u << 30, &force));
    dialect_stream_free(stream);
}

static void test_tools(void **state) {
    (void)state;
    static const struct dialect_tool bad[] = {{"f", "[]"}, {"f", "{"}, {"", "{}"}, {NULL, "{}"}};
    for (size_t i = 0; i < 4; i++) {
        struct dialect_options options = dialect_options_default();
        struct dialect_stream *stream;
        struct jl_error err;
        options.tools = &bad[i];
        options.n_tool = 1;
        assert_int_equal(dialect_stream_new(dialect_by_name("hermes"), &options, &stream, &err),
                         JL_ERR_USAGE);
        assert_null(stream);
    }
    dialect_stream_free(NULL);
}

/* Bytes that are no UTF-8 pass unchanged and hold nothing up. */
static void test_bytes(void **state) {
    (void)state;
    struct dialect_options options = dialect_options_default();
    struct dialect_stream *stream = open_stream("hermes", &options);
    struct jl_error err;
    char text[64];
    static const char bytes[] = "a\xFF\x80\xE4\xB8z\xC3";
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        assert_int_equal(dialect_stream_push(stream, bytes + i, 1, &err), JL_OK);
    assert_int_equal(dialect_stream_end(stream, &err), JL_OK);
    assert_int_equal(drain(stream, text, sizeof text), sizeof bytes - 1);
    assert_memory_equal(text, bytes, sizeof bytes - 1);
    dialect_stream_free(stream);
}

/* Attempts that fail over and over cost time in proportion to the text. */
static void test_linear(void **state) {
    (void)state;
    static const char *const parts[] = {"<tool_call>", "<tool_call>{\"", "<tool_call>{\"name\":\"",
                                        "<tool_call>{\"arguments\":{\"a\":\"", "\n<tool_call>\n"};
    static char text[200000];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]), len = 0;
        while (len + n < sizeof text) {
            memcpy(text + len, parts[i], n);
            len += n;
        }
        struct dialect_options options = dialect_options_default();
        json_t *events =
            run_stream(dialect_by_name("hermes"), &options, text, len, cut_whole, NULL);
        assert_int_equal(json_array_size(events), 1);
        json_t *all = json_array_get(json_array_get(events, 0), 1);
        assert_int_equal(json_string_length(all), len);
        json_decref(events);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),   cmocka_unit_test(test_args_stream),
        cmocka_unit_test(test_limit),  cmocka_unit_test(test_budget),
        cmocka_unit_test(test_tools),  cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
