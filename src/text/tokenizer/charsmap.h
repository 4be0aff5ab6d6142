/* SentencePiece's precompiled_charsmap: rules "these bytes become those bytes".
 *
 * Layout: 4 bytes size of the trie, the trie as a Darts double array of 32-bit little-endian units,
 * then texts that each end with NUL, at the offsets that the trie gives. The bytes come from a file
 * and are never trusted: every step is checked against the table's size. */
#ifndef JL_TEXT_CHARSMAP_H
#define JL_TEXT_CHARSMAP_H

#include "base/status.h"
#include "text/buffer.h"

struct charsmap {
    const unsigned char *units; // 4 bytes each, in the caller's bytes
    size_t n_unit;              // 0: no rules
    const char *texts;
    size_t texts_len;
};

/* `bytes` stay with the caller for as long as the map is used. None at all is a map without rules.
 * Every text that a rule can lead to is checked to be there, and to be UTF-8. */
enum jl_status charsmap_open(struct charsmap *map, const void *bytes, size_t len,
                             struct jl_error *err);

struct charsmap_match {
    size_t len; // bytes of the input; 0 when no rule applies
    const char *text;
    size_t text_len; // may be 0
};

/* The longest rule for the start of `text`. */
struct charsmap_match charsmap_longest(const struct charsmap *map, const char *text, size_t len);

/* The way of SentencePiece: at each place the longest rule, else the character. Stray bytes stay.
 */
bool charsmap_rewrite(const struct charsmap *map, const char *text, size_t len,
                      struct byte_buffer *out);

/* The way of Hugging Face's `Precompiled`: a grapheme cluster of fewer than 6 bytes that some rule
 * is a prefix of becomes the text of the shortest such rule, all of it; otherwise each of its
 * characters is treated so. */
bool charsmap_rewrite_graphemes(const struct charsmap *map, const char *text, size_t len,
                                struct byte_buffer *out);

#endif
