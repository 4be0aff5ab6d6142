#include "grammar/vocab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/trie.h"
#include "text/tokenizer.h"

void grammar_vocab_free(struct grammar_vocab *vocab) {
    if (!vocab) return;
    for (int i = 0; i < TRIE_COUNT; i++) {
        free(vocab->tries[i].nodes);
        free(vocab->tries[i].ids);
    }
    free(vocab->bytes);
    free(vocab->starts);
    free(vocab);
}

int grammar_vocab_size(const struct grammar_vocab *vocab) { return vocab->n_token; }

size_t grammar_vocab_words(const struct grammar_vocab *vocab) {
    return ((size_t)vocab->n_token + 63) / 64;
}

struct grammar_token_bytes grammar_vocab_bytes(const struct grammar_vocab *vocab, int32_t id) {
    if (id < 0 || id >= vocab->n_token) return (struct grammar_token_bytes){"", 0};
    return (struct grammar_token_bytes){vocab->bytes + vocab->starts[id],
                                        vocab->starts[id + 1] - vocab->starts[id]};
}

static int compare(const void *a, const void *b, void *ctx) {
    const struct grammar_vocab *v = ctx;
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    struct grammar_token_bytes p = grammar_vocab_bytes(v, x), q = grammar_vocab_bytes(v, y);
    int order = memcmp(p.bytes, q.bytes, p.len < q.len ? p.len : q.len);
    if (order) return order;
    if (p.len != q.len) return p.len < q.len ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Nodes from the sorted tokens: each adds those below what it shares with the one before. */
static void build(const struct grammar_vocab *v, struct trie *trie, int n, uint32_t *way) {
    struct grammar_token_bytes last = {"", 0};
    for (int i = 0; i < n; i++) {
        struct grammar_token_bytes token = grammar_vocab_bytes(v, trie->ids[i]);
        uint32_t same = 0;
        while (same < last.len && same < token.len && last.bytes[same] == token.bytes[same])
            same++;
        for (uint32_t d = same; d < last.len; d++)
            trie->nodes[way[d]].next = trie->n_node;
        for (uint32_t d = same; d < token.len; d++) {
            way[d] = trie->n_node;
            trie->nodes[trie->n_node++] = (struct trie_node){
                .token = (uint32_t)i, .depth = (uint16_t)(d + 1), .byte = (uint8_t)token.bytes[d]};
        }
        last = token;
    }
    for (uint32_t d = 0; d < last.len; d++)
        trie->nodes[way[d]].next = trie->n_node;
    trie->nodes[trie->n_node] = (struct trie_node){.next = trie->n_node, .token = (uint32_t)n};
}

/* The trie of the tokens with more than `least` and at most `most` bytes. */
static bool make_trie(struct grammar_vocab *v, struct trie *trie, size_t least, size_t most) {
    size_t total = 0;
    int n = 0;
    for (int i = 0; i < v->n_token; i++) {
        size_t len = grammar_vocab_bytes(v, i).len;
        bool inside = len > least && len <= most;
        total += inside ? len : 0;
        n += inside;
    }
    trie->ids = malloc(((size_t)n + 1) * sizeof *trie->ids);
    trie->nodes = malloc((total + 1) * sizeof *trie->nodes);
    uint32_t *way = malloc((v->longest + 1) * sizeof *way);
    bool fits = trie->ids && trie->nodes && way;
    if (fits) {
        n = 0;
        for (int i = 0; i < v->n_token; i++) {
            size_t len = grammar_vocab_bytes(v, i).len;
            if (len > least && len <= most) trie->ids[n++] = i;
        }
        qsort_r(trie->ids, (size_t)n, sizeof *trie->ids, compare, v);
        build(v, trie, n, way);
        struct trie_node *nodes = realloc(trie->nodes, (trie->n_node + 1) * sizeof *nodes);
        if (nodes) trie->nodes = nodes;
    }
    free(way);
    return fits;
}

static enum jl_status make(struct grammar_vocab *v, const struct grammar_token_bytes *tokens,
                           struct jl_error *err) {
    size_t total = 0;
    for (int i = 0; i < v->n_token; i++) {
        if (tokens[i].len > GRAMMAR_MAX_TOKEN)
            return jl_fail(err, JL_ERR_LIMIT, "token %d has %zu bytes, more than %d", i,
                           tokens[i].len, GRAMMAR_MAX_TOKEN);
        total += tokens[i].len;
        if (tokens[i].len > v->longest) v->longest = (uint32_t)tokens[i].len;
    }
    if (total >= UINT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT, "the tokens of a vocabulary have %zu bytes", total);
    v->starts = calloc((size_t)v->n_token + 1, sizeof *v->starts);
    v->bytes = malloc(total + 1);
    if (!v->starts || !v->bytes)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a vocabulary of %d tokens",
                       v->n_token);
    for (int i = 0; i < v->n_token; i++) {
        if (tokens[i].len) memcpy(v->bytes + v->starts[i], tokens[i].bytes, tokens[i].len);
        v->starts[i + 1] = v->starts[i] + (uint32_t)tokens[i].len;
    }
    for (int i = 0; i < TRIE_COUNT; i++)
        if (!make_trie(v, &v->tries[i], i ? trie_most[i - 1] : 0, trie_most[i]))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for a vocabulary of %d tokens",
                           v->n_token);
    return JL_OK;
}

enum jl_status grammar_vocab_new(const struct grammar_token_bytes *tokens, int n,
                                 struct grammar_vocab **out, struct jl_error *err) {
    *out = NULL;
    if (n < 0) return jl_fail(err, JL_ERR_USAGE, "a vocabulary of %d tokens", n);
    struct grammar_vocab *v = calloc(1, sizeof *v);
    if (!v) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a vocabulary");
    v->n_token = n;
    enum jl_status status = make(v, tokens, err);
    if (status == JL_OK)
        *out = v;
    else
        grammar_vocab_free(v);
    return status;
}

/* All tokens' bytes behind each other, and where each ends. */
static enum jl_status decode(const struct tokenizer *tokenizer, int n, char **text, size_t *ends,
                             struct jl_error *err) {
    size_t len = 0, cap = 0;
    for (int i = 0; i < n; i++) {
        if (!tokenizer_is_mark(tokenizer, i)) {
            struct token_stream stream;
            token_stream_init(&stream, tokenizer, false);
            stream.raw = true;
            enum jl_status status = token_stream_push(&stream, i, text, &len, &cap, err);
            if (status == JL_OK) status = token_stream_end(&stream, text, &len, &cap, err);
            if (status != JL_OK && status != JL_ERR_USAGE) return status; // usage: no such id
        }
        ends[i] = len;
    }
    return JL_OK;
}

enum jl_status grammar_vocab_of(const struct tokenizer *tokenizer, struct grammar_vocab **out,
                                struct jl_error *err) {
    int n = tokenizer_vocab_size(tokenizer);
    char *text = NULL;
    size_t *ends = calloc((size_t)n + 1, sizeof *ends);
    struct grammar_token_bytes *tokens = calloc((size_t)n + 1, sizeof *tokens);
    enum jl_status status = JL_OK;
    *out = NULL;
    if (!ends || !tokens)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for a vocabulary of %d tokens", n);
    if (status == JL_OK) status = decode(tokenizer, n, &text, ends, err);
    for (int i = 0; i < n && status == JL_OK; i++) {
        size_t start = i ? ends[i - 1] : 0;
        tokens[i] = (struct grammar_token_bytes){text + start, ends[i] - start};
        if (tokens[i].len > GRAMMAR_MAX_TOKEN) tokens[i].len = 0;
    }
    if (status == JL_OK) status = grammar_vocab_new(tokens, n, out, err);
    free(text);
    free(ends);
    free(tokens);
    return status;
}
