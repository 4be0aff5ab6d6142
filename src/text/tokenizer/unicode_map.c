/* Normalisers that look at one character at a time. */
#include <stdlib.h>

#include <utf8proc.h>

#include "text/tokenizer/unicode_form.h"
#include "text/utf8.h"

static utf8proc_category_t category_of(uint32_t code) {
    return code < UTF8_CODE_END ? utf8proc_category((utf8proc_int32_t)code) : UTF8PROC_CATEGORY_CN;
}

static bool append_code(struct byte_buffer *out, uint32_t code) {
    char bytes[UTF8_MAX];
    int n = utf8_encode(code, bytes);
    return buffer_append(out, bytes, (size_t)n);
}

static bool append_lower(struct byte_buffer *out, uint32_t code) {
    if (code < 0x80) {
        char byte = (char)(code >= 'A' && code <= 'Z' ? code + 32 : code);
        return buffer_append(out, &byte, 1);
    }
    if (code >= UTF8_CODE_END) return append_code(out, code);
    if (code == 0x130) return buffer_append(out, "i\xCC\x87", 3); // SpecialCasing.txt
    return append_code(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)code));
}

bool unicode_form_lowercase(const char *text, size_t len, struct byte_buffer *out) {
    bool ok = buffer_reserve(out, len);
    for (size_t at = 0; ok && at < len;) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
        ok = append_lower(out, code);
    }
    return ok;
}

bool unicode_form_strip_accents(const char *text, size_t len, struct byte_buffer *out) {
    bool ok = buffer_reserve(out, len);
    for (size_t at = 0; ok && at < len;) {
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        utf8proc_category_t category = code < 0x300 ? UTF8PROC_CATEGORY_LL : category_of(code);
        if (category != UTF8PROC_CATEGORY_MN && category != UTF8PROC_CATEGORY_MC &&
            category != UTF8PROC_CATEGORY_ME)
            ok = buffer_append(out, text + at, step);
        at += step;
    }
    return ok;
}

bool unicode_form_strip(bool left, bool right, const char *text, size_t len,
                        struct byte_buffer *out) {
    size_t from = 0, to = 0;
    uint32_t code;
    while (left && from < len) {
        size_t step = (size_t)utf8_step(text + from, len - from, &code);
        if (!utf8_is_space(code)) break;
        from += step;
    }
    for (size_t at = from; at < len;) {
        at += (size_t)utf8_step(text + at, len - at, &code);
        if (!right || !utf8_is_space(code)) to = at;
    }
    return to <= from || buffer_append(out, text + from, to - from);
}

static bool nmt_drops(uint32_t code) {
    return (code >= 0x01 && code <= 0x08) || code == 0x0B || (code >= 0x0E && code <= 0x1F) ||
           code == 0x7F || code == 0x8F || code == 0x9F;
}

static bool nmt_is_space(uint32_t code) {
    return code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D || code == 0x1680 ||
           (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 ||
           code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
}

bool unicode_form_nmt(const char *text, size_t len, struct byte_buffer *out) {
    bool ok = buffer_reserve(out, len);
    for (size_t at = 0; ok && at < len;) {
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        if (nmt_is_space(code))
            ok = buffer_append(out, " ", 1);
        else if (!nmt_drops(code))
            ok = buffer_append(out, text + at, step);
        at += step;
    }
    return ok;
}

/* ---- BERT ---- */

static bool is_chinese(uint32_t code) { // the ranges of the original, gap at U+2B820 included
    return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
           (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B73F) ||
           (code >= 0x2B740 && code <= 0x2B81F) || (code >= 0x2B920 && code <= 0x2CEAF) ||
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

static bool clean_drops(uint32_t code) {
    if (code == '\t' || code == '\n' || code == '\r') return false;
    if (code == 0 || code == 0xFFFD) return true;
    if (code >= 0x20 && code < 0x7F) return false;
    if (code >= UTF8_CODE_END) return false;
    utf8proc_category_t category = category_of(code);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO;
}

/* Cleaning and the spaces around Chinese characters. */
static bool bert_clean(const struct unicode_form_bert *bert, const char *text, size_t len,
                       struct byte_buffer *out) {
    bool ok = buffer_reserve(out, len);
    for (size_t at = 0; ok && at < len;) {
        uint32_t code;
        size_t from = at;
        at += (size_t)utf8_step(text + at, len - at, &code);
        if (bert->clean_text && clean_drops(code)) continue;
        if (bert->clean_text && utf8_is_space(code)) {
            ok = buffer_append(out, " ", 1);
            continue;
        }
        bool chinese = bert->handle_chinese_chars && is_chinese(code);
        ok = (!chinese || buffer_append(out, " ", 1)) &&
             buffer_append(out, text + from, at - from) && (!chinese || buffer_append(out, " ", 1));
    }
    return ok;
}

/* Drops non-spacing marks and lowers. */
static bool bert_letters(const struct unicode_form_bert *bert, const char *text, size_t len,
                         struct byte_buffer *out) {
    bool ok = buffer_reserve(out, len);
    for (size_t at = 0; ok && at < len;) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
        if (bert->strip_accents && code >= 0x300 && category_of(code) == UTF8PROC_CATEGORY_MN)
            continue;
        ok = bert->lowercase ? append_lower(out, code) : append_code(out, code);
    }
    return ok;
}

bool unicode_form_bert(const struct unicode_form_bert *bert, const char *text, size_t len,
                       struct byte_buffer *out) {
    struct byte_buffer clean = {0}, decomposed = {0};
    bool ok = bert_clean(bert, text, len, &clean);
    struct byte_buffer *last = &clean;
    if (ok && bert->strip_accents) {
        ok = unicode_form_apply(UNICODE_NFD, clean.data, clean.len, &decomposed);
        last = &decomposed;
    }
    ok = ok && bert_letters(bert, last->data, last->len, out);
    buffer_free(&clean);
    buffer_free(&decomposed);
    return ok;
}
