#include "grammar/json_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

bool json_schema_failed(const struct json_schema *s) { return s->b->error.status != JL_OK; }

void json_schema_no_memory(struct json_schema *s) {
    expr_fail(s->b, JL_ERR_MEMORY, "out of memory for a schema");
}

grammar_expr json_schema_fail(struct json_schema *s, enum jl_status status, const char *fmt, ...) {
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return expr_fail(s->b, status, "the schema at %.*s: %s", (int)s->path.len,
                     s->path.data ? s->path.data : "", message);
}

/* ---- the path ---- */

void json_schema_step(struct json_schema *s, const char *step) {
    bool fits = buffer_append(&s->path, "/", 1);
    for (; *step && fits; step++) {
        const char *text = *step == '~' ? "~0" : *step == '/' ? "~1" : NULL;
        fits = buffer_append(&s->path, text ? text : step, text ? 2 : 1);
    }
    if (!fits) json_schema_no_memory(s);
}

grammar_expr json_schema_compile_at(struct json_schema *s, const json_t *schema, const char *step,
                                    const char *name) {
    size_t before = s->path.len;
    json_schema_step(s, step);
    if (name) json_schema_step(s, name);
    grammar_expr made = json_schema_compile(s, schema);
    s->path.len = before;
    return made;
}

/* ---- keywords ---- */

bool json_schema_count(struct json_schema *s, const json_t *schema, const char *key,
                       uint32_t *out) {
    const json_t *value = json_object_get(schema, key);
    if (!value) return false;
    double n = json_number_value(value);
    if (!json_is_number(value) || n < 0 || n != (double)(uint64_t)(n < 1e18 ? n : 1e18)) {
        if (!json_is_number(value) || n < 1e18) {
            json_schema_fail(s, JL_ERR_FORMAT, "\"%s\" must be a natural number", key);
            return false;
        }
    }
    *out = n < (double)GRAMMAR_MAX_REPEAT + 1 ? (uint32_t)n : GRAMMAR_UNBOUNDED;
    return true;
}

static int type_bit(const char *name) {
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    for (int i = 0; i < 7; i++)
        if (name && strcmp(name, names[i]) == 0) return 1 << i;
    return 0;
}

static int implied_types(const json_t *schema) {
    static const struct {
        const char *keyword;
        int type;
    } about[] = {
        {"properties", JSON_SCHEMA_OBJECT},
        {"required", JSON_SCHEMA_OBJECT},
        {"additionalProperties", JSON_SCHEMA_OBJECT},
        {"patternProperties", JSON_SCHEMA_OBJECT},
        {"minProperties", JSON_SCHEMA_OBJECT},
        {"maxProperties", JSON_SCHEMA_OBJECT},
        {"items", JSON_SCHEMA_ARRAY},
        {"prefixItems", JSON_SCHEMA_ARRAY},
        {"minItems", JSON_SCHEMA_ARRAY},
        {"maxItems", JSON_SCHEMA_ARRAY},
        {"uniqueItems", JSON_SCHEMA_ARRAY},
        {"minLength", JSON_SCHEMA_STRING},
        {"maxLength", JSON_SCHEMA_STRING},
        {"pattern", JSON_SCHEMA_STRING},
        {"format", JSON_SCHEMA_STRING},
        {"minimum", JSON_SCHEMA_NUMBER},
        {"maximum", JSON_SCHEMA_NUMBER},
        {"exclusiveMinimum", JSON_SCHEMA_NUMBER},
        {"exclusiveMaximum", JSON_SCHEMA_NUMBER},
        {"multipleOf", JSON_SCHEMA_NUMBER},
    };
    int types = 0;
    for (size_t i = 0; i < sizeof about / sizeof *about; i++)
        if (json_object_get(schema, about[i].keyword)) types |= about[i].type;
    return types ? types : JSON_SCHEMA_ALL;
}

int json_schema_types(struct json_schema *s, const json_t *schema) {
    const json_t *type = json_object_get(schema, "type");
    if (!type) {
        bool constant = json_object_get(schema, "enum") || json_object_get(schema, "const");
        return constant ? JSON_SCHEMA_ALL : implied_types(schema);
    }
    if (json_is_string(type)) {
        int bit = type_bit(json_string_value(type));
        if (!bit) json_schema_fail(s, JL_ERR_FORMAT, "\"type\" names no type");
        return bit;
    }
    int types = 0;
    if (!json_is_array(type))
        json_schema_fail(s, JL_ERR_FORMAT, "\"type\" must be a name or a list");
    for (size_t i = 0; i < json_array_size(type); i++) {
        int bit = type_bit(json_string_value(json_array_get(type, i)));
        if (!bit) json_schema_fail(s, JL_ERR_FORMAT, "\"type\" names no type");
        types |= bit;
    }
    return types & JSON_SCHEMA_NUMBER ? types & ~JSON_SCHEMA_INTEGER : types;
}

int json_schema_type_of(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return JSON_SCHEMA_OBJECT;
    case JSON_ARRAY: return JSON_SCHEMA_ARRAY;
    case JSON_STRING: return JSON_SCHEMA_STRING;
    case JSON_INTEGER: return JSON_SCHEMA_INTEGER;
    case JSON_REAL: {
        double n = json_real_value(value);
        return n > -1e15 && n < 1e15 && n == (double)(int64_t)n ? JSON_SCHEMA_INTEGER
                                                                : JSON_SCHEMA_NUMBER;
    }
    case JSON_NULL: return JSON_SCHEMA_NULL;
    default: return JSON_SCHEMA_BOOLEAN;
    }
}

bool json_schema_has_type(int types, const json_t *value) {
    int type = json_schema_type_of(value);
    return (types & type) || (type == JSON_SCHEMA_INTEGER && (types & JSON_SCHEMA_NUMBER));
}

static void check_keywords(struct json_schema *s, const json_t *schema) {
    for (void *at = json_object_iter((json_t *)schema); at;
         at = json_object_iter_next((json_t *)schema, at)) {
        const char *key = json_object_iter_key(at);
        if (!json_schema_known(key))
            json_schema_fail(
                s, JL_ERR_UNSUPPORTED,
                "the keyword \"%.64s\" is not supported (docs/grammar.md lists those that "
                "are)",
                key);
    }
}

/* ---- rules ---- */

grammar_expr json_schema_rule(struct json_schema *s, grammar_expr expr) {
    grammar_rule rule = grammar_declare(s->b, s->path.data, s->path.len);
    grammar_define(s->b, rule, expr);
    return grammar_ref(s->b, rule);
}

/* The rule with this key, which is defined by the schema if it is new. */
static grammar_expr rule_for(struct json_schema *s, const char *key, size_t len,
                             const json_t *schema) {
    json_t *known = json_object_getn(s->rules, key, len);
    if (known) return grammar_ref(s->b, (grammar_rule)json_integer_value(known));
    grammar_rule rule = grammar_declare(s->b, s->path.data, s->path.len);
    if (json_schema_failed(s)) return 0;
    if (json_object_setn_new(s->rules, key, len, json_integer(rule)) != 0) {
        json_schema_no_memory(s);
        return 0;
    }
    grammar_define(s->b, rule, json_schema_compile(s, schema));
    return grammar_ref(s->b, rule);
}

static grammar_expr compile_reference(struct json_schema *s, const json_t *reference) {
    const json_t *target = json_schema_resolve(s, reference);
    if (!target) return 0;
    struct byte_buffer outer = s->path;
    s->path = (struct byte_buffer){0}; // what is wrong there is said with its own path
    const char *text = json_string_value(reference);
    size_t len = json_string_length(reference);
    if (!buffer_append(&s->path, text, len)) json_schema_no_memory(s);
    grammar_expr made = rule_for(s, text, len, target);
    buffer_free(&s->path);
    s->path = outer;
    return made;
}

/* A schema that was merged: the same text is the same rule, so that recursion comes to an end. */
static grammar_expr compile_merged(struct json_schema *s, const json_t *schema) {
    if (!schema || json_is_boolean(schema)) return schema ? json_schema_compile(s, schema) : 0;
    char *text = json_dumps(schema, JSON_COMPACT);
    if (!text) {
        json_schema_no_memory(s);
        return 0;
    }
    size_t len = strlen(text);
    s->n_merged += len;
    grammar_expr made = 0;
    if (s->n_merged > JSON_SCHEMA_MAX_MERGED)
        json_schema_fail(s, JL_ERR_LIMIT, "merging allOf, anyOf and $ref gives too much");
    else
        made = rule_for(s, text, len, schema);
    free(text);
    return made;
}

/* ---- what a schema says ---- */

static const json_t *without(struct json_schema *s, const json_t *schema, const char *key) {
    json_t *copy = json_copy((json_t *)schema);
    if (!copy || json_object_del(copy, key) != 0 || json_array_append_new(s->merged, copy) != 0) {
        json_schema_no_memory(s);
        return NULL;
    }
    return copy;
}

static void check_exclusive(struct json_schema *s, const json_t **branches, size_t n) {
    for (size_t i = 0; i < n && !json_schema_failed(s); i++)
        for (size_t k = i + 1; k < n && !json_schema_failed(s); k++)
            if (!json_schema_excludes(s, branches[i], branches[k]) ||
                !json_schema_excludes(s, branches[k], branches[i]))
                json_schema_fail(
                    s, JL_ERR_UNSUPPORTED,
                    "\"oneOf\": alternatives %zu and %zu may both be valid; give them "
                    "different types, or a required property with different constants, or "
                    "use \"anyOf\"",
                    i, k);
}

static grammar_expr compile_branches(struct json_schema *s, const json_t *schema, const char *key) {
    const json_t *list = json_object_get(schema, key);
    size_t n = json_array_size(list);
    bool plain = json_schema_only_notes(schema, key);
    if (n == 0) return json_schema_fail(s, JL_ERR_FORMAT, "\"%s\" must be a list of schemas", key);
    if (strcmp(key, "oneOf") == 0 && n > JSON_SCHEMA_MAX_BRANCHES)
        return json_schema_fail(s, JL_ERR_LIMIT, "\"oneOf\" has more than %d alternatives",
                                JSON_SCHEMA_MAX_BRANCHES);
    const json_t **branches = calloc(n, sizeof *branches);
    const json_t *rest = plain ? NULL : without(s, schema, key);
    struct expr_list parts = {0};
    if (!branches) json_schema_no_memory(s);
    for (size_t i = 0; i < n && !json_schema_failed(s); i++) {
        const json_t *branch = json_array_get(list, i);
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        branches[i] = plain ? branch : json_schema_both(s, rest, branch);
        if (json_schema_failed(s)) break;
        expr_push(s->b, &parts,
                  plain ? json_schema_compile_at(s, branch, key, number)
                        : compile_merged(s, branches[i]));
        if (strcmp(key, "oneOf") == 0) branches[i] = json_schema_flat(s, branches[i]);
    }
    if (strcmp(key, "oneOf") == 0 && branches) check_exclusive(s, branches, n);
    free(branches);
    return expr_alt_of(s->b, &parts);
}

static grammar_expr compile_constants(struct json_schema *s, const json_t *schema) {
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    int types = json_schema_types(s, schema);
    struct expr_list parts = {0};
    bool in_list = !list;
    static const char *const others[] = {"properties",
                                         "required",
                                         "additionalProperties",
                                         "patternProperties",
                                         "minProperties",
                                         "maxProperties",
                                         "items",
                                         "prefixItems",
                                         "minItems",
                                         "maxItems",
                                         "minLength",
                                         "maxLength",
                                         "pattern",
                                         "minimum",
                                         "maximum",
                                         "exclusiveMinimum",
                                         "multipleOf",
                                         "exclusiveMaximum",
                                         "format",
                                         "uniqueItems"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(schema, others[i]))
            return json_schema_fail(
                s, JL_ERR_UNSUPPORTED,
                "\"%s\" beside \"enum\" or \"const\" is not supported: leave out the "
                "values that it forbids",
                others[i]);
    if (list && !json_is_array(list))
        return json_schema_fail(s, JL_ERR_FORMAT, "\"enum\" must be a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        if (only && !json_equal(value, only)) continue;
        in_list = true;
        if (!only && json_schema_has_type(types, value))
            expr_push(s->b, &parts, json_parts_constant(&s->parts, value));
    }
    if (only && in_list && json_schema_has_type(types, only))
        expr_push(s->b, &parts, json_parts_constant(&s->parts, only));
    return expr_alt_of(s->b, &parts);
}

static grammar_expr compile_types(struct json_schema *s, const json_t *schema) {
    struct expr_list parts = {0};
    int types = json_schema_types(s, schema);
    if (types == JSON_SCHEMA_ALL && json_schema_only_notes(schema, ""))
        return json_parts_value(&s->parts);
    if (types & JSON_SCHEMA_NULL) expr_push(s->b, &parts, grammar_text(s->b, "null"));
    if (types & JSON_SCHEMA_BOOLEAN) {
        expr_push(s->b, &parts, grammar_text(s->b, "true"));
        expr_push(s->b, &parts, grammar_text(s->b, "false"));
    }
    if (types & (JSON_SCHEMA_INTEGER | JSON_SCHEMA_NUMBER))
        expr_push(s->b, &parts, json_schema_number(s, schema, !(types & JSON_SCHEMA_NUMBER)));
    if (types & JSON_SCHEMA_STRING) expr_push(s->b, &parts, json_schema_string(s, schema));
    if (types & JSON_SCHEMA_ARRAY) expr_push(s->b, &parts, json_schema_array(s, schema));
    if (types & JSON_SCHEMA_OBJECT) expr_push(s->b, &parts, json_schema_object(s, schema));
    return expr_alt_of(s->b, &parts);
}

static grammar_expr compile_inner(struct json_schema *s, const json_t *schema) {
    const json_t *reference = json_object_get(schema, "$ref");
    check_keywords(s, schema);
    if (json_schema_failed(s)) return 0;
    if (reference && json_schema_only_notes(schema, "$ref")) return compile_reference(s, reference);
    if (reference || json_object_get(schema, "allOf"))
        return compile_merged(s, json_schema_flat(s, schema));
    if (json_object_get(schema, "anyOf")) return compile_branches(s, schema, "anyOf");
    if (json_object_get(schema, "oneOf")) return compile_branches(s, schema, "oneOf");
    if (json_object_get(schema, "enum") || json_object_get(schema, "const"))
        return compile_constants(s, schema);
    return compile_types(s, schema);
}

grammar_expr json_schema_compile(struct json_schema *s, const json_t *schema) {
    if (json_schema_failed(s)) return 0;
    if (json_is_true(schema)) return json_parts_value(&s->parts);
    if (json_is_false(schema)) return grammar_never(s->b);
    if (!json_is_object(schema))
        return json_schema_fail(s, JL_ERR_FORMAT, "a schema is an object, true or false");
    if (++s->n_schema > JSON_SCHEMA_MAX_COUNT)
        return json_schema_fail(s, JL_ERR_LIMIT, "more than %d schemas", JSON_SCHEMA_MAX_COUNT);
    if (++s->depth > GRAMMAR_MAX_DEPTH)
        return json_schema_fail(s, JL_ERR_LIMIT, "schemas are nested more than %d deep",
                                GRAMMAR_MAX_DEPTH);
    grammar_expr made = compile_inner(s, schema);
    s->depth--;
    return made;
}

static json_t *read_root(struct json_schema *s, const char *text, size_t len) {
    json_t *root;
    json_error_t error;
    enum jl_status status = jl_json_load(text, len, JSON_REJECT_DUPLICATES, &root, &error);
    if (status == JL_ERR_MEMORY) json_schema_no_memory(s);
    if (status != JL_OK) expr_fail(s->b, status, "the schema is no JSON: %.200s", error.text);
    return root;
}

grammar_expr json_schema_read(struct grammar_builder *b, const char *text, size_t len,
                              const struct grammar_json_options *options,
                              grammar_expr (*make)(struct json_schema *s, const json_t *root,
                                                   const void *ctx),
                              const void *ctx) {
    enum grammar_space space = options ? options->space : GRAMMAR_SPACE_ONE;
    struct json_schema s = {.b = b, .parts = {.b = b, .space = space}};
    if (b->error.status != JL_OK) return 0;
    if (len > GRAMMAR_MAX_SOURCE)
        return expr_fail(b, JL_ERR_LIMIT, "the schema has more than %d bytes", GRAMMAR_MAX_SOURCE);
    s.open_objects = options && options->open_objects;
    s.rules = json_object();
    s.merged = json_array();
    if (!s.rules || !s.merged || !buffer_append(&s.path, "#", 1)) json_schema_no_memory(&s);
    json_t *root = json_schema_failed(&s) ? NULL : read_root(&s, text, len);
    s.root = root;
    grammar_expr made = root ? make(&s, root, ctx) : 0;
    json_decref(s.merged);
    json_decref(s.rules);
    json_decref(root);
    buffer_free(&s.path);
    return made;
}

static grammar_expr compile_root(struct json_schema *s, const json_t *root, const void *ctx) {
    (void)ctx;
    return json_schema_compile(s, root);
}

grammar_expr grammar_json_schema(struct grammar_builder *b, const char *schema, size_t len,
                                 const struct grammar_json_options *options) {
    return json_schema_read(b, schema, len, options, compile_root, NULL);
}
