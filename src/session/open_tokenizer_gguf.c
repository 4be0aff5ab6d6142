/* Tokenizers in GGUF metadata. Keys are those of the GGUF specification, section "Tokenizer"; the
 * defaults are those that readers of such files share. */
#include <stdlib.h>
#include <string.h>

#include "format/report.h"
#include "session/open_tokenizer.h"

#define KEY(name) "tokenizer.ggml." name

static enum jl_status wrong_kind(const struct model_file *file, const char *key,
                                 const struct meta *value, const char *wanted,
                                 struct jl_error *err) {
    return report_fail(err, JL_ERR_FORMAT, file->path, "%s must be %s, not %s", key, wanted,
                       meta_kind_name(value->kind));
}

static enum jl_status read_bool(struct model_file *file, const char *key, bool fallback, bool *out,
                                struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, key);
    *out = fallback;
    if (!value) return JL_OK;
    if (value->kind != META_BOOL) return wrong_kind(file, key, value, "a bool", err);
    *out = value->as.b;
    return JL_OK;
}

/* A token id; TOKEN_NONE when absent. */
static enum jl_status read_id(struct model_file *file, const char *key, int n_token, int32_t *out,
                              struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, key);
    *out = TOKEN_NONE;
    if (!value) return JL_OK;
    if (value->kind != META_INT) return wrong_kind(file, key, value, "an integer", err);
    if (value->as.i < 0 || value->as.i >= n_token) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "%s is %lld, but the vocabulary has %d tokens", key,
                           (long long)value->as.i, n_token);
    }
    *out = (int32_t)value->as.i;
    return JL_OK;
}

/* The same; absent, it is `usual` if that token has the type one expects there. */
static enum jl_status read_usual_id(struct model_file *file, const char *key,
                                    const struct spm_spec *spec, int32_t usual,
                                    enum token_type type, int32_t *out, struct jl_error *err) {
    JL_TRY(read_id(file, key, spec->n_token, out, err));
    if (!meta_find(file->meta, key) && usual < spec->n_token && spec->tokens[usual].type == type)
        *out = usual;
    return JL_OK;
}

/* An array with one item a token. */
static enum jl_status find_array(struct model_file *file, const char *key, size_t count,
                                 struct meta_iter *iter, struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, key);
    if (!value) return report_fail(err, JL_ERR_FORMAT, file->path, "the tokenizer lacks %s", key);
    if (value->kind != META_ARRAY && value->kind != META_PACKED)
        return wrong_kind(file, key, value, "an array", err);
    if (meta_count(value) != count) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "%s has %zu items, but the vocabulary has %zu tokens", key,
                           meta_count(value), count);
    }
    *iter = (struct meta_iter){.array = value};
    return JL_OK;
}

static enum jl_status read_entry(const struct model_file *file, size_t i, const struct meta *text,
                                 const struct meta *score, const struct meta *type,
                                 struct token_entry *entry, struct jl_error *err) {
    bool number = score->kind == META_FLOAT || score->kind == META_INT;
    if (text->kind != META_STRING || !number || type->kind != META_INT) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "token %zu must have a string, a float and an integer in the "
                           "tokenizer's tokens, scores and token_type",
                           i);
    }
    if (type->as.i < TOKEN_NORMAL || type->as.i > TOKEN_BYTE) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           KEY("token_type") "[%zu] is %lld; types are 1 to 6", i,
                           (long long)type->as.i);
    }
    *entry = (struct token_entry){
        .text = text->as.s.text,
        .len = text->as.s.len,
        .score = score->kind == META_INT ? (float)score->as.i : (float)score->as.f,
        .type = (enum token_type)type->as.i,
    };
    return JL_OK;
}

/* Entries point into the file's map. BPE by merges has no scores, and old files no types: then all
 * tokens are normal. */
static enum jl_status read_tokens(struct model_file *file, bool scored, struct token_entry **tokens,
                                  int *n, struct jl_error *err) {
    struct meta_iter texts, scores, types;
    struct meta text, score = {.kind = META_INT}, type = {.kind = META_INT};
    bool typed = scored || meta_find(file->meta, KEY("token_type"));
    size_t count = meta_count(meta_find(file->meta, KEY("tokens")));
    if (count > INT32_MAX)
        return report_fail(err, JL_ERR_LIMIT, file->path, "%zu tokens are too many", count);
    JL_TRY(find_array(file, KEY("tokens"), count, &texts, err));
    if (scored) JL_TRY(find_array(file, KEY("scores"), count, &scores, err));
    if (typed) JL_TRY(find_array(file, KEY("token_type"), count, &types, err));
    type.as.i = TOKEN_NORMAL;
    *n = (int)count;
    *tokens = calloc(count ? count : 1, sizeof **tokens);
    if (!*tokens) return report_no_memory(err, file->path, "the vocabulary");
    for (size_t i = 0; i < count; i++) {
        if (!meta_iter_next(&texts, &text) || (scored && !meta_iter_next(&scores, &score)) ||
            (typed && !meta_iter_next(&types, &type)))
            return report_fail(err, JL_ERR_FORMAT, file->path, "the vocabulary ends at token %zu",
                               i);
        JL_TRY(read_entry(file, i, &text, &score, &type, &(*tokens)[i], err));
    }
    return JL_OK;
}

/* Settings of other SentencePiece normalisers, which BPE vocabularies do not carry. */
static enum jl_status check_normaliser(struct model_file *file, struct jl_error *err) {
    bool remove_spaces, suffix;
    JL_TRY(read_bool(file, KEY("remove_extra_whitespaces"), false, &remove_spaces, err));
    JL_TRY(read_bool(file, KEY("treat_whitespace_as_suffix"), false, &suffix, err));
    const char *set = remove_spaces ? KEY("remove_extra_whitespaces")
                      : suffix      ? KEY("treat_whitespace_as_suffix")
                      : meta_find(file->meta, KEY("precompiled_charsmap"))
                          ? KEY("precompiled_charsmap")
                          : NULL;
    if (!set) return JL_OK;
    return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                       "%s is not supported for this tokenizer; token ids still work (--tokens)",
                       set);
}

static enum jl_status read_spec(struct model_file *file, struct spm_spec *spec,
                                struct jl_error *err) {
    JL_TRY(check_normaliser(file, err));
    JL_TRY(read_usual_id(file, KEY("bos_token_id"), spec, 1, TOKEN_CONTROL, &spec->bos, err));
    JL_TRY(read_usual_id(file, KEY("eos_token_id"), spec, 2, TOKEN_CONTROL, &spec->eos, err));
    JL_TRY(read_usual_id(file, KEY("unknown_token_id"), spec, 0, TOKEN_UNKNOWN, &spec->unk, err));
    JL_TRY(read_bool(file, KEY("add_bos_token"), true, &spec->add_bos, err));
    JL_TRY(read_bool(file, KEY("add_eos_token"), false, &spec->add_eos, err));
    return read_bool(file, KEY("add_space_prefix"), true, &spec->add_space_prefix, err);
}

/* A failure of the text room, with the file it is about in front. */
static enum jl_status name_file(const char *path, enum jl_status status,
                                const struct jl_error *inner, struct jl_error *err) {
    return status == JL_OK ? JL_OK : report_fail(err, status, path, "%s", inner->message);
}

/* ---- SentencePiece ---- */

static enum jl_status read_llama(struct model_file *file, const char *pre,
                                 struct open_tokenizer_spec *out, struct jl_error *err) {
    (void)pre;
    JL_TRY(read_tokens(file, true, &out->tokens, &out->spm.n_token, err));
    out->spm.tokens = out->tokens;
    return read_spec(file, &out->spm, err);
}

static enum jl_status open_llama(struct model_file *file, const char *pre, struct tokenizer **out,
                                 struct jl_error *err) {
    struct open_tokenizer_spec spec = {0};
    struct jl_error inner;
    enum jl_status status = read_llama(file, pre, &spec, err);
    if (status == JL_OK)
        status = name_file(file->path, tokenizer_from_spm(&spec.spm, out, &inner), &inner, err);
    open_tokenizer_spec_free(&spec);
    return status;
}

/* ---- BPE by merges ---- */

static enum jl_status read_merges(struct model_file *file, struct bpe_merge_text **merges,
                                  size_t *n, struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, KEY("merges"));
    struct meta item;
    if (!value)
        return report_fail(err, JL_ERR_FORMAT, file->path, "the tokenizer lacks " KEY("merges"));
    if (value->kind != META_ARRAY && value->kind != META_PACKED)
        return wrong_kind(file, KEY("merges"), value, "an array", err);
    *n = meta_count(value);
    *merges = calloc(*n ? *n : 1, sizeof **merges);
    if (!*merges) return report_no_memory(err, file->path, "the merges");
    struct meta_iter iter = {.array = value};
    for (size_t i = 0; i < *n; i++) {
        if (!meta_iter_next(&iter, &item) || item.kind != META_STRING) {
            return report_fail(err, JL_ERR_FORMAT, file->path,
                               KEY("merges") "[%zu] must be a string", i);
        }
        (*merges)[i] = (struct bpe_merge_text){item.as.s.text, item.as.s.len};
    }
    return JL_OK;
}

static enum jl_status read_pre(struct model_file *file, const char *pre, struct bpe_spec *spec,
                               struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, KEY("pre"));
    if (value && value->kind != META_STRING)
        return wrong_kind(file, KEY("pre"), value, "a string", err);
    if (value && pre) {
        return report_fail(err, JL_ERR_USAGE, file->path,
                           "--pre is for tokenizers that do not name their pre-tokenizer; this one "
                           "says %s",
                           report_quote(value->as.s.text, value->as.s.len).text);
    }
    if (!value && !pre) {
        return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                           "the tokenizer lacks " KEY(
                               "pre") ", and guessing it would give wrong "
                                      "ids; name it with --pre, or use token ids (--tokens)");
    }
    spec->pre = value ? value->as.s.text : pre;
    spec->pre_len = value ? value->as.s.len : strlen(pre);
    return JL_OK;
}

static enum jl_status read_bpe_spec(struct model_file *file, const char *pre, struct bpe_spec *spec,
                                    struct jl_error *err) {
    JL_TRY(read_pre(file, pre, spec, err));
    bool bos = tokenizer_pre_adds_bos(spec->pre, spec->pre_len);
    JL_TRY(read_id(file, KEY("bos_token_id"), spec->n_token, &spec->bos, err));
    JL_TRY(read_id(file, KEY("eos_token_id"), spec->n_token, &spec->eos, err));
    JL_TRY(read_id(file, KEY("unknown_token_id"), spec->n_token, &spec->unk, err));
    bos = bos && spec->bos != TOKEN_NONE;
    JL_TRY(read_bool(file, KEY("add_bos_token"), bos, &spec->add_bos, err));
    JL_TRY(read_bool(file, KEY("add_eos_token"), false, &spec->add_eos, err));
    return read_bool(file, KEY("add_space_prefix"), false, &spec->add_space_prefix, err);
}

static enum jl_status read_gpt2(struct model_file *file, const char *pre,
                                struct open_tokenizer_spec *out, struct jl_error *err) {
    out->is_bpe = true;
    JL_TRY(read_tokens(file, false, &out->tokens, &out->bpe.n_token, err));
    JL_TRY(read_merges(file, &out->merges, &out->bpe.n_merge, err));
    out->bpe.tokens = out->tokens;
    out->bpe.merges = out->merges;
    return read_bpe_spec(file, pre, &out->bpe, err);
}

static enum jl_status open_gpt2(struct model_file *file, const char *pre, struct tokenizer **out,
                                struct jl_error *err) {
    struct open_tokenizer_spec spec = {0};
    struct jl_error inner;
    enum jl_status status = read_gpt2(file, pre, &spec, err);
    if (status == JL_OK)
        status = name_file(file->path, tokenizer_from_bpe(&spec.bpe, out, &inner), &inner, err);
    open_tokenizer_spec_free(&spec);
    return status;
}

/* ---- Unigram ---- */

/* The rules' table, an array of bytes. Heap, NULL when absent. */
static enum jl_status read_charsmap(struct model_file *file, unsigned char **bytes, size_t *len,
                                    struct jl_error *err) {
    const char *key = KEY("precompiled_charsmap");
    const struct meta *value = meta_find(file->meta, key);
    struct meta item;
    *bytes = NULL;
    *len = 0;
    if (!value) return JL_OK;
    if (value->kind != META_ARRAY && value->kind != META_PACKED)
        return wrong_kind(file, key, value, "an array", err);
    *len = meta_count(value);
    *bytes = malloc(*len ? *len : 1);
    if (!*bytes) return report_no_memory(err, file->path, "the rules of the tokenizer");
    struct meta_iter iter = {.array = value};
    for (size_t i = 0; i < *len; i++) {
        if (!meta_iter_next(&iter, &item) || item.kind != META_INT || item.as.i < -128 ||
            item.as.i > 255)
            return report_fail(err, JL_ERR_FORMAT, file->path, "%s[%zu] must be a byte", key, i);
        (*bytes)[i] = (unsigned char)(item.as.i & 255); // written as signed or unsigned
    }
    return JL_OK;
}

static enum jl_status read_unigram_spec(struct model_file *file, struct unigram_spec *spec,
                                        struct jl_error *err) {
    JL_TRY(read_id(file, KEY("bos_token_id"), spec->n_token, &spec->bos, err));
    JL_TRY(read_id(file, KEY("eos_token_id"), spec->n_token, &spec->eos, err));
    bool eos = spec->eos != TOKEN_NONE;
    JL_TRY(read_bool(file, KEY("add_bos_token"), false, &spec->add_bos, err));
    JL_TRY(read_bool(file, KEY("add_eos_token"), eos, &spec->add_eos, err));
    JL_TRY(read_bool(file, KEY("add_space_prefix"), true, &spec->add_space_prefix, err));
    JL_TRY(read_bool(file, KEY("remove_extra_whitespaces"), false, &spec->remove_extra_whitespaces,
                     err));
    JL_TRY(read_bool(file, KEY("escape_whitespaces"), true, &spec->escape_whitespaces, err));
    return read_bool(file, KEY("treat_whitespace_as_suffix"), false,
                     &spec->treat_whitespace_as_suffix, err);
}

static enum jl_status open_t5(struct model_file *file, const char *pre, struct tokenizer **out,
                              struct jl_error *err) {
    struct unigram_spec spec = {0};
    struct token_entry *tokens = NULL;
    unsigned char *charsmap = NULL;
    struct jl_error inner;
    (void)pre;
    enum jl_status status = read_tokens(file, true, &tokens, &spec.n_token, err);
    if (status == JL_OK) status = read_charsmap(file, &charsmap, &spec.charsmap_len, err);
    spec.tokens = tokens;
    spec.charsmap = charsmap;
    if (status == JL_OK) status = read_unigram_spec(file, &spec, err);
    if (status == JL_OK)
        status = name_file(file->path, tokenizer_from_unigram(&spec, out, &inner), &inner, err);
    free(charsmap);
    free(tokens);
    return status;
}

/* ---- WordPiece ---- */

/* The beginning and the end are named as such, or by what BERT calls them. */
static enum jl_status read_wordpiece_spec(struct model_file *file, struct wordpiece_spec *spec,
                                          struct jl_error *err) {
    const char *bos =
        meta_find(file->meta, KEY("cls_token_id")) ? KEY("cls_token_id") : KEY("bos_token_id");
    const char *eos = meta_find(file->meta, KEY("seperator_token_id")) ? KEY("seperator_token_id")
                                                                       : KEY("eos_token_id");
    JL_TRY(read_id(file, bos, spec->n_token, &spec->bos, err));
    JL_TRY(read_id(file, eos, spec->n_token, &spec->eos, err));
    JL_TRY(read_id(file, KEY("unknown_token_id"), spec->n_token, &spec->unk, err));
    bool has_bos = spec->bos != TOKEN_NONE, has_eos = spec->eos != TOKEN_NONE;
    JL_TRY(read_bool(file, KEY("add_bos_token"), has_bos, &spec->add_bos, err));
    return read_bool(file, KEY("add_eos_token"), has_eos, &spec->add_eos, err);
}

static enum jl_status open_bert(struct model_file *file, const char *pre, struct tokenizer **out,
                                struct jl_error *err) {
    struct wordpiece_spec spec = {0};
    struct token_entry *tokens = NULL;
    struct jl_error inner;
    (void)pre;
    enum jl_status status = read_tokens(file, false, &tokens, &spec.n_token, err);
    spec.tokens = tokens;
    if (status == JL_OK) status = read_wordpiece_spec(file, &spec, err);
    if (status == JL_OK)
        status = name_file(file->path, tokenizer_from_wordpiece(&spec, out, &inner), &inner, err);
    free(tokens);
    return status;
}

/* ---- all kinds ---- */

static const struct kind {
    const char *model; // tokenizer.ggml.model
    bool takes_pre;
    enum jl_status (*open)(struct model_file *file, const char *pre, struct tokenizer **out,
                           struct jl_error *err);
    enum jl_status (*read)(struct model_file *file, const char *pre,
                           struct open_tokenizer_spec *out, struct jl_error *err);
} kinds[] = {
    {"llama", false, open_llama, read_llama},
    {"gpt2", true, open_gpt2, read_gpt2},
    {"t5", false, open_t5, NULL},
    {"bert", false, open_bert, NULL},
};

static enum jl_status find_kind(struct model_file *file, const struct kind **out,
                                struct jl_error *err) {
    const struct meta *model = meta_find(file->meta, KEY("model"));
    if (!model) {
        return report_fail(
            err, JL_ERR_UNSUPPORTED, file->path,
            "the file has no tokenizer (" KEY("model") "); token ids still work (--tokens)");
    }
    if (model->kind != META_STRING) return wrong_kind(file, KEY("model"), model, "a string", err);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        *out = &kinds[i];
        if (strlen(kinds[i].model) == model->as.s.len &&
            memcmp(kinds[i].model, model->as.s.text, model->as.s.len) == 0)
            return JL_OK;
    }
    return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                       "the tokenizer model %s is not supported; token ids still work (logits and "
                       "generate with --tokens)",
                       report_quote(model->as.s.text, model->as.s.len).text);
}

enum jl_status open_tokenizer_gguf(struct model_file *file, const char *pre, struct tokenizer **out,
                                   struct jl_error *err) {
    const struct kind *kind;
    *out = NULL;
    JL_TRY(find_kind(file, &kind, err));
    if (pre && !kind->takes_pre) {
        return report_fail(err, JL_ERR_USAGE, file->path,
                           "--pre is for byte-level BPE; this tokenizer is '%s'", kind->model);
    }
    return kind->open(file, pre, out, err);
}

enum jl_status open_tokenizer_spec(struct model_file *file, struct open_tokenizer_spec *out,
                                   struct jl_error *err) {
    const struct kind *kind;
    *out = (struct open_tokenizer_spec){0};
    JL_TRY(find_kind(file, &kind, err));
    if (!kind->read)
        return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                           "the tokenizer is '%s'; those of folders' files are made of 'gpt2' and "
                           "'llama'",
                           kind->model);
    enum jl_status status = kind->read(file, NULL, out, err);
    if (status != JL_OK) open_tokenizer_spec_free(out);
    return status;
}

void open_tokenizer_spec_free(struct open_tokenizer_spec *spec) {
    free(spec->tokens);
    free(spec->merges);
    *spec = (struct open_tokenizer_spec){0};
}
