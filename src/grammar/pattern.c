/* A subset of ECMA-262's regular expressions (with the flag u), by recursive descent. */
#include "grammar/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "grammar/expr.h"
#include "text/utf8.h"

struct parser {
    struct grammar_builder *b;
    const struct pattern_options *options;
    const char *text;
    size_t len, at;
    int depth;
};

static grammar_expr bad(struct parser *p, enum jl_status status, const char *what) {
    return expr_fail(p->b, status, "%s: %s at byte %zu", p->options->what, what, p->at);
}

static grammar_expr no_memory(struct parser *p) {
    return expr_fail(p->b, JL_ERR_MEMORY, "out of memory for a grammar");
}

static bool failed(const struct parser *p) { return p->b->error.status != JL_OK; }

static int peek(const struct parser *p, size_t ahead) {
    return p->at + ahead < p->len ? (uint8_t)p->text[p->at + ahead] : -1;
}

static bool next_is(const struct parser *p, const char *text) {
    size_t n = strlen(text);
    return p->len - p->at >= n && memcmp(p->text + p->at, text, n) == 0;
}

static bool take(struct parser *p, const char *text) {
    if (!next_is(p, text)) return false;
    p->at += strlen(text);
    return true;
}

static uint32_t take_char(struct parser *p) {
    uint32_t code = 0;
    int n = utf8_decode(p->text + p->at, p->len - p->at, &code);
    if (n == 0) {
        bad(p, JL_ERR_FORMAT, "no UTF-8");
        p->at = p->len;
        return 0;
    }
    p->at += (size_t)n;
    return code;
}

/* ---- escapes ---- */

static uint32_t take_hex(struct parser *p, int n) {
    uint32_t code = 0;
    for (int i = 0; i < n; i++) {
        int digit = hex_digit(peek(p, 0));
        if (digit < 0) {
            bad(p, JL_ERR_FORMAT, "too few hexadecimal digits");
            return 0;
        }
        code = code * 16 + (uint32_t)digit;
        p->at++;
    }
    return code;
}

/* Behind \u: four digits, two such that are one character, or digits in braces. */
static uint32_t take_unicode(struct parser *p) {
    if (take(p, "{")) {
        uint32_t code = 0;
        do
            code = code * 16 + take_hex(p, 1);
        while (!failed(p) && code < CHARSET_END && peek(p, 0) != '}');
        if (code >= CHARSET_END || !take(p, "}")) bad(p, JL_ERR_FORMAT, "no code point");
        return code;
    }
    uint32_t code = take_hex(p, 4);
    if (code < 0xD800 || code > 0xDBFF || !next_is(p, "\\u")) return code;
    size_t before = p->at;
    p->at += 2;
    uint32_t low = take_hex(p, 4);
    if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    p->at = before;
    return code;
}

static bool add_spaces(struct charset *set) {
    static const uint32_t spaces[][2] = {
        {9, 13},          {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    bool fits = true;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        fits = fits && charset_add(set, spaces[i][0], spaces[i][1]);
    return fits;
}

/* \d \w \s and their opposites; false: `c` is none of them. */
static bool add_class(struct parser *p, int c, struct charset *set) {
    struct charset some = {0};
    bool fits;
    switch (c | 0x20) {
    case 'd': fits = charset_add(&some, '0', '9'); break;
    case 'w':
        fits = charset_add(&some, '0', '9') && charset_add(&some, 'A', 'Z') &&
               charset_add(&some, '_', '_') && charset_add(&some, 'a', 'z');
        break;
    case 's': fits = add_spaces(&some); break;
    default: return false;
    }
    if (c < 'a') fits = fits && charset_invert(&some);
    fits = fits && charset_add_all(set, &some);
    charset_free(&some);
    if (!fits) no_memory(p);
    return true;
}

static uint32_t control_escape(struct parser *p) {
    int c = peek(p, 0) | 0x20;
    if (c < 'a' || c > 'z') {
        bad(p, JL_ERR_FORMAT, "\\c wants a letter");
        return 0;
    }
    p->at++;
    return (uint32_t)c & 31;
}

/* Behind a backslash: one character, or a class that is added to the set (*is_class). */
static uint32_t take_escape(struct parser *p, bool in_class, struct charset *set, bool *is_class) {
    int c = peek(p, 0);
    *is_class = c >= 0 && add_class(p, c, set);
    if (*is_class) {
        p->at++;
        return 0;
    }
    if (c == 'p' || c == 'P')
        return bad(p, JL_ERR_UNSUPPORTED, "\\p{...} is not supported, write the ranges out,");
    if (!in_class && (c == 'b' || c == 'B'))
        return bad(p, JL_ERR_UNSUPPORTED, "word boundaries (\\b, \\B) are not supported,");
    if ((c >= '1' && c <= '9') || (!in_class && c == 'k'))
        return bad(p, JL_ERR_UNSUPPORTED, "back-references are not supported,");
    p->at++;
    static const char names[] = "tnvfr0b", codes[] = "\t\n\v\f\r\0\b";
    const char *name = c > 0 ? strchr(names, c) : NULL;
    if (name && !(c == '0' && peek(p, 0) >= '0' && peek(p, 0) <= '9'))
        return (uint8_t)codes[name - names];
    if (c == 'x') return take_hex(p, 2);
    if (c == 'u') return take_unicode(p);
    if (c == 'c') return control_escape(p);
    if (c > 0 && strchr("^$\\.*+?()[]{}|/-", c)) return (uint32_t)c;
    if (c > 0 && strchr("'\"@#%&,:;<=>!~` _", c)) return (uint32_t)c;
    p->at--;
    return bad(p, JL_ERR_UNSUPPORTED, "an unknown escape");
}

/* ---- classes ---- */

static uint32_t class_char(struct parser *p, struct charset *set, bool *is_class) {
    *is_class = false;
    return take(p, "\\") ? take_escape(p, true, set, is_class) : take_char(p);
}

/* Behind "[". */
static grammar_expr parse_class(struct parser *p) {
    struct charset set = {0};
    bool inverted = take(p, "^"), fits = true;
    while (!failed(p) && fits && p->at < p->len && peek(p, 0) != ']') {
        bool is_class;
        uint32_t first = class_char(p, &set, &is_class), last = first;
        if (peek(p, 0) == '-' && peek(p, 1) >= 0 && peek(p, 1) != ']') {
            bool last_is_class;
            p->at++;
            last = class_char(p, &set, &last_is_class);
            if (is_class || last_is_class)
                bad(p, JL_ERR_FORMAT, "a range with a class as its end");
            else if (first > last)
                bad(p, JL_ERR_FORMAT, "a range that ends before it begins");
        }
        if (!is_class && !failed(p)) fits = charset_add(&set, first, last);
        if (set.n > GRAMMAR_MAX_RANGES) bad(p, JL_ERR_LIMIT, "a class with too many ranges");
    }
    if (!fits)
        no_memory(p);
    else if (!failed(p) && !take(p, "]"))
        bad(p, JL_ERR_FORMAT, "a class without its end");
    if (inverted) fits = fits && charset_invert(&set);
    grammar_expr made = fits ? pattern_char(p->b, &set, p->options->form) : no_memory(p);
    charset_free(&set);
    return made;
}

static grammar_expr parse_dot(struct parser *p) {
    struct charset set = {0};
    bool fits = charset_add(&set, '\n', '\n') && charset_add(&set, '\r', '\r') &&
                charset_add(&set, 0x2028, 0x2029) && charset_invert(&set);
    grammar_expr made = fits ? pattern_char(p->b, &set, p->options->form) : no_memory(p);
    charset_free(&set);
    return made;
}

static grammar_expr one_char(struct parser *p, uint32_t code) {
    struct charset set = {0};
    grammar_expr made =
        charset_add(&set, code, code) ? pattern_char(p->b, &set, p->options->form) : no_memory(p);
    charset_free(&set);
    return made;
}

static grammar_expr parse_escape(struct parser *p) {
    struct charset set = {0};
    bool is_class;
    uint32_t code = take_escape(p, false, &set, &is_class);
    grammar_expr made;
    if (failed(p))
        made = 0;
    else if (is_class)
        made = pattern_char(p->b, &set, p->options->form);
    else
        made = one_char(p, code);
    charset_free(&set);
    return made;
}

/* ---- structure ---- */

static grammar_expr parse_alternatives(struct parser *p, bool top);

/* Behind "(". */
static grammar_expr parse_group(struct parser *p) {
    if (next_is(p, "?=") || next_is(p, "?!") || next_is(p, "?<=") || next_is(p, "?<!"))
        return bad(p, JL_ERR_UNSUPPORTED, "lookaround is not supported,");
    if (take(p, "?<")) {
        while (p->at < p->len && peek(p, 0) != '>')
            p->at++;
        if (!take(p, ">")) return bad(p, JL_ERR_FORMAT, "a group's name without its end");
    } else if (!take(p, "?:") && peek(p, 0) == '?') {
        return bad(p, JL_ERR_UNSUPPORTED, "groups that begin with (? are not supported,");
    }
    if (++p->depth > GRAMMAR_MAX_DEPTH) return bad(p, JL_ERR_LIMIT, "groups are nested too deep");
    grammar_expr inside = parse_alternatives(p, false);
    p->depth--;
    if (!failed(p) && !take(p, ")")) return bad(p, JL_ERR_FORMAT, "a group without its end");
    return inside;
}

static grammar_expr parse_atom(struct parser *p) {
    int c = peek(p, 0);
    switch (c) {
    case '(': p->at++; return parse_group(p);
    case '[': p->at++; return parse_class(p);
    case '.': p->at++; return parse_dot(p);
    case '\\': p->at++; return parse_escape(p);
    case '^':
    case '$':
        return bad(p, JL_ERR_UNSUPPORTED,
                   "^ and $ are supported only around the pattern or its outermost alternatives,");
    case '*':
    case '+':
    case '?': return bad(p, JL_ERR_FORMAT, "nothing to repeat");
    default: return one_char(p, take_char(p));
    }
}

static bool take_number(struct parser *p, uint32_t *out) {
    uint64_t value = 0;
    size_t begin = p->at;
    while (peek(p, 0) >= '0' && peek(p, 0) <= '9') {
        if (value < UINT32_MAX) value = value * 10 + (uint64_t)(peek(p, 0) - '0');
        p->at++;
    }
    *out = value < GRAMMAR_UNBOUNDED ? (uint32_t)value : GRAMMAR_UNBOUNDED - 1;
    return p->at > begin;
}

/* {n}, {n,} or {n,m}; anything else in braces is text. */
static bool take_counts(struct parser *p, uint32_t *low, uint32_t *high) {
    size_t before = p->at;
    if (take(p, "{") && take_number(p, low)) {
        *high = *low;
        if (take(p, ",") && !take_number(p, high)) *high = GRAMMAR_UNBOUNDED;
        if (take(p, "}")) return true;
    }
    p->at = before;
    return false;
}

static grammar_expr parse_quantified(struct parser *p) {
    grammar_expr atom = parse_atom(p);
    uint32_t low, high;
    if (failed(p)) return 0;
    if (take(p, "*")) {
        low = 0;
        high = GRAMMAR_UNBOUNDED;
    } else if (take(p, "+")) {
        low = 1;
        high = GRAMMAR_UNBOUNDED;
    } else if (take(p, "?")) {
        low = 0;
        high = 1;
    } else if (!take_counts(p, &low, &high)) {
        return atom;
    }
    take(p, "?"); // fewer first: the same texts
    if (peek(p, 0) == '*' || peek(p, 0) == '+') return bad(p, JL_ERR_FORMAT, "nothing to repeat");
    if (low > high) return bad(p, JL_ERR_FORMAT, "a repetition whose least count is the greater");
    return grammar_repeat(p->b, atom, low, high);
}

static grammar_expr anything(struct parser *p) {
    return grammar_repeat(p->b, pattern_any(p->b, p->options->form), 0, GRAMMAR_UNBOUNDED);
}

static grammar_expr parse_sequence(struct parser *p, bool top) {
    struct expr_list parts = {0};
    bool search = top && p->options->search;
    if (!(top && take(p, "^")) && search) expr_push(p->b, &parts, anything(p));
    while (!failed(p) && p->at < p->len && peek(p, 0) != '|' && peek(p, 0) != ')') {
        bool last = p->at + 1 == p->len || peek(p, 1) == '|';
        if (top && peek(p, 0) == '$' && last) {
            p->at++;
            search = false;
            break;
        }
        expr_push(p->b, &parts, parse_quantified(p));
    }
    if (search) expr_push(p->b, &parts, anything(p));
    return expr_seq_of(p->b, &parts);
}

static grammar_expr parse_alternatives(struct parser *p, bool top) {
    struct expr_list parts = {0};
    do
        expr_push(p->b, &parts, parse_sequence(p, top));
    while (!failed(p) && take(p, "|"));
    return expr_alt_of(p->b, &parts);
}

grammar_expr pattern_expr(struct grammar_builder *b, const char *pattern, size_t len,
                          const struct pattern_options *options) {
    struct parser p = {.b = b, .options = options, .text = pattern, .len = len};
    if (len > GRAMMAR_MAX_SOURCE)
        return expr_fail(b, JL_ERR_LIMIT, "%s has more than %d bytes", options->what,
                         GRAMMAR_MAX_SOURCE);
    grammar_expr made = parse_alternatives(&p, true);
    if (!failed(&p) && p.at < p.len) return bad(&p, JL_ERR_FORMAT, "a ) without its (");
    return made;
}

grammar_expr grammar_regex(struct grammar_builder *b, const char *pattern, size_t len) {
    const struct pattern_options options = {.what = "the regular expression"};
    return pattern_expr(b, pattern, len, &options);
}
