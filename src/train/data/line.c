#include "train/data/line.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "text/utf8.h"

#define SHOWN_KEY 40 // bytes of a stranger's key in a message

bool data_line_is_blank(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", bytes[i]) || bytes[i] == '\0') return false;
    return true;
}

static bool is_one_of(const char *text, const char *const *list) {
    while (*list && strcmp(text, *list) != 0)
        list++;
    return *list != NULL;
}

/* All keys of `object` are in the list, which ends with NULL. `what` names it. */
static enum jl_status check_keys(json_t *object, const char *const *known, const char *what,
                                 struct jl_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (!is_one_of(key, known))
            return jl_fail(err, JL_ERR_FORMAT,
                           "%s has an unknown key \"%.*s\": rename or remove it", what, SHOWN_KEY,
                           key);
    }
    return JL_OK;
}

/* Tables that were written as JSON have null where a row lacks a column: that is no value, and must
 * not be one to a template. */
static void drop_nulls(json_t *object, const char *const *optional) {
    for (; *optional; optional++)
        if (json_is_null(json_object_get(object, *optional))) json_object_del(object, *optional);
}

static bool is_text(const json_t *value) {
    return json_is_string(value) && json_string_length(value) > 0;
}

/* ---- messages ---- */

static enum jl_status check_call(json_t *call, size_t m, size_t c, struct jl_error *err) {
    static const char *const keys[] = {"id", "type", "function", "index", NULL};
    static const char *const function_keys[] = {"name", "arguments", NULL};
    char what[80];
    snprintf(what, sizeof what, "message %zu, tool call %zu", m + 1, c + 1);
    if (!json_is_object(call)) return jl_fail(err, JL_ERR_FORMAT, "%s must be an object", what);
    JL_TRY(check_keys(call, keys, what, err));
    json_t *function = json_object_get(call, "function");
    if (!json_is_object(function))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s needs \"function\": an object with \"name\" and \"arguments\"", what);
    JL_TRY(check_keys(function, function_keys, what, err));
    if (!is_text(json_object_get(function, "name")))
        return jl_fail(err, JL_ERR_FORMAT, "%s needs the \"name\" of a function", what);
    json_t *arguments = json_object_get(function, "arguments");
    if (!json_is_object(arguments) && !json_is_string(arguments))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s needs \"arguments\": an object, or a string that holds one", what);
    return JL_OK;
}

static enum jl_status check_calls(const json_t *calls, size_t m, struct jl_error *err) {
    size_t i;
    json_t *call;
    if (!json_is_array(calls) || json_array_size(calls) == 0)
        return jl_fail(err, JL_ERR_FORMAT,
                       "message %zu: \"tool_calls\" must be a list of calls: leave it out where "
                       "there are none",
                       m + 1);
    json_array_foreach(calls, i, call) { JL_TRY(check_call(call, m, i, err)); }
    return JL_OK;
}

static enum jl_status check_assistant(json_t *message, size_t m, struct jl_error *err) {
    static const char *const keys[] = {"role",       "content", "name", "reasoning_content",
                                       "tool_calls", "weight",  NULL};
    char what[32];
    snprintf(what, sizeof what, "message %zu", m + 1);
    JL_TRY(check_keys(message, keys, what, err));
    const json_t *content = json_object_get(message, "content");
    const json_t *calls = json_object_get(message, "tool_calls");
    const json_t *reasoning = json_object_get(message, "reasoning_content");
    const json_t *weight = json_object_get(message, "weight");
    if (calls) JL_TRY(check_calls(calls, m, err));
    if (reasoning && !json_is_string(reasoning))
        return jl_fail(err, JL_ERR_FORMAT, "%s: \"reasoning_content\" must be a string", what);
    if (content && !json_is_null(content) && !json_is_string(content))
        return jl_fail(err, JL_ERR_FORMAT, "%s: \"content\" must be a string", what);
    if (!calls && !is_text(content))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: an assistant's \"content\" is empty and it calls no tool: there is "
                       "nothing to learn, remove it",
                       what);
    if (weight && !(json_is_integer(weight) &&
                    (json_integer_value(weight) == 0 || json_integer_value(weight) == 1)))
        return jl_fail(err, JL_ERR_FORMAT, "%s: \"weight\" must be 0 or 1", what);
    return JL_OK;
}

static enum jl_status check_other(json_t *message, const char *role, size_t m,
                                  struct jl_error *err) {
    static const char *const keys[] = {"role", "content", "name", NULL};
    static const char *const tool_keys[] = {"role", "content", "name", "tool_call_id", NULL};
    char what[32];
    bool tool = !strcmp(role, "tool");
    snprintf(what, sizeof what, "message %zu", m + 1);
    JL_TRY(check_keys(message, tool ? tool_keys : keys, what, err));
    const json_t *content = json_object_get(message, "content");
    if (!json_is_string(content))
        return jl_fail(err, JL_ERR_FORMAT, "%s needs \"content\": a string", what);
    if (!tool && !is_text(content))
        return jl_fail(err, JL_ERR_FORMAT, "%s: the \"content\" is empty: remove the message",
                       what);
    return JL_OK;
}

static enum jl_status check_message(json_t *message, size_t m, struct jl_error *err) {
    static const char *const optional[] = {"name",   "reasoning_content", "tool_calls",
                                           "weight", "tool_call_id",      NULL};
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", NULL};
    if (!json_is_object(message))
        return jl_fail(err, JL_ERR_FORMAT, "message %zu must be an object", m + 1);
    const json_t *role = json_object_get(message, "role");
    if (!json_is_string(role) || !is_one_of(json_string_value(role), roles))
        return jl_fail(err, JL_ERR_FORMAT,
                       "message %zu: \"role\" must be system, developer, user, assistant or tool",
                       m + 1);
    drop_nulls(message, optional);
    const json_t *name = json_object_get(message, "name");
    const json_t *id = json_object_get(message, "tool_call_id");
    if ((name && !json_is_string(name)) || (id && !json_is_string(id)))
        return jl_fail(err, JL_ERR_FORMAT,
                       "message %zu: \"name\" and \"tool_call_id\" must be strings", m + 1);
    if (!strcmp(json_string_value(role), "assistant")) return check_assistant(message, m, err);
    return check_other(message, json_string_value(role), m, err);
}

bool data_line_learns(const json_t *message) {
    const char *role = json_string_value(json_object_get(message, "role"));
    const json_t *weight = json_object_get(message, "weight");
    return role && !strcmp(role, "assistant") && !(weight && json_integer_value(weight) == 0);
}

enum jl_status data_line_check_chat(json_t *messages, json_t *tools, struct jl_error *err) {
    size_t i;
    json_t *item;
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return jl_fail(err, JL_ERR_FORMAT, "\"messages\" must be a list of messages");
    json_array_foreach(messages, i, item) { JL_TRY(check_message(item, i, err)); }
    if (!tools) return JL_OK;
    if (!json_is_array(tools) || json_array_size(tools) == 0)
        return jl_fail(err, JL_ERR_FORMAT,
                       "\"tools\" must be a list of tools: leave it out where there are none");
    json_array_foreach(tools, i, item) {
        if (!json_is_object(item))
            return jl_fail(err, JL_ERR_FORMAT, "tool %zu must be an object", i + 1);
    }
    return JL_OK;
}

static enum jl_status read_chat(struct data_line *line, struct jl_error *err) {
    static const char *const keys[] = {"messages", "tools", NULL};
    size_t i, n_learn = 0;
    json_t *item;
    JL_TRY(check_keys(line->root, keys, "a line with \"messages\"", err));
    drop_nulls(line->root, keys + 1);
    line->form = DATA_LINE_CHAT;
    line->messages = json_object_get(line->root, "messages");
    line->tools = json_object_get(line->root, "tools");
    JL_TRY(data_line_check_chat(line->messages, line->tools, err));
    json_array_foreach(line->messages, i, item) { n_learn += data_line_learns(item); }
    if (n_learn > 0) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "no message of an assistant is in the loss: there is nothing to learn, "
                   "remove the line");
}

/* ---- all ---- */

static enum jl_status read_text(struct data_line *line, struct jl_error *err) {
    static const char *const keys[] = {"text", NULL};
    const json_t *text = json_object_get(line->root, "text");
    JL_TRY(check_keys(line->root, keys, "a line with \"text\"", err));
    if (!is_text(text))
        return jl_fail(err, JL_ERR_FORMAT,
                       json_is_string(text) ? "\"text\" is empty: remove the line"
                                            : "\"text\" must be a string");
    line->form = DATA_LINE_TEXT;
    line->text = json_string_value(text);
    line->len = json_string_length(text);
    return JL_OK;
}

static enum jl_status read_form(struct data_line *line, struct jl_error *err) {
    if (!json_is_object(line->root))
        return jl_fail(err, JL_ERR_FORMAT,
                       "a line must be an object with \"text\" or \"messages\"");
    bool text = json_object_get(line->root, "text"), chat = json_object_get(line->root, "messages");
    if (text && chat)
        return jl_fail(err, JL_ERR_FORMAT,
                       "it has both \"text\" and \"messages\": a line is one of the two");
    if (text) return read_text(line, err);
    if (chat) return read_chat(line, err);
    return jl_fail(err, JL_ERR_FORMAT, "it has neither \"text\" nor \"messages\"");
}

enum jl_status data_line_json(const char *bytes, size_t n, json_t **root, struct jl_error *err) {
    json_error_t where;
    size_t good = utf8_valid_length(bytes, n);
    if (n >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3))
        return jl_fail(err, JL_ERR_FORMAT,
                       "it begins with a byte order mark: save the file as UTF-8 without one");
    if (good < n)
        return jl_fail(err, JL_ERR_FORMAT, "byte %zu is no UTF-8: convert the file to UTF-8",
                       good + 1);
    enum jl_status status =
        jl_json_load(bytes, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, root, &where);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for its JSON");
    if (status != JL_OK)
        return jl_fail(err, JL_ERR_FORMAT,
                       "it is no JSON: %s (column %d): a line must be one whole object", where.text,
                       where.column);
    return JL_OK;
}

enum jl_status data_line_parse(const char *bytes, size_t n, struct data_line *out,
                               struct jl_error *err) {
    *out = (struct data_line){0};
    if (data_line_is_blank(bytes, n)) return JL_OK;
    JL_TRY(data_line_json(bytes, n, &out->root, err));
    enum jl_status status = read_form(out, err);
    if (status != JL_OK) data_line_free(out);
    return status;
}

void data_line_free(struct data_line *line) {
    json_decref(line->root);
    *line = (struct data_line){0};
}
