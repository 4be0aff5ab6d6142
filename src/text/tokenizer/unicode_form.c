/* Normalisation forms. Most text is in the form already, so the work is to see that fast: a safe
 * character is one that the form leaves alone wherever it stands, and that nothing before it can
 * reach across. Only what lies between safe characters is decomposed, ordered and composed. */
#include "text/tokenizer/unicode_form.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/arena.h"
#include "text/utf8.h"

#define MAX_EXPANSION 32 // code points a character decomposes to; Unicode's longest is 18

static bool composes(enum unicode_form form) { return form == UNICODE_NFC || form == UNICODE_NFKC; }

static bool compatible(enum unicode_form form) {
    return form == UNICODE_NFKC || form == UNICODE_NFKD;
}

/* Code points that one becomes, in canonical order of nothing: into out[MAX_EXPANSION]. */
static int decompose(enum unicode_form form, uint32_t code, utf8proc_int32_t *out) {
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    if (compatible(form)) options |= UTF8PROC_COMPAT;
    int state = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)code, out, MAX_EXPANSION, options, &state);
    if (n >= 0 && n <= MAX_EXPANSION) return (int)n;
    out[0] = (utf8proc_int32_t)code; // not possible for a code point below UTF8_CODE_END
    return 1;
}

static int combining_class(uint32_t code) {
    return (int)utf8proc_get_property((utf8proc_int32_t)code)->combining_class;
}

/* ---- what needs no work ---- */

/* Composed again it is the same one character. */
static bool recomposes(uint32_t code, utf8proc_int32_t *parts, int n) {
    utf8proc_ssize_t composed =
        utf8proc_normalize_utf32(parts, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return composed == 1 && parts[0] == (utf8proc_int32_t)code;
}

static bool is_mark(uint32_t code) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
           category == UTF8PROC_CATEGORY_ME;
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t code) {
    for (size_t i = 0; i < n && ranges[i].first <= code; i++) {
        if (code <= ranges[i].last) return true;
    }
    return false;
}

/* Characters of class 0 that compose with the one before: NFC_Quick_Check=Maybe of Unicode 14, and
 * all marks of the higher planes, where later versions add some. */
static bool may_compose(uint32_t code) {
    static const struct range maybe[] = {
        {0x9BE, 0x9BE}, {0x9D7, 0x9D7}, {0xB3E, 0xB3E},   {0xB56, 0xB57},   {0xBBE, 0xBBE},
        {0xBD7, 0xBD7}, {0xCC2, 0xCC2}, {0xCD5, 0xCD6},   {0xD3E, 0xD3E},   {0xD57, 0xD57},
        {0xDCF, 0xDCF}, {0xDDF, 0xDDF}, {0x102E, 0x102E}, {0x1160, 0x11FF}, {0x1B35, 0x1B35}};
    if (code >= 0x10000) return is_mark(code) || (code >= 0x16D63 && code <= 0x16D6A);
    return in_ranges(maybe, sizeof maybe / sizeof maybe[0], code);
}

static bool safe_slow(enum unicode_form form, uint32_t code) {
    if (code >= UTF8_CODE_END) return true; // a stray byte
    if (combining_class(code) != 0 || (composes(form) && may_compose(code))) return false;
    utf8proc_int32_t parts[MAX_EXPANSION];
    int n = decompose(form, code, parts);
    if (n == 1 && parts[0] == (utf8proc_int32_t)code) return true;
    return composes(form) && recomposes(code, parts, n);
}

/* Everyday text first. The ranges are NFC_Quick_Check=Yes and class 0 throughout. */
static bool safe(enum unicode_form form, uint32_t code) {
    static const struct range nfc[] = {
        {0x80, 0x2FF},     {0x391, 0x3CE},   {0x3D7, 0x482},   {0x48A, 0x52F},   {0x5D0, 0x5EA},
        {0x620, 0x64A},    {0x904, 0x939},   {0x93E, 0x94C},   {0xE01, 0xE37},   {0xE40, 0xE46},
        {0x1E00, 0x1EFF},  {0x2010, 0x203F}, {0x2190, 0x2328}, {0x2500, 0x27FF}, {0x3001, 0x3029},
        {0x3041, 0x3096},  {0x30A0, 0x30FF}, {0xAC00, 0xD7A3}, {0xFF01, 0xFFEF}, {0x1F300, 0x1FAFF},
        {0x20000, 0x2F7FF}};
    static const struct range nfkc[] = {{0x410, 0x482}, {0x3041, 0x3096}, {0xAC00, 0xD7A3}};
    if (code < 0x80 || (code >= 0x3400 && code <= 0x9FFF)) return true; // Han
    if (form == UNICODE_NFC && in_ranges(nfc, sizeof nfc / sizeof nfc[0], code)) return true;
    if (form == UNICODE_NFKC && in_ranges(nfkc, sizeof nfkc / sizeof nfkc[0], code)) return true;
    return safe_slow(form, code);
}

/* Bytes of the Han characters U+4000 to U+9FFF that `text` begins with. */
static size_t han_prefix(const char *text, size_t len) {
    size_t at = 0;
    for (; len - at >= 3; at += 3) {
        const unsigned char *byte = (const unsigned char *)text + at;
        if (byte[0] < 0xE4 || byte[0] > 0xE9) break;
        if ((byte[1] & 0xC0) != 0x80 || (byte[2] & 0xC0) != 0x80) break;
    }
    return at;
}

/* Length of the longest prefix of safe characters; *last is where the last of them begins. */
static size_t safe_prefix(enum unicode_form form, const char *text, size_t len, size_t *last) {
    size_t at = 0;
    *last = 0;
    while (at < len) {
        size_t ascii = at;
        while (len - at >= 8) {
            uint64_t word;
            memcpy(&word, text + at, 8);
            if (word & 0x8080808080808080u) break;
            at += 8;
        }
        if (at > ascii) *last = at - 1;
        size_t han = han_prefix(text + at, len - at);
        if (han) *last = at + han - 3;
        at += han;
        if (at == len) break;
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        if (!safe(form, code)) break;
        *last = at;
        at += step;
    }
    return at;
}

bool unicode_form_is(enum unicode_form form, const char *text, size_t len) {
    size_t last;
    return safe_prefix(form, text, len, &last) == len;
}

/* ---- what does ---- */

struct codes {
    utf8proc_int32_t *data, *spare; // heap, `cap` each
    size_t len, cap;
};

static bool codes_reserve(struct codes *codes, size_t more) {
    size_t need, bytes;
    if (!size_add(codes->len, more, &need)) return false;
    if (need <= codes->cap) return true;
    size_t cap = need > 2 * codes->cap ? need + 64 : 2 * codes->cap;
    if (!size_mul(cap, sizeof *codes->data, &bytes)) return false;
    utf8proc_int32_t *data = realloc(codes->data, bytes);
    if (!data) return false;
    codes->data = data;
    utf8proc_int32_t *spare = realloc(codes->spare, bytes);
    if (!spare) return false;
    codes->spare = spare;
    codes->cap = cap;
    return true;
}

/* Sorts a run of non-starters by class, stably: counting, because a hostile run may be long. */
static void sort_run(utf8proc_int32_t *run, size_t n, utf8proc_int32_t *spare) {
    size_t count[257] = {0};
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = combining_class((uint32_t)run[i - 1]) <= combining_class((uint32_t)run[i]);
    if (sorted) return;
    for (size_t i = 0; i < n; i++)
        count[(combining_class((uint32_t)run[i]) & 255) + 1]++;
    for (int i = 1; i < 257; i++)
        count[i] += count[i - 1];
    for (size_t i = 0; i < n; i++)
        spare[count[combining_class((uint32_t)run[i]) & 255]++] = run[i];
    memcpy(run, spare, n * sizeof *run);
}

static void order(struct codes *codes) {
    for (size_t at = 0, end; at < codes->len; at = end + 1) {
        end = at;
        while (end < codes->len && combining_class((uint32_t)codes->data[end]) != 0)
            end++;
        if (end > at + 1) sort_run(codes->data + at, end - at, codes->spare);
    }
}

/* A stretch without stray bytes. */
static bool rewrite(enum unicode_form form, const char *text, size_t len, struct codes *codes,
                    struct byte_buffer *out) {
    codes->len = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
        if (!codes_reserve(codes, MAX_EXPANSION)) return false;
        codes->len += (size_t)decompose(form, code, codes->data + codes->len);
    }
    order(codes);
    utf8proc_ssize_t n = (utf8proc_ssize_t)codes->len;
    if (composes(form))
        n = utf8proc_normalize_utf32(codes->data, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char bytes[UTF8_MAX];
        int size = utf8_encode((uint32_t)codes->data[i], bytes);
        if (!buffer_append(out, bytes, (size_t)size)) return false;
    }
    return n >= 0;
}

/* End of the stretch from `at` on that has to be rewritten: the next safe character. */
static size_t unsafe_end(enum unicode_form form, const char *text, size_t len, size_t at) {
    while (at < len) {
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        if (safe(form, code)) break;
        at += step;
    }
    return at;
}

bool unicode_form_apply(enum unicode_form form, const char *text, size_t len,
                        struct byte_buffer *out) {
    struct codes codes = {0};
    bool ok = buffer_reserve(out, len);
    for (size_t at = 0; ok && at < len;) {
        size_t last, n = safe_prefix(form, text + at, len - at, &last);
        if (n == len - at) {
            ok = buffer_append(out, text + at, n);
            break;
        }
        // The last safe character may compose with what follows, unless it is a stray byte.
        uint32_t code;
        utf8_step(text + at + last, len - at - last, &code);
        if (n == 0 || code >= UTF8_CODE_END) last = n;
        size_t end = unsafe_end(form, text, len, at + n);
        ok = buffer_append(out, text + at, last) &&
             rewrite(form, text + at + last, end - at - last, &codes, out);
        at = end;
    }
    free(codes.data);
    free(codes.spare);
    return ok;
}
