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

/* What can compose with a character before it is a mark or a vowel or final of Hangul. */
static bool safe_slow(enum unicode_form form, uint32_t code) {
    if (code >= UTF8_CODE_END) return true; // a stray byte
    if (combining_class(code) != 0) return false;
    if (composes(form) && (is_mark(code) || (code >= 0x1160 && code <= 0x11FF))) return false;
    utf8proc_int32_t parts[MAX_EXPANSION];
    int n = decompose(form, code, parts);
    if (n == 1 && parts[0] == (utf8proc_int32_t)code) return true;
    return composes(form) && recomposes(code, parts, n);
}

/* Ranges of everyday text without decompositions and marks: Latin, Greek and Cyrillic letters come
 * composed, Han and kana are themselves. */
static bool safe(enum unicode_form form, uint32_t code) {
    if (code < 0x80) return true;
    if (form == UNICODE_NFC && code < 0x300) return true;
    if (code >= 0x3400 && code <= 0x9FFF) return true;                   // Han
    if (code >= 0x3041 && code <= 0x3096 && composes(form)) return true; // Hiragana
    if (code >= 0x30A1 && code <= 0x30FA && composes(form)) return true; // Katakana
    if (code >= 0xAC00 && code <= 0xD7A3 && composes(form)) return true; // Hangul
    if (code == 0x3001 || code == 0x3002) return true;
    return safe_slow(form, code);
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
