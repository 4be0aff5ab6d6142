/* What the mask of the next token costs over a large vocabulary: microseconds of grammar_allowed,
 * the median, the 99th of a hundred, and the worst.
 *
 *     ninja -C build bench/bench_grammar && build/bench/bench_grammar FILE.tiktoken qwen2
 *
 * "first" is a matcher that has seen nothing yet, "other" one that has seen other documents of the
 * grammar, "warm" one that has seen these. "walk" follows tokens drawn from the masks, which lead
 * where no sensible text would; its first half is not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "grammar/builder.h"
#include "grammar/matcher.h"
#include "grammar/tools.h"
#include "grammar/vocab.h"
#include "text/dialect.h"
#include "text/tokenizer.h"

enum { MOST = 100000, WALK = 2000 };

static const char tool[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"location\":{\"type\":\"string\",\"description\":\"City and country\"},"
    "\"unit\":{\"type\":\"string\",\"enum\":[\"celsius\",\"fahrenheit\"]},"
    "\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":14},"
    "\"when\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":40},\"maxItems\":20}"
    ","
    "\"place\":{\"type\":\"object\",\"properties\":{\"lat\":{\"type\":\"number\",\"minimum\":-90,"
    "\"maximum\":90},\"lon\":{\"type\":\"number\"},\"note\":{\"type\":[\"string\",\"null\"]}},"
    "\"required\":[\"lat\",\"lon\"]}},\"required\":[\"location\",\"days\"]}";

static const char *const tool_texts[] = {
    "{\"location\": \"Paris, France\", \"unit\": \"celsius\", \"days\": 3}",
    "{\"location\": \"S\xC3\xA3o Paulo\", \"days\": 14, \"when\": \"2025-03-01T10:30:00Z\", "
    "\"tags\": "
    "[\"rain\", \"a longer tag\"]}",
    "{\"location\":\"\xE5\x8C\x97\xE4\xBA\xAC\xE5\xB8\x82\",\"days\":7,\"place\":{\"lat\":39.9,"
    "\"lon\":"
    "116.4,\"note\":null}}",
    "{\"location\": \"The old town of Riga\", \"unit\": \"fahrenheit\", \"days\": 1, \"tags\": [], "
    "\"place\": {\"lat\": -56.95, \"lon\": 24.1, \"note\": \"said \\\"near\\\"\"}}",
};
static const char *const object_texts[] = {
    "{\"name\": \"Ada\", \"born\": 1815, \"works\": [{\"title\": \"Notes\", \"pages\": 66}, null]}",
    "{\"a\": {\"b\": {\"c\": [1, 2.5, -3e8, true, false, [\"x\", {\"y\": []}]]}}, \"text\": "
    "\"one\\ntwo\"}",
    "{\"items\":[{\"id\":1,\"ok\":true},{\"id\":2,\"ok\":false}],\"next\":{\"page\":2,\"of\":[[[3]]"
    "]}}",
    "{\"\xE5\x90\x8D\xE5\xAD\x97\": \"\xE6\x9D\x8E\xE7\x99\xBD\", \"poem\": {\"lines\": "
    "[\"\xE5\xBA\x8A\xE5\x89\x8D"
    "\", \"\xE6\x98\x8E\xE6\x9C\x88\"], \"deep\": [{\"a\": [{\"b\": [{\"c\": \"d\"}]}]}]}}",
};

static const char *const turn_texts[] = {
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"location\": \"Oslo\", \"days\": 2}}\n"
    "</tool_call>",
    "Let me look that up.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"location\": "
    "\"Rome\", "
    "\"days\": 5}}\n</tool_call>",
    "It is sunny in Rome today, and it will stay so: no call is needed.",
    "First Rome, then Bern.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"location\": "
    "\"Rome\", "
    "\"days\": 5}}\n</tool_call>\n<tool_call>\n{\"name\": \"weather\", \"arguments\": "
    "{\"location\": "
    "\"Bern\", \"days\": 1}}\n</tool_call>",
};

struct times {
    double *us;
    int n;
};

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print(const char *what, struct times *t) {
    if (t->n == 0) return;
    qsort(t->us, (size_t)t->n, sizeof *t->us, by_size);
    printf("  %-6s %6d masks: median %8.1f us, 99%% %8.1f us, worst %8.1f us\n", what, t->n,
           t->us[t->n / 2], t->us[t->n * 99 / 100], t->us[t->n - 1]);
    t->n = 0;
}

static enum jl_status timed(struct grammar_matcher *m, struct grammar_state at, uint64_t *mask,
                            struct times *t, struct jl_error *err) {
    int64_t start = clock_ns();
    enum jl_status status = grammar_allowed(m, at, mask, err);
    if (t->n < MOST) t->us[t->n++] = 1e-3 * (double)(clock_ns() - start);
    return status;
}

static enum jl_status follow(struct grammar_matcher *m, const struct tokenizer *tokenizer,
                             const char *text, uint64_t *mask, struct times *t,
                             struct jl_error *err) {
    int32_t *ids;
    size_t n;
    JL_TRY(tokenizer_encode(tokenizer, text, strlen(text), ENCODE_SPECIAL, &ids, &n, err));
    struct grammar_state at = grammar_start(m);
    enum jl_status status = JL_OK;
    for (size_t i = 0; i < n && status == JL_OK; i++) {
        status = timed(m, at, mask, t, err);
        if (status == JL_OK && !(mask[ids[i] / 64] >> (ids[i] % 64) & 1))
            status = jl_fail(err, JL_ERR_FORMAT, "token %zu of %s is not allowed", i, text);
        if (status == JL_OK) status = grammar_accept(m, &at, ids[i], err);
    }
    free(ids);
    return status;
}

static enum jl_status walk(struct grammar_matcher *m, size_t words, uint64_t *mask, struct times *t,
                           struct jl_error *err) {
    struct grammar_state at = grammar_start(m), *wanted[] = {&at};
    for (uint32_t i = 0; i < 2 * WALK; i++) {
        struct rng_key key = {7, 0, i, RNG_TEST};
        if (i == WALK) t->n = 0;
        JL_TRY(grammar_keep(m, wanted, 1, err));
        JL_TRY(timed(m, at, mask, t, err));
        uint32_t n = 0;
        for (size_t k = 0; k < words; k++)
            n += (uint32_t)__builtin_popcountll(mask[k]);
        if (n == 0) {
            at = grammar_start(m);
            continue;
        }
        uint32_t chosen = (uint32_t)(rng_unit53(&key) * n);
        size_t k = 0;
        for (; (uint32_t)__builtin_popcountll(mask[k]) <= chosen; k++)
            chosen -= (uint32_t)__builtin_popcountll(mask[k]);
        uint64_t word = mask[k];
        while (chosen-- > 0)
            word &= word - 1;
        JL_TRY(grammar_accept(m, &at, (int32_t)(64 * k) + __builtin_ctzll(word), err));
    }
    return JL_OK;
}

static enum jl_status measure(const char *name, const struct grammar *g,
                              const struct grammar_vocab *v, const struct tokenizer *tokenizer,
                              const char *const *texts, struct jl_error *err) {
    size_t words = grammar_vocab_words(v);
    uint64_t *mask = calloc(words, sizeof *mask);
    struct times t = {calloc(MOST, sizeof *t.us), 0};
    struct grammar_matcher *m;
    if (!mask || !t.us) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    printf("%s: %zu positions\n", name, grammar_positions(g));
    JL_TRY(grammar_matcher_new(g, v, NULL, &m, err));
    for (int i = 0; i < 2; i++)
        JL_TRY(follow(m, tokenizer, texts[i], mask, &t, err));
    print("first", &t);
    for (int i = 2; i < 4; i++)
        JL_TRY(follow(m, tokenizer, texts[i], mask, &t, err));
    print("other", &t);
    for (int round = 0; round < 10; round++)
        for (int i = 2; i < 4; i++)
            JL_TRY(follow(m, tokenizer, texts[i], mask, &t, err));
    print("warm", &t);
    JL_TRY(walk(m, words, mask, &t, err));
    print("walk", &t);
    printf("  %.1f MB held\n", 1e-6 * (double)grammar_matcher_bytes(m));
    grammar_matcher_free(m);
    free(mask);
    free(t.us);
    return JL_OK;
}

static enum jl_status run(const char *path, const char *pre, struct jl_error *err) {
    char *text;
    size_t len;
    struct tokenizer *tokenizer;
    struct grammar_vocab *v;
    JL_TRY(file_read(path, (size_t)64 << 20, &text, &len, err));
    JL_TRY(tokenizer_from_ranks(text, len, pre, &tokenizer, err));
    free(text);
    int64_t start = clock_ns();
    JL_TRY(grammar_vocab_of(tokenizer, &v, err));
    printf("%d tokens, trie in %.0f ms\n", grammar_vocab_size(v),
           1e-6 * (double)(clock_ns() - start));
    static const char *const names[] = {"a tool's arguments", "a JSON object", "a turn with tools"};
    static const char *const *const texts[] = {tool_texts, object_texts, turn_texts};
    static const struct grammar_tool offered[] = {{"weather", tool}};
    static const struct grammar_tools tools = {.tools = offered, .n = 1};
    for (int i = 0; i < 3; i++) {
        struct grammar_builder *b = grammar_builder_new();
        struct grammar *g;
        start = clock_ns();
        grammar_expr root =
            i == 0   ? grammar_json_schema(b, tool, strlen(tool), NULL)
            : i == 1 ? grammar_json_object(b, NULL)
                     : grammar_tool_calls(b, dialect_by_name("hermes"), tokenizer, &tools);
        JL_TRY(grammar_compile(b, root, &g, err));
        printf("compiled in %.0f us\n", 1e-3 * (double)(clock_ns() - start));
        JL_TRY(measure(names[i], g, v, tokenizer, texts[i], err));
        grammar_free(g);
        grammar_builder_free(b);
    }
    grammar_vocab_free(v);
    tokenizer_free(tokenizer);
    return JL_OK;
}

int main(int argc, char **argv) {
    struct jl_error err;
    if (argc == 3 && run(argv[1], argv[2], &err) == JL_OK) return 0;
    fprintf(stderr, "%s\n", argc == 3 ? err.message : "usage: bench_grammar FILE.tiktoken PRE");
    return 1;
}
