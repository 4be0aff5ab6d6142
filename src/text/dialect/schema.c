#include "text/dialect/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "text/dialect/json_scan.h"
#include "text/dialect/match.h"

#define NESTING 8 // of anyOf and its like

enum jl_status schema_open(const struct dialect_tool *tools, size_t n, struct schema *out,
                           struct jl_error *err) {
    *out = (struct schema){0};
    if (n == 0) return JL_OK;
    out->tools = calloc(n, sizeof *out->tools);
    if (!out->tools) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %zu tools", n);
    for (size_t i = 0; i < n; i++) {
        struct schema_tool *tool = &out->tools[out->n++];
        if (!tools[i].name || !*tools[i].name)
            return jl_fail(err, JL_ERR_USAGE, "tool %zu has no name", i + 1);
        tool->name = strdup(tools[i].name);
        if (!tool->name) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a tool's name");
        if (!tools[i].parameters) continue;
        json_error_t where;
        enum jl_status status = jl_json_load(tools[i].parameters, strlen(tools[i].parameters), 0,
                                             &tool->parameters, &where);
        if (status == JL_ERR_MEMORY)
            return jl_fail(err, status, "out of memory for a tool's parameters");
        if (!json_is_object(tool->parameters))
            return jl_fail(err, JL_ERR_USAGE,
                           "the parameters of the tool '%.80s' must be a JSON object: %.160s",
                           tools[i].name, tool->parameters ? "it is another value" : where.text);
    }
    return JL_OK;
}

void schema_close(struct schema *schema) {
    for (size_t i = 0; i < schema->n; i++) {
        free(schema->tools[i].name);
        json_decref(schema->tools[i].parameters);
    }
    free(schema->tools);
    *schema = (struct schema){0};
}

static const struct schema_tool *find(const struct schema *schema, const char *name) {
    for (size_t i = 0; i < schema->n; i++)
        if (strcmp(schema->tools[i].name, name) == 0) return &schema->tools[i];
    return NULL;
}

bool schema_has_tool(const struct schema *schema, const char *name) {
    return find(schema, name) != NULL;
}

static unsigned of_name(const char *name) {
    static const struct {
        const char *name;
        unsigned type;
    } rows[] = {
        {"string", SCHEMA_STRING}, {"number", SCHEMA_NUMBER}, {"integer", SCHEMA_NUMBER},
        {"boolean", SCHEMA_BOOL},  {"null", SCHEMA_NULL},     {"object", SCHEMA_OBJECT},
        {"array", SCHEMA_ARRAY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].type;
    return 0;
}

static unsigned of_value(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_STRING: return SCHEMA_STRING;
    case JSON_INTEGER:
    case JSON_REAL: return SCHEMA_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE: return SCHEMA_BOOL;
    case JSON_NULL: return SCHEMA_NULL;
    case JSON_OBJECT: return SCHEMA_OBJECT;
    default: return SCHEMA_ARRAY;
    }
}

static unsigned types_of(const json_t *schema, int nesting) {
    unsigned types = 0;
    size_t i;
    json_t *item;
    if (!json_is_object(schema) || nesting == NESTING) return 0;
    const json_t *type = json_object_get(schema, "type");
    if (json_is_string(type)) types |= of_name(json_string_value(type));
    json_array_foreach((json_t *)type, i, item) {
        if (json_is_string(item)) types |= of_name(json_string_value(item));
    }
    if (types) return types;
    json_array_foreach(json_object_get(schema, "enum"), i, item) types |= of_value(item);
    if (json_object_get(schema, "const")) types |= of_value(json_object_get(schema, "const"));
    static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
    for (size_t k = 0; k < 3; k++) {
        json_array_foreach(json_object_get(schema, choices[k]), i, item) {
            unsigned more = types_of(item, nesting + 1);
            if (!more && k < 2) return 0; // one choice may be anything
            types |= more;
        }
    }
    return types;
}

unsigned schema_types(const struct schema *schema, const char *tool, const char *key) {
    const struct schema_tool *found = find(schema, tool);
    if (!found) return 0;
    const json_t *properties = json_object_get(found->parameters, "properties");
    return types_of(json_object_get(properties, key), 0);
}

static unsigned of_kind(char kind) {
    switch (kind) {
    case '0': return SCHEMA_NUMBER;
    case '{': return SCHEMA_OBJECT;
    case '[': return SCHEMA_ARRAY;
    case 't':
    case 'f': return SCHEMA_BOOL;
    case 'n': return SCHEMA_NULL;
    default: return 0; // a string in quotes stays bare text
    }
}

const char *schema_literal(unsigned types, const char *text, size_t len, size_t *literal_len) {
    static const struct {
        const char *python, *json;
        unsigned type;
    } words[] = {{"True", "true", SCHEMA_BOOL},
                 {"False", "false", SCHEMA_BOOL},
                 {"None", "null", SCHEMA_NULL}};
    unsigned allowed = types ? types : SCHEMA_NOT_STRING;
    while (len && match_is_space(text[len - 1]))
        len--;
    while (len && match_is_space(*text)) {
        text++;
        len--;
    }
    // Where strings are possible too, Python's words are more likely to be words.
    for (size_t i = 0; types && !(types & SCHEMA_STRING) && i < 3; i++) {
        if (len != strlen(words[i].python) || memcmp(text, words[i].python, len) != 0) continue;
        if (!(allowed & words[i].type)) continue;
        *literal_len = strlen(words[i].json);
        return words[i].json;
    }
    char kind;
    if (!json_scan_text(text, len, &kind) || !(allowed & of_kind(kind))) return NULL;
    *literal_len = len;
    return text;
}
