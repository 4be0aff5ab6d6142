#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct grammar *try_compile(enum language language, const char *text, struct jl_error *err) {
    struct grammar_builder *b = grammar_builder_new();
    assert_non_null(b);
    struct grammar_json_options options = {0};
    if (language == SCHEMA_COMPACT) options.space = GRAMMAR_SPACE_COMPACT;
    if (language == SCHEMA_LINES) options.space = GRAMMAR_SPACE_LINES;
    options.open_objects = language == SCHEMA_OPEN;
    grammar_expr root;
    if (language == REGEX)
        root = grammar_regex(b, text, strlen(text));
    else if (language == GBNF)
        root = grammar_gbnf(b, text, strlen(text));
    else if (language == OBJECT)
        root = grammar_json_object(b, &options);
    else
        root = grammar_json_schema(b, text, strlen(text), &options);
    struct grammar *g = NULL;
    grammar_compile(b, root, &g, err);
    grammar_builder_free(b);
    return g;
}

struct grammar *compile(enum language language, const char *text) {
    struct jl_error err;
    struct grammar *g = try_compile(language, text, &err);
    if (!g) fail_msg("%.300s: %s", text, err.message);
    return g;
}

struct grammar *compile_expr(struct grammar_builder *b, grammar_expr root) {
    struct jl_error err;
    struct grammar *g = NULL;
    if (grammar_compile(b, root, &g, &err) != JL_OK) fail_msg("%s", err.message);
    grammar_builder_free(b);
    return g;
}

static struct grammar_vocab *empty_vocab; // of the running test

struct grammar_matcher *byte_matcher(const struct grammar *g) {
    struct grammar_matcher *m = NULL;
    struct jl_error err;
    assert_int_equal(grammar_vocab_new(NULL, 0, &empty_vocab, &err), JL_OK);
    assert_int_equal(grammar_matcher_new(g, empty_vocab, NULL, &m, &err), JL_OK);
    return m;
}

void byte_matcher_free(struct grammar_matcher *m) {
    grammar_matcher_free(m);
    grammar_vocab_free(empty_vocab);
    empty_vocab = NULL;
}

bool matches(const struct grammar *g, const char *text, size_t len) {
    struct grammar_matcher *m = byte_matcher(g);
    struct grammar_state state = grammar_start(m);
    struct jl_error err;
    enum jl_status status = grammar_accept_bytes(m, &state, text, len, &err);
    if (status != JL_OK) assert_int_equal(status, JL_ERR_USAGE);
    bool whole = status == JL_OK && grammar_is_complete(m, state);
    byte_matcher_free(m);
    return whole;
}

void check_cases(enum language language, const struct text_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct grammar *g = compile(language, cases[i].source);
        for (const char *const *text = cases[i].accepted; *text; text++)
            if (!matches(g, *text, strlen(*text)))
                fail_msg("%s must accept %s", cases[i].source, *text);
        for (const char *const *text = cases[i].rejected; *text; text++)
            if (matches(g, *text, strlen(*text)))
                fail_msg("%s must not accept %s", cases[i].source, *text);
        grammar_free(g);
    }
}

void check_errors(enum language language, const struct error_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct jl_error err;
        struct grammar *g = try_compile(language, cases[i].source, &err);
        if (g) fail_msg("%.300s must be refused", cases[i].source);
        if (err.status != cases[i].status || !strstr(err.message, cases[i].says))
            fail_msg("%.300s: %s (%s), not \"%s\"", cases[i].source, err.message,
                     jl_status_name(err.status), cases[i].says);
    }
}

#define LONG 70 // bytes of the longest token

static int compare_texts(const void *a, const void *b) {
    const struct grammar_token_bytes *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

struct grammar_vocab *vocab_of_texts(const char *const *texts, size_t longest) {
    static char bytes[256];
    size_t n = 0, cap = 256, kept;
    for (const char *const *text = texts; *text; text++)
        cap += strlen(*text) * (longest + LONG);
    struct grammar_token_bytes *tokens = calloc(cap, sizeof *tokens);
    assert_non_null(tokens);
    for (; n < 256; n++) {
        bytes[n] = (char)n;
        tokens[n] = (struct grammar_token_bytes){bytes + n, 1};
    }
    for (const char *const *text = texts; *text; text++)
        for (size_t at = 0; (*text)[at]; at++)
            for (size_t len = 2; len <= LONG && at + len <= strlen(*text); len++)
                if (len <= longest || (at % 5 == 0 && len > 30 && len % 7 == 0))
                    tokens[n++] = (struct grammar_token_bytes){*text + at, len};
    qsort(tokens + 256, n - 256, sizeof *tokens, compare_texts);
    kept = 256;
    for (size_t i = 256; i < n; i++)
        if (i == 256 || compare_texts(&tokens[i], &tokens[kept - 1]) != 0)
            tokens[kept++] = tokens[i];
    struct grammar_vocab *v = NULL;
    struct jl_error err;
    assert_int_equal(grammar_vocab_new(tokens, (int)kept, &v, &err), JL_OK);
    free(tokens);
    return v;
}

void check_mask(struct grammar_matcher *m, const struct grammar_vocab *v,
                struct grammar_state state, uint64_t *mask) {
    struct jl_error err;
    if (grammar_allowed(m, state, mask, &err) != JL_OK) fail_msg("%s", err.message);
    for (int32_t id = 0; id < grammar_vocab_size(v); id++) {
        struct grammar_token_bytes token = grammar_vocab_bytes(v, id);
        struct grammar_state next = state;
        enum jl_status status = JL_ERR_USAGE;
        if (token.len) status = grammar_accept_bytes(m, &next, token.bytes, token.len, &err);
        if (status != JL_OK && status != JL_ERR_USAGE) fail_msg("%s", err.message);
        bool alive = status == JL_OK;
        bool allowed = mask[id / 64] >> (id % 64) & 1;
        if (alive != allowed)
            fail_msg("token %d (%.*s): the mask says %d, its bytes %d", (int)id, (int)token.len,
                     token.bytes, allowed, alive);
    }
}

uint32_t draw(uint64_t *seed, uint32_t n) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % n);
}
