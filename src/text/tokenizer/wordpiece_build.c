/* WordPiece of GGUF files: BERT's uncased normaliser and pre-tokenizer, and a vocabulary in which
 * U+2581 stands before what begins a word. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pipeline.h"

#define MARK METASPACE_MARK
#define MARK_LEN (sizeof METASPACE_MARK - 1)
#define PUNCTUATION "[\\p{P}$+<=>^`|~]" // Unicode's and ASCII's

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary");
}

static bool is_text(int type) { return type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED; }

static bool is_control(int type) { return type == TOKEN_CONTROL || type == TOKEN_UNKNOWN; }

static enum jl_status check_spec(const struct wordpiece_spec *spec, struct jl_error *err) {
    const int32_t ids[] = {spec->bos, spec->eos, spec->unk};
    if (spec->n_token < 1 || spec->n_token > VOCAB_MAX_TOKENS) {
        return jl_fail(err, JL_ERR_LIMIT, "a vocabulary of %d tokens; 1 to %d are possible",
                       spec->n_token, VOCAB_MAX_TOKENS);
    }
    for (int i = 0; i < 3; i++) {
        if (ids[i] >= TOKEN_NONE && ids[i] < spec->n_token) continue;
        return jl_fail(err, JL_ERR_FORMAT, "a special token's id is %d, but there are %d tokens",
                       ids[i], spec->n_token);
    }
    if ((spec->add_bos && spec->bos == TOKEN_NONE) || (spec->add_eos && spec->eos == TOKEN_NONE)) {
        return jl_fail(
            err, JL_ERR_FORMAT,
            "a special token is to be added around texts, but the vocabulary names none");
    }
    return JL_OK;
}

/* A word begins with a space when it is not the first thing decoded. */
static bool set_out(struct vocab *vocab, struct vocab_token *token, struct byte_buffer *out) {
    bool word = token->len > MARK_LEN && memcmp(token->text, MARK, MARK_LEN) == 0;
    bool space = word || is_control(token->type);
    const char *text = token->text + (word ? MARK_LEN : 0);
    size_t len = token->len - (word ? MARK_LEN : 0);
    out->len = 0;
    if (space && !buffer_append(out, " ", 1)) return false;
    if (!buffer_append(out, text, len)) return false;
    token->out = vocab_keep(vocab, out->len ? out->data : "", out->len);
    token->out_len = (uint32_t)out->len;
    return token->out != NULL;
}

static enum jl_status add_tokens(struct tokenizer *t, const struct wordpiece_spec *spec,
                                 struct wordpiece_token *texts, size_t *n, struct jl_error *err) {
    struct byte_buffer out = {0};
    bool ok = vocab_init(&t->vocab, &t->arena, spec->n_token);
    *n = 0;
    for (int32_t id = 0; ok && id < spec->n_token; id++) {
        const struct token_entry *entry = &spec->tokens[id];
        struct vocab_token *token = &t->vocab.tokens[id];
        if (entry->len > UINT32_MAX / 4 || entry->type < TOKEN_NORMAL || entry->type > TOKEN_BYTE) {
            buffer_free(&out);
            return jl_fail(err, JL_ERR_FORMAT, "token %d has a wrong type or is too long", id);
        }
        char *text = vocab_keep(&t->vocab, entry->text, entry->len);
        *token = (struct vocab_token){
            .text = text, .len = (uint32_t)entry->len, .type = (int)entry->type};
        ok = text && set_out(&t->vocab, token, &out);
        if (ok && is_text(token->type) && token->len && vocab_index(&t->vocab, id) == id)
            texts[(*n)++] = (struct wordpiece_token){text, token->len, id};
    }
    buffer_free(&out);
    return ok ? JL_OK : no_memory(err);
}

static enum jl_status add_found(struct tokenizer *t, struct jl_error *err) {
    int count = 0;
    for (int32_t id = 0; id < t->vocab.n; id++)
        count += is_control(t->vocab.tokens[id].type);
    if (!added_init(&t->added_raw, &t->arena, count)) return no_memory(err);
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        int32_t same;
        if (!is_control(token->type) || token->len == 0) continue;
        const struct added_token added = {
            .id = id, .text = token->text, .len = token->len, .special = true};
        if (!added_put(&t->added_raw, &added, &same)) return no_memory(err);
        if (same >= 0) {
            return jl_fail(err, JL_ERR_FORMAT, "the special tokens %d and %d have the same text",
                           same, id);
        }
    }
    return JL_OK;
}

static enum jl_status add_split(struct tokenizer *t, const char *pattern,
                                enum pretok_behaviour behaviour, struct jl_error *err) {
    struct pretok_step *step = &t->pretok.steps[t->pretok.n_step++];
    *step = (struct pretok_step){.kind = PRETOK_SPLIT, .behaviour = behaviour};
    return regex_compile(pattern, strlen(pattern), REGEX_RUST, &step->regex, err);
}

static enum jl_status build(struct tokenizer *t, const struct wordpiece_spec *spec,
                            struct wordpiece_token *texts, struct jl_error *err) {
    size_t n;
    JL_TRY(add_tokens(t, spec, texts, &n, err));
    JL_TRY(add_found(t, err));
    t->model = PIPELINE_WORDPIECE;
    t->wordpiece.unknown = spec->unk;
    t->wordpiece.max_chars = SIZE_MAX;
    if (!wordpiece_build_marked(&t->wordpiece, texts, n, MARK, MARK_LEN)) return no_memory(err);
    t->normalizer.steps[t->normalizer.n_step++] =
        (struct normalize_step){.kind = NORMALIZE_BERT, .bert = {true, true, true, true}};
    JL_TRY(add_split(t, "\\s+", PRETOK_REMOVED, err));
    JL_TRY(add_split(t, PUNCTUATION, PRETOK_ISOLATED, err));
    t->first = PIPELINE_FIRST_ONE_MARK; // and the space with it
    memcpy(t->first_mark, MARK, MARK_LEN);
    t->first_mark_len = MARK_LEN;
    t->bos = spec->bos;
    t->eos = spec->eos;
    if (spec->add_bos) t->before[t->n_before++] = spec->bos;
    if (spec->add_eos) t->after[t->n_after++] = spec->eos;
    return JL_OK;
}

static void identify(struct identity *identity, const struct wordpiece_spec *spec) {
    identity_begin(identity, "wordpiece");
    identity_add_tokens(identity, spec->tokens, spec->n_token);
    const int32_t rest[] = {spec->bos, spec->eos, spec->unk, spec->add_bos, spec->add_eos};
    identity_add(identity, rest, sizeof rest);
}

enum jl_status tokenizer_from_wordpiece(const struct wordpiece_spec *spec, struct tokenizer **out,
                                        struct jl_error *err) {
    *out = NULL;
    JL_TRY(check_spec(spec, err));
    struct tokenizer *t = calloc(1, sizeof *t);
    struct wordpiece_token *texts = calloc((size_t)(unsigned)spec->n_token, sizeof *texts);
    enum jl_status status = t && texts ? build(t, spec, texts, err) : no_memory(err);
    free(texts);
    if (status == JL_OK) {
        identify(&t->identity, spec);
        *out = t;
    } else {
        tokenizer_free(t);
    }
    return status;
}
