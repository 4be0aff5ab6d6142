#include "train/data/doc.h"

#include <stdlib.h>
#include <string.h>

void data_doc_free(struct data_doc *doc) {
    free(doc->words);
    *doc = (struct data_doc){0};
}

static bool reserve(struct data_doc *doc, size_t more) {
    size_t need = doc->n_word + more;
    if (need <= doc->cap) return true;
    if (need < doc->cap + doc->cap / 2) need = doc->cap + doc->cap / 2;
    uint32_t *grown = realloc(doc->words, need * sizeof *grown);
    if (!grown) return false;
    doc->words = grown;
    doc->cap = need;
    return true;
}

enum jl_status data_doc_add(struct data_doc *doc, const int32_t *ids, const uint8_t *loss, size_t n,
                            struct jl_error *err) {
    uint32_t n_loss = 0;
    if (n > DATA_MAX_TOKENS)
        return jl_fail(err, JL_ERR_LIMIT, "it gives %zu tokens, more than %u: split it", n,
                       DATA_MAX_TOKENS);
    for (size_t i = 1; i < n; i++)
        n_loss += loss[i] != 0;
    if (n_loss == 0) return jl_fail(err, JL_ERR_USAGE, "it has no token to learn");
    size_t n_word = data_example_words((uint32_t)n);
    if (!reserve(doc, n_word)) return jl_fail(err, JL_ERR_MEMORY, "out of memory for its tokens");
    uint32_t *words = doc->words + doc->n_word, *bits = words + 2 + n;
    words[0] = (uint32_t)n;
    words[1] = n_loss;
    memset(bits, 0, (n + 31) / 32 * sizeof *bits);
    for (size_t i = 0; i < n; i++) {
        words[2 + i] = (uint32_t)ids[i];
        if (i && loss[i]) bits[i / 32] |= (uint32_t)1 << (i % 32);
    }
    doc->n_word += n_word;
    doc->n_example++;
    return JL_OK;
}

/* The ids grow by one where EOS is missing. */
static enum jl_status close_text(int32_t **ids, size_t *n, int32_t eos, struct jl_error *err) {
    if (*n && (*ids)[*n - 1] == eos) return JL_OK;
    int32_t *grown = realloc(*ids, (*n + 1) * sizeof *grown);
    if (!grown) return jl_fail(err, JL_ERR_MEMORY, "out of memory for its tokens");
    grown[(*n)++] = eos;
    *ids = grown;
    return JL_OK;
}

enum jl_status data_doc_add_text(struct data_doc *doc, const struct tokenizer *tokenizer,
                                 const char *text, size_t len, struct jl_error *err) {
    int32_t *ids = NULL, eos = tokenizer_eos(tokenizer);
    uint8_t *loss = NULL;
    size_t n = 0;
    if (eos == TOKEN_NONE)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the tokenizer has no end-of-text token, so a model could not learn where a "
                       "text ends: name one in tokenizer_config.json as eos_token");
    JL_TRY(tokenizer_encode(tokenizer, text, len, ENCODE_ADD_BOS, &ids, &n, err));
    enum jl_status status = close_text(&ids, &n, eos, err);
    if (status == JL_OK) {
        loss = malloc(n);
        if (!loss) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for its tokens");
    }
    if (status == JL_OK) {
        memset(loss, 1, n);
        status = data_doc_add(doc, ids, loss, n, err);
    }
    free(ids);
    free(loss);
    return status;
}

/* One example within `left` words: the words it takes, 0 when it is none. */
static size_t check_example(const uint32_t *words, size_t left, uint32_t n_vocab,
                            uint32_t *n_loss) {
    if (left < 2 || words[0] < 2 || words[0] > DATA_MAX_TOKENS) return 0;
    size_t n_word = data_example_words(words[0]);
    if (n_word > left) return 0;
    struct data_example example = data_example_at(words);
    uint32_t set = 0, n_bit = (example.n + 31) / 32;
    for (uint32_t i = 0; i < example.n; i++)
        if (example.ids[i] >= n_vocab) return 0;
    for (uint32_t i = 0; i < n_bit; i++)
        set += (uint32_t)__builtin_popcount(example.bits[i]);
    if (example.bits[0] & 1) return 0;
    if (example.n % 32 && example.bits[n_bit - 1] >> (example.n % 32)) return 0;
    if (set == 0 || set != example.n_loss) return 0;
    *n_loss = set;
    return n_word;
}

bool data_doc_check(const uint32_t *words, size_t n_word, uint32_t n_example, uint32_t n_vocab,
                    uint64_t *n_token, uint64_t *n_loss) {
    size_t at = 0;
    for (uint32_t i = 0; i < n_example; i++) {
        uint32_t loss;
        size_t taken = check_example(words + at, n_word - at, n_vocab, &loss);
        if (taken == 0) return false;
        *n_token += words[at];
        *n_loss += loss;
        at += taken;
    }
    return n_example > 0 && at == n_word;
}
