#include "text/tokenizer/sp_build.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "tokenizer.model"
#define MARK METASPACE_MARK
#define MARK_LEN (sizeof METASPACE_MARK - 1)
#define UNKNOWN_SURFACE " \xE2\x81\x87 " // U+2047 between spaces
#define UNKNOWN_PENALTY 10.0f

struct build {
    struct tokenizer *t;
    const struct sp_model *model;
    const struct sp_config *config;
    int32_t unknown;
    int32_t byte_token[256];
    bool *in_config; // by id: the configuration lists it
    struct byte_buffer scratch;
    struct jl_error *err;
};

static enum jl_status no_memory(const struct build *b) {
    return jl_fail(b->err, JL_ERR_MEMORY, "out of memory for the vocabulary");
}

/* Pieces that text becomes, as against those for special ends. */
static bool is_text(int type) {
    return type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || type == TOKEN_UNUSED;
}

/* ---- tokens ---- */

/* What decoding writes: marks are spaces, a byte is itself, the unknown token its surface. */
static enum jl_status set_out(struct build *b, struct vocab_token *token, int byte) {
    struct byte_buffer *out = &b->scratch;
    const struct sp_bytes surface = b->model->unk_surface;
    const struct normalize_step spaces = {.kind = NORMALIZE_REPLACE,
                                          .pattern = MARK,
                                          .pattern_len = MARK_LEN,
                                          .content = " ",
                                          .content_len = 1};
    char value = (char)byte;
    bool ok;
    out->len = 0;
    if (token->type == TOKEN_BYTE)
        ok = buffer_append(out, &value, 1);
    else if (token->type == TOKEN_UNKNOWN && surface.data)
        ok = buffer_append(out, surface.data, surface.len);
    else if (token->type == TOKEN_UNKNOWN)
        ok = buffer_append(out, UNKNOWN_SURFACE, sizeof UNKNOWN_SURFACE - 1);
    else if (token->type == TOKEN_CONTROL)
        ok = buffer_append(out, token->text, token->len);
    else
        ok = normalize_replace(&spaces, token->text, token->len, out);
    token->out = ok ? vocab_keep(&b->t->vocab, out->len ? out->data : "", out->len) : NULL;
    token->out_len = (uint32_t)out->len;
    return token->out ? JL_OK : no_memory(b);
}

static enum jl_status set_byte(struct build *b, int32_t id, int *byte) {
    const struct vocab_token *token = &b->t->vocab.tokens[id];
    *byte = vocab_byte_value(token->text, token->len);
    if (*byte < 0) {
        return jl_fail(b->err, JL_ERR_FORMAT,
                       FILE_NAME ": piece %d is a byte, but its text '%.*s' is not like <0x0A>", id,
                       VOCAB_SHOW(token->len), token->text);
    }
    if (b->byte_token[*byte] != TOKEN_NONE) {
        return jl_fail(b->err, JL_ERR_FORMAT, FILE_NAME ": pieces %d and %d are both byte 0x%02X",
                       b->byte_token[*byte], id, (unsigned)*byte);
    }
    b->byte_token[*byte] = id;
    return JL_OK;
}

static enum jl_status add_piece(struct build *b, int32_t id) {
    const struct token_entry *piece = &b->model->pieces[id];
    struct vocab *vocab = &b->t->vocab;
    int byte = 0;
    char *text = vocab_keep(vocab, piece->text, piece->len);
    if (!text) return no_memory(b);
    vocab->tokens[id] =
        (struct vocab_token){.text = text, .len = (uint32_t)piece->len, .type = (int)piece->type};
    if (piece->type == TOKEN_BYTE) JL_TRY(set_byte(b, id, &byte));
    if (piece->type == TOKEN_UNKNOWN) {
        if (b->unknown != TOKEN_NONE) {
            return jl_fail(b->err, JL_ERR_FORMAT,
                           FILE_NAME ": pieces %d and %d are both the unknown one", b->unknown, id);
        }
        b->unknown = id;
    }
    if (is_text(piece->type)) {
        int32_t other = vocab_index(vocab, id);
        if (other != id) {
            return jl_fail(b->err, JL_ERR_FORMAT, FILE_NAME ": pieces %d and %d are both '%.*s'",
                           other, id, VOCAB_SHOW(piece->len), text);
        }
    }
    return set_out(b, &vocab->tokens[id], byte);
}

static enum jl_status add_pieces(struct build *b) {
    const struct sp_model *model = b->model;
    int n = model->n_piece;
    for (int i = 0; i < b->config->n_added; i++) {
        if (b->config->added[i].id >= n) n = b->config->added[i].id + 1;
    }
    if (!vocab_init(&b->t->vocab, &b->t->arena, n)) return no_memory(b);
    for (int32_t id = 0; id < model->n_piece; id++)
        JL_TRY(add_piece(b, id));
    if (b->unknown == TOKEN_NONE)
        return jl_fail(b->err, JL_ERR_FORMAT, FILE_NAME ": no piece is the unknown one");
    for (int i = 0; model->byte_fallback && i < 256; i++) {
        if (b->byte_token[i] != TOKEN_NONE) continue;
        return jl_fail(b->err, JL_ERR_FORMAT,
                       FILE_NAME ": byte_fallback is true, but byte 0x%02X has no piece",
                       (unsigned)i);
    }
    return JL_OK;
}

/* ---- tokens that are found as they stand ---- */

/* A token of the configuration: one of the model under the same text, one that takes the place of a
 * piece (InternLM gives its unused pieces names so), or a new one. */
static enum jl_status add_config_token(struct build *b, const struct sp_added *added) {
    struct vocab_token *token = &b->t->vocab.tokens[added->id];
    bool same = token->type != VOCAB_HOLE && token->len == added->len &&
                memcmp(token->text, added->text, added->len) == 0;
    if (!same && (token->type == TOKEN_UNKNOWN || token->type == TOKEN_BYTE)) {
        return jl_fail(b->err, JL_ERR_FORMAT,
                       "tokenizer_config.json: added_tokens_decoder has '%.*s' as token %d, but "
                       "in " FILE_NAME " that is '%.*s'",
                       VOCAB_SHOW(added->len), added->text, added->id, VOCAB_SHOW(token->len),
                       token->text);
    }
    if (!same) {
        char *text = vocab_keep(&b->t->vocab, added->text, added->len);
        if (!text) return no_memory(b);
        *token = (struct vocab_token){.text = text,
                                      .out = text,
                                      .len = (uint32_t)added->len,
                                      .out_len = (uint32_t)added->len,
                                      .type = TOKEN_USER_DEFINED};
    }
    if (added->special && token->type != TOKEN_UNKNOWN) token->type = TOKEN_CONTROL;
    return JL_OK;
}

static enum jl_status put_added(struct build *b, struct added_set *set,
                                const struct added_token *token) {
    int32_t same;
    if (!added_put(set, token, &same)) return no_memory(b);
    if (same < 0) return JL_OK;
    return jl_fail(b->err, JL_ERR_FORMAT, "the special tokens %d and %d have the same text '%.*s'",
                   same, token->id, VOCAB_SHOW(token->len), token->text);
}

/* Control tokens are found in trusted text, as in the classes that stand around SentencePiece. User
 * -defined pieces are found by the model: in BPE that is the same as to look for them in the
 * normalised text. */
static enum jl_status add_found(struct build *b) {
    const struct sp_model *model = b->model;
    struct tokenizer *t = b->t;
    int n_raw = b->config->n_added, n_normal = 0;
    b->in_config = arena_calloc(&t->arena, (size_t)t->vocab.n, sizeof *b->in_config);
    if (!b->in_config) return no_memory(b);
    for (int32_t id = 0; id < model->n_piece; id++) {
        int type = t->vocab.tokens[id].type;
        n_raw += type == TOKEN_CONTROL || type == TOKEN_UNKNOWN;
        n_normal += type == TOKEN_USER_DEFINED;
    }
    if (!added_init(&t->added_raw, &t->arena, n_raw)) return no_memory(b);
    if (!added_init(&t->added_normalized, &t->arena, n_normal)) return no_memory(b);
    for (int i = 0; i < b->config->n_added; i++) {
        const struct sp_added *added = &b->config->added[i];
        b->in_config[added->id] = true;
        JL_TRY(put_added(b, &t->added_raw,
                         &(struct added_token){.id = added->id,
                                               .text = t->vocab.tokens[added->id].text,
                                               .len = added->len,
                                               .special = added->special,
                                               .lstrip = added->lstrip,
                                               .rstrip = added->rstrip,
                                               .single_word = added->single_word}));
    }
    for (int32_t id = 0; id < model->n_piece; id++) {
        const struct vocab_token *token = &t->vocab.tokens[id];
        struct added_token found = {.id = id, .text = token->text, .len = token->len};
        bool control = token->type == TOKEN_CONTROL || token->type == TOKEN_UNKNOWN;
        found.special = control;
        if (control && !b->in_config[id]) JL_TRY(put_added(b, &t->added_raw, &found));
        if (token->type == TOKEN_USER_DEFINED && (model->type == SP_BPE || model->type == SP_CHAR))
            JL_TRY(put_added(b, &t->added_normalized, &found));
    }
    return JL_OK;
}

/* ---- the model ---- */

struct scored {
    float score;
    int32_t id;
};

static int by_score_descending(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

/* The higher the score, the earlier the merge; equal scores are equal ranks. */
static enum jl_status add_merges(struct build *b) {
    const struct sp_model *model = b->model;
    struct scored *order = calloc((size_t)(unsigned)model->n_piece, sizeof *order);
    bool ok = order != NULL;
    int n = 0;
    for (int32_t id = 0; ok && id < model->n_piece; id++) {
        int type = b->t->vocab.tokens[id].type;
        if (type == TOKEN_NORMAL || type == TOKEN_UNUSED)
            order[n++] = (struct scored){model->pieces[id].score, id};
    }
    if (ok) qsort(order, (size_t)n, sizeof *order, by_score_descending);
    uint32_t rank = 0;
    for (int i = 0; ok && i < n; i++) {
        if (i > 0 && order[i].score < order[i - 1].score) rank++;
        ok = bpe_add_cuts(&b->t->bpe, order[i].id, rank);
    }
    free(order);
    return ok ? JL_OK : no_memory(b);
}

/* Unused pieces are never given out; a single character is, as in SentencePiece. */
static enum jl_status split_unused(struct build *b) {
    for (int32_t id = 0; id < b->model->n_piece; id++) {
        const struct vocab_token *token = &b->t->vocab.tokens[id];
        bool fits;
        if (token->type != TOKEN_UNUSED ||
            (uint32_t)utf8_length(token->text, token->len) == token->len)
            continue;
        if (!bpe_split_unused(&b->t->bpe, id, &fits)) return no_memory(b);
        if (fits) continue;
        return jl_fail(b->err, JL_ERR_LIMIT,
                       FILE_NAME ": the unused piece %d has more than %d characters", id,
                       BPE_MAX_UNUSED);
    }
    return JL_OK;
}

/* Also the model of characters: BPE without merges. */
static enum jl_status build_bpe(struct build *b) {
    struct bpe *bpe = &b->t->bpe;
    b->t->model = PIPELINE_BPE;
    bpe->vocab = &b->t->vocab;
    bpe->unknown = b->unknown;
    bpe->fuse_unknown = true;
    memcpy(bpe->byte_token, b->byte_token, sizeof bpe->byte_token);
    if (b->model->byte_fallback) bpe_set_byte_fallback(bpe);
    for (int32_t id = 0; id < b->model->n_piece; id++) {
        int type = b->t->vocab.tokens[id].type;
        if ((type == TOKEN_NORMAL || type == TOKEN_UNUSED) && !bpe_add_char(bpe, id))
            return no_memory(b);
    }
    if (b->model->type != SP_BPE) return JL_OK;
    JL_TRY(add_merges(b));
    return split_unused(b);
}

/* The configuration has left the piece as it was. */
static bool is_kept(const struct build *b, int32_t id) {
    const struct token_entry *piece = &b->model->pieces[id];
    const struct vocab_token *token = &b->t->vocab.tokens[id];
    return token->type == (int)piece->type && token->len == piece->len &&
           memcmp(token->text, piece->text, piece->len) == 0;
}

static enum jl_status build_unigram(struct build *b) {
    const struct sp_model *model = b->model;
    struct unigram *unigram = &b->t->unigram;
    float least = FLT_MAX, most = FLT_MIN; // the latter as in SentencePiece: above all real scores
    size_t n = 0;
    struct unigram_piece *pieces = calloc((size_t)(unsigned)model->n_piece, sizeof *pieces);
    if (!pieces) return no_memory(b);
    for (int i = 0; i < model->n_piece; i++) {
        if (model->pieces[i].type != TOKEN_NORMAL) continue;
        if (model->pieces[i].score < least) least = model->pieces[i].score;
        if (model->pieces[i].score > most) most = model->pieces[i].score;
    }
    for (int32_t id = 0; id < model->n_piece; id++) {
        const struct token_entry *piece = &model->pieces[id];
        int type = (int)piece->type;
        if ((type != TOKEN_NORMAL && type != TOKEN_USER_DEFINED) || !is_kept(b, id)) continue;
        double score =
            type == TOKEN_NORMAL ? (double)piece->score : unigram_user_score(piece->len, most);
        pieces[n++] = (struct unigram_piece){piece->text, piece->len, id, score};
    }
    b->t->model = PIPELINE_UNIGRAM;
    unigram->unknown = b->unknown;
    unigram->unknown_score = (double)(least - UNKNOWN_PENALTY);
    unigram->round_sums = true;
    unigram->byte_fallback = model->byte_fallback;
    memcpy(unigram->byte_token, b->byte_token, sizeof unigram->byte_token);
    bool ok = unigram_build(unigram, pieces, n, (size_t)b->t->vocab.n);
    free(pieces);
    return ok ? JL_OK : no_memory(b);
}

static void build_words(struct build *b) {
    struct words *words = &b->t->words;
    b->t->model = PIPELINE_WORDS;
    words->vocab = &b->t->vocab;
    words->unknown = b->unknown;
    words->byte_fallback = b->model->byte_fallback;
    memcpy(words->byte_token, b->byte_token, sizeof words->byte_token);
}

/* ---- the stages around it ---- */

static enum jl_status set_normalizer(struct build *b) {
    const struct sp_model *model = b->model;
    struct tokenizer *t = b->t;
    struct normalize_step *step = &t->normalizer.steps[t->normalizer.n_step++];
    struct sp_normalizer *sp = arena_calloc(&t->arena, 1, sizeof *sp);
    struct trie_key *keys = calloc((size_t)(unsigned)model->n_piece, sizeof *keys);
    step->kind = NORMALIZE_SENTENCEPIECE;
    step->sp = sp;
    size_t n = 0;
    for (int32_t id = 0; keys && id < model->n_piece; id++) {
        const struct token_entry *piece = &model->pieces[id];
        if (piece->type == TOKEN_USER_DEFINED && is_kept(b, id))
            keys[n++] = (struct trie_key){piece->text, piece->len, id};
    }
    bool ok = sp && keys && (n == 0 || trie_build(&sp->user, keys, n));
    free(keys);
    char *map = ok && model->charsmap.len
                    ? arena_strndup(&t->arena, model->charsmap.data, model->charsmap.len)
                    : NULL;
    if (!ok || (model->charsmap.len && !map)) return no_memory(b);
    sp->add_dummy_prefix = model->add_dummy_prefix && b->config->prefix;
    sp->prefix_once = b->config->prefix_once;
    sp->remove_extra_whitespaces = model->remove_extra_whitespaces;
    sp->escape_whitespaces = model->escape_whitespaces;
    sp->as_suffix = model->treat_whitespace_as_suffix;
    return charsmap_open(&sp->map, map, model->charsmap.len, b->err);
}

/* A special token by the configuration's text, or by the model's, where it must be a control. */
static enum jl_status find_special(struct build *b, const char *config_text,
                                   struct sp_bytes model_text, const char *usual, int32_t *id) {
    const struct vocab *vocab = &b->t->vocab;
    struct sp_bytes text = model_text;
    if (config_text) text = (struct sp_bytes){config_text, strlen(config_text)};
    if (!text.data || text.len == 0) text = (struct sp_bytes){usual, strlen(usual)};
    *id = TOKEN_NONE;
    for (int32_t i = 0; i < vocab->n && *id == TOKEN_NONE; i++) {
        const struct vocab_token *token = &vocab->tokens[i];
        bool fits = config_text ? token->type != VOCAB_HOLE : token->type == TOKEN_CONTROL;
        if (fits && token->len == text.len && memcmp(token->text, text.data, text.len) == 0)
            *id = i;
    }
    if (*id != TOKEN_NONE || !config_text) return JL_OK;
    return jl_fail(b->err, JL_ERR_FORMAT,
                   "tokenizer_config.json names the special token '%.80s', which " FILE_NAME
                   " does not have",
                   config_text);
}

static enum jl_status set_ends(struct build *b) {
    struct tokenizer *t = b->t;
    const struct sp_config *config = b->config;
    JL_TRY(find_special(b, config->bos, b->model->bos_piece, "<s>", &t->bos));
    JL_TRY(find_special(b, config->eos, b->model->eos_piece, "</s>", &t->eos));
    if (config->add_bos && t->bos != TOKEN_NONE) t->before[t->n_before++] = t->bos;
    if (config->add_eos && t->eos != TOKEN_NONE) t->after[t->n_after++] = t->eos;
    if (b->model->remove_extra_whitespaces)
        t->first = PIPELINE_FIRST_EACH_MARK;
    else if (b->model->add_dummy_prefix && config->prefix)
        t->first = PIPELINE_FIRST_ONE_MARK;
    memcpy(t->first_mark, MARK, MARK_LEN);
    t->first_mark_len = MARK_LEN;
    t->unknown_has_text = true;
    t->bad_bytes_alone = true;
    return JL_OK;
}

static enum jl_status build(struct build *b) {
    JL_TRY(add_pieces(b));
    for (int i = 0; i < b->config->n_added; i++)
        JL_TRY(add_config_token(b, &b->config->added[i]));
    JL_TRY(add_found(b));
    JL_TRY(set_normalizer(b));
    switch (b->model->type) {
    case SP_UNIGRAM: JL_TRY(build_unigram(b)); break;
    case SP_WORD: build_words(b); break;
    case SP_BPE:
    case SP_CHAR: JL_TRY(build_bpe(b)); break;
    }
    return set_ends(b);
}

enum jl_status sp_build_tokenizer(struct tokenizer *t, const struct sp_model *model,
                                  const struct sp_config *config, struct jl_error *err) {
    struct build b = {.t = t, .model = model, .config = config, .unknown = TOKEN_NONE, .err = err};
    memset(b.byte_token, 0xFF, sizeof b.byte_token); // all TOKEN_NONE
    enum jl_status status = build(&b);
    buffer_free(&b.scratch);
    return status;
}

enum jl_status tokenizer_from_sentencepiece(const void *bytes, size_t len, const char *config,
                                            size_t config_len, struct tokenizer **out,
                                            struct jl_error *err) {
    struct sp_model model;
    struct sp_config settings;
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary");
    enum jl_status status = sp_model_parse(bytes, len, &model, err);
    if (status == JL_OK) status = sp_config_read(config, config_len, &t->arena, &settings, err);
    if (status == JL_OK) status = sp_build_tokenizer(t, &model, &settings, err);
    sp_model_free(&model);
    if (status != JL_OK) {
        tokenizer_free(t);
        return status;
    }
    identity_begin(&t->identity, "sentencepiece");
    identity_add(&t->identity, bytes, len);
    identity_add(&t->identity, config, config_len);
    *out = t;
    return JL_OK;
}

/* ---- GGUF ---- */

static enum jl_status check_end(const struct unigram_spec *spec, int32_t id, bool add,
                                const char *name, struct jl_error *err) {
    if (id < TOKEN_NONE || id >= spec->n_token) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "the %s token's id is %d, but the vocabulary has %d tokens", name, id,
                       spec->n_token);
    }
    if (!add || id != TOKEN_NONE) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "a %s token is to be added, but the vocabulary names none",
                   name);
}

static enum jl_status check_unigram(const struct unigram_spec *spec, struct jl_error *err) {
    if (spec->n_token < 1 || spec->n_token > VOCAB_MAX_TOKENS) {
        return jl_fail(err, JL_ERR_LIMIT, "a vocabulary of %d tokens; 1 to %d are possible",
                       spec->n_token, VOCAB_MAX_TOKENS);
    }
    JL_TRY(check_end(spec, spec->bos, spec->add_bos, "beginning-of-text", err));
    JL_TRY(check_end(spec, spec->eos, spec->add_eos, "end-of-text", err));
    for (int i = 0; i < spec->n_token; i++) {
        const struct token_entry *entry = &spec->tokens[i];
        if (entry->len == 0 || entry->len > UNIGRAM_MAX_PIECE) {
            return jl_fail(err, JL_ERR_LIMIT,
                           "token %d has %zu bytes of text; it must have 1 to %d", i, entry->len,
                           UNIGRAM_MAX_PIECE);
        }
        if (!(entry->score - entry->score == 0.0f))
            return jl_fail(err, JL_ERR_FORMAT, "the score of token %d is not finite", i);
    }
    return JL_OK;
}

static void identify(struct identity *identity, const struct unigram_spec *spec) {
    identity_begin(identity, "unigram");
    identity_add_tokens(identity, spec->tokens, spec->n_token);
    identity_add(identity, spec->charsmap, spec->charsmap_len);
    const int32_t rest[] = {spec->bos,
                            spec->eos,
                            spec->add_bos,
                            spec->add_eos,
                            spec->add_space_prefix,
                            spec->remove_extra_whitespaces,
                            spec->escape_whitespaces,
                            spec->treat_whitespace_as_suffix};
    identity_add(identity, rest, sizeof rest);
}

enum jl_status tokenizer_from_unigram(const struct unigram_spec *spec, struct tokenizer **out,
                                      struct jl_error *err) {
    const struct sp_config config = {.prefix = true};
    struct sp_model model = {
        .pieces = (struct token_entry *)spec->tokens, // only read
        .n_piece = spec->n_token,
        .type = SP_UNIGRAM,
        .treat_whitespace_as_suffix = spec->treat_whitespace_as_suffix,
        .charsmap = {spec->charsmap, spec->charsmap_len},
        .add_dummy_prefix = spec->add_space_prefix,
        .remove_extra_whitespaces = spec->remove_extra_whitespaces,
        .escape_whitespaces = spec->escape_whitespaces,
    };
    *out = NULL;
    JL_TRY(check_unigram(spec, err));
    int n_byte = 0;
    for (int i = 0; i < spec->n_token; i++)
        n_byte += spec->tokens[i].type == TOKEN_BYTE;
    model.byte_fallback = n_byte == 256;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary");
    enum jl_status status = sp_build_tokenizer(t, &model, &config, err);
    if (status != JL_OK) {
        tokenizer_free(t);
        return status;
    }
    identify(&t->identity, spec);
    t->bos = spec->bos;
    t->eos = spec->eos;
    t->n_before = t->n_after = 0;
    if (spec->add_bos) t->before[t->n_before++] = spec->bos;
    if (spec->add_eos) t->after[t->n_after++] = spec->eos;
    *out = t;
    return JL_OK;
}
