/* Fields of chats: the conversation, the form of the answer, thoughts. */
#include <string.h>

#include "serve/openai/messages.h"
#include "serve/openai/request_self.h"
#include "text/buffer.h"

bool request_read_messages(struct reading *r, const json_t *value) {
    const json_t *last = json_array_get(value, json_array_size(value) - 1);
    if (json_is_true(json_object_get(last, "prefix"))) r->out->continue_final = true;
    return openai_messages(value, &r->out->messages, r->problem);
}

bool request_read_tools(struct reading *r, const json_t *value) {
    return openai_tools(value, &r->out->tools, r->problem);
}

bool request_read_tool_choice(struct reading *r, const json_t *value) {
    static const char *const names[] = {"auto", "none", "required"};
    const char *text = json_string_value(value);
    if (!text && !json_object_get(value, "function"))
        text = json_string_value(json_object_get(value, "type"));
    for (int i = 0; text && i < 3; i++)
        if (!strcmp(text, names[i])) {
            r->out->tool_choice = (enum openai_tool_choice)i;
            return true;
        }
    const json_t *name = json_object_get(json_object_get(value, "function"), "name");
    if (!json_is_string(name))
        return request_wants(
            r, "auto, none, required, or {\"type\": \"function\", \"function\": {\"name\": ...}}");
    r->out->tool_choice = OPENAI_TOOLS_NAMED;
    r->out->tool_name = json_string_value(name);
    return true;
}

static bool set_format(struct reading *r, enum openai_format format, const json_t *schema,
                       const char *grammar) {
    if (r->out->format != OPENAI_TEXT)
        return request_wants(r, "left out beside another form of the answer");
    r->out->format = format;
    r->out->schema = schema;
    r->out->grammar = grammar;
    return true;
}

static bool set_schema(struct reading *r, const json_t *schema) {
    if (json_is_object(schema) || json_is_boolean(schema))
        return set_format(r, OPENAI_JSON_SCHEMA, schema, NULL);
    return request_wants(r, "a JSON schema, or an object with one as \"schema\"");
}

/* One of these texts: an enum by another name. */
static bool set_choice(struct reading *r, const json_t *choices) {
    const json_t *choice;
    struct byte_buffer pattern = {0};
    size_t i;
    bool fits = json_is_array(choices) && json_array_size(choices);
    json_array_foreach(choices, i, choice) {
        const char *text = json_string_value(choice);
        fits = fits && text && buffer_append(&pattern, "|", i != 0);
        for (; fits && *text;
             text++) // whatever stands for something in a pattern stands for itself
            fits = (!strchr("\\^$.|?*+()[]{}/-", *text) || buffer_append(&pattern, "\\", 1)) &&
                   buffer_append(&pattern, text, 1);
    }
    const char *kept = fits ? arena_strndup(&r->out->arena, pattern.data, pattern.len) : NULL;
    buffer_free(&pattern);
    if (!fits) return request_wants(r, "a list of texts");
    return kept ? set_format(r, OPENAI_REGEX, NULL, kept) : openai_no_memory(r->problem);
}

static bool set_text(struct reading *r, enum openai_format format, const json_t *value) {
    if (!json_is_string(value)) return request_wants(r, "a text");
    return set_format(r, format, NULL, json_string_value(value));
}

bool request_read_format(struct reading *r, const json_t *value) {
    const char *type = json_string_value(json_object_get(value, "type"));
    const json_t *schema = json_object_get(value, "schema");
    if (!type) return request_wants(r, "an object with a \"type\"");
    if (!strcmp(type, "text")) return true;
    if (!strcmp(type, "json_object") && !schema)
        return set_format(r, OPENAI_JSON_OBJECT, NULL, NULL);
    if (!strcmp(type, "json_object")) return set_schema(r, schema);
    if (!strcmp(type, "json_schema"))
        return set_schema(r, json_object_get(json_object_get(value, "json_schema"), "schema"));
    return request_wants(r, "of type text, json_object or json_schema");
}

bool request_read_schema(struct reading *r, const json_t *value) {
    const json_t *inner = json_object_get(value, "schema");
    return set_schema(r, inner ? inner : value);
}

bool request_read_choice(struct reading *r, const json_t *value) { return set_choice(r, value); }

bool request_read_regex(struct reading *r, const json_t *value) {
    return set_text(r, OPENAI_REGEX, value);
}

bool request_read_grammar(struct reading *r, const json_t *value) {
    return set_text(r, OPENAI_GRAMMAR, value);
}

/* {"json", "regex", "choice", "grammar"}: one of them. */
bool request_read_structured(struct reading *r, const json_t *value) {
    const json_t *one;
    if (!json_is_object(value)) return request_wants(r, "an object");
    if ((one = json_object_get(value, "json"))) return set_schema(r, one);
    if ((one = json_object_get(value, "regex"))) return request_read_regex(r, one);
    if ((one = json_object_get(value, "choice"))) return set_choice(r, one);
    if ((one = json_object_get(value, "grammar"))) return request_read_grammar(r, one);
    if (json_is_true(json_object_get(value, "json_object")))
        return set_format(r, OPENAI_JSON_OBJECT, NULL, NULL);
    return request_wants(r, "an object with \"json\", \"regex\", \"choice\" or \"grammar\"");
}

/* How much a model thinks, as tokens; "none" and "minimal" are no thought and little. */
bool request_read_effort(struct reading *r, const json_t *value) {
    static const struct {
        const char *name;
        int thinking, budget;
    } efforts[] = {{"none", 0, -1}, {"minimal", 1, 128}, {"low", 1, 1024}, {"medium", 1, 8192},
                   {"high", 1, -1}, {"xhigh", 1, -1},    {"max", 1, -1}};
    const char *text = json_string_value(value);
    if (text && (!*text || !strcmp(text, "default") || !strcmp(text, "auto"))) return true;
    for (size_t i = 0; text && i < sizeof efforts / sizeof efforts[0]; i++) {
        if (strcmp(text, efforts[i].name) != 0) continue;
        r->out->thinking = efforts[i].thinking;
        if (r->out->thinking_budget < 0) r->out->thinking_budget = efforts[i].budget;
        return true;
    }
    return request_wants(r, "none, minimal, low, medium or high");
}

bool request_read_budget(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (!request_read_whole(r, value, -1, INT32_MAX, &n)) return false;
    r->out->thinking_budget = (int)n;
    return true;
}

/* A switch, or Anthropic's object, which clients send here, too. */
bool request_read_thinking(struct reading *r, const json_t *value) {
    const char *type = json_string_value(json_object_get(value, "type"));
    const json_t *budget = json_object_get(value, "budget_tokens");
    bool on = false;
    if (type) {
        if (!strcmp(type, "auto") || !strcmp(type, "adaptive")) return true; // as the model does
        on = !strcmp(type, "enabled");
        if (!on && strcmp(type, "disabled") != 0) return request_wants(r, "enabled or disabled");
        if (on && budget && !request_read_budget(r, budget)) return false;
    } else if (!request_read_bool(r, value, &on)) {
        return false;
    }
    r->out->thinking = on;
    return true;
}

/* Without it the last message, if it is the assistant's, goes on. */
bool request_read_generation_prompt(struct reading *r, const json_t *value) {
    bool wanted = true;
    if (!request_read_bool(r, value, &wanted)) return false;
    const json_t *messages = json_object_get(r->out->root, "messages");
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *role = json_string_value(json_object_get(last, "role"));
    if (!wanted && role && !strcmp(role, "assistant")) r->out->continue_final = true;
    return true;
}

bool request_read_kwargs(struct reading *r, const json_t *value) {
    if (!json_is_object(value)) return request_wants(r, "an object");
    r->out->template_kwargs = value;
    return true;
}
