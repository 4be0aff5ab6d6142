#include "text/tokenizer/sp_normalize.h"

#include <string.h>

#include "text/utf8.h"

#define SPACE_MARK "\xE2\x96\x81" // U+2581

void sp_normalize_free(struct sp_normalizer *normalizer) { trie_free(&normalizer->user); }

/* What the start of `text` becomes: a user-defined piece or a plain character itself, a rule's
 * text, or U+FFFD. match.len is never 0. */
static struct charsmap_match next_part(const struct sp_normalizer *normalizer, const char *text,
                                       size_t len) {
    int32_t user;
    size_t size = trie_longest(&normalizer->user, text, len, &user);
    if (size) return (struct charsmap_match){size, text, size};
    struct charsmap_match match = charsmap_longest(&normalizer->map, text, len);
    if (match.len) return match;
    size = (size_t)utf8_length(text, len);
    if (size) return (struct charsmap_match){size, text, size};
    return (struct charsmap_match){1, UTF8_REPLACEMENT, sizeof UTF8_REPLACEMENT - 1};
}

static bool append_space(const struct sp_normalizer *normalizer, struct byte_buffer *out) {
    return normalizer->escape_whitespaces ? buffer_append(out, SPACE_MARK, sizeof SPACE_MARK - 1)
                                          : buffer_append(out, " ", 1);
}

static bool append_part(const struct sp_normalizer *normalizer, const char *text, size_t len,
                        struct byte_buffer *out) {
    while (len) {
        const char *space = memchr(text, ' ', len);
        size_t n = space ? (size_t)(space - text) : len;
        if (!buffer_append(out, text, n)) return false;
        if (!space) return true;
        if (!append_space(normalizer, out)) return false;
        text += n + 1;
        len -= n + 1;
    }
    return true;
}

/* Spaces and marks at the end, down to `from`, what this text began with. */
static void drop_trailing(const struct sp_normalizer *normalizer, size_t from,
                          struct byte_buffer *out) {
    const char *space = normalizer->escape_whitespaces ? SPACE_MARK : " ";
    size_t n = strlen(space);
    while (out->len - from >= n && memcmp(out->data + out->len - n, space, n) == 0)
        out->len -= n;
}

bool sp_normalize_text(const struct sp_normalizer *normalizer, bool at_start, const char *text,
                       size_t len, struct byte_buffer *out) {
    bool remove = normalizer->remove_extra_whitespaces;
    bool dummy = normalizer->add_dummy_prefix && (at_start || !normalizer->prefix_once);
    size_t at = 0, from = out->len;
    while (remove && at < len) {
        struct charsmap_match part = next_part(normalizer, text + at, len - at);
        if (part.text_len != 1 || part.text[0] != ' ') break;
        at += part.len;
    }
    if (at == len) return true; // nothing, or nothing but spaces
    if (!buffer_reserve(out, len - at)) return false;
    if (dummy && !normalizer->as_suffix && !append_space(normalizer, out)) return false;
    bool after_space = remove;
    while (at < len) {
        struct charsmap_match part = next_part(normalizer, text + at, len - at);
        at += part.len;
        while (after_space && part.text_len && part.text[0] == ' ')
            part.text++, part.text_len--;
        if (part.text_len == 0) continue;
        if (!append_part(normalizer, part.text, part.text_len, out)) return false;
        after_space = remove && part.text[part.text_len - 1] == ' ';
    }
    if (remove) drop_trailing(normalizer, from, out);
    return !dummy || !normalizer->as_suffix || append_space(normalizer, out);
}
