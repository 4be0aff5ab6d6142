#include <stdio.h>

#include "grammar/json_schema.h"

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
    if (json_is_true(json_object_get(schema, "uniqueItems")) && a.high > 1)
        return json_schema_fail(s, JL_ERR_UNSUPPORTED, "\"uniqueItems\" is not supported");
    if (json_schema_failed(s)) return 0;
    if (items && !json_is_false(items))
        a.item = json_schema_rule(s, json_schema_compile_at(s, items, "items", NULL));
    else if (!items && !a.prefix)
        a.item = json_parts_value(&s->parts);
    return json_parts_enclosed(&s->parts, '[', further(&a, 0), ']');
}
