#include "grammar/pattern.h"

#include <string.h>

#include "grammar/expr.h"
#include "text/json_escape.h"
#include "text/utf8.h"

static grammar_expr no_memory(struct grammar_builder *b) {
    return expr_fail(b, JL_ERR_MEMORY, "out of memory for a grammar");
}

/* NUL is left out: few readers take it. */
static bool needs_escape(uint32_t code, enum pattern_form form) {
    if (code == '<') return form & PATTERN_NO_ANGLE;
    return (code > 0 && code < 0x20) || code == '"' || code == '\\';
}

static grammar_expr spelled(struct grammar_builder *b, uint32_t code, enum pattern_form form) {
    char out[JSON_ESCAPE_BYTES];
    if (code == '<' && (form & PATTERN_NO_ANGLE)) return grammar_text(b, "\\u003c");
    return grammar_literal(b, out, (size_t)json_escape_char(code, false, out));
}

static bool has_all_escapes(const struct charset *set, enum pattern_form form) {
    for (uint32_t code = 1; code <= '\\'; code++)
        if (needs_escape(code, form) && !charset_has(set, code)) return false;
    return true;
}

/* Those of the set that need an escape; NULL: all there are. */
static grammar_expr escapes(struct grammar_builder *b, const struct charset *set,
                            enum pattern_form form) {
    struct expr_list parts = {0};
    for (uint32_t code = 1; code <= '\\'; code++)
        if (needs_escape(code, form) && (!set || charset_has(set, code)))
            expr_push(b, &parts, spelled(b, code, form));
    return expr_alt_of(b, &parts);
}

/* The builder's rule for something of a form; *made: it is already defined. */
static grammar_rule rule_of(struct grammar_builder *b, enum expr_json which, enum pattern_form form,
                            const char *name, bool *made) {
    grammar_rule *slot = &b->json[form & PATTERN_NO_ANGLE ? EXPR_NO_ANGLE : 0][which];
    *made = *slot != 0;
    if (!*made) {
        grammar_rule rule = grammar_declare(b, name, strlen(name));
        if (b->error.status != JL_OK) return 0;
        b->rules[rule].shared = true;
        *slot = rule + 1;
    }
    return *slot - 1;
}

static grammar_expr any_escape(struct grammar_builder *b, enum pattern_form form) {
    bool made;
    grammar_rule rule = rule_of(b, EXPR_JSON_ESCAPE, form, "escape", &made);
    if (!made) grammar_define(b, rule, escapes(b, NULL, form));
    return grammar_ref(b, rule);
}

static grammar_expr json_char(struct grammar_builder *b, const struct charset *set,
                              enum pattern_form form) {
    struct charset plain = {0};
    bool fits = charset_add_all(&plain, set) && charset_remove(&plain, 0, 0);
    for (uint32_t code = 1; code <= '\\' && fits; code++)
        if (needs_escape(code, form)) fits = charset_remove(&plain, code, code);
    grammar_expr some = has_all_escapes(set, form) ? any_escape(b, form) : escapes(b, set, form);
    grammar_expr made =
        expr_alt2(b, some, grammar_chars(b, (const uint32_t(*)[2])plain.ranges, plain.n));
    charset_free(&plain);
    return fits ? made : no_memory(b);
}

grammar_expr pattern_char(struct grammar_builder *b, const struct charset *set,
                          enum pattern_form form) {
    if (form & PATTERN_JSON) return expr_unit(b, json_char(b, set, form));
    struct charset plain = {0};
    bool fits = charset_add_all(&plain, set) &&
                (!(form & PATTERN_NO_ANGLE) ||
                 (charset_remove(&plain, '<', '<') && charset_remove(&plain, 0, 0)));
    grammar_expr made = expr_unit(b, grammar_chars(b, (const uint32_t(*)[2])plain.ranges, plain.n));
    charset_free(&plain);
    return fits ? made : no_memory(b);
}

grammar_expr pattern_literal(struct grammar_builder *b, const char *text, size_t len,
                             enum pattern_form form) {
    struct expr_list parts = {0};
    for (size_t at = 0; at < len;) {
        uint32_t code;
        int n = utf8_decode(text + at, len - at, &code);
        if (n == 0) {
            expr_fail(b, JL_ERR_FORMAT, "a text in a grammar is no UTF-8 at byte %zu", at);
            break;
        }
        expr_push(b, &parts,
                  form & PATTERN_JSON ? spelled(b, code, form)
                                      : grammar_literal(b, text + at, (size_t)n));
        at += (size_t)n;
    }
    return expr_seq_of(b, &parts);
}

grammar_expr pattern_any(struct grammar_builder *b, enum pattern_form form) {
    struct charset all = {0};
    if (!charset_add(&all, 0, CHARSET_END - 1)) return no_memory(b);
    grammar_expr made = pattern_char(b, &all, form);
    charset_free(&all);
    return made;
}

grammar_expr pattern_any_text(struct grammar_builder *b, enum pattern_form form) {
    bool made;
    grammar_rule rule = rule_of(b, EXPR_JSON_REST, form, "text", &made);
    if (!made)
        grammar_define(
            b, rule, grammar_repeat(b, pattern_any(b, form | PATTERN_JSON), 0, GRAMMAR_UNBOUNDED));
    return grammar_ref(b, rule);
}
