/* The builder's own parts: repetitions, lists, texts up to a mark, tokens, rules. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static bool repeats_match(const char *unit, uint32_t low, uint32_t high, size_t n) {
    struct grammar_builder *b = grammar_builder_new();
    grammar_expr part = grammar_text(b, unit);
    struct grammar *g = compile_expr(b, grammar_repeat(b, part, low, high));
    size_t len = strlen(unit);
    char *text = malloc(n * len + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, unit, len);
    bool found = matches(g, text, n * len);
    free(text);
    grammar_free(g);
    return found;
}

static void test_repeat(void **state) {
    (void)state;
    static const uint32_t bounds[][2] = {{0, 1},   {2, 5},     {3, 3},
                                         {0, 300}, {299, 300}, {1000, 1000}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        uint32_t low = bounds[i][0], high = bounds[i][1];
        assert_true(repeats_match("ab", low, high, low));
        assert_true(repeats_match("ab", low, high, high));
        assert_false(repeats_match("ab", low, high, high + 1));
        if (low) assert_false(repeats_match("ab", low, high, low - 1));
    }
    assert_true(repeats_match("a", 500, GRAMMAR_UNBOUNDED, 500));
    assert_true(repeats_match("a", 500, GRAMMAR_UNBOUNDED, 2000));
    assert_false(repeats_match("a", 500, GRAMMAR_UNBOUNDED, 499));
}

/* Loops in loops need two counters, loops behind each other share one. */
static void test_nested_repeat(void **state) {
    (void)state;
    struct grammar_builder *b = grammar_builder_new();
    grammar_expr inner = grammar_repeat(b, grammar_text(b, "a"), 1, 400);
    grammar_expr parts[] = {inner, grammar_text(b, ";")};
    grammar_expr outer = grammar_repeat(b, grammar_seq(b, parts, 2), 2, 500);
    grammar_expr both[] = {outer, grammar_repeat(b, grammar_text(b, "b"), 300, 301)};
    struct grammar *g = compile_expr(b, grammar_seq(b, both, 2));
    char text[4096];
    for (int n_b = 299; n_b <= 302; n_b++) {
        size_t len = 0;
        for (int i = 0; i < 3; i++) {
            memset(text + len, 'a', 400);
            len += 400;
            text[len++] = ';';
        }
        memset(text + len, 'b', 400);
        assert_int_equal(matches(g, text, len + (size_t)n_b), n_b == 300 || n_b == 301);
        assert_false(matches(g, text + 802, len - 802 + (size_t)n_b)); // one turn only
    }
    memset(text, 'a', 401);
    text[401] = ';';
    struct grammar_matcher *m = byte_matcher(g);
    struct grammar_state at = grammar_start(m);
    assert_int_equal(grammar_accept_bytes(m, &at, text, 401, NULL), JL_ERR_USAGE);
    assert_int_equal(grammar_accept_bytes(m, &at, text, 400, NULL), JL_OK);
    byte_matcher_free(m);
    grammar_free(g);
}

static void test_list(void **state) {
    (void)state;
    struct grammar_builder *b = grammar_builder_new();
    struct grammar_item items[] = {{grammar_text(b, "a"), 0, 0},
                                   {grammar_text(b, "b"), 1, 0},
                                   {grammar_text(b, "c"), 0, 0},
                                   {grammar_text(b, "d"), 0, 1}};
    struct grammar *g = compile_expr(b, grammar_list(b, items, 4, grammar_text(b, ",")));
    static const char *const good[] = {"b", "a,b", "b,c", "a,b,c", "b,d", "a,b,c,d,d,d", "b,d,d"};
    static const char *const bad[] = {"",    "a",    "a,c",   "b,",   ",b",      "b,a",
                                      "b,b", "b,c,", "b,d,c", "b,,d", "a,b,c,d,"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(matches(g, good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(matches(g, bad[i], strlen(bad[i])));
    grammar_free(g);
}

static void test_marks(void **state) {
    (void)state;
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *without = compile_expr(b, grammar_text_without(b, "aab", 3));
    b = grammar_builder_new();
    struct grammar *until = compile_expr(b, grammar_text_until(b, "aab", 3, -1));
    uint64_t seed = 1;
    for (int i = 0; i < 2000; i++) {
        char text[16];
        uint32_t len = draw(&seed, 12);
        for (uint32_t k = 0; k < len; k++)
            text[k] = "ab"[draw(&seed, 2)];
        text[len] = '\0';
        const char *found = strstr(text, "aab");
        assert_int_equal(matches(without, text, len), found == NULL);
        assert_int_equal(matches(until, text, len), found && found + 3 == text + len);
    }
    grammar_free(without);
    grammar_free(until);
}

/* Text, then a call mark that is a token or is spelled, a schema, a closing mark, several times. */
static void test_tool_calls(void **state) {
    (void)state;
    struct grammar_token_bytes tokens[260] = {0};
    static char bytes[256];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        tokens[i] = (struct grammar_token_bytes){bytes + i, 1};
    }
    tokens[258] = (struct grammar_token_bytes){"<call>", 6}; // an ordinary token, too
    enum { CALL = 256, END = 257, SPELLED = 258, CROSSING = 259 };
    tokens[CROSSING] = (struct grammar_token_bytes){"<call>{\"", 8};
    struct grammar_vocab *v;
    struct jl_error err;
    assert_int_equal(grammar_vocab_new(tokens, 260, &v, &err), JL_OK);
    struct grammar_builder *b = grammar_builder_new();
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},"
        "\"required\":[\"n\"],\"additionalProperties\":false}";
    grammar_expr call[] = {grammar_text_until(b, "<call>", 6, CALL),
                           grammar_json_schema(b, schema, strlen(schema), NULL),
                           grammar_token(b, END)};
    grammar_expr calls = grammar_repeat(b, grammar_seq(b, call, 3), 0, GRAMMAR_UNBOUNDED);
    grammar_expr all[] = {calls, grammar_text_without(b, "<call>", 6)};
    struct grammar *g = compile_expr(b, grammar_seq(b, all, 2));
    struct grammar_matcher *m;
    assert_int_equal(grammar_matcher_new(g, v, NULL, &m, &err), JL_OK);
    static const int marks[] = {CALL, SPELLED};
    uint64_t mask[5];
    struct grammar_state at = grammar_start(m);
    for (int i = 0; i < 2; i++) {
        assert_true(grammar_is_complete(m, at));
        assert_int_equal(grammar_accept_bytes(m, &at, "hi <c", 5, &err), JL_OK);
        assert_int_equal(grammar_allowed(m, at, mask, &err), JL_OK);
        assert_true(mask[CALL / 64] >> (CALL % 64) & 1);
        assert_false(mask[END / 64] >> (END % 64) & 1);
        assert_int_equal(grammar_accept(m, &at, marks[i], &err), JL_OK);
        assert_false(grammar_is_complete(m, at));
        char forced[16];
        size_t n;
        assert_int_equal(grammar_forced(m, at, forced, sizeof forced, &n, &err), JL_OK);
        assert_int_equal(n, 5);
        assert_memory_equal(forced, "{\"n\":", 5);
        assert_int_equal(grammar_accept(m, &at, 'x', &err), JL_ERR_USAGE);
        assert_int_equal(grammar_accept(m, &at, CALL, &err), JL_ERR_USAGE);
        assert_int_equal(grammar_accept_bytes(m, &at, "{\"n\": 12}", 9, &err), JL_OK);
        assert_int_equal(grammar_allowed(m, at, mask, &err), JL_OK);
        for (int id = 0; id < 260; id++)
            assert_int_equal(mask[id / 64] >> (id % 64) & 1, id == END);
        assert_int_equal(grammar_accept(m, &at, END, &err), JL_OK);
    }
    assert_int_equal(grammar_accept(m, &at, CROSSING, &err), JL_OK);
    assert_int_equal(grammar_accept_bytes(m, &at, "n\":", 3, &err), JL_OK);
    grammar_matcher_free(m);
    grammar_free(g);
    grammar_vocab_free(v);
}

static void test_errors(void **state) {
    (void)state;
    struct jl_error err;
    struct grammar *g;
    struct grammar_builder *b = grammar_builder_new();
    assert_int_equal(grammar_compile(b, grammar_repeat(b, grammar_text(b, "a"), 3, 2), &g, &err),
                     JL_ERR_USAGE);
    grammar_builder_free(b);
    b = grammar_builder_new();
    assert_int_equal(grammar_compile(b, 0, &g, &err), JL_ERR_USAGE);
    assert_int_equal(grammar_compile(b, grammar_never(b), &g, &err), JL_ERR_UNSUPPORTED);
    grammar_expr empty = grammar_repeat(b, grammar_optional(b, grammar_text(b, "a")), 0, 5000);
    assert_int_equal(grammar_compile(b, empty, &g, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "may be empty"));
    grammar_rule rule = grammar_declare(b, "again", 5);
    grammar_expr parts[] = {grammar_optional(b, grammar_text(b, "x")), grammar_ref(b, rule),
                            grammar_text(b, "y")};
    grammar_expr either[] = {grammar_seq(b, parts, 3), grammar_text(b, "z")};
    grammar_define(b, rule, grammar_alt(b, either, 2));
    assert_int_equal(grammar_compile(b, grammar_ref(b, rule), &g, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "\"again\" is left-recursive"));
    grammar_define(b, rule, either[1]);
    assert_int_equal(grammar_compile(b, grammar_ref(b, rule), &g, &err), JL_ERR_USAGE);
    grammar_builder_free(b);
}

/* A rule that can never end does not make the others dead. */
static void test_dead_rules(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"root ::= \"a\" | \"b\" loop\nloop ::= \"c\" loop", {"a"}, {"b", "bc", "c"}},
        {"root ::= (\"a\" | \"b\" loop)* \"e\"\nloop ::= \"c\" loop | \"d\" loop",
         {"aae", "e"},
         {"b"}},
    };
    check_cases(GBNF, cases, 2);
    struct grammar *g = compile(GBNF, cases[0].source);
    struct grammar_matcher *m = byte_matcher(g);
    struct grammar_state at = grammar_start(m);
    assert_int_equal(grammar_accept_bytes(m, &at, "b", 1, NULL), JL_ERR_USAGE);
    byte_matcher_free(m);
    grammar_free(g);
    static const struct error_case none[] = {
        {"root ::= \"a\" root", JL_ERR_UNSUPPORTED, "no text at all"}};
    check_errors(GBNF, none, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeat),     cmocka_unit_test(test_nested_repeat),
        cmocka_unit_test(test_list),       cmocka_unit_test(test_marks),
        cmocka_unit_test(test_tool_calls), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_dead_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
