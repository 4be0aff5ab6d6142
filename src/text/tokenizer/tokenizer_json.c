/* tokenizer.json of SentencePiece-style BPE, and the few keys of tokenizer_config.json that change
 * what encoding does. Anything not understood is refused by name. */
#include "text/tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE "tokenizer_config.json"

static enum jl_status parse(const char *text, size_t len, const char *file, json_t **out,
                            struct jl_error *err) {
    json_error_t error;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!*out && json_error_code(&error) == json_error_out_of_memory)
        return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", file);
    if (!*out) return jl_fail(err, JL_ERR_FORMAT, "%s, line %d: %s", file, error.line, error.text);
    if (json_is_object(*out)) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "%s: the JSON must be an object", file);
}

/* ---- tokenizer.json ---- */

static enum jl_status check_file(const json_t *root, struct jl_error *err) {
    static const char *const known[] = {"version",        "truncation", "padding", "added_tokens",
                                        "normalizer",     "decoder",    "model",   "pre_tokenizer",
                                        "post_processor", NULL};
    JL_TRY(json_reader_keys(root, "the file", known, err));
    const json_t *version = json_object_get(root, "version");
    if (!json_reader_absent(version) &&
        (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0))
        return jl_fail(err, JL_ERR_UNSUPPORTED, JSON_READER_FILE ": version must be \"1.0\"");
    for (int i = 1; i < 3; i++) {
        if (json_reader_absent(json_object_get(root, known[i]))) continue;
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE ": %s is set; texts are never cut or padded here: make it "
                                        "null",
                       known[i]);
    }
    return JL_OK;
}

static enum jl_status check_model(const json_t *model, struct jl_error *err) {
    static const char *const known[] = {"type",
                                        "dropout",
                                        "unk_token",
                                        "continuing_subword_prefix",
                                        "end_of_word_suffix",
                                        "fuse_unk",
                                        "byte_fallback",
                                        "ignore_merges",
                                        "vocab",
                                        "merges",
                                        NULL};
    const char *type;
    JL_TRY(json_reader_type(model, "model", &type, err));
    if (strcmp(type, "BPE") != 0) return json_reader_unknown("model", type, err);
    JL_TRY(json_reader_keys(model, "model", known, err));
    const json_t *dropout = json_object_get(model, "dropout");
    if (!json_reader_absent(dropout) &&
        !(json_is_number(dropout) && !(json_number_value(dropout) != 0))) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE ": model.dropout is set; merges are never dropped here: "
                                        "make it null");
    }
    for (int i = 3; i < 5; i++) {
        const json_t *affix = json_object_get(model, known[i]);
        if (json_reader_absent(affix) || (json_is_string(affix) && !json_string_length(affix)))
            continue;
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE ": model.%s is not supported; token ids still work "
                                        "(--tokens)",
                       known[i]);
    }
    return JL_OK;
}

/* ---- tokenizer_config.json ---- */

/* "bos_token": "<s>", or an object with that text as "content". */
static enum jl_status config_token(const struct tokenizer *t, const json_t *config, const char *key,
                                   int32_t *id, struct jl_error *err) {
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (json_reader_absent(value)) return JL_OK;
    const char *text = json_string_value(value);
    if (!text) return jl_fail(err, JL_ERR_FORMAT, CONFIG_FILE ": %s must be a text", key);
    size_t len = json_string_length(value);
    for (int32_t i = 0; i < t->vocab.n; i++) {
        const struct vocab_token *token = &t->vocab.tokens[i];
        if (token->type == VOCAB_HOLE || token->len != len || memcmp(token->text, text, len) != 0)
            continue;
        *id = i;
        return JL_OK;
    }
    return jl_fail(err, JL_ERR_FORMAT, CONFIG_FILE ": %s '%.80s' is not in " JSON_READER_FILE, key,
                   text);
}

/* add_bos_token and add_eos_token decide over the post-processor, as the classes of Llama
 * tokenizers do; absent, the post-processor stands. */
static enum jl_status config_extra(const json_t *config, const char *key, int32_t id, int32_t *ids,
                                   int *n, struct jl_error *err) {
    const json_t *value = json_object_get(config, key);
    if (json_reader_absent(value)) return JL_OK;
    if (!json_is_boolean(value))
        return jl_fail(err, JL_ERR_FORMAT, CONFIG_FILE ": %s must be true or false", key);
    *n = 0;
    if (json_is_false(value)) return JL_OK;
    if (id == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_FORMAT, CONFIG_FILE ": %s is true, but there is no such token",
                       key);
    }
    ids[(*n)++] = id;
    return JL_OK;
}

/* added_tokens_decoder repeats tokens of tokenizer.json: id -> object with the text as "content".
 * One that the file does not have would have to be added, which nothing else here knows of. */
static enum jl_status check_added(const struct tokenizer *t, const json_t *config,
                                  struct jl_error *err) {
    json_t *table = json_object_get(config, "added_tokens_decoder"), *value;
    const char *key;
    if (!json_reader_absent(table) && !json_is_object(table)) {
        return jl_fail(err, JL_ERR_FORMAT, CONFIG_FILE ": added_tokens_decoder must be an object");
    }
    json_object_foreach(table, key, value) {
        char *end;
        long id = strtol(key, &end, 10);
        const char *text = json_string_value(json_object_get(value, "content"));
        size_t len = text ? strlen(text) : 0;
        bool known = text && end != key && !*end && id >= 0 && id < t->vocab.n;
        const struct vocab_token *token = known ? &t->vocab.tokens[id] : NULL;
        if (known && vocab_has(&t->vocab, (int32_t)id) && token->len == len &&
            memcmp(token->text, text, len) == 0)
            continue;
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       CONFIG_FILE ": added_tokens_decoder has '%.80s' as token '%.20s', but "
                                   "not so " JSON_READER_FILE ": export the two files together",
                       text ? text : "", key);
    }
    return JL_OK;
}

static enum jl_status read_config(struct tokenizer *t, const json_t *config, struct jl_error *err) {
    t->bos = t->n_before == 1 ? t->before[0] : TOKEN_NONE;
    t->eos = t->n_after == 1 ? t->after[0] : TOKEN_NONE;
    JL_TRY(check_added(t, config, err));
    JL_TRY(config_token(t, config, "bos_token", &t->bos, err));
    JL_TRY(config_token(t, config, "eos_token", &t->eos, err));
    JL_TRY(config_extra(config, "add_bos_token", t->bos, t->before, &t->n_before, err));
    return config_extra(config, "add_eos_token", t->eos, t->after, &t->n_after, err);
}

/* ---- all of it ---- */

static enum jl_status build(struct tokenizer *t, const json_t *root, const json_t *config,
                            struct jl_error *err) {
    struct tokenizer_json_decoder decoder = {0};
    const json_t *model = json_object_get(root, "model");
    JL_TRY(check_file(root, err));
    JL_TRY(check_model(model, err));
    JL_TRY(tokenizer_json_stages(t, root, &decoder, err));
    JL_TRY(tokenizer_json_vocab(t, root, &decoder, err));
    JL_TRY(tokenizer_json_merges(t, model, err));
    JL_TRY(tokenizer_json_post(t, root, err));
    return read_config(t, config, err);
}

enum jl_status tokenizer_from_json(const char *json, size_t json_len, const char *config,
                                   size_t config_len, struct tokenizer **out,
                                   struct jl_error *err) {
    json_t *root = NULL, *config_root = NULL;
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) return jl_fail(err, JL_ERR_MEMORY, JSON_READER_FILE ": out of memory");
    enum jl_status status = parse(json, json_len, JSON_READER_FILE, &root, err);
    if (status == JL_OK && config)
        status = parse(config, config_len, CONFIG_FILE, &config_root, err);
    if (status == JL_OK) status = build(t, root, config_root, err);
    json_decref(root);
    json_decref(config_root);
    if (status == JL_OK)
        *out = t;
    else
        tokenizer_free(t);
    return status;
}
