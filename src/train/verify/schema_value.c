/* What JSON Schema asks of values. */
#include <math.h>
#include <string.h>

#include "train/verify/schema_self.h"

bool schema_same(const json_t *a, const json_t *b) {
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_integer(a) && json_is_integer(b)) return json_equal(a, b);
    if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b)) return false;
    if (json_is_array(a)) {
        bool all = json_array_size(a) == json_array_size(b);
        json_array_foreach(a, i, item) { all = all && schema_same(item, json_array_get(b, i)); }
        return all;
    }
    if (!json_is_object(a)) return json_equal(a, b);
    if (json_object_size(a) != json_object_size(b)) return false;
    json_object_foreach((json_t *)a, key, item) {
        const json_t *other = json_object_get(b, key);
        if (!other || !schema_same(item, other)) return false;
    }
    return true;
}

bool schema_is_whole(const json_t *value) {
    return json_is_integer(value) ||
           (json_is_real(value) && json_real_value(value) == floor(json_real_value(value)));
}

bool schema_has_type(const json_t *value, const char *type) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return !strcmp(type, "object");
    case JSON_ARRAY: return !strcmp(type, "array");
    case JSON_STRING: return !strcmp(type, "string");
    case JSON_TRUE:
    case JSON_FALSE: return !strcmp(type, "boolean");
    case JSON_NULL: return !strcmp(type, "null");
    default: return !strcmp(type, "number") || (!strcmp(type, "integer") && schema_is_whole(value));
    }
}

static size_t characters(const json_t *string) {
    const char *text = json_string_value(string);
    size_t n = 0;
    for (size_t i = 0; i < json_string_length(string); i++)
        n += (text[i] & 0xC0) != 0x80;
    return n;
}

int schema_compare(const json_t *a, const json_t *b) {
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    double x = json_number_value(a), y = json_number_value(b);
    return (x > y) - (x < y);
}

bool schema_divides(const json_t *by, const json_t *value) {
    if (json_is_integer(by) && json_is_integer(value))
        return json_integer_value(value) % json_integer_value(by) == 0;
    double quotient = json_number_value(value) / json_number_value(by);
    return fabs(quotient - nearbyint(quotient)) <= 1e-9 * fmax(1, fabs(quotient));
}

size_t schema_size_of(const json_t *value) {
    return json_is_string(value)  ? characters(value)
           : json_is_array(value) ? json_array_size(value)
                                  : json_object_size(value);
}

bool schema_is_nested(const json_t *value, int most) {
    const char *key;
    json_t *item;
    size_t i;
    if (most < 0) return true;
    json_array_foreach(value, i, item) {
        if (schema_is_nested(item, most - 1)) return true;
    }
    json_object_foreach((json_t *)value, key, item) {
        if (schema_is_nested(item, most - 1)) return true;
    }
    return false;
}
