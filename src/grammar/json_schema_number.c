#include <string.h>

#include "grammar/json_schema.h"

/* The stricter of the two bounds on one side. `side` 1: lower ones, -1: upper ones. */
static bool bound_of(struct json_schema *s, const json_t *schema, const char *inclusive,
                     const char *exclusive, int side, struct json_bound *out) {
    const json_t *x = json_object_get(schema, inclusive), *y = json_object_get(schema, exclusive);
    if ((x && !json_is_number(x)) || (y && !json_is_number(y))) {
        json_schema_fail(s, JL_ERR_FORMAT, "\"%s\" and \"%s\" must be numbers", inclusive,
                         exclusive);
        return false;
    }
    bool other = y && (!x || side * json_number_value(y) >= side * json_number_value(x));
    const json_t *bound = other ? y : x;
    memset(out, 0, sizeof *out);
    if (!bound) return true;
    double value = json_number_value(bound);
    if (side * value <= -1e18) return true; // no number that is made lies beyond it
    if (!json_number_bound(bound, out)) {
        json_schema_fail(s, JL_ERR_UNSUPPORTED,
                         "\"%s\" is beyond 10^18, or has more than %d digits behind the point",
                         other ? exclusive : inclusive, JSON_NUMBER_FRACTION);
        return false;
    }
    out->exclusive = other;
    return true;
}

/* Numbers of the types have no format of their own that would change what is made. */
static bool format_is_note(const char *format) {
    static const char *const names[] = {"int32", "int64", "float", "double"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (format && strcmp(format, names[i]) == 0) return true;
    return false;
}

grammar_expr json_schema_number(struct json_schema *s, const json_t *schema, bool integer) {
    struct json_range range;
    const json_t *multiple = json_object_get(schema, "multipleOf");
    const json_t *format = json_object_get(schema, "format");
    int types = json_schema_types(s, schema);
    if (!bound_of(s, schema, "minimum", "exclusiveMinimum", 1, &range.low) ||
        !bound_of(s, schema, "maximum", "exclusiveMaximum", -1, &range.high))
        return 0;
    if (format && !(types & JSON_SCHEMA_STRING) && !format_is_note(json_string_value(format)))
        return json_schema_fail(s, JL_ERR_UNSUPPORTED, "the format of a number is not supported");
    if (multiple) {
        double n = json_number_value(multiple);
        bool natural = n >= 1 && n < 1e15 && n == (double)(uint64_t)n;
        grammar_expr made = natural ? json_number_multiple(s->b, &range, (uint64_t)n) : 0;
        if (made || json_schema_failed(s)) return made;
        return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                "\"multipleOf\" is supported for natural numbers: divisors of 1000 "
                                "without an upper bound, others with bounds that leave at most %d "
                                "values",
                                GRAMMAR_MAX_MULTIPLE);
    }
    if (integer) return json_number_integer(s->b, &range);
    if (!range.low.given && !range.high.given) return json_parts_number(&s->parts);
    return json_number_real(s->b, &range);
}
