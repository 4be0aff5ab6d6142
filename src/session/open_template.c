/* The order of sources in a folder: chat_template.jinja and additional_chat_templates/ first, as
 * transformers reads them, then chat_template.json, then tokenizer_config.json. GGUF keys are those
 * of the GGUF specification and of llama.cpp's converter. */
#include "session/open_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "format/gguf.h"
#include "format/json_text.h"
#include "format/report.h"

#define MAX_TEMPLATE_BYTES ((size_t)16 << 20)
#define MAX_CONFIG_BYTES ((size_t)64 << 20)

static const char *const token_names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token"};
#define N_TOKEN_NAME (sizeof token_names / sizeof token_names[0])

static enum jl_status take(struct model_template *out, const char *where, const char *source,
                           size_t len, struct jl_error *err) {
    out->source = malloc(len + 1);
    out->name = strdup(where);
    if (!out->source || !out->name) return report_no_memory(err, where, "its chat template");
    memcpy(out->source, source, len);
    out->source[len] = '\0';
    out->len = len;
    return JL_OK;
}

static enum jl_status none(const char *path, const char *name, struct jl_error *err) {
    if (!name) return report_fail(err, JL_ERR_UNSUPPORTED, path, "the model has no chat template");
    return report_fail(err, JL_ERR_USAGE, path, "the model has no chat template named %s",
                       report_quote_str(name).text);
}

/* ---- GGUF ---- */

static enum jl_status gguf_string(struct meta *meta, const char *key, const char *path,
                                  struct model_template *out, bool *found, struct jl_error *err) {
    const struct meta *value = meta_find(meta, key);
    *found = value != NULL;
    if (!value) return JL_OK;
    if (value->kind != META_STRING)
        return report_fail(err, JL_ERR_FORMAT, path, "%s must be a string, not %s", key,
                           meta_kind_name(value->kind));
    return take(out, path, value->as.s.text, value->as.s.len, err);
}

static enum jl_status gguf_template(struct meta *meta, const char *path, const char *name,
                                    bool tools, struct model_template *out, struct jl_error *err) {
    char *key = NULL;
    bool found = false;
    enum jl_status status = JL_OK;
    const char *wanted = name ? name : tools ? "tool_use" : NULL;
    if (wanted && strcmp(wanted, "default") != 0) {
        if (asprintf(&key, "tokenizer.chat_template.%s", wanted) < 0)
            return report_no_memory(err, path, "a key");
        status = gguf_string(meta, key, path, out, &found, err);
        free(key);
        if (status != JL_OK || found) return status;
        if (name) return none(path, name, err);
    }
    JL_TRY(gguf_string(meta, "tokenizer.chat_template", path, out, &found, err));
    return found ? JL_OK : none(path, name, err);
}

/* Text of token `id` of the vocabulary. */
static enum jl_status gguf_token(struct meta *meta, int64_t id, const char *path, const char *name,
                                 json_t *tokens, struct jl_error *err) {
    struct meta item;
    struct meta_iter iter = {.array = meta_find(meta, "tokenizer.ggml.tokens")};
    size_t count = meta_count(iter.array);
    if (id < 0 || (uint64_t)id >= count)
        return report_fail(err, JL_ERR_FORMAT, path, "the id of %s is outside the vocabulary",
                           name);
    for (int64_t i = 0; i <= id; i++) {
        if (!meta_iter_next(&iter, &item) || item.kind != META_STRING)
            return report_fail(err, JL_ERR_FORMAT, path, "the vocabulary must be strings");
    }
    json_t *text = json_stringn(item.as.s.text, item.as.s.len);
    if (!text) return report_fail(err, JL_ERR_FORMAT, path, "%s is not UTF-8", name);
    if (json_object_set_new(tokens, name, text) == 0) return JL_OK;
    return report_no_memory(err, path, "its tokens");
}

static enum jl_status gguf_tokens(struct meta *meta, const char *path, json_t *tokens,
                                  struct jl_error *err) {
    static const char *const keys[N_TOKEN_NAME] = {
        "bos_token_id",     "eos_token_id", "unknown_token_id", "seperator_token_id",
        "padding_token_id", "cls_token_id", "mask_token_id",
    };
    const struct meta *model = meta_find(meta, "tokenizer.ggml.model");
    bool spm = model && model->kind == META_STRING && model->as.s.len == 5 &&
               !memcmp(model->as.s.text, "llama", 5);
    for (size_t i = 0; i < N_TOKEN_NAME; i++) {
        static const int64_t usual[] = {1, 2, 0}; // of SentencePiece vocabularies
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s", keys[i]);
        const struct meta *id = meta_find(meta, key);
        if (!id && i == 3) id = meta_find(meta, "tokenizer.ggml.separator_token_id");
        if (!id && !(spm && i < 3)) continue;
        if (id && id->kind != META_INT)
            return report_fail(err, JL_ERR_FORMAT, path, "%s must be an integer", key);
        if (!id && (size_t)usual[i] >= meta_count(meta_find(meta, "tokenizer.ggml.tokens")))
            continue;
        JL_TRY(gguf_token(meta, id ? id->as.i : usual[i], path, token_names[i], tokens, err));
    }
    return JL_OK;
}

static enum jl_status open_gguf(const char *path, const char *name, bool tools,
                                struct model_template *out, struct jl_error *err) {
    struct file_map map = {0};
    struct arena arena = {0};
    struct gguf gguf;
    enum jl_status status = file_map_open(path, &map, err);
    if (status == JL_OK) status = gguf_parse(map.data, map.size, path, &arena, &gguf, err);
    if (status == JL_OK) status = gguf_template(gguf.meta, path, name, tools, out, err);
    if (status == JL_OK) status = gguf_tokens(gguf.meta, path, out->tokens, err);
    arena_free(&arena);
    file_map_close(&map);
    return status;
}

/* ---- folders ---- */

/* The folder's JSON file, NULL where there is none. */
static enum jl_status read_json(const char *folder, const char *name, json_t **out,
                                struct jl_error *err) {
    char *path = file_path_in(folder, name), *text = NULL;
    size_t len = 0;
    enum jl_status status = JL_OK;
    *out = NULL;
    if (!path) return report_no_memory(err, folder, "a path");
    if (file_exists(path)) {
        status = file_read_regular(path, MAX_CONFIG_BYTES, &text, &len, err);
        if (status == JL_OK)
            status = json_text_parse_big(text, len, path, JSON_TEXT_BIG_REAL, out, err);
    }
    free(text);
    free(path);
    return status;
}

/* A file with a template's text; *found says whether it is there. */
static enum jl_status read_file(const char *folder, const char *name, struct model_template *out,
                                bool *found, struct jl_error *err) {
    char *path = file_path_in(folder, name), *text = NULL;
    size_t len = 0;
    enum jl_status status = JL_OK;
    if (!path) return report_no_memory(err, folder, "a path");
    *found = file_exists(path);
    if (*found) status = file_read_regular(path, MAX_TEMPLATE_BYTES, &text, &len, err);
    if (*found && status == JL_OK) status = take(out, path, text, len, err);
    free(text);
    free(path);
    return status;
}

/* chat_template.jinja, or the file of a name beside it. */
static enum jl_status jinja_files(const char *folder, const char *name, bool tools,
                                  struct model_template *out, bool *found, struct jl_error *err) {
    const char *wanted = name ? name : tools ? "tool_use" : NULL;
    *found = false;
    if (wanted && strcmp(wanted, "default") != 0) {
        char *file = NULL;
        if (strchr(wanted, '/'))
            return report_fail(err, JL_ERR_USAGE, folder, "a template's name has no '/'");
        if (asprintf(&file, "additional_chat_templates/%s.jinja", wanted) < 0)
            return report_no_memory(err, folder, "a path");
        enum jl_status status = read_file(folder, file, out, found, err);
        free(file);
        if (status != JL_OK || *found || name) return status;
    }
    return read_file(folder, "chat_template.jinja", out, found, err);
}

static const json_t *find_named(const json_t *list, const char *name) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *have = json_string_value(json_object_get(item, "name"));
        if (have && !strcmp(have, name)) return json_object_get(item, "template");
    }
    return NULL;
}

/* "chat_template" of a JSON file: a text, or a list of {name, template}, or an object by names. */
static enum jl_status json_template(const json_t *root, const char *where, const char *name,
                                    bool tools, struct model_template *out, bool *found,
                                    struct jl_error *err) {
    const json_t *value = json_object_get(root, "chat_template"), *text = value;
    *found = false;
    if (!value || json_is_null(value)) return JL_OK;
    if (json_is_array(value) || json_is_object(value)) {
        bool list = json_is_array(value);
        text = NULL;
        const char *wanted = name ? name : tools ? "tool_use" : "default";
        for (int i = 0; i < 2 && !text; i++) {
            text = list ? find_named(value, wanted) : json_object_get(value, wanted);
            if (name) break;
            wanted = "default";
        }
        if (!text) return JL_OK;
    } else if (name && strcmp(name, "default") != 0) {
        return JL_OK;
    }
    if (!json_is_string(text))
        return report_fail(err, JL_ERR_FORMAT, where,
                           "chat_template must be a text or a list of "
                           "names and texts");
    *found = true;
    return take(out, where, json_string_value(text), json_string_length(text), err);
}

/* A token is a string or an object with its text as "content". */
static enum jl_status json_tokens(const json_t *root, const char *folder, json_t *tokens,
                                  struct jl_error *err) {
    for (size_t i = 0; i < N_TOKEN_NAME; i++) {
        json_t *token = json_object_get(root, token_names[i]);
        if (json_is_object(token)) token = json_object_get(token, "content");
        if (!token || json_is_null(token) || json_object_get(tokens, token_names[i])) continue;
        if (!json_is_string(token))
            return report_fail(err, JL_ERR_FORMAT, folder,
                               "%s must be a string or an object with "
                               "its content",
                               token_names[i]);
        if (json_object_set(tokens, token_names[i], token) != 0)
            return report_no_memory(err, folder, "its tokens");
    }
    return JL_OK;
}

static enum jl_status open_folder(const char *path, const char *name, bool tools,
                                  struct model_template *out, struct jl_error *err) {
    json_t *config = NULL, *map = NULL, *json = NULL;
    bool found = false;
    enum jl_status status = read_json(path, "tokenizer_config.json", &config, err);
    if (status == JL_OK) status = read_json(path, "special_tokens_map.json", &map, err);
    if (status == JL_OK) status = json_tokens(config, path, out->tokens, err);
    if (status == JL_OK) status = json_tokens(map, path, out->tokens, err);
    if (status == JL_OK) status = jinja_files(path, name, tools, out, &found, err);
    if (status == JL_OK && !found) {
        status = read_json(path, "chat_template.json", &json, err);
        if (status == JL_OK) status = json_template(json, path, name, tools, out, &found, err);
    }
    if (status == JL_OK && !found)
        status = json_template(config, path, name, tools, out, &found, err);
    if (status == JL_OK && !found) status = none(path, name, err);
    json_decref(config);
    json_decref(map);
    json_decref(json);
    return status;
}

/* ---- all ---- */

static enum jl_status open_file(const char *path, const char *name, struct model_template *out,
                                struct jl_error *err) {
    char *text = NULL;
    size_t len;
    if (name) return report_fail(err, JL_ERR_USAGE, path, "a template file has no names");
    JL_TRY(file_read_regular(path, MAX_TEMPLATE_BYTES, &text, &len, err));
    enum jl_status status = take(out, path, text, len, err);
    out->from_file = true;
    free(text);
    return status;
}

enum jl_status open_template(const char *path, const char *name, bool tools,
                             struct model_template *out, struct jl_error *err) {
    *out = (struct model_template){.tokens = json_object()};
    enum jl_status status;
    if (!out->tokens)
        status = report_no_memory(err, path, "its chat template");
    else if (file_is_dir(path))
        status = open_folder(path, name, tools, out, err);
    else if (file_begins(path, "GGUF", 4))
        status = open_gguf(path, name, tools, out, err);
    else
        status = open_file(path, name, out, err);
    if (status != JL_OK) open_template_free(out);
    return status;
}

void open_template_free(struct model_template *tmpl) {
    free(tmpl->source);
    free(tmpl->name);
    json_decref(tmpl->tokens);
    *tmpl = (struct model_template){0};
}

static enum jl_status define(json_t *variables, const char *name, json_t *value,
                             struct jl_error *err) {
    int failed = json_object_get(variables, name) ? 0 : json_object_set(variables, name, value);
    if (failed) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a template's variables");
    return JL_OK;
}

enum jl_status open_template_variables(const struct model_template *tmpl, json_t *variables,
                                       struct jl_error *err) {
    const char *name;
    json_t *token;
    if (tmpl->from_file) return JL_OK;
    json_object_foreach(tmpl->tokens, name, token) { JL_TRY(define(variables, name, token, err)); }
    JL_TRY(define(variables, "tools", json_null(), err)); // null and false are never counted
    JL_TRY(define(variables, "documents", json_null(), err));
    return define(variables, "add_generation_prompt", json_false(), err);
}
