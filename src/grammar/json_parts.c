#include "grammar/json_parts.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/expr.h"
#include "text/number_text.h"

#define INDENT 40 // most spaces that begin a line

#define HEX "[0-9A-Fa-f]"
#define NOT_NUL "0(?:0(?:0[1-9A-Fa-f]|[1-9A-Fa-f]" HEX ")|[1-9A-Fa-f]" HEX "{2})" // 0001 to 0fff

/* The rule of the builder for one of these, declared if `*made` is false then. */
static grammar_rule rule_of(const struct json_parts *p, enum expr_json which, const char *name,
                            bool *made) {
    grammar_rule *slot = &p->b->json[p->space + (p->no_angle ? EXPR_NO_ANGLE : 0)][which];
    *made = *slot != 0;
    if (!*made) {
        grammar_rule rule = grammar_declare(p->b, name, strlen(name));
        if (p->b->error.status != JL_OK) return 0;
        p->b->rules[rule].shared = true;
        *slot = rule + 1;
    }
    return *slot - 1;
}

/* ---- space ---- */

static grammar_expr line_space(const struct json_parts *p) {
    bool made;
    grammar_rule rule = rule_of(p, EXPR_JSON_SPACE, "space", &made);
    if (!made)
        grammar_define(p->b, rule,
                       expr_seq2(p->b, grammar_text(p->b, "\n"),
                                 grammar_repeat(p->b, grammar_text(p->b, " "), 0, INDENT)));
    return grammar_optional(p->b, grammar_ref(p->b, rule));
}

static grammar_expr behind(const struct json_parts *p, const char *mark, bool line) {
    grammar_expr text = grammar_text(p->b, mark);
    if (p->space == GRAMMAR_SPACE_COMPACT) return text;
    grammar_expr space = grammar_optional(p->b, grammar_text(p->b, " "));
    if (p->space == GRAMMAR_SPACE_LINES && line)
        space = expr_alt2(p->b, grammar_text(p->b, " "), line_space(p));
    return expr_seq2(p->b, text, space);
}

grammar_expr json_parts_comma(const struct json_parts *p) { return behind(p, ",", true); }

grammar_expr json_parts_colon(const struct json_parts *p) { return behind(p, ":", false); }

grammar_expr json_parts_enclosed(const struct json_parts *p, char open, grammar_expr inside,
                                 char close) {
    grammar_expr first = grammar_literal(p->b, &open, 1), last = grammar_literal(p->b, &close, 1);
    if (p->space != GRAMMAR_SPACE_LINES) return expr_seq3(p->b, first, inside, last);
    grammar_expr parts[] = {first, line_space(p), inside, line_space(p), last};
    return grammar_seq(p->b, parts, 5);
}

grammar_expr json_parts_quoted(const struct json_parts *p, grammar_expr inside) {
    grammar_expr quote = grammar_text(p->b, "\"");
    return expr_seq3(p->b, quote, inside, quote);
}

grammar_expr json_parts_member(const struct json_parts *p, grammar_expr key, grammar_expr value) {
    return expr_seq3(p->b, key, json_parts_colon(p), value);
}

grammar_expr json_parts_key(const struct json_parts *p, const char *name, size_t len) {
    return json_parts_quoted(p, pattern_literal(p->b, name, len, json_parts_form(p)));
}

/* ---- values ---- */

#define ESCAPES                                                                                    \
    "|\\\\(?:[\"\\\\/bfnrt]|u(?:" NOT_NUL "|[1-9A-CEFa-cef]" HEX "{3}|[Dd][0-7]" HEX "{2}|"        \
    "[Dd][89ABab]" HEX "{2}\\\\u[Dd][C-Fc-f]" HEX "{2}))"

grammar_expr json_parts_char(const struct json_parts *p) {
    static const char any[] = "[^\"\\\\\\x00-\\x1f]" ESCAPES;
    static const char no_angle[] = "[^\"\\\\\\x00-\\x1f<]" ESCAPES;
    return p->no_angle ? grammar_regex(p->b, no_angle, sizeof no_angle - 1)
                       : grammar_regex(p->b, any, sizeof any - 1);
}

enum pattern_form json_parts_form(const struct json_parts *p) {
    return p->no_angle ? PATTERN_JSON | PATTERN_NO_ANGLE : PATTERN_JSON;
}

grammar_expr json_parts_string(const struct json_parts *p) {
    bool made;
    grammar_rule rule = rule_of(p, EXPR_JSON_STRING, "string", &made);
    if (!made)
        grammar_define(
            p->b, rule,
            json_parts_quoted(p, grammar_repeat(p->b, json_parts_char(p), 0, GRAMMAR_UNBOUNDED)));
    return grammar_ref(p->b, rule);
}

grammar_expr json_parts_number(const struct json_parts *p) {
    bool made;
    grammar_rule rule = rule_of(p, EXPR_JSON_NUMBER, "number", &made);
    if (!made) grammar_define(p->b, rule, json_number_any(p->b));
    return grammar_ref(p->b, rule);
}

grammar_expr json_parts_object(const struct json_parts *p) {
    bool made;
    grammar_rule rule = rule_of(p, EXPR_JSON_OBJECT, "object", &made);
    if (made) return grammar_ref(p->b, rule);
    grammar_expr member = json_parts_member(p, json_parts_string(p), json_parts_value(p));
    struct grammar_item item = {member, 0, 1};
    grammar_expr list = grammar_list(p->b, &item, 1, json_parts_comma(p));
    grammar_define(p->b, rule, json_parts_enclosed(p, '{', list, '}'));
    return grammar_ref(p->b, rule);
}

grammar_expr json_parts_value(const struct json_parts *p) {
    bool made;
    grammar_rule rule = rule_of(p, EXPR_JSON_VALUE, "value", &made);
    if (made) return grammar_ref(p->b, rule);
    struct grammar_item item = {grammar_ref(p->b, rule), 0, 1};
    grammar_expr list = grammar_list(p->b, &item, 1, json_parts_comma(p));
    grammar_expr kinds[] = {
        json_parts_object(p),       json_parts_enclosed(p, '[', list, ']'),
        json_parts_string(p),       json_parts_number(p),
        grammar_text(p->b, "true"), grammar_text(p->b, "false"),
        grammar_text(p->b, "null"),
    };
    grammar_define(p->b, rule, grammar_alt(p->b, kinds, sizeof kinds / sizeof *kinds));
    return grammar_ref(p->b, rule);
}

static grammar_expr constant(const struct json_parts *p, const json_t *value, int depth);

static grammar_expr joined(const struct json_parts *p, struct expr_list *parts, char open,
                           char close) {
    struct grammar_item *items = calloc(parts->n + 1, sizeof *items);
    grammar_expr list = 0;
    if (!items) expr_fail(p->b, JL_ERR_MEMORY, "out of memory for a grammar");
    for (size_t i = 0; i < parts->n && items; i++)
        items[i] = (struct grammar_item){parts->data[i], 1, 0};
    if (items) list = grammar_list(p->b, items, parts->n, json_parts_comma(p));
    free(items);
    free(parts->data);
    return json_parts_enclosed(p, open, list, close);
}

static grammar_expr constant_object(const struct json_parts *p, const json_t *value, int depth) {
    struct expr_list parts = {0};
    for (void *at = json_object_iter((json_t *)value); at;
         at = json_object_iter_next((json_t *)value, at)) {
        grammar_expr key =
            json_parts_key(p, json_object_iter_key(at), json_object_iter_key_len(at));
        expr_push(p->b, &parts,
                  json_parts_member(p, key, constant(p, json_object_iter_value(at), depth + 1)));
    }
    return joined(p, &parts, '{', '}');
}

static grammar_expr constant(const struct json_parts *p, const json_t *value, int depth) {
    char text[NUMBER_TEXT_BYTES];
    struct expr_list parts = {0};
    if (depth > GRAMMAR_MAX_DEPTH)
        return expr_fail(p->b, JL_ERR_LIMIT, "a constant is nested too deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT: return constant_object(p, value, depth);
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value); i++)
            expr_push(p->b, &parts, constant(p, json_array_get(value, i), depth + 1));
        return joined(p, &parts, '[', ']');
    case JSON_STRING: return json_parts_key(p, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        return grammar_text(p->b, text);
    case JSON_REAL:
        return grammar_literal(p->b, text, number_text_repr(json_real_value(value), text));
    case JSON_TRUE: return grammar_text(p->b, "true");
    case JSON_FALSE: return grammar_text(p->b, "false");
    default: return grammar_text(p->b, "null");
    }
}

grammar_expr json_parts_constant(const struct json_parts *p, const json_t *value) {
    return constant(p, value, 0);
}

/* ---- as the builder offers them ---- */

static struct json_parts parts_of(struct grammar_builder *b,
                                  const struct grammar_json_options *options) {
    return (struct json_parts){.b = b, .space = options ? options->space : GRAMMAR_SPACE_ONE};
}

grammar_expr grammar_json_object(struct grammar_builder *b,
                                 const struct grammar_json_options *options) {
    struct json_parts parts = parts_of(b, options);
    return json_parts_object(&parts);
}

grammar_expr grammar_json_value(struct grammar_builder *b,
                                const struct grammar_json_options *options) {
    struct json_parts parts = parts_of(b, options);
    return json_parts_value(&parts);
}
