/* tokenizer_config.json: the few keys that change what encoding does. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

#define CONFIG_FILE "tokenizer_config.json"

/* "bos_token": "<s>", or an object with that text as "content". */
static enum jl_status config_token(const struct tokenizer *t, const json_t *config, const char *key,
                                   int32_t *id, struct jl_error *err) {
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (json_reader_absent(value)) return JL_OK;
    const char *text = json_string_value(value);
    if (!text) return jl_fail(err, JL_ERR_FORMAT, CONFIG_FILE ": %s must be a text", key);
    size_t len = json_string_length(value);
    int32_t added = tokenizer_find_added(t, text, len);
    for (int32_t i = 0; added == TOKEN_NONE && i < t->vocab.n; i++) {
        const struct vocab_token *token = &t->vocab.tokens[i];
        if (token->type == VOCAB_HOLE || token->len != len || memcmp(token->text, text, len) != 0)
            continue;
        added = i;
    }
    if (added != TOKEN_NONE) {
        *id = added;
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

enum jl_status tokenizer_json_config(struct tokenizer *t, const json_t *config,
                                     struct jl_error *err) {
    t->bos = t->n_before == 1 ? t->before[0] : TOKEN_NONE;
    t->eos = t->n_after == 1 ? t->after[0] : TOKEN_NONE;
    JL_TRY(check_added(t, config, err));
    JL_TRY(config_token(t, config, "bos_token", &t->bos, err));
    JL_TRY(config_token(t, config, "eos_token", &t->eos, err));
    JL_TRY(config_extra(config, "add_bos_token", t->bos, t->before, &t->n_before, err));
    return config_extra(config, "add_eos_token", t->eos, t->after, &t->n_after, err);
}
