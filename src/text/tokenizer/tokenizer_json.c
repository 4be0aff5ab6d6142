/* tokenizer.json: the file as a whole. Anything not understood is refused by name. */
#include "text/tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

enum jl_status tokenizer_json_parse(const char *text, size_t len, const char *file, json_t **out,
                                    struct jl_error *err) {
    json_error_t error;
    enum jl_status status = json_reader_load(text, len, out, &error);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "%s: out of memory", file);
    if (status != JL_OK)
        return jl_fail(err, JL_ERR_FORMAT, "%s, line %d: %s", file, error.line, error.text);
    if (json_is_object(*out)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "%s: the JSON must be an object", file);
}

/* ---- tokenizer.json ---- */

/* Texts are never cut or padded, whatever a file was saved with: as transformers, which clears both
 * settings before a text is encoded unless the caller asks for them. */
static enum jl_status check_unused(const json_t *root, const char *key, struct jl_error *err) {
    const json_t *value = json_object_get(root, key);
    if (json_reader_absent(value) || json_is_object(value)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": %s must be null or an object", key);
}

static enum jl_status check_file(const json_t *root, struct jl_error *err) {
    static const char *const known[] = {"version",        "truncation", "padding", "added_tokens",
                                        "normalizer",     "decoder",    "model",   "pre_tokenizer",
                                        "post_processor", NULL};
    JL_TRY(json_reader_keys(root, "the file", known, err));
    const json_t *version = json_object_get(root, "version");
    if (!json_reader_absent(version) &&
        (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0))
        return jl_fail(err, JL_ERR_UNSUPPORTED, JSON_READER_FILE ": version must be \"1.0\"");
    JL_TRY(check_unused(root, "truncation", err));
    return check_unused(root, "padding", err);
}

/* ---- all of it ---- */

static enum jl_status build(struct tokenizer *t, const json_t *root, const json_t *config,
                            struct tokenizer_json_decoder *decoder, struct jl_error *err) {
    const json_t *model = json_object_get(root, "model");
    JL_TRY(check_file(root, err));
    JL_TRY(tokenizer_json_model(t, model, err));
    JL_TRY(tokenizer_json_normalizer(t, root, err));
    JL_TRY(tokenizer_json_pretok(t, root, err));
    JL_TRY(tokenizer_json_decoder(t, root, decoder, err));
    JL_TRY(tokenizer_json_vocab(t, root, decoder, err));
    switch (t->model) {
    case PIPELINE_UNIGRAM: JL_TRY(tokenizer_json_unigram(t, model, err)); break;
    case PIPELINE_WORDPIECE: JL_TRY(tokenizer_json_wordpiece(t, model, err)); break;
    default: JL_TRY(tokenizer_json_merges(t, model, err)); break;
    }
    JL_TRY(tokenizer_json_post(t, root, err));
    return tokenizer_json_config(t, config, err);
}

enum jl_status tokenizer_json_build(const json_t *root, const json_t *config,
                                    struct tokenizer **out, struct jl_error *err) {
    struct tokenizer_json_decoder decoder = {0};
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return tokenizer_json_no_memory(err);
    enum jl_status status = build(t, root, config, &decoder, err);
    normalize_free(&decoder.rewrite);
    if (status == JL_OK)
        *out = t;
    else
        tokenizer_free(t);
    return status;
}

enum jl_status tokenizer_from_json(const char *json, size_t json_len, const char *config,
                                   size_t config_len, struct tokenizer **out,
                                   struct jl_error *err) {
    json_t *root = NULL, *config_root = NULL;
    *out = NULL;
    enum jl_status status = tokenizer_json_parse(json, json_len, JSON_READER_FILE, &root, err);
    if (status == JL_OK && config)
        status =
            tokenizer_json_parse(config, config_len, "tokenizer_config.json", &config_root, err);
    if (status == JL_OK) status = tokenizer_json_build(root, config_root, out, err);
    if (status == JL_OK) {
        identity_begin(&(*out)->identity, "json");
        identity_add(&(*out)->identity, json, json_len);
        identity_add(&(*out)->identity, config, config_len);
    }
    json_decref(root);
    json_decref(config_root);
    return status;
}
