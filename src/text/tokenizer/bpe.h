/* Byte-pair encoding over characters, with byte fallback: normalised text -> ids.
 *
 * Built by spm.c (scores) or tokenizer_json_bpe.c (merge list), const afterwards. Symbols are token
 * ids, or BPE_BARE + code for a character (or stray byte) that is no token of its own. Byte and
 * unknown tokens never take part in merges: bare characters become such tokens at the very end. */
#ifndef JL_TEXT_BPE_H
#define JL_TEXT_BPE_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/bpe_merge.h"
#include "text/tokenizer/vocab.h"

#define BPE_BARE 0x40000000
#define BPE_JOIN_BITS 18 // of the hash of two adjacent characters

struct bpe {
    const struct vocab *vocab;
    struct u64map pairs;     // bpe_merge.h
    struct u64map chars;     // code (utf8_step) -> token
    int32_t byte_token[256]; // TOKEN_NONE where absent
    bool byte_fallback;      // all 256 are there
    bool fuse_unknown;       // a run of unknown characters is one token
    bool ignore_merges;      // a word that is a token stays whole
    int32_t unknown;         // TOKEN_NONE when absent

    /* Two adjacent characters whose bit is clear stand side by side in no token that merging
     * makes, so no merge ever crosses that place and the text may be cut there. A false 1 (it is
     * a hash) only makes a piece longer. */
    uint64_t joins[(1 << BPE_JOIN_BITS) / 64];
};

void bpe_free(struct bpe *bpe);

/* For builders; false is out of memory. */
int32_t bpe_symbol(const struct bpe *bpe, uint32_t code);
bool bpe_add_char(struct bpe *bpe, int32_t token);                   // ignored unless one character
void bpe_allow_joins(struct bpe *bpe, const char *text, size_t len); // text of a merged token
void bpe_set_byte_fallback(struct bpe *bpe);                         // after byte_token is filled

/* One encoding: scratch memory and a cache of pieces seen before in the same text. */
#define BPE_CACHE_SIZE 4096 // pieces, direct mapped
struct bpe_seen {
    uint32_t at, len;      // the piece, in text
    uint32_t ids_at, n_id; // its ids, in ids; n_id 0 is a free place
};
struct bpe_run {
    const struct bpe *bpe;
    struct id_buffer *ids; // output; only grows
    const char *text;
    size_t len;
    struct bpe_merge_scratch merge;
    struct id_buffer symbols;
    struct bpe_seen *cache; // NULL for short texts
};

/* Sets the text the following words lie in. Without memory for a cache there is none. */
void bpe_run_text(struct bpe_run *run, const char *text, size_t len);
/* Appends the ids of run->text[from, to). Words do not see each other. */
enum jl_status bpe_run_word(struct bpe_run *run, size_t from, size_t to, struct jl_error *err);
void bpe_run_free(struct bpe_run *run); // not run->ids

#endif
