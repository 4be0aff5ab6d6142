/* The proof that nothing was lost: what would be written, made into a tokenizer again, is compared
 * with the one it came from. */
#include "text/tokenizer/to_gguf.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pre.h"

/* Texts in which pre-tokenizers differ. All are in normalisation form C and none begins with white
 * space. */
static const char *const probes[] = {
    "Hello, world! It's 2024-07-15 (or 15/7), isn't IT'S? we'LL THEY'VE i'd I'M  ok",
    "a  b   c\td\n\ne \r\n f\n \n  g \t\n",
    "1 12 123 1234 12345 1234567 3.14159 1,000,000 x2 2x \xE2\x85\xA7 \xC2\xB2 \xD9\xA3\xD9\xA4",
    "camelCase XMLHttpRequest snake_case __init__ #include <a.h> if(x!=y){z+=1;}//...",
    "$100 50% \xE2\x82\xAC"
    "20 +1 ~/bin a^b `code` [x] {y} |z| @me &co ===>>> !!! ??? ...",
    "\xE4\xBD\xA0\xE5\xA5\xBD\xEF\xBC\x8C\xE4\xB8\x96\xE7\x95\x8C\xE3\x80\x82"
    "\xE3\x81\x93\xE3\x82\x93\xE3\x81\xAB\xE3\x81\xA1\xE3\x81\xAF\xE3\x82\xAB\xE3\x82\xBF "
    "\xEC\x95\x88\xEB\x85\x95 mixed\xE4\xB8\xAD\xE6\x96\x87text 3\xE6\x9C\x88"
    "15\xE6\x97\xA5",
    "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 \xCE\xB1\xCE\xB2\xCE\xB3 \xC3\x9C"
    "ber na\xC3\xAFve \xE0\xB8\xAA\xE0\xB8\xA7\xE0\xB8\xB1\xE0\xB8\xAA\xE0\xB8\x94\xE0\xB8\xB5 "
    "\xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87 "
    "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
    "\xF0\x9F\x98\x80\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD \xE2\x9C\x93 \xE2\x80\x9Cquoted\xE2\x80\x9D "
    "\xE2\x80\x94 \xE2\x80\xA6 \xC2\xA0nbsp\xE3\x80\x80wide",
    "end of line   \n",
    "x'sx 'S'T''RE don\xE2\x80\x99t o'clock rock'n'roll",
};
#define N_PROBE (sizeof probes / sizeof probes[0])

static enum jl_status differs(const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "this tokenizer cannot be written: what would be written differs in %s", what);
}

/* ---- merges ---- */

struct ranked {
    uint32_t rank[2]; // in the source, in what was made
    int32_t merged;
};

static int by_ranks(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    for (int i = 0; i < 2; i++)
        if (x->rank[i] != y->rank[i]) return x->rank[i] < y->rank[i] ? -1 : 1;
    return 0;
}

/* The highest second rank so far, and the highest among pairs that make another token than that. */
struct highest {
    int64_t rank, rank_other;
    int32_t merged;
};

static void note_highest(struct highest *h, const struct ranked *pair) {
    if (pair->merged == h->merged) {
        if (pair->rank[1] > h->rank) h->rank = pair->rank[1];
    } else if (pair->rank[1] > h->rank) {
        *h = (struct highest){pair->rank[1], h->rank, pair->merged};
    } else if (pair->rank[1] > h->rank_other) {
        h->rank_other = pair->rank[1];
    }
}

/* Two pairs that make different tokens come in the same order on both sides, or have equal ranks
 * on both: of those the left one merges first. Pairs that make the same token may stand as they
 * like, as long as no other token's come between them. */
static enum jl_status same_order(struct ranked *pairs, size_t n, struct jl_error *err) {
    struct highest highest = {-1, -1, TOKEN_NONE};
    qsort(pairs, n, sizeof *pairs, by_ranks);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && pairs[end].rank[0] == pairs[i].rank[0]; end++) {
            const struct ranked *pair = &pairs[end];
            int64_t below = pair->merged == highest.merged ? highest.rank_other : highest.rank;
            bool tied = pair->merged != pairs[i].merged && pair->rank[1] != pairs[i].rank[1];
            if (tied || pair->rank[1] <= below) return differs("the order of its merges", err);
        }
        for (size_t k = i; k < end; k++)
            note_highest(&highest, &pairs[k]);
    }
    return JL_OK;
}

static enum jl_status check_merges(const struct bpe *source, const struct bpe *made,
                                   struct jl_error *err) {
    size_t n = 0, n_pair = bpe_pairs_count(&source->pairs);
    struct bpe_pair pair;
    if (n_pair != bpe_pairs_count(&made->pairs)) return differs("the number of its merges", err);
    struct ranked *list = calloc(n_pair + 1, sizeof *list);
    if (!list) return jl_fail(err, JL_ERR_MEMORY, "out of memory comparing merges");
    enum jl_status status = JL_OK;
    for (size_t at = 0; status == JL_OK && bpe_pairs_next(&source->pairs, &at, &pair);) {
        uint64_t value = bpe_pairs_get(&made->pairs, pair.left, pair.right);
        if (value == BPE_MERGE_NONE || (uint32_t)value != (uint32_t)pair.value)
            status = differs("its merges", err);
        else
            list[n++] = (struct ranked){{(uint32_t)(pair.value >> 32), (uint32_t)(value >> 32)},
                                        (int32_t)(uint32_t)pair.value};
    }
    if (status == JL_OK) status = same_order(list, n, err);
    free(list);
    return status;
}

/* ---- added tokens ---- */

static int32_t find_added(const struct added_set *set, const struct added_token *token) {
    for (int i = 0; i < set->n; i++)
        if (set->tokens[i].len == token->len &&
            !memcmp(set->tokens[i].text, token->text, token->len))
            return set->tokens[i].special == token->special ? set->tokens[i].id : TOKEN_NONE;
    return TOKEN_NONE;
}

static enum jl_status check_added(const struct tokenizer *source, const struct tokenizer *made,
                                  struct jl_error *err) {
    const struct added_set *sets[] = {&source->added_raw, &source->added_normalized};
    int n = 0;
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < sets[s]->n; i++, n++)
            if (find_added(&made->added_raw, &sets[s]->tokens[i]) != sets[s]->tokens[i].id)
                return differs("its added tokens", err);
    return n == made->added_raw.n ? JL_OK : differs("the number of its added tokens", err);
}

/* ---- probes ---- */

static enum jl_status check_probe(const struct tokenizer *source, const struct tokenizer *made,
                                  const char *text, struct jl_error *err) {
    int32_t *ids[2] = {NULL, NULL};
    size_t n[2];
    enum jl_status status = tokenizer_encode(source, text, strlen(text), 0, &ids[0], &n[0], err);
    if (status == JL_OK)
        status = tokenizer_encode(made, text, strlen(text), 0, &ids[1], &n[1], err);
    if (status == JL_OK && (n[0] != n[1] || memcmp(ids[0], ids[1], n[0] * sizeof **ids) != 0))
        status = differs("the ids of a test text", err);
    free(ids[0]);
    free(ids[1]);
    return status;
}

/* Where the one keeps words whole that are tokens and the other does not, merging must make them.
 */
static enum jl_status check_whole_words(const struct tokenizer *source,
                                        const struct tokenizer *made, struct jl_error *err) {
    if (!source->bpe.bytes || source->bpe.ignore_merges == made->bpe.ignore_merges) return JL_OK;
    const struct bpe *merging = source->bpe.ignore_merges ? &made->bpe : &source->bpe;
    struct id_buffer ids = {0};
    struct bpe_run run = {.bpe = merging, .ids = &ids};
    enum jl_status status = JL_OK;
    bpe_run_start(&run, 1);
    for (int32_t id = 0; id < source->vocab.n && status == JL_OK; id++) {
        const struct vocab_token *token = &source->vocab.tokens[id];
        if (token->type != TOKEN_NORMAL ||
            vocab_find(&source->vocab, token->text, token->len) != id)
            continue;
        ids.len = 0;
        status = bpe_run_word(&run, token->text, token->len, 0, err);
        if (status == JL_OK) status = bpe_run_flush(&run, err);
        if (status == JL_OK && (ids.len != 1 || ids.data[0] != id))
            status = differs("words that are tokens without any merge", err);
    }
    bpe_run_free(&run);
    free(ids.data);
    return status;
}

enum jl_status to_gguf_check(const struct tokenizer *source, const struct tokenizer *made,
                             struct jl_error *err) {
    JL_TRY(check_merges(&source->bpe, &made->bpe, err));
    JL_TRY(check_added(source, made, err));
    for (size_t i = 0; i < N_PROBE; i++)
        JL_TRY(check_probe(source, made, probes[i], err));
    return check_whole_words(source, made, err);
}

/* ---- pre-tokenizers ---- */

static enum jl_status add_length(void *ctx, const char *text, size_t len, struct jl_error *err) {
    (void)text;
    if (buffer_append_id(ctx, (int32_t)len)) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory trying pre-tokenizers");
}

/* Lengths of the words of all probes, one behind the other. */
static enum jl_status cut_probes(const struct pretok *pretok, struct id_buffer *lengths,
                                 struct jl_error *err) {
    struct pretok_run run = {.pretok = pretok, .word = add_length, .ctx = lengths};
    enum jl_status status = JL_OK;
    lengths->len = 0;
    for (size_t i = 0; i < N_PROBE && status == JL_OK; i++) {
        run.err = err;
        status = pretok_text(&run, probes[i], strlen(probes[i]), true, err);
    }
    pretok_run_free(&run);
    return status;
}

enum jl_status to_gguf_probe_pre(const struct pretok *pretok, int *found, struct jl_error *err) {
    struct id_buffer want = {0}, got = {0};
    enum jl_status status = cut_probes(pretok, &want, err);
    int i = *found;
    *found = -1;
    for (; status == JL_OK && pre_at(i) && *found < 0; i++) {
        struct pretok row = {0};
        status = pre_add_row(&row, pre_at(i), err);
        if (status == JL_OK) status = cut_probes(&row, &got, err);
        if (status == JL_OK && got.len == want.len &&
            !memcmp(got.data, want.data, got.len * sizeof *got.data))
            *found = i;
        pretok_free(&row);
    }
    free(want.data);
    free(got.data);
    return status;
}
