/* GBNF, the grammar notation of llama.cpp: rules "name ::= ...", by recursive descent. */
#include <jansson.h>
#include <string.h>

#include "base/hex.h"
#include "grammar/builder.h"
#include "grammar/charset.h"
#include "grammar/expr.h"
#include "text/utf8.h"

struct parser {
    struct grammar_builder *b;
    const char *text;
    size_t len, at;
    int depth;
    json_t *rules; // name: number of the rule
};

static bool failed(const struct parser *p) { return p->b->error.status != JL_OK; }

static int peek(const struct parser *p) { return p->at < p->len ? (uint8_t)p->text[p->at] : -1; }

static size_t line_of(const struct parser *p) {
    size_t line = 1;
    for (size_t i = 0; i < p->at && i < p->len; i++)
        line += p->text[i] == '\n';
    return line;
}

static grammar_expr bad(struct parser *p, enum jl_status status, const char *what) {
    return expr_fail(p->b, status, "the grammar, line %zu: %s", line_of(p), what);
}

static grammar_expr no_memory(struct parser *p) {
    return expr_fail(p->b, JL_ERR_MEMORY, "out of memory for a grammar");
}

static bool take(struct parser *p, const char *text) {
    size_t n = strlen(text);
    if (p->len - p->at < n || memcmp(p->text + p->at, text, n) != 0) return false;
    p->at += n;
    return true;
}

/* Blanks and comments, with `lines` ends of lines, too. */
static void skip(struct parser *p, bool lines) {
    for (int c = peek(p); c == ' ' || c == '\t' || c == '#' || (lines && (c == '\n' || c == '\r'));
         c = peek(p)) {
        if (c == '#') {
            while (p->at < p->len && peek(p) != '\n' && peek(p) != '\r')
                p->at++;
        } else {
            p->at++;
        }
    }
}

static bool is_name(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static size_t take_name(struct parser *p, const char **name) {
    size_t begin = p->at;
    while (is_name(peek(p)))
        p->at++;
    *name = p->text + begin;
    if (p->at - begin > GRAMMAR_MAX_NAME) bad(p, JL_ERR_LIMIT, "a rule's name is too long");
    return failed(p) ? 0 : p->at - begin;
}

static grammar_rule rule_of(struct parser *p, const char *name, size_t len) {
    json_t *known = json_object_getn(p->rules, name, len);
    if (known) return (grammar_rule)json_integer_value(known);
    grammar_rule rule = grammar_declare(p->b, name, len);
    if (!failed(p) && json_object_setn_new(p->rules, name, len, json_integer(rule)) != 0)
        no_memory(p);
    return rule;
}

static uint32_t take_hex(struct parser *p, int n) {
    uint32_t code = 0;
    for (int i = 0; i < n; i++) {
        int digit = hex_digit(peek(p));
        if (digit < 0) {
            bad(p, JL_ERR_FORMAT, "too few hexadecimal digits");
            return 0;
        }
        code = code * 16 + (uint32_t)digit;
        p->at++;
    }
    if (code >= CHARSET_END) bad(p, JL_ERR_FORMAT, "an escape that is no code point");
    return code;
}

static uint32_t take_char(struct parser *p) {
    if (take(p, "\\")) {
        int c = peek(p);
        p->at++;
        switch (c) {
        case 'x': return take_hex(p, 2);
        case 'u': return take_hex(p, 4);
        case 'U': return take_hex(p, 8);
        case 't': return '\t';
        case 'n': return '\n';
        case 'r': return '\r';
        case '\\':
        case '"':
        case '[':
        case ']':
        case '-':
        case '^': return (uint32_t)c;
        default: bad(p, JL_ERR_FORMAT, "an unknown escape"); return 0;
        }
    }
    uint32_t code;
    int n = utf8_decode(p->text + p->at, p->len - p->at, &code);
    if (n == 0) bad(p, JL_ERR_FORMAT, "no UTF-8");
    p->at += n ? (size_t)n : 1;
    return n ? code : 0;
}

static grammar_expr parse_literal(struct parser *p) {
    struct expr_list parts = {0};
    while (!failed(p) && peek(p) >= 0 && peek(p) != '"') {
        char bytes[UTF8_MAX];
        uint32_t code = take_char(p);
        if (failed(p)) break;
        expr_push(p->b, &parts, grammar_literal(p->b, bytes, (size_t)utf8_encode(code, bytes)));
    }
    if (!failed(p) && !take(p, "\"")) bad(p, JL_ERR_FORMAT, "a literal without its end");
    return expr_seq_of(p->b, &parts);
}

static grammar_expr parse_class(struct parser *p) {
    struct charset set = {0};
    bool inverted = take(p, "^"), fits = true;
    while (!failed(p) && fits && peek(p) >= 0 && peek(p) != ']') {
        uint32_t first = take_char(p), last = first;
        if (peek(p) == '-' && p->at + 1 < p->len && p->text[p->at + 1] != ']') {
            p->at++;
            last = take_char(p);
            if (!failed(p) && first > last)
                bad(p, JL_ERR_FORMAT, "a range that ends before it begins");
        }
        fits = charset_add(&set, first, last);
        if (set.n > GRAMMAR_MAX_RANGES) bad(p, JL_ERR_LIMIT, "a class with too many ranges");
    }
    if (!fits)
        no_memory(p);
    else if (!failed(p) && !take(p, "]"))
        bad(p, JL_ERR_FORMAT, "a class without its end");
    if (inverted) fits = fits && charset_invert(&set);
    grammar_expr made =
        fits ? grammar_chars(p->b, (const uint32_t(*)[2])set.ranges, set.n) : no_memory(p);
    charset_free(&set);
    return made;
}

static grammar_expr parse_alternatives(struct parser *p, bool nested);

static grammar_expr parse_atom(struct parser *p) {
    const char *name;
    if (take(p, "\"")) return parse_literal(p);
    if (take(p, "[")) return parse_class(p);
    if (take(p, ".")) return grammar_chars(p->b, (const uint32_t[][2]){{0, CHARSET_END - 1}}, 1);
    if (take(p, "(")) {
        if (++p->depth > GRAMMAR_MAX_DEPTH) return bad(p, JL_ERR_LIMIT, "nested too deep");
        skip(p, true);
        grammar_expr inside = parse_alternatives(p, true);
        p->depth--;
        if (!failed(p) && !take(p, ")")) return bad(p, JL_ERR_FORMAT, "a ( without its )");
        return inside;
    }
    size_t len = take_name(p, &name);
    if (failed(p)) return 0;
    if (len == 0) return bad(p, JL_ERR_FORMAT, "a literal, class, group or rule is expected");
    return grammar_ref(p->b, rule_of(p, name, len));
}

static bool take_number(struct parser *p, uint32_t *out) {
    uint64_t value = 0;
    size_t begin = p->at;
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
        if (value < UINT32_MAX) value = value * 10 + (uint64_t)(peek(p) - '0');
    *out = value < GRAMMAR_UNBOUNDED ? (uint32_t)value : GRAMMAR_UNBOUNDED - 1;
    return p->at > begin;
}

/* Behind "{". */
static void parse_counts(struct parser *p, uint32_t *low, uint32_t *high) {
    skip(p, true);
    bool least = take_number(p, low);
    if (!least) *low = 0;
    *high = *low;
    skip(p, true);
    if (take(p, ",")) {
        skip(p, true);
        if (!take_number(p, high)) *high = GRAMMAR_UNBOUNDED;
    } else if (!least) {
        bad(p, JL_ERR_FORMAT, "a repetition without a count");
    }
    skip(p, true);
    if (!failed(p) && !take(p, "}")) bad(p, JL_ERR_FORMAT, "a { without its }");
    if (!failed(p) && *low > *high)
        bad(p, JL_ERR_FORMAT, "a repetition whose least count is the greater");
}

/* Any number of quantifiers, each of what stands before it. */
static grammar_expr parse_quantified(struct parser *p, bool nested) {
    grammar_expr atom = parse_atom(p);
    while (!failed(p)) {
        uint32_t low = 0, high = GRAMMAR_UNBOUNDED;
        skip(p, nested);
        if (take(p, "+"))
            low = 1;
        else if (take(p, "?"))
            high = 1;
        else if (take(p, "{"))
            parse_counts(p, &low, &high);
        else if (!take(p, "*"))
            break;
        if (!failed(p)) atom = grammar_repeat(p->b, atom, low, high);
    }
    return atom;
}

static bool ends_sequence(const struct parser *p) {
    int c = peek(p);
    return c < 0 || c == '|' || c == ')' || c == '\n' || c == '\r';
}

static grammar_expr parse_sequence(struct parser *p, bool nested) {
    struct expr_list parts = {0};
    for (skip(p, nested); !failed(p) && !ends_sequence(p); skip(p, nested))
        expr_push(p->b, &parts, parse_quantified(p, nested));
    return expr_seq_of(p->b, &parts);
}

/* An alternative may also stand on the next line, behind its bar. */
static bool take_bar(struct parser *p) {
    size_t before = p->at;
    skip(p, true);
    if (take(p, "|")) {
        skip(p, true);
        return true;
    }
    p->at = before;
    return false;
}

static grammar_expr parse_alternatives(struct parser *p, bool nested) {
    struct expr_list parts = {0};
    do
        expr_push(p->b, &parts, parse_sequence(p, nested));
    while (!failed(p) && take_bar(p));
    return expr_alt_of(p->b, &parts);
}

static void parse_rule(struct parser *p) {
    const char *name;
    size_t len = take_name(p, &name);
    if (failed(p)) return;
    if (len == 0) {
        bad(p, JL_ERR_FORMAT, "a rule's name is expected");
        return;
    }
    skip(p, false);
    if (!take(p, "::=")) {
        bad(p, JL_ERR_FORMAT, "::= is expected behind a rule's name");
        return;
    }
    skip(p, true);
    grammar_rule rule = rule_of(p, name, len);
    grammar_expr expr = parse_alternatives(p, false);
    if (failed(p)) return;
    if (p->b->rules[rule].expr)
        expr_fail(p->b, JL_ERR_FORMAT, "the grammar, line %zu: rule \"%.*s\" is defined twice",
                  line_of(p), (int)len, name);
    grammar_define(p->b, rule, expr);
    if (!failed(p) && peek(p) >= 0 && peek(p) != '\n' && peek(p) != '\r')
        bad(p, JL_ERR_FORMAT, "the end of the line is expected");
}

grammar_expr grammar_gbnf(struct grammar_builder *b, const char *text, size_t len) {
    struct parser p = {.b = b, .text = text, .len = len};
    if (b->error.status != JL_OK) return 0;
    if (len > GRAMMAR_MAX_SOURCE)
        return expr_fail(b, JL_ERR_LIMIT, "the grammar has more than %d bytes", GRAMMAR_MAX_SOURCE);
    p.rules = json_object();
    if (!p.rules) return no_memory(&p);
    size_t first = b->n_rule;
    for (skip(&p, true); !failed(&p) && p.at < p.len; skip(&p, true))
        parse_rule(&p);
    json_t *root = json_object_get(p.rules, "root");
    grammar_expr made = 0;
    for (size_t i = first; i < b->n_rule && !failed(&p); i++)
        if (!b->rules[i].expr)
            expr_fail(b, JL_ERR_FORMAT, "the grammar uses rule \"%s\", which it does not define",
                      b->rules[i].name);
    if (!root)
        expr_fail(b, JL_ERR_FORMAT, "the grammar has no rule \"root\"");
    else
        made = grammar_ref(b, (grammar_rule)json_integer_value(root));
    json_decref(p.rules);
    return made;
}
