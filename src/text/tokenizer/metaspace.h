/* Metaspace, the pre-tokenizer of SentencePiece vocabularies: spaces become a visible mark, a mark
 * is put in front, and the text may be cut before each mark. */
#ifndef JL_TEXT_METASPACE_H
#define JL_TEXT_METASPACE_H

#include "text/buffer.h"
#include "text/utf8.h"

#define METASPACE_MARK "\xE2\x96\x81" // U+2581

struct metaspace {
    char mark[UTF8_MAX];
    size_t mark_len;
    enum metaspace_prepend {
        METASPACE_NEVER,
        METASPACE_FIRST, // only at the start of the whole text
        METASPACE_ALWAYS,
    } prepend; // never before a mark
    bool split;
};

/* `text` with marks into *out, whose old content is gone; false: out of memory. */
bool metaspace_mark(const struct metaspace *metaspace, const char *text, size_t len,
                    bool at_text_start, struct byte_buffer *out);

/* End of the word that begins at `from` < len in a marked text. */
size_t metaspace_word_end(const struct metaspace *metaspace, const char *text, size_t len,
                          size_t from);

#endif
