/* Arguments between marks, held against what reads them: text/dialect.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "random_json.h"
#include "text/dialect.h"
#include "validate.h"

static const struct {
    const char *dialect, *before, *after;
    struct grammar_marks marks;
} formats[] = {
    {"qwen-xml",
     "<tool_call>\n<function=f>\n",
     "</function>\n</tool_call>",
     {"<parameter=", ">", "", "</parameter>\n", "\n", 0}},
    {"glm-4.5",
     "<tool_call>f",
     "\n</tool_call>",
     {"\n<arg_key>", "</arg_key>", "\n<arg_value>", "</arg_value>", "", 0}},
    {"minimax-m2",
     "<minimax:tool_call>\n<invoke name=\"f\">\n",
     "</invoke>\n</minimax:tool_call>",
     {"<parameter name=\"", "\">", "", "</parameter>\n", "", 0}},
    {"deepseek-v3.2",
     "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n",
     "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
     {"<｜DSML｜parameter name=\"", "\" string=\"", "", "</｜DSML｜parameter>\n", "", 1}},
};
enum { N_FORMAT = sizeof formats / sizeof *formats };

static struct grammar *call_grammar(size_t format, const char *schema, struct jl_error *err) {
    struct grammar_builder *b = grammar_builder_new();
    grammar_expr parts[] = {
        grammar_text(b, formats[format].before),
        grammar_json_members(b, schema, strlen(schema), NULL, &formats[format].marks),
        grammar_text(b, formats[format].after)};
    struct grammar *g = NULL;
    grammar_compile(b, grammar_seq(b, parts, 3), &g, err);
    grammar_builder_free(b);
    return g;
}

/* The arguments that the dialect reads out of a turn; NULL: not exactly one whole call. */
static json_t *read_call(size_t format, const char *schema, const char *text, size_t len) {
    struct dialect_tool tool = {"f", schema};
    struct dialect_options options = dialect_options_default();
    options.tools = &tool;
    options.n_tool = 1;
    struct dialect_stream *stream;
    struct dialect_event event;
    struct jl_error err;
    char *arguments = calloc(1, 2 * len + 100);
    int ended = 0, other = 0;
    assert_int_equal(
        dialect_stream_new(dialect_by_name(formats[format].dialect), &options, &stream, &err),
        JL_OK);
    assert_int_equal(dialect_stream_push(stream, text, len, &err), JL_OK);
    assert_int_equal(dialect_stream_end(stream, &err), JL_OK);
    while (dialect_stream_next(stream, &event)) {
        if (event.kind == DIALECT_CALL_ARGS)
            strncat(arguments, event.text, event.len);
        else if (event.kind == DIALECT_CALL_END)
            ended++;
        else if (event.kind != DIALECT_CALL_START)
            other++;
    }
    dialect_stream_free(stream);
    json_t *value = NULL;
    if (ended == 1 && other == 0)
        jl_json_load(arguments, strlen(arguments), JSON_REJECT_DUPLICATES, &value, NULL);
    free(arguments);
    return value;
}

static const char *const schemas[] = {
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":"
    "\"integer\","
    "\"minimum\":1}},\"required\":[\"city\"]}",
    "{\"type\":\"object\",\"properties\":{}}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"x\",\"5\",\"true\"]},\"b\":{\"enum\":["
    "1,\"y\"]},"
    "\"c\":{\"const\":\"z z\"}},\"required\":[\"a\",\"b\"]}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]},\"b\":{\"type\":["
    "\"string\","
    "\"integer\"]},\"c\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":"
    "\"string\"}}]}},\"required\":[\"a\",\"b\",\"c\"]}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":5},\"b\":{"
    "\"type\":\"string\","
    "\"pattern\":\"^[a-z0-9]+$\"},\"c\":{\"type\":[\"string\",\"null\"],\"format\":\"date\"},\"d\":"
    "{\"type\":"
    "\"string\",\"format\":\"uri\"}},\"required\":[\"a\",\"b\",\"c\",\"d\"]}",
    "{\"$defs\":{\"s\":{\"type\":\"string\"},\"o\":{\"type\":\"object\",\"properties\":{\"k\":{"
    "\"type\":\"string\"}},"
    "\"required\":[\"k\"]}},\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/"
    "s\"},\"b\":{\"$ref\":"
    "\"#/$defs/o\"},\"c\":true},\"required\":[\"a\",\"b\",\"c\"]}",
};

static void check_walks(size_t format, const char *text, const struct grammar_vocab *v) {
    struct jl_error err;
    struct grammar *g = call_grammar(format, text, &err);
    struct grammar_matcher *m;
    json_t *schema = json_loads(text, 0, NULL);
    if (!g) fail_msg("%s: %s", text, err.message);
    assert_int_equal(grammar_matcher_new(g, v, NULL, &m, &err), JL_OK);
    int finished = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        size_t len;
        uint64_t draws = seed;
        char *call = random_document(m, v, &draws, 500, &len);
        if (!call) continue;
        finished++;
        json_t *arguments = read_call(format, text, call, len);
        if (!arguments) fail_msg("no call: %s", call);
        if (!validate(schema, schema, arguments))
            fail_msg("%s gives %s, not valid under %s", call, json_dumps(arguments, 0), text);
        json_decref(arguments);
        free(call);
    }
    assert_in_range(finished, 10, 30);
    grammar_matcher_free(m);
    grammar_free(g);
    json_decref(schema);
}

static void test_walks(void **state) {
    (void)state;
    static const char *const texts[] = {"<parameter=city>\nParis <b>\n</parameter>\n</function>",
                                        "</arg_value>\n<arg_key>null</arg_key>",
                                        "5\"true\"[{\"k\": \"<\"}]",
                                        "string=\"false\">x</｜DSML｜parameter>", NULL};
    struct grammar_vocab *v = vocab_of_texts(texts, 30);
    for (size_t format = 0; format < N_FORMAT; format++)
        for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
            check_walks(format, schemas[i], v);
    grammar_vocab_free(v);
}

/* What dialect_render_calls writes for valid arguments is allowed. */
static void test_rendered(void **state) {
    (void)state;
    static const char *const arguments[] = {"{\"city\": \"S\xC3\xA3o <Paulo>\", \"days\": 12}",
                                            "{\"city\": \"5\"}"};
    for (size_t format = 0; format < N_FORMAT; format++) {
        struct jl_error err;
        struct grammar *g = call_grammar(format, schemas[0], &err);
        assert_non_null(g);
        for (size_t i = 0; i < 2; i++) {
            struct dialect_tool tool = {"f", schemas[0]};
            struct dialect_call call = {"f", arguments[i], NULL};
            struct dialect_turn turn = {.calls = &call, .n_call = 1, .tools = &tool, .n_tool = 1};
            char *text;
            size_t len;
            const struct dialect *dialect = dialect_by_name(formats[format].dialect);
            assert_int_equal(dialect_render_calls(dialect, &turn, &text, &len, &err), JL_OK);
            size_t skip = strspn(text, "\n"); // the white space before a call is the caller's
            if (!matches(g, text + skip, len - skip)) fail_msg("%s is not allowed", text);
            free(text);
        }
        grammar_free(g);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"{\"type\":\"object\",\"properties\":{\"a<\":true}}", "the name \"a<\""},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"</parameter>\"]}}}",
         "the constant"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"5\",5]}}}", "the constant \"5\""},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"integer\"],"
         "\"pattern\":\"1\"}}}",
         "#/properties/a: an argument that may be"},
        {"{\"type\":\"array\"}", "must be an object"},
        {"{\"anyOf\":[{\"type\":\"object\"}]}", "as a whole"},
        {"{\"type\":\"object\",\"patternProperties\":{\"a\":true}}", "patternProperties"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct jl_error err;
        struct grammar *g = call_grammar(0, bad[i][0], &err);
        if (g || !strstr(err.message, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], g ? "not refused" : err.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walks),
                                       cmocka_unit_test(test_rendered),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
