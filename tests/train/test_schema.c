/* JSON Schema: what is valid, and which schemas are refused, with the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/verify/schema.h"

struct verdict {
    const char *schema, *text;
    bool valid;
};

static void judge(const struct verdict *cases) {
    for (; cases->schema; cases++) {
        struct schema *schema;
        struct jl_error err = {0};
        bool valid;
        if (schema_read(cases->schema, strlen(cases->schema), &schema, &err) != JL_OK)
            fail_msg("%s: %s", cases->schema, err.message);
        if (schema_check(schema, cases->text, strlen(cases->text), &valid, &err) != JL_OK)
            fail_msg("%s, %s: %s", cases->schema, cases->text, err.message);
        if (valid != cases->valid)
            fail_msg("under %s, %s is %s", cases->schema, cases->text, valid ? "valid" : "not");
        schema_free(schema);
    }
}

static void types_and_values(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"true", "1", true},
        {"false", "1", false},
        {"{}", "[null]", true},
        {"{}", "[null", false},
        {"{}", "", false},
        {"{}", "{\"a\": 1, \"a\": 1}", false},
        {"{}", " \n7 ", true},
        {"{\"type\": \"integer\"}", "7", true},
        {"{\"type\": \"integer\"}", "7.0", true},
        {"{\"type\": \"integer\"}", "7.5", false},
        {"{\"type\": \"number\"}", "7", true},
        {"{\"type\": \"number\"}", "\"7\"", false},
        {"{\"type\": [\"string\", \"null\"]}", "null", true},
        {"{\"type\": [\"string\", \"null\"]}", "0", false},
        {"{\"type\": \"boolean\"}", "false", true},
        {"{\"type\": \"object\"}", "[]", false},
        {"{\"enum\": [1, {\"a\": [2]}, \"x\"]}", "{\"a\": [2.0]}", true},
        {"{\"enum\": [1, {\"a\": [2]}, \"x\"]}", "{\"a\": [3]}", false},
        {"{\"enum\": [1, true]}", "1.0", true},
        {"{\"enum\": [1]}", "true", false},
        {"{\"const\": null}", "null", true},
        {"{\"const\": \"鱼\"}", "\"\\u9c7c\"", true},
        {"{\"const\": [9007199254740993]}", "[9007199254740992]", false},
        {NULL, NULL, false},
    };
    judge(cases);
}

static void numbers_and_strings(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"{\"minimum\": 3}", "3", true},
        {"{\"minimum\": 3}", "2.9", false},
        {"{\"minimum\": 3}", "\"a\"", true}, // it is about numbers alone
        {"{\"maximum\": 3}", "3.5", false},
        {"{\"exclusiveMinimum\": 3}", "3", false},
        {"{\"exclusiveMinimum\": 3}", "3.1", true},
        {"{\"exclusiveMaximum\": 3}", "3", false},
        {"{\"multipleOf\": 0.1}", "0.3", true},
        {"{\"multipleOf\": 0.1}", "0.35", false},
        {"{\"multipleOf\": 4}", "-8", true},
        {"{\"multipleOf\": 4}", "9", false},
        {"{\"minLength\": 2}", "\"鱼\"", false},
        {"{\"minLength\": 2}", "\"鱼苗\"", true},
        {"{\"maxLength\": 2}", "\"鱼苗\"", true},
        {"{\"maxLength\": 1}", "\"鱼苗\"", false},
        {"{\"pattern\": \"^a+$\"}", "\"aaa\"", true},
        {"{\"pattern\": \"b\"}", "\"abc\"", true}, // anywhere
        {"{\"pattern\": \"^b\"}", "\"abc\"", false},
        {NULL, NULL, false},
    };
    judge(cases);
}

static void arrays(void **state) {
    (void)state;
    static const struct verdict cases[] = {
        {"{\"items\": {\"type\": \"integer\"}}", "[1, 2]", true},
        {"{\"items\": {\"type\": \"integer\"}}", "[1, \"2\"]", false},
        {"{\"prefixItems\": [{\"type\": \"string\"}], \"items\": false}", "[\"a\"]", true},
        {"{\"prefixItems\": [{\"type\": \"string\"}], \"items\": false}", "[\"a\", 1]", false},
        {"{\"prefixItems\": [{\"type\": \"string\"}], \"items\": false}", "[]", true},
        {"{\"prefixItems\": [{\"type\": \"string\"}]}", "[1]", false},
        {"{\"minItems\": 1, \"maxItems\": 2}", "[]", false},
        {"{\"minItems\": 1, \"maxItems\": 2}", "[1, 2]", true},
        {"{\"minItems\": 1, \"maxItems\": 2}", "[1, 2, 3]", false},
        {"{\"uniqueItems\": true}", "[1, 1.0]", false},
        {"{\"uniqueItems\": true}", "[1, \"1\"]", true},
        {"{\"uniqueItems\": false}", "[1, 1]", true},
        {"{\"contains\": {\"const\": 5}}", "[1, 5]", true},
        {"{\"contains\": {\"const\": 5}}", "[1]", false},
        {"{\"contains\": {\"const\": 5}, \"minContains\": 0}", "[1]", true},
        {"{\"contains\": {\"const\": 5}, \"maxContains\": 1}", "[5, 5]", false},
        {NULL, NULL, false},
    };
    judge(cases);
}

static void objects(void **state) {
    (void)state;
    static const char strict[] =
        "{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}, \"n\": "
        "{\"type\": "
        "\"integer\"}}, \"required\": [\"name\"], \"additionalProperties\": false}";
    static const char matched[] = "{\"patternProperties\": {\"^x\": {\"type\": \"integer\"}}, "
                                  "\"additionalProperties\": {\"type\": \"string\"}}";
    static const struct verdict cases[] = {
        {strict, "{\"n\": 3, \"name\": \"a\"}", true}, // in any order
        {strict, "{\"n\": 3}", false},
        {strict, "{\"name\": 3}", false},
        {strict, "{\"name\": \"a\", \"m\": 3}", false},
        {strict, "[]", false},
        {matched, "{\"x1\": 1, \"y\": \"a\"}", true},
        {matched, "{\"x1\": \"a\"}", false},
        {matched, "{\"y\": 1}", false},
        {"{\"propertyNames\": {\"maxLength\": 2}}", "{\"abc\": 1}", false},
        {"{\"propertyNames\": {\"maxLength\": 2}}", "{\"ab\": 1}", true},
        {"{\"minProperties\": 1}", "{}", false},
        {"{\"maxProperties\": 1}", "{\"a\": 1, \"b\": 1}", false},
        {"{\"dependentRequired\": {\"a\": [\"b\"]}}", "{\"a\": 1}", false},
        {"{\"dependentRequired\": {\"a\": [\"b\"]}}", "{\"c\": 1}", true},
        {"{\"dependentSchemas\": {\"a\": {\"minProperties\": 2}}}", "{\"a\": 1}", false},
        {NULL, NULL, false},
    };
    judge(cases);
}

static void combined(void **state) {
    (void)state;
    static const char tree[] =
        "{\"$ref\": \"#/$defs/node\", \"$defs\": {\"node\": {\"type\": \"object\", \"required\": "
        "[\"v\"], \"properties\": {\"v\": {\"type\": \"integer\"}, \"next\": {\"$ref\": "
        "\"#/$defs/node\"}}, \"additionalProperties\": false}}}";
    static const char either[] = "{\"oneOf\": [{\"multipleOf\": 2}, {\"multipleOf\": 3}]}";
    static const char whether[] =
        "{\"if\": {\"properties\": {\"a\": {\"const\": 1}}, \"required\": "
        "[\"a\"]}, \"then\": {\"required\": [\"b\"]}, \"else\": "
        "{\"required\": [\"c\"]}}";
    static const struct verdict cases[] = {
        {tree, "{\"v\": 1, \"next\": {\"v\": 2}}", true},
        {tree, "{\"v\": 1, \"next\": {\"w\": 2}}", false},
        {either, "4", true},
        {either, "6", false},
        {either, "5", false},
        {"{\"anyOf\": [{\"type\": \"string\"}, {\"minimum\": 5}]}", "6", true},
        {"{\"anyOf\": [{\"type\": \"string\"}, {\"minimum\": 5}]}", "4", false},
        {"{\"allOf\": [{\"minimum\": 2}, {\"maximum\": 4}]}", "3", true},
        {"{\"allOf\": [{\"minimum\": 2}, {\"maximum\": 4}]}", "5", false},
        {"{\"not\": {\"type\": \"string\"}}", "\"a\"", false},
        {"{\"not\": {\"type\": \"string\"}}", "1", true},
        {whether, "{\"a\": 1, \"b\": 1}", true},
        {whether, "{\"a\": 1, \"c\": 1}", false},
        {whether, "{\"a\": 2, \"c\": 1}", true},
        {"{\"$ref\": \"#/$defs/a~1b\", \"$defs\": {\"a/b\": {\"const\": 1}}}", "1", true},
        {"{\"$ref\": \"#/$defs/a%20b\", \"$defs\": {\"a b\": {\"const\": 1}}}", "2", false},
        {"{\"$ref\": \"#/allOf/0\", \"allOf\": [{\"minimum\": 2}]}", "1", false},
        {NULL, NULL, false},
    };
    judge(cases);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *schema, *says;
        enum jl_status status;
    } cases[] = {
        {"{", "schema: ", JL_ERR_FORMAT},
        {"3", "# must be an object", JL_ERR_FORMAT},
        {"{\"format\": \"date\"}", "#/format is no keyword", JL_ERR_UNSUPPORTED},
        {"{\"properties\": {\"a\": {\"typ\": \"x\"}}}", "#/properties/a/typ", JL_ERR_UNSUPPORTED},
        {"{\"type\": \"int\"}", "#/type takes", JL_ERR_FORMAT},
        {"{\"type\": []}", "#/type takes", JL_ERR_FORMAT},
        {"{\"enum\": []}", "#/enum takes", JL_ERR_FORMAT},
        {"{\"minimum\": \"1\"}", "#/minimum takes", JL_ERR_FORMAT},
        {"{\"multipleOf\": 0}", "#/multipleOf takes", JL_ERR_FORMAT},
        {"{\"minLength\": -1}", "#/minLength takes", JL_ERR_FORMAT},
        {"{\"pattern\": \"(\"}", "#/pattern", JL_ERR_FORMAT},
        {"{\"patternProperties\": {\"(\": true}}", "#/patternProperties/(", JL_ERR_FORMAT},
        {"{\"required\": \"a\"}", "#/required takes", JL_ERR_FORMAT},
        {"{\"anyOf\": []}", "#/anyOf takes", JL_ERR_FORMAT},
        {"{\"anyOf\": [1]}", "#/anyOf/0 must be", JL_ERR_FORMAT},
        {"{\"$ref\": \"other.json\"}", "#/$ref takes", JL_ERR_FORMAT},
        {"{\"$ref\": \"#/$defs/a\"}", "no schema at $ref #/$defs/a", JL_ERR_FORMAT},
        {"{\"$ref\": \"#/allOf/x\", \"allOf\": [true]}", "no schema at", JL_ERR_FORMAT},
        {"{\"$ref\": \"#/examples/0\", \"examples\": [{\"typ\": 1}]}", "no schema at",
         JL_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema *schema;
        struct jl_error err = {0};
        assert_int_equal(schema_read(cases[i].schema, strlen(cases[i].schema), &schema, &err),
                         cases[i].status);
        assert_null(schema);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].schema, err.message);
    }
}

/* What can have no end, or takes too long, is an error; an answer nested without sense is wrong. */
static void bounds(void **state) {
    (void)state;
    static const char circle[] = "{\"$ref\": \"#\"}";
    static const char deep[] = "{\"items\": {\"$ref\": \"#\"}}";
    struct schema *schema;
    struct jl_error err = {0};
    bool valid;
    assert_int_equal(schema_read(circle, strlen(circle), &schema, &err), JL_OK);
    assert_int_equal(schema_check(schema, "1", 1, &valid, &err), JL_ERR_LIMIT);
    schema_free(schema);
    for (int n = 90; n < 2000; n += 900) {
        char text[4000];
        memset(text, '[', (size_t)n);
        memset(text + n, ']', (size_t)n);
        assert_int_equal(schema_read(deep, strlen(deep), &schema, &err), JL_OK);
        assert_int_equal(schema_check(schema, text, 2 * (size_t)n, &valid, &err), JL_OK);
        assert_int_equal(valid, n == 90);
        schema_free(schema);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_values), cmocka_unit_test(numbers_and_strings),
        cmocka_unit_test(arrays),           cmocka_unit_test(objects),
        cmocka_unit_test(combined),         cmocka_unit_test(refuses),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
