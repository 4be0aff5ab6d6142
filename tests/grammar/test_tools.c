/* Turns with tool calls in every dialect's own form, read back by the dialect. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "grammar/tools.h"
#include "random_json.h"
#include "text/dialect.h"
#include "text/tokenizer.h"
#include "validate.h"

static const char weather[] = "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},"
                              "\"days\":{\"type\":\"integer\","
                              "\"minimum\":1,\"maximum\":20},\"tags\":{\"type\":\"array\","
                              "\"items\":{\"enum\":[\"<a>\",2]},\"maxItems\":3}},"
                              "\"required\":[\"city\",\"days\"]}";
static const char stop[] = "{\"type\":\"object\",\"properties\":{}}";
static const struct grammar_tool tools[] = {{"get_weather", weather}, {"stop", stop}};
static const struct dialect_tool known[] = {{"get_weather", weather}, {"stop", stop}};

static struct grammar *compile_tools(const struct dialect *dialect, bool must, bool one,
                                     bool no_text) {
    struct grammar_tools spec = {
        .tools = tools, .n = 2, .must = must, .one = one, .no_text = no_text};
    struct grammar_builder *b = grammar_builder_new();
    return compile_expr(b, grammar_tool_calls(b, dialect, NULL, &spec));
}

static void check_arguments(const char *name, const char *arguments, const char *turn) {
    json_t *value = NULL;
    json_t *schema = json_loads(strcmp(name, "stop") == 0 ? stop : weather, 0, NULL);
    if (strcmp(name, "stop") != 0) assert_string_equal(name, "get_weather");
    if (jl_json_load(arguments, strlen(arguments), 0, &value, NULL) != JL_OK ||
        !validate(schema, schema, value))
        fail_msg("%s: arguments %s in %s", name, arguments, turn);
    json_decref(value);
    json_decref(schema);
}

/* All calls of a turn are whole and valid; how many there are, and whether there is other text. */
static int read_turn(const struct dialect *dialect, const char *text, size_t len, bool *content) {
    struct dialect_options options = dialect_options_default();
    options.tools = known;
    options.n_tool = 2;
    struct dialect_stream *stream;
    struct dialect_event event;
    char *arguments = calloc(1, 2 * len + 100);
    int calls = 0;
    *content = false;
    assert_int_equal(dialect_stream_new(dialect, &options, &stream, NULL), JL_OK);
    assert_int_equal(dialect_stream_push(stream, text, len, NULL), JL_OK);
    assert_int_equal(dialect_stream_end(stream, NULL), JL_OK);
    while (dialect_stream_next(stream, &event)) {
        if (event.kind == DIALECT_CALL_START) arguments[0] = '\0';
        if (event.kind == DIALECT_CALL_ARGS) strncat(arguments, event.text, event.len);
        if (event.kind == DIALECT_CALL_BROKEN) fail_msg("%s: broken: %s", dialect->name, text);
        if (event.kind == DIALECT_CONTENT) *content = true;
        if (event.kind != DIALECT_CALL_END) continue;
        check_arguments(event.name, arguments, text);
        calls++;
    }
    dialect_stream_free(stream);
    free(arguments);
    return calls;
}

/* A turn as the dialect itself would write it, with two calls; the caller's. */
static char *rendered(const struct dialect *dialect, const char *content, int n_call) {
    static const struct dialect_call calls[] = {
        {"get_weather", "{\"city\": \"S\xC3\xA3o Paulo\", \"days\": 12}", NULL},
        {"stop", "{}", NULL}};
    struct dialect_turn turn = {.content = content, .calls = calls, .n_call = (size_t)n_call};
    turn.tools = known;
    turn.n_tool = 2;
    char *text;
    size_t len;
    struct jl_error err;
    if (dialect_render_calls(dialect, &turn, &text, &len, &err) == JL_OK) return text;
    assert_int_equal(err.status, JL_ERR_UNSUPPORTED);
    return NULL;
}

static void walk_turns(const struct dialect *dialect) {
    char *turn = rendered(dialect, NULL, 2);
    const char *const texts[] = {turn, "</parameter>", "</arg_value>", "</｜DSML｜parameter>",
                                 NULL};
    struct grammar_vocab *v = vocab_of_texts(texts, 25);
    struct grammar *g = compile_tools(dialect, true, false, true);
    struct grammar_matcher *m;
    struct jl_error err;
    assert_int_equal(grammar_matcher_new(g, v, NULL, &m, &err), JL_OK);
    int finished = 0, calls = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        uint64_t draws = seed;
        size_t len;
        bool content;
        char *text = random_document(m, v, &draws, 600, &len);
        if (!text) continue;
        finished++;
        int n = read_turn(dialect, text, len, &content);
        if (n == 0 || content) fail_msg("%s: %d calls: %s", dialect->name, n, text);
        calls += n;
        free(text);
    }
    printf("%s: %d turns, %d calls\n", dialect->name, finished, calls);
    assert_in_range(finished, 20, 40);
    grammar_matcher_free(m);
    grammar_free(g);
    grammar_vocab_free(v);
    free(turn);
}

static void test_walks(void **state) {
    (void)state;
    int dialects = 0;
    for (size_t i = 0; dialect_at(i); i++) {
        if (!dialect_at(i)->calls) continue;
        walk_turns(dialect_at(i));
        dialects++;
    }
    assert_in_range(dialects, 10, 40);
}

/* Text and calls as rendering writes them are allowed, and what must not be is not. */
static void test_turns(void **state) {
    (void)state;
    for (size_t i = 0; dialect_at(i); i++) {
        const struct dialect *dialect = dialect_at(i);
        if (!dialect->calls) continue;
        bool bare = strncmp(dialect->name, "llama3", 6) == 0;
        struct grammar *either = compile_tools(dialect, false, false, false);
        struct grammar *must = compile_tools(dialect, true, false, false);
        struct grammar *one = compile_tools(dialect, true, true, true);
        char *two = rendered(dialect, NULL, 2), *single = rendered(dialect, NULL, 1);
        char *text = bare ? NULL : rendered(dialect, "I look <it> up.", 2);
        const char *begun = two + strspn(two, " \n"), *alone = single + strspn(single, " \n");
        bool lists_ids = strstr(dialect->name, "mistral") != NULL; // rendering leaves ids out
        if (!lists_ids) {
            if (!matches(either, begun, strlen(begun))) fail_msg("%s: %s", dialect->name, begun);
            assert_true(matches(must, begun, strlen(begun)));
            assert_true(matches(one, alone, strlen(alone)));
            assert_false(matches(one, begun, strlen(begun)));
        }
        if (text && !lists_ids && !dialect->answer_open[0] && !matches(must, text, strlen(text)))
            fail_msg("%s: %s", dialect->name, text);
        assert_true(matches(either, "Just text.", 10));
        assert_true(matches(either, "", 0));
        assert_false(matches(must, "Just text.", 10));
        assert_false(matches(either, begun, strlen(begun) - 1));
        grammar_free(either);
        grammar_free(must);
        grammar_free(one);
        free(two);
        free(single);
        free(text);
    }
}

/* A tokenizer of single bytes in which the marks of hermes are tokens. */
static struct tokenizer *make_tokenizer(int32_t *open, int32_t *close) {
    static char letters[128][2];
    struct token_entry entries[128];
    struct bpe_spec spec = {.tokens = entries, .pre = "qwen2", .pre_len = 5, .bos = TOKEN_NONE};
    struct tokenizer *tokenizer;
    struct jl_error err;
    int n = 0;
    for (char c = '!'; c <= '~'; c++, n++) {
        letters[n][0] = c;
        entries[n] = (struct token_entry){letters[n], 1, 0, TOKEN_NORMAL};
    }
    entries[n++] = (struct token_entry){"\xC4\xA0", 2, 0, TOKEN_NORMAL}; // space, newline
    entries[n++] = (struct token_entry){"\xC4\x8A", 2, 0, TOKEN_NORMAL};
    *open = n;
    entries[n++] = (struct token_entry){"<tool_call>", 11, 0, TOKEN_USER_DEFINED};
    *close = n;
    entries[n++] = (struct token_entry){"</tool_call>", 12, 0, TOKEN_CONTROL};
    spec.n_token = n;
    spec.eos = spec.unk = TOKEN_NONE;
    if (tokenizer_from_bpe(&spec, &tokenizer, &err) != JL_OK) fail_msg("%s", err.message);
    return tokenizer;
}

static bool allows(struct grammar_matcher *m, struct grammar_state at, int32_t id) {
    uint64_t mask[2];
    struct jl_error err;
    if (grammar_allowed(m, at, mask, &err) != JL_OK) fail_msg("%s", err.message);
    return mask[id / 64] >> (id % 64) & 1;
}

static void test_tokens(void **state) {
    (void)state;
    static const char call[] = "\n{\"name\": \"stop\", \"arguments\": {}}\n";
    int32_t open, close;
    struct tokenizer *tokenizer = make_tokenizer(&open, &close);
    struct grammar_tools spec = {.tools = tools, .n = 2};
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *g =
        compile_expr(b, grammar_tool_calls(b, dialect_by_name("hermes"), tokenizer, &spec));
    struct grammar_vocab *v;
    struct grammar_matcher *m;
    struct jl_error err;
    assert_int_equal(grammar_vocab_of(tokenizer, &v, &err), JL_OK);
    assert_int_equal(grammar_vocab_bytes(v, open).len, 0);
    assert_int_equal(grammar_matcher_new(g, v, NULL, &m, &err), JL_OK);
    for (int spelled = 0; spelled < 2; spelled++) {
        struct grammar_state at = grammar_start(m);
        assert_int_equal(grammar_accept_bytes(m, &at, "Hm. <", 5, &err), JL_OK);
        assert_true(allows(m, at, open));
        assert_false(allows(m, at, close));
        enum jl_status status = spelled ? grammar_accept_bytes(m, &at, "tool_call>", 10, &err)
                                        : grammar_accept(m, &at, open, &err);
        assert_int_equal(status, JL_OK);
        for (size_t i = 0; i < sizeof call - 1; i++) {
            assert_false(grammar_is_complete(m, at) || allows(m, at, open) || allows(m, at, close));
            assert_int_equal(grammar_accept_bytes(m, &at, call + i, 1, &err), JL_OK);
        }
        assert_false(allows(m, at, '<' - '!')); // the mark is one token
        assert_true(allows(m, at, close));
        assert_int_equal(grammar_accept(m, &at, close, &err), JL_OK);
        assert_true(grammar_is_complete(m, at));
        assert_int_equal(grammar_accept_bytes(m, &at, "\n", 1, &err), JL_OK);
        assert_true(allows(m, at, open));
    }
    grammar_matcher_free(m);
    grammar_vocab_free(v);
    grammar_free(g);
    tokenizer_free(tokenizer);
}

static void test_refused(void **state) {
    (void)state;
    static const struct grammar_tool bad[] = {{"a<b", NULL}};
    static const struct grammar_tool schema[] = {{"f", "{\"type\":\"object\",\"not\":{}}"}};
    struct {
        const char *dialect;
        const struct grammar_tool *tools;
        const char *says;
    } cases[] = {{"plain", tools, "has no tool calls"},
                 {"qwen-xml", bad, "a tool named \"a<b\""},
                 {"hermes", schema, "the keyword \"not\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct grammar_tools spec = {.tools = cases[i].tools, .n = 1};
        struct grammar_builder *b = grammar_builder_new();
        struct grammar *g;
        struct jl_error err;
        grammar_expr root = grammar_tool_calls(b, dialect_by_name(cases[i].dialect), NULL, &spec);
        assert_int_equal(grammar_compile(b, root, &g, &err), JL_ERR_UNSUPPORTED);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s", err.message);
        grammar_builder_free(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walks), cmocka_unit_test(test_turns),
                                       cmocka_unit_test(test_tokens),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
