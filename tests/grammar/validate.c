#include "validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static bool is_type(const char *type, const json_t *value) {
    if (strcmp(type, "null") == 0) return json_is_null(value);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "object") == 0) return json_is_object(value);
    if (strcmp(type, "number") == 0) return json_is_number(value);
    double n = json_number_value(value);
    return json_is_number(value) && n == floor(n);
}

static bool types_hold(const json_t *type, const json_t *value) {
    if (!type) return true;
    if (json_is_string(type)) return is_type(json_string_value(type), value);
    for (size_t i = 0; i < json_array_size(type); i++)
        if (is_type(json_string_value(json_array_get(type, i)), value)) return true;
    return false;
}

static bool same(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static bool found(const char *pattern, const char *text, size_t len) {
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
    if (!code) return false;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    int n = pcre2_match(code, (PCRE2_SPTR)text, len, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return n >= 0;
}

static size_t characters(const json_t *value) {
    size_t n = 0;
    const char *text = json_string_value(value);
    for (size_t i = 0; i < json_string_length(value); i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* Is the count within schema[least] and schema[most]? */
static bool counted(const json_t *schema, const char *least, const char *most, size_t n) {
    const json_t *low = json_object_get(schema, least), *high = json_object_get(schema, most);
    return (!low || (double)n >= json_number_value(low)) &&
           (!high || (double)n <= json_number_value(high));
}

static bool number_holds(const json_t *schema, const json_t *value) {
    double n = json_number_value(value);
    const json_t *low = json_object_get(schema, "minimum");
    const json_t *high = json_object_get(schema, "maximum");
    const json_t *above = json_object_get(schema, "exclusiveMinimum");
    const json_t *below = json_object_get(schema, "exclusiveMaximum");
    const json_t *multiple = json_object_get(schema, "multipleOf");
    return (!low || n >= json_number_value(low)) && (!high || n <= json_number_value(high)) &&
           (!above || n > json_number_value(above)) && (!below || n < json_number_value(below)) &&
           (!multiple || fmod(n, json_number_value(multiple)) == 0);
}

static bool string_holds(const json_t *schema, const json_t *value) {
    const json_t *pattern = json_object_get(schema, "pattern");
    return counted(schema, "minLength", "maxLength", characters(value)) &&
           (!pattern ||
            found(json_string_value(pattern), json_string_value(value), json_string_length(value)));
}

static bool array_holds(const json_t *root, const json_t *schema, const json_t *value) {
    const json_t *prefix = json_object_get(schema, "prefixItems");
    const json_t *items = json_object_get(schema, "items");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *each = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;
        if (each && !validate(root, each, json_array_get(value, i))) return false;
    }
    return counted(schema, "minItems", "maxItems", json_array_size(value));
}

static bool object_holds(const json_t *root, const json_t *schema, const json_t *value) {
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *patterns = json_object_get(schema, "patternProperties");
    const json_t *more = json_object_get(schema, "additionalProperties");
    const json_t *required = json_object_get(schema, "required");
    const char *name, *pattern;
    json_t *member, *by_pattern;
    json_object_foreach((json_t *)value, name, member) {
        const json_t *named = json_object_get(properties, name);
        bool known = named != NULL;
        if (named && !validate(root, named, member)) return false;
        json_object_foreach((json_t *)patterns, pattern, by_pattern) {
            if (!found(pattern, name, strlen(name))) continue;
            known = true;
            if (!validate(root, by_pattern, member)) return false;
        }
        if (!known && more && !validate(root, more, member)) return false;
    }
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_object_get(value, json_string_value(json_array_get(required, i)))) return false;
    return counted(schema, "minProperties", "maxProperties", json_object_size(value));
}

static size_t how_many(const json_t *root, const json_t *list, const json_t *value) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        n += validate(root, json_array_get(list, i), value);
    return n;
}

/* Only "#" and "#/$defs/NAME". */
static const json_t *target(const json_t *root, const char *reference) {
    if (strcmp(reference, "#") == 0) return root;
    return json_object_get(json_object_get(root, "$defs"), reference + strlen("#/$defs/"));
}

bool validate(const json_t *root, const json_t *schema, const json_t *value) {
    if (json_is_boolean(schema)) return json_is_true(schema);
    const json_t *reference = json_object_get(schema, "$ref");
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    const json_t *any = json_object_get(schema, "anyOf"), *one = json_object_get(schema, "oneOf");
    const json_t *all = json_object_get(schema, "allOf");
    bool listed = !list;
    for (size_t i = 0; i < json_array_size(list); i++)
        listed = listed || same(json_array_get(list, i), value);
    if (!listed || (only && !same(only, value))) return false;
    if (reference && !validate(root, target(root, json_string_value(reference)), value))
        return false;
    if (any && how_many(root, any, value) == 0) return false;
    if (one && how_many(root, one, value) != 1) return false;
    if (all && how_many(root, all, value) != json_array_size(all)) return false;
    if (!types_hold(json_object_get(schema, "type"), value)) return false;
    if (json_is_number(value)) return number_holds(schema, value);
    if (json_is_string(value)) return string_holds(schema, value);
    if (json_is_array(value)) return array_holds(root, schema, value);
    return !json_is_object(value) || object_holds(root, schema, value);
}
