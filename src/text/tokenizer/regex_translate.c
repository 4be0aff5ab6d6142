/* From Oniguruma's and Rust's patterns to PCRE2's. What means something else there is rewritten:
 *
 *   \s \S        White_Space; PCRE2's also has U+180E
 *   \w \b        Alphabetic, M, Nd, Pc (Rust: and joiners); PCRE2's: letters, numbers, "_"
 *   \p{Han}      \p{sc:Han}: in PCRE2 a bare script name means Script_Extensions
 *   [A&&[^B]]    one negated class when A is made of general categories, else a look-ahead
 *   {,n} {n}+    PCRE2 10.42 takes the first literally; Oniguruma repeats in the second
 *   (...)        groups capture nothing: there are no back-references
 *
 * What is not known here is refused, never passed on. */
#include <string.h>

#include "text/tokenizer/regex.h"
#include "base/hex.h"
#include "text/utf8.h"

#define SPACES                                                                                     \
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}"             \
    "\\x{202F}\\x{205F}\\x{3000}"
#define NOT_SPACES                                                                                 \
    "\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{"     \
    "1FFF}"                                                                                        \
    "\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}"                 \
    "\\x{3001}-\\x{10FFFF}"
#define WORD_ONIG "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define WORD_RUST WORD_ONIG "\\p{Join_Control}"
/* Outside of brackets Oniguruma asks its table of Latin-1, where six numbers are word characters.
 */
#define WORD_ONIG_ALONE WORD_ONIG "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

struct translator {
    const char *start, *at, *end;
    enum regex_flavour flavour;
    struct byte_buffer *out;
    struct jl_error *err;
};

/* A class so far: what its brackets hold, and which general categories if nothing else. */
struct class_items {
    struct byte_buffer text;
    uint32_t categories;
    bool only_categories;
    bool negated;
};

/* ---- messages ---- */

static enum jl_status no_memory(struct translator *t) {
    return jl_fail(t->err, JL_ERR_MEMORY, "out of memory for a pattern");
}

static enum jl_status refuse(struct translator *t, const char *what) {
    return jl_fail(t->err, JL_ERR_UNSUPPORTED,
                   "the pattern '%.*s' uses %s at byte %zu, which is not supported",
                   (int)(t->end - t->start < 200 ? t->end - t->start : 200), t->start, what,
                   (size_t)(t->at - t->start));
}

static enum jl_status broken(struct translator *t, const char *what) {
    return jl_fail(t->err, JL_ERR_FORMAT, "the pattern '%.*s' is broken at byte %zu: %s",
                   (int)(t->end - t->start < 200 ? t->end - t->start : 200), t->start,
                   (size_t)(t->at - t->start), what);
}

static enum jl_status put(struct translator *t, struct byte_buffer *out, const char *text) {
    return buffer_append(out, text, strlen(text)) ? JL_OK : no_memory(t);
}

static bool next_is(const struct translator *t, const char *text) {
    size_t len = strlen(text);
    return (size_t)(t->end - t->at) >= len && memcmp(t->at, text, len) == 0;
}

static bool skip_text(struct translator *t, const char *text) {
    if (!next_is(t, text)) return false;
    t->at += strlen(text);
    return true;
}

static enum jl_status put_code(struct translator *t, struct byte_buffer *out, uint32_t code) {
    static const char hex[] = "0123456789ABCDEF";
    char text[16] = "\\x{";
    int n = 3, shift = 20;
    while (shift > 0 && !(code >> shift & 15))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        text[n++] = hex[code >> shift & 15];
    text[n++] = '}';
    return buffer_append(out, text, (size_t)n) ? JL_OK : no_memory(t);
}

/* ---- properties ---- */

static const struct category {
    char name[3];
    const char *names; // longer ones
} categories[] = {
    {"Lu", "Uppercase_Letter"},    {"Ll", "Lowercase_Letter"},  {"Lt", "Titlecase_Letter"},
    {"Lm", "Modifier_Letter"},     {"Lo", "Other_Letter"},      {"Mn", "Nonspacing_Mark"},
    {"Mc", "Spacing_Mark"},        {"Me", "Enclosing_Mark"},    {"Nd", "Decimal_Number"},
    {"Nl", "Letter_Number"},       {"No", "Other_Number"},      {"Pc", "Connector_Punctuation"},
    {"Pd", "Dash_Punctuation"},    {"Ps", "Open_Punctuation"},  {"Pe", "Close_Punctuation"},
    {"Pi", "Initial_Punctuation"}, {"Pf", "Final_Punctuation"}, {"Po", "Other_Punctuation"},
    {"Sm", "Math_Symbol"},         {"Sc", "Currency_Symbol"},   {"Sk", "Modifier_Symbol"},
    {"So", "Other_Symbol"},        {"Zs", "Space_Separator"},   {"Zl", "Line_Separator"},
    {"Zp", "Paragraph_Separator"}, {"Cc", "Control"},           {"Cf", "Format"},
    {"Cs", "Surrogate"},           {"Co", "Private_Use"},       {"Cn", "Unassigned"},
};
#define N_CATEGORY ((int)(sizeof categories / sizeof categories[0]))
static const struct category majors[] = {
    {"L", "Letter"}, {"M", "Mark"},      {"N", "Number"}, {"P", "Punctuation"},
    {"S", "Symbol"}, {"Z", "Separator"}, {"C", "Other"},
};
#define N_MAJOR ((int)(sizeof majors / sizeof majors[0]))

/* Names are compared without case, spaces, "_" and "-", as Unicode says. */
static bool same_name(const char *a, size_t len, const char *b) {
    size_t i = 0;
    for (;; i++, b++) {
        while (i < len && (a[i] == '_' || a[i] == ' ' || a[i] == '-'))
            i++;
        while (*b == '_')
            b++;
        if (i == len || !*b) return i == len && !*b;
        char x = a[i], y = *b;
        if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
        if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
        if (x != y) return false;
    }
}

/* One bit for each category of `name`, 0 when it is no general category. */
static uint32_t category_bits(const char *name, size_t len) {
    uint32_t bits = 0;
    for (int i = 0; i < N_CATEGORY; i++) {
        if (same_name(name, len, categories[i].name) || same_name(name, len, categories[i].names))
            return 1u << i;
    }
    for (int m = 0; m < N_MAJOR; m++) {
        if (!same_name(name, len, majors[m].name) && !same_name(name, len, majors[m].names))
            continue;
        for (int i = 0; i < N_CATEGORY; i++)
            bits |= (uint32_t)(categories[i].name[0] == majors[m].name[0]) << i;
    }
    return bits;
}

static enum jl_status put_categories(struct translator *t, struct byte_buffer *out, uint32_t bits) {
    for (int m = 0; m < N_MAJOR; m++) {
        uint32_t all = category_bits(majors[m].name, 1);
        if ((bits & all) != all) continue;
        char text[] = "\\p{L}";
        text[3] = majors[m].name[0];
        JL_TRY(put(t, out, text));
        bits &= ~all;
    }
    for (int i = 0; i < N_CATEGORY; i++) {
        if (!(bits >> i & 1)) continue;
        char text[] = "\\p{Lu}";
        memcpy(text + 3, categories[i].name, 2);
        JL_TRY(put(t, out, text));
    }
    return JL_OK;
}

static bool is_name_char(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ' ' || c == '-';
}

/* Name of a script or a binary property, in PCRE2's spelling, after "\p{" or "\P{". */
static enum jl_status put_named(struct translator *t, struct byte_buffer *out, const char *name,
                                size_t len, bool negated) {
    static const char *const binary[] = {"Alphabetic",
                                         "Uppercase",
                                         "Lowercase",
                                         "Emoji",
                                         "Emoji_Presentation",
                                         "Dash",
                                         "Hex_Digit",
                                         "ID_Start",
                                         "ID_Continue",
                                         "Ideographic",
                                         "Math",
                                         "Join_Control",
                                         "XID_Start",
                                         "XID_Continue",
                                         "Extended_Pictographic",
                                         "Diacritic",
                                         "Extender",
                                         "Any",
                                         NULL};
    const char *kind = "sc:";
    if (len > 3 && memcmp(name, "sc=", 3) == 0) {
        name += 3;
        len -= 3;
    } else if (len > 7 && memcmp(name, "Script=", 7) == 0) {
        name += 7;
        len -= 7;
    } else if (len > 4 && memcmp(name, "scx=", 4) == 0) {
        kind = "scx:";
        name += 4;
        len -= 4;
    }
    for (int i = 0; binary[i]; i++) {
        if (same_name(name, len, binary[i])) kind = "";
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_name_char(name[i])) return refuse(t, "an unknown property");
    }
    JL_TRY(put(t, out, negated ? "\\P{" : "\\p{"));
    JL_TRY(put(t, out, kind));
    if (!buffer_append(out, name, len)) return no_memory(t);
    return put(t, out, "}");
}

/* Behind "\p" or "\P". *bits: the categories it stands for, 0 for another set. */
static enum jl_status read_property(struct translator *t, bool negated, struct byte_buffer *out,
                                    uint32_t *bits) {
    const char *name = t->at;
    size_t len = 1;
    *bits = 0;
    if (t->at == t->end) return broken(t, "a property lacks its name");
    if (*t->at == '{') {
        const char *close = memchr(t->at, '}', (size_t)(t->end - t->at));
        if (!close) return broken(t, "a property lacks its '}'");
        name = t->at + 1;
        if (*name == '^') {
            negated = !negated;
            name++;
        }
        len = (size_t)(close - name);
        t->at = close + 1;
    } else {
        t->at++;
    }
    if (len > 3 && memcmp(name, "gc=", 3) == 0) {
        name += 3;
        len -= 3;
    }
    uint32_t found = category_bits(name, len);
    if (found) {
        *bits = negated ? ((1u << N_CATEGORY) - 1) & ~found : found;
        return put_categories(t, out, *bits);
    }
    if (same_name(name, len, "White_Space") || same_name(name, len, "Space"))
        return put(t, out, negated ? NOT_SPACES : SPACES);
    if (same_name(name, len, "Alpha"))
        return put_named(t, out, "Alphabetic", strlen("Alphabetic"), negated);
    if (same_name(name, len, "Digit")) return put(t, out, negated ? "\\P{Nd}" : "\\p{Nd}");
    return put_named(t, out, name, len, negated);
}

/* ---- escapes ---- */

/* Behind "\x" or "\u": braces, or up to `digits` digits. */
static enum jl_status read_hex(struct translator *t, int digits, uint32_t *code) {
    bool braces = skip_text(t, "{");
    int n = 0;
    *code = 0;
    for (; t->at < t->end && hex_digit(*t->at) >= 0 && n < (braces ? 8 : digits); t->at++, n++) {
        if (*code > UTF8_CODE_END) break;
        *code = *code << 4 | (uint32_t)hex_digit(*t->at);
    }
    bool surrogate = *code >= 0xD800 && *code < 0xE000;
    if (n == 0 || (braces && !skip_text(t, "}")) || *code >= UTF8_CODE_END || surrogate)
        return broken(t, "not a character's number");
    return JL_OK;
}

/* An escape that stands for one character: its code in *code and true in *one. Else nothing is
 * taken. t->at is behind the backslash. */
static enum jl_status read_char_escape(struct translator *t, bool in_class, uint32_t *code,
                                       bool *one) {
    static const char letters[] = "nrtfav0e", codes[] = "\n\r\t\f\a\v\0\x1B";
    *one = true;
    if (t->at == t->end) return broken(t, "it ends with a backslash");
    char c = *t->at;
    const char *letter = c ? memchr(letters, c, sizeof letters - 1) : NULL;
    if (letter || (c == 'b' && in_class)) {
        *code = letter ? (unsigned char)codes[letter - letters] : 8;
        t->at++;
        return JL_OK;
    }
    if (c == 'x' || c == 'u') {
        t->at++;
        return read_hex(t, c == 'x' ? 2 : 4, code);
    }
    bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (word) {
        *one = false;
        return JL_OK;
    }
    t->at += utf8_step(t->at, (size_t)(t->end - t->at), code);
    return JL_OK;
}

/* An escape that stands for a set, as items for a class. */
static enum jl_status read_set_escape(struct translator *t, struct byte_buffer *out, bool alone,
                                      bool *negated, uint32_t *bits) {
    bool onig = t->flavour == REGEX_ONIG;
    const char *word = !onig ? WORD_RUST : alone ? WORD_ONIG_ALONE : WORD_ONIG;
    char c = *t->at++;
    *negated = false;
    *bits = 0;
    switch (c) {
    case 's': return put(t, out, SPACES);
    case 'S': return put(t, out, NOT_SPACES);
    case 'd': *bits = category_bits("Nd", 2); return put(t, out, "\\p{Nd}");
    case 'D': return put(t, out, "\\P{Nd}");
    case 'W': *negated = true; return put(t, out, word);
    case 'w': return put(t, out, word);
    case 'h':
        if (onig) return put(t, out, "0-9A-Fa-f");
        break;
    case 'p':
    case 'P': return read_property(t, c == 'P', out, bits);
    default: break;
    }
    t->at--;
    char name[] = "the escape \\?";
    name[sizeof name - 2] = c;
    return refuse(t, name);
}

/* ---- classes ---- */

static enum jl_status read_class(struct translator *t, int depth, struct class_items *out);

/* One character of a class into *code, or a set into out->text. */
static enum jl_status read_class_item(struct translator *t, struct class_items *out, uint32_t *code,
                                      bool *one) {
    *one = true;
    if (*t->at != '\\') {
        t->at += utf8_step(t->at, (size_t)(t->end - t->at), code);
        return JL_OK;
    }
    t->at++;
    JL_TRY(read_char_escape(t, true, code, one));
    if (*one) return JL_OK;
    bool negated;
    uint32_t bits;
    JL_TRY(read_set_escape(t, &out->text, false, &negated, &bits));
    if (negated) return refuse(t, "\\W inside brackets");
    out->categories |= bits;
    if (!bits) out->only_categories = false;
    return JL_OK;
}

static enum jl_status read_class_range(struct translator *t, struct class_items *out) {
    uint32_t first, last;
    bool one;
    JL_TRY(read_class_item(t, out, &first, &one));
    if (!one) return JL_OK;
    out->only_categories = false;
    JL_TRY(put_code(t, &out->text, first));
    if (t->end - t->at < 2 || t->at[0] != '-' || t->at[1] == ']' || t->at[1] == '[') return JL_OK;
    if (t->at[1] == '-') return refuse(t, "'--' inside brackets");
    t->at++;
    JL_TRY(read_class_item(t, out, &last, &one));
    if (!one) return broken(t, "a range ends with a set");
    if (last < first) return broken(t, "a range runs backwards");
    JL_TRY(put(t, &out->text, "-"));
    return put_code(t, &out->text, last);
}

/* A class inside a class; t->at is at its '['. */
static enum jl_status read_nested(struct translator *t, int depth, struct class_items *out) {
    struct class_items inner = {0};
    if (next_is(t, "[:")) return refuse(t, "a POSIX bracket");
    t->at++;
    enum jl_status status = read_class(t, depth + 1, &inner);
    if (status == JL_OK && inner.negated) status = refuse(t, "a negated class inside brackets");
    if (status == JL_OK && !buffer_append(&out->text, inner.text.data, inner.text.len))
        status = no_memory(t);
    out->categories |= inner.categories;
    if (!inner.only_categories) out->only_categories = false;
    buffer_free(&inner.text);
    return status;
}

/* Left && right, where right is one class: "[A&&[^B]]". The result is a negated class if A is made
 * of categories (everything but the other categories and B), else a look-ahead before A. */
static enum jl_status intersect(struct translator *t, struct class_items *left,
                                const struct class_items *right, struct byte_buffer *out) {
    if (left->only_categories && right->negated) {
        JL_TRY(put(t, out, "[^"));
        JL_TRY(put_categories(t, out, ((1u << N_CATEGORY) - 1) & ~left->categories));
        if (!buffer_append(out, right->text.data, right->text.len)) return no_memory(t);
        return put(t, out, "]");
    }
    JL_TRY(put(t, out, right->negated ? "(?:(?![" : "(?:(?=["));
    if (!buffer_append(out, right->text.data, right->text.len)) return no_memory(t);
    JL_TRY(put(t, out, "])["));
    if (!buffer_append(out, left->text.data, left->text.len)) return no_memory(t);
    return put(t, out, "])");
}

/* Behind '['; up to and with ']'. Stops before "&&". */
static enum jl_status read_class(struct translator *t, int depth, struct class_items *out) {
    out->only_categories = true;
    if (depth > REGEX_MAX_DEPTH) return refuse(t, "deeper nesting");
    out->negated = skip_text(t, "^");
    for (bool first = true;; first = false) {
        if (t->at == t->end) return broken(t, "a class lacks its ']'");
        if (*t->at == ']' && !first) {
            t->at++;
            return JL_OK;
        }
        if (next_is(t, "&&") || next_is(t, "~~")) {
            if (depth > 0 || out->negated || first || *t->at == '~')
                return refuse(t, "a set operation of this form");
            return JL_OK;
        }
        if (*t->at == '[')
            JL_TRY(read_nested(t, depth, out));
        else
            JL_TRY(read_class_range(t, out));
    }
}

static enum jl_status finish_class(struct translator *t, struct class_items *left,
                                   struct class_items *right) {
    JL_TRY(read_class(t, 0, left));
    if (skip_text(t, "&&")) {
        if (!skip_text(t, "[")) return refuse(t, "'&&' without a class behind it");
        JL_TRY(read_class(t, 1, right));
        if (!skip_text(t, "]")) return refuse(t, "more than one class behind '&&'");
        return intersect(t, left, right, t->out);
    }
    JL_TRY(put(t, t->out, left->negated ? "[^" : "["));
    if (!buffer_append(t->out, left->text.data, left->text.len)) return no_memory(t);
    return put(t, t->out, "]");
}

static enum jl_status put_class(struct translator *t) {
    struct class_items left = {0}, right = {0};
    enum jl_status status = finish_class(t, &left, &right);
    buffer_free(&left.text);
    buffer_free(&right.text);
    return status;
}

/* ---- everything outside of classes ---- */

static enum jl_status put_boundary(struct translator *t, bool negated) {
    const char *word = t->flavour == REGEX_ONIG ? "[" WORD_ONIG_ALONE "]" : "[" WORD_RUST "]";
    const char *const parts[] = {"(?:(?<=", word, ")(?", negated ? "=" : "!", word,
                                 ")|(?<!",  word, ")(?", negated ? "!" : "=", word,
                                 "))"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        JL_TRY(put(t, t->out, parts[i]));
    return JL_OK;
}

static enum jl_status put_escape(struct translator *t) {
    uint32_t code, bits;
    bool one, negated;
    JL_TRY(read_char_escape(t, false, &code, &one));
    if (one) return put_code(t, t->out, code);
    char c = *t->at;
    if (c == 'b' || c == 'B') {
        t->at++;
        return put_boundary(t, c == 'B');
    }
    if (c == 'A' || c == 'z' || (c == 'Z' && t->flavour == REGEX_ONIG)) {
        const char text[] = {'\\', c, '\0'};
        t->at++;
        return put(t, t->out, text);
    }
    if (c == 'S') { // shorter than the ranges, and faster
        t->at++;
        return put(t, t->out, "[^" SPACES "]");
    }
    size_t open = t->out->len;
    JL_TRY(put(t, t->out, "[^"));
    JL_TRY(read_set_escape(t, t->out, true, &negated, &bits));
    if (!negated) { // "[^" becomes "["
        memmove(t->out->data + open + 1, t->out->data + open + 2, t->out->len - open - 2);
        t->out->len--;
    }
    return put(t, t->out, "]");
}

static enum jl_status put_alternatives(struct translator *t, int depth);

/* Behind '('. *atom is false for a switch such as "(?i)", which repeats nothing. */
static enum jl_status put_group(struct translator *t, int depth, bool *atom) {
    static const char *const openings[] = {"?:", "?=",  "?!",   "?<=", "?<!",
                                           "?>", "?i:", "?-i:", NULL};
    if (depth >= REGEX_MAX_DEPTH) return refuse(t, "deeper nesting");
    *atom = true;
    JL_TRY(put(t, t->out, "("));
    if (skip_text(t, "?i)")) {
        *atom = false;
        return put(t, t->out, "?i)");
    }
    const char *const *opening = openings;
    while (*opening && !next_is(t, *opening))
        opening++;
    if (*opening) {
        t->at += strlen(*opening);
        JL_TRY(put(t, t->out, *opening));
    } else if (next_is(t, "?")) {
        return refuse(t, "a group of this kind");
    } else {
        JL_TRY(put(t, t->out, "?:"));
    }
    JL_TRY(put_alternatives(t, depth + 1));
    if (!skip_text(t, ")")) return broken(t, "a group lacks its ')'");
    return put(t, t->out, ")");
}

/* "{n}", "{n,}", "{,m}", "{n,m}" at t->at; false when the brace is a literal. */
static bool read_interval(const struct translator *t, const char **end, bool *open_start,
                          bool *fixed) {
    const char *at = t->at + 1;
    int before = 0, after = 0;
    bool comma = false;
    for (; at < t->end && *at >= '0' && *at <= '9'; at++)
        before++;
    if (at < t->end && *at == ',') {
        comma = true;
        for (at++; at < t->end && *at >= '0' && *at <= '9'; at++)
            after++;
    }
    if (at == t->end || *at != '}' || before + after == 0) return false;
    *end = at + 1;
    *open_start = before == 0;
    *fixed = !comma;
    return true;
}

static bool insert(struct byte_buffer *out, size_t at, const char *text) {
    size_t len = strlen(text);
    if (!buffer_reserve(out, len)) return false;
    memmove(out->data + at + len, out->data + at, out->len - at);
    memcpy(out->data + at, text, len);
    out->len += len;
    return true;
}

/* Neither number of the interval that ends at `end` is above REGEX_MAX_REPEAT. */
static bool is_short(const struct translator *t, const char *end) {
    int value = 0;
    for (const char *at = t->at; at < end; at++) {
        bool digit = *at >= '0' && *at <= '9';
        value = digit ? value * 10 + (*at - '0') : 0;
        if (value > REGEX_MAX_REPEAT) return false;
    }
    return true;
}

/* A quantifier behind the atom that begins at `atom` of the output. */
static enum jl_status put_interval(struct translator *t, size_t atom, const char *end,
                                   bool open_start, bool fixed) {
    if (!is_short(t, end)) return refuse(t, "a repetition of more than 1000");
    JL_TRY(put(t, t->out, open_start ? "{0" : "{"));
    if (!buffer_append(t->out, t->at + 1, (size_t)(end - t->at) - 1)) return no_memory(t);
    t->at = end;
    bool plus = next_is(t, "+"), ask = next_is(t, "?");
    // Oniguruma reads a{n}+ as (?:a{n})+ and a{n}? as (?:a{n})?.
    if (t->flavour == REGEX_ONIG && (plus || (ask && fixed))) {
        if (!insert(t->out, atom, "(?:")) return no_memory(t);
        JL_TRY(put(t, t->out, ")"));
    }
    if (!plus && !ask) return JL_OK;
    t->at++;
    return put(t, t->out, plus ? "+" : "?");
}

static enum jl_status put_quantifier(struct translator *t, size_t atom, bool *done) {
    const char *end;
    bool open_start, fixed;
    *done = true;
    if (*t->at == '{') {
        if (read_interval(t, &end, &open_start, &fixed))
            return put_interval(t, atom, end, open_start, fixed);
        *done = false;
        return JL_OK;
    }
    char text[3] = {*t->at++};
    if (t->at < t->end && (*t->at == '+' || *t->at == '?')) text[1] = *t->at++;
    return put(t, t->out, text);
}

static enum jl_status put_literal(struct translator *t) {
    uint32_t code;
    t->at += utf8_step(t->at, (size_t)(t->end - t->at), &code);
    return put_code(t, t->out, code);
}

/* Up to the end or a ')'. */
static enum jl_status put_alternatives(struct translator *t, int depth) {
    bool has_atom = false;
    size_t atom = 0;
    while (t->at < t->end && *t->at != ')') {
        char c = *t->at;
        if (has_atom && (c == '*' || c == '+' || c == '?' || c == '{')) {
            bool done;
            JL_TRY(put_quantifier(t, atom, &done));
            has_atom = !done;
            if (done) continue;
        } else if (c == '*' || c == '+' || c == '?') {
            return broken(t, "a quantifier has nothing to repeat");
        }
        atom = t->out->len;
        has_atom = true;
        if (c == '|' || c == '^' || c == '$' || c == '.') {
            const char text[] = {c, '\0'};
            t->at++;
            has_atom = c == '.';
            JL_TRY(put(t, t->out, text));
        } else if (c == '(') {
            t->at++;
            JL_TRY(put_group(t, depth, &has_atom));
        } else if (c == '[') {
            t->at++;
            JL_TRY(put_class(t));
        } else if (c == '\\') {
            t->at++;
            JL_TRY(put_escape(t));
        } else {
            JL_TRY(put_literal(t));
        }
    }
    return JL_OK;
}

enum jl_status regex_translate(const char *pattern, size_t len, enum regex_flavour flavour,
                               struct byte_buffer *out, struct jl_error *err) {
    struct translator t = {.start = pattern,
                           .at = pattern,
                           .end = pattern + len,
                           .flavour = flavour,
                           .out = out,
                           .err = err};
    out->len = 0;
    if (len > REGEX_MAX_BYTES)
        return jl_fail(err, JL_ERR_LIMIT, "a pattern of %zu bytes is too long", len);
    for (size_t at = 0; at < len;) {
        int step = utf8_length(pattern + at, len - at);
        if (!step) return jl_fail(err, JL_ERR_FORMAT, "a pattern is not UTF-8 at byte %zu", at);
        at += (size_t)step;
    }
    if (!buffer_reserve(out, 1)) return no_memory(&t);
    JL_TRY(put_alternatives(&t, 0));
    return t.at == t.end ? JL_OK : broken(&t, "a ')' too many");
}

enum jl_status regex_translate_text(const char *text, size_t len, struct byte_buffer *out,
                                    struct jl_error *err) {
    struct translator t = {.start = text, .at = text, .end = text + len, .out = out, .err = err};
    out->len = 0;
    while (t.at < t.end)
        JL_TRY(put_literal(&t));
    return JL_OK;
}
