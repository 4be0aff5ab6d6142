/* str: questions about characters (isalpha...) and changes of case. Categories are Unicode's. */
#include <string.h>
#include <utf8proc.h>

#include "text/template/case_table.h"
#include "text/template/lexer.h"
#include "text/template/methods.h"
#include "text/utf8.h"

struct char_range {
    uint32_t first, last;
};

/* Numeric_Type Digit; Numeric; Other_Uppercase; Other_Lowercase: Unicode 14. */
static const struct char_range digits[] = {
    {0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
    {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
    {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
    {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
    {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A},
};
static const struct char_range numerics[] = {
    {0xBC, 0xBE},       {0x9F4, 0x9F9},     {0xB72, 0xB77},     {0xBF0, 0xBF2},
    {0xC78, 0xC7E},     {0xD58, 0xD5E},     {0xD70, 0xD78},     {0xF2A, 0xF33},
    {0x1372, 0x137C},   {0x16EE, 0x16F0},   {0x17F0, 0x17F9},   {0x2150, 0x2182},
    {0x2185, 0x2189},   {0x2469, 0x2473},   {0x247D, 0x2487},   {0x2491, 0x249B},
    {0x24EB, 0x24F4},   {0x24FE, 0x24FE},   {0x277F, 0x277F},   {0x2789, 0x2789},
    {0x2793, 0x2793},   {0x2CFD, 0x2CFD},   {0x3007, 0x3007},   {0x3021, 0x3029},
    {0x3038, 0x303A},   {0x3192, 0x3195},   {0x3220, 0x3229},   {0x3248, 0x324F},
    {0x3251, 0x325F},   {0x3280, 0x3289},   {0x32B1, 0x32BF},   {0x3405, 0x3405},
    {0x3483, 0x3483},   {0x382A, 0x382A},   {0x3B4D, 0x3B4D},   {0x4E00, 0x4E00},
    {0x4E03, 0x4E03},   {0x4E07, 0x4E07},   {0x4E09, 0x4E09},   {0x4E5D, 0x4E5D},
    {0x4E8C, 0x4E8C},   {0x4E94, 0x4E94},   {0x4E96, 0x4E96},   {0x4EBF, 0x4EC0},
    {0x4EDF, 0x4EDF},   {0x4EE8, 0x4EE8},   {0x4F0D, 0x4F0D},   {0x4F70, 0x4F70},
    {0x5104, 0x5104},   {0x5146, 0x5146},   {0x5169, 0x5169},   {0x516B, 0x516B},
    {0x516D, 0x516D},   {0x5341, 0x5341},   {0x5343, 0x5345},   {0x534C, 0x534C},
    {0x53C1, 0x53C4},   {0x56DB, 0x56DB},   {0x58F1, 0x58F1},   {0x58F9, 0x58F9},
    {0x5E7A, 0x5E7A},   {0x5EFE, 0x5EFF},   {0x5F0C, 0x5F0E},   {0x5F10, 0x5F10},
    {0x62FE, 0x62FE},   {0x634C, 0x634C},   {0x67D2, 0x67D2},   {0x6F06, 0x6F06},
    {0x7396, 0x7396},   {0x767E, 0x767E},   {0x8086, 0x8086},   {0x842C, 0x842C},
    {0x8CAE, 0x8CAE},   {0x8CB3, 0x8CB3},   {0x8D30, 0x8D30},   {0x9621, 0x9621},
    {0x9646, 0x9646},   {0x964C, 0x964C},   {0x9678, 0x9678},   {0x96F6, 0x96F6},
    {0xA6E6, 0xA6EF},   {0xA830, 0xA835},   {0xF96B, 0xF96B},   {0xF973, 0xF973},
    {0xF978, 0xF978},   {0xF9B2, 0xF9B2},   {0xF9D1, 0xF9D1},   {0xF9D3, 0xF9D3},
    {0xF9FD, 0xF9FD},   {0x10107, 0x10133}, {0x10140, 0x10178}, {0x1018A, 0x1018B},
    {0x102E1, 0x102FB}, {0x10320, 0x10323}, {0x10341, 0x10341}, {0x1034A, 0x1034A},
    {0x103D1, 0x103D5}, {0x10858, 0x1085F}, {0x10879, 0x1087F}, {0x108A7, 0x108AF},
    {0x108FB, 0x108FF}, {0x10916, 0x1091B}, {0x109BC, 0x109BD}, {0x109C0, 0x109CF},
    {0x109D2, 0x109FF}, {0x10A44, 0x10A48}, {0x10A7D, 0x10A7E}, {0x10A9D, 0x10A9F},
    {0x10AEB, 0x10AEF}, {0x10B58, 0x10B5F}, {0x10B78, 0x10B7F}, {0x10BA9, 0x10BAF},
    {0x10CFA, 0x10CFF}, {0x10E69, 0x10E7E}, {0x10F1D, 0x10F26}, {0x10F51, 0x10F54},
    {0x10FC5, 0x10FCB}, {0x1105B, 0x11065}, {0x111E1, 0x111F4}, {0x1173A, 0x1173B},
    {0x118EA, 0x118F2}, {0x11C5A, 0x11C6C}, {0x11FC0, 0x11FD4}, {0x12400, 0x1246E},
    {0x16B5B, 0x16B61}, {0x16E80, 0x16E96}, {0x1D2E0, 0x1D2F3}, {0x1D360, 0x1D378},
    {0x1E8C7, 0x1E8CF}, {0x1EC71, 0x1ECAB}, {0x1ECAD, 0x1ECAF}, {0x1ECB1, 0x1ECB4},
    {0x1ED01, 0x1ED2D}, {0x1ED2F, 0x1ED3D}, {0x1F10B, 0x1F10C}, {0x20001, 0x20001},
    {0x20064, 0x20064}, {0x200E2, 0x200E2}, {0x20121, 0x20121}, {0x2092A, 0x2092A},
    {0x20983, 0x20983}, {0x2098C, 0x2098C}, {0x2099C, 0x2099C}, {0x20AEA, 0x20AEA},
    {0x20AFD, 0x20AFD}, {0x20B19, 0x20B19}, {0x22390, 0x22390}, {0x22998, 0x22998},
    {0x23B1B, 0x23B1B}, {0x2626D, 0x2626D}, {0x2F890, 0x2F890},
};
static const struct char_range other_upper[] = {
    {0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
};
static const struct char_range other_lower[] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},
    {0x2E0, 0x2E4},     {0x345, 0x345},     {0x37A, 0x37A},     {0x1D2C, 0x1D6A},
    {0x1D78, 0x1D78},   {0x1D9B, 0x1DBF},   {0x2071, 0x2071},   {0x207F, 0x207F},
    {0x2090, 0x209C},   {0x2170, 0x217F},   {0x24D0, 0x24E9},   {0x2C7C, 0x2C7D},
    {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA},
};

static bool in_ranges(const struct char_range *ranges, size_t n, uint32_t code) {
    for (size_t i = 0; i < n && ranges[i].first <= code; i++) {
        if (code <= ranges[i].last) return true;
    }
    return false;
}
#define IN(table, code) in_ranges(table, sizeof table / sizeof table[0], code)

static utf8proc_category_t category(uint32_t code) {
    return utf8proc_category((utf8proc_int32_t)code);
}

static bool is_decimal(uint32_t code) { return category(code) == UTF8PROC_CATEGORY_ND; }
static bool is_digit(uint32_t code) { return is_decimal(code) || IN(digits, code); }
static bool is_numeric(uint32_t code) { return is_digit(code) || IN(numerics, code); }
static bool is_upper(uint32_t code) {
    return category(code) == UTF8PROC_CATEGORY_LU || IN(other_upper, code);
}
static bool is_lower(uint32_t code) {
    return category(code) == UTF8PROC_CATEGORY_LL || IN(other_lower, code);
}
static bool is_title(uint32_t code) { return category(code) == UTF8PROC_CATEGORY_LT; }
static bool is_cased(uint32_t code) { return is_upper(code) || is_lower(code) || is_title(code); }
static bool is_alpha(uint32_t code) {
    utf8proc_category_t c = category(code);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}
static bool is_alnum(uint32_t code) { return is_alpha(code) || is_numeric(code); }
static bool is_ascii(uint32_t code) { return code < 0x80; }
static bool is_printable(uint32_t code) {
    utf8proc_category_t c = category(code);
    return code == ' ' || !(c == UTF8PROC_CATEGORY_CN || c >= UTF8PROC_CATEGORY_ZS);
}

/* Decimal digits come in runs of ten, zero first. */
int methods_digit(uint32_t code) {
    uint32_t zero = code;
    if (!is_decimal(code)) return -1;
    while (is_decimal(zero - 1))
        zero--;
    return (int)((code - zero) % 10);
}

/* ---- questions ---- */

static bool all(struct str s, bool (*is)(uint32_t), bool empty) {
    uint32_t code;
    if (s.len == 0) return empty;
    for (size_t at = 0; at < s.len;) {
        at += (size_t)utf8_step(s.data + at, s.len - at, &code);
        if (!is(code)) return false;
    }
    return true;
}

/* No letter of the other case, and some of this one. */
static bool one_case(struct str s, bool (*wanted)(uint32_t), bool (*other)(uint32_t)) {
    uint32_t code;
    bool some = false;
    for (size_t at = 0; at < s.len;) {
        at += (size_t)utf8_step(s.data + at, s.len - at, &code);
        if (other(code) || is_title(code)) return false;
        some |= wanted(code);
    }
    return some;
}

static bool title_case(struct str s) {
    uint32_t code;
    bool some = false, inside = false;
    for (size_t at = 0; at < s.len;) {
        at += (size_t)utf8_step(s.data + at, s.len - at, &code);
        bool big = is_upper(code) || is_title(code), small = is_lower(code);
        if ((big && inside) || (small && !inside)) return false;
        inside = big || small;
        some |= inside;
    }
    return some;
}

static bool identifier(struct str s) {
    uint32_t code;
    bool first = true;
    for (size_t at = 0; at < s.len; first = false) {
        at += (size_t)utf8_step(s.data + at, s.len - at, &code);
        bool start = is_alpha(code) || code == '_' || category(code) == UTF8PROC_CATEGORY_NL;
        if (!start && (first || !utf8_is_word(code) || code == 0x200C || code == 0x200D))
            return false;
    }
    return s.len > 0;
}

bool methods_test(struct str s, const char *name) {
    if (!strcmp(name, "isupper")) return one_case(s, is_upper, is_lower);
    if (!strcmp(name, "islower")) return one_case(s, is_lower, is_upper);
    if (!strcmp(name, "istitle")) return title_case(s);
    if (!strcmp(name, "isidentifier")) return identifier(s);
    if (!strcmp(name, "isalpha")) return all(s, is_alpha, false);
    if (!strcmp(name, "isdigit")) return all(s, is_digit, false);
    if (!strcmp(name, "isdecimal")) return all(s, is_decimal, false);
    if (!strcmp(name, "isnumeric")) return all(s, is_numeric, false);
    if (!strcmp(name, "isalnum")) return all(s, is_alnum, false);
    if (!strcmp(name, "isspace")) return all(s, lexer_is_space, false);
    if (!strcmp(name, "isascii")) return all(s, is_ascii, true);
    return all(s, is_printable, true); // isprintable
}

#define QUESTION(name)                                                                             \
    static struct value *str_##name(struct render *r, struct value *self, struct value **args) {   \
        (void)args;                                                                                \
        return render_work(r, self->as.s.len / 16) ? value_bool(methods_test(self->as.s, #name))   \
                                                   : NULL;                                         \
    }
#define QUESTIONS(X)                                                                               \
    X(isupper)                                                                                     \
    X(islower)                                                                                     \
    X(istitle)                                                                                     \
    X(isidentifier)                                                                                \
    X(isalpha) X(isdigit) X(isdecimal) X(isnumeric) X(isalnum) X(isspace) X(isascii) X(isprintable)
QUESTIONS(QUESTION)

/* ---- changes ---- */

static const struct case_row *find_row(uint32_t code) {
    int low = 0, high = case_table_count;
    while (low < high) {
        int mid = low + (high - low) / 2;
        if (case_table_rows[mid].code == code) return &case_table_rows[mid];
        if (case_table_rows[mid].code < code)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static void put_case(struct strbuf *out, uint32_t code, unsigned char mark, char how) {
    const struct case_row *row = find_row(code);
    utf8proc_int32_t c = (utf8proc_int32_t)code;
    if (!row) {
        c = how == 'u'   ? utf8proc_toupper(c)
            : how == 'l' ? utf8proc_tolower(c)
                         : utf8proc_totitle(c);
        strbuf_code(out, (uint32_t)c, mark);
        return;
    }
    const uint32_t *codes = how == 'u' ? row->upper : how == 'l' ? row->lower : row->title;
    for (int i = 0; i < 3 && codes[i]; i++)
        strbuf_code(out, codes[i], mark);
}

/* Characters that do not count when one asks whether a letter ends a word. */
static bool case_ignorable(uint32_t code) {
    switch (category(code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default:
        return code == '\'' || code == '.' || code == ':' || code == 0xB7 || code == 0x387 ||
               code == 0x55F || code == 0x5F4 || code == 0x2018 || code == 0x2019 ||
               code == 0x2024 || code == 0x2027 || code == 0xFE13 || code == 0xFE52 ||
               code == 0xFE55 || code == 0xFF07 || code == 0xFF0E || code == 0xFF1A;
    }
}

/* A capital sigma at the end of a word has a lower case of its own. */
static bool ends_word(struct str s, size_t at, size_t next) {
    uint32_t code = 0;
    bool before = false;
    while (at > 0) {
        do
            at--;
        while (at > 0 && ((unsigned char)s.data[at] & 0xC0) == 0x80);
        utf8_step(s.data + at, s.len - at, &code);
        if (case_ignorable(code)) continue;
        before = is_cased(code);
        break;
    }
    while (before && next < s.len) {
        next += (size_t)utf8_step(s.data + next, s.len - next, &code);
        if (!case_ignorable(code)) return !is_cased(code);
    }
    return before;
}

struct value *methods_case(struct render *r, struct str s, char how) {
    struct strbuf out = {.r = r};
    bool inside = false;
    uint32_t code;
    if (!render_work(r, s.len / 2)) return NULL;
    for (size_t at = 0; at < s.len;) {
        size_t next = at + (size_t)utf8_step(s.data + at, s.len - at, &code);
        char one = how;
        if (how == 't') one = inside ? 'l' : 't';
        if (how == 'c') one = at ? 'l' : 't';
        if (how == 's') one = is_upper(code) ? 'l' : is_lower(code) ? 'u' : 'k';
        if (one == 'l' && code == 0x3A3)
            strbuf_code(&out, ends_word(s, at, next) ? 0x3C2 : 0x3C3, str_mark(s, at));
        else if (one == 'k')
            strbuf_str(&out, str_part(s, at, next));
        else
            put_case(&out, code, str_mark(s, at), one);
        inside = is_cased(code);
        at = next;
    }
    return strbuf_value(&out);
}

#define ROW(name) {#name, "", 0, str_##name, NULL},
const struct methods_row methods_str_test_rows[] = {
    QUESTIONS(ROW){NULL, NULL, 0, NULL, NULL},
};
