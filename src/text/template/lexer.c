/* Follows the rules of Jinja 3.1's lexer: what ends where, and which white space goes. */
#include "text/template/lexer.h"

#include <string.h>

#include "text/number_text.h"
#include "text/template/lexer_string.h"
#include "text/utf8.h"

struct lexer {
    const char *text; // newlines are \n
    size_t len, at;
    int line;
    struct arena *arena;
    struct lex_token *tokens;
    size_t count, cap;
    char *closers; // open brackets, as the character that closes them
    size_t depth, cap_closers;
    bool at_line_start; // nothing but a newline came before `at`
    struct jl_error *err;
};

bool lexer_is_space(uint32_t code) { return (code >= 0x1C && code <= 0x1F) || utf8_is_space(code); }

static enum jl_status no_memory(struct lexer *lx) {
    return jl_fail(lx->err, JL_ERR_MEMORY, "out of memory reading a chat template");
}

static enum jl_status fail_at(struct lexer *lx, const char *what) {
    return jl_fail(lx->err, JL_ERR_FORMAT, "chat template, line %d: %s", lx->line, what);
}

static enum jl_status push(struct lexer *lx, enum token_kind kind, struct str text) {
    if (lx->count == lx->cap) {
        size_t cap = lx->cap ? lx->cap * 2 : 256;
        struct lex_token *grown = arena_calloc(lx->arena, cap, sizeof *grown);
        if (!grown) return no_memory(lx);
        if (lx->count) memcpy(grown, lx->tokens, lx->count * sizeof *grown);
        lx->tokens = grown;
        lx->cap = cap;
    }
    lx->tokens[lx->count++] = (struct lex_token){.kind = kind, .line = lx->line, .text = text};
    return JL_OK;
}

static bool looking_at(const struct lexer *lx, size_t at, const char *what) {
    size_t n = strlen(what);
    return lx->len - at >= n && memcmp(lx->text + at, what, n) == 0;
}

/* Past white space, as \s* of a pattern. */
static size_t skip_space(const struct lexer *lx, size_t at) {
    uint32_t code;
    while (at < lx->len) {
        int n = utf8_step(lx->text + at, lx->len - at, &code);
        if (!lexer_is_space(code)) break;
        at += (size_t)n;
    }
    return at;
}

static size_t rstrip(const struct lexer *lx, size_t from, size_t to) {
    while (to > from) {
        size_t start = to - 1;
        uint32_t code;
        while (start > from && ((unsigned char)lx->text[start] & 0xC0) == 0x80)
            start--;
        utf8_step(lx->text + start, to - start, &code);
        if (!lexer_is_space(code)) break;
        to = start;
    }
    return to;
}

/* Moves to `to`, counting lines. */
static void advance(struct lexer *lx, size_t to) {
    for (size_t i = lx->at; i < to; i++)
        lx->line += lx->text[i] == '\n';
    lx->at_line_start = to > lx->at ? lx->text[to - 1] == '\n' : lx->at_line_start;
    lx->at = to;
}

/* The text before a tag that begins at `tag`; sign is what stands behind its opening. */
static enum jl_status push_data(struct lexer *lx, size_t tag, char sign, bool variable) {
    size_t stop = tag, from = lx->at;
    if (sign == '-') {
        stop = rstrip(lx, from, tag);
    } else if (sign != '+' && !variable) {
        size_t line = tag;
        while (line > from && lx->text[line - 1] != '\n')
            line--;
        bool starts = line > from || lx->at_line_start;
        if (starts && skip_space(lx, line) >= tag) stop = line;
    }
    if (stop > from)
        JL_TRY(push(lx, LEX_DATA, (struct str){.data = lx->text + from, .len = stop - from}));
    advance(lx, tag);
    return JL_OK;
}

/* End of a block tag or comment that ends with `close` at `at`: -%} takes the white space behind
 * it, %} one newline, +%} nothing. 0: it does not end here. */
static size_t tag_end(const struct lexer *lx, size_t at, const char *close) {
    bool minus = looking_at(lx, at, "-"), plus = looking_at(lx, at, "+");
    size_t mark = at + (minus || plus ? 1 : 0);
    if (!looking_at(lx, mark, close)) return 0;
    size_t end = mark + strlen(close);
    if (minus) return skip_space(lx, end);
    return !plus && looking_at(lx, end, "\n") ? end + 1 : end;
}

static char sign_at(const struct lexer *lx, size_t at) {
    return at < lx->len && (lx->text[at] == '-' || lx->text[at] == '+') ? lx->text[at] : '\0';
}

/* {# ... #} with `at` behind the opening. */
static enum jl_status skip_comment(struct lexer *lx, size_t at) {
    if (at >= lx->len) { // nothing behind the opening: Jinja lets it pass
        advance(lx, lx->len);
        return JL_OK;
    }
    for (; at < lx->len; at++) {
        size_t end = tag_end(lx, at, "#}");
        if (!end) continue;
        advance(lx, end);
        return JL_OK;
    }
    return fail_at(lx, "the comment is not closed (#})");
}

/* Behind `{% raw %}` when such a tag opens at `at`, else 0. */
static size_t raw_begin(const struct lexer *lx, size_t at) {
    at += 2;
    if (sign_at(lx, at)) at++;
    at = skip_space(lx, at);
    if (!looking_at(lx, at, "raw")) return 0;
    at = skip_space(lx, at + 3);
    if (looking_at(lx, at, "-%}")) return skip_space(lx, at + 3);
    return looking_at(lx, at, "%}") ? at + 2 : 0;
}

/* The text up to {% endraw %}, which becomes data as it is. */
static enum jl_status read_raw(struct lexer *lx) {
    if (lx->at >= lx->len) return JL_OK; // as for comments
    for (size_t at = lx->at; at < lx->len; at++) {
        if (!looking_at(lx, at, "{%")) continue;
        char sign = sign_at(lx, at + 2);
        size_t word = skip_space(lx, at + 2 + (sign ? 1 : 0));
        if (!looking_at(lx, word, "endraw")) continue;
        size_t end = tag_end(lx, skip_space(lx, word + 6), "%}");
        if (!end) continue;
        JL_TRY(push_data(lx, at, sign, false));
        advance(lx, end);
        return JL_OK;
    }
    return fail_at(lx, "the raw block is not closed ({% endraw %})");
}

/* ---- inside tags ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits with single underscores between them, from `at`. */
static size_t digits(const struct lexer *lx, size_t at) {
    while (at < lx->len &&
           (is_digit(lx->text[at]) || (lx->text[at] == '_' && at + 1 < lx->len &&
                                       is_digit(lx->text[at + 1]) && is_digit(lx->text[at - 1]))))
        at++;
    return at;
}

static int digit_of(char c, int base) {
    int d = is_digit(c)            ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : 99;
    return d < base ? d : -1;
}

static enum jl_status push_integer(struct lexer *lx, size_t from, size_t to, int base) {
    int64_t value = 0;
    for (size_t i = from; i < to; i++) {
        if (lx->text[i] == '_') continue;
        if (__builtin_mul_overflow(value, (int64_t)base, &value) ||
            __builtin_add_overflow(value, (int64_t)digit_of(lx->text[i], base), &value))
            return jl_fail(lx->err, JL_ERR_UNSUPPORTED,
                           "chat template, line %d: integers beyond 64 bits are not supported",
                           lx->line);
    }
    JL_TRY(push(lx, LEX_INTEGER, (struct str){0}));
    lx->tokens[lx->count - 1].i = value;
    advance(lx, to);
    return JL_OK;
}

static enum jl_status push_float(struct lexer *lx, size_t to) {
    char *plain = arena_alloc(lx->arena, to - lx->at + 1);
    size_t n = 0;
    double value;
    if (!plain) return no_memory(lx);
    for (size_t i = lx->at; i < to; i++) {
        if (lx->text[i] != '_') plain[n++] = lx->text[i];
    }
    if (!number_text_parse(plain, n, &value)) return fail_at(lx, "not a number");
    JL_TRY(push(lx, LEX_FLOAT, (struct str){0}));
    lx->tokens[lx->count - 1].f = value;
    advance(lx, to);
    return JL_OK;
}

/* End of the float at `at`, 0 when it is none: digits, then a fraction or an exponent or both. */
static size_t float_end(const struct lexer *lx, size_t at) {
    if (at > 0 && lx->text[at - 1] == '.') return 0;
    size_t whole = digits(lx, at), end = whole, exponent;
    if (end + 1 < lx->len && lx->text[end] == '.' && is_digit(lx->text[end + 1]))
        end = digits(lx, end + 1);
    if (end < lx->len && (lx->text[end] == 'e' || lx->text[end] == 'E')) {
        exponent = end + 1;
        if (sign_at(lx, exponent)) exponent++;
        if (exponent < lx->len && is_digit(lx->text[exponent])) return digits(lx, exponent);
    }
    return end > whole ? end : 0;
}

static enum jl_status read_number(struct lexer *lx) {
    size_t at = lx->at, end = float_end(lx, at);
    if (end) return push_float(lx, end);
    int base = 10;
    if (lx->text[at] == '0' && at + 2 < lx->len) {
        char kind = (char)(lx->text[at + 1] | 0x20);
        base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
        size_t first = at + 2 + (lx->text[at + 2] == '_' ? 1 : 0);
        if (base != 10 && first < lx->len && digit_of(lx->text[first], base) >= 0) {
            for (end = first; end < lx->len; end++) {
                bool joined = lx->text[end] == '_' && end + 1 < lx->len &&
                              digit_of(lx->text[end + 1], base) >= 0;
                if (digit_of(lx->text[end], base) < 0 && !joined) break;
            }
            return push_integer(lx, at + 2, end, base);
        }
    }
    end = at + 1;
    bool zero = lx->text[at] == '0'; // 0123 reads as 0 and 123, as in Jinja
    while (end < lx->len) {
        size_t digit = end + (lx->text[end] == '_' ? 1 : 0);
        if (digit >= lx->len || !is_digit(lx->text[digit])) break;
        if (zero && lx->text[digit] != '0') break;
        end = digit + 1;
    }
    return push_integer(lx, at, end, 10);
}

static enum jl_status read_string(struct lexer *lx) {
    char quote = lx->text[lx->at];
    size_t start = lx->at + 1, end = start;
    while (end < lx->len && lx->text[end] != quote)
        end += lx->text[end] == '\\' ? 2 : 1;
    if (end >= lx->len) return fail_at(lx, "the string is not closed");
    struct str text;
    const char *why = NULL;
    enum jl_status status =
        lexer_string_unescape(lx->text + start, end - start, lx->arena, &text, &why);
    if (status == JL_ERR_MEMORY) return no_memory(lx);
    if (status != JL_OK)
        return jl_fail(lx->err, status, "chat template, line %d: %s", lx->line, why);
    JL_TRY(push(lx, LEX_STRING, text));
    advance(lx, end + 1);
    return JL_OK;
}

struct operator_row {
    char text[3];
    enum token_kind kind;
};

static const struct operator_row operators[] = {
    // the longer ones first
    {"//", LEX_FLOORDIV}, {"**", LEX_POW},   {"==", LEX_EQ},       {"!=", LEX_NE},
    {">=", LEX_GE},       {"<=", LEX_LE},    {"+", LEX_ADD},       {"-", LEX_SUB},
    {"*", LEX_MUL},       {"/", LEX_DIV},    {"%", LEX_MOD},       {"~", LEX_TILDE},
    {"<", LEX_LT},        {">", LEX_GT},     {"=", LEX_ASSIGN},    {".", LEX_DOT},
    {",", LEX_COMMA},     {":", LEX_COLON},  {";", LEX_SEMICOLON}, {"|", LEX_PIPE},
    {"(", LEX_LPAREN},    {")", LEX_RPAREN}, {"[", LEX_LBRACKET},  {"]", LEX_RBRACKET},
    {"{", LEX_LBRACE},    {"}", LEX_RBRACE},
};

const char *lexer_name(enum token_kind kind) {
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (operators[i].kind == kind) return operators[i].text;
    }
    switch (kind) {
    case LEX_EOF: return "the end of the template";
    case LEX_DATA: return "text";
    case LEX_VARIABLE_BEGIN: return "{{";
    case LEX_VARIABLE_END: return "}}";
    case LEX_BLOCK_BEGIN: return "{%";
    case LEX_BLOCK_END: return "%}";
    case LEX_NAME: return "a name";
    case LEX_STRING: return "a string";
    case LEX_INTEGER: return "an integer";
    default: return "a float";
    }
}

/* Brackets must pair up, and a tag does not end inside them. */
static enum jl_status balance(struct lexer *lx, enum token_kind kind) {
    char close = kind == LEX_LPAREN     ? ')'
                 : kind == LEX_LBRACKET ? ']'
                 : kind == LEX_LBRACE   ? '}'
                                        : 0;
    if (close) {
        if (lx->depth == lx->cap_closers) {
            size_t cap = lx->cap_closers ? lx->cap_closers * 2 : 64;
            char *grown = arena_alloc(lx->arena, cap);
            if (!grown) return no_memory(lx);
            if (lx->depth) memcpy(grown, lx->closers, lx->depth);
            lx->closers = grown;
            lx->cap_closers = cap;
        }
        lx->closers[lx->depth++] = close;
        return JL_OK;
    }
    char c = kind == LEX_RPAREN ? ')' : kind == LEX_RBRACKET ? ']' : kind == LEX_RBRACE ? '}' : 0;
    if (!c) return JL_OK;
    if (lx->depth == 0 || lx->closers[lx->depth - 1] != c)
        return jl_fail(lx->err, JL_ERR_FORMAT, "chat template, line %d: unexpected '%c'", lx->line,
                       c);
    lx->depth--;
    return JL_OK;
}

static enum jl_status read_operator(struct lexer *lx) {
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        const struct operator_row *row = &operators[i];
        if (!looking_at(lx, lx->at, row->text)) continue;
        JL_TRY(balance(lx, row->kind));
        JL_TRY(push(lx, row->kind, (struct str){0}));
        advance(lx, lx->at + strlen(row->text));
        return JL_OK;
    }
    uint32_t code;
    int n = utf8_step(lx->text + lx->at, lx->len - lx->at, &code);
    return jl_fail(lx->err, JL_ERR_FORMAT, "chat template, line %d: unexpected character '%.*s'",
                   lx->line, n, lx->text + lx->at);
}

/* Identifiers as in Python, with Unicode's letters. */
static size_t name_end(const struct lexer *lx, size_t at) {
    uint32_t code;
    while (at < lx->len) {
        int n = utf8_step(lx->text + at, lx->len - at, &code);
        if (!utf8_is_word(code) || code == 0x200C || code == 0x200D) break;
        at += (size_t)n;
    }
    return at;
}

/* The tokens of a tag up to its end. */
static enum jl_status read_tag(struct lexer *lx, bool variable) {
    lx->depth = 0;
    while (lx->at < lx->len) {
        size_t end = lx->depth ? 0 : variable ? 0 : tag_end(lx, lx->at, "%}");
        if (variable && !lx->depth) {
            if (looking_at(lx, lx->at, "-}}")) end = skip_space(lx, lx->at + 3);
            if (looking_at(lx, lx->at, "}}")) end = lx->at + 2;
        }
        if (end) {
            JL_TRY(push(lx, variable ? LEX_VARIABLE_END : LEX_BLOCK_END, (struct str){0}));
            advance(lx, end);
            return JL_OK;
        }
        char c = lx->text[lx->at];
        size_t space = skip_space(lx, lx->at), name = name_end(lx, lx->at);
        if (space > lx->at) {
            advance(lx, space);
        } else if (is_digit(c)) {
            JL_TRY(read_number(lx));
        } else if (name > lx->at) {
            JL_TRY(
                push(lx, LEX_NAME, (struct str){.data = lx->text + lx->at, .len = name - lx->at}));
            advance(lx, name);
        } else if (c == '\'' || c == '"') {
            JL_TRY(read_string(lx));
        } else {
            JL_TRY(read_operator(lx));
        }
    }
    return JL_OK; // the parser says what is missing
}

/* From lx->at to behind the next tag. */
static enum jl_status read_next(struct lexer *lx) {
    size_t tag = lx->at;
    while (tag < lx->len && !looking_at(lx, tag, "{%") && !looking_at(lx, tag, "{{") &&
           !looking_at(lx, tag, "{#"))
        tag++;
    if (tag == lx->len) {
        JL_TRY(push(lx, LEX_DATA, (struct str){.data = lx->text + lx->at, .len = tag - lx->at}));
        advance(lx, tag);
        return JL_OK;
    }
    char kind = lx->text[tag + 1], sign = sign_at(lx, tag + 2);
    size_t inside = tag + 2 + (sign ? 1 : 0), raw = kind == '%' ? raw_begin(lx, tag) : 0;
    JL_TRY(push_data(lx, tag, sign, kind == '{'));
    if (kind == '#') return skip_comment(lx, inside);
    if (raw) {
        advance(lx, raw);
        return read_raw(lx);
    }
    JL_TRY(push(lx, kind == '{' ? LEX_VARIABLE_BEGIN : LEX_BLOCK_BEGIN, (struct str){0}));
    advance(lx, inside);
    return read_tag(lx, kind == '{');
}

/* A copy whose line ends are \n, without the one at the end. */
static bool copy_lines(struct lexer *lx, const char *source, size_t len) {
    char *copy = arena_alloc(lx->arena, len + 1);
    size_t n = 0;
    if (!copy) return false;
    for (size_t i = 0; i < len; i++) {
        if (source[i] == '\r' && i + 1 < len && source[i + 1] == '\n') continue;
        copy[n++] = source[i] == '\r' ? '\n' : source[i];
    }
    if (n && copy[n - 1] == '\n') n--;
    lx->text = copy;
    lx->len = n;
    return true;
}

enum jl_status lexer_read(const char *source, size_t len, struct arena *arena,
                          struct lex_token **tokens, size_t *n_token, struct jl_error *err) {
    struct lexer lx = {.arena = arena, .line = 1, .at_line_start = true, .err = err};
    if (!copy_lines(&lx, source, len)) return no_memory(&lx);
    for (size_t at = 0; at < lx.len;) {
        int n = utf8_length(lx.text + at, lx.len - at);
        if (n == 0)
            return jl_fail(err, JL_ERR_FORMAT, "the chat template is not UTF-8 (byte %zu)", at);
        at += (size_t)n;
    }
    while (lx.at < lx.len)
        JL_TRY(read_next(&lx));
    JL_TRY(push(&lx, LEX_EOF, (struct str){0}));
    *tokens = lx.tokens;
    *n_token = lx.count;
    return JL_OK;
}
