/* Lines: the two forms, and what is wrong with every other one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/data/line.h"

static void texts(void **state) {
    (void)state;
    struct data_line line;
    struct jl_error err;
    const char *good = "{\"text\": \"\xE9\xB1\xBC \\u0000 x\"}\r";
    assert_int_equal(data_line_parse(good, strlen(good), &line, &err), JL_OK);
    assert_int_equal(line.form, DATA_LINE_TEXT);
    assert_int_equal(line.len, 7);
    assert_memory_equal(line.text, "\xE9\xB1\xBC \0 x", 7);
    data_line_free(&line);
    static const char *const blank[] = {"", " ", "\t\r", NULL};
    for (int i = 0; blank[i]; i++) {
        assert_int_equal(data_line_parse(blank[i], strlen(blank[i]), &line, &err), JL_OK);
        assert_int_equal(line.form, DATA_LINE_BLANK);
        assert_null(line.root);
    }
}

static void conversations(void **state) {
    (void)state;
    static const char *const good[] = {
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
        "{\"role\":\"assistant\",\"content\":\"b\",\"weight\":1}]}",
        "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
        "\"a\","
        "\"name\":\"n\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\","
        "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"1\"},"
        "{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"t\",\"weight\":0}],"
        "\"tools\":[{\"type\":\"function\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":null,\"tool_calls\":null,"
        "\"weight\":null},{\"role\":\"assistant\",\"content\":\"b\",\"tool_calls\":null,"
        "\"reasoning_content\":null,\"tool_call_id\":null}],\"tools\":null}",
        NULL};
    for (int i = 0; good[i]; i++) {
        struct data_line line;
        struct jl_error err;
        if (data_line_parse(good[i], strlen(good[i]), &line, &err) != JL_OK)
            fail_msg("%s: %s", good[i], err.message);
        assert_int_equal(line.form, DATA_LINE_CHAT);
        if (i == 2) { // and templates must not see them
            assert_null(line.tools);
            assert_int_equal(json_object_size(json_array_get(line.messages, 0)), 2);
            assert_int_equal(json_object_size(json_array_get(line.messages, 1)), 2);
        }
        data_line_free(&line);
    }
}

#define USER "{\"role\":\"user\",\"content\":\"a\"},"
#define CHAT(rest) "{\"messages\":[" USER rest "]}"

static void bad_lines_say_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"{\"text\": \"a\"", "no JSON"},
        {"{\"text\": \"a\"} x", "no JSON"},
        {"{\"text\": \"a\", \"text\": \"b\"}", "duplicate"},
        {"[1]", "must be an object"},
        {"3", "must be an object"},
        {"{}", "neither"},
        {"{\"content\": \"a\"}", "neither"},
        {"{\"text\": \"a\", \"messages\": []}", "both"},
        {"{\"text\": \"a\", \"source\": \"b\"}", "unknown key \"source\""},
        {"{\"text\": \"\"}", "empty"},
        {"{\"text\": 3}", "must be a string"},
        {"{\"text\": null}", "must be a string"},
        {"{\"text\": \"a\xFF\"}", "byte 12 is no UTF-8"},
        {"\xEF\xBB\xBF{\"text\": \"a\"}", "byte order mark"},
        {"{\"text\": \"\\ud800\"}", "no JSON"},
        {"{\"messages\": {}}", "must be a list"},
        {"{\"messages\": []}", "must be a list"},
        {"{\"messages\": [1]}", "message 1 must be an object"},
        {"{\"messages\": [{\"content\": \"a\"}]}", "\"role\" must be"},
        {"{\"messages\": [{\"role\": \"human\", \"content\": \"a\"}]}", "\"role\" must be"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"\"}]}", "empty"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [\"a\"]}]}", "needs \"content\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"weight\": 1}]}",
         "unknown key"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", "nothing to learn"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"id\": 1}", "unknown key"},
        {CHAT("{\"role\":\"assistant\",\"content\":\"\"}"), "message 2"},
        {CHAT("{\"role\":\"assistant\"}"), "nothing to learn"},
        {CHAT("{\"role\":\"assistant\",\"content\":5}"), "must be a string"},
        {CHAT("{\"role\":\"assistant\",\"content\":\"b\",\"weight\":0.5}"), "must be 0 or 1"},
        {CHAT("{\"role\":\"assistant\",\"content\":\"b\",\"weight\":2}"), "must be 0 or 1"},
        {CHAT("{\"role\":\"assistant\",\"content\":\"b\",\"weight\":0}"), "nothing to learn"},
        {CHAT("{\"role\":\"assistant\",\"content\":\"b\",\"thinking\":\"t\"}"), "\"thinking\""},
        {CHAT("{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":1}"), "string"},
        {CHAT("{\"role\":\"assistant\",\"content\":\"b\",\"name\":1}"), "must be strings"},
        {CHAT("{\"role\":\"assistant\",\"tool_calls\":[]}"), "leave it out"},
        {CHAT("{\"role\":\"assistant\",\"tool_calls\":[1]}"), "must be an object"},
        {CHAT("{\"role\":\"assistant\",\"tool_calls\":[{\"name\":\"f\"}]}"), "unknown key"},
        {CHAT("{\"role\":\"assistant\",\"tool_calls\":[{}]}"), "needs \"function\""},
        {CHAT("{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":{}}}]}"),
         "needs the \"name\""},
        {CHAT("{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}"),
         "needs \"arguments\""},
        {"{\"messages\":[" USER "{\"role\":\"assistant\",\"content\":\"b\"}],\"tools\":[]}",
         "leave it out"},
        {"{\"messages\":[" USER "{\"role\":\"assistant\",\"content\":\"b\"}],\"tools\":[1]}",
         "tool 1 must be"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct data_line line;
        struct jl_error err = {0};
        assert_int_equal(data_line_parse(bad[i].line, strlen(bad[i].line), &line, &err),
                         JL_ERR_FORMAT);
        if (!strstr(err.message, bad[i].says))
            fail_msg("%s: '%s' lacks '%s'", bad[i].line, err.message, bad[i].says);
        assert_null(line.root);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(conversations),
        cmocka_unit_test(bad_lines_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
