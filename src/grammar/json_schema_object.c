#include <stdlib.h>
#include <string.h>

#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/pattern.h"
#include "grammar/vocab.h"
#include "text/utf8.h"

#define MAX_NAME 256 // bytes of a property's name where others may stand beside it

/* ---- names that are not among those listed ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The rest of a name that differs from all of names[from, to), which are sorted and begin alike for
 * `at` bytes. Each character has one spelling, so differing in characters is differing in text. */
static grammar_expr other_rest(struct json_schema *s, const char **names, size_t from, size_t to,
                               size_t at) {
    struct charset others = {0};
    struct expr_list parts = {0};
    bool fits = charset_add(&others, 0, CHARSET_END - 1);
    if (from < to && names[from][at] == '\0')
        from++;
    else
        expr_push(s->b, &parts, grammar_empty(s->b));
    for (size_t end; from < to && fits && !json_schema_failed(s); from = end) {
        uint32_t code, next;
        const char *rest = names[from] + at;
        size_t n = (size_t)utf8_step(rest, strlen(rest), &code);
        for (end = from + 1; end < to; end++) {
            utf8_step(names[end] + at, strlen(names[end] + at), &next);
            if (next != code) break;
        }
        fits = charset_remove(&others, code, code);
        expr_push(
            s->b, &parts,
            grammar_seq(s->b,
                        (grammar_expr[]){pattern_literal(s->b, rest, n, json_parts_form(&s->parts)),
                                         other_rest(s, names, from, end, at + n)},
                        2));
    }
    grammar_expr other = pattern_char(s->b, &others, json_parts_form(&s->parts));
    expr_push(
        s->b, &parts,
        grammar_seq(
            s->b, (grammar_expr[]){other, pattern_any_text(s->b, json_parts_form(&s->parts))}, 2));
    charset_free(&others);
    if (!fits) json_schema_no_memory(s);
    return expr_alt_of(s->b, &parts);
}

static grammar_expr other_key(struct json_schema *s, const json_t *properties) {
    size_t n = 0, all = json_object_size(properties);
    if (all == 0) return json_parts_string(&s->parts);
    const char **names = calloc(all, sizeof *names);
    const char *name;
    json_t *value;
    if (!names) {
        json_schema_no_memory(s);
        return 0;
    }
    json_object_foreach((json_t *)properties, name, value) {
        if (strlen(name) > MAX_NAME)
            json_schema_fail(s, JL_ERR_LIMIT, "a property's name has more than %d bytes", MAX_NAME);
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, compare_names);
    grammar_expr made = json_schema_failed(s) ? 0 : other_rest(s, names, 0, n, 0);
    free(names);
    return json_schema_failed(s) ? 0 : json_parts_quoted(&s->parts, made);
}

/* ---- names by pattern ---- */

static grammar_expr pattern_key(struct grammar_builder *b, const char *pattern,
                                enum pattern_form form) {
    struct pattern_options options = {form, true, "a pattern of \"patternProperties\""};
    return pattern_expr(b, pattern, strlen(pattern), &options);
}

/* Does the pattern match one of the names? */
static bool matches_some(struct json_schema *s, const char *pattern, const json_t *properties) {
    struct grammar_builder *b = grammar_builder_new();
    struct grammar *g = NULL;
    struct grammar_vocab *v = NULL;
    struct grammar_matcher *m = NULL;
    struct jl_error err;
    bool found = false;
    enum jl_status status = b ? JL_OK : JL_ERR_MEMORY;
    if (status == JL_OK)
        status = grammar_compile(b, pattern_key(b, pattern, PATTERN_TEXT), &g, &err);
    if (status == JL_OK) status = grammar_vocab_new(NULL, 0, &v, &err);
    if (status == JL_OK) status = grammar_matcher_new(g, v, NULL, &m, &err);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)properties, name, value) {
        if (status != JL_OK) break;
        struct grammar_state state = grammar_start(m);
        enum jl_status took = grammar_accept_bytes(m, &state, name, strlen(name), &err);
        found = found || (took == JL_OK && grammar_is_complete(m, state));
        if (took != JL_OK && took != JL_ERR_USAGE) status = took;
    }
    if (status == JL_ERR_MEMORY)
        json_schema_no_memory(s);
    else if (status != JL_OK)
        json_schema_fail(s, status, "\"patternProperties\": %s", err.message);
    grammar_matcher_free(m);
    grammar_vocab_free(v);
    grammar_free(g);
    grammar_builder_free(b);
    return found;
}

static grammar_expr pattern_member(struct json_schema *s, const json_t *schema,
                                   const json_t *patterns) {
    const json_t *more = json_object_get(schema, "additionalProperties");
    const char *pattern = json_object_iter_key(json_object_iter((json_t *)patterns));
    if (json_object_size(patterns) != 1 || (more && !json_is_false(more)) ||
        (!more && s->open_objects))
        return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                "\"patternProperties\" is supported with one pattern, and with no "
                                "additional properties beside it");
    if (matches_some(s, pattern, json_object_get(schema, "properties")))
        return json_schema_fail(
            s, JL_ERR_UNSUPPORTED,
            "\"patternProperties\": the pattern also matches one of \"properties\"");
    if (json_schema_failed(s)) return 0;
    grammar_expr key =
        json_parts_quoted(&s->parts, pattern_key(s->b, pattern, json_parts_form(&s->parts)));
    const json_t *value = json_object_iter_value(json_object_iter((json_t *)patterns));
    return json_parts_member(&s->parts, key,
                             json_schema_compile_at(s, value, "patternProperties", pattern));
}

/* ---- objects ---- */

struct object {
    struct json_schema *s;
    const json_t *schema;
    struct grammar_item *items;
    size_t n, n_required;
    json_schema_member *write; // NULL: JSON
    const void *ctx;
};

static grammar_expr json_member(struct json_schema *s, const char *name, const json_t *value) {
    grammar_expr key = json_parts_key(&s->parts, name, strlen(name));
    return json_parts_member(&s->parts, key, json_schema_compile(s, value));
}

static void add_member(struct object *o, const char *name, const json_t *value, bool required) {
    struct json_schema *s = o->s;
    size_t before = s->path.len;
    if (json_is_false(value) && !required) return;
    json_schema_step(s, "properties");
    json_schema_step(s, name);
    grammar_expr made = o->write ? o->write(o->ctx, name, value) : json_member(s, name, value);
    s->path.len = before;
    o->items[o->n++] = (struct grammar_item){made, required, 0};
    o->n_required += required;
}

/* What may stand beside the named properties; 0: nothing, or an error. */
static grammar_expr further_member(struct object *o, const json_t *named) {
    struct json_schema *s = o->s;
    const json_t *more = json_object_get(o->schema, "additionalProperties");
    const json_t *patterns = json_object_get(o->schema, "patternProperties");
    if (o->write) {
        if (patterns)
            json_schema_fail(s, JL_ERR_UNSUPPORTED,
                             "\"patternProperties\" is not supported in this model's format");
        return 0;
    }
    if (patterns && json_object_size(patterns)) return pattern_member(s, o->schema, patterns);
    if (json_is_false(more)) return 0;
    if (!more && json_object_get(o->schema, "properties") && !s->open_objects) return 0;
    grammar_expr value = more ? json_schema_compile_at(s, more, "additionalProperties", NULL)
                              : json_parts_value(&s->parts);
    return json_parts_member(&s->parts, other_key(s, named), value);
}

/* The members of a map: no names are given, only how many there may be. */
static grammar_expr counted_members(struct object *o, grammar_expr member, uint32_t low,
                                    uint32_t high) {
    struct json_schema *s = o->s;
    if (low > 1)
        return json_schema_fail(
            s, JL_ERR_UNSUPPORTED,
            "\"minProperties\" above 1 without names is not supported: the same "
            "name might come twice");
    if (high == 0) return grammar_empty(s->b);
    member = json_schema_rule(s, member);
    grammar_expr more[] = {json_parts_comma(&s->parts), member};
    grammar_expr all[] = {member, grammar_repeat(s->b, grammar_seq(s->b, more, 2), 0,
                                                 high == GRAMMAR_UNBOUNDED ? high : high - 1)};
    grammar_expr some = grammar_seq(s->b, all, 2);
    return low ? some : grammar_optional(s->b, some);
}

static grammar_expr members(struct object *o, const json_t *named) {
    struct json_schema *s = o->s;
    uint32_t low = 0, high = GRAMMAR_UNBOUNDED;
    json_schema_count(s, o->schema, "minProperties", &low);
    json_schema_count(s, o->schema, "maxProperties", &high);
    grammar_expr further = further_member(o, named);
    if (json_schema_failed(s)) return 0;
    bool counted = low > o->n_required || high < o->n || (further && high != GRAMMAR_UNBOUNDED);
    if (counted && further && o->n == 0) return counted_members(o, further, low, high);
    if (counted)
        return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                "\"minProperties\" and \"maxProperties\" beside \"properties\" are "
                                "supported only where \"required\" ensures them");
    if (further) o->items[o->n++] = (struct grammar_item){further, 0, 1};
    return grammar_list(s->b, o->items, o->n,
                        o->write ? grammar_empty(s->b) : json_parts_comma(&s->parts));
}

static bool well_formed(struct json_schema *s, const json_t *schema) {
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *patterns = json_object_get(schema, "patternProperties");
    const json_t *required = json_object_get(schema, "required");
    if (properties && !json_is_object(properties))
        json_schema_fail(s, JL_ERR_FORMAT, "\"properties\" must be an object");
    if (patterns && !json_is_object(patterns))
        json_schema_fail(s, JL_ERR_FORMAT, "\"patternProperties\" must be an object");
    if (required && !json_is_array(required))
        json_schema_fail(s, JL_ERR_FORMAT, "\"required\" must be a list of names");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_is_string(json_array_get(required, i)))
            json_schema_fail(s, JL_ERR_FORMAT, "\"required\" must be a list of names");
    return !json_schema_failed(s);
}

/* Properties in the order of "properties", then those that are only required. `named`: all of them;
 * `wanted`: those that are required. */
static void add_members(struct object *o, json_t *named, json_t *wanted) {
    struct json_schema *s = o->s;
    const json_t *properties = json_object_get(o->schema, "properties");
    const json_t *required = json_object_get(o->schema, "required");
    const json_t *more = json_object_get(o->schema, "additionalProperties");
    const char *name;
    json_t *value;
    for (size_t i = 0; i < json_array_size(required); i++)
        if (json_object_set(wanted, json_string_value(json_array_get(required, i)), json_true()))
            json_schema_no_memory(s);
    json_object_foreach((json_t *)properties, name, value) {
        if (json_schema_failed(s)) return;
        if (json_object_set(named, name, value) != 0) json_schema_no_memory(s);
        add_member(o, name, value, json_object_get(wanted, name) != NULL);
    }
    for (size_t i = 0; i < json_array_size(required) && !json_schema_failed(s); i++) {
        name = json_string_value(json_array_get(required, i));
        if (json_object_get(named, name)) continue;
        if (json_object_get(o->schema, "patternProperties"))
            json_schema_fail(s, JL_ERR_UNSUPPORTED,
                             "\"required\" names \"%.64s\", which \"properties\" does not", name);
        const json_t *rest = more ? more : json_true();
        if (json_object_set(named, name, (json_t *)rest) != 0) json_schema_no_memory(s);
        add_member(o, name, rest, true);
    }
}

grammar_expr json_schema_members(struct json_schema *s, const json_t *schema,
                                 json_schema_member *write, const void *ctx) {
    if (!well_formed(s, schema)) return 0;
    size_t most = json_object_size(json_object_get(schema, "properties")) +
                  json_array_size(json_object_get(schema, "required")) + 1;
    struct object o = {.s = s, .schema = schema, .write = write, .ctx = ctx};
    o.items = calloc(most, sizeof *o.items);
    json_t *named = json_object(), *wanted = json_object();
    grammar_expr made = 0;
    if (!o.items || !named || !wanted) {
        json_schema_no_memory(s);
    } else {
        add_members(&o, named, wanted);
        if (!json_schema_failed(s)) made = members(&o, named);
    }
    free(o.items);
    json_decref(named);
    json_decref(wanted);
    return json_schema_failed(s) ? 0 : made;
}

grammar_expr json_schema_object(struct json_schema *s, const json_t *schema) {
    grammar_expr made = json_schema_members(s, schema, NULL, NULL);
    return json_schema_failed(s) ? 0 : json_parts_enclosed(&s->parts, '{', made, '}');
}
