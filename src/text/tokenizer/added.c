#include "text/tokenizer/added.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

bool added_init(struct added_set *set, struct arena *arena, int cap) {
    if (cap == 0) return true;
    set->tokens = arena_calloc(arena, (size_t)cap, sizeof *set->tokens);
    set->cap = cap;
    return set->tokens != NULL;
}

void added_free(struct added_set *set) {
    u64map_free(&set->edges);
    free(set->ends);
    set->ends = NULL;
}

static bool new_node(struct added_set *set) {
    if (set->n_node == set->cap_node) {
        size_t cap = set->cap_node ? set->cap_node * 2 : 64, bytes;
        if (!size_mul(cap, sizeof *set->ends, &bytes)) return false;
        int32_t *ends = realloc(set->ends, bytes);
        if (!ends) return false;
        set->ends = ends;
        set->cap_node = cap;
    }
    set->ends[set->n_node++] = -1;
    return true;
}

bool added_put(struct added_set *set, const struct added_token *token, int32_t *same) {
    *same = -1;
    if (set->n == set->cap) return false;
    if (set->n_node == 0 && !new_node(set)) return false;
    uint64_t node = 0;
    for (size_t i = 0; i < token->len; i++) {
        uint64_t edge = node << 8 | (unsigned char)token->text[i];
        if (u64map_get(&set->edges, edge, &node)) continue;
        node = set->n_node;
        if (!new_node(set) || !u64map_put(&set->edges, edge, node)) return false;
    }
    if (set->ends[node] >= 0) {
        *same = set->tokens[set->ends[node]].id;
        return true;
    }
    set->ends[node] = set->n;
    set->tokens[set->n++] = *token;
    unsigned char first = (unsigned char)token->text[0];
    if (!set->first[first]) set->n_first++;
    if (!token->special) set->n_plain++;
    set->first[first] = true;
    for (unsigned second = 0; second < 256; second++) {
        if (token->len == 1 || second == (unsigned char)token->text[1])
            set->starts[first << 2 | second >> 6] |= (uint64_t)1 << second % 64;
    }
    return true;
}

/* Start of the last character before `at`. */
static size_t char_before(const char *text, size_t at, uint32_t *code) {
    size_t start = at - 1;
    while (start > 0 && at - start < UTF8_MAX && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    if (start + (size_t)utf8_step(text + start, at - start, code) == at) return start;
    *code = UTF8_CODE_END + (unsigned char)text[at - 1];
    return at - 1;
}

static bool word_beside(const char *text, size_t len, size_t start, size_t stop) {
    uint32_t code;
    if (start > 0) {
        char_before(text, start, &code);
        if (utf8_is_word(code)) return true;
    }
    if (stop == len) return false;
    utf8_step(text + stop, len - stop, &code);
    return utf8_is_word(code);
}

bool added_is_trusted(const struct added_trust *trust, size_t start, size_t stop) {
    size_t lo = 0, hi = trust->n_user; // the first span that ends behind `start`
    if (!trust->special) return false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (trust->user[mid].stop > start)
            hi = mid;
        else
            lo = mid + 1;
    }
    while (lo < trust->n_user && trust->user[lo].start == trust->user[lo].stop)
        lo++; // empty ones hold no byte
    return lo == trust->n_user || trust->user[lo].start >= stop;
}

/* The longest token that begins at text[at], NULL when none does. */
static const struct added_token *longest(const struct added_set *set, const char *text, size_t len,
                                         size_t at, const struct added_trust *trust) {
    const struct added_token *found = NULL;
    uint64_t node = 0;
    for (size_t i = at; i < len; i++) {
        if (!u64map_get(&set->edges, node << 8 | (unsigned char)text[i], &node)) break;
        if (set->ends[node] < 0) continue;
        const struct added_token *token = &set->tokens[set->ends[node]];
        if (!token->special || added_is_trusted(trust, at, i + 1)) found = token;
    }
    return found;
}

/* The first place from `at` on where a token may begin, or len. */
static size_t next_start(const struct added_set *set, const char *text, size_t len, size_t at) {
    for (; at < len; at++) {
        if (set->n_first == 1) { // most often '<'
            const char *next = memchr(text + at, set->tokens[0].text[0], len - at);
            if (!next) return len;
            at = (size_t)(next - text);
        }
        unsigned char first = (unsigned char)text[at];
        if (!set->first[first]) continue;
        if (at + 1 == len) break;
        unsigned char second = (unsigned char)text[at + 1];
        if (set->starts[first << 2 | second >> 6] >> second % 64 & 1) break;
    }
    return at;
}

bool added_find(const struct added_set *set, const char *text, size_t len, size_t from,
                const struct added_trust *trust, struct added_match *match) {
    if (set->n_plain == 0 && !(set->n && trust->special)) return false;
    for (size_t at = from; (at = next_start(set, text, len, at)) < len;) {
        const struct added_token *token = longest(set, text, len, at, trust);
        if (!token) {
            at++;
            continue;
        }
        size_t start = at, stop = at + token->len;
        at = stop;
        if (token->single_word && word_beside(text, len, start, stop)) continue;
        uint32_t code;
        while (token->lstrip && start > from) {
            size_t before = char_before(text, start, &code);
            if (before < from || !utf8_is_space(code)) break;
            start = before;
        }
        while (token->rstrip && stop < len) {
            int step = utf8_step(text + stop, len - stop, &code);
            if (!utf8_is_space(code)) break;
            stop += (size_t)step;
        }
        *match = (struct added_match){start, stop, token->id};
        return true;
    }
    return false;
}
