/* SentencePiece's normaliser: rules, white space, and the space put in front of a text. */
#ifndef JL_TEXT_SP_NORMALIZE_H
#define JL_TEXT_SP_NORMALIZE_H

#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/trie.h"

struct sp_normalizer {
    struct charsmap map;           // its bytes are the owner's
    struct trie user;              // user-defined pieces, which no rule touches; may be unbuilt
    bool add_dummy_prefix;         // a space in front, or behind with as_suffix
    bool prefix_once;              // only at the start of a whole text
    bool remove_extra_whitespaces; // at both ends, and all but one in a row
    bool escape_whitespaces;       // spaces become U+2581
    bool as_suffix;
};

void sp_normalize_free(struct sp_normalizer *normalizer);

/* Appends the normalised text; bytes that are not UTF-8 become U+FFFD, one for each. at_start: the
 * stretch begins a whole text. False: out of memory. */
bool sp_normalize_text(const struct sp_normalizer *normalizer, bool at_start, const char *text,
                       size_t len, struct byte_buffer *out);

#endif
