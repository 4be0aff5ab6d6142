/* What masks let through is valid: random schemas, random walks, and a checker of its own. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "random_json.h"
#include "validate.h"

enum { SCHEMAS = 400, DOCUMENTS = 12, TOKENS = 400 };

struct tally {
    int schemas, refused, documents, unfinished;
};

static void check_document(const json_t *schema, const char *text, size_t len) {
    json_t *value;
    json_error_t error;
    size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY;
    if (jl_json_load(text, len, flags, &value, &error) != JL_OK)
        fail_msg("%s is no JSON: %s", text, error.text);
    if (!validate(schema, schema, value)) {
        char *shown = json_dumps(schema, 0);
        fail_msg("%s is not valid under %s", text, shown);
    }
    json_decref(value);
}

static void check_schema(const json_t *schema, const struct grammar_vocab *v, enum language form,
                         uint64_t *seed, struct tally *tally) {
    char *text = json_dumps(schema, JSON_COMPACT);
    struct jl_error err;
    struct grammar *g = try_compile(form, text, &err);
    tally->schemas++;
    if (!g) { // a random schema may ask for what cannot be, or for two patterns of one name
        assert_true(err.status == JL_ERR_UNSUPPORTED);
        tally->refused++;
        free(text);
        return;
    }
    struct grammar_matcher *m;
    if (grammar_matcher_new(g, v, NULL, &m, &err) != JL_OK) fail_msg("%s", err.message);
    for (int i = 0; i < DOCUMENTS; i++) {
        size_t len;
        char *document = random_document(m, v, seed, TOKENS, &len);
        if (document) check_document(schema, document, len);
        tally->documents += document != NULL;
        tally->unfinished += document == NULL;
        free(document);
    }
    grammar_matcher_free(m);
    grammar_free(g);
    free(text);
}

static void test_documents(void **state) {
    (void)state;
    static const enum language forms[] = {SCHEMA, SCHEMA_COMPACT, SCHEMA_LINES, SCHEMA_OPEN};
    struct grammar_vocab *v = random_json_vocab();
    struct tally tally = {0};
    for (uint64_t i = 0; i < SCHEMAS; i++) {
        uint64_t seed = i;
        json_t *schema = random_schema(&seed);
        assert_non_null(schema);
        check_schema(schema, v, forms[i % 4], &seed, &tally);
        json_decref(schema);
    }
    printf("%d schemas (%d refused), %d documents (%d unfinished)\n", tally.schemas, tally.refused,
           tally.documents, tally.unfinished);
    assert_in_range(tally.refused, 0, SCHEMAS / 5);
    assert_in_range(tally.unfinished, 0, tally.documents / 20);
    grammar_vocab_free(v);
}

/* The checker itself can say no. */
static void test_validate(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"{\"type\":\"integer\"}", "1.5"},
        {"{\"maxLength\":1}", "\"ab\""},
        {"{\"pattern\":\"^a\"}", "\"ba\""},
        {"{\"required\":[\"a\"]}", "{}"},
        {"{\"items\":{\"type\":\"null\"}}", "[1]"},
        {"{\"oneOf\":[true,true]}", "1"},
        {"{\"enum\":[1]}", "2"},
        {"{\"additionalProperties\":false}", "{\"a\":1}"},
        {"{\"exclusiveMaximum\":1}", "1"},
        {"{\"multipleOf\":3}", "4"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *schema = json_loads(bad[i][0], JSON_DECODE_ANY, NULL);
        json_t *value = json_loads(bad[i][1], JSON_DECODE_ANY, NULL);
        assert_false(validate(schema, schema, value));
        assert_true(validate(schema, json_true(), value));
        json_decref(schema);
        json_decref(value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_documents),
                                       cmocka_unit_test(test_validate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
