/* WordPiece: a word becomes the longest token it begins with, then the longest continuation, and so
 * on; if that fails somewhere, the whole word is the unknown token (BERT, Hugging Face). */
#ifndef JL_TEXT_WORDPIECE_H
#define JL_TEXT_WORDPIECE_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/trie.h"

struct wordpiece_token {
    const char *text; // not empty
    size_t len;
    int32_t id;
};

struct wordpiece {
    struct trie first; // tokens a word can begin with
    struct trie rest;  // what can follow, without the prefix
    size_t max_chars;  // a longer word is unknown
    int32_t unknown;   // TOKEN_NONE when absent
};

/* A continuation begins with `prefix` ("##"), which may be empty; as in Hugging Face, every token
 * can begin a word. False: out of memory. */
bool wordpiece_build(struct wordpiece *wordpiece, const struct wordpiece_token *tokens, size_t n,
                     const char *prefix, size_t prefix_len);

/* The other way round, as GGUF has it: tokens that begin with `mark` (U+2581) begin a word, the
 * others continue one. */
bool wordpiece_build_marked(struct wordpiece *wordpiece, const struct wordpiece_token *tokens,
                            size_t n, const char *mark, size_t mark_len);
void wordpiece_free(struct wordpiece *wordpiece);

/* Appends the ids of one word of any bytes. */
enum jl_status wordpiece_encode(const struct wordpiece *wordpiece, const char *text, size_t len,
                                struct id_buffer *ids, struct jl_error *err);

#endif
