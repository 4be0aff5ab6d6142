/* From the stages of pipeline.h back to the arrays of a GGUF file. */
#include "text/tokenizer/to_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/pre.h"
#include "text/tokenizer/pre_extra.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary of a GGUF file");
}

static enum jl_status cannot(const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_UNSUPPORTED, "a GGUF file cannot hold this tokenizer: %s", what);
}

static void note(struct tokenizer_gguf *out, const char *text) {
    size_t n = 0;
    while (out->notes[n])
        n++;
    if (n + 1 < sizeof out->notes / sizeof out->notes[0]) out->notes[n] = text;
}

/* ---- tokens ---- */

static const char *keep(struct tokenizer_gguf *out, const char *text, size_t len) {
    return arena_strndup(out->arena, text, len);
}

/* Bytes in the byte alphabet; added tokens, and texts that the alphabet never wrote, as they are.
 */
static bool write_bytes(const struct tokenizer *t, int32_t id, struct byte_buffer *text) {
    const struct vocab_token *token = &t->vocab.tokens[id];
    bool bytes =
        (token->type == TOKEN_NORMAL || token->type == TOKEN_UNUSED || token->type == TOKEN_BYTE) &&
        vocab_find(&t->vocab, token->text, token->len) == id;
    text->len = 0;
    return bytes ? byte_alphabet_write(token->text, token->len, text)
                 : buffer_append(text, token->text, token->len);
}

static int type_of(const struct tokenizer *t, int32_t id) {
    const struct vocab_token *token = &t->vocab.tokens[id];
    if (t->bpe.bytes || token->type != TOKEN_NORMAL) return token->type;
    int byte = vocab_byte_value(token->text, token->len);
    return byte >= 0 && t->bpe.byte_token[byte] == id ? TOKEN_BYTE : TOKEN_NORMAL;
}

static enum jl_status put_token(const struct tokenizer *t, int32_t id, struct byte_buffer *text,
                                struct tokenizer_gguf *out, struct jl_error *err) {
    struct token_entry *entry = &out->tokens[id];
    char placeholder[32];
    bool ok;
    if (vocab_has(&t->vocab, id)) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        entry->type = (enum token_type)type_of(t, id);
        text->len = 0;
        ok = t->bpe.bytes ? write_bytes(t, id, text) : buffer_append(text, token->text, token->len);
    } else {
        int n = snprintf(placeholder, sizeof placeholder, "[PAD%d]", id);
        entry->type = TOKEN_UNUSED;
        text->len = 0;
        ok = buffer_append(text, placeholder, (size_t)n);
    }
    entry->len = text->len;
    entry->text = ok ? keep(out, text->data ? text->data : "", text->len) : NULL;
    return entry->text ? JL_OK : no_memory(err);
}

static enum jl_status put_tokens(const struct tokenizer *t, int n_token, struct tokenizer_gguf *out,
                                 struct jl_error *err) {
    struct byte_buffer text = {0};
    enum jl_status status = JL_OK;
    if (t->vocab.n > n_token)
        return jl_fail(
            err, JL_ERR_UNSUPPORTED,
            "the tokenizer has %d tokens and the model only %d: a GGUF file must have as "
            "many as the model",
            t->vocab.n, n_token);
    out->n_token = n_token;
    out->tokens = arena_calloc(out->arena, (size_t)n_token, sizeof *out->tokens);
    if (!out->tokens) return no_memory(err);
    for (int32_t id = 0; id < n_token && status == JL_OK; id++)
        status = put_token(t, id, &text, out, err);
    buffer_free(&text);
    return status;
}

/* ---- merges ---- */

struct merge {
    uint32_t rank;
    int32_t left, right, merged;
};

static int by_rank(const void *a, const void *b) {
    const struct merge *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    if (x->left != y->left) return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

/* All pairs in the order in which they merge; heap. */
static enum jl_status list_merges(const struct tokenizer *t, struct merge **merges, size_t *n,
                                  struct jl_error *err) {
    struct bpe_pair pair;
    *n = 0;
    *merges = calloc(bpe_pairs_count(&t->bpe.pairs) + 1, sizeof **merges);
    if (!*merges) return no_memory(err);
    for (size_t at = 0; bpe_pairs_next(&t->bpe.pairs, &at, &pair);)
        (*merges)[(*n)++] = (struct merge){(uint32_t)(pair.value >> 32), pair.left, pair.right,
                                           (int32_t)(uint32_t)pair.value};
    qsort(*merges, *n, sizeof **merges, by_rank);
    return JL_OK;
}

static enum jl_status put_merge(const struct tokenizer *t, const struct merge *merge,
                                struct byte_buffer *text, struct bpe_merge_text *to,
                                struct tokenizer_gguf *out, struct jl_error *err) {
    if (!vocab_has(&t->vocab, merge->left) || !vocab_has(&t->vocab, merge->right))
        return cannot("it merges bytes that are no tokens", err);
    const struct vocab_token *left = &t->vocab.tokens[merge->left];
    const struct vocab_token *right = &t->vocab.tokens[merge->right];
    text->len = 0;
    if (!byte_alphabet_write(left->text, left->len, text) || !buffer_append(text, " ", 1) ||
        !byte_alphabet_write(right->text, right->len, text))
        return no_memory(err);
    *to = (struct bpe_merge_text){keep(out, text->data, text->len), text->len};
    return to->text ? JL_OK : no_memory(err);
}

static enum jl_status put_merges(const struct tokenizer *t, struct tokenizer_gguf *out,
                                 struct jl_error *err) {
    struct merge *merges;
    struct byte_buffer text = {0};
    JL_TRY(list_merges(t, &merges, &out->n_merge, err));
    out->merges = arena_calloc(out->arena, out->n_merge + 1, sizeof *out->merges);
    enum jl_status status = out->merges ? JL_OK : no_memory(err);
    for (size_t i = 0; i < out->n_merge && status == JL_OK; i++)
        status = put_merge(t, &merges[i], &text, &out->merges[i], out, err);
    buffer_free(&text);
    free(merges);
    return status;
}

/* SentencePiece orders tokens by score, whatever two parts they are merged from: the token whose
 * first pair comes first has the highest, and equal ranks are equal scores. */
static enum jl_status put_scores(const struct tokenizer *t, struct tokenizer_gguf *out,
                                 struct jl_error *err) {
    struct merge *merges;
    size_t n;
    float score = 0;
    uint32_t rank = 0; // of the last token that got a score
    JL_TRY(list_merges(t, &merges, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct token_entry *entry = &out->tokens[merges[i].merged];
        if (entry->score != 0) continue; // placeholders and characters keep 0
        if (score == 0 || merges[i].rank != rank) score -= 1;
        entry->score = score;
        rank = merges[i].rank;
    }
    free(merges);
    return JL_OK;
}

/* ---- stages ---- */

static bool is_text(const char *text, size_t len, const char *wanted) {
    return len == strlen(wanted) && !memcmp(text, wanted, len);
}

static bool marks_spaces(const struct normalize_step *step) {
    return step->kind == NORMALIZE_REPLACE && is_text(step->pattern, step->pattern_len, " ") &&
           is_text(step->content, step->content_len, METASPACE_MARK);
}

static enum jl_status sentencepiece_stage(const struct sp_normalizer *sp,
                                          struct tokenizer_gguf *out, struct jl_error *err) {
    if (sp->remove_extra_whitespaces || sp->as_suffix || !sp->escape_whitespaces)
        return cannot("its treatment of white space", err);
    if (sp->map.n_unit) note(out, "rewrites unusual characters (precompiled_charsmap)");
    if (sp->prefix_once && sp->add_dummy_prefix)
        note(out, "puts a space only in front of a whole text, not behind each special token");
    out->add_space_prefix = sp->add_dummy_prefix;
    return JL_OK;
}

/* Spaces become marks, perhaps one in front: as a normaliser or as a pre-tokenizer. */
static enum jl_status llama_stages(const struct tokenizer *t, struct tokenizer_gguf *out,
                                   struct jl_error *err) {
    const struct normalizer *normal = &t->normalizer;
    const struct normalize_step *steps = normal->steps;
    const struct pretok_step *pretok = t->pretok.steps;
    int n = normal->n_step, n_pretok = t->pretok.n_step;
    if (n == 1 && n_pretok == 0 && steps[0].kind == NORMALIZE_SENTENCEPIECE)
        return sentencepiece_stage(steps[0].sp, out, err);
    if (n_pretok == 0 && n == 1 && marks_spaces(&steps[0])) return JL_OK;
    if (n_pretok == 0 && n == 2 && steps[0].kind == NORMALIZE_PREPEND &&
        is_text(steps[0].content, steps[0].content_len, METASPACE_MARK) &&
        marks_spaces(&steps[1])) {
        out->add_space_prefix = true;
        return JL_OK;
    }
    if (n == 0 && n_pretok == 1 && pretok[0].kind == PRETOK_METASPACE &&
        !pretok[0].metaspace.split &&
        is_text(pretok[0].metaspace.mark, pretok[0].metaspace.mark_len, METASPACE_MARK)) {
        out->add_space_prefix = pretok[0].metaspace.prepend != METASPACE_NEVER;
        if (out->add_space_prefix)
            note(out, "puts no second space in front of a text that begins with one");
        if (pretok[0].metaspace.prepend == METASPACE_FIRST)
            note(out, "puts a space only in front of a whole text, not behind each special token");
        return JL_OK;
    }
    return cannot("its normalizer or pre-tokenizer", err);
}

/* The row with these patterns; of several, one that keeps words whole as this tokenizer does. -1:
 * none. */
static int find_row(const struct tokenizer *t, const struct pretok *pretok) {
    int found = -1;
    for (int i = 0; pre_at(i); i++) {
        if (!pre_same(pre_at(i), pretok)) continue;
        bool ignores = pre_at(i)->flags & PRE_IGNORE_MERGES;
        if (found < 0 || ignores == t->bpe.ignore_merges) found = i;
        if (ignores == t->bpe.ignore_merges) break;
    }
    return found;
}

/* Whether none of the probe's cuts goes through a token that merging makes of whole characters, and
 * every other token lies inside one character. */
static enum jl_status cuts_no_token(const struct tokenizer *t, struct pre_extra_probe *probe,
                                    bool *none, struct jl_error *err) {
    struct bpe_pair pair;
    *none = true;
    for (size_t at = 0; *none && bpe_pairs_next(&t->bpe.pairs, &at, &pair);) {
        int32_t merged = (int32_t)(uint32_t)pair.value;
        *none = vocab_has(&t->vocab, merged);
        if (!*none) break;
        const struct vocab_token *token = &t->vocab.tokens[merged];
        if (utf8_valid_length(token->text, token->len) == token->len)
            JL_TRY(pre_extra_keeps(probe, token->text, token->len, none, err));
        else // of one character: all bytes but the first go on with it
            for (uint32_t i = 0; i < token->len; i++)
                *none = *none && (i == 0 || ((unsigned char)token->text[i] & 0xC0) == 0x80);
    }
    return JL_OK;
}

/* A row with further cuts behind it that change nothing: *found is the row, or stays -1. */
static enum jl_status find_with_extra(const struct tokenizer *t, const struct pretok *pretok,
                                      int *found, struct jl_error *err) {
    struct pre_extra_probe probe = {0};
    struct pretok row = *pretok;
    bool none = false;
    while (row.n_step && pre_extra_is(&row.steps[row.n_step - 1]))
        row.n_step--;
    int candidate = row.n_step < pretok->n_step ? find_row(t, &row) : -1;
    if (candidate < 0 || t->bpe.ignore_merges) return JL_OK;
    if (pre_at(candidate)->flags & PRE_IGNORE_MERGES) return JL_OK;
    for (int i = row.n_step; i < pretok->n_step; i++) // the patterns stay the tokenizer's
        probe.extra.steps[probe.extra.n_step++] = pretok->steps[i];
    enum jl_status status = cuts_no_token(t, &probe, &none, err);
    pretok_run_free(&probe.run);
    if (none) *found = candidate;
    return status;
}

/* By the patterns, or where none is written alike by what they do to the probe texts. */
static enum jl_status find_pre(const struct tokenizer *t, struct tokenizer_gguf *out,
                               struct jl_error *err) {
    struct pretok rest = t->pretok;
    if (rest.n_step && rest.steps[0].kind == PRETOK_PREFIX_SPACE) {
        out->add_space_prefix = true;
        rest.n_step--;
        memmove(rest.steps, rest.steps + 1, (size_t)rest.n_step * sizeof rest.steps[0]);
    }
    int found = find_row(t, &rest);
    if (found < 0) JL_TRY(find_with_extra(t, &rest, &found, err));
    if (found < 0) {
        found = 0;
        JL_TRY(to_gguf_probe_pre(&rest, &found, err));
        if (found >= 0)
            note(out, "names no known pre-tokenizer: the one that splits a set of test texts alike "
                      "is written");
    }
    if (found < 0) return cannot("its pre-tokenizer is none of those that have a name", err);
    const char *names = pre_at(found)->names;
    out->pre = keep(out, names, strcspn(names, " "));
    return out->pre ? JL_OK : no_memory(err);
}

static enum jl_status bytes_stages(const struct tokenizer *t, struct tokenizer_gguf *out,
                                   struct jl_error *err) {
    const struct normalizer *normal = &t->normalizer;
    if (normal->n_step == 1 && normal->steps[0].kind == NORMALIZE_FORM)
        note(out, "brings texts into a Unicode normalisation form first");
    else if (normal->n_step)
        return cannot("its normalizer", err);
    return find_pre(t, out, err);
}

/* ---- ends and added tokens ---- */

static void put_ends(const struct tokenizer *t, struct tokenizer_gguf *out) {
    out->bos = t->bos;
    out->eos = t->eos;
    out->unk = t->bpe.unknown;
    out->add_bos = t->n_before == 1 && t->bos != TOKEN_NONE && t->before[0] == t->bos;
    out->add_eos = t->n_after == 1 && t->eos != TOKEN_NONE && t->after[0] == t->eos;
    if (t->n_before == 1 && t->bos == TOKEN_NONE) {
        out->bos = t->before[0];
        out->add_bos = true;
    }
    if (t->n_before != out->add_bos || t->n_after != out->add_eos)
        note(out, "puts other tokens around a text than one at the beginning and one at the end");
}

static bool has_strips(const struct added_set *set) {
    for (int i = 0; i < set->n; i++)
        if (set->tokens[i].lstrip || set->tokens[i].rstrip || set->tokens[i].single_word)
            return true;
    return false;
}

static enum jl_status make(const struct tokenizer *t, int n_token, struct tokenizer_gguf *out,
                           struct jl_error *err) {
    if (t->model != PIPELINE_BPE || t->bpe.prefix || t->bpe.suffix || t->bpe.splits.count)
        return cannot("it is no byte-pair encoding of bytes, nor one of SentencePiece", err);
    if (!t->bpe.bytes && !t->bpe.byte_fallback)
        return cannot("it has no tokens for single bytes", err);
    out->model = t->bpe.bytes ? "gpt2" : "llama";
    out->pre = "default";
    put_ends(t, out);
    if (has_strips(&t->added_raw) || has_strips(&t->added_normalized))
        note(out, "has added tokens that take white space with them or stand only between words");
    JL_TRY(put_tokens(t, n_token, out, err));
    JL_TRY(t->bpe.bytes ? bytes_stages(t, out, err) : llama_stages(t, out, err));
    return t->bpe.bytes ? put_merges(t, out, err) : put_scores(t, out, err);
}

/* ---- all of it ---- */

static enum jl_status rebuild(const struct tokenizer_gguf *g, struct tokenizer **out,
                              struct jl_error *err) {
    if (!strcmp(g->model, "llama")) {
        const struct spm_spec spec = {g->tokens, g->n_token, g->bos,     g->eos,
                                      g->unk,    g->add_bos, g->add_eos, g->add_space_prefix};
        return tokenizer_from_spm(&spec, out, err);
    }
    const struct bpe_spec spec = {g->tokens, g->n_token,     g->merges,  g->n_merge,
                                  g->pre,    strlen(g->pre), g->bos,     g->eos,
                                  g->unk,    g->add_bos,     g->add_eos, g->add_space_prefix};
    return tokenizer_from_bpe(&spec, out, err);
}

enum jl_status tokenizer_to_gguf(const struct tokenizer *tokenizer, int n_token,
                                 struct tokenizer_gguf *out, struct jl_error *err) {
    struct tokenizer *made = NULL;
    *out = (struct tokenizer_gguf){.arena = calloc(1, sizeof *out->arena)};
    enum jl_status status = out->arena ? make(tokenizer, n_token, out, err) : no_memory(err);
    if (status == JL_OK) status = rebuild(out, &made, err);
    if (status == JL_OK) status = to_gguf_check(tokenizer, made, err);
    tokenizer_free(made);
    if (status != JL_OK) tokenizer_gguf_free(out);
    return status;
}

void tokenizer_gguf_free(struct tokenizer_gguf *gguf) {
    if (gguf->arena) arena_free(gguf->arena);
    free(gguf->arena);
    *gguf = (struct tokenizer_gguf){0};
}
