#include "grammar/pattern.h"

#include <string.h>

#include "grammar/expr.h"
#include "text/json_escape.h"
#include "text/utf8.h"

static grammar_expr no_memory(struct grammar_builder *b) {
    return expr_fail(b, JL_ERR_MEMORY, "out of memory for a grammar");
}

static grammar_expr spelled(struct grammar_builder *b, uint32_t code) {
    char out[JSON_ESCAPE_BYTES];
    int n = json_escape_char(code, false, out);
    return grammar_literal(b, out, (size_t)n);
}

/* NUL is left out: few readers take it. */
static bool needs_escape(uint32_t code) {
    return (code > 0 && code < 0x20) || code == '"' || code == '\\';
}

static bool has_all_escapes(const struct charset *set) {
    for (uint32_t code = 1; code <= '\\'; code++)
        if (needs_escape(code) && !charset_has(set, code)) return false;
    return true;
}

/* Those of the set that need an escape; NULL: all there are. */
static grammar_expr escapes(struct grammar_builder *b, const struct charset *set) {
    struct expr_list parts = {0};
    for (uint32_t code = 1; code <= '\\'; code++)
        if (needs_escape(code) && (!set || charset_has(set, code)))
            expr_push(b, &parts, spelled(b, code));
    return expr_alt_of(b, &parts);
}

/* All escapes, as one rule. */
static grammar_expr any_escape(struct grammar_builder *b) {
    grammar_rule *slot = &b->json[0][EXPR_JSON_ESCAPE];
    if (!*slot) {
        grammar_rule rule = grammar_declare(b, "escape", 6);
        if (b->error.status != JL_OK) return 0;
        b->rules[rule].shared = true;
        grammar_define(b, rule, escapes(b, NULL));
        *slot = rule + 1;
    }
    return grammar_ref(b, *slot - 1);
}

static grammar_expr json_char(struct grammar_builder *b, const struct charset *set) {
    struct charset plain = {0};
    bool fits = charset_add_all(&plain, set) && charset_remove(&plain, 0, 0x1F) &&
                charset_remove(&plain, '"', '"') && charset_remove(&plain, '\\', '\\');
    grammar_expr some = has_all_escapes(set) ? any_escape(b) : escapes(b, set);
    grammar_expr made =
        expr_alt2(b, some, grammar_chars(b, (const uint32_t(*)[2])plain.ranges, plain.n));
    charset_free(&plain);
    return fits ? made : no_memory(b);
}

grammar_expr pattern_char(struct grammar_builder *b, const struct charset *set,
                          enum pattern_form form) {
    if (form == PATTERN_JSON) return expr_unit(b, json_char(b, set));
    return expr_unit(b, grammar_chars(b, (const uint32_t(*)[2])set->ranges, set->n));
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
                  form == PATTERN_JSON ? spelled(b, code)
                                       : grammar_literal(b, text + at, (size_t)n));
        at += (size_t)n;
    }
    return expr_seq_of(b, &parts);
}

grammar_expr pattern_any_text(struct grammar_builder *b) {
    grammar_rule *slot = &b->json[0][EXPR_JSON_REST];
    if (!*slot) {
        grammar_rule rule = grammar_declare(b, "text", 4);
        if (b->error.status != JL_OK) return 0;
        b->rules[rule].shared = true;
        grammar_define(b, rule,
                       grammar_repeat(b, pattern_any(b, PATTERN_JSON), 0, GRAMMAR_UNBOUNDED));
        *slot = rule + 1;
    }
    return grammar_ref(b, *slot - 1);
}

grammar_expr pattern_any(struct grammar_builder *b, enum pattern_form form) {
    struct charset all = {0};
    if (!charset_add(&all, 0, CHARSET_END - 1)) return no_memory(b);
    grammar_expr made = pattern_char(b, &all, form);
    charset_free(&all);
    return made;
}
