/* Schemas of tools with what no grammar follows: it is left out, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/builder.h"
#include "serve/relax.h"

static enum jl_status try(const json_t *schema, struct jl_error *err) {
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *grammar = NULL;
    char *text = json_dumps(schema, JSON_COMPACT);
    enum jl_status status =
        grammar_compile(b, grammar_json_schema(b, text, strlen(text), NULL), &grammar, err);
    grammar_free(grammar);
    grammar_builder_free(b);
    free(text);
    return status;
}

static void left_out(void **state) {
    static const struct {
        const char *schema, *becomes;
    } cases[] = {
        {"{'type': 'string', 'format': 'path'}", "{'type': 'string'}"},
        {"{'type': 'integer', 'format': 'uint64'}", "{'type': 'integer'}"},
        {"{'type': 'string', 'pattern': 'a(?!b)'}", "{'type': 'string'}"},
        {"{'type': 'object', 'propertyNames': {'pattern': 'a'}}", "{'type': 'object'}"},
        {"{'type': 'array', 'items': {'type': 'string'}, 'uniqueItems': true}",
         "{'type': 'array', 'items': {'type': 'string'}}"},
        {"{'oneOf': [{'type': 'string'}, {'type': 'string', 'maxLength': 2}]}",
         "{'anyOf': [{'type': 'string'}, {'type': 'string', 'maxLength': 2}]}"},
        {"{'properties': {'a/b': {'type': 'string', 'format': 'nope'}, 'c: d': {'not': {}}}}",
         "{'properties': {'a/b': {'type': 'string'}, 'c: d': {}}}"},
        {"{'type': 'object', 'properties': {'n': {'anyOf': [{'type': 'number', 'odd': 1}, {'type': "
         "'null'}]}}, 'required': ['n']}",
         "{'type': 'object', 'properties': {'n': {'anyOf': [{'type': 'number'}, {'type': "
         "'null'}]}}, 'required': ['n']}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *pair[2];
        struct jl_error err = {0};
        for (int k = 0; k < 2; k++) {
            char *text = strdup(k ? cases[i].becomes : cases[i].schema);
            for (char *at = text; (at = strchr(at, '\'')); at++)
                *at = '"';
            pair[k] = json_loads(text, 0, NULL);
            assert_non_null(pair[k]);
            free(text);
        }
        int tries = 0;
        while (try(pair[0], &err) != JL_OK) {
            if (!relax_schema(pair[0], err.message) || ++tries > 20)
                fail_msg("%s: %s", cases[i].schema, err.message);
        }
        if (!json_equal(pair[0], pair[1])) {
            char *text = json_dumps(pair[0], 0);
            fail_msg("%s became %s", cases[i].schema, text);
        }
        assert_true(tries > 0);
        json_decref(pair[0]);
        json_decref(pair[1]);
    }
}

static void nothing_is_found(void **state) {
    (void)state;
    json_t *schema = json_pack("{s:s}", "type", "object");
    assert_false(relax_schema(schema, "out of memory"));
    assert_false(relax_schema(schema, "the schema at #/properties/x: \"y\" is odd"));
    assert_false(relax_schema(schema, "the schema at nowhere"));
    assert_int_equal(json_object_size(schema), 1);
    assert_true(relax_schema(schema, "the schema at #: there is no telling"));
    assert_int_equal(json_object_size(schema), 0);
    json_decref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(left_out),
                                       cmocka_unit_test(nothing_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
