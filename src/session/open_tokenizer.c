/* GGUF keys are those of the GGUF specification, section "Tokenizer"; the defaults are those that
 * readers of such files share. A Hugging Face folder brings tokenizer.json. */
#include "session/open_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"

#define KEY(name) "tokenizer.ggml." name
#define MAX_JSON_BYTES ((size_t)256 << 20)
#define MAX_CONFIG_BYTES ((size_t)16 << 20)

/* ---- GGUF ---- */

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

/* A token id. Absent, it is `usual` if that token has the type one expects there. */
static enum jl_status read_id(struct model_file *file, const char *key, const struct spm_spec *spec,
                              int32_t usual, enum token_type type, int32_t *out,
                              struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, key);
    *out = TOKEN_NONE;
    if (!value) {
        if (usual < spec->n_token && spec->tokens[usual].type == type) *out = usual;
        return JL_OK;
    }
    if (value->kind != META_INT) return wrong_kind(file, key, value, "an integer", err);
    if (value->as.i < 0 || value->as.i >= spec->n_token) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "%s is %lld, but the vocabulary has %d tokens", key,
                           (long long)value->as.i, spec->n_token);
    }
    *out = (int32_t)value->as.i;
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

/* Entries point into the file's map. */
static enum jl_status read_tokens(struct model_file *file, struct token_entry **tokens, int *n,
                                  struct jl_error *err) {
    struct meta_iter texts, scores, types;
    struct meta text, score, type;
    size_t count = meta_count(meta_find(file->meta, KEY("tokens")));
    if (count > INT32_MAX)
        return report_fail(err, JL_ERR_LIMIT, file->path, "%zu tokens are too many", count);
    JL_TRY(find_array(file, KEY("tokens"), count, &texts, err));
    JL_TRY(find_array(file, KEY("scores"), count, &scores, err));
    JL_TRY(find_array(file, KEY("token_type"), count, &types, err));
    *n = (int)count;
    *tokens = calloc(count ? count : 1, sizeof **tokens);
    if (!*tokens) return report_no_memory(err, file->path, "the vocabulary");
    for (size_t i = 0; i < count; i++) {
        if (!meta_iter_next(&texts, &text) || !meta_iter_next(&scores, &score) ||
            !meta_iter_next(&types, &type))
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
    JL_TRY(read_id(file, KEY("bos_token_id"), spec, 1, TOKEN_CONTROL, &spec->bos, err));
    JL_TRY(read_id(file, KEY("eos_token_id"), spec, 2, TOKEN_CONTROL, &spec->eos, err));
    JL_TRY(read_id(file, KEY("unknown_token_id"), spec, 0, TOKEN_UNKNOWN, &spec->unk, err));
    JL_TRY(read_bool(file, KEY("add_bos_token"), true, &spec->add_bos, err));
    JL_TRY(read_bool(file, KEY("add_eos_token"), false, &spec->add_eos, err));
    return read_bool(file, KEY("add_space_prefix"), true, &spec->add_space_prefix, err);
}

/* A failure of the text room, with the file it is about in front. */
static enum jl_status name_file(const char *path, enum jl_status status,
                                const struct jl_error *inner, struct jl_error *err) {
    return status == JL_OK ? JL_OK : report_fail(err, status, path, "%s", inner->message);
}

static enum jl_status open_gguf(struct model_file *file, struct tokenizer **out,
                                struct jl_error *err) {
    const struct meta *model = meta_find(file->meta, KEY("model"));
    if (!model) {
        return report_fail(
            err, JL_ERR_UNSUPPORTED, file->path,
            "the file has no tokenizer (" KEY("model") "); token ids still work (--tokens)");
    }
    if (model->kind != META_STRING) return wrong_kind(file, KEY("model"), model, "a string", err);
    if (model->as.s.len != 5 || memcmp(model->as.s.text, "llama", 5) != 0) {
        return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                           "the tokenizer model %s is not supported, only 'llama' is; token ids "
                           "still work (logits and generate with --tokens)",
                           report_quote(model->as.s.text, model->as.s.len).text);
    }
    struct spm_spec spec = {0};
    struct token_entry *tokens = NULL;
    struct jl_error inner;
    enum jl_status status = read_tokens(file, &tokens, &spec.n_token, err);
    spec.tokens = tokens;
    if (status == JL_OK) status = read_spec(file, &spec, err);
    if (status == JL_OK)
        status = name_file(file->path, tokenizer_from_spm(&spec, out, &inner), &inner, err);
    free(tokens);
    return status;
}

/* ---- Hugging Face ---- */

static char *path_in(const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static enum jl_status no_tokenizer_json(const char *folder, const char *path,
                                        struct jl_error *err) {
    char *model = path_in(folder, "tokenizer.model");
    bool has_model = model && file_exists(model);
    free(model);
    return report_fail(err, JL_ERR_UNSUPPORTED, path,
                       "there is no such file%s; token ids still work (--tokens)",
                       has_model ? ", and the folder's tokenizer.model is not read: convert it to "
                                   "tokenizer.json"
                                 : "");
}

static enum jl_status open_hf(const struct model_file *file, struct tokenizer **out,
                              struct jl_error *err) {
    char *path = path_in(file->path, "tokenizer.json");
    char *config_path = path_in(file->path, "tokenizer_config.json");
    char *json = NULL, *config = NULL;
    size_t json_len = 0, config_len = 0;
    struct jl_error inner;
    enum jl_status status;
    if (!path || !config_path)
        status = report_no_memory(err, file->path, "the path of its tokenizer");
    else if (!file_exists(path))
        status = no_tokenizer_json(file->path, path, err);
    else
        status = file_read(path, MAX_JSON_BYTES, &json, &json_len, err);
    if (status == JL_OK && file_exists(config_path))
        status = file_read(config_path, MAX_CONFIG_BYTES, &config, &config_len, err);
    if (status == JL_OK) {
        status = tokenizer_from_json(json, json_len, config, config_len, out, &inner);
        status = name_file(file->path, status, &inner, err);
    }
    free(path);
    free(config_path);
    free(json);
    free(config);
    return status;
}

enum jl_status open_tokenizer(struct model_file *file, struct tokenizer **out,
                              struct jl_error *err) {
    *out = NULL;
    return file->kind == MODEL_FILE_HF ? open_hf(file, out, err) : open_gguf(file, out, err);
}
