#include "text/tokenizer/sp_config.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/vocab.h"

#define FILE_NAME "tokenizer_config.json"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, FILE_NAME ": out of memory");
}

static bool absent(const json_t *value) { return !value || json_is_null(value); }

static enum jl_status read_bool(const json_t *object, const char *key, bool *out,
                                struct jl_error *err) {
    const json_t *value = json_object_get(object, key);
    if (absent(value)) return JL_OK;
    if (!json_is_boolean(value))
        return jl_fail(err, JL_ERR_FORMAT, FILE_NAME ": %s must be true or false", key);
    *out = json_is_true(value);
    return JL_OK;
}

/* "bos_token": "<s>", or an object with that text as "content". */
static enum jl_status read_token(const json_t *root, const char *key, struct arena *arena,
                                 const char **out, struct jl_error *err) {
    const json_t *value = json_object_get(root, key);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (absent(value)) return JL_OK;
    if (!json_is_string(value) || json_string_length(value) == 0)
        return jl_fail(err, JL_ERR_FORMAT, FILE_NAME ": %s must be a text", key);
    *out = arena_strdup(arena, json_string_value(value));
    return *out ? JL_OK : no_memory(err);
}

static enum jl_status read_one_added(const char *key, const json_t *value, struct arena *arena,
                                     struct sp_added *added, struct jl_error *err) {
    char *end;
    long id = strtol(key, &end, 10);
    const json_t *content = json_object_get(value, "content");
    if (end == key || *end || id < 0 || id >= VOCAB_MAX_TOKENS || !json_is_string(content) ||
        json_string_length(content) == 0) {
        return jl_fail(err, JL_ERR_FORMAT,
                       FILE_NAME ": added_tokens_decoder['%.40s'] must be an id of 0 to %d with a "
                                 "\"content\"",
                       key, VOCAB_MAX_TOKENS - 1);
    }
    added->id = (int32_t)id;
    added->len = json_string_length(content);
    added->text = arena_strndup(arena, json_string_value(content), added->len);
    if (!added->text) return no_memory(err);
    JL_TRY(read_bool(value, "special", &added->special, err));
    JL_TRY(read_bool(value, "lstrip", &added->lstrip, err));
    JL_TRY(read_bool(value, "rstrip", &added->rstrip, err));
    return read_bool(value, "single_word", &added->single_word, err);
}

static enum jl_status read_added(json_t *root, struct arena *arena, struct sp_config *config,
                                 struct jl_error *err) {
    json_t *table = json_object_get(root, "added_tokens_decoder"), *value;
    const char *key;
    if (absent(table)) return JL_OK;
    if (!json_is_object(table))
        return jl_fail(err, JL_ERR_FORMAT, FILE_NAME ": added_tokens_decoder must be an object");
    size_t n = json_object_size(table);
    if (n > VOCAB_MAX_TOKENS)
        return jl_fail(err, JL_ERR_LIMIT, FILE_NAME ": %zu added tokens are too many", n);
    config->added = arena_calloc(arena, n ? n : 1, sizeof *config->added);
    if (!config->added) return no_memory(err);
    json_object_foreach(table, key, value)
        JL_TRY(read_one_added(key, value, arena, &config->added[config->n_added++], err));
    return JL_OK;
}

/* Arguments of SentencePiece's own reader; sampling would make encoding a matter of chance. */
static enum jl_status check_arguments(const json_t *root, struct jl_error *err) {
    const json_t *arguments = json_object_get(root, "sp_model_kwargs");
    if (absent(arguments) || (json_is_object(arguments) && json_object_size(arguments) == 0))
        return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   FILE_NAME ": sp_model_kwargs is set, which is not supported; token ids still "
                             "work (--tokens)");
}

static enum jl_status read_root(json_t *root, struct arena *arena, struct sp_config *config,
                                struct jl_error *err) {
    bool legacy = true;
    const char *class = json_string_value(json_object_get(root, "tokenizer_class"));
    if (class && strncmp(class, "T5Tokenizer", 11) == 0) {
        config->add_bos = false;
        config->add_eos = true;
    }
    JL_TRY(check_arguments(root, err));
    JL_TRY(read_token(root, "bos_token", arena, &config->bos, err));
    JL_TRY(read_token(root, "eos_token", arena, &config->eos, err));
    JL_TRY(read_bool(root, "add_bos_token", &config->add_bos, err));
    JL_TRY(read_bool(root, "add_eos_token", &config->add_eos, err));
    JL_TRY(read_bool(root, "add_prefix_space", &config->prefix, err));
    JL_TRY(read_bool(root, "legacy", &legacy, err));
    config->prefix_once = !legacy;
    return read_added(root, arena, config, err);
}

enum jl_status sp_config_read(const char *json, size_t len, struct arena *arena,
                              struct sp_config *config, struct jl_error *err) {
    json_error_t error;
    *config = (struct sp_config){.add_bos = true, .prefix = true};
    if (!json) return JL_OK;
    json_t *root;
    enum jl_status status = json_reader_load(json, len, &root, &error);
    if (status == JL_ERR_MEMORY) return no_memory(err);
    if (status != JL_OK)
        return jl_fail(err, JL_ERR_FORMAT, FILE_NAME ", line %d: %s", error.line, error.text);
    status = json_is_object(root) ? read_root(root, arena, config, err)
                                  : jl_fail(err, JL_ERR_FORMAT, FILE_NAME ": not an object");
    json_decref(root);
    return status;
}
