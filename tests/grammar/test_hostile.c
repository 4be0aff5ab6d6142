/* What a stranger may send: an error, or bounded work; never a crash. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* `head`, n times `part`, `middle`, n times `back`, `tail`. */
static char *repeated(const char *head, const char *part, const char *middle, const char *back,
                      size_t n, const char *tail) {
    size_t len = strlen(head) + n * (strlen(part) + strlen(back)) + strlen(middle) +
                 (tail ? strlen(tail) : 0);
    char *text = malloc(len + 1), *at = text;
    at = stpcpy(at, head);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, part);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, back);
    if (tail) strcpy(at, tail);
    return text;
}

static bool text_matches(const struct grammar *g, const char *text) {
    return matches(g, text, strlen(text));
}

static void check_repeated(enum language language, const char *const parts[5], size_t n,
                           enum jl_status status) {
    char *text = repeated(parts[0], parts[1], parts[2], parts[3], n, parts[4]);
    struct jl_error err = {0};
    double start = clock_seconds();
    struct grammar *g = try_compile(language, text, &err);
    if (g) err.status = JL_OK;
    if (err.status != status)
        fail_msg("%.60s... %zu times: %s (%s)", text, n, jl_status_name(err.status),
                 g ? "" : err.message);
    assert_true(clock_seconds() - start < 20);
    grammar_free(g);
    free(text);
}

static void test_nesting(void **state) {
    (void)state;
    static const char *const groups[5] = {"", "(", "a", ")"}, *const open[5] = {"", "(", "", ""};
    static const char *const stars[5] = {"", "(?:", "a", ")*"};
    static const char *const gbnf[5] = {"root ::= ", "( ", "\"a\"", " )"};
    static const char *const items[5] = {"", "{\"items\":", "{}", "}"};
    static const char *const any[5] = {"", "{\"anyOf\":[", "{}", "]}"};
    static const char *const all[5] = {"", "{\"allOf\":[", "{}", "]}"};
    static const char *const not_closed[5] = {"", "{\"items\":", "", ""};
    static const char *const lists[5] = {"{\"const\":[", "[", "", "]", "]}"};
    const size_t sizes[] = {150, 3000, 60000};
    for (int i = 0; i < 3; i++) {
        check_repeated(REGEX, groups, sizes[i], i ? JL_ERR_LIMIT : JL_OK);
        check_repeated(REGEX, stars, sizes[i], i ? JL_ERR_LIMIT : JL_OK);
        check_repeated(REGEX, open, sizes[i], i ? JL_ERR_LIMIT : JL_ERR_FORMAT);
        check_repeated(GBNF, gbnf, sizes[i], i ? JL_ERR_LIMIT : JL_OK);
        check_repeated(SCHEMA, any, sizes[i], i == 0 ? JL_OK : JL_ERR_FORMAT);
        check_repeated(SCHEMA, not_closed, sizes[i], JL_ERR_FORMAT);
    }
    check_repeated(SCHEMA, items, 150, JL_OK);
    check_repeated(SCHEMA, items, 1000, JL_ERR_LIMIT);
    check_repeated(SCHEMA, items, 3000, JL_ERR_FORMAT); // beyond what the JSON reader takes
    check_repeated(SCHEMA, all, 100, JL_OK);
    check_repeated(SCHEMA, all, 1000, JL_ERR_LIMIT);
    check_repeated(SCHEMA, lists, 100, JL_OK);
    check_repeated(SCHEMA, lists, 1000, JL_ERR_LIMIT);
}

static void test_size(void **state) {
    (void)state;
    static const char *const copies[5] = {"", "(a{16}b|", "", "c){16}"};
    check_repeated(REGEX, copies, 100, JL_OK); // counters, not copies
    static const char *const large[5] = {"", "a", "", ""};
    check_repeated(REGEX, large, 200000, JL_OK);
    check_repeated(REGEX, large, 2000000, JL_ERR_LIMIT);
    // x0 twice in x1, twice in x2...: small as text, 2^40 as copies.
    char text[4096];
    int len = snprintf(text, sizeof text, "root ::= x40\nx0 ::= \"a\"\n");
    for (int i = 1; i <= 40; i++)
        len +=
            snprintf(text + len, sizeof text - (size_t)len, "x%d ::= x%d x%d\n", i, i - 1, i - 1);
    struct grammar *g = compile(GBNF, text);
    assert_in_range(grammar_positions(g), 1, 2000);
    struct grammar_matcher *m = byte_matcher(g);
    struct grammar_state at = grammar_start(m);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(grammar_accept_bytes(m, &at, "a", 1, NULL), JL_OK);
    byte_matcher_free(m);
    grammar_free(g);
    // The same through allOf, anyOf and references.
    len = snprintf(text, sizeof text,
                   "{\"$ref\":\"#/$defs/x30\",\"$defs\":{\"x0\":{\"type\":\"null\"}");
    for (int i = 1; i <= 30; i++)
        len +=
            snprintf(text + len, sizeof text - (size_t)len,
                     ",\"x%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/x%d\"},{\"$ref\":\"#/$defs/x%d\"}]}",
                     i, i - 1, i - 1);
    snprintf(text + len, sizeof text - (size_t)len, "}}");
    grammar_free(compile(SCHEMA, text));
    len = snprintf(text, sizeof text,
                   "{\"$ref\":\"#/$defs/x30\",\"$defs\":{\"x0\":{\"type\":\"null\"}");
    for (int i = 1; i <= 30; i++)
        len +=
            snprintf(text + len, sizeof text - (size_t)len,
                     ",\"x%d\":{\"allOf\":[{\"$ref\":\"#/$defs/x%d\"},{\"$ref\":\"#/$defs/x%d\"}]}",
                     i, i - 1, i - 1);
    snprintf(text + len, sizeof text - (size_t)len, "}}");
    struct error_case far = {text, JL_ERR_LIMIT, "lead too far"};
    check_errors(SCHEMA, &far, 1);
}

/* Patterns that make backtracking engines slow, and those that make automata large. */
static void test_ambiguous(void **state) {
    (void)state;
    static const char *const patterns[] = {"(a+)+b",
                                           "(a|aa|aaa)*b",
                                           "(a*)*(a*)*(a*)*b",
                                           "[ab]*a[ab]{200}",
                                           "(?:a{1,300}){1,300}b",
                                           "(?:a?){200}b",
                                           "(?:(?:a|b)*a){30}",
                                           "(?:.*a){20}b",
                                           "(?:a|a|a|a|a|a|a|a){1,1000}"};
    char text[3000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct grammar *g = compile(REGEX, patterns[i]);
        struct grammar_matcher *m = byte_matcher(g);
        struct grammar_state at = grammar_start(m);
        double start = clock_seconds();
        enum jl_status status = JL_OK;
        for (size_t k = 0; k < sizeof text && status == JL_OK; k++)
            status = grammar_accept_bytes(m, &at, text, 1, NULL);
        printf("%s: %s, %.2f s, %zu KB\n", patterns[i], jl_status_name(status),
               clock_seconds() - start, grammar_matcher_bytes(m) / 1000);
        assert_true(status == JL_OK || status == JL_ERR_LIMIT || status == JL_ERR_USAGE);
        assert_true(clock_seconds() - start < 20);
        assert_in_range(grammar_matcher_bytes(m), 0, (size_t)200 << 20);
        byte_matcher_free(m);
        grammar_free(g);
    }
}

/* Long chains and many rules need no stack. */
static void test_chains(void **state) {
    (void)state;
    enum { N = 25000 };
    char *text = malloc(N * 40), *at = text;
    at += sprintf(at, "root ::= r0\n");
    for (int i = 0; i < N; i++)
        at += sprintf(at, "r%d ::= \"a\" r%d | \"b\"\n", i, i + 1);
    sprintf(at, "r%d ::= \"c\"\n", N);
    struct grammar *g = compile(GBNF, text);
    assert_true(text_matches(g, "aaab"));
    grammar_free(g);
    at = text + sprintf(text, "root ::= r0\n");
    for (int i = 0; i < N; i++)
        at += sprintf(at, "r%d ::= r%d | \"b\"\n", i, i + 1);
    sprintf(at, "r%d ::= \"c\" r0\n", N);
    struct jl_error err;
    g = try_compile(GBNF, text, &err);
    if (g) { // 25,000 rules that begin alike: more ways than are followed
        struct grammar_matcher *m = byte_matcher(g);
        struct grammar_state start = grammar_start(m);
        assert_int_equal(grammar_accept_bytes(m, &start, "b", 1, &err), JL_ERR_LIMIT);
        byte_matcher_free(m);
    }
    grammar_free(g);
    free(text);
}

static void test_objects(void **state) {
    (void)state;
    enum { N = 1500 };
    char *text = malloc(N * 60), *at = text;
    at += sprintf(at, "{\"type\":\"object\",\"additionalProperties\":true,\"properties\":{");
    for (int i = 0; i < N; i++)
        at += sprintf(at, "%s\"key%d\":{\"type\":\"integer\"}", i ? "," : "", i);
    sprintf(at, "}}");
    struct grammar *g = compile(SCHEMA, text);
    assert_true(text_matches(g, "{\"key3\": 1, \"key1499\": 2, \"key\": []}"));
    assert_false(text_matches(g, "{\"key4\": 1, \"key3\": 2}"));
    grammar_free(g);
    at = text + sprintf(text, "{\"enum\":[");
    for (int i = 0; i < 4 * N; i++)
        at += sprintf(at, "%s\"v%d\"", i ? "," : "", i * 7919);
    sprintf(at, "]}");
    g = compile(SCHEMA, text);
    assert_true(text_matches(g, "\"v7919\""));
    assert_false(text_matches(g, "\"v7918\""));
    grammar_free(g);
    free(text);
}

/* Long lists of which each item might be compared with each. */
static void test_lists(void **state) {
    (void)state;
    enum { N = 60000 };
    char *list = malloc(N * 8), *text = malloc(N * 20), *at = list;
    for (int i = 0; i < N; i++)
        at += sprintf(at, "%s\"%x\"", i ? "," : "", i);
    double start = clock_seconds();
    sprintf(text, "{\"allOf\":[{\"enum\":[%s]},{\"enum\":[%s]}]}", list, list + 4);
    struct error_case merged = {text, JL_ERR_LIMIT, "too long"};
    check_errors(SCHEMA, &merged, 1);
    sprintf(text, "{\"oneOf\":[{\"enum\":[%s]},{\"enum\":[%s,0]}]}", list, list + 4);
    struct error_case exclusive = {text, JL_ERR_UNSUPPORTED, "oneOf"};
    check_errors(SCHEMA, &exclusive, 1);
    sprintf(text, "{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[%s]}}", list);
    struct error_case unique = {text, JL_ERR_UNSUPPORTED, "uniqueItems"};
    check_errors(SCHEMA, &unique, 1);
    sprintf(text, "{\"required\":[%s]}", list);
    struct error_case required = {text, JL_ERR_LIMIT, "too large"};
    check_errors(SCHEMA, &required, 1);
    at = text + sprintf(text, "[");
    for (uint32_t code = 0x3400; code < 0x9FFF; code += 2)
        at += sprintf(at, "\\u%04x", code);
    sprintf(at, "]");
    struct error_case ranges = {text, JL_ERR_LIMIT, "too many ranges"};
    check_errors(REGEX, &ranges, 1);
    at = text + sprintf(text, "{\"type\":\"string\",\"maxLength\":9000,\"pattern\":\"");
    for (int i = 0; i < 8000; i++)
        at += sprintf(at, "[\\\\u4e00-\\\\u9fa5]");
    sprintf(at, "\"}");
    grammar_free(compile(SCHEMA, text));
    assert_true(clock_seconds() - start < 20);
    free(text);
    free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),   cmocka_unit_test(test_size),
        cmocka_unit_test(test_ambiguous), cmocka_unit_test(test_chains),
        cmocka_unit_test(test_objects),   cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
