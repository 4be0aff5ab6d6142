/* SentencePiece BPE as GGUF stores it: from tokens, scores and types to the stages of pipeline.h.
 *
 * SentencePiece merges any two neighbours whose texts together are a token, the highest score
 * first. That is a merge list in disguise: every way to cut a token into two symbols is a pair,
 * its rank the rank of the token's score. Only NORMAL and UNUSED tokens come out of merging, so
 * text never becomes a control token by accident. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pipeline.h"
#include "text/utf8.h"

#define MAX_MERGED_BYTES 1024 // of a token that merging makes; bounds the work below
#define SPACE_MARK METASPACE_MARK

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary");
}

static bool mergeable(int type) { return type == TOKEN_NORMAL || type == TOKEN_UNUSED; }

/* ---- tokens ---- */

static enum jl_status check_id(const struct spm_spec *spec, int32_t id, const char *name,
                               struct jl_error *err) {
    if (id == TOKEN_NONE || (id >= 0 && id < spec->n_token)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "the %s token's id is %d, but the vocabulary has %d tokens",
                   name, id, spec->n_token);
}

static enum jl_status check_spec(const struct spm_spec *spec, struct jl_error *err) {
    if (spec->n_token < 1 || spec->n_token > VOCAB_MAX_TOKENS) {
        return jl_fail(err, JL_ERR_LIMIT, "a vocabulary of %d tokens; 1 to %d are possible",
                       spec->n_token, VOCAB_MAX_TOKENS);
    }
    JL_TRY(check_id(spec, spec->bos, "beginning-of-text", err));
    JL_TRY(check_id(spec, spec->eos, "end-of-text", err));
    JL_TRY(check_id(spec, spec->unk, "unknown", err));
    if (spec->add_bos && spec->bos == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "a beginning-of-text token is to be added, but the vocabulary names none");
    }
    if (spec->add_eos && spec->eos == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "an end-of-text token is to be added, but the vocabulary names none");
    }
    return JL_OK;
}

static enum jl_status check_token(const struct spm_spec *spec, int32_t id, struct jl_error *err) {
    const struct token_entry *entry = &spec->tokens[id];
    if (entry->type < TOKEN_NORMAL || entry->type > TOKEN_BYTE) {
        return jl_fail(err, JL_ERR_FORMAT, "token %d has the type %d; types are 1 to 6", id,
                       (int)entry->type);
    }
    if (entry->score != entry->score)
        return jl_fail(err, JL_ERR_FORMAT, "the score of token %d is not a number", id);
    size_t most = mergeable(entry->type) ? MAX_MERGED_BYTES : UINT32_MAX / 4;
    if (entry->len > most) {
        return jl_fail(err, JL_ERR_LIMIT, "token %d has %zu bytes of text, more than %zu", id,
                       entry->len, most);
    }
    return JL_OK;
}

/* Text to write when the token is decoded: marks are spaces, byte tokens are their byte. */
static bool set_out(struct vocab *vocab, struct vocab_token *token, char byte,
                    struct byte_buffer *scratch) {
    const struct normalize_step spaces = {.kind = NORMALIZE_REPLACE,
                                          .pattern = SPACE_MARK,
                                          .pattern_len = sizeof SPACE_MARK - 1,
                                          .content = " ",
                                          .content_len = 1};
    token->out = token->text;
    token->out_len = token->len;
    scratch->len = 0;
    if (token->type == TOKEN_BYTE) {
        if (!buffer_append(scratch, &byte, 1)) return false;
    } else if (!mergeable(token->type) ||
               !memmem(token->text, token->len, SPACE_MARK, sizeof SPACE_MARK - 1)) {
        return true;
    } else if (!normalize_replace(&spaces, token->text, token->len, scratch)) {
        return false;
    }
    token->out = vocab_keep(vocab, scratch->data, scratch->len);
    token->out_len = (uint32_t)scratch->len;
    return token->out != NULL;
}

static enum jl_status add_token(struct tokenizer *t, const struct spm_spec *spec, int32_t id,
                                struct byte_buffer *scratch, struct jl_error *err) {
    const struct token_entry *entry = &spec->tokens[id];
    struct vocab_token *token = &t->vocab.tokens[id];
    JL_TRY(check_token(spec, id, err));
    char *text = vocab_keep(&t->vocab, entry->text, entry->len);
    if (!text) return no_memory(err);
    *token =
        (struct vocab_token){.text = text, .len = (uint32_t)entry->len, .type = (int)entry->type};
    int byte = 0;
    if (entry->type == TOKEN_BYTE) {
        byte = vocab_byte_value(text, entry->len);
        if (byte < 0) {
            return jl_fail(err, JL_ERR_FORMAT,
                           "token %d is a byte token, but its text '%.*s' is not like <0x0A>", id,
                           VOCAB_SHOW(entry->len), text);
        }
        if (t->bpe.byte_token[byte] != TOKEN_NONE) {
            return jl_fail(err, JL_ERR_FORMAT, "tokens %d and %d are both byte 0x%02X",
                           t->bpe.byte_token[byte], id, (unsigned)byte);
        }
        t->bpe.byte_token[byte] = id;
    }
    if (!set_out(&t->vocab, token, (char)byte, scratch)) return no_memory(err);
    if (!mergeable(token->type) || token->len == 0) return JL_OK;
    int32_t other = vocab_index(&t->vocab, id);
    if (other != id) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "tokens %d and %d have the same text '%.*s': encoding would be ambiguous",
                       other, id, VOCAB_SHOW(token->len), token->text);
    }
    return bpe_add_char(&t->bpe, id) ? JL_OK : no_memory(err);
}

/* ---- tokens that are found as they stand ---- */

static bool is_added(int type) {
    return type == TOKEN_CONTROL || type == TOKEN_USER_DEFINED || type == TOKEN_UNKNOWN;
}

static enum jl_status add_specials(struct tokenizer *t, struct jl_error *err) {
    int count = 0;
    for (int32_t id = 0; id < t->vocab.n; id++)
        count += is_added(t->vocab.tokens[id].type);
    if (!added_init(&t->added_raw, &t->arena, count)) return no_memory(err);
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        if (!is_added(token->type) || token->len == 0) continue;
        struct added_token added = {.id = id,
                                    .text = token->text,
                                    .len = token->len,
                                    .special = token->type != TOKEN_USER_DEFINED};
        int32_t same;
        if (!added_put(&t->added_raw, &added, &same)) return no_memory(err);
        if (same >= 0) {
            return jl_fail(err, JL_ERR_FORMAT,
                           "the special tokens %d and %d have the same text "
                           "'%.*s'",
                           same, id, VOCAB_SHOW(token->len), token->text);
        }
    }
    return JL_OK;
}

/* ---- merges ---- */

struct scored {
    float score;
    int32_t id;
};

static int by_score_descending(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

static enum jl_status add_merges(struct tokenizer *t, const struct spm_spec *spec,
                                 struct jl_error *err) {
    enum jl_status status = JL_OK;
    struct scored *order = calloc((size_t)spec->n_token, sizeof *order);
    if (!order) return no_memory(err);
    int n = 0;
    for (int32_t id = 0; id < spec->n_token; id++) {
        if (!mergeable(spec->tokens[id].type) || spec->tokens[id].len == 0) continue;
        order[n++] = (struct scored){spec->tokens[id].score, id};
    }
    qsort(order, (size_t)n, sizeof *order, by_score_descending);
    uint32_t rank = 0;
    for (int i = 0; i < n && status == JL_OK; i++) {
        if (i > 0 && order[i].score < order[i - 1].score) rank++;
        if (!bpe_add_cuts(&t->bpe, order[i].id, rank)) status = no_memory(err);
    }
    free(order);
    return status;
}

/* ---- all of it ---- */

static void set_stages(struct tokenizer *t, const struct spm_spec *spec) {
    struct normalizer *normalizer = &t->normalizer;
    if (spec->add_space_prefix) {
        normalizer->steps[normalizer->n_step++] = (struct normalize_step){
            .kind = NORMALIZE_PREPEND, .content = SPACE_MARK, .content_len = sizeof SPACE_MARK - 1};
        t->first = PIPELINE_FIRST_DROP_SPACE;
    }
    normalizer->steps[normalizer->n_step++] =
        (struct normalize_step){.kind = NORMALIZE_REPLACE,
                                .pattern = " ",
                                .pattern_len = 1,
                                .content = SPACE_MARK,
                                .content_len = sizeof SPACE_MARK - 1};
    t->bos = spec->bos;
    t->eos = spec->eos;
    if (spec->add_bos) t->before[t->n_before++] = spec->bos;
    if (spec->add_eos) t->after[t->n_after++] = spec->eos;
}

static enum jl_status build(struct tokenizer *t, const struct spm_spec *spec,
                            struct byte_buffer *scratch, struct jl_error *err) {
    JL_TRY(check_spec(spec, err));
    if (!vocab_init(&t->vocab, &t->arena, spec->n_token)) return no_memory(err);
    t->model = PIPELINE_BPE;
    t->bpe.vocab = &t->vocab;
    t->bpe.unknown = spec->unk;
    t->bpe.fuse_unknown = true;
    memset(t->bpe.byte_token, 0xFF, sizeof t->bpe.byte_token); // all TOKEN_NONE
    for (int32_t id = 0; id < spec->n_token; id++)
        JL_TRY(add_token(t, spec, id, scratch, err));
    bpe_set_byte_fallback(&t->bpe);
    JL_TRY(add_specials(t, err));
    JL_TRY(add_merges(t, spec, err));
    set_stages(t, spec);
    return JL_OK;
}

static void identify(struct identity *identity, const struct spm_spec *spec) {
    identity_begin(identity, "spm");
    identity_add_tokens(identity, spec->tokens, spec->n_token);
    const int32_t rest[] = {spec->bos,     spec->eos,     spec->unk,
                            spec->add_bos, spec->add_eos, spec->add_space_prefix};
    identity_add(identity, rest, sizeof rest);
}

enum jl_status tokenizer_from_spm(const struct spm_spec *spec, struct tokenizer **out,
                                  struct jl_error *err) {
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return no_memory(err);
    struct byte_buffer scratch = {0};
    enum jl_status status = build(t, spec, &scratch, err);
    buffer_free(&scratch);
    if (status != JL_OK) {
        tokenizer_free(t);
        return status;
    }
    identify(&t->identity, spec);
    *out = t;
    return JL_OK;
}
