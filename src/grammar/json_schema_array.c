#include <stdio.h>

#include "grammar/json_schema.h"

#define MAX_UNIQUE 64

struct array {
    struct json_schema *s;
    const json_t *prefix;
    grammar_expr item; // 0: none behind the prefix
    uint32_t low, high;
};

/* What may come behind the first `at` items: with a comma before each, but for the very first. */
static grammar_expr further(struct array *a, uint32_t at) {
    struct json_schema *s = a->s;
    uint32_t n = (uint32_t)json_array_size(a->prefix);
    uint32_t low = a->low > at ? a->low - at : 0;
    if (at >= a->high || (at >= n && !a->item))
        return low ? grammar_never(s->b) : grammar_empty(s->b);
    grammar_expr comma = json_parts_comma(&s->parts), empty = grammar_empty(s->b);
    if (at >= n && at > 0) {
        uint32_t high = a->high == GRAMMAR_UNBOUNDED ? a->high : a->high - at;
        return grammar_repeat(s->b, expr_seq2(s->b, comma, a->item), low, high);
    }
    char number[16];
    snprintf(number, sizeof number, "%u", at);
    grammar_expr item = a->item;
    if (at < n)
        item = json_schema_compile_at(s, json_array_get(a->prefix, at), "prefixItems", number);
    grammar_expr some = expr_seq3(s->b, at ? comma : empty, item, further(a, at + 1));
    return low ? some : grammar_optional(s->b, some);
}

/* Some of the constants, each at most once and in their order: so all are different. */
static grammar_expr unique_items(struct array *a, const json_t *list) {
    struct json_schema *s = a->s;
    uint32_t n = (uint32_t)json_array_size(list);
    if (a->low > 1 || a->high < n || n > MAX_UNIQUE)
        return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                "\"uniqueItems\" is supported for at most %d constants, with no "
                                "\"maxItems\" below their number and no \"minItems\" above 1",
                                MAX_UNIQUE);
    grammar_expr comma = json_parts_comma(&s->parts), rest = grammar_empty(s->b);
    struct expr_list some = {0};
    if (a->low == 0) expr_push(s->b, &some, rest);
    for (uint32_t i = n; i-- > 0 && !json_schema_failed(s);) {
        grammar_expr item = json_parts_constant(&s->parts, json_array_get(list, i));
        expr_push(s->b, &some, expr_seq2(s->b, item, rest));
        rest = json_schema_rule(
            s, expr_seq2(s->b, grammar_optional(s->b, expr_seq2(s->b, comma, item)), rest));
    }
    return expr_alt_of(s->b, &some);
}

/* The constants that "items" allows; NULL: not only constants, or not all different. */
static const json_t *constant_items(struct json_schema *s, const json_t *items) {
    const json_t *flat = items ? json_schema_flat(s, items) : NULL;
    const json_t *list = json_object_get(flat, "enum");
    int types = list ? json_schema_types(s, flat) : 0;
    if (json_array_size(list) > MAX_UNIQUE) return list; // refused later
    if (!list || json_object_get(flat, "const") || json_object_get(flat, "anyOf")) return NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_schema_has_type(types, json_array_get(list, i))) return NULL;
        for (size_t k = 0; k < i; k++) {
            const json_t *x = json_array_get(list, i), *y = json_array_get(list, k);
            bool numbers = json_is_number(x) && json_is_number(y);
            if (json_equal(x, y) || (numbers && json_number_value(x) == json_number_value(y)))
                return NULL;
        }
    }
    return list;
}

grammar_expr json_schema_array(struct json_schema *s, const json_t *schema) {
    const json_t *items = json_object_get(schema, "items");
    struct array a = {.s = s, .prefix = json_object_get(schema, "prefixItems")};
    a.high = GRAMMAR_UNBOUNDED;
    json_schema_count(s, schema, "minItems", &a.low);
    json_schema_count(s, schema, "maxItems", &a.high);
    if (a.prefix && (!json_is_array(a.prefix) || json_array_size(a.prefix) == 0))
        return json_schema_fail(s, JL_ERR_FORMAT, "\"prefixItems\" must be a list of schemas");
    if (json_array_size(a.prefix) > GRAMMAR_MAX_DEPTH)
        return json_schema_fail(s, JL_ERR_LIMIT, "\"prefixItems\" has more than %d schemas",
                                GRAMMAR_MAX_DEPTH);
    bool unique = json_is_true(json_object_get(schema, "uniqueItems")) && a.high > 1;
    const json_t *constants = unique && !a.prefix ? constant_items(s, items) : NULL;
    if (unique && !constants)
        json_schema_fail(s, JL_ERR_UNSUPPORTED,
                         "\"uniqueItems\" is supported only where \"items\" is an \"enum\"");
    if (json_schema_failed(s)) return 0;
    if (constants) return json_parts_enclosed(&s->parts, '[', unique_items(&a, constants), ']');
    if (items && !json_is_false(items))
        a.item = json_schema_rule(s, json_schema_compile_at(s, items, "items", NULL));
    else if (!items && !a.prefix)
        a.item = json_parts_value(&s->parts);
    return json_parts_enclosed(&s->parts, '[', further(&a, 0), ']');
}
