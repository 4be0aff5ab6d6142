#include "text/bpe_train/json_line.h"

#include <string.h>

#include "base/json.h"

struct target {
    bpe_json_line_fn *fn;
    void *ctx;
};

static enum jl_status bad(const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s", what);
}

static enum jl_status give(const struct target *target, const json_t *text, struct jl_error *err) {
    return target->fn(target->ctx, json_string_value(text), json_string_length(text), err);
}

static enum jl_status take_part(const json_t *part, const struct target *target,
                                struct jl_error *err) {
    const json_t *type = json_object_get(part, "type"), *text = json_object_get(part, "text");
    if (!json_is_string(type)) return bad("a part of a \"content\" has no \"type\"", err);
    if (strcmp(json_string_value(type), "text") != 0) return JL_OK;
    if (!json_is_string(text)) return bad("a part of type \"text\" has no string \"text\"", err);
    return give(target, text, err);
}

static enum jl_status take_message(const json_t *message, const struct target *target,
                                   struct jl_error *err) {
    const json_t *content = json_object_get(message, "content"), *part;
    size_t i;
    if (!json_is_object(message)) return bad("a message is no object", err);
    if (!content || json_is_null(content)) return JL_OK;
    if (json_is_string(content)) return give(target, content, err);
    if (!json_is_array(content)) return bad("a \"content\" is neither text nor a list", err);
    json_array_foreach(content, i, part) JL_TRY(take_part(part, target, err));
    return JL_OK;
}

static enum jl_status take_value(const json_t *value, const struct target *target,
                                 struct jl_error *err) {
    const json_t *text = json_object_get(value, "text"), *message;
    const json_t *messages = json_object_get(value, "messages");
    size_t i;
    if (!text == !messages)
        return bad("it must be an object with either a \"text\" or \"messages\"", err);
    if (text) {
        if (!json_is_string(text)) return bad("\"text\" must be a string", err);
        return give(target, text, err);
    }
    if (!json_is_array(messages)) return bad("\"messages\" must be a list", err);
    json_array_foreach(messages, i, message) JL_TRY(take_message(message, target, err));
    return JL_OK;
}

static bool is_blank(const char *line, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
    return true;
}

enum jl_status bpe_json_line(const char *line, size_t len, bpe_json_line_fn *fn, void *ctx,
                             struct jl_error *err) {
    const struct target target = {fn, ctx};
    json_t *value = NULL;
    json_error_t where;
    if (is_blank(line, len)) return JL_OK;
    enum jl_status status =
        jl_json_load(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &value, &where);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for the line");
    if (status != JL_OK) return jl_fail(err, JL_ERR_FORMAT, "%s", where.text);
    status = take_value(value, &target, err);
    json_decref(value);
    return status;
}
