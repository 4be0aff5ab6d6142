#include "cli/chat/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "text/json_print.h"

#define FORMAT "jinlin-conversation"
#define VERSION 1
#define FILE_LIMIT ((size_t)256 << 20)
#define MAX_MESSAGES ((size_t)1 << 20)

/* ---- writing ---- */

static json_t *document(const struct conversation *conversation, const char *model) {
    json_t *messages = json_copy(conversation->messages);
    if (messages && conversation->system &&
        json_array_insert_new(
            messages, 0,
            json_pack("{s:s, s:O}", "role", "system", "content", conversation->system))) {
        json_decref(messages);
        return NULL;
    }
    // A path need not be UTF-8; then the name is left out.
    return json_pack("{s:s, s:i, s:o*, s:o}", "format", FORMAT, "version", VERSION, "model",
                     json_string(model), "messages", messages);
}

enum jl_status saved_write(const char *path, const struct conversation *conversation,
                           const char *model, bool overwrite, struct jl_error *err) {
    struct file_writer writer;
    if (!overwrite && file_exists(path))
        return jl_fail(err, JL_ERR_USAGE, "%s is there already: /save! %s overwrites it", path,
                       path);
    const struct json_print_options pretty = {.indent = 2};
    struct byte_buffer text = {0};
    json_t *root = document(conversation, model);
    enum jl_status status = root ? json_print_value(root, &pretty, &text, err)
                                 : jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    json_decref(root);
    if (status == JL_OK) status = file_writer_open(path, &writer, err);
    if (status == JL_OK && (fwrite(text.data, 1, text.len, writer.stream) != text.len ||
                            fputc('\n', writer.stream) == EOF)) {
        status = jl_fail(err, JL_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
        file_writer_abort(&writer);
    }
    buffer_free(&text);
    return status == JL_OK ? file_writer_commit(&writer, err) : status;
}

/* ---- reading ---- */

static enum jl_status bad(const char *path, size_t message, const char *what, const char *key,
                          struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s: message %zu: %s '%.60s'", path, message, what, key);
}

static enum jl_status check_calls(const char *path, size_t at, const json_t *calls,
                                  struct jl_error *err) {
    size_t i;
    json_t *call;
    if (!json_is_array(calls)) return bad(path, at, "not a list:", "tool_calls", err);
    json_array_foreach(calls, i, call) {
        const json_t *function = json_object_get(call, "function");
        if (!json_is_string(json_object_get(function, "name")) ||
            !json_is_object(json_object_get(function, "arguments")))
            return bad(path, at, "a call needs function.name and an object in", "arguments", err);
    }
    return JL_OK;
}

/* A message with the keys of conversation.h; *system: its content, if that is its role. */
static enum jl_status read_message(const char *path, size_t at, json_t *from, json_t **out,
                                   bool *is_system, struct jl_error *err) {
    const char *role = json_string_value(json_object_get(from, "role")), *key;
    json_t *value;
    if (!role) return bad(path, at, "there is no text in", "role", err);
    *is_system = !strcmp(role, "system");
    bool assistant = !strcmp(role, "assistant");
    if (!*is_system && !assistant && strcmp(role, "user") != 0)
        return bad(path, at, "roles are system, user and assistant, not", role, err);
    if (!json_is_string(json_object_get(from, "content")))
        return bad(path, at, "there is no text in", "content", err);
    *out = json_object();
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    json_object_foreach(from, key, value) {
        bool reasoning = !strcmp(key, "reasoning") || !strcmp(key, "reasoning_content");
        bool calls = !strcmp(key, "tool_calls");
        bool known =
            !strcmp(key, "role") || !strcmp(key, "content") || (assistant && (reasoning || calls));
        if (!known) return bad(path, at, "this key has no meaning here:", key, err);
        if (reasoning && !json_is_string(value)) return bad(path, at, "no text in", key, err);
        if (calls) JL_TRY(check_calls(path, at, value, err));
        if (json_object_set(*out, reasoning ? "reasoning" : key, value))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    }
    return JL_OK;
}

static enum jl_status read_messages(const char *path, const json_t *list, struct conversation *out,
                                    struct jl_error *err) {
    size_t i;
    json_t *from;
    if (!json_is_array(list) || json_array_size(list) > MAX_MESSAGES)
        return jl_fail(err, JL_ERR_FORMAT, "%s: there is no list of messages in it", path);
    json_array_foreach(list, i, from) {
        json_t *message = NULL;
        bool is_system = false;
        enum jl_status status = read_message(path, i, from, &message, &is_system, err);
        if (status == JL_OK && is_system && i > 0)
            status = bad(path, i, "only the first message may be", "system", err);
        if (status == JL_OK && !is_system) {
            JL_TRY(conversation_add(out, message, err));
            continue;
        }
        if (status == JL_OK) out->system = json_incref(json_object_get(message, "content"));
        json_decref(message);
        if (status != JL_OK) return status;
    }
    return JL_OK;
}

static enum jl_status find_list(const char *path, const json_t *root, const json_t **list,
                                struct jl_error *err) {
    const char *key;
    json_t *value;
    *list = root;
    if (!json_is_object(root)) return JL_OK;
    *list = json_object_get(root, "messages");
    json_object_foreach((json_t *)root, key, value) {
        const char *text = json_string_value(value);
        bool fine = !strcmp(key, "messages") || (!strcmp(key, "model") && text) ||
                    (!strcmp(key, "format") && text && !strcmp(text, FORMAT)) ||
                    (!strcmp(key, "version") && json_integer_value(value) == VERSION);
        if (!fine)
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%.60s' is not what a saved conversation has",
                           path, key);
    }
    return JL_OK;
}

enum jl_status saved_parse(const char *path, const char *text, size_t size,
                           struct conversation *out, struct jl_error *err) {
    json_error_t where;
    const json_t *list;
    struct conversation read = {0};
    json_t *root;
    enum jl_status status =
        jl_json_load(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &root, &where);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for %s", path);
    if (status != JL_OK)
        return jl_fail(err, status, "%s: line %d: %s", path, where.line, where.text);
    status = conversation_init(&read, err);
    if (status == JL_OK) status = find_list(path, root, &list, err);
    if (status == JL_OK) status = read_messages(path, list, &read, err);
    json_decref(root);
    if (status == JL_OK) {
        conversation_free(out);
        *out = read;
    } else {
        conversation_free(&read);
    }
    return status;
}

enum jl_status saved_read(const char *path, struct conversation *out, struct jl_error *err) {
    char *text;
    size_t size;
    JL_TRY(file_read(path, FILE_LIMIT, &text, &size, err));
    enum jl_status status = saved_parse(path, text, size, out, err);
    free(text);
    return status;
}
