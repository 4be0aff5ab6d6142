#include "serve/openai/messages.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "text/buffer.h"

enum {
    MOST_MESSAGES = 1 << 16,
    MOST_TOOLS = 1024,
    MOST_NAME = 128,
    MOST_LOOKED_AT = 1 << 24 // calls, for the names of answers that have none
};

struct reading {
    size_t number; // of the message
    json_t *out;   // messages so far
    int looked_at;
    struct openai_problem *problem;
};

static bool refuse(struct reading *r, const char *what) {
    char param[48];
    snprintf(param, sizeof param, "messages[%zu]", r->number);
    return openai_refuse(r->problem, param, "messages[%zu]: %s", r->number, what);
}

static bool put(struct reading *r, json_t *message, const char *key, json_t *value) {
    return !json_object_set_new(message, key, value) || openai_no_memory(r->problem);
}

/* ---- contents ---- */

static bool is_part(const json_t *part, const char *kind) {
    const char *type = json_string_value(json_object_get(part, "type"));
    return type && !strcmp(type, kind);
}

/* Texts of a list, on lines of their own. */
static bool join_parts(struct reading *r, const json_t *parts, struct byte_buffer *text) {
    size_t i;
    json_t *part;
    json_array_foreach(parts, i, part) {
        const char *plain = json_string_value(part);
        if (i && text->len && text->data[text->len - 1] != '\n' && !buffer_append(text, "\n", 1))
            return openai_no_memory(r->problem);
        if (plain && !buffer_append(text, plain, json_string_length(part)))
            return openai_no_memory(r->problem);
        if (plain) continue;
        const json_t *words = json_object_get(part, is_part(part, "refusal") ? "refusal" : "text");
        if (!is_part(part, "text") && !is_part(part, "input_text") &&
            !is_part(part, "output_text") && !is_part(part, "refusal"))
            return refuse(r, "a content part must be of type text: this model reads nothing else");
        if (!json_is_string(words)) return refuse(r, "a content part of type text needs \"text\"");
        if (!buffer_append(text, json_string_value(words), json_string_length(words)))
            return openai_no_memory(r->problem);
    }
    return true;
}

/* *out: a string, or NULL where there is none. */
static bool read_content(struct reading *r, const json_t *content, json_t **out) {
    struct byte_buffer text = {0};
    *out = NULL;
    if (!content || json_is_null(content)) return true;
    if (json_is_string(content)) {
        *out = json_incref((json_t *)content);
        return true;
    }
    if (!json_is_array(content)) return refuse(r, "\"content\" must be a text or a list of parts");
    bool ok = join_parts(r, content, &text);
    if (ok) *out = json_stringn(text.data ? text.data : "", text.len);
    if (ok && !*out) ok = openai_no_memory(r->problem);
    buffer_free(&text);
    return ok;
}

/* ---- assistants ---- */

/* Thoughts under any of the names that clients send them by. */
static bool read_thought(struct reading *r, const json_t *message, json_t *out) {
    const json_t *thought = json_object_get(message, "reasoning_content");
    const json_t *details = json_object_get(message, "reasoning_details");
    struct byte_buffer text = {0};
    size_t i;
    json_t *detail;
    if (!json_is_string(thought)) thought = json_object_get(message, "reasoning");
    if (json_is_string(thought))
        return !json_string_length(thought) ||
               put(r, out, "reasoning_content", json_incref((json_t *)thought));
    json_array_foreach(details, i, detail) {
        const json_t *words = json_object_get(detail, "text");
        if (json_is_string(words) &&
            !buffer_append(&text, json_string_value(words), json_string_length(words))) {
            buffer_free(&text);
            return openai_no_memory(r->problem);
        }
    }
    bool ok = !text.len || put(r, out, "reasoning_content", json_stringn(text.data, text.len));
    buffer_free(&text);
    return ok;
}

/* *out: the JSON of a text; NULL: it is none. False: out of memory. */
static bool load_arguments(struct reading *r, const json_t *arguments, json_t **out) {
    const char *text = json_string_value(arguments);
    size_t len = json_string_length(arguments);
    *out = NULL;
    if (strspn(text, " \t\r\n") == len) // no arguments at all, as some clients write it
        return (*out = json_object()) || openai_no_memory(r->problem);
    return jl_json_load(text, len, 0, out, NULL) != JL_ERR_MEMORY || openai_no_memory(r->problem);
}

static bool read_arguments(struct reading *r, const json_t *arguments, json_t **out) {
    json_t *held = NULL, *inner = NULL;
    *out = NULL;
    if (json_is_object(arguments)) {
        *out = json_incref((json_t *)arguments);
        return true;
    }
    if (!json_is_string(arguments)) return refuse(r, "a call needs \"arguments\": a text of JSON");
    if (!load_arguments(r, arguments, &held)) return false;
    if (json_is_string(held) && !load_arguments(r, held, &inner)) { // the text of a text
        json_decref(held);
        return false;
    }
    json_t *object = json_is_object(inner) ? inner : held;
    // A call that was cut short, or is no object, comes back in what was said: it is shown as it
    // is.
    *out =
        json_is_object(object) ? json_incref(object) : json_pack("{s:O}", "arguments", arguments);
    json_decref(held);
    json_decref(inner);
    return *out || openai_no_memory(r->problem);
}

static bool read_call(struct reading *r, const json_t *call, json_t *calls) {
    const json_t *function = json_object_get(call, "function"), *id = json_object_get(call, "id");
    const json_t *name = json_object_get(function, "name");
    json_t *arguments;
    if (!json_is_string(name) || !json_string_length(name))
        return refuse(r, "a call needs \"function\": an object with \"name\" and \"arguments\"");
    if (!read_arguments(r, json_object_get(function, "arguments"), &arguments)) return false;
    json_t *copy = json_pack("{s:s, s:{s:O, s:o}}", "type", "function", "function", "name", name,
                             "arguments", arguments);
    bool ok = copy && (!json_is_string(id) || !json_object_set(copy, "id", (json_t *)id)) &&
              !json_array_append(calls, copy);
    json_decref(copy);
    return ok || openai_no_memory(r->problem);
}

static bool read_calls(struct reading *r, const json_t *message, json_t *out) {
    const json_t *calls = json_object_get(message, "tool_calls");
    size_t i;
    json_t *call, *list;
    if (!calls || json_is_null(calls) || (json_is_array(calls) && !json_array_size(calls)))
        return true;
    if (!json_is_array(calls)) return refuse(r, "\"tool_calls\" must be a list");
    list = json_array();
    bool ok = list || openai_no_memory(r->problem);
    json_array_foreach(calls, i, call) { ok = ok && read_call(r, call, list); }
    if (!ok) {
        json_decref(list);
        return false;
    }
    return put(r, out, "tool_calls", list);
}

static bool read_assistant(struct reading *r, const json_t *message, json_t *out) {
    json_t *content;
    if (!read_content(r, json_object_get(message, "content"), &content)) return false;
    if (!put(r, out, "content", content ? content : json_string(""))) return false;
    return read_thought(r, message, out) && read_calls(r, message, out);
}

/* ---- tools ---- */

/* The name of the call with this id, in the messages so far. */
static const json_t *name_of_call(struct reading *r, const json_t *id) {
    for (size_t m = json_array_size(r->out); m-- > 0;) {
        size_t i;
        json_t *call;
        json_array_foreach(json_object_get(json_array_get(r->out, m), "tool_calls"), i, call) {
            if (++r->looked_at > MOST_LOOKED_AT) return NULL;
            if (json_equal(json_object_get(call, "id"), id))
                return json_object_get(json_object_get(call, "function"), "name");
        }
    }
    return NULL;
}

static bool read_tool(struct reading *r, const json_t *message, json_t *out) {
    const json_t *id = json_object_get(message, "tool_call_id");
    const json_t *name = json_object_get(message, "name");
    json_t *content;
    if (!read_content(r, json_object_get(message, "content"), &content)) return false;
    if (!put(r, out, "content", content ? content : json_string(""))) return false;
    if (json_is_string(id) && !json_is_string(name)) name = name_of_call(r, id);
    if (r->looked_at > MOST_LOOKED_AT)
        return refuse(r, "there are too many calls to find the one that is answered here");
    if (json_is_string(id) && !put(r, out, "tool_call_id", json_incref((json_t *)id))) return false;
    return !json_is_string(name) || put(r, out, "name", json_incref((json_t *)name));
}

/* ---- all ---- */

static bool read_plain(struct reading *r, const json_t *message, json_t *out) {
    const json_t *name = json_object_get(message, "name");
    json_t *content;
    if (!read_content(r, json_object_get(message, "content"), &content)) return false;
    if (!content && !json_object_get(message, "content")) return refuse(r, "it needs \"content\"");
    if (!put(r, out, "content", content ? content : json_string(""))) return false;
    return !json_is_string(name) || put(r, out, "name", json_incref((json_t *)name));
}

static bool read_message(struct reading *r, const json_t *message) {
    static const struct {
        const char *role, *becomes;
        bool (*read)(struct reading *r, const json_t *message, json_t *out);
    } roles[] = {{"system", "system", read_plain},
                 {"developer", "system", read_plain},
                 {"user", "user", read_plain},
                 {"tool", "tool", read_tool},
                 {"assistant", "assistant", read_assistant},
                 {"function", "tool", read_tool}};
    const char *role = json_string_value(json_object_get(message, "role"));
    for (size_t i = 0; role && i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(roles[i].role, role) != 0) continue;
        json_t *out = json_pack("{s:s}", "role", roles[i].becomes);
        if (!out) return openai_no_memory(r->problem);
        bool ok = roles[i].read(r, message, out);
        if (ok && json_array_append(r->out, out)) ok = openai_no_memory(r->problem);
        json_decref(out);
        return ok;
    }
    return refuse(r, "\"role\" must be system, developer, user, assistant or tool");
}

bool openai_messages(const json_t *messages, json_t **out, struct openai_problem *problem) {
    struct reading r = {.problem = problem};
    json_t *message;
    *out = NULL;
    if (!json_is_array(messages) || !json_array_size(messages))
        return openai_refuse(problem, "messages", "\"messages\" must be a list of messages");
    if (json_array_size(messages) > MOST_MESSAGES)
        return openai_refuse(problem, "messages", "%zu messages are too many: at most %d",
                             json_array_size(messages), MOST_MESSAGES);
    r.out = json_array();
    bool ok = r.out || openai_no_memory(problem);
    json_array_foreach(messages, r.number, message) { ok = ok && read_message(&r, message); }
    if (ok)
        *out = r.out;
    else
        json_decref(r.out);
    return ok;
}

static bool read_offer(const json_t *tool, size_t i, json_t *list, struct openai_problem *problem) {
    const json_t *function = json_object_get(tool, "function");
    const json_t *name = json_object_get(function, "name"),
                 *parameters = json_object_get(function, "parameters");
    char param[48];
    snprintf(param, sizeof param, "tools[%zu]", i);
    if (json_is_string(json_object_get(tool, "type")) && !is_part(tool, "function"))
        return true; // a tool that its own server would run: nobody runs it here
    if (!is_part(tool, "function") || !json_is_object(function))
        return openai_refuse(problem, param,
                             "%s must be {\"type\": \"function\", \"function\": {...}}", param);
    if (!json_is_string(name) || !json_string_length(name) || json_string_length(name) > MOST_NAME)
        return openai_refuse(problem, param, "%s needs a \"name\" of 1 to %d bytes", param,
                             MOST_NAME);
    bool any = json_is_null(parameters) || json_is_true(parameters);
    if (parameters && !any && !json_is_object(parameters))
        return openai_refuse(problem, param, "%s: \"parameters\" must be a JSON schema", param);
    json_t *copy = json_copy((json_t *)function), *offer = NULL;
    if (copy && any) json_object_del(copy, "parameters");
    if (copy) offer = json_pack("{s:s, s:o}", "type", "function", "function", copy);
    return (offer && !json_array_append_new(list, offer)) || openai_no_memory(problem);
}

bool openai_tools(const json_t *tools, json_t **out, struct openai_problem *problem) {
    size_t i;
    json_t *tool;
    *out = NULL;
    if (!tools || json_is_null(tools) || (json_is_array(tools) && !json_array_size(tools)))
        return true;
    if (!json_is_array(tools)) return openai_refuse(problem, "tools", "\"tools\" must be a list");
    if (json_array_size(tools) > MOST_TOOLS)
        return openai_refuse(problem, "tools", "%zu tools are too many: at most %d",
                             json_array_size(tools), MOST_TOOLS);
    json_t *list = json_array();
    bool ok = list || openai_no_memory(problem);
    json_array_foreach(tools, i, tool) { ok = ok && read_offer(tool, i, list, problem); }
    if (ok && json_array_size(list))
        *out = list;
    else
        json_decref(list);
    return ok;
}
