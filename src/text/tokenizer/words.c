#include "text/tokenizer/words.h"

#include <string.h>

#include "text/tokenizer/metaspace.h"

#define MARK METASPACE_MARK
#define MARK_LEN (sizeof METASPACE_MARK - 1)

static size_t word_length(const char *text, size_t len) {
    size_t skip = len >= MARK_LEN && memcmp(text, MARK, MARK_LEN) == 0 ? MARK_LEN : 0;
    const char *mark = memmem(text + skip, len - skip, MARK, MARK_LEN);
    return mark ? (size_t)(mark - text) : len;
}

static enum jl_status emit(const struct words *words, const char *word, size_t len,
                           bool *after_unknown, struct id_buffer *ids, struct jl_error *err) {
    int32_t id = vocab_find(words->vocab, word, len);
    bool ok = true;
    if (id != TOKEN_NONE) {
        ok = buffer_append_id(ids, id);
    } else if (words->byte_fallback) {
        for (size_t i = 0; ok && i < len; i++)
            ok = buffer_append_id(ids, words->byte_token[(unsigned char)word[i]]);
    } else if (!*after_unknown) {
        ok = buffer_append_id(ids, words->unknown);
    }
    *after_unknown = id == TOKEN_NONE && !words->byte_fallback;
    return ok ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory while encoding a text");
}

enum jl_status words_encode(const struct words *words, const char *text, size_t len,
                            struct id_buffer *ids, struct jl_error *err) {
    bool after_unknown = false;
    for (size_t at = 0; at < len;) {
        size_t n = word_length(text + at, len - at);
        JL_TRY(emit(words, text + at, n, &after_unknown, ids, err));
        at += n;
    }
    return JL_OK;
}
