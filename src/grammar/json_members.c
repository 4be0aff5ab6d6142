/* Arguments between marks. What reads them (text/dialect.h) takes a bare text for JSON where it is
 * JSON of a type that the argument may have, strings aside, and for a string else: so what is made
 * as a string must not look like JSON of such a type, and strings never stand in quotes. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "grammar/json_schema.h"

#define TEXT_FORM (PATTERN_TEXT | PATTERN_NO_ANGLE)
#define NOT_IN_NAMES "<>\"\n"
#define WORDS (JSON_SCHEMA_NULL | JSON_SCHEMA_BOOLEAN)

struct members {
    const struct grammar_marks *marks;
    struct json_schema *s;
};

static grammar_expr bare_end(const struct members *m) {
    return expr_seq2(m->s->b, grammar_text(m->s->b, m->marks->value_pad),
                     grammar_text(m->s->b, m->marks->value_end));
}

/* What stands between a name's mark and the value: of a string, or of JSON. */
static grammar_expr bare_begin(const struct members *m, bool string) {
    const char *type = !m->marks->typed ? "" : string ? "true\">" : "false\">";
    return expr_seq3(m->s->b, grammar_text(m->s->b, type),
                     grammar_text(m->s->b, m->marks->value_open),
                     grammar_text(m->s->b, m->marks->value_pad));
}

static grammar_expr bare_json(const struct members *m, grammar_expr value) {
    return expr_seq3(m->s->b, bare_begin(m, false), value, bare_end(m));
}

/* Can its reader see which types it may have? References are not followed there. */
static bool types_are_seen(const json_t *schema) {
    static const char *const lists[] = {"anyOf", "oneOf", "allOf"};
    if (!json_is_object(schema) || json_object_get(schema, "$ref")) return false;
    if (json_object_get(schema, "type")) return true;
    bool seen = json_object_get(schema, "enum") || json_object_get(schema, "const");
    for (size_t k = 0; k < 3; k++) {
        const json_t *list = json_object_get(schema, lists[k]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            if (!types_are_seen(json_array_get(list, i))) return false;
            seen = true;
        }
    }
    return seen;
}

/* A text that is no JSON of these types, as its first character shows. Words are right where their
 * types are; where all types are possible, they are not. */
static grammar_expr first_char(const struct members *m, int types) {
    struct charset set = {0};
    bool fits = charset_add(&set, 0, CHARSET_END - 1) && charset_remove(&set, 0, ' ');
    if (types & (JSON_SCHEMA_INTEGER | JSON_SCHEMA_NUMBER))
        fits = fits && charset_remove(&set, '-', '-') && charset_remove(&set, '0', '9');
    if (types & JSON_SCHEMA_OBJECT) fits = fits && charset_remove(&set, '{', '{');
    if (types & JSON_SCHEMA_ARRAY) fits = fits && charset_remove(&set, '[', '[');
    for (const char *word = "tfn"; *word && types == JSON_SCHEMA_ALL; word++) // true, false, null
        fits = fits && charset_remove(&set, (uint8_t)*word, (uint8_t)*word);
    grammar_expr made = pattern_char(m->s->b, &set, TEXT_FORM);
    charset_free(&set);
    if (!fits) json_schema_no_memory(m->s);
    return made;
}

/* A string with its end. `others`: types that its reader would take a bare text for. */
static grammar_expr string_end(const struct members *m, const json_t *schema, int others) {
    struct grammar_builder *b = m->s->b;
    bool free_text = json_schema_any_text(schema);
    if (!others && free_text) { // the white space around its end is no part of a mark
        const char *end = m->marks->value_end;
        size_t n = strcspn(end, " \n");
        return expr_seq2(b, grammar_text_until(b, end, n, -1), grammar_text(b, end + n));
    }
    if (free_text) {
        grammar_expr rest = grammar_repeat(b, pattern_any(b, TEXT_FORM), 0, GRAMMAR_UNBOUNDED);
        grammar_expr some = expr_seq2(b, first_char(m, others), rest);
        return expr_seq2(b, grammar_optional(b, some), bare_end(m));
    }
    if (others & ~WORDS)
        return json_schema_fail(m->s, JL_ERR_UNSUPPORTED,
                                "an argument that may be a string of some form or of another type "
                                "cannot be told apart in this model's format: give it one type");
    return expr_seq2(b, json_schema_text(m->s, schema, TEXT_FORM), bare_end(m));
}

static grammar_expr bare_string(const struct members *m, const json_t *schema, int others) {
    if (m->marks->typed) others = 0; // the mark says what it is
    return expr_seq2(m->s->b, bare_begin(m, true), string_end(m, schema, others));
}

/* Does a bare text read as JSON other than a string? */
static bool reads_as_json(const char *text, size_t len) {
    json_t *value;
    if (jl_json_load(text, len, 0, &value, NULL) != JL_OK) return false;
    bool other = !json_is_string(value);
    json_decref(value);
    return other;
}

static grammar_expr bare_constant(const struct members *m, const json_t *value, bool only_strings) {
    struct json_schema *s = m->s;
    if (!json_is_string(value)) return bare_json(m, json_parts_constant(&s->parts, value));
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    only_strings = only_strings || m->marks->typed;
    bool clear = !memchr(text, '<', len) && (only_strings || !reads_as_json(text, len));
    if (!clear)
        return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                "the constant \"%.64s\" cannot be written in this model's format",
                                text);
    return expr_seq3(s->b, bare_begin(m, true), grammar_literal(s->b, text, len), bare_end(m));
}

static grammar_expr bare_constants(const struct members *m, const json_t *schema, bool seen) {
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    int types = json_schema_types(m->s, schema);
    struct expr_list parts = {0};
    bool only_strings = seen;
    for (size_t i = 0; i < json_array_size(list); i++)
        only_strings = only_strings && json_is_string(json_array_get(list, i));
    for (size_t i = 0; i < (list ? json_array_size(list) : 1); i++) {
        const json_t *value = list ? json_array_get(list, i) : only;
        if ((only && !json_equal(only, value)) || !json_schema_has_type(types, value)) continue;
        expr_push(m->s->b, &parts, bare_constant(m, value, only_strings && json_is_string(value)));
    }
    return expr_alt_of(m->s->b, &parts);
}

/* The schema with another "type"; owned by m->s. */
static const json_t *with_types(const struct members *m, const json_t *schema, int types) {
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    json_t *copy = json_copy((json_t *)schema), *list = json_array();
    bool fits = copy && list;
    for (int i = 0; i < 7 && fits; i++)
        if (types >> i & 1) fits = json_array_append_new(list, json_string(names[i])) == 0;
    fits = fits && json_object_set(copy, "type", list) == 0;
    json_decref(list);
    if (copy && json_array_append_new(m->s->merged, copy) == 0 && fits) return copy;
    json_schema_no_memory(m->s);
    return NULL;
}

/* A value with its end; `types`: those of all the argument's alternatives, if `seen`. */
static grammar_expr bare_value(const struct members *m, const json_t *schema, int types,
                               bool seen) {
    struct json_schema *s = m->s;
    struct expr_list parts = {0};
    if (json_is_false(schema)) return grammar_never(s->b);
    if (json_object_get(schema, "enum") || json_object_get(schema, "const"))
        return bare_constants(m, schema, seen);
    int own = json_schema_types(s, schema), others = own & ~JSON_SCHEMA_STRING;
    if (own & JSON_SCHEMA_STRING)
        expr_push(s->b, &parts,
                  bare_string(m, schema, seen ? types & ~JSON_SCHEMA_STRING : JSON_SCHEMA_ALL));
    const json_t *rest = others ? with_types(m, schema, others) : NULL;
    if (rest) expr_push(s->b, &parts, bare_json(m, json_schema_compile(s, rest)));
    return expr_alt_of(s->b, &parts);
}

static int all_types(struct json_schema *s, const json_t *schema, const json_t *branches) {
    int types = branches ? 0 : json_schema_types(s, schema);
    for (size_t i = 0; i < json_array_size(branches); i++) {
        const json_t *both = json_schema_flat(s, json_array_get(branches, i));
        types |= json_is_object(both) ? json_schema_types(s, both) : JSON_SCHEMA_ALL;
    }
    return types;
}

/* Alternative by alternative, of "anyOf". */
static grammar_expr bare_branches(const struct members *m, const json_t *flat, int types,
                                  bool seen) {
    struct json_schema *s = m->s;
    const json_t *any = json_object_get(flat, "anyOf");
    json_t *without = json_copy((json_t *)flat);
    struct expr_list parts = {0};
    if (!without || json_array_append_new(s->merged, without) != 0) {
        json_schema_no_memory(s);
        return 0;
    }
    json_object_del(without, "anyOf");
    for (size_t i = 0; i < json_array_size(any) && !json_schema_failed(s); i++) {
        const json_t *branch = json_schema_both(s, without, json_array_get(any, i));
        if (!branch) break;
        if (json_object_get(branch, "anyOf") || json_object_get(branch, "oneOf"))
            json_schema_fail(s, JL_ERR_UNSUPPORTED,
                             "alternatives of alternatives are not supported for an argument that "
                             "may be a string in this model's format");
        expr_push(s->b, &parts, bare_value(m, branch, types, seen));
    }
    return expr_alt_of(s->b, &parts);
}

static grammar_expr argument(const struct members *m, const json_t *schema) {
    struct json_schema *s = m->s;
    const json_t *flat = json_schema_flat(s, schema);
    bool seen = types_are_seen(schema);
    if (!flat) return 0;
    if (json_is_true(flat) || json_schema_only_notes(flat, "")) // whatever it is read as is valid
        return bare_string(m, json_null(), 0);
    const json_t *any = json_object_get(flat, "anyOf"), *one = json_object_get(flat, "oneOf");
    int types = json_is_object(flat) ? all_types(s, flat, any ? any : one) : 0;
    if (!any && !one) return bare_value(m, flat, types, seen);
    if (!(types & JSON_SCHEMA_STRING)) return bare_json(m, json_schema_compile(s, schema));
    if (!one) return bare_branches(m, flat, types, seen);
    return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                            "\"oneOf\" with a string is not supported for an argument of a tool in "
                            "this model's format: use \"anyOf\"");
}

static grammar_expr member(const void *ctx, const char *name, const json_t *schema) {
    const struct members *m = ctx;
    struct json_schema *s = m->s;
    if (strpbrk(name, NOT_IN_NAMES))
        return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                "the name \"%.64s\" cannot be written in this model's format",
                                name);
    grammar_expr parts[] = {grammar_text(s->b, m->marks->key_open), grammar_text(s->b, name),
                            grammar_text(s->b, m->marks->key_end), argument(m, schema)};
    return grammar_seq(s->b, parts, sizeof parts / sizeof *parts);
}

static grammar_expr make_members(struct json_schema *s, const json_t *root, const void *ctx) {
    struct members m = {ctx, s};
    s->parts.no_angle = true;
    const json_t *schema = json_schema_flat(s, root);
    if (!schema) return 0;
    if (m.marks->value_end[0] != '<')
        return expr_fail(s->b, JL_ERR_USAGE, "the mark behind a value must begin with '<'");
    if (json_is_false(schema) || !(json_schema_types(s, schema) & JSON_SCHEMA_OBJECT))
        return json_schema_fail(s, JL_ERR_UNSUPPORTED, "a tool's arguments must be an object");
    static const char *const others[] = {"anyOf", "oneOf", "enum", "const"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(schema, others[i]))
            return json_schema_fail(s, JL_ERR_UNSUPPORTED,
                                    "\"%s\" for a tool's arguments as a whole is not supported in "
                                    "this model's format",
                                    others[i]);
    if (json_is_true(schema)) return grammar_empty(s->b);
    return json_schema_members(s, schema, member, &m);
}

grammar_expr grammar_json_members(struct grammar_builder *b, const char *schema, size_t len,
                                  const struct grammar_json_options *options,
                                  const struct grammar_marks *marks) {
    return json_schema_read(b, schema, len, options, make_members, marks);
}
