/* JSON Schema: what is accepted, what is refused, what is not supported. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#define OBJ "\"type\":\"object\""

static void test_scalars(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"{\"type\":\"null\"}", {"null"}, {"", "nul", "true"}},
        {"{\"type\":\"boolean\"}", {"true", "false"}, {"null", "True"}},
        {"{\"type\":[\"null\",\"boolean\"]}", {"null", "true"}, {"0"}},
        {"{\"type\":\"integer\"}",
         {"0", "-1", "123456789012345678"},
         {"", "01", "1.0", "+1", "1e2", "-", "1234567890123456789"}},
        {"{\"type\":\"number\"}",
         {"0", "-1.5", "1e9", "2.5E-3", "0.001", "10"},
         {"01", ".5", "1.", "1e", "--1", "1e999"}},
        {"{\"type\":\"string\"}",
         {"\"\"", "\"a\xC3\xA9\"", "\"\\n\\u00e9\\\"\\/\"", "\"\\ud83d\\ude00\"",
          "\"\\uD7FF\\uE000\""},
         {"\"", "a", "\"\n\"", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"",
          "\"\xC3\"", "\"\x01\"", "\"a\"b"}},
        {"{\"const\":\"a\\\"\\u00e9/\"}", {"\"a\\\"\xC3\xA9/\""}, {"\"a\""}},
        {"{\"enum\":[1,\"x\",null,true,[1,{\"a\":2}]]}",
         {"1", "\"x\"", "null", "true", "[1, {\"a\": 2}]", "[1,{\"a\":2}]"},
         {"2", "false", "[1]", "[1,  {\"a\":2}]"}},
        {"{\"type\":\"string\",\"enum\":[1,\"x\"]}", {"\"x\""}, {"1"}},
        {"{\"enum\":[1,2,3],\"const\":2}", {"2"}, {"1"}},
        {"{\"const\":1.5}", {"1.5"}, {"1", "1.50"}},
        {"true",
         {"1", "[{}]", "{\"a\": [1, null]}", "\"x\""},
         {"", "nil", "[1,]", "{,}", "{\"a\"}"}},
        {"{}", {"1", "[]"}, {""}},
        {"{\"title\":\"t\",\"description\":\"d\",\"default\":1,\"$schema\":\"s\",\"type\":"
         "\"null\"}",
         {"null"},
         {"1"}},
    };
    check_cases(SCHEMA, cases, sizeof cases / sizeof *cases);
}

static void test_strings(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
         {"\"ab\"", "\"a\\n\\u0041\"", "\"\xF0\x9F\x98\x80\\ud83d\\ude00x\""},
         {"\"a\"", "\"abcd\"", "\"\""}},
        {"{\"minLength\":1}", {"\"a\"", "\"\\\\\""}, {"\"\"", "1"}},
        {"{\"type\":\"string\",\"maxLength\":0}", {"\"\""}, {"\"a\""}},
        {"{\"type\":\"string\",\"maxLength\":99999999999999}", {"\"a\""}, {"a"}},
        {"{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}",
         {"\"abc\""},
         {"\"\"", "\"a1\"", "\"\\u0061\""}},
        {"{\"type\":\"string\",\"pattern\":\"b\"}",
         {"\"b\"", "\"abc\"", "\"\\nb\\\"\""},
         {"\"ac\"", "\"\""}},
        {"{\"type\":\"string\",\"pattern\":\"^a|b$\"}",
         {"\"ax\"", "\"xb\"", "\"a\""},
         {"\"xa\"", "\"bx\""}},
        {"{\"type\":\"string\",\"pattern\":\"^[\\\\\\\\\\\"\\\\n]+$\"}",
         {"\"\\\\\\\"\\n\""},
         {"\"n\""}},
        {"{\"type\":\"string\",\"pattern\":\"^(ab)*$\",\"minLength\":3,\"maxLength\":5}",
         {"\"abab\""},
         {"\"ab\"", "\"ababab\"", "\"\""}},
        {"{\"type\":\"string\",\"pattern\":\"^(a{10}|b)$\",\"maxLength\":5}",
         {"\"b\""},
         {"\"aaaaaaaaaa\"", "\"a\""}},
        {"{\"type\":\"string\",\"pattern\":\"x\",\"minLength\":4}",
         {"\"xaaa\"", "\"aaax\"", "\"aaaaaaxaaa\""},
         {"\"x\"", "\"aaaa\""}},
        {"{\"type\":\"string\",\"format\":\"date\"}",
         {"\"2024-02-29\"", "\"2000-02-29\"", "\"2023-12-31\""},
         {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-13-01\"", "\"2024-04-31\"", "\"2024-1-1\"",
          "\"2024-00-10\""}},
        {"{\"type\":\"string\",\"format\":\"time\"}",
         {"\"23:59:59Z\"", "\"00:00:00.5+01:30\""},
         {"\"24:00:00Z\"", "\"10:00:00\""}},
        {"{\"type\":\"string\",\"format\":\"date-time\"}",
         {"\"2024-05-06T07:08:09Z\""},
         {"\"2024-05-06 07:08:09Z\""}},
        {"{\"type\":\"string\",\"format\":\"duration\"}",
         {"\"P1Y2M3DT4H5M6S\"", "\"PT1M\"", "\"P2W\"", "\"P1DT1S\""},
         {"\"P\"", "\"PT\"", "\"P1DT\"", "\"1D\"", "\"P1D1Y\""}},
        {"{\"type\":\"string\",\"format\":\"uuid\"}",
         {"\"123e4567-e89b-12d3-a456-426614174000\""},
         {"\"123e4567\""}},
        {"{\"type\":\"string\",\"format\":\"ipv4\"}",
         {"\"0.0.0.0\"", "\"255.249.99.1\""},
         {"\"256.0.0.1\"", "\"1.2.3\"", "\"01.2.3.4\""}},
        {"{\"type\":\"string\",\"format\":\"ipv6\"}",
         {"\"::\"", "\"::1\"", "\"fe80::1:2\"", "\"1:2:3:4:5:6:7:8\"", "\"1:2:3:4:5:6:7::\""},
         {"\"1:2:3:4:5:6:7\"", "\"::1::\"", "\":\"", "\"1:2:3:4:5:6:7:8:9\"", "\"12345::\""}},
        {"{\"type\":\"string\",\"format\":\"email\"}",
         {"\"a.b@c.de\"", "\"x+y@mail.example.org\""},
         {"\"a@b\"", "\"a\"", "\".a@b.c\"", "\"a@-b.c\""}},
        {"{\"type\":\"string\",\"format\":\"hostname\"}",
         {"\"a\"", "\"a-b.c\""},
         {"\"-a\"", "\"a-\"", "\"a..b\""}},
        {"{\"type\":\"string\",\"format\":\"uri\"}",
         {"\"http://a.b/c?d=e#f\"", "\"x://y\"", "\"https://h:80/%20\""},
         {"\"a\"", "\"http://\"", "\"http://a b\"", "\"x://y/%2\""}},
        {"{\"type\":\"string\",\"format\":\"uri\",\"minLength\":1,\"maxLength\":2083}",
         {"\"http://a/b\""},
         {"\"a\""}},
        {"{\"type\":\"string\",\"format\":\"ipv4\",\"maxLength\":8}",
         {"\"10.0.0.1\""},
         {"\"10.0.0.10\""}},
    };
    check_cases(SCHEMA, cases, sizeof cases / sizeof *cases);
}

static void test_numbers(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"{\"type\":\"integer\",\"minimum\":-3,\"maximum\":12}",
         {"-3", "-1", "0", "9", "10", "12"},
         {"-4", "13", "-0", "20", "120"}},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":100}",
         {"1", "99"},
         {"0", "100", "-1"}},
        {"{\"type\":\"integer\",\"minimum\":0.5,\"maximum\":3.5}", {"1", "3"}, {"0", "4"}},
        {"{\"type\":\"integer\",\"maximum\":-0.5}", {"-1", "-100"}, {"0", "1"}},
        {"{\"type\":\"integer\",\"minimum\":199,\"maximum\":5020}",
         {"199", "999", "1000", "5020", "4999"},
         {"198", "5021", "99", "6000", "0199"}},
        {"{\"minimum\":0,\"maximum\":1}",
         {"0", "1", "0.5", "0.000000001", "1.0", "0.0"},
         {"-0.1", "1.1", "2", "1.0001", "-1"}},
        {"{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}",
         {"0.5", "0.01", "0.9999"},
         {"0", "0.0", "1", "1.0"}},
        {"{\"type\":\"number\",\"minimum\":-1.25,\"maximum\":2.75}",
         {"-1.25", "-1.2", "-1", "-0.5", "0", "2.7", "2.75", "2.749", "1.999", "-1.250"},
         {"-1.26", "-1.3", "2.76", "2.8", "3", "-2", "2.7501"}},
        {"{\"type\":\"number\",\"minimum\":100}",
         {"100", "100.0", "999", "1000.5"},
         {"99.9", "1", "-100"}},
        {"{\"type\":\"number\",\"maximum\":-0.5}",
         {"-0.5", "-0.51", "-1", "-100"},
         {"-0.4", "0", "1", "-0"}},
        {"{\"type\":\"number\",\"exclusiveMaximum\":0}",
         {"-1", "-0.001"},
         {"0", "-0", "-0.0", "1"}},
        {"{\"type\":\"number\",\"minimum\":0.25,\"maximum\":0.5}",
         {"0.25", "0.3", "0.5", "0.50", "0.499"},
         {"0.2", "0.249", "0.51", "0.501", "0", "1"}},
        {"{\"type\":\"number\",\"minimum\":3,\"maximum\":3}", {"3", "3.0"}, {"3.1", "2.9"}},
        {"{\"type\":\"number\",\"minimum\":-1e300,\"maximum\":1e30}", {"5", "-5.5"}, {"a"}},
        {"{\"type\":\"integer\",\"multipleOf\":5}",
         {"0", "5", "-10", "12345", "100"},
         {"1", "12", "05", "-0"}},
        {"{\"type\":\"integer\",\"multipleOf\":100,\"minimum\":1}",
         {"100", "1200"},
         {"0", "50", "-100"}},
        {"{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":-8,\"maximum\":21}",
         {"-7", "0", "7", "14", "21"},
         {"-14", "1", "28"}},
    };
    check_cases(SCHEMA, cases, sizeof cases / sizeof *cases);
}

static void test_objects(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"{" OBJ ",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"null\"},\"c\":"
         "true},\"required\":[\"b\"]}",
         {"{\"b\": null}", "{\"a\": 1, \"b\": null}", "{\"a\":1,\"b\":null,\"c\":[]}"},
         {"{}", "{\"a\": 1}", "{\"b\": null, \"a\": 1}", "{\"b\":null,}", "{\"b\":null,\"d\":1}",
          "{\"b\":null,\"b\":null}", "{ \"b\":null}", "{\"b\" : null}", "{\"b\":  null}"}},
        {"{" OBJ "}", {"{}", "{\"x\": {\"y\": [1, 2]}}"}, {"[]", "{x:1}"}},
        {"{" OBJ ",\"properties\":{},\"additionalProperties\":false}", {"{}"}, {"{\"a\":1}"}},
        {"{" OBJ ",\"properties\":{\"ab\":{\"type\":\"integer\"},\"a\\\"\":true},"
         "\"additionalProperties\":{\"type\":\"null\"}}",
         {"{}", "{\"ab\": 1, \"x\": null, \"y\":null}", "{\"a\":null}",
          "{\"abc\":null,\"\":null,\"b\\n\":null}"},
         {"{\"x\": null, \"ab\": 1}", "{\"ab\": null}", "{\"ab\":1,\"ab\":null}",
          "{\"\\u0061b\": null}", "{\"a\\\"\":null,\"a\\\"\":null}", "{\"x\":1}"}},
        {"{" OBJ ",\"additionalProperties\":{\"type\":\"integer\"},\"minProperties\":1,"
         "\"maxProperties\":2}",
         {"{\"a\":1}", "{\"a\":1, \"b\":2}"},
         {"{}", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":null}"}},
        {"{" OBJ ",\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}},\"properties\":{\"a\":"
         "true},\"additionalProperties\":false}",
         {"{}", "{\"a\":1}", "{\"x-\":1,\"x-y\":2}", "{\"a\":null, \"x-a\":1}"},
         {"{\"y\":1}", "{\"x-a\":null}"}},
        {"{" OBJ ",\"required\":[\"z\"]}",
         {"{\"z\":1}", "{\"z\":[], \"y\":2}"},
         {"{}", "{\"y\":1}"}},
        {"{" OBJ ",\"properties\":{\"a\":false,\"b\":true}}", {"{}", "{\"b\":1}"}, {"{\"a\":1}"}},
        {"{\"properties\":{\"a\":true}}", {"{}", "{\"a\":1}"}, {"1", "[]"}},
    };
    check_cases(SCHEMA, cases, sizeof cases / sizeof *cases);
    static const struct text_case compact[] = {{"{" OBJ ",\"properties\":{\"a\":true,\"b\":true}}",
                                                {"{\"a\":1,\"b\":[1,2]}"},
                                                {"{\"a\": 1}", "{\"a\":1, \"b\":2}"}}};
    check_cases(SCHEMA_COMPACT, compact, 1);
    static const struct text_case lines[] = {
        {"{" OBJ ",\"properties\":{\"a\":true,\"b\":true}}",
         {"{\"a\":1,\"b\":[1,2]}", "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2\n  ]\n}", "{}"},
         {"{ \"a\":1}", "{\n\n\"a\":1}", "{\"a\"\n:1}"}}};
    check_cases(SCHEMA_LINES, lines, 1);
    static const struct text_case open[] = {{"{" OBJ ",\"properties\":{\"a\":{\"type\":\"null\"}}}",
                                             {"{}", "{\"a\":null,\"b\":1}", "{\"b\":1}"},
                                             {"{\"a\":1}", "{\"b\":1,\"a\":null}"}}};
    check_cases(SCHEMA_OPEN, open, 1);
}

static void test_arrays(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
         {"[]", "[1]", "[1, 2,3]"},
         {"[,]", "[1,]", "[null]", "[1 ,2]"}},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":3}",
         {"[1,2]", "[1,2,3]"},
         {"[]", "[1]", "[1,2,3,4]"}},
        {"{\"type\":\"array\",\"minItems\":1}", {"[[]]", "[1,\"a\"]"}, {"[]"}},
        {"{\"type\":\"array\",\"maxItems\":0}", {"[]"}, {"[1]"}},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"null\"}],"
         "\"items\":false}",
         {"[]", "[1]", "[1,null]"},
         {"[null]", "[1,null,1]", "[1,1]"}},
        {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"}],\"items\":{\"type\":"
         "\"null\"},\"minItems\":2}",
         {"[1,null]", "[1,null,null]"},
         {"[1]", "[]", "[1,1]"}},
        {"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},"
         "\"maxItems\":400},\"maxItems\":500}",
         {"[]", "[[true],[false,true]]"},
         {"[true]"}},
        {"{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[\"a\",\"b\",3]}}",
         {"[]", "[\"a\"]", "[\"a\",3]", "[\"a\", \"b\", 3]", "[3]"},
         {"[\"a\",\"a\"]", "[3,3]", "[\"a\",\"b\",3,3]", "[,3]"}},
        {"{\"type\":\"array\",\"uniqueItems\":true,\"minItems\":1,\"items\":{\"type\":\"string\","
         "\"enum\":[\"a\",\"b\"]}}",
         {"[\"a\"]", "[\"b\"]", "[\"a\",\"b\"]"},
         {"[]"}},
        {"{\"type\":\"array\",\"items\":false}", {"[]"}, {"[1]"}},
    };
    check_cases(SCHEMA, cases, sizeof cases / sizeof *cases);
}

static void test_combined(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", {"1", "\"a\""}, {"null"}},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", {"1", "null"}, {"\"a\""}},
        {"{\"oneOf\":[{" OBJ ",\"properties\":{\"k\":{\"const\":\"a\"},\"v\":{\"type\":\"integer\"}"
         "},\"required\":[\"k\"]},{" OBJ
         ",\"properties\":{\"k\":{\"const\":\"b\"}},\"required\":[\"k\"]}]}",
         {"{\"k\":\"a\",\"v\":1}", "{\"k\":\"b\"}"},
         {"{\"k\":\"c\"}", "{\"k\":\"b\",\"v\":1}"}},
        {"{\"oneOf\":[{" OBJ
         ",\"properties\":{\"a\":true},\"required\":[\"a\"],\"additionalProperties\":false},{" OBJ
         ",\"properties\":{\"b\":true},\"required\":[\"b\"],\"additionalProperties\":false}]}",
         {"{\"a\":1}", "{\"b\":1}"},
         {"{}"}},
        {"{\"allOf\":[{\"type\":\"integer\",\"minimum\":3},{\"maximum\":5}]}",
         {"3", "5"},
         {"2", "6"}},
        {"{" OBJ
         ",\"properties\":{\"a\":{\"type\":\"integer\"}},\"allOf\":[{\"properties\":{\"b\":{"
         "\"type\":\"null\"}},\"required\":[\"b\"]},{\"properties\":{\"a\":{\"minimum\":5}}}]}",
         {"{\"a\":5,\"b\":null}", "{\"b\":null}"},
         {"{\"a\":4,\"b\":null}", "{}"}},
        {"{\"allOf\":[{\"properties\":{\"a\":true},\"additionalProperties\":false,\"type\":"
         "\"object\"},{\"properties\":{\"b\":true}}]}",
         {"{}", "{\"a\":1}"},
         {"{\"b\":1}"}},
        {"{\"type\":\"string\",\"anyOf\":[{\"maxLength\":1},{\"minLength\":3}]}",
         {"\"a\"", "\"abc\""},
         {"\"ab\""}},
        {"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"type\":\"null\"}}}", {"null"}, {"1"}},
        {"{\"$defs\":{\"t\":{" OBJ
         ",\"properties\":{\"v\":{\"type\":\"integer\"},\"n\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
         "t\"},{\"type\":\"null\"}]}},\"required\":[\"v\"]}},\"$ref\":\"#/$defs/t\"}",
         {"{\"v\":1}", "{\"v\":1,\"n\":{\"v\":2,\"n\":null}}"},
         {"{\"n\":null}", "{\"v\":1,\"n\":{}}"}},
        {"{" OBJ ",\"properties\":{\"c\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}}}",
         {"{\"c\":[{},{\"c\":[]}]}"},
         {"{\"c\":[1]}"}},
        {"{\"$defs\":{\"n\":{" OBJ ",\"properties\":{\"k\":{\"$ref\":\"#/$defs/"
         "n\",\"required\":[\"k\"]}}}},\"$ref\":\"#/$defs/n\"}",
         {"{}"},
         {"{\"k\":{}}"}},
        {"{\"allOf\":[{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]},{\"anyOf\":[{"
         "\"minimum\":3},{\"maxLength\":1}]}]}",
         {"3", "\"a\""},
         {"null"}},
        {"{\"allOf\":[{\"enum\":[1,2,3]},{\"enum\":[2,3,4]}]}", {"2", "3"}, {"1", "4"}},
    };
    check_cases(SCHEMA, cases, sizeof cases / sizeof *cases);
}

static void test_refused(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {"{", JL_ERR_FORMAT, "no JSON"},
        {"3", JL_ERR_FORMAT, "a schema is an object"},
        {"{\"properties\":{\"a/b\":{\"not\":{}}}}", JL_ERR_UNSUPPORTED,
         "#/properties/a~1b: the keyword \"not\""},
        {"{\"if\":true}", JL_ERR_UNSUPPORTED, "\"if\""},
        {"{\"items\":{\"anyOf\":[true,{\"foo\":1}]}}", JL_ERR_UNSUPPORTED,
         "#/items/anyOf/1: the keyword \"foo\""},
        {"{\"type\":\"text\"}", JL_ERR_FORMAT, "names no type"},
        {"{\"type\":\"array\",\"uniqueItems\":true}", JL_ERR_UNSUPPORTED, "uniqueItems"},
        {"{\"type\":\"array\",\"minItems\":-1}", JL_ERR_FORMAT, "natural number"},
        {"{\"type\":\"array\",\"minItems\":1.5}", JL_ERR_FORMAT, "natural number"},
        {"{\"type\":\"string\",\"minLength\":5000000000}", JL_ERR_LIMIT, "least count"},
        {"{\"type\":\"string\",\"format\":\"color\"}", JL_ERR_UNSUPPORTED, "\"color\""},
        {"{\"type\":\"string\",\"pattern\":\"(?=a)\"}", JL_ERR_UNSUPPORTED,
         "the pattern at #/pattern: lookaround"},
        {"{\"type\":\"string\",\"pattern\":\"a\",\"format\":\"date\"}", JL_ERR_UNSUPPORTED,
         "beside \"format\""},
        {"{\"type\":\"number\",\"multipleOf\":0.01}", JL_ERR_UNSUPPORTED, "multipleOf"},
        {"{\"type\":\"integer\",\"multipleOf\":7}", JL_ERR_UNSUPPORTED, "multipleOf"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", JL_ERR_UNSUPPORTED,
         "alternatives 0 and 1"},
        {"{\"oneOf\":[{\"properties\":{\"a\":true}},{\"properties\":{\"b\":true}}]}",
         JL_ERR_UNSUPPORTED, "oneOf"},
        {"{\"oneOf\":[{\"const\":1.0},{\"const\":1}]}", JL_ERR_UNSUPPORTED, "oneOf"},
        {"{\"anyOf\":[]}", JL_ERR_FORMAT, "anyOf"},
        {"{\"$ref\":\"http://x\"}", JL_ERR_UNSUPPORTED, "$ref"},
        {"{\"$ref\":\"#/$defs/x\"}", JL_ERR_FORMAT, "nothing is at #/$defs/x"},
        {"{\"$ref\":\"#\"}", JL_ERR_UNSUPPORTED, "no text at all"},
        {"{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}},\"$ref\":\"#/"
         "$defs/a\"}",
         JL_ERR_UNSUPPORTED, "no text at all"},
        {"{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", JL_ERR_UNSUPPORTED,
         "\"#\" is left-recursive"},
        {"{\"allOf\":[{\"$ref\":\"#\"}]}", JL_ERR_LIMIT, "is there a circle?"},
        {"{\"enum\":[1],\"minimum\":0}", JL_ERR_UNSUPPORTED, "\"minimum\" beside \"enum\""},
        {"{\"type\":\"string\",\"enum\":[1]}", JL_ERR_UNSUPPORTED, "no text at all"},
        {"false", JL_ERR_UNSUPPORTED, "no text at all"},
        {"{\"required\":[\"a\"],\"additionalProperties\":false}", JL_ERR_UNSUPPORTED,
         "no text at all"},
        {"{\"properties\":{\"a\":true},\"minProperties\":1}", JL_ERR_UNSUPPORTED, "minProperties"},
        {"{\"patternProperties\":{\"a\":true,\"b\":true},\"additionalProperties\":false}",
         JL_ERR_UNSUPPORTED, "patternProperties"},
        {"{\"patternProperties\":{\"a\":true},\"properties\":{\"ba\":true},"
         "\"additionalProperties\":false}",
         JL_ERR_UNSUPPORTED, "also matches"},
        {"{\"type\":\"integer\",\"type\":\"string\"}", JL_ERR_FORMAT, "duplicate"},
        {"{\"minimum\":\"1\"}", JL_ERR_FORMAT, "must be numbers"},
        {"{\"allOf\":[{\"pattern\":\"a\"},{\"pattern\":\"b\"}]}", JL_ERR_UNSUPPORTED,
         "two different \"pattern\""},
    };
    check_errors(SCHEMA, cases, sizeof cases / sizeof *cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_objects),
        cmocka_unit_test(test_arrays),  cmocka_unit_test(test_combined),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
