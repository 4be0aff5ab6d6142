/* Whether alternatives of oneOf can be told apart. Certain cases only: a false answer means "not
 * known". */
#include <string.h>

#include "grammar/json_schema.h"

#define MAX_LOOKED_AT 100000 // names times names
#define MAX_LEVEL 8          // properties in properties looked into

static const json_t *get(const json_t *schema, const char *key) {
    return json_object_get(schema, key);
}

/* Types that a valid value can have; only what the schema says outright counts. */
static int types_of(struct json_schema *s, const json_t *schema) {
    const json_t *list = get(schema, "enum"), *only = get(schema, "const");
    int types = get(schema, "type") ? json_schema_types(s, schema) : JSON_SCHEMA_ALL, some = 0;
    if (only) return json_schema_type_of(only);
    for (size_t i = 0; i < json_array_size(list); i++)
        some |= json_schema_type_of(json_array_get(list, i));
    return list ? some : types;
}

/* As above, of the values that are made: without "type" the keywords say which. */
static int types_made(struct json_schema *s, const json_t *schema) {
    if (get(schema, "enum") || get(schema, "const")) return types_of(s, schema);
    if (!get(schema, "type") && (get(schema, "anyOf") || get(schema, "oneOf")))
        return JSON_SCHEMA_ALL;
    return json_schema_types(s, schema);
}

static int with_integers(int types) {
    return types & JSON_SCHEMA_NUMBER ? types | JSON_SCHEMA_INTEGER : types;
}

static bool lists(const json_t *schema, const json_t *value) {
    const json_t *only = get(schema, "const"), *list = get(schema, "enum");
    if (only) return json_equal(only, value);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value)) return true;
    return false;
}

/* Numbers of different kinds may be equal, such as 1 and 1.0: they count as listed. */
static bool values_differ(const json_t *x, const json_t *y) {
    const json_t *only = get(x, "const"), *list = get(x, "enum");
    bool y_lists = get(y, "const") || get(y, "enum");
    if ((!only && !list) || !y_lists) return false;
    if (json_array_size(list) * json_array_size(get(y, "enum")) > GRAMMAR_MAX_PAIRS) return false;
    if (only) return !json_is_real(only) && !lists(y, only);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_real(json_array_get(list, i)) || lists(y, json_array_get(list, i)))
            return false;
    return true;
}

static bool requires(const json_t *schema, const char *name) {
    const json_t *list = get(schema, "required");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *other = json_string_value(json_array_get(list, i));
        if (other && strcmp(other, name) == 0) return true;
    }
    return false;
}

/* Can no property be made, or be valid with `strict`, that "properties" does not name? */
static bool is_closed(const struct json_schema *s, const json_t *schema, bool strict) {
    const json_t *more = get(schema, "additionalProperties");
    if (get(schema, "patternProperties")) return false;
    if (more || strict) return json_is_false(more);
    return !s->open_objects && get(schema, "properties");
}

static bool excludes(struct json_schema *s, const json_t *x, const json_t *y, int level);

static bool objects_differ(struct json_schema *s, const json_t *x, const json_t *y, int level) {
    const char *name;
    json_t *property;
    size_t n = json_object_size(get(x, "properties"));
    if (n * json_array_size(get(x, "required")) > MAX_LOOKED_AT) return false;
    json_object_foreach((json_t *)get(x, "properties"), name, property) {
        if (!requires(x, name)) continue;
        const json_t *other = json_object_get(get(y, "properties"), name);
        if (!other && is_closed(s, y, true)) return true;
        if (!other || level >= MAX_LEVEL) continue;
        const json_t *p = json_schema_flat(s, property), *q = json_schema_flat(s, other);
        if (p && q && excludes(s, p, q, level + 1)) return true;
    }
    const json_t *wanted = get(y, "required");
    if (json_array_size(wanted) * json_array_size(get(x, "required")) > MAX_LOOKED_AT) return false;
    for (size_t i = 0; i < json_array_size(wanted) && is_closed(s, x, false); i++) {
        name = json_string_value(json_array_get(wanted, i));
        if (name && !json_object_get(get(x, "properties"), name) && !requires(x, name)) return true;
    }
    return false;
}

static bool excludes(struct json_schema *s, const json_t *x, const json_t *y, int level) {
    if (json_is_false(x) || json_is_false(y)) return true;
    if (json_is_boolean(x) || json_is_boolean(y)) return false;
    int made = types_made(s, x);
    if (!(with_integers(made) & with_integers(types_of(s, y)))) return true;
    if (values_differ(x, y)) return true;
    return made == JSON_SCHEMA_OBJECT && objects_differ(s, x, y, level);
}

bool json_schema_excludes(struct json_schema *s, const json_t *x, const json_t *y) {
    return x && y && excludes(s, x, y, 0);
}
