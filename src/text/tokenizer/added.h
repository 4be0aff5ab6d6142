/* Added and special tokens: texts that become one token before any merging.
 *
 * At each place the longest match wins, then the search goes on behind it (leftmost-longest). A
 * trie of bytes, walked from each byte that begins some token. */
#ifndef JL_TEXT_ADDED_H
#define JL_TEXT_ADDED_H

#include "text/span.h"
#include "text/tokenizer/vocab.h"
#include "text/u64map.h"

struct added_token {
    int32_t id;
    const char *text; // what is looked for
    size_t len;
    bool special;        // found only where the text is trusted
    bool lstrip, rstrip; // takes the white space before / behind it too
    bool single_word;    // not beside a word character
};

struct added_set {
    struct added_token *tokens; // in the caller's arena
    int n, cap;
    struct u64map edges; // node << 8 | byte -> node; 0 is the root
    int32_t *ends;       // node -> index in tokens, -1
    size_t n_node, cap_node;
    bool first[256];       // bytes some token begins with
    int n_first;           // how many these are
    int n_plain;           // tokens that are not special
    uint64_t starts[1024]; // of two bytes that some token begins with: bit first << 8 | second
};

struct added_match {
    size_t start, stop; // with stripped white space; the search goes on at stop
    int32_t id;
};

bool added_init(struct added_set *set, struct arena *arena, int cap); // false: out of memory
/* text stays with the caller, not empty. A token that already has this text is returned in *same,
 * else -1. False: out of memory. */
bool added_put(struct added_set *set, const struct added_token *token, int32_t *same);
void added_free(struct added_set *set);

/* Which special tokens count: all, none, or those of which no byte is a user's. Spans are places in
 * the text that is searched. */
struct added_trust {
    bool special;
    const struct text_span *user;
    size_t n_user;
};
bool added_is_trusted(const struct added_trust *trust, size_t start, size_t stop);

/* The next match in text[from, len); nothing before `from` is taken. */
bool added_find(const struct added_set *set, const char *text, size_t len, size_t from,
                const struct added_trust *trust, struct added_match *match);

#endif
