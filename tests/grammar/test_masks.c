/* The mask of every state of many texts, compared with following each token's bytes. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const samples[] = {
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\", \"days\": 3}}",
    "[{\"a\": [1, -2.5e10, true], \"b\": {\"c\": null}}, \"x\\n\\u00e9\\ud83d\\ude00\", []]",
    "{\"k\":\"\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\"},[[]],\"}}]",
    "aaaaaaabbb;abc((1+2)*3),,2024-02-29T",
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\n\", "
    "1",
    NULL,
};

static struct grammar_vocab *vocab;
static uint64_t *mask;

static int make_vocab(void **state) {
    (void)state;
    vocab = vocab_of_texts(samples, 7);
    mask = malloc(grammar_vocab_words(vocab) * sizeof *mask);
    return 0;
}

static int free_vocab(void **state) {
    (void)state;
    grammar_vocab_free(vocab);
    free(mask);
    return 0;
}

static const struct {
    enum language language;
    const char *source;
} grammars[] = {
    {OBJECT, ""},
    {SCHEMA_LINES, "true"},
    {SCHEMA,
     "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":6},"
     "\"arguments\":"
     "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":"
     "\"integer\",\"minimum\":1,\"maximum\":14}},\"required\":[\"city\"]}},\"required\":[\"name\"]"
     "}"},
    {SCHEMA, "{\"type\":\"string\",\"minLength\":290,\"maxLength\":300}"},
    {SCHEMA, "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"maxItems\":300},\"minItems\":2,"
             "\"maxItems\":280}"},
    {SCHEMA, "{\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
             "t\"}}},\"$ref\":\"#/$defs/t\"}"},
    {SCHEMA, "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"number\",\"null\"]},"
             "\"properties\":{\"a\":true,\"ab\":true}}"},
    {GBNF, "root ::= (\"a\" | \"aa\" | \"ab\")+ \";\""},
    {GBNF, "root ::= | \"(\" root \")\" | \"a\" root \"b\""},
    {GBNF, "root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"c\" | \"a\" s | \";\""},
    {GBNF, "root ::= e\ne ::= t (\"+\" t)*\nt ::= f (\"*\" f)*\nf ::= \"(\" e \")\" | [0-9]+"},
    {REGEX, "([ab]{1,300};){1,400}"},
    {REGEX, "(\\w+[,;(])*\\d{4}-\\d\\d-\\d\\d"},
};

/* Walks by allowed tokens and checks the mask on the way; `tokens` steps a walk. */
static void walk(const struct grammar *g, uint64_t seed, int tokens, size_t state_bytes) {
    struct grammar_matcher *m;
    struct jl_error err;
    // Masks, and with small bounds also states, are dropped on the way.
    struct grammar_matcher_options options = {.state_bytes = state_bytes, .mask_bytes = 4000};
    if (grammar_matcher_new(g, vocab, &options, &m, &err) != JL_OK) fail_msg("%s", err.message);
    struct grammar_state at = grammar_start(m), before = at;
    for (int i = 0; i < tokens; i++) {
        struct grammar_state *wanted[] = {&at, &before};
        if (grammar_keep(m, wanted, 2, &err) != JL_OK) fail_msg("%s", err.message);
        check_mask(m, vocab, at, mask);
        int32_t n = 0, id = 0, n_token = grammar_vocab_size(vocab);
        for (int32_t k = 0; k < n_token; k++)
            n += mask[k / 64] >> (k % 64) & 1;
        if (n == 0) {
            assert_true(grammar_is_complete(m, at));
            break;
        }
        uint32_t chosen = draw(&seed, (uint32_t)n);
        for (; !(mask[id / 64] >> (id % 64) & 1) || chosen-- > 0;)
            id++;
        if (i % 3 == 0) before = at;
        if (i % 7 == 6) at = before; // go back, then on in another way
        if (!(i % 7 == 6)) assert_int_equal(grammar_accept(m, &at, id, &err), JL_OK);
    }
    grammar_matcher_free(m);
}

static void test_exact(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++) {
        struct grammar *g = compile(grammars[i].language, grammars[i].source);
        bool grows = grammars[i].language == GBNF; // ambiguous ones do, with the text
        for (uint64_t seed = 0; seed < 4; seed++)
            walk(g, seed, grows ? 6 : 25, grows ? (size_t)4 << 20 : 100000);
        grammar_free(g);
    }
}

/* Where a counter nears its end the mask must change: each length on the way. */
static void test_counters(void **state) {
    (void)state;
    struct grammar *g =
        compile(SCHEMA, "{\"type\":\"string\",\"minLength\":270,\"maxLength\":280}");
    struct grammar_matcher *m;
    struct jl_error err;
    assert_int_equal(grammar_matcher_new(g, vocab, NULL, &m, &err), JL_OK);
    struct grammar_state at = grammar_start(m);
    assert_int_equal(grammar_accept_bytes(m, &at, "\"", 1, &err), JL_OK);
    for (int n = 0; n <= 280; n++) {
        if (n < 3 || n > 195) check_mask(m, vocab, at, mask);
        if (n < 280) assert_int_equal(grammar_accept_bytes(m, &at, "a", 1, &err), JL_OK);
    }
    assert_int_equal(grammar_accept_bytes(m, &at, "a", 1, &err), JL_ERR_USAGE);
    assert_int_equal(grammar_accept_bytes(m, &at, "\"", 1, &err), JL_OK);
    assert_true(grammar_is_complete(m, at));
    grammar_matcher_free(m);
    grammar_free(g);
}

/* A pattern with a length: exactly so many characters, whichever way the bound is kept. */
static void test_counted(void **state) {
    (void)state;
    static const int bounds[] = {40, 3000}; // copies, and a counter
    for (int i = 0; i < 2; i++) {
        char source[200];
        snprintf(source, sizeof source,
                 "{\"type\":\"string\",\"pattern\":\"^(aa|b{3}c{4}|\\\\n)*$\",\"maxLength\":%d}",
                 bounds[i]);
        struct grammar *g = compile(SCHEMA, source);
        struct grammar_matcher *m;
        struct jl_error err;
        assert_int_equal(grammar_matcher_new(g, vocab, NULL, &m, &err), JL_OK);
        struct grammar_state at = grammar_start(m);
        assert_int_equal(grammar_accept_bytes(m, &at, "\"", 1, &err), JL_OK);
        for (int n = 0; n <= bounds[i] - 8; n += 2) {
            if (n > bounds[i] - 90) check_mask(m, vocab, at, mask);
            assert_int_equal(grammar_accept_bytes(m, &at, "aa", 2, &err), JL_OK);
        }
        // Six more fit: three times "aa", no "bbbcccc", and newlines are one character each.
        for (int n = 0; n < 3; n++) {
            struct grammar_state other = at;
            check_mask(m, vocab, at, mask);
            assert_int_equal(grammar_accept_bytes(m, &other, "b", 1, &err), JL_ERR_USAGE);
            assert_int_equal(grammar_accept_bytes(m, &other, "\\n\\n", 4, &err), JL_OK);
            assert_int_equal(grammar_accept_bytes(m, &at, "aa", 2, &err), JL_OK);
            assert_int_equal(other.id, at.id);
        }
        check_mask(m, vocab, at, mask);
        assert_int_equal(grammar_accept_bytes(m, &at, "\\", 1, &err), JL_ERR_USAGE);
        assert_int_equal(grammar_accept_bytes(m, &at, "\"", 1, &err), JL_OK);
        grammar_matcher_free(m);
        grammar_free(g);
    }
}

/* The same continuations are the same state; a copy goes back. */
static void test_states(void **state) {
    (void)state;
    struct grammar *g = compile(OBJECT, "");
    struct grammar_matcher *m;
    struct jl_error err;
    assert_int_equal(grammar_matcher_new(g, vocab, NULL, &m, &err), JL_OK);
    struct grammar_state a = grammar_start(m), b = a, old;
    assert_int_equal(grammar_accept_bytes(m, &a, "{\"x\": [1, ", 10, &err), JL_OK);
    assert_int_equal(grammar_accept_bytes(m, &b, "{\"yy\":[\"a\",", 11, &err), JL_OK);
    assert_int_not_equal(a.id, b.id); // one may still have a space
    assert_int_equal(grammar_accept_bytes(m, &b, " ", 1, &err), JL_OK);
    assert_int_equal(a.id, b.id);
    old = a;
    assert_int_equal(grammar_accept_bytes(m, &a, "2]}", 3, &err), JL_OK);
    assert_true(grammar_is_complete(m, a));
    assert_int_equal(grammar_accept_bytes(m, &old, "null]}", 6, &err), JL_OK);
    assert_int_equal(a.id, old.id);
    assert_int_equal(grammar_accept_bytes(m, &a, " ", 1, &err), JL_ERR_USAGE);
    assert_int_equal(grammar_allowed(m, a, mask, &err), JL_OK);
    for (size_t i = 0; i < grammar_vocab_words(vocab); i++)
        assert_true(mask[i] == 0);
    assert_int_equal(grammar_allowed(m, (struct grammar_state){1u << 30}, mask, &err),
                     JL_ERR_USAGE);
    grammar_matcher_free(m);
    grammar_free(g);
}

/* Dropping states keeps the stack of those that are wanted. */
static void test_keep(void **state) {
    (void)state;
    static const char nested[] = "{\"a\": [[{\"b\": [1, {\"c\": \"", rest[] = "\"}]}]]}";
    struct grammar *g = compile(OBJECT, "");
    struct grammar_matcher_options options = {.state_bytes = 30000};
    struct grammar_matcher *m;
    struct jl_error err;
    assert_int_equal(grammar_matcher_new(g, vocab, &options, &m, &err), JL_OK);
    struct grammar_state at = grammar_start(m), other = at, *wanted[] = {&at};
    assert_int_equal(grammar_accept_bytes(m, &at, nested, sizeof nested - 1, &err), JL_OK);
    int dropped = 0;
    for (int i = 0; i < 400; i++) {
        if (i % 10 == 0) check_mask(m, vocab, at, mask);
        // States that nobody wants any more: ever deeper ones.
        assert_int_equal(grammar_accept_bytes(m, &other, "{\"x\": [", 7, &err), JL_OK);
        assert_int_equal(grammar_accept_bytes(m, &other, "[", 1, &err), JL_OK);
        size_t before = grammar_matcher_bytes(m);
        assert_int_equal(grammar_keep(m, wanted, 1, &err), JL_OK);
        dropped += grammar_matcher_bytes(m) < before;
        other = grammar_matcher_bytes(m) < before ? grammar_start(m) : other;
        struct grammar_state end = at;
        assert_int_equal(grammar_accept_bytes(m, &end, "\"}}", 3, &err), JL_ERR_USAGE);
        assert_int_equal(grammar_accept_bytes(m, &end, rest, sizeof rest - 1, &err), JL_OK);
        assert_true(grammar_is_complete(m, end));
    }
    assert_in_range(dropped, 1, 400);
    grammar_matcher_free(m);
    grammar_free(g);
}

static void test_dead_end(void **state) {
    (void)state;
    struct grammar_token_bytes tokens[] = {{"a", 1}, {"bc", 2}};
    struct grammar_vocab *v;
    struct grammar_matcher *m;
    struct jl_error err;
    uint64_t word;
    assert_int_equal(grammar_vocab_new(tokens, 2, &v, &err), JL_OK);
    struct grammar *g = compile(REGEX, "ab");
    assert_int_equal(grammar_matcher_new(g, v, NULL, &m, &err), JL_OK);
    struct grammar_state at = grammar_start(m);
    assert_int_equal(grammar_allowed(m, at, &word, &err), JL_OK);
    assert_int_equal(word, 1);
    assert_int_equal(grammar_accept(m, &at, 0, &err), JL_OK);
    assert_int_equal(grammar_allowed(m, at, &word, &err), JL_ERR_UNSUPPORTED);
    grammar_matcher_free(m);
    grammar_free(g);
    grammar_vocab_free(v);
}

/* A long text of ever new states stays within the bounds that were set, with grammar_keep. */
static void test_memory(void **state) {
    (void)state;
    struct grammar *g = compile(SCHEMA, "{\"type\":\"array\",\"maxItems\":100000}");
    struct grammar_matcher_options options = {.state_bytes = 200000, .mask_bytes = 50000};
    struct grammar_matcher *m;
    struct jl_error err;
    assert_int_equal(grammar_matcher_new(g, vocab, &options, &m, &err), JL_OK);
    struct grammar_state at = grammar_start(m), *wanted[] = {&at};
    assert_int_equal(grammar_accept_bytes(m, &at, "[0", 2, &err), JL_OK);
    size_t most = 0;
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(grammar_keep(m, wanted, 1, &err), JL_OK);
        assert_int_equal(grammar_accept_bytes(m, &at, ",{\"a\":[2]}", 10, &err), JL_OK);
        if (i % 100 == 0) assert_int_equal(grammar_allowed(m, at, mask, &err), JL_OK);
        if (grammar_matcher_bytes(m) > most) most = grammar_matcher_bytes(m);
    }
    assert_in_range(most, 200000, 400000);
    enum jl_status status = JL_OK; // and without it there is an error, not all of the memory
    for (int i = 0; i < 100000 && status == JL_OK; i++)
        status = grammar_accept_bytes(m, &at, ",{\"a\":[2]}", 10, &err);
    assert_int_equal(status, JL_ERR_LIMIT);
    assert_in_range(grammar_matcher_bytes(m), 0, 2000000);
    grammar_matcher_free(m);
    grammar_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),    cmocka_unit_test(test_counters),
        cmocka_unit_test(test_counted),  cmocka_unit_test(test_states),
        cmocka_unit_test(test_dead_end), cmocka_unit_test(test_keep),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, make_vocab, free_vocab);
}
