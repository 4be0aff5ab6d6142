/* Schemas that are valid together, as one. */
#include <string.h>

#include "base/json.h"
#include "grammar/json_schema.h"

static const char *const notes[] = {
    "title", "description", "default",          "examples",        "$schema",
    "$id",   "$comment",    "deprecated",       "readOnly",        "writeOnly",
    "$defs", "definitions", "contentMediaType", "contentEncoding",
};

enum rule { // what becomes of a keyword that both have
    RULE_SAME,
    RULE_GREATER,
    RULE_LESS,
    RULE_ALL, // both schemas hold
    RULE_TYPE,
    RULE_PROPERTIES,
    RULE_REQUIRED,
    RULE_ENUM,
    RULE_CONST,
    RULE_ANY,
    RULE_OR,
};

static const struct {
    const char *name;
    enum rule rule;
} keywords[] = {
    {"type", RULE_TYPE},
    {"properties", RULE_PROPERTIES},
    {"required", RULE_REQUIRED},
    {"additionalProperties", RULE_ALL},
    {"patternProperties", RULE_SAME},
    {"items", RULE_ALL},
    {"prefixItems", RULE_SAME},
    {"minItems", RULE_GREATER},
    {"maxItems", RULE_LESS},
    {"uniqueItems", RULE_OR},
    {"minProperties", RULE_GREATER},
    {"maxProperties", RULE_LESS},
    {"enum", RULE_ENUM},
    {"const", RULE_CONST},
    {"anyOf", RULE_ANY},
    {"oneOf", RULE_SAME},
    {"allOf", RULE_SAME},
    {"$ref", RULE_SAME},
    {"minLength", RULE_GREATER},
    {"maxLength", RULE_LESS},
    {"pattern", RULE_SAME},
    {"format", RULE_SAME},
    {"minimum", RULE_GREATER},
    {"exclusiveMinimum", RULE_GREATER},
    {"maximum", RULE_LESS},
    {"exclusiveMaximum", RULE_LESS},
    {"multipleOf", RULE_SAME},
};

static bool is_note(const char *keyword) {
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (strcmp(keyword, notes[i]) == 0) return true;
    return false;
}

bool json_schema_known(const char *keyword) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keyword, keywords[i].name) == 0) return true;
    return is_note(keyword);
}

bool json_schema_only_notes(const json_t *schema, const char *but) {
    for (void *at = json_object_iter((json_t *)schema); at;
         at = json_object_iter_next((json_t *)schema, at)) {
        const char *key = json_object_iter_key(at);
        if (strcmp(key, but) != 0 && !is_note(key)) return false;
    }
    return true;
}

/* ---- references ---- */

const json_t *json_schema_resolve(struct json_schema *s, const json_t *reference) {
    const char *text = json_string_value(reference);
    if (!text || text[0] != '#' || (text[1] && text[1] != '/')) {
        json_schema_fail(s, JL_ERR_UNSUPPORTED,
                         "\"$ref\" must be # or a pointer such as #/$defs/name in the same schema");
        return NULL;
    }
    const json_t *at;
    if (jl_json_pointer(s->root, text + 1, &at) != JL_OK) {
        json_schema_no_memory(s);
        return NULL;
    }
    if (!at) json_schema_fail(s, JL_ERR_FORMAT, "\"$ref\": nothing is at %.200s", text);
    return at;
}

/* ---- both ---- */

static json_t *owned(struct json_schema *s, json_t *made) {
    if (made && json_array_append_new(s->merged, made) == 0) return made;
    json_schema_no_memory(s);
    return NULL;
}

static void set(struct json_schema *s, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0) json_schema_no_memory(s);
}

/* {"allOf": [x, y]}, for later. */
static json_t *all_of(const json_t *x, const json_t *y) {
    return json_pack("{s:[O,O]}", "allOf", (json_t *)x, (json_t *)y);
}

static json_t *type_names(int types) {
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    json_t *list = json_array();
    for (int i = 0; i < 7 && list; i++)
        if (types >> i & 1 && json_array_append_new(list, json_string(names[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *both_types(struct json_schema *s, const json_t *x, const json_t *y) {
    int p = json_schema_types(s, x), q = json_schema_types(s, y), types = p & q;
    if ((p & JSON_SCHEMA_NUMBER && q & JSON_SCHEMA_INTEGER) ||
        (q & JSON_SCHEMA_NUMBER && p & JSON_SCHEMA_INTEGER))
        types |= JSON_SCHEMA_INTEGER;
    return type_names(types);
}

static bool contains(const json_t *list, const json_t *value) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value)) return true;
    return false;
}

static bool too_many(struct json_schema *s, const json_t *x, const json_t *y) {
    if (json_array_size(x) * json_array_size(y) <= GRAMMAR_MAX_PAIRS) return false;
    json_schema_fail(s, JL_ERR_LIMIT, "two lists that must be merged are too long");
    return true;
}

/* The values of x that are (or, with `more`, also those of y that are not) in y. */
static json_t *both_lists(const json_t *x, const json_t *y, bool more) {
    json_t *list = json_array();
    bool fits = list != NULL;
    for (size_t i = 0; i < json_array_size(x) && fits; i++)
        if (more || contains(y, json_array_get(x, i)))
            fits = json_array_append(list, json_array_get(x, i)) == 0;
    for (size_t i = 0; i < json_array_size(y) && fits && more; i++)
        if (!contains(x, json_array_get(y, i)))
            fits = json_array_append(list, json_array_get(y, i)) == 0;
    if (fits) return list;
    json_decref(list);
    return NULL;
}

/* Every alternative of x with every one of y. */
static json_t *both_any(struct json_schema *s, const json_t *x, const json_t *y) {
    if (json_array_size(x) * json_array_size(y) > JSON_SCHEMA_MAX_BRANCHES) {
        json_schema_fail(s, JL_ERR_LIMIT, "two \"anyOf\" together have more than %d alternatives",
                         JSON_SCHEMA_MAX_BRANCHES);
        return NULL;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(x) && list; i++)
        for (size_t k = 0; k < json_array_size(y); k++)
            if (json_array_append_new(list, all_of(json_array_get(x, i), json_array_get(y, k))))
                json_schema_no_memory(s);
    return list;
}

/* A property of x alone is still subject to what y says about properties it does not name. */
static json_t *lone_property(const json_t *property, const json_t *other) {
    const json_t *rest = json_object_get(other, "additionalProperties");
    if (!rest || json_is_true(rest)) return json_incref((json_t *)property);
    return all_of(property, rest);
}

static json_t *both_properties(struct json_schema *s, const json_t *x, const json_t *y) {
    const json_t *p = json_object_get(x, "properties"), *q = json_object_get(y, "properties");
    json_t *made = json_object();
    const char *key;
    json_t *value;
    if (!made) return NULL;
    json_object_foreach((json_t *)p, key, value) {
        const json_t *other = json_object_get(q, key);
        set(s, made, key, other ? all_of(value, other) : lone_property(value, y));
    }
    json_object_foreach((json_t *)q, key, value) {
        if (!json_object_get(p, key)) set(s, made, key, lone_property(value, x));
    }
    return made;
}

static json_t *both_keyword(struct json_schema *s, const char *key, enum rule rule, const json_t *x,
                            const json_t *y) {
    const json_t *p = json_object_get(x, key), *q = json_object_get(y, key);
    switch (rule) {
    case RULE_GREATER:
        return json_incref((json_t *)(json_number_value(p) >= json_number_value(q) ? p : q));
    case RULE_LESS:
        return json_incref((json_t *)(json_number_value(p) <= json_number_value(q) ? p : q));
    case RULE_ALL: return all_of(p, q);
    case RULE_TYPE: return both_types(s, x, y);
    case RULE_REQUIRED: return too_many(s, p, q) ? NULL : both_lists(p, q, true);
    case RULE_ENUM: return too_many(s, p, q) ? NULL : both_lists(p, q, false);
    case RULE_CONST: return json_pack("[]"); // as "enum": different constants allow nothing
    case RULE_ANY: return both_any(s, p, q);
    case RULE_OR: return json_incref((json_t *)(json_is_true(p) ? p : q));
    default:
        json_schema_fail(s, JL_ERR_UNSUPPORTED,
                         "two different \"%s\" for one value cannot be merged: write one", key);
        return NULL;
    }
}

static void merge_keyword(struct json_schema *s, json_t *made, const char *key, enum rule rule,
                          const json_t *x, const json_t *y) {
    const json_t *p = json_object_get(x, key), *q = json_object_get(y, key);
    if (rule == RULE_PROPERTIES) {
        if (p || q) set(s, made, key, both_properties(s, x, y));
    } else if (!p || !q || json_equal(p, q)) {
        if (p || q) set(s, made, key, json_incref((json_t *)(p ? p : q)));
    } else {
        json_t *both = both_keyword(s, key, rule, x, y);
        if (both || !json_schema_failed(s)) set(s, made, rule == RULE_CONST ? "enum" : key, both);
    }
}

/* What patterns mean for properties that the other schema names is not looked into. */
static bool patterns_meet(const json_t *x, const json_t *y) {
    if (!json_object_get(x, "patternProperties")) return false;
    return json_object_get(y, "properties") || json_object_get(y, "additionalProperties") ||
           json_object_get(y, "required");
}

/* The numbers of `items` count from where the other's prefix ends. */
static bool prefixes_meet(const json_t *x, const json_t *y) {
    const json_t *p = json_object_get(x, "prefixItems"), *q = json_object_get(y, "prefixItems");
    return p && !(q && json_equal(p, q)) && (q || json_object_get(y, "items"));
}

const json_t *json_schema_both(struct json_schema *s, const json_t *x, const json_t *y) {
    x = json_schema_flat(s, x);
    y = json_schema_flat(s, y);
    if (!x || !y) return NULL;
    if (json_is_false(x) || json_is_true(y)) return x;
    if (json_is_false(y) || json_is_true(x)) return y;
    if (patterns_meet(x, y) || patterns_meet(y, x) || prefixes_meet(x, y) || prefixes_meet(y, x)) {
        json_schema_fail(s, JL_ERR_UNSUPPORTED,
                         "\"patternProperties\" or \"prefixItems\" cannot be merged with another "
                         "schema's properties or items");
        return NULL;
    }
    json_t *made = owned(s, json_object());
    if (!made) return NULL;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords && !json_schema_failed(s); i++)
        if (keywords[i].rule != RULE_CONST && keywords[i].rule != RULE_ENUM)
            merge_keyword(s, made, keywords[i].name, keywords[i].rule, x, y);
    merge_keyword(s, made, "enum", RULE_ENUM, x, y);
    const json_t *p = json_object_get(x, "const"), *q = json_object_get(y, "const");
    if (p && q && !json_equal(p, q)) return owned(s, json_false());
    if (p || q) set(s, made, "const", json_incref((json_t *)(p ? p : q)));
    return json_schema_failed(s) ? NULL : made;
}

static const json_t *flat_object(struct json_schema *s, const json_t *schema) {
    const json_t *reference = json_object_get(schema, "$ref");
    const json_t *all = json_object_get(schema, "allOf");
    if (!reference && !all) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)schema, key, value) {
            if (json_schema_known(key)) continue;
            json_schema_fail(s, JL_ERR_UNSUPPORTED, "the keyword \"%.64s\" is not supported", key);
            return NULL;
        }
        return schema;
    }
    if (all && (!json_is_array(all) || json_array_size(all) == 0)) {
        json_schema_fail(s, JL_ERR_FORMAT, "\"allOf\" must be a list of schemas");
        return NULL;
    }
    json_t *rest = owned(s, json_copy((json_t *)schema));
    if (!rest) return NULL;
    json_object_del(rest, "$ref");
    json_object_del(rest, "allOf");
    const json_t *made = rest;
    if (json_schema_only_notes(rest, "")) made = json_true();
    if (reference) {
        const json_t *target = json_schema_resolve(s, reference);
        made = target ? json_schema_both(s, made, target) : NULL;
    }
    for (size_t i = 0; i < json_array_size(all) && made; i++)
        made = json_schema_both(s, made, json_array_get(all, i));
    return made;
}

const json_t *json_schema_flat(struct json_schema *s, const json_t *schema) {
    if (!schema || json_schema_failed(s)) return NULL;
    if (json_is_boolean(schema)) return schema;
    if (!json_is_object(schema)) {
        json_schema_fail(s, JL_ERR_FORMAT, "a schema is an object, true or false");
        return NULL;
    }
    if (++s->n_schema > JSON_SCHEMA_MAX_COUNT || ++s->depth > GRAMMAR_MAX_DEPTH) {
        json_schema_fail(s, JL_ERR_LIMIT, "$ref and allOf lead too far; is there a circle?");
        return NULL;
    }
    const json_t *made = flat_object(s, schema);
    s->depth--;
    return made;
}
