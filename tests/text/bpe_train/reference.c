#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include "text/bpe_train/rules.h"
#include "text/tokenizer/pre_extra.h"
#include "text/utf8.h"

struct word {
    struct reference_token *symbols;
    int n;
    unsigned char *bytes;
    int len;
};

struct words {
    struct word *items;
    int n;
};

static enum jl_status add_word(void *ctx, const char *text, size_t len, struct jl_error *err) {
    struct words *words = ctx;
    (void)err;
    words->items = realloc(words->items, (size_t)(words->n + 1) * sizeof *words->items);
    struct word *word = &words->items[words->n++];
    *word = (struct word){.bytes = malloc(len), .len = (int)len};
    word->symbols = calloc(len, sizeof *word->symbols);
    memcpy(word->bytes, text, len);
    return JL_OK;
}

static int same(const struct reference_token *a, const struct reference_token *b) {
    return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static int compare(const struct reference_token *a, const struct reference_token *b) {
    int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static struct reference_token join(const struct reference_token *a,
                                   const struct reference_token *b) {
    struct reference_token out = *a;
    memcpy(out.bytes + a->len, b->bytes, b->len);
    out.len += b->len;
    return out;
}

/* As encoding does it: of all pairs that are a merge the one of the lowest rank, the left one. */
static void encode(struct word *word, const struct reference *merges) {
    word->n = word->len;
    for (int i = 0; i < word->len; i++)
        word->symbols[i] = (struct reference_token){{word->bytes[i]}, 1};
    for (;;) {
        int best = merges->n, at = -1;
        for (int i = 0; i + 1 < word->n; i++)
            for (int rank = 0; rank < best; rank++)
                if (same(&merges->merges[rank].left, &word->symbols[i]) &&
                    same(&merges->merges[rank].right, &word->symbols[i + 1])) {
                    best = rank;
                    at = i;
                }
        if (at < 0) return;
        word->symbols[at] = join(&word->symbols[at], &word->symbols[at + 1]);
        word->n--;
        memmove(&word->symbols[at + 1], &word->symbols[at + 2],
                (size_t)(word->n - at - 1) * sizeof *word->symbols);
    }
}

static bool whole(const struct reference_token *token) {
    return utf8_valid_length((const char *)token->bytes, token->len) == token->len;
}

/* A piece of one character: every byte but the first goes on with it. */
static bool inside(const struct reference_token *token) {
    for (size_t i = 1; i < token->len; i++)
        if ((token->bytes[i] & 0xC0) != 0x80) return false;
    return true;
}

static bool allowed(const struct reference *merges, const struct bpe_train_options *options,
                    const struct reference_token *left, const struct reference_token *right) {
    struct reference_token both = join(left, right);
    if (both.len > options->max_token_bytes) return false;
    if (!options->cross_characters) {
        if (whole(&both) ? whole(left) != whole(right) : !inside(&both)) return false;
        if (!whole(&both) && (both.bytes[0] < 0x80 || whole(left))) return false;
    }
    for (int i = 0; i < merges->n; i++) {
        struct reference_token token = join(&merges->merges[i].left, &merges->merges[i].right);
        if (same(&token, &both)) return false;
    }
    for (int i = 0; i < options->n_special; i++)
        if (strlen(options->special[i]) == both.len &&
            !memcmp(options->special[i], both.bytes, both.len))
            return false;
    return true;
}

struct pair {
    struct reference_token left, right;
    uint64_t count;
};

static void count_pair(struct pair *pairs, int *n, const struct word *word, int at) {
    int i = 0;
    while (i < *n && !(same(&pairs[i].left, &word->symbols[at]) &&
                       same(&pairs[i].right, &word->symbols[at + 1])))
        i++;
    if (i == *n) pairs[(*n)++] = (struct pair){word->symbols[at], word->symbols[at + 1], 0};
    pairs[i].count++;
}

static bool is_han(const struct word *word) {
    return pre_extra_is_han((const char *)word->bytes, (size_t)word->len);
}

static bool step(struct words *words, const struct bpe_train_options *options,
                 struct reference *out) {
    int n = 0, total = 0;
    for (int i = 0; i < words->n; i++)
        total += words->items[i].len;
    struct pair *pairs = calloc((size_t)total + 1, sizeof *pairs), *best = NULL;
    for (int i = 0; i < words->n; i++) {
        struct word *word = &words->items[i];
        if (options->rules.han_single && is_han(word)) continue;
        encode(word, out);
        for (int k = 0; k + 1 < word->n; k++)
            count_pair(pairs, &n, word, k);
    }
    for (int i = 0; i < n; i++) {
        const struct pair *pair = &pairs[i];
        if (pair->count < options->min_count || !allowed(out, options, &pair->left, &pair->right))
            continue;
        int order = best ? (best->count < pair->count) - (best->count > pair->count) : 1;
        if (!order) order = compare(&best->left, &pair->left);
        if (!order) order = compare(&best->right, &pair->right);
        if (order > 0) best = &pairs[i];
    }
    if (best) out->merges[out->n++] = (struct reference_merge){best->left, best->right};
    free(pairs);
    return best != NULL;
}

/* The Han character that is not yet a token and occurs most often; NULL: none. */
static const struct word *next_han(const struct words *words, uint64_t min_count,
                                   const char *done) {
    const struct word *best = NULL;
    uint64_t most = 0;
    for (int i = 0; i < words->n; i++) {
        const struct word *word = &words->items[i];
        uint64_t count = 0;
        if (done[i] || !is_han(word)) continue;
        for (int k = 0; k < words->n; k++)
            count += words->items[k].len == word->len &&
                     !memcmp(words->items[k].bytes, word->bytes, (size_t)word->len);
        if (count < min_count || count < most) continue;
        if (count == most && best &&
            memcmp(best->bytes, word->bytes,
                   (size_t)(best->len < word->len ? best->len : word->len)) <= 0)
            continue;
        most = count;
        best = word;
    }
    return best;
}

static void join_han(const struct words *words, uint64_t min_count, struct reference *out) {
    char *done = calloc((size_t)words->n + 1, 1);
    for (const struct word *word; (word = next_han(words, min_count, done));) {
        struct reference_token left = {{word->bytes[0]}, 1};
        for (int k = 1; k < word->len; k++) {
            struct reference_token right = {{word->bytes[k]}, 1};
            bool known = false;
            for (int i = 0; i < out->n; i++)
                known = known ||
                        (same(&out->merges[i].left, &left) && same(&out->merges[i].right, &right));
            if (!known) out->merges[out->n++] = (struct reference_merge){left, right};
            left = join(&left, &right);
        }
        for (int i = 0; i < words->n; i++)
            if (words->items[i].len == word->len &&
                !memcmp(words->items[i].bytes, word->bytes, (size_t)word->len))
                done[i] = 1;
    }
    free(done);
}

void reference_train(const char *text, size_t len, const struct bpe_train_options *options,
                     struct reference *out) {
    struct words words = {0};
    struct pretok pretok;
    struct jl_error err;
    out->n = 0;
    if (bpe_rules_pretok(&options->rules, &pretok, &err) != JL_OK) return;
    struct pretok_run run = {.pretok = &pretok, .word = add_word, .ctx = &words};
    pretok_text(&run, text, len, true, &err);
    pretok_run_free(&run);
    pretok_free(&pretok);
    if (options->rules.han_single) join_han(&words, options->min_count, out);
    while (out->n < options->vocab_size - 256 - options->n_special && out->n < REFERENCE_MERGES)
        if (!step(&words, options, out)) break;
    for (int i = 0; i < words.n; i++) {
        free(words.items[i].bytes);
        free(words.items[i].symbols);
    }
    free(words.items);
}
