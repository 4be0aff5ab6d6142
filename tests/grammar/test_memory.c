/* Out of memory at every allocation: an error, no crash, nothing leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/builder.h"
#include "grammar/matcher.h"
#include "grammar/vocab.h"
#include "support/short_heap.h"

enum language { REGEX, GBNF, SCHEMA, MEMBERS };

static grammar_expr parse(struct grammar_builder *b, enum language language, const char *text) {
    static const struct grammar_marks marks = {"<p=", ">", "", "</p>", "\n", 0};
    size_t len = strlen(text);
    if (language == REGEX) return grammar_regex(b, text, len);
    if (language == GBNF) return grammar_gbnf(b, text, len);
    if (language == SCHEMA) return grammar_json_schema(b, text, len, NULL);
    return grammar_json_members(b, text, len, NULL, &marks);
}

static enum jl_status follow(const struct grammar *g, const char *text) {
    static const struct grammar_token_bytes tokens[] = {{"a", 1}, {"{\"", 2}, {"b\"", 2}};
    static const struct grammar_matcher_options options = {.state_bytes = 4096};
    struct grammar_vocab *v = NULL;
    struct grammar_matcher *m = NULL;
    uint64_t mask;
    enum jl_status status = grammar_vocab_new(tokens, 3, &v, NULL);
    if (status == JL_OK) status = grammar_matcher_new(g, v, &options, &m, NULL);
    if (status == JL_OK) {
        struct grammar_state at = grammar_start(m), *wanted[] = {&at};
        for (const char *p = text; *p && status == JL_OK; p++) {
            status = grammar_accept_bytes(m, &at, p, 1, NULL);
            if (status == JL_OK) status = grammar_keep(m, wanted, 1, NULL);
            if (status == JL_OK) status = grammar_allowed(m, at, &mask, NULL);
            if (status == JL_ERR_UNSUPPORTED) status = JL_OK; // few tokens
        }
    }
    grammar_matcher_free(m);
    grammar_vocab_free(v);
    return status;
}

static enum jl_status run(enum language language, const char *source, const char *text) {
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *g = NULL;
    if (!b) return JL_ERR_MEMORY;
    struct jl_error err = {0};
    enum jl_status status = grammar_compile(b, parse(b, language, source), &g, &err);
    if (status != JL_OK && status != JL_ERR_MEMORY) print_error("%s\n", err.message);
    grammar_builder_free(b);
    if (status == JL_OK) status = follow(g, text);
    grammar_free(g);
    return status;
}

static void test_memory(void **state) {
    (void)state;
    static const struct {
        enum language language;
        const char *source, *text;
    } rows[] = {
        {REGEX, "(a{1,300}b|[^c-e])+x", "abax"},
        {GBNF, "root ::= a | \"(\" root \")\"\na ::= [a-z]+ \"x\"?", "((abx"},
        {SCHEMA,
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"^b+$\","
         "\"maxLength\":4},"
         "\"c\":{\"allOf\":[{\"$ref\":\"#/$defs/"
         "d\"},{\"minimum\":2}]}},\"additionalProperties\":{\"enum\":[1,"
         "\"x\",{\"y\":[]}]},\"$defs\":{\"d\":{\"type\":[\"integer\",\"null\"]}}}",
         "{\"a\": \"bb\", \"c\": 3}"},
        {SCHEMA,
         "{\"oneOf\":[{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},{\"properties\":{"
         "\"k\":{"
         "\"const\":2}},\"required\":[\"k\"]}]}",
         "{\"k\": 2}"},
        {SCHEMA,
         "{\"patternProperties\":{\"^x\":true},\"properties\":{\"a\":{\"type\":\"number\","
         "\"maximum\":2.5}},\"additionalProperties\":false}",
         "{\"a\": 1.5, \"xy\": []}"},
        {MEMBERS,
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":["
         "\"string\","
         "\"null\"]}}}",
         "<p=a>\nfoo\n</p><p=b>\nnull"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum jl_status status = JL_ERR_MEMORY;
        long n = 0;
        for (; status == JL_ERR_MEMORY && n < 20000; n++) {
            short_heap_left = n;
            status = run(rows[i].language, rows[i].source, rows[i].text);
            short_heap_left = -1;
        }
        if (status != JL_OK) fail_msg("row %zu, %ld allocations: %s", i, n, jl_status_name(status));
        assert_in_range(n, 20, 19999);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
