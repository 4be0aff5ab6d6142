/* Whether a value is valid: a function a keyword. */
#include <string.h>

#include "train/verify/schema_self.h"

#define MOST_STEPS 1000000 // schemas applied to values, of one check
#define MOST_NESTED 100    // of an answer's values

static enum jl_status apply(struct schema_walk *w, const json_t *schema, const json_t *value,
                            bool *valid);

/* ---- keywords: of one schema, about one value of a type that they speak of ---- */

#define CHECK(name)                                                                                \
    static enum jl_status name(struct schema_walk *w, const struct schema_at *at, bool *valid)

CHECK(check_type) {
    size_t i;
    json_t *name;
    (void)w;
    *valid = json_is_string(at->spec) && schema_has_type(at->value, json_string_value(at->spec));
    json_array_foreach(at->spec, i, name) {
        *valid = *valid || schema_has_type(at->value, json_string_value(name));
    }
    return JL_OK;
}

CHECK(check_enum) {
    size_t i;
    json_t *one;
    (void)w;
    *valid = false;
    json_array_foreach(at->spec, i, one) { *valid = *valid || schema_same(one, at->value); }
    return JL_OK;
}

CHECK(check_const) {
    (void)w;
    *valid = schema_same(at->spec, at->value);
    return JL_OK;
}

CHECK(check_minimum) {
    (void)w;
    *valid = schema_compare(at->value, at->spec) >= 0;
    return JL_OK;
}
CHECK(check_maximum) {
    (void)w;
    *valid = schema_compare(at->value, at->spec) <= 0;
    return JL_OK;
}
CHECK(check_above) {
    (void)w;
    *valid = schema_compare(at->value, at->spec) > 0;
    return JL_OK;
}
CHECK(check_below) {
    (void)w;
    *valid = schema_compare(at->value, at->spec) < 0;
    return JL_OK;
}
CHECK(check_multiple) {
    (void)w;
    *valid = schema_divides(at->spec, at->value);
    return JL_OK;
}

CHECK(check_least) {
    (void)w;
    *valid = (double)schema_size_of(at->value) >= json_number_value(at->spec);
    return JL_OK;
}
CHECK(check_most) {
    (void)w;
    *valid = (double)schema_size_of(at->value) <= json_number_value(at->spec);
    return JL_OK;
}

/* Every pattern of a schema that is applied was made when that was read. */
static enum jl_status find(struct schema_walk *w, const char *pattern, const char *text, size_t len,
                           bool *found) {
    const struct schema_pattern *at = w->schema->patterns;
    while (at->text != pattern)
        at++;
    return match_search(at->match, text, len, found, w->err);
}

CHECK(check_pattern) {
    return find(w, json_string_value(at->spec), json_string_value(at->value),
                json_string_length(at->value), valid);
}

CHECK(check_items) {
    for (size_t i = json_array_size(json_object_get(at->schema, "prefixItems"));
         *valid && i < json_array_size(at->value); i++)
        JL_TRY(apply(w, at->spec, json_array_get(at->value, i), valid));
    return JL_OK;
}

CHECK(check_prefix) {
    for (size_t i = 0; *valid && i < json_array_size(at->spec) && i < json_array_size(at->value);
         i++)
        JL_TRY(apply(w, json_array_get(at->spec, i), json_array_get(at->value, i), valid));
    return JL_OK;
}

CHECK(check_contains) {
    const json_t *least = json_object_get(at->schema, "minContains");
    const json_t *most = json_object_get(at->schema, "maxContains");
    double n = 0;
    size_t i;
    json_t *item;
    json_array_foreach(at->value, i, item) {
        bool one;
        JL_TRY(apply(w, at->spec, item, &one));
        n += one;
    }
    *valid = n >= (least ? json_number_value(least) : 1) && (!most || n <= json_number_value(most));
    return JL_OK;
}

CHECK(check_unique) {
    size_t n = json_array_size(at->value);
    if (!json_is_true(at->spec)) return JL_OK;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; *valid && k < i; k++) {
            *valid = !schema_same(json_array_get(at->value, i), json_array_get(at->value, k));
            if (++w->steps > MOST_STEPS)
                return jl_fail(w->err, JL_ERR_LIMIT, "uniqueItems of %zu items", n);
        }
    return JL_OK;
}

CHECK(check_properties) {
    const char *name;
    json_t *schema;
    json_object_foreach((json_t *)at->spec, name, schema) {
        const json_t *member = json_object_get(at->value, name);
        if (member && *valid) JL_TRY(apply(w, schema, member, valid));
    }
    return JL_OK;
}

/* Whether a pattern of patternProperties finds the name; each that does must take the member, where
 * one is given. */
static enum jl_status by_patterns(struct schema_walk *w, const json_t *patterns, const char *name,
                                  const json_t *member, bool *known, bool *valid) {
    const char *pattern;
    json_t *schema;
    json_object_foreach((json_t *)patterns, pattern, schema) {
        bool found;
        JL_TRY(find(w, pattern, name, strlen(name), &found));
        if (!found) continue;
        *known = true;
        if (member && *valid) JL_TRY(apply(w, schema, member, valid));
    }
    return JL_OK;
}

CHECK(check_pattern_properties) {
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)at->value, name, member) {
        bool known = false;
        JL_TRY(by_patterns(w, at->spec, name, member, &known, valid));
    }
    return JL_OK;
}

CHECK(check_additional) {
    const json_t *properties = json_object_get(at->schema, "properties");
    const json_t *patterns = json_object_get(at->schema, "patternProperties");
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)at->value, name, member) {
        bool known = json_object_get(properties, name) != NULL;
        JL_TRY(by_patterns(w, patterns, name, NULL, &known, valid));
        if (!known && *valid) JL_TRY(apply(w, at->spec, member, valid));
    }
    return JL_OK;
}

CHECK(check_names) {
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)at->value, name, member) {
        json_t *string = json_string(name);
        if (!string) return jl_fail(w->err, JL_ERR_MEMORY, "out of memory for a schema's check");
        enum jl_status status = *valid ? apply(w, at->spec, string, valid) : JL_OK;
        json_decref(string);
        JL_TRY(status);
    }
    return JL_OK;
}

static bool has_all(const json_t *object, const json_t *names) {
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name) {
        if (!json_object_get(object, json_string_value(name))) return false;
    }
    return true;
}

CHECK(check_required) {
    (void)w;
    *valid = has_all(at->value, at->spec);
    return JL_OK;
}

CHECK(check_dependent_required) {
    const char *name;
    json_t *names;
    (void)w;
    json_object_foreach((json_t *)at->spec, name, names) {
        if (json_object_get(at->value, name) && !has_all(at->value, names)) *valid = false;
    }
    return JL_OK;
}

CHECK(check_dependent_schemas) {
    const char *name;
    json_t *schema;
    json_object_foreach((json_t *)at->spec, name, schema) {
        if (*valid && json_object_get(at->value, name)) JL_TRY(apply(w, schema, at->value, valid));
    }
    return JL_OK;
}

/* How many of a list of schemas take the value. */
static enum jl_status count(struct schema_walk *w, const struct schema_at *at, size_t *n) {
    size_t i;
    json_t *schema;
    *n = 0;
    json_array_foreach(at->spec, i, schema) {
        bool one;
        JL_TRY(apply(w, schema, at->value, &one));
        *n += one;
    }
    return JL_OK;
}

CHECK(check_all) {
    size_t n;
    JL_TRY(count(w, at, &n));
    *valid = n == json_array_size(at->spec);
    return JL_OK;
}
CHECK(check_any) {
    size_t n;
    JL_TRY(count(w, at, &n));
    *valid = n > 0;
    return JL_OK;
}
CHECK(check_one) {
    size_t n;
    JL_TRY(count(w, at, &n));
    *valid = n == 1;
    return JL_OK;
}

CHECK(check_not) {
    bool one;
    JL_TRY(apply(w, at->spec, at->value, &one));
    *valid = !one;
    return JL_OK;
}

CHECK(check_if) {
    bool one;
    JL_TRY(apply(w, at->spec, at->value, &one));
    const json_t *next = json_object_get(at->schema, one ? "then" : "else");
    return next ? apply(w, next, at->value, valid) : JL_OK;
}

CHECK(check_ref) {
    const json_t *target;
    if (jl_json_pointer(w->schema->root, json_string_value(at->spec) + 1, &target) != JL_OK)
        return jl_fail(w->err, JL_ERR_MEMORY, "out of memory for a schema's check");
    return apply(w, target, at->value, valid);
}

/* ---- the table ---- */

static const struct schema_keyword keywords[] = {
    {"type", SPEC_TYPES, ABOUT_ALL, check_type},
    {"enum", SPEC_LIST, ABOUT_ALL, check_enum},
    {"const", SPEC_ANY, ABOUT_ALL, check_const},
    {"minimum", SPEC_NUMBER, ABOUT_NUMBER, check_minimum},
    {"maximum", SPEC_NUMBER, ABOUT_NUMBER, check_maximum},
    {"exclusiveMinimum", SPEC_NUMBER, ABOUT_NUMBER, check_above},
    {"exclusiveMaximum", SPEC_NUMBER, ABOUT_NUMBER, check_below},
    {"multipleOf", SPEC_POSITIVE, ABOUT_NUMBER, check_multiple},
    {"minLength", SPEC_COUNT, ABOUT_STRING, check_least},
    {"maxLength", SPEC_COUNT, ABOUT_STRING, check_most},
    {"pattern", SPEC_PATTERN, ABOUT_STRING, check_pattern},
    {"minItems", SPEC_COUNT, ABOUT_ARRAY, check_least},
    {"maxItems", SPEC_COUNT, ABOUT_ARRAY, check_most},
    {"uniqueItems", SPEC_TRUTH, ABOUT_ARRAY, check_unique},
    {"items", SPEC_SCHEMA, ABOUT_ARRAY, check_items},
    {"prefixItems", SPEC_SCHEMAS, ABOUT_ARRAY, check_prefix},
    {"contains", SPEC_SCHEMA, ABOUT_ARRAY, check_contains},
    {"minContains", SPEC_COUNT, ABOUT_ARRAY, NULL},
    {"maxContains", SPEC_COUNT, ABOUT_ARRAY, NULL},
    {"minProperties", SPEC_COUNT, ABOUT_OBJECT, check_least},
    {"maxProperties", SPEC_COUNT, ABOUT_OBJECT, check_most},
    {"required", SPEC_NAMES, ABOUT_OBJECT, check_required},
    {"properties", SPEC_SCHEMAS_OF, ABOUT_OBJECT, check_properties},
    {"patternProperties", SPEC_SCHEMAS_MATCHED, ABOUT_OBJECT, check_pattern_properties},
    {"additionalProperties", SPEC_SCHEMA, ABOUT_OBJECT, check_additional},
    {"propertyNames", SPEC_SCHEMA, ABOUT_OBJECT, check_names},
    {"dependentRequired", SPEC_NAMES_OF, ABOUT_OBJECT, check_dependent_required},
    {"dependentSchemas", SPEC_SCHEMAS_OF, ABOUT_OBJECT, check_dependent_schemas},
    {"allOf", SPEC_SCHEMAS, ABOUT_ALL, check_all},
    {"anyOf", SPEC_SCHEMAS, ABOUT_ALL, check_any},
    {"oneOf", SPEC_SCHEMAS, ABOUT_ALL, check_one},
    {"not", SPEC_SCHEMA, ABOUT_ALL, check_not},
    {"if", SPEC_SCHEMA, ABOUT_ALL, check_if},
    {"then", SPEC_SCHEMA, ABOUT_ALL, NULL},
    {"else", SPEC_SCHEMA, ABOUT_ALL, NULL},
    {"$ref", SPEC_REFERENCE, ABOUT_ALL, check_ref},
    {"$defs", SPEC_SCHEMAS_OF, ABOUT_ALL, NULL},
    {"definitions", SPEC_SCHEMAS_OF, ABOUT_ALL, NULL},
    // Annotations.
    {"title", SPEC_ANY, ABOUT_ALL, NULL},
    {"description", SPEC_ANY, ABOUT_ALL, NULL},
    {"default", SPEC_ANY, ABOUT_ALL, NULL},
    {"examples", SPEC_ANY, ABOUT_ALL, NULL},
    {"deprecated", SPEC_ANY, ABOUT_ALL, NULL},
    {"readOnly", SPEC_ANY, ABOUT_ALL, NULL},
    {"writeOnly", SPEC_ANY, ABOUT_ALL, NULL},
    {"$schema", SPEC_ANY, ABOUT_ALL, NULL},
    {"$id", SPEC_ANY, ABOUT_ALL, NULL},
    {"$comment", SPEC_ANY, ABOUT_ALL, NULL},
};

const struct schema_keyword *schema_keyword_find(const char *name) {
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (!strcmp(keywords[i].name, name)) return &keywords[i];
    return NULL;
}

/* ---- checking ---- */

static bool is_about(enum schema_about about, const json_t *value) {
    return about == ABOUT_ALL || (about == ABOUT_NUMBER && json_is_number(value)) ||
           (about == ABOUT_STRING && json_is_string(value)) ||
           (about == ABOUT_ARRAY && json_is_array(value)) ||
           (about == ABOUT_OBJECT && json_is_object(value));
}

static enum jl_status apply_keywords(struct schema_walk *w, const json_t *schema,
                                     const json_t *value, bool *valid) {
    const char *name;
    json_t *spec;
    *valid = !json_is_false(schema);
    json_object_foreach((json_t *)schema, name, spec) {
        const struct schema_keyword *k = schema_keyword_find(name);
        const struct schema_at at = {schema, spec, value};
        if (!k->check || !is_about(k->about, value)) continue;
        JL_TRY(k->check(w, &at, valid));
        if (!*valid) return JL_OK;
    }
    return JL_OK;
}

static enum jl_status apply(struct schema_walk *w, const json_t *schema, const json_t *value,
                            bool *valid) {
    if (++w->steps > MOST_STEPS || w->depth >= SCHEMA_MOST_DEPTH)
        return jl_fail(w->err, JL_ERR_LIMIT,
                       "the schema is applied more than %d times, or more than %d deep, to one "
                       "answer",
                       MOST_STEPS, SCHEMA_MOST_DEPTH);
    w->depth++;
    enum jl_status status = apply_keywords(w, schema, value, valid);
    w->depth--;
    return status;
}

enum jl_status schema_check(const struct schema *schema, const char *text, size_t len, bool *valid,
                            struct jl_error *err) {
    struct schema_walk w = {.schema = schema, .err = err};
    json_t *value;
    *valid = false;
    enum jl_status status = jl_json_load(
        text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &value, NULL);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for an answer");
    if (status != JL_OK) return JL_OK;
    if (!schema_is_nested(value, MOST_NESTED)) status = apply(&w, schema->root, value, valid);
    json_decref(value);
    return status;
}
