#include "text/tokenizer/charsmap.h"

#include <string.h>

#include <utf8proc.h>

#include "text/utf8.h"

#define SHORT_GRAPHEME 6 // bytes; Hugging Face looks up whole graphemes below this only

/* ---- units: label in the low byte, bit 8 "a value follows", bit 9 and up the offset; a unit that
 * is a value has bit 31 set ---- */

static uint32_t unit_at(const struct charsmap *map, size_t i) {
    const unsigned char *at = map->units + 4 * i;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t unit_label(uint32_t unit) { return unit & 0x800000FFu; }
static bool unit_has_value(uint32_t unit) { return unit >> 8 & 1; }
static uint32_t unit_offset(uint32_t unit) { return unit >> 10 << ((unit & 0x200u) >> 6); }

/* One walk from the root. */
struct walk {
    const struct charsmap *map;
    size_t node;
};

static bool walk_start(struct walk *walk, const struct charsmap *map) {
    *walk = (struct walk){.map = map};
    if (map->n_unit == 0) return false;
    walk->node = unit_offset(unit_at(map, 0));
    return true;
}

/* False: no rule goes on with this byte. *value is the offset of a text, or -1. */
static bool walk_step(struct walk *walk, unsigned char byte, int64_t *value) {
    size_t node = walk->node ^ byte;
    *value = -1;
    if (byte == 0 || node >= walk->map->n_unit) return false;
    uint32_t unit = unit_at(walk->map, node);
    if (unit_label(unit) != byte) return false;
    walk->node = node ^ unit_offset(unit);
    if (!unit_has_value(unit)) return true;
    if (walk->node >= walk->map->n_unit) return false;
    uint32_t leaf = unit_at(walk->map, walk->node);
    if (!(leaf >> 31)) return false;        // no value, whatever the table says
    *value = (int64_t)(leaf & 0x7FFFFFFFu); // charsmap_open checked it
    return true;
}

static struct charsmap_match match_of(const struct charsmap *map, size_t len, int64_t value) {
    const char *text = map->texts + value;
    return (struct charsmap_match){len, text, strlen(text)}; // charsmap_open saw the last NUL
}

/* ---- opening ---- */

static enum jl_status check_texts(const struct charsmap *map, struct jl_error *err) {
    if (map->texts_len == 0 || map->texts[map->texts_len - 1] != '\0') {
        return jl_fail(err, JL_ERR_FORMAT,
                       "the precompiled charsmap's texts do not end with a NUL byte");
    }
    for (size_t at = 0; at < map->texts_len;) {
        int n = utf8_length(map->texts + at, map->texts_len - at);
        if (n == 0) {
            return jl_fail(err, JL_ERR_FORMAT,
                           "the precompiled charsmap's texts are not UTF-8 at byte %zu", at);
        }
        at += (size_t)n;
    }
    return JL_OK;
}

/* A value must be the place of a character that a text begins with or holds. */
static enum jl_status check_values(const struct charsmap *map, struct jl_error *err) {
    for (size_t i = 0; i < map->n_unit; i++) {
        uint32_t unit = unit_at(map, i);
        size_t value = unit & 0x7FFFFFFFu;
        if (!(unit >> 31)) continue;
        if (value < map->texts_len && ((unsigned char)map->texts[value] & 0xC0) != 0x80) continue;
        return jl_fail(err, JL_ERR_FORMAT,
                       "the precompiled charsmap's unit %zu names the text at %zu; there are %zu "
                       "bytes of texts",
                       i, value, map->texts_len);
    }
    return JL_OK;
}

enum jl_status charsmap_open(struct charsmap *map, const void *bytes, size_t len,
                             struct jl_error *err) {
    const unsigned char *at = bytes;
    *map = (struct charsmap){0};
    if (len == 0) return JL_OK;
    size_t size = 0;
    for (int i = 3; len >= 4 && i >= 0; i--)
        size = size << 8 | at[i];
    if (len < 4 || size > len - 4 || size % 4 != 0 || size == 0) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "the precompiled charsmap of %zu bytes says that its trie has %zu bytes",
                       len, size);
    }
    map->units = at + 4;
    map->n_unit = size / 4;
    map->texts = (const char *)at + 4 + size;
    map->texts_len = len - 4 - size;
    enum jl_status status = check_texts(map, err);
    if (status == JL_OK) status = check_values(map, err);
    if (status != JL_OK) *map = (struct charsmap){0};
    return status;
}

/* ---- rewriting ---- */

struct charsmap_match charsmap_longest(const struct charsmap *map, const char *text, size_t len) {
    struct walk walk;
    size_t longest = 0;
    int64_t value, found = 0;
    if (!walk_start(&walk, map)) return (struct charsmap_match){0};
    for (size_t i = 0; i < len && walk_step(&walk, (unsigned char)text[i], &value); i++) {
        if (value < 0) continue;
        longest = i + 1;
        found = value;
    }
    return longest ? match_of(map, longest, found) : (struct charsmap_match){0};
}

static struct charsmap_match shortest(const struct charsmap *map, const char *text, size_t len) {
    struct walk walk;
    int64_t value;
    if (!walk_start(&walk, map)) return (struct charsmap_match){0};
    for (size_t i = 0; i < len && walk_step(&walk, (unsigned char)text[i], &value); i++) {
        if (value >= 0) return match_of(map, i + 1, value);
    }
    return (struct charsmap_match){0};
}

bool charsmap_rewrite(const struct charsmap *map, const char *text, size_t len,
                      struct byte_buffer *out) {
    if (!buffer_reserve(out, len)) return false;
    for (size_t at = 0; at < len;) {
        struct charsmap_match match = charsmap_longest(map, text + at, len - at);
        uint32_t code;
        size_t size = match.len ? match.len : (size_t)utf8_step(text + at, len - at, &code);
        bool ok = match.len ? buffer_append(out, match.text, match.text_len)
                            : buffer_append(out, text + at, size);
        if (!ok) return false;
        at += size;
    }
    return true;
}

/* Length of the grapheme cluster that `text` begins with; a stray byte stands alone. */
static size_t grapheme_length(const char *text, size_t len) {
    uint32_t code, next;
    utf8proc_int32_t state = 0;
    size_t at = (size_t)utf8_step(text, len, &code);
    for (; at < len && code < UTF8_CODE_END; code = next) {
        size_t step = (size_t)utf8_step(text + at, len - at, &next);
        if (next >= UTF8_CODE_END || utf8proc_grapheme_break_stateful(
                                         (utf8proc_int32_t)code, (utf8proc_int32_t)next, &state))
            break;
        at += step;
    }
    return at;
}

static bool rewrite_grapheme(const struct charsmap *map, const char *text, size_t len,
                             struct byte_buffer *out) {
    if (len < SHORT_GRAPHEME) {
        struct charsmap_match match = shortest(map, text, len);
        if (match.len) return buffer_append(out, match.text, match.text_len);
    }
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t step = (size_t)utf8_step(text + at, len - at, &code);
        struct charsmap_match match = shortest(map, text + at, step);
        bool ok = match.len ? buffer_append(out, match.text, match.text_len)
                            : buffer_append(out, text + at, step);
        if (!ok) return false;
        at += step;
    }
    return true;
}

bool charsmap_rewrite_graphemes(const struct charsmap *map, const char *text, size_t len,
                                struct byte_buffer *out) {
    if (!buffer_reserve(out, len)) return false;
    for (size_t at = 0; at < len;) {
        bool ascii = (unsigned char)text[at] < 0x80 && text[at] != '\r' &&
                     (at + 1 == len || (unsigned char)text[at + 1] < 0x80);
        size_t size = ascii ? 1 : grapheme_length(text + at, len - at);
        if (!rewrite_grapheme(map, text + at, size, out)) return false;
        at += size;
    }
    return true;
}
