/* Grammars: the first byte says which language (JSON Schema in three forms of space, as arguments
 * between marks, a regular expression, GBNF), the rest is the text. What compiles is followed for
 * some tokens, chosen by the text's own bytes; every mask on the way must say what the bytes of
 * each token say. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/builder.h"
#include "grammar/matcher.h"
#include "grammar/vocab.h"

enum { STEPS = 12, N_WORD = 12 };

static const char *const words[N_WORD] = {"\": ", "{\"", "\"}", "],[", "true",     "\\u00",
                                          "ab",   "aaa", "12",  "e+1", "\xE4\xB8", "</a>"};

static struct grammar_vocab *make_vocab(void) {
    static char bytes[256];
    struct grammar_token_bytes tokens[256 + N_WORD];
    struct grammar_vocab *v;
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        tokens[i] = (struct grammar_token_bytes){bytes + i, 1};
    }
    for (int i = 0; i < N_WORD; i++)
        tokens[256 + i] = (struct grammar_token_bytes){words[i], strlen(words[i])};
    return grammar_vocab_new(tokens, 256 + N_WORD, &v, NULL) == JL_OK ? v : NULL;
}

static grammar_expr parse(struct grammar_builder *b, uint8_t kind, const char *text, size_t len) {
    struct grammar_json_options options = {.space = kind % 3, .open_objects = kind % 4 == 3};
    static const struct grammar_marks marks = {"<p=", ">", "", "</p>\n", "\n", 0};
    if (kind % 8 < 2) return grammar_regex(b, text, len);
    if (kind % 8 == 7) return grammar_json_members(b, text, len, &options, &marks);
    if (kind % 8 < 4) return grammar_gbnf(b, text, len);
    return grammar_json_schema(b, text, len, &options);
}

/* The next state, and whether there is one. */
static int step(struct grammar_matcher *m, const struct grammar_vocab *v,
                struct grammar_state *state, uint8_t choice) {
    uint64_t mask[(256 + N_WORD + 63) / 64];
    struct jl_error err;
    int32_t allowed[256 + N_WORD], n = 0;
    enum jl_status status = grammar_allowed(m, *state, mask, &err);
    if (status == JL_ERR_LIMIT) return 0;
    if (status != JL_OK) abort(); // all bytes are tokens: there is no dead end
    for (int32_t id = 0; id < grammar_vocab_size(v); id++) {
        struct grammar_token_bytes token = grammar_vocab_bytes(v, id);
        struct grammar_state next = *state;
        status = grammar_accept_bytes(m, &next, token.bytes, token.len, &err);
        if (status == JL_ERR_LIMIT) return 0;
        if ((status == JL_OK) != (int)(mask[id / 64] >> (id % 64) & 1)) abort();
        if (status == JL_OK) allowed[n++] = id;
    }
    if (n == 0 && !grammar_is_complete(m, *state)) abort();
    return n > 0 && grammar_accept(m, state, allowed[choice % n], &err) == JL_OK;
}

static void follow(const struct grammar *g, const uint8_t *data, size_t size) {
    static const struct grammar_matcher_options options = {.state_bytes = 1 << 18,
                                                           .mask_bytes = 1 << 16};
    struct grammar_vocab *v = make_vocab();
    struct grammar_matcher *m = NULL;
    struct jl_error err;
    if (!v || grammar_matcher_new(g, v, &options, &m, &err) != JL_OK) abort();
    struct grammar_state state = grammar_start(m), *wanted[] = {&state};
    for (size_t i = 0; i < STEPS && step(m, v, &state, size ? data[i % size] : 0); i++)
        if (grammar_keep(m, wanted, 1, &err) != JL_OK) abort();
    grammar_matcher_free(m);
    grammar_vocab_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *g;
    struct jl_error err;
    if (!b || size == 0) {
        grammar_builder_free(b);
        return 0;
    }
    grammar_expr root = parse(b, data[0], (const char *)data + 1, size - 1);
    enum jl_status status = grammar_compile(b, root, &g, &err);
    grammar_builder_free(b);
    if (status == JL_OK)
        follow(g, data + 1, size - 1);
    else if (status == JL_ERR_USAGE)
        abort(); // what a request brings is never the caller's mistake
    grammar_free(g);
    return 0;
}
