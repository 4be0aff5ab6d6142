#include "text/tokenizer/metaspace.h"

#include <string.h>

#include "text/tokenizer/normalize.h"

static bool starts_with_mark(const struct metaspace *metaspace, const char *text, size_t len) {
    return len >= metaspace->mark_len && memcmp(text, metaspace->mark, metaspace->mark_len) == 0;
}

bool metaspace_mark(const struct metaspace *metaspace, const char *text, size_t len,
                    bool at_text_start, struct byte_buffer *out) {
    const struct normalize_step spaces = {.kind = NORMALIZE_REPLACE,
                                          .pattern = " ",
                                          .pattern_len = 1,
                                          .content = metaspace->mark,
                                          .content_len = metaspace->mark_len};
    bool marked = len && (text[0] == ' ' || starts_with_mark(metaspace, text, len));
    bool prepend = metaspace->prepend == METASPACE_ALWAYS ||
                   (metaspace->prepend == METASPACE_FIRST && at_text_start);
    out->len = 0;
    if (len && prepend && !marked && !buffer_append(out, metaspace->mark, metaspace->mark_len))
        return false;
    return normalize_replace(&spaces, text, len, out);
}

size_t metaspace_word_end(const struct metaspace *metaspace, const char *text, size_t len,
                          size_t from) {
    if (!metaspace->split) return len;
    const char *mark =
        memmem(text + from + 1, len - from - 1, metaspace->mark, metaspace->mark_len);
    return mark ? (size_t)(mark - text) : len;
}
