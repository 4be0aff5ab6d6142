#include "text/tokenizer/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"
#include "text/utf8.h"

/* Tokens with `affix` in front, without it, or all tokens as they stand. */
enum which { ALL, WITH, WITHOUT };

static bool build_trie(struct trie *trie, const struct wordpiece_token *tokens, size_t n,
                       const char *affix, size_t affix_len, enum which which) {
    struct trie_key *keys = calloc(n ? n : 1, sizeof *keys);
    size_t n_key = 0;
    if (!keys) return false;
    for (size_t i = 0; i < n; i++) {
        bool has = tokens[i].len > affix_len && memcmp(tokens[i].text, affix, affix_len) == 0;
        if ((which == WITH && !has) || (which == WITHOUT && has)) continue;
        size_t cut = which == WITH ? affix_len : 0;
        keys[n_key++] = (struct trie_key){tokens[i].text + cut, tokens[i].len - cut, tokens[i].id};
    }
    bool ok = trie_build(trie, keys, n_key);
    free(keys);
    return ok;
}

bool wordpiece_build(struct wordpiece *wordpiece, const struct wordpiece_token *tokens, size_t n,
                     const char *prefix, size_t prefix_len) {
    return build_trie(&wordpiece->first, tokens, n, prefix, prefix_len, ALL) &&
           build_trie(&wordpiece->rest, tokens, n, prefix, prefix_len, WITH);
}

bool wordpiece_build_marked(struct wordpiece *wordpiece, const struct wordpiece_token *tokens,
                            size_t n, const char *mark, size_t mark_len) {
    return build_trie(&wordpiece->first, tokens, n, mark, mark_len, WITH) &&
           build_trie(&wordpiece->rest, tokens, n, mark, mark_len, WITHOUT);
}

void wordpiece_free(struct wordpiece *wordpiece) {
    trie_free(&wordpiece->first);
    trie_free(&wordpiece->rest);
}

static bool too_long(const char *text, size_t len, size_t most) {
    size_t n = 0;
    for (size_t at = 0; at < len && n <= most; n++) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
    }
    return n > most;
}

enum jl_status wordpiece_encode(const struct wordpiece *wordpiece, const char *text, size_t len,
                                struct id_buffer *ids, struct jl_error *err) {
    size_t n_before = ids->len, at = 0;
    if (too_long(text, len, wordpiece->max_chars)) at = len + 1;
    while (at < len) {
        const struct trie *trie = at ? &wordpiece->rest : &wordpiece->first;
        int32_t id;
        size_t size = trie_longest(trie, text + at, len - at, &id);
        if (size == 0) break;
        if (!buffer_append_id(ids, id))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory while encoding a text");
        at += size;
    }
    if (at == len) return JL_OK;
    ids->len = n_before;
    if (wordpiece->unknown == TOKEN_NONE) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the word '%.*s' has no tokens, and the vocabulary has no unknown token",
                       (int)(len < 40 ? len : 40), text);
    }
    if (buffer_append_id(ids, wordpiece->unknown)) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while encoding a text");
}
