/* Byte-level BPE as GGUF stores it ("gpt2"): tokens in the byte alphabet and a list of merges. */
#include "text/tokenizer/bpe_build.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/pre.h"

#define MAX_TOKEN_BYTES (UINT32_MAX / 4)

enum jl_status bpe_build_no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary");
}

enum jl_status bpe_build_start(struct tokenizer *t, int n, struct jl_error *err) {
    if (n < 1 || n > VOCAB_MAX_TOKENS) {
        return jl_fail(err, JL_ERR_LIMIT, "a vocabulary of %d tokens; 1 to %d are possible", n,
                       VOCAB_MAX_TOKENS);
    }
    if (!vocab_init(&t->vocab, &t->arena, n)) return bpe_build_no_memory(err);
    t->model = PIPELINE_BPE;
    t->bpe.vocab = &t->vocab;
    t->bpe.bytes = true;
    t->bpe.unknown = TOKEN_NONE;
    memset(t->bpe.byte_token, 0xFF, sizeof t->bpe.byte_token); // all TOKEN_NONE
    return JL_OK;
}

static bool is_added(const struct vocab_token *token) {
    return token->len && (token->type == TOKEN_CONTROL || token->type == TOKEN_USER_DEFINED ||
                          token->type == TOKEN_UNKNOWN);
}

enum jl_status bpe_build_specials(struct tokenizer *t, struct jl_error *err) {
    int count = 0;
    for (int32_t id = 0; id < t->vocab.n; id++)
        count += is_added(&t->vocab.tokens[id]);
    if (!added_init(&t->added_raw, &t->arena, count)) return bpe_build_no_memory(err);
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        if (!is_added(token)) continue;
        struct added_token added = {.id = id,
                                    .text = token->text,
                                    .len = token->len,
                                    .special = token->type != TOKEN_USER_DEFINED};
        int32_t same;
        if (!added_put(&t->added_raw, &added, &same)) return bpe_build_no_memory(err);
    }
    return JL_OK;
}

static enum jl_status check_id(const struct tokenizer *t, int32_t id, const char *name,
                               struct jl_error *err) {
    if (id == TOKEN_NONE || vocab_has(&t->vocab, id)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "the %s token's id is %d, but the vocabulary has %d tokens",
                   name, id, t->vocab.n);
}

enum jl_status bpe_build_ends(struct tokenizer *t, const struct bpe_build_ends *ends,
                              struct jl_error *err) {
    JL_TRY(check_id(t, ends->bos, "beginning-of-text", err));
    JL_TRY(check_id(t, ends->eos, "end-of-text", err));
    JL_TRY(check_id(t, ends->unk, "unknown", err));
    if ((ends->add_bos && ends->bos == TOKEN_NONE) || (ends->add_eos && ends->eos == TOKEN_NONE)) {
        return jl_fail(err, JL_ERR_FORMAT, "%s token is to be added, but the vocabulary names none",
                       ends->add_bos && ends->bos == TOKEN_NONE ? "a beginning-of-text"
                                                                : "an end-of-text");
    }
    t->bos = ends->bos;
    t->eos = ends->eos;
    t->bpe.unknown = ends->unk;
    if (ends->add_bos) t->before[t->n_before++] = ends->bos;
    if (ends->add_eos) t->after[t->n_after++] = ends->eos;
    return JL_OK;
}

/* ---- tokens ---- */

/* What the text of a token stands for: bytes of the alphabet, or the text itself for tokens that
 * are found as they stand and for texts the alphabet cannot write. */
static enum jl_status add_token(struct tokenizer *t, const struct token_entry *entry, int32_t id,
                                struct byte_buffer *bytes, struct jl_error *err) {
    struct vocab_token *token = &t->vocab.tokens[id];
    bool known = false;
    if (entry->type < TOKEN_NORMAL || entry->type > TOKEN_BYTE) {
        return jl_fail(err, JL_ERR_FORMAT, "token %d has the type %d; types are 1 to 6", id,
                       (int)entry->type);
    }
    if (entry->len > MAX_TOKEN_BYTES) {
        return jl_fail(err, JL_ERR_LIMIT, "token %d has %zu bytes of text", id, entry->len);
    }
    int byte = entry->type == TOKEN_BYTE ? vocab_byte_value(entry->text, entry->len) : -1;
    bytes->len = 0;
    if (byte >= 0) {
        char value = (char)byte;
        if (!buffer_append(bytes, &value, 1)) return bpe_build_no_memory(err);
        known = true;
    } else if (entry->type == TOKEN_NORMAL || entry->type == TOKEN_BYTE) {
        if (!byte_alphabet_read(entry->text, entry->len, bytes, &known))
            return bpe_build_no_memory(err);
    }
    const char *text = known ? bytes->data : entry->text;
    token->len = token->out_len = (uint32_t)(known ? bytes->len : entry->len);
    token->type = (int)entry->type;
    token->out = token->text = vocab_keep(&t->vocab, text, token->len);
    return token->text ? JL_OK : bpe_build_no_memory(err);
}

/* Text becomes normal tokens; only where none has these bytes may a merge make a user-defined or
 * unused one. Control tokens come out of no merge. */
static enum jl_status index_tokens(struct tokenizer *t, int type, struct jl_error *err) {
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        if (token->type != type || token->len == 0) continue;
        if (vocab_index(&t->vocab, id) != id) continue; // the first one with this text
        if (!bpe_add_char(&t->bpe, id)) return bpe_build_no_memory(err);
    }
    return JL_OK;
}

/* ---- merges ---- */

/* "a b": the space that divides is the first behind the first character. */
static bool cut_merge(const struct bpe_merge_text *merge, size_t *left, size_t *right) {
    const char *space = merge->len > 1 ? memchr(merge->text + 1, ' ', merge->len - 1) : NULL;
    if (!space) return false;
    *left = (size_t)(space - merge->text);
    *right = merge->len - *left - 1;
    return *right > 0;
}

static enum jl_status add_merge(struct tokenizer *t, const struct bpe_spec *spec, uint32_t rank,
                                struct byte_buffer bytes[2], struct jl_error *err) {
    const struct bpe_merge_text *merge = &spec->merges[rank];
    size_t left, right;
    uint64_t old;
    bool known[2];
    if (!cut_merge(merge, &left, &right))
        return jl_fail(err, JL_ERR_FORMAT, "merge %u '%.*s' is not two texts with a space between",
                       rank, VOCAB_SHOW(merge->len), merge->text);
    if (!byte_alphabet_read(merge->text, left, &bytes[0], &known[0]) ||
        !byte_alphabet_read(merge->text + left + 1, right, &bytes[1], &known[1]))
        return bpe_build_no_memory(err);
    int32_t a = known[0] ? vocab_find(&t->vocab, bytes[0].data, bytes[0].len) : TOKEN_NONE;
    int32_t b = known[1] ? vocab_find(&t->vocab, bytes[1].data, bytes[1].len) : TOKEN_NONE;
    if (!buffer_append(&bytes[0], bytes[1].data, bytes[1].len)) return bpe_build_no_memory(err);
    int32_t ab =
        known[0] && known[1] ? vocab_find(&t->vocab, bytes[0].data, bytes[0].len) : TOKEN_NONE;
    if (a == TOKEN_NONE || b == TOKEN_NONE || ab == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "merge %u '%.*s' needs a token that the vocabulary does not have", rank,
                       VOCAB_SHOW(merge->len), merge->text);
    }
    uint64_t key = bpe_merge_key(a, b);
    if (u64map_get(&t->bpe.pairs.map, key, &old)) return JL_OK; // said twice: the first counts
    bpe_allow_joins(&t->bpe, bytes[0].data, bytes[0].len);
    return u64map_put(&t->bpe.pairs.map, key, bpe_merge_value(rank, ab)) ? JL_OK
                                                                         : bpe_build_no_memory(err);
}

static enum jl_status add_merges(struct tokenizer *t, const struct bpe_spec *spec,
                                 struct byte_buffer bytes[2], struct jl_error *err) {
    if (spec->n_merge >= UINT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT, "%zu merges are too many", spec->n_merge);
    for (size_t i = 0; i < spec->n_merge; i++)
        JL_TRY(add_merge(t, spec, (uint32_t)i, bytes, err));
    return JL_OK;
}

/* ---- all of it ---- */

static enum jl_status build(struct tokenizer *t, const struct bpe_spec *spec,
                            struct byte_buffer bytes[2], struct jl_error *err) {
    const struct pre_row *row = pre_find(spec->pre, spec->pre_len);
    if (!row) return pre_unknown(spec->pre, spec->pre_len, err);
    JL_TRY(bpe_build_start(t, spec->n_token, err));
    if (spec->add_space_prefix)
        t->pretok.steps[t->pretok.n_step++] = (struct pretok_step){.kind = PRETOK_PREFIX_SPACE};
    JL_TRY(pre_add_row(&t->pretok, row, err));
    for (int32_t id = 0; id < spec->n_token; id++)
        JL_TRY(add_token(t, &spec->tokens[id], id, &bytes[0], err));
    JL_TRY(index_tokens(t, TOKEN_NORMAL, err));
    JL_TRY(index_tokens(t, TOKEN_BYTE, err));
    JL_TRY(index_tokens(t, TOKEN_USER_DEFINED, err));
    JL_TRY(index_tokens(t, TOKEN_UNUSED, err));
    t->bpe.ignore_merges = row->flags & PRE_IGNORE_MERGES;
    bpe_set_byte_fallback(&t->bpe);
    JL_TRY(bpe_build_specials(t, err));
    JL_TRY(add_merges(t, spec, bytes, err));
    if (!bpe_finish(&t->bpe)) return bpe_build_no_memory(err);
    const struct bpe_build_ends ends = {spec->bos, spec->eos, spec->unk, spec->add_bos,
                                        spec->add_eos};
    return bpe_build_ends(t, &ends, err);
}

static void identify(struct identity *identity, const struct bpe_spec *spec) {
    identity_begin(identity, "bpe");
    identity_add_tokens(identity, spec->tokens, spec->n_token);
    identity_add_int(identity, (int64_t)spec->n_merge);
    for (size_t i = 0; i < spec->n_merge; i++)
        identity_add(identity, spec->merges[i].text, spec->merges[i].len);
    identity_add(identity, spec->pre, spec->pre_len);
    const int32_t rest[] = {spec->bos,     spec->eos,     spec->unk,
                            spec->add_bos, spec->add_eos, spec->add_space_prefix};
    identity_add(identity, rest, sizeof rest);
}

enum jl_status tokenizer_from_bpe(const struct bpe_spec *spec, struct tokenizer **out,
                                  struct jl_error *err) {
    struct byte_buffer bytes[2] = {0};
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return bpe_build_no_memory(err);
    enum jl_status status = build(t, spec, bytes, err);
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
    if (status != JL_OK) {
        tokenizer_free(t);
        return status;
    }
    identify(&t->identity, spec);
    *out = t;
    return JL_OK;
}
